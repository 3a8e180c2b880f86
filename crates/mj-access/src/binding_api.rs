//! The certificate of office behind an account: bound by the system administrator, read with every act of the
//! role 执法人员.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mj_platform::{Db, Lane, RowExt, TruthTable};
use mj_web::{Action, Answer, Caller, Input, PathOf, Problem, RouteOf, get, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::admin_api::{ACCOUNT_READ, reason};
use crate::certificate::may_act;
use crate::error::Error;
use crate::grant_api::ItemLine;
use crate::model::AccountClass;
use crate::{Access, Result, store};

const BIND: Action = Action::new("access.certificate.bind", "绑定账号的执法证");

const OFFICER_BINDING: TruthTable = TruthTable {
    name: "officer_binding",
    columns: &["id", "certificate_no", "bound_by", "bound_at"],
};

pub fn routes() -> Vec<RouteOf<Access>> {
    vec![
        get(ACCOUNT_READ, "/api/v1/access/accounts/{id}/certificate", read)
            .summary("账号绑定的执法证，以及能否据以执法")
            .ok::<BoundCertificate>(),
        post(BIND, "/api/v1/access/accounts/{id}/certificate", bind)
            .summary("绑定或更换账号的执法证")
            .body::<BindRequest>()
            .no_content(),
    ]
}

#[derive(Deserialize, ToSchema)]
struct BindRequest {
    certificate_no: String,
    reason: String,
}

#[derive(Serialize, ToSchema)]
struct BoundCertificate {
    certificate_no: Option<String>,
    /// 为什么现在不能据以执法；能时为空
    barred: Option<String>,
    /// 证上载明的执法类别
    wording: Option<String>,
    /// 执法类别今天对应的事项条线；还没有登记对应时为空
    item_lines: Option<Vec<ItemLine>>,
}

/// The number bound to an account.
pub async fn number_of(db: &Db, account_id: &str) -> Result<Option<String>> {
    let sql = "SELECT certificate_no FROM officer_binding WHERE id = $1";
    let row = db.fetch_optional(sql, &[account_id.into()]).await?;
    Ok(row.map(|row| row.text("certificate_no")).transpose()?)
}

async fn read(
    State(access): State<Access>,
    _caller: Caller,
    PathOf(id): PathOf<String>,
) -> Answer<Json<BoundCertificate>> {
    store::account_by_id(access.db(), &id).await?.ok_or_else(Problem::not_found)?;
    let certificate_no = number_of(access.db(), &id).await?;
    let today = access.db().clock().today().to_string();
    let held = match &certificate_no {
        Some(number) => access.certificates.certificate(number, &today).await?,
        None => None,
    };
    let barred = may_act(held.as_ref(), &today, None).err().map(|bar| access.barred(&bar));
    let (wording, lines) = held.map(|held| (held.wording, held.item_lines)).unwrap_or_default();
    let item_lines = lines.map(|codes| codes.iter().map(|code| access.item_line(code)).collect());
    Ok(Json(BoundCertificate { certificate_no, barred, wording, item_lines }))
}

async fn bind(
    State(access): State<Access>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<BindRequest>,
) -> Answer<StatusCode> {
    let account = store::account_by_id(access.db(), &id).await?.ok_or_else(Problem::not_found)?;
    if account.class != AccountClass::Business {
        return Err(Error::NotNow("只有业务账号可以绑定执法证。").into());
    }
    let number = input.value.certificate_no.trim();
    let why = reason(&input.value.reason)?;
    let today = access.db().clock().today().to_string();
    if access.certificates.certificate(number, &today).await?.is_none() {
        return Err(Error::Invalid {
            field: "certificate_no",
            reason: "执法人员名录里没有这个证号",
        }
        .into());
    }
    let known = number_of(access.db(), &id).await?.is_some();
    let act = caller.act(format!("account:{id}")).because(why);
    let mut tx = access.db().begin(Lane::People, act).await?;
    let (by, now) = (tx.act().actor.clone(), tx.now());
    let values =
        [("certificate_no", number.into()), ("bound_by", by.into()), ("bound_at", now.into())];
    if known {
        tx.update(&OFFICER_BINDING, &id, None, &values).await?;
    } else {
        let [number, by, at] = values;
        tx.insert(&OFFICER_BINDING, &[("id", id.as_str().into()), number, by, at]).await?;
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
