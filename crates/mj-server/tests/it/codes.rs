//! `mingjian check codes`: an integrator pipes a column of codes through it.

use crate::house::{run, run_with};

fn check(kind: &str, more: &[&str], input: &str) -> (i32, Vec<Vec<String>>) {
    let mut args = vec!["check", "codes", "--kind", kind];
    args.extend(more);
    let ran = run_with(&args, input.as_bytes());
    let lines = ran.out.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect();
    (ran.code, lines)
}

#[test]
fn every_line_gets_exactly_one_answer_in_its_place() {
    let (code, lines) = check("uscc", &[], "91350100M000100Y43\n\n91350100M000100Y44\nab\tc\n");
    assert_eq!(code, 1);
    let verdicts: Vec<(&str, &str)> =
        lines.iter().map(|line| (line[0].as_str(), line[1].as_str())).collect();
    assert_eq!(verdicts[0], ("91350100M000100Y43", "ok"));
    assert_eq!(verdicts[1], ("", "empty"));
    assert_eq!(verdicts[2], ("91350100M000100Y44", "uscc.check_digit"));
    assert_eq!(verdicts[3].0, "ab\\tc");
    assert_eq!(lines.len(), 4);
    assert!(lines.iter().all(|line| line.len() == 3), "{lines:?}");
}

#[test]
fn strict_unless_told_to_mend_first() {
    let typed = "９１３５０１００ｍ０００１００ｙ４３\n";
    let (strict, lines) = check("uscc", &[], typed);
    assert_eq!((strict, lines[0][1] != "ok"), (1, true));
    let (mended, lines) = check("uscc", &["--normalize"], typed);
    assert_eq!((mended, lines[0][1].as_str()), (0, "ok"));
}

#[test]
fn a_retired_division_is_judged_on_its_day() {
    assert_eq!(check("division", &["--on", "2018-01-01"], "410728\n").0, 0);
    let (code, lines) = check("division", &["--on", "2024-01-01"], "410728\n");
    assert_eq!((code, lines[0][1].as_str()), (1, "division.retired"));
    assert!(lines[0][2].contains("410783"), "the successor is named: {}", lines[0][2]);
}

#[test]
fn wrong_usage_is_not_wrong_data() {
    assert_eq!(run(&["check", "codes", "--kind", "phone"]).code, 2);
    assert_eq!(run(&["check", "codes", "--kind", "uscc", "/nowhere/at/all"]).code, 2);
    assert_eq!(run(&["check", "codes", "--kind", "uscc", "--on", "2024-02-31"]).code, 2);
}
