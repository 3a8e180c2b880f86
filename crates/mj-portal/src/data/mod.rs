//! Open data: what is public and about no natural person, as whole files that a job makes once a
//! day, each with its fields, size, digest and day. Written and served as streams, so that a city's
//! million rows need no memory.

mod build;
pub mod pages;
mod writer;

use mj_platform::DbRow;
use mj_platform::{RowExt, Value};

use crate::Portal;
use crate::error::{Error, Result};

/// The job that makes all files anew.
pub const BUILD: &str = "build_open_data";

/// A column of a dataset: its name in the files and what it says.
pub struct Column {
    pub name: &'static str,
    pub title: &'static str,
}

const fn column(name: &'static str, title: &'static str) -> Column {
    Column { name, title }
}

/// Where the rows come from.
pub enum Source {
    /// A query with `{after}` (the last id, for going on) and `{today}`; columns by their names.
    Rows(&'static str),
    /// Visible rows of a fact table; columns by the names of the standard. Only rows about bodies
    /// with a unified code.
    Facts {
        table: &'static str,
        /// The column that holds the code of whoever it is about.
        code: &'static str,
        /// Columns that must be empty: a row that has one no longer stands.
        ended: &'static [&'static str],
    },
}

pub struct Dataset {
    pub id: &'static str,
    pub title: &'static str,
    pub about: &'static str,
    pub columns: &'static [Column],
    pub source: Source,
}

const ITEMS: &str = "SELECT id, item_code, main_code, kind, name, admin_type, levels, \
    department_name, legal_basis, state, list_version, valid_from FROM catalog_item \
    WHERE id > {after} AND valid_from <= {today} AND valid_to > {today} ORDER BY id LIMIT 1000";
const IMPLEMENTATIONS: &str = "SELECT id, inventory_code, item_code, body_code, body_name, \
    exercise_level, is_random, area_number, state, list_version, valid_from \
    FROM catalog_implementation \
    WHERE id > {after} AND valid_from <= {today} AND valid_to > {today} ORDER BY id LIMIT 1000";
const AGENCIES: &str = "SELECT id, uscc, name, short_name, area_number, line, nature, parent \
    FROM agency WHERE id > {after} AND valid_from <= {today} AND valid_to > {today} \
    ORDER BY id LIMIT 1000";
const ENTITIES: &str = "SELECT id, register_no, uscc, name, kind, area_number, status FROM party \
    WHERE id > {after} AND merged_into IS NULL AND kind IN ('enterprise','organization') \
    AND uscc IS NOT NULL AND valid_from <= {today} ORDER BY id LIMIT 1000";

pub const DATASETS: [Dataset; 8] = [
    Dataset {
        id: "supervision-items",
        title: "监管事项目录清单",
        about: "今日有效的监管事项主项和子项，及其设定依据、实施层级。",
        columns: &[
            column("item_code", "事项编码"),
            column("main_code", "主项编码"),
            column("kind", "层次：main 主项，sub 子项"),
            column("name", "事项名称"),
            column("admin_type", "行政行为类型代码"),
            column("levels", "行使层级代码"),
            column("department_name", "主管部门"),
            column("legal_basis", "设定依据"),
            column("state", "状态：in_use 在用，suspended 暂停"),
            column("list_version", "清单版本"),
            column("valid_from", "本版生效日期"),
        ],
        source: Source::Rows(ITEMS),
    },
    Dataset {
        id: "implementation-lists",
        title: "检查实施清单",
        about: "今日有效的检查实施清单：哪个机关实施哪个监管事项的检查。",
        columns: &[
            column("inventory_code", "实施清单编码"),
            column("item_code", "监管事项编码"),
            column("body_code", "实施机关统一社会信用代码"),
            column("body_name", "实施机关名称"),
            column("exercise_level", "行使层级代码"),
            column("is_random", "是否双随机抽查"),
            column("area_number", "行政区划代码"),
            column("state", "状态：in_use 在用，suspended 暂停"),
            column("list_version", "清单版本"),
            column("valid_from", "本版生效日期"),
        ],
        source: Source::Rows(IMPLEMENTATIONS),
    },
    Dataset {
        id: "agencies",
        title: "监管部门名录",
        about: "在本平台登记的监管部门。",
        columns: &[
            column("uscc", "统一社会信用代码"),
            column("name", "名称"),
            column("short_name", "简称"),
            column("area_number", "行政区划代码"),
            column("line", "部门条线代码"),
            column("nature", "主体性质"),
            column("parent", "上级部门统一社会信用代码"),
        ],
        source: Source::Rows(AGENCIES),
    },
    Dataset {
        id: "market-entities",
        title: "企业和其他组织名录",
        about: "有统一社会信用代码的企业、非企业法人和其他组织；不含个体工商户和自然人，不含任何个人姓名。",
        columns: &[
            column("register_no", "本平台登记编号，可用来打开公示页面 /parties/{登记编号}"),
            column("uscc", "统一社会信用代码"),
            column("name", "名称"),
            column("kind", "类型：enterprise 企业，organization 非企业法人和其他组织"),
            column("area_number", "行政区划代码"),
            column("status", "登记状态"),
        ],
        source: Source::Rows(ENTITIES),
    },
    Dataset {
        id: "inspections",
        title: "对企业的行政检查结果",
        about: "以企业和其他组织为对象的行政检查，一次检查一行；不含检查人员姓名，不含个体工商户和自然人。",
        columns: &[
            column("check_date", "检查日期"),
            column("supervise_item_implement_code", "监管事项编码"),
            column("implement_institution_code", "检查机关统一社会信用代码"),
            column("implement_institution", "检查机关"),
            column("administrative_cp_ui_code", "检查对象统一社会信用代码"),
            column("administrative_cp", "检查对象名称"),
            column("area_number", "行政区划代码"),
            column("check_form", "检查形式"),
            column("check_type", "检查类别"),
            column("check_mode", "检查方式"),
            column("check_result", "检查结果"),
            column("check_document_code", "检查文书号"),
        ],
        source: Source::Facts {
            table: "check_action",
            code: "administrative_cp_ui_code",
            ended: &[],
        },
    },
    Dataset {
        id: "penalties",
        title: "对企业的行政处罚决定",
        about: "以企业和其他组织为对象、仍在公示期内的行政处罚，一件决定一行；不含违法事实等可能涉及个人的文字，不含个体工商户和自然人。",
        columns: &[
            column("set_date", "处罚决定日期"),
            column("supervise_item_code", "监管事项编码"),
            column("implement_institution_code", "处罚机关统一社会信用代码"),
            column("implement_institution", "处罚机关"),
            column("administrative_cp_ui_code", "被处罚单位统一社会信用代码"),
            column("administrative_cp", "被处罚单位名称"),
            column("area_number", "行政区划代码"),
            column("punish_document_code", "处罚决定书文号"),
            column("punish_type", "处罚种类"),
            column("fine", "罚款金额（元）"),
        ],
        source: Source::Facts {
            table: "punish_action",
            code: "administrative_cp_ui_code",
            ended: &[],
        },
    },
    Dataset {
        id: "abnormal-list",
        title: "经营异常名录",
        about: "现在仍在经营异常名录上的企业；已移出的不列。",
        columns: &[
            column("uscc", "统一社会信用代码"),
            column("ent_name", "企业名称"),
            column("put_date", "列入日期"),
            column("put_reason_code", "列入原因"),
            column("put_authority", "列入决定机关"),
            column("doc_no", "列入文号"),
        ],
        source: Source::Facts {
            table: "abnormal_list",
            code: "uscc",
            ended: &["is_move", "remove_date"],
        },
    },
    Dataset {
        id: "serious-breach-list",
        title: "严重违法失信名单",
        about: "现在仍在严重违法失信名单上的企业；已移出的不列。",
        columns: &[
            column("uscc", "统一社会信用代码"),
            column("ent_name", "企业名称"),
            column("put_date", "列入日期"),
            column("dishonesty_type", "失信类型"),
            column("put_authority", "列入决定机关"),
            column("doc_no", "列入文号"),
            column("expire_date", "届满日期"),
        ],
        source: Source::Facts {
            table: "serious_illegal_list",
            code: "uscc",
            ended: &["remove_date"],
        },
    },
];

pub fn dataset(id: &str) -> Option<&'static Dataset> {
    DATASETS.iter().find(|set| set.id == id)
}

/// One of the two files of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Its name below the data folder.
    pub file: String,
    pub bytes: i64,
    pub sha256: String,
}

/// What is offered of a dataset at present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    pub id: String,
    pub rows: i64,
    pub built_at: i64,
    pub csv: FileEntry,
    pub json: FileEntry,
}

fn read(row: &DbRow) -> mj_platform::Result<Built> {
    let file = |kind: &str| -> mj_platform::Result<FileEntry> {
        Ok(FileEntry {
            file: row.text(&format!("{kind}_file"))?,
            bytes: row.int(&format!("{kind}_bytes"))?,
            sha256: row.text(&format!("{kind}_sha256"))?,
        })
    };
    Ok(Built {
        id: row.text("id")?,
        rows: row.int("row_count")?,
        built_at: row.int("built_at")?,
        csv: file("csv")?,
        json: file("json")?,
    })
}

impl Portal {
    pub(crate) async fn built(&self) -> Result<Vec<Built>> {
        let rows = self.db.fetch_all("SELECT * FROM portal_dataset ORDER BY id", &[]).await?;
        Ok(rows.iter().map(read).collect::<mj_platform::Result<_>>()?)
    }

    pub(crate) async fn built_of(&self, id: &str) -> Result<Option<Built>> {
        if dataset(id).is_none() {
            return Ok(None);
        }
        let args: [Value; 1] = [id.into()];
        let row =
            self.db.fetch_optional("SELECT * FROM portal_dataset WHERE id = $1", &args).await?;
        Ok(row.as_ref().map(read).transpose()?)
    }

    /// Under which terms the files may be used, as configured; nothing is made up.
    pub(crate) fn licence(&self) -> String {
        match (&self.site.own.licence, self.site.demo) {
            (Some(licence), _) => licence.clone(),
            (None, true) => "演示数据，内容均为虚构，可任意使用".into(),
            (None, false) => "使用许可由发布单位另行公布；使用时请注明来源和数据日期".into(),
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Platform(mj_platform::Error::Other(format!("开放数据文件：{error}")))
    }
}
