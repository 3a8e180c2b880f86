//! Stories of the data centre, told on both databases.

mod erasures;
mod http;
mod kills;
mod reference;
mod repairs;
mod stops;
mod stories;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::Poll;

use mj_catalog::Catalog;
use mj_facts::FactStore;
use mj_facts::disk::RealDisk;
use mj_kernel::Actor;
use mj_platform::Act;
use mj_registry::Registry;
use mj_standard::{Standard, Table};
use mj_testkit::TestDb;

use crate::{Channel, Datahub, Import, Imported, NewSource, Parts, Portion, Result, SourceKind};

pub const SOURCE: &str = "370400";
pub const CITIZEN: &str = "34052419800101001X";

/// A node without HTTP: one database, one folder.
pub struct World {
    pub kit: TestDb,
    pub hub: Datahub,
}

impl World {
    pub async fn new() -> Self {
        let kit = TestDb::new().await;
        let hub = open(&kit).await;
        let act = Act::new(&Actor::system("test"), "datahub.source.register", SOURCE);
        let new = NewSource {
            cd_source: SOURCE.into(),
            name: "市市场监管局业务系统".into(),
            kind: SourceKind::Agency,
            agency: Some("11370400004400001P".into()),
            agency_name: Some("枣庄市市场监督管理局".into()),
            area: Some("370400".into()),
            priority: 10,
            channels: Channel::ALL.to_vec(),
            tables: Vec::new(),
            backlog_declared: Default::default(),
        };
        hub.register_source(act, new).await.expect("registered");
        Self { kit, hub }
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.kit.folder.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        path
    }

    pub async fn import(&self, table: &str, name: &str, bytes: impl AsRef<[u8]>) -> Imported {
        self.try_import(table, name, bytes, None).await.expect("imported")
    }

    pub async fn try_import(
        &self,
        table: &str,
        name: &str,
        bytes: impl AsRef<[u8]>,
        cd_batch: Option<&str>,
    ) -> Result<Imported> {
        let file = self.write(name, bytes);
        let import =
            Import { table, file: &file, cd_source: SOURCE, cd_batch, portion: Portion::Delta };
        self.hub.import_file(&import, None).await
    }

    pub async fn digest(&self) -> String {
        crate::content_digest(&self.hub).await.expect("a digest")
    }

    pub async fn reconciles(&self) {
        let found = crate::reconcile(&self.hub, mj_facts::Depth::Digests).await.expect("looked");
        assert_eq!(found, []);
    }
}

/// Everything anew over what is durable, as after a restart.
pub async fn open(kit: &TestDb) -> Datahub {
    let segments = RealDisk::new(kit.folder.path().join("segments")).expect("a disk");
    let facts = FactStore::open(kit.db().clone(), Arc::new(segments)).await.expect("opens");
    Datahub::new(Parts {
        db: kit.db().clone(),
        blobs: kit.blobs(),
        keys: kit.keys(),
        facts,
        registry: Registry::new(kit.db().clone(), kit.keys()),
        catalog: Catalog::new(kit.db().clone()),
        inbox: kit.folder.path().join("inbox"),
    })
    .expect("a data centre")
}

/// Polls a future so often and then lets go of it, as a kill would. `None`: it was not done.
pub async fn cut<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let mut left = polls;
    std::future::poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// Rows of one table as a CSV file with identifiers for a header.
pub struct File {
    table: &'static Table,
    columns: Vec<usize>,
    text: String,
}

impl File {
    /// The columns the table's sample fills, and those named besides.
    pub fn of(table: &str, besides: &[&str]) -> Self {
        let table = Standard::v1().table(table).expect("a table of the standard");
        let columns: Vec<usize> = (0..table.columns.len())
            .filter(|at| {
                let column = &table.columns[*at];
                let filled = !column.envelope && table.sample[*at].is_some();
                filled || besides.contains(&column.name.as_str())
            })
            .collect();
        let names: Vec<&str> = columns.iter().map(|at| table.columns[*at].name.as_str()).collect();
        let text = format!("{}\n", names.join(","));
        Self { table, columns, text }
    }

    /// The sample row with some values changed.
    pub fn row(mut self, changes: &[(&str, &str)]) -> Self {
        self.push(changes);
        self
    }

    pub fn push(&mut self, changes: &[(&str, &str)]) {
        for (number, at) in self.columns.iter().enumerate() {
            let column = &self.table.columns[*at];
            let changed = changes.iter().rev().find(|(name, _)| *name == column.name);
            let sample = || self.table.sample[*at].as_deref().filter(|_| !column.envelope);
            let value = changed.map(|(_, value)| *value).or_else(sample).unwrap_or_default();
            if number > 0 {
                self.text.push(',');
            }
            self.text.push_str(&format!("\"{}\"", value.replace('"', "\"\"")));
        }
        self.text.push('\n');
    }

    pub fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

impl AsRef<[u8]> for File {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

/// A valid unified social credit code of its own for every number.
pub fn uscc(number: u64) -> String {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    let body = format!("MA{number:06}");
    let organisation = organisation_check(&body);
    let code = format!("91370402{body}{organisation}");
    let mut sum = 0;
    let mut weight = 1;
    for byte in code.bytes() {
        let value = ALPHABET.iter().position(|known| *known == byte).expect("in the alphabet");
        sum += value * weight;
        weight = weight * 3 % 31;
    }
    format!("{code}{}", char::from(ALPHABET[(31 - sum % 31) % 31]))
}

fn organisation_check(body: &str) -> char {
    let weights = [3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = body
        .chars()
        .zip(weights)
        .map(|(c, weight)| c.to_digit(36).expect("a digit or a letter") * weight)
        .sum();
    match 11 - sum % 11 {
        10 => 'X',
        11 => '0',
        digit => char::from_digit(digit, 10).expect("one digit"),
    }
}
