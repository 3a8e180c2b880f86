//! A node: one data directory, opened, locked, migrated, with every domain wired.

use std::fs::{File, OpenOptions, TryLockError};
use std::future::Future;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use mj_datahub::Datahub;
use mj_evaluation::Evaluation;
use mj_facts::{FactStore, TableSpec};
use mj_platform::blob::Blobs;
use mj_platform::db::Migration;
use mj_platform::gm::vault::{KeyClass, SmProvider, Vault};
use mj_platform::jobs::Runner;
use mj_platform::keys::{Keys, persons};
use mj_platform::ledger::witness::Witness;
use mj_platform::ledger::{self, Ledger, LogReader, outside};
use mj_platform::{Config, Db, RowExt, SystemClock};
use mj_portal::Portal;
use mj_web::Web;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cli::{Failure, Outcome};
use crate::ledger::keeper::LogKeeper;
use crate::ledger::outside::Outside;
use crate::modules::{self, Domains};

pub struct Node {
    pub config: Config,
    pub db: Db,
    pub domains: Domains,
    pub web: Web,
    pub runner: Runner,
    pub ledger: Ledger,
    pub outside: Outside,
    _lock: File,
}

/// The floor alone: enough for migrating, checking and examining.
pub struct Floor {
    pub config: Config,
    pub db: Db,
    pub keys: Keys,
    /// The keys of classes.
    pub vault: Arc<Vault>,
    pub blobs: Blobs,
    /// Whether the data is made up, which the public pages must say.
    pub demo: bool,
}

impl Floor {
    /// Opens what stands in the data directory; `migrated` also brings the database up to date.
    pub async fn open(config: Config, migrated: bool) -> Result<Self, Failure> {
        let dir = &config.data_dir;
        let folder = dir.join("keys");
        // a look from beside also reads what real work would refuse
        let mut keys = Keys::open(&folder, config.production && migrated)?;
        let vault = Arc::new(Vault::beside_master(&folder, config.production)?);
        let db = Db::open(config.database_url.reveal(), Arc::new(SystemClock)).await?;
        if migrated {
            mj_platform::durable::check_server(&db, config.production).await?;
            migrate_as_told(&config, &db).await?;
        }
        db.use_vault(vault.clone());
        let held = outside::suspicion(&LogReader::new(dir.join("log")))?.is_some();
        let mut went_on = false;
        if migrated && !held {
            let rewrapped = persons::settle(&folder, &db, config.production).await?;
            went_on = rewrapped > 0;
            if went_on {
                tracing::info!(keys = rewrapped, "个人密钥已改用另一把密钥包装");
                keys = Keys::open(&folder, config.production)?;
            }
        }
        let blobs = Blobs::open(dir.join("blobs"), keys.clone())?;
        if went_on {
            blobs.sweep_destroyed(&db).await?;
        }
        Ok(Self { config, db, keys, vault, blobs, demo: false })
    }
}

impl Node {
    pub async fn open(data_dir: &Path, port: Option<u16>) -> Result<Self, Failure> {
        Self::open_as(data_dir, port, None).await
    }

    /// A node of the demonstration city, called after it unless its configuration says otherwise.
    pub async fn open_demo(
        data_dir: &Path,
        port: Option<u16>,
        city: &str,
    ) -> Result<Self, Failure> {
        Self::open_as(data_dir, port, Some(city)).await
    }

    async fn open_as(
        data_dir: &Path,
        port: Option<u16>,
        city: Option<&str>,
    ) -> Result<Self, Failure> {
        std::fs::create_dir_all(data_dir).map_err(|error| {
            Failure::Broken(format!("无法建立 {}：{error}", data_dir.display()))
        })?;
        let lock = lock(data_dir)?.ok_or_else(|| {
            Failure::Usage(format!("数据目录 {} 正由另一个明鉴进程使用", data_dir.display()))
        })?;
        if data_dir.join(crate::restore::UNDER_WAY).exists() {
            return Err(Failure::Usage(format!(
                "{} 的恢复没有完成，节点不启动",
                data_dir.display()
            )));
        }
        let mut config = Config::load(data_dir)?;
        config.port = port.unwrap_or(config.port);
        let mut floor = Floor::open(config, true).await?;
        if let Some(city) = city {
            floor.demo = true;
            floor.config.sessions_at_once.get_or_insert(crate::demo::SESSIONS_AT_ONCE);
            if floor.config.node_name == Config::DEFAULT_NAME {
                floor.config.node_name = city.to_owned();
            }
        }
        let ledger = open_ledger(&floor).await?;
        key_passwords(&floor).await?;
        let domains = Domains::open(&floor).await?;
        let (witness, outside) = open_witness(&floor, &ledger)?;
        let keeper = LogKeeper::new(ledger.clone(), outside.clone());
        domains.ledger.attach(witness, outside.clone());
        let web = modules::web(&domains).kept_by(Arc::new(keeper));
        let runner = Runner::new(floor.db.clone(), web.jobs(), web.events());
        let wake = runner.clone();
        domains.datahub.on_queued(move || wake.wake());
        runner.reclaim().await?;
        let Floor { config, db, .. } = floor;
        Ok(Self { config, db, domains, web, runner, ledger, outside, _lock: lock })
    }

    /// Jobs, events and files handed over by `mingjian import`, until told to stop.
    pub fn start_background(&self, mut stopped: watch::Receiver<bool>) -> JoinHandle<()> {
        let runner = self.runner.clone();
        let inbox = crate::import::Inbox::of(self);
        let ledger = self.ledger.clone();
        let outside = self.outside.clone();
        let verifier = self.domains.ledger.verifier.clone();
        let access = self.domains.access.clone();
        let backups = crate::backup::Watch {
            db: self.db.clone(),
            data_dir: self.config.data_dir.clone(),
            backups: self.config.backups.clone(),
        };
        let upkeep = Upkeep {
            hub: self.domains.datahub.clone(),
            db: self.db.clone(),
            facts: self.domains.facts.clone(),
            specs: modules::table_specs(),
            evaluation: self.domains.evaluation.clone(),
            portal: self.domains.portal.clone(),
        };
        tokio::spawn(async move {
            let mut also_stopped = stopped.clone();
            let mut ledger_stopped = stopped.clone();
            let mut outside_stopped = stopped.clone();
            let mut verifier_stopped = stopped.clone();
            let mut upkeep_stopped = stopped.clone();
            let mut backups_stopped = stopped.clone();
            let mut refusals_stopped = stopped.clone();
            tokio::join!(
                upkeep.watch(async move {
                    let _ = upkeep_stopped.wait_for(|stop| *stop).await;
                }),
                access.watch_refusals(async move {
                    let _ = refusals_stopped.wait_for(|stop| *stop).await;
                }),
                backups.watch(async move {
                    let _ = backups_stopped.wait_for(|stop| *stop).await;
                }),
                runner.run(async move {
                    let _ = stopped.wait_for(|stop| *stop).await;
                }),
                inbox.watch(async move {
                    let _ = also_stopped.wait_for(|stop| *stop).await;
                }),
                verifier.watch(async move {
                    let _ = verifier_stopped.wait_for(|stop| *stop).await;
                }),
                ledger.watch(async move {
                    let _ = ledger_stopped.wait_for(|stop| *stop).await;
                }),
                outside.watch(async move {
                    let _ = outside_stopped.wait_for(|stop| *stop).await;
                }),
            );
        })
    }

    /// Signs what was done last and lets go of the database.
    pub async fn close(&self) {
        // of requests that were still under way when the background ended
        self.domains.access.keep_refusals().await;
        if let Err(error) = self.ledger.drain().await {
            tracing::error!(error = %error, "监管日志未能签署，下次启动时补签");
        }
        self.db.close().await;
    }

    /// The one-time codes of a first start, for whoever stands at the machine.
    pub async fn announce_first_start(&self) -> Result<(), Failure> {
        let codes = mj_access::bootstrap(&self.db).await.map_err(Failure::broken)?;
        let Some(codes) = codes else { return Ok(()) };
        eprintln!(
            "首次启动：请三位管理员在 /desk/enrol 用各自的一次性启用码开通账号（只显示这一次）"
        );
        for code in codes {
            eprintln!("  {}：{}", code.role.title(), code.code);
        }
        Ok(())
    }
}

/// The key of seals is made with the first of them: where it is there and the note that all were made is not, a start
/// would seal whatever somebody put in meanwhile.
pub fn seals_note_is_lost(vault: &Vault) -> Result<bool, Failure> {
    let noted = mj_access::seal::all_sealed(vault).map_err(Failure::broken)?;
    Ok(!noted && vault.has(KeyClass::Session))
}

/// The key over password hashes: there, and over all of them. Without it nobody could sign in, and a new one in
/// its place would only hide that.
async fn key_passwords(floor: &Floor) -> Result<(), Failure> {
    let keys = mj_access::password_keys(&floor.db, floor.vault.clone()).await;
    let keys = keys.map_err(Failure::broken)?;
    if keys.lost > 0 && keys.opened == 0 {
        return Err(Failure::Broken(
            "keys/password.key 不见了，已有的密码都无从核对，节点不启动；请从备份恢复 keys/ 目录"
                .into(),
        ));
    }
    if keys.lost > 0 {
        tracing::error!(
            count = keys.lost,
            "有密码散列的旧密钥不在 keys/ 中，请从备份恢复 keys/ 目录"
        );
    }
    // made at the first start, so that the first backup holds it
    floor.vault.mac_name(KeyClass::Password)?;
    if seals_note_is_lost(&floor.vault)? {
        return Err(Failure::Broken(
            "keys/sealed.key 不见了：分不清哪些密码、代码和令牌是本节点发出的，节点不启动；请从备份恢复 keys/ 目录"
                .into(),
        ));
    }
    let done = mj_access::seal::seal_stored(&floor.db, floor.vault.clone()).await;
    match done.map_err(Failure::broken)? {
        0 => {}
        done => tracing::info!(count = done, "已给旧版本存下的密码、代码和令牌加上密钥与封印"),
    }
    Ok(())
}

/// This node as a witness of others, and its own witnesses.
fn open_witness(floor: &Floor, ledger: &Ledger) -> Result<(Witness, Outside), Failure> {
    let Config { data_dir, area, production, witness, .. } = &floor.config;
    let keys = Vault::beside_master(&data_dir.join("keys"), *production)?;
    let logs = witness.witness_for.clone();
    let own = Witness::new(floor.db.clone(), Arc::new(keys), area, logs)?;
    Ok((own, Outside::new(ledger.clone(), witness.clone())))
}

/// The keys of classes of a data directory.
pub fn vault_of(config: &Config) -> Result<Arc<Vault>, Failure> {
    let folder = config.data_dir.join("keys");
    Ok(Arc::new(Vault::beside_master(&folder, config.production)?))
}

/// The supervision log of a node, which first takes over what is older than it.
pub async fn open_ledger(floor: &Floor) -> Result<Ledger, Failure> {
    let Config { data_dir, area, .. } = &floor.config;
    let keys = Vault::beside_master(&data_dir.join("keys"), floor.config.production)?;
    ledger::finish_rekey(&data_dir.join("log"), &keys)?;
    if keys.has(KeyClass::Entry) {
        ledger::note_sealed(&keys)?;
    }
    let waiting = ledger::seal_waiting(&floor.db, &keys).await?;
    if waiting > 0 {
        tracing::info!(count = waiting, "已给旧版本留下的待签条目加上封印");
    }
    ledger::found(&floor.db).await?;
    let log = Ledger::open(floor.db.clone(), &data_dir.join("log"), Arc::new(keys), area).await?;
    Ok(log.turning_yearly(floor.config.yearly))
}

/// The domains of a data directory that another process may be using: for reading beside it.
pub struct Beside {
    pub domains: Domains,
    pub keys: Keys,
    pub blobs: Blobs,
    db: Db,
}

impl Beside {
    pub async fn open(data_dir: &Path) -> Result<Self, Failure> {
        if !data_dir.is_dir() {
            return Err(Failure::Usage(format!("没有数据目录 {}", data_dir.display())));
        }
        let floor = Floor::open(Config::load(data_dir)?, false).await?;
        let domains = Domains::open(&floor).await?;
        Ok(Self { domains, keys: floor.keys, blobs: floor.blobs, db: floor.db })
    }

    pub fn db(&self) -> &Db {
        &self.db
    }

    pub async fn close(&self) {
        self.db.close().await;
    }
}

/// Turns many hot rows into segments and sweeps what nobody refers to.
struct Upkeep {
    facts: FactStore,
    hub: Datahub,
    db: Db,
    specs: Vec<TableSpec>,
    evaluation: Evaluation,
    portal: Portal,
}

impl Upkeep {
    const EVERY: Duration = Duration::from_secs(60);
    const ABANDONED_AFTER: Duration = Duration::from_secs(7 * 86_400);

    async fn watch(&self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        // the first to open a record should not wait for its table to be read
        if let Err(error) = self.facts.warm(&self.specs).await {
            tracing::error!(error = %error, "事实库未能读入，首次查询会慢一些");
        }
        if let Err(error) = self.evaluation.renew(true).await {
            tracing::error!(error = %error, "评价数据未能备好，首次查询会慢一些");
        }
        loop {
            if let Err(error) = self.facts.maintain(&self.specs).await {
                tracing::error!(error = %error, "事实库维护未成，稍后重试");
            }
            if let Err(error) = self.evaluation.tick().await {
                tracing::error!(error = %error, "每周简报未能安排，稍后重试");
            }
            if let Err(error) = self.portal.keep_open_data().await {
                tracing::error!(error = %error, "开放数据未能安排更新，稍后重试");
            }
            self.sweep().await;
            crate::memory::give_back();
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep(Self::EVERY) => {}
            }
        }
    }

    async fn sweep(&self) {
        let now = u64::try_from(self.db.clock().now()).unwrap_or_default();
        let before = UNIX_EPOCH + Duration::from_micros(now).saturating_sub(Self::ABANDONED_AFTER);
        let hub = self.hub.clone();
        match tokio::task::spawn_blocking(move || hub.sweep_inbox(before)).await {
            Ok(Ok(0)) => {}
            Ok(Ok(count)) => tracing::info!(count, "清除了无人续传的上传"),
            Ok(Err(error)) => tracing::error!(error = %error, "无人续传的上传未能清除"),
            Err(error) => tracing::error!(error = %error, "清除程序中断"),
        }
    }
}

pub async fn migrate(data_dir: &Path) -> Result<Outcome, Failure> {
    if !data_dir.is_dir() {
        return Err(Failure::Usage(format!("没有数据目录 {}", data_dir.display())));
    }
    let _lock = lock(data_dir)?
        .ok_or_else(|| Failure::Usage("请先停止正在运行的明鉴进程，再升级数据库".into()))?;
    let floor = Floor::open(Config::load(data_dir)?, false).await?;
    let applied = migrate_as_told(&floor.config, &floor.db).await?;
    ledger::found(&floor.db).await?;
    println!("已执行 {applied} 项数据库升级");
    floor.db.close().await;
    Ok(Outcome::Clean)
}

/// With the role that the configuration names for it, or the one that serves.
async fn migrate_as_told(config: &Config, db: &Db) -> Result<usize, Failure> {
    let line = migrations();
    Ok(match &config.migrate_url {
        Some(url) => db.migrate_over(url.reveal(), &line).await?,
        None => db.migrate(&line).await?,
    })
}

/// Brings a database that is older than this program up to it, and leaves one that is not alone: nobody
/// may be able to reach the role that owns it.
pub async fn catch_up(config: &Config, db: &Db) -> Result<usize, Failure> {
    let mut applied = Vec::new();
    for row in db.fetch_all("SELECT name FROM schema_migration", &[]).await? {
        applied.push(row.text("name")?);
    }
    match migrations().iter().all(|one| applied.iter().any(|name| name == one.name)) {
        true => Ok(0),
        false => migrate_as_told(config, db).await,
    }
}

pub fn migrations() -> Vec<Migration> {
    mj_migrations::line().iter().map(|(name, sql)| Migration { name, sql }).collect()
}

/// `None` when another process holds the directory. Gone with the process, however it ends.
pub fn lock(data_dir: &Path) -> Result<Option<File>, Failure> {
    let path = data_dir.join("LOCK");
    let broken = |error| Failure::Broken(format!("无法使用 {}：{error}", path.display()));
    let mut file = OpenOptions::new()
        .create(true)
        .read(true)
        .write(true)
        .truncate(false)
        .open(&path)
        .map_err(broken)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(broken(error)),
    }
    file.set_len(0).map_err(broken)?;
    file.seek(SeekFrom::Start(0)).map_err(broken)?;
    writeln!(file, "{}", std::process::id()).map_err(broken)?;
    Ok(Some(file))
}
