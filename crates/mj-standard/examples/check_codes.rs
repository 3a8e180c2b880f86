//! Developer's tool: `check_codes KIND < values > verdicts`, the same judgement as `mingjian check codes` without
//! building the whole server. Prints lines and seconds on stderr.

use mj_standard::register::check_codes;
use std::io::{BufWriter, stdin, stdout};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let kind = args.next().ok_or("usage: check_codes KIND [--normalize]")?.parse()?;
    let mend = args.next().as_deref() == Some("--normalize");
    let today = chrono::Local::now().date_naive();
    let start = std::time::Instant::now();
    let summary = check_codes(kind, today, mend, stdin().lock(), BufWriter::new(stdout().lock()))?;
    eprintln!("{} lines, {} refused, {:.2?}", summary.lines, summary.bad, start.elapsed());
    Ok(())
}
