//! One function a use case: load, ask the state function, write the item and its step, tell.

use std::sync::LazyLock;

use chrono::NaiveDate;
use mj_kernel::{Actor, Event};
use mj_platform::calendar::{Calendar, DayUnit};
use mj_platform::rules::RuleTable;
use mj_platform::{Act, Lane, Value, WriteTx, new_id};

use crate::Flow;
use crate::error::{Error, Result};
use crate::state::{self, Kind, PARTY_PAIR, State, Verb};
use crate::store::{self, WORK_ITEM, WORK_ITEM_STEP, WorkItem};

/// How long people have, each term with its basis and the days it holds.
static TERMS: LazyLock<mj_platform::Result<RuleTable>> =
    LazyLock::new(|| RuleTable::parse(include_str!("../rules/terms.toml")));

/// The last day for an item of this kind that came on `today`, by the term in force then.
fn deadline(kind: &Kind, today: NaiveDate) -> Result<Option<NaiveDate>> {
    let terms = TERMS.as_ref().map_err(|error| mj_platform::Error::Config(error.to_string()))?;
    let Some(rule) = terms.on(kind.name, today) else { return Ok(None) };
    let days = rule
        .value
        .parse()
        .map_err(|_| mj_platform::Error::Config(format!("规则 {} 的期限不是工作日数", rule.id)))?;
    Ok(Some(Calendar::bundled().deadline(today, days, DayUnit::Working)))
}

/// A work item about to be made.
#[derive(Debug, Clone)]
pub struct NewWorkItem {
    pub kind: Kind,
    pub title: String,
    pub object_table: String,
    pub object_id: String,
    /// The same cause makes one item only, however often it is told.
    pub cause: String,
    pub area_number: Option<String>,
    pub agency: Option<String>,
    pub agency_name: Option<String>,
    /// Nothing personal in it.
    pub payload: serde_json::Value,
}

/// What an actor does with an item.
#[derive(Debug, Clone, Default)]
pub struct Doing {
    pub note: Option<String>,
    /// Transfer: to which agency.
    pub agency: Option<String>,
    pub agency_name: Option<String>,
    /// Decide: what.
    pub verdict: Option<String>,
}

impl Flow {
    /// Makes an item unless its cause has one; gives the id of whichever there is.
    pub async fn receive(&self, tx: &mut WriteTx, new: NewWorkItem) -> Result<String> {
        if let Some(item) = store::by_cause_unscoped(tx, &new.cause).await? {
            return Ok(item.id);
        }
        let id = new_id();
        let now = tx.now();
        let today = mj_kernel::clock::beijing_date(now);
        let deadline = deadline(&new.kind, today)?;
        tx.insert(
            &WORK_ITEM,
            &[
                ("id", id.as_str().into()),
                ("kind", new.kind.name.into()),
                ("title", new.title.into()),
                ("object_table", new.object_table.into()),
                ("object_id", new.object_id.into()),
                ("cause", new.cause.into()),
                ("area_number", new.area_number.into()),
                ("agency", new.agency.into()),
                ("agency_name", new.agency_name.into()),
                ("state", State::Received.name().into()),
                ("deadline", deadline.into()),
                ("urged", Value::Int(0)),
                ("created_at", now.into()),
                ("updated_at", now.into()),
                ("payload", new.payload.to_string().into()),
            ],
        )
        .await?;
        write_step(tx, &id, Verb::Receive, None, State::Received, None).await?;
        Ok(id)
    }

    /// One verb on one item, by somebody who may (the caller asked). `version` is what they saw.
    pub async fn act(
        &self,
        act: Act,
        id: &str,
        version: i64,
        verb: Verb,
        doing: Doing,
    ) -> Result<()> {
        let mut tx = self.db.begin(Lane::People, act).await?;
        let item = store::in_tx_unscoped(&mut tx, id).await?;
        self.move_on(&mut tx, &item, Some(version), verb, doing).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn move_on(
        &self,
        tx: &mut WriteTx,
        item: &WorkItem,
        version: Option<i64>,
        verb: Verb,
        doing: Doing,
    ) -> Result<()> {
        if let Some(expected) = version.filter(|version| *version != item.version) {
            let (table, id, current) = ("work_item", item.id.clone(), item.version);
            return Err(mj_platform::Error::Stale { table, id, expected, current }.into());
        }
        let kind = Kind::of(&item.kind).unwrap_or(PARTY_PAIR);
        let to = state::next(item.state, verb, &kind)
            .ok_or(Error::NotNow { state: item.state, verb })?;
        let actor = tx.act().actor.clone();
        let mine = item.assignee.as_deref() == Some(actor.as_str());
        if matches!(verb, Verb::Decide | Verb::Return) && !mine {
            return Err(Error::ClaimedByAnother);
        }
        let reason = doing.note.as_deref().map(str::trim).filter(|note| !note.is_empty());
        if matches!(verb, Verb::Decide | Verb::Return | Verb::Transfer) && reason.is_none() {
            return Err(Error::ReasonMissing);
        }
        let mut changes: Vec<(&str, Value)> =
            vec![("state", to.name().into()), ("updated_at", tx.now().into())];
        let mut note = reason.map(str::to_owned);
        match verb {
            Verb::Claim => changes.push(("assignee", actor.as_str().into())),
            Verb::Return => changes.push(("assignee", Value::Null)),
            Verb::Urge => changes.push(("urged", (item.urged + 1).into())),
            Verb::Transfer => {
                changes.push(("assignee", Value::Null));
                changes.push(("agency", doing.agency.clone().into()));
                changes.push(("agency_name", doing.agency_name.clone().into()));
            }
            Verb::Decide => {
                let verdict = doing.verdict.clone().unwrap_or_default();
                let title = kind
                    .verdict_title(&verdict)
                    .ok_or_else(|| Error::UnknownVerdict(verdict.clone()))?;
                changes.push(("verdict", verdict.as_str().into()));
                tell(tx, item, &actor, &verdict, reason).await?;
                note = Some(format!("{title}：{}", reason.unwrap_or_default()));
            }
            _ => {}
        }
        tx.update(&WORK_ITEM, &item.id, version, &changes).await?;
        write_step(tx, &item.id, verb, Some(item.state), to, note).await
    }

    /// What other domains tell: a pair in doubt becomes an item, a settled one closes it.
    pub async fn on_event(&self, event: &Event) -> Result<()> {
        match event {
            Event::DoubtfulPairFound {
                keep_id,
                merge_id,
                score,
                explain,
                area,
                keep_name,
                merge_name,
            } => {
                let mut tx = self.db.begin(Lane::Bulk, own_act("flow.work_item.receive")).await?;
                let cause = pair_cause(keep_id, merge_id);
                if let Some(item) = store::by_cause_unscoped(&mut tx, &cause).await?
                    && item.state == State::Closed
                    && item.verdict.is_none()
                {
                    // linkage had settled the pair by itself and is in doubt again
                    self.reopen(&mut tx, &item).await?;
                    tx.commit().await?;
                    return Ok(());
                }
                let new = NewWorkItem {
                    kind: PARTY_PAIR,
                    title: pair_title(keep_name.as_deref(), merge_name.as_deref()),
                    object_table: "party".into(),
                    object_id: merge_id.clone(),
                    cause,
                    area_number: area.clone(),
                    agency: None,
                    agency_name: None,
                    payload: serde_json::json!({
                        "keep_id": keep_id,
                        "merge_id": merge_id,
                        "score": score,
                        "explain": explain.split('；').collect::<Vec<_>>(),
                    }),
                };
                self.receive(&mut tx, new).await?;
                tx.commit().await?;
            }
            Event::DoubtfulPairSettled { keep_id, merge_id } => {
                let mut tx = self.db.begin(Lane::Bulk, own_act("flow.work_item.settle")).await?;
                let cause = pair_cause(keep_id, merge_id);
                let item = store::by_cause_unscoped(&mut tx, &cause).await?;
                if let Some(item) = item.filter(|item| item.state.is_open()) {
                    let note = Some("后来的数据已给出答案，不必再判断".to_owned());
                    let doing = Doing { note, ..Doing::default() };
                    self.move_on(&mut tx, &item, None, Verb::Settle, doing).await?;
                    tx.commit().await?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    async fn reopen(&self, tx: &mut WriteTx, item: &WorkItem) -> Result<()> {
        let today = mj_kernel::clock::beijing_date(tx.now());
        let deadline = deadline(&PARTY_PAIR, today)?;
        let changes = [
            ("state", State::Received.name().into()),
            ("assignee", Value::Null),
            ("deadline", deadline.into()),
            ("updated_at", tx.now().into()),
        ];
        tx.update(&WORK_ITEM, &item.id, None, &changes).await?;
        write_step(tx, &item.id, Verb::Receive, Some(item.state), State::Received, None).await
    }
}

fn own_act(action: &'static str) -> Act {
    Act::new(&Actor::system("flow"), action, "work_item")
}

/// The clerk sees which two at once; natural persons are not named in a list.
fn pair_title(keep: Option<&str>, merge: Option<&str>) -> String {
    match (keep, merge) {
        (Some(keep), Some(merge)) => format!("“{keep}”与“{merge}”可能是同一个监管对象"),
        (Some(name), None) | (None, Some(name)) => {
            format!("“{name}”与另一监管对象可能是同一个")
        }
        (None, None) => "两个监管对象可能是同一个".into(),
    }
}

fn pair_cause(keep_id: &str, merge_id: &str) -> String {
    format!("party_pair:{keep_id}:{merge_id}")
}

async fn tell(
    tx: &mut WriteTx,
    item: &WorkItem,
    actor: &str,
    verdict: &str,
    reason: Option<&str>,
) -> Result<()> {
    let mut payload = item.payload.clone();
    if let Some(object) = payload.as_object_mut() {
        object.insert("decided_by".into(), actor.into());
        object.insert("reason".into(), reason.into());
    }
    let event = Event::WorkItemDecided {
        work_item_id: item.id.clone(),
        kind: item.kind.clone(),
        verdict: verdict.to_owned(),
        payload: payload.to_string(),
    };
    tx.publish(&event).await?;
    Ok(())
}

async fn write_step(
    tx: &mut WriteTx,
    item: &str,
    verb: Verb,
    from: Option<State>,
    to: State,
    note: Option<String>,
) -> Result<()> {
    let number = store::step_count(tx, item).await? + 1;
    let actor = tx.act().actor.clone();
    let now = tx.now();
    let values = [
        ("id", new_id().into()),
        ("work_item_id", item.into()),
        ("number", number.into()),
        ("verb", verb.name().into()),
        ("from_state", from.map(State::name).into()),
        ("to_state", to.name().into()),
        ("actor", actor.into()),
        ("at", now.into()),
        ("note", note.into()),
    ];
    tx.insert(&WORK_ITEM_STEP, &values).await?;
    Ok(())
}
