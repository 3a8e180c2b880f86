//! Law officers and their certificates (执法人员、执法证), chosen from the delivered officer rows.
//!
//! An officer is known by the citizen id, else by the certificate. A certificate belongs to one
//! officer and holds up to and including its last day; whether it covers an item is not judged here.

use std::collections::HashMap;

use chrono::NaiveDate;
use mj_kernel::Actor;
use mj_kernel::code::CitizenId;
use mj_platform::DbRow;
use mj_platform::{Act, Lane, Result, RowExt, Value, WriteTx, new_id};
use rustc_hash::FxHashMap;

use crate::Registry;
use crate::model::{ALWAYS, FOREVER, Operation, SourceRecord};
use crate::suspensions::Suspension;
use crate::tables::{
    IN_LIST, OFFICER, OFFICER_CERTIFICATE, OFFICER_SOURCE, marks, take_numbers, texts,
};

/// Rows a transaction: each may touch a source row, an officer and a certificate.
const CHUNK: usize = 1_000;

fn field<'a>(row: &'a SourceRecord, column: &str) -> Option<&'a str> {
    row.fields.iter().find(|field| field.column == column).map(|field| field.value.as_str())
}

/// What is known of a certificate number on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateStanding {
    Unknown,
    /// Withdrawn, not yet valid, or run out.
    NotValid,
    Valid,
}

/// The days of all certificates, taken at once for a bulk check.
#[derive(Debug, Default)]
pub struct Certificates {
    by_number: HashMap<String, Vec<(String, String)>>,
}

impl Certificates {
    /// From the first day up to, and without, the second (YYYY-MM-DD); empty for a number that
    /// nobody delivered or that was taken back.
    pub fn days(&self, number: &str) -> &[(String, String)] {
        self.by_number.get(number).map(Vec::as_slice).unwrap_or_default()
    }

    pub fn standing(&self, number: &str, day: NaiveDate) -> CertificateStanding {
        let day = day.to_string();
        match self.days(number) {
            [] => CertificateStanding::Unknown,
            days if days.iter().any(|(from, to)| *from <= day && day < *to) => {
                CertificateStanding::Valid
            }
            _ => CertificateStanding::NotValid,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    fn read(rows: &[DbRow]) -> Result<Self> {
        let mut all = Self::default();
        for row in rows {
            let from = row.opt_text("valid_from")?.unwrap_or_else(|| ALWAYS.to_owned());
            // the last day still counts
            let until = row
                .opt_text("valid_until")?
                .and_then(|day| day.parse::<NaiveDate>().ok())
                .and_then(|day| day.succ_opt());
            let to = until.map_or_else(|| FOREVER.to_owned(), |day| day.to_string());
            let number = row.text("certificate_no")?;
            all.by_number.entry(number).or_default().push((from, to));
        }
        Ok(all)
    }

    /// Takes the suspended days out of the certificates' own.
    fn suspend(&mut self, rows: &[DbRow]) -> Result<()> {
        for row in rows {
            let suspension = Suspension::read(row)?;
            let Some(days) = self.by_number.get_mut(&suspension.certificate_no) else { continue };
            let first = suspension.from_day;
            // the last day is suspended still
            let after = match suspension.to_day.as_str() {
                // the day after it has five digits of year
                FOREVER => None,
                day => day.parse::<NaiveDate>().ok().and_then(|day| day.succ_opt()),
            };
            let after = after.map_or_else(|| FOREVER.to_owned(), |day| day.to_string());
            if after <= first {
                continue;
            }
            *days = std::mem::take(days)
                .into_iter()
                .flat_map(|(from, to)| {
                    let before = (from.clone(), to.clone().min(first.clone()));
                    let later = (from.max(after.clone()), to);
                    [before, later].into_iter().filter(|(from, to)| from < to)
                })
                .collect();
        }
        Ok(())
    }
}

/// A stored row, opened as far as choosing needs it.
struct Kept {
    anchor: String,
    certificate_no: String,
    strength: (i64, i64, String, String),
    fields: FxHashMap<String, String>,
}

impl Kept {
    fn value(&self, column: &str) -> Value {
        self.fields.get(column).cloned().into()
    }
}

impl Registry {
    /// Takes over accepted rows of `law_officer`. The same rows again change nothing.
    pub async fn apply_officer_records(&self, rows: &[SourceRecord]) -> Result<usize> {
        let _writing = self.writing.lock().await;
        let mut changed = 0;
        for chunk in rows.chunks(CHUNK) {
            let act = Act::new(&Actor::system("registry"), "registry.officer.apply", "officer");
            let mut tx = self.db.begin(Lane::Bulk, act).await?;
            let (count, touched) = self.keep_officers(&mut tx, chunk).await?;
            self.rebuild_officers(&mut tx, touched).await?;
            tx.commit().await?;
            changed += count;
        }
        Ok(changed)
    }

    /// All certificates in use, for checks in bulk.
    pub async fn certificates(&self) -> Result<Certificates> {
        let sql = "SELECT certificate_no, valid_from, valid_until FROM officer_certificate \
                   WHERE status = 'in_use' ORDER BY certificate_no";
        let mut all = Certificates::read(&self.db.fetch_all(sql, &[]).await?)?;
        let sql = "SELECT * FROM officer_suspension ORDER BY id";
        all.suspend(&self.db.fetch_all(sql, &[]).await?)?;
        Ok(all)
    }

    /// One question; for many take [`Registry::certificates`].
    pub async fn certificate_valid(
        &self,
        number: &str,
        day: NaiveDate,
    ) -> Result<CertificateStanding> {
        let sql = "SELECT certificate_no, valid_from, valid_until FROM officer_certificate \
                   WHERE certificate_no = $1 AND status = 'in_use'";
        let rows = self.db.fetch_all(sql, &[number.into()]).await?;
        let mut own = Certificates::read(&rows)?;
        let sql = "SELECT * FROM officer_suspension WHERE certificate_no = $1 ORDER BY id";
        own.suspend(&self.db.fetch_all(sql, &[number.into()]).await?)?;
        Ok(own.standing(number, day))
    }

    fn officer_anchor(&self, row: &SourceRecord) -> String {
        match field(row, "id_no").filter(|code| CitizenId::parse(code).is_ok()) {
            Some(code) => format!("id:{}", self.keys.lookup("citizen_id", code)),
            None => format!("cert:{}", field(row, "certificate_no").unwrap_or_default()),
        }
    }

    /// Writes the newest of each record; gives the anchors and certificates that may have changed.
    async fn keep_officers(
        &self,
        tx: &mut WriteTx,
        rows: &[SourceRecord],
    ) -> Result<(usize, Touched)> {
        let mut newest: FxHashMap<(String, String), &SourceRecord> = FxHashMap::default();
        let mut order = Vec::new();
        for row in rows {
            let key = (row.cd_source.clone(), self.hash.hex(&[Some("officer"), Some(&row.cd_id)]));
            match newest.get_mut(&key) {
                Some(slot) if row.at >= slot.at => *slot = row,
                Some(_) => {}
                None => {
                    order.push(key.clone());
                    newest.insert(key, row);
                }
            }
        }
        let stored = stored(tx, &order).await?;
        let mut touched = Touched::default();
        let mut changed = 0;
        for key in order {
            let row = newest[&key];
            let old = stored.get(&key);
            if old.is_some_and(|old| old.keeps(row)) {
                continue;
            }
            let (anchor, certificate) = match (row.operation, old) {
                // a delete may say no more than which record
                (Operation::Delete, Some(old)) => (old.anchor.clone(), old.certificate_no.clone()),
                _ => {
                    let certificate = field(row, "certificate_no").unwrap_or_default().to_owned();
                    (self.officer_anchor(row), certificate)
                }
            };
            touched.add(&anchor, &certificate);
            let values: Vec<(&str, Value)> = vec![
                ("cd_time", row.at.into()),
                ("deleted", (row.operation == Operation::Delete).into()),
                ("batch_id", row.batch_id.as_str().into()),
                ("row_no", row.row.into()),
                ("priority", row.priority.into()),
                ("certificate_no", certificate.into()),
                ("anchor", anchor.as_str().into()),
                ("fields", self.sealed_officer(tx, row, &anchor).await?.into()),
            ];
            match old {
                Some(old) => {
                    touched.add(&old.anchor, &old.certificate_no);
                    tx.update(&OFFICER_SOURCE, &old.id, None, &values).await?;
                }
                None => {
                    let mut all: Vec<(&str, Value)> = vec![
                        ("id", new_id().into()),
                        ("cd_source", key.0.into()),
                        ("cd_id", key.1.into()),
                    ];
                    all.extend(values);
                    tx.insert(&OFFICER_SOURCE, &all).await?;
                }
            }
            changed += 1;
        }
        Ok((changed, touched))
    }

    async fn sealed_officer(
        &self,
        tx: &mut WriteTx,
        row: &SourceRecord,
        anchor: &str,
    ) -> Result<String> {
        let subject = match anchor.strip_prefix("id:") {
            Some(subject) => subject.to_owned(),
            None => self.keys.lookup("officer", anchor),
        };
        let key = match row.fields.iter().any(|field| field.personal) {
            true => self.keys.data_keys(tx, &[subject]).await?.pop(),
            false => None,
        };
        let fields: Vec<(&str, String)> = row
            .fields
            .iter()
            .map(|field| {
                let value = match &key {
                    Some(key) if field.personal => {
                        key.seal(&format!("officer_source.{}", field.column), &field.value)
                    }
                    _ => field.value.clone(),
                };
                (field.column.as_str(), value)
            })
            .collect();
        serde_json::to_string(&fields)
            .map_err(|error| mj_platform::Error::Other(format!("执法人员记录无法保存：{error}")))
    }

    async fn rebuild_officers(&self, tx: &mut WriteTx, touched: Touched) -> Result<()> {
        let by_anchor = kept(tx, "anchor", &touched.anchors).await?;
        let mut groups: FxHashMap<&str, Vec<&Kept>> = FxHashMap::default();
        for row in &by_anchor {
            groups.entry(&row.anchor).or_default().push(row);
        }
        for anchor in &touched.anchors {
            let rows = groups.remove(anchor.as_str()).unwrap_or_default();
            write_officer(tx, anchor, strongest(&rows)).await?;
        }
        let by_certificate = kept(tx, "certificate_no", &touched.certificates).await?;
        let mut groups: FxHashMap<&str, Vec<&Kept>> = FxHashMap::default();
        for row in &by_certificate {
            groups.entry(&row.certificate_no).or_default().push(row);
        }
        for number in &touched.certificates {
            let rows = groups.remove(number.as_str()).unwrap_or_default();
            // a row that names the person says more about whose it is than one that does not
            let named: Vec<&Kept> =
                rows.iter().copied().filter(|row| row.anchor.starts_with("id:")).collect();
            let best = if named.is_empty() { strongest(&rows) } else { strongest(&named) };
            write_certificate(tx, number, best).await?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Touched {
    anchors: Vec<String>,
    certificates: Vec<String>,
}

impl Touched {
    fn add(&mut self, anchor: &str, certificate: &str) {
        if !self.anchors.iter().any(|known| known == anchor) {
            self.anchors.push(anchor.to_owned());
        }
        if !certificate.is_empty() && !self.certificates.iter().any(|known| known == certificate) {
            self.certificates.push(certificate.to_owned());
        }
    }
}

fn strongest<'a>(rows: &[&'a Kept]) -> Option<&'a Kept> {
    rows.iter().copied().min_by(|a, b| a.strength.cmp(&b.strength))
}

struct Stored {
    id: String,
    cd_time: i64,
    deleted: bool,
    batch_id: String,
    row: i64,
    anchor: String,
    certificate_no: String,
}

impl Stored {
    fn keeps(&self, new: &SourceRecord) -> bool {
        self.cd_time > new.at
            || (self.cd_time == new.at
                && self.batch_id == new.batch_id
                && self.row == new.row
                && self.deleted == (new.operation == Operation::Delete))
    }
}

async fn stored(
    tx: &mut WriteTx,
    keys: &[(String, String)],
) -> Result<FxHashMap<(String, String), Stored>> {
    let mut found = FxHashMap::default();
    for chunk in keys.chunks(IN_LIST) {
        let sql = format!(
            "SELECT * FROM officer_source WHERE cd_id IN ({}) ORDER BY id",
            marks(1, chunk.len())
        );
        for row in tx.fetch_all(&sql, &texts(chunk.iter().map(|key| key.1.as_str()))).await? {
            let stored = Stored {
                id: row.text("id")?,
                cd_time: row.int("cd_time")?,
                deleted: row.flag("deleted")?,
                batch_id: row.text("batch_id")?,
                row: row.int("row_no")?,
                anchor: row.text("anchor")?,
                certificate_no: row.text("certificate_no")?,
            };
            found.insert((row.text("cd_source")?, row.text("cd_id")?), stored);
        }
    }
    Ok(found)
}

async fn kept(tx: &mut WriteTx, column: &str, values: &[String]) -> Result<Vec<Kept>> {
    let mut found = Vec::new();
    for chunk in values.chunks(IN_LIST) {
        let sql = format!(
            "SELECT anchor, certificate_no, priority, cd_time, cd_source, cd_id, fields \
             FROM officer_source WHERE deleted = 0 AND {column} IN ({}) ORDER BY id",
            marks(1, chunk.len())
        );
        for row in tx.fetch_all(&sql, &texts(chunk.iter().map(String::as_str))).await? {
            let fields: Vec<(String, String)> = serde_json::from_str(&row.text("fields")?)
                .map_err(|error| mj_platform::Error::Corrupt(format!("执法人员记录：{error}")))?;
            found.push(Kept {
                anchor: row.text("anchor")?,
                certificate_no: row.text("certificate_no")?,
                strength: (
                    row.int("priority")?,
                    -row.int("cd_time")?,
                    row.text("cd_source")?,
                    row.text("cd_id")?,
                ),
                fields: fields.into_iter().collect(),
            });
        }
    }
    Ok(found)
}

async fn write_officer(tx: &mut WriteTx, anchor: &str, best: Option<&Kept>) -> Result<()> {
    let row =
        tx.fetch_optional("SELECT * FROM officer WHERE anchor = $1", &[anchor.into()]).await?;
    let Some(best) = best else {
        if let Some(row) = row
            && row.text("status")? != "withdrawn"
        {
            tx.update(&OFFICER, &row.text("id")?, None, &[("status", "withdrawn".into())]).await?;
        }
        return Ok(());
    };
    let name = best.fields.get("name").cloned().unwrap_or_default();
    let initials = match mj_platform::keys::is_sealed(&name) {
        true => String::new(),
        false => mj_linkage::pinyin_initials(&name).join(" "),
    };
    let values: Vec<(&str, Value)> = vec![
        ("name", name.into()),
        ("initials", initials.into()),
        ("id_no", best.value("id_no")),
        ("org_full_name", best.value("org_full_name")),
        ("staff_type", best.value("law_staff_type")),
        ("is_supervisor", best.value("is_supervisor")),
        ("area_number", best.value("area_number")),
        ("dept_code", best.value("dept_code")),
        ("status", "on_duty".into()),
    ];
    match row {
        Some(row) => {
            let mut differs = false;
            for (column, value) in &values {
                differs |= row.value(column)? != *value;
            }
            if differs {
                tx.update(&OFFICER, &row.text("id")?, None, &values).await?;
            }
        }
        None => {
            let number = take_numbers(tx, "officer", 1).await?;
            let area = best.fields.get("area_number").and_then(|code| code.get(..6));
            let register_no = format!("O{}-{number:09}", area.unwrap_or("000000"));
            let mut all: Vec<(&str, Value)> = vec![
                ("id", new_id().into()),
                ("register_no", register_no.into()),
                ("anchor", anchor.into()),
            ];
            all.extend(values);
            tx.insert(&OFFICER, &all).await?;
        }
    }
    Ok(())
}

async fn write_certificate(tx: &mut WriteTx, number: &str, best: Option<&Kept>) -> Result<()> {
    let row = tx
        .fetch_optional(
            "SELECT * FROM officer_certificate WHERE certificate_no = $1",
            &[number.into()],
        )
        .await?;
    let Some(best) = best else {
        if let Some(row) = row
            && row.text("status")? != "withdrawn"
        {
            let changes = [("status", "withdrawn".into())];
            tx.update(&OFFICER_CERTIFICATE, &row.text("id")?, None, &changes).await?;
        }
        return Ok(());
    };
    let officer = tx
        .fetch_optional("SELECT id FROM officer WHERE anchor = $1", &[best.anchor.as_str().into()])
        .await?;
    // the rows of this chunk wrote the officer just before; rows of earlier ones did then
    let Some(officer) = officer else { return Ok(()) };
    let values: Vec<(&str, Value)> = vec![
        ("officer_id", officer.text("id")?.into()),
        ("issue_authority", best.value("issue_authority")),
        ("law_area", best.value("law_area")),
        ("law_type", best.value("law_type")),
        ("valid_from", best.value("valid_from")),
        ("valid_until", best.value("valid_until")),
        ("status", "in_use".into()),
    ];
    match row {
        Some(row) => {
            let mut differs = false;
            for (column, value) in &values {
                differs |= row.value(column)? != *value;
            }
            if differs {
                tx.update(&OFFICER_CERTIFICATE, &row.text("id")?, None, &values).await?;
            }
        }
        None => {
            let mut all: Vec<(&str, Value)> =
                vec![("id", new_id().into()), ("certificate_no", number.into())];
            all.extend(values);
            tx.insert(&OFFICER_CERTIFICATE, &all).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SourceField;
    use mj_testkit::TestDb;

    fn row(id: &str, at: i64, certificate: &str, until: &str) -> SourceRecord {
        let field = |column: &str, value: &str, personal| SourceField {
            column: column.into(),
            value: value.into(),
            personal,
        };
        SourceRecord {
            mention: 0,
            table: "law_officer".into(),
            cd_source: "370400sfj".into(),
            cd_id: id.into(),
            operation: Operation::Upsert,
            at,
            batch_id: "b".into(),
            row: at,
            priority: 10,
            fields: vec![
                field("name", "王检查", false),
                field("id_no", "34052419800101001X", true),
                field("certificate_no", certificate, false),
                field("valid_until", until, false),
                field("area_number", "370402", false),
            ],
        }
    }

    #[tokio::test]
    async fn a_certificate_holds_to_its_last_day_and_not_after_it_is_taken_back() {
        let db = TestDb::new().await;
        let officers = Registry::new(db.db().clone(), db.keys());
        let on = async |number: &str, day: &str| {
            let day = day.parse().expect("a day");
            officers.certificate_valid(number, day).await.expect("an answer")
        };
        assert_eq!(on("SD1", "2026-01-01").await, CertificateStanding::Unknown);
        let rows = [row("1", 1, "SD1", "2026-06-30"), row("2", 2, "SD2", "2027-06-30")];
        assert_eq!(officers.apply_officer_records(&rows).await.expect("applied"), 2);
        assert_eq!(officers.apply_officer_records(&rows).await.expect("applied"), 0);
        assert_eq!(on("SD1", "2026-06-30").await, CertificateStanding::Valid);
        assert_eq!(on("SD1", "2026-07-01").await, CertificateStanding::NotValid);
        let people = db.db().count("SELECT COUNT(*) FROM officer", &[]).await.expect("a count");
        assert_eq!(people, 1, "one citizen id is one officer, whatever the certificates");
        let gone =
            SourceRecord { operation: Operation::Delete, ..row("1", 3, "SD1", "2026-06-30") };
        officers.apply_officer_records(&[gone]).await.expect("applied");
        let set = officers.certificates().await.expect("the set");
        let day = "2026-01-01".parse().expect("a day");
        assert_eq!(set.standing("SD1", day), CertificateStanding::Unknown);
        assert_eq!(set.standing("SD2", day), CertificateStanding::Valid);
        let stored = db.db().fetch_one("SELECT id_no FROM officer", &[]).await.expect("a row");
        assert!(!stored.text("id_no").expect("sealed").contains("3405"));
    }

    #[tokio::test]
    async fn nobody_acts_with_a_certificate_while_it_is_suspended() {
        use crate::suspensions::{lift, suspend};
        let db = TestDb::new().await;
        let officers = Registry::new(db.db().clone(), db.keys());
        let rows = [row("1", 1, "SD1", "2027-06-30")];
        officers.apply_officer_records(&rows).await.expect("applied");
        let on = async |day: &str| {
            let day = day.parse().expect("a day");
            officers.certificate_valid("SD1", day).await.expect("an answer")
        };
        let mut tx = db.begin().await;
        suspend(&mut tx, "SD1", "案件调查期间", None).await.expect("suspended");
        assert!(suspend(&mut tx, "SD1", "再一次", None).await.is_err());
        tx.commit().await.expect("committed");
        assert_eq!(on("2026-11-19").await, CertificateStanding::Valid, "the day before");
        assert_eq!(on("2026-11-20").await, CertificateStanding::NotValid);
        assert_eq!(on("2027-01-01").await, CertificateStanding::NotValid);
        // the register says the same again: that does not give the certificate back
        officers.apply_officer_records(&[row("1", 9, "SD1", "2028-06-30")]).await.expect("applied");
        assert_eq!(on("2026-12-01").await, CertificateStanding::NotValid);
        db.clock.advance_seconds(10 * 24 * 3600);
        let mut tx = db.begin().await;
        lift(&mut tx, "SD1", "调查已结束").await.expect("lifted");
        tx.commit().await.expect("committed");
        assert_eq!(on("2026-11-29").await, CertificateStanding::NotValid);
        assert_eq!(on("2026-11-30").await, CertificateStanding::Valid);
    }
}
