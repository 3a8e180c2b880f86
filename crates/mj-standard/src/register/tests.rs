use super::*;
use chrono::NaiveDate;
use mj_kernel::code::{CodeKind, DivisionCode};
use proptest::prelude::*;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn today() -> NaiveDate {
    day("2026-09-30")
}

fn verdict(kind: CodeKind, value: &str) -> (&'static str, String) {
    let v = check_code(kind, value, today(), false);
    (v.code, v.text)
}

fn run(kind: CodeKind, mend: bool, input: &[u8]) -> (Vec<String>, Summary) {
    let mut out = Vec::new();
    let summary = check_codes(kind, today(), mend, input, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    (text.lines().map(str::to_owned).collect(), summary)
}

#[test]
fn the_whole_list_of_divisions_is_there() {
    let (units, towns) = divisions().size();
    assert!(units > 6_000 && towns > 41_000, "{units} {towns}");
    assert_eq!(divisions().full_name("370403").unwrap(), "山东省枣庄市薛城区");
    assert_eq!(divisions().full_name("370402001").unwrap(), "山东省枣庄市市中区中心街街道");
    assert_eq!(divisions().children("370400", today()).len(), 7, "six districts and one zone");
    assert_eq!(divisions().children("370402", today()).len(), 11);
    assert_eq!(divisions().children(NATION, today()).len(), 34);
    assert_eq!(
        divisions().children("410000", today()).iter().filter(|d| d.level == Level::County).count(),
        1
    );
}

#[test]
fn changyuan_became_a_city_and_its_old_code_names_the_new_one() {
    let (code, why) = verdict(CodeKind::Division, "410728");
    assert_eq!(code, "division.retired");
    assert!(why.contains("410783（长垣市）"), "{why}");
    assert!(check_code(CodeKind::Division, "410728", day("2015-06-01"), false).is_ok());
    let early = check_code(CodeKind::Division, "410783", day("2015-06-01"), false);
    assert_eq!(early.code, "division.not_yet");
    assert!(early.text.contains("410728"), "{}", early.text);
    assert!(check_code(CodeKind::Division, "410783", today(), false).is_ok());
    // several renumberings on the way to the present
    let (code, why) = verdict(CodeKind::Division, "370122");
    assert_eq!(code, "division.retired");
    assert!(why.contains("370114（章丘区）"), "{why}");
    assert_eq!(verdict(CodeKind::Division, "500105").0, "division.retired");
    assert!(verdict(CodeKind::Division, "370481").1.is_empty());
    let standing = divisions().at(&DivisionCode::parse("510811").unwrap(), day("2010-01-01"));
    assert!(matches!(standing, Standing::InForce(d) if d.name == "元坝区"));
}

#[test]
fn directly_administered_counties_hang_on_their_province() {
    for (code, province) in [
        ("419001", "410000"),
        ("429004", "420000"),
        ("469001", "460000"),
        ("659001", "650000"),
        ("110101", "110000"),
        ("500152", "500000"),
    ] {
        assert_eq!(divisions().parent(code).as_deref(), Some(province), "{code}");
        assert!(divisions().is_ancestor(province, code));
    }
    assert_eq!(divisions().parent("370402").as_deref(), Some("370400"));
    assert!(divisions().is_ancestor("370400", "370402001"));
    assert!(divisions().is_ancestor("370402000000", "370402001201"));
    assert!(!divisions().is_ancestor("370402", "370402"));
    assert!(divisions().is_within("370402000", "370402"));
    assert!(divisions().is_ancestor(NATION, "370000"));
    assert!(!divisions().is_ancestor("370402", "370400"));
}

#[test]
fn a_development_zone_is_known_and_said_to_be_one() {
    let (code, remark) = verdict(CodeKind::Division, "370471");
    assert_eq!(code, "ok");
    assert!(remark.contains("功能区") && remark.contains("薛城区"), "{remark}");
    let zone = divisions().get("370471").unwrap();
    assert_eq!((zone.kind, zone.host), (DivisionKind::Functional, Some("370403")));
    assert_eq!(divisions().parent("370471").as_deref(), Some("370400"));
}

#[test]
fn towns_and_villages_are_checked_as_far_as_the_list_reaches() {
    assert_eq!(verdict(CodeKind::Division, "370402001"), ("ok", String::new()));
    assert_eq!(verdict(CodeKind::Division, "370402001000"), ("ok", String::new()));
    assert_eq!(verdict(CodeKind::Division, "370402001201").0, "ok");
    assert_eq!(verdict(CodeKind::Division, "370402999").0, "division.unknown");
    assert_eq!(verdict(CodeKind::Division, "370499").0, "division.unknown");
    assert_eq!(verdict(CodeKind::Division, "000000").0, "division.unknown");
    assert_eq!(verdict(CodeKind::Division, "410728100").0, "division.retired");
    assert_eq!(verdict(CodeKind::Division, "37040").0, "division.length");
}

#[test]
fn an_unknown_division_inside_a_code_is_a_remark() {
    let odd = mj_kernel::code::Uscc::from_body("91999900M000100Y4").unwrap();
    let (code, remark) = verdict(CodeKind::Uscc, odd.as_str());
    assert_eq!(code, "ok");
    assert!(remark.contains("999900"), "{remark}");
    let id = mj_kernel::code::CitizenId::from_body("99999919900101001").unwrap();
    let (code, remark) = verdict(CodeKind::CitizenId, id.as_str());
    assert_eq!(code, "ok");
    assert!(!remark.is_empty() && !remark.contains(id.as_str()));
    assert_eq!(verdict(CodeKind::Uscc, "91350100M000100Y43"), ("ok", String::new()));
    let unborn = mj_kernel::code::CitizenId::from_body("37040220991231001").unwrap();
    assert_eq!(verdict(CodeKind::CitizenId, unborn.as_str()).0, "citizen_id.birth_date");
}

#[test]
fn industries_departments_and_items() {
    for code in ["A", "01", "011", "0111", "T", "9700"] {
        assert_eq!(verdict(CodeKind::Industry, code).0, "ok", "{code}");
    }
    assert_eq!(industries().get("0111").unwrap().section, 'A');
    assert_eq!(industries().get("2011").unwrap().section, 'C');
    let (code, why) = verdict(CodeKind::Industry, "113");
    assert_eq!(code, "industry.unknown");
    assert!(why.contains("0113"), "{why}");
    assert_eq!(verdict(CodeKind::Industry, "U").0, "industry.unknown");
    assert_eq!(verdict(CodeKind::Industry, "1").0, "industry.shape");
    assert_eq!(departments().iter().count(), 58);
    assert_eq!(departments().get("31").unwrap().short, "市场监管");
    assert_eq!(verdict(CodeKind::Item, "31001234000101"), ("ok", String::new()));
    let (code, remark) = verdict(CodeKind::Item, "00001234000101");
    assert_eq!(code, "ok");
    assert!(remark.contains("58"), "{remark}");
}

#[test]
fn a_list_of_codes_gives_one_line_for_each_line() {
    let input = "91350100M000100Y43\r\n\n91350100m000100y43\na\tb\n９1350100M000100Y43".as_bytes();
    let (lines, summary) = run(CodeKind::Uscc, false, input);
    assert_eq!(lines.len(), 5);
    assert_eq!(summary, Summary { lines: 5, bad: 4 });
    assert_eq!(lines[0], "91350100M000100Y43\tok\t");
    assert!(lines[1].starts_with("\tempty\t"));
    assert!(lines[2].starts_with("91350100m000100y43\tuscc.lower_case\t"));
    assert!(lines[3].starts_with("a\\tb\tuscc."));
    assert!(lines[4].contains("\tuscc.full_width\t"));
    let (lines, summary) = run(CodeKind::Uscc, true, input);
    assert_eq!(summary, Summary { lines: 5, bad: 2 });
    assert!(
        lines[2].starts_with("91350100m000100y43\tok\t已规范为 91350100M000100Y43"),
        "{}",
        lines[2]
    );
}

#[test]
fn bytes_that_are_no_text_are_refused_and_do_not_stop_the_rest() {
    let (lines, summary) =
        run(CodeKind::Division, false, b"\xef\xbb\xbf370402\n\xff\xfe370402\n370403\n\n");
    assert_eq!(summary, Summary { lines: 4, bad: 2 });
    assert_eq!(lines[0], "370402\tok\t");
    assert!(lines[1].contains("\tencoding\t"));
    assert_eq!(lines[2], "370403\tok\t");
    assert_eq!(run(CodeKind::Item, false, b"").1, Summary::default());
}

proptest! {
    #[test]
    fn whatever_the_input_there_are_three_fields_a_line(bytes in proptest::collection::vec(any::<u8>(), 0..200), mend: bool) {
        let wanted = bytes.split(|b| *b == b'\n').count() - usize::from(bytes.is_empty() || bytes.ends_with(b"\n"));
        for kind in CodeKind::COMMAND_LINE {
            let mut out = Vec::new();
            let summary = check_codes(kind, today(), mend, bytes.as_slice(), &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            prop_assert_eq!(text.matches('\n').count(), wanted);
            prop_assert_eq!(summary.lines as usize, wanted);
            prop_assert!(text.split_terminator('\n').all(|l| l.split('\t').count() == 3));
        }
    }
}
