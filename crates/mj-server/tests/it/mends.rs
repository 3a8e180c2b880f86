//! A department gets its own sheet back with the bad cells marked, mends them there and hands the sheet
//! in again (docs/datahub.md).

use std::io::Cursor;

use mj_tabular::{Options, RowBuf, TableReader};
use serde_json::json;

use crate::bad_input::counted;
use crate::house::{House, SOURCE, furnished};
use crate::rows::inspections;
use crate::workbook::{Cell, row, workbook};

const BATCHES: &str = "/api/v1/datahub/batches";

/// Header and rows of a workbook, the two columns of ours included.
fn read(bytes: &[u8]) -> (Vec<String>, Vec<Vec<String>>) {
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).expect("a workbook");
    let places = 0..zip.len();
    let names: Vec<String> = places
        .map(|at| zip.by_index(at).expect("an entry").name().expect("a name").into_owned())
        .collect();
    assert!(names.iter().any(|name| name.contains("comments")), "bad cells say why: {names:?}");
    let options = Options::default();
    let mut reader = TableReader::open(Box::new(Cursor::new(bytes.to_vec())), &options)
        .expect("our own sheet can be read");
    let header = reader.header().to_vec();
    let mut rows = Vec::new();
    let mut buffer = RowBuf::new();
    while reader.next_into(&mut buffer).expect("a row") {
        let mut cells: Vec<String> =
            buffer.cells().map(|cell| cell.unwrap_or_default().to_owned()).collect();
        cells.resize(header.len(), String::new());
        // the reader leaves our column out and keeps its number beside the row
        cells.push(buffer.original_row().expect("the row it was").to_string());
        rows.push(cells);
    }
    (header, rows)
}

#[test]
fn the_marked_sheet_is_mended_handed_in_again_and_the_old_errors_are_settled() {
    let house = House::furnished();
    let people = furnished();
    let bad = inspections(1..9, |number| match number {
        3 => vec![("check_date", "2025-02-31".to_owned())],
        5 => vec![("check_result", "77".to_owned())],
        7 => vec![("check_personnel", "张三".to_owned())],
        _ => Vec::new(),
    });
    let first = house.import("check_action", &house.file("checks.csv", bad));
    assert_eq!(first.code, 1, "{}", first.err);
    let batch = first.json();
    let (id, counts) = (batch["batch_id"].as_str().expect("an id").to_owned(), counted(&batch));
    assert_eq!((counts["correct"], counts["error"]), (5, 3));
    let node = house.serve();
    let href = format!("{BATCHES}/{id}");
    let sheet = node.door.get(&people.operator, &format!("{href}/errors.xlsx"));
    assert_eq!(sheet.status, 200);
    let (header, rows) = read(&sheet.body);
    assert_eq!(rows.len(), 3, "only what was refused");
    let column = |name: &str| {
        let table = mj_standard::Standard::v1().table("check_action").expect("a table");
        let title = &table.column(name).expect("a column").title;
        let place = header.iter().position(|one| one == name || one == title);
        place.unwrap_or_else(|| panic!("{name} is not in {header:?}"))
    };
    // the clerk mends two of the three, in the sheet itself
    let mut names: Vec<Cell<'_>> = header.iter().map(|name| Cell::Text(name)).collect();
    names.push(Cell::Text("_原行号"));
    let mut text = row(&names);
    for mut cells in rows {
        let original = cells.last().expect("the row it was").clone();
        match original.as_str() {
            "3" => cells[column("check_date")] = "2025-06-17".to_owned(),
            "5" => cells[column("check_result")] = "01".to_owned(),
            "7" => {}
            other => panic!("row {other} was not refused"),
        }
        let cells: Vec<Cell<'_>> = cells.iter().map(|cell| Cell::Text(cell)).collect();
        text.push_str(&row(&cells));
    }
    let mended = workbook(&text);
    let send = |mends: &str, key: &str| {
        let path = format!("{BATCHES}/file?table=check_action&cd_source={SOURCE}&mends={mends}");
        node.door.ask("POST", &people.operator, &path, &[("idempotency-key", key)], &mended)
    };
    let answer = send(&id, "mend-1").expect(202);
    let settled = node.door.settled(&people.operator, answer["href"].as_str().expect("an address"));
    let counts = counted(&settled);
    assert_eq!((counts["front"], counts["correct"], counts["error"]), (3, 2, 1), "{settled}");
    assert_eq!(settled["mends_batch"], json!(id), "{settled}");
    // the old batch keeps its counts; its errors say which are mended
    let old = node.door.get(&people.operator, &href).expect(200);
    assert_eq!(old["counts"], batch["counts"]);
    let states = |state: &str| {
        let path = format!("{href}/errors?state={state}&limit=50");
        let list = node.door.get(&people.operator, &path).expect(200);
        let items = list["items"].as_array().expect("rows").clone();
        items.iter().map(|item| item["row"].as_i64().expect("a number")).collect::<Vec<_>>()
    };
    assert_eq!((states("mended"), states("open")), (vec![3, 5], vec![7]));
    // the sheet that is left holds the third alone
    let left = node.door.get(&people.operator, &format!("{href}/errors.xlsx"));
    assert_eq!(read(&left.body).1.len(), 1);
    let again = send(&id, "mend-1");
    assert_eq!(again.header("idempotency-replayed"), "true");
    let stranger = send("0197a2b4-0000-7000-8000-000000000000", "mend-2");
    assert_eq!(stranger.status, 404, "{}", stranger.text());
    assert!(node.stop().success());
    house.is_clean();
}
