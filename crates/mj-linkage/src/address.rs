//! Addresses: divisions in front, then roads and villages in words, then numbers. Words and numbers are
//! compared apart, because 光明路1号 and 光明路2号 are two doors.

use crate::fold::fold;
use crate::place::{Level, place_at_start};
use crate::similarity::{likeness, numbers};

/// An address in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Folded, without divisions.
    pub canonical: String,
    /// Stems of the divisions named: `枣庄`, `薛城`.
    pub regions: Vec<String>,
    /// The words without numbers.
    pub words: String,
    pub numbers: Vec<u64>,
}

impl Address {
    pub fn is_empty(&self) -> bool {
        self.canonical.is_empty()
    }

    /// 0..1000: words by edit distance, numbers by how far they agree from the front.
    pub(crate) fn likeness(&self, other: &Address) -> i32 {
        if self.canonical == other.canonical {
            return 1000;
        }
        let words = containing(&self.words, &other.words);
        let (a, b) = (&self.numbers, &other.numbers);
        if a.is_empty() && b.is_empty() {
            return words;
        }
        if a.is_empty() || b.is_empty() {
            return words * 8 / 10;
        }
        let common = a.iter().zip(b).take_while(|(x, y)| x == y).count();
        // One may say the room and the other not; a different house is a different place.
        let shorter = a.len().min(b.len());
        let numbers =
            if common == shorter { 1000 } else { (common * 1000 / a.len().max(b.len())) as i32 };
        (words * 6 + numbers * 4) / 10
    }
}

/// Likeness of words; a text that holds the other whole (a village named besides) counts as close.
fn containing(a: &str, b: &str) -> i32 {
    let plain = likeness(a, b);
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    if short.chars().count() >= 3 && long.contains(short) { plain.max(850) } else { plain }
}

/// Brings an address to its canonical form. Applied to its own `canonical` it gives the same words.
pub fn normalize_address(raw: &str) -> Address {
    let folded = fold(raw);
    let text = folded.strip_prefix("中国").unwrap_or(&folded);
    let mut rest = text;
    let mut regions = Vec::new();
    let mut level: Option<Level> = None;
    while let Some(place) = place_at_start(rest) {
        // 枣庄市枣庄市…: some systems write the prefix twice.
        let again = regions.last().is_some_and(|r| r == place.stem);
        let deeper = level.is_none_or(|l| place.level > l);
        let bare = place.stem.len() == place.len;
        if !(deeper || again) || (bare && (place.level == Level::County || !place.certain)) {
            break;
        }
        // 滕州路3号 begins with a road, not with a city.
        if rest[place.len..].starts_with(['路', '街', '道', '大', '巷', '村', '镇', '乡']) && bare
        {
            break;
        }
        if !again {
            regions.push(place.stem.to_owned());
            level = Some(place.level);
        }
        rest = &rest[place.len..];
    }
    // What sounds like a place again only after the front was taken off is left alone: an address may
    // begin with anything once its divisions are gone.
    let canonical: String = unify(rest);
    let numbers = numbers(&canonical);
    let words = canonical
        .chars()
        .filter(|c| {
            !c.is_ascii_digit() && !matches!(c, '(' | ')' | '-' | '#' | '/' | '.' | ':' | '&')
        })
        .collect();
    Address { words, numbers, regions, canonical }
}

/// One word where offices use several.
fn unify(text: &str) -> String {
    let mut out = text.replace("办事处", "");
    for (from, to) in [("号楼", "幢"), ("栋", "幢"), ("#", "号"), ("门面房", ""), ("门面", "")]
    {
        out = out.replace(from, to);
    }
    out
}
