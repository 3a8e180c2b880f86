//! `mingjian mappings FILE --source S`: a whole list of a department system's own item codes at once.

use std::path::Path;

use chrono::NaiveDate;
use mj_kernel::Actor;
use mj_platform::Act;
use mj_tabular::{Options, RowBuf, TableReader};

use crate::check;
use crate::cli::{Failure, Outcome};
use crate::node::{Node, lock};

const COLUMNS: [&str; 4] = ["local_code", "item_code", "valid_from", "valid_to"];

/// Numbered rows, each with a cell for every column asked for.
pub type Rows = Vec<(u64, Vec<Option<String>>)>;

/// The rows of a table file by these columns, of which the first `needed` must be there: (number, cells). The node
/// must stand still.
pub fn rows_of(
    file: &Path,
    data_dir: &Path,
    columns: &[&str],
    needed: usize,
) -> Result<Rows, Failure> {
    check::open(file)?;
    if !data_dir.is_dir() {
        return Err(Failure::Usage(format!("没有数据目录 {}", data_dir.display())));
    }
    if lock(data_dir)?.is_none() {
        return Err(Failure::Usage(
            "节点正在运行：请在工作台登记，或调用接口；成批登记请先停止节点".into(),
        ));
    }
    let unreadable = |error: mj_tabular::TableError| match error.finding() {
        Some(finding) => Failure::Usage(format!("{}。{}", finding.reason, finding.remedy)),
        None => Failure::broken(error),
    };
    let mut reader = TableReader::open_path(file, &Options::default()).map_err(unreadable)?;
    let place = |name: &&str| reader.header().iter().position(|title| title.trim() == *name);
    let places: Vec<Option<usize>> = columns.iter().map(place).collect();
    let missing = columns.iter().zip(&places).take(needed).find(|(_, place)| place.is_none());
    if let Some((missing, _)) = missing {
        return Err(Failure::Usage(format!(
            "缺少列 {missing}；表头应为 {}（后两列可以没有）",
            columns.join(",")
        )));
    }
    let mut rows = Vec::new();
    let mut row = RowBuf::new();
    while reader.next_into(&mut row).map_err(unreadable)? {
        let cells: Vec<Option<&str>> = row.cells().collect();
        let cell = |place: &Option<usize>| {
            let text = place.and_then(|place| *cells.get(place)?).map(str::trim);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        rows.push((row.row(), places.iter().map(cell).collect()));
    }
    Ok(rows)
}

pub async fn run(file: &Path, source: &str, data_dir: &Path) -> Result<Outcome, Failure> {
    let rows = rows_of(file, data_dir, &COLUMNS, 2)?;
    let node = Node::open(data_dir, None).await?;
    let registered = "SELECT COUNT(*) FROM hub_source WHERE cd_source = $1";
    if node.db.count(registered, &[source.into()]).await? == 0 {
        node.db.close().await;
        return Err(Failure::Usage(format!("没有登记过数据来源“{source}”")));
    }
    let (mut entered, mut refused) = (0, 0);
    for (number, cells) in rows {
        let cell = |at: usize| cells[at].as_deref();
        let judged = async {
            let local = cell(0).ok_or("没有本地编码")?;
            let item = cell(1).ok_or("没有监管事项目录编码")?;
            let from = day(cell(2))?.unwrap_or(FIRST);
            let to = day(cell(3))?;
            let object = format!("catalog_mapping:{source}");
            let act = Act::new(&Actor::system("command"), "catalog.mapping.create", object);
            let entered =
                node.domains.catalog.map_local_code(act, source, local, item, from, to).await;
            entered.map_err(|error| error.to_string())
        };
        match judged.await {
            Ok(_) => entered += 1,
            Err::<String, String>(why) => {
                refused += 1;
                println!("{number}\t{why}");
            }
        }
    }
    node.db.close().await;
    eprintln!("登记 {entered} 条，未登记 {refused} 条（行号和原因见上）");
    Ok(Outcome::clean_if(refused == 0))
}

/// 0001-01-01: since always.
const FIRST: NaiveDate = match NaiveDate::from_ymd_opt(1, 1, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

pub fn day(text: Option<&str>) -> Result<Option<NaiveDate>, String> {
    let read = |text: &str| {
        NaiveDate::parse_from_str(&text.replace('/', "-"), "%Y-%m-%d")
            .map_err(|_| format!("“{text}”不是日期，应如 2025-01-01"))
    };
    text.map(read).transpose()
}
