//! Sources with where they stand, and the file of one: its tables, tokens, mapped codes and what was
//! changed about it, by whom and why.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use mj_kernel::clock::to_rfc3339;
use mj_platform::{Lane, RowExt};
use mj_web::{Answer, Caller, Column, Export, ExportRequest, Input, PathOf};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::shapes::{SourceList, SourceStanding, SourceView};
use super::sources::view;
use super::{SOURCE_CREATE, resource, visible};
use crate::connection::{self, Connection, Delivered};
use crate::error::{Error, Result};
use crate::model::Source;
use crate::{Channel, Datahub};

/// How many changes a source's file tells.
const HISTORY: i64 = 100;

/// What one table of a source brought.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SourceTable {
    pub table: String,
    pub title: String,
    pub batches: i64,
    pub front: i64,
    pub correct: i64,
    pub error: i64,
    pub last_received_at: Option<String>,
    /// 声明的存量
    pub backlog_declared: Option<i64>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TokenView {
    pub issued_at: String,
    pub revoked_at: Option<String>,
}

/// 对一个数据源登记的一次变更
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SourceChangeEntry {
    pub at: String,
    pub action: String,
    pub action_title: String,
    pub actor_name: String,
    pub reason: Option<String>,
}

/// Item codes of a source's own and what they stand for.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SourceMapping {
    /// 已登记对应关系的本地编码数
    pub mapped_codes: i64,
    /// 报来的行为数据行数
    pub rows: i64,
    /// 其中事项编码没能对应到监管事项而退回的行数
    pub unmapped_rows: i64,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SourceFile {
    pub source: SourceView,
    pub tables: Vec<SourceTable>,
    pub tokens: Vec<TokenView>,
    pub mapping: SourceMapping,
    pub history: Vec<SourceChangeEntry>,
    pub silent_after_days: i64,
    pub basis: String,
    pub may_change: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct TokenEnd {
    pub reason: String,
}

pub async fn list(State(hub): State<Datahub>, caller: Caller) -> Answer<Json<SourceList>> {
    Ok(Json(SourceList { items: all(&hub, &caller).await? }))
}

async fn all(hub: &Datahub, caller: &Caller) -> Result<Vec<SourceView>> {
    let sources = visible(hub, caller).await?;
    let said = connection::all_unscoped(&hub.db).await?;
    let came = connection::delivered(&hub.db, None).await?;
    let items = sources.iter().map(|source| {
        let own = came.iter().filter(|((code, _), _)| *code == source.cd_source);
        let came = connection::sum(own.map(|(_, part)| part));
        standing_view(hub, source, said.get(&source.cd_source), &came)
    });
    Ok(items.collect())
}

/// How the workbench narrows the list, which it does by itself: sources are few.
#[derive(Debug, Deserialize)]
struct SourceFilter {
    q: Option<String>,
    standing: Option<String>,
}

impl SourceFilter {
    fn shows(&self, one: &SourceView) -> bool {
        let standing = self.standing.as_deref().unwrap_or_default();
        let stands = one.connection.as_ref().is_some_and(|is| is.standing == standing);
        let q = self.q.as_deref().unwrap_or_default().trim().to_lowercase();
        let name = one.agency_name.as_deref().unwrap_or_default();
        let said = format!("{} {} {name}", one.name, one.cd_source).to_lowercase();
        (standing.is_empty() || stands) && said.contains(&q)
    }
}

/// The list as a file: the same filters, the same columns.
pub async fn export(
    State(hub): State<Datahub>,
    caller: Caller,
    input: Input<ExportRequest>,
) -> Answer<Response> {
    let filter: SourceFilter = input.value.query()?;
    let mut file = Export::open(
        &hub.db,
        &caller,
        "datahub.sources",
        "数据来源",
        &SOURCE_COLUMNS,
        input.value,
    )?;
    for one in all(&hub, &caller).await?.iter().filter(|one| filter.shows(one)) {
        file.push(one)?;
    }
    file.finish(&hub.db, &caller).await
}

fn stands(one: &SourceView, say: fn(&SourceStanding) -> Option<String>) -> Option<String> {
    one.connection.as_ref().and_then(say)
}

static SOURCE_COLUMNS: [Column<SourceView>; 12] = [
    Column { name: "name", title: "系统", cell: |one| Some(one.name.clone()) },
    Column { name: "code", title: "编码", cell: |one| Some(one.cd_source.clone()) },
    Column {
        name: "agency",
        title: "责任部门",
        cell: |one| one.agency_name.clone().or_else(|| one.agency.clone()),
    },
    Column {
        name: "standing",
        title: "接入状态",
        cell: |one| stands(one, |is| Some(is.standing_title.clone())),
    },
    Column { name: "due", title: "应接日期", cell: |one| stands(one, |is| is.due_on.clone()) },
    Column {
        name: "channels",
        title: "渠道",
        cell: |one| {
            let titles = one.channels.iter().filter_map(|name| Channel::parse(name));
            Some(titles.map(Channel::title).collect::<Vec<_>>().join("、"))
        },
    },
    Column {
        name: "rows",
        title: "累计条数",
        cell: |one| stands(one, |is| Some(is.front.to_string())),
    },
    Column {
        name: "correct",
        title: "正确条数",
        cell: |one| stands(one, |is| Some(is.correct.to_string())),
    },
    Column {
        name: "error",
        title: "错误条数",
        cell: |one| stands(one, |is| Some(is.error.to_string())),
    },
    Column {
        name: "accuracy",
        title: "正确率",
        cell: |one| stands(one, |is| accuracy(is.correct, is.error)),
    },
    Column {
        name: "batches",
        title: "批次数",
        cell: |one| stands(one, |is| Some(is.batches.to_string())),
    },
    Column {
        name: "last",
        title: "最近报送",
        cell: |one| stands(one, |is| is.last_received_at.clone()),
    },
];

/// In hundredths of a per cent, cut and not rounded: what is not whole never shows as 100 %.
fn accuracy(correct: i64, error: i64) -> Option<String> {
    let shares = correct.saturating_mul(10_000).checked_div(correct + error)?;
    Some(format!("{}.{:02}%", shares / 100, shares % 100))
}

pub(super) fn standing_view(
    hub: &Datahub,
    source: &Source,
    said: Option<&Connection>,
    came: &Delivered,
) -> SourceView {
    let today = hub.db.clock().today();
    let (after, _) = connection::silent_rule(today);
    let stands = connection::standing(source, said, came, today, after);
    let mut view = view(source);
    view.connection = Some(SourceStanding {
        stage: said.map(|said| said.stage.name().to_owned()),
        due_on: said.and_then(|said| said.due_on.clone()),
        live_since: said.and_then(|said| said.live_since.clone()),
        note: said.map(|said| said.note.clone()).unwrap_or_default(),
        standing: stands.name.into(),
        standing_title: stands.title.into(),
        days: stands.days,
        batches: came.batches,
        front: came.front,
        correct: came.correct,
        error: came.error,
        last_received_at: (came.last_received_at > 0).then(|| to_rfc3339(came.last_received_at)),
    });
    view
}

pub async fn one(
    State(hub): State<Datahub>,
    caller: Caller,
    PathOf(cd_source): PathOf<String>,
) -> Answer<Json<SourceFile>> {
    let source = hub.source(&cd_source).await?;
    caller.require(&resource(&source))?;
    Ok(Json(file(&hub, &caller, &source).await?))
}

async fn file(hub: &Datahub, caller: &Caller, source: &Source) -> Result<SourceFile> {
    let said = connection::all_unscoped(&hub.db).await?;
    let came = connection::delivered(&hub.db, Some(&source.cd_source)).await?;
    let whole = connection::sum(came.values());
    let mut tables = Vec::new();
    for table in hub.standard.tables() {
        let part = came.get(&(source.cd_source.clone(), table.name.clone()));
        if part.is_none() && (source.tables.is_empty() || !source.delivers(&table.name)) {
            continue;
        }
        let part = part.copied().unwrap_or_default();
        tables.push(SourceTable {
            table: table.name.clone(),
            title: table.title.clone(),
            batches: part.batches,
            front: part.front,
            correct: part.correct,
            error: part.error,
            last_received_at: (part.last_received_at > 0)
                .then(|| to_rfc3339(part.last_received_at)),
            backlog_declared: source.backlog_declared.get(&table.name).copied(),
        });
    }
    let tokens = mj_access::source_tokens(&hub.db, &source.cd_source)
        .await?
        .into_iter()
        .map(|token| TokenView {
            issued_at: to_rfc3339(token.issued_at),
            revoked_at: token.revoked_at.map(to_rfc3339),
        })
        .collect();
    let (silent_after_days, basis) = connection::silent_rule(hub.db.clock().today());
    Ok(SourceFile {
        source: standing_view(hub, source, said.get(&source.cd_source), &whole),
        mapping: mapping(hub, source, &tables).await?,
        tables,
        tokens,
        history: history(hub, &source.cd_source).await?,
        silent_after_days,
        basis,
        may_change: caller.require_for(&SOURCE_CREATE, &resource(source)).is_ok(),
    })
}

/// Rules that say an item code of a behaviour is unknown or out of force.
const ITEM_RULES: &str = "supervise_item";

async fn mapping(hub: &Datahub, source: &Source, tables: &[SourceTable]) -> Result<SourceMapping> {
    let is_behaviour = |table: &&SourceTable| {
        hub.standard
            .table(&table.table)
            .is_some_and(|table| table.kind == mj_standard::TableKind::Behaviour)
    };
    let rows = tables.iter().filter(is_behaviour).map(|table| table.front).sum();
    let sql = "SELECT COUNT(DISTINCT local_code) FROM catalog_mapping WHERE cd_source = $1";
    let mapped_codes = hub.db.count(sql, &[source.cd_source.as_str().into()]).await?;
    let sql = "SELECT by_rule FROM hub_batch WHERE cd_source = $1 AND error > 0 ORDER BY id";
    let mut unmapped_rows = 0;
    for row in hub.db.fetch_all(sql, &[source.cd_source.as_str().into()]).await? {
        let by_rule: std::collections::BTreeMap<String, i64> =
            serde_json::from_str(&row.text("by_rule")?).map_err(Error::json("批次"))?;
        let unknown = by_rule.iter().filter(|(rule, _)| rule.starts_with(ITEM_RULES));
        unmapped_rows += unknown.map(|(_, rows)| rows).max().copied().unwrap_or(0);
    }
    Ok(SourceMapping { mapped_codes, rows, unmapped_rows })
}

async fn history(hub: &Datahub, cd_source: &str) -> Result<Vec<SourceChangeEntry>> {
    let rows = hub
        .db
        .fetch_all(
            "SELECT at, actor, action, reason FROM act_journal WHERE object = $1 \
             AND action IN ('datahub.source.create', 'datahub.source.token') \
             ORDER BY seq DESC LIMIT $2",
            &[format!("hub_source:{cd_source}").into(), HISTORY.into()],
        )
        .await?;
    let mut entries = Vec::with_capacity(rows.len());
    for row in rows {
        let actor = row.text("actor")?;
        let action = row.text("action")?;
        entries.push(SourceChangeEntry {
            at: to_rfc3339(row.int("at")?),
            action_title: mj_access::matrix::title_of(&action).unwrap_or(&action).to_owned(),
            action,
            actor_name: mj_access::actor_name(&hub.db, &actor).await?,
            reason: row.opt_text("reason")?,
        });
    }
    Ok(entries)
}

/// Ends the token of a source at once, without another.
pub async fn revoke_token(
    State(hub): State<Datahub>,
    caller: Caller,
    PathOf(cd_source): PathOf<String>,
    input: Input<TokenEnd>,
) -> Answer<StatusCode> {
    let source = hub.source(&cd_source).await?;
    caller.require(&resource(&source))?;
    let why = input.value.reason.trim().to_owned();
    if why.is_empty() {
        return Err(Error::Request("请写明作废令牌的原因（reason）".into()).into());
    }
    let act = caller.act(format!("hub_source:{cd_source}")).because(why);
    let mut tx = hub.db.begin(Lane::People, act).await?;
    if mj_access::revoke_source_tokens(&mut tx, &cd_source).await.map_err(Error::from)? == 0 {
        return Err(Error::NoToken.into());
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
