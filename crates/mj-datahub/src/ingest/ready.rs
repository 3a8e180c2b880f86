//! Between reading and writing: what can be worked out of judged rows without the database, on a
//! thread of its own, while earlier rows are being written. Hashes and prepares what rows say of
//! parties, finds what is personal, seals refused rows.

use std::sync::Arc;

use mj_platform::Value;
use mj_platform::keys::DataKey;
use mj_registry::{MentionInput, Said};
use tokio::sync::mpsc::{Receiver, Sender};

use super::plan::TablePlan;
use super::read::Chunk;
use super::seal::{PersonalRow, personal_of};
use crate::Datahub;
use crate::error::Result;
use crate::store;

/// A chunk with everything that needs no asking.
pub struct Ready {
    pub chunk: Chunk,
    /// Which accepted rows name a party, and what they say of it.
    pub linked: Vec<usize>,
    pub said: Said,
    pub personal: Vec<PersonalRow>,
    /// The refused rows as they are stored.
    pub refused: Vec<Vec<Value>>,
}

/// Runs until the reading side is through; ends quietly when nobody listens any more.
pub fn run(
    hub: &Datahub,
    plan: &Arc<TablePlan>,
    batch_id: &str,
    key: &DataKey,
    mut chunks: Receiver<Chunk>,
    ready: &Sender<Ready>,
) -> Result<()> {
    while let Some(mut chunk) = chunks.blocking_recv() {
        let refused = std::mem::take(&mut chunk.refused);
        let refused = refused
            .iter()
            .map(|row| store::error_row::sealed(key, batch_id, row))
            .collect::<Result<Vec<_>>>()?;
        let mut linked = Vec::with_capacity(chunk.accepted.len());
        let mut said: Vec<MentionInput<'_>> = Vec::with_capacity(chunk.accepted.len());
        let mut personal = Vec::with_capacity(chunk.accepted.len());
        for (index, row) in chunk.accepted.iter().enumerate() {
            let mention = plan.mention(&row.values);
            personal.push(personal_of(
                plan,
                &row.values,
                mention.as_ref(),
                &hub.registry,
                &hub.keys,
            ));
            if let Some(mention) = mention {
                linked.push(index);
                said.push(mention);
            }
        }
        let said = hub.registry.prepare_mentions(&said);
        if ready.blocking_send(Ready { chunk, linked, said, personal, refused }).is_err() {
            return Ok(());
        }
    }
    Ok(())
}
