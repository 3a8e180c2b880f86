//! SQL of the posts, one function a question.

use mj_platform::DbRow;
use mj_platform::{Db, RowExt, TruthTable, Value, WriteTx};
use mj_web::Caller;

use super::{Kind, State, TextState, Verb};
use crate::error::{Error, Result};

pub const POST: TruthTable = TruthTable {
    name: "portal_post",
    columns: &[
        "id",
        "kind",
        "number",
        "state",
        "agency",
        "agency_name",
        "area_number",
        "author",
        "register_no",
        "party_name",
        "act_line",
        "act_table",
        "act_title",
        "act_date",
        "shown_until",
        "until_rule",
        "shown_text",
        "open_text",
        "published_at",
        "withdrawn_at",
        "withdrawn_why",
        "created_at",
        "updated_at",
    ],
};

pub const TEXT: TruthTable = TruthTable {
    name: "portal_post_text",
    columns: &[
        "id",
        "post_id",
        "number",
        "state",
        "title",
        "body",
        "author",
        "why",
        "reviewer",
        "published_at",
        "updated_at",
    ],
};

pub const STEP: TruthTable = TruthTable {
    name: "portal_post_step",
    columns: &["id", "post_id", "number", "verb", "actor", "at", "note"],
};

/// A post as stored; its words are in its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    pub id: String,
    pub version: i64,
    pub kind: Kind,
    pub number: Option<i64>,
    pub state: State,
    pub agency: String,
    pub agency_name: String,
    pub area_number: String,
    pub author: String,
    pub register_no: Option<String>,
    pub party_name: Option<String>,
    pub act_line: Option<String>,
    pub act_table: Option<String>,
    pub act_title: Option<String>,
    pub act_date: Option<String>,
    pub shown_until: Option<String>,
    pub until_rule: Option<String>,
    pub shown_text: Option<i64>,
    pub open_text: Option<i64>,
    pub published_at: Option<i64>,
    pub withdrawn_at: Option<i64>,
    pub withdrawn_why: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    pub number: i64,
    pub state: TextState,
    pub title: String,
    pub body: String,
    pub author: String,
    pub why: Option<String>,
    pub reviewer: Option<String>,
    pub published_at: Option<i64>,
    pub updated_at: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub number: i64,
    pub verb: Verb,
    pub actor: String,
    pub at: i64,
    pub note: Option<String>,
}

/// The row id of a text.
pub fn text_id(post: &str, number: i64) -> String {
    format!("{post}.{number}")
}

fn corrupt(what: &str) -> mj_platform::Error {
    mj_platform::Error::Corrupt(format!("稿件的{what}"))
}

fn read(row: &DbRow) -> mj_platform::Result<Post> {
    Ok(Post {
        id: row.text("id")?,
        version: row.int("version")?,
        kind: Kind::parse(&row.text("kind")?).ok_or_else(|| corrupt("栏目"))?,
        number: row.opt_int("number")?,
        state: State::parse(&row.text("state")?).ok_or_else(|| corrupt("状态"))?,
        agency: row.text("agency")?,
        agency_name: row.text("agency_name")?,
        area_number: row.text("area_number")?,
        author: row.text("author")?,
        register_no: row.opt_text("register_no")?,
        party_name: row.opt_text("party_name")?,
        act_line: row.opt_text("act_line")?,
        act_table: row.opt_text("act_table")?,
        act_title: row.opt_text("act_title")?,
        act_date: row.opt_text("act_date")?,
        shown_until: row.opt_text("shown_until")?,
        until_rule: row.opt_text("until_rule")?,
        shown_text: row.opt_int("shown_text")?,
        open_text: row.opt_int("open_text")?,
        published_at: row.opt_int("published_at")?,
        withdrawn_at: row.opt_int("withdrawn_at")?,
        withdrawn_why: row.opt_text("withdrawn_why")?,
        created_at: row.int("created_at")?,
        updated_at: row.int("updated_at")?,
    })
}

fn read_text(row: &DbRow) -> mj_platform::Result<Text> {
    Ok(Text {
        number: row.int("number")?,
        state: TextState::parse(&row.text("state")?).ok_or_else(|| corrupt("文本状态"))?,
        title: row.text("title")?,
        body: row.text("body")?,
        author: row.text("author")?,
        why: row.opt_text("why")?,
        reviewer: row.opt_text("reviewer")?,
        published_at: row.opt_int("published_at")?,
        updated_at: row.int("updated_at")?,
    })
}

const BY_ID: &str = "SELECT * FROM portal_post WHERE id = $1";
const TEXTS: &str = "SELECT * FROM portal_post_text WHERE post_id = $1 ORDER BY number";

/// Whether it may be seen is asked of the decision afterwards: out of scope and missing are alike.
pub async fn by_id_unscoped(db: &Db, id: &str) -> Result<Post> {
    let row = db.fetch_optional(BY_ID, &[id.into()]).await?;
    Ok(read(&row.ok_or(Error::UnknownPost)?)?)
}

/// As [`by_id_unscoped`], as it stands in this transaction.
pub async fn in_tx_unscoped(tx: &mut WriteTx, id: &str) -> Result<Post> {
    let row = tx.fetch_optional(BY_ID, &[id.into()]).await?;
    Ok(read(&row.ok_or(Error::UnknownPost)?)?)
}

pub async fn texts_unscoped(db: &Db, id: &str) -> Result<Vec<Text>> {
    let rows = db.fetch_all(TEXTS, &[id.into()]).await?;
    Ok(rows.iter().map(read_text).collect::<mj_platform::Result<_>>()?)
}

pub async fn texts_in_tx(tx: &mut WriteTx, id: &str) -> Result<Vec<Text>> {
    let rows = tx.fetch_all(TEXTS, &[id.into()]).await?;
    Ok(rows.iter().map(read_text).collect::<mj_platform::Result<_>>()?)
}

pub async fn steps_unscoped(db: &Db, id: &str) -> Result<Vec<Step>> {
    let sql = "SELECT * FROM portal_post_step WHERE post_id = $1 ORDER BY number";
    let rows = db.fetch_all(sql, &[id.into()]).await?;
    let steps = rows.iter().map(|row| {
        Ok(Step {
            number: row.int("number")?,
            verb: Verb::parse(&row.text("verb")?).ok_or_else(|| corrupt("步骤"))?,
            actor: row.text("actor")?,
            at: row.int("at")?,
            note: row.opt_text("note")?,
        })
    });
    Ok(steps.collect::<mj_platform::Result<_>>()?)
}

pub async fn step_count(tx: &mut WriteTx, id: &str) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS steps FROM portal_post_step WHERE post_id = $1";
    let row = tx.fetch_optional(sql, &[id.into()]).await?;
    Ok(row.map(|row| row.int("steps")).transpose()?.unwrap_or_default())
}

/// How often a post was sent for review.
pub async fn submit_count(tx: &mut WriteTx, id: &str) -> Result<i64> {
    let sql =
        "SELECT COUNT(*) AS sent FROM portal_post_step WHERE post_id = $1 AND verb = 'submit'";
    let row = tx.fetch_optional(sql, &[id.into()]).await?;
    Ok(row.map(|row| row.int("sent")).transpose()?.unwrap_or_default())
}

/// The next permanent number of a column. Safe under the lock that the transaction's first change
/// took on the head.
pub async fn next_number(tx: &mut WriteTx, kind: Kind) -> Result<i64> {
    let sql = "SELECT COALESCE(MAX(number), 0) AS last FROM portal_post WHERE kind = $1";
    let row = tx.fetch_optional(sql, &[kind.name().into()]).await?;
    Ok(row.map(|row| row.int("last")).transpose()?.unwrap_or_default() + 1)
}

/// What a desk list asks for.
#[derive(Debug, Default)]
pub struct Wanted<'a> {
    pub kind: Option<&'a str>,
    /// draft | submitted | returned (of the text under way), published | withdrawn (of the post)
    pub state: Option<&'a str>,
    pub cursor: Option<&'a str>,
    pub limit: i64,
}

/// A post with the text a list shows of it.
#[derive(Debug, Clone)]
pub struct Listed {
    pub post: Post,
    pub title: String,
    pub body: String,
    pub open: Option<TextState>,
}

const LISTED: &str = "SELECT p.*, t.title AS text_title, t.body AS text_body, o.state AS open_state \
    FROM portal_post p \
    JOIN portal_post_text t ON t.post_id = p.id AND t.number = COALESCE(p.shown_text, p.open_text) \
    LEFT JOIN portal_post_text o ON o.post_id = p.id AND o.number = p.open_text";

fn read_listed(row: &DbRow) -> mj_platform::Result<Listed> {
    let open = row.opt_text("open_state")?;
    let open = open.map(|name| TextState::parse(&name).ok_or_else(|| corrupt("文本状态")));
    Ok(Listed {
        post: read(row)?,
        title: row.text("text_title")?,
        body: row.text("text_body")?,
        open: open.transpose()?,
    })
}

/// Posts in the caller's scope, the last changed first.
pub async fn list(db: &Db, caller: &Caller, wanted: &Wanted<'_>) -> Result<Vec<Listed>> {
    let mut args: Vec<Value> = Vec::new();
    let mut filter = caller.predicate("p.area_number", Some("p.agency"), &mut args);
    if let Some(kind) = wanted.kind.filter(|kind| !kind.is_empty()) {
        args.push(kind.into());
        filter.push_str(&format!(" AND p.kind = ${}", args.len()));
    }
    match wanted.state.filter(|state| !state.is_empty()) {
        Some(state @ ("published" | "withdrawn")) => {
            args.push(state.into());
            filter.push_str(&format!(" AND p.state = ${}", args.len()));
        }
        Some(state) => {
            args.push(state.into());
            filter.push_str(&format!(" AND p.state <> 'withdrawn' AND o.state = ${}", args.len()));
        }
        None => {}
    }
    if let Some((at, id)) = wanted.cursor.and_then(|cursor| cursor.split_once('.'))
        && let Ok(at) = at.parse::<i64>()
    {
        args.push(at.into());
        args.push(id.into());
        let (at, id) = (args.len() - 1, args.len());
        filter.push_str(&format!(
            " AND (p.updated_at < ${at} OR (p.updated_at = ${at} AND p.id < ${id}))"
        ));
    }
    args.push((wanted.limit + 1).into());
    let sql = format!(
        "{LISTED} WHERE 1=1{filter} ORDER BY p.updated_at DESC, p.id DESC LIMIT ${}",
        args.len()
    );
    let rows = db.fetch_all(&sql, &args).await?;
    Ok(rows.iter().map(read_listed).collect::<mj_platform::Result<_>>()?)
}

/// Where the desk list goes on after this post.
pub fn cursor_of(updated_at: i64, id: &str) -> String {
    format!("{updated_at}.{id}")
}

/// Published posts of a column below a number, the newest first; exposures only until their end.
pub async fn published(
    db: &Db,
    kind: Kind,
    below: Option<i64>,
    today: &str,
    limit: i64,
) -> Result<Vec<Listed>> {
    let sql = format!(
        "{LISTED} WHERE p.kind = $1 AND p.state = 'published' AND p.number < $2 \
         AND COALESCE(p.shown_until, '9999-12-31') >= $3 ORDER BY p.number DESC LIMIT $4"
    );
    let args: [Value; 4] =
        [kind.name().into(), below.unwrap_or(i64::MAX).into(), today.into(), limit.into()];
    let rows = db.fetch_all(&sql, &args).await?;
    Ok(rows.iter().map(read_listed).collect::<mj_platform::Result<_>>()?)
}

/// The post of a permanent number, published or withdrawn.
pub async fn by_number(db: &Db, kind: Kind, number: i64) -> Result<Option<Post>> {
    let sql = "SELECT * FROM portal_post WHERE kind = $1 AND number = $2";
    let row = db.fetch_optional(sql, &[kind.name().into(), number.into()]).await?;
    Ok(row.as_ref().map(read).transpose()?)
}

/// Exposures about a party that are shown today, the newest first.
pub async fn exposures_of(db: &Db, register_no: &str, today: &str) -> Result<Vec<Listed>> {
    let sql = format!(
        "{LISTED} WHERE p.register_no = $1 AND p.kind = 'exposure' AND p.state = 'published' \
         AND COALESCE(p.shown_until, '9999-12-31') >= $2 ORDER BY p.number DESC LIMIT 20"
    );
    let rows = db.fetch_all(&sql, &[register_no.into(), today.into()]).await?;
    Ok(rows.iter().map(read_listed).collect::<mj_platform::Result<_>>()?)
}
