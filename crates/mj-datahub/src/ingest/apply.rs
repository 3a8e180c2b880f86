//! Accepted rows of register and catalogue tables go on to the domains that keep the masters. Both
//! let the newest `cd_time` win and take the same row again without a change, so a repeated run is
//! harmless.

use mj_catalog::CatalogRow;
use mj_kernel::clock::parse_instant;
use mj_registry::{SourceField, SourceRecord};
use mj_standard::TableKind;

use super::Run;
use super::read::Accepted;
use super::seal::PersonalRow;
use crate::error::Result;

impl Run<'_> {
    pub(super) async fn apply(
        &self,
        rows: &[Accepted],
        mentions: &[i64],
        personal: &[PersonalRow],
    ) -> Result<()> {
        match self.plan.kind() {
            TableKind::Party => self.apply_parties(rows, mentions, personal).await,
            TableKind::Officer => self.apply_officers(rows, personal).await,
            TableKind::Catalogue => self.apply_catalogue(rows).await,
            _ => Ok(()),
        }
    }

    async fn apply_parties(
        &self,
        rows: &[Accepted],
        mentions: &[i64],
        personal: &[PersonalRow],
    ) -> Result<()> {
        let records: Vec<SourceRecord> = rows
            .iter()
            .zip(mentions)
            .zip(personal)
            // a deletion may name no party; the registry finds it by its record
            .map(|((row, mention), personal)| self.record(row, *mention, personal))
            .collect();
        self.hub.registry.apply_source_records(&records).await?;
        Ok(())
    }

    async fn apply_officers(&self, rows: &[Accepted], personal: &[PersonalRow]) -> Result<()> {
        let records: Vec<SourceRecord> = rows
            .iter()
            .zip(personal)
            .map(|(row, personal)| self.record(row, 0, personal))
            .collect();
        self.hub.registry.apply_officer_records(&records).await?;
        Ok(())
    }

    async fn apply_catalogue(&self, rows: &[Accepted]) -> Result<()> {
        let rows: Vec<CatalogRow> = rows
            .iter()
            .map(|row| CatalogRow {
                table: self.batch.table.clone(),
                cd_source: self.text(row, self.plan.cd_source),
                cd_id: self.text(row, self.plan.cd_id),
                operation: mj_catalog::Operation::of(&self.text(row, self.plan.cd_operation)),
                at: self.cd_time(row),
                batch_id: self.batch.id.clone(),
                row: i64::from(row.row),
                fields: self.filled(row).map(|(at, value)| (self.name(at), value)).collect(),
            })
            .collect();
        self.hub.catalog.apply_rows(&rows).await?;
        Ok(())
    }

    fn record(&self, row: &Accepted, mention: i64, personal: &PersonalRow) -> SourceRecord {
        SourceRecord {
            mention,
            table: self.batch.table.clone(),
            cd_source: self.text(row, self.plan.cd_source),
            cd_id: self.text(row, self.plan.cd_id),
            operation: mj_registry::Operation::of(&self.text(row, self.plan.cd_operation)),
            at: self.cd_time(row),
            batch_id: self.batch.id.clone(),
            row: i64::from(row.row),
            priority: self.priority,
            fields: self
                .filled(row)
                .map(|(at, value)| SourceField {
                    column: self.name(at),
                    value,
                    personal: personal.columns.contains(&at),
                })
                .collect(),
        }
    }

    /// The row's own values, the envelope aside.
    fn filled<'r>(&'r self, row: &'r Accepted) -> impl Iterator<Item = (usize, String)> + 'r {
        self.plan.content.iter().filter_map(|at| Some((*at, row.values[*at].clone()?)))
    }

    fn name(&self, at: usize) -> String {
        self.plan.table.columns[at].name.clone()
    }

    fn text(&self, row: &Accepted, at: usize) -> String {
        row.values[at].clone().unwrap_or_default()
    }

    fn cd_time(&self, row: &Accepted) -> i64 {
        row.values[self.plan.cd_time]
            .as_deref()
            .and_then(parse_instant)
            .unwrap_or(self.batch.received_at)
    }
}
