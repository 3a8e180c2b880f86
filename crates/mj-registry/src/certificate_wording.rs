//! Which lines of items the wording of a certificate (执法类别) stands for: free text, of each agency its own,
//! mapped to lines on certain days, entered and ended by people. Until it is mapped, an officer opens no act upon
//! an item by it; the rule itself is the room of access's.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use mj_platform::{Act, DbRow, Lane, RowExt, TruthTable, Value, WriteTx, new_id};
use mj_web::{
    Action, Answer, Caller, Input, Once, PathOf, Problem, Resource, RouteOf, create, get, patch,
    replayed,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::acts::AgencyName;
use crate::api::Desk;
use crate::model::{ALWAYS, FOREVER};
use crate::officer_api::in_scope;
use crate::{Error, Registry, Result};

const WORDING_READ: Action = Action::new("registry.wording.read", "查看执法类别对应");
const WORDING_CREATE: Action = Action::new("registry.wording.create", "登记执法类别对应");
const WORDING_CHANGE: Action = Action::new("registry.wording.change", "结束执法类别对应");

pub const CERTIFICATE_WORDING: TruthTable = TruthTable {
    name: "certificate_wording",
    columns: &["id", "agency", "wording", "line", "valid_from", "valid_to"],
};

/// As long as the standard lets the column be.
const LONGEST: usize = 200;

pub fn routes() -> Vec<RouteOf<Desk>> {
    vec![
        get(WORDING_READ, "/api/v1/registry/certificate-wordings", list)
            .summary("执法证上的执法类别各对应哪些事项条线，以及覆盖了多少证件")
            .ok::<WordingList>(),
        create(WORDING_CREATE, "/api/v1/registry/certificate-wordings", enter)
            .summary("登记一个部门的一种执法类别对应的事项条线")
            .body::<NewWording>()
            .created::<WordingView>(),
        patch(WORDING_CHANGE, "/api/v1/registry/certificate-wordings/{id}", end)
            .summary("到某一天为止结束一条对应；与起始日相同表示录错、从未有效")
            .body::<WordingEnd>()
            .ok::<WordingView>(),
    ]
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWording {
    /// 部门的统一社会信用代码
    pub agency: String,
    /// 执法证上的执法类别，原样
    pub wording: String,
    /// 事项条线的 2 位代码，可以多条
    pub lines: Vec<String>,
    /// 从这一天起（不填：一直如此）
    #[schema(value_type = Option<String>)]
    pub valid_from: Option<NaiveDate>,
    /// 到这一天为止，不含当日（不填：长期）
    #[schema(value_type = Option<String>)]
    pub valid_to: Option<NaiveDate>,
    /// 依据什么登记
    pub reason: String,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WordingEnd {
    pub version: i64,
    /// 到这一天为止，不含当日；空：长期
    #[schema(value_type = Option<String>)]
    pub valid_to: Option<NaiveDate>,
    pub reason: String,
}

/// One line that a wording stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct WordingLine {
    pub id: String,
    pub version: i64,
    pub line: String,
    pub name: String,
    pub valid_from: String,
    /// 到这一天为止，不含当日；9999-12-31 为长期
    pub valid_to: String,
    /// 今天有效
    pub holds: bool,
}

/// One wording of one agency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct WordingView {
    /// 统一社会信用代码；与登记的部门不符时为空，不能登记对应
    pub agency: Option<String>,
    pub agency_name: String,
    /// 执法证上的执法类别；空表示证上没有写
    pub wording: Option<String>,
    /// 在用的证件数
    pub certificates: i64,
    /// 今天有对应的条线
    pub is_mapped: bool,
    pub lines: Vec<WordingLine>,
    /// 当前用户可以登记、结束对应
    pub may_change: bool,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WordingList {
    pub items: Vec<WordingView>,
    /// 在用的证件数
    pub certificates: i64,
    /// 其中执法类别今天有对应的
    pub mapped: i64,
    pub day: String,
}

fn line_name(code: &str) -> Option<String> {
    mj_standard::register::departments().get(code).map(|one| one.name.to_string())
}

async fn list(State(desk): State<Desk>, caller: Caller) -> Answer<Json<WordingList>> {
    let items = wordings(&desk, &caller).await?;
    let count = |only_mapped: bool| {
        items.iter().filter(|one| one.is_mapped || !only_mapped).map(|one| one.certificates).sum()
    };
    let (certificates, mapped) = (count(false), count(true));
    let day = desk.registry.db.clock().today().to_string();
    Ok(Json(WordingList { items, certificates, mapped, day }))
}

/// Those of certificates in use, and those that were mapped, within the caller's scope; not mapped ones first.
async fn wordings(desk: &Desk, caller: &Caller) -> Result<Vec<WordingView>> {
    let db = &desk.registry.db;
    let today = db.clock().today().to_string();
    let agencies = desk.acts.names.agencies().await?;
    let mut args: Vec<Value> = Vec::new();
    let filter = in_scope(caller, &agencies, &mut args);
    let sql = format!(
        "SELECT o.org_full_name AS org, c.law_type AS wording, COUNT(*) AS n \
         FROM officer_certificate c JOIN officer o ON o.id = c.officer_id \
         WHERE c.status = 'in_use'{filter} GROUP BY o.org_full_name, c.law_type"
    );
    let mut found: BTreeMap<(String, Option<String>), WordingView> = BTreeMap::new();
    for row in db.fetch_all(&sql, &args).await? {
        let org = row.opt_text("org")?.unwrap_or_default();
        let wording = row.opt_text("wording")?.map(|text| text.trim().to_owned());
        let wording = wording.filter(|text| !text.is_empty());
        let agency = agencies.iter().find(|one| one.name == org);
        let slot = found
            .entry((org, wording))
            .or_insert_with_key(|(org, wording)| blank(caller, agency, org, wording.as_deref()));
        slot.certificates += row.int("n")?;
    }
    let rows = db
        .fetch_all("SELECT * FROM certificate_wording ORDER BY line, valid_from, id", &[])
        .await?;
    for row in rows {
        let (code, wording) = (row.text("agency")?, row.text("wording")?);
        let Some(agency) = agencies.iter().find(|one| one.uscc == code) else { continue };
        if caller.require(&place(agency)).is_err() {
            continue;
        }
        let slot = found.entry((agency.name.clone(), Some(wording))).or_insert_with_key(
            |(org, wording)| blank(caller, Some(agency), org, wording.as_deref()),
        );
        let line = shown(&row, &today)?;
        slot.is_mapped |= line.holds;
        slot.lines.push(line);
    }
    let mut items: Vec<WordingView> = found.into_values().collect();
    items.sort_by_key(|one| one.is_mapped);
    Ok(items)
}

fn place(agency: &AgencyName) -> Resource {
    Resource::at(Some(&agency.area_number), Some(&agency.uscc))
}

fn blank(
    caller: &Caller,
    agency: Option<&AgencyName>,
    org: &str,
    wording: Option<&str>,
) -> WordingView {
    let may = |agency: &AgencyName| caller.would(&WORDING_CREATE, &place(agency)).is_ok();
    WordingView {
        agency: agency.map(|one| one.uscc.clone()),
        agency_name: org.to_owned(),
        wording: wording.map(str::to_owned),
        certificates: 0,
        is_mapped: false,
        lines: Vec::new(),
        may_change: wording.is_some() && agency.is_some_and(may),
    }
}

fn shown(row: &DbRow, today: &str) -> Result<WordingLine> {
    let (line, from, to) = (row.text("line")?, row.text("valid_from")?, row.text("valid_to")?);
    Ok(WordingLine {
        id: row.text("id")?,
        version: row.int("version")?,
        name: line_name(&line).unwrap_or_default(),
        holds: from.as_str() <= today && today < to.as_str(),
        line,
        valid_from: from,
        valid_to: to,
    })
}

/// One wording as the caller may see it.
async fn one(desk: &Desk, caller: &Caller, agency: &str, wording: &str) -> Answer<WordingView> {
    let all = wordings(desk, caller).await?;
    let found = all.into_iter().find(|one| {
        one.agency.as_deref() == Some(agency) && one.wording.as_deref() == Some(wording)
    });
    found.ok_or_else(Problem::not_found)
}

async fn enter(
    State(desk): State<Desk>,
    caller: Caller,
    input: Input<NewWording>,
) -> Answer<Response> {
    let NewWording { agency, wording, lines, valid_from, valid_to, reason } = input.value;
    let agencies = desk.acts.names.agencies().await?;
    let body = agencies.iter().find(|one| one.uscc == agency).ok_or_else(Problem::not_found)?;
    caller.require(&place(body))?;
    for line in &lines {
        caller.require(&place(body).of_item_line(line.as_str()))?;
    }
    let why = reason.trim();
    if why.is_empty() {
        return Err(Error::ReasonMissing.into());
    }
    let object = format!("certificate_wording:{agency}");
    let because = format!("“{}”对应 {}：{why}", wording.trim(), lines.join("、"));
    let mut tx = desk.registry.db.begin(Lane::People, caller.act(object).because(because)).await?;
    let first = match Once::claim(&mut tx, &caller, &input.digest).await? {
        Once::Replay(earlier) => {
            drop(tx);
            let view = one(&desk, &caller, &agency, wording.trim()).await?;
            return Ok(replayed(&earlier, Json(view)));
        }
        Once::First(first) => first,
    };
    let days = Days::of(valid_from, valid_to)?;
    let wording = write(&mut tx, &agency, &wording, &lines, &days).await?;
    first.keep(&mut tx, StatusCode::CREATED, &agency, 1).await?;
    tx.commit().await?;
    let view = one(&desk, &caller, &agency, &wording).await?;
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

async fn end(
    State(desk): State<Desk>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<WordingEnd>,
) -> Answer<Json<WordingView>> {
    let WordingEnd { version, valid_to, reason } = input.value;
    let sql = "SELECT * FROM certificate_wording WHERE id = $1";
    let row = desk.registry.db.fetch_optional(sql, &[id.as_str().into()]).await?;
    let row = row.ok_or_else(Problem::not_found)?;
    let (agency, wording, line) = (row.text("agency")?, row.text("wording")?, row.text("line")?);
    let agencies = desk.acts.names.agencies().await?;
    let body = agencies.iter().find(|one| one.uscc == agency).ok_or_else(Problem::not_found)?;
    caller.require(&place(body).of_item_line(line.as_str()))?;
    let why = reason.trim();
    if why.is_empty() {
        return Err(Error::ReasonMissing.into());
    }
    let from = row.text("valid_from")?;
    let to = valid_to.map_or_else(|| FOREVER.to_owned(), |day| day.to_string());
    if to < from {
        return Err(Error::WordingDays.into());
    }
    let because = format!("“{wording}”对应 {line} 到 {to} 为止：{why}");
    let act = caller.act(format!("certificate_wording:{agency}")).because(because);
    let mut tx = desk.registry.db.begin(Lane::People, act).await?;
    Days { from, to: to.clone() }.are_free(&mut tx, &agency, &wording, &line, &id).await?;
    let changes = [("valid_to", to.into())];
    match tx.update(&CERTIFICATE_WORDING, &id, Some(version), &changes).await {
        Ok(_) => tx.commit().await?,
        Err(stale @ mj_platform::Error::Stale { .. }) => {
            drop(tx);
            let newer = one(&desk, &caller, &agency, &wording).await?;
            return Err(Problem::from(stale).with_current(newer));
        }
        Err(error) => return Err(Error::from(error).into()),
    }
    Ok(Json(one(&desk, &caller, &agency, &wording).await?))
}

/// From one day up to, and without, another.
struct Days {
    from: String,
    to: String,
}

impl Days {
    fn of(from: Option<NaiveDate>, to: Option<NaiveDate>) -> Result<Self> {
        let from = from.map_or_else(|| ALWAYS.to_owned(), |day| day.to_string());
        let to = to.map_or_else(|| FOREVER.to_owned(), |day| day.to_string());
        if to <= from { Err(Error::WordingDays) } else { Ok(Self { from, to }) }
    }

    /// A line is said once on any day; `but` is the row itself.
    async fn are_free(
        &self,
        tx: &mut WriteTx,
        agency: &str,
        wording: &str,
        line: &str,
        but: &str,
    ) -> Result<()> {
        let taken = tx
            .fetch_optional(
                "SELECT id FROM certificate_wording WHERE agency = $1 AND wording = $2 \
                 AND line = $3 AND id <> $4 AND valid_from < $5 AND $6 < valid_to LIMIT 1",
                &[
                    agency.into(),
                    wording.into(),
                    line.into(),
                    but.into(),
                    self.to.as_str().into(),
                    self.from.as_str().into(),
                ],
            )
            .await?;
        match taken {
            Some(_) => Err(Error::WordingOverlaps(line.to_owned())),
            None => Ok(()),
        }
    }
}

/// The wording as it is kept.
async fn write(
    tx: &mut WriteTx,
    agency: &str,
    wording: &str,
    lines: &[String],
    days: &Days,
) -> Result<String> {
    let wording = wording.trim();
    if wording.is_empty() || wording.chars().count() > LONGEST {
        return Err(Error::Wording);
    }
    if lines.is_empty() {
        return Err(Error::WordingLine(None));
    }
    for line in lines {
        if line_name(line).is_none() {
            return Err(Error::WordingLine(Some(line.clone())));
        }
        days.are_free(tx, agency, wording, line, "").await?;
        let id = new_id();
        let values = [
            ("id", Value::from(id.as_str())),
            ("agency", agency.into()),
            ("wording", wording.into()),
            ("line", line.as_str().into()),
            ("valid_from", days.from.as_str().into()),
            ("valid_to", days.to.as_str().into()),
        ];
        tx.insert(&CERTIFICATE_WORDING, &values).await?;
    }
    Ok(wording.to_owned())
}

impl Registry {
    /// One line out of a file: what the page does, one at a time.
    pub async fn map_wording(
        &self,
        act: Act,
        agency: &str,
        wording: &str,
        line: &str,
        valid_from: Option<NaiveDate>,
        valid_to: Option<NaiveDate>,
    ) -> Result<()> {
        let days = Days::of(valid_from, valid_to)?;
        let mut tx = self.db.begin(Lane::People, act).await?;
        write(&mut tx, agency, wording, &[line.to_owned()], &days).await?;
        Ok(tx.commit().await?)
    }
}
