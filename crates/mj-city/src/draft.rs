//! A row on its way into a file, and the column numbers of the tables it is filled by.

use mj_standard::Table;

use crate::CityError;

/// Cells in the order of the table's columns.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub cells: Vec<Option<String>>,
}

impl Draft {
    pub fn new(table: &Table) -> Self {
        Self { cells: vec![None; table.columns.len()] }
    }

    pub fn set(&mut self, at: usize, value: impl Into<String>) {
        self.cells[at] = Some(value.into());
    }

    pub fn clear(&mut self, at: usize) {
        self.cells[at] = None;
    }

    pub fn get(&self, at: usize) -> &str {
        self.cells[at].as_deref().unwrap_or("")
    }
}

pub(crate) fn column(table: &Table, name: &'static str) -> Result<usize, CityError> {
    table
        .column_index(name)
        .ok_or_else(|| CityError::Column { table: table.name.clone(), column: name })
}

/// The numbers of named columns, looked up once.
macro_rules! columns {
    ($name:ident { $($column:ident),* $(,)? }) => {
        #[derive(Clone, Copy)]
        pub(crate) struct $name { $(pub $column: usize),* }
        impl $name {
            pub fn of(table: &mj_standard::Table) -> Result<Self, $crate::CityError> {
                Ok(Self { $($column: $crate::draft::column(table, stringify!($column))?),* })
            }
        }
    };
}
pub(crate) use columns;

columns!(EnvelopeColumns {
    cd_id,
    cd_time,
    cd_source,
    cd_batch,
    cd_operation,
    record_unique_identity,
    submitted_date,
    submitted_personnel,
});
