//! One masked cell of a refused row, found for whoever asks to see it in clear.

use mj_web::reveal::{MaskedValue, not_masked};
use mj_web::{Caller, Problem};

use super::batches::load;
use super::resource;
use crate::Datahub;
use crate::error::Error;
use crate::ingest::read::looks_personal;
use crate::mend;
use crate::repair::checker::arrange;
use crate::store;

impl Datahub {
    /// `id` is `BATCH.ROW`, `field` the column as delivered.
    pub async fn masked_of_refused_row(
        &self,
        caller: &Caller,
        id: &str,
        field: &str,
    ) -> Result<MaskedValue, Problem> {
        let (batch_id, row) = id.rsplit_once('.').ok_or_else(Problem::not_found)?;
        let row: i64 = row.parse().map_err(|_| Problem::not_found())?;
        let (batch, source) = load(self, caller, batch_id).await?;
        let table = self.table(&batch.table)?;
        let found = store::error_row::one(&self.db, batch_id, row).await?;
        let (known, raw) = found.ok_or(Error::UnknownErrorRow)?;
        let at = table.column_index(field).ok_or_else(not_masked)?;
        let header = batch.header.clone().unwrap_or_default();
        let values = arrange(table, &header, mend::opened(self, &batch, row, &raw).await?);
        let value = values[at].clone().ok_or_else(not_masked)?;
        let is_shown_otherwise = known
            .issues
            .iter()
            .filter(|issue| issue.column == field)
            .map(|issue| issue.value.as_str())
            .chain(known.cd_id.as_deref().filter(|_| field == "cd_id"))
            .any(|shown| shown.contains('*') && shown != value);
        if !table.is_personal(at, &values) && !looks_personal(&value) && !is_shown_otherwise {
            return Err(not_masked());
        }
        Ok(MaskedValue {
            object: format!("batch:{batch_id}"),
            at: vec![resource(&source)],
            title: format!("第 {row} 行 {}", table.columns[at].title),
            value: Some(value),
        })
    }
}
