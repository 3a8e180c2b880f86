//! Grants that only two people may give: asked for by the security administrator, confirmed by another
//! administrator of security or audit before the request expires. Which grants these are is a rule table.

use std::sync::LazyLock;

use chrono::NaiveDate;
use mj_kernel::second_person::{Request, Standing, Verdict, Yes};
use mj_kernel::{DataLevel, Role};
use mj_platform::rules::RuleTable;
use mj_platform::{Db, DbRow, RowExt, TruthTable, WriteTx, second_person};

use crate::error::{Error, Result};
use crate::model::{NewGrant, level_name, parse_level, set_from_text, set_to_text};
use crate::{service, unlock};

static RULES: LazyLock<mj_platform::Result<RuleTable>> =
    LazyLock::new(|| RuleTable::parse(include_str!("../rules/second_person.toml")));

pub const GRANT_REQUEST: TruthTable = TruthTable {
    name: "grant_request",
    columns: &[
        "id",
        "account_id",
        "role",
        "areas",
        "agencies",
        "item_lines",
        "level",
        "valid_from",
        "valid_to",
        "reason",
        "state",
        "requested_by",
        "requested_at",
        "expires_at",
        "decided_by",
        "decided_at",
        "decided_why",
        "grant_id",
    ],
};

/// A request as kept.
#[derive(Debug, Clone)]
pub struct GrantRequest {
    pub id: String,
    pub new: NewGrant,
    pub reason: String,
    pub two: Request,
    pub version: i64,
}

/// The word by which this table writes a yes: it gives the grant at once.
const CONFIRMED: &str = "confirmed";

/// As the table and the interface call it.
pub fn name_of(state: Standing) -> &'static str {
    match state {
        Standing::Approved => CONFIRMED,
        other => other.name(),
    }
}

/// Whether this grant needs a second person on this day, and by which rule.
pub fn needs_second_person(
    role: Role,
    level: DataLevel,
    day: NaiveDate,
) -> Result<Option<&'static str>> {
    let rules = RULES.as_ref().map_err(|error| Error::Rules(error.to_string()))?;
    let by = |key: String| rules.on(&key, day).filter(|rule| rule.value == "second_person");
    let rule =
        by(format!("role/{}", role.name())).or_else(|| by(format!("level/{}", level_name(level))));
    Ok(rule.map(|rule| rule.basis.as_str()))
}

fn hours_of(day: NaiveDate) -> Result<i64> {
    let rules = RULES.as_ref().map_err(|error| Error::Rules(error.to_string()))?;
    let hours = rules.on("hours", day).and_then(|rule| rule.value.parse::<i64>().ok());
    hours.ok_or_else(|| Error::Rules("hours".into()))
}

/// Asks for a grant in the name of the act's actor; the same checks as giving it.
pub async fn request(tx: &mut WriteTx, id: &str, new: &NewGrant, reason: &str) -> Result<()> {
    service::may_hold(tx, new).await?;
    let hours = hours_of(mj_kernel::clock::beijing_date(tx.now()))?;
    let areas = serde_json::Value::from_iter(new.scope.areas.iter().cloned()).to_string();
    let mut row = vec![
        ("id", id.into()),
        ("account_id", new.account_id.as_str().into()),
        ("role", new.role.name().into()),
        ("areas", areas.into()),
        ("agencies", set_to_text(&new.scope.agencies).into()),
        ("item_lines", set_to_text(&new.scope.item_lines).into()),
        ("level", level_name(new.scope.level).into()),
        ("valid_from", new.valid_from.clone().into()),
        ("valid_to", new.valid_to.clone().into()),
        ("reason", reason.into()),
        ("grant_id", None::<String>.into()),
    ];
    row.extend(second_person::asked(tx, hours));
    Ok(tx.insert(&GRANT_REQUEST, &row).await?)
}

/// Gives what was asked for, by the act's actor: never the one who asked, never to oneself.
pub async fn confirm(tx: &mut WriteTx, request: &GrantRequest, expected: i64) -> Result<String> {
    let state = decide(tx, request, Verdict::Yes)?;
    unlock::withdraw_first_code(tx, &request.new.account_id).await?;
    let grant_id = service::grant_role(tx, &request.new).await?;
    let grant = [("grant_id", grant_id.as_str().into())];
    let which = (request.id.as_str(), expected);
    second_person::close(tx, &GRANT_REQUEST, which, name_of(state), None, &grant).await?;
    Ok(grant_id)
}

/// Says no; whoever asked takes it back.
pub async fn refuse(
    tx: &mut WriteTx,
    request: &GrantRequest,
    expected: i64,
    why: &str,
) -> Result<()> {
    let state = decide(tx, request, Verdict::No)?;
    let which = (request.id.as_str(), expected);
    let none = [("grant_id", None::<String>.into())];
    Ok(second_person::close(tx, &GRANT_REQUEST, which, name_of(state), Some(why), &none).await?)
}

fn decide(tx: &WriteTx, request: &GrantRequest, verdict: Verdict) -> Result<Standing> {
    let own = "自己提出的授权须由另一名管理员确认。";
    request.two.decide(&tx.act().actor, verdict, tx.now()).map_err(|bar| Error::barred(bar, own))
}

pub async fn by_id(db: &Db, id: &str) -> Result<Option<GrantRequest>> {
    let sql = "SELECT * FROM grant_request WHERE id = $1";
    db.fetch_optional(sql, &[id.into()]).await?.as_ref().map(read).transpose()
}

/// Those of one account, or all: what waits first, then the newest.
pub async fn list(db: &Db, account: Option<&str>) -> Result<Vec<GrantRequest>> {
    let rows = match account {
        Some(account) => {
            let sql =
                "SELECT * FROM grant_request WHERE account_id = $1 ORDER BY id DESC LIMIT 200";
            db.fetch_all(sql, &[account.into()]).await?
        }
        None => {
            let sql = "SELECT * FROM grant_request ORDER BY CASE WHEN state = 'waiting' AND expires_at > $1 \
                       THEN 0 ELSE 1 END, id DESC LIMIT 200";
            db.fetch_all(sql, &[db.clock().now().into()]).await?
        }
    };
    rows.iter().map(read).collect()
}

fn read(row: &DbRow) -> Result<GrantRequest> {
    let broken =
        |what: &str| mj_platform::Error::Corrupt(format!("grant_request.{what} 的值不认识"));
    let set = |column: &str| -> Result<_> {
        Ok(set_from_text(&row.text(column)?).ok_or_else(|| broken(column))?)
    };
    let areas = serde_json::from_str(&row.text("areas")?).map_err(|_| broken("areas"))?;
    Ok(GrantRequest {
        id: row.text("id")?,
        new: NewGrant {
            id: None,
            account_id: row.text("account_id")?,
            role: Role::parse(&row.text("role")?).ok_or_else(|| broken("role"))?,
            scope: mj_kernel::Scope {
                areas,
                agencies: set("agencies")?,
                item_lines: set("item_lines")?,
                level: parse_level(&row.text("level")?).ok_or_else(|| broken("level"))?,
            },
            valid_from: row.opt_text("valid_from")?,
            valid_to: row.opt_text("valid_to")?,
        },
        reason: row.text("reason")?,
        two: second_person::read(row, CONFIRMED, Yes::Does)?,
        version: row.int("version")?,
    })
}
