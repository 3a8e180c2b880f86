//! Batches and sources for those who look for anything at all, and the data centre's part of the
//! first page: what came in since a moment, and what is wrong with our data, by class and by agency.

use std::collections::BTreeMap;

use mj_kernel::clock::to_rfc3339;
use mj_platform::{RowExt, Value};
use mj_standard::Class;
use mj_web::Caller;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Datahub;
use crate::connection;
use crate::error::Result;
use crate::model::Source;
use crate::store;

/// A batch as a line of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchBrief {
    pub id: String,
    pub table_title: String,
    pub cd_batch: String,
    pub source_name: String,
    pub received_at: String,
}

/// What came in since a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Arrived {
    /// 从这个时刻起
    pub since: String,
    pub batches: i64,
    pub rows: i64,
    pub correct: i64,
    pub error: i64,
    pub by_table: Vec<ArrivedTable>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ArrivedTable {
    pub table: String,
    pub title: String,
    pub batches: i64,
    pub rows: i64,
    pub error: i64,
    pub last_received_at: String,
}

/// Rows that wait to be mended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Faults {
    /// 尚未更正的问题数据行数
    pub rows: i64,
    /// 一行可能属于几类
    pub by_class: Vec<FaultClass>,
    pub by_agency: Vec<FaultAgency>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FaultClass {
    pub class: String,
    pub title: String,
    pub rows: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FaultAgency {
    /// 统一社会信用代码；第三方来源为空
    pub agency: Option<String>,
    pub name: String,
    pub rows: i64,
    /// 问题最多的批次
    pub batch_id: String,
}

/// Sources that need somebody, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct SourcesAtAGlance {
    pub total: i64,
    pub in_use: i64,
    pub silent: i64,
    pub overdue: i64,
    pub not_connected: i64,
}

impl Datahub {
    async fn in_reach(&self, caller: &Caller) -> Result<Vec<Source>> {
        let mut sources = store::source::all_unscoped(&self.db).await?;
        sources.retain(|source| caller.require(&crate::api::resource(source)).is_ok());
        Ok(sources)
    }

    /// `caller` asks with what it may read of batches.
    pub async fn find_batches(
        &self,
        caller: &Caller,
        q: &str,
        limit: u32,
    ) -> Result<Vec<BatchBrief>> {
        let sources = self.in_reach(caller).await?;
        let pattern = mj_platform::db::contains_pattern(q);
        self.briefs(
            &sources,
            " AND (cd_batch LIKE $1 ESCAPE '\\' OR file_name LIKE $1 ESCAPE '\\')",
            pattern,
            limit,
        )
        .await
    }

    pub async fn batch_brief(&self, caller: &Caller, id: &str) -> Result<Option<BatchBrief>> {
        let sources = self.in_reach(caller).await?;
        Ok(self.briefs(&sources, " AND id = $1", id.into(), 1).await?.pop())
    }

    async fn briefs(
        &self,
        sources: &[Source],
        condition: &str,
        value: Value,
        limit: u32,
    ) -> Result<Vec<BatchBrief>> {
        let mut args = vec![value];
        let reach = among(sources, &mut args);
        args.push(i64::from(limit).into());
        let sql = format!(
            "SELECT id, table_name, cd_batch, cd_source, file_name, received_at FROM hub_batch \
             WHERE 1=1{condition}{reach} ORDER BY id DESC LIMIT ${}",
            args.len()
        );
        let rows = self.db.fetch_all(&sql, &args).await?;
        let briefs = rows.iter().map(|row| {
            let (table, code) = (row.text("table_name")?, row.text("cd_source")?);
            let source = sources.iter().find(|source| source.cd_source == code);
            Ok(BatchBrief {
                id: row.text("id")?,
                table_title: self
                    .standard
                    .table(&table)
                    .map_or(table.clone(), |table| table.title.clone()),
                cd_batch: row.opt_text("file_name")?.unwrap_or(row.text("cd_batch")?),
                source_name: source.map_or(code.clone(), |source| source.name.clone()),
                received_at: to_rfc3339(row.int("received_at")?),
            })
        });
        Ok(briefs.collect::<mj_platform::Result<_>>()?)
    }

    /// `caller` asks with what it may read of sources.
    pub async fn find_sources(
        &self,
        caller: &Caller,
        q: &str,
        limit: usize,
    ) -> Result<Vec<Source>> {
        let needle = q.to_lowercase();
        let mut sources = self.in_reach(caller).await?;
        sources.retain(|source| {
            source.name.to_lowercase().contains(&needle)
                || source.cd_source.to_lowercase().contains(&needle)
        });
        sources.truncate(limit);
        Ok(sources)
    }

    pub async fn source_brief(&self, caller: &Caller, cd_source: &str) -> Result<Option<Source>> {
        let found = store::source::by_code(&self.db, cd_source).await?;
        Ok(found.filter(|source| caller.require(&crate::api::resource(source)).is_ok()))
    }

    /// What came in since `since` (µs), for who may read the overview.
    pub async fn arrived(&self, caller: &Caller, since: i64) -> Result<Arrived> {
        let sources = self.in_reach(caller).await?;
        let mut args: Vec<Value> = vec![since.into()];
        let reach = among(&sources, &mut args);
        let sql = format!(
            "SELECT table_name, CAST(COUNT(*) AS BIGINT) AS batches, \
             CAST(SUM(front) AS BIGINT) AS front, CAST(SUM(correct) AS BIGINT) AS correct, \
             CAST(SUM(error) AS BIGINT) AS error, CAST(MAX(received_at) AS BIGINT) AS last_at \
             FROM hub_batch WHERE received_at >= $1{reach} GROUP BY table_name ORDER BY table_name"
        );
        let mut arrived = Arrived {
            since: to_rfc3339(since),
            batches: 0,
            rows: 0,
            correct: 0,
            error: 0,
            by_table: Vec::new(),
        };
        for row in self.db.fetch_all(&sql, &args).await? {
            let table = row.text("table_name")?;
            let line = ArrivedTable {
                title: self
                    .standard
                    .table(&table)
                    .map_or(table.clone(), |table| table.title.clone()),
                batches: row.int("batches")?,
                rows: row.int("front")?,
                error: row.int("error")?,
                last_received_at: to_rfc3339(row.int("last_at")?),
                table,
            };
            arrived.batches += line.batches;
            arrived.rows += line.rows;
            arrived.correct += row.int("correct")?;
            arrived.error += line.error;
            arrived.by_table.push(line);
        }
        arrived.by_table.sort_by(|a, b| b.last_received_at.cmp(&a.last_received_at));
        Ok(arrived)
    }

    /// What waits to be mended, for who may read faulty rows.
    pub async fn faults(&self, caller: &Caller) -> Result<Faults> {
        let sources = self.in_reach(caller).await?;
        let mut args: Vec<Value> = Vec::new();
        let reach = among(&sources, &mut args).replace("cd_source", "b.cd_source");
        let classes: Vec<Class> = Class::all().collect();
        let mut sums = String::new();
        for class in &classes {
            let bit = 1_i64 << class.index();
            sums.push_str(&format!(
                ", CAST(SUM(CASE WHEN (e.class_mask & {bit}) <> 0 THEN 1 ELSE 0 END) AS BIGINT) \
                 AS c{}",
                class.index()
            ));
        }
        let sql = format!(
            "SELECT b.cd_source, e.batch_id, CAST(COUNT(*) AS BIGINT) AS faults{sums} \
             FROM hub_error e JOIN hub_batch b ON b.id = e.batch_id WHERE e.state = 'open'{reach} \
             GROUP BY b.cd_source, e.batch_id ORDER BY faults DESC, e.batch_id"
        );
        let mut by_class = vec![0_i64; classes.len()];
        let mut by_agency: BTreeMap<(Option<String>, String), (i64, String)> = BTreeMap::new();
        let mut rows = 0;
        for row in self.db.fetch_all(&sql, &args).await? {
            let (faults, code) = (row.int("faults")?, row.text("cd_source")?);
            rows += faults;
            for (sum, class) in by_class.iter_mut().zip(&classes) {
                *sum += row.int(&format!("c{}", class.index()))?;
            }
            let source = sources.iter().find(|source| source.cd_source == code);
            let agency = source.and_then(|source| source.agency.clone());
            let name = source
                .map(|source| source.agency_name.clone().unwrap_or(source.name.clone()))
                .unwrap_or(code);
            // the rows come with the batch of most faults first
            let slot = by_agency.entry((agency, name)).or_insert((0, row.text("batch_id")?));
            slot.0 += faults;
        }
        let mut agencies: Vec<FaultAgency> = by_agency
            .into_iter()
            .map(|((agency, name), (rows, batch_id))| FaultAgency { agency, name, rows, batch_id })
            .collect();
        agencies.sort_by_key(|one| std::cmp::Reverse(one.rows));
        let mut classes: Vec<FaultClass> = classes
            .iter()
            .zip(by_class)
            .filter(|(_, rows)| *rows > 0)
            .map(|(class, rows)| FaultClass {
                class: class.code().into(),
                title: class.title().into(),
                rows,
            })
            .collect();
        classes.sort_by_key(|one| std::cmp::Reverse(one.rows));
        Ok(Faults { rows, by_class: classes, by_agency: agencies })
    }

    /// How the sources in reach stand, counted.
    pub async fn sources_at_a_glance(&self, caller: &Caller) -> Result<SourcesAtAGlance> {
        let sources = self.in_reach(caller).await?;
        let said = connection::all_unscoped(&self.db).await?;
        let came = connection::delivered(&self.db, None).await?;
        let today = self.db.clock().today();
        let (after, _) = connection::silent_rule(today);
        let mut glance = SourcesAtAGlance::default();
        for source in &sources {
            let own = came.iter().filter(|((code, _), _)| *code == source.cd_source);
            let came = connection::sum(own.map(|(_, part)| part));
            let said = said.get(&source.cd_source);
            match connection::standing(source, said, &came, today, after).name {
                "in_use" => glance.in_use += 1,
                "silent" => glance.silent += 1,
                "overdue" => glance.overdue += 1,
                "stopped" => continue,
                _ => glance.not_connected += 1,
            }
            glance.total += 1;
        }
        Ok(glance)
    }
}

/// ` AND cd_source IN (…)`.
fn among(sources: &[Source], args: &mut Vec<Value>) -> String {
    let marks: Vec<String> = sources
        .iter()
        .map(|source| {
            args.push(source.cd_source.as_str().into());
            format!("${}", args.len())
        })
        .collect();
    if marks.is_empty() {
        " AND 1=0".into()
    } else {
        format!(" AND cd_source IN ({})", marks.join(","))
    }
}
