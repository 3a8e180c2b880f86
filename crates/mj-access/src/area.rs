//! What a division code is taken for where an agency or a grant names one. The table of divisions is another room's;
//! zones that govern themselves have codes that stand in no table, but always below a division that does.

use axum::Json;
use axum::extract::State;
use mj_web::{Answer, Caller, PathOf, Problem, RouteOf, get};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Access;
use crate::admin_api::AGENCY_READ;
use crate::model::check_area;

/// The code for the whole country; it is no division.
const NATION: &str = "000000";

pub fn routes() -> Vec<RouteOf<Access>> {
    vec![
        get(AGENCY_READ, "/api/v1/access/areas/{code}", one_area)
            .summary("一个行政区划代码会被理解成什么，填表时先看")
            .ok::<UnderstoodArea>(),
    ]
}

/// What a code of the right form is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Understood {
    /// Stands in the table, by its full name.
    Listed(String),
    /// Does not, but its parent of this name does.
    Below(String),
    Unknown,
    /// Nobody said which divisions there are.
    Unchecked,
}

#[derive(Serialize, ToSchema)]
struct UnderstoodArea {
    code: String,
    /// listed 在区划表内，below 不在表内而上级在，unknown 不存在，unchecked 没有区划表可查
    standing: &'static str,
    /// 全称；below 时是上级的全称
    name: Option<String>,
    /// 会按什么登记，或为什么不能用
    said: String,
}

/// The codes that a code may stand below, nearest first: a village below its town or county, a town below its county,
/// a county below its city, a city below its province.
fn parents(code: &str) -> Vec<String> {
    match code.len() {
        _ if !code.bytes().all(|b| b.is_ascii_digit()) => Vec::new(),
        12 => vec![code[..9].to_owned(), code[..6].to_owned()],
        9 => vec![code[..6].to_owned()],
        6 if code.ends_with("0000") => Vec::new(),
        6 if code.ends_with("00") => vec![format!("{}0000", &code[..2])],
        6 => vec![format!("{}00", &code[..4])],
        _ => Vec::new(),
    }
}

/// Villages are kept in no table: the name that is known for one is its town's.
fn is_village(code: &str) -> bool {
    code.len() == 12 && !code.ends_with("000")
}

/// The rule: what stands in the table is taken, and what does not is taken below what does.
pub(crate) fn understood(code: &str, name: impl Fn(&str) -> Option<String>) -> Understood {
    if code == NATION {
        return Understood::Listed("全国".to_owned());
    }
    if let Some(listed) = name(code).filter(|_| !is_village(code)) {
        return Understood::Listed(listed);
    }
    let above = parents(code).iter().find_map(|parent| name(parent));
    above.map_or(Understood::Unknown, Understood::Below)
}

/// What the person who types the code is told.
fn said(code: &str, what: &Understood) -> String {
    match what {
        Understood::Listed(name) => name.clone(),
        Understood::Below(above) => match code.len() {
            12 => format!("不在行政区划表内，按{above}下的村、社区登记"),
            9 => format!("不在行政区划表内，按{above}下的自设乡镇级区划（园区、农场等）登记"),
            _ => format!("不在行政区划表内，按{above}的自设区划（开发区等）登记"),
        },
        Understood::Unknown => {
            format!("行政区划代码 {code} 不存在，请核对，例如枣庄市是 370400")
        }
        Understood::Unchecked => code.to_owned(),
    }
}

impl Access {
    pub(crate) fn understand_area(&self, code: &str) -> Understood {
        match self.knows_areas {
            true => understood(code, |code| (self.area_name)(code)),
            false => Understood::Unchecked,
        }
    }

    /// A division in words; a code that stands in no table by what it lies in.
    pub(crate) fn place(&self, code: &str) -> String {
        self.place_name(code).unwrap_or_else(|| code.to_owned())
    }

    pub(crate) fn place_name(&self, code: &str) -> Option<String> {
        match understood(code, |code| (self.area_name)(code)) {
            Understood::Listed(name) => Some(name),
            Understood::Below(above) => Some(format!("{above}内 {code}")),
            Understood::Unknown | Understood::Unchecked => None,
        }
    }

    /// Refuses a code of the wrong form, and one that is nowhere.
    pub(crate) fn check_area(&self, field: &'static str, code: &str) -> Result<(), Problem> {
        check_area(field, code)?;
        match self.understand_area(code) {
            what @ Understood::Unknown => {
                Err(Problem::invalid("access.area_unknown", "没有这个行政区划")
                    .field(field, said(code, &what)))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn check_areas(&self, codes: &[String]) -> Result<(), Problem> {
        codes.iter().try_for_each(|code| self.check_area("areas", code))
    }
}

async fn one_area(
    State(access): State<Access>,
    _caller: Caller,
    PathOf(code): PathOf<String>,
) -> Answer<Json<UnderstoodArea>> {
    check_area("code", &code)?;
    let what = access.understand_area(&code);
    let said = said(&code, &what);
    let (standing, name) = match what {
        Understood::Listed(name) => ("listed", Some(name)),
        Understood::Below(above) => ("below", Some(above)),
        Understood::Unknown => ("unknown", None),
        Understood::Unchecked => ("unchecked", None),
    };
    Ok(Json(UnderstoodArea { code, standing, name, said }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Qingdao and a district of it with one street, as the table of divisions knows them.
    fn name(code: &str) -> Option<String> {
        let known = [
            ("370000", "山东省"),
            ("370200", "山东省青岛市"),
            ("370202", "山东省青岛市市南区"),
            ("370202003", "山东省青岛市市南区香港中路街道"),
        ];
        // the table answers for a village with its town, and for zeros at the end with the unit itself
        let unit = if code.len() == 12 { &code[..9] } else { code };
        let unit = unit.strip_suffix("000").filter(|six| six.len() == 6).unwrap_or(unit);
        known.iter().find(|(one, _)| *one == unit).map(|(_, name)| (*name).to_owned())
    }

    fn of(code: &str) -> Understood {
        understood(code, name)
    }

    #[test]
    fn a_development_zone_is_taken_below_its_city_and_a_typing_error_is_not() {
        let below = |name: &str| Understood::Below(name.to_owned());
        let listed = |name: &str| Understood::Listed(name.to_owned());
        assert_eq!(of("370202"), listed("山东省青岛市市南区"));
        assert_eq!(of("370202000"), listed("山东省青岛市市南区"));
        assert_eq!(of("000000"), listed("全国"));
        assert_eq!(of("370271"), below("山东省青岛市"));
        assert_eq!(of("370202401"), below("山东省青岛市市南区"));
        assert_eq!(of("370202003001"), below("山东省青岛市市南区香港中路街道"));
        assert_eq!(of("370202401001"), below("山东省青岛市市南区"));
        for wrong in ["999999", "999900", "990000", "379971", "370271001", "370271001001"] {
            assert_eq!(of(wrong), Understood::Unknown, "{wrong}");
        }
        assert!(said("370271", &of("370271")).contains("按山东省青岛市的自设区划（开发区等）登记"));
    }

    proptest! {
        /// Nothing is taken that has no division above it, and nothing that has one is refused.
        #[test]
        fn a_code_is_taken_exactly_if_it_or_its_parent_stands_in_the_table(
            head in prop::sample::select(vec!["37", "3702", "370202", "370271", "99", "38"]),
            rest in "[0-9]{10}",
            length in prop::sample::select(vec![6_usize, 9, 12]),
        ) {
            let code: String = format!("{head}{rest}").chars().take(length).collect();
            let is_known = |code: &str| name(code).is_some();
            let own = code == NATION || is_known(&code);
            let above = parents(&code).iter().any(|one| is_known(one));
            prop_assert_eq!(of(&code) != Understood::Unknown, own || above, "{}", code);
        }

        /// Where a zone's code is taken, it is governed by what it was taken below.
        #[test]
        fn what_a_code_is_taken_below_covers_it(code in "37[0-9]{4}([0-9]{3}){0,2}") {
            for parent in parents(&code) {
                let scope = mj_kernel::Scope {
                    areas: vec![parent.clone()],
                    ..mj_kernel::Scope::everything(mj_kernel::DataLevel::Internal)
                };
                prop_assert!(scope.covers_area(Some(&code)), "{parent} {code}");
            }
        }
    }
}
