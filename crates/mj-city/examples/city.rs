//! Developer's tool: `city DIR [small|full] [SEED]` writes the demonstration city without starting a server.

use mj_city::{Size, generate};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let dir = args.next().ok_or("usage: city DIR [small|full] [SEED]")?;
    let size = if args.next().as_deref() == Some("full") { Size::Full } else { Size::Small };
    let seed = args.next().map_or(Ok(7), |text| text.parse())?;
    let start = std::time::Instant::now();
    let manifest = generate(dir.as_ref(), size, seed)?;
    for total in &manifest.totals {
        println!(
            "{:24}{:>8} rows{:>7} refused{:>7} duplicate{:>7} superseded",
            total.table, total.rows, total.refused, total.duplicate, total.superseded
        );
    }
    println!(
        "{} files, {} faults, {:.1?}",
        manifest.files.len(),
        manifest.faults.len(),
        start.elapsed()
    );
    Ok(())
}
