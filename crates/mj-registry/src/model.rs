//! The registry's words: what a row says of its party, what that proves, and the party itself.
//! Plain records and pure rules; nothing here reads a database.

use mj_kernel::Instant;
use mj_kernel::code::{CitizenId, OrgCode, RegNo, Uscc};

/// Number of a mention: what facts carry.
pub type MentionId = i64;

/// The kinds of party (监管对象类型), coarser than the tables they come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartyKind {
    #[doc(alias = "企业")]
    Enterprise,
    #[doc(alias = "个体工商户")]
    SelfEmployed,
    #[doc(alias = "非企业法人和其他组织")]
    Organization,
    #[doc(alias = "自然人")]
    Person,
}

impl PartyKind {
    pub const ALL: [Self; 4] =
        [Self::Enterprise, Self::SelfEmployed, Self::Organization, Self::Person];

    pub fn name(self) -> &'static str {
        match self {
            Self::Enterprise => "enterprise",
            Self::SelfEmployed => "self_employed",
            Self::Organization => "organization",
            Self::Person => "person",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Enterprise => "企业",
            Self::SelfEmployed => "个体工商户",
            Self::Organization => "其他组织",
            Self::Person => "自然人",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The registrar and class digits of a unified social credit code say what its holder is.
    fn of_uscc(code: &str) -> Self {
        match &code[..2] {
            "92" => Self::SelfEmployed,
            two if two.starts_with('9') => Self::Enterprise,
            _ => Self::Organization,
        }
    }
}

/// What one row says of its party, as the standard's engine normalised it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MentionInput<'a> {
    /// 监管对象类型 (list `object_type`)
    pub object_type: Option<&'a str>,
    /// 行政相对人性质 (list `party_nature`): 01 公民, 02 法人, 03 其他组织
    pub nature: Option<&'a str>,
    /// 证件类型 (list `certificate_type`)
    pub code_type: Option<&'a str>,
    pub code: Option<&'a str>,
    pub name: &'a str,
    pub regist_no: Option<&'a str>,
    pub area_number: Option<&'a str>,
    pub address: Option<&'a str>,
}

/// 证件类型 that only natural persons hold (GA/T 517 numbers).
const PERSONAL_CODE_TYPES: [&str; 16] = [
    "111", "112", "113", "114", "115", "117", "118", "119", "120", "122", "154", "411", "412",
    "413", "414", "415",
];

impl<'a> MentionInput<'a> {
    /// Whether the row is about a natural person. In doubt it is: sealing too much harms nobody.
    pub fn is_person(&self) -> bool {
        if self.uscc().is_some() {
            return false;
        }
        self.nature == Some("01")
            || (self.nature.is_none() && self.object_type == Some("2"))
            || self.code_type.is_some_and(|kind| PERSONAL_CODE_TYPES.contains(&kind))
            || self.code.is_some_and(|code| CitizenId::parse(code).is_ok())
    }

    /// The unified social credit code, if the row carries a valid one. One citizen number in 31
    /// passes the check of a credit code too: it is one only where the row says so.
    pub fn uscc(&self) -> Option<&'a str> {
        let code = self.code.filter(|code| code.len() == 18 && Uscc::parse(code).is_ok())?;
        let said = self.code_type == Some("001") && self.nature != Some("01");
        (said || CitizenId::parse(code).is_err()).then_some(code)
    }

    /// What proves who a natural person is: (type of document, its number).
    pub fn personal_code(&self) -> Option<(&'a str, &'a str)> {
        let code = self.code.filter(|code| !code.is_empty())?;
        match self.code_type {
            Some("111" | "112" | "113") | None => {
                CitizenId::parse(code).is_ok().then_some(("111", code))
            }
            Some(kind) if PERSONAL_CODE_TYPES.contains(&kind) => Some((kind, code)),
            Some(_) => CitizenId::parse(code).is_ok().then_some(("111", code)),
        }
    }

    pub fn kind(&self) -> PartyKind {
        match self.uscc() {
            Some(code) => PartyKind::of_uscc(code),
            None if self.is_person() => PartyKind::Person,
            None if self.object_type == Some("10") || self.nature == Some("03") => {
                PartyKind::Organization
            }
            None => PartyKind::Enterprise,
        }
    }

    /// A registration number whose check digit holds.
    pub fn valid_regist_no(&self) -> Option<&'a str> {
        self.regist_no.filter(|number| RegNo::parse(number).is_ok())
    }

    /// An organisation code (GB 11714) given as the only document.
    pub fn org_code(&self) -> Option<&'a str> {
        self.code.filter(|code| code.len() == 9 && OrgCode::parse(code).is_ok())
    }

    /// Where the party is, as far as the row knows: the row's area, else the registrar's division.
    pub fn area(&self) -> Option<&'a str> {
        self.area_number.or_else(|| self.uscc().map(|code| &code[2..8]))
    }
}

/// By what a mention can be linked, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// A valid code: proves identity by itself.
    Code,
    /// A valid registration number: as good as the code it is seen beside.
    RegistNo,
    /// Only name and address.
    Name,
}

impl Tier {
    pub fn name(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::RegistNo => "regist_no",
            Self::Name => "name",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Code, Self::RegistNo, Self::Name].into_iter().find(|tier| tier.name() == name)
    }
}

/// How a mention came to its party.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkRule {
    Code,
    RegistNo,
    NameAddress,
    /// Nothing links it; it stands for itself.
    Itself,
}

impl LinkRule {
    pub fn name(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::RegistNo => "regist_no",
            Self::NameAddress => "name_address",
            Self::Itself => "itself",
        }
    }
}

/// What stands behind the values of a party.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Register rows alone: what other rows call the party changes nothing.
    Register,
    /// Register rows, but area or address had to be taken from mentions.
    RegisterWithGaps,
    /// Only what other rows called it.
    Mention,
}

impl Origin {
    pub const ALL: [Self; 3] = [Self::Register, Self::RegisterWithGaps, Self::Mention];

    pub fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::RegisterWithGaps => "register_with_gaps",
            Self::Mention => "mention",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.name() == name)
    }
}

/// The values of a party, in clear. What is stored of natural persons is the sealed form of this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartyState {
    pub kind: PartyKind,
    pub origin: Origin,
    pub name: String,
    pub uscc: Option<String>,
    pub regist_no: Option<String>,
    /// (type of document, number) of a natural person
    pub person_code: Option<(String, String)>,
    pub area_number: Option<String>,
    pub address: Option<String>,
    pub status: Option<String>,
    /// `YYYY-MM-DD`; [`ALWAYS`] when nothing says since when.
    pub valid_from: String,
}

/// The day before all days: since when nothing more is known.
pub const ALWAYS: &str = "0001-01-01";
/// The day after all days.
pub const FOREVER: &str = "9999-12-31";
/// An open end of what is known; a number JSON keeps exactly.
pub const OPEN: i64 = 9_007_199_254_740_991;

/// What is done with a source record (cd_operation).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Upsert,
    Delete,
}

impl Operation {
    /// `d` deletes; `i` and `u` both set the record.
    pub fn of(cd_operation: &str) -> Self {
        if cd_operation.eq_ignore_ascii_case("d") { Self::Delete } else { Self::Upsert }
    }
}

/// One accepted row of a register table (object_enterprise, object_individual, …).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRecord {
    /// The mention the row resolved to; 0 where it names no party (officers, some deletions).
    pub mention: MentionId,
    pub table: String,
    pub cd_source: String,
    pub cd_id: String,
    pub operation: Operation,
    /// `cd_time`: decides which version of a record wins.
    pub at: Instant,
    pub batch_id: String,
    pub row: i64,
    /// Of several sources the smallest wins, field by field.
    pub priority: i64,
    pub fields: Vec<SourceField>,
}

/// One filled column of a register row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceField {
    pub column: String,
    pub value: String,
    /// Marked personal in the standard: sealed at rest.
    pub personal: bool,
}

/// What a relinking run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Relinked {
    pub looked_at: usize,
    pub moved: usize,
    pub doubtful: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_credit_code_says_what_its_holder_is() {
        let kind =
            |code| MentionInput { code: Some(code), name: "某单位", ..Default::default() }.kind();
        assert_eq!(kind("91350100M000100Y43"), PartyKind::Enterprise);
        assert_eq!(kind("92370481MA3TET012Q"), PartyKind::SelfEmployed);
        assert_eq!(kind("12370400494500012B"), PartyKind::Organization);
        assert_eq!(kind("34052419800101001X"), PartyKind::Person);
    }

    #[test]
    fn a_citizen_number_that_passes_as_a_credit_code_stays_a_persons() {
        let both =
            MentionInput { code: Some("370402198507030757"), name: "某人", ..Default::default() };
        assert!(Uscc::parse("370402198507030757").is_ok());
        for (nature, code_type) in
            [(Some("01"), Some("111")), (None, None), (Some("01"), Some("001"))]
        {
            let said = MentionInput { nature, code_type, ..both };
            assert_eq!((said.uscc(), said.kind()), (None, PartyKind::Person));
            assert_eq!(said.personal_code(), Some(("111", "370402198507030757")));
        }
        let company = MentionInput { nature: Some("02"), code_type: Some("001"), ..both };
        assert_eq!(company.kind(), PartyKind::of_uscc("370402198507030757"));
    }

    #[test]
    fn a_broken_code_proves_nothing() {
        let said = MentionInput {
            code_type: Some("001"),
            code: Some("91350100M000100Y44"),
            name: "某公司",
            ..Default::default()
        };
        assert_eq!((said.uscc(), said.is_person()), (None, false));
        let citizen = MentionInput {
            nature: Some("01"),
            code_type: Some("111"),
            code: Some("340524198001010019"),
            name: "某人",
            ..Default::default()
        };
        assert!(citizen.is_person());
        assert_eq!(citizen.personal_code(), None);
    }
}
