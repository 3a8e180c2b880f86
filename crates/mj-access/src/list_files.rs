//! The lists of agencies and accounts as files: the same filters and columns as on the page, remembered
//! as an act like every export.

use axum::extract::State;
use axum::response::Response;
use mj_kernel::Page;
use mj_web::{Answer, Caller, Column, Export, ExportRequest, Input};

use crate::Access;
use crate::admin_api::{
    AccountQuery, AccountView, AgencyQuery, AgencyView, account_page, agency_page,
};

/// The list as a file: the same filters, the same columns.
pub(crate) async fn export_agencies(
    State(access): State<Access>,
    caller: Caller,
    input: Input<ExportRequest>,
) -> Answer<Response> {
    let query: AgencyQuery = input.value.query()?;
    let (list, title) = ("access.agencies", "部门名册");
    let mut file = Export::open(access.db(), &caller, list, title, &AGENCY_COLUMNS, input.value)?;
    let mut page = Page { limit: Some(Page::MAX), cursor: None };
    loop {
        let found = agency_page(&access, &query, &page).await?;
        for one in &found.items {
            file.push(one)?;
        }
        page.cursor = found.next_cursor;
        if page.cursor.is_none() {
            return file.finish(access.db(), &caller).await;
        }
    }
}

static AGENCY_COLUMNS: [Column<AgencyView>; 7] = [
    Column { name: "name", title: "部门", cell: |one| Some(one.name.clone()) },
    Column { name: "short_name", title: "简称", cell: |one| Some(one.short_name.clone()) },
    Column { name: "uscc", title: "统一社会信用代码", cell: |one| Some(one.uscc.clone()) },
    Column {
        name: "area",
        title: "行政区划",
        cell: |one| Some(one.area_name.as_ref().unwrap_or(&one.area_number).clone()),
    },
    Column {
        name: "line",
        title: "条线",
        cell: |one| Some(one.line_name.as_ref().unwrap_or(&one.line).clone()),
    },
    Column { name: "parent", title: "上级部门代码", cell: |one| one.parent.clone() },
    Column { name: "valid_from", title: "登记自", cell: |one| Some(one.valid_from.clone()) },
];

/// The list as a file: the same filters, the same columns.
pub(crate) async fn export_accounts(
    State(access): State<Access>,
    caller: Caller,
    input: Input<ExportRequest>,
) -> Answer<Response> {
    let query: AccountQuery = input.value.query()?;
    let (list, title) = ("access.accounts", "账号名册");
    let mut file = Export::open(access.db(), &caller, list, title, &ACCOUNT_COLUMNS, input.value)?;
    let mut page = Page { limit: Some(Page::MAX), cursor: None };
    loop {
        let found = account_page(&access, &query, &page).await?;
        // departments' systems stand with the sources
        for one in found.items.iter().filter(|one| one.class != "source") {
            file.push(one)?;
        }
        page.cursor = found.next_cursor;
        if page.cursor.is_none() {
            return file.finish(access.db(), &caller).await;
        }
    }
}

static ACCOUNT_COLUMNS: [Column<AccountView>; 6] = [
    Column { name: "name", title: "姓名", cell: |one| Some(one.name.clone()) },
    Column { name: "login", title: "登录名", cell: |one| Some(one.login.clone()) },
    Column {
        name: "agency",
        title: "所在部门",
        cell: |one| one.agency_name.clone().or_else(|| one.agency.clone()),
    },
    Column {
        name: "roles",
        title: "角色与范围",
        cell: |one| {
            let held = one.roles.iter().map(|held| {
                let reach = held
                    .agencies
                    .iter()
                    .chain(&held.item_lines)
                    .fold(held.areas.clone(), |all, own| format!("{all} · {own}"));
                format!("{}（{reach}）", held.role_name)
            });
            Some(held.collect::<Vec<_>>().join("；"))
        },
    },
    Column {
        name: "state",
        title: "状态",
        cell: |one| Some(if one.state == "active" { "在用" } else { "已停用" }.into()),
    },
    Column {
        name: "created",
        title: "开设日期",
        cell: |one| one.created_at.get(..10).map(str::to_owned),
    },
];
