//! The data centre over HTTP (contracts.md 4): shapes, handlers, routes. Every handler asks the
//! decision for the source it touches; a list shows the sources the caller may see.

mod batches;
mod errors;
mod repairs;
mod reveal;
mod shapes;
mod source_file;
mod sources;
mod standard;
mod tables;
mod uploads;

use mj_platform::jobs::JobHandler;
use mj_web::{Action, Caller, ExportRequest, Module, Resource, create, get, head, post, put};

use crate::Datahub;
use crate::error::Result;
use crate::model::Source;
use crate::receive::INGEST_BATCH;
use crate::repair::run::{APPLY_REPAIR, run_job as run_repair};
use crate::{store, withdraw};

pub const BATCH_PUSH: Action = Action::new("datahub.batch.push", "推送批次");
pub const BATCH_CREATE: Action = Action::new("datahub.batch.create", "上传批次文件");
pub const BATCH_READ: Action = Action::new("datahub.batch.read", "查看批次");
pub const BATCH_STOP: Action = Action::new("datahub.batch.cancel", "停止导入");
pub const ERROR_MEND: Action = Action::new("datahub.error.mend", "逐条更正问题数据");
pub const REPAIR_CREATE: Action = Action::new("datahub.repair.create", "按规则成批更正问题数据");
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
    let repair = {
        let hub = hub.clone();
        JobHandler::new(APPLY_REPAIR, move |context| {
            let hub = hub.clone();
            async move { run_repair(&hub, context).await }
        })
    };
    let forget = {
        let hub = hub.clone();
        JobHandler::new(withdraw::FORGET_SAID, move |context| {
            let hub = hub.clone();
            async move { withdraw::run_job(&hub, context).await }
        })
    };
    Module::new("datahub", "监管数据中心").job(job).job(repair).job(forget).routes(
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
            get(SOURCE_READ, "/api/v1/datahub/sources", source_file::list)
                .summary("数据源和它们的接入情况")
                .ok::<shapes::SourceList>(),
            post(SOURCE_READ, "/api/v1/datahub/sources/export", source_file::export)
                .summary("导出数据源列表：与所见一致的筛选和列")
                .body::<ExportRequest>()
                .binary("text/csv"),
            get(SOURCE_READ, "/api/v1/datahub/sources/{cd_source}", source_file::one)
                .summary("一个数据源：各表报送、令牌、事项对应和变更经过")
                .ok::<source_file::SourceFile>(),
            post(
                SOURCE_TOKEN,
                "/api/v1/datahub/sources/{cd_source}/token/revoke",
                source_file::revoke_token,
            )
            .summary("作废令牌，该系统随即不能推送")
            .body::<source_file::TokenEnd>()
            .no_content(),
            get(TABLE_READ, "/api/v1/datahub/standard/search", standard::search)
                .summary("在全部表的字段、规则和代码表中查找")
                .query::<standard::StandardQuery>()
                .ok::<standard::StandardHits>(),
            get(TABLE_READ, "/api/v1/datahub/code-lists", standard::lists)
                .summary("数据标准的全部代码表")
                .ok::<standard::CodeLists>(),
            get(TABLE_READ, "/api/v1/datahub/code-lists/{list}", standard::list)
                .summary("一个代码表的取值，和哪些字段用它")
                .ok::<standard::CodeListView>(),
            get(TABLE_READ, "/api/v1/datahub/tables/{table}/sample.csv", standard::sample_csv)
                .summary("一行正确数据的样例文件（CSV）")
                .binary("text/csv"),
            get(TABLE_READ, "/api/v1/datahub/tables/{table}/sample.jsonl", standard::sample_json)
                .summary("一行正确数据的样例文件（JSON，一行一条）")
                .binary("application/x-ndjson"),
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
            post(BATCH_READ, "/api/v1/datahub/batches/export", batches::export)
                .summary("导出批次列表：与所见一致的筛选和列")
                .body::<ExportRequest>()
                .binary(shapes::XLSX),
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
            post(BATCH_STOP, "/api/v1/datahub/batches/{id}/cancel", batches::stop)
                .summary("停止正在进行的导入：在下一段停下，没有一行入库")
                .body::<shapes::StopRequest>()
                .ok::<shapes::BatchView>(),
            get(ERROR_READ, "/api/v1/datahub/batches/{id}/errors", errors::list)
                .summary("一个批次的错误数据与原因")
                .query::<shapes::ErrorQuery>()
                .list::<shapes::ErrorView>(),
            post(ERROR_READ, "/api/v1/datahub/batches/{id}/errors/export", errors::export)
                .summary("导出错误记录列表：与所见一致的筛选和列")
                .body::<ExportRequest>()
                .binary("text/csv"),
            get(ERROR_READ, "/api/v1/datahub/open-errors", repairs::open_errors)
                .summary("还有错误待改正的批次，期限近的在前")
                .ok::<repairs::OpenErrorsList>(),
            get(ERROR_READ, "/api/v1/datahub/batches/{id}/errors/{row}", repairs::cells)
                .summary("一条错误记录的各个单元格，供就地改正")
                .ok::<repairs::ErrorCells>(),
            post(ERROR_READ, "/api/v1/datahub/batches/{id}/errors/{row}/check", repairs::check_row)
                .summary("试查改过的一行，不入库")
                .body::<shapes::Mend>()
                .ok::<repairs::RowCheck>(),
            get(ERROR_READ, "/api/v1/datahub/batches/{id}/error-groups", repairs::list_groups)
                .summary("同一问题的错误行归成组，附可以采用的改法")
                .ok::<repairs::GroupList>(),
            post(ERROR_READ, "/api/v1/datahub/batches/{id}/repairs/preview", repairs::preview)
                .summary("预览按规则改正：每行改前改后、能否通过")
                .body::<repairs::RepairRequest>()
                .ok::<repairs::RepairPreview>(),
            get(ERROR_READ, "/api/v1/datahub/batches/{id}/repairs", repairs::list)
                .summary("这个批次按规则改正的记录")
                .ok::<repairs::RepairList>(),
            create(REPAIR_CREATE, "/api/v1/datahub/batches/{id}/repairs", repairs::apply)
                .summary("按规则改正一组错误行；稍候才执行，其间可以撤销")
                .body::<repairs::RepairRequest>()
                .returns::<repairs::RepairView>(202),
            post(BATCH_CREATE, "/api/v1/datahub/repairs/{id}/cancel", repairs::cancel)
                .summary("撤销还没有执行的改正")
                .ok::<repairs::RepairView>(),
            post(BATCH_CREATE, "/api/v1/datahub/tables/{table}/check", repairs::check_typed)
                .summary("边填边查：检查在线填写的行，不入库")
                .body_limit_bytes(PUSH_BYTES)
                .body::<repairs::CheckRequest>()
                .ok::<repairs::CheckOutcome>(),
            get(ERROR_READ, "/api/v1/datahub/batches/{id}/errors.xlsx", errors::sheet)
                .summary("部门原表，错误单元格已标出")
                .binary(shapes::XLSX),
            create(ERROR_MEND, "/api/v1/datahub/batches/{id}/errors/{row}", errors::mend)
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
pub(crate) fn resource(source: &Source) -> Resource {
    Resource::at(source.area.as_deref(), source.agency.as_deref())
        .of_source(source.cd_source.clone())
}

/// The sources this caller may see; they are few, so the decision is asked for each.
async fn visible(hub: &Datahub, caller: &Caller) -> Result<Vec<Source>> {
    let mut sources = store::source::all_unscoped(&hub.db).await?;
    sources.retain(|source| caller.require(&resource(source)).is_ok());
    Ok(sources)
}
