//! The job that makes the files: rows go from the database or the fact store to the disk in small
//! pieces; when a pair is whole, the table names it and the pair before is taken away.

use mj_facts::{At, Columns, Filter, RowView};
use mj_kernel::clock::to_rfc3339;
use mj_kernel::{Actor, Scope};
use mj_platform::jobs::{self, JobContext};
use mj_platform::{Act, Lane, RowExt, Value};
use mj_standard::{ColumnType, Standard, Table};

use super::writer::{Head, Pair};
use super::{BUILD, DATASETS, Dataset, FileEntry, Source};
use crate::Portal;
use crate::error::{Error, Result};
use crate::rules;

impl Portal {
    /// Queues the job once a day, and at once where nothing was ever made.
    pub async fn keep_open_data(&self) -> Result<()> {
        let today = self.today();
        let built = self.built().await?;
        let is_new = |at: i64| mj_kernel::clock::beijing_date(at) >= today;
        if built.len() == DATASETS.len() && built.iter().all(|set| is_new(set.built_at)) {
            return Ok(());
        }
        let act = Act::new(&Actor::system("portal"), "portal.data.queue", "portal_dataset");
        let mut tx = self.db.begin(Lane::Bulk, act).await?;
        jobs::enqueue(&mut tx, BUILD, "{}", &format!("{BUILD}:{today}")).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Makes every file anew.
    pub async fn build_open_data(&self, job: Option<&JobContext>) -> Result<()> {
        for (number, set) in DATASETS.iter().enumerate() {
            if let Some(job) = job {
                job.progress(number as i64, DATASETS.len() as i64, set.title).await?;
            }
            self.build_dataset(set).await?;
        }
        Ok(())
    }

    async fn build_dataset(&self, set: &'static Dataset) -> Result<()> {
        let now = self.db.clock().now();
        let licence = self.licence();
        let folder = self.data_folder.clone();
        let pair = blocking(move || {
            let head = Head {
                id: set.id,
                title: set.title,
                built_at: &to_rfc3339(now),
                licence: &licence,
            };
            Ok(Pair::create(&folder, now, &head, set.columns)?)
        })
        .await?;
        let pair = match &set.source {
            Source::Rows(sql) => self.write_rows(set, sql, pair).await?,
            Source::Facts { table, code, ended } => {
                self.write_facts(set, table, code, ended, pair).await?
            }
        };
        let rows = pair.rows;
        let (csv, json) = blocking(move || Ok(pair.finish()?)).await?;
        self.offer(set.id, rows, now, &csv, &json).await
    }

    async fn write_rows(&self, set: &'static Dataset, sql: &str, pair: Pair) -> Result<Pair> {
        let sql = sql.replace("{after}", "$1").replace("{today}", "$2");
        let today = self.today().to_string();
        let mut after = String::new();
        let mut pair = pair;
        loop {
            let args: [Value; 2] = [after.as_str().into(), today.as_str().into()];
            let rows = self.db.fetch_all(&sql, &args).await?;
            let Some(last) = rows.last() else { return Ok(pair) };
            after = last.text("id")?;
            let mut values = Vec::with_capacity(rows.len());
            for row in &rows {
                let mut cells = Vec::with_capacity(set.columns.len());
                for column in set.columns {
                    cells.push(match row.value(column.name)? {
                        Value::Text(text) => Some(text),
                        Value::Int(number) => Some(number.to_string()),
                        Value::Null | Value::Bytes(_) => None,
                    });
                }
                values.push(cells);
            }
            pair = blocking(move || {
                for cells in &values {
                    pair.row(cells)?;
                }
                Ok(pair)
            })
            .await?;
        }
    }

    async fn write_facts(
        &self,
        set: &'static Dataset,
        table: &'static str,
        code: &'static str,
        ended: &'static [&'static str],
        mut pair: Pair,
    ) -> Result<Pair> {
        let Some(spec) = self.specs.iter().find(|spec| spec.name == table) else { return Ok(pair) };
        let place = |name: &str| spec.columns.iter().position(|column| column.name == name);
        let names: Vec<&'static str> = set.columns.iter().map(|column| column.name).collect();
        let all: Vec<&str> =
            names.iter().copied().chain([code]).chain(ended.iter().copied()).collect();
        let wanted: Option<Vec<usize>> = all.iter().map(|name| place(name)).collect();
        let missing = || {
            mj_platform::Error::Corrupt(format!("开放数据 {} 引用了表 {table} 没有的列", set.id))
        };
        let wanted = wanted.ok_or_else(missing)?;
        let standard = Standard::v1().table(table).ok_or_else(missing)?;
        let snapshot = self.facts.snapshot(spec, At::Latest).await?;
        let today = self.today();
        blocking(move || {
            let mut failed = None;
            let scope = Scope::public();
            snapshot.scan(Columns::Only(&wanted), &Filter::default(), &scope, &mut |row| {
                if failed.is_none()
                    && let Some(cells) = cells(row, standard, &names, ended.len(), today)
                    && let Err(error) = pair.row(&cells)
                {
                    failed = Some(error);
                }
                Ok(())
            })?;
            failed.map_or(Ok(pair), |error| Err(error.into()))
        })
        .await
    }

    /// The table names the new pair, then the old one goes.
    async fn offer(
        &self,
        id: &str,
        rows: i64,
        now: i64,
        csv: &FileEntry,
        json: &FileEntry,
    ) -> Result<()> {
        let before = self.built_of(id).await?;
        let act = Act::new(&Actor::system("portal"), "portal.data.build", "portal_dataset");
        let mut tx = self.db.begin(Lane::Bulk, act).await?;
        tx.execute(
            "INSERT INTO portal_dataset (id, row_count, built_at, csv_file, csv_bytes, csv_sha256, \
             json_file, json_bytes, json_sha256) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9) \
             ON CONFLICT (id) DO UPDATE SET row_count = excluded.row_count, \
             built_at = excluded.built_at, csv_file = excluded.csv_file, \
             csv_bytes = excluded.csv_bytes, csv_sha256 = excluded.csv_sha256, \
             json_file = excluded.json_file, json_bytes = excluded.json_bytes, \
             json_sha256 = excluded.json_sha256",
            &[
                id.into(),
                rows.into(),
                now.into(),
                csv.file.as_str().into(),
                csv.bytes.into(),
                csv.sha256.as_str().into(),
                json.file.as_str().into(),
                json.bytes.into(),
                json.sha256.as_str().into(),
            ],
        )
        .await?;
        tx.commit().await?;
        let old = before.into_iter().flat_map(|built| [built.csv.file, built.json.file]);
        for name in old.filter(|name| *name != csv.file && *name != json.file) {
            // whoever is reading it keeps it to the end; one that is gone already is no fault
            let _ = std::fs::remove_file(self.data_folder.join(name));
        }
        Ok(())
    }
}

/// The cells of a fact as everybody may read them; `None`: it is about a person or a self-employed
/// one, holds a sealed value, has ended, or is past its term.
fn cells(
    row: &RowView<'_>,
    table: &Table,
    names: &[&str],
    ended: usize,
    today: chrono::NaiveDate,
) -> Option<Vec<Option<String>>> {
    let code = row.value(names.len())?;
    let is_body = mj_kernel::code::Uscc::parse(&code).is_ok() && !code.starts_with("92");
    let is_over =
        (0..ended).any(|at| row.value(names.len() + 1 + at).is_some_and(|value| !value.is_empty()));
    if !is_body || is_over {
        return None;
    }
    if let Some(happened) =
        row.event_date.map(mj_registry::day_text).and_then(|day| day.parse().ok())
        && rules::shown_until(&table.name, happened, today).ok()?.is_some_and(|until| until < today)
    {
        return None;
    }
    let mut cells = Vec::with_capacity(names.len());
    for (at, name) in names.iter().enumerate() {
        let value = row.value(at);
        if value.as_deref().is_some_and(mj_platform::keys::is_sealed) {
            return None;
        }
        let column = table.column(name);
        cells.push(value.map(|value| match column.map(|column| (&column.ty, column.multi)) {
            Some((ColumnType::Code { list }, multi)) => titles(list, multi, &value),
            Some((ColumnType::Money, _)) => yuan(&value),
            _ => value.into_owned(),
        }));
    }
    Some(cells)
}

/// Codes as the words they stand for; an unknown one stays.
fn titles(list: &str, multi: Option<char>, value: &str) -> String {
    let list = Standard::v1().list(list);
    let title = |code: &str| list.and_then(|list| list.title_of(code)).unwrap_or(code).to_owned();
    match multi {
        Some(separator) => value.split(separator).map(title).collect::<Vec<_>>().join("；"),
        None => title(value),
    }
}

/// `2000.00` of 分.
fn yuan(fen: &str) -> String {
    match fen.parse::<i64>() {
        Ok(fen) => format!("{}.{:02}", fen / 100, fen.abs() % 100),
        Err(_) => fen.to_owned(),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => {
            Err(Error::Platform(mj_platform::Error::Other(format!("后台线程中断：{error}"))))
        }
    }
}
