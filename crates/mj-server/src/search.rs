//! Looking for anything at all: one question to every domain, each answering only what the caller may
//! see under that domain's own action. Out of scope looks exactly like not there. It lives here
//! because nobody else knows everyone.

use axum::Json;
use axum::extract::State;
use mj_access::{Access, AccountFilter, AgencyFilter};
use mj_catalog::Catalog;
use mj_datahub::Datahub;
use mj_kernel::Page;
use mj_registry::{Acts, Registry};
use mj_web::{Action, Answer, Caller, Module, Problem, Query, get};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub const SEARCH_READ: Action = Action::new("search.read", "全局搜索");

/// Hits of a kind.
const MOST: u32 = 6;
/// Longer than anybody types.
const LONGEST: usize = 100;

/// Everybody who can be asked.
#[derive(Clone)]
pub struct Everything {
    pub access: Access,
    pub catalog: Catalog,
    pub registry: Registry,
    pub acts: Acts,
    pub datahub: Datahub,
}

pub fn module(everything: Everything) -> Module {
    let routes = vec![
        get(SEARCH_READ, "/api/v1/search", search)
            .summary("在当前用户看得到的一切里查找")
            .description("监管对象、执法人员、部门、账号、批次、监管事项、数据来源、数据表和字段")
            .query::<SearchQuery>()
            .ok::<SearchAnswer>(),
    ];
    Module::new("search", "全局搜索").routes(everything, routes)
}

#[derive(Debug, Deserialize, IntoParams)]
struct SearchQuery {
    /// 要找的内容；只看前 100 个字
    q: String,
}

/// Something found, or opened before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Hit {
    /// party、officer、agency、account、batch、item、source、table、field 或 list
    pub kind: String,
    pub id: String,
    pub title: String,
    /// 帮助辨认的一句话
    pub note: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
struct HitGroup {
    kind: String,
    title: String,
    items: Vec<Hit>,
    /// 还有没列出的
    more: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
struct SearchAnswer {
    /// 实际查找的内容
    q: String,
    groups: Vec<HitGroup>,
}

async fn search(
    State(everything): State<Everything>,
    caller: Caller,
    Query(query): Query<SearchQuery>,
) -> Answer<Json<SearchAnswer>> {
    let q = tidy(&query.q);
    let groups = if q.is_empty() { Vec::new() } else { everything.find(&caller, &q).await? };
    Ok(Json(SearchAnswer { q, groups }))
}

/// One line without control characters, no longer than anybody types.
fn tidy(q: &str) -> String {
    let plain: String = q.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    plain.trim().to_owned()
}

fn joined(parts: &[Option<&str>]) -> String {
    let filled: Vec<&str> =
        parts.iter().flatten().copied().filter(|part| !part.is_empty()).collect();
    filled.join(" · ")
}

fn hit(kind: &str, id: impl Into<String>, title: impl Into<String>, note: String) -> Hit {
    Hit { kind: kind.to_owned(), id: id.into(), title: title.into(), note }
}

/// The group, unless nothing was found; one more than shown tells that there is more.
fn group(kind: &str, title: &str, mut items: Vec<Hit>) -> Option<HitGroup> {
    if items.is_empty() {
        return None;
    }
    let more = items.len() > MOST as usize;
    items.truncate(MOST as usize);
    Some(HitGroup { kind: kind.to_owned(), title: title.to_owned(), items, more })
}

type Found = Result<Vec<Hit>, Problem>;

impl Everything {
    async fn find(&self, caller: &Caller, q: &str) -> Result<Vec<HitGroup>, Problem> {
        let (parties, officers, agencies, accounts, batches, items, sources) = tokio::join!(
            self.parties(caller, q),
            self.officers(caller, q),
            self.agencies(caller, q),
            self.accounts(caller, q),
            self.batches(caller, q),
            self.items(caller, q),
            self.sources(caller, q),
        );
        let groups = [
            group("party", "监管对象", parties?),
            group("officer", "执法人员", officers?),
            group("agency", "部门", agencies?),
            group("account", "账号", accounts?),
            group("item", "监管事项", items?),
            group("batch", "数据批次", batches?),
            group("source", "数据来源", sources?),
            group("field", "数据标准", self.standard(caller, q)),
        ];
        Ok(groups.into_iter().flatten().collect())
    }

    async fn parties(&self, caller: &Caller, q: &str) -> Found {
        let Some(caller) = caller.asking(&mj_registry::PARTY_READ) else { return Ok(Vec::new()) };
        let found = self.registry.find_parties(&caller, q, MOST + 1).await?;
        Ok(found.into_iter().map(party).collect())
    }

    async fn officers(&self, caller: &Caller, q: &str) -> Found {
        let Some(caller) = caller.asking(&mj_registry::OFFICER_READ) else { return Ok(Vec::new()) };
        let found = self.registry.find_officers(&self.acts, &caller, q, MOST + 1).await?;
        Ok(found.into_iter().map(officer).collect())
    }

    async fn agencies(&self, caller: &Caller, q: &str) -> Found {
        if caller.asking(&mj_access::AGENCY_READ).is_none() {
            return Ok(Vec::new());
        }
        let filter = AgencyFilter { q: Some(q), ..AgencyFilter::default() };
        let page = Page { limit: Some(MOST + 1), cursor: None };
        let found = mj_access::agencies(self.access.db(), &filter, &page).await?;
        Ok(found.items.into_iter().map(agency).collect())
    }

    async fn accounts(&self, caller: &Caller, q: &str) -> Found {
        if caller.asking(&mj_access::ACCOUNT_READ).is_none() {
            return Ok(Vec::new());
        }
        let filter = AccountFilter { q: Some(q), ..AccountFilter::default() };
        let page = Page { limit: Some(MOST + 1), cursor: None };
        let found = mj_access::accounts(self.access.db(), &filter, &page).await?;
        let people = found.items.into_iter();
        Ok(people
            .filter(|account| account.class != mj_access::AccountClass::Source)
            .map(account)
            .collect())
    }

    async fn batches(&self, caller: &Caller, q: &str) -> Found {
        let Some(caller) = caller.asking(&mj_datahub::BATCH_READ) else { return Ok(Vec::new()) };
        // one letter stands in every batch number
        if q.chars().count() < 2 {
            return Ok(Vec::new());
        }
        let found = self.datahub.find_batches(&caller, q, MOST + 1).await?;
        Ok(found.into_iter().map(batch).collect())
    }

    async fn items(&self, caller: &Caller, q: &str) -> Found {
        let Some(caller) = caller.asking(&mj_catalog::ITEM_READ) else { return Ok(Vec::new()) };
        let found = self.catalog.find_items(&caller, q, MOST + 1).await?;
        Ok(found.into_iter().map(item).collect())
    }

    async fn sources(&self, caller: &Caller, q: &str) -> Found {
        let Some(caller) = caller.asking(&mj_datahub::SOURCE_READ) else { return Ok(Vec::new()) };
        let found = self.datahub.find_sources(&caller, q, MOST as usize + 1).await?;
        Ok(found.into_iter().map(source).collect())
    }

    /// Tables by their name, then fields, then code lists.
    fn standard(&self, caller: &Caller, q: &str) -> Vec<Hit> {
        if caller.asking(&mj_datahub::TABLE_READ).is_none() {
            return Vec::new();
        }
        let standard = mj_standard::Standard::v1();
        let needle = q.to_lowercase();
        let tables = standard.tables().iter().filter(|table| {
            table.title.to_lowercase().contains(&needle) || table.name.contains(&needle)
        });
        let mut hits: Vec<Hit> = tables.map(table).collect();
        let found = self.datahub.find_in_standard(q, MOST as usize + 1);
        hits.extend(found.fields.into_iter().map(|field| {
            let id = format!("{}/{}", field.table, field.name);
            hit("field", id, &field.title, joined(&[Some(&field.table_title), Some(&field.name)]))
        }));
        hits.extend(found.lists.into_iter().map(|list| {
            let value = list.code_title.map(|title| format!("取值：{title}"));
            hit("list", list.list, &list.title, joined(&[Some("代码表"), value.as_deref()]))
        }));
        hits
    }

    /// What an id stands for today, for who may see it; `None` is out of scope, gone, or never was.
    pub async fn one(&self, caller: &Caller, kind: &str, id: &str) -> Result<Option<Hit>, Problem> {
        let action = match kind {
            "party" => mj_registry::PARTY_READ,
            "officer" => mj_registry::OFFICER_READ,
            "agency" => mj_access::AGENCY_READ,
            "account" => mj_access::ACCOUNT_READ,
            "batch" => mj_datahub::BATCH_READ,
            "item" => mj_catalog::ITEM_READ,
            "source" => mj_datahub::SOURCE_READ,
            "table" => mj_datahub::TABLE_READ,
            _ => return Ok(None),
        };
        let Some(caller) = caller.asking(&action) else { return Ok(None) };
        Ok(match kind {
            "party" => self.registry.party_brief(&caller, id).await?.map(party),
            "officer" => self.registry.officer_brief(&self.acts, &caller, id).await?.map(officer),
            "agency" => mj_access::agency_by_uscc(self.access.db(), id).await?.map(agency),
            "account" => mj_access::account_by_id(self.access.db(), id).await?.map(account),
            "batch" => self.datahub.batch_brief(&caller, id).await?.map(batch),
            "item" => self.catalog.item_brief(&caller, id).await.map_err(Problem::from)?.map(item),
            "source" => self.datahub.source_brief(&caller, id).await?.map(source),
            _ => mj_standard::Standard::v1().table(id).map(table),
        })
    }
}

fn party(one: mj_registry::PartyBrief) -> Hit {
    let note = joined(&[Some(&one.kind_title), one.code.as_deref(), one.area_name.as_deref()]);
    hit("party", one.id, one.name, note)
}

fn officer(one: mj_registry::OfficerView) -> Hit {
    let number = one.certificates.first().map(|own| own.certificate_no.as_str());
    let note = joined(&[one.org_full_name.as_deref(), number, Some(&one.standing_title)]);
    hit("officer", one.id, one.name, note)
}

fn agency(one: mj_access::Agency) -> Hit {
    let area = mj_standard::register::divisions().full_name(&one.area_number);
    let note = joined(&[area.as_deref(), Some(&one.uscc)]);
    hit("agency", one.uscc, one.name, note)
}

fn account(one: mj_access::Account) -> Hit {
    let state = (one.state == mj_access::AccountState::Disabled).then_some("已停用");
    let note = joined(&[Some(&one.login), state]);
    hit("account", one.id, one.name, note)
}

fn batch(one: mj_datahub::BatchBrief) -> Hit {
    let note = joined(&[Some(&one.source_name), Some(&one.cd_batch), one.received_at.get(..10)]);
    hit("batch", one.id, one.table_title, note)
}

fn item(one: mj_catalog::ItemView) -> Hit {
    let note = joined(&[Some(&one.item_code), one.line_name.as_deref(), Some(&one.state_title)]);
    hit("item", one.item_code, one.name, note)
}

fn source(one: mj_datahub::Source) -> Hit {
    let note = joined(&[Some(&one.cd_source), one.agency_name.as_deref()]);
    hit("source", one.cd_source, one.name, note)
}

fn table(one: &mj_standard::Table) -> Hit {
    let note = format!("{} · 数据表 · {} 个字段", one.name, one.columns.len());
    hit("table", &one.name, &one.title, note)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_for_is_one_short_line() {
        assert_eq!(tidy("  鲁南\n化工\u{0} "), "鲁南化工");
        assert_eq!(tidy(&"长".repeat(10_000)).chars().count(), LONGEST);
        assert_eq!(tidy("🦊%_'\""), "🦊%_'\"");
    }
}
