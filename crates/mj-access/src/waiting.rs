//! What waits for a person's word, for the first page of whoever decides.

use mj_platform::Db;
use mj_web::{Action, Caller};

use crate::error::Result;
use crate::{grant_request_api, unlock_api};

/// Requests that this caller may decide: not their own, and not about themselves.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// 特权授权
    pub grants: i64,
    /// 解锁和重置
    pub unlocks: i64,
}

pub async fn waiting_for(db: &Db, caller: &Caller) -> Result<Waiting> {
    Ok(Waiting {
        grants: count(db, caller, "grant_request", &grant_request_api::CONFIRM).await?,
        unlocks: count(db, caller, "unlock_request", &unlock_api::APPROVE).await?,
    })
}

async fn count(db: &Db, caller: &Caller, table: &str, decide: &Action) -> Result<i64> {
    if !caller.may(decide) {
        return Ok(0);
    }
    let sql = format!(
        "SELECT COUNT(*) FROM {table} WHERE state = 'waiting' AND expires_at > $1 \
         AND requested_by <> $2 AND 'account:' || account_id <> $2"
    );
    let me = caller.actor.reference();
    Ok(db.count(&sql, &[db.clock().now().into(), me.into()]).await?)
}
