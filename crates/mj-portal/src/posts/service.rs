//! One function a use case: load, ask [`next`], write post, text and step in one transaction.

use chrono::NaiveDate;
use mj_flow::NewWorkItem;
use mj_flow::state::PORTAL_POST;
use mj_kernel::clock::beijing_date;
use mj_platform::{Act, Lane, Value, WriteTx, new_id};
use mj_registry::PublicAct;

use super::store::{self, POST, Post, STEP, TEXT, Text};
use super::{Kind, State, TextState, Verb, next};
use crate::error::{Error, Result};
use crate::{Portal, markup, rules};

const LONGEST_TITLE: usize = 80;
const LONGEST_BODY: usize = 20_000;
const LONGEST_REASON: usize = 500;

/// Words of a post on their way in.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    pub title: String,
    pub body: String,
}

/// Whose word a new post is, and of an exposure what it is about.
#[derive(Debug, Clone)]
pub struct Subject {
    pub kind: Kind,
    pub agency: String,
    pub agency_name: String,
    pub area_number: String,
    pub register_no: Option<String>,
    pub act_line: Option<String>,
}

impl Draft {
    /// Titles and bodies as they may be kept, with what is wrong said by field.
    fn checked(self) -> Result<Self> {
        let title: String = self.title.split_whitespace().collect::<Vec<_>>().join(" ");
        let body = self.body.replace("\r\n", "\n").trim().to_owned();
        let length = title.chars().count();
        if !(4..=LONGEST_TITLE).contains(&length) {
            return Err(Error::field("title", format!("标题应为 4 至 {LONGEST_TITLE} 个字")));
        }
        if body.chars().count() < 10 {
            return Err(Error::field("body", "正文太短，至少写 10 个字"));
        }
        if body.chars().count() > LONGEST_BODY {
            return Err(Error::field("body", format!("正文不超过 {LONGEST_BODY} 字")));
        }
        if title.chars().chain(body.chars()).any(|c| c.is_control() && c != '\n' && c != '\t') {
            return Err(Error::field("body", "含有无法显示的控制字符，请删去"));
        }
        for (field, text) in [("title", &title), ("body", &body)] {
            if let Some(what) = markup::personal_number(text) {
                return Err(Error::field(field, format!("含有{what}，不得公开，请删去或打码")));
            }
        }
        Ok(Self { title, body })
    }
}

fn reason(text: Option<&str>) -> Result<String> {
    let text = text.map(str::trim).filter(|text| !text.is_empty()).ok_or(Error::ReasonMissing)?;
    if text.chars().count() > LONGEST_REASON {
        return Err(Error::field("reason", format!("不超过 {LONGEST_REASON} 字")));
    }
    Ok(text.to_owned())
}

impl Portal {
    /// Drafts a post. The caller asked whether this agency's word may be given.
    pub async fn draft_post(
        &self,
        tx: &mut WriteTx,
        subject: &Subject,
        draft: Draft,
    ) -> Result<String> {
        let draft = draft.checked()?;
        let act = self.act_of(subject).await?;
        let (id, now) = (new_id(), tx.now());
        let actor = tx.act().actor.clone();
        let mut row: Vec<(&str, Value)> = vec![
            ("id", id.as_str().into()),
            ("kind", subject.kind.name().into()),
            ("state", State::Draft.name().into()),
            ("agency", subject.agency.as_str().into()),
            ("agency_name", subject.agency_name.as_str().into()),
            ("area_number", subject.area_number.as_str().into()),
            ("author", actor.as_str().into()),
            ("open_text", Value::Int(1)),
            ("created_at", now.into()),
            ("updated_at", now.into()),
        ];
        if let Some((party, act)) = &act {
            row.push(("register_no", party.register_no.as_str().into()));
            row.push(("party_name", party.name.as_str().into()));
            row.push(("act_line", act.line.as_str().into()));
            row.push(("act_table", act.table.as_str().into()));
            row.push(("act_title", act_title(act).into()));
            row.push(("act_date", act.event_date.clone().into()));
        }
        tx.insert(&POST, &row).await?;
        insert_text(tx, &id, 1, &draft, None).await?;
        write_step(tx, &id, Verb::Create, None).await?;
        Ok(id)
    }

    /// The party and the behaviour an exposure is about, both public now.
    async fn act_of(
        &self,
        subject: &Subject,
    ) -> Result<Option<(mj_registry::PublicParty, PublicAct)>> {
        if subject.kind == Kind::News {
            return Ok(None);
        }
        let needed = |field, value: &Option<String>| {
            let value = value.clone().filter(|value| !value.trim().is_empty());
            value.ok_or_else(|| Error::field(field, "曝光须指明监管对象和一条公示的监管记录"))
        };
        let register_no = needed("register_no", &subject.register_no)?;
        let line = needed("act_line", &subject.act_line)?;
        let party = self.registry.public_party(&register_no).await?;
        let party = party.ok_or_else(|| {
            Error::field("register_no", "没有这个监管对象，或它不公示（自然人不得曝光）")
        })?;
        let act = self.public_act(&party.register_no, &line).await?.ok_or(Error::ActNotPublic)?;
        Ok(Some((party, act)))
    }

    /// One verb on one post, by somebody who may (the caller asked). `seen` is the version they saw.
    pub async fn do_with_post(
        &self,
        act: Act,
        id: &str,
        seen: i64,
        verb: Verb,
        draft: Option<Draft>,
    ) -> Result<()> {
        let why = act.reason.clone();
        let mut tx = self.db.begin(Lane::People, act).await?;
        let post = store::in_tx_unscoped(&mut tx, id).await?;
        if post.version != seen {
            let (table, id) = ("portal_post", post.id);
            let (expected, current) = (seen, post.version);
            return Err(mj_platform::Error::Stale { table, id, expected, current }.into());
        }
        let texts = store::texts_in_tx(&mut tx, id).await?;
        let open = post.open_text.and_then(|open| texts.iter().find(|text| text.number == open));
        let (state, text_state) =
            next(post.state, open.map(|text| text.state), verb).ok_or(Error::NotNow)?;
        let mut changes: Vec<(&str, Value)> =
            vec![("state", state.name().into()), ("updated_at", tx.now().into())];
        let mut note = None;
        match (verb, open) {
            (Verb::Write, Some(open)) => {
                let draft = draft.ok_or_else(|| Error::field("body", "缺少正文"))?.checked()?;
                let words = [("title", draft.title.into()), ("body", draft.body.into())];
                move_text(&mut tx, &post, open, TextState::Draft, &words).await?;
            }
            (Verb::Submit, Some(open)) => {
                move_text(&mut tx, &post, open, TextState::Submitted, &[]).await?;
            }
            (Verb::Return, Some(open)) => {
                note = Some(reason(why.as_deref())?);
                move_text(&mut tx, &post, open, TextState::Returned, &[]).await?;
            }
            (Verb::Publish, Some(open)) => {
                note = why.filter(|why| !why.trim().is_empty());
                self.publish(&mut tx, &post, open, &texts, &mut changes).await?;
            }
            (Verb::Correct, _) => {
                let why = reason(why.as_deref())?;
                let shown = texts.iter().find(|text| Some(text.number) == post.shown_text);
                let shown = shown.ok_or(Error::NotNow)?;
                let number = texts.len() as i64 + 1;
                let draft = Draft { title: shown.title.clone(), body: shown.body.clone() };
                insert_text(&mut tx, id, number, &draft, Some(&why)).await?;
                changes.push(("open_text", number.into()));
                note = Some(why);
            }
            (Verb::Withdraw, _) => {
                let why = reason(why.as_deref())?;
                changes.push(("withdrawn_at", tx.now().into()));
                changes.push(("withdrawn_why", why.as_str().into()));
                note = Some(why);
            }
            _ => return Err(Error::NotNow),
        }
        debug_assert!(verb == Verb::Withdraw || text_state.is_some());
        tx.update(&POST, id, Some(seen), &changes).await?;
        write_step(&mut tx, id, verb, note).await?;
        self.tell_reviewers(&mut tx, &post, open, verb).await?;
        tx.commit().await?;
        Ok(())
    }

    /// What was sent for review waits among the to-dos of those who may publish it, and leaves them when
    /// somebody has decided. Each sending is an item of its own.
    async fn tell_reviewers(
        &self,
        tx: &mut WriteTx,
        post: &Post,
        open: Option<&Text>,
        verb: Verb,
    ) -> Result<()> {
        let sent = store::submit_count(tx, &post.id).await?;
        let cause = format!("portal_post:{}:{sent}", post.id);
        let said = match verb {
            Verb::Submit => {
                let title = open.map(|open| open.title.as_str()).unwrap_or_default();
                let new = NewWorkItem {
                    kind: PORTAL_POST,
                    title: format!("{}“{title}”待审核", post.kind.title()),
                    object_table: "portal_post".into(),
                    object_id: post.id.clone(),
                    cause,
                    area_number: Some(post.area_number.clone()),
                    agency: Some(post.agency.clone()),
                    agency_name: Some(post.agency_name.clone()),
                    deadline: None,
                    payload: serde_json::json!({ "post_id": post.id }),
                };
                self.flow.receive(tx, new).await?;
                return Ok(());
            }
            Verb::Publish => "已审核发布",
            Verb::Return => "已退回修改",
            Verb::Withdraw => "稿件已撤回",
            Verb::Create | Verb::Write | Verb::Correct => return Ok(()),
        };
        self.flow.settle(tx, &cause, said).await?;
        Ok(())
    }

    /// The text under way becomes what the public reads; the one before stays beside it.
    async fn publish(
        &self,
        tx: &mut WriteTx,
        post: &Post,
        open: &Text,
        texts: &[Text],
        changes: &mut Vec<(&'static str, Value)>,
    ) -> Result<()> {
        // the same check as when it was drafted: the line may have left the public record since
        if let (Some(register_no), Some(line)) = (&post.register_no, &post.act_line)
            && self.public_act(register_no, line).await?.is_none()
        {
            return Err(Error::ActNotPublic);
        }
        let (now, actor) = (tx.now(), tx.act().actor.clone());
        let signed = [("reviewer", actor.as_str().into()), ("published_at", now.into())];
        move_text(tx, post, open, TextState::Published, &signed).await?;
        if let Some(before) = texts.iter().find(|text| Some(text.number) == post.shown_text) {
            move_text(tx, post, before, TextState::Replaced, &[]).await?;
        }
        changes.push(("shown_text", open.number.into()));
        changes.push(("open_text", Value::Null));
        if post.number.is_none() {
            changes.push(("number", store::next_number(tx, post.kind).await?.into()));
            changes.push(("published_at", now.into()));
            if let Some(table) = &post.act_table {
                let happened = post.act_date.as_deref().and_then(|day| day.parse().ok());
                let until = rules::exposed_until(table, happened, beijing_date(now))?;
                let (until, rule) = until.ok_or_else(|| {
                    Error::field("act_line", "规则表没有规定这类监管记录的曝光期限，不能发布")
                })?;
                changes.push(("shown_until", until.into()));
                changes.push(("until_rule", rule.into()));
            }
        }
        Ok(())
    }

    /// A line of a public record that is still to be shown today.
    pub(crate) async fn public_act(
        &self,
        register_no: &str,
        line: &str,
    ) -> Result<Option<PublicAct>> {
        let act = self.registry.public_act(&self.acts, register_no, line).await?;
        let today = self.today();
        Ok(act.filter(|act| is_shown(act, today)))
    }

    pub(crate) fn today(&self) -> NaiveDate {
        beijing_date(self.db.clock().now())
    }
}

/// Whether the rule table lets a line of the record be shown today; one without a day is kept.
pub fn is_shown(act: &PublicAct, today: NaiveDate) -> bool {
    let Some(happened) = act.event_date.as_deref().and_then(|day| day.parse().ok()) else {
        return true;
    };
    match rules::shown_until(&act.table, happened, today) {
        Ok(until) => until.is_none_or(|until| today <= until),
        // a table that cannot be read must not publish more than it should
        Err(_) => false,
    }
}

/// How a post names the behaviour it is about.
pub fn act_title(act: &PublicAct) -> String {
    let mut title = act.item_name.clone().unwrap_or_else(|| act.table_title.clone());
    if let Some(result) = &act.result {
        title += &format!("：{result}");
    }
    if let Some(number) = &act.document_no {
        title += &format!("（{number}）");
    }
    title
}

async fn insert_text(
    tx: &mut WriteTx,
    post: &str,
    number: i64,
    draft: &Draft,
    why: Option<&str>,
) -> Result<()> {
    let (actor, now) = (tx.act().actor.clone(), tx.now());
    let row = [
        ("id", store::text_id(post, number).into()),
        ("post_id", post.into()),
        ("number", number.into()),
        ("state", TextState::Draft.name().into()),
        ("title", draft.title.as_str().into()),
        ("body", draft.body.as_str().into()),
        ("author", actor.into()),
        ("why", why.into()),
        ("updated_at", now.into()),
    ];
    Ok(tx.insert(&TEXT, &row).await?)
}

async fn move_text(
    tx: &mut WriteTx,
    post: &Post,
    text: &Text,
    to: TextState,
    also: &[(&'static str, Value)],
) -> Result<()> {
    let mut changes: Vec<(&str, Value)> = vec![("state", to.name().into())];
    if to != TextState::Replaced {
        changes.push(("updated_at", tx.now().into()));
    }
    changes.extend(also.iter().cloned());
    tx.update(&TEXT, &store::text_id(&post.id, text.number), None, &changes).await?;
    Ok(())
}

async fn write_step(tx: &mut WriteTx, post: &str, verb: Verb, note: Option<String>) -> Result<()> {
    let number = store::step_count(tx, post).await? + 1;
    let (actor, now) = (tx.act().actor.clone(), tx.now());
    let row = [
        ("id", new_id().into()),
        ("post_id", post.into()),
        ("number", number.into()),
        ("verb", verb.name().into()),
        ("actor", actor.into()),
        ("at", now.into()),
        ("note", note.into()),
    ];
    Ok(tx.insert(&STEP, &row).await?)
}
