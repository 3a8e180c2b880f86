//! The machine under the node: disk, clock, database, and what waits in the queues.

use mj_kernel::Instant;
use mj_platform::{Config, Db, Dialect, RowExt};

use super::Findings;
use crate::cli::Failure;
use crate::standing;

/// Below this a large batch may not fit any more.
const LOW_BYTES: u64 = 1 << 30;
/// 2024-01-01; this program is younger.
const TOO_EARLY: Instant = 1_704_067_200_000_000;
const MINUTE: Instant = 60_000_000;
/// Whatever waits longer than this waits for something that does not come.
const PATIENCE: Instant = 10 * MINUTE;
/// SQLite puts its log in place every 64 MB; far beyond that somebody keeps it from doing so.
const LARGE_WAL: i64 = 2 << 30;

pub fn disk(config: &Config, findings: &mut Findings) {
    let Some((free, total)) = standing::disk(&config.data_dir) else { return };
    if free < LOW_BYTES {
        findings.beware(
            "磁盘",
            &format!("数据目录所在磁盘只剩 {} MB（共 {} GB）", free >> 20, total >> 30),
            "清理或扩充磁盘；磁盘写满时新的报送会被拒绝，已有数据不受影响",
        );
    }
}

pub async fn clock(db: &Db, findings: &mut Findings) -> Result<(), Failure> {
    let now = db.clock().now();
    if now < TOO_EARLY {
        findings.beware("时钟", "本机时间早于2024年", "校准系统时间（timedatectl set-ntp true）");
    }
    let newest = db.fetch_one("SELECT MAX(at) AS at FROM act_journal", &[]).await?.opt_int("at")?;
    if let Some(ahead) = newest.map(|at| at - now).filter(|ahead| *ahead > MINUTE) {
        findings.wrong(
            "时钟",
            &format!("最近一次操作记在 {} 分钟之后，本机时钟曾经超前或现在倒退了", ahead / MINUTE),
            "校准系统时间后重新启动；记录的先后以变更序号为准，不受影响",
        );
    }
    if db.dialect() == Dialect::Postgres {
        let asked = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";
        let apart = (db.count(asked, &[]).await? - db.clock().now()).abs();
        if apart > MINUTE {
            findings.beware(
                "时钟",
                &format!("本机与数据库服务器相差 {} 秒", apart / 1_000_000),
                "两台机器都启用时间同步",
            );
        }
    }
    Ok(())
}

pub async fn database(config: &Config, db: &Db, findings: &mut Findings) -> Result<(), Failure> {
    match db.dialect() {
        Dialect::Sqlite => {
            let rows = db
                // not the quick one: only this holds rows against their indexes
                .fetch_all(
                    "SELECT integrity_check AS said FROM pragma_integrity_check LIMIT 10",
                    &[],
                )
                .await?;
            for row in rows {
                let said = row.text("said")?;
                if said != "ok" {
                    findings.wrong(
                        "数据库文件",
                        &format!("结构损坏：{said}"),
                        "停止节点，从备份恢复整个数据目录，再重新导入此后的文件",
                    );
                }
            }
        }
        Dialect::Postgres => {
            let version = "SELECT CAST(current_setting('server_version_num') AS BIGINT)";
            let version = db.count(version, &[]).await?;
            if version < 150_000 {
                findings.beware(
                    "数据库",
                    &format!("PostgreSQL 版本号 {version}，低于要求的 15"),
                    "升级 PostgreSQL",
                );
            }
            let encoding = "SELECT COUNT(*) FROM pg_database WHERE datname = current_database() \
                            AND pg_encoding_to_char(encoding) <> 'UTF8'";
            if db.count(encoding, &[]).await? > 0 {
                findings.beware(
                    "数据库",
                    "字符编码不是 UTF8",
                    "新建 UTF8 编码的库，用 mingjian move --to 搬过去",
                );
            }
            if !mj_platform::durable::has_checksums(db, config.production).await? {
                findings.beware(
                    "数据库",
                    "PostgreSQL 没有启用数据页校验（data_checksums = off）：业务数据的坏页由 mingjian verify 发现，\
                     索引和其余表的坏页发现不了",
                    "停止节点和 PostgreSQL，以 postgres 用户执行 pg_checksums --enable -D 数据库目录，再启动",
                );
            }
            if config.migrate_url.is_some() && may_alter(db).await? {
                findings.beware(
                    "数据库角色",
                    "已另设 database.migrate_url，但 database.url 的角色仍能建表或改表",
                    "由数据库管理员收回：REVOKE CREATE ON SCHEMA public FROM PUBLIC 及该角色；\
                     它不应是超级用户，不应拥有表，也不应是表的所有者的成员（见 docs/operate.md）",
                );
            }
        }
    }
    let (_, wal) = standing::sizes(db, config).await?;
    if let Some(wal) = wal.filter(|wal| *wal > LARGE_WAL) {
        findings.beware(
            "数据库日志",
            &format!("写前日志有 {} MB 没有归位", wal >> 20),
            "重新启动节点；有长时间不结束的备份或查询时先结束它",
        );
    }
    Ok(())
}

/// Whether the role that serves could make or change tables of PostgreSQL.
async fn may_alter(db: &Db) -> Result<bool, Failure> {
    let makes = "SELECT CAST(CASE WHEN has_schema_privilege(CAST(current_schema() AS TEXT), \
                 'CREATE') THEN 1 ELSE 0 END AS BIGINT)";
    let owns = "SELECT COUNT(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') \
                AND pg_has_role(c.relowner, 'MEMBER')";
    Ok(db.fetch_one(makes, &[]).await?.int_at(0)? > 0 || db.count(owns, &[]).await? > 0)
}

/// Copies are made while the node runs; an old one means that they fail.
pub fn backups(config: &Config, db: &Db, findings: &mut Findings) {
    let backups = &config.backups;
    let Some(folder) = &backups.folder else { return };
    let place = folder.display().to_string();
    let newest = std::fs::read_dir(folder.join("copies")).ok().and_then(|copies| {
        copies.flatten().filter_map(|it| it.file_name().to_str()?.parse::<Instant>().ok()).max()
    });
    let age = newest.map(|at| db.clock().now() - at);
    let patience = 3 * i64::from(backups.every_minutes.max(1)) * MINUTE + PATIENCE;
    if age.is_none_or(|age| age > patience) {
        let what = age.map_or("还没有一份备份".to_owned(), |age| {
            format!("最近一次备份在 {} 分钟以前", age / MINUTE)
        });
        findings.beware(&place, &what, "执行 mingjian backup 看它说什么；节点没有运行时不备份");
    }
}

/// From where administrators may come, where work is real.
pub fn doors(config: &Config, findings: &mut Findings) {
    if config.production && config.admin_networks.is_empty() {
        findings.beware(
            "管理员登录",
            "没有限定管理员从哪些网络登录",
            "在 mingjian.toml 的 [access] 写明 admin_networks，如 [\"10.20.0.0/16\", \"127.0.0.1\"]；\
             前面有代理时在 [server] 写明 trusted_proxies（见 docs/operate.md）",
        );
    }
}

/// Whether somebody could still bring the administrators back, where work is real.
pub async fn emergency(config: &Config, db: &Db, findings: &mut Findings) -> Result<(), Failure> {
    if !config.production || mj_access::is_sealed(db).await.map_err(Failure::broken)? {
        return Ok(());
    }
    let used = mj_access::emergency_alarm(db).await.map_err(Failure::broken)?.is_some();
    findings.beware(
        "应急启用码",
        if used { "已经用过，还没有重新封存" } else { "没有封存" },
        "由安全管理员在本机执行 mingjian emergency seal，两份交两位保管人分开保管（见 docs/operate.md）",
    );
    Ok(())
}

pub async fn queues(db: &Db, running: bool, findings: &mut Findings) -> Result<(), Failure> {
    let queues = standing::queues(db).await?;
    let now = db.clock().now();
    let long =
        |since: Option<Instant>| since.map(|since| now - since).filter(|age| *age > PATIENCE);
    let mend = if running {
        "看节点日志里同一时间的错误；排除后重新启动节点"
    } else {
        "节点没有运行：启动节点，会自动接着办"
    };
    if let Some(age) = long(queues.due_since) {
        let what = format!("{} 个任务等待执行，最久的等了 {} 分钟", queues.due, age / MINUTE);
        findings.beware("任务队列", &what, mend);
    }
    if queues.stuck > 0 {
        let what = format!("{} 个任务标为执行中，却早已没有动静", queues.stuck);
        findings.beware("任务队列", &what, mend);
    }
    if let Some(age) = long(queues.events_since) {
        let what =
            format!("{} 个通知没有送达各模块，最久的等了 {} 分钟", queues.events, age / MINUTE);
        findings.beware("通知队列", &what, mend);
    }
    let failed = queues.jobs.iter().find(|(state, _)| state == "failed").map_or(0, |(_, n)| *n);
    if failed > 0 {
        findings.wrong(
            "任务队列",
            &format!("{failed} 个后台任务多次未成"),
            "看节点日志中这些任务的错误，排除原因后把原文件再报送一次，任务即重新执行",
        );
    }
    Ok(())
}
