//! Posts over HTTP for the author page: lists in the caller's scope, one post with all its texts,
//! and the verbs. Publishing asks for a second person: the decision sees who wrote the text.

use axum::Json;
use axum::extract::State as Of;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use mj_kernel::clock::to_rfc3339;
use mj_kernel::{Page, PageOf};
use mj_platform::Lane;
use mj_web::{
    Action, Answer, Caller, Column, Export, ExportRequest, Input, Once, PathOf, Problem, Query,
    Resource, RouteOf, create, get, post, replayed,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::store::{self, Listed, Post, Step, Text, Wanted};
use super::{Draft, Kind, Subject, TextState, Verb, next};
use crate::error::Error;
use crate::{Portal, markup, rules};

pub const READ: Action = Action::new("portal.post.read", "查看稿件");
pub const CREATE: Action = Action::new("portal.post.create", "起草稿件");
pub const UPDATE: Action = Action::new("portal.post.update", "修改、送审自己的稿件");
pub const CORRECT: Action = Action::new("portal.post.correct", "发起更正");
pub const RETURN: Action = Action::new("portal.post.return", "退回稿件");
pub const PUBLISH: Action = Action::new("portal.post.publish", "审核发布稿件");
pub const WITHDRAW: Action = Action::new("portal.post.withdraw", "撤回已发布稿件");

pub fn routes() -> Vec<RouteOf<Portal>> {
    vec![
        get(READ, "/api/v1/portal/posts", list)
            .summary("监管动态与曝光台的稿件，最近改动的在前")
            .query::<ListQuery>()
            .list::<PostRow>(),
        post(READ, "/api/v1/portal/posts/export", export)
            .summary("导出稿件列表：与所见一致的筛选和列")
            .body::<ExportRequest>()
            .binary("text/csv"),
        create(CREATE, "/api/v1/portal/posts", draft)
            .summary("起草稿件；曝光须指明监管对象和一条公示的监管记录")
            .body::<DraftRequest>()
            .created::<PostView>(),
        get(READ, "/api/v1/portal/posts/{id}", read)
            .summary("一篇稿件，含历次文本和处理经过")
            .ok::<PostView>(),
        post(UPDATE, "/api/v1/portal/posts/{id}/text", write)
            .summary("修改未发布的文本")
            .body::<TextRequest>()
            .ok::<PostView>(),
        post(UPDATE, "/api/v1/portal/posts/{id}/submit", submit)
            .summary("送审")
            .body::<VerbRequest>()
            .ok::<PostView>(),
        post(RETURN, "/api/v1/portal/posts/{id}/return", give_back)
            .summary("退回作者修改")
            .body::<VerbRequest>()
            .ok::<PostView>(),
        post(PUBLISH, "/api/v1/portal/posts/{id}/publish", publish)
            .summary("审核通过并发布；审核人不得是文本的作者")
            .body::<VerbRequest>()
            .ok::<PostView>(),
        post(CORRECT, "/api/v1/portal/posts/{id}/correct", correct)
            .summary("对已发布稿件发起更正；原文连同日期保留")
            .body::<VerbRequest>()
            .ok::<PostView>(),
        post(WITHDRAW, "/api/v1/portal/posts/{id}/withdraw", withdraw)
            .summary("撤回已发布稿件；地址保留，页面说明何时因何撤回")
            .body::<VerbRequest>()
            .ok::<PostView>(),
        post(CREATE, "/api/v1/portal/post-preview", preview)
            .summary("正文发布后的样子")
            .body::<PreviewRequest>()
            .ok::<PreviewView>(),
    ]
}

#[derive(Debug, Deserialize, IntoParams)]
struct ListQuery {
    /// 栏目：news 监管动态，exposure 曝光台
    kind: Option<String>,
    /// 状态：draft 起草中，submitted 待审核，returned 已退回，published 已发布，withdrawn 已撤回
    state: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PostDraftRequest)]
struct DraftRequest {
    /// news 监管动态，exposure 曝光台
    kind: String,
    title: String,
    /// 正文，可用少量标记：## 小标题、**加粗**、- 列表、> 引用、[文字](网址)
    body: String,
    /// 发布机关（统一社会信用代码）；缺省为本人所在部门
    agency: Option<String>,
    /// 曝光：监管对象的登记编号
    register_no: Option<String>,
    /// 曝光：公示的监管记录（见 /api/v1/public/parties/{register_no} 的 line）
    act_line: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PostTextRequest)]
struct TextRequest {
    /// 依据的版本
    version: i64,
    title: String,
    body: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PostVerbRequest)]
struct VerbRequest {
    /// 依据的版本
    version: i64,
    /// 原因：退回、更正、撤回时必填；更正和撤回的原因会公开
    reason: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PostPreviewRequest)]
struct PreviewRequest {
    body: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PostPreview)]
struct PreviewView {
    html: String,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PostRow {
    pub id: String,
    pub version: i64,
    pub kind: String,
    pub kind_title: String,
    pub number: Option<i64>,
    /// 门户上的地址
    pub address: Option<String>,
    pub title: String,
    pub state: String,
    pub state_title: String,
    pub agency: String,
    pub agency_name: String,
    pub area_number: String,
    pub party_name: Option<String>,
    pub published_at: Option<String>,
    pub shown_until: Option<String>,
    pub updated_at: String,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PostText {
    pub number: i64,
    pub state: String,
    pub state_title: String,
    pub title: String,
    pub body: String,
    /// 发布后的样子
    pub html: String,
    /// 更正的原因
    pub why: Option<String>,
    pub author_name: String,
    pub reviewer_name: Option<String>,
    pub published_at: Option<String>,
    pub updated_at: String,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PostStep {
    pub number: i64,
    pub verb: String,
    pub verb_title: String,
    pub actor_name: String,
    pub at: String,
    pub note: Option<String>,
}

/// What may be done with a post now, by this caller; what may not says why.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PostMove {
    pub verb: String,
    pub title: String,
    /// 不能进行时的原因
    pub refused: Option<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PostView {
    #[serde(flatten)]
    pub row: PostRow,
    pub register_no: Option<String>,
    pub act_title: Option<String>,
    pub act_date: Option<String>,
    /// 曝光期限的依据
    pub until_basis: Option<String>,
    pub withdrawn_at: Option<String>,
    pub withdrawn_why: Option<String>,
    /// 当前公开的文本的序号
    pub shown_text: Option<i64>,
    /// 未发布的文本的序号
    pub open_text: Option<i64>,
    pub texts: Vec<PostText>,
    pub steps: Vec<PostStep>,
    pub moves: Vec<PostMove>,
}

pub fn address(post: &Post) -> Option<String> {
    Some(format!("/{}/{}", post.kind.name(), post.number?))
}

/// One word for where a post stands: what is under way on an unpublished one, else what the public sees.
fn standing(post: &Post, open: Option<TextState>) -> (&'static str, String) {
    match (post.state, open) {
        (super::State::Withdrawn, _) => ("withdrawn", "已撤回".into()),
        (super::State::Published, None) => ("published", "已发布".into()),
        (super::State::Published, Some(open)) => {
            ("correcting", format!("已发布，更正{}", open.title()))
        }
        (super::State::Draft, open) => {
            let open = open.unwrap_or(TextState::Draft);
            (open.name(), open.title().into())
        }
    }
}

fn row(post: &Post, title: &str, open: Option<TextState>) -> PostRow {
    let (state, state_title) = standing(post, open);
    PostRow {
        id: post.id.clone(),
        version: post.version,
        kind: post.kind.name().into(),
        kind_title: post.kind.title().into(),
        number: post.number,
        address: address(post),
        title: title.to_owned(),
        state: state.into(),
        state_title,
        agency: post.agency.clone(),
        agency_name: post.agency_name.clone(),
        area_number: post.area_number.clone(),
        party_name: post.party_name.clone(),
        published_at: post.published_at.map(to_rfc3339),
        shown_until: post.shown_until.clone(),
        updated_at: to_rfc3339(post.updated_at),
    }
}

fn resource(post: &Post) -> Resource {
    Resource::at(Some(&post.area_number), Some(&post.agency))
}

async fn list(
    Of(portal): Of<Portal>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Answer<Json<PageOf<PostRow>>> {
    let page = Page { limit: query.limit, cursor: query.cursor.clone() };
    Ok(Json(page_of(&portal, &caller, &query, &page).await?))
}

async fn page_of(
    portal: &Portal,
    caller: &Caller,
    query: &ListQuery,
    page: &Page,
) -> Answer<PageOf<PostRow>> {
    let wanted = Wanted {
        kind: query.kind.as_deref(),
        state: query.state.as_deref(),
        cursor: page.cursor.as_deref(),
        limit: page.limit(),
    };
    let posts = store::list(&portal.db, caller, &wanted).await?;
    let page = PageOf::from_surplus(posts, page.limit(), |listed: &Listed| {
        store::cursor_of(listed.post.updated_at, &listed.post.id)
    });
    Ok(page.map(|listed| row(&listed.post, &listed.title, listed.open)))
}

/// The list as a file: the same filters, the same columns.
async fn export(
    Of(portal): Of<Portal>,
    caller: Caller,
    input: Input<ExportRequest>,
) -> Answer<Response> {
    let query: ListQuery = input.value.query()?;
    let mut file =
        Export::open(&portal.db, &caller, "portal.posts", "稿件", &COLUMNS, input.value)?;
    let mut page = Page { limit: Some(Page::MAX), cursor: None };
    loop {
        let found = page_of(&portal, &caller, &query, &page).await?;
        for one in &found.items {
            file.push(one)?;
        }
        page.cursor = found.next_cursor;
        if page.cursor.is_none() {
            return file.finish(&portal.db, &caller).await;
        }
    }
}

/// The columns of the list, by the names under which the workbench knows them.
static COLUMNS: [Column<PostRow>; 8] = [
    Column { name: "title", title: "标题", cell: |one| Some(one.title.clone()) },
    Column { name: "party", title: "监管对象", cell: |one| one.party_name.clone() },
    Column { name: "kind", title: "栏目", cell: |one| Some(one.kind_title.clone()) },
    Column { name: "agency", title: "发布机关", cell: |one| Some(one.agency_name.clone()) },
    Column { name: "state", title: "状态", cell: |one| Some(one.state_title.clone()) },
    Column { name: "published", title: "发布时间", cell: |one| one.published_at.clone() },
    Column { name: "until", title: "展示至", cell: |one| one.shown_until.clone() },
    Column { name: "updated", title: "最近改动", cell: |one| Some(one.updated_at.clone()) },
];

async fn read(
    Of(portal): Of<Portal>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Answer<Json<PostView>> {
    shown(&portal, &caller, &id).await.map(Json)
}

/// The post as the caller may see it: out of scope gives the same 404 as missing.
async fn shown(portal: &Portal, caller: &Caller, id: &str) -> Result<PostView, Problem> {
    let post = store::by_id_unscoped(&portal.db, id).await?;
    caller.require_for(&READ, &resource(&post))?;
    let texts = store::texts_unscoped(&portal.db, id).await?;
    let steps = store::steps_unscoped(&portal.db, id).await?;
    let mut people: Vec<String> = texts.iter().map(|text| text.author.clone()).collect();
    people.extend(texts.iter().filter_map(|text| text.reviewer.clone()));
    people.extend(steps.iter().map(|step| step.actor.clone()));
    let names = caller.names_of(people).await?;
    let open = post.open_text.and_then(|number| texts.iter().find(|text| text.number == number));
    let listed = post.shown_text.or(post.open_text);
    let title = texts.iter().find(|text| Some(text.number) == listed);
    let moves = Verb::ALL
        .into_iter()
        .filter(|verb| next(post.state, open.map(|text| text.state), *verb).is_some())
        .filter_map(|verb| offer(caller, &post, open, verb))
        .collect();
    Ok(PostView {
        row: row(&post, title.map_or("", |text| text.title.as_str()), open.map(|text| text.state)),
        moves,
        texts: texts
            .into_iter()
            .map(|text| PostText {
                number: text.number,
                state: text.state.name().into(),
                state_title: text.state.title().into(),
                html: markup::to_html(&text.body),
                title: text.title,
                body: text.body,
                why: text.why,
                author_name: names.of(&text.author),
                reviewer_name: text.reviewer.as_deref().map(|reference| names.of(reference)),
                published_at: text.published_at.map(to_rfc3339),
                updated_at: to_rfc3339(text.updated_at),
            })
            .collect(),
        steps: steps
            .into_iter()
            .map(|Step { number, verb, actor, at, note }| PostStep {
                number,
                verb: verb.name().into(),
                verb_title: verb.title().into(),
                actor_name: names.of(&actor),
                at: to_rfc3339(at),
                note,
            })
            .collect(),
        until_basis: post.until_rule.as_deref().and_then(rules::basis).map(str::to_owned),
        withdrawn_at: post.withdrawn_at.map(to_rfc3339),
        withdrawn_why: post.withdrawn_why,
        shown_text: post.shown_text,
        open_text: post.open_text,
        register_no: post.register_no,
        act_title: post.act_title,
        act_date: post.act_date,
    })
}

fn action_of(verb: Verb) -> &'static Action {
    match verb {
        Verb::Create => &CREATE,
        Verb::Write | Verb::Submit => &UPDATE,
        Verb::Return => &RETURN,
        Verb::Publish => &PUBLISH,
        Verb::Correct => &CORRECT,
        Verb::Withdraw => &WITHDRAW,
    }
}

/// What the decision is asked about: the agency's post, the text's author, and for publishing the
/// author as the other person who stands for these words.
fn asked(post: &Post, open: Option<&Text>, verb: Verb) -> Resource {
    let resource = resource(post);
    let author = open.map_or(post.author.as_str(), |text| text.author.as_str());
    match verb {
        Verb::Publish => resource.approved_by(author),
        _ => resource.owned_by(author),
    }
}

/// `None`: not this role's business at all.
fn offer(caller: &Caller, post: &Post, open: Option<&Text>, verb: Verb) -> Option<PostMove> {
    let action = action_of(verb);
    if !caller.may(action) {
        return None;
    }
    let refused = match caller.would(action, &asked(post, open, verb)) {
        Ok(_) => None,
        Err(problem) if problem.code == "access.second_person_required" => {
            Some("您是这篇文本的作者，须由另一人审核发布".to_owned())
        }
        Err(_) if matches!(verb, Verb::Write | Verb::Submit) => {
            Some("只有文本的作者可以修改、送审".to_owned())
        }
        Err(_) => return None,
    };
    Some(PostMove { verb: verb.name().into(), title: verb.title().into(), refused })
}

async fn draft(
    Of(portal): Of<Portal>,
    caller: Caller,
    input: Input<DraftRequest>,
) -> Result<Response, Problem> {
    let request = input.value;
    let kind = Kind::parse(&request.kind)
        .ok_or_else(|| Error::field("kind", "栏目应为 news 或 exposure"))?;
    let code = match request.agency.filter(|code| !code.trim().is_empty()) {
        Some(code) => code,
        None => portal.agency_of(&caller).await?.ok_or_else(|| {
            Error::field("agency", "您的账号没有所属部门，请选择以哪个部门的名义发布")
        })?,
    };
    let agency = mj_access::agency_by_uscc(&portal.db, &code)
        .await
        .map_err(Error::from)?
        .ok_or(Error::UnknownAgency)?;
    caller.require(&Resource::at(Some(&agency.area_number), Some(&agency.uscc)))?;
    let subject = Subject {
        kind,
        agency: agency.uscc,
        agency_name: agency.name,
        area_number: agency.area_number,
        register_no: request.register_no,
        act_line: request.act_line,
    };
    let mut tx = portal.db.begin(Lane::People, caller.act("portal_post")).await?;
    let first = match Once::claim(&mut tx, &caller, &input.digest).await? {
        Once::Replay(earlier) => {
            let view = shown(&portal, &caller, &earlier.object_id).await?;
            return Ok(replayed(&earlier, Json(view)));
        }
        Once::First(first) => first,
    };
    let draft = Draft { title: request.title, body: request.body };
    let id = portal.draft_post(&mut tx, &subject, draft).await?;
    first.keep(&mut tx, StatusCode::CREATED, &id, 1).await?;
    tx.commit().await?;
    let view = shown(&portal, &caller, &id).await?;
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

async fn do_verb(
    portal: &Portal,
    caller: &Caller,
    id: &str,
    verb: Verb,
    version: i64,
    reason: Option<String>,
    draft: Option<Draft>,
) -> Answer<Json<PostView>> {
    let post = store::by_id_unscoped(&portal.db, id).await?;
    caller.require_for(&READ, &resource(&post))?;
    let texts = store::texts_unscoped(&portal.db, id).await?;
    let open = post.open_text.and_then(|number| texts.iter().find(|text| text.number == number));
    caller.require(&asked(&post, open, verb))?;
    let mut act = caller.act(format!("portal_post:{id}"));
    act.reason = reason;
    match portal.do_with_post(act, id, version, verb, draft).await {
        Ok(()) => shown(portal, caller, id).await.map(Json),
        Err(error @ Error::Platform(mj_platform::Error::Stale { .. })) => {
            let current = shown(portal, caller, id).await?;
            Err(Problem::from(error).with_current(current))
        }
        Err(error) => Err(error.into()),
    }
}

async fn write(
    Of(portal): Of<Portal>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    input: Input<TextRequest>,
) -> Answer<Json<PostView>> {
    let TextRequest { version, title, body } = input.value;
    let draft = Some(Draft { title, body });
    do_verb(&portal, &caller, &id, Verb::Write, version, None, draft).await
}

macro_rules! verbs {
    ($($name:ident $verb:ident;)+) => {$(
        async fn $name(
            Of(portal): Of<Portal>,
            caller: Caller,
            PathOf(id): PathOf<String>,
            input: Input<VerbRequest>,
        ) -> Answer<Json<PostView>> {
            let VerbRequest { version, reason } = input.value;
            do_verb(&portal, &caller, &id, Verb::$verb, version, reason, None).await
        }
    )+};
}

verbs! {
    submit Submit;
    give_back Return;
    publish Publish;
    correct Correct;
    withdraw Withdraw;
}

async fn preview(
    Of(_): Of<Portal>,
    _caller: Caller,
    input: Input<PreviewRequest>,
) -> Json<PreviewView> {
    Json(PreviewView { html: markup::to_html(&input.value.body) })
}
