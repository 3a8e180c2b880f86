//! Holding what was found against what was planted: every planted fault found, nothing else refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use mj_city::{Fault, FileEntry, Manifest, Outcome};
use mj_datahub::Batch;
use mj_kernel::Role;
use serde_json::Value;

use super::visitor::Visitor;
use crate::cli::Failure;
use crate::node::Node;

#[derive(Debug, Default)]
pub struct Verdict {
    files: usize,
    rows: i64,
    planted: usize,
    /// What does not agree, in words.
    differences: Vec<String>,
}

impl Verdict {
    pub fn is_exact(&self) -> bool {
        self.differences.is_empty()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "已导入 {} 个文件 {} 行，埋下的 {} 处问题", self.files, self.rows, self.planted)?;
        if self.is_exact() {
            return write!(f, "全部找到，没有误拒");
        }
        write!(f, "有 {} 处与清单不符：", self.differences.len())?;
        for difference in self.differences.iter().take(20) {
            write!(f, "\n  {difference}")?;
        }
        Ok(())
    }
}

/// Asks the platform as its datahub operator would, file by file.
pub async fn judge(
    node: &Node,
    manifest: &Manifest,
    batches: &[(&FileEntry, Batch)],
) -> Result<Verdict, Failure> {
    let router = node.web.router(axum::Router::new());
    let operator = operator(node, &router).await?;
    let mut verdict =
        Verdict { files: batches.len(), planted: manifest.faults.len(), ..Verdict::default() };
    for (file, batch) in batches {
        verdict.rows += batch.counts.front;
        let faults: Vec<&Fault> =
            manifest.faults.iter().filter(|fault| fault.file == file.file).collect();
        let found = refused(&operator, &batch.id).await?;
        compare(file, batch, &faults, &found, &mut verdict.differences);
    }
    Ok(verdict)
}

async fn operator(node: &Node, router: &axum::Router) -> Result<Visitor, Failure> {
    let path = node.config.data_dir.join(super::fill::PARTIAL);
    let text = std::fs::read(path).map_err(Failure::broken)?;
    let people: Value = serde_json::from_slice(&text).map_err(Failure::broken)?;
    let operator = people["accounts"]
        .as_array()
        .and_then(|accounts| {
            accounts.iter().find(|one| one["role"] == Role::DatahubOperator.name())
        })
        .ok_or_else(|| Failure::Broken("没有数据汇聚管理员的账号".into()))?;
    let text = |key: &str| operator[key].as_str().unwrap_or_default();
    Visitor::login(router, text("login"), text("password")).await
}

/// Refused rows of a batch, each with the rules that refused it.
async fn refused(
    operator: &Visitor,
    batch: &str,
) -> Result<BTreeMap<u64, BTreeSet<String>>, Failure> {
    let mut rows = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/datahub/batches/{batch}/errors?limit=500{cursor}");
        let page = operator.get(&path).await?;
        for item in page["items"].as_array().into_iter().flatten() {
            let rules = item["issues"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|issue| issue["rule"].as_str().map(str::to_owned))
                .collect();
            rows.insert(item["row"].as_u64().unwrap_or_default(), rules);
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(rows),
        }
    }
}

fn compare(
    file: &FileEntry,
    batch: &Batch,
    faults: &[&Fault],
    found: &BTreeMap<u64, BTreeSet<String>>,
    differences: &mut Vec<String>,
) {
    let name = &file.file;
    if let Some(message) = &batch.message {
        differences.push(format!("{name}：{message}"));
    }
    let mut expected = BTreeSet::new();
    for fault in faults.iter().filter(|fault| fault.outcome == Outcome::Refused) {
        expected.insert(fault.row);
        match (found.get(&fault.row), &fault.rule) {
            (None, _) => {
                differences.push(format!("{name} 第 {} 行：{} 没有被发现", fault.row, fault.kind));
            }
            (Some(rules), Some(rule)) if !rules.contains(rule) => differences.push(format!(
                "{name} 第 {} 行：{} 应由规则 {rule} 发现，实际为 {rules:?}",
                fault.row, fault.kind
            )),
            _ => {}
        }
    }
    for (row, rules) in found.iter().filter(|(row, _)| !expected.contains(row)) {
        differences.push(format!("{name} 第 {row} 行：没有埋问题，却被 {rules:?} 拒绝"));
    }
    let count =
        |outcome: Outcome| faults.iter().filter(|fault| fault.outcome == outcome).count() as i64;
    for (what, expected, actual) in [
        ("重复", count(Outcome::Duplicate), batch.counts.duplicate),
        ("被取代", count(Outcome::Superseded), batch.counts.superseded),
        ("总行数", file.rows as i64, batch.counts.front),
    ] {
        if expected != actual {
            differences.push(format!("{name}：{what}应为 {expected}，实际 {actual}"));
        }
    }
    let mut warned: BTreeMap<&str, i64> = BTreeMap::new();
    for fault in faults.iter().filter(|fault| fault.outcome == Outcome::Warned) {
        if let Some(rule) = &fault.rule {
            *warned.entry(rule).or_default() += 1;
        }
    }
    for (rule, expected) in warned {
        let actual = batch.by_rule.get(rule).copied().unwrap_or(0);
        if actual < expected {
            differences.push(format!("{name}：规则 {rule} 应提示 {expected} 行，实际 {actual}"));
        }
    }
}
