//! Evaluation over HTTP: the page's figures, the rows behind each, one record, the rule table. All in the
//! caller's scope, whatever was asked for.

mod shapes;

use std::ops::Range;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use mj_kernel::Scope;
use mj_kernel::clock::to_rfc3339;
use mj_platform::jobs::JobHandler;
use mj_platform::outbox::EventHandler;
use mj_web::{
    Action, Answer, Caller, Column, Export, ExportRequest, Input, Module, PathOf, Query, get, post,
};

use crate::digest::WEEKLY_DIGEST_JOB;
use crate::error::{Error, Result};
use crate::measure::{Part, Walk};
use crate::overview::{Desk, area_name, level_of};
use crate::period::Period;
use crate::rollup::Rollup;
use crate::rows::RowView;
use crate::rule::Indicator;
use crate::service::{Evaluation, Seen};
use crate::world::{Sieve, UNSAID, Wanted, World};
use shapes::*;

pub const FIGURE_READ: Action = Action::new("evaluation.figure.read", "查看工作指标");
pub const ROW_READ: Action = Action::new("evaluation.row.read", "查看指标背后的数据");
/// Rows shown at a time while a file is made.
const EXPORTED_AT_A_TIME: usize = 2_000;

pub const DIGEST_READ: Action = Action::new("evaluation.digest.read", "阅办每周简报");

/// What evaluation brings to the house.
pub fn module(evaluation: Evaluation) -> Module {
    let job = {
        let own = evaluation.clone();
        JobHandler::new(WEEKLY_DIGEST_JOB, move |context| {
            let own = own.clone();
            async move { own.run_digest(&context.payload).await.map_err(Into::into) }
        })
    };
    let event = {
        let own = evaluation.clone();
        EventHandler::new("evaluation", move |event| {
            let own = own.clone();
            async move {
                // made ready before somebody asks; not waited for, events must flow on. Where nobody ever
                // asked (a process that imports one file and ends) there is nothing to renew
                if matches!(event, mj_kernel::Event::BatchSettled { .. }) && own.has_picture() {
                    tokio::spawn(async move {
                        if let Err(error) = own.renew(false).await {
                            tracing::warn!(error = %error, "评价数据未能更新，查询时再试");
                        }
                    });
                }
                Ok(())
            }
        })
    };
    Module::new("evaluation", "评价").job(job).event(event).routes(
        evaluation,
        vec![
            get(FIGURE_READ, "/api/v1/evaluation/overview", overview)
                .summary("领导一页：指标、排名、各区划、趋势、需要注意的事")
                .query::<FigureQuery>()
                .ok::<Overview>(),
            get(FIGURE_READ, "/api/v1/evaluation/indicators", indicators)
                .summary("指标的公式、出处与起用日期")
                .ok::<IndicatorList>(),
            get(ROW_READ, "/api/v1/evaluation/indicators/{id}/rows", rows)
                .summary("一个数背后的每一行，行数与数相等")
                .query::<RowQuery>()
                .ok::<Rows>(),
            post(ROW_READ, "/api/v1/evaluation/indicators/{id}/rows/export", export_rows)
                .summary("导出一个数背后的行：与所见一致的筛选和列")
                .body::<ExportRequest>()
                .binary("text/csv"),
            get(ROW_READ, "/api/v1/evaluation/records/{table}/{row}", record)
                .summary("一条记录的各项内容")
                .ok::<RecordView>(),
            post(DIGEST_READ, "/api/v1/evaluation/digests/{id}/read", read_digest)
                .summary("标记一期简报为已阅")
                .body::<ReadDigest>()
                .no_content(),
        ],
    )
}

fn period(evaluation: &Evaluation, query: &FigureQuery) -> Result<Period> {
    match (&query.from, &query.to) {
        (Some(from), Some(to)) => Period::between(from, to),
        (None, None) => {
            Period::named(query.period.as_deref().unwrap_or("year"), evaluation.today())
        }
        _ => Err(Error::Request("from 与 to 要一起给出".into())),
    }
}

fn is_area(code: &str) -> bool {
    (code.len() == 6 || code.len() == 9) && code.bytes().all(|byte| byte.is_ascii_digit())
}

fn wanted(caller: &Caller, query: &FigureQuery) -> Result<Wanted> {
    let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    if some(&query.area).is_some_and(|area| area != UNSAID && !is_area(&area)) {
        return Err(Error::Request("area 应为 6 位或 9 位行政区划代码".into()));
    }
    Ok(Wanted {
        scopes: caller.scopes.clone(),
        area: some(&query.area),
        own_only: query.own.unwrap_or(false),
        agency: some(&query.agency),
        table: some(&query.table),
        source: some(&query.source),
        main: some(&query.main),
    })
}

/// The area a page is about when none is asked for: the one the caller's grants share.
fn own_area(scopes: &[Scope]) -> String {
    let mut areas = scopes.iter().flat_map(|scope| &scope.areas);
    let first = areas.next().cloned().unwrap_or_else(|| "000000".into());
    if areas.all(|area| *area == first) { first } else { "000000".into() }
}

async fn overview(
    State(evaluation): State<Evaluation>,
    caller: Caller,
    Query(query): Query<FigureQuery>,
) -> Answer<Json<Overview>> {
    let period = period(&evaluation, &query)?;
    let wanted = wanted(&caller, &query)?;
    let Seen { world, is_stale } = evaluation.seen().await?;
    let mend_before = evaluation.mend_before(&world)?;
    let named = wanted.area.clone().filter(|area| area != UNSAID);
    let area = named.unwrap_or_else(|| own_area(&wanted.scopes));
    let own = evaluation.clone();
    let answer = tokio::task::spawn_blocking(move || {
        let sieve = Sieve::new(&world, &wanted);
        let desk = Desk {
            world: &world,
            indicators: own.rules().on(period.to).collect(),
            sieve: &sieve,
            period,
            mend_before,
        };
        let before = period.previous();
        let titles = desk.act_tables();
        Overview {
            as_of: to_rfc3339(world.as_of),
            is_stale,
            rules_version: own.rules().version.clone(),
            period: PeriodView::new(&period),
            previous: PeriodView::new(&before),
            area_name: match area.as_str() {
                "000000" => "全部范围".into(),
                code => mj_standard::register::divisions()
                    .full_name(code)
                    .unwrap_or_else(|| area_name(code, "")),
            },
            level: level_of(&area).into(),
            figures: desk.figures(),
            agencies: desk.agencies(),
            areas: desk.areas(&area),
            tables: desk.tables(),
            act_tables: titles
                .iter()
                .map(|at| world.tables[usize::from(*at)].title.clone())
                .collect(),
            months: desk.months(),
            attention: desk.attention(),
            area,
        }
    })
    .await
    .map_err(Error::thread)?;
    Ok(Json(answer))
}

async fn indicators(
    State(evaluation): State<Evaluation>,
    _caller: Caller,
) -> Answer<Json<IndicatorList>> {
    let rules = evaluation.rules();
    let items = rules.on(evaluation.today()).map(IndicatorView::new).collect();
    Ok(Json(IndicatorList { version: rules.version.clone(), items }))
}

async fn rows(
    State(evaluation): State<Evaluation>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    Query(query): Query<RowQuery>,
) -> Answer<Json<Rows>> {
    let seen = evaluation.seen().await?;
    let limit = mj_kernel::Page { limit: query.limit, cursor: None }.limit() as usize;
    let skip: usize = match query.cursor.as_deref() {
        None | Some("") => 0,
        Some(cursor) => {
            cursor.parse().map_err(|_| Error::Request("翻页标记无法识别，请从第一页看起".into()))?
        }
    };
    let Behind { indicator, part, period, count, sum, items } =
        behind(&evaluation, &caller, &id, &query, &seen.world, skip..skip + limit).await?;
    let shown = skip + items.len();
    Ok(Json(Rows {
        as_of: to_rfc3339(seen.world.as_of),
        is_stale: seen.is_stale,
        indicator: IndicatorView::new(&indicator),
        part: part.name().into(),
        period: PeriodView::new(&period),
        total: count as i64,
        sum,
        items,
        next_cursor: (shown < count).then(|| shown.to_string()),
    }))
}

/// The rows behind one side of a figure, some of them shown.
struct Behind {
    indicator: Indicator,
    part: Part,
    period: Period,
    count: usize,
    sum: i64,
    items: Vec<RowView>,
}

async fn behind(
    evaluation: &Evaluation,
    caller: &Caller,
    id: &str,
    query: &RowQuery,
    world: &Arc<World>,
    shown: Range<usize>,
) -> Result<Behind> {
    let part = Part::parse(query.part.as_deref().unwrap_or("numerator"))
        .ok_or_else(|| Error::Request("part 应为 numerator、denominator 或 gap".into()))?;
    let filters = query.filters();
    let period = period(evaluation, &filters)?;
    let indicator = evaluation.rules().find(id, period.to)?.clone();
    let wanted = wanted(caller, &filters)?;
    let mend_before = evaluation.mend_before(world)?;
    let (picture, one) = (world.clone(), indicator.clone());
    let (count, sum, units) = tokio::task::spawn_blocking(move || {
        let sieve = Sieve::new(&picture, &wanted);
        let days = period.days();
        let walk = Walk { world: &picture, indicator: &one, sieve: &sieve, days, mend_before };
        let rollup = Rollup { world: &picture, sieve: &sieve, mend_before };
        let page = rollup.rows(&one, days, part, shown.start, shown.len());
        page.unwrap_or_else(|| walk.rows(part, shown.start, shown.len()))
    })
    .await
    .map_err(Error::thread)?;
    let items = evaluation.show_units(world, &units, part, caller.mask).await?;
    Ok(Behind { indicator, part, period, count, sum, items })
}

/// The rows as a file: the same filters, the same columns, all of one state of the data.
async fn export_rows(
    State(evaluation): State<Evaluation>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<ExportRequest>,
) -> Answer<Response> {
    let query: RowQuery = input.value.query()?;
    let db = evaluation.db();
    let world = evaluation.seen().await?.world;
    let (list, title) = ("evaluation.rows", "指标明细");
    let mut file =
        Export::open(db, &caller, list, title, &COLUMNS, input.value.within("indicator", &id))?;
    let mut from = 0;
    loop {
        let to = from + EXPORTED_AT_A_TIME;
        let found = behind(&evaluation, &caller, &id, &query, &world, from..to).await?;
        for row in &found.items {
            file.push(row)?;
        }
        if to >= found.count {
            return file.finish(db, &caller).await;
        }
        from = to;
    }
}

/// The columns of the rows, by the names under which the workbench knows them.
static COLUMNS: [Column<RowView>; 10] = [
    Column { name: "row", title: "名称", cell: |one| Some(one.title.clone()) },
    Column { name: "note", title: "说明", cell: |one| one.note.clone() },
    Column { name: "source", title: "来源", cell: |one| one.source_name.clone() },
    Column { name: "table", title: "表", cell: |one| one.table_title.clone() },
    Column { name: "agency", title: "机构", cell: |one| one.agency_name.clone() },
    Column { name: "area", title: "区划", cell: |one| one.area_name.clone() },
    Column { name: "event", title: "发生日", cell: |one| one.event_date.clone() },
    Column { name: "received", title: "到达时间", cell: |one| one.received_at.clone() },
    Column { name: "weight", title: "计", cell: |one| Some(one.weight.to_string()) },
    Column {
        name: "counted",
        title: "计入分子",
        cell: |one| Some(if one.counted { "是" } else { "否" }.into()),
    },
];

async fn record(
    State(evaluation): State<Evaluation>,
    caller: Caller,
    PathOf((table, row)): PathOf<(String, i64)>,
) -> Answer<Json<RecordView>> {
    let Seen { world, .. } = evaluation.seen().await?;
    let wanted = Wanted { scopes: caller.scopes.clone(), ..Wanted::default() };
    let sieve = Sieve::new(&world, &wanted);
    let (row, fields) = evaluation.record(&world, &sieve, &table, row, caller.mask).await?;
    let fields = fields
        .into_iter()
        .map(|field| FieldView {
            name: field.name,
            title: field.title,
            value: field.value,
            masked: field.masked,
        })
        .collect();
    Ok(Json(RecordView { as_of: to_rfc3339(world.as_of), row, fields }))
}

async fn read_digest(
    State(evaluation): State<Evaluation>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<ReadDigest>,
) -> Answer<axum::http::StatusCode> {
    evaluation.read_digest(&caller, &id, input.value.version).await?;
    Ok(axum::http::StatusCode::NO_CONTENT)
}
