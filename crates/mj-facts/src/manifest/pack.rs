//! How the manifest writes down lists: row numbers of a mark, and when a hot row was hidden or shown.

pub(super) fn flips_text(flips: &[(u64, bool)]) -> String {
    flips.iter().map(|(pos, hidden)| format!("{pos}{}", if *hidden { 'h' } else { 's' })).collect()
}

pub(super) fn parse_flips(text: &str) -> Vec<(u64, bool)> {
    text.split_inclusive(['h', 's'])
        .filter_map(|part| {
            let (pos, kind) = part.split_at(part.len().checked_sub(1)?);
            Some((pos.parse().ok()?, kind == "h"))
        })
        .collect()
}

/// Row numbers in ascending order as differences, 7 bits a byte; times likewise if asked for.
pub(super) fn pack(rows: &[(u32, i64)], with_times: bool) -> Vec<u8> {
    let mut rows = rows.to_vec();
    rows.sort_unstable();
    let mut bytes = Vec::with_capacity(rows.len() * 2);
    let mut put = |mut number: u64| {
        while number >= 0x80 {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
    };
    let (mut last_row, mut last_time) = (0, 0_i64);
    for (row, time) in rows {
        put(u64::from(row - last_row));
        last_row = row;
        if with_times {
            let step = time.wrapping_sub(last_time);
            put((step << 1 ^ step >> 63) as u64);
            last_time = time;
        }
    }
    bytes
}

pub(super) fn unpack(bytes: &[u8], with_times: bool) -> Option<Vec<(u32, i64)>> {
    let mut rest = bytes.iter();
    let mut take = || -> Option<Option<u64>> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let Some(byte) = rest.next() else {
                return if shift == 0 { Some(None) } else { None };
            };
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(Some(number));
            }
        }
        None
    };
    let mut rows = Vec::new();
    let (mut row, mut time) = (0_u32, 0_i64);
    while let Some(step) = take()? {
        row = row.checked_add(u32::try_from(step).ok()?)?;
        if with_times {
            let step = take()??;
            time = time.wrapping_add((step >> 1) as i64 ^ -((step & 1) as i64));
        }
        rows.push((row, if with_times { time } else { 0 }));
    }
    Some(rows)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn marks_come_back_as_they_went_in(
            rows in prop::collection::btree_map(any::<u32>(), any::<i64>(), 0..50),
            with_times: bool,
        ) {
            let rows: Vec<(u32, i64)> =
                rows.into_iter().map(|(row, time)| (row, if with_times { time } else { 0 })).collect();
            prop_assert_eq!(unpack(&pack(&rows, with_times), with_times), Some(rows));
        }
    }

    #[test]
    fn a_torn_mark_is_no_mark() {
        assert_eq!(unpack(&[0x80], false), None);
        assert_eq!(parse_flips("12h15s"), vec![(12, true), (15, false)]);
    }
}
