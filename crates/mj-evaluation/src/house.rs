//! What evaluation needs of the other domains: a port, filled in by the server. Plain rows; numbers and
//! words are made of them here.

use mj_kernel::{Instant, Role, Scope};
use mj_platform::Result;
use mj_web::BoxFuture;

#[derive(Debug, Clone)]
pub struct BodyRow {
    pub id: String,
    pub code: String,
    pub name: String,
    pub area: String,
    pub valid_from: String,
    /// The first day it does not hold any more.
    pub valid_to: String,
}

#[derive(Debug, Clone)]
pub struct SourceRow {
    pub cd_source: String,
    pub name: String,
    pub agency: Option<String>,
    pub area: Option<String>,
    pub active: bool,
    pub tables: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct BatchRow {
    pub id: String,
    pub cd_source: String,
    pub received: Instant,
}

/// A refused row that waits to be mended. Area and agency as the row itself says them, where it does.
#[derive(Debug, Clone)]
pub struct RefusedRow {
    pub batch_id: String,
    pub table: String,
    pub row: i64,
    pub area: Option<String>,
    pub agency: Option<String>,
}

/// An implementation list entry of a body.
#[derive(Debug, Clone)]
pub struct ClaimRow {
    pub body: String,
    pub item_code: String,
    pub valid_from: String,
    pub valid_to: String,
}

#[derive(Debug, Clone)]
pub struct OfficerRow {
    pub id: String,
    pub register_no: String,
    pub name: String,
    /// Name of the body; the delivered rows have no code of it.
    pub body_name: Option<String>,
    pub area: Option<String>,
    /// From and up to, the last day included.
    pub certificates: Vec<(Option<String>, Option<String>)>,
}

#[derive(Debug, Clone)]
pub struct AccountRow {
    pub login: String,
    pub name: String,
    pub agency: Option<String>,
    pub area: Option<String>,
    pub opened: Instant,
    /// Days (YYYY-MM-DD) on which it was logged in to.
    pub seen: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct WaitingRow {
    pub id: String,
    pub kind: String,
    pub title: String,
    pub agency: Option<String>,
    pub area: Option<String>,
    pub deadline: Option<String>,
    pub created: Instant,
}

/// Everything but facts and refused rows.
#[derive(Debug, Clone, Default)]
pub struct Reference {
    pub bodies: Vec<BodyRow>,
    pub sources: Vec<SourceRow>,
    pub batches: Vec<BatchRow>,
    pub claims: Vec<ClaimRow>,
    /// Main items, code and name.
    pub mains: Vec<(String, String)>,
    pub officers: Vec<OfficerRow>,
    pub accounts: Vec<AccountRow>,
    pub waiting: Vec<WaitingRow>,
}

/// Why a refused row was refused, in words.
#[derive(Debug, Clone, Default)]
pub struct Reason {
    pub title: Option<String>,
    pub reason: String,
}

/// The other domains as evaluation sees them.
pub trait House: Send + Sync {
    /// Number of the last change of business truth: the same number, the same figures.
    fn stamp(&self) -> BoxFuture<'_, Result<i64>>;

    /// The last position of each table of the fact store.
    fn positions(&self) -> BoxFuture<'_, Result<Vec<(String, i64)>>>;

    fn reference(&self) -> BoxFuture<'_, Result<Reference>>;

    fn refused(&self) -> BoxFuture<'_, Result<Vec<RefusedRow>>>;

    /// For each (batch, row) in order.
    fn reasons<'a>(&'a self, rows: &'a [(String, i64)]) -> BoxFuture<'a, Result<Vec<Reason>>>;

    /// Where leaders lead: each grant in force of a role on a day.
    fn grants_of<'a>(
        &'a self,
        roles: &'a [Role],
        day: &'a str,
    ) -> BoxFuture<'a, Result<Vec<(Role, Scope)>>>;

    /// Whether nothing is being taken in at the moment.
    fn is_quiet(&self) -> BoxFuture<'_, Result<bool>>;
}
