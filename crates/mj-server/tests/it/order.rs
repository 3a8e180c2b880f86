//! Inserts, changes and deletions of the same records, delivered in any order, end the same.

use crate::house::House;
use crate::rows::{Sheet, inspection};

/// Three records with a history each; the newest `cd_time` decides.
fn histories() -> Vec<Sheet> {
    let step = |number: u64, time: &str, operation: &str, result: &str| {
        let id = format!("A-{number}");
        let mut row = vec![
            ("cd_id", id.as_str()),
            ("cd_time", time),
            ("cd_operation", operation),
            ("check_result", result),
        ];
        let own = inspection(number);
        row.extend(own.iter().map(|(name, text)| (*name, text.as_str())));
        Sheet::of("check_action", &["cd_id", "cd_time", "cd_operation"]).row(&row)
    };
    vec![
        step(1, "2025-07-01 08:00:00", "i", "01"),
        step(1, "2025-07-02 08:00:00", "u", "02"),
        step(1, "2025-07-03 08:00:00", "d", "02"),
        step(2, "2025-07-01 08:00:00", "i", "01"),
        step(2, "2025-07-02 08:00:00", "d", "01"),
        step(2, "2025-07-03 08:00:00", "u", "03"),
    ]
}

#[test]
fn the_order_of_arrival_does_not_show_in_what_is_known() {
    let steps = histories();
    let mut ends = Vec::new();
    for order in [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [2, 4, 0, 5, 1, 3]] {
        let house = House::furnished();
        for at in order {
            let batch = house.import_clean("check_action", &format!("{at}.csv"), &steps[at]);
            assert_eq!(crate::bad_input::counted(&batch)["front"], 1);
        }
        house.is_clean();
        ends.push(house.digest());
    }
    assert_eq!(ends[0], ends[1]);
    assert_eq!(ends[0], ends[2]);
}
