//! Measurements: `bench_file ROWS OUT.csv [many]` writes one large `check_action` file and says what is in it;
//! `OUT.spec.json` beside it is for tools/reference.py.

use mj_city::{RATES, Subjects, bench_file, reference_spec};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const USAGE: &str = "usage: bench_file ROWS OUT.csv [many]";
    let mut args = std::env::args().skip(1);
    let rows: u64 = args.next().ok_or(USAGE)?.parse()?;
    let out = std::path::PathBuf::from(args.next().ok_or(USAGE)?);
    let subjects = match args.next().as_deref() {
        None => Subjects::City,
        Some("many") => Subjects::Many,
        Some(_) => return Err(USAGE.into()),
    };
    let scratch = out.with_extension("city");
    let told = bench_file(rows, subjects, &out, &scratch)?;
    std::fs::remove_dir_all(&scratch)?;
    std::fs::write(out.with_extension("spec.json"), reference_spec()?.to_string())?;
    let bytes = std::fs::metadata(&out)?.len();
    println!(
        "rows {}  bytes {bytes}  bytes/row {}  subjects {}  rows about natural persons {}",
        told.rows,
        bytes / told.rows.max(1),
        told.subjects,
        told.persons
    );
    for ((what, _), planted) in RATES.iter().zip(told.planted) {
        println!("  {:7.3} %  {what}", planted as f64 * 100.0 / told.rows.max(1) as f64);
    }
    Ok(())
}
