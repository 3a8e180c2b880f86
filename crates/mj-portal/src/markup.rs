//! What an author writes as what a page shows: paragraphs, headings, lists, quotations, emphasis and
//! links of a small markdown; everything else is text. An allow-list over the parser's events, so
//! that no HTML of the author's ever reaches the page as HTML.

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// The body of a post as HTML that is safe by construction.
pub fn to_html(body: &str) -> String {
    let parser = Parser::new_ext(body, Options::empty());
    let mut out = String::with_capacity(body.len() * 2);
    html::push_html(&mut out, Allowed { inner: parser, links: Vec::new() });
    out
}

/// The first words of a post, for lists and page metas.
pub fn summary(body: &str, length: usize) -> String {
    let mut text = String::new();
    for event in Parser::new_ext(body, Options::empty()) {
        match event {
            Event::Text(part) | Event::Code(part) => text.push_str(&part),
            Event::SoftBreak
            | Event::HardBreak
            | Event::End(TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::Item)
                if !text.ends_with(' ') =>
            {
                text.push(' ');
            }
            _ => {}
        }
        if text.chars().count() > length {
            break;
        }
    }
    let text = text.trim();
    match text.char_indices().nth(length) {
        Some((at, _)) => format!("{}……", text[..at].trim_end()),
        None => text.to_owned(),
    }
}

struct Allowed<'a> {
    inner: Parser<'a>,
    /// For every link that is open: whether it was let through.
    links: Vec<bool>,
}

impl<'a> Iterator for Allowed<'a> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Event<'a>> {
        loop {
            let event = match self.inner.next()? {
                Event::Start(tag) => self.start(tag),
                Event::End(tag) => self.end(tag),
                Event::Text(text)
                | Event::Code(text)
                | Event::Html(text)
                | Event::InlineHtml(text) => Some(Event::Text(text)),
                // what was typed on two lines stands on two lines; a space between two Chinese
                // characters would look like a slip
                Event::SoftBreak | Event::HardBreak => Some(Event::HardBreak),
                Event::Rule => Some(Event::Rule),
                _ => None,
            };
            if event.is_some() {
                return event;
            }
        }
    }
}

impl<'a> Allowed<'a> {
    fn start(&mut self, tag: Tag<'a>) -> Option<Event<'a>> {
        let tag = match tag {
            Tag::Heading { level, .. } => {
                Tag::Heading { level: below_title(level), id: None, classes: vec![], attrs: vec![] }
            }
            Tag::Paragraph | Tag::List(_) | Tag::Item | Tag::Emphasis | Tag::Strong => tag,
            Tag::BlockQuote(_) => Tag::BlockQuote(None),
            // code and HTML blocks are read as they were written
            Tag::CodeBlock(_) | Tag::HtmlBlock => Tag::Paragraph,
            Tag::Link { link_type, dest_url, id, .. } => {
                let leads_somewhere = is_plain_address(&dest_url);
                self.links.push(leads_somewhere);
                if !leads_somewhere {
                    return None;
                }
                Tag::Link { link_type, dest_url, title: CowStr::Borrowed(""), id }
            }
            _ => return None,
        };
        Some(Event::Start(tag))
    }

    fn end(&mut self, tag: TagEnd) -> Option<Event<'a>> {
        let tag = match tag {
            TagEnd::Heading(level) => TagEnd::Heading(below_title(level)),
            TagEnd::Paragraph
            | TagEnd::List(_)
            | TagEnd::Item
            | TagEnd::Emphasis
            | TagEnd::Strong => tag,
            TagEnd::BlockQuote(_) => TagEnd::BlockQuote(None),
            TagEnd::CodeBlock | TagEnd::HtmlBlock => TagEnd::Paragraph,
            TagEnd::Link if self.links.pop() == Some(true) => tag,
            _ => return None,
        };
        Some(Event::End(tag))
    }
}

/// The page's own h1 is the title; levels below it must not be skipped.
fn below_title(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 | HeadingLevel::H2 => HeadingLevel::H2,
        _ => HeadingLevel::H3,
    }
}

/// Web addresses and pages of this site; no script, no data, no other site's scheme-less address.
fn is_plain_address(address: &str) -> bool {
    let lower = address.trim().to_ascii_lowercase();
    let own = lower.starts_with('/') && !lower.starts_with("//") && !lower.starts_with("/\\");
    own || lower.starts_with("https://") || lower.starts_with("http://")
}

/// Numbers that name a person, which nobody may publish by mistake.
pub fn personal_number(text: &str) -> Option<&'static str> {
    let mut run = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_digit() || (run.len() == 17 && matches!(c, 'X' | 'x')) {
            run.push(c.to_ascii_uppercase());
            continue;
        }
        if mj_kernel::code::CitizenId::parse(&run).is_ok() {
            return Some("公民身份号码");
        }
        let mobile =
            run.len() == 11 && run.starts_with('1') && !run[1..].starts_with(['0', '1', '2']);
        if mobile {
            return Some("手机号码");
        }
        run.clear();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PAYLOADS: [&str; 24] = [
        "<script>alert(1)</script>",
        "<ScRiPt src=//evil.example/x.js></sCrIpT>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "<svg><script>alert&#40;1)</script></svg>",
        "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
        "<a href=\"javascript:alert(1)\">看</a>",
        "[看](javascript:alert(1))",
        "[看](JaVaScRiPt:alert(1))",
        "[看](java\nscript:alert(1))",
        "[看](&#106;avascript:alert(1))",
        "[看]( javascript:alert(1))",
        "[看](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
        "[看](vbscript:msgbox(1))",
        "[看](//evil.example)",
        "[看](/\\evil.example)",
        "![图](x\" onerror=\"alert(1))",
        "![图](javascript:alert(1))",
        "[看](https://a.example/\"onmouseover=\"alert(1))",
        "[看](https://a.example 'x\" onclick=\"alert(1)')",
        "<javascript:alert(1)>",
        "```html\n<script>alert(1)</script>\n```",
        "# <script>alert(1)</script>\n\n- <b onclick=alert(1)>x</b>",
        "<!--<img src=\"--><img src=x onerror=alert(1)//\">",
    ];

    /// Every tag of the output must be one of a few words, and no attribute but a link's address.
    fn assert_inert(body: &str) {
        let html = to_html(body);
        const PLAIN: [&str; 14] = [
            "p",
            "h2",
            "h3",
            "ul",
            "ol",
            "li",
            "em",
            "strong",
            "blockquote",
            "br",
            "br /",
            "hr",
            "hr /",
            "a",
        ];
        for part in html.split('<').skip(1) {
            let (tag, _) = part.split_once('>').unwrap_or_else(|| panic!("{body:?} gave {html}"));
            let name = tag.strip_prefix('/').unwrap_or(tag);
            if let Some(address) = name.strip_prefix("a href=\"") {
                let address = address.strip_suffix('"').unwrap_or_else(|| panic!("{html}"));
                assert!(
                    !address.contains('"') && is_plain_address(address),
                    "{body:?} gave {html}"
                );
            } else if let Some(start) = name.strip_prefix("ol start=\"") {
                assert!(start.trim_end_matches('"').bytes().all(|b| b.is_ascii_digit()), "{html}");
            } else {
                assert!(PLAIN.contains(&name), "{body:?} gave {html}");
            }
        }
    }

    #[test]
    fn script_in_a_post_is_text() {
        for payload in PAYLOADS {
            assert_inert(payload);
            assert_inert(&format!("前文 {payload} 后文\n\n> {payload}\n\n1. {payload}"));
        }
        assert!(to_html(PAYLOADS[0]).contains("&lt;script&gt;"), "{}", to_html(PAYLOADS[0]));
    }

    proptest! {
        #[test]
        fn nothing_an_author_can_type_becomes_a_tag_of_its_own(
            parts in prop::collection::vec(prop_oneof![
                prop::sample::select(PAYLOADS.to_vec()).prop_map(str::to_owned),
                "[<>\\[\\]()`\"'*_#&;:/! \n\\\\a-z滕]{0,24}",
            ], 0..6)
        ) {
            assert_inert(&parts.concat());
        }
    }

    #[test]
    fn a_plain_notice_reads_as_it_was_typed() {
        let html = to_html(
            "## 一、工作安排\n\n全市开展**专项检查**。\n第二行\n\n- 餐饮\n- 药店\n\n[依据](https://www.gov.cn/zhengce/)",
        );
        assert!(html.contains("<h2>一、工作安排</h2>"), "{html}");
        assert!(html.contains("<strong>专项检查</strong>。<br />\n第二行"), "{html}");
        assert!(html.contains("<li>餐饮</li>"), "{html}");
        assert!(html.contains("<a href=\"https://www.gov.cn/zhengce/\">依据</a>"), "{html}");
        assert_eq!(summary("# 标题\n\n正文**很**长很长", 6), "标题 正文很……");
    }

    #[test]
    fn a_number_that_names_a_person_is_noticed() {
        assert_eq!(personal_number("身份证34052419800101001X。"), Some("公民身份号码"));
        assert_eq!(personal_number("电话：13812345678"), Some("手机号码"));
        assert_eq!(personal_number("统一社会信用代码 91370400MA3D2E3F55，罚款 2000 元"), None);
        assert_eq!(personal_number("0632-12345678901234"), None);
    }
}
