//! What the templates are given: texts as a citizen reads them.

use askama::Template;
use mj_registry::{PublicAct, PublicParty};

/// What every page knows of its site.
pub struct SiteView {
    pub name: String,
    pub assets: Option<(String, String)>,
    pub demo: bool,
    /// Which entry of the menu is the present one.
    pub at: &'static str,
}

pub struct Figure {
    pub title: &'static str,
    pub number: String,
    pub unit: &'static str,
}

#[derive(Template)]
#[template(path = "home.html")]
pub struct Home {
    pub site: SiteView,
    pub figures: Vec<Figure>,
}

pub struct Hit {
    pub register_no: String,
    pub name: String,
    pub code: Option<String>,
    pub area: Option<String>,
    pub status: Option<String>,
    pub status_class: &'static str,
}

#[derive(Template)]
#[template(path = "search.html")]
pub struct Search {
    pub site: SiteView,
    pub q: String,
    /// Too short to be looked for.
    pub is_short: bool,
    pub rows: Vec<Hit>,
    /// Back to the first page, on a later one.
    pub first: Option<String>,
    pub next: Option<String>,
}

pub struct Field {
    pub title: &'static str,
    pub value: String,
}

pub struct Section {
    pub id: String,
    pub title: String,
    pub rows: Vec<Line>,
}

pub struct Line {
    pub date: String,
    pub what: String,
    pub agency: String,
    pub result: String,
}

#[derive(Template)]
#[template(path = "party.html")]
pub struct Party {
    pub site: SiteView,
    pub name: String,
    pub register_no: String,
    pub code: Option<String>,
    pub status: Option<String>,
    pub status_class: &'static str,
    pub fields: Vec<Field>,
    pub sections: Vec<Section>,
    /// Back to the newest records, on a later page.
    pub first: Option<String>,
    pub next: Option<String>,
}

#[derive(Template)]
#[template(path = "problem.html")]
pub struct Problem {
    pub site: SiteView,
    /// Our fault, rather than an address that leads nowhere.
    pub is_fault: bool,
    pub title: &'static str,
    pub detail: &'static str,
}

const NOTHING: &str = "—";

pub fn hit(party: PublicParty) -> Hit {
    Hit {
        status_class: status_class(party.status.as_deref()),
        register_no: party.register_no,
        name: party.name,
        code: party.uscc.as_deref().map(grouped),
        area: party.area_name,
        status: party.status,
    }
}

/// `91 370400 MA3XXXXXX X`: easier to read aloud and to compare.
pub fn grouped(code: &str) -> String {
    match (code.get(..2), code.get(2..8), code.get(8..17), code.get(17..)) {
        (Some(kind), Some(area), Some(body), Some(check)) if code.len() == 18 => {
            format!("{kind} {area} {body} {check}")
        }
        _ => code.to_owned(),
    }
}

pub fn status_class(status: Option<&str>) -> &'static str {
    match status {
        Some(status) if status.contains("吊销") || status.contains("撤销") => "state-bad",
        Some(status) if status.contains("异常") => "state-warn",
        Some(status) if status.contains("注销") => "",
        Some(_) => "state-ok",
        None => "",
    }
}

/// One section a kind of behaviour, in the order in which the kinds first appear.
pub fn sections(acts: Vec<PublicAct>) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for act in acts {
        let at = match sections.iter().position(|section| section.id == act.table) {
            Some(at) => at,
            None => {
                sections.push(Section {
                    id: act.table.clone(),
                    title: act.table_title.clone(),
                    rows: Vec::new(),
                });
                sections.len() - 1
            }
        };
        sections[at].rows.push(line(act));
    }
    sections
}

fn line(act: PublicAct) -> Line {
    let mut result = act.result.unwrap_or_else(|| NOTHING.into());
    if let Some(fen) = act.amount_fen {
        result += &format!("，{}", yuan(fen));
    }
    let mut what = act.item_name.unwrap_or(act.table_title);
    if let Some(number) = act.document_no {
        what += &format!("（{number}）");
    }
    Line {
        date: act.event_date.unwrap_or_else(|| NOTHING.into()),
        what,
        agency: act.agency_name.unwrap_or_else(|| NOTHING.into()),
        result,
    }
}

/// `5,000.00 元`
fn yuan(fen: i64) -> String {
    let sign = if fen < 0 { "−" } else { "" };
    format!("{sign}{}.{:02} 元", thousands(fen.abs() / 100), fen.abs() % 100)
}

pub fn thousands(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && digit != '-' {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_officials_write_them() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(yuan(500_000), "5,000.00 元");
        assert_eq!(yuan(-5), "−0.05 元");
        assert_eq!(grouped("91370400MA3D2E3F55"), "91 370400 MA3D2E3F5 5");
    }
}
