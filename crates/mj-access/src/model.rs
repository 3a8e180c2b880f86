//! Plain records of this domain and the rules that need nothing but their values.

use mj_kernel::{AgencySet, DataLevel, Instant, Role, Scope};

use crate::error::{Error, Result};

/// What "valid without end" is written as: sorts after every day, and is never NULL.
pub const NO_END: &str = "9999-12-31";

/// A department (监管主体).
#[doc(alias = "部门")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agency {
    pub id: String,
    pub uscc: String,
    pub name: String,
    pub short_name: String,
    pub area_number: String,
    /// The 2-digit department line (部门条线).
    pub line: String,
    /// Nature of the body: administrative organ, authorised or entrusted organisation.
    pub nature: String,
    /// `uscc` of the agency above it.
    pub parent: Option<String>,
    pub valid_from: String,
    pub valid_to: String,
    pub version: i64,
}

#[derive(Debug, Clone, Default)]
pub struct NewAgency {
    pub id: Option<String>,
    pub uscc: String,
    pub name: String,
    pub short_name: String,
    pub area_number: String,
    pub line: String,
    pub nature: String,
    pub parent: Option<String>,
    /// `YYYY-MM-DD`; today unless said.
    pub valid_from: Option<String>,
    pub valid_to: Option<String>,
}

/// What an account is for. It never changes: an administrator's account stays one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountClass {
    Business,
    Admin,
    /// A department's own system.
    Source,
}

impl AccountClass {
    pub fn name(self) -> &'static str {
        match self {
            Self::Business => "business",
            Self::Admin => "admin",
            Self::Source => "source",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Business, Self::Admin, Self::Source].into_iter().find(|class| class.name() == name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountState {
    Active,
    Disabled,
}

impl AccountState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: String,
    pub login: String,
    pub name: String,
    pub class: AccountClass,
    pub cd_source: Option<String>,
    /// `uscc` of the agency the person works for.
    pub agency: Option<String>,
    pub state: AccountState,
    pub created_at: Instant,
    pub version: i64,
}

#[derive(Debug, Clone)]
pub struct NewAccount {
    pub id: Option<String>,
    pub login: String,
    pub name: String,
    pub class: AccountClass,
    pub agency: Option<String>,
}

/// A role held by an account for a part of the world and a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleGrant {
    pub id: String,
    pub account_id: String,
    pub role: Role,
    pub scope: Scope,
    pub valid_from: String,
    pub valid_to: String,
    pub granted_by: String,
    pub granted_at: Instant,
    pub version: i64,
}

#[derive(Debug, Clone)]
pub struct NewGrant {
    pub id: Option<String>,
    pub account_id: String,
    pub role: Role,
    pub scope: Scope,
    pub valid_from: Option<String>,
    pub valid_to: Option<String>,
}

impl NewGrant {
    /// From today, without end.
    pub fn of(account_id: &str, role: Role, scope: Scope) -> Self {
        let account_id = account_id.to_owned();
        Self { id: None, account_id, role, scope, valid_from: None, valid_to: None }
    }
}

pub fn is_administrator(role: Role) -> bool {
    matches!(role, Role::SysAdmin | Role::SecAdmin | Role::AuditAdmin)
}

/// Logins are compared in lower case: 3 to 64 of letters, digits, `._@-`.
pub fn check_login(login: &str) -> Result<String> {
    let login = login.trim().to_ascii_lowercase();
    let fits = (3..=64).contains(&login.len())
        && login.bytes().all(|b| b.is_ascii_alphanumeric() || b"._@-".contains(&b));
    if fits {
        Ok(login)
    } else {
        Err(Error::Invalid {
            field: "login", reason: "应为 3 至 64 位字母、数字或 . _ @ -"
        })
    }
}

pub fn check_name(name: &str) -> Result<String> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
        return Err(Error::Invalid { field: "name", reason: "应为 1 至 64 个字" });
    }
    Ok(name.to_owned())
}

pub fn check_day(field: &'static str, day: &str) -> Result<()> {
    match chrono::NaiveDate::parse_from_str(day, "%Y-%m-%d") {
        Ok(date) if date.to_string() == day => Ok(()),
        _ => Err(Error::Invalid { field, reason: "应为 YYYY-MM-DD 形式的日期" }),
    }
}

pub fn check_area(field: &'static str, area: &str) -> Result<()> {
    let fits = [6, 9, 12].contains(&area.len()) && area.bytes().all(|b| b.is_ascii_digit());
    if fits {
        Ok(())
    } else {
        Err(Error::Invalid { field, reason: "应为 6、9 或 12 位行政区划代码" })
    }
}

/// Whether a role fits an account: the separation of the three administrators, said in words before
/// the database says it in constraints.
pub fn check_grant(class: AccountClass, held: &[Role], new: &NewGrant) -> Result<()> {
    let administrator = is_administrator(new.role);
    match (class, administrator) {
        (AccountClass::Source, _) => {
            return Err(Error::Separation("部门系统的账号不能授予人员角色。"));
        }
        (AccountClass::Business, true) => {
            return Err(Error::Separation("管理员角色只能授予管理员账号。"));
        }
        (AccountClass::Admin, false) => {
            return Err(Error::Separation("管理员账号不能兼任业务角色。"));
        }
        (AccountClass::Admin, true) if !held.is_empty() => {
            return Err(Error::Separation("系统、安全、审计管理员须由不同的账号担任。"));
        }
        _ => {}
    }
    if new.role == Role::Anonymous {
        return Err(Error::Invalid { field: "role", reason: "公众不是可授予的角色" });
    }
    if new.scope.areas.is_empty() {
        return Err(Error::Invalid { field: "areas", reason: "至少一个行政区划" });
    }
    for area in &new.scope.areas {
        check_area("areas", area)?;
    }
    if let Some(from) = &new.valid_from {
        check_day("valid_from", from)?;
    }
    if let Some(to) = &new.valid_to {
        check_day("valid_to", to)?;
        if new.valid_from.as_ref().is_some_and(|from| from > to) {
            return Err(Error::Invalid { field: "valid_to", reason: "不能早于起始日期" });
        }
    }
    Ok(())
}

pub fn level_name(level: DataLevel) -> &'static str {
    match level {
        DataLevel::Public => "public",
        DataLevel::Internal => "internal",
        DataLevel::Personal => "personal",
    }
}

/// What a level is called where a grant is described.
pub fn level_title(level: DataLevel) -> &'static str {
    match level {
        DataLevel::Public => "只看公开内容",
        DataLevel::Internal => "个人信息遮挡显示",
        DataLevel::Personal => "个人信息可看明文（查看留痕）",
    }
}

pub fn parse_level(name: &str) -> Option<DataLevel> {
    [DataLevel::Public, DataLevel::Internal, DataLevel::Personal]
        .into_iter()
        .find(|level| level_name(*level) == name)
}

/// A set as it is stored: `*` for all, else a JSON array.
pub fn set_to_text(set: &AgencySet) -> String {
    match set {
        AgencySet::All => "*".into(),
        AgencySet::Only(names) => serde_json::Value::from_iter(names.iter().cloned()).to_string(),
    }
}

pub fn set_from_text(text: &str) -> Option<AgencySet> {
    if text == "*" {
        return Some(AgencySet::All);
    }
    serde_json::from_str(text).ok().map(AgencySet::Only)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(role: Role) -> NewGrant {
        NewGrant {
            id: None,
            account_id: "a".into(),
            role,
            scope: Scope::everything(DataLevel::Internal),
            valid_from: None,
            valid_to: None,
        }
    }

    #[test]
    fn nobody_holds_two_of_the_three_keys() {
        let granted = check_grant(AccountClass::Admin, &[Role::SysAdmin], &new(Role::AuditAdmin));
        assert!(matches!(granted, Err(Error::Separation(_))));
        let business = check_grant(AccountClass::Admin, &[], &new(Role::Clerk));
        assert!(matches!(business, Err(Error::Separation(_))));
        let promoted = check_grant(AccountClass::Business, &[Role::Clerk], &new(Role::SecAdmin));
        assert!(matches!(promoted, Err(Error::Separation(_))));
        assert!(check_grant(AccountClass::Business, &[Role::Clerk], &new(Role::Officer)).is_ok());
    }

    #[test]
    fn a_set_reads_back_as_it_was_stored() {
        for set in [AgencySet::All, AgencySet::only(["甲", "b\"c"]), AgencySet::only::<_, &str>([])]
        {
            assert_eq!(set_from_text(&set_to_text(&set)), Some(set));
        }
    }
}
