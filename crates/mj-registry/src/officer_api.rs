//! Officers over HTTP (执法人员与证件): lists by the standing of their certificates, one officer's
//! file, and the suspension of a certificate. How well agencies are covered: `officer_coverage`.
//!
//! An officer row names its agency by name only. Whose officer somebody is follows from the
//! agencies of the house: the body of exactly that name. Scopes by agency hold through it.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::Days;
use mj_kernel::clock::to_rfc3339;
use mj_kernel::{AgencySet, Page, PageOf, Scope};
use mj_platform::DbRow;
use mj_platform::{Lane, RowExt, Value};
use mj_web::{
    Action, Answer, Caller, Column, Export, ExportRequest, Input, Mask, PathOf, Problem, Query,
    Resource, RouteOf, get, post,
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::acts::AgencyName;
use crate::api::Desk;
use crate::officer_coverage::{SummaryQuery, by_body, coverage, summary};
use crate::officer_shapes::{
    CertificateView, CoverageList, OfficerActs, OfficerFile, OfficerSummary, OfficerView,
    SuspensionView,
};
use crate::officer_standing::{Horizon, standing_title, with_standing};
use crate::show::ShownField;
use crate::suspensions::{self, Suspension};
use crate::{Registry, Result, show};

pub const OFFICER_READ: Action = Action::new("registry.officer.read", "查看执法人员");
pub const OFFICER_SUSPEND: Action = Action::new("registry.officer.suspend", "暂停、恢复执法证");

pub fn routes() -> Vec<RouteOf<Desk>> {
    vec![
        get(OFFICER_READ, "/api/v1/registry/officers", list)
            .summary("查找执法人员，证件先到期的在前")
            .query::<OfficerQuery>()
            .list::<OfficerView>(),
        post(OFFICER_READ, "/api/v1/registry/officers/export", export)
            .summary("导出执法人员：与所见一致的筛选和列")
            .body::<ExportRequest>()
            .binary("text/csv"),
        get(OFFICER_READ, "/api/v1/registry/officers/summary", summary)
            .summary("执法人员按证件状态的人数")
            .query::<SummaryQuery>()
            .ok::<OfficerSummary>(),
        get(OFFICER_READ, "/api/v1/registry/officers/coverage", coverage)
            .summary("各部门的有效执法人员与所承担的事项")
            .ok::<CoverageList>(),
        get(OFFICER_READ, "/api/v1/registry/officers/{id}", one)
            .summary("一名执法人员：证件、覆盖的区域和事项")
            .ok::<OfficerFile>(),
        get(OFFICER_READ, "/api/v1/registry/officers/{id}/acts", acts)
            .summary("近一年以其执法证办理的监管行为")
            .ok::<OfficerActs>(),
        post(OFFICER_SUSPEND, "/api/v1/registry/certificates/{certificate_no}/suspend", suspend)
            .summary("暂停使用一张执法证")
            .body::<SuspendRequest>()
            .ok::<OfficerFile>(),
        post(OFFICER_SUSPEND, "/api/v1/registry/certificates/{certificate_no}/restore", restore)
            .summary("恢复使用一张执法证")
            .body::<RestoreRequest>()
            .ok::<OfficerFile>(),
    ]
}

#[derive(Debug, Deserialize, IntoParams)]
struct OfficerQuery {
    /// 姓名、拼音首字母或执法证号的前几位
    q: Option<String>,
    /// in_force 有效、expiring 即将到期、expired 已过期、suspended 暂停、withdrawn 已收回
    standing: Option<String>,
    /// 部门的统一社会信用代码
    agency: Option<String>,
    /// 行政区划代码，含下级
    area: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
struct SuspendRequest {
    reason: String,
    /// 暂停到哪一日（含）；不填则到恢复为止
    until: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
struct RestoreRequest {
    reason: String,
}

/// ` AND (…)`: officers in any of the caller's scopes; agencies are told by their names.
pub(crate) fn in_scope(caller: &Caller, agencies: &[AgencyName], args: &mut Vec<Value>) -> String {
    let parts: Vec<String> = caller
        .scopes
        .iter()
        .map(|scope| {
            let wide = Scope { agencies: AgencySet::All, ..scope.clone() };
            let area = mj_platform::db::scope_predicate(&wide, "o.area_number", None, args);
            let own = match &scope.agencies {
                AgencySet::All => String::new(),
                AgencySet::Only(codes) => {
                    let names = agencies.iter().filter(|one| codes.contains(&one.uscc));
                    named(names.map(|one| one.name.as_str()), args)
                }
            };
            format!("(1=1{area}{own})")
        })
        .collect();
    if parts.is_empty() { " AND 1=0".into() } else { format!(" AND ({})", parts.join(" OR ")) }
}

fn named<'a>(names: impl Iterator<Item = &'a str>, args: &mut Vec<Value>) -> String {
    let marks: Vec<String> = names
        .map(|name| {
            args.push(name.into());
            format!("${}", args.len())
        })
        .collect();
    if marks.is_empty() {
        " AND 1=0".into()
    } else {
        format!(" AND o.org_full_name IN ({})", marks.join(","))
    }
}

pub(crate) fn of_agency(
    agency: Option<&str>,
    agencies: &[AgencyName],
    args: &mut Vec<Value>,
) -> String {
    match agency.filter(|agency| !agency.is_empty()) {
        None => String::new(),
        Some(code) => {
            let names = agencies.iter().filter(|one| one.uscc == code);
            named(names.map(|one| one.name.as_str()), args)
        }
    }
}

pub(crate) fn of_area(area: Option<&str>, args: &mut Vec<Value>) -> String {
    let Some(area) = area.filter(|area| !area.is_empty()) else { return String::new() };
    let prefix = Scope::area_prefix(area.get(..area.len().min(12)).unwrap_or_default());
    args.push(prefix.into());
    args.push(format!("{prefix}~").into());
    format!(" AND o.area_number >= ${} AND o.area_number < ${}", args.len() - 1, args.len())
}

async fn list(
    State(desk): State<Desk>,
    caller: Caller,
    Query(query): Query<OfficerQuery>,
) -> Answer<Json<PageOf<OfficerView>>> {
    let page = Page { limit: query.limit, cursor: query.cursor.clone() };
    Ok(Json(officers(&desk, &caller, &query, &page).await?))
}

/// The list as a file: the same filters, the same columns, names masked as on the page.
async fn export(
    State(desk): State<Desk>,
    caller: Caller,
    input: Input<ExportRequest>,
) -> Answer<Response> {
    let query: OfficerQuery = input.value.query()?;
    let db = &desk.registry.db;
    let mut file =
        Export::open(db, &caller, "registry.officers", "执法人员", &COLUMNS, input.value)?;
    let mut page = Page { limit: Some(Page::MAX), cursor: None };
    loop {
        let found = officers(&desk, &caller, &query, &page).await?;
        for one in &found.items {
            file.push(one)?;
        }
        page.cursor = found.next_cursor;
        if page.cursor.is_none() {
            return file.finish(db, &caller).await;
        }
    }
}

/// The columns of the list, by the names under which the workbench knows them.
static COLUMNS: [Column<OfficerView>; 8] = [
    Column { name: "name", title: "姓名", cell: |one| Some(one.name.clone()) },
    Column { name: "org", title: "所属部门", cell: |one| one.org_full_name.clone() },
    Column {
        name: "number",
        title: "执法证号",
        cell: |one| {
            let own = one.certificates.iter().map(|own| own.certificate_no.as_str());
            Some(own.collect::<Vec<_>>().join("、"))
        },
    },
    Column { name: "staff_type", title: "人员性质", cell: |one| one.staff_type_title.clone() },
    Column {
        name: "standing", title: "证件状态", cell: |one| Some(one.standing_title.clone())
    },
    Column {
        name: "until",
        title: "有效期至",
        cell: |one| {
            let first = one.certificates.first().and_then(|own| own.valid_until.clone());
            one.valid_until.clone().or(first)
        },
    },
    Column { name: "area", title: "行政区划", cell: |one| one.area_name.clone() },
    Column {
        name: "register_no", title: "人员编号", cell: |one| Some(one.register_no.clone())
    },
];

async fn officers(
    desk: &Desk,
    caller: &Caller,
    query: &OfficerQuery,
    page: &Page,
) -> Result<PageOf<OfficerView>> {
    let db = &desk.registry.db;
    let days = Horizon::of(db.clock().today());
    let agencies = desk.acts.names.agencies().await?;
    let mut args: Vec<Value> = Vec::new();
    let from = with_standing(&days, &mut args);
    let mut filter = in_scope(caller, &agencies, &mut args);
    filter.push_str(&of_agency(query.agency.as_deref(), &agencies, &mut args));
    filter.push_str(&of_area(query.area.as_deref(), &mut args));
    if let Some(q) = query.q.as_deref().map(str::trim).filter(|q| !q.is_empty()) {
        let folded = mj_linkage::search_query(q);
        args.push(mj_platform::db::contains_pattern(if folded.is_empty() { q } else { &folded }));
        let name = args.len();
        args.push(mj_platform::db::contains_pattern(&q.to_uppercase()));
        let number = args.len();
        filter.push_str(&format!(
            " AND (o.name LIKE ${name} ESCAPE '\\' OR o.initials LIKE ${name} ESCAPE '\\' \
             OR o.register_no LIKE ${number} ESCAPE '\\' OR EXISTS (SELECT 1 FROM \
             officer_certificate c WHERE c.officer_id = o.id AND c.certificate_no LIKE ${number} \
             ESCAPE '\\'))"
        ));
    }
    if let Some(standing) = query.standing.as_deref().filter(|standing| !standing.is_empty()) {
        args.push(standing.into());
        filter.push_str(&format!(" AND o.standing = ${}", args.len()));
    }
    // those who can act come first, the sooner their days end the earlier; then those who cannot
    const ORDER: &str = "CASE WHEN o.standing IN ('in_force', 'expiring') THEN '0' ELSE '1' END \
                         || COALESCE(o.best, '9999-12-31') || ' ' || o.id";
    if let Some(cursor) = &page.cursor {
        args.push(cursor.into());
        filter.push_str(&format!(" AND {ORDER} > ${}", args.len()));
    }
    args.push((page.limit() + 1).into());
    let sql = format!(
        "SELECT o.*, {ORDER} AS place FROM {from} o WHERE 1=1{filter} ORDER BY place LIMIT ${}",
        args.len()
    );
    let rows = db.fetch_all(&sql, &args).await?;
    let mut items = views(desk, caller, &rows, &agencies, &days).await?;
    let limit = usize::try_from(page.limit()).unwrap_or(50);
    let mut next_cursor = None;
    if items.len() > limit {
        items.truncate(limit);
        next_cursor = rows.get(limit - 1).map(|row| row.text("place")).transpose()?;
    }
    Ok(PageOf { items, next_cursor })
}

async fn views(
    desk: &Desk,
    caller: &Caller,
    rows: &[DbRow],
    agencies: &[AgencyName],
    days: &Horizon,
) -> Result<Vec<OfficerView>> {
    let ids = rows.iter().map(|row| row.text("id")).collect::<mj_platform::Result<Vec<_>>>()?;
    let mut certificates = certificates(desk, &ids, days).await?;
    let table = show::table("law_officer");
    let mut views = Vec::with_capacity(rows.len());
    for (row, id) in rows.iter().zip(ids) {
        let (registry, stored) = (&desk.registry, row.text("name")?);
        let column = table.and_then(|table| table.column("name"));
        let name = show::shown(
            &registry.keys,
            &registry.db,
            "officer_source.name",
            column,
            &stored,
            caller.mask,
        )
        .await?;
        let area_number = row.opt_text("area_number")?;
        let org_full_name = row.opt_text("org_full_name")?;
        let agency = agencies.iter().find(|one| Some(&one.name) == org_full_name.as_ref());
        let standing = row.text("standing")?;
        let staff_type = row.opt_text("staff_type")?;
        let staff_column = table.and_then(|table| table.column("law_staff_type"));
        views.push(OfficerView {
            version: row.int("version")?,
            register_no: row.text("register_no")?,
            name: name.value.unwrap_or_default(),
            agency: agency.map(|one| one.uscc.clone()),
            org_full_name,
            staff_type_title: staff_type.as_deref().map(|code| show::display(staff_column, code)),
            staff_type,
            area_name: area_number.as_deref().and_then(show::area_name),
            area_number,
            status: row.text("status")?,
            standing_title: standing_title(&standing).to_owned(),
            standing,
            valid_until: row.opt_text("best")?.filter(|day| day != "9999-12-31"),
            certificates: certificates.remove(&id).unwrap_or_default(),
            id,
        });
    }
    Ok(views)
}

/// The certificates of these officers, by officer.
async fn certificates(
    desk: &Desk,
    officers: &[String],
    days: &Horizon,
) -> Result<BTreeMap<String, Vec<CertificateView>>> {
    let mut found: BTreeMap<String, Vec<CertificateView>> = BTreeMap::new();
    for chunk in officers.chunks(500) {
        let args: Vec<Value> = chunk.iter().map(|id| id.as_str().into()).collect();
        let marks = crate::tables::marks(1, args.len());
        let sql = format!(
            "SELECT * FROM officer_certificate WHERE officer_id IN ({marks}) \
             ORDER BY officer_id, certificate_no"
        );
        let rows = desk.registry.db.fetch_all(&sql, &args).await?;
        let numbers = rows
            .iter()
            .map(|row| row.text("certificate_no"))
            .collect::<mj_platform::Result<Vec<_>>>()?;
        let standing = suspensions_of(desk, &numbers).await?;
        for (row, number) in rows.iter().zip(numbers) {
            let suspension = standing.iter().find(|one| {
                one.certificate_no == number
                    && one.lifted_at.is_none()
                    && one.from_day <= days.today
                    && days.today <= one.to_day
            });
            let status = row.text("status")?;
            let valid_until = row.opt_text("valid_until")?;
            let standing =
                days.standing(valid_until.as_deref(), status == "in_use", suspension.is_some());
            let view = CertificateView {
                certificate_no: number,
                issue_authority: row.opt_text("issue_authority")?,
                law_area: row.opt_text("law_area")?,
                law_type: row.opt_text("law_type")?,
                valid_from: row.opt_text("valid_from")?,
                valid_until,
                status,
                standing: standing.to_owned(),
                standing_title: standing_title(standing).to_owned(),
                suspension: match suspension {
                    Some(one) => Some(shown_suspension(desk, one).await?),
                    None => None,
                },
            };
            found.entry(row.text("officer_id")?).or_default().push(view);
        }
    }
    Ok(found)
}

async fn shown_suspension(desk: &Desk, one: &Suspension) -> Result<SuspensionView> {
    let by = |reference: String| async move { desk.acts.names.person(&reference).await };
    Ok(SuspensionView {
        from_day: one.from_day.clone(),
        to_day: Some(one.to_day.clone()).filter(|day| day != "9999-12-31"),
        reason: one.reason.clone(),
        suspended_at: to_rfc3339(one.suspended_at),
        suspended_by: by(one.suspended_by.clone()).await?,
        lifted_at: one.lifted_at.map(to_rfc3339),
        lifted_by: match &one.lifted_by {
            Some(reference) => Some(by(reference.clone()).await?),
            None => None,
        },
        lift_reason: one.lift_reason.clone(),
    })
}

async fn suspensions_of(desk: &Desk, numbers: &[String]) -> Result<Vec<Suspension>> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let args: Vec<Value> = numbers.iter().map(|number| number.as_str().into()).collect();
    let marks = crate::tables::marks(1, args.len());
    let sql = format!(
        "SELECT * FROM officer_suspension WHERE certificate_no IN ({marks}) \
         ORDER BY suspended_at DESC, id"
    );
    let rows = desk.registry.db.fetch_all(&sql, &args).await?;
    Ok(rows.iter().map(Suspension::read).collect::<mj_platform::Result<_>>()?)
}

async fn one(
    State(desk): State<Desk>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Answer<Json<OfficerFile>> {
    Ok(Json(file(&desk, &caller, &id).await?))
}

/// The first officers a word finds.
pub(crate) async fn find(
    desk: &Desk,
    caller: &Caller,
    q: &str,
    limit: u32,
) -> Result<Vec<OfficerView>> {
    let query = OfficerQuery {
        q: Some(q.to_owned()),
        standing: None,
        agency: None,
        area: None,
        limit: None,
        cursor: None,
    };
    let page = Page { limit: Some(limit), cursor: None };
    Ok(officers(desk, caller, &query, &page).await?.items)
}

/// One officer, if the caller may see them.
pub(crate) async fn brief(desk: &Desk, caller: &Caller, id: &str) -> Result<Option<OfficerView>> {
    let days = Horizon::of(desk.registry.db.clock().today());
    let agencies = desk.acts.names.agencies().await?;
    let Some(row) = by_any_number(desk, caller, id, &days, &agencies).await? else {
        return Ok(None);
    };
    Ok(views(desk, caller, std::slice::from_ref(&row), &agencies, &days).await?.pop())
}

/// By id, register number or certificate number, within the caller's scope.
async fn by_any_number(
    desk: &Desk,
    caller: &Caller,
    id: &str,
    days: &Horizon,
    agencies: &[AgencyName],
) -> Result<Option<DbRow>> {
    let mut args: Vec<Value> = Vec::new();
    let from = with_standing(days, &mut args);
    let filter = in_scope(caller, agencies, &mut args);
    args.push(id.into());
    let at = args.len();
    let sql = format!(
        "SELECT o.* FROM {from} o WHERE (o.id = ${at} OR o.register_no = ${at} OR EXISTS (SELECT 1 \
         FROM officer_certificate c WHERE c.officer_id = o.id AND c.certificate_no = ${at})){filter}"
    );
    Ok(desk.registry.db.fetch_optional(&sql, &args).await?)
}

/// What a row of the register tells of the person besides the name, each sealed in it.
const PERSONAL: [&str; 3] = ["id_no", "phone", "birth_date"];

/// Where the officer stands, the id, and the personal values of the row that counts, within the caller's scope.
pub(crate) async fn personal_of(
    desk: &Desk,
    caller: &Caller,
    id: &str,
    mask: Mask,
) -> Result<Option<(Resource, String, Vec<ShownField>)>> {
    let days = Horizon::of(desk.registry.db.clock().today());
    let agencies = desk.acts.names.agencies().await?;
    let Some(row) = by_any_number(desk, caller, id, &days, &agencies).await? else {
        return Ok(None);
    };
    let name = row.opt_text("org_full_name")?;
    let agency = agencies.iter().find(|one| Some(&one.name) == name.as_ref());
    let area = row.opt_text("area_number")?;
    let place = Resource::at(area.as_deref(), agency.map(|one| one.uscc.as_str()));
    let fields = personal(desk, &row.text("anchor")?, mask).await?;
    Ok(Some((place, row.text("id")?, fields)))
}

async fn personal(desk: &Desk, anchor: &str, mask: Mask) -> Result<Vec<ShownField>> {
    let Registry { db, keys, .. } = &desk.registry;
    let sql = "SELECT fields FROM officer_source WHERE anchor = $1 AND deleted = 0 \
               ORDER BY priority, cd_time DESC, cd_source, cd_id LIMIT 1";
    let Some(row) = db.fetch_optional(sql, &[anchor.into()]).await? else {
        return Ok(Vec::new());
    };
    let stored: Vec<(String, String)> = serde_json::from_str(&row.text("fields")?)
        .map_err(|error| mj_platform::Error::Corrupt(format!("执法人员记录：{error}")))?;
    let mut fields = Vec::new();
    for name in PERSONAL {
        let Some((_, value)) = stored.iter().find(|(column, _)| column == name) else { continue };
        let column = show::table("law_officer").and_then(|table| table.column(name));
        let place = format!("officer_source.{name}");
        let shown = show::shown(keys, db, &place, column, value, mask).await?;
        fields.push(ShownField {
            name: name.to_owned(),
            title: column.map_or(name, |column| column.title.as_str()).to_owned(),
            value: shown.value,
            masked: shown.masked,
        });
    }
    Ok(fields)
}

async fn file(desk: &Desk, caller: &Caller, id: &str) -> Result<OfficerFile, Problem> {
    let days = Horizon::of(desk.registry.db.clock().today());
    let agencies = desk.acts.names.agencies().await?;
    let row = by_any_number(desk, caller, id, &days, &agencies).await?;
    let row = row.ok_or_else(Problem::not_found)?;
    let is_supervisor = row.opt_text("is_supervisor")?;
    let mut found = views(desk, caller, std::slice::from_ref(&row), &agencies, &days).await?;
    let officer = found.pop().ok_or_else(Problem::not_found)?;
    let numbers: Vec<String> =
        officer.certificates.iter().map(|one| one.certificate_no.clone()).collect();
    let mut told = Vec::new();
    for one in &suspensions_of(desk, &numbers).await? {
        told.push(shown_suspension(desk, one).await?);
    }
    let implementing = desk.acts.names.implementing(&days.today).await?;
    let agency_items = implementing
        .iter()
        .find(|one| Some(&one.body_code) == officer.agency.as_ref())
        .map_or(0, |one| one.items);
    let bodies = by_body(desk, caller, &agencies, &days).await?;
    let own = officer.org_full_name.as_ref().and_then(|name| bodies.get(name));
    let able = |name: &str| own.and_then(|own| own.get(name)).copied().unwrap_or_default();
    let place = Resource::at(officer.area_number.as_deref(), officer.agency.as_deref());
    Ok(OfficerFile {
        personal: personal(desk, &row.text("anchor")?, caller.mask).await?,
        is_supervisor,
        agency_items,
        agency_able: able("in_force") + able("expiring"),
        suspensions: told,
        may_suspend: caller.would(&OFFICER_SUSPEND, &place).is_ok(),
        officer,
    })
}

async fn acts(
    State(desk): State<Desk>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Answer<Json<OfficerActs>> {
    const SHOWN: usize = 50;
    let file = file(&desk, &caller, &id).await?;
    let numbers = file.officer.certificates.into_iter().map(|one| one.certificate_no).collect();
    let today = desk.registry.db.clock().today();
    let from = today.checked_sub_days(Days::new(365)).unwrap_or(today);
    let (total, entries) = desk.acts.citing(numbers, from, today, &caller.scopes, SHOWN).await?;
    let items = desk.registry.entries_shown(&desk.acts, &entries, caller.mask).await?;
    Ok(Json(OfficerActs { total, from: from.to_string(), items }))
}

/// Whose certificate it is, if the caller may suspend it.
async fn holder(desk: &Desk, caller: &Caller, certificate_no: &str) -> Result<String, Problem> {
    let agencies = desk.acts.names.agencies().await?;
    let mut args: Vec<Value> = Vec::new();
    let filter = in_scope(caller, &agencies, &mut args);
    args.push(certificate_no.into());
    let sql = format!(
        "SELECT o.id FROM officer o JOIN officer_certificate c ON c.officer_id = o.id \
         WHERE c.certificate_no = ${} AND c.status = 'in_use'{filter}",
        args.len()
    );
    let row = desk.registry.db.fetch_optional(&sql, &args).await?;
    Ok(row.ok_or_else(Problem::not_found)?.text("id")?)
}

async fn suspend(
    State(desk): State<Desk>,
    caller: Caller,
    PathOf(certificate_no): PathOf<String>,
    input: Input<SuspendRequest>,
) -> Answer<Json<OfficerFile>> {
    let officer = holder(&desk, &caller, &certificate_no).await?;
    let SuspendRequest { reason, until } = input.value;
    let act = caller.act(format!("officer:{officer}")).because(reason.trim());
    let mut tx = desk.registry.db.begin(Lane::People, act).await?;
    suspensions::suspend(&mut tx, &certificate_no, &reason, until.as_deref()).await?;
    tx.commit().await?;
    Ok(Json(file(&desk, &caller, &officer).await?))
}

async fn restore(
    State(desk): State<Desk>,
    caller: Caller,
    PathOf(certificate_no): PathOf<String>,
    input: Input<RestoreRequest>,
) -> Answer<Json<OfficerFile>> {
    let officer = holder(&desk, &caller, &certificate_no).await?;
    let reason = input.value.reason;
    let act = caller.act(format!("officer:{officer}")).because(reason.trim());
    let mut tx = desk.registry.db.begin(Lane::People, act).await?;
    suspensions::lift(&mut tx, &certificate_no, &reason).await?;
    tx.commit().await?;
    Ok(Json(file(&desk, &caller, &officer).await?))
}
