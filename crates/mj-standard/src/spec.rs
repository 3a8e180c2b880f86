//! The words of the data standard: tables, columns, rules and code lists as plain values.
//!
//! Everything here is read from `tables/*.toml` and `lists/*.toml` (see [`crate::load`]) and never
//! changes afterwards. What a rule *does* stands in [`crate::engine`]; here is only what it says.

use std::fmt;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::Deserialize;

pub use crate::vocabulary::{CodeSystem, Condition, IdPart, LookupKind, RuleKind};

/// The whole data standard: every exchange table and every code list of one version.
#[doc(alias = "数据标准")]
#[derive(Debug)]
pub struct Standard {
    pub(crate) version: String,
    pub(crate) tables: Vec<Table>,
    pub(crate) lists: Vec<Arc<CodeList>>,
}

impl Standard {
    pub fn version(&self) -> &str {
        &self.version
    }

    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }

    pub fn lists(&self) -> &[Arc<CodeList>] {
        &self.lists
    }

    pub fn list(&self, name: &str) -> Option<&Arc<CodeList>> {
        self.lists.iter().find(|list| list.name == name)
    }
}

/// What a table is about; decides which domain takes its rows after cleansing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    /// 清单：监管事项目录、子项、检查实施清单
    Catalogue,
    /// 监管行为：检查、处罚、强制、其他
    Behaviour,
    /// 监管对象中的主体：企业、个体、非企业、自然人
    Party,
    /// 监管对象中的物：设备、场所、其他要素
    Object,
    /// 特定产品
    Product,
    /// 执法人员
    Officer,
    /// 双随机计划及其对象
    Plan,
    /// 信用分类与名录
    Credit,
    /// 知识库
    Knowledge,
}

impl TableKind {
    pub fn title(self) -> &'static str {
        match self {
            Self::Catalogue => "监管清单",
            Self::Behaviour => "监管行为",
            Self::Party => "监管对象（主体）",
            Self::Object => "监管对象（物和场所）",
            Self::Product => "特定产品",
            Self::Officer => "执法人员",
            Self::Plan => "双随机计划",
            Self::Credit => "信用信息",
            Self::Knowledge => "知识库",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Catalogue => "catalogue",
            Self::Behaviour => "behaviour",
            Self::Party => "party",
            Self::Object => "object",
            Self::Product => "product",
            Self::Officer => "officer",
            Self::Plan => "plan",
            Self::Credit => "credit",
            Self::Knowledge => "knowledge",
        }
    }
}

/// One exchange table.
#[derive(Debug)]
pub struct Table {
    pub name: String,
    pub title: String,
    pub kind: TableKind,
    /// Where the table comes from (national table, article), in Chinese.
    pub source: String,
    pub about: String,
    pub aliases: Vec<String>,
    /// Envelope columns first, then the table's own in the order of its file.
    pub columns: Vec<Column>,
    /// Column names delivered by some senders that we know and drop without remark.
    pub ignored: Vec<String>,
    /// Columns that identify the record inside its source; `cd_id` is built from them when absent.
    pub natural_key: Vec<String>,
    /// Columns that identify the act in the world, whoever reports it.
    pub business_key: Vec<String>,
    /// The business key is the first filled of its columns, not all of them together.
    pub business_key_first: bool,
    pub event_date: Option<String>,
    pub area: Option<String>,
    pub party: Option<PartyBlock>,
    pub retention_years: u32,
    /// All rules, those written in the file and those that follow from the columns.
    pub rules: Vec<Rule>,
    /// A row that breaks no rule, as (column index, delivered text).
    pub sample: Vec<Option<String>>,
    pub(crate) index: FxHashMap<String, usize>,
}

impl Table {
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.column_index(name).map(|at| &self.columns[at])
    }

    pub fn column_index(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    /// Is this value of this row about a natural person, so that it must be sealed and masked?
    pub fn is_personal(&self, column: usize, row: &[Option<String>]) -> bool {
        match &self.columns[column].personal {
            Personal::No => false,
            Personal::Always => true,
            Personal::IfCitizenId => row
                .get(column)
                .and_then(|value| value.as_deref())
                // one citizen number in 31 passes the check of a credit code too
                .is_some_and(|value| {
                    use mj_kernel::code::{CitizenId, Uscc};
                    Uscc::parse(value).is_err() || CitizenId::parse(value).is_ok()
                }),
            Personal::When { at, values, .. } => row
                .get(*at)
                .and_then(|value| value.as_deref())
                .is_none_or(|value| values.iter().any(|wanted| wanted == value)),
        }
    }
}

/// Which columns of a table name the party (行政相对人) of its rows.
#[doc(alias = "行政相对人")]
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartyBlock {
    pub name: Option<String>,
    pub code: Option<String>,
    /// 证件类型 (list `certificate_type`)
    pub code_type: Option<String>,
    /// 行政相对人性质 (list `party_nature`): 01 公民, 02 法人, 03 其他组织
    pub nature: Option<String>,
    pub regist_no: Option<String>,
    /// Registered address.
    pub address: Option<String>,
    pub address_operating: Option<String>,
    pub legal_repr: Option<String>,
    pub phone: Option<String>,
}

/// One column of a table.
#[derive(Debug, Clone)]
pub struct Column {
    /// Identifier as in the national tables.
    pub name: String,
    /// Chinese title.
    pub title: String,
    pub aliases: Vec<String>,
    pub ty: ColumnType,
    /// The values of a `Code` column.
    pub code_list: Option<Arc<CodeList>>,
    /// Most characters the column takes; `None` = no limit.
    pub max_len: Option<usize>,
    pub required: bool,
    /// Separator of several values in one cell.
    pub multi: Option<char>,
    pub personal: Personal,
    /// Unit of the delivered value, e.g. `元`.
    pub unit: Option<String>,
    /// A word that stands for "there is none" and is taken as it is, e.g. `无`.
    pub placeholder: Option<String>,
    pub note: Option<String>,
    /// Where the envelope column's value comes from when a file leaves it out.
    pub default_in_files: Option<FileDefault>,
    /// True for the columns of the exchange envelope.
    pub envelope: bool,
}

/// What an envelope column is filled with when a delivered file does not carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileDefault {
    /// The natural key, joined.
    NaturalKey,
    /// The instant of reception.
    Received,
    /// The day of reception.
    ReceivedDay,
    /// The source the caller delivers for.
    Source,
    /// The batch number the caller gives.
    Batch,
    /// `i`
    Insert,
    /// The same as `cd_id`.
    RecordId,
}

/// Type of a column: decides normalisation, canonical form and the checks that follow by themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnType {
    Text,
    /// Name of a person, body or place: brackets and spaces are normalised.
    Name,
    Address,
    Phone,
    /// Document and certificate numbers: half width, no inner spaces.
    Identifier,
    /// Value of a code list.
    Code {
        list: String,
    },
    /// Canonical `YYYY-MM-DD`.
    Date,
    /// Canonical `YYYY-MM-DD HH:MM:SS[.ffffff]`, Beijing time.
    Instant,
    Integer,
    Decimal,
    /// Delivered in 元, canonical whole 分.
    Money,
    /// Canonical `是` or `否`.
    Bool,
    Area,
    Industry,
    Uscc,
    CitizenId,
    /// A credit code or a citizen id, told apart by their check digits.
    UsccOrCitizenId,
    OrgCode,
    RegNo,
    Item,
    Implementation,
    BatchNumber,
}

impl ColumnType {
    /// Name in the table files, in the API and in the documentation.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Name => "name",
            Self::Address => "address",
            Self::Phone => "phone",
            Self::Identifier => "identifier",
            Self::Code { .. } => "code",
            Self::Date => "date",
            Self::Instant => "instant",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Money => "money",
            Self::Bool => "bool",
            Self::Area => "area",
            Self::Industry => "industry",
            Self::Uscc => "uscc",
            Self::CitizenId => "citizen_id",
            Self::UsccOrCitizenId => "uscc_or_citizen_id",
            Self::OrgCode => "org_code",
            Self::RegNo => "reg_no",
            Self::Item => "item",
            Self::Implementation => "implementation",
            Self::BatchNumber => "batch_number",
        }
    }

    pub fn title(&self) -> &'static str {
        match self {
            Self::Text => "文本",
            Self::Name => "名称",
            Self::Address => "地址",
            Self::Phone => "电话",
            Self::Identifier => "编号",
            Self::Code { .. } => "代码",
            Self::Date => "日期",
            Self::Instant => "日期时间",
            Self::Integer => "整数",
            Self::Decimal => "数值",
            Self::Money => "金额",
            Self::Bool => "是/否",
            Self::Area => "行政区划代码",
            Self::Industry => "行业代码",
            Self::Uscc => "统一社会信用代码",
            Self::CitizenId => "公民身份号码",
            Self::UsccOrCitizenId => "统一社会信用代码或公民身份号码",
            Self::OrgCode => "组织机构代码",
            Self::RegNo => "注册号",
            Self::Item => "监管事项目录编码",
            Self::Implementation => "检查实施清单编码",
            Self::BatchNumber => "批次号",
        }
    }

    pub fn list(&self) -> Option<&str> {
        match self {
            Self::Code { list } => Some(list),
            _ => None,
        }
    }

    /// Types judged by the code types of `mj_kernel::code` or by a code list.
    pub fn is_code(&self) -> bool {
        matches!(
            self,
            Self::Code { .. }
                | Self::Area
                | Self::Industry
                | Self::Uscc
                | Self::CitizenId
                | Self::UsccOrCitizenId
                | Self::OrgCode
                | Self::RegNo
                | Self::Item
                | Self::Implementation
                | Self::BatchNumber
        )
    }
}

/// Whether a column holds personal data, which is sealed at rest and masked in reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Personal {
    No,
    Always,
    /// Only when the value is a citizen id (columns that take a credit code or a citizen id).
    IfCitizenId,
    /// Only in rows where another column has one of these values (or no value at all: unknown is
    /// treated as personal).
    When {
        column: String,
        at: usize,
        values: Vec<String>,
    },
}

/// The ten official check classes (数据检核类型) and class 00, structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class(pub(crate) u8);

impl Class {
    pub const STRUCTURE: Class = Class(0);
    pub const CODE: Class = Class(1);
    pub const SOURCE: Class = Class(2);
    pub const ITEM: Class = Class(3);
    pub const IMPLEMENTATION: Class = Class(4);
    pub const MERGE: Class = Class(5);
    pub const USCC: Class = Class(6);
    pub const CITIZEN_ID: Class = Class(7);
    pub const RELATION: Class = Class(8);
    pub const BUSINESS_KEY: Class = Class(9);
    pub const TIME: Class = Class(10);
    pub const COUNT: usize = 11;

    pub fn all() -> impl Iterator<Item = Class> {
        (0..Self::COUNT as u8).map(Class)
    }

    pub fn parse(text: &str) -> Option<Class> {
        Self::all().find(|class| class.code() == text)
    }

    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    pub fn code(self) -> &'static str {
        ["00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10"][self.index()]
    }

    pub fn title(self) -> &'static str {
        [
            "结构检查",
            "代码检查",
            "数据源标识检查",
            "监管事项目录编码检查",
            "检查实施清单编码检查",
            "数据归并",
            "统一社会信用代码规则",
            "身份证规则",
            "数据关联性",
            "业务主键",
            "时间信息",
        ][self.index()]
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An error refuses the row, a warning lets it pass with a remark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Error,
    Warning,
}

impl Severity {
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Error => "错误",
            Self::Warning => "提示",
        }
    }
}

/// One rule of a table, with everything a department needs to understand its verdict.
#[derive(Debug)]
pub struct Rule {
    /// Stable, e.g. `check_action.check_result.list`.
    pub id: String,
    pub class: Class,
    pub severity: Severity,
    /// What must hold, in Chinese.
    pub text: String,
    /// What to do about it, in Chinese.
    pub remedy: String,
    /// Standard or article.
    pub source: String,
    pub kind: RuleKind,
    /// True when the rule follows from a column and is not written in the file.
    pub generated: bool,
    /// Values that differ from the table's sample: one set that fires the rule, one that does not.
    pub example: Example,
}

/// Overrides of the table's sample row; `None` empties the cell.
#[derive(Debug, Default, Clone)]
pub struct Example {
    pub fires: Vec<(String, Option<String>)>,
    pub clean: Vec<(String, Option<String>)>,
}

/// A code list (代码表) with its values in order.
#[doc(alias = "代码表")]
#[derive(Debug)]
pub struct CodeList {
    pub name: String,
    pub title: String,
    pub source: String,
    pub entries: Vec<CodeEntry>,
    /// All codes have this many characters, so that a lost leading zero can be told.
    pub width: Option<usize>,
    pub(crate) by_code: FxHashMap<String, usize>,
    pub(crate) by_title: FxHashMap<String, usize>,
}

/// One value of a code list.
#[derive(Debug, Clone)]
pub struct CodeEntry {
    pub code: String,
    pub title: String,
    /// What the value becomes when we report it to the national platform.
    pub export: Option<String>,
}

impl CodeList {
    pub fn contains(&self, code: &str) -> bool {
        self.by_code.contains_key(code)
    }

    /// Chinese title of a code.
    pub fn title_of(&self, code: &str) -> Option<&str> {
        self.by_code.get(code).map(|&at| self.entries[at].title.as_str())
    }

    /// The code that a department wrote by its title.
    pub fn code_of_title(&self, title: &str) -> Option<&str> {
        self.by_title.get(title).map(|&at| self.entries[at].code.as_str())
    }
}
