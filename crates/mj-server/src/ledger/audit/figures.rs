//! The numbers of a month, each counted from rows that can be looked at: entries of the log by act and by whom, and the
//! tables that say more than an entry does. All of it is read in one view of the database, and counting again later
//! gives the same unless rows were changed since, which the page of a signed report then shows.

use std::collections::BTreeMap;

use mj_kernel::Instant;
use mj_kernel::clock::to_rfc3339;
use mj_ledger::Cause;
use mj_platform::db::Snapshot;
use mj_platform::ledger::{HISTORY, Shelf};
use mj_platform::{DbRow, Result, RowExt, Value, gm};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::month::Month;
use crate::ledger::{by, titles};

/// The form of what is signed.
const FORM: i64 = 1;

/// What is counted of a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditFigures {
    /// 格式的版本
    pub v: i64,
    /// 年-月
    pub month: String,
    /// 从此时（含）
    pub from: String,
    /// 到此时（不含）
    pub until: String,
    pub sections: Vec<AuditSection>,
    /// 当月最后一个已签署的检查点
    pub checkpoint: Option<AuditCheckpoint>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditSection {
    pub key: String,
    pub title: String,
    pub lines: Vec<AuditLine>,
    /// 明细的列名
    pub columns: Vec<String>,
    /// 明细
    pub rows: Vec<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditLine {
    pub key: String,
    pub title: String,
    pub count: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditCheckpoint {
    /// 日志的名称
    pub origin: String,
    /// 第几册
    pub volume: i64,
    /// 本册的条目数
    pub size: i64,
    pub root: String,
    pub at: String,
}

impl AuditFigures {
    /// By which a person says which numbers were read before signing.
    pub fn sm3(&self) -> String {
        gm::sm3_hex(canonical(self).as_bytes())
    }

    /// Every number with the section it stands in.
    pub fn lines(&self) -> impl Iterator<Item = (&AuditSection, &AuditLine)> {
        self.sections.iter().flat_map(|one| one.lines.iter().map(move |line| (one, line)))
    }
}

/// RFC 8785, the form whose digest is taken.
pub fn canonical(value: &impl Serialize) -> String {
    // plain structs of texts and integers always serialise
    serde_json_canonicalizer::to_string(value).unwrap_or_default()
}

/// A part of the report that counts entries of these acts.
struct Part {
    key: &'static str,
    title: &'static str,
    actions: &'static [&'static str],
}

const PARTS: [Part; 10] = [
    Part {
        key: "accounts",
        title: "账号",
        actions: &[
            "access.account.create",
            "access.account.activate",
            "access.enrolment.create",
            "access.account.disable",
            "access.account.enable",
            "access.account.end_sessions",
        ],
    },
    Part {
        key: "grants",
        title: "授权",
        actions: &[
            "access.grant.create",
            "access.grant.revoke",
            "access.grant_request.create",
            "access.grant_request.confirm",
            "access.grant_request.refuse",
        ],
    },
    Part {
        key: "unlocks",
        title: "解锁与重置",
        actions: &[
            "access.unlock_request.create",
            "access.unlock_request.approve",
            "access.unlock_request.refuse",
            "access.second_factor.reset",
        ],
    },
    Part { key: "failures", title: "登录失败与锁定", actions: &["access.account.lock"] },
    Part {
        key: "emergency",
        title: "应急启用",
        actions: &[
            "access.emergency.seal",
            "access.emergency.open",
            "access.emergency.recover",
            "access.emergency.unlock",
            "access.emergency.close",
        ],
    },
    Part { key: "reveals", title: "查看个人信息明文", actions: &REVEALS },
    Part {
        key: "exports",
        title: "导出",
        actions: &["export.file.take", "export.request.ask", "export.request.decide"],
    },
    Part {
        key: "erasures",
        title: "依法删除",
        actions: &["keys.person.destroy", "ledger.payload.erase"],
    },
    Part {
        key: "keys", title: "密钥更换", actions: &["keys.master.rotate", "keys.class.rotate"]
    },
    Part {
        key: "system",
        title: "备份、恢复与日志",
        actions: &[
            "backup.take",
            "backup.restore",
            "ledger.log.found",
            "ledger.log.open",
            "ledger.log.fork",
            "ledger.witness.reset",
            super::api::SIGN.name,
            super::api::CORRECT.name,
        ],
    },
];

const REVEALS: [&str; 2] = ["personal.shared_value.reveal", "personal.agency_value.reveal"];

/// Counts a month.
pub async fn count(snapshot: &mut Snapshot, shelf: &Shelf, month: Month) -> Result<AuditFigures> {
    let counting = Counting { month, args: [month.from().into(), month.until().into()] };
    let acts = counting.acts(snapshot).await?;
    let mut sections = vec![counting.by_whom(snapshot).await?, by_act(&acts)];
    for part in &PARTS {
        let mut section = AuditSection {
            key: part.key.to_owned(),
            title: part.title.to_owned(),
            lines: Vec::new(),
            columns: Vec::new(),
            rows: Vec::new(),
        };
        for action in part.actions {
            section.line(
                format!("action:{action}"),
                titles::title_of(action),
                acts.get(*action).copied().unwrap_or(0),
            );
        }
        match part.key {
            "grants" => counting.grants(snapshot, &mut section).await?,
            "failures" => counting.failures(snapshot, &mut section).await?,
            "emergency" => counting.emergency(snapshot, &mut section).await?,
            "reveals" => counting.reveals(snapshot, &mut section).await?,
            "exports" => counting.exports(snapshot, &mut section).await?,
            "erasures" => counting.erasures(snapshot, &mut section).await?,
            "system" => section.line("frozen", "损坏封存的日志册", frozen(shelf, month)?),
            _ => {}
        }
        sections.push(section);
    }
    sections.push(counting.refusals(snapshot).await?);
    sections.push(counting.checks(snapshot).await?);
    sections.push(counting.witnesses(snapshot).await?);
    Ok(AuditFigures {
        v: FORM,
        month: month.name(),
        from: to_rfc3339(month.from()),
        until: to_rfc3339(month.until()),
        sections,
        checkpoint: checkpoint(shelf, month.until())?,
    })
}

impl AuditSection {
    fn new(key: &str, title: &str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|name| (*name).to_owned()).collect();
        let (key, title) = (key.to_owned(), title.to_owned());
        Self { key, title, lines: Vec::new(), columns, rows: Vec::new() }
    }

    fn line(&mut self, key: impl Into<String>, title: impl Into<String>, count: i64) {
        self.lines.push(AuditLine { key: key.into(), title: title.into(), count });
    }

    fn table(&mut self, columns: &[&str], rows: Vec<Vec<String>>) {
        self.columns = columns.iter().map(|name| (*name).to_owned()).collect();
        self.rows = rows;
    }
}

fn by_act(acts: &BTreeMap<String, i64>) -> AuditSection {
    let mut section = AuditSection::new("acts", "全部日志条目，按行为", &[]);
    for (action, count) in acts {
        section.line(format!("action:{action}"), titles::title_of(action), *count);
    }
    section
}

/// Minutes are enough in a table that people read.
fn minute(at: Instant) -> String {
    to_rfc3339(at).chars().take(16).collect::<String>().replace('T', " ")
}

struct Counting {
    month: Month,
    /// `$1` and `$2` of every statement: its first instant and the first after it.
    args: [Value; 2],
}

impl Counting {
    async fn rows(&self, snapshot: &mut Snapshot, sql: &str) -> Result<Vec<DbRow>> {
        snapshot.fetch_all(sql, &self.args).await
    }

    /// One number; `NULL`, the sum of nothing, is none.
    async fn number(&self, snapshot: &mut Snapshot, sql: &str) -> Result<i64> {
        let rows = self.rows(snapshot, sql).await?;
        Ok(rows.first().map(|row| row.opt_int("n")).transpose()?.flatten().unwrap_or(0))
    }

    /// Rows of one of the tables that are kept by day.
    async fn by_day(&self, snapshot: &mut Snapshot, sql: &str) -> Result<Vec<DbRow>> {
        let days = [self.month.first_day().to_string(), self.month.last_day().to_string()];
        snapshot.fetch_all(sql, &days.map(Value::from)).await
    }

    async fn acts(&self, snapshot: &mut Snapshot) -> Result<BTreeMap<String, i64>> {
        let sql = "SELECT action, COUNT(*) AS n FROM act_journal \
                   WHERE log_seq IS NOT NULL AND at >= $1 AND at < $2 GROUP BY action";
        let rows = self.rows(snapshot, sql).await?;
        rows.iter().map(|row| Ok((row.text("action")?, row.int("n")?))).collect()
    }

    async fn by_whom(&self, snapshot: &mut Snapshot) -> Result<AuditSection> {
        let sql = format!(
            "SELECT kind, COUNT(*) AS n FROM (SELECT {} AS kind FROM act_journal j \
             WHERE j.log_seq IS NOT NULL AND j.at >= $1 AND j.at < $2) k GROUP BY kind ORDER BY kind",
            by::sql()
        );
        let rows = self.rows(snapshot, &sql).await?;
        let mut section = AuditSection::new("entries", "日志条目，按办理人", &[]);
        let mut all = 0;
        let mut lines = Vec::new();
        for row in &rows {
            let (kind, count) = (row.text("kind")?, row.int("n")?);
            all += count;
            lines.push((format!("by:{kind}"), by::title(&kind), count));
        }
        section.line("entries", "全部条目", all);
        for (key, title, count) in lines {
            section.line(key, title, count);
        }
        Ok(section)
    }

    /// Roles that two people give, and those of administrators however they came about.
    async fn grants(&self, snapshot: &mut Snapshot, section: &mut AuditSection) -> Result<()> {
        let sql = "SELECT g.account_id, g.role, g.granted_by, g.granted_at, r.requested_by, \
                   r.decided_by FROM role_grant g LEFT JOIN grant_request r ON r.grant_id = g.id \
                   WHERE g.granted_at >= $1 AND g.granted_at < $2 \
                   AND (r.id IS NOT NULL OR g.account_class = 'admin') \
                   ORDER BY g.granted_at, g.id";
        let mut table = Vec::new();
        for row in self.rows(snapshot, sql).await? {
            let role = row.text("role")?;
            let role = mj_kernel::Role::parse(&role).map_or(role, |role| role.title().to_owned());
            let granted_by = match row.text("granted_by")? {
                // the three first administrators come by the codes of the first start
                by if by == "anonymous" => "本人，持一次性启用码".to_owned(),
                by => by,
            };
            let asked = row.opt_text("requested_by")?.unwrap_or_else(|| granted_by.clone());
            let approved = row.opt_text("decided_by")?.unwrap_or_else(|| "-".into());
            let account = format!("account:{}", row.text("account_id")?);
            table.push(vec![minute(row.int("granted_at")?), account, role, asked, approved]);
        }
        section.line("privileged", "其中特权角色的授予", whole(table.len()));
        section.table(&["时间", "账号", "角色", "申请人", "批准人"], table);
        Ok(())
    }

    async fn failures(&self, snapshot: &mut Snapshot, section: &mut AuditSection) -> Result<()> {
        let sql = "SELECT day, kind, CAST(SUM(tries) AS BIGINT) AS tries, \
                   CAST(SUM(locks) AS BIGINT) AS locks FROM login_failure \
                   WHERE day >= $1 AND day <= $2 GROUP BY day, kind ORDER BY day, kind";
        let (mut tries, mut locks, mut table) = (0, 0, Vec::new());
        for row in self.by_day(snapshot, sql).await? {
            let (tried, locked) = (row.int("tries")?, row.int("locks")?);
            (tries, locks) = (tries + tried, locks + locked);
            let kind = row.text("kind")?;
            let kind = mj_access::Tried::parse(&kind).map_or("其他", mj_access::Tried::title);
            let numbers = [tried.to_string(), locked.to_string()];
            table.push([vec![row.text("day")?, kind.to_owned()], numbers.to_vec()].concat());
        }
        section.line("failures", "登录失败次数（登录失败记录）", tries);
        section.line("locks", "其中引起锁定的次数（登录失败记录）", locks);
        section.table(&["日期", "失败在哪一步", "次数", "引起锁定"], table);
        Ok(())
    }

    async fn emergency(&self, snapshot: &mut Snapshot, section: &mut AuditSection) -> Result<()> {
        let sql = "SELECT opened_at, first_holder, second_holder, opened_why FROM emergency_seal \
                   WHERE state = 'opened' AND opened_at >= $1 AND opened_at < $2 \
                   ORDER BY opened_at, id";
        let mut table = Vec::new();
        for row in self.rows(snapshot, sql).await? {
            let holders = format!("{}、{}", row.text("first_holder")?, row.text("second_holder")?);
            table.push(vec![minute(row.int("opened_at")?), holders, row.text("opened_why")?]);
        }
        section.line("opened", "应急启用码被启用", whole(table.len()));
        section.table(&["时间", "保管人", "原因"], table);
        Ok(())
    }

    async fn reveals(&self, snapshot: &mut Snapshot, section: &mut AuditSection) -> Result<()> {
        let sql = "SELECT COUNT(*) AS n FROM field_reveal WHERE at >= $1 AND at < $2";
        section.line("reveals", "查看明文的记录", self.number(snapshot, sql).await?);
        let sql = format!(
            "SELECT actor, COUNT(*) AS n FROM act_journal WHERE log_seq IS NOT NULL \
             AND at >= $1 AND at < $2 AND action IN ('{}','{}') GROUP BY actor ORDER BY actor",
            REVEALS[0], REVEALS[1]
        );
        for row in self.rows(snapshot, &sql).await? {
            let actor = row.text("actor")?;
            // erased by law: who it was is not known any more
            let shown = if actor.is_empty() { crate::ledger::api::ERASED } else { actor.as_str() };
            section.line(format!("reveal:{actor}"), shown, row.int("n")?);
        }
        Ok(())
    }

    async fn exports(&self, snapshot: &mut Snapshot, section: &mut AuditSection) -> Result<()> {
        let sql = "SELECT title, actor, at, row_count FROM data_export \
                   WHERE at >= $1 AND at < $2 ORDER BY at, id";
        let (mut rows, mut table) = (0, Vec::new());
        for row in self.rows(snapshot, sql).await? {
            let count = row.int("row_count")?;
            rows += count;
            let title = row.text("title")?;
            table.push(vec![minute(row.int("at")?), row.text("actor")?, title, count.to_string()]);
        }
        section.line("exports", "导出登记", whole(table.len()));
        section.line("exported", "导出的行数", rows);
        section.table(&["时间", "办理人", "名单", "行数"], table);
        Ok(())
    }

    async fn erasures(&self, snapshot: &mut Snapshot, section: &mut AuditSection) -> Result<()> {
        for (key, title, table) in [
            ("erased:person", "已销毁的个人密钥", "erasure"),
            ("erased:payload", "已删除的日志内容", "payload_erasure"),
        ] {
            let sql = format!(
                "SELECT COUNT(*) AS n FROM {table} WHERE erased_at >= $1 AND erased_at < $2"
            );
            section.line(key, title, self.number(snapshot, &sql).await?);
        }
        Ok(())
    }

    async fn refusals(&self, snapshot: &mut Snapshot) -> Result<AuditSection> {
        let sql = "SELECT day, outcome, CAST(SUM(tries) AS BIGINT) AS n FROM refusal \
                   WHERE day >= $1 AND day <= $2 GROUP BY day, outcome ORDER BY day, outcome";
        let columns = ["日期", "结果", "次数"];
        let mut section = AuditSection::new("refusals", "拒绝记录", &columns);
        let mut sums: BTreeMap<String, i64> = BTreeMap::new();
        for row in self.by_day(snapshot, sql).await? {
            let (outcome, count) = (row.text("outcome")?, row.int("n")?);
            section.rows.push(vec![row.text("day")?, refused(&outcome).into(), count.to_string()]);
            *sums.entry(outcome).or_default() += count;
        }
        section.line("refusals", "被拒绝的操作", sums.values().sum());
        for (outcome, count) in &sums {
            section.line(format!("refusal:{outcome}"), refused(outcome), *count);
        }
        Ok(section)
    }

    async fn watched(&self, snapshot: &mut Snapshot, kind: &str) -> Result<Vec<Watched>> {
        let sql = format!(
            "SELECT * FROM log_watch WHERE kind = '{kind}' AND day >= $1 AND day <= $2 \
             ORDER BY name, day"
        );
        let rows = self.by_day(snapshot, &sql).await?;
        rows.iter().map(Watched::read).collect()
    }

    async fn checks(&self, snapshot: &mut Snapshot) -> Result<AuditSection> {
        let days = self.watched(snapshot, "check").await?;
        let columns = ["日期", "范围", "核对次数", "发现不符", "未能核对", "一次最多处数"];
        let mut section = AuditSection::new("checks", "业务数据与日志的核对", &columns);
        let sum = |of: fn(&Watched) -> i64| days.iter().map(of).sum();
        section.line("checks", "核对次数", sum(|day| day.rounds));
        section.line("checks.bad", "发现不符的核对", sum(|day| day.bad));
        section.line("checks.failed", "未能完成的核对", sum(|day| day.failed));
        let shown = |day: &Watched| {
            let of = if day.name == "whole" { "全部表" } else { "行数不多的表" };
            day.cells(of.to_owned())
        };
        section.rows = days.iter().map(shown).collect();
        Ok(section)
    }

    async fn witnesses(&self, snapshot: &mut Snapshot) -> Result<AuditSection> {
        let days = self.watched(snapshot, "witness").await?;
        let columns = ["日期", "见证方", "请求次数", "报警中", "没有得到签名", "最长间隔（秒）"];
        let mut section = AuditSection::new("witnesses", "见证", &columns);
        let sum = |of: fn(&Watched) -> i64| days.iter().map(of).sum();
        section.line("witnesses", "请求见证的次数", sum(|day| day.rounds));
        section.line("witnesses.bad", "报警中的请求", sum(|day| day.bad));
        section.line("witnesses.failed", "没有得到签名的请求", sum(|day| day.failed));
        let worst = days.iter().map(|day| day.worst).max().unwrap_or(0);
        section.line("witnesses.worst", "最长间隔（秒）", worst);
        section.rows = days.iter().map(|day| day.cells(day.name.clone())).collect();
        Ok(section)
    }
}

/// What an outcome of the record of refusals is called there.
fn refused(outcome: &str) -> &'static str {
    match outcome {
        "denied" => "无权",
        "out_of_scope" => "不在范围内",
        "barred" => "执法证不允许",
        "probing" => "反复试探",
        _ => "其他",
    }
}

/// A day of the node's own watching.
struct Watched {
    day: String,
    name: String,
    rounds: i64,
    bad: i64,
    failed: i64,
    worst: i64,
}

impl Watched {
    fn read(row: &DbRow) -> Result<Self> {
        Ok(Self {
            day: row.text("day")?,
            name: row.text("name")?,
            rounds: row.int("rounds")?,
            bad: row.int("bad")?,
            failed: row.int("failed")?,
            worst: row.int("worst")?,
        })
    }

    fn cells(&self, name: String) -> Vec<String> {
        let numbers = [self.rounds, self.bad, self.failed, self.worst];
        [vec![self.day.clone(), name], numbers.map(|one| one.to_string()).to_vec()].concat()
    }
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Volumes that were put away damaged; when, the next one's first entry says.
fn frozen(shelf: &Shelf, month: Month) -> Result<i64> {
    let volumes = shelf.list()?;
    let is_frozen = |number: u64| {
        let of = volumes.iter().find(|one| one.number == number);
        of.and_then(|one| one.closed.as_ref()).is_some_and(|closed| closed.cause == Cause::Freeze)
    };
    let in_month = |at: Instant| at >= month.from() && at < month.until();
    let after = volumes.iter().filter(|one| one.began.is_some_and(in_month));
    Ok(whole(after.filter(|one| one.number > 1 && is_frozen(one.number - 1)).count()))
}

/// The last checkpoint that was signed before an instant, as the volumes' histories tell.
fn checkpoint(shelf: &Shelf, before: Instant) -> Result<Option<AuditCheckpoint>> {
    let Some(newest) = shelf.newest()? else { return Ok(None) };
    for number in (1..=newest.number).rev() {
        // a volume that was frozen may have lost its checkpoint; what it signed is told by the one after it
        let Some(volume) = shelf.volume(number).ok().flatten() else { continue };
        let mut bytes = 64 << 10;
        loop {
            let text = volume.reader.tail(HISTORY, bytes)?;
            let mut lines = text.lines().filter_map(|line| {
                let mut parts = line.split('\t');
                let (at, size, root) = (parts.next()?, parts.next()?, parts.next()?);
                Some((at.parse::<Instant>().ok()?, size.parse::<i64>().ok()?, root))
            });
            let found = lines.rfind(|(at, ..)| *at < before);
            if let Some((at, size, root)) = found {
                return Ok(Some(AuditCheckpoint {
                    origin: volume.checkpoint.origin.clone(),
                    volume: i64::try_from(number).unwrap_or(i64::MAX),
                    size,
                    root: root.to_owned(),
                    at: to_rfc3339(at),
                }));
            }
            // all of it was read
            if (text.len() as u64) + 1024 < bytes {
                break;
            }
            bytes *= 8;
        }
    }
    Ok(None)
}
