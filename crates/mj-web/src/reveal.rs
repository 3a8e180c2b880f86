//! Seeing one masked personal value in clear, the same wherever one is shown: asked for with a reason, decided
//! for the record at hand, counted against a daily quota of the account, kept as an act. The domain that keeps
//! the value finds it ([`MaskedValue`]); [`open`] is the only way from there to the person who asks.

use std::sync::LazyLock;

use mj_platform::rules::RuleTable;
use mj_platform::{Db, Lane, TruthTable, new_id};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use axum::http::StatusCode;

use crate::authority::{Action, Resource};
use crate::caller::Caller;
use crate::problem::Problem;

/// Values of records that all agencies of an area share: parties and what was done to them.
pub const SHARED_VALUE: Action =
    Action::new("personal.shared_value.reveal", "查看监管对象和监管记录中被遮挡的个人信息");
/// Values of records that belong to one agency: its officers, its deliveries.
pub const AGENCY_VALUE: Action =
    Action::new("personal.agency_value.reveal", "查看部门数据中被遮挡的个人信息");

/// A value that is masked where it is shown, found for a caller by the domain that keeps it.
pub struct MaskedValue {
    /// What it stands in: `party:…`, as the act names it.
    pub object: String,
    /// Where its record stands; a record that stands in several places is opened by a right at any.
    pub at: Vec<Resource>,
    /// What people call the field.
    pub title: String,
    /// `None`: the key was destroyed, nobody can open it any more.
    pub value: Option<String>,
}

/// Not masked, or no such field: said before anything is counted.
pub fn not_masked() -> Problem {
    Problem::invalid("reveal.field", "这一项没有被遮挡").field("field", "请刷新页面后再试")
}

/// The value in clear for whoever may: decided, counted, kept in the log, and only then given.
pub async fn open(
    db: &Db,
    caller: &Caller,
    found: MaskedValue,
    request: &RevealRequest,
) -> Result<Revealed, Problem> {
    let mut refused = Problem::not_found();
    let mut allowed = false;
    for at in &found.at {
        match caller.require(at) {
            Ok(_) => allowed = true,
            // what bars somebody who may otherwise says more than "not there"
            Err(problem) if problem.status() != StatusCode::NOT_FOUND => refused = problem,
            Err(_) => {}
        }
    }
    if !allowed {
        return Err(refused);
    }
    let permit = claim(db, caller, &found, request).await?;
    Ok(permit.show(found.value.unwrap_or_else(|| "（已删除）".to_owned())))
}

/// Who saw what, of which only the field's name is kept.
pub const FIELD_REVEAL: TruthTable =
    TruthTable { name: "field_reveal", columns: &["id", "actor", "day", "object", "field", "at"] };

static RULES: LazyLock<mj_platform::Result<RuleTable>> =
    LazyLock::new(|| RuleTable::parse(include_str!("../rules/reveal.toml")));

const REASON_CHARACTERS: std::ops::RangeInclusive<usize> = 4..=200;

/// 查看一项被遮挡的个人信息
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct RevealRequest {
    /// 数据项名称，与所见一致
    pub field: String,
    /// 为什么要看，4 至 200 个字
    pub reason: String,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Revealed {
    pub value: String,
    /// 页面上显示多少秒
    pub seconds: i64,
    /// 今天还可以查看几次
    pub left_today: i64,
}

/// A permission taken from the quota; the value goes into it.
#[must_use = "what was counted must be shown"]
struct Permit {
    seconds: i64,
    left_today: i64,
}

impl Permit {
    fn show(self, value: String) -> Revealed {
        Revealed { value, seconds: self.seconds, left_today: self.left_today }
    }
}

/// Writes down who looks at which field of what and why, unless the day's quota is used up.
async fn claim(
    db: &Db,
    caller: &Caller,
    found: &MaskedValue,
    request: &RevealRequest,
) -> Result<Permit, Problem> {
    let reason = request.reason.trim();
    if !REASON_CHARACTERS.contains(&reason.chars().count()) {
        return Err(Problem::invalid("reveal.reason", "请写明为什么要查看")
            .field("reason", "4 至 200 个字，例如：核对处罚决定书送达地址"));
    }
    let today = db.clock().today();
    let rules = RULES.as_ref().map_err(|error| Problem::internal(error))?;
    let number = |key: &str| rules.on(key, today).and_then(|rule| rule.value.parse::<i64>().ok());
    let daily = number("daily").unwrap_or(0);
    let actor = caller.actor.reference();
    let because = format!("查看“{}”：{reason}", found.title);
    let act = caller.act(found.object.as_str()).because(because);
    let mut tx = db.begin(Lane::People, act).await?;
    let (now, day) = (tx.now(), today.to_string());
    // written first: whoever looks at the same moment waits for the count to be true
    tx.insert(
        &FIELD_REVEAL,
        &[
            ("id", new_id().into()),
            ("actor", actor.as_str().into()),
            ("day", day.as_str().into()),
            ("object", found.object.as_str().into()),
            ("field", request.field.as_str().into()),
            ("at", now.into()),
        ],
    )
    .await?;
    let sql = "SELECT id FROM field_reveal WHERE actor = $1 AND day = $2";
    let used = tx.fetch_all(sql, &[actor.into(), day.into()]).await?.len();
    let left_today = daily - i64::try_from(used).unwrap_or(i64::MAX);
    if left_today < 0 {
        return Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "reveal.quota",
            "今天的查看次数已经用完",
        )
        .detail(format!(
            "每个账号每天可查看 {daily} 项个人信息，明天 0 时恢复；工作急需的，请由本单位其他有权人员查看。"
        )));
    }
    tx.commit().await?;
    Ok(Permit { seconds: number("seconds").unwrap_or(30), left_today })
}
