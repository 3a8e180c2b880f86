//! One function a use case: load, ask the state function, write the item and its step, tell.

use std::sync::LazyLock;

use chrono::NaiveDate;
use mj_kernel::{Actor, Event};
use mj_platform::calendar::{Calendar, DayUnit};
use mj_platform::rules::RuleTable;
use mj_platform::{Act, Lane, Value, WriteTx, new_id};

use crate::Flow;
use crate::error::{Error, Result};
use crate::state::{self, BATCH_ERRORS, Kind, PARTY_PAIR, State, Verb};
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

/// How many items may be handled at once today.
pub fn bulk_most(today: NaiveDate) -> Result<usize> {
    let terms = TERMS.as_ref().map_err(|error| mj_platform::Error::Config(error.to_string()))?;
    Ok(terms.on("bulk_most", today).and_then(|rule| rule.value.parse().ok()).unwrap_or(1))
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
    /// The last day where whoever asks knows it; otherwise the term of the kind.
    pub deadline: Option<String>,
    /// Nothing personal in it.
    pub payload: serde_json::Value,
}

/// What an actor does with an item.
#[derive(Debug, Clone, Default)]
pub struct Doing {
    pub note: Option<String>,
    /// Transfer: to which agency, and there to whom (an account), if to somebody.
    pub agency: Option<String>,
    pub agency_name: Option<String>,
    pub account: Option<String>,
    /// Decide: what.
    pub verdict: Option<String>,
}

impl Flow {
    /// Makes an item unless its cause has one; gives the id of whichever there is.
    pub async fn receive(&self, tx: &mut WriteTx, new: NewWorkItem) -> Result<String> {
        // one after another, on PostgreSQL too: between looking and making nobody else may make it
        tx.position().await?;
        if let Some(item) = store::by_cause_unscoped(tx, &new.cause).await? {
            return Ok(item.id);
        }
        let id = new_id();
        let now = tx.now();
        let today = mj_kernel::clock::beijing_date(now);
        let deadline: Value = match new.deadline {
            Some(day) => day.into(),
            None => deadline(&new.kind, today)?.into(),
        };
        tx.insert(
            &WORK_ITEM,
            &[
                ("id", id.as_str().into()),
                ("kind", new.kind.name.into()),
                ("title", short(new.title).into()),
                ("object_table", new.object_table.into()),
                ("object_id", new.object_id.into()),
                ("cause", new.cause.into()),
                ("area_number", new.area_number.into()),
                ("agency", new.agency.into()),
                ("agency_name", new.agency_name.into()),
                ("state", State::Received.name().into()),
                ("deadline", deadline),
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
        let mut item = store::in_tx_unscoped(&mut tx, id).await?;
        let mut version = Some(version);
        if verb == Verb::Decide && matches!(item.state, State::Received | State::Returned) {
            // in the review queue whoever answers first has claimed it
            self.move_on(&mut tx, &item, version, Verb::Claim, Doing::default()).await?;
            item = store::in_tx_unscoped(&mut tx, id).await?;
            version = None;
        }
        self.move_on(&mut tx, &item, version, verb, doing).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Closes the item of a cause: what it asked for was done elsewhere. None, or a closed one, is fine.
    pub async fn settle(&self, tx: &mut WriteTx, cause: &str, note: &str) -> Result<()> {
        let item = store::by_cause_unscoped(tx, cause).await?;
        if let Some(item) = item.filter(|item| item.state.is_open()) {
            let doing = Doing { note: Some(note.to_owned()), ..Doing::default() };
            self.move_on(tx, &item, None, Verb::Settle, doing).await?;
        }
        Ok(())
    }

    /// Where the verb would lead, had this actor done it now; writes nothing.
    pub fn would(
        &self,
        actor: &str,
        item: &WorkItem,
        version: i64,
        verb: Verb,
        doing: &Doing,
    ) -> Result<State> {
        allowed(actor, item, Some(version), verb, doing).map(|(to, _)| to)
    }

    pub(crate) async fn move_on(
        &self,
        tx: &mut WriteTx,
        item: &WorkItem,
        version: Option<i64>,
        verb: Verb,
        doing: Doing,
    ) -> Result<()> {
        let actor = tx.act().actor.clone();
        let (to, kind) = allowed(&actor, item, version, verb, &doing)?;
        let reason = doing.note.as_deref().map(str::trim).filter(|note| !note.is_empty());
        let mut changes: Vec<(&str, Value)> =
            vec![("state", to.name().into()), ("updated_at", tx.now().into())];
        let mut note = reason.map(str::to_owned);
        match verb {
            Verb::Claim => changes.push(("assignee", actor.as_str().into())),
            Verb::Return => changes.push(("assignee", Value::Null)),
            Verb::Urge => changes.push(("urged", (item.urged + 1).into())),
            Verb::Transfer => {
                let whom = doing.account.as_deref().map(|account| format!("account:{account}"));
                changes.push(("assignee", whom.into()));
                changes.push(("agency", doing.agency.clone().into()));
                changes.push(("agency_name", doing.agency_name.clone().into()));
            }
            Verb::Reopen => {
                changes.push(("verdict", Value::Null));
                take_back(tx, item, &actor).await?;
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
                    deadline: None,
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
                self.settle(&mut tx, &cause, "后来的数据已给出答案，不必再判断").await?;
                tx.commit().await?;
            }
            Event::RowsRefused { batch_id, title, agency, agency_name, area, rows, deadline } => {
                let mut tx = self.db.begin(Lane::Bulk, own_act("flow.work_item.receive")).await?;
                let new = NewWorkItem {
                    kind: BATCH_ERRORS,
                    title: format!("{title}有 {rows} 条错误待改正"),
                    object_table: "hub_batch".into(),
                    object_id: batch_id.clone(),
                    cause: errors_cause(batch_id),
                    area_number: area.clone(),
                    agency: agency.clone(),
                    agency_name: agency_name.clone(),
                    deadline: deadline.clone(),
                    payload: serde_json::json!({ "batch_id": batch_id, "rows": rows }),
                };
                self.receive(&mut tx, new).await?;
                tx.commit().await?;
            }
            Event::RowsMended { batch_id, left: 0 } => {
                let mut tx = self.db.begin(Lane::Bulk, own_act("flow.work_item.settle")).await?;
                self.settle(&mut tx, &errors_cause(batch_id), "错误记录已全部改正").await?;
                tx.commit().await?;
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

/// May this actor do this to the item as it stands, and where does it lead?
fn allowed(
    actor: &str,
    item: &WorkItem,
    version: Option<i64>,
    verb: Verb,
    doing: &Doing,
) -> Result<(State, Kind)> {
    if let Some(expected) = version.filter(|version| *version != item.version) {
        let (table, id, current) = ("work_item", item.id.clone(), item.version);
        return Err(mj_platform::Error::Stale { table, id, expected, current }.into());
    }
    let kind = Kind::of(&item.kind).unwrap_or(PARTY_PAIR);
    let not_now = Error::NotNow { state: item.state, verb };
    let Some(to) = state::next(item.state, verb, &kind) else { return Err(not_now) };
    // what is read, or decided elsewhere, is neither claimed nor handed on
    if kind.verdicts.is_empty() && matches!(verb, Verb::Claim | Verb::Transfer | Verb::Decide) {
        return Err(not_now);
    }
    // what closed by itself holds no decision that could be taken back
    if verb == Verb::Reopen && item.verdict.is_none() {
        return Err(not_now);
    }
    let mine = item.assignee.as_deref() == Some(actor);
    let needs_own = matches!(verb, Verb::Decide | Verb::Return | Verb::Reopen);
    // handed to somebody by name: it waits for them, or is handed on
    let for_another = verb == Verb::Claim && item.assignee.is_some();
    if (needs_own || for_another) && !mine {
        return Err(Error::ClaimedByAnother);
    }
    let reason = doing.note.as_deref().map(str::trim).filter(|note| !note.is_empty());
    let needs_reason = matches!(verb, Verb::Decide | Verb::Return | Verb::Transfer | Verb::Reopen);
    if needs_reason && reason.is_none() {
        return Err(Error::ReasonMissing);
    }
    if verb == Verb::Transfer && doing.agency.is_none() && doing.account.is_none() {
        return Err(Error::NobodyNamed);
    }
    Ok((to, kind))
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

fn errors_cause(batch_id: &str) -> String {
    format!("batch_errors:{batch_id}")
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

/// Tells whoever acted on the decision that it is taken back.
async fn take_back(tx: &mut WriteTx, item: &WorkItem, actor: &str) -> Result<()> {
    let mut payload = item.payload.clone();
    if let Some(object) = payload.as_object_mut() {
        object.insert("reopened_by".into(), actor.into());
    }
    let event = Event::WorkItemReopened {
        work_item_id: item.id.clone(),
        kind: item.kind.clone(),
        verdict: item.verdict.clone().unwrap_or_default(),
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

fn short(title: String) -> String {
    match title.char_indices().nth(store::MOST_TITLE) {
        None => title,
        Some(_) => title.chars().take(store::MOST_TITLE - 1).chain(['…']).collect(),
    }
}
