//! `mingjian verify`: holds a store against its supervision log, beside a running node, changing
//! nothing. Findings on stdout, one a line; what was looked at on stderr.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mj_facts::Depth;
use mj_facts::disk::{Disk, RealDisk};
use mj_kernel::clock::to_rfc3339;
use mj_platform::gm::vault::{SmProvider, Vault};
use mj_platform::ledger::Shelf;
use mj_platform::ledger::verify::{self, Report, Wanted};
use mj_platform::{Config, Db, Dialect, SystemClock};

use crate::cli::{Failure, Outcome};

pub struct Order<'a> {
    pub data_dir: &'a Path,
    /// Another database than the data directory's configuration names.
    pub db: Option<&'a str>,
    /// A checkpoint kept elsewhere.
    pub checkpoint: Option<&'a Path>,
}

pub async fn run(order: Order<'_>) -> Result<Outcome, Failure> {
    let data_dir = data_dir(&order)?;
    let config = Config::load(&data_dir)?;
    let url = order.db.map_or(config.database_url.reveal().to_owned(), str::to_owned);
    let folder = data_dir.join("log");
    let outside = match order.checkpoint {
        Some(path) => Some(outside(path)?),
        None => None,
    };
    let none = || {
        Failure::Usage(format!(
            "{} 中没有监管日志；数据目录由本版本的明鉴启动过一次后才有日志",
            data_dir.display()
        ))
    };
    let db = match Db::open_to_read(&url, Arc::new(SystemClock)).await {
        Err(_) if !folder.is_dir() => return Err(none()),
        opened => opened?,
    };
    // a log that the database knows of and that is not there is a finding, not a mistake of whoever asks
    let numbered = db.count("SELECT entries FROM change_head WHERE id = 1", &[]).await;
    if !folder.is_dir() && numbered.unwrap_or(0) == 0 {
        db.close().await;
        return Err(none());
    }
    let outcome = examine(&db, &data_dir, &config, outside).await;
    db.close().await;
    outcome
}

/// With `--db` alone, the data directory of an embedded database is known by its place.
fn data_dir(order: &Order<'_>) -> Result<PathBuf, Failure> {
    if let Some(path) = order.db.and_then(|url| url.strip_prefix("sqlite:"))
        && let Some(above) =
            Path::new(path.trim_start_matches("//")).parent().and_then(Path::parent)
        && above.join("log").is_dir()
    {
        return Ok(above.to_owned());
    }
    if !order.data_dir.is_dir() {
        return Err(Failure::Usage(format!("没有数据目录 {}", order.data_dir.display())));
    }
    Ok(order.data_dir.to_owned())
}

/// A file that is no checkpoint at all is the caller's mistake; one that does not fit is a finding.
pub fn outside(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("无法读取 {}：{error}", path.display())))?;
    let note =
        mj_ledger::Note::parse(&text).and_then(|note| mj_ledger::Checkpoint::parse(&note.text));
    note.map_err(|error| Failure::Usage(format!("{}：{error}", path.display())))?;
    Ok(text)
}

/// What is wrong, once with the rows and once with the files of facts.
pub async fn look(
    db: &Db,
    data_dir: &Path,
    wanted: &Wanted,
) -> Result<(Report, Vec<mj_facts::Finding>), Failure> {
    let shelf = Shelf::new(data_dir.join("log"));
    let report = loop {
        let volumes = shelf.closed()?;
        let mut snapshot = db.snapshot().await?;
        let report = verify::run(&mut snapshot, shelf.folder(), wanted).await?;
        // a volume closed meanwhile: what was read of it may be half of this and half of that
        if shelf.closed()? == volumes {
            break report;
        }
    };
    let segments = data_dir.join("segments");
    let facts = if wanted.up_to.is_none() {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::at(segments));
        mj_facts::verify(db, &disk, Depth::Digests).await.map_err(Failure::broken)?
    } else {
        Vec::new()
    };
    Ok((report, facts))
}

async fn examine(
    db: &Db,
    data_dir: &Path,
    config: &Config,
    outside: Option<String>,
) -> Result<Outcome, Failure> {
    // whoever verifies from elsewhere has no keys
    let keys = Vault::beside_master(&data_dir.join("keys"), config.production).ok();
    let keys = keys.map(|keys| Arc::new(keys) as Arc<dyn SmProvider>);
    let wanted = Wanted { outside, up_to: None, added: super::added_columns(), keys };
    let (report, facts) = look(db, data_dir, &wanted).await?;
    for line in lines(&report, &facts) {
        println!("{line}");
    }
    if report.more > 0 {
        eprintln!("另有 {} 处不符未列出", report.more);
    }
    let database = match db.dialect() {
        Dialect::Sqlite => "SQLite",
        Dialect::Postgres => "PostgreSQL",
    };
    eprintln!(
        "{database}：{} 条日志（已签署 {} 条），{} 张表 {} 行，最新一条 {}",
        report.entries,
        report.sealed,
        report.tables,
        report.rows,
        to_rfc3339(report.newest)
    );
    for line in told(&report) {
        eprintln!("{line}");
    }
    if !report.compared_outside {
        eprintln!(
            "没有给出外部保存的检查点（--checkpoint）：能发现局部改动，不能发现整个日志被连同密钥重写"
        );
    }
    let clean = report.is_clean() && facts.is_empty();
    eprintln!("{}", if clean { "没有发现改动" } else { "发现改动" });
    Ok(Outcome::clean_if(clean))
}

/// Rows of a frozen volume's list that are shown.
const TOLD: usize = 1_000;

/// Damage that was decided about, in words.
pub fn told(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for one in &report.told {
        lines.push(format!(
            "第 {} 册损坏后已封存（已登记，不是新发现）：第 {} 条起的 {} 条无法证明，其中 {} 条已不可读；{} 行与可证明的日志不同",
            one.volume, one.proved, one.damage.entries, one.damage.lost, one.damage.rows
        ));
        lines.extend(one.rows.iter().take(TOLD).map(|row| format!("  {row}")));
        if one.rows.len() > TOLD {
            lines.push(format!("  另有 {} 行", one.rows.len() - TOLD));
        }
    }
    lines
}

/// `FAIL⇥kind⇥table⇥key⇥from-seq..to-seq⇥from..to`
pub fn lines(report: &Report, facts: &[mj_facts::Finding]) -> Vec<String> {
    // what somebody planted must not steer the terminal it is read on
    let shown = |text: &str| text.replace(char::is_control, " ");
    let mut lines: Vec<String> = report
        .findings
        .iter()
        .map(|finding| {
            format!(
                "FAIL\t{}\t{}\t{}\t{}..{}\t{}..{}",
                finding.kind.name(),
                shown(&finding.table),
                shown(&finding.key),
                finding.seqs.0,
                finding.seqs.1,
                to_rfc3339(finding.between.0),
                to_rfc3339(finding.between.1)
            )
        })
        .collect();
    for finding in facts {
        let key = finding.object.rsplit('/').next().and_then(|name| name.strip_suffix(".parquet"));
        let known = key.and_then(|key| report.segments.get(key));
        let (seq, from) = known.copied().unwrap_or((0, report.oldest));
        eprintln!("{} {}：{}", finding.table, finding.object, finding.what);
        lines.push(format!(
            "FAIL\tchanged\tsegments\t{}\t{seq}..{}\t{}..{}",
            shown(&finding.object),
            report.entries.saturating_sub(1).max(seq),
            to_rfc3339(from),
            to_rfc3339(report.newest)
        ));
    }
    lines
}
