//! What departments really hand in: each fault gets a clear message under a stable code, costs no
//! other row, and leaves the stores reconciled.

use std::process::Command;

use serde_json::{Value, json};

use crate::house::{House, Ran, SOURCE, run, text_of};
use crate::rows::{Sheet, inspection, inspections};
use crate::workbook::{Cell, row, workbook};

/// A file, the code that names its fault, and the rows that are read and refused.
struct Bad {
    name: &'static str,
    content: Vec<u8>,
    code: &'static str,
    read: u64,
    refused: u64,
}

fn bad(name: &'static str, content: impl AsRef<[u8]>, code: &'static str) -> Bad {
    Bad { name, content: content.as_ref().to_vec(), code, read: 0, refused: 0 }
}

impl Bad {
    fn rows(self, read: u64, refused: u64) -> Self {
        Self { read, refused, ..self }
    }
}

fn clean(count: u64) -> Sheet {
    inspections(1..count + 1, |_| Vec::new())
}

/// Five inspections of which the third has this value in this column.
fn third(column: &'static str, value: &str) -> Sheet {
    inspections(1..6, |number| match number {
        3 => vec![(column, value.to_owned())],
        _ => Vec::new(),
    })
}

fn text(sheet: &Sheet) -> String {
    String::from_utf8_lossy(sheet.as_ref()).into_owned()
}

/// The same sheet as a workbook whose third row has another cell in this column.
fn as_workbook(column: &str, cell: &Cell<'_>) -> Vec<u8> {
    let table = mj_standard::Standard::v1().table("check_action").expect("a table");
    let filled: Vec<usize> = (0..table.columns.len())
        .filter(|at| !table.columns[*at].envelope && table.sample[*at].is_some())
        .collect();
    let name = |at: &usize| Cell::Text(&table.columns[*at].name);
    let mut rows = row(&filled.iter().map(name).collect::<Vec<_>>());
    for number in 1..6 {
        let own = inspection(number);
        let cells: Vec<Cell<'_>> = filled
            .iter()
            .map(|at| {
                let title = &table.columns[*at].name;
                match cell {
                    Cell::Formula(formula) if number == 3 && title == column => {
                        Cell::Formula(formula)
                    }
                    Cell::Number(digits) if number == 3 && title == column => Cell::Number(digits),
                    _ => {
                        let own = own.iter().find(|(name, _)| name == title);
                        let sample = || table.sample[*at].as_deref().unwrap_or_default();
                        Cell::Text(own.map_or_else(sample, |(_, value)| value))
                    }
                }
            })
            .collect();
        rows.push_str(&row(&cells));
    }
    workbook(&rows)
}

/// A header and then 40 MB of the same row in a few kilobytes.
fn bomb() -> Vec<u8> {
    let header = clean(0);
    let names: Vec<Cell<'_>> = header.header().split(',').map(Cell::Text).collect();
    let filler = row(&[Cell::Text(&"0".repeat(4_000))]);
    workbook(&format!("{}{}", row(&names), filler.repeat(10_000)))
}

fn catalogue() -> Vec<Bad> {
    let header = clean(0);
    let names = header.header();
    let sample = clean(5);
    let two_encodings = {
        let mut bytes = third("check_action_name", "ENCODED").as_ref().to_vec();
        let at = bytes.windows(7).position(|part| part == b"ENCODED").expect("there");
        // 对公司的检查, as a machine with another locale writes it
        bytes.splice(at..at + 7, *b"\xB6\xD4\xB9\xAB\xCB\xBE\xB5\xC4\xBC\xEC\xB2\xE9");
        bytes
    };
    let wide: Vec<String> = (0..10_000).map(|column| format!("c{column}")).collect();
    let swapped = text(&sample)
        .replacen("check_form", "~", 1)
        .replacen("check_date", "check_form", 1)
        .replacen('~', "check_date", 1);
    vec![
        bad("empty.csv", b"", "file.empty"),
        bad("header-only.csv", &header, "file.header_only"),
        bad("wrong-header.csv", "甲,乙,丙\n1,2,3\n", "header.none"),
        bad(
            "no-key.csv",
            text(&sample).replacen("check_date", "date", 1),
            "header.missing_required",
        ),
        bad("header-twice.csv", format!("check_date,{names}\n"), "header.duplicate"),
        bad("binary.csv", (0..=255).cycle().take(4_000).collect::<Vec<u8>>(), "file.binary"),
        bad("two-encodings.csv", two_encodings, "file.encoding_mixed").rows(5, 1),
        bad("formula.xlsx", as_workbook("check_date", &Cell::Formula("TODAY()")), "cell.formula")
            .rows(5, 1),
        bad("bomb.xlsx", bomb(), "file.zip_bomb"),
        bad("wide.csv", format!("{}\n1\n", wide.join(",")), "header.too_many_columns"),
        bad("long-row.csv", third("check_action_name", &"长".repeat(3_500_000)), "row.too_long")
            .rows(5, 1),
        bad("31-february.csv", third("check_date", "2025-02-31"), "check_action.check_date.date")
            .rows(5, 1),
        bad("swapped.csv", swapped, "header.swapped").rows(5, 5),
        bad(
            "float-code.csv",
            third("supervise_item_implement_code", "3.1010001000001E+13"),
            "check_action.supervise_item_implement_code.code",
        )
        .rows(5, 1),
        bad(
            "rounded-code.xlsx",
            as_workbook("administrative_cp_ui_code", &Cell::Number("3.7040219850703E+17")),
            "cell.number_precision",
        )
        .rows(5, 1),
        bad("unknown-code.csv", third("check_result", "77"), "check_action.check_result.list")
            .rows(5, 1),
        bad(
            "one-officer.csv",
            third("check_personnel", "张三"),
            "check_action.check_personnel.two_officers",
        )
        .rows(5, 1),
    ]
}

fn said(report: &Value, code: &str) -> Value {
    let issues = report["issues"].as_array().expect("issues");
    let found = issues.iter().find(|issue| issue["rule"] == code);
    found.unwrap_or_else(|| panic!("no {code} in {:?}", report["by_rule"])).clone()
}

#[test]
fn every_fault_is_named_before_anything_is_sent() {
    let house = House::bare();
    for case in catalogue() {
        let file = house.file(case.name, &case.content);
        let ran = run(&["check", "table", "check_action", text_of(&file), "--json"]);
        let report = ran.json();
        let issue = said(&report, case.code);
        assert_eq!(ran.code, 1, "{}: {}", case.name, report["by_rule"]);
        assert_eq!(
            (&report["rows"]["read"], &report["rows"]["refused"]),
            (&json!(case.read), &json!(case.refused)),
            "{}: {}",
            case.name,
            report["by_rule"]
        );
        for key in ["reason", "remedy"] {
            let words = issue[key].as_str().expect("a text");
            assert!(words.chars().filter(|c| !c.is_ascii()).count() > 4, "{}: {issue}", case.name);
        }
        // a cell that could not be read is not missing besides
        let missing = report["by_rule"].as_object().expect("rules").keys();
        let missing: Vec<_> = missing.filter(|rule| rule.ends_with(".required")).collect();
        assert!(missing.is_empty() || case.refused == 5, "{}: {missing:?}", case.name);
        if case.refused == 1 {
            assert_eq!((&issue["row"], &issue["line"]), (&json!(3), &json!(4)), "{issue}");
        }
        if case.read == 0 {
            assert_eq!(issue["class"], "00", "{issue}");
        }
    }
}

#[test]
fn every_fault_leaves_the_house_reconciled() {
    let house = House::furnished();
    house.import_clean("check_action", "good.csv", clean(5));
    for (number, case) in catalogue().into_iter().enumerate() {
        let ran = house.import("check_action", &house.file(case.name, &case.content));
        assert_eq!(ran.code, 1, "{}: {} {}", case.name, ran.out, ran.err);
        let batch = ran.json();
        let counts = counted(&batch);
        assert_eq!(
            (counts["front"], counts["error"]),
            (case.read as i64, case.refused as i64),
            "{batch}"
        );
        assert_eq!(batch["state"], "settled", "{batch}");
        assert!(
            batch["by_class"].as_object().is_some_and(|classes| !classes.is_empty()),
            "{batch}"
        );
        if case.read == 0 {
            let message = batch["message"].as_str().unwrap_or_default();
            assert!(
                message.chars().filter(|c| !c.is_ascii()).count() > 4,
                "{}: {batch}",
                case.name
            );
        }
        if number % 6 == 5 {
            house.is_clean();
        }
    }
    house.is_clean();
}

/// The counts of a batch, which must add up.
pub fn counted(batch: &Value) -> std::collections::BTreeMap<String, i64> {
    let counts: std::collections::BTreeMap<String, i64> = batch["counts"]
        .as_object()
        .unwrap_or_else(|| panic!("no counts: {batch}"))
        .iter()
        .map(|(name, count)| (name.clone(), count.as_i64().expect("a number")))
        .collect();
    let names: Vec<&str> = counts.keys().map(String::as_str).collect();
    assert_eq!(names, ["correct", "duplicate", "error", "front", "pending", "superseded"]);
    assert_eq!(
        counts["front"] * 2,
        counts.values().sum::<i64>(),
        "front is the sum of the rest: {batch}"
    );
    counts
}

#[test]
fn what_can_be_no_delivery_is_refused_at_the_door() {
    let house = House::furnished();
    let before = house.digest();
    let good = house.file("good.csv", clean(2));
    let refused = |ran: Ran, words: &str| {
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
        assert!(ran.err.contains(words), "{}", ran.err);
    };
    let good = text_of(&good);
    refused(house.run(&["import", "check_action", good, "--source", "nobody"]), "nobody");
    refused(house.run(&["import", "check_actions", good, "--source", "370400"]), "check_actions");
    refused(
        house.run(&["import", "check_action", "/nowhere/a.csv", "--source", "370400"]),
        "/nowhere/a.csv",
    );
    refused(house.run(&["import", "check_action", good]), "--source");
    refused(house.run(&["import", "check_action", good, "--source", "370400-push"]), "渠道");
    let huge = house.file("huge.csv", b"");
    let file = std::fs::File::options().write(true).open(&huge).expect("opened");
    // sparse: takes no room on the disk
    file.set_len((2 << 30) + 1).expect("grown");
    refused(house.import("check_action", &huge), "2 GiB");
    let checked = house.check("check_action", &huge);
    assert_eq!((checked.code, &checked.json()["by_rule"]["file.too_large"]), (1, &json!(1)));
    assert_eq!(house.digest(), before);
    house.is_clean();
}

#[test]
fn an_item_cancelled_before_the_behaviour_cannot_be_cited() {
    let house = House::furnished();
    house.import_clean("supervise_item", "items.csv", Sheet::of("supervise_item", &[]).row(&[]));
    let cancelled = Sheet::of("supervise_subitem", &[]).row(&[("cancel_date", "2025-06-18")]);
    house.import_clean("supervise_subitem", "subitems.csv", cancelled);
    let acts = inspections(1..3, |number| {
        let day = if number == 1 { "2025-06-17" } else { "2025-06-18" };
        vec![("check_date", day.to_owned())]
    });
    let ran = house.import("check_action", &house.file("acts.csv", acts));
    let batch = ran.json();
    assert_eq!((ran.code, counted(&batch)["error"]), (1, 1), "{batch}");
    assert_eq!(batch["by_class"]["03"], 1, "{batch}");
    house.is_clean();
}

#[test]
fn a_disk_that_fills_up_is_told_and_what_was_there_stays_whole() {
    let house = House::furnished();
    house.import_clean("check_action", "before.csv", clean(20));
    let file = house.file("after.csv", inspections(20..2_600, |_| Vec::new()));
    let whole = {
        let untroubled = house.copy();
        assert_eq!(untroubled.import("check_action", &file).code, 0);
        untroubled.digest()
    };
    let mut refused = 0;
    // no file may grow beyond so many blocks of 512 bytes: what a full disk does to a writer
    for blocks in [8, 64, 512, 1_200] {
        let house = house.copy();
        let shell = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let inner = house.command(&["import", "check_action", text_of(&file), "--source", SOURCE]);
        let mut outer = Command::new("sh");
        outer.arg("-c").arg(shell).arg(inner.get_program()).args(inner.get_args());
        outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let ran: Ran = outer.output().expect("a shell").into();
        if ran.code == 0 {
            break;
        }
        refused += 1;
        assert_eq!(ran.code, 3, "{blocks}: {} {}", ran.out, ran.err);
        assert!(!ran.err.is_ascii(), "{blocks}: {}", ran.err);
        house.is_clean();
        let again = house.import("check_action", &file);
        assert_eq!((again.code, counted(&again.json())["front"]), (0, 2_580), "{}", again.err);
        assert_eq!(house.digest(), whole, "{blocks}");
        house.is_clean();
    }
    assert!(refused > 0, "nothing ever filled up");
}

/// A small file system of its own, where whoever runs the tests may mount one; gone when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn of(megabytes: u64) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let size = format!("size={megabytes}m");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path());
        let mounted = mount.stderr(std::process::Stdio::null()).status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_disk_that_is_really_full_refuses_the_load_and_goes_on_when_there_is_room() {
    let Some(disk) = SmallDisk::of(24) else {
        eprintln!("not run: a small disk can be mounted by root only");
        return;
    };
    let house = House::furnished().on(disk.0.path());
    house.import_clean("check_action", "before.csv", clean(20));
    let file = house.file("after.csv", inspections(20..6_000, |_| Vec::new()));
    let filler = disk.0.path().join("filler");
    // on PostgreSQL only the files lie on this disk
    fill(&filler, if house.database.is_some() { 32 << 10 } else { 512 << 10 });
    let ran = house.import("check_action", &file);
    assert_eq!(ran.code, 3, "{} {}", ran.out, ran.err);
    assert!(!ran.err.is_ascii(), "{}", ran.err);
    std::fs::remove_file(&filler).expect("room again");
    // a disk as small as this is worth a word, but nothing is wrong with the data
    let reconciled = || {
        let said = house.run(&["doctor"]);
        assert_eq!(said.out.lines().count(), 1, "{}", said.out);
        assert!(said.out.starts_with("注意\t磁盘\t"), "{}", said.out);
    };
    reconciled();
    let again = house.import("check_action", &file);
    assert_eq!((again.code, counted(&again.json())["front"]), (0, 5_980), "{}", again.err);
    reconciled();
    let untroubled = House::furnished();
    untroubled.import_clean("check_action", "before.csv", clean(20));
    assert_eq!(untroubled.import("check_action", &file).code, 0);
    assert_eq!(house.digest(), untroubled.digest());
}

/// Writes until the disk takes no more, and gives a little back: a start still fits, a load does not.
fn fill(path: &std::path::Path, back: u64) {
    use std::io::Write;
    let mut file = std::fs::File::create(path).expect("made");
    let mut written = 0_u64;
    while file.write_all(&[0; 64 << 10]).is_ok() {
        written += 64 << 10;
    }
    file.set_len(written.saturating_sub(back)).expect("some room");
}
