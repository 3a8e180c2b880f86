//! The score of two records and its reasons. Codes decide when both are valid; then the registration
//! number; then name, address and what else there is add up to points, each with its sentence.

use mj_kernel::code::{CitizenId, OrgCode, RegNo, Uscc};
use serde::Serialize;

use crate::address::normalize_address;
use crate::fold::{fold, fold_code};
use crate::name::{Name, OrgForm, normalize_name};
use crate::similarity::{likeness, numbers};

/// From here on two records are the same party.
pub const SAME_FROM: i32 = 900;
/// From here on a person has to look.
pub const DOUBTFUL_FROM: i32 = 600;

/// What is known of a party in one record; empty text means unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartyRecord {
    pub name: String,
    /// Unified social credit code, organisation code, or citizen id.
    pub code: String,
    pub regist_no: String,
    pub address: String,
    /// Division code, 6 digits or more.
    pub area: String,
    pub legal_repr: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Different,
    Doubtful,
    Same,
}

/// One contribution to a score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// `code`, `regist_no`, `name`, `address`, `area` or `legal_repr`.
    pub what: &'static str,
    pub weight: i32,
    /// Chinese; repeats no value, so it may be shown where values are masked.
    pub text: String,
}

/// The outcome. `value` is 0..=1000.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Score {
    pub value: i32,
    pub verdict: Verdict,
    pub explain: Vec<Reason>,
}

struct Tally {
    reasons: Vec<Reason>,
    /// The highest verdict that can still be reached, whatever the points.
    at_most: Verdict,
}

impl Tally {
    fn add(&mut self, what: &'static str, weight: i32, text: impl Into<String>) {
        self.reasons.push(Reason { what, weight, text: text.into() });
    }

    fn cap(&mut self, verdict: Verdict) {
        self.at_most = self.at_most.min(verdict);
    }

    fn finish(self) -> Score {
        let points: i32 = self.reasons.iter().map(|r| r.weight).sum();
        let ceiling = match self.at_most {
            Verdict::Same => 1000,
            Verdict::Doubtful => SAME_FROM - 1,
            Verdict::Different => DOUBTFUL_FROM - 1,
        };
        let value = points.clamp(0, ceiling);
        let verdict = match value {
            v if v >= SAME_FROM => Verdict::Same,
            v if v >= DOUBTFUL_FROM => Verdict::Doubtful,
            _ => Verdict::Different,
        };
        Score { value, verdict, explain: self.reasons }
    }
}

/// A code that proves itself by its check digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proven<'a> {
    Credit(&'a str),
    Organisation(&'a str),
    Citizen(&'a str),
}

fn proven(code: &str) -> Option<Proven<'_>> {
    // A citizen id can by chance be a credit code too; what it is for a party is decided by both
    // sides alike, so the order here only has to be fixed.
    match code.len() {
        18 if Uscc::parse(code).is_ok() => Some(Proven::Credit(code)),
        18 if CitizenId::parse(code).is_ok() => Some(Proven::Citizen(code)),
        9 if OrgCode::parse(code).is_ok() => Some(Proven::Organisation(code)),
        _ => None,
    }
}

/// How alike two records are, and why. Symmetric: the order of the records does not matter.
pub fn match_parties(a: &PartyRecord, b: &PartyRecord) -> Score {
    let mut tally = Tally { reasons: Vec::new(), at_most: Verdict::Same };
    let (code_a, code_b) = (fold_code(&a.code), fold_code(&b.code));
    let (name_a, name_b) = (normalize_name(&a.name), normalize_name(&b.name));
    if let Some(score) = by_code(&code_a, &code_b, &name_a, &name_b, &mut tally) {
        return score;
    }
    name(&name_a, &name_b, &mut tally);
    half_proven_codes(&code_a, &code_b, &mut tally);
    regist_no(a, b, &code_a, &code_b, &mut tally);
    address(a, b, &mut tally);
    area(&a.area, &b.area, &mut tally);
    legal_repr(&a.legal_repr, &b.legal_repr, &mut tally);
    tally.finish()
}

/// Two proven codes decide alone.
fn by_code(
    code_a: &str,
    code_b: &str,
    name_a: &Name,
    name_b: &Name,
    tally: &mut Tally,
) -> Option<Score> {
    let (proven_a, proven_b) = (proven(code_a)?, proven(code_b)?);
    let (same, text) = match (proven_a, proven_b) {
        _ if code_a == code_b => (true, "代码相同且校验有效"),
        (Proven::Credit(c), Proven::Organisation(o))
        | (Proven::Organisation(o), Proven::Credit(c)) => {
            if &c[8..17] == o {
                (true, "组织机构代码与统一社会信用代码中的主体标识一致")
            } else {
                (false, "组织机构代码与统一社会信用代码中的主体标识不同")
            }
        }
        (Proven::Citizen(_), Proven::Credit(_) | Proven::Organisation(_))
        | (Proven::Credit(_) | Proven::Organisation(_), Proven::Citizen(_)) => return None,
        (Proven::Credit(x), Proven::Credit(y)) if x[8..17] == y[8..17] => {
            tally.add(
                "code",
                750,
                "两个统一社会信用代码都有效，主体标识相同而登记部门或区划不同，可能换过证",
            );
            tally.cap(Verdict::Doubtful);
            let tally =
                std::mem::replace(tally, Tally { reasons: Vec::new(), at_most: Verdict::Same });
            return Some(tally.finish());
        }
        _ => (false, "两个代码都有效而互不相同"),
    };
    let mut explain =
        vec![Reason { what: "code", weight: if same { 1000 } else { 0 }, text: text.to_owned() }];
    let named = !name_a.canonical.is_empty() && !name_b.canonical.is_empty();
    if same && named && name_a.canonical != name_b.canonical {
        explain.push(Reason {
            what: "name",
            weight: 0,
            text: "名称不同，可能已更名或有简写".to_owned(),
        });
    }
    Some(Score {
        value: if same { 1000 } else { 0 },
        verdict: if same { Verdict::Same } else { Verdict::Different },
        explain,
    })
}

/// Codes of which at most one proves itself: equal or one slip apart they still say something.
fn half_proven_codes(a: &str, b: &str, tally: &mut Tally) {
    if a.len() < 9 || b.len() < 9 || (a.len() == 15 && b.len() == 15) {
        return;
    }
    if a == b {
        tally.add("code", 200, "代码相同，但校验无效");
    } else if a.len() == b.len() && strsim::damerau_levenshtein(a, b) == 1 {
        tally.add("code", 180, "代码只差一位或相邻两位颠倒，其中有一个校验无效");
    } else if proven(a).is_some() != proven(b).is_some() && a.len() == b.len() {
        tally.add("code", -100, "代码不同，其中一个校验无效");
    }
}

/// The 15-digit number, which older files also carry in the column of the code.
fn regist_no(a: &PartyRecord, b: &PartyRecord, code_a: &str, code_b: &str, tally: &mut Tally) {
    let of = |record: &PartyRecord, code: &str| {
        let own = fold_code(&record.regist_no);
        if own.is_empty() && code.len() == 15 { code.to_owned() } else { own }
    };
    let (x, y) = (of(a, code_a), of(b, code_b));
    if x.is_empty() || y.is_empty() {
        return;
    }
    let (valid_x, valid_y) = (RegNo::parse(&x).is_ok(), RegNo::parse(&y).is_ok());
    match (x == y, valid_x, valid_y) {
        (true, true, _) => {
            let name: i32 = points(tally, "name");
            if name >= 400 {
                tally.add("regist_no", 1000 - name.min(1000), "注册号相同且校验有效，名称相近");
            } else {
                tally.add(
                    "regist_no",
                    750 - name,
                    "注册号相同且校验有效，但名称差别很大，可能已更名或号码被重新使用",
                );
                tally.cap(Verdict::Doubtful);
            }
        }
        (true, ..) => tally.add("regist_no", 150, "注册号相同，但校验无效"),
        (false, true, true) => {
            tally.add("regist_no", -150, "两个注册号都有效而互不相同（迁移登记地会换号）");
            tally.cap(Verdict::Doubtful);
        }
        _ => {}
    }
}

fn points(tally: &Tally, what: &str) -> i32 {
    tally.reasons.iter().filter(|r| r.what == what).map(|r| r.weight).sum()
}

/// How the regions of two names stand to each other.
#[derive(PartialEq, Eq)]
enum Regions {
    Equal,
    /// One names fewer divisions than the other.
    Fewer,
    Conflict,
}

fn regions(a: &[String], b: &[String]) -> Regions {
    let within = |x: &[String], y: &[String]| x.iter().all(|r| y.contains(r));
    match (within(a, b), within(b, a)) {
        (true, true) => Regions::Equal,
        (false, false) => Regions::Conflict,
        _ => Regions::Fewer,
    }
}

/// Points of a company name that is the same to the letter, region included.
const EXACT_COMPANY: i32 = 910;

fn name(a: &Name, b: &Name, tally: &mut Tally) {
    const WHAT: &str = "name";
    if a.canonical.is_empty() || b.canonical.is_empty() {
        tally.add(WHAT, 300, "有一方没有名称");
        tally.cap(Verdict::Doubtful);
        return;
    }
    if a.canonical == b.canonical
        || plain(a) == plain(b) && regions(&a.regions, &b.regions) == Regions::Equal
    {
        let length = a.core().chars().count();
        let branch = a.branch.chars().count() >= 2;
        let company = a.is_company() && b.is_company();
        let (weight, text) = match (company || branch, a.regions.is_empty()) {
            (true, false) => (EXACT_COMPANY, "企业名称一致，且冠有行政区划"),
            (true, true) if length >= 3 || branch => (880, "企业名称一致"),
            (true, true) => (850, "企业名称一致，但字数很少"),
            (false, false) if length >= 4 => (880, "名称一致，且冠有行政区划"),
            (false, false) => (840, "名称一致，且冠有行政区划，但字数很少"),
            (false, true) if length >= 3 => (680, "名称一致，但不冠行政区划，可能重名"),
            (false, true) => (600, "名称一致，但过于简短，容易重名"),
        };
        return tally.add(WHAT, weight, text);
    }
    let alias = |x: &Name, y: &Name| x.aliases.contains(&y.canonical);
    if alias(a, b) || alias(b, a) {
        return tally.add(WHAT, 820, "一方的从属名称或曾用名与另一方名称一致");
    }
    if numbers(&a.canonical) != numbers(&b.canonical) {
        tally.add(WHAT, 250, "名称中的序号不同");
        return tally.cap(Verdict::Different);
    }
    if a.branch.is_empty() != b.branch.is_empty() {
        tally.add(WHAT, 350, "一方是总公司，另一方是分支机构");
        return tally.cap(Verdict::Different);
    }
    let (places_a, branch_a) = a.branch_parts();
    let (places_b, branch_b) = b.branch_parts();
    let branch = likeness(branch_a, branch_b);
    let branch_places = regions(&places_a, &places_b);
    if branch < 600 || branch_places == Regions::Conflict {
        tally.add(WHAT, 300, "分支机构不同");
        return tally.cap(Verdict::Different);
    }
    let (core_a, core_b) = (a.core(), b.core());
    let where_stand = regions(&a.regions, &b.regions);
    if core_a == core_b && core_a.chars().count() >= 2 {
        let weight = if where_stand == Regions::Equal && a.form == b.form { 880 } else { 850 };
        tally.add(WHAT, weight, "字号和行业一致");
        if branch < 1000 || branch_places == Regions::Fewer {
            tally.add(WHAT, -150, "分支机构名称略有不同");
        }
    } else if a.trade == b.trade && a.trade.chars().count() >= 2 {
        let line = likeness(&a.line, &b.line);
        tally.add(WHAT, 500 + line * 2 / 5, format!("字号相同，行业相似 {}%", line / 10));
        tally.cap(Verdict::Doubtful);
    } else {
        let whole = likeness(&core_a, &core_b);
        let long = core_a.chars().count().min(core_b.chars().count()) >= 4;
        if whole >= 800 && long {
            tally.add(WHAT, 300 + whole * 2 / 5, format!("名称主体相似 {}%", whole / 10));
            tally.cap(Verdict::Doubtful);
        } else {
            tally.add(WHAT, whole * 2 / 5, format!("字号不同，名称主体相似 {}%", whole / 10));
        }
    }
    match where_stand {
        Regions::Equal => {}
        Regions::Fewer => tally.add(WHAT, -70, "一方冠的行政区划比另一方少"),
        Regions::Conflict => tally.add(WHAT, -250, "名称冠的行政区划不同"),
    }
    if a.form != b.form {
        let (weight, text) = match (a.form.min(b.form), a.form.max(b.form)) {
            (OrgForm::Limited, OrgForm::JointStock | OrgForm::Company)
            | (OrgForm::JointStock, OrgForm::Company) => (-20, "组织形式写法不同，可能已改制"),
            _ => (-130, "组织形式不同"),
        };
        tally.add(WHAT, weight, text);
    }
}

/// The name with its form and branch, without regions and brackets.
fn plain(name: &Name) -> (String, OrgForm, &str) {
    (name.core(), name.form, &name.branch)
}

fn address(a: &PartyRecord, b: &PartyRecord, tally: &mut Tally) {
    let (x, y) = (normalize_address(&a.address), normalize_address(&b.address));
    if x.is_empty() || y.is_empty() {
        return;
    }
    let percent = |l: i32| format!("地址相似 {}%", l / 10);
    match x.likeness(&y) {
        1000 => tally.add("address", 220, "地址一致"),
        l if l >= 850 => tally.add("address", 180, percent(l)),
        l if l >= 700 => tally.add("address", 100, percent(l)),
        l if l >= 400 => tally.add("address", 0, percent(l)),
        l => tally.add("address", -130, percent(l)),
    }
}

fn area(a: &str, b: &str, tally: &mut Tally) {
    let digits = |area: &str| -> Option<String> {
        let code: String = fold_code(area).chars().take(6).collect();
        (code.len() == 6 && code.bytes().all(|c| c.is_ascii_digit())).then_some(code)
    };
    let (Some(x), Some(y)) = (digits(a), digits(b)) else {
        return;
    };
    let whole = |code: &str| code.ends_with("00");
    if x == y && !whole(&x) {
        tally.add("area", 70, "所属区县相同");
    } else if x[..4] == y[..4] && (whole(&x) || whole(&y)) {
        tally.add("area", 20, "所属设区的市相同");
    } else if x[..4] == y[..4] {
        // Districts are redrawn, and companies move within their city under the same name.
        let weight = if points(tally, "name") == EXACT_COMPANY { -10 } else { -60 };
        tally.add("area", weight, "同市而区县不同");
    } else if x[..2] == y[..2] && (x.ends_with("0000") || y.ends_with("0000")) {
        tally.add("area", 0, "同省");
    } else {
        tally.add("area", -200, "所属设区的市不同");
    }
}

fn legal_repr(a: &str, b: &str, tally: &mut Tally) {
    let (x, y) = (fold(a), fold(b));
    // A masked name (张某某, 张**) can be neither equal nor different; fold has dropped the stars.
    let masked = |raw: &str| raw.contains(['*', '＊', '某']);
    if x.is_empty() || y.is_empty() || masked(a) || masked(b) {
        return;
    }
    if x == y {
        tally.add("legal_repr", 120, "法定代表人（负责人）相同");
    } else {
        tally.add("legal_repr", -60, "法定代表人（负责人）不同，可能已变更");
    }
}
