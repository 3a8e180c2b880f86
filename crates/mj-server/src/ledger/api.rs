//! The supervision log over HTTP: the signed checkpoint for everybody; entries, their proofs and
//! receipts for those who supervise and audit.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use axum::extract::State as Of;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use mj_kernel::clock::to_rfc3339;
use mj_kernel::{Page, PageOf};
use mj_ledger::Cause;
use mj_ledger::tree::{self, Hash};
use mj_platform::DbRow;
use mj_platform::db::contains_pattern;
use mj_platform::ledger::witness::Witness;
use mj_platform::ledger::{self as log, Listed, LogReader, Shelf};
use mj_platform::{Config, Db, RowExt, Value};
use mj_web::{Action, ActorNames, Answer, Caller, Module, PathOf, Problem, Query, get};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::outside::Outside;
use super::watch::Verifier;
use super::{place, titles};

pub const CHECKPOINT_READ: Action = Action::new("ledger.checkpoint.read", "取得监管日志的检查点");
pub const ENTRY_READ: Action = Action::new("ledger.entry.read", "查看监管日志");
/// Stands for who acted, where that was erased.
pub(crate) const ERASED: &str = "已依法删除";
/// How many changed rows of an act are shown.
const LINES: usize = 200;
/// So many kinds of acts are asked for at once.
const MOST_ACTIONS: usize = 20;
/// A sheet of more rows than this is not unpacked to show some of them.
const UNPACKED: i64 = 10_000;

/// What the routes need: the log for reading, and what the last comparison found.
#[derive(Clone)]
pub struct Desk {
    db: Db,
    shelf: Shelf,
    pub verifier: Verifier,
    /// Only a running node witnesses and is witnessed.
    attached: Arc<OnceLock<Attached>>,
    /// The house's own routes, to ask whether a record may be seen.
    routes: Arc<OnceLock<Router>>,
}

/// What a running node has beside what is stored.
pub struct Attached {
    pub witness: Witness,
    pub outside: Outside,
}

impl Desk {
    pub fn new(db: Db, config: &Config) -> Self {
        let data_dir: PathBuf = config.data_dir.clone();
        let shelf = Shelf::new(data_dir.join("log"));
        let verifier = Verifier::new(db.clone(), data_dir, config.verify_minutes);
        let (attached, routes) = (Arc::default(), Arc::default());
        Self { db, shelf, verifier, attached, routes }
    }

    /// Makes the desk one of a running node; the first time counts.
    pub fn attach(&self, witness: Witness, outside: Outside) {
        let _ = self.attached.set(Attached { witness, outside });
    }

    pub fn attached(&self) -> Option<&Attached> {
        self.attached.get()
    }

    pub fn know_routes(&self, routes: Router) {
        let _ = self.routes.set(routes);
    }

    pub(super) fn routes(&self) -> Option<Router> {
        self.routes.get().cloned()
    }

    pub fn db(&self) -> &Db {
        &self.db
    }

    /// All volumes of the log.
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// The log's own folder, which holds the newest checkpoint.
    pub fn reader(&self) -> LogReader {
        LogReader::new(self.shelf.folder())
    }

    /// How many entries are in signed checkpoints.
    pub(super) fn sealed(&self) -> Answer<u64> {
        self.shelf.sealed().map_err(broken)
    }
}

pub fn module(desk: Desk) -> Module {
    let mut routes = vec![
        get(CHECKPOINT_READ, "/api/v1/log/checkpoint", checkpoint)
            .summary("最新的已签署检查点（文本），任何人可取得并另行保存")
            .binary("text/plain"),
        get(CHECKPOINT_READ, "/api/v1/log/key", key)
            .summary("监管日志的公钥（文本）")
            .binary("text/plain"),
        get(ENTRY_READ, "/api/v1/log/status", status)
            .summary("监管日志的现状：签署到哪里，最近一次核对的结果")
            .ok::<LogStatus>(),
        get(ENTRY_READ, "/api/v1/log/entries", list)
            .summary("查找日志条目，新的在前")
            .query::<EntryQuery>()
            .list::<LogEntryRow>(),
        get(ENTRY_READ, "/api/v1/log/entries/{seq}", read)
            .summary("一条日志：谁在何时做了什么，改了哪些行")
            .ok::<LogEntry>(),
        get(ENTRY_READ, "/api/v1/log/entries/{seq}/proof", proof)
            .summary("一条日志的存在证明")
            .ok::<LogProof>(),
        get(ENTRY_READ, "/api/v1/log/entries/{seq}/receipt", receipt)
            .summary("下载凭证：离开平台也能核验的一份文件")
            .binary("application/json"),
    ];
    routes.extend(super::witness_api::routes());
    routes.extend(super::acts_api::routes());
    routes.extend(super::audit::api::routes());
    Module::new("ledger", "监管日志").routes(desk, routes)
}

pub(crate) fn broken(error: mj_platform::Error) -> Problem {
    Problem::internal(&error)
}

pub(super) fn plain(text: Option<String>) -> Answer<Response> {
    let text = text.ok_or_else(Problem::not_found)?;
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((kind, text).into_response())
}

async fn checkpoint(Of(desk): Of<Desk>) -> Answer<Response> {
    plain(desk.reader().text(log::CHECKPOINT).map_err(broken)?)
}

async fn key(Of(desk): Of<Desk>) -> Answer<Response> {
    plain(desk.reader().text(log::KEY).map_err(broken)?)
}

#[derive(Debug, Serialize, ToSchema)]
struct LogStatus {
    /// 日志的名称，写在每个检查点的第一行
    origin: Option<String>,
    /// 日志公钥
    key: Option<String>,
    /// 已编号的条目数
    entries: i64,
    /// 已签署的条目数
    sealed: i64,
    /// 最近签署的检查点，新的在前
    checkpoints: Vec<LogCheckpoint>,
    /// 各册，新的在前
    volumes: Vec<LogVolume>,
    /// 最近一次后台核对；还没有核对过时为空
    last_check: Option<LogCheck>,
}

#[derive(Debug, Serialize, ToSchema)]
struct LogCheckpoint {
    at: String,
    size: i64,
    root: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct LogVolume {
    /// 第几册
    number: i64,
    /// 首条的序号
    first: i64,
    /// 可证明的条目数
    size: i64,
    /// 首条的时间
    began: Option<String>,
    /// 最后一个检查点的时间
    signed_at: Option<String>,
    /// 为什么封存：year 满一年，freeze 损坏；当前一册为空
    closed: Option<String>,
    /// 损坏封存时无法证明的条目数
    unproved: i64,
    /// 本册最后一个已签署的检查点，可另行保存供核对
    checkpoint: Option<String>,
}

fn volume(one: Listed) -> LogVolume {
    let damage = one.closed.as_ref().and_then(|closed| closed.damage.as_ref());
    LogVolume {
        number: signed_number(one.number),
        first: signed_number(one.first),
        size: signed_number(one.size),
        began: one.began.map(to_rfc3339),
        signed_at: one.signed_at.map(to_rfc3339),
        unproved: damage.map_or(0, |damage| signed_number(damage.entries)),
        closed: one.closed.map(|closed| match closed.cause {
            Cause::Year => "year".to_owned(),
            Cause::Freeze => "freeze".to_owned(),
        }),
        checkpoint: one.text,
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct LogCheck {
    at: String,
    /// 是否核对了全部表；否则只核对行数不多的表
    whole: bool,
    rows: i64,
    entries: i64,
    found: i64,
    /// 与 mingjian verify 打印的相同，至多一百条；只对查看全部日志的人列出，其他人只见处数
    findings: Vec<String>,
    failed: Option<String>,
}

async fn status(Of(desk): Of<Desk>, caller: Caller) -> Answer<Json<LogStatus>> {
    // a finding names rows of any place, and of which place is not known any more once a row is changed
    let everywhere = place::everywhere(&caller);
    let head = desk.db.count("SELECT entries FROM change_head WHERE id = 1", &[]).await;
    let entries = head.map_err(broken)?;
    let newest = desk.shelf.newest().map_err(broken)?;
    let history = match &newest {
        Some(newest) => newest.reader.tail(log::HISTORY, 4_096).map_err(broken)?,
        None => String::new(),
    };
    let first = newest.as_ref().map_or(0, |newest| signed_number(newest.first));
    let checkpoints = history.lines().rev().filter_map(|line| {
        let mut parts = line.split('\t');
        let (at, size, root) = (parts.next()?, parts.next()?, parts.next()?);
        Some(LogCheckpoint {
            at: to_rfc3339(at.parse().ok()?),
            size: first + size.parse::<i64>().ok()?,
            root: root.to_owned(),
        })
    });
    let last_check = desk.verifier.last().map(|last| LogCheck {
        at: to_rfc3339(last.at),
        whole: last.whole,
        rows: signed_number(last.rows),
        entries: signed_number(last.entries),
        found: signed_number(last.found),
        findings: if everywhere { last.findings } else { Vec::new() },
        failed: last.failed,
    });
    Ok(Json(LogStatus {
        origin: newest.as_ref().map(|newest| newest.checkpoint.origin.clone()),
        key: newest.as_ref().map(|newest| newest.key.to_text()),
        sealed: newest.map_or(0, |newest| signed_number(newest.end())),
        entries,
        checkpoints: checkpoints.take(20).collect(),
        volumes: desk.shelf.list().map_err(broken)?.into_iter().map(volume).collect(),
        last_check,
    }))
}

pub(super) fn signed_number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[derive(Debug, Default, Deserialize, IntoParams)]
struct EntryQuery {
    /// 办理人的姓名或登录名（能查看账号的才按登录名找）、对象、原因或行为名称的一部分，或条目的序号
    q: Option<String>,
    /// 行为，如 registry.party.merge；几种用逗号隔开
    action: Option<String>,
    /// 对象，如 party:0197…
    object: Option<String>,
    /// 办理人，如 account:0197…
    actor: Option<String>,
    /// person：只看人做的；system：只看系统做的；或按角色：sys_admin、sec_admin、audit_admin、admin、business、source、emergency、anonymous、erased
    by: Option<String>,
    /// 这一天及以后（年-月-日）
    from: Option<String>,
    /// 这一天及以前（年-月-日）
    to: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct LogEntryRow {
    /// 在日志中的序号，从 0 起
    seq: i64,
    at: String,
    action: String,
    action_title: String,
    actor: String,
    object: String,
    /// 对象是账号时，此人的姓名
    object_name: Option<String>,
    reason: Option<String>,
    /// 改动的行数
    rows: i64,
    /// 已在签署的检查点中
    sealed: bool,
    /// 办理人、对象和原因已依法删除
    erased: bool,
}

fn entry_row(row: &DbRow, names: &ActorNames, sealed: i64) -> Answer<LogEntryRow> {
    let read = || -> mj_platform::Result<LogEntryRow> {
        let (seq, action) = (row.int("log_seq")?, row.text("action")?);
        let erased = row.opt_bytes("salt")?.is_none();
        Ok(LogEntryRow {
            seq,
            at: to_rfc3339(row.int("at")?),
            action_title: titles::title_of(&action),
            action,
            actor: if erased { ERASED.into() } else { names.of(&row.text("actor")?) },
            object_name: names.known(&row.text("object")?).map(str::to_owned),
            object: row.text("object")?,
            reason: row.opt_text("reason")?,
            rows: row.int("changes")?,
            sealed: seq < sealed,
            erased,
        })
    };
    read().map_err(broken)
}

/// One kind of act, or several with commas between them, which the condition names itself.
fn one_of_actions(asked: &str) -> Answer<String> {
    let actions: Vec<&str> = asked.split(',').map(str::trim).take(MOST_ACTIONS).collect();
    let is_name = |name: &&str| {
        name.bytes().all(|byte| byte.is_ascii_lowercase() || b"._0123456789".contains(&byte))
    };
    if !actions.iter().all(is_name) {
        return Err(Problem::bad_request("ledger.action", "没有这种行为"));
    }
    Ok(format!("action IN ('{}')", actions.join("','")))
}

/// The instant at which a Beijing day begins, `days` later.
fn day(text: &str, days: i64) -> Answer<i64> {
    let start = mj_kernel::clock::parse_instant(text)
        .ok_or_else(|| Problem::invalid("ledger.day", "日期应为 年-月-日"))?;
    Ok(start + days * 24 * 3_600 * 1_000_000)
}

/// What entries must fulfil, and the values that stand in it.
#[derive(Default)]
struct Filter {
    sql: String,
    args: Vec<Value>,
}

impl Filter {
    /// `?` stands for the value, as often as it is needed.
    fn add(&mut self, condition: &str, value: Value) {
        self.args.push(value);
        self.plain(&condition.replace('?', &format!("${}", self.args.len())));
    }

    /// Done by somebody of this name, which every reader of an entry sees beside it; logins are known to those alone who
    /// may read accounts.
    fn people(&mut self, q: &str, with_logins: bool) -> String {
        self.args.push(contains_pattern(&q.to_lowercase()));
        let at = self.args.len();
        let like = |column: &str| format!("LOWER(a.{column}) LIKE ${at} ESCAPE '\\'");
        let login = if with_logins { format!(" OR {}", like("login")) } else { String::new() };
        format!(
            "actor IN (SELECT 'account:' || a.id FROM account a WHERE a.class <> 'source' \
             AND ({}{login}))",
            like("name")
        )
    }

    fn plain(&mut self, condition: &str) {
        self.sql.push_str(&format!(" AND {condition}"));
    }
}

async fn list(
    Of(desk): Of<Desk>,
    caller: Caller,
    Query(query): Query<EntryQuery>,
) -> Answer<Json<PageOf<LogEntryRow>>> {
    let page = Page { limit: query.limit, cursor: query.cursor.clone() };
    let mut filter = Filter::default();
    let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    if let Some(q) = given(&query.q) {
        let q = q.trim();
        match q.parse::<i64>() {
            Ok(seq) => filter.add("log_seq = ?", seq.into()),
            Err(_) => {
                let named = titles::actions_named(q);
                let people = filter.people(q, caller.asking(&mj_access::ACCOUNT_READ).is_some());
                let mut condition = format!(
                    "(object LIKE ? ESCAPE '\\' OR reason LIKE ? ESCAPE '\\' OR action LIKE ? \
                     ESCAPE '\\' OR actor LIKE ? ESCAPE '\\' OR {people}",
                );
                for action in named {
                    condition.push_str(&format!(" OR action = '{action}'"));
                }
                condition.push(')');
                filter.add(&condition, contains_pattern(q));
            }
        }
    }
    if let Some(action) = given(&query.action) {
        filter.plain(&one_of_actions(&action)?);
    }
    if let Some(actor) = given(&query.actor) {
        filter.add("actor = ?", actor.into());
    }
    if let Some(object) = given(&query.object) {
        filter.add("object = ?", object.into());
    }
    match query.by.as_deref() {
        Some("person") => filter.add("actor LIKE ?", "account:%".into()),
        Some("system") => filter.add("actor LIKE ?", "system:%".into()),
        Some(kind) if !kind.is_empty() => {
            filter.add(&format!("{} = ?", super::by::sql()), kind.into())
        }
        _ => {}
    }
    if let Some(from) = given(&query.from) {
        filter.add("at >= ?", day(&from, 0)?.into());
    }
    if let Some(to) = given(&query.to) {
        filter.add("at < ?", day(&to, 1)?.into());
    }
    if let Some(cursor) = page.cursor.as_deref().and_then(|cursor| cursor.parse::<i64>().ok()) {
        filter.add("log_seq < ?", cursor.into());
    }
    let Filter { sql: conditions, mut args } = filter;
    let journal = place::journal(&caller, &mut args);
    args.push((page.limit() + 1).into());
    let sql = format!(
        "SELECT j.* FROM {journal} WHERE log_seq IS NOT NULL{conditions} ORDER BY log_seq DESC \
         LIMIT ${}",
        args.len()
    );
    let rows = desk.db.fetch_all(&sql, &args).await.map_err(broken)?;
    let names = names_in(&caller, &rows).await?;
    let sealed = signed_number(desk.sealed()?);
    let items: Answer<Vec<LogEntryRow>> =
        rows.iter().map(|row| entry_row(row, &names, sealed)).collect();
    Ok(Json(PageOf::from_surplus(items?, page.limit(), |row| row.seq.to_string())))
}

/// Who acted, and whom it was about where that is an account.
async fn names_in(caller: &Caller, rows: &[DbRow]) -> Answer<ActorNames> {
    let mut named = Vec::new();
    for row in rows {
        named.push(row.text("actor").map_err(broken)?);
        let object = row.text("object").map_err(broken)?;
        named.extend(Some(object).filter(|object| object.starts_with("account:")));
    }
    caller.names_of(named).await
}

#[derive(Debug, Serialize, ToSchema)]
struct LogEntry {
    #[serde(flatten)]
    row: LogEntryRow,
    /// 写进日志的原文（规范 JSON）；尚未签署时为空
    entry: Option<String>,
    /// 在第几册；还没有签署，或随损坏的一册封存、已无法证明时为空
    volume: Option<i64>,
    request_id: String,
    /// 改动的行，至多二百行
    lines: Vec<LogLine>,
}

#[derive(Debug, Serialize, ToSchema)]
struct LogLine {
    table: String,
    key: String,
    version: i64,
    /// 行摘要；删除时为空
    digest: Option<String>,
}

async fn read(
    Of(desk): Of<Desk>,
    caller: Caller,
    PathOf(seq): PathOf<i64>,
) -> Answer<Json<LogEntry>> {
    let row = place::entry(&desk.db, &caller, seq).await?;
    let names = names_in(&caller, std::slice::from_ref(&row)).await?;
    let sealed = signed_number(desk.sealed()?);
    let number = u64::try_from(seq).unwrap_or(u64::MAX);
    let volume = desk.shelf.holding(number).map_err(broken)?;
    let entry = match &volume {
        Some(volume) => volume.entry(number).map_err(broken)?,
        None => None,
    };
    let is_short = row.int("changes").map_err(broken)? <= UNPACKED;
    let sheet = match &volume {
        Some(volume) if is_short => volume.sheet(number).map_err(broken)?,
        // what is shown of it stands in the journal, too
        _ => Some(row.text("lines").map_err(broken)?),
    };
    let lines = mj_ledger::sheet::lines(sheet.as_deref().unwrap_or_default())
        .flatten()
        .take(LINES)
        .map(|line| LogLine {
            table: line.table.to_owned(),
            key: line.key.to_owned(),
            version: line.version,
            digest: line.digest.map(hex::encode),
        })
        .collect();
    Ok(Json(LogEntry {
        request_id: row.text("request_id").map_err(broken)?,
        row: entry_row(&row, &names, sealed)?,
        volume: volume.map(|volume| signed_number(volume.number)),
        entry: entry.and_then(|bytes| String::from_utf8(bytes).ok()),
        lines,
    }))
}

#[derive(Debug, Serialize, ToSchema)]
struct LogProof {
    /// 在本册中的位置，从 0 起
    index: i64,
    /// 本册的条目数
    size: i64,
    /// 条目的叶摘要
    leaf: String,
    /// 从叶到根逐步合并
    steps: Vec<ProofStep>,
    root: String,
    /// 已签署的检查点
    checkpoint: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct ProofStep {
    /// 兄弟节点在左边还是右边：left 或 right
    side: String,
    sibling: String,
    /// 合并以后的摘要
    result: String,
}

async fn proof(
    Of(desk): Of<Desk>,
    caller: Caller,
    PathOf(seq): PathOf<i64>,
) -> Answer<Json<LogProof>> {
    place::entry(&desk.db, &caller, seq).await?;
    let number = u64::try_from(seq).map_err(|_| Problem::not_found())?;
    let Some(volume) = desk.shelf.holding(number).map_err(broken)? else {
        return Err(match desk.sealed()? {
            0 => Problem::not_found(),
            sealed if number < sealed => {
                Problem::conflict("ledger.not_proved", "这条日志所在的一册已损坏封存，无法再证明")
            }
            _ => Problem::conflict("ledger.not_signed", "这条日志还没有签署，请稍候一两秒"),
        });
    };
    let (index, size) = (volume.index(number), volume.checkpoint.size);
    let entry = volume.entry(number).map_err(broken)?.ok_or_else(Problem::not_found)?;
    let path = volume.proof(number, &entry).map_err(broken)?;
    let leaf = tree::leaf(&entry);
    Ok(Json(LogProof {
        index: signed_number(index),
        size: signed_number(size),
        leaf: hex::encode(leaf),
        steps: steps(leaf, index, size, &path),
        root: hex::encode(volume.checkpoint.root),
        checkpoint: volume.text,
    }))
}

/// The path with the side of every sibling and what each step gives.
fn steps(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Vec<ProofStep> {
    let (mut place, mut last, mut hash) = (index, size - 1, leaf);
    let mut steps = Vec::new();
    for sibling in path {
        let is_left = place & 1 == 1 || place == last;
        hash = if is_left { tree::node(sibling, &hash) } else { tree::node(&hash, sibling) };
        if is_left {
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        }
        place >>= 1;
        last >>= 1;
        steps.push(ProofStep {
            side: if is_left { "left" } else { "right" }.to_owned(),
            sibling: hex::encode(sibling),
            result: hex::encode(hash),
        });
    }
    steps
}

async fn receipt(Of(desk): Of<Desk>, caller: Caller, PathOf(seq): PathOf<i64>) -> Answer<Response> {
    place::entry(&desk.db, &caller, seq).await?;
    let index = u64::try_from(seq).map_err(|_| Problem::not_found())?;
    let receipt = log::receipt(&desk.db, &desk.shelf, index).await.map_err(broken)?;
    let receipt = receipt.ok_or_else(Problem::not_found)?;
    let body = serde_json::to_string_pretty(&receipt).map_err(|error| Problem::internal(&error))?;
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"receipt-{seq}.json\"")),
    ];
    Ok((headers, body).into_response())
}
