//! Laws of the value readers, for any text.

use proptest::prelude::*;

use crate::value::text::{Profile, clean, is_plain};
use crate::value::{amount, date};
use crate::{MaskKind, mask};

proptest! {
    #[test]
    fn cleaning_twice_is_cleaning_once(text in "[ 　'\"“”A-Za-z0-9０-９Ａ-ｚ（）()张三李四公司\u{200b}\n\t,;.-]{0,24}") {
        for profile in [Profile::Prose, Profile::Name, Profile::Code] {
            let (once, mends) = clean(&text, profile);
            prop_assert_eq!(mends.any(), once != text, "{:?} → {:?}", &text, &once);
            if is_plain(&text, profile) {
                prop_assert_eq!(&once, &text);
            }
        }
    }

    #[test]
    fn no_text_breaks_the_readers(text in "\\PC{0,30}") {
        let _ = date::mend_date(&text);
        let _ = date::mend_instant(&text);
        let _ = amount::mend_money(&text);
        let _ = amount::mend_decimal(&text, Some("万元"));
        for kind in [MaskKind::Name, MaskKind::Id, MaskKind::Phone, MaskKind::Address, MaskKind::All] {
            let _ = mask(kind, &text);
        }
    }

    #[test]
    fn every_day_is_read_in_every_form(days in 0i64..60_000) {
        let day = chrono::NaiveDate::from_ymd_opt(1954, 10, 3).unwrap() + chrono::TimeDelta::days(days);
        let canonical = day.to_string();
        prop_assert_eq!(date::canonical_date(&canonical), Some(day));
        for form in ["%Y/%-m/%-d", "%Y.%m.%d", "%Y%m%d", "%Y年%-m月%-d日"] {
            let (read, _) = date::mend_date(&day.format(form).to_string()).unwrap();
            prop_assert_eq!(read.as_deref(), Some(canonical.as_str()));
        }
        let serial = (20_000 + days).to_string();
        if serial.len() == 5 && days <= 60_000 {
            let (read, _) = date::mend_date(&serial).unwrap();
            prop_assert_eq!(read.as_deref(), Some(canonical.as_str()));
        }
    }

    #[test]
    fn fen_are_exact(fen in -10_000_000_000i64..10_000_000_000) {
        let sign = if fen < 0 { "-" } else { "" };
        let text = format!("{sign}{}.{:02}", fen.abs() / 100, fen.abs() % 100);
        prop_assert_eq!(amount::plain_fen(&text), Some(fen));
        let (tens, _) = amount::mend_money(&format!("{fen}万元")).unwrap();
        prop_assert_eq!(tens, Some((fen * 1_000_000).to_string()));
    }

    #[test]
    fn instants_survive_their_text(micros in 0i64..4_000_000_000_000_000) {
        let text = date::instant_text(micros);
        prop_assert_eq!(date::instant_micros(&text), Some(micros));
    }
}

#[test]
fn masks_show_what_they_may() {
    for (kind, value, masked) in [
        (MaskKind::Name, "张三", "张*"),
        (MaskKind::Name, "欧阳娜娜", "欧***"),
        (MaskKind::Id, "34052419800101001X", "340524********001X"),
        (MaskKind::Id, "12345", "*****"),
        (MaskKind::Phone, "13812345678", "138****5678"),
        (MaskKind::Phone, "3312345", "3****45"),
        (MaskKind::Address, "山东省枣庄市市中区文化路3号", "山东省枣庄市市中区****"),
        (MaskKind::Address, "山东省枣庄市滕州市学院路2号", "山东省枣庄市滕州市****"),
        (MaskKind::Address, "北京市海淀区中关村", "北京市海淀区****"),
        (MaskKind::Address, "内蒙古自治区通辽市科尔沁区某路", "内蒙古自治区通辽市科尔沁区****"),
        (MaskKind::Address, "文化路3号", "****"),
        (MaskKind::Name, "", ""),
    ] {
        assert_eq!(mask(kind, value), masked, "{value}");
    }
}

#[test]
fn amounts_keep_the_unit_of_their_column() {
    let decimal = |text: &str| amount::mend_decimal(text, Some("万元")).unwrap().0;
    assert_eq!(decimal("500万元").as_deref(), Some("500"));
    assert_eq!(decimal("1.2亿").as_deref(), Some("12000"));
    assert_eq!(decimal("5000000元").as_deref(), Some("500"));
    assert_eq!(decimal("1,000").as_deref(), Some("1000"));
    assert_eq!(amount::mend_decimal("5%", None).unwrap().0.as_deref(), Some("0.05"));
    assert_eq!(amount::mend_integer("30天", Some("天")).unwrap().0.as_deref(), Some("30"));
}
