//! The registry's truth tables as the write door knows them, and small helpers for SQL lists.

use std::future::Future;

use mj_platform::DbRow;
use mj_platform::{Db, Result, RowExt, TruthTable, Value, WriteTx};

/// Something that answers queries: a transaction sees its own changes, the database what is committed.
pub trait Fetch: Send {
    fn fetch(
        &mut self,
        sql: &str,
        args: &[Value],
    ) -> impl Future<Output = Result<Vec<DbRow>>> + Send;
}

impl Fetch for WriteTx {
    fn fetch(
        &mut self,
        sql: &str,
        args: &[Value],
    ) -> impl Future<Output = Result<Vec<DbRow>>> + Send {
        self.fetch_all(sql, args)
    }
}

impl Fetch for Db {
    fn fetch(
        &mut self,
        sql: &str,
        args: &[Value],
    ) -> impl Future<Output = Result<Vec<DbRow>>> + Send {
        Db::fetch_all(self, sql, args)
    }
}

pub const MENTION: TruthTable = TruthTable {
    name: "mention",
    columns: &[
        "id",
        "number",
        "wording",
        "kind",
        "code_type",
        "code",
        "name",
        "regist_no",
        "area_number",
        "address",
        "tier",
        "anchor",
        "regist_key",
        "block",
        "party_id",
        "link_rule",
        "score",
        "explain",
    ],
};

pub const PARTY: TruthTable = TruthTable {
    name: "party",
    columns: &[
        "id",
        "register_no",
        "anchor",
        "kind",
        "origin",
        "name",
        "name_hash",
        "uscc",
        "regist_no",
        "person_code",
        "person_code_type",
        "area_number",
        "address",
        "search_text",
        "status",
        "valid_from",
        "known_from",
        "merged_into",
        "merge_rule",
    ],
};

pub const PARTY_VERSION: TruthTable = TruthTable {
    name: "party_version",
    columns: &[
        "id",
        "party_id",
        "valid_from",
        "valid_to",
        "known_from",
        "known_to",
        "kind",
        "name",
        "uscc",
        "regist_no",
        "area_number",
        "address",
        "status",
        "merged_into",
    ],
};

pub const PARTY_SOURCE: TruthTable = TruthTable {
    name: "party_source",
    columns: &[
        "id",
        "mention_id",
        "table_name",
        "cd_source",
        "cd_id",
        "cd_time",
        "deleted",
        "batch_id",
        "row_no",
        "priority",
        "fields",
    ],
};

pub const PARTY_MERGE: TruthTable = TruthTable {
    name: "party_merge",
    columns: &[
        "id",
        "keep_id",
        "merge_id",
        "reason",
        "area_number",
        "actor",
        "merged_at",
        "undone_at",
        "undone_by",
        "undo_reason",
    ],
};

pub const PARTY_PAIR: TruthTable = TruthTable {
    name: "party_pair",
    columns: &["id", "keep_id", "merge_id", "state", "score", "explain"],
};

pub const OFFICER: TruthTable = TruthTable {
    name: "officer",
    columns: &[
        "id",
        "register_no",
        "anchor",
        "name",
        "initials",
        "id_no",
        "org_full_name",
        "staff_type",
        "is_supervisor",
        "area_number",
        "dept_code",
        "status",
    ],
};

pub const OFFICER_SOURCE: TruthTable = TruthTable {
    name: "officer_source",
    columns: &[
        "id",
        "cd_source",
        "cd_id",
        "cd_time",
        "deleted",
        "batch_id",
        "row_no",
        "priority",
        "certificate_no",
        "anchor",
        "fields",
    ],
};

pub const OFFICER_CERTIFICATE: TruthTable = TruthTable {
    name: "officer_certificate",
    columns: &[
        "id",
        "officer_id",
        "certificate_no",
        "issue_authority",
        "law_area",
        "law_type",
        "valid_from",
        "valid_until",
        "status",
    ],
};

/// What the index of identities asks for: credit codes are kept out of it.
pub const NO_USCC: &str = "substr(p.anchor, 1, 5) <> 'uscc:'";

/// How many values one `IN (…)` takes: far below both databases' limits on parameters.
pub const IN_LIST: usize = 2_000;

/// `$from,$from+1,…`
pub fn marks(from: usize, count: usize) -> String {
    let marks: Vec<String> = (from..from + count).map(|n| format!("${n}")).collect();
    marks.join(",")
}

/// Texts as arguments.
pub fn texts<'a>(values: impl IntoIterator<Item = &'a str>) -> Vec<Value> {
    values.into_iter().map(Value::from).collect()
}

/// The id of a mention: its number, so that texts sort like numbers.
pub fn mention_key(number: i64) -> String {
    format!("{number:012}")
}

/// Takes `count` numbers of a series, never to be given again; returns the first.
pub async fn take_numbers(tx: &mut WriteTx, series: &str, count: usize) -> Result<i64> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let row = tx
        .fetch_optional(
            "UPDATE registry_counter SET last = last + $1 WHERE name = $2 RETURNING last",
            &[count.into(), series.into()],
        )
        .await?
        .ok_or_else(|| mj_platform::Error::Corrupt(format!("没有编号序列 {series}")))?;
    Ok(row.int("last")? - count + 1)
}
