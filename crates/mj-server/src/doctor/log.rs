//! The supervision log: whether this store is taken for an older copy, whether its entries are signed,
//! and whether its witnesses still sign.

use mj_kernel::Instant;
use mj_kernel::clock::to_rfc3339;
use mj_platform::ledger::{LogReader, Shelf, outside};
use mj_platform::{Config, Db};

use super::Findings;
use crate::cli::Failure;
use crate::ledger::outside::lag;
use crate::ledger::watch::Compared;

const MINUTE: Instant = 60_000_000;
const DAY: Instant = 24 * 60 * MINUTE;

pub async fn examine(
    config: &Config,
    db: &Db,
    running: bool,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let shelf = Shelf::new(config.data_dir.join("log"));
    let reader = LogReader::new(shelf.folder());
    if let Some(found) = outside::suspicion(&reader)? {
        findings.wrong(
            "监管日志",
            &format!(
                "疑似被退回到旧的备份：见证方 {} 见过 {} 条，本节点当时只有 {} 条；已暂停一切办理",
                found.witness, found.seen_size, found.own_size
            ),
            "用最新的备份重新恢复；确实找不回时，由负责人批准后执行 mingjian log fork --reason 依据",
        );
    }
    for damage in shelf.damaged()? {
        findings.wrong(
            "监管日志",
            &format!("损坏：{damage}"),
            "停止节点，用 mingjian log repair --from 备份 修复；没有可用的副本时，经批准用 mingjian log freeze 封存",
        );
    }
    let compared = Compared::of(&config.data_dir);
    if let Some(last) = compared.last().filter(|last| last.found > 0) {
        findings.wrong(
            "监管日志",
            &format!("节点于 {} 自行核对，发现 {} 处不符", to_rfc3339(last.at), last.found),
            "执行 mingjian verify 看是哪些行；查明是谁、怎样改动的之前，保留数据目录和数据库的原样",
        );
    }
    if !running {
        return Ok(());
    }
    let now = db.clock().now();
    if let Some(whole) = compared.whole.filter(|_| config.verify_minutes > 0)
        && now - whole.at > 2 * DAY
    {
        findings.beware(
            "监管日志",
            &format!("已有 {} 小时没有核对全部业务数据", (now - whole.at) / (60 * MINUTE)),
            "看节点日志里“未能核对监管日志”一行的原因；也可以执行 mingjian verify",
        );
    }
    let waiting = "SELECT MIN(at) AS at FROM act_journal WHERE log_seq >= $1";
    let size = i64::try_from(shelf.sealed().unwrap_or(0)).unwrap_or(i64::MAX);
    let since = db.fetch_one(waiting, &[size.into()]).await?;
    if let Some(age) = mj_platform::RowExt::opt_int(&since, "at")?.map(|at| now - at)
        && age > MINUTE
    {
        findings.beware(
            "监管日志",
            &format!("有日志等了 {} 分钟还没有签署", age / MINUTE),
            "看节点日志里同一时间的错误（多为磁盘或密钥）；排除后重新启动节点",
        );
    }
    for witness in &config.witness.witnesses {
        let cosigned = outside::cosigned(db, &witness.key.name).await?;
        let Some(cosigned) = cosigned else {
            findings.beware(
                "见证",
                &format!("{} 还没有签署过", witness.key.name),
                "确认它的地址能从本机连上，并且登记了本节点的日志（ledger.witness_for）",
            );
            continue;
        };
        let lag = lag(now, Some(&cosigned), now);
        if lag > config.witness.alarm {
            findings.beware(
                "见证",
                &format!("{} 已有 {} 分钟没有签署", witness.key.name, lag.as_secs() / 60),
                "确认它的地址能从本机连上、它在运行；详情见页面“监管日志”",
            );
        }
    }
    Ok(())
}
