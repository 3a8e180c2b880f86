//! Registering sources and giving them tokens; what the demonstration city and the command line do
//! without HTTP.

use std::collections::BTreeMap;

use mj_platform::{Act, Lane, new_id};

use crate::Datahub;
use crate::error::Result;
use crate::model::{Channel, Source, SourceKind};
use crate::store;

/// A source to be registered.
#[derive(Debug, Clone)]
pub struct NewSource {
    pub cd_source: String,
    pub name: String,
    pub kind: SourceKind,
    pub agency: Option<String>,
    pub agency_name: Option<String>,
    pub area: Option<String>,
    /// The smaller wins when sources contradict each other.
    pub priority: i64,
    pub channels: Vec<Channel>,
    /// Empty: every table.
    pub tables: Vec<String>,
    pub backlog_declared: BTreeMap<String, i64>,
}

impl Datahub {
    /// Registers a source; one that is registered already is left as it is.
    pub async fn register_source(&self, act: Act, new: NewSource) -> Result<Source> {
        if let Some(known) = store::source::by_code(&self.db, &new.cd_source).await? {
            return Ok(known);
        }
        for table in &new.tables {
            self.table(table)?;
        }
        let source = Source {
            id: new_id(),
            version: 1,
            cd_source: new.cd_source,
            name: new.name,
            kind: new.kind,
            agency: new.agency,
            agency_name: new.agency_name,
            area: new.area,
            priority: new.priority,
            channels: new.channels,
            tables: new.tables,
            backlog_declared: new.backlog_declared,
            active: true,
        };
        let mut tx = self.db.begin(Lane::People, act).await?;
        store::source::insert(&mut tx, &source).await?;
        tx.commit().await?;
        Ok(source)
    }

    /// A fresh token for a department's system; the one before it opens nothing any more.
    pub async fn issue_token(&self, act: Act, source: &Source) -> Result<String> {
        let mut tx = self.db.begin(Lane::People, act).await?;
        let token = mj_access::issue_source_token(&mut tx, &source.cd_source).await?;
        tx.commit().await?;
        Ok(token)
    }

    /// Every registered source.
    pub async fn sources_unscoped(&self) -> Result<Vec<Source>> {
        store::source::all_unscoped(&self.db).await
    }
}
