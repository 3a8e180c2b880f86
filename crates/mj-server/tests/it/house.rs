//! The binary under test, and a data directory of its own on the database under test.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

pub fn mingjian(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mingjian"));
    command.args(args).env_remove("MINGJIAN_DATA_DIR").env_remove("MINGJIAN_DATABASE_URL");
    command
}

pub fn run(args: &[&str]) -> Ran {
    mingjian(args).output().expect("the binary starts").into()
}

/// Runs with `input` on standard input.
pub fn run_with(args: &[&str], input: &[u8]) -> Ran {
    let mut child = mingjian(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("the binary ends");
    let _ = writer.join();
    output.into()
}

#[allow(dead_code)]
pub fn file(folder: &Path, name: &str, text: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("written");
    path
}
