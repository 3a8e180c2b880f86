//! What is of today in the demonstration city: systems planned, connecting, late and silent; officers
//! whose certificates end soon; a suspended certificate; people who came and left. Its days are
//! counted from the clock, and it comes through the doors that people and systems use.

use std::path::Path;

use axum::Router;
use chrono::{Duration, NaiveDate};
use serde_json::{Value, json};

use super::visitor::Visitor;
use crate::cli::Failure;
use crate::node::Node;

/// Made last: with it everything here is done.
const LAST: &str = "370400_12345";
const OFFICERS: &str = "370400_12";

struct System {
    code: &'static str,
    name: &'static str,
    /// Line of the city's bureau that answers for it.
    line: &'static str,
    channels: &'static [&'static str],
    tables: &'static [&'static str],
    stage: &'static str,
    due_in_days: Option<i64>,
    live_for_days: Option<i64>,
    note: &'static str,
}

const SYSTEMS: [System; 5] = [
    System {
        code: "370400_16_jk",
        name: "枣庄市污染源自动监控系统",
        line: "16",
        channels: &["push"],
        tables: &["check_action"],
        stage: "planned",
        due_in_days: Some(40),
        live_for_days: None,
        note: "接口方案已确认，待财政批复",
    },
    System {
        code: "370400_17_gd",
        name: "枣庄市智慧工地监管平台",
        line: "17",
        channels: &["push", "file"],
        tables: &["check_action", "punish_action"],
        stage: "connecting",
        due_in_days: Some(12),
        live_for_days: None,
        note: "正在联调，已推送测试数据",
    },
    System {
        code: "370400_31_tzsb",
        name: "枣庄市特种设备动态监管系统",
        line: "31",
        channels: &["push"],
        tables: &["check_action", "object_device"],
        stage: "planned",
        due_in_days: Some(-25),
        live_for_days: None,
        note: "厂商未按期开放接口，已致函催办",
    },
    System {
        code: "370400_18_zf",
        name: "枣庄市交通运输综合执法系统（旧）",
        line: "18",
        channels: &["file"],
        tables: &["check_action", "punish_action"],
        stage: "live",
        due_in_days: None,
        live_for_days: Some(400),
        note: "新系统上线后停止报送",
    },
    System {
        code: LAST,
        name: "枣庄市12345热线转办监管线索系统",
        line: "99",
        channels: &["push", "file"],
        tables: &["other_action"],
        stage: "live",
        due_in_days: None,
        live_for_days: Some(75),
        note: "接通后尚未收到数据，请核实推送任务",
    },
];

/// Name, line, last digits of the certificate, days until it ends.
const ENDING: [(&str, &str, &str, i64); 6] = [
    ("孙承安", "31", "971", 12),
    ("秦若水", "31", "972", 35),
    ("邵明远", "25", "971", 20),
    ("毕晓棠", "23", "971", 58),
    ("冯见山", "20", "971", 75),
    ("陶知微", "18", "971", 88),
];

/// Runs once; a second start finds the last of it and leaves it.
pub async fn bring(node: &Node, partial: &Path, agencies: &[Value]) -> Result<(), Failure> {
    let router = &node.web.router(Router::new());
    let text = std::fs::read_to_string(partial).map_err(Failure::broken)?;
    let made: Value = serde_json::from_str(&text).map_err(Failure::broken)?;
    let listed = |name: &str| made[name].as_array().cloned().unwrap_or_default();
    let enter = async |role: &str| {
        let accounts = listed("accounts");
        let account = accounts.iter().find(|account| account["role"] == role);
        let account = account.ok_or_else(|| Failure::Broken(format!("没有{role}的账号")))?;
        let text = |name: &str| account[name].as_str().unwrap_or_default();
        Visitor::login(router, text("login"), text("password")).await
    };
    let datahub = enter("datahub_operator").await?;
    let known = datahub.get("/api/v1/datahub/sources").await?;
    let has = |code: &str| {
        known["items"].as_array().is_some_and(|all| all.iter().any(|one| one["cd_source"] == code))
    };
    if has(LAST) {
        return Ok(());
    }
    let today = node.db.clock().today();
    let sources = listed("sources");
    let officers_system = sources.iter().find(|source| source["cd_source"] == OFFICERS);
    let token = officers_system.and_then(|source| source["token"].as_str()).unwrap_or_default();
    officers(node, &Visitor::with_token(router, token), agencies, today).await?;
    let supervisor = enter("supervisor").await?;
    let why = json!({"reason": "群众举报其执法程序问题，调查期间暂停使用"});
    let number = certificate("31", ENDING[1].2);
    let path = format!("/api/v1/registry/certificates/{number}/suspend");
    // already so when an earlier start was cut short
    let _ = supervisor.post(&path, why).await;
    people(&enter("sys_admin").await?, &enter("sec_admin").await?, agencies).await?;
    for system in &SYSTEMS {
        if has(system.code) {
            continue;
        }
        let owner = bureau(agencies, system.line)?;
        let day = |days: Option<i64>| days.map(|days| (today + Duration::days(days)).to_string());
        let body = json!({
            "cd_source": system.code, "name": system.name, "kind": "agency",
            "agency": owner["uscc"], "agency_name": owner["name"], "area": owner["area_number"],
            "priority": 60, "channels": system.channels, "tables": system.tables,
            "stage": system.stage, "due_on": day(system.due_in_days),
            "live_since": day(system.live_for_days.map(|days| -days)), "note": system.note,
            "reason": "列入“应接尽接”清单",
        });
        let made = datahub.post("/api/v1/datahub/sources", body).await?;
        if system.note.contains("停止报送") {
            let body = json!({
                "version": made["version"], "status": "stopped", "reason": "新系统已上线，旧系统停用",
            });
            datahub.post(&format!("/api/v1/datahub/sources/{}", system.code), body).await?;
        }
    }
    Ok(())
}

/// The city's bureau of a line.
fn bureau<'a>(agencies: &'a [Value], line: &str) -> Result<&'a Value, Failure> {
    let is_it = |one: &&Value| {
        one["line"] == line && one["area_number"].as_str().is_some_and(|area| area.ends_with("00"))
    };
    agencies
        .iter()
        .find(is_it)
        .ok_or_else(|| Failure::Broken(format!("演示城市没有 {line} 条线的市级部门")))
}

fn certificate(line: &str, tail: &str) -> String {
    format!("150400{line}{tail}")
}

/// Pushed by the officers' own system with its token.
async fn officers(
    node: &Node,
    system: &Visitor,
    agencies: &[Value],
    today: NaiveDate,
) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for (name, line, tail, days) in &ENDING {
        let body = bureau(agencies, line)?;
        let number = certificate(line, tail);
        rows.push(json!({
            "cd_id": number, "cd_time": mj_kernel::clock::to_rfc3339(node.db.clock().now()),
            "cd_operation": "i", "name": name, "org_full_name": body["name"],
            "certificate_no": number, "issue_authority": "山东省司法厅", "law_area": "枣庄市",
            "law_type": body["short_name"], "law_staff_type": "01", "is_supervisor": "否",
            "valid_until": (today + Duration::days(*days)).to_string(),
            "area_number": body["area_number"], "dept_code": line,
        }));
    }
    let batch = format!("{}90001", today.format("%Y%m%d"));
    let body = json!({
        "table": "law_officer", "cd_source": OFFICERS, "cd_batch": batch, "rows": rows,
    });
    system.post("/api/v1/datahub/batches", body).await?;
    node.runner.run_until_idle().await?;
    Ok(())
}

/// One who never came to set a password, one who left.
async fn people(system: &Visitor, security: &Visitor, agencies: &[Value]) -> Result<(), Failure> {
    let agency = bureau(agencies, "31")?;
    let open = async |login: &str, name: &str, reason: &str| {
        let body = json!({
            "login": login, "name": name, "agency": agency["uscc"], "reason": reason,
        });
        system.post("/api/v1/access/accounts", body).await
    };
    // an earlier start that was cut short has opened them already
    let Ok(_) = open("liu.xinming", "刘新明（演示）", "新进人员，承担数据上报").await
    else {
        return Ok(());
    };
    let left = open("zhao.lizhi", "赵离职（演示）", "承担检查表单维护").await?;
    let grant = json!({
        "account_id": left["id"], "role": "clerk", "areas": [agency["area_number"]],
        "agencies": [agency["uscc"]], "reason": "承担本单位数据上报",
    });
    security.post("/api/v1/access/grants", grant).await?;
    let path = format!("/api/v1/access/accounts/{}/disable", left["id"].as_str().unwrap_or(""));
    system.post(&path, json!({"version": left["version"], "reason": "调离本单位"})).await?;
    Ok(())
}
