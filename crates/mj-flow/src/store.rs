//! SQL of the work items, one function a question.

use mj_platform::DbRow;
use mj_platform::{Db, RowExt, TruthTable, Value, WriteTx};
use mj_web::{Caller, Sort, Sortable};

use crate::error::{Error, Result};
use crate::state::{State, Verb};

pub const WORK_ITEM: TruthTable = TruthTable {
    name: "work_item",
    columns: &[
        "id",
        "kind",
        "title",
        "object_table",
        "object_id",
        "cause",
        "area_number",
        "agency",
        "agency_name",
        "state",
        "assignee",
        "deadline",
        "urged",
        "verdict",
        "created_at",
        "updated_at",
        "payload",
    ],
};

pub const WORK_ITEM_STEP: TruthTable = TruthTable {
    name: "work_item_step",
    columns: &[
        "id",
        "work_item_id",
        "number",
        "verb",
        "from_state",
        "to_state",
        "actor",
        "at",
        "note",
    ],
};

/// A work item as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkItem {
    pub id: String,
    pub version: i64,
    pub kind: String,
    pub title: String,
    pub object_table: String,
    pub object_id: String,
    pub area_number: Option<String>,
    pub agency: Option<String>,
    pub agency_name: Option<String>,
    pub state: State,
    pub assignee: Option<String>,
    pub deadline: Option<String>,
    pub urged: i64,
    pub verdict: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
    pub payload: serde_json::Value,
}

/// What was done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub number: i64,
    pub verb: Verb,
    pub from_state: Option<State>,
    pub to_state: State,
    pub actor: String,
    pub at: i64,
    pub note: Option<String>,
}

fn corrupt(what: &str) -> mj_platform::Error {
    mj_platform::Error::Corrupt(format!("待办事项的{what}"))
}

fn state(name: &str) -> mj_platform::Result<State> {
    State::parse(name).ok_or_else(|| corrupt("状态"))
}

fn read(row: &DbRow) -> mj_platform::Result<WorkItem> {
    Ok(WorkItem {
        id: row.text("id")?,
        version: row.int("version")?,
        kind: row.text("kind")?,
        title: row.text("title")?,
        object_table: row.text("object_table")?,
        object_id: row.text("object_id")?,
        area_number: row.opt_text("area_number")?,
        agency: row.opt_text("agency")?,
        agency_name: row.opt_text("agency_name")?,
        state: state(&row.text("state")?)?,
        assignee: row.opt_text("assignee")?,
        deadline: row.opt_text("deadline")?,
        urged: row.int("urged")?,
        verdict: row.opt_text("verdict")?,
        created_at: row.int("created_at")?,
        updated_at: row.int("updated_at")?,
        payload: serde_json::from_str(&row.text("payload")?).map_err(|_| corrupt("内容"))?,
    })
}

/// Whether it may be seen is asked of the decision afterwards: out of scope and missing are alike.
pub async fn by_id_unscoped(db: &Db, id: &str) -> Result<WorkItem> {
    let row = db.fetch_optional("SELECT * FROM work_item WHERE id = $1", &[id.into()]).await?;
    Ok(read(&row.ok_or(Error::UnknownItem)?)?)
}

/// As [`by_id_unscoped`], as it stands in this transaction.
pub async fn in_tx_unscoped(tx: &mut WriteTx, id: &str) -> Result<WorkItem> {
    let row = tx.fetch_optional("SELECT * FROM work_item WHERE id = $1", &[id.into()]).await?;
    Ok(read(&row.ok_or(Error::UnknownItem)?)?)
}

/// By what caused it; no person asks this.
pub async fn by_cause_unscoped(tx: &mut WriteTx, cause: &str) -> Result<Option<WorkItem>> {
    let sql = "SELECT * FROM work_item WHERE cause = $1";
    let row = tx.fetch_optional(sql, &[cause.into()]).await?;
    Ok(row.as_ref().map(read).transpose()?)
}

/// What a list asks for.
#[derive(Debug, Default)]
pub struct Wanted<'a> {
    /// A state's name, or `open` for all that still wait for somebody.
    pub state: Option<&'a str>,
    pub kind: Option<&'a str>,
    /// Part of the title.
    pub q: Option<&'a str>,
    /// Whose: an actor's reference.
    pub assignee: Option<&'a str>,
    pub agency: Option<&'a str>,
    /// The deadline is before this day.
    pub due_before: Option<String>,
    pub sort: Option<Sort>,
    pub cursor: Option<&'a str>,
    pub limit: i64,
}

/// What the queue may be sorted by besides its own order, the deadline.
pub const SORTABLE: [Sortable; 2] = [
    Sortable { name: "created", sql: "w.created_at", is_number: true },
    Sortable { name: "urged", sql: "w.urged", is_number: true },
];

/// Items in the caller's scope, the nearest deadline first.
pub async fn list(db: &Db, caller: &Caller, wanted: &Wanted<'_>) -> Result<Vec<WorkItem>> {
    let mut args: Vec<Value> = Vec::new();
    let mut filter = caller.predicate("w.area_number", None, &mut args);
    filter.push_str(&crate::notice::audience(&caller.actor, &mut args));
    list_where_unscoped(db, filter, args, wanted).await
}

/// As [`list`], with the scope as SQL.
pub(crate) async fn list_where_unscoped(
    db: &Db,
    mut filter: String,
    mut args: Vec<Value>,
    wanted: &Wanted<'_>,
) -> Result<Vec<WorkItem>> {
    match wanted.state {
        Some("open") => filter.push_str(" AND w.state IN ('received','claimed','returned')"),
        Some("done") => filter.push_str(" AND w.state IN ('handled','fed_back','closed')"),
        Some(state) if !state.is_empty() => {
            args.push(state.into());
            filter.push_str(&format!(" AND w.state = ${}", args.len()));
        }
        _ => {}
    }
    if let Some(kind) = wanted.kind.filter(|kind| !kind.is_empty()) {
        args.push(kind.into());
        filter.push_str(&format!(" AND w.kind = ${}", args.len()));
    }
    if let Some(q) = wanted.q.map(str::trim).filter(|q| !q.is_empty()) {
        let escaped: String = q
            .chars()
            .take(MOST_SEARCHED)
            .flat_map(|c| matches!(c, '%' | '_' | '\\').then_some('\\').into_iter().chain([c]))
            .collect();
        args.push(format!("%{escaped}%").into());
        filter.push_str(&format!(" AND w.title LIKE ${} ESCAPE '\\'", args.len()));
    }
    for (column, value) in [("w.assignee", wanted.assignee), ("w.agency", wanted.agency)] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            args.push(value.into());
            filter.push_str(&format!(" AND {column} = ${}", args.len()));
        }
    }
    if let Some(day) = &wanted.due_before {
        args.push(day.as_str().into());
        filter.push_str(&format!(" AND w.deadline < ${}", args.len()));
    }
    match (wanted.cursor, &wanted.sort) {
        (Some(cursor), Some(sort)) => filter.push_str(&sort.after(cursor, "w.id", &mut args)),
        (Some(cursor), None) => {
            args.push(cursor.into());
            filter.push_str(&format!(" AND {ORDER} > ${}", args.len()));
        }
        (None, _) => {}
    }
    let order = wanted.sort.map_or_else(|| format!(" ORDER BY {ORDER}"), |sort| sort.order("w.id"));
    args.push((wanted.limit + 1).into());
    // the inner question is answered by the index of its order alone, title and all
    let sql = format!(
        "SELECT w.* FROM work_item w WHERE w.id IN (SELECT w.id FROM work_item w \
         WHERE 1=1{filter}{order} LIMIT ${}){order}",
        args.len()
    );
    let rows = db.fetch_all(&sql, &args).await?;
    Ok(rows.iter().map(read).collect::<mj_platform::Result<_>>()?)
}

/// Longest text looked for in titles.
const MOST_SEARCHED: usize = 100;
/// Longest title kept: it stands in the indexes of the lists.
pub const MOST_TITLE: usize = 200;
/// As the index `work_item_order` says it.
const ORDER: &str = "COALESCE(w.deadline, '9999-12-31') || ' ' || w.id";

/// Where a list in this order goes on after the item.
pub fn cursor_of(item: &WorkItem, sort: Option<Sort>) -> String {
    match sort.as_ref().map(Sort::name) {
        None => format!("{} {}", item.deadline.as_deref().unwrap_or("9999-12-31"), item.id),
        Some("urged") => Sort::cursor(item.urged, &item.id),
        Some(_) => Sort::cursor(item.created_at, &item.id),
    }
}

pub async fn steps_unscoped(db: &Db, id: &str) -> Result<Vec<Step>> {
    let rows = db
        .fetch_all(
            "SELECT * FROM work_item_step WHERE work_item_id = $1 ORDER BY number",
            &[id.into()],
        )
        .await?;
    let steps = rows.iter().map(|row| {
        Ok(Step {
            number: row.int("number")?,
            verb: Verb::parse(&row.text("verb")?).ok_or_else(|| corrupt("步骤"))?,
            from_state: row.opt_text("from_state")?.map(|name| state(&name)).transpose()?,
            to_state: state(&row.text("to_state")?)?,
            actor: row.text("actor")?,
            at: row.int("at")?,
            note: row.opt_text("note")?,
        })
    });
    Ok(steps.collect::<mj_platform::Result<_>>()?)
}

/// How many steps there are so far.
pub async fn step_count(tx: &mut WriteTx, id: &str) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS steps FROM work_item_step WHERE work_item_id = $1";
    let row = tx.fetch_optional(sql, &[id.into()]).await?;
    Ok(row.map(|row| row.int("steps")).transpose()?.unwrap_or_default())
}
