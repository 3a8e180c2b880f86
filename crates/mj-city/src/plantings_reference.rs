//! Which faults stand in registers, catalogue, plans, officers and credit files.

use crate::faults::*;
use crate::manifest::Outcome::*;
use crate::plantings::{ANY, follow, plant};

pub(crate) const OBJECT_ENTERPRISE: &[Spec] = &[
    plant!("uscc_check_digit", "uscc", "uscc.code", Refused, 400, ANY, Change::WrongCheck),
    plant!("uscc_lower_case", "uscc", "", Normalised, 400, ANY, Change::LowerCase),
    plant!("uscc_full_width", "uscc", "", Normalised, 250, ANY, Change::FullWidth),
    plant!("uscc_spaced", "uscc", "", Normalised, 250, ANY, Change::Spaced),
    plant!(
        "no_code_at_all",
        "uscc",
        "code.any",
        Refused,
        200,
        ANY,
        Change::Special(no_code_at_all)
    ),
    plant!("missing_name", "ent_name", "ent_name.required", Refused, 150, ANY, Change::Clear),
    plant!("missing_head", "legal_repr", "legal_repr.required", Refused, 150, ANY, Change::Clear),
    plant!("name_full_brackets", "ent_name", "", Normalised, 600, ANY, Change::FullBrackets),
    plant!(
        "approved_before_founded",
        "approval_date",
        "approval_date.order",
        Refused,
        200,
        ANY,
        Change::Special(approved_before_founded)
    ),
    plant!(
        "revoked_without_reason",
        "revoke_reason",
        "revoke.both",
        Refused,
        80,
        ANY,
        Change::Clear
    ),
    plant!(
        "swapped_coordinates",
        "longitude",
        "longitude.range",
        Refused,
        150,
        ANY,
        Change::Special(swapped_coordinates)
    ),
    plant!(
        "negative_capital",
        "regist_capital",
        "regist_capital.not_negative",
        Refused,
        100,
        ANY,
        Change::Put("-50")
    ),
    plant!(
        "unknown_org_class",
        "org_class",
        "org_class.list",
        Refused,
        150,
        ANY,
        Change::Put("88")
    ),
    plant!(
        "industry_lost_zero",
        "industry_code",
        "industry_code.code",
        Refused,
        150,
        ANY,
        Change::Put("5")
    ),
    plant!(
        "impossible_date",
        "establish_date",
        "establish_date.date",
        Refused,
        150,
        ANY,
        Change::Put("2013-02-30")
    ),
    plant!("slash_date", "establish_date", "", Normalised, 300, ANY, Change::SlashDate),
    plant!(
        "contact_id_check_digit",
        "contact_id_no",
        "contact_id_no.code",
        Refused,
        150,
        ANY,
        Change::WrongCheck
    ),
    plant!(
        "regno_check_digit",
        "regist_no",
        "regist_no.code",
        Warned,
        200,
        ANY,
        Change::WrongCheck
    ),
    follow("exact_duplicate", "record_repeated", Duplicate, 400, Follow::Again, "entity_id_code"),
    follow("updated", "", Superseded, 300, Follow::Update, "entity_id_code"),
];

pub(crate) const OBJECT_INDIVIDUAL: &[Spec] = &[
    plant!("uscc_check_digit", "uscc", "uscc.code", Refused, 500, ANY, Change::WrongCheck),
    plant!("uscc_lower_case", "uscc", "", Normalised, 400, ANY, Change::LowerCase),
    plant!("uscc_full_width", "uscc", "", Normalised, 250, ANY, Change::FullWidth),
    plant!(
        "no_code_at_all",
        "uscc",
        "code.any",
        Refused,
        250,
        ANY,
        Change::Special(no_code_at_all)
    ),
    plant!("missing_operator", "operator", "operator.required", Refused, 250, ANY, Change::Clear),
    plant!("missing_premises", "premises", "premises.required", Refused, 200, ANY, Change::Clear),
    plant!(
        "swapped_coordinates",
        "longitude",
        "longitude.range",
        Refused,
        150,
        ANY,
        Change::Special(swapped_coordinates)
    ),
    plant!(
        "impossible_date",
        "regist_date",
        "regist_date.date",
        Refused,
        200,
        ANY,
        Change::Put("2018-11-31")
    ),
    plant!("chinese_date", "regist_date", "", Normalised, 300, ANY, Change::ChineseDate),
    follow("exact_duplicate", "record_repeated", Duplicate, 400, Follow::Again, "entity_id_code"),
];

pub(crate) const OBJECT_ORGANIZATION: &[Spec] = &[
    plant!(
        "uscc_check_digit",
        "administrative_cp_ui_code",
        "administrative_cp_ui_code.code",
        Refused,
        500,
        ANY,
        Change::WrongCheck
    ),
    plant!(
        "uscc_lower_case",
        "administrative_cp_ui_code",
        "",
        Normalised,
        400,
        ANY,
        Change::LowerCase
    ),
    plant!(
        "head_id_check_digit",
        "legal_repr_id_no",
        "legal_repr_id_no.citizen_id",
        Refused,
        300,
        ANY,
        Change::WrongCheck
    ),
    plant!(
        "unknown_legal_type",
        "legal_type",
        "legal_type.list",
        Refused,
        300,
        ANY,
        Change::Put("C09")
    ),
    plant!(
        "retired_division",
        "area_number",
        "area_number.code",
        Refused,
        300,
        ANY,
        Change::Put("410728")
    ),
];

pub(crate) const LAW_OFFICER: &[Spec] = &[
    plant!("id_check_digit", "id_no", "id_no.code", Refused, 800, ANY, Change::WrongCheck),
    plant!(
        "other_birthday",
        "birth_date",
        "birth_date.agrees",
        Refused,
        800,
        ANY,
        Change::Special(other_birthday)
    ),
    plant!("missing_name", "name", "name.required", Refused, 800, ANY, Change::Clear),
    plant!(
        "auxiliary",
        "law_staff_type",
        "law_staff_type.auxiliary",
        Warned,
        800,
        ANY,
        Change::Put("05")
    ),
    plant!("gender_title", "gender", "", Normalised, 800, &[("gender", &["1"])], Change::Put("男")),
];

pub(crate) const CHECK_PLAN: &[Spec] = &[
    plant!("old_year", "plan_year", "plan_year.range", Refused, 500, ANY, Change::Put("2012")),
    plant!(
        "ratio_as_percent",
        "draw_ratio",
        "draw_ratio.range",
        Refused,
        500,
        ANY,
        Change::Put("5")
    ),
    plant!("missing_name", "plan_name", "plan_name.required", Refused, 500, ANY, Change::Clear),
];

pub(crate) const CHECK_PLAN_OBJECT: &[Spec] = &[
    plant!(
        "uscc_check_digit",
        "object_uscc",
        "object_uscc.code",
        Refused,
        500,
        ANY,
        Change::WrongCheck
    ),
    plant!("uscc_missing", "object_uscc", "object_uscc.expected", Warned, 500, ANY, Change::Clear),
    plant!(
        "plan_unknown",
        "plan_id",
        "plan_id.exists",
        Refused,
        300,
        ANY,
        Change::Put("P2025-000000000-99")
    ),
    plant!("missing_name", "object_name", "object_name.required", Refused, 300, ANY, Change::Clear),
];

pub(crate) const CREDIT_CLASS_RESULT: &[Spec] = &[
    plant!("uscc_check_digit", "uscc", "uscc.code", Refused, 300, ANY, Change::WrongCheck),
    plant!("uscc_lower_case", "uscc", "", Normalised, 300, ANY, Change::LowerCase),
    plant!(
        "unknown_class",
        "credit_class",
        "credit_class.list",
        Refused,
        300,
        ANY,
        Change::Put("E")
    ),
    plant!("class_lower_case", "credit_class", "", Normalised, 300, ANY, Change::LowerCase),
    plant!("score_too_high", "score", "score.range", Warned, 200, ANY, Change::Put("8650")),
    plant!(
        "wrong_certificate_type",
        "id_type",
        "id_type.uscc",
        Refused,
        200,
        ANY,
        Change::Put("111")
    ),
    plant!(
        "future_date",
        "estimate_time",
        "estimate_time.future",
        Refused,
        200,
        ANY,
        Change::Put("2099-12-31")
    ),
];

pub(crate) const ABNORMAL_LIST: &[Spec] = &[
    plant!(
        "removal_date_missing",
        "remove_date",
        "remove_date.required",
        Refused,
        800,
        &[("is_move", &["1"])],
        Change::Clear
    ),
    plant!(
        "removed_before_listed",
        "remove_date",
        "remove_date.order",
        Refused,
        800,
        ANY,
        Change::Special(removed_before_listed)
    ),
    plant!(
        "unknown_reason",
        "put_reason_code",
        "put_reason_code.list",
        Refused,
        800,
        ANY,
        Change::Put("9")
    ),
];

pub(crate) const SERIOUS_ILLEGAL_LIST: &[Spec] = &[
    plant!(
        "expires_at_once",
        "expire_date",
        "expire_date.order",
        Refused,
        1500,
        ANY,
        Change::Special(expires_at_once)
    ),
    plant!("missing_cause", "cause", "cause.required", Refused, 1500, ANY, Change::Clear),
];

pub(crate) const SUPERVISE_ITEM: &[Spec] = &[
    plant!(
        "code_too_short",
        "matter_code",
        "matter_code.form",
        Refused,
        1000,
        ANY,
        Change::Put("3199")
    ),
    plant!(
        "unknown_department",
        "department_id",
        "department_id.list",
        Refused,
        1000,
        ANY,
        Change::Put("03")
    ),
];

pub(crate) const SUPERVISE_SUBITEM: &[Spec] = &[
    plant!(
        "code_of_other_item",
        "subitem_code",
        "subitem_code.starts_with_item",
        Refused,
        1000,
        ANY,
        Change::Put("16010001000009")
    ),
    plant!(
        "main_item_unknown",
        "manage_matter_code",
        "manage_matter_code.exists",
        Refused,
        1000,
        ANY,
        Change::Put("99990001")
    ),
];

pub(crate) const IMPLEMENT_LIST: &[Spec] = &[
    plant!(
        "level_differs",
        "exercise_level",
        "inventory_code.level",
        Refused,
        500,
        ANY,
        Change::Put("5")
    ),
    plant!(
        "ratio_missing",
        "check_proportion",
        "check_proportion.random",
        Refused,
        500,
        &[("is_random", &["1"])],
        Change::Clear
    ),
];
