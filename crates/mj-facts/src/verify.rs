//! Looking whether everything that was committed is still there, unchanged.

use std::sync::Arc;

use mj_platform::Db;
use rustc_hash::FxHashMap;

use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::manifest::{self, CommitCounts, HotEntry, SegmentEntry};
use crate::model::{Depth, Finding};
use crate::reader::{Own, SegmentFile};
use crate::store::{FactStore, blocking};

impl FactStore {
    /// Compares files and rows with the manifest; an empty list means nothing is wrong. Trusts
    /// neither memory nor tables known to the caller: it looks at every table with a commit.
    pub async fn verify(&self, depth: Depth) -> Result<Vec<Finding>> {
        verify(&self.inner.db, &self.inner.disk, depth).await
    }
}

/// The same without a store: beside a running node, with a database that may only be read.
pub async fn verify(db: &Db, disk: &Arc<dyn Disk>, depth: Depth) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for table in manifest::table_names(db).await? {
        loop {
            let before = manifest::head(db).await?;
            let segments = manifest::segments(db, Some(&table)).await?;
            let segments = segments.into_iter().map(|(_, entry)| entry).collect();
            let hot = manifest::hot(db, &table).await?;
            let commits = manifest::commits(db, &table).await?;
            if manifest::head(db).await? != before {
                continue;
            }
            let (disk, name) = (disk.clone(), table.clone());
            let check = move || {
                let mut check = Check { table: name, findings: Vec::new() };
                check.run(&*disk, segments, &hot, &commits, depth);
                Ok(check.findings)
            };
            findings.extend(blocking(check).await?);
            break;
        }
    }
    Ok(findings)
}

struct Check {
    table: String,
    findings: Vec<Finding>,
}

impl Check {
    fn find(&mut self, object: String, what: impl Into<String>) {
        self.findings.push(Finding { table: self.table.clone(), object, what: what.into() });
    }

    fn run(
        &mut self,
        disk: &dyn crate::disk::Disk,
        segments: Vec<SegmentEntry>,
        hot: &[HotEntry],
        commits: &[CommitCounts],
        depth: Depth,
    ) {
        let mut held: FxHashMap<u64, u64> = FxHashMap::default();
        let mut flushed: FxHashMap<u64, u64> = FxHashMap::default();
        for entry in segments {
            let name = crate::segment::path(&self.table, entry.number);
            match self.segment(disk, &entry, depth) {
                Ok(ats) => {
                    let into = if entry.is_flush { &mut flushed } else { &mut held };
                    for (at, rows) in ats {
                        *into.entry(at).or_default() += rows;
                    }
                }
                Err(error) => self.find(name, error.to_string()),
            }
        }
        let mut of_commit: FxHashMap<u64, Vec<&HotEntry>> = FxHashMap::default();
        for entry in hot {
            of_commit.entry(entry.pos).or_default().push(entry);
        }
        for commit in commits.iter().filter(|commit| commit.kind != "flush") {
            let name = format!("commit {}", commit.pos);
            let hot = of_commit.remove(&commit.pos).unwrap_or_default();
            let in_files =
                held.remove(&commit.pos).unwrap_or(0) + flushed.remove(&commit.pos).unwrap_or(0);
            let found = in_files + hot.len() as u64;
            if found != commit.stored {
                self.find(name, format!("应存 {} 行，实有 {found} 行", commit.stored));
            } else if !hot.is_empty() && manifest::hot_root(hot.into_iter()) != commit.root {
                self.find(name, "近期行被改动");
            }
        }
        let mut strays: Vec<u64> = held.into_keys().chain(flushed.into_keys()).collect();
        strays.extend(of_commit.into_keys());
        strays.sort_unstable();
        for pos in strays {
            self.find(format!("commit {pos}"), "有行而无提交记录");
        }
    }

    /// Rows of a segment by the position they came at.
    fn segment(
        &mut self,
        disk: &dyn crate::disk::Disk,
        entry: &SegmentEntry,
        depth: Depth,
    ) -> Result<Vec<(u64, u64)>> {
        let failed = |reason: String| Error::Segment { segment: entry.number, reason };
        let file =
            SegmentFile::open(disk, &self.table, entry.number, entry.bytes, entry.blocks.clone())?;
        if depth >= Depth::Digests {
            let digest = file.sm3().map_err(|cause| failed(cause.to_string()))?;
            if hex::encode(digest) != entry.sm3 {
                return Err(failed("文件内容与清单中的 SM3 不符".into()));
            }
        }
        let ats = positions(&file, entry)?;
        let rows: u64 = ats.values().sum();
        if rows != entry.stored {
            return Err(failed(format!("文件有 {rows} 行，清单中为 {} 行", entry.stored)));
        }
        Ok(ats.into_iter().collect())
    }
}

fn positions(file: &Arc<SegmentFile>, entry: &SegmentEntry) -> Result<FxHashMap<u64, u64>> {
    let mut ats: FxHashMap<u64, u64> = FxHashMap::default();
    for batch in file.batches(&["_at"], None, 65_536)? {
        let batch = batch
            .map_err(|cause| Error::Segment { segment: entry.number, reason: cause.to_string() })?;
        if entry.is_flush {
            for at in Own(&batch).int("_at")?.values() {
                *ats.entry(*at as u64).or_default() += 1;
            }
        } else {
            *ats.entry(entry.pos).or_default() += batch.num_rows() as u64;
        }
    }
    Ok(ats)
}
