//! Reads delivered texts as values and says how they had to be mended.
//!
//! Every function is pure. A clean value is recognised first and costs no allocation; only then is
//! mending tried, and what was done is told by [`Mends`].

pub mod amount;
pub mod date;
pub mod text;

/// One way in which a value was brought to its canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mend {
    Trimmed,
    FullWidth,
    InnerSpace,
    Quotes,
    Apostrophe,
    Case,
    Hyphen,
    Brackets,
    LostZero,
    FloatForm,
    DateForm,
    ExcelSerial,
    TimeZone,
    Thousands,
    TenThousands,
    Currency,
    Percent,
    YesNo,
    ListTitle,
    Separator,
    EmptyWord,
    SectionLetter,
    ControlCharacter,
    Number,
}

const TEXTS: [(Mend, &str); 24] = [
    (Mend::Trimmed, "去首尾空格"),
    (Mend::FullWidth, "全角改半角"),
    (Mend::InnerSpace, "去空格"),
    (Mend::Quotes, "去引号"),
    (Mend::Apostrophe, "去文本前缀撇号"),
    (Mend::Case, "改大小写"),
    (Mend::Hyphen, "去连字符"),
    (Mend::Brackets, "全角括号改半角"),
    (Mend::LostZero, "补前导零"),
    (Mend::FloatForm, "去小数尾 .0"),
    (Mend::DateForm, "统一日期写法"),
    (Mend::ExcelSerial, "电子表格日期序号改日期"),
    (Mend::TimeZone, "换算为北京时间"),
    (Mend::Thousands, "去千分位"),
    (Mend::TenThousands, "万元换算"),
    (Mend::Currency, "去货币字样"),
    (Mend::Percent, "百分数改小数"),
    (Mend::YesNo, "统一是否写法"),
    (Mend::ListTitle, "名称改代码"),
    (Mend::Separator, "统一分隔符"),
    (Mend::EmptyWord, "空值写法改为空"),
    (Mend::SectionLetter, "去门类字母"),
    (Mend::ControlCharacter, "去控制字符"),
    (Mend::Number, "统一数字写法"),
];

/// A set of mends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mends(u32);

impl Mends {
    pub fn none() -> Self {
        Self(0)
    }

    pub fn add(&mut self, mend: Mend) {
        self.0 |= 1 << mend as u8;
    }

    pub fn with(mut self, mend: Mend) -> Self {
        self.add(mend);
        self
    }

    pub fn join(&mut self, other: Mends) {
        self.0 |= other.0;
    }

    pub fn has(self, mend: Mend) -> bool {
        self.0 & (1 << mend as u8) != 0
    }

    pub fn any(self) -> bool {
        self.0 != 0
    }

    /// For people: `全角改半角、补前导零`.
    pub fn text(self) -> String {
        TEXTS
            .iter()
            .filter(|(mend, _)| self.has(*mend))
            .map(|(_, text)| *text)
            .collect::<Vec<_>>()
            .join("、")
    }
}

/// Why a text is no value of its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// It does not have the form at all.
    Form(String),
    /// It has the form of a date, but there is no such day.
    NoSuchDay(String),
}
