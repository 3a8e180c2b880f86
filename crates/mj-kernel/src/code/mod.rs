//! Code systems as types: what parses is well formed, what does not says precisely why in Chinese.
//!
//! Only what a code says about itself is judged here: shape, alphabet, real dates, check digits. Whether a division
//! or an industry exists on a day is answered by the registers of `mj-standard`.

mod batch;
mod citizen;
mod division;
mod industry;
mod item;
mod normalize;
mod org;
mod regno;
mod surface;
mod uscc;

pub use batch::BatchNumber;
pub use citizen::{CitizenId, Gender};
pub use division::{DivisionCode, DivisionShape};
pub use industry::IndustryCode;
pub use item::{ImplementationCode, ItemCode};
pub use normalize::{Mends, Normalised, normalize};
pub use org::OrgCode;
pub use regno::RegNo;
pub use uscc::Uscc;

/// Why a value is not a code: a stable dotted name for programs and a sentence for people.
///
/// The sentence never repeats the whole value, so it may be shown and stored where the value may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct CodeError {
    pub code: &'static str,
    pub reason: String,
}

impl CodeError {
    pub(crate) fn new(code: &'static str, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }
}

/// The code systems that can be named from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CodeKind {
    Uscc,
    Org,
    CitizenId,
    RegNo,
    Division,
    Industry,
    Item,
    Implementation,
    Batch,
}

impl CodeKind {
    /// The kinds that `mingjian check codes --kind` offers.
    pub const COMMAND_LINE: [CodeKind; 7] = [
        CodeKind::Uscc,
        CodeKind::Org,
        CodeKind::CitizenId,
        CodeKind::RegNo,
        CodeKind::Division,
        CodeKind::Industry,
        CodeKind::Item,
    ];

    pub fn name(self) -> &'static str {
        match self {
            CodeKind::Uscc => "uscc",
            CodeKind::Org => "org",
            CodeKind::CitizenId => "citizen-id",
            CodeKind::RegNo => "regno",
            CodeKind::Division => "division",
            CodeKind::Industry => "industry",
            CodeKind::Item => "item",
            CodeKind::Implementation => "implementation",
            CodeKind::Batch => "batch",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            CodeKind::Uscc => "统一社会信用代码",
            CodeKind::Org => "组织机构代码",
            CodeKind::CitizenId => "公民身份号码",
            CodeKind::RegNo => "注册号",
            CodeKind::Division => "行政区划代码",
            CodeKind::Industry => "行业代码",
            CodeKind::Item => "监管事项目录编码",
            CodeKind::Implementation => "检查实施清单编码",
            CodeKind::Batch => "批次号",
        }
    }

    /// Do letters occur in this code, so that lower case is a mendable slip and not a foreign character?
    pub(crate) fn has_letters(self) -> bool {
        !matches!(self, CodeKind::RegNo | CodeKind::Division | CodeKind::Item | CodeKind::Batch)
    }

    /// Judges the form of a value without keeping the parsed code.
    pub fn check_form(self, value: &str) -> Result<(), CodeError> {
        match self {
            CodeKind::Uscc => Uscc::parse(value).map(drop),
            CodeKind::Org => OrgCode::parse(value).map(drop),
            CodeKind::CitizenId => CitizenId::parse(value).map(drop),
            CodeKind::RegNo => RegNo::parse(value).map(drop),
            CodeKind::Division => DivisionCode::parse(value).map(drop),
            CodeKind::Industry => IndustryCode::parse(value).map(drop),
            CodeKind::Item => ItemCode::parse(value).map(drop),
            CodeKind::Implementation => ImplementationCode::parse(value).map(drop),
            CodeKind::Batch => BatchNumber::parse(value).map(drop),
        }
    }
}

impl std::str::FromStr for CodeKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [CodeKind::Implementation, CodeKind::Batch]
            .into_iter()
            .chain(CodeKind::COMMAND_LINE)
            .find(|kind| kind.name() == text)
            .ok_or_else(|| {
                format!(
                    "没有“{text}”这种代码，可选：{}",
                    CodeKind::COMMAND_LINE.map(CodeKind::name).join("、")
                )
            })
    }
}

/// A code of fixed length over ASCII, kept on the stack.
macro_rules! fixed_code {
    ($name:ident, $len:literal) => {
        impl $name {
            pub fn as_str(&self) -> &str {
                std::str::from_utf8(&self.0).expect("a parsed code is ASCII")
            }
        }
        $crate::code::code_traits!($name);
    };
}

macro_rules! code_traits {
    ($name:ident) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.as_str())
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }
        impl std::str::FromStr for $name {
            type Err = $crate::code::CodeError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use {code_traits, fixed_code};

#[cfg(test)]
mod tests;
