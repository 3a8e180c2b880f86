use super::*;
use proptest::prelude::*;

const USCC_ALPHABET: &[u8] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

fn refused(kind: CodeKind, value: &str) -> &'static str {
    match kind.check_form(value) {
        Ok(()) => panic!("{value} should be refused as {}", kind.name()),
        Err(error) => {
            assert!(!error.reason.is_empty());
            error.code
        }
    }
}

#[test]
fn every_published_uscc_example_passes() {
    for code in [
        "91350100M000100Y43",
        "9144030071526726XG",
        "914403001922038216",
        "91110108551385082Q",
        "91440300708461136T",
        "11370400004400001P",
        "92370481MA3TET012Q",
        "93370402MA3CN0P165",
        "91370400MA3D2E3F55",
        "12370400494500012B",
        "N2370481MF0000013T",
    ] {
        let parsed = Uscc::parse(code).unwrap_or_else(|e| panic!("{code}: {e}"));
        assert_eq!(parsed.as_str(), code);
        assert!(parsed.has_known_registrar());
        assert_eq!(Uscc::from_body(&code[..17]).unwrap(), parsed);
    }
}

#[test]
fn a_clerk_learns_what_is_wrong_with_a_uscc() {
    let k = CodeKind::Uscc;
    assert_eq!(refused(k, ""), "empty");
    assert_eq!(refused(k, "　 "), "empty");
    assert_eq!(refused(k, "91350100m000100y43"), "uscc.lower_case");
    assert_eq!(refused(k, "９１３５０１００M000100Y43"), "uscc.full_width");
    assert_eq!(refused(k, " 91350100M000100Y43"), "uscc.space");
    assert_eq!(refused(k, "91350100M000100Y43\u{200b}"), "uscc.space");
    assert_eq!(refused(k, "'91350100M000100Y43"), "uscc.quote");
    assert_eq!(refused(k, "91350100M000100Y4"), "uscc.length");
    assert_eq!(refused(k, "110108000000016"), "uscc.length");
    assert_eq!(refused(k, "91350100M00O100Y43"), "uscc.alphabet");
    assert_eq!(refused(k, "9135010IM000100Y43"), "uscc.alphabet");
    assert_eq!(refused(k, "91350100M000100Y44"), "uscc.check_digit");
    assert_eq!(refused(k, "913501A0M000100Y43"), "uscc.division_digits");
    assert_eq!(refused(k, "000000000000000000"), "uscc.placeholder");
    assert_eq!(refused(k, "9.1350100123E+17"), "uscc.float");
    let why = Uscc::parse("91350100m000100y43").unwrap_err().reason;
    assert!(why.contains("大写"), "the mend is named: {why}");
}

#[test]
fn an_odd_inner_organisation_code_is_a_remark_only() {
    let odd = Uscc::from_body("91350100123456789").unwrap();
    assert!(odd.remark().unwrap().contains("GB 11714"));
    let unknown = Uscc::from_body("B1350100M000100Y4").unwrap();
    assert!(unknown.remark().unwrap().contains("登记管理部门"));
    assert_eq!(Uscc::parse("91350100M000100Y43").unwrap().remark(), None);
}

#[test]
fn citizen_numbers_have_real_dates_and_check_characters() {
    for code in
        ["11010519491231002X", "440524188001010014", "34052419800101001X", "370403200002290015"]
    {
        assert!(CitizenId::parse(code).is_ok(), "{code}");
    }
    let k = CodeKind::CitizenId;
    let leap = CitizenId::parse("370403200002290015").unwrap();
    assert_eq!(leap.birth_date().to_string(), "2000-02-29");
    assert_eq!(leap.gender(), Gender::Male);
    assert_eq!(leap.division(), "370403");
    assert!(!leap.masked().contains("2000"));
    assert!(!format!("{leap:?}").contains("3704"));
    // 1900 was no leap year
    assert!(CitizenId::from_body("37040319000229001").is_err());
    assert_eq!(refused(k, "110105194902310022"), "citizen_id.birth_date");
    assert_eq!(refused(k, "11010519491231002x"), "citizen_id.lower_case");
    assert_eq!(refused(k, "110105194912310021"), "citizen_id.check_digit");
    assert_eq!(refused(k, "110105491231002"), "citizen_id.old_15");
    assert_eq!(refused(k, "1101051949123100"), "citizen_id.length");
    assert_eq!(refused(k, "1101051949123100AX"), "citizen_id.alphabet");
    for bad in ["110105194912310021", "1101051949123100AX", "110105491231002"] {
        let reason = CitizenId::parse(bad).unwrap_err().reason;
        assert!(!reason.contains(&bad[6..]), "a reason never repeats the number: {reason}");
    }
}

#[test]
fn registration_and_organisation_numbers() {
    assert!(RegNo::parse("110108000000016").is_ok());
    assert_eq!(refused(CodeKind::RegNo, "110108000000017"), "regno.check_digit");
    assert_eq!(refused(CodeKind::RegNo, "3301062015292"), "regno.length");
    assert_eq!(refused(CodeKind::RegNo, "33010620152920A"), "regno.alphabet");
    let org = OrgCode::from_body("M000100Y").unwrap();
    assert_eq!(org.as_str(), "M000100Y4");
    assert_eq!(refused(CodeKind::Org, "M000100Y-4"), "org.hyphen");
    assert_eq!(refused(CodeKind::Org, "M000100Y5"), "org.check_digit");
    assert_eq!(refused(CodeKind::Org, "m000100Y4"), "org.lower_case");
    let mended = normalize(CodeKind::Org, "m000100Y-4");
    assert_eq!(mended.text, "M000100Y4");
    assert_eq!(mended.mends.text(), "小写改大写、去连字符");
}

#[test]
fn shapes_of_divisions_industries_items_and_batches() {
    use DivisionShape::*;
    for (code, shape) in [
        ("370000", Province),
        ("370400", City),
        ("370402", County),
        ("370402001", Town),
        ("370402000", County),
        ("370402001000", Town),
        ("370402001201", Village),
        ("000000", Nation),
    ] {
        assert_eq!(DivisionCode::parse(code).unwrap().shape(), shape, "{code}");
    }
    assert_eq!(DivisionCode::parse("370402001201").unwrap().nine_number(), 370_402_001);
    assert_eq!(refused(CodeKind::Division, "37040"), "division.length");
    assert_eq!(refused(CodeKind::Division, "3704O2"), "division.alphabet");
    assert_eq!(refused(CodeKind::Division, "370402.0"), "division.float");
    assert!(IndustryCode::parse("A").unwrap().is_section());
    assert!(IndustryCode::parse("0111").is_ok());
    assert_eq!(refused(CodeKind::Industry, "1"), "industry.shape");
    assert_eq!(refused(CodeKind::Industry, "A01"), "industry.shape");
    assert_eq!(refused(CodeKind::Industry, "a"), "industry.lower_case");
    let item = ItemCode::parse("31001234000101").unwrap();
    assert_eq!((item.main(), item.department()), ("31001234", "31"));
    assert_eq!(refused(CodeKind::Item, "31001234"), "item.length");
    assert_eq!(refused(CodeKind::Item, "3.1001234E+13"), "item.float");
    assert_eq!(BatchNumber::parse("2019041100002").unwrap().date().to_string(), "2019-04-11");
    assert_eq!(refused(CodeKind::Batch, "2019023100002"), "batch.date");
    assert_eq!(refused(CodeKind::Batch, "201904110002"), "batch.length");
}

#[test]
fn implementation_codes_begin_with_the_body_and_its_level() {
    let code = ImplementationCode::parse("11370400004400001P331001234000101").unwrap();
    assert_eq!((code.uscc(), code.level()), ("11370400004400001P", 3));
    let k = CodeKind::Implementation;
    assert_eq!(refused(k, "11370400004400001P"), "implementation.length");
    assert_eq!(refused(k, "11370400004400001P9"), "implementation.level");
    assert_eq!(refused(k, "11370400004400001Q3"), "implementation.uscc");
    assert_eq!(refused(k, ""), "empty");
    assert_eq!(
        refused(k, &format!("11370400004400001P3{}", "1".repeat(82))),
        "implementation.length"
    );
    assert_eq!(refused(k, "一二三四五六七八九十一二三四五六七八九"), "implementation.alphabet");
}

#[test]
fn mending_is_told_and_never_guesses() {
    let mended = normalize(CodeKind::Uscc, "　９１350100ｍ000100y43 ");
    assert_eq!(mended.text, "91350100M000100Y43");
    assert!(mended.mends.full_width && mended.mends.space && mended.mends.case);
    assert_eq!(normalize(CodeKind::Uscc, "9135O1").text, "9135O1");
    assert!(!normalize(CodeKind::Division, "370402").mends.any());
    assert_eq!("citizen-id".parse::<CodeKind>(), Ok(CodeKind::CitizenId));
    assert!("phone".parse::<CodeKind>().unwrap_err().contains("uscc"));
}

/// Seventeen characters that may stand before the check character.
fn uscc_body() -> impl Strategy<Value = String> {
    (
        proptest::collection::vec(0..31usize, 2),
        proptest::collection::vec(0..10usize, 6),
        proptest::collection::vec(0..31usize, 9),
    )
        .prop_map(|(head, division, org)| {
            let all = head.into_iter().chain(division).chain(org);
            all.map(|i| USCC_ALPHABET[i] as char).collect::<String>()
        })
        .prop_filter("the placeholder is not a code", |b| b.bytes().any(|b| b != b'0'))
}

fn swapped(code: &str, at: usize) -> Option<String> {
    let mut bytes = code.as_bytes().to_vec();
    bytes.swap(at, at + 1);
    let other = String::from_utf8(bytes).ok()?;
    (other != code).then_some(other)
}

proptest! {
    #[test]
    fn a_changed_or_swapped_character_of_a_uscc_is_refused(body in uscc_body(), at in 0..18usize, to in 0..31usize) {
        let code = Uscc::from_body(&body).unwrap();
        let mut bytes = code.as_str().as_bytes().to_vec();
        bytes[at] = USCC_ALPHABET[to];
        let changed = String::from_utf8(bytes).unwrap();
        prop_assert_eq!(Uscc::parse(&changed).is_ok(), changed == code.as_str());
        // 31 is prime and neighbouring weights differ: every swap shows
        if at < 17 && let Some(other) = swapped(code.as_str(), at) {
            prop_assert!(Uscc::parse(&other).is_err());
        }
    }

    #[test]
    fn a_changed_or_swapped_digit_of_a_citizen_number_is_refused(
        area in 110_000..660_000u32, year in 1900..2020i32, day in 0..365u32, seq in 0..1000u32,
        at in 0..18usize, to in 0..11usize,
    ) {
        let date = chrono::NaiveDate::from_yo_opt(year, day + 1).unwrap();
        let id = CitizenId::from_body(&format!("{area}{}{seq:03}", date.format("%Y%m%d"))).unwrap();
        prop_assert_eq!(id.birth_date(), date);
        let mut bytes = id.as_str().as_bytes().to_vec();
        bytes[at] = b"0123456789X"[to];
        let changed = String::from_utf8(bytes).unwrap();
        prop_assert_eq!(CitizenId::parse(&changed).is_ok(), changed == id.as_str());
        if at < 17 && let Some(other) = swapped(id.as_str(), at) {
            prop_assert!(CitizenId::parse(&other).is_err());
        }
    }

    #[test]
    fn a_changed_digit_of_a_registration_number_is_refused(body in "[0-9]{14}", at in 0..15usize, to in 0..10u8) {
        prop_assume!(body.bytes().any(|b| b != b'0'));
        let code = RegNo::from_body(&body).unwrap();
        let mut bytes = code.as_str().as_bytes().to_vec();
        bytes[at] = b'0' + to;
        let changed = String::from_utf8(bytes).unwrap();
        prop_assert_eq!(RegNo::parse(&changed).is_ok(), changed == code.as_str());
    }

    #[test]
    fn a_changed_digit_of_an_organisation_code_is_refused(body in "[0-9]{8}", at in 0..9usize, to in 0..10u8) {
        prop_assume!(body.bytes().any(|b| b != b'0'));
        let code = OrgCode::from_body(&body).unwrap();
        let mut bytes = code.as_str().as_bytes().to_vec();
        bytes[at] = b'0' + to;
        let changed = String::from_utf8(bytes).unwrap();
        prop_assert_eq!(OrgCode::parse(&changed).is_ok(), changed == code.as_str());
    }

    #[test]
    fn any_text_is_judged_without_a_crash_and_mending_is_stable(text in "\\PC{0,24}") {
        for kind in CodeKind::COMMAND_LINE.into_iter().chain([CodeKind::Implementation, CodeKind::Batch]) {
            let _ = kind.check_form(&text);
            let once = normalize(kind, &text).text.into_owned();
            prop_assert_eq!(&normalize(kind, &once).text, &once);
            prop_assert!(!normalize(kind, &once).mends.any());
        }
    }
}
