//! The form for 纠错, its receipt, and the page that tells how far it is. Plain forms: no script, no
//! picture puzzle, no name or telephone asked for.

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use mj_platform::gm;
use mj_web::Caller;
use serde::Deserialize;

use super::{FAULTS, Line, Receipt, Report, fault_title, verdict_title};
use crate::Portal;
use crate::error::Error;
use crate::limit::From;
use crate::pages::{Loose, Place};
use crate::posts::pages::day;
use crate::view::{self, SiteView};

#[derive(Debug, Default, Deserialize)]
pub struct FormQuery {
    #[serde(default)]
    line: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Sent {
    line: String,
    fault: String,
    said: String,
    token: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    number: String,
    code: String,
}

struct Fault {
    value: &'static str,
    title: &'static str,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "wrong.html")]
struct FormPage {
    site: SiteView,
    register_no: String,
    name: String,
    line: String,
    line_title: String,
    line_value: String,
    agency: Option<String>,
    faults: Vec<Fault>,
    said: String,
    token: String,
    /// Whether it was refused, with the sentence for each field.
    refused: Option<String>,
    fault_error: Option<String>,
    said_error: Option<String>,
}

#[derive(Template)]
#[template(path = "wrong_done.html")]
struct DonePage {
    site: SiteView,
    register_no: String,
    name: String,
    receipt: Receipt,
    deadline: Option<String>,
}

struct Known {
    number: String,
    register_no: String,
    party: String,
    line_title: String,
    fault: &'static str,
    said: String,
    agency: Option<String>,
    received: String,
    deadline: Option<String>,
    standing: &'static str,
    is_answered: bool,
    verdict: Option<&'static str>,
    answer: Option<String>,
    answered: Option<String>,
}

#[derive(Template)]
#[template(path = "track.html")]
struct TrackPage {
    site: SiteView,
    number: String,
    refused: Option<&'static str>,
    known: Option<Known>,
}

impl Portal {
    fn correction_form(
        &self,
        status: StatusCode,
        line: &Line,
        sent: Sent,
        error: Option<&Error>,
    ) -> Response {
        let said = |wanted: &str| match error {
            Some(Error::Field { field, message }) if *field == wanted => Some(message.clone()),
            _ => None,
        };
        let refused = error.map(|error| match error {
            Error::Field { message, .. } => message.clone(),
            Error::TooOften => {
                "同一网络地址一小时内提交的次数已到上限，请过一会儿再提交。您写的内容还在下面。"
                    .into()
            }
            other => other.to_string(),
        });
        let page = FormPage {
            site: self.view("search", "信息纠错"),
            register_no: line.party.register_no.clone(),
            name: line.party.name.clone(),
            line: sent.line,
            line_title: line.title.clone(),
            line_value: line.value.clone(),
            agency: line.agency_name.clone(),
            faults: FAULTS
                .iter()
                .map(|(value, title)| Fault { value, title, is_chosen: *value == sent.fault })
                .collect(),
            said: sent.said,
            token: if sent.token.is_empty() { hex::encode(gm::random::<16>()) } else { sent.token },
            fault_error: said("fault"),
            said_error: said("said"),
            refused,
        };
        self.page(status, page)
    }

    fn no_line(&self) -> Response {
        self.missing("没有这条公示信息", "这条信息可能已经更正或不再公示。请回到公示页面重新选择。")
    }
}

pub async fn form(
    State(portal): State<Portal>,
    _caller: Caller,
    Place(register_no): Place<String>,
    Loose(query): Loose<FormQuery>,
) -> Response {
    match portal.line(&register_no, &query.line).await {
        Ok(Some(line)) => {
            let sent = Sent { line: query.line, ..Sent::default() };
            portal.correction_form(StatusCode::OK, &line, sent, None)
        }
        Ok(None) => portal.no_line(),
        Err(error) => portal.failed(error),
    }
}

pub async fn send(
    State(portal): State<Portal>,
    _caller: Caller,
    Place(register_no): Place<String>,
    From(from): From,
    form: Result<Form<Sent>, FormRejection>,
) -> Response {
    let Ok(Form(sent)) = form else {
        return portal.missing("没有收到内容", "提交的内容不完整或过长，请返回重新填写。");
    };
    let line = match portal.line(&register_no, &sent.line).await {
        Ok(Some(line)) => line,
        Ok(None) => return portal.no_line(),
        Err(error) => return portal.failed(error),
    };
    let report = Report {
        token: sent.token.clone(),
        register_no,
        line: sent.line.clone(),
        fault: sent.fault.clone(),
        said: sent.said.clone(),
    };
    match portal.report(from, &report).await {
        Ok(receipt) => {
            let page = DonePage {
                site: portal.view("search", "信息纠错"),
                register_no: line.party.register_no,
                name: line.party.name,
                deadline: receipt.deadline.as_deref().map(view::chinese_day),
                receipt,
            };
            portal.page(StatusCode::OK, page)
        }
        Err(error @ Error::Field { field: "token", .. }) => {
            let sent = Sent { token: String::new(), ..sent };
            portal.correction_form(StatusCode::UNPROCESSABLE_ENTITY, &line, sent, Some(&error))
        }
        Err(error @ Error::Field { .. }) => {
            portal.correction_form(StatusCode::UNPROCESSABLE_ENTITY, &line, sent, Some(&error))
        }
        Err(error @ Error::TooOften) => {
            portal.correction_form(StatusCode::TOO_MANY_REQUESTS, &line, sent, Some(&error))
        }
        Err(Error::ActNotPublic) => portal.no_line(),
        Err(error) => portal.failed(error),
    }
}

pub async fn track(State(portal): State<Portal>, _caller: Caller) -> Response {
    let site = portal.view("correct", "纠错进度查询");
    portal
        .page(StatusCode::OK, TrackPage { site, number: String::new(), refused: None, known: None })
}

pub async fn tracked(
    State(portal): State<Portal>,
    _caller: Caller,
    From(from): From,
    form: Result<Form<Asked>, FormRejection>,
) -> Response {
    // a form that could not be read is an empty one: the page says what is missing
    let Form(asked) = form.unwrap_or_else(|_| Form(Asked::default()));
    let (status, refused, known) = match portal.progress_of(from, &asked.number, &asked.code).await
    {
        Ok(found) => (StatusCode::OK, None, Some(found)),
        Err(Error::UnknownCorrection) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            Some("编号或查询码不对。两者在提交纠错时显示，例如编号 JC20261120-0001、查询码 8 位。"),
            None,
        ),
        Err(Error::TooOften) => {
            (StatusCode::TOO_MANY_REQUESTS, Some("查询码不对的次数过多，请一小时后再试。"), None)
        }
        Err(error) => return portal.failed(error),
    };
    let known = known.map(|found| {
        let correction = found.correction;
        Known {
            received: day(correction.received_at),
            deadline: found.deadline.as_deref().map(view::chinese_day),
            standing: found.standing,
            is_answered: correction.answer.is_some(),
            verdict: correction.verdict.as_deref().map(verdict_title),
            answered: correction.answered_at.map(day),
            fault: fault_title(&correction.fault).unwrap_or("其他"),
            number: correction.number,
            register_no: correction.register_no,
            party: correction.party_name,
            line_title: correction.line_title,
            said: correction.said,
            agency: correction.agency_name,
            answer: correction.answer,
        }
    });
    let site = portal.view("correct", "纠错进度查询");
    let number: String = asked.number.chars().take(40).collect();
    portal.page(status, TrackPage { site, number, refused, known }).into_response()
}
