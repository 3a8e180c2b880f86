//! Officers act by their certificate: one that has expired, is suspended, or was issued for another area or
//! other items opens no act, and the refusal says which. The rule is pure; the certificates are another
//! room's, reached by the port [`Certificates`].

use mj_web::{BoxFuture, CertificateHeld, Resource};

/// What an account's certificate of office says today; filled in by the whole house.
pub trait Certificates: Send + Sync {
    fn certificate<'a>(
        &'a self,
        certificate_no: &'a str,
        today: &'a str,
    ) -> BoxFuture<'a, mj_platform::Result<Option<CertificateHeld>>>;
}

/// Nobody knows any.
pub struct NoCertificates;

impl Certificates for NoCertificates {
    fn certificate<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
    ) -> BoxFuture<'a, mj_platform::Result<Option<CertificateHeld>>> {
        Box::pin(async { Ok(None) })
    }
}

/// Why an officer may not act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bar {
    NotBound,
    Expired(String),
    /// Until this day, or until it is lifted.
    Suspended(Option<String>),
    OutOfArea {
        area: String,
        own: String,
    },
    /// The certificate says nothing of its items.
    NoWording {
        line: String,
    },
    /// What it says stands for no lines yet.
    Unmapped {
        wording: String,
    },
    OutOfItems {
        line: String,
        wording: String,
        own: Vec<String>,
    },
}

impl Bar {
    /// In a sentence, with areas and lines as `area` and `line` call them.
    pub fn said(&self, area: impl Fn(&str) -> String, line: impl Fn(&str) -> String) -> String {
        match self {
            Self::NotBound => "账号没有绑定执法证，请系统管理员绑定后再办。".into(),
            Self::Expired(day) => format!("执法证有效期至 {day}，已经过期，请先换证。"),
            Self::Suspended(Some(day)) => format!("执法证已暂停使用，至 {day} 为止。"),
            Self::Suspended(None) => "执法证已暂停使用，恢复后才能办理。".into(),
            Self::OutOfArea { area: at, own } => {
                format!("这件事在{}，不在执法证的执法区域{}之内。", area(at), area(own))
            }
            Self::NoWording { line: of } => format!(
                "这件事属于 {}，执法证没有载明执法类别，不能据以办理，请先补全证件信息。",
                line(of)
            ),
            Self::Unmapped { wording } => format!(
                "执法证载明的执法类别“{wording}”还没有对应到监管事项，请部门管理员或事项管理员登记对应后再办。"
            ),
            Self::OutOfItems { line: of, wording, own } => format!(
                "这件事属于 {}，不在执法证载明的执法类别“{wording}”之内，该类别对应 {}。",
                line(of),
                own.iter().map(|own| line(own)).collect::<Vec<_>>().join("、")
            ),
        }
    }
}

impl crate::Access {
    /// Why an officer may not act, in the names of this house.
    pub(crate) fn barred(&self, bar: &Bar) -> String {
        let line = |code: &str| {
            let one = self.item_line(code);
            format!("{} {}", one.line, one.name)
        };
        bar.said(|code| self.place(code), line)
    }
}

/// May whoever holds this certificate act today, on this thing if one is named?
pub fn may_act(
    held: Option<&CertificateHeld>,
    today: &str,
    on: Option<&Resource>,
) -> Result<(), Bar> {
    let Some(held) = held else { return Err(Bar::NotBound) };
    if let Some(day) = held.valid_until.as_deref().filter(|day| *day < today) {
        return Err(Bar::Expired(day.to_owned()));
    }
    if let Some(until) = held.suspended_until.as_deref().filter(|day| today <= *day) {
        let until = (until != crate::model::NO_END).then(|| until.to_owned());
        return Err(Bar::Suspended(until));
    }
    let Some(on) = on else { return Ok(()) };
    if let (Some(own), Some(area)) = (&held.area, &on.area)
        && !area.starts_with(mj_kernel::Scope::area_prefix(own))
    {
        return Err(Bar::OutOfArea { area: area.clone(), own: own.clone() });
    }
    // what names no item is not kept from anybody by items
    let Some(line) = &on.item_line else { return Ok(()) };
    let line = line.clone();
    let Some(wording) = held.wording.clone() else { return Err(Bar::NoWording { line }) };
    match &held.item_lines {
        None => Err(Bar::Unmapped { wording }),
        Some(lines) if lines.contains(&line) => Ok(()),
        Some(lines) => Err(Bar::OutOfItems { line, wording, own: lines.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn held() -> CertificateHeld {
        CertificateHeld {
            valid_until: Some("2027-12-31".into()),
            suspended_until: None,
            area: Some("370400".into()),
            wording: Some("市场监管".into()),
            item_lines: Some(vec!["31".into()]),
        }
    }

    const TODAY: &str = "2026-11-20";

    #[test]
    fn an_officer_acts_within_days_area_and_items_of_the_certificate() {
        let at = |area: &str, line: &str| Resource::at(Some(area), None).of_item_line(line);
        assert_eq!(may_act(Some(&held()), TODAY, Some(&at("370402", "31"))), Ok(()));
        assert_eq!(may_act(None, TODAY, None), Err(Bar::NotBound));
        let out = may_act(Some(&held()), TODAY, Some(&at("410702", "31")));
        assert!(matches!(out, Err(Bar::OutOfArea { .. })));
        let out =
            may_act(Some(&held()), TODAY, Some(&at("370402", "16"))).expect_err("another line");
        let said = out.said(|code| format!("地{code}"), |code| format!("线{code}"));
        assert_eq!(
            said,
            "这件事属于 线16，不在执法证载明的执法类别“市场监管”之内，该类别对应 线31。"
        );
        let unmapped = CertificateHeld { item_lines: None, ..held() };
        let out = may_act(Some(&unmapped), TODAY, Some(&at("370402", "31")));
        assert_eq!(out, Err(Bar::Unmapped { wording: "市场监管".into() }));
        let silent = CertificateHeld { wording: None, item_lines: None, ..held() };
        let out = may_act(Some(&silent), TODAY, Some(&at("370402", "31")));
        assert_eq!(out, Err(Bar::NoWording { line: "31".into() }));
        let nothing_named = Resource::at(Some("370402"), None);
        assert_eq!(may_act(Some(&silent), TODAY, Some(&nothing_named)), Ok(()));
        let last = CertificateHeld { valid_until: Some(TODAY.into()), ..held() };
        assert_eq!(may_act(Some(&last), TODAY, None), Ok(()), "the last day counts");
        let old = CertificateHeld { valid_until: Some("2026-11-19".into()), ..held() };
        assert_eq!(may_act(Some(&old), TODAY, None), Err(Bar::Expired("2026-11-19".into())));
        let off = CertificateHeld { suspended_until: Some("9999-12-31".into()), ..held() };
        assert_eq!(may_act(Some(&off), TODAY, None), Err(Bar::Suspended(None)));
    }

    proptest! {
        /// Days, suspension, area and items each bar, and nothing else does; a refusal is a sentence that names
        /// what it is about.
        #[test]
        fn what_bars_is_what_is_said(
            until in "202[5-8]-1[0-2]-[0-2][1-8]",
            suspended in prop::option::of("202[5-8]-1[0-2]-[0-2][1-8]"),
            area in prop::sample::select(vec!["370402", "370500", "410702"]),
            wording in prop::option::of(prop::sample::select(vec!["食品流通", "综合执法"])),
            lines in prop::option::of(prop::collection::btree_set("(16|31|33)", 0..4)),
            line in prop::option::of("(16|31|33)"),
        ) {
            let lines: Option<Vec<String>> = lines.map(|all| all.into_iter().collect());
            let one = CertificateHeld {
                valid_until: Some(until.clone()),
                suspended_until: suspended.clone(),
                wording: wording.map(str::to_owned),
                item_lines: lines.clone(),
                ..held()
            };
            let mut on = Resource::at(Some(area), None);
            if let Some(line) = &line {
                on = on.of_item_line(line.as_str());
            }
            let days = until.as_str() >= TODAY
                && suspended.as_deref().is_none_or(|day| day < TODAY);
            let there = area.starts_with("3704");
            let items = line.as_ref().is_none_or(|line| {
                wording.is_some() && lines.as_ref().is_some_and(|lines| lines.contains(line))
            });
            let judged = may_act(Some(&one), TODAY, Some(&on));
            prop_assert_eq!(judged.is_ok(), days && there && items);
            if let Err(bar) = judged {
                let said = bar.said(str::to_owned, str::to_owned);
                prop_assert!(said.ends_with('。'));
                let names = match &bar {
                    Bar::NotBound => "没有绑定",
                    Bar::Expired(day) => day,
                    Bar::Suspended(_) => "暂停",
                    Bar::OutOfArea { .. } => area,
                    Bar::NoWording { line } | Bar::OutOfItems { line, .. } => line,
                    Bar::Unmapped { wording } => wording,
                };
                prop_assert!(said.contains(names), "{}", said);
            }
        }
    }
}
