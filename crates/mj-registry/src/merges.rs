//! Merging two parties and undoing it.
//!
//! A merge only points one party at the other: mentions, register rows and facts stay where they
//! are, and the values of the kept party are computed anew over both. Undoing takes the pointer away
//! and computes again, so everything is as it was, whatever arrived in between.

use mj_kernel::Event;
use mj_platform::DbRow;
use mj_platform::{Act, Lane, RowExt, Value, WriteTx, new_id};

use crate::masters::{self, PartyRow};
use crate::model::PartyKind;
use crate::tables::{PARTY_MERGE, PARTY_PAIR};
use crate::{Error, Registry, Result};

/// A merge as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    pub id: String,
    pub keep_id: String,
    pub merge_id: String,
    pub reason: String,
    pub area_number: Option<String>,
    pub actor: String,
    pub merged_at: i64,
    /// 0 while it holds.
    pub undone_at: i64,
    pub undone_by: Option<String>,
    pub undo_reason: Option<String>,
    pub version: i64,
}

impl Merge {
    pub fn read(row: &DbRow) -> mj_platform::Result<Self> {
        Ok(Self {
            id: row.text("id")?,
            keep_id: row.text("keep_id")?,
            merge_id: row.text("merge_id")?,
            reason: row.text("reason")?,
            area_number: row.opt_text("area_number")?,
            actor: row.text("actor")?,
            merged_at: row.int("merged_at")?,
            undone_at: row.int("undone_at")?,
            undone_by: row.opt_text("undone_by")?,
            undo_reason: row.opt_text("undo_reason")?,
            version: row.int("version")?,
        })
    }
}

impl Registry {
    /// Makes `merge` stand for `keep` from now on.
    pub async fn merge(&self, act: Act, keep: &str, merge: &str, reason: &str) -> Result<String> {
        let mut tx = self.db.begin(Lane::People, act).await?;
        let id = self.merge_in(&mut tx, keep, merge, reason).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// As [`Registry::merge`], in the caller's transaction.
    pub async fn merge_in(
        &self,
        tx: &mut WriteTx,
        keep: &str,
        merge: &str,
        reason: &str,
    ) -> Result<String> {
        if reason.trim().is_empty() {
            return Err(Error::ReasonMissing);
        }
        one_after_another(tx).await?;
        let (keep, merge) = self.two_free(tx, keep, merge).await?;
        masters::set_merged(tx, &merge, Some(&keep.id), Some("merged")).await?;
        let id = new_id();
        let actor = tx.act().actor.clone();
        let now = tx.now();
        tx.insert(
            &PARTY_MERGE,
            &[
                ("id", id.as_str().into()),
                ("keep_id", keep.id.as_str().into()),
                ("merge_id", merge.id.as_str().into()),
                ("reason", reason.trim().into()),
                ("area_number", keep.stored.area_number.clone().into()),
                ("actor", actor.into()),
                ("merged_at", now.into()),
                ("undone_at", Value::Int(0)),
            ],
        )
        .await?;
        answer_question(tx, &keep.id, &merge.id).await?;
        set_pair(tx, &keep.id, &merge.id, "same").await?;
        masters::refresh(tx, &self.db, &self.keys, std::slice::from_ref(&keep.id)).await?;
        let event = Event::PartiesMerged {
            merge_id: id.clone(),
            keep_id: keep.id.clone(),
            merged_id: merge.id.clone(),
        };
        tx.publish(&event).await?;
        Ok(id)
    }

    async fn two_free(
        &self,
        tx: &mut WriteTx,
        keep: &str,
        merge: &str,
    ) -> Result<(PartyRow, PartyRow)> {
        if keep == merge {
            return Err(Error::MergeWithItself);
        }
        let mut rows = masters::load(tx, &[keep.to_owned(), merge.to_owned()]).await?;
        for row in &rows {
            if let Some(into) = &row.merged_into {
                let into = masters::load(tx, std::slice::from_ref(into)).await?;
                return Err(Error::AlreadyMerged {
                    register_no: row.register_no.clone(),
                    into: into.into_iter().next().map(|row| row.register_no).unwrap_or_default(),
                });
            }
        }
        let at = rows.iter().position(|row| row.id == keep).ok_or(Error::UnknownParty)?;
        let keep = rows.swap_remove(at);
        let merge = rows.pop().ok_or(Error::UnknownParty)?;
        let person = |row: &PartyRow| row.stored.kind == PartyKind::Person;
        if person(&keep) != person(&merge) {
            return Err(Error::MergeOfPersonAndBody);
        }
        Ok((keep, merge))
    }

    /// Sets the merged party free again; the pair is judged different and not asked about again.
    pub async fn undo_merge(&self, act: Act, merge_id: &str, reason: &str) -> Result<()> {
        let mut tx = self.db.begin(Lane::People, act).await?;
        self.undo_merge_in(&mut tx, merge_id, reason).await?;
        tx.commit().await?;
        Ok(())
    }

    /// As [`Registry::undo_merge`], in the caller's transaction.
    pub async fn undo_merge_in(
        &self,
        tx: &mut WriteTx,
        merge_id: &str,
        reason: &str,
    ) -> Result<()> {
        if reason.trim().is_empty() {
            return Err(Error::ReasonMissing);
        }
        one_after_another(tx).await?;
        let row = tx
            .fetch_optional("SELECT * FROM party_merge WHERE id = $1", &[merge_id.into()])
            .await?
            .ok_or(Error::UnknownMerge)?;
        let merge = Merge::read(&row)?;
        if merge.undone_at != 0 {
            return Err(Error::AlreadyUndone);
        }
        let merged = masters::load(tx, std::slice::from_ref(&merge.merge_id))
            .await?
            .pop()
            .ok_or(Error::UnknownParty)?;
        masters::set_merged(tx, &merged, None, None).await?;
        let actor = tx.act().actor.clone();
        let now = tx.now();
        let changes = [
            ("undone_at", now.into()),
            ("undone_by", actor.into()),
            ("undo_reason", reason.trim().into()),
        ];
        tx.update(&PARTY_MERGE, merge_id, Some(merge.version), &changes).await?;
        set_pair(tx, &merge.keep_id, &merge.merge_id, "different").await?;
        let both = [merge.keep_id.clone(), merge.merge_id.clone()];
        masters::refresh(tx, &self.db, &self.keys, &both).await?;
        tx.publish(&Event::MergeUndone { merge_id: merge_id.to_owned() }).await?;
        Ok(())
    }

    /// What a person judged of a doubtful pair. Judging twice, or a pair that linkage settled
    /// meanwhile, changes nothing.
    pub async fn judge_pair(
        &self,
        act: Act,
        keep: &str,
        merge: &str,
        same: bool,
        reason: &str,
    ) -> Result<()> {
        let mut tx = self.db.begin(Lane::People, act).await?;
        if same {
            match self.merge_in(&mut tx, keep, merge, reason).await {
                // already done, or moot: the event was delivered twice, or linkage was quicker
                Err(Error::AlreadyMerged { .. } | Error::MergeWithItself) => return Ok(()),
                other => other.map(drop)?,
            }
        } else {
            one_after_another(&mut tx).await?;
            // merged by hand meanwhile, they are one until that is undone
            if held_between(&mut tx, keep, merge).await?.is_none() {
                set_pair(&mut tx, keep, merge, "different").await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// Takes the act's actor's judgement back: the pair is in doubt again, as if nobody had answered. A
    /// merge that somebody else made by hand stands, and the question is moot. Doing it twice changes nothing.
    pub async fn reopen_pair(&self, act: Act, keep: &str, merge: &str, reason: &str) -> Result<()> {
        let mut tx = self.db.begin(Lane::People, act).await?;
        one_after_another(&mut tx).await?;
        let own = tx.act().actor.clone();
        match held_between(&mut tx, keep, merge).await? {
            Some((_, by)) if by != own => {
                let (keep_id, merge_id) = (keep.to_owned(), merge.to_owned());
                tx.publish(&Event::DoubtfulPairSettled { keep_id, merge_id }).await?;
                tx.note().await?;
                return Ok(tx.commit().await?);
            }
            Some((id, _)) => self.undo_merge_in(&mut tx, &id, reason).await?,
            None => {}
        }
        set_pair(&mut tx, keep, merge, "asked").await?;
        tx.commit().await?;
        Ok(())
    }

    /// Takes the decision of a work item about a doubtful pair, or its taking back; other events are
    /// none of ours.
    pub async fn on_event(&self, event: &Event) -> Result<()> {
        let (work_item_id, kind, verdict, payload, taken_back) = match event {
            Event::WorkItemDecided { work_item_id, kind, verdict, payload } => {
                (work_item_id, kind, verdict, payload, false)
            }
            Event::WorkItemReopened { work_item_id, kind, verdict, payload } => {
                (work_item_id, kind, verdict, payload, true)
            }
            _ => return Ok(()),
        };
        if kind != "party_pair" {
            return Ok(());
        }
        let payload: serde_json::Value = serde_json::from_str(payload)
            .map_err(|error| mj_platform::Error::Corrupt(format!("待办事项的内容：{error}")))?;
        let text = |name: &str| payload.get(name).and_then(serde_json::Value::as_str);
        let (Some(keep), Some(merge)) = (text("keep_id"), text("merge_id")) else {
            return Ok(());
        };
        let same = match verdict.as_str() {
            "same" => true,
            "different" => false,
            // nobody could tell: the pair stays as it is, asked
            _ if !taken_back => return Ok(()),
            _ => false,
        };
        let mut act = Act::new(
            &mj_kernel::Actor::system("registry"),
            "registry.party.merge",
            format!("work_item:{work_item_id}"),
        );
        let by = if taken_back { "reopened_by" } else { "decided_by" };
        if let Some(actor) = text(by) {
            act.actor = actor.to_owned();
        }
        if taken_back {
            act.action = "registry.party.unmerge";
            return self.reopen_pair(act, keep, merge, "待办事项中的判断已撤销").await;
        }
        let reason = text("reason").filter(|reason| !reason.trim().is_empty());
        self.judge_pair(act, keep, merge, same, reason.unwrap_or("待办事项中的判断")).await
    }
}

/// Between looking and writing nobody else may merge or part, on PostgreSQL too.
async fn one_after_another(tx: &mut WriteTx) -> Result<()> {
    tx.position().await?;
    Ok(())
}

/// The merge that holds between the two, whichever was kept, and who made it.
async fn held_between(
    tx: &mut WriteTx,
    one: &str,
    other: &str,
) -> Result<Option<(String, String)>> {
    let sql = "SELECT id, actor FROM party_merge WHERE undone_at = 0 AND \
               ((keep_id = $1 AND merge_id = $2) OR (keep_id = $2 AND merge_id = $1))";
    let row = tx.fetch_optional(sql, &[one.into(), other.into()]).await?;
    row.map(|row| Ok((row.text("id")?, row.text("actor")?))).transpose()
}

/// Two that are merged need not be asked about any more, whichever way round they were.
async fn answer_question(tx: &mut WriteTx, one: &str, other: &str) -> Result<()> {
    let sql = "SELECT keep_id, merge_id FROM party_pair WHERE state = 'asked' AND \
               ((keep_id = $1 AND merge_id = $2) OR (keep_id = $2 AND merge_id = $1)) ORDER BY id";
    for row in tx.fetch_all(sql, &[one.into(), other.into()]).await? {
        let (keep_id, merge_id) = (row.text("keep_id")?, row.text("merge_id")?);
        tx.publish(&Event::DoubtfulPairSettled { keep_id, merge_id }).await?;
    }
    Ok(())
}

/// Writes the judgement of a pair, whether it was ever asked or not.
async fn set_pair(tx: &mut WriteTx, keep: &str, merge: &str, state: &str) -> Result<()> {
    let row = tx
        .fetch_optional(
            "SELECT id, state FROM party_pair WHERE merge_id = $1 AND keep_id = $2",
            &[merge.into(), keep.into()],
        )
        .await?;
    match row {
        Some(row) if row.text("state")? == state => {}
        Some(row) => {
            tx.update(&PARTY_PAIR, &row.text("id")?, None, &[("state", state.into())]).await?;
        }
        None => {
            let values = [
                ("id", new_id().into()),
                ("keep_id", keep.into()),
                ("merge_id", merge.into()),
                ("state", state.into()),
                ("score", Value::Int(0)),
                ("explain", "人工判断".into()),
            ];
            tx.insert(&PARTY_PAIR, &values).await?;
        }
    }
    Ok(())
}
