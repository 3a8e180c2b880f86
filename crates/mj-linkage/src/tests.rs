//! Stories of linking, and the properties every linkage must have.

use mj_kernel::code::{RegNo, Uscc};
use proptest::prelude::*;

use crate::*;

fn record(name: &str) -> PartyRecord {
    PartyRecord { name: name.into(), ..PartyRecord::default() }
}

fn verdict(a: &str, b: &str) -> Verdict {
    match_parties(&record(a), &record(b)).verdict
}

#[test]
fn a_name_in_its_parts() {
    let cases = [
        ("枣庄市薛城区常庄镇 张记（个体工商户）", "枣庄 薛城 常庄镇", "张记", "", ""),
        ("山东枣庄海恩药业有限责任公司", "山东 枣庄", "海恩", "药业", ""),
        ("赛力（中国）有限公司", "中国", "赛力", "", ""),
        ("埃德玛香精（杭州）有限公司", "杭州", "埃德玛香精", "", ""),
        ("宁波经济技术开发区海旺贸易有限公司", "宁波 经济技术开发区", "海旺", "贸易", ""),
        ("永兴商贸有限公司", "", "永兴", "商贸", ""),
        ("滕州市新华机械厂", "滕州", "新华", "机械厂", ""),
        (
            "上海统一星巴克咖啡有限公司杭州市市民中心店",
            "上海",
            "统一星巴克",
            "咖啡",
            "杭州市市民中心店",
        ),
        ("中国电信股份有限公司枣庄薛城营业厅", "", "中国电信", "", "枣庄薛城营业厅"),
        ("温州专用汽车有限公司（从属名称：温州专用汽车总厂）", "温州", "专用", "汽车", ""),
    ];
    for (raw, regions, trade, line, branch) in cases {
        let name = normalize_name(raw);
        assert_eq!(name.regions.join(" "), regions, "{raw}: {name:?}");
        assert_eq!(
            (name.trade.as_str(), name.line.as_str(), name.branch.as_str()),
            (trade, line, branch),
            "{raw}"
        );
    }
    assert_eq!(normalize_name("甲乙公司（曾用名：丙丁公司）").aliases, ["丙丁公司"]);
}

#[test]
fn an_address_in_its_parts() {
    let address = normalize_address("山东省枣庄市薛城区 光明路２３号楼一单元");
    assert_eq!(address.regions, ["山东", "枣庄", "薛城"]);
    assert_eq!(address.canonical, "光明路23幢一单元");
    assert_eq!(address.numbers, [23, 1]);
    assert_eq!(normalize_address("滕州路3号").regions, Vec::<String>::new());
}

#[test]
fn the_same_name_written_differently() {
    let pairs = [
        ("富登诚本实业（杭州）有限公司", "富登诚本实业(杭州)有限公司"),
        ("枣庄海恩商贸有限责任公司", "枣庄 海恩商贸有限公司"),
        ("枣庄市海恩商贸有限公司", "枣庄海恩商贸有限公司"),
        ("玉环县海味食品有限公司", "玉环市海味食品有限公司"),
        ("嘉善县新辉塑料五金制品厂 (普通合伙)", "嘉善县新辉塑料五金制品厂（普通合伙）"),
    ];
    for (a, b) in pairs {
        let score = match_parties(&record(a), &record(b));
        assert!(score.value >= 840, "{a} / {b}: {score:?}");
    }
}

#[test]
fn names_that_must_not_be_joined() {
    let pairs = [
        ("枣庄市第一中学", "枣庄市第二中学"),
        ("中国石化枣庄第1加油站", "中国石化枣庄第11加油站"),
        ("中国银行股份有限公司枣庄分行", "中国银行股份有限公司"),
        ("中国银行股份有限公司薛城支行", "中国银行股份有限公司山亭营业部"),
        ("枣庄鑫源商贸有限公司", "枣庄金泰商贸有限公司"),
    ];
    for (a, b) in pairs {
        assert_eq!(verdict(a, b), Verdict::Different, "{a} / {b}");
    }
    // Alike, but a person has to say.
    let pairs = [
        ("杭州慧德体育策划有限公司", "杭州慧德体育科技发展有限公司"),
        ("张记饺子馆薛城总店", "张记饺子馆薛城总店"),
        ("仙居县悦盛汽车用品厂", "仙居县悦盛汽车用品有限公司"),
    ];
    for (a, b) in pairs {
        assert_eq!(verdict(a, b), Verdict::Doubtful, "{a} / {b}");
    }
}

#[test]
fn codes_decide_before_names() {
    let one = Uscc::from_body("91370403MA3C1AB0X").unwrap();
    let two = Uscc::from_body("91370403MA3C1AC0X").unwrap();
    let with = |name: &str, code: &str| PartyRecord { code: code.into(), ..record(name) };
    let score =
        match_parties(&with("甲乙有限公司", one.as_str()), &with("丙丁有限公司", one.as_str()));
    assert_eq!((score.verdict, score.value), (Verdict::Same, 1000));
    assert!(score.explain[1].text.contains("更名"));
    let name = "枣庄市海恩商贸有限公司";
    let score = match_parties(&with(name, one.as_str()), &with(name, two.as_str()));
    assert_eq!((score.verdict, score.value), (Verdict::Different, 0));
    // Full width and lower case are no difference.
    let sloppy = one.as_str().to_lowercase().replace('9', "９");
    assert_eq!(match_parties(&with("甲", one.as_str()), &with("乙", &sloppy)).value, 1000);
    // The organisation code inside the credit code.
    let inner = with("甲", one.organisation());
    let score = match_parties(&with("乙", one.as_str()), &inner);
    if mj_kernel::code::OrgCode::parse(one.organisation()).is_ok() {
        assert_eq!(score.verdict, Verdict::Same);
    }
    // A slip in one code is outweighed by the name.
    let mut slip = one.as_str().to_owned();
    slip.replace_range(10..11, if &slip[10..11] == "3" { "4" } else { "3" });
    let score = match_parties(&with(name, one.as_str()), &with(name, &slip));
    assert_eq!(score.verdict, Verdict::Same);
    assert!(score.explain.iter().any(|r| r.what == "code" && r.weight > 0));
}

#[test]
fn the_registration_number_comes_next() {
    let number = RegNo::from_body("37040320001234").unwrap();
    let other = RegNo::from_body("37040320001235").unwrap();
    let with =
        |name: &str, regist_no: &str| PartyRecord { regist_no: regist_no.into(), ..record(name) };
    let n = number.as_str();
    assert_eq!(
        match_parties(&with("薛城区张记饭店", n), &with("张记饭店", n)).verdict,
        Verdict::Same
    );
    assert_eq!(
        match_parties(&with("薛城区张记饭店", n), &with("海恩药业有限公司", n)).verdict,
        Verdict::Doubtful
    );
    let name = "枣庄市海恩商贸有限公司";
    assert_eq!(
        match_parties(&with(name, n), &with(name, other.as_str())).verdict,
        Verdict::Doubtful
    );
    // Old files carry the number in the column of the code.
    let mut in_code = record("张记饭店");
    in_code.code = n.into();
    assert_eq!(match_parties(&with("薛城区张记饭店", n), &in_code).verdict, Verdict::Same);
}

#[test]
fn a_small_shop_needs_its_address() {
    let shop = |address: &str, area: &str| PartyRecord {
        address: address.into(),
        area: area.into(),
        ..record("张记羊肉汤馆")
    };
    let same = match_parties(
        &shop("枣庄市薛城区光明路12号", "370403"),
        &shop("薛城区光明路 １２ 号", "370403"),
    );
    assert_eq!(same.verdict, Verdict::Same, "{same:?}");
    let next_door = match_parties(&shop("光明路12号", "370403"), &shop("光明路18号", "370403"));
    assert_eq!(next_door.verdict, Verdict::Doubtful, "{next_door:?}");
    let elsewhere = match_parties(&shop("光明路12号", "370403"), &shop("北辛街道龙泉村", "370481"));
    assert_eq!(elsewhere.verdict, Verdict::Different, "{elsewhere:?}");
    assert!(same.explain.iter().all(|r| !r.text.is_empty()));
}

#[test]
fn initials_and_search() {
    assert!(pinyin_initials("薛城区张记饭店").contains(&"xcqzjfd".to_owned()));
    let spellings = pinyin_initials("重庆长乐银行");
    assert!(spellings.contains(&"cqclyh".to_owned()), "{spellings:?}");
    assert!(spellings.contains(&"zqclyh".to_owned()), "{spellings:?}");
    assert!(pinyin_initials("行行行行行行行行行行行行").len() <= 16);
    let text =
        search_text("ＡＢ 海恩（集团）", "91370403ma3c1ab0x7", "370403200012345", "光明路 1 号");
    for typed in ["海恩", "Ab", "abhejt", "AB0X7", "12345", "光明路1号", "海恩(集", "海恩（集"]
    {
        let query = search_query(typed);
        assert!(text.contains(&query), "{typed} → {query} in {text}");
    }
    assert_eq!(search_query("%_ '"), "");
}

fn any_name() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "枣庄市",
            "枣庄",
            "山东省",
            "薛城区",
            "滕州",
            "常庄镇",
            "海恩",
            "张记",
            "新华",
            "商贸",
            "餐饮",
            "管理",
            "有限公司",
            "有限责任公司",
            "股份有限公司",
            "公司",
            "分公司",
            "（个体工商户）",
            "（枣庄）",
            "(普通合伙)",
            "第一",
            "二店",
            "（",
            "）",
            " ",
            "有限",
            "责任",
            "·",
            "第二名称：",
            "１号",
            "店",
        ])
        .prop_map(str::to_owned),
        ".{0,3}",
    ];
    prop::collection::vec(piece, 0..7).prop_map(|pieces| pieces.concat())
}

fn any_record() -> impl Strategy<Value = PartyRecord> {
    let code =
        prop_oneof![Just(String::new()), Just("91370403MA3C1AB0X".into()), "[0-9A-Z]{15,18}"];
    let area =
        prop_oneof![Just(String::new()), Just("370403".into()), Just("370400".into()), "[0-9]{6}"];
    let person = prop_oneof![Just(String::new()), Just("张三".into()), Just("张*".into())];
    (any_name(), code, "[0-9]{0,15}", any_name(), area, person).prop_map(
        |(name, code, regist_no, address, area, legal_repr)| PartyRecord {
            name,
            code,
            regist_no,
            address,
            area,
            legal_repr,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn matching_is_symmetric_and_deterministic(a in any_record(), b in any_record()) {
        let score = match_parties(&a, &b);
        prop_assert_eq!(&score, &match_parties(&b, &a));
        prop_assert_eq!(&score, &match_parties(&a, &b));
        prop_assert!((0..=1000).contains(&score.value));
        prop_assert!(!score.explain.is_empty());
    }

    #[test]
    fn a_record_is_never_different_from_itself(a in any_record()) {
        let score = match_parties(&a, &a);
        prop_assert!(score.verdict != Verdict::Different || normalize_name(&a.name).canonical.is_empty(), "{:?}", score);
    }

    #[test]
    fn normalising_twice_changes_nothing(name in any_name()) {
        let once = normalize_name(&name);
        let twice = normalize_name(&once.canonical);
        prop_assert_eq!(&twice.canonical, &once.canonical);
        prop_assert_eq!(fold(&fold(&name)), fold(&name));
        let code = fold_code(&name);
        prop_assert_eq!(fold_code(&code), code);
    }

    #[test]
    fn width_and_spaces_never_matter(name in "[a-z0-9枣庄海恩商贸有限公司()]{1,12}") {
        let wide: String = name
            .chars()
            .flat_map(|c| [if c.is_ascii() { char::from_u32(c as u32 + 0xFEE0).unwrap() } else { c }, ' '])
            .collect();
        prop_assert_eq!(normalize_name(&wide), normalize_name(&name));
    }

    #[test]
    fn a_search_text_holds_no_second_space(name in any_name(), address in any_name()) {
        let text = search_text(&name, "", "", &address);
        prop_assert!(!text.contains("  ") && text.trim() == text);
    }
}
