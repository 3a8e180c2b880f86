//! The data: every delivered file in its place, every count equal to what lies there, no row gone or
//! added past the write door.

use std::io::Read;
use std::path::Path;

use mj_datahub::Datahub;
use mj_facts::Depth;
use mj_platform::blob::Blobs;
use mj_platform::db::door;
use mj_platform::{Db, RowExt};
use sha2::{Digest, Sha256};

use super::Findings;
use crate::cli::Failure;

const PAGE: usize = 2_000;
/// Further missing files are only counted.
const NAMED: usize = 20;

/// Files of deliveries that are on record but not on disk, or not whole; every byte is read.
pub async fn blobs(
    data_dir: &Path,
    blobs: &Blobs,
    db: &Db,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let folder = data_dir.join("blobs");
    let (mut after, mut missing) = (String::new(), 0);
    loop {
        let sql = format!(
            "SELECT id, file, stored_size FROM blob WHERE id > $1 ORDER BY id LIMIT {PAGE}"
        );
        let rows = db.fetch_all(&sql, &[after.as_str().into()]).await?;
        let Some(last) = rows.last() else { break };
        after = last.text("id")?;
        for row in &rows {
            let (file, size) = (row.text("file")?, row.int("stored_size")?);
            if blobs.is_destroyed(db, &row.text("id")?).await? {
                continue;
            }
            let what = match std::fs::metadata(folder.join(&file)) {
                Ok(found) if found.len() == size.unsigned_abs() => {
                    match same_bytes(blobs, db, &row.text("id")?).await {
                        true => continue,
                        false => "内容已损坏".to_owned(),
                    }
                }
                Ok(found) => format!("应有 {size} 字节，实有 {} 字节", found.len()),
                Err(_) => "文件不见了".to_owned(),
            };
            missing += 1;
            if missing <= NAMED {
                findings.wrong(
                    &format!("blobs/{file}"),
                    &what,
                    "从备份恢复这个文件；没有备份时请报送部门重新报送同一文件",
                );
            }
        }
    }
    if missing > NAMED {
        let what = format!("另有 {} 个文件不见了或不完整", missing - NAMED);
        findings.wrong("blobs/", &what, "从备份恢复 blobs/ 目录");
    }
    Ok(())
}

/// Whether a stored file still opens and is what was delivered.
async fn same_bytes(blobs: &Blobs, db: &Db, sha256: &str) -> bool {
    let Ok(mut source) = blobs.read(db, sha256).await else { return false };
    let mut digest = Sha256::new();
    let mut piece = vec![0; 256 << 10];
    loop {
        match source.read(&mut piece) {
            Ok(0) => return hex::encode(digest.finalize()) == sha256,
            Ok(count) => digest.update(&piece[..count]),
            Err(_) => return false,
        }
    }
}

pub async fn counts(hub: &Datahub, db: &Db, findings: &mut Findings) -> Result<(), Failure> {
    for found in mj_datahub::reconcile(hub, Depth::Digests).await.map_err(Failure::broken)? {
        findings.wrong(&found.object, &found.what, "从备份恢复，再重新导入此后的文件");
    }
    for lost in door::census(db).await? {
        let mend = match lost.table.as_str() {
            "data_key" => "从备份恢复：依法销毁的密钥另有记载（erasure），这些不是",
            _ => "查明是谁绕过系统改动了数据库；从备份恢复",
        };
        let what = format!("应有 {} 行，实有 {} 行", lost.written, lost.found);
        findings.wrong(&lost.table, &what, mend);
    }
    Ok(())
}
