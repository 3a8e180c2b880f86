//! `mingjian doctor`: what is wrong with a node, and how to mend it, in words.
//!
//! A finding is a line `不符⇥where⇥what⇥how to mend` (the data does not add up) or `注意⇥…` (the
//! machine needs a hand); without findings the line is `正常`. First what must hold before anything
//! can be opened (keys, database), then the machine, then the data.

mod data;
mod keys;
mod log;
mod machine;

use std::path::Path;

use mj_platform::{Config, Db, Dialect, SystemClock};

use crate::cli::{Failure, Outcome, chain};
use crate::node::{self, Beside};
use crate::standing;

/// What has been found so far; told at once, because the next look may take long.
#[derive(Default)]
pub struct Findings(usize);

impl Findings {
    /// The data is not what it should be.
    fn wrong(&mut self, place: &str, what: &str, mend: &str) {
        self.tell("不符", place, what, mend);
    }

    /// The machine needs a hand.
    fn beware(&mut self, place: &str, what: &str, mend: &str) {
        self.tell("注意", place, what, mend);
    }

    fn tell(&mut self, kind: &str, place: &str, what: &str, mend: &str) {
        self.0 += 1;
        println!("{kind}\t{place}\t{what}\t{mend}");
    }

    fn outcome(&self) -> Outcome {
        if self.0 == 0 {
            println!("正常");
        }
        Outcome::clean_if(self.0 == 0)
    }
}

pub async fn run(data_dir: &Path, digest: bool) -> Result<Outcome, Failure> {
    if !data_dir.is_dir() {
        return Err(Failure::Usage(format!("没有数据目录 {}", data_dir.display())));
    }
    let config = Config::load(data_dir)?;
    if digest {
        let beside = Beside::open(data_dir).await?;
        let digest = mj_datahub::content_digest(&beside.domains.datahub).await;
        beside.close().await;
        println!("{}", digest.map_err(Failure::broken)?);
        return Ok(Outcome::Clean);
    }
    let mut findings = Findings::default();
    let may_open = keys::examine_files(&config, &mut findings);
    if may_open && up_to_date(&config, &mut findings).await? {
        let beside = Beside::open(data_dir).await?;
        let examined = examine(&config, &beside, &mut findings).await;
        beside.close().await;
        examined?;
    } else {
        machine::disk(&config, &mut findings);
    }
    Ok(findings.outcome())
}

async fn examine(config: &Config, beside: &Beside, findings: &mut Findings) -> Result<(), Failure> {
    let db = beside.db();
    let running = is_running(&config.data_dir);
    machine::disk(config, findings);
    machine::clock(db, findings).await?;
    machine::database(config, db, findings).await?;
    keys::examine(&beside.keys, db, findings).await?;
    keys::passwords(config, db, findings).await?;
    machine::queues(db, running, findings).await?;
    machine::backups(config, db, findings);
    machine::doors(config, findings);
    machine::emergency(config, db, findings).await?;
    log::examine(config, db, running, findings).await?;
    data::blobs(&config.data_dir, &beside.blobs, db, findings).await?;
    data::counts(&beside.domains.datahub, db, findings).await?;
    let batches = db.count("SELECT COUNT(*) FROM hub_batch", &[]).await?;
    let acts = db.count("SELECT COUNT(*) FROM act_journal", &[]).await?;
    let (bytes, _) = standing::sizes(db, config).await?;
    eprintln!(
        "数据库 {}（{} MB），{batches} 个批次，{acts} 条操作留痕；节点{}",
        db.dialect().name(),
        bytes / 1_000_000,
        if running { "正在运行" } else { "没有运行" }
    );
    Ok(())
}

/// Whether the database can be reached and is of this program's version; nothing is made by looking.
async fn up_to_date(config: &Config, findings: &mut Findings) -> Result<bool, Failure> {
    let sqlite = config.database_url.reveal().starts_with("sqlite:");
    if sqlite && !Path::new(standing::sqlite_path(config.database_url.reveal())).exists() {
        return Err(Failure::Usage(format!(
            "{} 里还没有数据库；请先启动一次（mingjian serve 或 mingjian demo）",
            config.data_dir.display()
        )));
    }
    let db = Db::open(config.database_url.reveal(), std::sync::Arc::new(SystemClock)).await.map_err(|error| {
        Failure::Broken(format!(
            "{}\n怎样修：{}",
            chain(&error),
            if sqlite {
                "确认数据目录可读写、磁盘没有满；文件确已损坏时从备份恢复整个数据目录"
            } else {
                "确认 PostgreSQL 已启动、能从本机连上，database.url 的主机、库名、用户和口令正确"
            }
        ))
    })?;
    let judged = versions(&db, findings).await;
    db.close().await;
    judged
}

async fn versions(db: &Db, findings: &mut Findings) -> Result<bool, Failure> {
    use mj_platform::RowExt;
    let there = match db.dialect() {
        Dialect::Sqlite => {
            "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_migration'"
        }
        Dialect::Postgres => {
            "SELECT COUNT(*) FROM information_schema.tables \
             WHERE table_schema = current_schema() AND table_name = 'schema_migration'"
        }
    };
    let mut applied = Vec::new();
    if db.count(there, &[]).await? > 0 {
        for row in db.fetch_all("SELECT name FROM schema_migration ORDER BY name", &[]).await? {
            applied.push(row.text("name")?);
        }
    }
    let line = node::migrations();
    let missing = line.iter().filter(|one| !applied.iter().any(|name| name == one.name)).count();
    if missing > 0 {
        findings.beware(
            "数据库版本",
            &format!("比程序旧，缺 {missing} 项升级"),
            "停止节点后执行 mingjian migrate，或直接启动节点（启动时自动升级）",
        );
        return Ok(false);
    }
    let foreign = applied.iter().filter(|name| !line.iter().any(|one| one.name == **name)).count();
    if foreign > 0 {
        findings.beware(
            "数据库版本",
            &format!("比程序新，有 {foreign} 项升级是本程序不认识的"),
            "请使用与数据目录相符或更新的程序",
        );
    }
    Ok(foreign == 0)
}

/// Another process holds the directory. Looking leaves the lock as it was.
fn is_running(data_dir: &Path) -> bool {
    let Ok(file) = std::fs::File::open(data_dir.join("LOCK")) else { return false };
    file.try_lock_shared().is_err()
}
