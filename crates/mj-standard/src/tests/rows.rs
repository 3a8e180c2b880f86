//! Single rows: what is refused, what is mended, what is left alone.

use super::walk::KnownWorld;
use crate::value::Mend;
use crate::*;

/// What happens to the sample row of a table with some cells changed.
struct Outcome {
    issues: Vec<(String, &'static str)>,
    values: Vec<(String, Option<String>)>,
    mends: Vec<(String, String, String)>,
    refused: bool,
}

impl Outcome {
    fn rules(&self) -> Vec<&str> {
        self.issues.iter().map(|(rule, _)| rule.as_str()).collect()
    }

    fn value(&self, column: &str) -> Option<&str> {
        self.values.iter().find(|(name, _)| name == column).and_then(|(_, value)| value.as_deref())
    }
}

fn judge_in(table: &str, cells: &[(&str, &str)], change: impl Fn(&mut Context<'_>)) -> Outcome {
    let table = Standard::v1().table(table).unwrap();
    let world = KnownWorld::read();
    let mut ctx = world.context();
    change(&mut ctx);
    let mut row = table.sample.clone();
    for (name, value) in cells {
        row[table.column_index(name).unwrap()] = Some((*value).to_owned());
    }
    let verdict = Engine::new(table).check_row(&mut row, &ctx);
    Outcome {
        issues: verdict
            .issues
            .iter()
            .map(|issue| (issue.rule.id.clone(), issue.rule.class.code()))
            .collect(),
        mends: verdict
            .normalised
            .iter()
            .map(|change| (change.column.name.clone(), change.from.clone(), change.how.text()))
            .collect(),
        refused: verdict.refused,
        values: table
            .columns
            .iter()
            .zip(row)
            .map(|(column, value)| (column.name.clone(), value))
            .collect(),
    }
}

fn judge(table: &str, cells: &[(&str, &str)]) -> Outcome {
    judge_in(table, cells, |_| {})
}

/// One changed cell, the value kept, and what was done.
fn check_mend(table: &str, column: &str, delivered: &str, kept: &str, how: &str) {
    let outcome = judge(table, &[(column, delivered)]);
    assert_eq!(outcome.value(column), Some(kept), "{column} = {delivered:?}: {:?}", outcome.issues);
    let mend = outcome.mends.iter().find(|(name, ..)| name == column);
    assert_eq!(mend.map(|(_, _, how)| how.as_str()), Some(how), "{column} = {delivered:?}");
    assert_eq!(mend.map(|(_, from, _)| from.as_str()), Some(delivered));
}

#[test]
fn what_excel_did_to_codes_is_mended_and_recorded() {
    check_mend("check_action", "check_form", "1", "01", "补前导零");
    check_mend("check_action", "check_form", "'01", "01", "去文本前缀撇号");
    check_mend("check_action", "check_form", "０１", "01", "全角改半角");
    check_mend("check_action", "check_form", " 01 ", "01", "去首尾空格");
    check_mend("check_action", "check_form", "\"01\"", "01", "去引号");
    check_mend("check_action", "check_form", "日常检查", "01", "名称改代码");
    check_mend("check_action", "check_form", "1.0", "01", "补前导零、去小数尾 .0");
    check_mend("check_action", "area_number", "370402.0", "370402", "去小数尾 .0");
    check_mend("check_action", "cd_operation", "I", "i", "改大小写");
    check_mend(
        "check_action",
        "implement_institution_code",
        "11370400００4400001p",
        "11370400004400001P",
        "全角改半角、改大小写",
    );
    check_mend(
        "check_action",
        "administrative_cp_ui_code",
        "91350100m000100y43",
        "91350100M000100Y43",
        "改大小写",
    );
    check_mend("object_enterprise", "industry_code", "F5221", "5221", "去门类字母");
    check_mend("punish_action", "punish_type", "1，2", "01;02", "补前导零");
    check_mend("punish_action", "punish_type", "警告、罚款", "01;02", "名称改代码");
}

#[test]
fn a_code_in_scientific_notation_cannot_be_mended() {
    let outcome = judge("check_action", &[("administrative_cp_ui_code", "9.137E+17")]);
    assert!(outcome.refused);
    assert!(outcome.rules().contains(&"check_action.party.uscc"), "{:?}", outcome.issues);
    let outcome = judge("check_action", &[("implement_institution_code", "1.137E+17")]);
    assert_eq!(outcome.issues, [("check_action.implement_institution_code.code".to_owned(), "06")]);
    let table = Standard::v1().table("check_action").unwrap();
    let mut row = table.sample.clone();
    row[table.column_index("implement_institution_code").unwrap()] = Some("1.137E+17".to_owned());
    let world = KnownWorld::read();
    let verdict = Engine::new(table).check_row(&mut row, &world.context());
    assert!(verdict.issues[0].reason.contains("科学计数法"));
}

#[test]
fn dates_are_read_in_the_forms_departments_write() {
    for (delivered, how) in [
        ("2025/6/18", "统一日期写法"),
        ("2025.06.18", "统一日期写法"),
        ("20250618", "统一日期写法"),
        ("2025年6月18日", "统一日期写法"),
        ("2025-6-18", "统一日期写法"),
        ("2025-06-18 00:00:00", "统一日期写法"),
        ("45826", "电子表格日期序号改日期"),
        ("２０２５-06-18", "全角改半角"),
    ] {
        check_mend("check_action", "check_date", delivered, "2025-06-18", how);
    }
    for (delivered, rule) in [
        ("2025-02-31", "check_action.check_date.date"),
        ("2025/2/30", "check_action.check_date.date"),
        ("25/6/18", "check_action.check_date.type"),
        ("18/06/2025", "check_action.check_date.type"),
        ("上周", "check_action.check_date.type"),
        ("2025-06-18起", "check_action.check_date.type"),
    ] {
        assert_eq!(
            judge("check_action", &[("check_date", delivered)]).rules(),
            [rule],
            "{delivered}"
        );
    }
}

#[test]
fn instants_become_beijing_time() {
    for (delivered, kept) in [
        ("2025-06-20T01:30:00Z", "2025-06-20 09:30:00"),
        ("2025-06-20T09:30:00.250+08:00", "2025-06-20 09:30:00.250000"),
        ("20250620093000", "2025-06-20 09:30:00"),
        ("2025/6/20 9:30", "2025-06-20 09:30:00"),
        ("2025-06-20", "2025-06-20 00:00:00"),
    ] {
        let outcome = judge("check_action", &[("cd_time", delivered)]);
        assert_eq!(outcome.value("cd_time"), Some(kept), "{delivered}");
        assert!(outcome.issues.is_empty(), "{:?}", outcome.issues);
        assert_eq!(outcome.mends.len(), 1);
    }
}

#[test]
fn fines_in_yuan_and_ten_thousands_become_fen() {
    let fen = |text: &str| judge("punish_action", &[("fine", text), ("cases_closed_fine", "")]);
    for (delivered, kept) in [
        ("20000", "2000000"),
        ("20000.50", "2000050"),
        ("2万元", "2000000"),
        ("2.5万", "2500000"),
        ("20,000.00", "2000000"),
        ("人民币20000元整", "2000000"),
        ("￥20,000元", "2000000"),
        ("２００００", "2000000"),
    ] {
        let outcome = fen(delivered);
        assert_eq!(outcome.value("fine"), Some(kept), "{delivered}: {:?}", outcome.issues);
        assert!(!outcome.refused, "{delivered}");
    }
    // the unit of the column is declared, so a plain amount is no mend
    assert!(fen("20000").mends.is_empty());
    assert_eq!(fen("2万元").mends[0].2, "万元换算");
    for delivered in ["0.005", "两万", "2,00", "1e3x"] {
        assert_eq!(fen(delivered).rules(), ["punish_action.fine.type"], "{delivered}");
    }
}

#[test]
fn names_lose_stray_spaces_and_full_width_brackets() {
    check_mend(
        "check_action",
        "administrative_cp",
        "枣庄（恒达） 商贸有限公司",
        "枣庄(恒达)商贸有限公司",
        "去空格、全角括号改半角",
    );
    check_mend("check_action", "check_personnel", "张三、李四", "张三;李四", "统一分隔符");
    check_mend("check_action", "check_personnel", "张 三；李四", "张三;李四", "去空格");
    let outcome = judge("check_action", &[("check_action_name", "对“某某”进行……的检查 · 其一")]);
    assert!(outcome.mends.is_empty() && outcome.issues.is_empty());
}

#[test]
fn words_for_nothing_are_emptied_before_anything_is_missed() {
    let outcome = judge("check_action", &[("check_form", "NULL")]);
    assert_eq!(outcome.rules(), ["check_action.check_form.required"]);
    assert_eq!(outcome.mends[0].2, "空值写法改为空");
    // 无 is an answer where the table says so
    let outcome = judge("punish_action", &[("check_action_code", "无"), ("case_source", "03")]);
    assert!(outcome.issues.is_empty(), "{:?}", outcome.issues);
}

#[test]
fn one_officer_is_not_enough_even_when_named_twice() {
    for names in ["张三", "张三;张三"] {
        let outcome =
            judge("check_action", &[("check_personnel", names), ("check_personnel_code", "")]);
        assert_eq!(
            outcome.issues,
            [("check_action.check_personnel.two_officers".to_owned(), "08")]
        );
    }
}

#[test]
fn a_place_is_judged_as_of_the_day_of_the_act() {
    let old = [("area_number", "410728"), ("check_date", "2015-06-01")];
    assert!(!judge("check_action", &old).rules().contains(&"check_action.area_number.code"));
    let now = [("area_number", "410728")];
    assert_eq!(
        judge("check_action", &now).issues,
        [("check_action.area_number.code".to_owned(), "01")]
    );
    // the national catalogue carries the code of the whole country
    let national = judge("supervise_item", &[("area_number", "000000")]);
    assert!(national.issues.is_empty(), "{:?}", national.issues);
}

#[test]
fn a_file_may_leave_out_the_envelope_and_a_push_may_not() {
    let bare = [
        ("cd_id", ""),
        ("cd_time", ""),
        ("cd_source", ""),
        ("cd_batch", ""),
        ("cd_operation", ""),
        ("record_unique_identity", ""),
        ("submitted_date", ""),
    ];
    let file = judge_in("check_action", &bare, |ctx| ctx.batch = Some("2025063000001"));
    assert!(file.issues.is_empty(), "{:?}", file.issues);
    assert!(file.mends.is_empty());
    for (column, value) in [
        ("cd_id", "11370400004400001P:J-2025-0001"),
        ("cd_time", "2025-06-30 12:00:00"),
        ("cd_source", "370400"),
        ("cd_batch", "2025063000001"),
        ("cd_operation", "i"),
        ("record_unique_identity", "11370400004400001P:J-2025-0001"),
        ("submitted_date", "2025-06-30"),
    ] {
        assert_eq!(file.value(column), Some(value), "{column}");
    }
    let push = judge_in("check_action", &bare, |ctx| {
        ctx.envelope = Envelope::Http;
        ctx.batch = Some("2025063000001");
    });
    assert_eq!(
        push.rules(),
        [
            "check_action.cd_id.required",
            "check_action.cd_time.required",
            "check_action.cd_operation.required"
        ]
    );
}

#[test]
fn a_long_natural_key_still_makes_a_cd_id_that_fits() {
    let long = "编".repeat(90);
    let outcome = judge("kb_law", &[("cd_id", ""), ("law_name", &long), ("doc_no", &long)]);
    let id = outcome.value("cd_id").unwrap();
    assert_eq!(id.chars().count(), 100);
    assert!(outcome.issues.is_empty(), "{:?}", outcome.issues);
    let again = judge("kb_law", &[("cd_id", ""), ("law_name", &long), ("doc_no", &long)]);
    assert_eq!(again.value("cd_id"), Some(id));
}

#[test]
fn a_deletion_names_its_record_and_nothing_else() {
    let table = Standard::v1().table("check_action").unwrap();
    let mut row = vec![None; table.columns.len()];
    for (name, value) in
        [("cd_id", "370400-0001"), ("cd_time", "2025-06-30 11:00:00"), ("cd_operation", "d")]
    {
        row[table.column_index(name).unwrap()] = Some(value.to_owned());
    }
    let world = KnownWorld::read();
    let verdict = Engine::new(table).check_row(&mut row, &world.context());
    assert!(verdict.is_clean(), "{:?}", verdict.issues);
    let mut late = row.clone();
    late[table.column_index("cd_time").unwrap()] = Some("2025-06-30 12:06:00".to_owned());
    let verdict = Engine::new(table).check_row(&mut late, &world.context());
    assert_eq!(verdict.issues[0].rule.id, "check_action.cd_time.ahead");
}

#[test]
fn a_clock_that_runs_ahead_is_refused_after_five_minutes() {
    assert!(judge("check_action", &[("cd_time", "2025-06-30 12:05:00")]).issues.is_empty());
    assert_eq!(
        judge("check_action", &[("cd_time", "2025-06-30 12:05:01")]).issues,
        [("check_action.cd_time.ahead".to_owned(), "10")]
    );
}

#[test]
fn a_citizen_s_values_are_personal_and_never_stand_in_a_reason() {
    let table = Standard::v1().table("check_action").unwrap();
    let world = KnownWorld::read();
    let bad_id = "340524198001010019";
    let mut row = table.sample.clone();
    for (name, value) in [
        ("administrative_cp_na", "1"),
        ("administrative_cp_ce_type", "111"),
        ("administrative_cp_ui_code", bad_id),
        ("administrative_cp", "王 强"),
    ] {
        row[table.column_index(name).unwrap()] = Some(value.to_owned());
    }
    let verdict = Engine::new(table).check_row(&mut row, &world.context());
    let issue = &verdict.issues[0];
    assert_eq!(issue.rule.id, "check_action.party.citizen_id");
    assert!(issue.personal);
    assert!(!issue.reason.contains(bad_id));
    let name =
        verdict.normalised.iter().find(|change| change.column.name == "administrative_cp").unwrap();
    assert!(name.personal && name.how.has(Mend::InnerSpace));
    let company = table.column_index("administrative_cp").unwrap();
    assert!(!table.is_personal(company, &table.sample));
    // an element's party is personal only when its code is a citizen id
    let element = Standard::v1().table("object_element").unwrap();
    let code = element.column_index("party_code").unwrap();
    assert!(!element.is_personal(code, &element.sample));
    let mut citizen = element.sample.clone();
    // the second one passes the check of a credit code as well
    for number in ["34052419800101001X", "370402198507030757"] {
        citizen[code] = Some(number.to_owned());
        assert!(element.is_personal(code, &citizen), "{number}");
    }
}

#[test]
fn rules_that_need_the_store_are_not_run_without_it() {
    let table = Standard::v1().table("check_action").unwrap();
    let mut row = table.sample.clone();
    row[table.column_index("supervise_item_implement_code").unwrap()] =
        Some("31990001000001".to_owned());
    let ctx = Context::of_file(KnownWorld::read().now(), &NoLookups);
    let mut engine = Engine::new(table);
    assert!(engine.check_row(&mut row, &ctx).is_clean());
    let not_run: Vec<&str> =
        engine.rules_not_run(&NoLookups).iter().map(|rule| rule.id.as_str()).collect();
    assert!(not_run.contains(&"check_action.supervise_item_implement_code.in_force"));
    assert!(not_run.contains(&"check_action.cd_source.registered"));
    assert_eq!(not_run.len(), 5, "{not_run:?}");
}

#[test]
fn an_old_registration_number_is_told_and_not_refused() {
    let outcome = judge("object_enterprise", &[("regist_no", "3704002800123")]);
    assert_eq!(outcome.issues, [("object_enterprise.regist_no.code".to_owned(), "01")]);
    assert!(!outcome.refused);
    assert_eq!(outcome.value("regist_no"), Some("3704002800123"));
}
