//! The messages that docs/operate.md explains are messages the program says: an operator searches the
//! page for the words on the screen.

use std::fs;

use crate::{root, sources};

/// Fragments of a quoted message between what differs each time: `…`, numbers, addresses.
fn fragments(message: &str) -> Vec<String> {
    let chinese =
        |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c) || "，。：；（）、“”".contains(c);
    let parts = message.split(|c| !chinese(c)).map(|part| part.trim_matches(['，', '：']));
    parts.filter(|part| part.chars().count() >= 3).map(str::to_owned).collect()
}

#[test]
fn every_message_that_the_table_of_symptoms_explains_is_one_the_program_says() {
    let page = fs::read_to_string(root().join("docs/operate.md")).expect("docs/operate.md");
    let table = page.split("## Symptom, cause, fix").nth(1).expect("the table");
    let mut said: String = sources().into_iter().map(|(_, text)| text).collect();
    // a text in code is broken over lines with a backslash
    said = said.split("\\\n").map(str::trim_start).collect();
    let mut messages = 0;
    let mut unknown = Vec::new();
    for line in table.lines().filter(|line| line.starts_with("| ")) {
        let symptom = line.split(" | ").next().unwrap_or_default();
        for message in symptom.split('`').skip(1).step_by(2) {
            for fragment in fragments(message) {
                messages += 1;
                if !said.contains(&fragment) {
                    unknown.push(format!("{fragment} ({message})"));
                }
            }
        }
    }
    assert!(messages > 10, "only {messages} messages");
    assert!(unknown.is_empty(), "nobody says: {}", unknown.join("; "));
}

#[test]
fn what_differs_each_time_is_left_out() {
    assert_eq!(fragments("端口 8600 已被占用"), ["已被占用"]);
    assert_eq!(
        fragments("数据目录 … 正由另一个明鉴进程使用"),
        ["数据目录", "正由另一个明鉴进程使用"]
    );
    assert!(fragments("datahub.batch_conflict").is_empty());
}
