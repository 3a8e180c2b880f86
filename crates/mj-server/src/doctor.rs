//! `mingjian doctor`: what is wrong with a data directory, and how to mend it.

use std::path::Path;

use mj_facts::Depth;
use mj_platform::db::door;

use crate::cli::{Failure, Outcome};
use crate::node::Beside;

pub async fn run(data_dir: &Path, digest: bool) -> Result<Outcome, Failure> {
    let beside = Beside::open(data_dir).await?;
    let outcome = examine(&beside, digest).await;
    beside.close().await;
    outcome
}

async fn examine(beside: &Beside, digest: bool) -> Result<Outcome, Failure> {
    let hub = &beside.domains.datahub;
    if digest {
        println!("{}", mj_datahub::content_digest(hub).await.map_err(Failure::broken)?);
        return Ok(Outcome::Clean);
    }
    let mut wrong = 0;
    let mut tell = |place: &str, what: &str| {
        println!("不符\t{place}\t{what}");
        wrong += 1;
    };
    for found in mj_datahub::reconcile(hub, Depth::Digests).await.map_err(Failure::broken)? {
        tell(&found.object, &found.what);
    }
    let db = beside.db();
    for lost in door::census(db).await? {
        tell(
            &lost.table,
            &format!("应有 {} 行，实有 {} 行；有人绕过系统改动了数据库", lost.written, lost.found),
        );
    }
    let stuck = db.count("SELECT COUNT(*) FROM job WHERE state = 'failed'", &[]).await?;
    if stuck > 0 {
        tell("job", &format!("{stuck} 个后台任务多次未成；看日志排除原因后重新报送"));
    }
    let batches = db.count("SELECT COUNT(*) FROM hub_batch", &[]).await?;
    let acts = db.count("SELECT COUNT(*) FROM act_journal", &[]).await?;
    eprintln!("数据库 {}，{batches} 个批次，{acts} 条行为记录", db.dialect().name());
    if wrong == 0 {
        println!("正常");
    }
    Ok(Outcome::clean_if(wrong == 0))
}
