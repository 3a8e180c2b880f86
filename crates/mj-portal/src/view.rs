//! What the templates are given: texts as a citizen reads them.

use std::sync::Arc;

use askama::Template;
use mj_registry::{PublicAct, PublicField, PublicParty, PublicSource};

use crate::Site;

/// What every page knows of its site and says of itself.
pub struct SiteView {
    pub site: Arc<Site>,
    /// Which entry of the menu is the present one.
    pub at: &'static str,
    /// The column's name for page metas.
    pub column: &'static str,
    /// The same content for programs.
    pub json: Option<String>,
    /// A feed of what stands on the page: address and title.
    pub feed: Option<(&'static str, &'static str)>,
    pub article: Option<Article>,
}

/// Page metas of an article.
pub struct Article {
    pub title: String,
    pub published: String,
    pub source: String,
    pub description: String,
}

impl SiteView {
    pub fn name(&self) -> &str {
        &self.site.name
    }

    /// What the reader chose for all pages.
    pub fn display(&self) -> crate::display::Display {
        crate::display::chosen()
    }

    pub fn turned(&self, what: &str) -> String {
        crate::display::turned(what)
    }

    pub fn json(mut self, address: impl Into<String>) -> Self {
        self.json = Some(address.into());
        self
    }

    pub fn feed(mut self, address: &'static str, title: &'static str) -> Self {
        self.feed = Some((address, title));
        self
    }

    pub fn article(mut self, article: Article) -> Self {
        self.article = Some(article);
        self
    }
}

pub struct Figure {
    pub title: &'static str,
    pub number: String,
    pub unit: &'static str,
}

/// A post in a list.
pub struct PostLine {
    pub address: String,
    pub title: String,
    pub day: String,
    pub agency: String,
    pub summary: String,
    pub party: Option<String>,
    pub until: Option<String>,
}

#[derive(Template)]
#[template(path = "home.html")]
pub struct Home {
    pub site: SiteView,
    pub figures: Vec<Figure>,
    pub news: Vec<PostLine>,
    pub exposures: Vec<PostLine>,
}

pub struct Hit {
    pub register_no: String,
    pub name: String,
    pub kind: &'static str,
    pub code: Option<String>,
    pub area: Option<String>,
    pub status: Option<String>,
    pub status_class: &'static str,
}

/// One entry of a select box.
pub struct Choice {
    pub value: String,
    pub title: String,
    pub is_chosen: bool,
}

#[derive(Template)]
#[template(path = "search.html")]
pub struct Search {
    pub site: SiteView,
    pub q: String,
    pub areas: Vec<Choice>,
    pub kinds: Vec<Choice>,
    /// Filters of the address that do not exist (any more).
    pub ignored: Vec<String>,
    /// The query was cut.
    pub is_cut: bool,
    /// Too short to be looked for.
    pub is_short: bool,
    pub is_filtered: bool,
    pub total: String,
    pub rows: Vec<Hit>,
    /// Back to the first page, on a later one.
    pub first: Option<String>,
    pub next: Option<String>,
}

pub struct Field {
    pub title: String,
    pub value: String,
    pub from: Option<String>,
    /// Where to say that it is wrong.
    pub wrong: String,
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
    pub from: String,
    pub wrong: String,
}

#[derive(Template)]
#[template(path = "party.html")]
pub struct Party {
    pub site: SiteView,
    pub name: String,
    pub register_no: String,
    pub kind: &'static str,
    pub area: Option<String>,
    pub code: Option<String>,
    pub status: Option<String>,
    pub status_class: &'static str,
    pub fields: Vec<Field>,
    pub sections: Vec<Section>,
    pub exposures: Vec<PostLine>,
    pub today: String,
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
        kind: party.kind_title,
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

/// `市场监管局办案系统《行政处罚》，数据日期 2026年6月18日`
fn from(source: &PublicSource) -> String {
    format!(
        "{}《{}》，数据日期 {}",
        source.source_name,
        source.table_title,
        chinese_day(&source.data_date)
    )
}

pub fn field(register_no: &str, field: PublicField) -> Field {
    Field {
        wrong: format!("/parties/{register_no}/wrong?line=field:{}", field.name),
        title: field.title,
        from: field.source.as_ref().map(from),
        value: field.value,
    }
}

/// One section a kind of behaviour, in the order in which the kinds first appear.
pub fn sections(register_no: &str, acts: Vec<PublicAct>) -> Vec<Section> {
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
        sections[at].rows.push(line(register_no, act));
    }
    sections
}

fn line(register_no: &str, act: PublicAct) -> Line {
    let from =
        format!("{}，数据日期 {}", act.source.source_name, chinese_day(&act.source.data_date));
    let wrong = format!("/parties/{register_no}/wrong?line={}", act.line);
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
        from,
        wrong,
    }
}

/// `2026年6月18日`; a text that is no day stays as it is.
pub fn chinese_day(day: &str) -> String {
    let parts: Vec<Option<u32>> = day.split('-').map(|part| part.parse().ok()).collect();
    match parts.as_slice() {
        [Some(year), Some(month), Some(day)] => format!("{year}年{month}月{day}日"),
        _ => day.to_owned(),
    }
}

/// `5,000.00 元`
pub fn yuan(fen: i64) -> String {
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

/// `1.2 MB`, as people compare files.
pub fn size(bytes: i64) -> String {
    let tenth = |unit: i64| format!("{}.{}", bytes / unit, bytes % unit * 10 / unit);
    match bytes {
        ..1_024 => format!("{bytes} 字节"),
        1_024..1_048_576 => format!("{} KB", tenth(1_024)),
        _ => format!("{} MB", tenth(1_048_576)),
    }
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
        assert_eq!(chinese_day("2026-06-08"), "2026年6月8日");
        assert_eq!((size(999).as_str(), size(1_536).as_str()), ("999 字节", "1.5 KB"));
    }
}
