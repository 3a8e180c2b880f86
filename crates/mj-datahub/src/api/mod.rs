//! The data centre over HTTP (contracts.md 4): shapes, handlers, routes. Every handler asks the
//! decision for the source it touches; a list shows the sources the caller may see.

mod batches;
mod errors;
mod shapes;
mod sources;
mod tables;
mod uploads;

use mj_platform::jobs::JobHandler;
use mj_web::{Action, Caller, Module, Resource, create, get, head, post, put};

use crate::Datahub;
use crate::error::Result;
use crate::model::Source;
use crate::receive::INGEST_BATCH;
use crate::store;

pub const BATCH_PUSH: Action = Action::new("datahub.batch.push", "推送批次");
pub const BATCH_CREATE: Action = Action::new("datahub.batch.create", "上传批次文件");
pub const BATCH_READ: Action = Action::new("datahub.batch.read", "查看批次");
pub const ERROR_READ: Action = Action::new("datahub.error.read", "查看问题数据");
pub const SOURCE_CREATE: Action = Action::new("datahub.source.create", "登记数据来源");
pub const SOURCE_READ: Action = Action::new("datahub.source.read", "查看数据来源");
pub const SOURCE_TOKEN: Action = Action::new("datahub.source.token", "发放来源令牌");
pub const SUMMARY_READ: Action = Action::new("datahub.summary.read", "查看汇聚总览");
pub const TABLE_READ: Action = Action::new("datahub.table.read", "查看数据标准");
pub const UPLOAD_CREATE: Action = Action::new("datahub.upload.create", "上传大文件");
pub const UPLOAD_READ: Action = Action::new("datahub.upload.read", "查看上传进度");

/// Rows of one push (contracts.md 4).
const PUSH_BYTES: usize = 10 << 20;

/// What the data centre brings to the house.
pub fn module(hub: Datahub) -> Module {
    let job = {
        let hub = hub.clone();
        JobHandler::new(INGEST_BATCH, move |context| {
            let hub = hub.clone();
            async move { hub.run_job(context).await }
        })
    };
    Module::new("datahub", "监管数据中心").job(job).routes(
        hub,
        vec![
            get(SUMMARY_READ, "/api/v1/datahub/summary", batches::summary)
                .summary("汇聚概况：各层数量、各表、各类错误")
                .ok::<shapes::Summary>(),
            get(TABLE_READ, "/api/v1/datahub/tables", tables::list)
                .summary("数据标准的全部表")
                .ok::<shapes::TableList>(),
            get(TABLE_READ, "/api/v1/datahub/tables/{table}", tables::one)
                .summary("一张表的列、规则和出处")
                .ok::<shapes::TableSpecView>(),
            get(TABLE_READ, "/api/v1/datahub/tables/{table}/template.xlsx", tables::template)
                .summary("填报模板")
                .binary(shapes::XLSX),
            get(TABLE_READ, "/api/v1/datahub/tables/{table}/schema.json", tables::schema)
                .summary("一行数据的JSON Schema")
                .ok::<serde_json::Value>(),
            get(SOURCE_READ, "/api/v1/datahub/sources", sources::list)
                .summary("数据源")
                .ok::<shapes::SourceList>(),
            create(SOURCE_CREATE, "/api/v1/datahub/sources", sources::register)
                .summary("登记数据源")
                .body::<shapes::NewSource>()
                .created::<shapes::SourceView>(),
            post(SOURCE_TOKEN, "/api/v1/datahub/sources/{cd_source}/token", sources::issue_token)
                .summary("发放令牌，只显示这一次；旧令牌随即失效")
                .created::<shapes::TokenIssued>(),
            post(SOURCE_CREATE, "/api/v1/datahub/sources/{cd_source}", sources::change)
                .summary("修改数据源登记")
                .body::<shapes::SourceChange>()
                .ok::<shapes::SourceView>(),
            get(BATCH_READ, "/api/v1/datahub/batches", batches::list)
                .summary("批次列表，新的在前")
                .query::<shapes::BatchQuery>()
                .list::<shapes::BatchView>(),
            create(BATCH_PUSH, "/api/v1/datahub/batches", batches::push)
                .summary("推送一批数据，或把上传好的文件作为一批")
                .body_limit_bytes(PUSH_BYTES)
                .body::<shapes::Push>()
                .returns::<shapes::Accepted>(202),
            create(BATCH_CREATE, "/api/v1/datahub/batches/file", batches::deliver_file)
                .summary("在工作台上传一个数据文件")
                .query::<shapes::FileQuery>()
                .binary_body("application/octet-stream")
                .returns::<shapes::Accepted>(202),
            get(BATCH_READ, "/api/v1/datahub/batches/{id}", batches::one)
                .summary("一个批次的状态与各层数量")
                .ok::<shapes::BatchView>(),
            get(ERROR_READ, "/api/v1/datahub/batches/{id}/errors", errors::list)
                .summary("一个批次的错误数据与原因")
                .query::<shapes::ErrorQuery>()
                .list::<shapes::ErrorView>(),
            get(ERROR_READ, "/api/v1/datahub/batches/{id}/errors.xlsx", errors::sheet)
                .summary("部门原表，错误单元格已标出")
                .binary(shapes::XLSX),
            create(BATCH_CREATE, "/api/v1/datahub/batches/{id}/errors/{row}", errors::mend)
                .summary("更正一条错误数据并单独重报")
                .body::<shapes::Mend>()
                .returns::<shapes::Accepted>(202),
            put(UPLOAD_CREATE, "/api/v1/datahub/uploads/{sha256}", uploads::put)
                .summary("上传大文件，可断点续传")
                .binary_body("application/octet-stream")
                .no_content(),
            head(UPLOAD_READ, "/api/v1/datahub/uploads/{sha256}", uploads::offset)
                .summary("已收到多少字节")
                .no_content(),
        ],
    )
}

/// What a decision must know of a source and what came from it.
fn resource(source: &Source) -> Resource {
    Resource::at(source.area.as_deref(), source.agency.as_deref())
        .of_source(source.cd_source.clone())
}

/// The sources this caller may see; they are few, so the decision is asked for each.
async fn visible(hub: &Datahub, caller: &Caller) -> Result<Vec<Source>> {
    let mut sources = store::source::all_unscoped(&hub.db).await?;
    sources.retain(|source| caller.require(&resource(source)).is_ok());
    Ok(sources)
}
