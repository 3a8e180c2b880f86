//! Whatever moment `import` is killed at: the stores reconcile, and importing again ends as if
//! nothing had happened.

use std::time::{Duration, Instant};

use crate::bad_input::counted;
use crate::house::{House, SOURCE, cut_short, text_of};
use crate::rows::{Sheet, citizen, inspections};

/// More rows than stay in the database, some wrong, some of persons, some twice.
fn large() -> Sheet {
    let mut sheet = inspections(0..3_000, |number| match number % 97 {
        0 => vec![("check_date", "2025-02-31".to_owned())],
        1 => vec![
            ("administrative_cp_na", "01".to_owned()),
            ("administrative_cp_ce_type", "111".to_owned()),
            ("administrative_cp_ui_code", citizen(number)),
            ("administrative_cp", "欧阳建国".to_owned()),
            ("supervise_object", "欧阳建国".to_owned()),
        ],
        2 => vec![("check_personnel", "张三".to_owned())],
        _ => vec![("administrative_cp_ui_code", crate::rows::uscc(number % 700))],
    });
    for number in [500_u64, 1_500, 2_500] {
        let own = crate::rows::inspection(number);
        let own: Vec<(&str, &str)> =
            own.iter().map(|(name, text)| (*name, text.as_str())).collect();
        sheet.push(&own);
    }
    sheet
}

#[test]
fn an_import_killed_anywhere_and_run_again_ends_as_if_nothing_had_happened() {
    let house = House::furnished();
    let file = house.file("large.csv", large());
    let file = text_of(&file);
    let import = ["import", "check_action", file, "--source", SOURCE];
    let untroubled = house.copy();
    let since = Instant::now();
    let done = untroubled.run(&import);
    let takes = since.elapsed();
    assert_eq!(done.code, 1, "{} {}", done.out, done.err);
    let (batch, digest) = (done.json(), untroubled.digest());
    assert_eq!(counted(&batch)["front"], 3_003, "{batch}");
    untroubled.is_clean();

    let kills = if std::env::var("MJ_LONG").is_ok_and(|long| long == "1") { 20 } else { 6 };
    let mut random = Random::new();
    let mut victim = house.copy();
    let mut hit = 0;
    for number in 0..kills {
        let after = random.below(takes);
        let ended = cut_short(victim.command(&import), after);
        hit += usize::from(!ended);
        let say = format!("kill {number} after {after:?} of {takes:?}, seed {}", random.seed);
        let looked = victim.run(&["doctor"]);
        assert_eq!((looked.code, looked.out.as_str()), (0, "正常\n"), "{say}: {}", looked.err);
        // every other time the next kill meets what the last one left
        if ended || number % 2 == 1 || number + 1 == kills {
            let again = victim.run(&import);
            assert_eq!(again.code, 1, "{say}: {}", again.err);
            assert_eq!(again.json()["counts"], batch["counts"], "{say}");
            assert_eq!(victim.digest(), digest, "{say}");
            victim.is_clean();
            victim = house.copy();
        }
    }
    assert!(hit * 2 >= kills, "only {hit} of {kills} kills hit the import under way");
}

/// A moment somewhere in a stretch of time; the seed is told when a test fails.
struct Random {
    seed: u64,
    state: u64,
}

impl Random {
    fn new() -> Self {
        let seed = u64::from_be_bytes(mj_platform::gm::random()) | 1;
        Self { seed, state: seed }
    }

    fn below(&mut self, all: Duration) -> Duration {
        // xorshift: evenly spread is all that is asked of it
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        all.mul_f64((self.state % 10_000) as f64 / 10_000.0)
    }
}
