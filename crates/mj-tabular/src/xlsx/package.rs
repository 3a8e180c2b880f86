//! The package around a sheet: which part is the first visible sheet, which dates its workbook counts
//! from, and where each part's bytes stand in the file.

use std::io::{BufReader, Seek, SeekFrom};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use zip::CompressionMethod;
use zip::ZipArchive;

use super::inflate::{Budget, Inflated, Part};
use super::strings::SharedStrings;
use super::styles::Styles;
use super::{io_error, xml_error};
use crate::error::TableError;
use crate::finding::Finding;
use crate::reader::Options;
use crate::source::{Counted, read_capped};

/// Parts that are read whole (list of sheets, relations, styles).
const SMALL_PART: u64 = 16 << 20;
const MAX_PARTS: usize = 20_000;

pub(super) struct Package {
    pub source: BufReader<Counted>,
    pub sheet: Part,
    pub strings: SharedStrings,
    pub styles: Styles,
    pub date1904: bool,
    pub budget: Budget,
    pub notes: Vec<Finding>,
}

struct Directory {
    parts: Vec<(String, Part)>,
}

impl Directory {
    fn get(&self, name: &str) -> Option<Part> {
        // Some writers spell part names with other case or a leading slash.
        let name = name.trim_start_matches('/');
        self.parts.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, part)| *part)
    }
}

/// Reads everything of the package but the sheet.
pub(super) fn open(counted: Counted, total: u64, options: &Options) -> Result<Package, TableError> {
    let mut archive = ZipArchive::new(BufReader::new(counted))
        .map_err(|_| Finding::damaged("压缩包目录读不出来"))?;
    if archive.len() > MAX_PARTS {
        return Err(Finding::zip_bomb(&format!("压缩包里有 {} 个文件", archive.len())).into());
    }
    let mut parts = Vec::new();
    let mut declared = 0u64;
    for index in 0..archive.len() {
        let Ok(file) = archive.by_index_raw(index) else {
            continue;
        };
        declared = declared.saturating_add(file.size());
        let (Ok(name), Some(start)) = (file.name(), file.data_start()) else {
            continue;
        };
        let deflated = match file.compression() {
            CompressionMethod::Stored => false,
            CompressionMethod::Deflated => true,
            _ => continue,
        };
        if file.encrypted() {
            continue;
        }
        let part = Part {
            start,
            compressed: file.compressed_size().min(total.saturating_sub(start)),
            deflated,
            crc: file.crc32(),
        };
        parts.push((name.trim_start_matches('/').replace('\\', "/"), part));
    }
    if declared > options.max_inflated {
        return Err(Finding::zip_bomb(&format!("解压后将达到 {} MB", declared >> 20)).into());
    }
    let mut source = archive.into_inner();
    let directory = Directory { parts };
    let mut budget = Budget { inflated: options.max_inflated, ratio: options.max_ratio };
    let Some(workbook) = directory.get("xl/workbook.xml") else {
        return Err(not_a_workbook(&directory).into());
    };
    let workbook = parse_workbook(&small(&mut source, workbook, &mut budget, "工作表清单")?)?;
    let relations = match directory.get("xl/_rels/workbook.xml.rels") {
        Some(part) => parse_relations(&small(&mut source, part, &mut budget, "关系清单")?)?,
        None => Vec::new(),
    };
    let Some(first) = workbook.sheets.iter().find(|s| s.visible).or(workbook.sheets.first()) else {
        return Err(Finding::damaged("没有工作表").into());
    };
    let target = relations
        .iter()
        .find(|(id, _)| *id == first.relation)
        .map_or("worksheets/sheet1.xml", |(_, target)| target);
    let path = match target.strip_prefix('/') {
        Some(absolute) => absolute.to_owned(),
        None => format!("xl/{target}"),
    };
    let Some(sheet) = directory.get(&path) else {
        return Err(Finding::damaged(&format!("缺少工作表“{}”的内容", first.name)).into());
    };
    let styles = match directory.get("xl/styles.xml") {
        Some(part) => Styles::parse(&small(&mut source, part, &mut budget, "样式")?)?,
        None => Styles::default(),
    };
    let strings = match directory.get("xl/sharedStrings.xml") {
        Some(part) => {
            source.seek(SeekFrom::Start(part.start))?;
            let (strings, produced) =
                SharedStrings::read(Inflated::new(&mut source, part, budget), options)?;
            budget.inflated = budget.inflated.saturating_sub(produced);
            strings
        }
        None => SharedStrings::default(),
    };
    let ignored = workbook.sheets.iter().filter(|s| s.visible).count();
    let notes = match ignored {
        0 | 1 => Vec::new(),
        n => vec![Finding::other_sheets(&first.name, n - 1)],
    };
    source.seek(SeekFrom::Start(sheet.start))?;
    Ok(Package { source, sheet, strings, styles, date1904: workbook.date1904, budget, notes })
}

fn not_a_workbook(directory: &Directory) -> Finding {
    let has = |name: &str| directory.get(name).is_some();
    let (what, remedy) = if has("word/document.xml") {
        (" Word 文档", "请把表格复制到 Excel 另存为 .xlsx 后上传")
    } else if has("xl/workbook.bin") {
        ("二进制工作簿（.xlsb）", "请用 Excel 或 WPS 另存为 .xlsx 后上传")
    } else if has("content.xml") {
        (" ODS 表格", "请用 Excel 或 WPS 另存为 .xlsx 后上传")
    } else {
        ("压缩包（其中没有 Excel 工作簿）", "请解压后上传里面的数据表")
    };
    Finding::binary(what, remedy)
}

fn small(
    source: &mut BufReader<Counted>,
    part: Part,
    budget: &mut Budget,
    what: &str,
) -> Result<Vec<u8>, TableError> {
    source.seek(SeekFrom::Start(part.start))?;
    let inflated = Inflated::new(source, part, *budget);
    let (bytes, more) = read_capped(std::io::BufReader::new(inflated), SMALL_PART)
        .map_err(|e| io_error(e, what))?;
    if more {
        return Err(Finding::zip_bomb(&format!("{what}超过 {} MB", SMALL_PART >> 20)).into());
    }
    budget.inflated = budget.inflated.saturating_sub(bytes.len() as u64);
    Ok(bytes)
}

struct SheetEntry {
    name: String,
    relation: String,
    visible: bool,
}

struct Workbook {
    sheets: Vec<SheetEntry>,
    date1904: bool,
}

/// Calls `element` for each start tag of a small part.
pub(super) fn each_element(
    xml: &[u8],
    what: &str,
    mut element: impl FnMut(&BytesStart<'_>),
) -> Result<(), TableError> {
    let mut reader = Reader::from_reader(xml);
    let mut buf = Vec::new();
    loop {
        buf.clear();
        match reader.read_event_into(&mut buf) {
            Ok(Event::Start(e) | Event::Empty(e)) => element(&e),
            Ok(Event::Eof) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(xml_error(error, what)),
        }
    }
}

/// An attribute by its local name, unescaped.
pub(super) fn attribute(element: &BytesStart<'_>, local: &str) -> Option<String> {
    let mut attributes = element.attributes();
    attributes.with_checks(false).flatten().find_map(|a| {
        let matches = a.key.local_name().as_ref() == local;
        matches.then(|| {
            quick_xml::escape::unescape(&a.value).map_or_else(|_| a.value.to_string(), Into::into)
        })
    })
}

fn parse_workbook(xml: &[u8]) -> Result<Workbook, TableError> {
    let mut workbook = Workbook { sheets: Vec::new(), date1904: false };
    each_element(xml, "工作表清单", |e| match e.local_name().as_ref() {
        "workbookPr" => {
            workbook.date1904 =
                matches!(attribute(e, "date1904").as_deref(), Some("1" | "true" | "on"));
        }
        "sheet" => workbook.sheets.push(SheetEntry {
            name: attribute(e, "name").unwrap_or_default(),
            relation: attribute(e, "id").unwrap_or_default(),
            visible: attribute(e, "state").is_none_or(|s| s == "visible"),
        }),
        _ => {}
    })?;
    Ok(workbook)
}

fn parse_relations(xml: &[u8]) -> Result<Vec<(String, String)>, TableError> {
    let mut relations = Vec::new();
    each_element(xml, "关系清单", |e| {
        if e.local_name().as_ref() == "Relationship"
            && let (Some(id), Some(target)) = (attribute(e, "Id"), attribute(e, "Target"))
        {
            relations.push((id, target));
        }
    })?;
    Ok(relations)
}
