//! Whatever moment the machine is killed at: the batch runs again and the outcome is the same.

use super::*;
use crate::Counts;

/// More rows than stay hot, in more than one chunk, some wrong, some of persons.
pub fn large() -> File {
    let mut file = File::of("check_action", &[]);
    for number in 0..2_300_u64 {
        let code = format!("J-{number:05}");
        let document = format!("文书{number}号");
        let subject = uscc(number % 700);
        let mut row = vec![
            ("check_action_code", code.as_str()),
            ("check_document_code", document.as_str()),
            ("administrative_cp_ui_code", subject.as_str()),
        ];
        match number % 97 {
            0 => row.push(("check_date", "2026-02-31")),
            1 => row.extend([
                ("administrative_cp_na", "01"),
                ("administrative_cp_ce_type", "111"),
                ("administrative_cp_ui_code", CITIZEN),
                ("administrative_cp", "欧阳建国"),
            ]),
            2 => row.push(("administrative_cp_ui_code", "91350100M000100Y44")),
            _ => {}
        }
        file.push(&row);
    }
    file
}

/// Kills after so many polls each, then lets the batch run. At least `real` kills must have hit it
/// under way.
async fn after_kills(bytes: &[u8], steps: &[usize], real: usize) -> (Counts, String) {
    let mut world = World::new().await;
    let mut killed = 0;
    let path = world.write("large.csv", bytes);
    let import = Import {
        table: "check_action",
        file: &path,
        cd_source: SOURCE,
        cd_batch: None,
        portion: Portion::Delta,
    };
    for polls in steps {
        if cut(world.hub.import_file(&import, None), *polls).await.is_some() {
            break;
        }
        killed += 1;
        // nothing in memory survives a kill
        world.hub = open(&world.kit).await;
    }
    let done = world.hub.import_file(&import, None).await.expect("runs to its end");
    assert!(killed >= real, "only {killed} of {} kills hit the load", steps.len());
    world.reconciles().await;
    (done.batch.counts, world.digest().await)
}

#[tokio::test]
async fn a_load_killed_anywhere_and_run_again_ends_as_if_nothing_had_happened() {
    let file = large();
    let (counts, digest) = after_kills(file.bytes(), &[], 0).await;
    assert_eq!((counts.front, counts.error), (2_300, 48));
    assert!(counts.reconcile());
    let kills: [&[usize]; 3] = [&[1, 3, 7, 13], &[17, 20, 23, 26], &[29, 32, 35, 38]];
    for steps in kills {
        assert_eq!(
            after_kills(file.bytes(), steps, 3).await,
            (counts, digest.clone()),
            "{steps:?}"
        );
    }
}

#[tokio::test]
async fn a_small_load_killed_at_every_step_ends_the_same() {
    let mut file = File::of("check_action", &[]);
    for number in 0..6_u64 {
        let (code, subject) = (format!("J-{number}"), uscc(number));
        let mut row = vec![
            ("check_action_code", code.as_str()),
            ("check_document_code", code.as_str()),
            ("administrative_cp_ui_code", subject.as_str()),
        ];
        if number == 3 {
            row.push(("check_date", "2026-02-31"));
        }
        file.push(&row);
    }
    let (counts, digest) = after_kills(file.bytes(), &[], 0).await;
    let every: Vec<usize> = (1..80).step_by(2).collect();
    assert_eq!(after_kills(file.bytes(), &every, 10).await, (counts, digest));
}
