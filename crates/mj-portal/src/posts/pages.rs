//! 监管动态 and 曝光台 as the public reads them. An address once given never answers "not found":
//! a withdrawn post says when and why, an exposure past its end says that its term is over.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use mj_kernel::clock::beijing_date;
use mj_web::Caller;
use serde::Deserialize;

use super::store::{self, Listed, Post, Text};
use super::{Kind, State as PostState, TextState, api};
use crate::error::Result;
use crate::log::{self, WeekLine};
use crate::pages::{Loose, Place};
use crate::view::{self, Article, PostLine, SiteView};
use crate::{Portal, markup, rules};

const POSTS: i64 = 20;
const SUMMARY: usize = 90;

/// A post as the public may see it.
pub enum Published {
    Shown(Box<Post>, Vec<Text>),
    Withdrawn(Box<Post>),
    /// The term of an exposure is over.
    Ended(Box<Post>),
}

pub fn day(at: i64) -> String {
    view::chinese_day(&beijing_date(at).to_string())
}

pub fn line(listed: Listed) -> PostLine {
    PostLine {
        address: api::address(&listed.post).unwrap_or_default(),
        title: listed.title,
        day: listed.post.published_at.map(|at| beijing_date(at).to_string()).unwrap_or_default(),
        summary: markup::summary(&listed.body, SUMMARY),
        agency: listed.post.agency_name,
        party: listed.post.party_name,
        until: listed.post.shown_until.as_deref().map(view::chinese_day),
    }
}

impl Portal {
    pub(crate) async fn latest(&self, kind: Kind, count: i64) -> Result<Vec<PostLine>> {
        let today = self.today().to_string();
        let posts = store::published(&self.db, kind, None, &today, count).await?;
        Ok(posts.into_iter().map(line).collect())
    }

    /// What stands on 曝光台 about a party.
    pub(crate) async fn exposures_of(&self, register_no: &str) -> Result<Vec<PostLine>> {
        let today = self.today().to_string();
        let posts = store::exposures_of(&self.db, register_no, &today).await?;
        Ok(posts.into_iter().map(line).collect())
    }

    pub(crate) async fn published(&self, kind: Kind, number: &str) -> Result<Option<Published>> {
        let Ok(number) = number.parse::<i64>() else { return Ok(None) };
        let Some(post) = store::by_number(&self.db, kind, number).await? else { return Ok(None) };
        let post = Box::new(post);
        if post.state == PostState::Withdrawn {
            return Ok(Some(Published::Withdrawn(post)));
        }
        let today = self.today().to_string();
        if post.shown_until.as_deref().is_some_and(|until| until < today.as_str()) {
            return Ok(Some(Published::Ended(post)));
        }
        let mut texts = store::texts_unscoped(&self.db, &post.id).await?;
        texts.retain(|text| matches!(text.state, TextState::Published | TextState::Replaced));
        Ok(Some(Published::Shown(post, texts)))
    }

    async fn post_list(&self, kind: Kind, query: ListQuery) -> Response {
        let below = query.before.as_deref().and_then(|before| before.parse().ok());
        let today = self.today().to_string();
        let posts = match store::published(&self.db, kind, below, &today, POSTS + 1).await {
            Ok(posts) => posts,
            Err(error) => return self.failed(error),
        };
        let more = posts.len() > POSTS as usize;
        let shown: Vec<Listed> = posts.into_iter().take(POSTS as usize).collect();
        let last = shown.last().and_then(|listed| listed.post.number);
        let path = format!("/{}", kind.name());
        let next = last.filter(|_| more).map(|last| format!("{path}?before={last}"));
        let mut site = self
            .view(kind.name(), kind.title())
            .json(format!("/api/v1/public/{}", json_name(kind)));
        let mut weeks = None;
        if kind == Kind::News && below.is_none() {
            site = site.feed(log::FEED, log::FEED_TITLE);
            weeks = match self.weeks_in_news() {
                Ok(weeks) => Some(weeks),
                Err(error) => return self.failed(error),
            };
        }
        let page = ListPage {
            weeks,
            site,
            title: kind.title(),
            is_exposure: kind == Kind::Exposure,
            first: below.map(|_| path),
            next,
            rows: shown.into_iter().map(line).collect(),
        };
        self.page(StatusCode::OK, page)
    }

    async fn post_page(&self, kind: Kind, number: &str) -> Response {
        let site = self.view(kind.name(), kind.title());
        match self.published(kind, number).await {
            Ok(Some(Published::Shown(post, texts))) => self.shown_post(site, &post, &texts),
            Ok(Some(Published::Withdrawn(post))) => {
                let page = GonePage {
                    site,
                    column: kind.title(),
                    path: kind.name(),
                    is_withdrawn: true,
                    published: post.published_at.map(day).unwrap_or_default(),
                    ended: post.withdrawn_at.map(day).unwrap_or_default(),
                    why: post.withdrawn_why.unwrap_or_default(),
                    agency: post.agency_name,
                };
                self.page(StatusCode::GONE, page)
            }
            Ok(Some(Published::Ended(post))) => {
                let why = post.until_rule.as_deref().and_then(rules::basis).unwrap_or_default();
                let page = GonePage {
                    site,
                    column: kind.title(),
                    path: kind.name(),
                    is_withdrawn: false,
                    published: post.published_at.map(day).unwrap_or_default(),
                    ended: post.shown_until.as_deref().map(view::chinese_day).unwrap_or_default(),
                    why: why.to_owned(),
                    agency: post.agency_name,
                };
                self.page(StatusCode::GONE, page)
            }
            Ok(None) => self.missing("没有这篇内容", "编号可能写错了。可以从栏目列表里查找。"),
            Err(error) => self.failed(error),
        }
    }

    fn shown_post(&self, site: SiteView, post: &Post, texts: &[Text]) -> Response {
        let Some(text) = texts.iter().find(|text| Some(text.number) == post.shown_text) else {
            return self.failed("已发布的稿件没有文本");
        };
        let first = post.published_at.map(day).unwrap_or_default();
        let article = Article {
            title: text.title.clone(),
            published: post.published_at.map(|at| beijing_date(at).to_string()).unwrap_or_default(),
            source: post.agency_name.clone(),
            description: markup::summary(&text.body, 120),
        };
        let kind = post.kind;
        let number = post.number.unwrap_or_default();
        let earlier = texts.iter().rev().filter(|other| other.number != text.number);
        let page = PostPage {
            site: site
                .json(format!("/api/v1/public/{}/{number}", json_name(kind)))
                .article(article),
            column: kind.title(),
            path: kind.name(),
            address: format!("/{}/{number}", kind.name()),
            title: text.title.clone(),
            html: markup::to_html(&text.body),
            published: first,
            agency: post.agency_name.clone(),
            corrected: text
                .why
                .as_ref()
                .and(text.published_at)
                .map(|at| (day(at), text.why.clone().unwrap_or_default())),
            earlier: earlier
                .map(|other| EarlierText {
                    title: other.title.clone(),
                    html: markup::to_html(&other.body),
                    from: other.published_at.map(day).unwrap_or_default(),
                    why: other.why.clone(),
                })
                .collect(),
            party: post.register_no.clone().zip(post.party_name.clone()),
            act: post.act_title.clone(),
            act_date: post.act_date.as_deref().map(view::chinese_day),
            until: post.shown_until.as_deref().map(view::chinese_day),
            until_basis: post.until_rule.as_deref().and_then(rules::basis),
        };
        self.page(StatusCode::OK, page)
    }
}

/// What the column's list is called in the API.
pub fn json_name(kind: Kind) -> &'static str {
    match kind {
        Kind::News => "news",
        Kind::Exposure => "exposures",
    }
}

#[derive(Debug, Default, Deserialize)]
pub struct ListQuery {
    before: Option<String>,
}

#[derive(Template)]
#[template(path = "posts.html")]
struct ListPage {
    site: SiteView,
    title: &'static str,
    is_exposure: bool,
    rows: Vec<PostLine>,
    /// Under the newest of 监管动态.
    weeks: Option<Vec<WeekLine>>,
    first: Option<String>,
    next: Option<String>,
}

struct EarlierText {
    title: String,
    html: String,
    from: String,
    why: Option<String>,
}

#[derive(Template)]
#[template(path = "post.html")]
struct PostPage {
    site: SiteView,
    column: &'static str,
    path: &'static str,
    address: String,
    title: String,
    /// Made by `markup`, the one place that may.
    html: String,
    published: String,
    agency: String,
    /// The day and the reason of the last correction.
    corrected: Option<(String, String)>,
    earlier: Vec<EarlierText>,
    party: Option<(String, String)>,
    act: Option<String>,
    act_date: Option<String>,
    until: Option<String>,
    until_basis: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "gone.html")]
struct GonePage {
    site: SiteView,
    column: &'static str,
    path: &'static str,
    is_withdrawn: bool,
    published: String,
    ended: String,
    why: String,
    agency: String,
}

pub async fn news(
    State(portal): State<Portal>,
    _caller: Caller,
    Loose(query): Loose<ListQuery>,
) -> Response {
    portal.post_list(Kind::News, query).await
}

pub async fn exposures(
    State(portal): State<Portal>,
    _caller: Caller,
    Loose(query): Loose<ListQuery>,
) -> Response {
    portal.post_list(Kind::Exposure, query).await
}

pub async fn news_item(
    State(portal): State<Portal>,
    _caller: Caller,
    Place(number): Place<String>,
) -> Response {
    portal.post_page(Kind::News, &number).await
}

pub async fn exposure(
    State(portal): State<Portal>,
    _caller: Caller,
    Place(number): Place<String>,
) -> Response {
    portal.post_page(Kind::Exposure, &number).await
}
