//! Officers act by their certificate: one that has expired, is suspended, or was issued for another area or
//! other items opens no act, and the refusal says which. The rule is pure; the certificates are another
//! room's, reached by the port [`Certificates`].

use mj_web::{BoxFuture, CertificateHeld, Resource};

use crate::error::Error;

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
    OutOfArea,
    OutOfItems,
}

impl Bar {
    pub fn said(&self) -> String {
        match self {
            Self::NotBound => "账号没有绑定执法证，请系统管理员绑定后再办。".into(),
            Self::Expired(day) => format!("执法证有效期至 {day}，已经过期，请先换证。"),
            Self::Suspended(Some(day)) => format!("执法证已暂停使用，至 {day} 为止。"),
            Self::Suspended(None) => "执法证已暂停使用，恢复后才能办理。".into(),
            Self::OutOfArea => "这件事不在执法证载明的执法区域内。".into(),
            Self::OutOfItems => "这件事不在执法证载明的执法类别内。".into(),
        }
    }
}

impl From<Bar> for Error {
    fn from(bar: Bar) -> Self {
        Error::Certificate(bar.said())
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
        return Err(Bar::OutOfArea);
    }
    if let (Some(lines), Some(line)) = (&held.item_lines, &on.item_line)
        && !lines.contains(line)
    {
        return Err(Bar::OutOfItems);
    }
    Ok(())
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
        assert_eq!(out, Err(Bar::OutOfArea));
        let out = may_act(Some(&held()), TODAY, Some(&at("370402", "16")));
        assert_eq!(out, Err(Bar::OutOfItems));
        let last = CertificateHeld { valid_until: Some(TODAY.into()), ..held() };
        assert_eq!(may_act(Some(&last), TODAY, None), Ok(()), "the last day counts");
        let old = CertificateHeld { valid_until: Some("2026-11-19".into()), ..held() };
        assert_eq!(may_act(Some(&old), TODAY, None), Err(Bar::Expired("2026-11-19".into())));
        let off = CertificateHeld { suspended_until: Some("9999-12-31".into()), ..held() };
        assert_eq!(may_act(Some(&off), TODAY, None), Err(Bar::Suspended(None)));
    }

    proptest! {
        /// More in hand never allows less, and every refusal says why in a sentence.
        #[test]
        fn a_refusal_is_said_in_a_sentence(
            until in "202[5-8]-1[0-2]-[0-2][1-8]",
            suspended in prop::option::of("202[5-8]-1[0-2]-[0-2][1-8]"),
            area in prop::sample::select(vec!["370402", "370500", "410702"]),
        ) {
            let one = CertificateHeld {
                valid_until: Some(until.clone()), suspended_until: suspended.clone(), ..held()
            };
            let on = Resource::at(Some(area), None);
            let judged = may_act(Some(&one), TODAY, Some(&on));
            let right = until.as_str() >= TODAY
                && suspended.as_deref().is_none_or(|day| day < TODAY)
                && area.starts_with("3704");
            prop_assert_eq!(judged.is_ok(), right);
            if let Err(bar) = judged {
                prop_assert!(bar.said().ends_with('。'));
            }
        }
    }
}
