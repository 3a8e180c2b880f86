//! Seeing one masked personal value in clear: asked for with a reason, counted against a daily quota of the
//! account, kept as an act. What the value is, and whether this person may, is the domain's own.

use std::sync::LazyLock;

use mj_platform::rules::RuleTable;
use mj_platform::{Db, Lane, TruthTable, new_id};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use axum::http::StatusCode;

use crate::caller::Caller;
use crate::problem::Problem;

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
pub struct Permit {
    seconds: i64,
    left_today: i64,
}

impl Permit {
    pub fn show(self, value: String) -> Revealed {
        Revealed { value, seconds: self.seconds, left_today: self.left_today }
    }
}

/// Writes down who looks at which field of what and why, unless the day's quota is used up.
pub async fn claim(
    db: &Db,
    caller: &Caller,
    object: &str,
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
    let because = format!("查看“{}”：{reason}", request.field);
    let mut tx = db.begin(Lane::People, caller.act(object).because(because)).await?;
    let (now, day) = (tx.now(), today.to_string());
    // written first: whoever looks at the same moment waits for the count to be true
    tx.insert(
        &FIELD_REVEAL,
        &[
            ("id", new_id().into()),
            ("actor", actor.as_str().into()),
            ("day", day.as_str().into()),
            ("object", object.into()),
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
