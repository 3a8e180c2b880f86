//! The rows behind a figure: as many as it says, the newest first, each with the way to its record.

use mj_facts::{At, Columns, RowId};
use mj_kernel::clock::to_rfc3339;
use mj_kernel::{DataLevel, Scope};
use mj_platform::keys;
use mj_registry::show;
use mj_standard::{ColumnType, Standard, Table};
use mj_web::Mask;
use rustc_hash::FxHashMap;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Evaluation;
use crate::error::{Error, Result};
use crate::house::Reason;
use crate::measure::{NO_TABLE, Of, Part, Unit};
use crate::overview::text_of;
use crate::world::{Record, Sieve, Word, World};

/// One row behind a figure.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = EvaluationRow)]
pub struct RowView {
    /// record、refused、item、officer、account、owed、agency、table、work_item
    pub kind: String,
    pub title: String,
    /// 补充说明：错误原因、事项名称等
    pub note: Option<String>,
    /// 机构的统一社会信用代码
    pub agency: Option<String>,
    pub agency_name: Option<String>,
    pub area_name: Option<String>,
    pub table: Option<String>,
    pub table_title: Option<String>,
    pub source_name: Option<String>,
    /// 业务发生日
    pub event_date: Option<String>,
    /// 到达时间
    pub received_at: Option<String>,
    /// 归期所依据的日子
    pub day: Option<String>,
    /// 这一行在这个数里计多少
    pub weight: i64,
    /// 是否计入分子
    pub counted: bool,
    /// 打开它用的编号：记录号、批次号、待办号等，依 kind
    pub id: Option<String>,
    /// 错误数据在批次中的行号
    pub row: Option<i64>,
    /// 查看该事项行为用的主项编码，或该数据源、机构的编码
    pub code: Option<String>,
}

/// Columns that say what a row is, the most telling first.
const TITLES: [&str; 12] = [
    "check_action_name",
    "punish_action_name",
    "force_action_name",
    "action_name",
    "ent_name",
    "shop_name",
    "org_name",
    "item_name",
    "subitem_name",
    "inventory_name",
    "plan_name",
    "name",
];

impl Evaluation {
    /// Some of the units behind a figure, made readable.
    pub(crate) async fn show_units(
        &self,
        world: &World,
        units: &[Unit],
        part: Part,
        mask: Mask,
    ) -> Result<Vec<RowView>> {
        let titles = self.record_titles(world, units, mask).await?;
        let reasons = self.reasons(world, units).await?;
        Ok(units
            .iter()
            .map(|unit| {
                let mut view = blank(world, unit, part);
                match unit.of {
                    Of::Record { table, at } => {
                        let record = &world.records[usize::from(table)].rows[at as usize];
                        fill_record(&mut view, world, record);
                        view.title = titles.get(&(table, record.row)).cloned().unwrap_or_default();
                    }
                    Of::Refused(at) => {
                        let row = &world.refused[at as usize];
                        let batch = &world.batches[row.batch as usize];
                        let reason = reasons.get(&at);
                        view.kind = "refused".into();
                        view.title = reason
                            .and_then(|reason| reason.title.clone())
                            .unwrap_or_else(|| format!("第 {} 行", row.row));
                        view.note = reason.map(|reason| reason.reason.clone());
                        view.received_at = Some(to_rfc3339(batch.received));
                        view.source_name = source_name(world, row.source);
                        view.id = Some(batch.id.to_string());
                        view.row = Some(row.row);
                    }
                    Of::Claim(at) => {
                        let claim = &world.claims[at as usize];
                        view.kind = "item".into();
                        let code = world.mains.text(claim.main);
                        view.title = match world.main_names.get(&claim.main) {
                            Some(name) => name.clone(),
                            None => code.to_owned(),
                        };
                        view.note = Some(code.to_owned());
                        view.code = Some(code.to_owned());
                    }
                    Of::Officer(at) => {
                        let officer = &world.officers[at as usize];
                        view.kind = "officer".into();
                        view.title = officer.name.clone();
                        view.note = Some(match text_of(unit.day) {
                            Some(day) if unit.day < i32::MAX => format!("执法证有效期至 {day}"),
                            _ => "没有执法证".into(),
                        });
                        view.id = Some(officer.id.clone());
                        view.code = Some(officer.register_no.clone());
                    }
                    Of::Account(at) => {
                        let account = &world.accounts[at as usize];
                        view.kind = "account".into();
                        view.title = account.name.clone();
                        view.code = Some(account.login.clone());
                    }
                    Of::Owed { source, .. } => {
                        view.kind = "owed".into();
                        view.title = view.table_title.clone().unwrap_or_default();
                        view.source_name = source_name(world, source);
                        view.note = Some(match text_of(unit.day) {
                            Some(day) => format!("最近一次有新数据：{day}"),
                            None => "从未报送".into(),
                        });
                        view.code = Some(world.sources.text(source).to_owned());
                    }
                    Of::Body(at) => {
                        let body = &world.bodies[at as usize];
                        view.kind = "agency".into();
                        view.title = body.name.clone();
                        view.id = Some(body.id.clone());
                        view.code = Some(world.agencies.text(body.agency).to_owned());
                    }
                    Of::Table(_) => {
                        view.kind = "table".into();
                        view.title = view.table_title.clone().unwrap_or_default();
                    }
                    Of::Waiting(at) => {
                        let item = &world.waiting[at as usize];
                        view.kind = "work_item".into();
                        view.title = item.title.clone();
                        view.note = Some(item.kind_title.clone());
                        view.id = Some(item.id.clone());
                    }
                }
                view
            })
            .collect())
    }

    async fn reasons(&self, world: &World, units: &[Unit]) -> Result<FxHashMap<u32, Reason>> {
        let mut numbers = Vec::new();
        let mut keys = Vec::new();
        for unit in units {
            if let Of::Refused(at) = unit.of {
                let row = &world.refused[at as usize];
                numbers.push(at);
                keys.push((world.batches[row.batch as usize].id.to_string(), row.row));
            }
        }
        if keys.is_empty() {
            return Ok(FxHashMap::default());
        }
        let reasons = self.parts().house.reasons(&keys).await?;
        Ok(numbers.into_iter().zip(reasons).collect())
    }

    /// What the records are called, as far as the caller may see it.
    async fn record_titles(
        &self,
        world: &World,
        units: &[Unit],
        mask: Mask,
    ) -> Result<FxHashMap<(u16, i64), String>> {
        let mut by_table: FxHashMap<u16, Vec<RowId>> = FxHashMap::default();
        for unit in units {
            if let Of::Record { table, at } = unit.of {
                let row = world.records[usize::from(table)].rows[at as usize].row;
                by_table.entry(table).or_default().push(RowId(row));
            }
        }
        let mut titles = FxHashMap::default();
        for (table, rows) in by_table {
            let name = &world.tables[usize::from(table)].name;
            let Some(standard) = Standard::v1().table(name) else { continue };
            for (row, fields) in self.fields(name, &rows, titles_in(standard), mask).await? {
                titles.insert((table, row), title_of(standard, &fields));
            }
        }
        Ok(titles)
    }

    /// All values of some rows, shown as far as `mask` allows. Whoever calls has decided that the rows
    /// may be seen at all.
    async fn fields(
        &self,
        table: &str,
        rows: &[RowId],
        wanted: impl Fn(&str) -> bool,
        mask: Mask,
    ) -> Result<Vec<(i64, Fields)>> {
        let parts = self.parts();
        let spec = parts.specs.iter().find(|spec| spec.name == table);
        let (Some(spec), Some(standard)) = (spec, Standard::v1().table(table)) else {
            return Ok(Vec::new());
        };
        let snapshot = parts.facts.snapshot(spec, At::Latest).await?;
        let rows = rows.to_vec();
        let columns: Vec<usize> =
            (0..spec.columns.len()).filter(|at| wanted(&spec.columns[*at].name)).collect();
        let read = columns.clone();
        let found = tokio::task::spawn_blocking(move || {
            let everything = Scope::everything(DataLevel::Personal);
            snapshot.fetch(&rows, Columns::Only(&read), &everything)
        })
        .await
        .map_err(Error::thread)??;
        let mut shown = Vec::with_capacity(found.len());
        for row in found {
            let mut fields = Vec::new();
            for (column, value) in columns.iter().map(|at| &spec.columns[*at]).zip(&row.values) {
                let Some(value) = value else { continue };
                let known = standard.column(&column.name);
                let one =
                    show::shown(&parts.keys, &parts.db, &column.name, known, value, mask).await?;
                fields.push(Field {
                    name: column.name.clone(),
                    title: known.map_or_else(|| column.name.clone(), |known| known.title.clone()),
                    masked: one.masked,
                    sealed: keys::is_sealed(value),
                    value: one.value,
                });
            }
            shown.push((row.row.0, fields));
        }
        Ok(shown)
    }

    /// One record in full, if it lies where the caller may look.
    pub(crate) async fn record(
        &self,
        world: &World,
        sieve: &Sieve,
        table: &str,
        row: i64,
        mask: Mask,
    ) -> Result<(RowView, Vec<Field>)> {
        let number = world.table(table).ok_or(Error::UnknownRecord)?;
        let table_rows = &world.records[usize::from(number)];
        let rows = &table_rows.rows;
        let at = rows.iter().position(|record| record.row == row);
        let at = at.filter(|at| sieve.sees_record(table_rows, &rows[*at]));
        let record = &rows[at.ok_or(Error::UnknownRecord)?];
        let found = self.fields(table, &[RowId(row)], |_| true, mask).await?;
        let (_, fields) = found.into_iter().next().ok_or(Error::UnknownRecord)?;
        let unit = Unit {
            num: 1,
            den: 0,
            area: record.area,
            agency: record.agency,
            table: number,
            day: record.received,
            of: Of::Record { table: number, at: at.unwrap_or(0) as u32 },
        };
        let mut view = blank(world, &unit, Part::Numerator);
        fill_record(&mut view, world, record);
        if let Some(standard) = Standard::v1().table(table) {
            view.title = title_of(standard, &fields);
        }
        let batch = world.batches[record.batch as usize].id.to_string();
        view.code = Some(batch);
        Ok((view, fields))
    }
}

type Fields = Vec<Field>;

/// A titled value of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub name: String,
    pub title: String,
    pub value: Option<String>,
    pub masked: bool,
    sealed: bool,
}

/// The columns that [`title_of`] looks at.
fn titles_in(table: &Table) -> impl Fn(&str) -> bool {
    move |column| {
        TITLES.contains(&column)
            || table
                .column(column)
                .is_some_and(|known| !known.envelope && known.ty == ColumnType::Name)
    }
}

fn title_of(table: &Table, fields: &[Field]) -> String {
    let by_name = |name: &str| fields.iter().find(|field| field.name == name);
    let named = TITLES.iter().find_map(|name| by_name(name));
    let first_name = || {
        let names = table.columns.iter().filter(|column| !column.envelope);
        let mut names = names.filter(|column| column.ty == ColumnType::Name);
        names.find_map(|column| by_name(&column.name))
    };
    let field = named.or_else(first_name);
    // nothing but asterisks says nothing
    let text = field.and_then(|field| field.value.clone());
    text.filter(|text| !text.chars().all(|c| c == '*')).unwrap_or_else(|| match field {
        Some(field) if field.sealed || field.masked => {
            format!("{}（名称含个人信息，已遮挡）", table.title)
        }
        _ => table.title.clone(),
    })
}

fn source_name(world: &World, source: Word) -> Option<String> {
    let sender = world.sender(source).map(|sender| sender.name.clone());
    sender.or_else(|| (source != 0).then(|| world.sources.text(source).to_owned()))
}

fn fill_record(view: &mut RowView, world: &World, record: &Record) {
    let batch = &world.batches[record.batch as usize];
    view.kind = "record".into();
    view.event_date = text_of(record.event);
    view.received_at = Some(to_rfc3339(batch.received));
    view.source_name = source_name(world, record.source);
    view.id = Some(record.row.to_string());
}

fn blank(world: &World, unit: &Unit, part: Part) -> RowView {
    let table = (unit.table != NO_TABLE).then(|| &world.tables[usize::from(unit.table)]);
    let area = world.areas.text(unit.area);
    RowView {
        kind: String::new(),
        title: String::new(),
        note: None,
        agency: (unit.agency != 0).then(|| world.agencies.text(unit.agency).to_owned()),
        agency_name: (unit.agency != 0).then(|| {
            let code = world.agencies.text(unit.agency);
            world.body_name(unit.agency).unwrap_or(code).to_owned()
        }),
        area_name: (!area.is_empty())
            .then(|| show::area_short_name(area).map_or_else(|| area.to_owned(), str::to_owned)),
        table: table.map(|table| table.name.clone()),
        table_title: table.map(|table| table.title.clone()),
        source_name: None,
        event_date: None,
        received_at: None,
        day: text_of(unit.day),
        weight: part.weight(unit),
        counted: unit.num > 0,
        id: None,
        row: None,
        code: None,
    }
}
