//! How long a large load takes, printed rather than judged: `MJ_FACTS_ROWS=1000000 cargo test
//! --release -p mj-facts a_large_load -- --nocapture`. In the suite it is small and only has to be right.

use std::fmt::Write as _;
use std::time::Instant;

use crate::{At, ColumnKind, ColumnSpec, Columns, FactIn, Filter, Op, TableSpec};

use super::{Store, everything};

const COLUMNS: usize = 40;

fn wide() -> TableSpec {
    let columns = (0..COLUMNS)
        .map(|number| match number {
            0 => ColumnSpec::text("document_no").distinct(),
            1 => ColumnSpec::text("sealed").distinct(),
            2 => ColumnSpec::new("amount", ColumnKind::Int),
            3 => ColumnSpec::new("day", ColumnKind::Date),
            _ => ColumnSpec::text(format!("column_{number}")),
        })
        .collect();
    TableSpec { name: "wide".into(), standard_version: "1.0".into(), columns }
}

/// Values like those of a behaviour table: a few distinct a column, some of 20,000, some unique.
fn fill(values: &mut [Option<String>], number: u64) {
    for (column, value) in values.iter_mut().enumerate() {
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(column as u32);
        let text = value.get_or_insert_with(String::new);
        text.clear();
        let _ = match column {
            0 => write!(text, "鲁枣检字〔2026〕第{number:07}号"),
            1 => write!(text, "~1.{mixed:016x}{:016x}", mixed.rotate_left(17)),
            2 => write!(text, "{}", mixed % 100_000),
            3 => write!(text, "2026-{:02}-{:02}", mixed % 12 + 1, mixed % 28 + 1),
            4..=7 => write!(text, "滕州市某某有限公司第{}分公司", mixed % 20_000),
            8..=15 => write!(text, "第{}号事项检查结果说明", mixed % 500),
            _ => write!(text, "代码{:02}", mixed % 12),
        };
    }
}

#[test]
fn a_large_load_is_settled_row_for_row() {
    let rows: u64 =
        std::env::var("MJ_FACTS_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(6_000);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut world = runtime.block_on(Store::new());
    let spec = wide();
    for round in 0..2 {
        let started = Instant::now();
        let mut stage = runtime.block_on(world.store.stage(&spec, "b")).expect("stage");
        let mut values = vec![None; COLUMNS];
        let mut filling = std::time::Duration::ZERO;
        for number in 0..rows {
            let before = Instant::now();
            fill(&mut values, number);
            let (cd_id, business) = (format!("R{number:012}"), format!("B{}", number / 2 * 2));
            filling += before.elapsed();
            let row = FactIn {
                cd_source: "370400-001",
                cd_id: &cd_id,
                cd_time: 1,
                op: Op::Upsert,
                mention: Some((number % 300_000) as i64),
                // every tenth behaviour was delivered twice
                business_key: Some(if number % 20 == 1 { &business } else { &cd_id }),
                content: u128::from(number),
                area: Some(if number % 3 == 0 { "370402" } else { "370481" }),
                agency: Some("11370400MB2843900X"),
                event_date: Some(20_000 + (number % 365) as i32),
                values: &values,
                norm: None,
                row: number as u32,
            };
            stage.push(&row).expect("pushed");
        }
        let pushed = started.elapsed();
        let staged = stage.finish().expect("durable");
        let finished = started.elapsed();
        let receipt = runtime.block_on(async {
            let mut tx = crate::store::begin(world.kit.db(), "test.load").await.expect("begin");
            let receipt = world.store.commit(staged, &mut tx).await.expect("committed");
            tx.commit().await.expect("done");
            receipt
        });
        let committed = started.elapsed();
        println!(
            "round {round}: {rows} rows, test data {filling:?}, pushed {:?}, finished {:?}, \
             committed {:?}, index {} MB, peak {}",
            pushed - filling,
            finished - filling,
            committed - filling,
            world.store.memory_bytes() >> 20,
            peak()
        );
        assert_eq!(receipt.rows(), rows);
        assert_eq!(receipt.duplicate, if round == 0 { 0 } else { rows });
    }
    let bytes: u64 = std::fs::read_dir(world.kit.folder.path().join("segments/wide"))
        .expect("a folder")
        .map(|file| file.expect("a file").metadata().expect("its size").len())
        .sum();
    let started = Instant::now();
    runtime.block_on(world.reopen());
    let now = runtime.block_on(world.store.snapshot(&spec, At::Latest)).expect("snapshot");
    let opened = started.elapsed();
    assert_eq!(now.count(&everything()), rows);
    let mut seen = 0;
    let mut length = 0;
    now.scan(Columns::All, &Filter::default(), &everything(), &mut |view| {
        seen += 1;
        length +=
            (0..COLUMNS).map(|column| view.value(column).map_or(0, |v| v.len())).sum::<usize>();
        Ok(())
    })
    .expect("scanned");
    assert_eq!(seen, rows);
    let scanned = started.elapsed();
    let one = now.by_key("370400-001", "R000000000777", &everything()).expect("read");
    assert_eq!(one.map(|row| row.row.segment() > 0), Some(rows > 2000));
    println!(
        "files {} MB of {} MB text, opened {opened:?}, scanned {:?}, one row {:?}, peak {}",
        bytes >> 20,
        length >> 20,
        scanned - opened,
        started.elapsed() - scanned,
        peak()
    );
}

fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    line.unwrap_or_default().split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
}
