//! `mingjian verify receipt FILE`: checks a receipt anywhere, without node and database.

use std::path::Path;

use mj_kernel::clock::to_rfc3339;
use mj_ledger::VerifierKey;
use mj_ledger::receipt::Receipt;
use mj_platform::gm::sign;

use crate::cli::{Failure, Outcome};

/// `key` is a file with the log's public key (`log/key`) or the key itself, got elsewhere.
pub fn run(file: &Path, key: Option<&str>) -> Result<Outcome, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::Usage(format!("无法读取 {}：{error}", file.display())))?;
    let receipt = Receipt::parse(&text).map_err(|error| Failure::Usage(error.to_string()))?;
    let trusted = match key {
        Some(key) => {
            let text = match std::fs::read_to_string(key) {
                Ok(text) => text,
                // the key itself has its parts joined by plus signs
                Err(_) if key.contains('+') => key.to_owned(),
                Err(error) => {
                    return Err(Failure::Usage(format!("无法读取公钥文件 {key}：{error}")));
                }
            };
            Some(VerifierKey::parse(&text).map_err(|error| Failure::Usage(error.to_string()))?)
        }
        None => None,
    };
    let proved = match receipt.check(trusted.as_ref(), &sign::verify) {
        Ok(proved) => proved,
        Err(error) => {
            println!("FAIL\t{error}");
            return Ok(Outcome::Findings);
        }
    };
    let entry = &proved.entry;
    println!("ok\t{}\t{}\t{}", entry.seq, entry.action, to_rfc3339(entry.time));
    println!("日志\t{}\t{} 条", proved.checkpoint.origin, proved.checkpoint.size);
    match &receipt.payload {
        Some(opened) => {
            println!("办理人\t{}", opened.payload.actor);
            println!("对象\t{}", opened.payload.object);
            println!("原因\t{}", opened.payload.reason.as_deref().unwrap_or("-"));
        }
        None => eprintln!("凭证没有附办理人、对象和原因，未作证明"),
    }
    for line in &receipt.lines {
        println!("行\t{}", line.line);
    }
    if trusted.is_none() {
        eprintln!(
            "使用的是凭证自带的公钥；请用 --key 给出从别处取得的公钥，才能证明凭证出自该平台"
        );
    }
    Ok(Outcome::Clean)
}
