//! What crosses the wire.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::overview::{Attention, Figure, MonthActs, Standing, TableStanding};
use crate::period::Period;
use crate::rows::RowView;
use crate::rule::{DayOf, Indicator};

#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
pub struct FigureQuery {
    /// month 本月，quarter 本季，year 本年（缺省）
    pub period: Option<String>,
    /// 起日，与 to 一起给出时不看 period
    pub from: Option<String>,
    pub to: Option<String>,
    /// 行政区划代码：该区划及以下；none 为没有注明区划的
    pub area: Option<String>,
    /// true：只要这一级本身的，不含以下
    pub own: Option<bool>,
    /// 机构的统一社会信用代码；none 为没有注明机构的
    pub agency: Option<String>,
    /// 数据表
    pub table: Option<String>,
    /// 数据源
    pub source: Option<String>,
    /// 监管事项主项（8 位）：引用它的行为
    pub main: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
pub struct RowQuery {
    /// numerator 分子（缺省），denominator 分母，gap 分母中未计入分子的
    pub part: Option<String>,
    /// month 本月，quarter 本季，year 本年（缺省）
    pub period: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
    pub area: Option<String>,
    #[serde(default, deserialize_with = "yes_or_no")]
    pub own: Option<bool>,
    pub agency: Option<String>,
    pub table: Option<String>,
    pub source: Option<String>,
    pub main: Option<String>,
    pub limit: Option<u32>,
    pub cursor: Option<String>,
}

/// Filters of an export are texts, as in an address.
fn yes_or_no<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<bool>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
}

impl RowQuery {
    pub fn filters(&self) -> FigureQuery {
        let Self { period, from, to, area, own, agency, table, source, main, .. } = self.clone();
        FigureQuery { period, from, to, area, own, agency, table, source, main }
    }
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = EvaluationPeriod)]
pub struct PeriodView {
    /// month、quarter、year 或 range
    pub kind: String,
    pub title: String,
    pub from: String,
    pub to: String,
}

impl PeriodView {
    pub fn new(period: &Period) -> Self {
        Self {
            kind: period.kind.name().into(),
            title: period.title(),
            from: period.from.to_string(),
            to: period.to.to_string(),
        }
    }
}

/// The leader's page.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = EvaluationOverview)]
pub struct Overview {
    /// 数据截至
    pub as_of: String,
    /// 此后又有数据到达，正在更新
    pub is_stale: bool,
    pub rules_version: String,
    pub period: PeriodView,
    /// 与之比较的上一期
    pub previous: PeriodView,
    pub area: String,
    pub area_name: String,
    /// province、city、county、town
    pub level: String,
    pub figures: Vec<Figure>,
    pub agencies: Vec<Standing>,
    /// 下一级区划
    pub areas: Vec<Standing>,
    pub tables: Vec<TableStanding>,
    /// 行为表名，与 months.by_table 同序
    pub act_tables: Vec<String>,
    pub months: Vec<MonthActs>,
    pub attention: Attention,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = EvaluationIndicators)]
pub struct IndicatorList {
    pub version: String,
    pub items: Vec<IndicatorView>,
}

/// A row of the rule table.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = EvaluationIndicator)]
pub struct IndicatorView {
    pub id: String,
    pub name: String,
    pub unit: String,
    pub formula: String,
    pub numerator_is: String,
    pub denominator_is: Option<String>,
    pub gap_is: Option<String>,
    /// received、event 或 end
    pub day: String,
    pub tables: Vec<String>,
    pub source: String,
    pub confidence: String,
    pub confidence_title: String,
    pub valid_from: String,
    pub valid_to: Option<String>,
    pub target: Option<f64>,
    pub target_basis: Option<String>,
}

impl IndicatorView {
    pub fn new(one: &Indicator) -> Self {
        Self {
            id: one.id.clone(),
            name: one.name.clone(),
            unit: one.unit.name().into(),
            formula: one.formula.clone(),
            numerator_is: one.numerator.clone(),
            denominator_is: one.denominator.clone(),
            gap_is: one.gap.clone(),
            day: match one.day {
                DayOf::Received => "received",
                DayOf::Event => "event",
                DayOf::End => "end",
            }
            .into(),
            tables: one.tables.clone(),
            source: one.source.clone(),
            confidence: one.confidence.name().into(),
            confidence_title: one.confidence.title().into(),
            valid_from: one.valid_from.to_string(),
            valid_to: one.valid_to.map(|day| day.to_string()),
            target: one.target,
            target_basis: one.target_basis.clone(),
        }
    }
}

/// The rows behind one side of a figure.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = EvaluationRows)]
pub struct Rows {
    pub as_of: String,
    pub is_stale: bool,
    pub indicator: IndicatorView,
    pub part: String,
    pub period: PeriodView,
    /// 行数
    pub total: i64,
    /// 各行计数之和，就是这个数
    pub sum: i64,
    pub items: Vec<RowView>,
    pub next_cursor: Option<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = EvaluationRecord)]
pub struct RecordView {
    pub as_of: String,
    pub row: RowView,
    pub fields: Vec<FieldView>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = EvaluationField)]
pub struct FieldView {
    pub name: String,
    pub title: String,
    pub value: Option<String>,
    /// 值属于个人信息，已按权限遮挡
    pub masked: bool,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct ReadDigest {
    /// 依据的版本
    pub version: i64,
}
