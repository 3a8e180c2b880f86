//! Refusals on record: who was refused which action, how often, folded by hour, actor, action and outcome. The first
//! of each is an act with an entry in the supervision log; how often it came again is counted in memory and put into
//! the row each minute. What nobody may do is durable before its answer goes out. What was not found is looked for
//! after the answer, so that out of scope takes as long as missing. A storm adds to numbers, not to the disk.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::NaiveDate;
use mj_kernel::{Actor, Instant};
use mj_platform::rules::RuleTable;
use mj_platform::{Act, Db, DbRow, Lane, RowExt, TruthTable, Value, WriteTx, new_id};
use mj_web::{Refusal, Why};

use crate::error::{Error, Result};
use crate::{Access, matrix};

/// The act of the first of its kind in an hour; its object is the row.
pub const REFUSE: &str = "access.decision.refuse";
const COUNT: &str = "access.decision.count";
const FORGET: &str = "access.decision.forget";

pub const REFUSAL: TruthTable = TruthTable {
    name: "refusal",
    columns: &[
        "id",
        "day",
        "hour",
        "actor",
        "action",
        "outcome",
        "object_kind",
        "object_id",
        "source",
        "request_id",
        "tries",
        "first_at",
        "last_at",
    ],
};

static RULES: LazyLock<mj_platform::Result<RuleTable>> =
    LazyLock::new(|| RuleTable::parse(include_str!("../rules/refusal.toml")));

const HOUR: i64 = 3_600 * 1_000_000;
/// How often counts go from memory into their rows: at most so much of them is lost when the process is killed.
const EVERY: Duration = Duration::from_secs(60);
/// How long an answer waits for its refusal to be durable; a store that is slower keeps it after the answer.
const PATIENCE: Duration = Duration::from_millis(250);
/// Kinds of refusals kept in memory at a time; what is beyond is counted together.
const MOST: usize = 10_000;
/// Rows that one act changes or forgets.
const AT_A_TIME: usize = 500;

fn rule(key: &str, day: NaiveDate) -> Result<i64> {
    let rules = RULES.as_ref().map_err(|error| Error::Rules(error.to_string()))?;
    let rule = rules.on(key, day).and_then(|rule| rule.value.parse().ok());
    rule.ok_or_else(|| Error::Rules(format!("refusal {key}")))
}

/// What came of it, as far as the record tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    Denied,
    OutOfScope,
    Barred,
    /// So many things not found that they are no longer looked for one by one.
    Probing,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Denied, Self::OutOfScope, Self::Barred, Self::Probing];

    pub fn name(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::OutOfScope => "out_of_scope",
            Self::Barred => "barred",
            Self::Probing => "probing",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Denied => "无权",
            Self::OutOfScope => "不在范围内",
            Self::Barred => "执法证不允许",
            Self::Probing => "反复试探",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// What a part of a path stands for: its kind in the log's words, and how people call it.
const KINDS: &[(&str, &str, &str)] = &[
    ("accounts", "account", "账号"),
    ("administrators", "account", "账号"),
    ("agencies", "agency", "部门"),
    ("grants", "role_grant", "授权"),
    ("grant-requests", "grant_request", "授权申请"),
    ("unlock-requests", "unlock_request", "解锁与重置申请"),
    ("sessions", "session", "登录"),
    ("requests", "export_request", "导出申请"),
    ("mappings", "catalog_mapping", "事项对应"),
    ("batches", "batch", "批次"),
    ("batch", "batch", "批次"),
    ("error", "batch", "批次"),
    ("repairs", "hub_repair", "更正记录"),
    ("work-items", "work_item", "待办"),
    ("work_item", "work_item", "待办"),
    ("posts", "post", "公开文章"),
    ("post", "post", "公开文章"),
    ("parties", "party", "监管对象"),
    ("party", "party", "监管对象"),
    ("officers", "officer", "执法人员"),
    ("officer", "officer", "执法人员"),
    ("merges", "party_merge", "对象合并"),
    ("certificate-wordings", "certificate_wording", "执法类别对应"),
];

fn kind_of(part: &str) -> Option<&'static str> {
    KINDS.iter().find(|(known, _, _)| *known == part).map(|(_, kind, _)| *kind)
}

pub fn kind_title(kind: &str) -> Option<&'static str> {
    KINDS.iter().find(|(_, known, _)| *known == kind).map(|(_, _, title)| *title)
}

/// One row of the record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    hour: Instant,
    actor: String,
    action: &'static str,
    outcome: Outcome,
}

impl Key {
    /// One row for whatever else this actor was refused.
    fn of_any_action(&self) -> Self {
        Self { action: "", ..self.clone() }
    }

    /// One row for what everybody was refused besides.
    fn of_anybody(&self) -> Self {
        Self { action: "", actor: String::new(), ..self.clone() }
    }

    fn day(&self) -> NaiveDate {
        mj_kernel::clock::beijing_date(self.hour)
    }
}

/// What is counted for a row and not yet in it.
#[derive(Debug, Clone)]
struct Fold {
    /// Its row, once it has one.
    row: Option<String>,
    tries: i64,
    object: Option<(&'static str, String)>,
    source: String,
    request_id: String,
    first_at: Instant,
    last_at: Instant,
}

/// What is to be done about something not found.
enum Look {
    Known { exists: bool },
    After,
    Probing,
}

#[derive(Default)]
struct Held {
    folds: HashMap<Key, Fold>,
    /// What each actor did not find in the hour, and whether it is there.
    sought: HashMap<String, HashMap<String, bool>>,
    hour: Instant,
    forgot_on: Option<NaiveDate>,
}

/// Refusals between the answer and the store.
#[derive(Default)]
pub struct Refusals {
    held: Mutex<Held>,
    /// One writes at a time.
    writing: tokio::sync::Mutex<()>,
}

impl Refusals {
    /// A thread that panicked meanwhile left counts, not ruins.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts it; whether it is the first of its kind.
    fn count(&self, refusal: &Refusal, outcome: Outcome, now: Instant) -> bool {
        let hour = now - now.rem_euclid(HOUR);
        let key = Key { hour, actor: refusal.actor.clone(), action: refusal.action, outcome };
        let mut held = self.held();
        let key = match held.folds.len() < MOST || held.folds.contains_key(&key) {
            true => key,
            false => key.of_anybody(),
        };
        let object = refusal.object.as_ref();
        let object = object.and_then(|(part, id)| Some((kind_of(part)?, id.clone())));
        let mut first = false;
        let fold = held.folds.entry(key).or_insert_with(|| {
            first = true;
            Fold {
                row: None,
                tries: 0,
                object,
                source: source_mark(refusal.address),
                request_id: refusal.request_id.clone(),
                first_at: now,
                last_at: now,
            }
        });
        fold.tries += 1;
        fold.last_at = now;
        first
    }

    fn look(&self, actor: &str, id: &str, now: Instant) -> Result<Look> {
        let hour = now - now.rem_euclid(HOUR);
        let most = rule("lookup/an_hour", mj_kernel::clock::beijing_date(now))?;
        let mut held = self.held();
        if held.hour != hour {
            held.hour = hour;
            held.sought.clear();
        }
        let sought = held.sought.entry(actor.to_owned()).or_default();
        Ok(match sought.get(id) {
            Some(exists) => Look::Known { exists: *exists },
            None if i64::try_from(sought.len()).unwrap_or(i64::MAX) >= most => Look::Probing,
            None => {
                // until it is looked for
                sought.insert(id.to_owned(), false);
                Look::After
            }
        })
    }

    fn found(&self, actor: &str, id: &str) {
        if let Some(sought) = self.held().sought.get_mut(actor) {
            sought.insert(id.to_owned(), true);
        }
    }
}

/// How a network source is called in records, the same as of failed tries to sign in.
fn source_mark(address: Option<IpAddr>) -> String {
    let buckets = crate::lockout::Buckets::of("", address);
    buckets.source_mark().to_owned()
}

impl Access {
    /// Takes a refusal in. Gives when its answer may go out.
    pub(crate) async fn take_refusal(&self, refusal: Refusal) {
        let now = self.db.clock().now();
        let outcome = match refusal.why {
            Why::Denied => Outcome::Denied,
            Why::Barred => Outcome::Barred,
            Why::OutOfScope => {
                if self.refusals.count(&refusal, Outcome::OutOfScope, now) {
                    self.write_soon();
                }
                return;
            }
            Why::NotThere => return self.not_found(refusal, now),
        };
        if self.refusals.count(&refusal, outcome, now) {
            let _ = tokio::time::timeout(PATIENCE, self.write_soon()).await;
        }
    }

    /// What a list's own condition kept back is out of scope only if it is there at all.
    fn not_found(&self, refusal: Refusal, now: Instant) {
        let Some((kind, id)) = refusal.object.clone() else { return };
        let Some(kind) = kind_of(&kind) else { return };
        match self.refusals.look(&refusal.actor, &id, now) {
            Ok(Look::Known { exists: false }) | Err(_) => {}
            Ok(Look::Known { exists: true }) => {
                self.refusals.count(&refusal, Outcome::OutOfScope, now);
            }
            Ok(Look::Probing) => {
                if self.refusals.count(&refusal, Outcome::Probing, now) {
                    self.write_soon();
                }
            }
            Ok(Look::After) => {
                let access = self.clone();
                tokio::spawn(async move {
                    if matches!(access.records.place(kind, &id).await, Ok(Some(_))) {
                        access.refusals.found(&refusal.actor, &id);
                        if access.refusals.count(&refusal, Outcome::OutOfScope, now) {
                            access.keep_first_refusals().await;
                        }
                    }
                });
            }
        }
    }

    /// Writes behind the answer: dropping the handle stops nothing.
    fn write_soon(&self) -> tokio::task::JoinHandle<()> {
        let access = self.clone();
        tokio::spawn(async move { access.keep_first_refusals().await })
    }

    /// Counts go into their rows each minute, and at the end.
    pub async fn watch_refusals(&self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                () = tokio::time::sleep(EVERY) => self.keep_refusals().await,
            }
        }
        self.keep_refusals().await;
    }

    /// Everything counted so far goes into the store, as far as it takes anything in.
    pub async fn keep_refusals(&self) {
        self.keep_first_refusals().await;
        let writing = self.refusals.writing.lock().await;
        let kept = match self.db.is_held() {
            true => Ok(()),
            false => self.keep_counts().await,
        };
        drop(writing);
        if let Err(error) = kept {
            tracing::error!(error = %error, "拒绝次数未能写入拒绝记录，稍后再试");
        }
    }

    async fn keep_first_refusals(&self) {
        let writing = self.refusals.writing.lock().await;
        if self.db.is_held() {
            return;
        }
        let new: Vec<(Key, Fold)> = {
            let held = self.refusals.held();
            let new = held.folds.iter().filter(|(_, fold)| fold.row.is_none());
            new.map(|(key, fold)| (key.clone(), fold.clone())).collect()
        };
        for (key, fold) in new {
            match keep_first(&self.db, &key, &fold).await {
                Ok((row, written)) => {
                    if let Some(kept) = self.refusals.held().folds.get_mut(&key) {
                        kept.row = Some(row);
                        kept.tries -= written;
                    }
                }
                Err(error) => {
                    tracing::error!(error = %error, "拒绝未能记入监管日志，稍后再试");
                    break;
                }
            }
        }
        drop(writing);
    }

    async fn keep_counts(&self) -> Result<()> {
        let now = self.db.clock().now();
        let grown: Vec<(Key, Fold)> = {
            let mut held = self.refusals.held();
            // an hour that is over, with nothing left to write, is only in the store
            held.folds
                .retain(|key, fold| fold.row.is_none() || fold.tries > 0 || now - key.hour < HOUR);
            let grown = held.folds.iter().filter(|(_, fold)| fold.row.is_some() && fold.tries > 0);
            grown.map(|(key, fold)| (key.clone(), fold.clone())).collect()
        };
        for some in grown.chunks(AT_A_TIME) {
            let act = Act::new(&Actor::system("access"), COUNT, "refusal");
            let mut tx = self.db.begin(Lane::People, act).await?;
            for (_, fold) in some {
                add(&mut tx, fold.row.as_deref().unwrap_or_default(), fold).await?;
            }
            tx.commit().await?;
            let mut held = self.refusals.held();
            for (key, fold) in some {
                if let Some(kept) = held.folds.get_mut(key) {
                    kept.tries -= fold.tries;
                }
            }
        }
        let today = self.db.clock().today();
        if self.refusals.held().forgot_on != Some(today) {
            forget_old(&self.db, today).await?;
            self.refusals.held().forgot_on = Some(today);
        }
        Ok(())
    }
}

/// The row of a first refusal and how many tries it now holds more. After a restart, or beyond the bounds, there is
/// one already.
async fn keep_first(db: &Db, key: &Key, fold: &Fold) -> Result<(String, i64)> {
    let (key, known) = row_for(db, key).await?;
    if let Some(row) = known {
        let act = Act::new(&Actor::system("access"), COUNT, format!("refusal:{row}"));
        let mut tx = db.begin(Lane::People, act).await?;
        add(&mut tx, &row, fold).await?;
        tx.commit().await?;
        return Ok((row, fold.tries));
    }
    let row = new_id();
    // the rest of everybody is nobody's act
    let actor = match key.actor.is_empty() {
        true => Actor::system("access").reference(),
        false => key.actor.clone(),
    };
    let act = Act {
        actor,
        action: REFUSE,
        object: format!("refusal:{row}"),
        reason: Some(told(&key, fold)),
        request_id: fold.request_id.clone(),
    };
    let mut tx = db.begin(Lane::People, act).await?;
    let (kind, id) = match &fold.object {
        Some((kind, id)) if !key.action.is_empty() => (*kind, id.as_str()),
        _ => ("", ""),
    };
    let values: [(&str, Value); 13] = [
        ("id", row.as_str().into()),
        ("day", key.day().to_string().into()),
        ("hour", key.hour.into()),
        ("actor", key.actor.as_str().into()),
        ("action", key.action.into()),
        ("outcome", key.outcome.name().into()),
        ("object_kind", kind.into()),
        ("object_id", id.into()),
        ("source", if key.actor.is_empty() { "" } else { fold.source.as_str() }.into()),
        ("request_id", fold.request_id.as_str().into()),
        ("tries", fold.tries.into()),
        ("first_at", fold.first_at.into()),
        ("last_at", fold.last_at.into()),
    ];
    tx.insert(&REFUSAL, &values).await?;
    tx.commit().await?;
    Ok((row, fold.tries))
}

/// What the log's entry says: ids and titles, nothing that was typed.
fn told(key: &Key, fold: &Fold) -> String {
    let action = match key.action {
        "" => "其余操作",
        action => matrix::title_of(action).unwrap_or(action),
    };
    let mut said = format!("{action}：{}", key.outcome.title());
    if let Some((kind, id)) = fold.object.as_ref().filter(|_| !key.action.is_empty()) {
        said.push_str(&format!("；{} {id}", kind_title(kind).unwrap_or(kind)));
    }
    if !key.actor.is_empty() {
        said.push_str(&format!("；来源 {}", fold.source));
    }
    said
}

/// Which row takes this: its own, or beyond the bounds one that takes all the rest.
async fn row_for(db: &Db, key: &Key) -> Result<(Key, Option<String>)> {
    if let Some(row) = find(db, key).await? {
        return Ok((key.clone(), Some(row)));
    }
    let day = key.day();
    let rows = "SELECT COUNT(*) FROM refusal WHERE day = $1";
    if db.count(rows, &[day.to_string().into()]).await? >= rule("record/rows_a_day", day)? {
        let rest = key.of_anybody();
        let row = find(db, &rest).await?;
        return Ok((rest, row));
    }
    let rows = "SELECT COUNT(*) FROM refusal WHERE hour = $1 AND actor = $2";
    let args = [key.hour.into(), key.actor.as_str().into()];
    if db.count(rows, &args).await? >= rule("record/rows_an_hour", day)? {
        let rest = key.of_any_action();
        let row = find(db, &rest).await?;
        return Ok((rest, row));
    }
    Ok((key.clone(), None))
}

async fn find(db: &Db, key: &Key) -> Result<Option<String>> {
    let sql = "SELECT id FROM refusal \
               WHERE hour = $1 AND actor = $2 AND action = $3 AND outcome = $4";
    let args =
        [key.hour.into(), key.actor.as_str().into(), key.action.into(), key.outcome.name().into()];
    let row = db.fetch_optional(sql, &args).await?;
    Ok(row.map(|row| row.text("id")).transpose()?)
}

async fn add(tx: &mut WriteTx, row: &str, fold: &Fold) -> Result<()> {
    // the head first, as every act locks: two that count at once wait for each other
    tx.position().await?;
    let sql = "SELECT tries, last_at FROM refusal WHERE id = $1";
    let Some(known) = tx.fetch_optional(sql, &[row.into()]).await? else { return Ok(()) };
    let changes = [
        ("tries", (known.int("tries")? + fold.tries).into()),
        ("last_at", known.int("last_at")?.max(fold.last_at).into()),
    ];
    tx.update(&REFUSAL, row, None, &changes).await?;
    Ok(())
}

/// Rows older than the law asks for go; the entries of the log stay.
async fn forget_old(db: &Db, today: NaiveDate) -> Result<()> {
    let days = u64::try_from(rule("record/days", today)?).unwrap_or_default();
    let before = today.checked_sub_days(chrono::Days::new(days)).unwrap_or(today).to_string();
    loop {
        let sql = format!("SELECT id FROM refusal WHERE day < $1 LIMIT {AT_A_TIME}");
        let old = db.fetch_all(&sql, &[before.as_str().into()]).await?;
        if old.is_empty() {
            return Ok(());
        }
        let act = Act::new(&Actor::system("access"), FORGET, "refusal");
        let mut tx = db.begin(Lane::People, act).await?;
        for row in &old {
            tx.delete(&REFUSAL, &row.text("id")?).await?;
        }
        tx.commit().await?;
    }
}

/// What the auditor asks for.
#[derive(Default)]
pub struct Wanted<'a> {
    pub day: Option<&'a str>,
    /// Part of a name, or a login.
    pub who: Option<&'a str>,
    /// The reference of one actor.
    pub actor: Option<&'a str>,
    pub outcome: Option<Outcome>,
}

/// The row of the record as it is kept, and the entry of the log that tells of it.
pub struct Kept {
    pub id: String,
    pub actor: String,
    pub action: String,
    pub outcome: Outcome,
    pub object_kind: String,
    pub object_id: String,
    pub source: String,
    pub tries: i64,
    pub first_at: Instant,
    pub last_at: Instant,
    pub log_seq: Option<i64>,
}

/// What was refused, the latest first.
pub async fn list(db: &Db, wanted: &Wanted<'_>, most: usize) -> Result<Vec<Kept>> {
    let mut sql = "SELECT r.*, (SELECT MIN(j.log_seq) FROM act_journal j \
                   WHERE j.object = 'refusal:' || r.id AND j.action = $1) AS log_seq \
                   FROM refusal r WHERE 1 = 1"
        .to_owned();
    let mut args: Vec<Value> = vec![REFUSE.into()];
    let outcome = wanted.outcome.map(Outcome::name);
    for (column, value) in [("day", wanted.day), ("actor", wanted.actor), ("outcome", outcome)] {
        if let Some(value) = value {
            args.push(value.into());
            sql.push_str(&format!(" AND r.{column} = ${}", args.len()));
        }
    }
    if let Some(who) = wanted.who {
        let part = who.replace(['%', '_', '\\'], "");
        args.push(who.to_ascii_lowercase().into());
        let login = args.len();
        args.push(format!("%{part}%").into());
        sql.push_str(&format!(
            " AND EXISTS (SELECT 1 FROM account a WHERE (r.actor = 'account:' || a.id \
             OR r.actor = 'source:' || a.cd_source) AND (a.login = ${login} OR a.name LIKE ${}))",
            args.len()
        ));
    }
    sql.push_str(&format!(" ORDER BY r.last_at DESC, r.id DESC LIMIT {most}"));
    let rows = db.fetch_all(&sql, &args).await?;
    rows.iter().map(kept_of).collect()
}

fn kept_of(row: &DbRow) -> Result<Kept> {
    let outcome = Outcome::parse(&row.text("outcome")?)
        .ok_or_else(|| mj_platform::Error::Corrupt("refusal.outcome 的值不认识".into()))?;
    Ok(Kept {
        outcome,
        id: row.text("id")?,
        actor: row.text("actor")?,
        action: row.text("action")?,
        object_kind: row.text("object_kind")?,
        object_id: row.text("object_id")?,
        source: row.text("source")?,
        tries: row.int("tries")?,
        first_at: row.int("first_at")?,
        last_at: row.int("last_at")?,
        log_seq: row.opt_int("log_seq")?,
    })
}
