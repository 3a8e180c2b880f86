//! One function a use case: open, move, decide.

use mj_kernel::{Actor, Event};
use mj_platform::calendar::{Calendar, DayUnit};
use mj_platform::outbox::EventHandler;
use mj_platform::rules::RuleTable;
use mj_platform::{Act, Db, Lane, Value, WriteTx, new_id};
use mj_web::Caller;

use crate::error::{Error, Result};
use crate::state::{State, Verb};
use crate::store::{self, Row};

/// 疑似同一对象
pub const PARTY_PAIR: &str = "party_pair";
/// What may be said of a doubtful pair.
pub const VERDICTS: [(&str, &str); 3] =
    [("same", "相同"), ("different", "不同"), ("unsure", "无法判断")];

/// How long people have, with the basis of the term.
const TERMS: &str = include_str!("../rules/terms.toml");

#[derive(Clone)]
pub struct Flow {
    db: Db,
    terms: std::sync::Arc<RuleTable>,
}

/// Something a person has to look at.
#[derive(Debug, Clone)]
pub struct NewWorkItem {
    pub kind: &'static str,
    pub title: String,
    pub object_table: &'static str,
    pub object_id: String,
    /// One cause makes one item, however often it is told.
    pub cause: String,
    pub area: Option<String>,
    pub payload: serde_json::Value,
}

impl Flow {
    pub fn new(db: Db) -> Result<Self> {
        Ok(Self { db, terms: RuleTable::parse(TERMS)?.into() })
    }

    pub(crate) fn db(&self) -> &Db {
        &self.db
    }

    /// Opens an item in the caller's transaction; the same cause a second time does nothing.
    pub async fn open(&self, tx: &mut WriteTx, new: NewWorkItem) -> Result<Option<String>> {
        if store::knows_cause(tx, &new.cause).await? {
            return Ok(None);
        }
        let (id, now) = (new_id(), tx.now());
        let today = mj_kernel::clock::beijing_date(now);
        let deadline = self.terms.on(new.kind, today).and_then(|rule| {
            let days = rule.value.parse().ok()?;
            Some(Calendar::bundled().deadline(today, days, DayUnit::Working).to_string())
        });
        tx.insert(
            &store::WORK_ITEM,
            &[
                ("id", id.as_str().into()),
                ("kind", new.kind.into()),
                ("title", new.title.into()),
                ("object_table", new.object_table.into()),
                ("object_id", new.object_id.into()),
                ("cause", new.cause.into()),
                ("area_number", new.area.into()),
                ("state", State::Received.name().into()),
                ("deadline", deadline.into()),
                ("urged", 0_i64.into()),
                ("created_at", now.into()),
                ("updated_at", now.into()),
                ("payload", new.payload.to_string().into()),
            ],
        )
        .await?;
        store::add_step(tx, &id, "receive", None, State::Received.name(), None).await?;
        Ok(Some(id))
    }

    /// A move of a person. `expected` is the version they saw.
    pub async fn act(&self, caller: &Caller, id: &str, said: Move<'_>) -> Result<Row> {
        let act = match said.note {
            Some(note) => caller.act(format!("work_item:{id}")).because(note),
            None => caller.act(format!("work_item:{id}")),
        };
        let mut tx = self.db.begin(Lane::People, act).await?;
        let item = store::find_in(&mut tx, id).await?.ok_or(Error::NotFound)?;
        let state = State::parse(&item.state).ok_or(Error::NotFound)?;
        let me = caller.actor.reference();
        let not_now = Error::NotNow { state, verb: said.verb };
        let after = state.after(said.verb).ok_or(not_now)?;
        let others = item.assignee.as_ref().is_some_and(|assignee| *assignee != me);
        if others && matches!(said.verb, Verb::Return | Verb::Decide) {
            return Err(Error::NotYours);
        }
        let mut changes: Vec<(&str, Value)> =
            vec![("state", after.name().into()), ("updated_at", tx.now().into())];
        match said.verb {
            Verb::Claim => changes.push(("assignee", me.into())),
            Verb::Return => changes.push(("assignee", Value::Null)),
            Verb::Transfer => {
                changes.push(("assignee", Value::Null));
                changes.push(("agency", said.to_agency.into()));
            }
            Verb::Urge => changes.push(("urged", (item.urged + 1).into())),
            Verb::Decide => {
                let verdict = said.verdict.ok_or(Error::UnknownVerdict)?;
                if !VERDICTS.iter().any(|(name, _)| *name == verdict) {
                    return Err(Error::UnknownVerdict);
                }
                changes.push(("verdict", verdict.into()));
                tx.publish(&Event::WorkItemDecided {
                    work_item_id: id.to_owned(),
                    kind: item.kind.clone(),
                    verdict: verdict.to_owned(),
                    payload: item.payload.clone(),
                })
                .await?;
            }
        }
        tx.update(&store::WORK_ITEM, id, Some(said.version), &changes).await?;
        store::add_step(&mut tx, id, said.verb.name(), Some(state.name()), after.name(), said.note)
            .await?;
        tx.commit().await?;
        store::find_unscoped(&self.db, id).await?.ok_or(Error::NotFound)
    }

    /// What other domains tell that makes work.
    pub fn handler(&self) -> EventHandler {
        let flow = self.clone();
        EventHandler::new("flow.open_work_items", move |event| {
            let flow = flow.clone();
            async move {
                flow.receive(event).await.map_err(|error| match error {
                    Error::Platform(error) => error,
                    other => mj_platform::Error::Other(other.to_string()),
                })
            }
        })
    }

    async fn receive(&self, event: Event) -> Result<()> {
        let Event::DoubtfulPairFound { keep_id, merge_id, score, explain, area } = event else {
            return Ok(());
        };
        // the pair is the same whichever side was seen first
        let (first, second) =
            if keep_id < merge_id { (&keep_id, &merge_id) } else { (&merge_id, &keep_id) };
        let cause = format!("{PARTY_PAIR}:{first}:{second}");
        let explain = serde_json::from_str(&explain)
            .unwrap_or_else(|_| serde_json::Value::String(explain.clone()));
        let new = NewWorkItem {
            kind: PARTY_PAIR,
            title: "两条监管对象记录疑似同一对象，请判断".into(),
            object_table: "party",
            object_id: keep_id.clone(),
            cause,
            area,
            payload: serde_json::json!({
                "keep_id": keep_id, "merge_id": merge_id, "score": score, "explain": explain,
            }),
        };
        let act =
            Act::new(&Actor::system("flow"), "flow.work_item.open", format!("party:{keep_id}"));
        let mut tx = self.db.begin(Lane::Bulk, act).await?;
        if self.open(&mut tx, new).await?.is_some() {
            tx.commit().await?;
        }
        Ok(())
    }
}

/// What a person says when moving an item.
#[derive(Debug, Clone, Copy)]
pub struct Move<'a> {
    pub verb: Verb,
    pub version: i64,
    pub note: Option<&'a str>,
    pub verdict: Option<&'a str>,
    pub to_agency: Option<&'a str>,
}
