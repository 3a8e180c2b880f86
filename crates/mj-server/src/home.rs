//! The first page of the workbench (工作台): to-dos, what came in since yesterday, what is wrong with
//! our data, who may soon no longer act, and what this account opened last. Each part is there only
//! for who may read it; administrators see people and rights instead of business data.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::Days;
use mj_datahub::{Arrived, Faults, SourcesAtAGlance};
use mj_flow::{Flow, WorkBrief};
use mj_kernel::ActorKind;
use mj_kernel::clock::to_rfc3339;
use mj_platform::{Db, Lane, RowExt};
use mj_registry::OfficerSummary;
use mj_web::{Action, Answer, Caller, Input, Module, Problem, get, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ledger::audit::{self, AuditDue};
use crate::search::{Everything, Hit};

pub const HOME_READ: Action = Action::new("home.read", "工作台");
pub const HOME_RECENT: Action = Action::new("home.recent", "记下打开过的内容");

const TO_DOS: u32 = 8;
const RECENT: usize = 8;
/// Kept of each account; older ones are forgotten.
const KEPT: i64 = 40;

#[derive(Clone)]
pub struct Home {
    pub db: Db,
    pub flow: Flow,
    pub everything: Everything,
}

pub fn module(home: Home) -> Module {
    let routes = vec![
        get(HOME_READ, "/api/v1/home", read)
            .summary("工作台：待办、昨日以来、数据问题、最近打开")
            .ok::<HomeView>(),
        post(HOME_RECENT, "/api/v1/home/recent", opened)
            .summary("记下当前用户打开了什么，供下次回到这里")
            .body::<Opened>()
            .no_content(),
    ];
    Module::new("home", "工作台").routes(home, routes)
}

#[derive(Debug, Serialize, ToSchema)]
struct HomeView {
    day: String,
    /// 待办
    work: Option<WorkBrief>,
    /// 昨日零时以来收到的数据
    arrived: Option<Arrived>,
    /// 尚未更正的问题数据
    faults: Option<Faults>,
    /// 执法人员证件
    officers: Option<OfficerSummary>,
    /// 数据来源接入情况
    sources: Option<SourcesAtAGlance>,
    /// 账号与授权，只给三类管理员
    people: Option<People>,
    /// 应急启用码被启用过，只告诉三类管理员
    emergency: Option<Alarm>,
    /// 待签署的月度审计报告，只给审计管理员
    audit_reports: Option<Vec<AuditDue>>,
    /// 等本人处理的申请
    requests: Requests,
    /// 最近打开
    recent: Vec<Hit>,
}

/// The sealed code of two holders was opened.
#[derive(Debug, Serialize, ToSchema)]
struct Alarm {
    /// 两位保管人
    holders: Vec<String>,
    opened_at: String,
    /// 启用时写明的原因
    reason: String,
    /// 到此时失效
    until: String,
    /// 现在仍然有效
    open: bool,
    /// 之后已重新封存
    sealed_again: bool,
}

/// What takes two and waits for this person's word.
#[derive(Debug, Serialize, ToSchema)]
struct Requests {
    /// 特权授权
    grants: i64,
    /// 解锁和重置
    unlocks: i64,
    /// 导出
    exports: usize,
    /// 本人申请的导出，已获批准、还没有下载
    exports_ready: i64,
}

/// Accounts in short, for the three administrators.
#[derive(Debug, Serialize, ToSchema)]
struct People {
    accounts: i64,
    disabled: i64,
    /// 已开设但还没有设置密码的
    not_activated: i64,
    /// 在用但没有任何角色的
    without_role: i64,
    /// 三十日内到期的授权
    grants_ending: i64,
}

#[derive(Debug, Deserialize, ToSchema)]
struct Opened {
    /// party、officer、agency、account、batch、item、source 或 table
    kind: String,
    id: String,
}

async fn read(State(home): State<Home>, caller: Caller) -> Answer<Json<HomeView>> {
    let today = home.db.clock().today();
    let yesterday = today.checked_sub_days(Days::new(1)).unwrap_or(today);
    let since = beijing_midnight(yesterday);
    let asking = |action: &Action| caller.asking(action);
    let hub = &home.everything.datahub;
    let work = async {
        match asking(&mj_flow::READ) {
            Some(caller) => Ok::<_, Problem>(Some(home.flow.brief(&caller, TO_DOS).await?)),
            None => Ok(None),
        }
    };
    let arrived = async {
        match asking(&mj_datahub::SUMMARY_READ) {
            Some(caller) => Ok::<_, Problem>(Some(hub.arrived(&caller, since).await?)),
            None => Ok(None),
        }
    };
    let faults = async {
        match asking(&mj_datahub::ERROR_READ) {
            Some(caller) => Ok::<_, Problem>(Some(hub.faults(&caller).await?)),
            None => Ok(None),
        }
    };
    let officers = async {
        match asking(&mj_registry::OFFICER_READ) {
            Some(caller) => {
                let Everything { registry, acts, .. } = &home.everything;
                Ok::<_, Problem>(Some(registry.officer_summary(acts, &caller).await?))
            }
            None => Ok(None),
        }
    };
    let sources = async {
        match asking(&mj_datahub::SOURCE_READ) {
            Some(caller) => Ok::<_, Problem>(Some(hub.sources_at_a_glance(&caller).await?)),
            None => Ok(None),
        }
    };
    let people = async {
        match asking(&mj_access::ACCOUNT_READ) {
            Some(_) => Ok::<_, Problem>(Some(home.people().await?)),
            None => Ok(None),
        }
    };
    let emergency = async {
        match asking(&mj_access::ACCOUNT_READ) {
            Some(_) => home.alarm().await,
            None => Ok(None),
        }
    };
    let reports = async {
        match asking(&audit::SIGN) {
            Some(_) => Ok::<_, Problem>(Some(audit::waiting(&home.db).await?)),
            None => Ok(None),
        }
    };
    let requests = home.requests(&caller);
    let recent = home.recent(&caller);
    let (work, arrived, faults, officers, sources, people, emergency, reports, requests, recent) = tokio::join!(
        work, arrived, faults, officers, sources, people, emergency, reports, requests, recent
    );
    Ok(Json(HomeView {
        day: today.to_string(),
        work: work?,
        arrived: arrived?,
        faults: faults?,
        officers: officers?,
        sources: sources?,
        people: people?,
        emergency: emergency?,
        audit_reports: reports?,
        requests: requests?,
        recent: recent?,
    }))
}

/// The first instant of a day in Beijing.
fn beijing_midnight(day: chrono::NaiveDate) -> i64 {
    const DAY: i64 = 24 * 3600 * 1_000_000;
    const AHEAD: i64 = 8 * 3600 * 1_000_000;
    (day - chrono::NaiveDate::default()).num_days() * DAY - AHEAD
}

fn account_of(caller: &Caller) -> Result<&str, Problem> {
    match &caller.actor.kind {
        ActorKind::Person { account_id } => Ok(account_id),
        _ => Err(Problem::session_required()),
    }
}

impl Home {
    async fn recent(&self, caller: &Caller) -> Result<Vec<Hit>, Problem> {
        let account = account_of(caller)?;
        let rows = self
            .db
            .fetch_all(
                "SELECT kind, object_id FROM desk_recent WHERE account_id = $1 \
                 ORDER BY opened_at DESC LIMIT $2",
                &[account.into(), KEPT.into()],
            )
            .await?;
        let mut hits = Vec::new();
        for row in rows {
            let (kind, id) = (row.text("kind")?, row.text("object_id")?);
            // asked anew each time: rights may have changed since
            if let Some(hit) = self.everything.one(caller, &kind, &id).await? {
                hits.push(hit);
            }
            if hits.len() == RECENT {
                break;
            }
        }
        Ok(hits)
    }

    async fn requests(&self, caller: &Caller) -> Result<Requests, Problem> {
        let mj_access::Waiting { grants, unlocks } =
            mj_access::waiting_for(&self.db, caller).await?;
        let exports = mj_web::export_request::waiting_for(&self.db, caller).await?;
        let exports_ready = mj_web::export_request::ready_for(&self.db, caller).await?;
        Ok(Requests { grants, unlocks, exports, exports_ready })
    }

    async fn alarm(&self) -> Result<Option<Alarm>, Problem> {
        let Some(seal) = mj_access::emergency_alarm(&self.db).await? else { return Ok(None) };
        Ok(Some(Alarm {
            holders: seal.holders.into(),
            opened_at: to_rfc3339(seal.opened_at),
            reason: seal.why,
            until: to_rfc3339(seal.until),
            open: self.db.clock().now() < seal.until,
            sealed_again: mj_access::is_sealed(&self.db).await?,
        }))
    }

    async fn people(&self) -> Result<People, Problem> {
        let today = self.db.clock().today();
        let soon = today.checked_add_days(Days::new(30)).unwrap_or(today).to_string();
        let today = today.to_string();
        let count = async |sql: &str, args: &[mj_platform::Value]| self.db.count(sql, args).await;
        Ok(People {
            accounts: count("SELECT COUNT(*) FROM account WHERE class <> 'source'", &[]).await?,
            disabled: count(
                "SELECT COUNT(*) FROM account WHERE class <> 'source' AND state = 'disabled'",
                &[],
            )
            .await?,
            not_activated: count(
                "SELECT COUNT(*) FROM account a WHERE a.class <> 'source' AND a.state = 'active' \
                 AND NOT EXISTS (SELECT 1 FROM credential c WHERE c.id = a.id)",
                &[],
            )
            .await?,
            without_role: count(
                "SELECT COUNT(*) FROM account a WHERE a.class <> 'source' AND a.state = 'active' \
                 AND NOT EXISTS (SELECT 1 FROM role_grant g WHERE g.account_id = a.id \
                 AND g.revoked_at = 0 AND g.valid_to >= $1)",
                &[today.as_str().into()],
            )
            .await?,
            grants_ending: count(
                "SELECT COUNT(*) FROM role_grant WHERE revoked_at = 0 AND valid_to >= $1 \
                 AND valid_to <= $2",
                &[today.as_str().into(), soon.into()],
            )
            .await?,
        })
    }
}

async fn opened(
    State(home): State<Home>,
    caller: Caller,
    input: Input<Opened>,
) -> Answer<StatusCode> {
    let Opened { kind, id } = input.value;
    // what the caller may not see is not remembered either
    let found = home.everything.one(&caller, &kind, &id).await?;
    let id = found.ok_or_else(Problem::not_found)?.id;
    let account = account_of(&caller)?.to_owned();
    let mut tx = home.db.begin(Lane::People, caller.act("recent")).await?;
    let now = tx.now();
    tx.execute(
        "INSERT INTO desk_recent (account_id, kind, object_id, opened_at) VALUES ($1,$2,$3,$4) \
         ON CONFLICT (account_id, kind, object_id) DO UPDATE SET opened_at = excluded.opened_at",
        &[account.as_str().into(), kind.into(), id.into(), now.into()],
    )
    .await?;
    tx.execute(
        "DELETE FROM desk_recent WHERE account_id = $1 AND opened_at < (SELECT MIN(opened_at) \
         FROM (SELECT opened_at FROM desk_recent WHERE account_id = $1 \
         ORDER BY opened_at DESC LIMIT $2) newest)",
        &[account.as_str().into(), KEPT.into()],
    )
    .await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_in_beijing() {
        let at = beijing_midnight("2026-11-21".parse().expect("a day"));
        assert_eq!(mj_kernel::clock::beijing_date(at).to_string(), "2026-11-21");
        assert_eq!(mj_kernel::clock::beijing_date(at - 1).to_string(), "2026-11-20");
    }
}
