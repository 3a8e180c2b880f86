//! Taking back what a load said that was never kept: its wordings, and the parties that nobody else
//! speaks of.
//!
//! A load writes its mentions chunk by chunk, ahead of the rows that carry them. When it ends without
//! a row, those that nothing else came to use are deleted, mentions that had been linked to them are
//! looked at again, and the rest is computed anew from what is left: the register is as if they had
//! never been said. What a person decided about (a merge) stays.

use mj_kernel::{Actor, Event};
use mj_platform::{Act, Lane, Result, RowExt, Value, WriteTx};
use rustc_hash::FxHashSet;

use crate::Registry;
use crate::masters;
use crate::mentions::queue_again;
use crate::model::{MentionId, Tier};
use crate::tables::{
    IN_LIST, MENTION, PARTY, PARTY_PAIR, PARTY_VERSION, marks, mention_key, texts,
};

/// Mentions a transaction: with the parties they touch below the 5,000 rows of a chunk.
const CHUNK: i64 = 1_000;
/// Parties a transaction, with their versions and pairs.
const PARTIES: i64 = 500;

impl Registry {
    /// The last number given to a mention: what a load says from now on comes after it.
    pub async fn last_mention(&self, tx: &mut WriteTx) -> Result<MentionId> {
        let sql = "SELECT last FROM registry_counter WHERE name = 'mention'";
        let row = tx.fetch_optional(sql, &[]).await?;
        row.map_or(Ok(0), |row| row.int("last"))
    }

    /// Forgets the mentions after a number that no row carries and no register row names. Call it only
    /// while no load is under way: one may be about to use them. Returns how many there were.
    pub async fn forget_unused(
        &self,
        after: MentionId,
        carried: &FxHashSet<MentionId>,
    ) -> Result<usize> {
        let mut forgotten = 0;
        {
            let _writing = self.writing.lock().await;
            let mut at = mention_key(after);
            while let Some((last, gone)) = self.forget_chunk(&at, carried).await? {
                at = last;
                forgotten += gone;
            }
        }
        self.relink().await?;
        while self.drop_nameless().await? > 0 {}
        Ok(forgotten)
    }

    /// `None`: there are none after this one.
    async fn forget_chunk(
        &self,
        after: &str,
        carried: &FxHashSet<MentionId>,
    ) -> Result<Option<(String, usize)>> {
        let act = Act::new(&Actor::system("registry"), "registry.mention.forget", "mention");
        let mut tx = self.db.begin(Lane::Bulk, act).await?;
        let sql = format!(
            "SELECT id, number, tier, block, regist_key, party_id FROM mention m WHERE id > $1 \
             AND NOT EXISTS (SELECT 1 FROM party_source s WHERE s.mention_id = m.id) \
             ORDER BY id LIMIT {CHUNK}"
        );
        let rows = tx.fetch_all(&sql, &[after.into()]).await?;
        let Some(last) = rows.last() else { return Ok(None) };
        let last = last.text("id")?;
        let (mut ids, mut blocks, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
        let mut parties: Vec<String> = Vec::new();
        for row in &rows {
            if carried.contains(&row.int("number")?) {
                continue;
            }
            let id = row.text("id")?;
            tx.delete(&MENTION, &id).await?;
            ids.push(Value::from(id));
            parties.extend(row.opt_text("party_id")?);
            if row.text("tier")? != Tier::Name.name() {
                blocks.push(row.int("block")?);
                numbers.extend(row.opt_text("regist_key")?);
            }
        }
        if ids.is_empty() {
            return Ok(Some((last, 0)));
        }
        let gone =
            format!("DELETE FROM registry_relink WHERE mention_id IN ({})", marks(1, ids.len()));
        tx.execute(&gone, &ids).await?;
        blocks.retain(|block| *block != 0);
        blocks.sort_unstable();
        blocks.dedup();
        for chunk in blocks.chunks(IN_LIST) {
            let args: Vec<Value> = chunk.iter().map(|block| Value::from(*block)).collect();
            queue_again(&mut tx, "block", &args).await?;
        }
        numbers.sort_unstable();
        numbers.dedup();
        for chunk in numbers.chunks(IN_LIST) {
            queue_again(&mut tx, "regist_key", &texts(chunk.iter().map(String::as_str))).await?;
        }
        parties.sort_unstable();
        parties.dedup();
        masters::refresh(&mut tx, &self.db, &self.keys, &parties).await?;
        tx.commit().await?;
        // what is kept in memory of them must not be found any more
        *self.known.write().expect("nobody panics while holding the cache") = None;
        Ok(Some((last, ids.len())))
    }

    /// Drops parties that no wording means any more and that stand for none. Returns how many.
    async fn drop_nameless(&self) -> Result<usize> {
        let _writing = self.writing.lock().await;
        let act = Act::new(&Actor::system("registry"), "registry.party.forget", "party");
        let mut tx = self.db.begin(Lane::Bulk, act).await?;
        let sql = format!(
            "SELECT p.id FROM party p \
             WHERE NOT EXISTS (SELECT 1 FROM mention m WHERE m.party_id = p.id) \
             AND NOT EXISTS (SELECT 1 FROM party q WHERE q.id = p.merged_into) \
             AND NOT EXISTS \
             (SELECT 1 FROM party_merge g WHERE g.keep_id = p.id OR g.merge_id = p.id) \
             ORDER BY p.id LIMIT {PARTIES}"
        );
        let rows = tx.fetch_all(&sql, &[]).await?;
        let ids = rows.iter().map(|row| row.text("id")).collect::<Result<Vec<String>>>()?;
        if ids.is_empty() {
            return Ok(0);
        }
        let (args, list) = (texts(ids.iter().map(String::as_str)), marks(1, ids.len()));
        let sql = format!(
            "SELECT id, keep_id, merge_id, state FROM party_pair \
             WHERE keep_id IN ({list}) OR merge_id IN ({list}) ORDER BY id"
        );
        for row in tx.fetch_all(&sql, &args).await? {
            if row.text("state")? == "asked" {
                let (keep_id, merge_id) = (row.text("keep_id")?, row.text("merge_id")?);
                tx.publish(&Event::DoubtfulPairSettled { keep_id, merge_id }).await?;
            }
            tx.delete(&PARTY_PAIR, &row.text("id")?).await?;
        }
        let sql = format!("SELECT id FROM party_version WHERE party_id IN ({list}) ORDER BY id");
        for row in tx.fetch_all(&sql, &args).await? {
            tx.delete(&PARTY_VERSION, &row.text("id")?).await?;
        }
        for id in &ids {
            tx.delete(&PARTY, id).await?;
        }
        tx.commit().await?;
        Ok(ids.len())
    }
}
