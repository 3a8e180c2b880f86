//! Reads the table and list files into [`Standard`] and refuses what does not hang together.
//!
//! A wrong column name in a rule, a title used twice or a list that does not exist is an error here,
//! so that everything behind may rely on the indices. It judges no rows.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use include_dir::{Dir, include_dir};
use rustc_hash::FxHashMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::examples;
use crate::generate::{column_rules, key_rules};
use crate::register;
use crate::spec::*;

static TABLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/tables");
static LISTS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/lists");

/// The list that comes from the register of line departments instead of a file.
const DEPARTMENT_LIST: &str = "supervision_department";

/// Why the files of the standard cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StandardError {
    #[error("{file}: {message}")]
    Syntax { file: String, message: String },
    #[error("{table}: {message}")]
    Inconsistent { table: String, message: String },
}

impl Standard {
    /// Version 1.0, read from the files inside the programme once.
    pub fn v1() -> &'static Standard {
        static V1: OnceLock<Standard> = OnceLock::new();
        V1.get_or_init(|| {
            Standard::read("1.0", &texts(&TABLES), &texts(&LISTS))
                .expect("the bundled standard is read by a test of this crate")
        })
    }

    /// Reads a standard from named texts; names starting with `_` are parts included by others.
    pub fn read(
        version: &str,
        tables: &[(String, String)],
        lists: &[(String, String)],
    ) -> Result<Standard, StandardError> {
        let mut code_lists = lists
            .iter()
            .map(|(file, text)| Ok(Arc::new(parse::<RawList>(file, text)?.build())))
            .collect::<Result<Vec<_>, StandardError>>()?;
        code_lists.push(Arc::new(department_list()));
        code_lists.sort_by(|a, b| a.name.cmp(&b.name));
        let mut standard =
            Standard { version: version.to_owned(), tables: Vec::new(), lists: code_lists };
        let parts = Parts::read(tables)?;
        for (file, text) in tables.iter().filter(|(file, _)| !file.starts_with('_')) {
            let raw: RawTable = parse(file, text)?;
            if raw.name != *file {
                return Err(StandardError::Syntax {
                    file: file.clone(),
                    message: format!("the table calls itself “{}”", raw.name),
                });
            }
            let table = Builder::new(&parts, &standard).build(raw)?;
            standard.tables.push(table);
        }
        standard.tables.sort_by_key(rank);
        Ok(standard)
    }
}

/// Behaviours first, then what they are about, as people look for them.
fn rank(table: &Table) -> (u8, usize, String) {
    const BEHAVIOURS: [&str; 4] = ["check_action", "punish_action", "force_action", "other_action"];
    let place = BEHAVIOURS.iter().position(|name| *name == table.name).unwrap_or(BEHAVIOURS.len());
    let kind = match table.kind {
        TableKind::Behaviour => 0,
        TableKind::Party => 1,
        TableKind::Object => 2,
        TableKind::Product => 3,
        TableKind::Officer => 4,
        TableKind::Catalogue => 5,
        TableKind::Plan => 6,
        TableKind::Credit => 7,
        TableKind::Knowledge => 8,
    };
    (kind, place, table.name.clone())
}

fn texts(dir: &Dir<'_>) -> Vec<(String, String)> {
    dir.files()
        .filter(|file| file.path().extension().is_some_and(|ending| ending == "toml"))
        .filter_map(|file| {
            let name = file.path().file_stem()?.to_str()?.to_owned();
            Some((name, file.contents_utf8()?.to_owned()))
        })
        .collect()
}

fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, StandardError> {
    toml::from_str(text).map_err(|error| StandardError::Syntax {
        file: file.to_owned(),
        message: error.to_string(),
    })
}

fn department_list() -> CodeList {
    RawList {
        name: DEPARTMENT_LIST.to_owned(),
        title: "监管部门".to_owned(),
        source: "国家“互联网+监管”系统监管部门代码（58 项）".to_owned(),
        entries: register::departments()
            .iter()
            .map(|department| RawEntry {
                code: department.code.clone(),
                title: department.name.clone(),
                export: None,
                aliases: vec![department.short.clone()],
            })
            .collect(),
    }
    .build()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawList {
    name: String,
    title: String,
    source: String,
    entries: Vec<RawEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    code: String,
    title: String,
    export: Option<String>,
    #[serde(default)]
    aliases: Vec<String>,
}

impl RawList {
    fn build(self) -> CodeList {
        let mut by_code = FxHashMap::default();
        let mut by_title = FxHashMap::default();
        for (at, entry) in self.entries.iter().enumerate() {
            by_code.insert(entry.code.clone(), at);
            // the first of two equal titles (污染类型“其他”) would be a guess: neither is taken
            for title in std::iter::once(&entry.title).chain(&entry.aliases) {
                by_title.entry(title.clone()).and_modify(|seen| *seen = usize::MAX).or_insert(at);
            }
        }
        by_title.retain(|_, at| *at != usize::MAX);
        let widths: Vec<usize> = self.entries.iter().map(|entry| entry.code.len()).collect();
        let width =
            widths.first().copied().filter(|first| widths.iter().all(|width| width == first));
        CodeList {
            name: self.name,
            title: self.title,
            source: self.source,
            entries: self
                .entries
                .into_iter()
                .map(|entry| CodeEntry {
                    code: entry.code,
                    title: entry.title,
                    export: entry.export,
                })
                .collect(),
            width,
            by_code,
            by_title,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTable {
    name: String,
    title: String,
    kind: TableKind,
    source: String,
    about: String,
    #[serde(default)]
    aliases: Vec<String>,
    natural_key: Vec<String>,
    business_key: Vec<String>,
    #[serde(default)]
    business_key_first: bool,
    event_date: Option<String>,
    area: Option<String>,
    retention_years: u32,
    /// Columns of an included part that are not required here.
    #[serde(default)]
    optional: Vec<String>,
    columns: Vec<RawColumn>,
    party: Option<PartyBlock>,
    sample: BTreeMap<String, String>,
    #[serde(default)]
    rule: Vec<toml::Table>,
}

/// A part shared by several tables: the envelope, the party block.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPart {
    #[serde(default)]
    ignored: Vec<String>,
    columns: Vec<RawColumn>,
    party: Option<PartyBlock>,
    #[serde(default)]
    sample: BTreeMap<String, String>,
    #[serde(default)]
    rule: Vec<toml::Table>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct RawColumn {
    include: Option<String>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default, rename = "type")]
    ty: String,
    list: Option<String>,
    max: Option<usize>,
    #[serde(default)]
    required: bool,
    multi: Option<char>,
    personal: Option<RawPersonal>,
    unit: Option<String>,
    placeholder: Option<String>,
    note: Option<String>,
    default_in_files: Option<FileDefault>,
}

#[derive(Deserialize, Clone)]
#[serde(untagged)]
enum RawPersonal {
    Word(String),
    When { column: String, values: Vec<String> },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExample {
    fires: BTreeMap<String, String>,
    clean: BTreeMap<String, String>,
}

const ENVELOPE: &str = "envelope";

struct Parts(BTreeMap<String, RawPart>);

impl Parts {
    fn read(tables: &[(String, String)]) -> Result<Parts, StandardError> {
        tables
            .iter()
            // the world that examples suppose is no part of any table
            .filter(|(file, _)| file.starts_with('_') && file != "_known")
            .map(|(file, text)| Ok((file[1..].to_owned(), parse(file, text)?)))
            .collect::<Result<_, _>>()
            .map(Parts)
    }

    fn get(&self, table: &str, name: &str) -> Result<&RawPart, StandardError> {
        self.0.get(name).ok_or_else(|| StandardError::Inconsistent {
            table: table.to_owned(),
            message: format!("there is no part “{name}”"),
        })
    }
}

struct Builder<'a> {
    parts: &'a Parts,
    standard: &'a Standard,
}

impl<'a> Builder<'a> {
    fn new(parts: &'a Parts, standard: &'a Standard) -> Self {
        Self { parts, standard }
    }

    fn build(&self, raw: RawTable) -> Result<Table, StandardError> {
        let fail =
            |message: String| StandardError::Inconsistent { table: raw.name.clone(), message };
        let envelope = self.parts.get(&raw.name, ENVELOPE)?;
        let mut sample = envelope.sample.clone();
        let mut rules: Vec<toml::Table> = Vec::new();
        let mut party = raw.party.clone();
        let mut columns = Vec::new();
        for column in &envelope.columns {
            columns.push(self.column(&raw.name, column, true)?);
        }
        for column in &raw.columns {
            match &column.include {
                None => columns.push(self.column(&raw.name, column, false)?),
                Some(name) => {
                    let part = self.parts.get(&raw.name, name)?;
                    for column in &part.columns {
                        let mut column = self.column(&raw.name, column, false)?;
                        column.required &= !raw.optional.contains(&column.name);
                        columns.push(column);
                    }
                    sample.extend(part.sample.clone());
                    rules.extend(part.rule.iter().cloned());
                    party = party.or_else(|| part.party.clone());
                }
            }
        }
        sample.extend(raw.sample.clone());
        rules.extend(raw.rule.iter().cloned());
        rules.extend(envelope.rule.iter().cloned());

        let mut index = FxHashMap::default();
        let mut titles = FxHashMap::default();
        for (at, column) in columns.iter().enumerate() {
            if index.insert(column.name.clone(), at).is_some() {
                return Err(fail(format!("column “{}” stands twice", column.name)));
            }
            for title in std::iter::once(&column.title).chain(&column.aliases) {
                if titles.insert(title.clone(), at).is_some() {
                    return Err(fail(format!("title “{title}” stands twice")));
                }
            }
        }
        let mut table = Table {
            sample: vec![None; columns.len()],
            name: raw.name.clone(),
            title: raw.title.clone(),
            kind: raw.kind,
            source: raw.source.clone(),
            about: raw.about.clone(),
            aliases: raw.aliases.clone(),
            columns,
            ignored: envelope.ignored.clone(),
            natural_key: raw.natural_key.clone(),
            business_key: raw.business_key.clone(),
            business_key_first: raw.business_key_first,
            event_date: raw.event_date.clone(),
            area: raw.area.clone(),
            party,
            retention_years: raw.retention_years,
            rules: Vec::new(),
            index,
        };
        resolve_personal(&mut table).map_err(&fail)?;
        for (name, value) in sample {
            let at = table
                .column_index(&name)
                .ok_or_else(|| fail(format!("sample names unknown column “{name}”")))?;
            table.sample[at] = Some(value).filter(|value| !value.is_empty());
        }
        check_references(&table).map_err(&fail)?;
        let mut all = column_rules(&table);
        all.extend(key_rules(&table));
        for rule in rules {
            all.push(declared_rule(&table, rule).map_err(&fail)?);
        }
        for rule in &mut all {
            if rule.generated {
                rule.example = examples::derive(&table, &rule.kind);
            }
            for column in rule.kind.columns() {
                if table.column_index(column).is_none() {
                    return Err(fail(format!("{}: unknown column “{column}”", rule.id)));
                }
            }
        }
        let mut ids: Vec<&str> = all.iter().map(|rule| rule.id.as_str()).collect();
        ids.sort_unstable();
        if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(fail(format!("rule “{}” stands twice", pair[0])));
        }
        table.rules = all;
        Ok(table)
    }

    fn column(
        &self,
        table: &str,
        raw: &RawColumn,
        envelope: bool,
    ) -> Result<Column, StandardError> {
        let fail = |message: String| StandardError::Inconsistent {
            table: table.to_owned(),
            message: format!("{}: {message}", raw.name),
        };
        let ty = column_type(raw).ok_or_else(|| fail(format!("unknown type “{}”", raw.ty)))?;
        let code_list = match ty.list() {
            None => None,
            Some(name) => match self.standard.list(name) {
                Some(list) => Some(Arc::clone(list)),
                None => return Err(fail(format!("unknown list “{name}”"))),
            },
        };
        let personal = match &raw.personal {
            None => Personal::No,
            Some(RawPersonal::Word(word)) if word == "always" => Personal::Always,
            Some(RawPersonal::Word(word)) if word == "citizen_id" => Personal::IfCitizenId,
            Some(RawPersonal::Word(word)) => return Err(fail(format!("personal = “{word}”"))),
            Some(RawPersonal::When { column, values }) => {
                Personal::When { column: column.clone(), at: 0, values: values.clone() }
            }
        };
        Ok(Column {
            name: raw.name.clone(),
            title: raw.title.clone(),
            aliases: raw.aliases.clone(),
            ty,
            code_list,
            max_len: raw.max,
            required: raw.required,
            multi: raw.multi,
            personal,
            unit: raw.unit.clone(),
            placeholder: raw.placeholder.clone(),
            note: raw.note.clone(),
            default_in_files: raw.default_in_files,
            envelope,
        })
    }
}

fn column_type(raw: &RawColumn) -> Option<ColumnType> {
    Some(match raw.ty.as_str() {
        "text" => ColumnType::Text,
        "name" => ColumnType::Name,
        "address" => ColumnType::Address,
        "phone" => ColumnType::Phone,
        "identifier" => ColumnType::Identifier,
        "code" => ColumnType::Code { list: raw.list.clone()? },
        "date" => ColumnType::Date,
        "instant" => ColumnType::Instant,
        "integer" => ColumnType::Integer,
        "decimal" => ColumnType::Decimal,
        "money" => ColumnType::Money,
        "bool" => ColumnType::Bool,
        "area" => ColumnType::Area,
        "industry" => ColumnType::Industry,
        "uscc" => ColumnType::Uscc,
        "citizen_id" => ColumnType::CitizenId,
        "uscc_or_citizen_id" => ColumnType::UsccOrCitizenId,
        "org_code" => ColumnType::OrgCode,
        "reg_no" => ColumnType::RegNo,
        "item" => ColumnType::Item,
        "implementation" => ColumnType::Implementation,
        "batch_number" => ColumnType::BatchNumber,
        _ => return None,
    })
}

fn resolve_personal(table: &mut Table) -> Result<(), String> {
    let index = &table.index;
    for column in &mut table.columns {
        if let Personal::When { column: other, at, .. } = &mut column.personal {
            *at = *index
                .get(other.as_str())
                .ok_or_else(|| format!("personal names unknown column “{other}”"))?;
        }
    }
    Ok(())
}

fn check_references(table: &Table) -> Result<(), String> {
    let party = table.party.clone().unwrap_or_default();
    let named = table
        .natural_key
        .iter()
        .chain(&table.business_key)
        .chain(&table.event_date)
        .chain(&table.area)
        .chain(&party.name)
        .chain(&party.code)
        .chain(&party.code_type)
        .chain(&party.nature)
        .chain(&party.regist_no)
        .chain(&party.address)
        .chain(&party.address_operating)
        .chain(&party.legal_repr)
        .chain(&party.phone);
    for name in named {
        if table.column_index(name).is_none() {
            return Err(format!("unknown column “{name}”"));
        }
    }
    Ok(())
}

fn declared_rule(table: &Table, mut raw: toml::Table) -> Result<Rule, String> {
    let mut word = |key: &str| -> Result<String, String> {
        match raw.remove(key) {
            Some(toml::Value::String(text)) if !text.is_empty() => Ok(text),
            _ => Err(format!("a rule lacks “{key}”")),
        }
    };
    let id = word("id")?;
    let class = word("class")?;
    let severity = word("severity")?;
    let text = word("text")?;
    let remedy = word("remedy")?;
    let source = word("source")?;
    let example: RawExample = raw
        .remove("example")
        .ok_or_else(|| format!("{id}: no example"))?
        .try_into()
        .map_err(|error| format!("{id}: {error}"))?;
    let overrides = |cells: BTreeMap<String, String>| {
        cells
            .into_iter()
            .map(|(name, value)| (name, Some(value).filter(|value| !value.is_empty())))
            .collect()
    };
    Ok(Rule {
        class: Class::parse(&class).ok_or_else(|| format!("{id}: unknown class {class}"))?,
        severity: match severity.as_str() {
            "error" => Severity::Error,
            "warning" => Severity::Warning,
            other => return Err(format!("{id}: unknown severity {other}")),
        },
        kind: toml::Value::Table(raw).try_into().map_err(|error| format!("{id}: {error}"))?,
        id: format!("{}.{id}", table.name),
        text,
        remedy,
        source,
        generated: false,
        example: Example { fires: overrides(example.fires), clean: overrides(example.clean) },
    })
}
