//! 监管日志公示: the newest signed checkpoint of the supervision log, who witnessed it, and the last one of
//! every past week, each as the very file that `mingjian verify --checkpoint` takes. With a feed.

use askama::Template;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mj_kernel::Instant;
use mj_kernel::clock::{beijing_date, to_rfc3339};
use mj_platform::ledger::{Shelf, Week, outside};
use mj_web::Caller;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::Portal;
use crate::error::Result;
use crate::pages::{Loose, Place};
use crate::view::{self, SiteView};

/// A year of weeks, and one.
const WEEKS: usize = 53;
/// Under the list of 监管动态.
const IN_NEWS: usize = 5;
/// The feed, as every page about it names it.
pub const FEED: &str = "/log/feed.xml";
pub const FEED_TITLE: &str = "监管日志每周检查点";

/// A week as a line of a list.
pub struct WeekLine {
    pub name: String,
    /// `2026年第47周`
    pub title: String,
    pub address: String,
    pub volume: u64,
    pub size: String,
    /// As it stands in the file.
    pub root: String,
    pub signed: String,
    /// `2026-11-22`
    pub day: String,
    updated: String,
    /// Names the file by its content.
    id: String,
}

struct Witnessed {
    name: String,
    entries: String,
    at: String,
    /// The line of the signed note.
    line: String,
}

struct Newest {
    line: WeekLine,
    /// Who signed, with the mark of the key.
    keys: Vec<(String, String)>,
}

/// `2026年11月23日 09:31:05`
fn moment(at: Instant) -> String {
    let text = to_rfc3339(at);
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    format!("{} {}", view::chinese_day(day), time.get(..8).unwrap_or_default())
}

/// A name that follows from the content (RFC 6920), so that no address has to be known.
fn id_of(text: &str) -> String {
    format!("ni:///sha-256;{}", URL_SAFE_NO_PAD.encode(Sha256::digest(text)))
}

fn title(week: &str) -> String {
    match week.split_once("-W") {
        Some((year, number)) => format!("{year}年第{}周", number.trim_start_matches('0')),
        None => week.to_owned(),
    }
}

fn count(number: u64) -> String {
    view::thousands(i64::try_from(number).unwrap_or(i64::MAX))
}

fn line(week: &Week) -> WeekLine {
    WeekLine {
        title: title(&week.name),
        address: format!("/log/weeks/{}.txt", week.name),
        volume: week.volume(),
        size: count(week.checkpoint.size),
        root: week.text.lines().nth(2).unwrap_or_default().to_owned(),
        signed: moment(week.checkpoint.time),
        day: beijing_date(week.checkpoint.time).to_string(),
        updated: to_rfc3339(week.checkpoint.time),
        id: id_of(&week.text),
        name: week.name.clone(),
    }
}

fn newest(week: &Week) -> Newest {
    let keys = week.note.signatures.iter();
    Newest {
        line: line(week),
        keys: keys.map(|one| (one.name.clone(), hex::encode(one.key_id))).collect(),
    }
}

impl Portal {
    fn shelf(&self) -> Shelf {
        Shelf::new(self.log_folder.as_path())
    }

    /// The weeks that are over, the newest first, from `below` down; and whether there are more.
    fn weeks(&self, below: Option<&str>, limit: usize) -> Result<(Vec<WeekLine>, bool)> {
        let (shelf, now) = (self.shelf(), self.db.clock().now());
        let mut names = shelf.weeks(now)?;
        names.retain(|name| below.is_none_or(|below| name.as_str() < below));
        let more = names.len() > limit;
        let mut lines = Vec::new();
        for name in names.iter().take(limit) {
            lines.extend(shelf.week(name, now)?.as_ref().map(line));
        }
        Ok((lines, more))
    }

    /// One line a week for 监管动态.
    pub(crate) fn weeks_in_news(&self) -> Result<Vec<WeekLine>> {
        Ok(self.weeks(None, IN_NEWS)?.0)
    }

    async fn log_page(&self, query: ListQuery) -> Result<Response> {
        let below = query.before.as_deref();
        let (weeks, more) = self.weeks(below, WEEKS)?;
        let latest = self.shelf().latest()?;
        let mut witnesses = Vec::new();
        for (name, cosigned) in outside::all_cosigned(&self.db).await? {
            let own = format!("— {name} ");
            let line = cosigned.checkpoint.lines().find(|line| line.starts_with(&own));
            witnesses.push(Witnessed {
                entries: view::thousands(cosigned.size),
                at: moment(cosigned.at),
                line: line.unwrap_or_default().to_owned(),
                name,
            });
        }
        let next = weeks.last().filter(|_| more).map(|last| format!("/log?before={}", last.name));
        let page = LogPage {
            site: self.view("news", "监管日志公示").feed(FEED, FEED_TITLE),
            newest: latest.as_ref().map(newest),
            witnesses,
            weeks,
            first: below.map(|_| "/log"),
            next,
        };
        Ok(self.page(StatusCode::OK, page))
    }

    fn log_feed(&self) -> Result<Response> {
        let (weeks, _) = self.weeks(None, WEEKS)?;
        let latest = self.shelf().latest()?;
        let log = latest.as_ref().map_or(String::new(), Week::log);
        let feed = Feed {
            name: self.site.name.clone(),
            id: id_of(&log),
            updated: weeks.first().map_or(to_rfc3339(0), |week| week.updated.clone()),
            weeks,
        };
        let text = feed.render().map_err(|error| mj_platform::Error::Other(error.to_string()))?;
        let kind = [
            (header::CONTENT_TYPE, "application/atom+xml; charset=utf-8"),
            (header::CACHE_CONTROL, "no-cache"),
        ];
        Ok((kind, text).into_response())
    }
}

#[derive(Debug, Default, Deserialize)]
pub struct ListQuery {
    before: Option<String>,
}

#[derive(Template)]
#[template(path = "log.html")]
struct LogPage {
    site: SiteView,
    newest: Option<Newest>,
    witnesses: Vec<Witnessed>,
    weeks: Vec<WeekLine>,
    first: Option<&'static str>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "log_feed.xml")]
struct Feed {
    name: String,
    /// By the log's name: what the feed is called for ever.
    id: String,
    updated: String,
    weeks: Vec<WeekLine>,
}

pub async fn page(
    State(portal): State<Portal>,
    _caller: Caller,
    Loose(query): Loose<ListQuery>,
) -> Response {
    portal.log_page(query).await.unwrap_or_else(|error| portal.failed(error))
}

pub async fn feed(State(portal): State<Portal>, _caller: Caller) -> Response {
    portal.log_feed().unwrap_or_else(|error| portal.failed(error))
}

pub async fn week(
    State(portal): State<Portal>,
    _caller: Caller,
    Place(file): Place<String>,
) -> Response {
    let name = file.strip_suffix(".txt").unwrap_or_default();
    match portal.shelf().week(name, portal.db.clock().now()) {
        Ok(Some(week)) => {
            let head = [
                (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
                (
                    header::CONTENT_DISPOSITION,
                    format!("attachment; filename=\"checkpoint-{name}.txt\""),
                ),
                (header::CACHE_CONTROL, "no-cache".to_owned()),
            ];
            (head, week.text).into_response()
        }
        Ok(None) => portal.missing(
            "没有这一周的检查点",
            "这一周还没有结束、没有签署过，或在本平台开始按周保存之前。",
        ),
        Err(error) => portal.failed(error),
    }
}
