//! One masked personal value seen in clear, wherever in the house it is shown: the domain finds it, and
//! [`mj_web::reveal::open`] decides, counts, writes down and gives it. It lives here because nobody else knows
//! everyone.

use axum::Json;
use axum::extract::State;
use mj_web::reveal::{AGENCY_VALUE, RevealRequest, Revealed, SHARED_VALUE, open};
use mj_web::{Answer, Caller, Input, Module, PathOf, Problem, post};

use crate::search::Everything;

pub fn module(everything: Everything) -> Module {
    const ABOUT: &str =
        "五分钟内验证过身份，写明原因，计入每日次数，记入监管日志；页面到时自动遮挡";
    let routes = vec![
        post(SHARED_VALUE, "/api/v1/reveals/{kind}/{id}", reveal)
            .summary("查看监管对象、监管记录中一项被遮挡的个人信息")
            .description(ABOUT)
            .body::<RevealRequest>()
            .ok::<Revealed>(),
        post(AGENCY_VALUE, "/api/v1/agency-reveals/{kind}/{id}", reveal)
            .summary("查看执法人员、问题数据、指标明细中一项被遮挡的个人信息")
            .description(ABOUT)
            .body::<RevealRequest>()
            .ok::<Revealed>(),
    ];
    Module::new("personal", "个人信息").routes(everything, routes)
}

async fn reveal(
    State(house): State<Everything>,
    caller: Caller,
    PathOf((kind, id)): PathOf<(String, String)>,
    input: Input<RevealRequest>,
) -> Answer<Json<Revealed>> {
    let Everything { registry, acts, datahub, .. } = &house;
    let field = input.value.field.as_str();
    let of_agency = caller.action == AGENCY_VALUE;
    let found = match (kind.as_str(), of_agency) {
        ("party", false) => registry.masked_of_party(acts, &caller, &id, field).await?,
        ("record", _) => registry.masked_of_record(acts, &caller, &id, field).await?,
        ("officer", true) => registry.masked_of_officer(acts, &caller, &id, field).await?,
        ("refused_row", true) => datahub.masked_of_refused_row(&caller, &id, field).await?,
        _ => return Err(Problem::not_found()),
    };
    Ok(Json(open(house.access.db(), &caller, found, &input.value).await?))
}
