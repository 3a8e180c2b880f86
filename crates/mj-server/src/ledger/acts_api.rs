//! Who did what to one record, when and by what right, with the place in the log: for the panel 监管日志 on
//! the pages of records. Whoever may open the record may see it; the record's own route is asked.

use axum::Json;
use axum::body::Body;
use axum::extract::State as Of;
use axum::http::{HeaderMap, Request, StatusCode};
use mj_access::matrix;
use mj_kernel::Role;
use mj_kernel::clock::{beijing_date, to_rfc3339};
use mj_platform::DbRow;
use mj_platform::{Db, RowExt, Value};
use mj_web::{Action, Answer, Caller, Problem, Query, RouteOf, get};
use serde::{Deserialize, Serialize};
use tower::ServiceExt;
use utoipa::{IntoParams, ToSchema};

use super::api::{Desk, ENTRY_READ, ERASED, signed_number};
use super::titles;

pub const ACT_READ: Action = Action::new("ledger.act.read", "查看一条记录的办理日志");

const LIMIT: usize = 50;

/// A kind of record: the route that shows it, and the rows that make it up, each statement giving
/// `name` (`table:key`) and the change that wrote it last.
struct Kind {
    name: &'static str,
    path: &'static str,
    rows: &'static [&'static str],
}

const KINDS: [Kind; 9] = [
    Kind {
        name: "party",
        path: "/api/v1/registry/parties/",
        rows: &[
            "SELECT 'party:' || id AS name, change_seq FROM party WHERE id = $1",
            "SELECT 'party_merge:' || id AS name, change_seq FROM party_merge WHERE keep_id = $1 \
             OR merge_id = $1",
        ],
    },
    Kind {
        name: "officer",
        path: "/api/v1/registry/officers/",
        rows: &[
            "SELECT 'officer:' || id AS name, change_seq FROM officer WHERE id = $1",
            "SELECT 'officer_certificate:' || id AS name, change_seq FROM officer_certificate \
             WHERE officer_id = $1",
            "SELECT 'officer_suspension:' || id AS name, change_seq FROM officer_suspension \
             WHERE certificate_no IN (SELECT certificate_no FROM officer_certificate \
             WHERE officer_id = $1)",
        ],
    },
    Kind {
        name: "batch",
        path: "/api/v1/datahub/batches/",
        rows: &[
            "SELECT 'hub_batch:' || id AS name, change_seq FROM hub_batch WHERE id = $1",
            "SELECT 'hub_repair:' || id AS name, change_seq FROM hub_repair WHERE batch_id = $1",
        ],
    },
    Kind {
        name: "work_item",
        path: "/api/v1/flow/work-items/",
        rows: &["SELECT 'work_item:' || id AS name, change_seq FROM work_item WHERE id = $1"],
    },
    Kind {
        name: "agency",
        path: "/api/v1/access/agencies/",
        rows: &["SELECT 'agency:' || id AS name, change_seq FROM agency WHERE id = $1 \
             OR uscc = $1"],
    },
    Kind {
        name: "account",
        path: "/api/v1/access/accounts/",
        rows: &[
            "SELECT 'account:' || id AS name, change_seq FROM account WHERE id = $1",
            "SELECT 'credential:' || id AS name, change_seq FROM credential WHERE id = $1",
            "SELECT 'second_factor:' || id AS name, change_seq FROM second_factor WHERE id = $1",
            "SELECT 'role_grant:' || id AS name, change_seq FROM role_grant WHERE account_id = $1",
        ],
    },
    Kind {
        name: "item",
        path: "/api/v1/catalog/items/",
        rows: &[
            "SELECT 'catalog_item:' || id AS name, change_seq FROM catalog_item WHERE item_code = $1",
        ],
    },
    Kind {
        name: "post",
        path: "/api/v1/portal/posts/",
        rows: &[
            "SELECT 'portal_post:' || id AS name, change_seq FROM portal_post WHERE id = $1",
            "SELECT 'portal_post_text:' || id AS name, change_seq FROM portal_post_text \
             WHERE post_id = $1",
        ],
    },
    Kind {
        name: "source",
        path: "/api/v1/datahub/sources/",
        rows: &[
            "SELECT 'hub_source:' || id AS name, change_seq FROM hub_source WHERE cd_source = $1",
            "SELECT 'source_token:' || t.id AS name, t.change_seq FROM source_token t \
             JOIN account a ON a.id = t.account_id WHERE a.cd_source = $1",
        ],
    },
];

pub fn routes() -> Vec<RouteOf<Desk>> {
    vec![
        get(ACT_READ, "/api/v1/log/acts", acts)
            .summary("谁在何时对一条记录做了什么，凭什么，在监管日志的哪里")
            .query::<ActsQuery>()
            .ok::<RecordActs>(),
    ]
}

#[derive(Debug, Deserialize, IntoParams)]
struct ActsQuery {
    /// party、officer、batch、work_item、agency、account、item、post 或 source
    object_type: String,
    /// 记录的编号
    object_id: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct RecordActs {
    /// 新的在前，至多五十条
    items: Vec<RecordAct>,
    /// 还有更早的没有列出
    more: bool,
    /// 看的人能不能打开日志条目
    may_open: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct RecordAct {
    /// 在监管日志中的序号
    seq: i64,
    at: String,
    action: String,
    action_title: String,
    actor: String,
    /// 凭什么办理：当时的角色，或系统按规则办理
    right: Option<String>,
    reason: Option<String>,
    /// 已在签署的检查点中
    sealed: bool,
    /// 办理人、对象和原因已依法删除
    erased: bool,
}

async fn acts(
    Of(desk): Of<Desk>,
    caller: Caller,
    headers: HeaderMap,
    Query(query): Query<ActsQuery>,
) -> Answer<Json<RecordActs>> {
    let kind = KINDS.iter().find(|kind| kind.name == query.object_type);
    let kind = kind.ok_or_else(|| Problem::bad_request("ledger.object_type", "没有这一类记录"))?;
    may_open(&desk, kind, &query.object_id, &headers).await?;
    let seqs = seqs_of(desk.db(), kind, &query.object_id).await?;
    let more = seqs.len() > LIMIT;
    let rows = rows_of(desk.db(), &seqs[..seqs.len().min(LIMIT)]).await?;
    let actors: mj_platform::Result<Vec<String>> =
        rows.iter().map(|row| row.text("actor")).collect();
    let actors = actors?;
    let names = caller.names_of(actors.clone()).await?;
    let grants = grants_of(desk.db(), &actors).await?;
    let sealed = desk.sealed()?;
    let one = |row: &DbRow| -> mj_platform::Result<RecordAct> {
        let (seq, at, action) = (row.int("log_seq")?, row.int("at")?, row.text("action")?);
        let actor = row.text("actor")?;
        let erased = row.opt_bytes("salt")?.is_none();
        Ok(RecordAct {
            seq,
            at: to_rfc3339(at),
            action_title: titles::title_of(&action),
            right: right(&grants, &actor, &action, at),
            action,
            actor: if erased { ERASED.into() } else { names.of(&actor) },
            reason: row.opt_text("reason")?,
            sealed: seq < signed_number(sealed),
            erased,
        })
    };
    let items: mj_platform::Result<Vec<RecordAct>> = rows.iter().map(one).collect();
    Ok(Json(RecordActs { items: items?, more, may_open: caller.may(&ENTRY_READ) }))
}

/// The record's own answer to the same person: what it refuses is refused here.
async fn may_open(desk: &Desk, kind: &Kind, id: &str, headers: &HeaderMap) -> Answer<()> {
    let known = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let routes = desk.routes().ok_or_else(Problem::not_found)?;
    if !known || id.is_empty() {
        return Err(Problem::not_found());
    }
    let mut request = Request::get(format!("{}{id}", kind.path)).body(Body::empty());
    if let Ok(request) = &mut request {
        for name in ["authorization", "cookie"] {
            if let Some(value) = headers.get(name) {
                request.headers_mut().insert(name, value.clone());
            }
        }
    }
    let request = request.map_err(|error| Problem::internal(&error))?;
    // a router cannot fail
    let Ok(answer) = routes.oneshot(request).await;
    match answer.status() {
        StatusCode::OK => Ok(()),
        StatusCode::UNAUTHORIZED => Err(Problem::session_required()),
        StatusCode::FORBIDDEN => Err(Problem::denied()),
        _ => Err(Problem::not_found()),
    }
}

/// Numbers of entries that spoke of the record or wrote one of its rows, newest first; one more than
/// are shown.
async fn seqs_of(db: &Db, kind: &Kind, id: &str) -> mj_platform::Result<Vec<i64>> {
    let mut objects = Vec::new();
    let mut changes = Vec::new();
    for sql in kind.rows {
        for row in db.fetch_all(sql, &[id.into()]).await? {
            objects.push(row.text("name")?);
            changes.push(row.int("change_seq")?);
        }
    }
    objects.truncate(200);
    changes.sort_unstable_by(|a, b| b.cmp(a));
    changes.dedup();
    let most = i64::try_from(LIMIT).unwrap_or(i64::MAX) + 1;
    let mut seqs = Vec::new();
    for chunk in objects.chunks(100) {
        let marks: Vec<String> = (2..=chunk.len() + 1).map(|n| format!("${n}")).collect();
        let marks = marks.join(",");
        let mut args: Vec<Value> = vec![most.into()];
        args.extend(chunk.iter().map(|name| Value::from(name.as_str())));
        for sql in [
            format!(
                "SELECT seq FROM log_touch WHERE object IN ({marks}) ORDER BY seq DESC LIMIT $1"
            ),
            // what was done about it without a row of its own, and what is not signed yet
            format!(
                "SELECT log_seq AS seq FROM act_journal WHERE object IN ({marks}) \
                 AND log_seq IS NOT NULL ORDER BY log_seq DESC LIMIT $1"
            ),
        ] {
            for row in db.fetch_all(&sql, &args).await? {
                seqs.push(row.int("seq")?);
            }
        }
    }
    // loads, which no list of rows is kept of: the act that took the change number a row carries
    for change in changes.into_iter().take(LIMIT) {
        let sql = "SELECT log_seq FROM act_journal WHERE seq >= $1 ORDER BY seq LIMIT 1";
        if let Some(row) = db.fetch_optional(sql, &[change.into()]).await? {
            seqs.extend(row.opt_int("log_seq")?);
        }
    }
    seqs.sort_unstable_by(|a, b| b.cmp(a));
    seqs.dedup();
    seqs.truncate(LIMIT + 1);
    Ok(seqs)
}

async fn rows_of(db: &Db, seqs: &[i64]) -> mj_platform::Result<Vec<DbRow>> {
    if seqs.is_empty() {
        return Ok(Vec::new());
    }
    let marks: Vec<String> = (1..=seqs.len()).map(|n| format!("${n}")).collect();
    let sql = format!(
        "SELECT * FROM act_journal WHERE log_seq IN ({}) ORDER BY log_seq DESC",
        marks.join(",")
    );
    let args: Vec<Value> = seqs.iter().map(|seq| (*seq).into()).collect();
    db.fetch_all(&sql, &args).await
}

/// A role somebody held, and while it was theirs.
struct Held {
    actor: String,
    role: Role,
    from: String,
    to: String,
    granted_at: i64,
    revoked_at: i64,
}

async fn grants_of(db: &Db, actors: &[String]) -> mj_platform::Result<Vec<Held>> {
    let mut ids: Vec<&str> =
        actors.iter().filter_map(|actor| actor.strip_prefix("account:")).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let marks: Vec<String> = (1..=ids.len()).map(|n| format!("${n}")).collect();
    let sql = format!(
        "SELECT * FROM role_grant WHERE account_id IN ({}) ORDER BY granted_at, id",
        marks.join(",")
    );
    let args: Vec<Value> = ids.iter().map(|id| (*id).into()).collect();
    let mut held = Vec::new();
    for row in db.fetch_all(&sql, &args).await? {
        let Some(role) = Role::parse(&row.text("role")?) else { continue };
        held.push(Held {
            actor: format!("account:{}", row.text("account_id")?),
            role,
            from: row.text("valid_from")?,
            to: row.text("valid_to")?,
            granted_at: row.int("granted_at")?,
            revoked_at: row.int("revoked_at")?,
        });
    }
    Ok(held)
}

/// By what right: the role that opened the act at that moment, or the house's own rules.
fn right(grants: &[Held], actor: &str, action: &str, at: i64) -> Option<String> {
    if actor.starts_with("system:") {
        return Some("系统按规则办理".into());
    }
    if actor.starts_with("source:") {
        return Some("数据来源的接口令牌".into());
    }
    // whoever enrols holds a code and nothing else yet
    if action == "access.enrolment.create" {
        return Some("持一次性启用码".into());
    }
    if actor == "anonymous" {
        return None;
    }
    let title = matrix::title_of(action)?;
    let day = beijing_date(at).to_string();
    let mut roles: Vec<&str> = grants
        .iter()
        .filter(|held| held.actor == actor && held.granted_at <= at)
        .filter(|held| held.revoked_at == 0 || at < held.revoked_at)
        .filter(|held| held.from <= day && (held.to.is_empty() || day <= held.to))
        .filter(|held| matrix::abilities_of(held.role).contains(&title))
        .map(|held| held.role.title())
        .collect();
    roles.dedup();
    match roles.is_empty() {
        false => Some(roles.join("、")),
        true if actor.starts_with("account:") => Some("本人账号".into()),
        true => None,
    }
}
