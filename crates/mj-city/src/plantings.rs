//! Which faults stand in the behaviour tables; `plantings_reference` has those of the others. Rates are per hundred thousand rows; a table of few rows still gets two of each.

use crate::faults::*;
use crate::manifest::Outcome::{self, *};
use crate::plantings_reference::*;

const LEGAL: &[(&str, &[&str])] = &[("administrative_cp_ce_type", &["001"])];
const CITIZEN: &[(&str, &[&str])] = &[("administrative_cp_ce_type", &["111"])];
const FINED: &[(&str, &[&str])] = &[("punish_type", &["02"])];
const ORDINARY: &[(&str, &[&str])] = &[("punish_procedure", &["02"])];
pub(crate) const ANY: &[(&str, &[&str])] = &[];

macro_rules! plant {
    ($kind:literal, $column:literal, $rule:literal, $outcome:expr, $rate:literal, $only:expr, $change:expr) => {
        Spec {
            kind: $kind,
            rule: $rule,
            column: $column,
            outcome: $outcome,
            rate: $rate,
            only: $only,
            change: $change,
        }
    };
}
pub(crate) use plant;

pub(crate) const fn follow(
    kind: &'static str,
    rule: &'static str,
    outcome: Outcome,
    rate: usize,
    follow: Follow,
    column: &'static str,
) -> Spec {
    Spec { kind, rule, column, outcome, rate, only: ANY, change: Change::Follow(follow) }
}

/// Slips in the code of the party, the same in the four behaviour tables.
macro_rules! behaviour_faults {
    ($($own:expr),* $(,)?) => {
        &[
            plant!("uscc_check_digit", "administrative_cp_ui_code", "party.uscc", Refused, 500, LEGAL, Change::WrongCheck),
            plant!("citizen_id_check_digit", "administrative_cp_ui_code", "party.citizen_id", Refused, 20, CITIZEN, Change::WrongCheck),
            plant!("uscc_lower_case", "administrative_cp_ui_code", "", Normalised, 400, LEGAL, Change::LowerCase),
            plant!("uscc_full_width", "administrative_cp_ui_code", "", Normalised, 250, LEGAL, Change::FullWidth),
            plant!("uscc_spaced", "administrative_cp_ui_code", "", Normalised, 250, LEGAL, Change::Spaced),
            plant!("uscc_apostrophe", "administrative_cp_ui_code", "", Normalised, 100, LEGAL, Change::Apostrophe),
            plant!("legal_person_without_uscc", "administrative_cp_ce_type", "party.legal_person_certificate", Refused, 80,
                &[("administrative_cp_na", &["02"])], Change::Put("099")),
            plant!("missing_party", "administrative_cp", "administrative_cp.required", Refused, 120, ANY, Change::Clear),
            plant!("missing_institution", "implement_institution", "implement_institution.required", Refused, 60, ANY, Change::Clear),
            plant!("institution_check_digit", "implement_institution_code", "implement_institution_code.code", Refused, 60, ANY, Change::WrongCheck),
            plant!("name_full_brackets", "administrative_cp", "", Normalised, 300, ANY, Change::FullBrackets),
            plant!("retired_division", "area_number", "area_number.code", Refused, 100, ANY, Change::Put("370421")),
            plant!("unknown_division", "area_number", "area_number.code", Refused, 60, ANY, Change::Put("370499")),
            plant!("unknown_party_nature", "administrative_cp_na", "administrative_cp_na.list", Refused, 60, ANY, Change::Put("09")),
            plant!("foreign_source", "cd_source", "cd_source.declared", Refused, 40, ANY, Change::Put("370499_31")),
            plant!("bad_batch_number", "cd_batch", "cd_batch.code", Refused, 40, ANY, Change::Put("2025023100001")),
            $($own,)*
        ]
    };
}

pub(crate) const CHECK_ACTION: &[Spec] = behaviour_faults![
    plant!(
        "missing_result",
        "check_result",
        "check_result.required",
        Refused,
        120,
        ANY,
        Change::Clear
    ),
    plant!("missing_date", "check_date", "check_date.required", Refused, 80, ANY, Change::Clear),
    plant!(
        "unknown_result",
        "check_result",
        "check_result.list",
        Refused,
        200,
        ANY,
        Change::Put("19")
    ),
    plant!("unknown_form", "check_form", "check_form.list", Refused, 100, ANY, Change::Put("55")),
    plant!(
        "result_title",
        "check_result",
        "",
        Normalised,
        200,
        &[("check_result", &["01"])],
        Change::Put("未发现问题")
    ),
    plant!("result_lost_zero", "check_result", "", Normalised, 200, ANY, Change::LostZero),
    plant!(
        "impossible_date",
        "check_date",
        "check_date.date",
        Refused,
        150,
        ANY,
        Change::Put("2025-02-31")
    ),
    plant!(
        "unreadable_date",
        "check_date",
        "check_date.type",
        Refused,
        60,
        ANY,
        Change::Put("上周三")
    ),
    plant!(
        "future_date",
        "check_date",
        "check_date.future",
        Refused,
        120,
        ANY,
        Change::Put("2099-12-31")
    ),
    plant!("slash_date", "check_date", "", Normalised, 300, ANY, Change::SlashDate),
    plant!("packed_date", "check_date", "", Normalised, 150, ANY, Change::PackedDate),
    plant!("chinese_date", "check_date", "", Normalised, 150, ANY, Change::ChineseDate),
    plant!(
        "submitted_before_event",
        "submitted_date",
        "check_date.submitted",
        Refused,
        100,
        ANY,
        Change::Special(submitted_early)
    ),
    plant!(
        "item_cancelled",
        "supervise_item_implement_code",
        "supervise_item_implement_code.in_force",
        Refused,
        150,
        ANY,
        Change::Special(cancelled_check)
    ),
    plant!(
        "item_unknown",
        "supervise_item_implement_code",
        "supervise_item_implement_code.in_force",
        Refused,
        80,
        ANY,
        Change::Put("31990001000001")
    ),
    plant!(
        "item_cut",
        "supervise_item_implement_code",
        "supervise_item_implement_code.code",
        Refused,
        80,
        &[("check_form", &["01", "02", "03"])],
        Change::Special(cut_item)
    ),
    plant!(
        "implementation_of_other_body",
        "supervise_item_check_icode",
        "supervise_item_check_icode.body",
        Refused,
        80,
        ANY,
        Change::Special(foreign_implementation)
    ),
    plant!(
        "implementation_unknown",
        "supervise_item_check_icode",
        "supervise_item_check_icode.known",
        Refused,
        80,
        ANY,
        Change::Special(unknown_implementation)
    ),
    plant!(
        "single_officer",
        "check_personnel",
        "check_personnel.two_officers",
        Refused,
        250,
        ANY,
        Change::Special(one_officer)
    ),
    plant!(
        "officers_by_comma",
        "check_personnel",
        "",
        Normalised,
        150,
        ANY,
        Change::Special(other_separator)
    ),
    plant!(
        "expired_certificate",
        "check_personnel_code",
        "check_personnel_code.valid",
        Refused,
        150,
        ANY,
        Change::Special(expired_officer)
    ),
    plant!(
        "unknown_certificate",
        "check_personnel_code",
        "check_personnel_code.valid",
        Refused,
        80,
        ANY,
        Change::Special(unknown_officer)
    ),
    plant!(
        "certificate_missing",
        "check_personnel_code",
        "check_personnel_code.count",
        Warned,
        100,
        ANY,
        Change::Special(fewer_certificates)
    ),
    plant!(
        "double_random_without_plan",
        "plan_id",
        "plan_id.double_random",
        Refused,
        120,
        &[("check_mode", &["1"])],
        Change::Special(no_plan)
    ),
    plant!(
        "unknown_plan",
        "plan_id",
        "plan_id.exists",
        Warned,
        80,
        &[("check_mode", &["1"])],
        Change::Put("P2025-000000000-99")
    ),
    plant!(
        "document_repeated",
        "check_document_code",
        "check_document_code.unique",
        Warned,
        80,
        ANY,
        Change::Special(repeated_document)
    ),
    plant!(
        "document_too_long",
        "check_document_code",
        "check_document_code.length",
        Refused,
        40,
        ANY,
        Change::Long(150)
    ),
    follow(
        "exact_duplicate",
        "record_repeated",
        Duplicate,
        300,
        Follow::Again,
        "check_action_code"
    ),
    follow(
        "double_submission",
        "business_key_repeated",
        Duplicate,
        200,
        Follow::Twice,
        "check_action_code"
    ),
    follow("updated", "", Superseded, 400, Follow::Update, "check_action_code"),
    follow("deleted", "", Superseded, 150, Follow::Delete, "check_action_code"),
    follow("late_version", "", Superseded, 100, Follow::Late, "check_action_code"),
];

pub(crate) const PUNISH_ACTION: &[Spec] = behaviour_faults![
    plant!(
        "missing_fact",
        "illegal_fact",
        "illegal_fact.required",
        Refused,
        200,
        ANY,
        Change::Clear
    ),
    plant!(
        "missing_document",
        "punish_document_code",
        "punish_document_code.required",
        Refused,
        150,
        ANY,
        Change::Clear
    ),
    plant!(
        "impossible_date",
        "set_date",
        "set_date.date",
        Refused,
        200,
        ANY,
        Change::Put("2024-02-30")
    ),
    plant!(
        "future_date",
        "set_date",
        "set_date.future",
        Refused,
        150,
        ANY,
        Change::Put("2099-12-31")
    ),
    plant!("slash_date", "set_date", "", Normalised, 300, ANY, Change::SlashDate),
    plant!(
        "filed_after_decision",
        "filing_date",
        "filing_date.before_decision",
        Refused,
        250,
        ORDINARY,
        Change::Special(filed_after_decision)
    ),
    plant!(
        "closed_before_decision",
        "cases_closed_date",
        "cases_closed_date.after_decision",
        Refused,
        250,
        ANY,
        Change::Special(closed_before_decision)
    ),
    plant!(
        "filing_missing",
        "filing_date",
        "filing_date.ordinary",
        Refused,
        200,
        ORDINARY,
        Change::Clear
    ),
    plant!(
        "over_ninety_days",
        "filing_date",
        "decision_days",
        Warned,
        200,
        ORDINARY,
        Change::Special(filed_long_ago)
    ),
    plant!("negative_fine", "fine", "fine.not_negative", Refused, 150, FINED, Change::Put("-500")),
    plant!("zero_fine", "fine", "fine.positive", Refused, 150, FINED, Change::Put("0")),
    plant!("fine_missing", "fine", "fine.required", Refused, 150, FINED, Change::Clear),
    plant!("fine_in_words", "fine", "fine.type", Refused, 100, FINED, Change::Put("伍仟元整")),
    plant!(
        "fine_in_ten_thousands",
        "fine",
        "",
        Normalised,
        400,
        FINED,
        Change::Special(in_ten_thousands)
    ),
    plant!(
        "paid_too_much",
        "cases_closed_fine",
        "cases_closed_fine.not_above",
        Refused,
        200,
        FINED,
        Change::Special(paid_too_much)
    ),
    plant!("unknown_kind", "punish_type", "punish_type.list", Refused, 150, ANY, Change::Put("77")),
    plant!(
        "found_without_inspection",
        "case_source",
        "check_action_code.without_inspection",
        Refused,
        200,
        &[("check_action_code", &["无"])],
        Change::Put("01")
    ),
    plant!(
        "inspection_unknown",
        "check_action_code",
        "check_action_code.exists",
        Refused,
        200,
        ANY,
        Change::Put("J370400000000000202401010000010")
    ),
    plant!(
        "item_cancelled",
        "supervise_item_code",
        "supervise_item_code.in_force",
        Refused,
        200,
        ANY,
        Change::Special(cancelled_punish)
    ),
    plant!(
        "hearing_yes_no",
        "if_hearing_witnesses",
        "",
        Normalised,
        200,
        &[("if_hearing_witnesses", &["否"])],
        Change::Put("0")
    ),
    plant!(
        "hearing_unreadable",
        "if_hearing_witnesses",
        "if_hearing_witnesses.type",
        Refused,
        100,
        ANY,
        Change::Put("待定")
    ),
    follow(
        "exact_duplicate",
        "record_repeated",
        Duplicate,
        400,
        Follow::Again,
        "punish_action_code"
    ),
    follow(
        "double_submission",
        "business_key_repeated",
        Duplicate,
        300,
        Follow::Twice,
        "punish_action_code"
    ),
    follow("updated", "", Superseded, 500, Follow::Update, "punish_action_code"),
    follow("deleted", "", Superseded, 200, Follow::Delete, "punish_action_code"),
];

pub(crate) const FORCE_ACTION: &[Spec] = behaviour_faults![
    plant!(
        "measure_ends_early",
        "end_date",
        "end_date.order",
        Refused,
        400,
        ANY,
        Change::Special(measure_ends_early)
    ),
    plant!(
        "measure_too_long",
        "end_date",
        "end_date.thirty_days",
        Warned,
        400,
        &[("force_extend_date", &["0", ""])],
        Change::Special(measure_too_long)
    ),
    plant!(
        "extension_too_long",
        "force_extend_date",
        "force_extend_date.range",
        Refused,
        300,
        ANY,
        Change::Put("45")
    ),
    plant!(
        "measure_missing",
        "coercive_measure_type",
        "coercive_measure_type.required",
        Refused,
        300,
        &[("force_type", &["01"])],
        Change::Clear
    ),
    plant!(
        "impossible_date",
        "mandatory_decision_sev_date",
        "mandatory_decision_sev_date.date",
        Refused,
        200,
        ANY,
        Change::Put("2025-04-31")
    ),
    plant!(
        "missing_basis",
        "mandatory_basis",
        "mandatory_basis.required",
        Refused,
        200,
        ANY,
        Change::Clear
    ),
    follow(
        "exact_duplicate",
        "record_repeated",
        Duplicate,
        500,
        Follow::Again,
        "force_action_code"
    ),
];

pub(crate) const OTHER_ACTION: &[Spec] = behaviour_faults![
    plant!(
        "ends_before_start",
        "end_date",
        "end_date.order",
        Refused,
        300,
        ANY,
        Change::Special(ends_before_start)
    ),
    plant!(
        "impossible_date",
        "start_date",
        "start_date.date",
        Refused,
        200,
        ANY,
        Change::Put("2025-06-31")
    ),
    plant!(
        "future_date",
        "start_date",
        "start_date.future",
        Refused,
        150,
        ANY,
        Change::Put("2099-12-31")
    ),
    plant!(
        "inspection_unknown",
        "check_behavior_number",
        "check_behavior_number.exists",
        Refused,
        200,
        ANY,
        Change::Put("J370400000000000202401010000010")
    ),
    plant!(
        "found_without_inspection",
        "item_source",
        "check_behavior_number.without_inspection",
        Refused,
        200,
        &[("check_behavior_number", &["无"])],
        Change::Put("01")
    ),
    follow("exact_duplicate", "record_repeated", Duplicate, 400, Follow::Again, "action_code"),
    follow("updated", "", Superseded, 300, Follow::Update, "action_code"),
];

/// The faults of a table.
pub(crate) fn faults_of(table: &str) -> &'static [Spec] {
    match table {
        "check_action" => CHECK_ACTION,
        "punish_action" => PUNISH_ACTION,
        "force_action" => FORCE_ACTION,
        "other_action" => OTHER_ACTION,
        "object_enterprise" => OBJECT_ENTERPRISE,
        "object_individual" => OBJECT_INDIVIDUAL,
        "object_organization" => OBJECT_ORGANIZATION,
        "law_officer" => LAW_OFFICER,
        "check_plan" => CHECK_PLAN,
        "check_plan_object" => CHECK_PLAN_OBJECT,
        "credit_class_result" => CREDIT_CLASS_RESULT,
        "abnormal_list" => ABNORMAL_LIST,
        "serious_illegal_list" => SERIOUS_ILLEGAL_LIST,
        "supervise_item" => SUPERVISE_ITEM,
        "supervise_subitem" => SUPERVISE_SUBITEM,
        "implement_list" => IMPLEMENT_LIST,
        _ => &[],
    }
}
