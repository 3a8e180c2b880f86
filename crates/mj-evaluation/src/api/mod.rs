//! Evaluation over HTTP: the page's figures, the rows behind each, one record, the rule table. All in the
//! caller's scope, whatever was asked for.

mod shapes;

use axum::Json;
use axum::extract::State;
use mj_kernel::Scope;
use mj_kernel::clock::to_rfc3339;
use mj_platform::jobs::JobHandler;
use mj_platform::outbox::EventHandler;
use mj_web::{Action, Answer, Caller, Input, Module, PathOf, Query, get, post};

use crate::digest::WEEKLY_DIGEST_JOB;
use crate::error::{Error, Result};
use crate::measure::{Part, Walk};
use crate::overview::{Desk, area_name, level_of};
use crate::period::Period;
use crate::rollup::Rollup;
use crate::service::{Evaluation, Seen};
use crate::world::{Sieve, UNSAID, Wanted};
use shapes::*;

pub const FIGURE_READ: Action = Action::new("evaluation.figure.read", "查看工作指标");
pub const ROW_READ: Action = Action::new("evaluation.row.read", "查看指标背后的数据");
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
                // made ready before somebody asks; not waited for, events must flow on
                if matches!(event, mj_kernel::Event::BatchSettled { .. }) {
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
    let part = Part::parse(query.part.as_deref().unwrap_or("numerator"))
        .ok_or_else(|| Error::Request("part 应为 numerator、denominator 或 gap".into()))?;
    let filters = query.filters();
    let period = period(&evaluation, &filters)?;
    let indicator = evaluation.rules().find(&id, period.to)?.clone();
    let wanted = wanted(&caller, &filters)?;
    let Seen { world, is_stale } = evaluation.seen().await?;
    let mend_before = evaluation.mend_before(&world)?;
    let limit = mj_kernel::Page { limit: query.limit, cursor: None }.limit() as usize;
    let skip: usize = match query.cursor.as_deref() {
        None | Some("") => 0,
        Some(cursor) => {
            cursor.parse().map_err(|_| Error::Request("翻页标记无法识别，请从第一页看起".into()))?
        }
    };
    let picture = world.clone();
    let one = indicator.clone();
    let (count, sum, units) = tokio::task::spawn_blocking(move || {
        let sieve = Sieve::new(&picture, &wanted);
        let days = period.days();
        let walk = Walk { world: &picture, indicator: &one, sieve: &sieve, days, mend_before };
        let rollup = Rollup { world: &picture, sieve: &sieve, mend_before };
        let page = rollup.rows(&one, days, part, skip, limit);
        page.unwrap_or_else(|| walk.rows(part, skip, limit))
    })
    .await
    .map_err(Error::thread)?;
    let shown = skip + units.len();
    let items = evaluation.show_units(&world, &units, part, caller.mask).await?;
    Ok(Json(Rows {
        as_of: to_rfc3339(world.as_of),
        is_stale,
        indicator: IndicatorView::new(&indicator),
        part: part.name().into(),
        period: PeriodView::new(&period),
        total: count as i64,
        sum,
        items,
        next_cursor: (shown < count).then(|| shown.to_string()),
    }))
}

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
