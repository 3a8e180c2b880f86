//! The work items of one person's day in brief, for the first page of the workbench: how many wait,
//! how many are late, and the first of them. Counted by what the list itself shows.

use mj_kernel::Page;
use mj_platform::{RowExt, Value};
use mj_web::Caller;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Flow;
use crate::error::Result;
use crate::state::Kind;
use crate::store::{self, Wanted};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct WorkBrief {
    /// 待办总数，与待办列表相同
    pub open: i64,
    pub overdue: i64,
    pub due_today: i64,
    /// 其中由当前用户认领的
    pub mine: i64,
    /// 期限最近的几件，逾期的在前
    pub items: Vec<WorkLine>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct WorkLine {
    pub id: String,
    pub kind: String,
    pub kind_title: String,
    pub title: String,
    pub state: String,
    pub state_title: String,
    pub agency_name: Option<String>,
    pub deadline: Option<String>,
    pub urged: i64,
    pub mine: bool,
}

impl Flow {
    /// `caller` asks with what it may read of work items.
    pub async fn brief(&self, caller: &Caller, limit: u32) -> Result<WorkBrief> {
        let today = self.db.clock().today().to_string();
        let me = caller.actor.reference();
        let mut args: Vec<Value> = Vec::new();
        let mut filter = caller.predicate("w.area_number", None, &mut args);
        filter.push_str(&crate::notice::audience(&caller.actor, &mut args));
        args.push(today.as_str().into());
        let day = args.len();
        args.push(me.as_str().into());
        let own = args.len();
        let sql = format!(
            "SELECT CAST(COUNT(*) AS BIGINT) AS open_items, \
             CAST(COALESCE(SUM(CASE WHEN w.deadline < ${day} THEN 1 ELSE 0 END), 0) AS BIGINT) \
             AS late, \
             CAST(COALESCE(SUM(CASE WHEN w.deadline = ${day} THEN 1 ELSE 0 END), 0) AS BIGINT) \
             AS today, \
             CAST(COALESCE(SUM(CASE WHEN w.assignee = ${own} THEN 1 ELSE 0 END), 0) AS BIGINT) \
             AS mine FROM work_item w \
             WHERE w.state IN ('received','claimed','returned'){filter}"
        );
        let row = self.db.fetch_one(&sql, &args).await?;
        let page = Page { limit: Some(limit), cursor: None };
        let wanted = Wanted { state: Some("open"), limit: page.limit(), ..Wanted::default() };
        let mut items = store::list(&self.db, caller, &wanted).await?;
        items.truncate(usize::try_from(page.limit()).unwrap_or(10));
        Ok(WorkBrief {
            open: row.int("open_items")?,
            overdue: row.int("late")?,
            due_today: row.int("today")?,
            mine: row.int("mine")?,
            items: items
                .into_iter()
                .map(|item| WorkLine {
                    kind_title: Kind::of(&item.kind)
                        .map_or_else(|| item.kind.clone(), |kind| kind.title.to_owned()),
                    kind: item.kind,
                    mine: item.assignee.as_deref() == Some(me.as_str()),
                    id: item.id,
                    title: item.title,
                    state: item.state.name().to_owned(),
                    state_title: item.state.title().to_owned(),
                    agency_name: item.agency_name,
                    deadline: item.deadline,
                    urged: item.urged,
                })
                .collect(),
        })
    }
}
