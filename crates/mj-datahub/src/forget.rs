//! What deliveries still say of a person whose key is being destroyed. Facts are sealed under that key; the
//! delivered file and the rows refused of it are sealed whole, so a file that names the person goes with all
//! that stands in it, and of its refused rows those that name the person.

use std::collections::BTreeSet;

use mj_platform::WriteTx;
use mj_platform::keys::{DataKey, Keys, key_id, sealed_text};
use mj_tabular::{Options, RowBuf, TableReader};

use crate::error::{Error, Result};
use crate::model::Batch;
use crate::store;
use crate::store::error_row::raw_context;
use crate::{Datahub, blob_source};

/// A delivery whose file, or a row refused of it, names the person.
#[derive(Debug, Clone)]
pub struct Naming {
    pub batch_id: String,
    pub blob_id: String,
}

/// What looking through the deliveries came to.
#[derive(Debug, Default)]
pub struct Said {
    pub naming: Vec<Naming>,
    /// Files that could not be read.
    pub unreadable: usize,
}

/// Deliveries that have not come to an end: what they say of anybody is not in the store yet.
pub async fn under_way(hub: &Datahub) -> Result<i64> {
    let sql =
        "SELECT CAST(COUNT(*) AS BIGINT) FROM hub_batch WHERE state IN ('received', 'running')";
    Ok(hub.db.count(sql, &[]).await?)
}

/// Reads every delivered file and names those with this number in a cell. `seen` hears how many of how
/// many were read.
pub async fn naming(hub: &Datahub, number: &str, seen: impl Fn(usize, usize)) -> Result<Said> {
    let mut batches = Vec::new();
    let mut after = String::new();
    loop {
        let page = store::batch::page_unscoped(&hub.db, &after, 1_000).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.id);
        batches.extend(page);
    }
    let mut said = Said::default();
    for (at, batch) in batches.iter().enumerate() {
        let named = match refused_names(hub, batch, number).await? {
            true => Ok(true),
            false => file_names(hub, batch, number).await,
        };
        match named {
            Ok(true) => said
                .naming
                .push(Naming { batch_id: batch.id.clone(), blob_id: batch.blob_id.clone() }),
            Ok(false) => {}
            // a file that is lost or damaged is the doctor's matter and keeps nobody from being erased
            Err(_) => said.unreadable += 1,
        }
        seen(at + 1, batches.len());
    }
    Ok(said)
}

/// Whether a row refused of the delivery names the person; its file may be gone with somebody else.
async fn refused_names(hub: &Datahub, batch: &Batch, number: &str) -> Result<bool> {
    for (row, raw) in store::error_row::raw_of(&hub.db, &batch.id).await? {
        let context = raw_context(&batch.id, row);
        let text = hub.keys.open_stored(&hub.db, &context, &raw).await?;
        if text.is_some_and(|text| holds(&text, number)) {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn file_names(hub: &Datahub, batch: &Batch, number: &str) -> Result<bool> {
    if hub.blobs.is_destroyed(&hub.db, &batch.blob_id).await? {
        return Ok(false);
    }
    let (db, blobs, scratch) = (hub.db.clone(), hub.blobs.clone(), hub.inbox.folder().to_owned());
    let (blob, size) = (batch.blob_id.clone(), batch.bytes as u64);
    let columns = hub.table(&batch.table).map(|table| {
        table.columns.iter().map(|column| column.name.clone()).collect::<Vec<String>>()
    })?;
    let handle = tokio::runtime::Handle::current();
    let needle = number.to_owned();
    let searching = tokio::task::spawn_blocking(move || -> Result<bool> {
        let open = || blob_source::open(&handle, &db, &blobs, &blob, size, &scratch);
        // as it is, whether it is a table or not; then cell by cell, with columns named by us or by them
        Ok(in_bytes(open()?, &needle)?
            || in_cells(open()?, &Options::default(), &needle)
            || in_cells(
                open()?,
                &Options { expected_columns: columns, ..Options::default() },
                &needle,
            ))
    });
    searching.await.map_err(Error::thread)?
}

/// Whether a cell holds the number, as far as the file can be read as a table.
fn in_cells(source: Box<dyn mj_tabular::Source>, options: &Options, number: &str) -> bool {
    let Ok(mut reader) = TableReader::open(source, options) else { return false };
    let mut row = RowBuf::new();
    let mut found = reader.header().iter().any(|cell| holds(cell, number));
    while !found && reader.next_into(&mut row).unwrap_or(false) {
        found = row.cells().flatten().any(|cell| holds(cell, number));
    }
    found
}

/// As people write numbers: of any width, with spaces and hyphens, a small x.
fn holds(cell: &str, number: &str) -> bool {
    // shorter than the number in any writing
    cell.len() >= number.len()
        && cell
            .chars()
            .map(narrow)
            .filter(|char| !char.is_whitespace() && *char != '-')
            .collect::<String>()
            .contains(number)
}

/// Full-width letters and digits as plain ones.
fn narrow(char: char) -> char {
    let plain = match char {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(char) - 0xfee0).unwrap_or(char),
        _ => char,
    };
    plain.to_ascii_uppercase()
}

fn in_bytes(mut source: Box<dyn mj_tabular::Source>, number: &str) -> Result<bool> {
    let (mut window, mut piece) = (Vec::new(), vec![0; 256 << 10]);
    loop {
        let count = source.read(&mut piece).map_err(mj_platform::Error::io("blob"))?;
        window.extend(piece[..count].iter().map(u8::to_ascii_uppercase));
        if window.windows(number.len()).any(|part| part == number.as_bytes()) {
            return Ok(true);
        }
        if count == 0 {
            return Ok(false);
        }
        // one that stands across two pieces
        window.drain(..window.len().saturating_sub(number.len() - 1));
    }
}

/// In the transaction that destroys the person's key: what of these deliveries names the person goes, other
/// refused rows lie under a fresh key. Gives the data keys that have to be destroyed with it. `keys` are
/// those the transaction works with.
pub async fn forget(
    hub: &Datahub,
    keys: &Keys,
    tx: &mut WriteTx,
    found: &[Naming],
    number: &str,
) -> Result<Vec<String>> {
    let mut doomed = BTreeSet::new();
    for Naming { batch_id, blob_id } in found {
        let rows = store::error_row::all_raw(tx, batch_id).await?;
        let mut fresh: Option<DataKey> = None;
        for (row, raw) in rows {
            let context = raw_context(batch_id, row);
            let Some(text) = keys.open_stored(&hub.db, &context, &raw).await? else { continue };
            doomed.extend(sealed_text(&raw).and_then(key_id).map(str::to_owned));
            let mut anew = Vec::new();
            if !holds(&text, number) {
                let key = match fresh.take() {
                    Some(key) => key,
                    None => fresh_key(keys, tx, batch_id).await?,
                };
                anew = key.seal(&context, &text).into_bytes();
                fresh = Some(key);
            }
            store::error_row::replace_raw(tx, batch_id, row, anew).await?;
        }
        doomed.extend(hub.blobs.destroy(tx, blob_id).await?);
    }
    Ok(doomed.into_iter().collect())
}

async fn fresh_key(keys: &Keys, tx: &mut WriteTx, batch_id: &str) -> Result<DataKey> {
    // a name that no other destruction of the same delivery took
    let subject = keys.lookup("refused rows", &format!("{batch_id}/{}", mj_platform::new_id()));
    let mut made = keys.data_keys(tx, std::slice::from_ref(&subject)).await?;
    made.pop().ok_or_else(|| mj_platform::Error::Key("数据密钥未能建立".into()).into())
}

/// Once the keys are gone: the files go from the disk. How many.
pub async fn sweep(hub: &Datahub) -> Result<usize> {
    Ok(hub.blobs.sweep_destroyed(&hub.db).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_however_it_was_written() {
        let number = "11010519491231002X";
        for cell in [
            "11010519491231002x",
            " 110105 19491231 002X",
            "１１０１０５１９４９１２３１００２Ｘ",
            "身份证110105-19491231-002X（本人）",
        ] {
            assert!(holds(cell, number), "{cell}");
        }
        assert!(!holds("110105194912310021", number) && !holds("11010519491231002", number));
    }
}
