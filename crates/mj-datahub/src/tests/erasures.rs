//! A person's key is destroyed: what deliveries still said of the person goes with it.

use mj_kernel::Actor;
use mj_platform::keys::{Keys, persons};
use mj_platform::{Act, WriteTx};

use super::*;
use crate::store::error_row::{Filter, list_raw};
use crate::{Batch, BatchState, forget, mend};

const NEIGHBOUR: &str = "37040219850703001X";

fn visit(number: usize, citizen: &str, day: &str) -> Vec<(&'static str, String)> {
    vec![
        ("check_action_code", format!("J-{number:05}")),
        ("check_document_code", format!("文书{number}号")),
        ("administrative_cp_na", "01".into()),
        ("administrative_cp_ce_type", "111".into()),
        ("administrative_cp_ui_code", citizen.into()),
        ("administrative_cp", "欧阳建国".into()),
        ("supervise_object", "欧阳建国".into()),
        ("check_date", day.into()),
    ]
}

fn file_of(rows: &[Vec<(&'static str, String)>]) -> File {
    let besides = ["administrative_cp_na", "administrative_cp_ce_type"];
    let mut file = File::of("check_action", &besides);
    for row in rows {
        let row: Vec<(&str, &str)> =
            row.iter().map(|(name, text)| (*name, text.as_str())).collect();
        file.push(&row);
    }
    file
}

/// The person's key destroyed, as `mingjian keys erase` does it with the node stopped, and a new start.
async fn destroy(world: &mut World, citizen: &str) -> Vec<forget::Naming> {
    let said = forget::naming(&world.hub, citizen, |_, _| {}).await.expect("looked through");
    assert_eq!(said.unreadable, 0);
    let found = said.naming;
    let folder = world.kit.folder.path().join("keys");
    let subject = world.kit.keys().lookup("citizen_id", citizen);
    let act = Act::new(&Actor::system("test"), "keys.person.destroy", "person").because("申请");
    let besides = async |keys: &Keys, tx: &mut WriteTx| {
        let doomed = forget::forget(&world.hub, keys, tx, &found, citizen).await;
        doomed.map_err(|error| mj_platform::Error::Other(error.to_string()))
    };
    persons::destroy(&folder, world.kit.db(), false, act, &subject, besides).await.expect("gone");
    forget::sweep(&world.hub).await.expect("swept");
    world.hub = open(&world.kit).await;
    found
}

async fn kept(world: &World, batch: &Batch) -> mj_platform::Result<Box<dyn std::io::Read + Send>> {
    world.kit.blobs().read(world.kit.db(), &batch.blob_id).await
}

async fn delivered(world: &World, batch: &Batch) -> Vec<Option<Vec<Option<String>>>> {
    let filter = Filter { limit: 100, ..Filter::default() };
    let rows = list_raw(world.kit.db(), &batch.id, &filter).await.expect("listed");
    let mut cells = Vec::new();
    for (row, raw) in rows {
        cells.push(mend::open(&world.hub, batch, row.row, &raw).await.expect("asked"));
    }
    cells
}

#[tokio::test]
async fn a_delivered_file_that_names_an_erased_person_goes_and_its_other_refused_rows_stay() {
    let mut world = World::new().await;
    let good = "2026-03-02";
    let mixed = file_of(&[
        visit(1, CITIZEN, good),
        visit(2, NEIGHBOUR, good),
        visit(3, CITIZEN, "2026-02-31"),
        visit(4, NEIGHBOUR, "2026-02-31"),
    ]);
    let batch = world.import("check_action", "mixed.csv", &mixed).await.batch;
    assert_eq!((batch.counts.correct, batch.counts.error), (2, 2));
    let apart = file_of(&[visit(5, NEIGHBOUR, good), visit(6, NEIGHBOUR, "2026-02-31")]);
    let other = world.import("check_action", "apart.csv", &apart).await.batch;
    let mut written = String::new();
    std::io::Read::read_to_string(&mut kept(&world, &batch).await.expect("there"), &mut written)
        .expect("read");
    assert!(written.contains(CITIZEN), "so far the file says it");
    assert_eq!(delivered(&world, &batch).await.iter().flatten().count(), 2);
    assert_eq!(forget::under_way(&world.hub).await.expect("counted"), 0);

    let found = destroy(&mut world, CITIZEN).await;
    assert_eq!(found.len(), 1, "one delivery names the person");
    assert!(kept(&world, &batch).await.is_err(), "the file cannot be read");
    let files = |at: &World| walk(&at.kit.folder.path().join("blobs"));
    assert_eq!(files(&world), 1, "and is gone from the disk");
    kept(&world, &other).await.expect("the other is there");
    let cells = delivered(&world, &batch).await;
    assert!(cells[0].is_none(), "the person's refused row says nothing");
    let row = cells[1].as_ref().expect("the neighbour's does");
    assert!(row.iter().flatten().any(|cell| cell == NEIGHBOUR));
    assert_eq!(delivered(&world, &other).await.iter().flatten().count(), 1);
    assert!(mend::marked_sheet(&world.hub, &batch).await.expect("a sheet").starts_with(b"PK"));
    let gone = mend::mended_row(&world.hub, &batch, 3, &Default::default()).await;
    assert!(matches!(gone, Err(crate::Error::RowErased)));
    world.reconciles().await;
    assert_eq!(mj_platform::db::door::census(world.kit.db()).await.expect("counted"), []);

    // the same again finds nothing
    assert_eq!(destroy(&mut world, CITIZEN).await.len(), 0);
    // the neighbour's refused row outlived the file: it goes with the neighbour, and so does the key it lay under
    let (_, raw) = list_raw(world.kit.db(), &batch.id, &Filter { limit: 9, ..Filter::default() })
        .await
        .expect("listed")
        .pop()
        .expect("the neighbour's");
    let lay_under = mj_platform::keys::sealed_text(&raw).and_then(mj_platform::keys::key_id);
    let lay_under = lay_under.expect("a key").to_owned();
    assert_eq!(destroy(&mut world, NEIGHBOUR).await.len(), 2, "both deliveries name the neighbour");
    assert_eq!(delivered(&world, &batch).await.iter().flatten().count(), 0);
    assert_eq!(delivered(&world, &other).await.iter().flatten().count(), 0);
    let sql = "SELECT COUNT(*) FROM data_key WHERE id = $1";
    assert_eq!(world.kit.db().count(sql, &[lay_under.as_str().into()]).await.expect("counted"), 0);
    assert_eq!(files(&world), 0);
    world.reconciles().await;

    // and the same bytes may be delivered anew
    let file = world.write("again.csv", &mixed);
    let import = Import {
        table: "check_action",
        file: &file,
        cd_source: SOURCE,
        cd_batch: Some("2026112000077"),
        portion: Portion::Delta,
    };
    let again = world.hub.import_file(&import, None).await.expect("taken").batch;
    assert_eq!(again.state, BatchState::Settled);
    kept(&world, &again).await.expect("kept under a new key");
    assert_eq!(delivered(&world, &again).await.iter().flatten().count(), 2);
    world.reconciles().await;
}

fn walk(folder: &std::path::Path) -> usize {
    let entries =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("one").path());
    entries.map(|path| if path.is_dir() { walk(&path) } else { 1 }).sum()
}
