//! SQL of work items: one function a question.

use mj_kernel::Page;
use mj_platform::db::RowExt;
use mj_platform::{Db, Result, TruthTable, Value, WriteTx};
use mj_web::Caller;
use sqlx::any::AnyRow;

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

/// A work item as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub id: String,
    pub version: i64,
    pub kind: String,
    pub title: String,
    pub object_table: String,
    pub object_id: String,
    pub area_number: Option<String>,
    pub agency: Option<String>,
    pub agency_name: Option<String>,
    pub state: String,
    pub assignee: Option<String>,
    pub deadline: Option<String>,
    pub urged: i64,
    pub verdict: Option<String>,
    pub created_at: i64,
    pub payload: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub verb: String,
    pub to_state: String,
    pub actor: String,
    pub at: i64,
    pub note: Option<String>,
}

fn row(from: &AnyRow) -> Result<Row> {
    Ok(Row {
        id: from.text("id")?,
        version: from.int("version")?,
        kind: from.text("kind")?,
        title: from.text("title")?,
        object_table: from.text("object_table")?,
        object_id: from.text("object_id")?,
        area_number: from.opt_text("area_number")?,
        agency: from.opt_text("agency")?,
        agency_name: from.opt_text("agency_name")?,
        state: from.text("state")?,
        assignee: from.opt_text("assignee")?,
        deadline: from.opt_text("deadline")?,
        urged: from.int("urged")?,
        verdict: from.opt_text("verdict")?,
        created_at: from.int("created_at")?,
        payload: from.text("payload")?,
    })
}

/// The caller's list, by deadline; `open` leaves out what is done.
pub async fn list(
    db: &Db,
    caller: &Caller,
    state: Option<&str>,
    kind: Option<&str>,
    page: &Page,
) -> Result<Vec<Row>> {
    let mut args = Vec::new();
    let mut sql = String::from("SELECT * FROM work_item WHERE 1=1");
    sql += &caller.predicate("area_number", None, &mut args);
    match state {
        Some("open") => sql += " AND state <> 'closed'",
        Some(state) => {
            args.push(Value::from(state));
            sql += &format!(" AND state = ${}", args.len());
        }
        None => {}
    }
    if let Some(kind) = kind {
        args.push(Value::from(kind));
        sql += &format!(" AND kind = ${}", args.len());
    }
    if let Some((deadline, id)) = page.cursor.as_deref().and_then(|cursor| cursor.split_once('_')) {
        args.extend([Value::from(deadline), Value::from(id)]);
        let (deadline, id) = (args.len() - 1, args.len());
        sql += &format!(
            " AND (COALESCE(deadline, '9999') > ${deadline} \
               OR (COALESCE(deadline, '9999') = ${deadline} AND id > ${id}))"
        );
    }
    sql += &format!(" ORDER BY COALESCE(deadline, '9999'), id LIMIT {}", page.limit() + 1);
    db.fetch_all(&sql, &args).await?.iter().map(row).collect()
}

/// Unscoped: the caller's right to this one item is decided on what comes back.
pub async fn find_unscoped(db: &Db, id: &str) -> Result<Option<Row>> {
    let found = db.fetch_optional("SELECT * FROM work_item WHERE id = $1", &[id.into()]).await?;
    found.as_ref().map(row).transpose()
}

pub async fn find_in(tx: &mut WriteTx, id: &str) -> Result<Option<Row>> {
    let found = tx.fetch_optional("SELECT * FROM work_item WHERE id = $1", &[id.into()]).await?;
    found.as_ref().map(row).transpose()
}

pub async fn steps(db: &Db, id: &str) -> Result<Vec<Step>> {
    let sql = "SELECT verb, to_state, actor, at, note FROM work_item_step \
               WHERE work_item_id = $1 ORDER BY number";
    let rows = db.fetch_all(sql, &[id.into()]).await?;
    rows.iter()
        .map(|from| {
            Ok(Step {
                verb: from.text("verb")?,
                to_state: from.text("to_state")?,
                actor: from.text("actor")?,
                at: from.int("at")?,
                note: from.opt_text("note")?,
            })
        })
        .collect()
}

pub async fn knows_cause(tx: &mut WriteTx, cause: &str) -> Result<bool> {
    let sql = "SELECT id FROM work_item WHERE cause = $1";
    Ok(tx.fetch_optional(sql, &[cause.into()]).await?.is_some())
}

pub async fn add_step(
    tx: &mut WriteTx,
    item: &str,
    verb: &str,
    from_state: Option<&str>,
    to_state: &str,
    note: Option<&str>,
) -> Result<()> {
    let sql = "SELECT COUNT(*) AS steps FROM work_item_step WHERE work_item_id = $1";
    let number = match tx.fetch_optional(sql, &[item.into()]).await? {
        Some(row) => row.int("steps")? + 1,
        None => 1,
    };
    let (actor, at) = (tx.act().actor.clone(), tx.now());
    tx.insert(
        &WORK_ITEM_STEP,
        &[
            ("id", mj_platform::new_id().into()),
            ("work_item_id", item.into()),
            ("number", number.into()),
            ("verb", verb.into()),
            ("from_state", from_state.into()),
            ("to_state", to_state.into()),
            ("actor", actor.into()),
            ("at", at.into()),
            ("note", note.into()),
        ],
    )
    .await
}
