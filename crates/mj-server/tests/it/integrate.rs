//! docs/integrate.md as an integrator follows it: what it prints in its grey boxes is run as it stands.

use std::process::Command;

use serde_json::{Value, json};

use crate::house::{House, Ran, SOURCE, furnished};

const GUIDE: &str = include_str!("../../../../docs/integrate.md");

/// The first box of a language below a heading.
fn example(heading: &str, language: &str) -> String {
    let section = GUIDE.split(&format!("\n## {heading}\n")).nth(1).expect("the heading");
    let section = section.split("\n## ").next().expect("a section");
    let code = section.split(&format!("```{language}\n")).nth(1).expect("an example");
    code.split("\n```").next().expect("its end").to_owned()
}

/// Runs it in a folder of its own with the token of the department's system.
fn run(house: &House, mut program: Command, port: u16) -> Ran {
    let folder = house.data().join("..").join(format!("example-{}", mj_platform::new_id()));
    std::fs::create_dir(&folder).expect("a folder");
    let token = furnished().source.text();
    program
        .current_dir(folder)
        .env("BASE", format!("http://127.0.0.1:{port}"))
        .env("SOURCE", SOURCE)
        .env("TOKEN", token);
    program.output().expect("it starts").into()
}

fn batches(node: &crate::house::Node<'_>) -> Vec<Value> {
    let list = node.door.get(&furnished().operator, "/api/v1/datahub/batches").expect(200);
    list["items"].as_array().expect("batches").clone()
}

#[test]
fn the_curl_example_pushes_a_batch() {
    let house = House::furnished();
    let node = house.serve();
    let mut shell = Command::new("sh");
    shell.arg(house.file("push.sh", example("curl", "sh")));
    let ran = run(&house, shell, node.door.port());
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    // an example that is refused teaches nothing
    assert!(ran.out.contains("\"correct\":1"), "{}", ran.out);
    assert!(ran.out.contains("\"items\":[]"), "{}", ran.out);
    assert_eq!(batches(&node).len(), 1);
    assert!(node.stop().success());
    house.is_clean();
}

#[test]
fn the_python_example_pushes_follows_and_reads_what_was_wrong() {
    let house = House::furnished();
    let node = house.serve();
    let script = house.file("push.py", example("Python", "python"));
    let mut python = Command::new("python3");
    // nothing but the standard library
    python.args(["-I", "-S"]).arg(&script);
    let ran = run(&house, python, node.door.port());
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    let counts: Value =
        serde_json::from_str(ran.out.lines().next().expect("counts")).expect("JSON");
    assert_eq!((&counts["correct"], &counts["error"]), (&json!(1), &json!(1)), "{}", ran.out);
    assert!(ran.out.contains("check_date"), "{}", ran.out);
    assert_eq!(batches(&node).len(), 1);
    assert!(node.stop().success());
    house.is_clean();
}

#[test]
fn the_java_example_compiles_and_pushes_where_there_is_a_jdk() {
    let jdk = Command::new("javac").arg("-version").output();
    if !jdk.is_ok_and(|output| output.status.success()) {
        eprintln!("not run: no JDK");
        return;
    }
    let house = House::furnished();
    let node = house.serve();
    let source = house.file("Push.java", example("Java", "java"));
    let row = crate::rows::pushed(1, &[]);
    let rows = house.file("rows.json", json!([row]).to_string());
    let mut java = Command::new("java");
    java.arg(&source).arg(&rows);
    let ran = run(&house, java, node.door.port());
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    assert!(ran.out.contains("\"correct\":1"), "{}", ran.out);
    assert!(node.stop().success());
}
