//! The product against the slow, obviously right reference (tools/reference.py) on 10,000 rows.

use std::process::Command;

use serde_json::json;

use super::*;

const ROWS: u64 = 10_000;
const AREAS: [&str; 6] = ["370402", "370403", "370404", "370405", "370406", "370481"];

/// What the reference needs to know of the table: data, no judgement of ours.
fn specification(table: &Table) -> serde_json::Value {
    let columns: Vec<serde_json::Value> = table
        .columns
        .iter()
        .map(|column| {
            let codes: Option<Vec<&str>> = column
                .code_list
                .as_ref()
                .map(|list| list.entries.iter().map(|entry| entry.code.as_str()).collect());
            json!({
                "name": column.name,
                "title": column.title,
                "type": column.ty.name(),
                "max_len": column.max_len,
                "required": column.required,
                "default": column.default_in_files.is_some(),
                "multi": column.multi,
                "codes": codes,
            })
        })
        .collect();
    json!({
        "columns": columns,
        "natural_key": table.natural_key,
        "business_key": table.business_key,
        "areas": AREAS,
    })
}

/// A small generator of its own: the same numbers on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn department_file() -> File {
    let mut file =
        File::of("check_action", &["cd_id", "cd_time", "cd_operation", "submitted_date"]);
    let mut dice = Dice(20_261_120);
    for number in 0..ROWS {
        // every record comes up a few times, with other contents and in any order of time
        let record = dice.below(ROWS * 2 / 3);
        let subject = uscc(dice.below(900));
        let day = format!("2026-0{}-{:02}", 1 + dice.below(9), 1 + dice.below(28));
        let time = format!("2026-10-{:02} {:02}:00:00", 1 + dice.below(28), dice.below(24));
        let (id, code) = (format!("R-{record}"), format!("J-{record}"));
        let result = format!("0{}", 1 + dice.below(3));
        let area = AREAS[dice.below(6) as usize];
        let operation = ["i", "i", "u", "u", "u", "d"][dice.below(6) as usize];
        let mut row: Vec<(&str, &str)> = vec![
            ("cd_id", &id),
            ("cd_time", &time),
            ("cd_operation", operation),
            ("submitted_date", "2026-10-30"),
            ("check_action_code", &code),
            ("check_document_code", &code),
            ("administrative_cp_ui_code", &subject),
            ("check_date", &day),
            ("check_result", &result),
            ("area_number", area),
        ];
        let spaced = format!(" {} ", subject.to_lowercase());
        let twin = format!("R-twin-{number}");
        let slashed = day.replace('-', "/");
        row.push(match number % 40 {
            0 => ("administrative_cp_ui_code", "91350100M000100Y44"),
            1 => ("check_date", "2026-02-31"),
            2 => ("check_personnel", "张三"),
            3 => ("check_result", "77"),
            4 => ("area_number", "999999"),
            5 => ("check_date", "2027-01-01"),
            6 => ("plan_id", ""),
            7 => ("supervise_item_check_icode", "12370400494500012B331010001000001"),
            8 => ("cd_time", "2026-11-20 10:30:00"),
            9 => ("administrative_cp_ce_type", "099"),
            10 => ("check_action_name", ""),
            // and what must be mended, not refused
            11 => ("administrative_cp_ui_code", &spaced),
            12 => ("check_date", &slashed),
            13 => ("check_personnel", "张三；李四"),
            14 => ("check_form", "０１"),
            _ => ("check_type", "01"),
        });
        // now and then a row comes again as it was, or under another number
        match number % 23 {
            7 => file.push(&row),
            11 => {
                file.push(&row);
                row.push(("cd_id", &twin));
                row.push(("check_action_code", &twin));
                row.push(("cd_operation", "i"));
                file.push(&row);
            }
            _ => {}
        }
        file.push(&row);
    }
    file
}

#[tokio::test]
async fn ten_thousand_rows_count_as_the_reference_counts_them() {
    let world = World::new().await;
    let file = department_file();
    let batch = world.import("check_action", "department.csv", &file).await.batch;
    let table = world.hub.table("check_action").expect("a table");
    let specification = world.write("spec.json", specification(table).to_string());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/reference.py");
    let output = Command::new("python3")
        .arg(script)
        .arg(&specification)
        .arg(world.kit.folder.path().join("department.csv"))
        .args(["--source", SOURCE, "--now", "2026-11-20 10:00:00"])
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) if std::env::var("MJ_REQUIRE").is_err() => {
            eprintln!("not run: python3 is not here ({error})");
            return;
        }
        Err(error) => panic!("python3: {error}"),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let expected: serde_json::Value = serde_json::from_slice(&output.stdout).expect("counts");
    let counts = batch.counts;
    assert_eq!(
        json!({
            "front": counts.front,
            "correct": counts.correct,
            "error": counts.error,
            "duplicate": counts.duplicate,
            "superseded": counts.superseded,
        }),
        expected,
        "{:?}",
        batch.by_rule
    );
    assert!(counts.superseded > 100 && counts.duplicate > 100 && counts.error > 1_000);
    world.reconciles().await;
}
