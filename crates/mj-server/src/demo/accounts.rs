//! The people of the demonstration city: enrolled, created and granted as any administrator would.

use std::path::Path;

use axum::Router;
use mj_kernel::Role;
use mj_platform::keys::write_private;
use serde::Serialize;
use serde_json::json;

use super::visitor::Visitor;
use crate::cli::Failure;
use crate::node::Node;

#[derive(Debug, Serialize)]
pub struct DemoAccount {
    pub login: String,
    pub password: String,
    /// Base32, for an authenticator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub totp_secret: Option<String>,
    pub role: &'static str,
    pub area: String,
    pub agency: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct DemoSource {
    pub cd_source: String,
    pub token: String,
    pub tables: Vec<String>,
}

/// One agency as the city's set-up names it.
pub struct AgencySetUp {
    pub uscc: String,
    pub area: String,
}

/// Which account is made for a role, and how far it reaches.
enum Reach {
    City,
    Agency,
}

const PEOPLE: [(Role, &str, &str, Reach); 12] = [
    (Role::Enterprise, "enterprise", "企业代表（演示）", Reach::City),
    (Role::Officer, "officer", "执法人员（演示）", Reach::Agency),
    (Role::Clerk, "clerk", "经办人（演示）", Reach::Agency),
    (Role::Reviewer, "reviewer", "审核人（演示）", Reach::Agency),
    (Role::Leader, "leader", "部门领导（演示）", Reach::Agency),
    (Role::DeptAdmin, "dept-admin", "部门管理员（演示）", Reach::Agency),
    (Role::RegionLeader, "region-leader", "市领导（演示）", Reach::City),
    (Role::DatahubOperator, "datahub", "数据汇聚管理员（演示）", Reach::City),
    (Role::CatalogueManager, "catalogue", "事项管理员（演示）", Reach::City),
    (Role::Supervisor, "supervisor", "监督人员（演示）", Reach::City),
    // a clerk of the whole city, so that every list has rows for the first look
    (Role::Clerk, "city-clerk", "市级经办人（演示）", Reach::City),
    (Role::Clerk, WITH_CODE, "经办人（演示，用动态口令）", Reach::Agency),
];

/// Whose grant is of the personal level.
const PERSONAL: [&str; 4] = ["officer", "clerk", "reviewer", "city-clerk"];

/// The account that shows a login in two steps.
const WITH_CODE: &str = "clerk-code";

pub struct People {
    pub accounts: Vec<DemoAccount>,
    pub datahub: Visitor,
}

/// Three administrators by their one-time codes, then everybody else by the administrators.
pub async fn set_up(
    node: &Node,
    router: &Router,
    city: &str,
    agencies: &[serde_json::Value],
    desk: &AgencySetUp,
) -> Result<People, Failure> {
    let codes = match mj_access::bootstrap(&node.db).await.map_err(Failure::broken)? {
        Some(codes) => codes,
        None => {
            return Err(Failure::Usage(
                "此数据目录已有账号，不是空的演示目录；请用 --data-dir 另选一个".into(),
            ));
        }
    };
    let mut accounts = Vec::new();
    let nobody = Visitor::new(router);
    for code in codes {
        let login = code.role.name().replace('_', "-");
        let password = password();
        let body = json!({
            "code": code.code, "login": login, "password": password,
            "name": format!("{}（演示）", code.role.title()),
        });
        nobody.post("/api/v1/enrolments", body).await?;
        accounts.push(DemoAccount {
            login,
            password,
            totp_secret: None,
            role: code.role.name(),
            area: city.to_owned(),
            agency: None,
        });
    }
    let by_role = |role: Role| {
        accounts
            .iter()
            .find(|account| account.role == role.name())
            .map(|account| (account.login.clone(), account.password.clone()))
            .ok_or_else(|| Failure::Broken(format!("没有{}的账号", role.title())))
    };
    let (login, secret) = by_role(Role::SysAdmin)?;
    let system = Visitor::login(router, &login, &secret).await?;
    let (login, secret) = by_role(Role::SecAdmin)?;
    let security = Visitor::login(router, &login, &secret).await?;
    let (login, secret) = by_role(Role::AuditAdmin)?;
    let audit = Visitor::login(router, &login, &secret).await?;
    for agency in agencies {
        system.post("/api/v1/access/agencies", agency.clone()).await?;
    }
    for (role, login, name, reach) in &PEOPLE {
        let password = password();
        let agency = match reach {
            Reach::City => None,
            Reach::Agency => Some(desk.uscc.clone()),
        };
        let made = system
            .post(
                "/api/v1/access/accounts",
                json!({"login": login, "name": name, "agency": agency}),
            )
            .await?;
        let code = made["activation_code"].as_str().unwrap_or_default();
        nobody
            .post("/api/v1/enrolments", json!({"code": code, "login": login, "password": password}))
            .await?;
        let area = match reach {
            Reach::City => city.to_owned(),
            Reach::Agency => desk.area.clone(),
        };
        // who works with parties may see a masked value; everybody else's grant is of the internal level
        let personal = PERSONAL.contains(login);
        let grant = json!({
            "account_id": made["id"], "role": role.name(), "areas": [area],
            "level": if personal { "personal" } else { "internal" },
            "agencies": agency.as_ref().map(|agency| [agency]), "reason": "演示城市的岗位",
        });
        if personal || *role == Role::DatahubOperator {
            by_two(&security, &audit, grant).await?;
        } else {
            security.post("/api/v1/access/grants", grant).await?;
        }
        let totp_secret = match *login {
            WITH_CODE => Some(bind_authenticator(router, login, &password).await?),
            _ => None,
        };
        accounts.push(DemoAccount {
            login: (*login).to_owned(),
            password,
            totp_secret,
            role: role.name(),
            area,
            agency,
        });
    }
    let operator = accounts
        .iter()
        .find(|account| account.role == Role::DatahubOperator.name())
        .ok_or_else(|| Failure::Broken("没有数据汇聚管理员的账号".into()))?;
    let datahub = Visitor::login(router, &operator.login, &operator.password).await?;
    Ok(People { accounts, datahub })
}

/// A role that only two may give.
async fn by_two(
    security: &Visitor,
    audit: &Visitor,
    grant: serde_json::Value,
) -> Result<(), Failure> {
    let requests = "/api/v1/access/grant-requests";
    let asked = security.post(requests, grant).await?;
    let path = format!("{requests}/{}/confirm", asked["id"].as_str().unwrap_or_default());
    audit.post(&path, json!({"version": asked["version"]})).await?;
    Ok(())
}

/// Sets up an authenticator as its owner would, and tells its secret.
async fn bind_authenticator(
    router: &Router,
    login: &str,
    password: &str,
) -> Result<String, Failure> {
    let owner = Visitor::login(router, login, password).await?;
    let path = "/api/v1/sessions/current/second-factor";
    let offer = owner.post(&format!("{path}/offer"), json!({})).await?;
    let uri = offer["uri"].as_str().unwrap_or_default();
    let authenticator = totp_rs::Totp::from_url(uri).map_err(Failure::broken)?;
    let code = authenticator.generate_current().to_string();
    owner.post(&format!("{path}/confirm"), json!({"totp": code})).await?;
    Ok(offer["secret"].as_str().unwrap_or_default().to_owned())
}

/// Sources registered by the datahub operator, each with its token.
pub async fn register_sources(
    datahub: &Visitor,
    sources: &[serde_json::Value],
) -> Result<Vec<DemoSource>, Failure> {
    let mut registered = Vec::new();
    for source in sources {
        datahub.post("/api/v1/datahub/sources", source.clone()).await?;
        let cd_source = source["cd_source"].as_str().unwrap_or_default().to_owned();
        let path = format!("/api/v1/datahub/sources/{cd_source}/token");
        let issued = datahub.post(&path, json!({})).await?;
        registered.push(DemoSource {
            cd_source,
            token: issued["token"].as_str().unwrap_or_default().to_owned(),
            tables: source["tables"]
                .as_array()
                .map(|tables| {
                    tables.iter().filter_map(|table| table.as_str().map(str::to_owned)).collect()
                })
                .unwrap_or_default(),
        });
    }
    Ok(registered)
}

pub fn write(path: &Path, accounts: &[DemoAccount], sources: &[DemoSource]) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(&json!({"accounts": accounts, "sources": sources}))
        .map_err(Failure::broken)?;
    write_private(path, &text)?;
    Ok(())
}

/// Twenty characters that are easy to read aloud and to type.
fn password() -> String {
    const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ23456789";
    let mut text = String::new();
    while text.len() < 20 {
        for byte in mj_platform::gm::random::<32>() {
            // only bytes below a multiple of the alphabet, so that every letter is equally likely
            if usize::from(byte) < 256 / LETTERS.len() * LETTERS.len() && text.len() < 20 {
                text.push(char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
            }
        }
    }
    // the password rule asks for both kinds
    format!("{text}-7k")
}

#[cfg(test)]
pub fn roles() -> Vec<Role> {
    let administrators = [Role::SysAdmin, Role::SecAdmin, Role::AuditAdmin];
    PEOPLE.iter().map(|(role, ..)| *role).chain(administrators).collect()
}
