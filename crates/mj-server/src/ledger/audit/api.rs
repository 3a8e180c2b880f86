//! The monthly audit report over HTTP: which months there are, the numbers of one, and the two acts that make an edition.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State as Of;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use mj_kernel::clock::to_rfc3339;
use mj_platform::{Lane, new_id};
use mj_web::{
    Action, ActorNames, Answer, Caller, Input, PathOf, Problem, Query, RouteOf, get, post,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::figures::{self, AuditCheckpoint, AuditFigures};
use super::month::Month;
use super::report::{self, AuditDue, Corrects, Edition, Report};
use crate::ledger::api::{Desk, broken};

pub const READ: Action = Action::new("ledger.audit_report.read", "查看月度审计报告");
pub const SIGN: Action = Action::new("ledger.audit_report.sign", "签署月度审计报告");
pub const CORRECT: Action = Action::new("ledger.audit_report.correct", "更正月度审计报告");

/// As long as the page lets anybody type.
const REMARK: usize = 4_000;
const WHY: usize = 500;

pub fn routes() -> Vec<RouteOf<Desk>> {
    vec![
        get(READ, "/api/v1/log/audit-reports", list)
            .summary("月度审计报告：已结束的各月，待签署的、已签署的")
            .ok::<AuditMonthList>(),
        get(READ, "/api/v1/log/audit-reports/{month}", read)
            .summary("一个月的审计报告：未签署的现算，已签署的按签署时的样子并与现算的比较")
            .query::<EditionQuery>()
            .ok::<AuditReportView>(),
        get(READ, "/api/v1/log/audit-reports/{month}/editions/{edition}/text", text)
            .summary("已签署的一版的原文（规范 JSON），其 SM3 写在签署的日志条目里")
            .binary("application/json"),
        post(SIGN, "/api/v1/log/audit-reports/{month}/sign", sign)
            .summary("签署一个已结束的月份的审计报告")
            .description(
                "seen 是所看到的数字的 SM3（报告的 seen）；其间数字有变的，409 ledger.report_changed。",
            )
            .body::<AuditSignature>()
            .ok::<AuditReportView>(),
        post(CORRECT, "/api/v1/log/audit-reports/{month}/correct", correct)
            .summary("更正：另签一版，写明更正的是哪一版、为什么")
            .body::<AuditCorrection>()
            .ok::<AuditReportView>(),
    ]
}

#[derive(Debug, Serialize, ToSchema)]
struct AuditMonthList {
    /// 新的在前
    items: Vec<AuditMonth>,
}

#[derive(Debug, Serialize, ToSchema)]
struct AuditMonth {
    #[serde(flatten)]
    due: AuditDue,
    /// running、waiting 或 signed
    state: &'static str,
    /// 最新的一版；没有签署时为 0
    edition: i64,
    signed_by: Option<String>,
    signed_at: Option<String>,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
struct EditionQuery {
    /// 第几版；不写为最新的一版
    edition: Option<i64>,
}

#[derive(Debug, Deserialize, ToSchema)]
struct AuditSignature {
    /// 所看到的数字的 SM3
    seen: String,
    /// 发现的问题；没有发现的写“未发现问题”
    findings: String,
    /// 处理意见
    #[serde(default)]
    opinion: String,
}

#[derive(Debug, Deserialize, ToSchema)]
struct AuditCorrection {
    /// 更正的是第几版，须是最新的一版
    edition: i64,
    /// 更正的原因
    why: String,
    #[serde(flatten)]
    signature: AuditSignature,
}

#[derive(Debug, Serialize, ToSchema)]
struct AuditReportView {
    #[serde(flatten)]
    due: AuditDue,
    /// running、waiting 或 signed
    state: &'static str,
    /// 期限的依据
    basis: Option<&'static str>,
    sections: Vec<AuditSectionView>,
    /// 当月最后一个已签署的检查点
    checkpoint: Option<AuditCheckpoint>,
    /// 现在计算的数字的 SM3，签署时带回
    seen: String,
    /// 所显示的一版；没有签署时为空
    signed: Option<AuditEdition>,
    /// 各版，新的在前
    editions: Vec<AuditEdition>,
    /// 所显示的一版与今天重新计算的不同之处；相同时为空
    differences: Vec<AuditDifference>,
}

#[derive(Debug, Serialize, ToSchema)]
struct AuditSectionView {
    key: String,
    title: String,
    lines: Vec<AuditLineView>,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
    /// 列出明细各行所计的页面，与明细同序；明细就是全部的为空
    row_paths: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct AuditLineView {
    key: String,
    title: String,
    count: i64,
    /// 列出所计各行的页面；明细就在本页的为空
    path: Option<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
struct AuditEdition {
    edition: i64,
    /// 原文的 SM3，也写在签署的日志条目里
    sm3: String,
    /// 原文的摘要仍与签署时相同
    intact: bool,
    signed_by: String,
    signed_at: String,
    /// 签署的日志条目
    entry: Option<i64>,
    findings: String,
    opinion: String,
    corrects: Option<Corrects>,
}

#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
struct AuditDifference {
    section: String,
    title: String,
    /// 签署时；那时没有这一项的为空
    signed: Option<i64>,
    /// 今天重新计算
    now: Option<i64>,
}

async fn list(Of(desk): Of<Desk>, caller: Caller) -> Answer<Json<AuditMonthList>> {
    let db = desk.db();
    let now = db.clock().now();
    let signed = report::newest(db).await.map_err(broken)?;
    let names = caller.names_of(signed.iter().map(|one| one.signed_by.clone()).collect()).await?;
    let mut months = report::months(db).await.map_err(broken)?;
    if let Some(began) = report::began(db).await.map_err(broken)? {
        // what runs may be looked at, and is signed when it is over
        months.insert(0, Month::of(now).max(began));
    }
    let mut items = Vec::new();
    for month in months {
        let of = signed.iter().find(|one| one.month == month.name());
        items.push(AuditMonth {
            due: AuditDue::of(month, now).map_err(broken)?,
            state: state(month.is_over(now), of.is_some()),
            edition: of.map_or(0, |one| one.edition),
            signed_by: of.map(|one| names.of(&one.signed_by)),
            signed_at: of.map(|one| to_rfc3339(one.signed_at)),
        });
    }
    Ok(Json(AuditMonthList { items }))
}

fn state(is_over: bool, is_signed: bool) -> &'static str {
    match (is_over, is_signed) {
        (false, _) => "running",
        (true, false) => "waiting",
        (true, true) => "signed",
    }
}

/// A month of this node's life.
async fn month_of(desk: &Desk, text: &str) -> Answer<Month> {
    let month = Month::parse(text).ok_or_else(Problem::not_found)?;
    let began = report::began(desk.db()).await.map_err(broken)?;
    let is_known = began.is_some_and(|began| month >= began);
    let is_known = is_known && month <= Month::of(desk.db().clock().now());
    is_known.then_some(month).ok_or_else(Problem::not_found)
}

async fn figures_of(desk: &Desk, month: Month) -> Answer<AuditFigures> {
    let mut snapshot = desk.db().snapshot().await.map_err(broken)?;
    figures::count(&mut snapshot, desk.shelf(), month).await.map_err(broken)
}

async fn read(
    Of(desk): Of<Desk>,
    caller: Caller,
    PathOf(month): PathOf<String>,
    Query(query): Query<EditionQuery>,
) -> Answer<Json<AuditReportView>> {
    let month = month_of(&desk, &month).await?;
    Ok(Json(view(&desk, &caller, month, query.edition).await?))
}

async fn view(
    desk: &Desk,
    caller: &Caller,
    month: Month,
    edition: Option<i64>,
) -> Answer<AuditReportView> {
    let db = desk.db();
    let now = db.clock().now();
    let counted = figures_of(desk, month).await?;
    let seen = counted.sm3();
    let kept = report::editions(db, month).await.map_err(broken)?;
    let shown = match edition {
        Some(edition) => {
            let of = kept.iter().find(|one| one.edition == edition);
            Some(of.ok_or_else(Problem::not_found)?)
        }
        None => kept.last(),
    };
    let (figures, differences) = match shown {
        Some(shown) => {
            let signed = shown.report().map_err(broken)?.figures;
            let differences = differences(&signed, &counted);
            (signed, differences)
        }
        None => (counted, Vec::new()),
    };
    let names = caller.names_of(actors(&figures, &kept)).await?;
    let mut editions = Vec::new();
    for one in kept.iter().rev() {
        editions.push(edition_view(desk, one, &names).await?);
    }
    let shown = shown.map(|one| one.edition);
    Ok(AuditReportView {
        due: AuditDue::of(month, now).map_err(broken)?,
        state: state(month.is_over(now), !kept.is_empty()),
        basis: month.basis(),
        sections: sections(&figures, month, &names),
        checkpoint: figures.checkpoint,
        seen,
        signed: editions.iter().find(|one| Some(one.edition) == shown).cloned(),
        editions,
        differences,
    })
}

async fn edition_view(desk: &Desk, one: &Edition, names: &ActorNames) -> Answer<AuditEdition> {
    let report = one.report().map_err(broken)?;
    Ok(AuditEdition {
        edition: one.edition,
        sm3: one.sm3.clone(),
        intact: one.is_intact(),
        signed_by: names.of(&one.signed_by),
        signed_at: to_rfc3339(one.signed_at),
        entry: report::entry_of(desk.db(), &one.id).await.map_err(broken)?,
        findings: report.findings,
        opinion: report.opinion,
        corrects: report.corrects,
    })
}

fn is_actor(text: &str) -> bool {
    ["account:", "source:", "system:", "emergency:"].iter().any(|kind| text.starts_with(kind))
}

/// Everybody who is named: what is signed names them by reference, the page by what they are called.
fn actors(figures: &AuditFigures, editions: &[Edition]) -> Vec<String> {
    let cells = figures.sections.iter().flat_map(|one| one.rows.iter().flatten());
    let lines = figures.lines().map(|(_, line)| &line.title);
    let signers = editions.iter().map(|one| &one.signed_by);
    cells.chain(lines).chain(signers).filter(|text| is_actor(text)).cloned().collect()
}

fn sections(figures: &AuditFigures, month: Month, names: &ActorNames) -> Vec<AuditSectionView> {
    let called = |text: &String| if is_actor(text) { names.of(text) } else { text.clone() };
    let section = |one: &figures::AuditSection| AuditSectionView {
        key: one.key.clone(),
        title: one.title.clone(),
        columns: one.columns.clone(),
        row_paths: match one.key.as_str() {
            "refusals" => days_at(one, "/refusals"),
            "failures" => days_at(one, "/login-failures"),
            _ => Vec::new(),
        },
        rows: one.rows.iter().map(|row| row.iter().map(called).collect()).collect(),
        lines: one
            .lines
            .iter()
            .map(|line| AuditLineView {
                path: path(&line.key, month),
                title: called(&line.title),
                key: line.key.clone(),
                count: line.count,
            })
            .collect(),
    };
    figures.sections.iter().map(section).collect()
}

/// The page of the record that a row counts a day of.
fn days_at(section: &figures::AuditSection, page: &str) -> Vec<String> {
    let days = section.rows.iter().filter_map(|row| row.first());
    days.map(|day| format!("{page}?day={day}")).collect()
}

/// Where the rows behind a number are listed.
fn path(key: &str, month: Month) -> Option<String> {
    let days = format!("from={}&to={}", month.first_day(), month.last_day());
    let reveals = "personal.shared_value.reveal,personal.agency_value.reveal";
    let (kind, what) = key.split_once(':').unwrap_or((key, ""));
    let filter = match kind {
        "entries" => String::new(),
        "action" => format!("action={what}&"),
        "by" => format!("by={what}&"),
        "reveal" if what.is_empty() => format!("by=erased&action={reveals}&"),
        "reveal" => format!("actor={what}&action={reveals}&"),
        "reveals" => format!("action={reveals}&"),
        "erased" if what == "person" => "action=keys.person.destroy&".into(),
        "erased" => "action=ledger.payload.erase&".into(),
        "frozen" => "action=ledger.log.open&".into(),
        // the days stand below, each leads to the record of failures
        _ => return None,
    };
    Some(format!("/ledger?{filter}{days}"))
}

fn differences(signed: &AuditFigures, now: &AuditFigures) -> Vec<AuditDifference> {
    type Place<'a> = (&'a str, &'a str);
    let numbers = |of: &'_ AuditFigures| -> BTreeMap<(String, String), i64> {
        of.lines().map(|(s, l)| ((s.key.clone(), l.key.clone()), l.count)).collect()
    };
    let title = |of: &AuditFigures, (section, line): Place| {
        let mut lines = of.lines();
        let found = lines.find(|(s, l)| s.key == section && l.key == line);
        found.map(|(s, l)| (s.title.clone(), l.title.clone()))
    };
    let (before, after) = (numbers(signed), numbers(now));
    let mut places: Vec<_> = before.keys().chain(after.keys()).collect();
    places.sort_unstable();
    places.dedup();
    let mut differences = Vec::new();
    for place in places {
        let (was, is) = (before.get(place).copied(), after.get(place).copied());
        // an act that this version counts and an earlier one did not, and that never happened, is none
        if was.unwrap_or(0) == is.unwrap_or(0) {
            continue;
        }
        let key = (place.0.as_str(), place.1.as_str());
        let Some((section, title)) = title(signed, key).or_else(|| title(now, key)) else {
            continue;
        };
        differences.push(AuditDifference { section, title, signed: was, now: is });
    }
    for one in &signed.sections {
        let of = now.sections.iter().find(|other| other.key == one.key);
        if of.is_none_or(|other| other.rows != one.rows) && !one.rows.is_empty() {
            let (was, is) = (one.rows.len(), of.map(|other| other.rows.len()));
            let count = |rows: usize| i64::try_from(rows).unwrap_or(i64::MAX);
            differences.push(AuditDifference {
                section: one.title.clone(),
                title: "明细".into(),
                signed: Some(count(was)),
                now: is.map(count),
            });
        }
    }
    if signed.checkpoint != now.checkpoint {
        let size = |of: &AuditFigures| of.checkpoint.as_ref().map(|one| one.size);
        differences.push(AuditDifference {
            section: "月末检查点".into(),
            title: "条目数".into(),
            signed: size(signed),
            now: size(now),
        });
    }
    differences
}

async fn text(
    Of(desk): Of<Desk>,
    PathOf((month, edition)): PathOf<(String, i64)>,
) -> Answer<Response> {
    let month = month_of(&desk, &month).await?;
    let kept = report::editions(desk.db(), month).await.map_err(broken)?;
    let one = kept.into_iter().find(|one| one.edition == edition).ok_or_else(Problem::not_found)?;
    let file = format!("attachment; filename=\"audit-report-{}-{edition}.json\"", month.name());
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_DISPOSITION, file),
    ];
    Ok((headers, one.text).into_response())
}

fn remark(field: &'static str, text: &str, most: usize, must: bool) -> Answer<String> {
    let text = text.trim();
    let problem = |message: String| {
        Problem::invalid("ledger.report_remark", "请核对所填写的内容").field(field, message)
    };
    if must && text.is_empty() {
        return Err(problem("请填写；没有发现问题的，写“未发现问题”".into()));
    }
    if text.chars().count() > most {
        return Err(problem(format!("至多 {most} 个字")));
    }
    Ok(text.to_owned())
}

async fn sign(
    Of(desk): Of<Desk>,
    caller: Caller,
    PathOf(month): PathOf<String>,
    input: Input<AuditSignature>,
) -> Answer<Json<AuditReportView>> {
    let month = month_of(&desk, &month).await?;
    over(&desk, month)?;
    if !report::editions(desk.db(), month).await.map_err(broken)?.is_empty() {
        return Err(signed_already(month));
    }
    edition(&desk, &caller, month, input.value, None).await
}

async fn correct(
    Of(desk): Of<Desk>,
    caller: Caller,
    PathOf(month): PathOf<String>,
    input: Input<AuditCorrection>,
) -> Answer<Json<AuditReportView>> {
    let month = month_of(&desk, &month).await?;
    over(&desk, month)?;
    let AuditCorrection { edition: corrected, why, signature } = input.value;
    let why = remark("why", &why, WHY, true)?;
    let kept = report::editions(desk.db(), month).await.map_err(broken)?;
    let Some(newest) = kept.last() else {
        return Err(Problem::conflict("ledger.report_unsigned", "这个月的审计报告还没有签署")
            .detail("请先签署；签署以后发现有误，再更正。"));
    };
    if newest.edition != corrected {
        return Err(corrected_already(month, newest.edition));
    }
    let corrects = Corrects { edition: corrected, sm3: newest.sm3.clone(), why };
    edition(&desk, &caller, month, signature, Some(corrects)).await
}

fn over(desk: &Desk, month: Month) -> Answer<()> {
    if month.is_over(desk.db().clock().now()) {
        return Ok(());
    }
    Err(Problem::conflict("ledger.month_not_over", "这个月还没有结束，不能签署").detail(format!(
        "{}的审计报告请在 {} 以后签署。",
        month.title(),
        month.last_day()
    )))
}

fn signed_already(month: Month) -> Problem {
    Problem::conflict("ledger.report_signed", "这个月的审计报告已经签署")
        .detail(format!("{}的审计报告每月只签署一次；有误的请更正，另签一版。", month.title()))
}

fn corrected_already(month: Month, edition: i64) -> Problem {
    Problem::conflict("ledger.report_corrected", "已经有更新的一版")
        .detail(format!("{}的审计报告现在是第 {edition} 版，请刷新后再更正。", month.title()))
}

async fn edition(
    desk: &Desk,
    caller: &Caller,
    month: Month,
    signature: AuditSignature,
    corrects: Option<Corrects>,
) -> Answer<Json<AuditReportView>> {
    let findings = remark("findings", &signature.findings, REMARK, true)?;
    let opinion = remark("opinion", &signature.opinion, REMARK, false)?;
    let figures = figures_of(desk, month).await?;
    if figures.sm3() != signature.seen {
        return Err(Problem::conflict("ledger.report_changed", "报告的数字与您看到的不同了")
            .detail("请刷新页面，看过现在的数字再签署。所填写的内容请先留存。"));
    }
    let id = new_id();
    let edition = corrects.as_ref().map_or(1, |corrects| corrects.edition + 1);
    let db = desk.db();
    let mut report = Report {
        figures,
        edition,
        corrects,
        findings,
        opinion,
        signed_by: caller.actor.reference(),
        signed_at: String::new(),
    };
    let mut tx = db.begin(Lane::People, caller.act(report::object(&id))).await?;
    report.signed_at = to_rfc3339(tx.now());
    let kept = report::keep(&mut tx, &id, month, &report).await;
    let sm3 = match kept {
        // somebody else was first
        Err(error) if error.is_duplicate() => {
            return Err(match &report.corrects {
                None => signed_already(month),
                Some(_) => corrected_already(month, edition),
            });
        }
        kept => kept?,
    };
    let verb = if report.corrects.is_some() { "更正" } else { "签署" };
    let told = format!("{verb}{}审计报告，第 {edition} 版，SM3 {sm3}", month.title());
    let act = tx.act().clone().because(told);
    tx.retell(act);
    tx.commit().await?;
    Ok(Json(view(desk, caller, month, Some(edition)).await?))
}
