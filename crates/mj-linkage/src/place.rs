//! Which part in front of a name or address is a place. Knows names of divisions, present and former,
//! but no codes and no dates.

use std::collections::HashMap;
use std::sync::OnceLock;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Province,
    Prefecture,
    County,
}

struct Places {
    /// Full name or bare stem → (stem, level, whether it is the full name).
    names: HashMap<&'static str, (&'static str, Level, bool)>,
    longest: usize,
}

const FILE: &str = include_str!("../data/places.txt");

/// Endings of division names, longest first.
const ENDINGS: [&str; 11] =
    ["特别行政区", "自治区", "自治州", "自治县", "自治旗", "地区", "省", "市", "区", "县", "旗"];

const PEOPLES: [&str; 19] = [
    "维吾尔",
    "壮族",
    "回族",
    "藏族",
    "彝族",
    "苗族",
    "侗族",
    "土家族",
    "朝鲜族",
    "蒙古族",
    "满族",
    "傣族",
    "白族",
    "瑶族",
    "哈萨克",
    "布依族",
    "黎族",
    "羌族",
    "畲族",
];

fn stem_of(name: &str) -> &str {
    let stem = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
    let cut = PEOPLES.iter().filter_map(|people| stem.find(people)).filter(|&at| at > 0).min();
    let stem = cut.map_or(stem, |at| &stem[..at]);
    // 沛县, 城区: the ending is part of the name.
    if stem.chars().count() < 2 { name } else { stem }
}

fn places() -> &'static Places {
    static PLACES: OnceLock<Places> = OnceLock::new();
    PLACES.get_or_init(|| {
        let mut names = HashMap::new();
        let mut longest = 0;
        for line in FILE.lines() {
            let (level, name) = match line.split_at_checked(1) {
                Some(("p", name)) => (Level::Province, name),
                Some(("c", name)) => (Level::Prefecture, name),
                Some(("d", name)) => (Level::County, name),
                _ => continue,
            };
            let stem = stem_of(name);
            longest = longest.max(name.chars().count());
            names.insert(name, (stem, level, true));
            // Districts of cities are called like half the shops of the country (新华, 和平); only
            // with their ending are they places for certain.
            let bare_is_a_place = !(level == Level::County && name.ends_with('区'));
            if stem != name {
                let entry = names.entry(stem).or_insert((stem, level, bare_is_a_place));
                entry.2 |= bare_is_a_place;
                entry.1 = entry.1.min(level);
            }
        }
        Places { names, longest }
    })
}

/// A place at the beginning of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub stem: &'static str,
    pub level: Level,
    /// Bytes of the text it covers.
    pub len: usize,
    /// Written with its ending, or a name that needs none.
    pub certain: bool,
}

/// The longest place the text begins with.
pub(crate) fn place_at_start(text: &str) -> Option<Found> {
    let places = places();
    let mut ends: Vec<usize> =
        text.char_indices().map(|(at, c)| at + c.len_utf8()).take(places.longest).collect();
    while let Some(len) = ends.pop() {
        if ends.is_empty() {
            break;
        }
        if let Some(&(stem, level, certain)) = places.names.get(&text[..len]) {
            return Some(Found { stem, level, len, certain });
        }
    }
    None
}

/// Whether the whole text is a place. In brackets the country is one, too: 某某(中国)有限公司.
pub(crate) fn as_place(text: &str) -> Option<Found> {
    if text == "中国" {
        return Some(Found {
            stem: "中国",
            level: Level::Province,
            len: text.len(),
            certain: true,
        });
    }
    place_at_start(text).filter(|found| found.len == text.len())
}

/// Towns and streets written out in front: `常庄镇`, `北苑街道`. Only sensible behind a county.
pub(crate) fn town_at_start(text: &str) -> Option<usize> {
    let mut seen = 0;
    for (at, c) in text.char_indices() {
        seen += 1;
        if seen > 5 {
            return None;
        }
        if c == '镇' || c == '乡' {
            return (seen >= 3).then_some(at + c.len_utf8());
        }
        if text[at..].starts_with("街道") {
            if seen < 2 {
                return None;
            }
            let end = at + "街道".len();
            let office = text[end..].strip_prefix("办事处").map_or(0, |_| "办事处".len());
            return Some(end + office);
        }
    }
    None
}

const ZONES: [&str; 9] = [
    "高新技术产业开发区",
    "经济技术开发区",
    "经济开发区",
    "旅游度假区",
    "工业园区",
    "开发区",
    "高新区",
    "保税区",
    "新区",
];

/// A development zone in front: `经济技术开发区`, `大榭开发区`. Only sensible behind a division.
pub(crate) fn zone_at_start(text: &str) -> Option<usize> {
    let (at, zone) = ZONES
        .iter()
        .filter_map(|zone| text.find(zone).map(|at| (at, zone)))
        .min_by_key(|(at, zone)| (*at, usize::MAX - zone.len()))?;
    (text[..at].chars().count() <= 4).then_some(at + zone.len())
}
