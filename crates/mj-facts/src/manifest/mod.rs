//! The manifest: all SQL of the fact store. `fact_commit`, `fact_segment` and `fact_mark` are
//! business truth and pass the write door; head, stages and hot rows are the store's bookkeeping.

mod pack;

use mj_platform::gm::Sm3;
use mj_platform::{Db, Result as PlatformResult, RowExt, TruthTable, Value, WriteTx};

use crate::error::{Error, Result};
use crate::hash::{BusinessKey, business_from_bytes, business_to_bytes};
use crate::index::{Index, MarkKind};
use crate::model::{Op, Receipt, TableSpec};
use crate::segment::{FORMAT, SegmentDone};
use pack::{flips_text, pack, parse_flips, unpack};

const COMMIT: TruthTable = TruthTable {
    name: "fact_commit",
    columns: &[
        "id",
        "pos",
        "table_name",
        "batch_id",
        "kind",
        "stored",
        "correct",
        "duplicate",
        "superseded",
        "root",
        "committed_at",
    ],
};

const SEGMENT: TruthTable = TruthTable {
    name: "fact_segment",
    columns: &[
        "id",
        "number",
        "table_name",
        "format",
        "standard_version",
        "pos",
        "kind",
        "stored",
        "bytes",
        "sm3",
        "block_sm3",
        "min_date",
        "max_date",
        "retired_pos",
        "retired_at",
    ],
};

const MARK: TruthTable = TruthTable {
    name: "fact_mark",
    columns: &["id", "table_name", "segment", "pos", "kind", "marked", "row_numbers"],
};

const HOT: &[&str] = &[
    "rid",
    "table_name",
    "pos",
    "to_pos",
    "flips",
    "cd_source",
    "cd_id",
    "op",
    "cd_time",
    "seen_time",
    "content",
    "business_key",
    "mention",
    "event_date",
    "area",
    "agency",
    "batch_id",
    "row_no",
    "norm",
    "row_values",
];

/// The last commit: a position, and which commit holds it (a rolled back one may have had it before).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Head {
    pub(crate) pos: u64,
    pub(crate) commit_id: String,
}

#[derive(Debug, Clone)]
pub(crate) struct SegmentEntry {
    pub(crate) number: u32,
    pub(crate) pos: u64,
    pub(crate) is_flush: bool,
    pub(crate) stored: u64,
    pub(crate) bytes: u64,
    pub(crate) sm3: String,
    pub(crate) blocks: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct MarkEntry {
    pub(crate) segment: u32,
    pub(crate) pos: u64,
    pub(crate) kind: MarkKind,
    pub(crate) rows: Vec<(u32, i64)>,
}

#[derive(Debug, Clone)]
pub(crate) struct HotEntry {
    pub(crate) rid: u32,
    pub(crate) pos: u64,
    pub(crate) to_pos: u64,
    pub(crate) flips: Vec<(u64, bool)>,
    pub(crate) cd_source: String,
    pub(crate) cd_id: String,
    pub(crate) op: Op,
    pub(crate) cd_time: i64,
    pub(crate) seen: i64,
    pub(crate) content: u64,
    pub(crate) business: BusinessKey,
    pub(crate) mention: i64,
    pub(crate) date: i32,
    pub(crate) area: String,
    pub(crate) agency: String,
    pub(crate) batch: String,
    pub(crate) delivery_row: u32,
    pub(crate) norm: String,
    pub(crate) values: String,
}

/// One table's part of the manifest at one position.
#[derive(Debug)]
pub(crate) struct TableEntries {
    pub(crate) head: Head,
    pub(crate) segments: Vec<SegmentEntry>,
    pub(crate) marks: Vec<MarkEntry>,
    pub(crate) hot: Vec<HotEntry>,
}

fn unsigned(row: &impl RowExt, column: &str) -> PlatformResult<u64> {
    Ok(u64::try_from(row.int(column)?).unwrap_or(0))
}

fn narrow(row: &impl RowExt, column: &str) -> PlatformResult<u32> {
    Ok(u32::try_from(row.int(column)?).unwrap_or(u32::MAX))
}

/// Makes the head on first use and returns the hash key.
pub(crate) async fn open(db: &Db, begin: WriteTx) -> Result<[u8; 16]> {
    let mut tx = begin;
    let key = mj_platform::gm::random::<16>();
    tx.execute(
        "INSERT INTO fact_head (id, pos, commit_id, next_segment, next_hot, hash_key) \
         VALUES (1, 0, '', 1, 1, $1) ON CONFLICT (id) DO NOTHING",
        &[Value::Bytes(key.to_vec())],
    )
    .await?;
    tx.commit().await?;
    let row = db.fetch_one("SELECT hash_key FROM fact_head WHERE id = 1", &[]).await?;
    let key = row.bytes("hash_key")?;
    key.try_into().map_err(|_| Error::Manifest("散列密钥长度不对".into()))
}

pub(crate) async fn head(db: &Db) -> Result<Head> {
    let row = db.fetch_one("SELECT pos, commit_id FROM fact_head WHERE id = 1", &[]).await?;
    Ok(Head { pos: unsigned(&row, "pos")?, commit_id: row.text("commit_id")? })
}

/// Takes the next position and holds the head to the end of the transaction. Returns the head
/// before, as this transaction sees it, and the next hot row number.
pub(crate) async fn lock_head(tx: &mut WriteTx) -> Result<(Head, u32)> {
    // the door's own lock first, always: callers who wrote truth before already hold it, and two
    // transactions that took the two locks crosswise would wait for each other for ever
    tx.execute("UPDATE change_head SET seq = seq WHERE id = 1", &[]).await?;
    let row = tx
        .fetch_optional(
            "UPDATE fact_head SET pos = pos + 1 WHERE id = 1 RETURNING pos, commit_id, next_hot",
            &[],
        )
        .await?
        .ok_or_else(|| Error::Manifest("fact_head 没有首行".into()))?;
    let before = Head { pos: unsigned(&row, "pos")? - 1, commit_id: row.text("commit_id")? };
    Ok((before, narrow(&row, "next_hot")?))
}

pub(crate) async fn set_head(tx: &mut WriteTx, commit_id: &str, hot_rows: usize) -> Result<()> {
    tx.execute(
        "UPDATE fact_head SET commit_id = $1, next_hot = next_hot + $2 WHERE id = 1",
        &[commit_id.into(), (hot_rows as i64).into()],
    )
    .await?;
    Ok(())
}

/// Registers a load with a lease and gives it segment numbers of its own.
pub(crate) async fn begin_stage(
    tx: &mut WriteTx,
    id: &str,
    table: &str,
    batch: &str,
    node: &str,
    lease_until: i64,
    numbers: u32,
) -> Result<u32> {
    let row = tx
        .fetch_optional(
            "UPDATE fact_head SET next_segment = next_segment + $1 WHERE id = 1 \
             RETURNING next_segment",
            &[i64::from(numbers).into()],
        )
        .await?
        .ok_or_else(|| Error::Manifest("fact_head 没有首行".into()))?;
    let first = narrow(&row, "next_segment")? - numbers;
    tx.execute(
        "INSERT INTO fact_stage (id, table_name, batch_id, node, lease_until, first_segment, \
         last_segment) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &[
            id.into(),
            table.into(),
            batch.into(),
            node.into(),
            lease_until.into(),
            i64::from(first).into(),
            i64::from(first + numbers - 1).into(),
        ],
    )
    .await?;
    Ok(first)
}

/// Whether the load still had its registration.
pub(crate) async fn end_stage(tx: &mut WriteTx, id: &str) -> Result<bool> {
    Ok(tx.execute("DELETE FROM fact_stage WHERE id = $1", &[id.into()]).await? == 1)
}

/// Segment numbers that live loads may be writing, after forgetting loads whose lease ran out.
pub(crate) async fn live_stages(tx: &mut WriteTx, now: i64) -> Result<Vec<(u32, u32)>> {
    tx.execute("DELETE FROM fact_stage WHERE lease_until < $1", &[now.into()]).await?;
    let rows = tx
        .fetch_all("SELECT first_segment, last_segment FROM fact_stage ORDER BY first_segment", &[])
        .await?;
    rows.iter()
        .map(|row| Ok((narrow(row, "first_segment")?, narrow(row, "last_segment")?)))
        .collect()
}

pub(crate) struct CommitEntry<'a> {
    pub(crate) id: &'a str,
    pub(crate) pos: u64,
    pub(crate) table: &'a str,
    pub(crate) batch: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) stored: u64,
    pub(crate) receipt: &'a Receipt,
    pub(crate) root: String,
}

pub(crate) async fn insert_commit(tx: &mut WriteTx, entry: CommitEntry<'_>) -> Result<()> {
    let now = tx.now();
    let values = vec![
        entry.id.into(),
        (entry.pos as i64).into(),
        entry.table.into(),
        entry.batch.into(),
        entry.kind.into(),
        (entry.stored as i64).into(),
        (entry.receipt.correct as i64).into(),
        (entry.receipt.duplicate as i64).into(),
        (entry.receipt.superseded as i64).into(),
        entry.root.into(),
        now.into(),
    ];
    Ok(tx.insert_many(&COMMIT, vec![values]).await?)
}

pub(crate) async fn insert_segments(
    tx: &mut WriteTx,
    spec: &TableSpec,
    pos: u64,
    kind: &str,
    done: &[SegmentDone],
) -> Result<()> {
    let rows = done
        .iter()
        .map(|segment| {
            vec![
                format!("{:012x}", segment.number).into(),
                i64::from(segment.number).into(),
                spec.name.as_str().into(),
                FORMAT.into(),
                spec.standard_version.as_str().into(),
                (pos as i64).into(),
                kind.into(),
                i64::from(segment.rows).into(),
                (segment.bytes as i64).into(),
                hex::encode(segment.sm3).into(),
                segment.blocks.clone().into(),
                i64::from(segment.min_date).into(),
                i64::from(segment.max_date).into(),
                0_i64.into(),
                0_i64.into(),
            ]
        })
        .collect();
    Ok(tx.insert_many(&SEGMENT, rows).await?)
}

/// Marks of one position, given by segment and kind.
pub(crate) async fn insert_marks<'a>(
    tx: &mut WriteTx,
    table: &str,
    marks: impl Iterator<Item = (u32, u64, MarkKind, &'a [(u32, i64)])>,
) -> Result<()> {
    let rows = marks
        .map(|(segment, pos, kind, rows)| {
            vec![
                mj_platform::new_id().into(),
                table.into(),
                i64::from(segment).into(),
                (pos as i64).into(),
                kind.name().into(),
                (rows.len() as i64).into(),
                pack(rows, kind == MarkKind::Seen).into(),
            ]
        })
        .collect();
    Ok(tx.insert_many(&MARK, rows).await?)
}

/// Inserts hot rows as the index has them after settling; returns the commit's root.
pub(crate) async fn insert_hot(
    tx: &mut WriteTx,
    table: &str,
    entries: Vec<HotEntry>,
) -> Result<String> {
    if entries.is_empty() {
        return Ok(String::new());
    }
    let root = hot_root(entries.iter());
    let rows: Vec<Vec<Value>> = entries
        .into_iter()
        .map(|entry| {
            vec![
                i64::from(entry.rid).into(),
                table.into(),
                (entry.pos as i64).into(),
                (entry.to_pos as i64).into(),
                flips_text(&entry.flips).into(),
                entry.cd_source.into(),
                entry.cd_id.into(),
                entry.op.name().into(),
                entry.cd_time.into(),
                entry.seen.into(),
                (entry.content as i64).into(),
                business_to_bytes(entry.business).to_vec().into(),
                entry.mention.into(),
                i64::from(entry.date).into(),
                entry.area.into(),
                entry.agency.into(),
                entry.batch.into(),
                i64::from(entry.delivery_row).into(),
                entry.norm.into(),
                entry.values.into(),
            ]
        })
        .collect();
    tx.execute_many("fact_hot", HOT, &rows, "").await?;
    Ok(root)
}

/// SM3 over what of hot rows never changes, in order of their numbers.
pub(crate) fn hot_root<'a>(entries: impl Iterator<Item = &'a HotEntry>) -> String {
    let mut hash = Sm3::new();
    let mut put = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    for entry in entries {
        let numbers = [
            i64::from(entry.rid),
            entry.pos as i64,
            entry.cd_time,
            entry.content as i64,
            entry.mention,
            i64::from(entry.date),
            i64::from(entry.delivery_row),
        ];
        for number in numbers {
            put(&number.to_be_bytes());
        }
        put(&business_to_bytes(entry.business));
        for text in [
            &entry.cd_source,
            &entry.cd_id,
            &entry.area,
            &entry.agency,
            &entry.batch,
            &entry.norm,
            &entry.values,
        ] {
            put(text.as_bytes());
        }
        put(entry.op.name().as_bytes());
    }
    hex::encode(hash.finish())
}

/// The entry of a hot row as the index holds it.
pub(crate) fn hot_entry(index: &Index, rid: u32) -> Option<HotEntry> {
    let row = index.hot.get(&rid)?;
    let (cd_source, cd_id) = index.key(row.slot);
    Some(HotEntry {
        rid,
        pos: row.at,
        to_pos: row.dead,
        flips: row.flips.clone(),
        cd_source: cd_source.to_owned(),
        cd_id: cd_id.to_owned(),
        op: row.op,
        cd_time: row.doc.cd_time,
        seen: row.seen,
        content: row.doc.content,
        business: row.doc.business,
        mention: row.mention,
        date: row.date,
        area: index.words.word(row.area).to_owned(),
        agency: index.words.word(row.agency).to_owned(),
        batch: row.doc.batch.to_string(),
        delivery_row: row.doc.delivery_row,
        norm: row.doc.norm.to_string(),
        values: row.doc.values.to_string(),
    })
}

/// How many row numbers go into one statement.
const IN_LIST: usize = 500;

async fn update_hot(tx: &mut WriteTx, set: &str, value: Value, rids: &[u32]) -> Result<()> {
    for chunk in rids.chunks(IN_LIST) {
        let mut args = vec![value.clone()];
        let marks: Vec<String> = chunk
            .iter()
            .map(|rid| {
                args.push(i64::from(*rid).into());
                format!("${}", args.len())
            })
            .collect();
        let sql = format!("UPDATE fact_hot SET {set} WHERE rid IN ({})", marks.join(","));
        tx.execute(&sql, &args).await?;
    }
    Ok(())
}

pub(crate) async fn hot_died(tx: &mut WriteTx, pos: u64, rids: &[u32]) -> Result<()> {
    update_hot(tx, "to_pos = $1", (pos as i64).into(), rids).await
}

pub(crate) async fn hot_flipped(
    tx: &mut WriteTx,
    pos: u64,
    rids: &[u32],
    hidden: bool,
) -> Result<()> {
    let flip = flips_text(&[(pos, hidden)]);
    update_hot(tx, "flips = flips || $1", flip.into(), rids).await
}

pub(crate) async fn hot_seen(tx: &mut WriteTx, seen: &[(u32, i64)]) -> Result<()> {
    for (rid, time) in seen {
        update_hot(tx, "seen_time = $1", (*time).into(), &[*rid]).await?;
    }
    Ok(())
}

/// Takes flushed rows out of the hot table; how many were there.
pub(crate) async fn delete_hot(tx: &mut WriteTx, rids: &[u32]) -> Result<u64> {
    let mut gone = 0;
    for chunk in rids.chunks(IN_LIST) {
        let args: Vec<Value> = chunk.iter().map(|rid| i64::from(*rid).into()).collect();
        let marks: Vec<String> = (1..=args.len()).map(|number| format!("${number}")).collect();
        let sql = format!("DELETE FROM fact_hot WHERE rid IN ({})", marks.join(","));
        gone += tx.execute(&sql, &args).await?;
    }
    Ok(gone)
}

/// Rows at a time when reading hot rows: bounded memory in the driver.
const HOT_PAGE: i64 = 2000;

/// One table's manifest at one position: read again if a commit came in between.
pub(crate) async fn table(db: &Db, table: &str) -> Result<TableEntries> {
    loop {
        let before = head(db).await?;
        let entries = TableEntries {
            segments: segments(db, Some(table))
                .await?
                .into_iter()
                .map(|(_, entry)| entry)
                .collect(),
            marks: marks(db, table).await?,
            hot: hot(db, table).await?,
            head: head(db).await?,
        };
        if entries.head == before {
            return Ok(entries);
        }
    }
}

/// Segments in use, by table.
pub(crate) async fn segments(db: &Db, table: Option<&str>) -> Result<Vec<(String, SegmentEntry)>> {
    let filter = if table.is_some() { "AND table_name = $1" } else { "" };
    let args: Vec<Value> = table.into_iter().map(Value::from).collect();
    let sql = format!(
        "SELECT table_name, number, pos, kind, stored, bytes, sm3, block_sm3 FROM fact_segment \
         WHERE retired_pos = 0 {filter} ORDER BY number"
    );
    let rows = db.fetch_all(&sql, &args).await?;
    rows.iter()
        .map(|row| {
            let entry = SegmentEntry {
                number: narrow(row, "number")?,
                pos: unsigned(row, "pos")?,
                is_flush: row.text("kind")? == "flush",
                stored: unsigned(row, "stored")?,
                bytes: unsigned(row, "bytes")?,
                sm3: row.text("sm3")?,
                blocks: row.bytes("block_sm3")?,
            };
            Ok((row.text("table_name")?, entry))
        })
        .collect()
}

/// All segment files the manifest names, retired ones included.
pub(crate) async fn named_files(db: &Db) -> Result<Vec<(String, u32)>> {
    let sql = "SELECT table_name, number FROM fact_segment ORDER BY number";
    let rows = db.fetch_all(sql, &[]).await?;
    rows.iter().map(|row| Ok((row.text("table_name")?, narrow(row, "number")?))).collect()
}

async fn marks(db: &Db, table: &str) -> Result<Vec<MarkEntry>> {
    let sql = "SELECT segment, pos, kind, row_numbers FROM fact_mark WHERE table_name = $1 \
               ORDER BY pos, id";
    let rows = db.fetch_all(sql, &[table.into()]).await?;
    rows.iter()
        .map(|row| {
            let kind = row.text("kind")?;
            let kind = MarkKind::parse(&kind)
                .ok_or_else(|| Error::Manifest(format!("不认识的标记 {kind}")))?;
            Ok(MarkEntry {
                segment: narrow(row, "segment")?,
                pos: unsigned(row, "pos")?,
                kind,
                rows: unpack(&row.bytes("row_numbers")?, kind == MarkKind::Seen)
                    .ok_or_else(|| Error::Manifest("标记损坏".into()))?,
            })
        })
        .collect()
}

pub(crate) async fn hot(db: &Db, table: &str) -> Result<Vec<HotEntry>> {
    let sql = format!(
        "SELECT {} FROM fact_hot WHERE table_name = $1 AND rid > $2 ORDER BY rid LIMIT $3",
        HOT.join(", ")
    );
    let mut entries: Vec<HotEntry> = Vec::new();
    loop {
        let last = entries.last().map_or(-1, |entry| i64::from(entry.rid));
        let rows = db.fetch_all(&sql, &[table.into(), last.into(), HOT_PAGE.into()]).await?;
        for row in &rows {
            entries.push(HotEntry {
                rid: narrow(row, "rid")?,
                pos: unsigned(row, "pos")?,
                to_pos: unsigned(row, "to_pos")?,
                flips: parse_flips(&row.text("flips")?),
                cd_source: row.text("cd_source")?,
                cd_id: row.text("cd_id")?,
                op: Op::parse(&row.text("op")?),
                cd_time: row.int("cd_time")?,
                seen: row.int("seen_time")?,
                content: row.int("content")? as u64,
                business: business_from_bytes(&row.bytes("business_key")?),
                mention: row.int("mention")?,
                date: i32::try_from(row.int("event_date")?).unwrap_or(crate::model::NO_DATE),
                area: row.text("area")?,
                agency: row.text("agency")?,
                batch: row.text("batch_id")?,
                delivery_row: narrow(row, "row_no")?,
                norm: row.text("norm")?,
                values: row.text("row_values")?,
            });
        }
        if (rows.len() as i64) < HOT_PAGE {
            return Ok(entries);
        }
    }
}

#[derive(Debug)]
pub(crate) struct CommitCounts {
    pub(crate) pos: u64,
    pub(crate) kind: String,
    pub(crate) stored: u64,
    pub(crate) root: String,
}

pub(crate) async fn commits(db: &Db, table: &str) -> Result<Vec<CommitCounts>> {
    let sql = "SELECT pos, kind, stored, root FROM fact_commit WHERE table_name = $1 ORDER BY pos";
    let rows = db.fetch_all(sql, &[table.into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(CommitCounts {
                pos: unsigned(row, "pos")?,
                kind: row.text("kind")?,
                stored: unsigned(row, "stored")?,
                root: row.text("root")?,
            })
        })
        .collect()
}

/// Every table that has a commit.
pub(crate) async fn table_names(db: &Db) -> Result<Vec<String>> {
    let sql = "SELECT DISTINCT table_name FROM fact_commit ORDER BY table_name";
    let rows = db.fetch_all(sql, &[]).await?;
    rows.iter().map(|row| Ok(row.text("table_name")?)).collect()
}

pub(crate) async fn hot_counts(db: &Db) -> Result<Vec<(String, u64)>> {
    let sql = "SELECT table_name, COUNT(*) AS held FROM fact_hot GROUP BY table_name \
               ORDER BY table_name";
    let rows = db.fetch_all(sql, &[]).await?;
    rows.iter().map(|row| Ok((row.text("table_name")?, unsigned(row, "held")?))).collect()
}
