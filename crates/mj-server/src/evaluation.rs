//! What evaluation asks of the other domains, filled in from the tables of their owners.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chrono::NaiveDate;
use mj_evaluation::house::{
    AccountRow, BatchRow, BodyRow, ClaimRow, House, OfficerRow, Reason, Reference, RefusedRow,
    SourceRow, WaitingRow,
};
use mj_kernel::{Role, Scope};
use mj_platform::keys::Keys;
use mj_platform::{Db, Result, RowExt, Value};
use mj_standard::{HeaderMap, Standard};
use mj_web::BoxFuture;

/// The days between which something holds.
type FromUntil = (Option<String>, Option<String>);

/// Where a refused row says it belongs: area and acting body, as far as they can be read.
type Belongs = (Option<String>, Option<String>);

pub struct EvaluationHouse {
    db: Db,
    keys: Keys,
    /// Of each batch: its refused rows never change, only whether they are mended.
    belongs: Mutex<HashMap<String, Arc<HashMap<i64, Belongs>>>>,
}

/// What binds a sealed row to its place, as the data centre writes it.
fn raw_context(batch_id: &str, row: i64) -> String {
    format!("hub_error/{batch_id}/{row}")
}

/// A county that was abolished long ago is a fault of the row, not its place.
fn is_division(code: &str, today: NaiveDate) -> bool {
    code.len() >= 6
        && code.bytes().all(|byte| byte.is_ascii_digit())
        && mj_standard::register::divisions().in_force(&code[..6], today)
}

impl EvaluationHouse {
    pub fn new(db: Db, keys: Keys) -> Self {
        Self { db, keys, belongs: Mutex::default() }
    }

    async fn bodies(&self) -> Result<Vec<BodyRow>> {
        let sql = "SELECT id, uscc, name, area_number, valid_from, valid_to FROM agency \
                   ORDER BY uscc";
        let rows = self.db.fetch_all(sql, &[]).await?;
        rows.iter()
            .map(|row| {
                Ok(BodyRow {
                    id: row.text("id")?,
                    code: row.text("uscc")?,
                    name: row.text("name")?,
                    area: row.text("area_number")?,
                    valid_from: row.text("valid_from")?,
                    valid_to: row.text("valid_to")?,
                })
            })
            .collect()
    }

    async fn sources(&self) -> Result<Vec<SourceRow>> {
        let sql = "SELECT cd_source, name, agency, area, status, tables FROM hub_source \
                   ORDER BY cd_source";
        let rows = self.db.fetch_all(sql, &[]).await?;
        rows.iter()
            .map(|row| {
                Ok(SourceRow {
                    cd_source: row.text("cd_source")?,
                    name: row.text("name")?,
                    agency: row.opt_text("agency")?,
                    area: row.opt_text("area")?,
                    active: row.text("status")? == "active",
                    tables: serde_json::from_str(&row.text("tables")?).unwrap_or_default(),
                })
            })
            .collect()
    }

    async fn batches(&self) -> Result<Vec<BatchRow>> {
        let sql = "SELECT id, cd_source, received_at FROM hub_batch ORDER BY id";
        let rows = self.db.fetch_all(sql, &[]).await?;
        rows.iter()
            .map(|row| {
                Ok(BatchRow {
                    id: row.text("id")?,
                    cd_source: row.text("cd_source")?,
                    received: row.int("received_at")?,
                })
            })
            .collect()
    }

    async fn claims(&self) -> Result<Vec<ClaimRow>> {
        let sql = "SELECT body_code, item_code, valid_from, valid_to FROM catalog_implementation \
                   WHERE state = 'in_use' ORDER BY inventory_code, list_version";
        let rows = self.db.fetch_all(sql, &[]).await?;
        rows.iter()
            .map(|row| {
                Ok(ClaimRow {
                    body: row.text("body_code")?,
                    item_code: row.text("item_code")?,
                    valid_from: row.text("valid_from")?,
                    valid_to: row.text("valid_to")?,
                })
            })
            .collect()
    }

    async fn mains(&self) -> Result<Vec<(String, String)>> {
        // of several versions the newest name counts: it comes last
        let sql = "SELECT item_code, name FROM catalog_item WHERE kind = 'main' \
                   ORDER BY item_code, list_version";
        let rows = self.db.fetch_all(sql, &[]).await?;
        rows.iter().map(|row| Ok((row.text("item_code")?, row.text("name")?))).collect()
    }

    async fn officers(&self) -> Result<Vec<OfficerRow>> {
        let sql = "SELECT officer_id, valid_from, valid_until FROM officer_certificate \
                   WHERE status = 'in_use' ORDER BY certificate_no";
        let mut certificates: HashMap<String, Vec<FromUntil>> = HashMap::new();
        for row in self.db.fetch_all(sql, &[]).await? {
            certificates
                .entry(row.text("officer_id")?)
                .or_default()
                .push((row.opt_text("valid_from")?, row.opt_text("valid_until")?));
        }
        let sql = "SELECT id, register_no, name, org_full_name, area_number FROM officer \
                   WHERE status = 'on_duty' ORDER BY register_no";
        let rows = self.db.fetch_all(sql, &[]).await?;
        rows.iter()
            .map(|row| {
                let id = row.text("id")?;
                Ok(OfficerRow {
                    certificates: certificates.remove(&id).unwrap_or_default(),
                    id,
                    register_no: row.text("register_no")?,
                    name: row.text("name")?,
                    body_name: row.opt_text("org_full_name")?,
                    area: row.opt_text("area_number")?,
                })
            })
            .collect()
    }

    async fn accounts(&self) -> Result<Vec<AccountRow>> {
        let mut seen: HashMap<String, Vec<String>> = HashMap::new();
        let sql = "SELECT account_id, day FROM account_seen ORDER BY day, account_id";
        for row in self.db.fetch_all(sql, &[]).await? {
            seen.entry(row.text("account_id")?).or_default().push(row.text("day")?);
        }
        // an account without an agency stands where its first grant does
        let mut areas: HashMap<String, String> = HashMap::new();
        let sql = "SELECT account_id, areas FROM role_grant WHERE revoked_at = 0 ORDER BY id";
        for row in self.db.fetch_all(sql, &[]).await? {
            let list: Vec<String> = serde_json::from_str(&row.text("areas")?).unwrap_or_default();
            if let Some(area) = list.into_iter().next() {
                areas.entry(row.text("account_id")?).or_insert(area);
            }
        }
        let sql = "SELECT id, login, name, agency, created_at FROM account \
                   WHERE class = 'business' AND state = 'active' ORDER BY login";
        let rows = self.db.fetch_all(sql, &[]).await?;
        rows.iter()
            .map(|row| {
                let id = row.text("id")?;
                Ok(AccountRow {
                    login: row.text("login")?,
                    name: row.text("name")?,
                    agency: row.opt_text("agency")?,
                    area: areas.remove(&id),
                    opened: row.int("created_at")?,
                    seen: seen.remove(&id).unwrap_or_default(),
                })
            })
            .collect()
    }

    async fn waiting(&self) -> Result<Vec<WaitingRow>> {
        // a digest asks nobody for anything
        let sql = "SELECT id, kind, title, agency, area_number, deadline, created_at FROM work_item \
                   WHERE state IN ('received','claimed','returned') AND kind <> 'weekly_digest' \
                   ORDER BY id";
        let rows = self.db.fetch_all(sql, &[]).await?;
        rows.iter()
            .map(|row| {
                Ok(WaitingRow {
                    id: row.text("id")?,
                    kind: row.text("kind")?,
                    title: row.text("title")?,
                    agency: row.opt_text("agency")?,
                    area: row.opt_text("area_number")?,
                    deadline: row.opt_text("deadline")?,
                    created: row.int("created_at")?,
                })
            })
            .collect()
    }

    /// What the refused rows of one batch say of themselves.
    async fn belongs(&self, batch_id: &str) -> Result<Arc<HashMap<i64, Belongs>>> {
        let known = self.belongs.lock().ok().and_then(|known| known.get(batch_id).cloned());
        if let Some(known) = known {
            return Ok(known);
        }
        let sql = "SELECT table_name, header FROM hub_batch WHERE id = $1";
        let batch = self.db.fetch_one(sql, &[batch_id.into()]).await?;
        let header: Vec<String> = batch
            .opt_text("header")?
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        let mut places = (None, None);
        if let Some(table) = Standard::v1().table(&batch.text("table_name")?) {
            let map = HeaderMap::new(table, &header);
            let at = |name: Option<&str>| {
                let column = table.column_index(name?)?;
                (0..header.len()).find(|index| map.place(*index) == Some(column))
            };
            places = (at(table.area.as_deref()), at(Some("implement_institution_code")));
        }
        let mut belongs = HashMap::new();
        if places != (None, None) {
            let today = self.db.clock().today();
            let sql = "SELECT row_no, raw FROM hub_error WHERE batch_id = $1";
            for row in self.db.fetch_all(sql, &[batch_id.into()]).await? {
                let number = row.int("row_no")?;
                let context = raw_context(batch_id, number);
                let raw = self.keys.open_stored(&self.db, &context, &row.bytes("raw")?).await?;
                // of a row that was erased with a person nothing is known
                let Some(raw) = raw else { continue };
                let cells: Vec<Option<String>> = serde_json::from_str(&raw).unwrap_or_default();
                let cell = |at: Option<usize>| {
                    cells.get(at?)?.as_deref().map(str::trim).map(str::to_owned)
                };
                let area = cell(places.0).filter(|area| is_division(area, today));
                belongs.insert(number, (area, cell(places.1)));
            }
        }
        let belongs = Arc::new(belongs);
        if let Ok(mut known) = self.belongs.lock() {
            known.insert(batch_id.to_owned(), belongs.clone());
        }
        Ok(belongs)
    }
}

impl House for EvaluationHouse {
    fn stamp(&self) -> BoxFuture<'_, Result<i64>> {
        Box::pin(async { self.db.count("SELECT seq FROM change_head WHERE id = 1", &[]).await })
    }

    fn positions(&self) -> BoxFuture<'_, Result<Vec<(String, i64)>>> {
        Box::pin(async {
            let sql = "SELECT table_name, CAST(MAX(pos) AS BIGINT) AS pos FROM fact_commit \
                       GROUP BY table_name";
            let rows = self.db.fetch_all(sql, &[]).await?;
            rows.iter().map(|row| Ok((row.text("table_name")?, row.int("pos")?))).collect()
        })
    }

    fn reference(&self) -> BoxFuture<'_, Result<Reference>> {
        Box::pin(async {
            Ok(Reference {
                bodies: self.bodies().await?,
                sources: self.sources().await?,
                batches: self.batches().await?,
                claims: self.claims().await?,
                mains: self.mains().await?,
                officers: self.officers().await?,
                accounts: self.accounts().await?,
                waiting: self.waiting().await?,
            })
        })
    }

    fn refused(&self) -> BoxFuture<'_, Result<Vec<RefusedRow>>> {
        Box::pin(async {
            let sql = "SELECT e.batch_id AS batch_id, e.row_no AS row_no, b.table_name AS table_name, \
                       b.area AS source_area \
                       FROM hub_error e JOIN (SELECT q.id AS id, q.table_name AS table_name, \
                       s.area AS area FROM hub_batch q JOIN hub_source s \
                       ON s.cd_source = q.cd_source WHERE q.state = 'settled') b ON b.id = e.batch_id \
                       WHERE e.state = 'open' ORDER BY e.batch_id, e.row_no";
            let bodies: std::collections::HashSet<String> =
                self.bodies().await?.into_iter().map(|body| body.code).collect();
            let mut refused = Vec::new();
            let mut batch: (String, Arc<HashMap<i64, Belongs>>) = Default::default();
            for row in self.db.fetch_all(sql, &[]).await? {
                let (batch_id, number) = (row.text("batch_id")?, row.int("row_no")?);
                if batch.0 != batch_id {
                    batch = (batch_id.clone(), self.belongs(&batch_id).await?);
                }
                let (area, agency) = batch.1.get(&number).cloned().unwrap_or_default();
                // a place outside the sender's own is part of the fault, too
                let own = row.opt_text("source_area")?;
                let own = own.as_deref().map(Scope::area_prefix).unwrap_or_default();
                let area = area.filter(|area| area.starts_with(own));
                refused.push(RefusedRow {
                    batch_id,
                    table: row.text("table_name")?,
                    row: number,
                    area,
                    // a code that names nobody is part of the fault: the sender answers for the row
                    agency: agency.filter(|code| bodies.contains(code)),
                });
            }
            Ok(refused)
        })
    }

    fn reasons<'a>(&'a self, rows: &'a [(String, i64)]) -> BoxFuture<'a, Result<Vec<Reason>>> {
        Box::pin(async move {
            let mut reasons = Vec::with_capacity(rows.len());
            for (batch, row) in rows {
                let sql = "SELECT cd_id, issues FROM hub_error WHERE batch_id = $1 AND row_no = $2";
                let args: [Value; 2] = [batch.as_str().into(), (*row).into()];
                let Some(found) = self.db.fetch_optional(sql, &args).await? else {
                    reasons.push(Reason::default());
                    continue;
                };
                let issues: Vec<mj_datahub::model::RowIssue> =
                    serde_json::from_str(&found.text("issues")?).unwrap_or_default();
                let said: Vec<String> = issues
                    .iter()
                    .filter(|issue| issue.severity == "error")
                    .map(|issue| format!("{}：{}", issue.column_title, issue.reason))
                    .collect();
                let title = found.opt_text("cd_id")?.map(|id| format!("第 {row} 行（{id}）"));
                reasons.push(Reason { title, reason: said.join("；") });
            }
            Ok(reasons)
        })
    }

    fn grants_of<'a>(
        &'a self,
        roles: &'a [Role],
        day: &'a str,
    ) -> BoxFuture<'a, Result<Vec<(Role, Scope)>>> {
        Box::pin(async move {
            let mut found = Vec::new();
            let sql = "SELECT DISTINCT account_id FROM role_grant \
                       WHERE role = $1 AND revoked_at = 0 ORDER BY account_id";
            for role in roles {
                for row in self.db.fetch_all(sql, &[role.name().into()]).await? {
                    let account = row.text("account_id")?;
                    let grants = mj_access::grants_of(&self.db, &account)
                        .await
                        .map_err(|error| mj_platform::Error::Other(error.to_string()))?;
                    for grant in grants {
                        let holds =
                            grant.valid_from.as_str() <= day && day <= grant.valid_to.as_str();
                        if grant.role == *role && holds {
                            found.push((*role, grant.scope));
                        }
                    }
                }
            }
            Ok(found)
        })
    }

    fn is_quiet(&self) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async {
            // a load that has just ended is seldom alone
            const PAUSE_MICROS: i64 = 120 * 1_000_000;
            let since = self.db.clock().now() - PAUSE_MICROS;
            let sql = "SELECT CAST(COUNT(*) AS BIGINT) FROM hub_batch \
                       WHERE state IN ('received','running') OR settled_at > $1";
            if self.db.count(sql, &[since.into()]).await? > 0 {
                return Ok(false);
            }
            // before the first delivery there is nothing to tell
            let sql = "SELECT CAST(COUNT(*) AS BIGINT) FROM hub_batch WHERE state = 'settled'";
            Ok(self.db.count(sql, &[]).await? > 0)
        })
    }
}
