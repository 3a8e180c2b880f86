//! Texts to search in: one lower-case line per party that a `LIKE '%…%'` can look into, whether the
//! person types part of the name, pinyin initials, the tail of a code, or an address.

use std::borrow::Cow;
use std::sync::LazyLock;

use pinyin::ToPinyinMulti;

use crate::fold::{fold, fold_code};

/// Characters at the front for which every reading counts (重庆 is `cq` and `zq`).
const EVERY_READING: usize = 8;
/// Spellings of one name at most.
const MAX_SPELLINGS: usize = 16;

/// Characters of names with several common readings, the one usual in names of enterprises first.
/// Dictionaries put rare readings in front of common ones.
const USUAL: [(char, &str); 44] = [
    ('重', "cz"),
    ('行', "hx"),
    ('长', "cz"),
    ('乐', "ly"),
    ('厦', "xs"),
    ('曾', "zc"),
    ('单', "sd"),
    ('解', "xj"),
    ('仇', "qc"),
    ('查', "zc"),
    ('翟', "zd"),
    ('区', "qo"),
    ('尉', "wy"),
    ('覃', "qt"),
    ('召', "zs"),
    ('车', "cj"),
    ('朝', "cz"),
    ('都', "d"),
    ('会', "hk"),
    ('藏', "cz"),
    ('传', "cz"),
    ('石', "sd"),
    ('畜', "xc"),
    ('校', "xj"),
    ('莘', "sx"),
    ('参', "sc"),
    ('大', "d"),
    ('广', "g"),
    ('番', "fp"),
    ('贾', "jg"),
    ('盛', "sc"),
    ('俞', "y"),
    ('万', "w"),
    ('宿', "s"),
    ('堡', "bp"),
    ('泊', "bp"),
    ('禅', "cs"),
    ('澄', "cd"),
    ('茄', "qj"),
    ('系', "xj"),
    ('合', "h"),
    ('调', "td"),
    ('食', "s"),
    ('南', "n"),
];

/// The block of common characters, each looked up once.
const COMMON: std::ops::RangeInclusive<char> = '\u{4e00}'..='\u{9fff}';
static INITIALS: LazyLock<Vec<Box<[char]>>> =
    LazyLock::new(|| COMMON.map(|c| look_up(c).into_boxed_slice()).collect());

/// Initials of one character: those usual in names, then the rest of the dictionary.
fn initials_of(c: char) -> Cow<'static, [char]> {
    if COMMON.contains(&c) {
        return Cow::Borrowed(&INITIALS[c as usize - *COMMON.start() as usize]);
    }
    Cow::Owned(if c.is_ascii_alphanumeric() { vec![c] } else { look_up(c) })
}

fn look_up(c: char) -> Vec<char> {
    let mut initials: Vec<char> = USUAL
        .iter()
        .find(|(usual, _)| *usual == c)
        .map_or_else(Vec::new, |(_, letters)| letters.chars().collect());
    for reading in c.to_pinyin_multi().into_iter().flatten() {
        if let Some(initial) = reading.plain().chars().next()
            && !initials.contains(&initial)
        {
            initials.push(initial);
        }
    }
    initials
}

/// Pinyin initials of a name, the usual readings first. Letters and digits stand for themselves. The
/// first characters are spelt in every reading, those with fewest unusual readings first, and only a
/// few spellings are kept, so a name of many ambiguous characters stays short.
pub fn pinyin_initials(name: &str) -> Vec<String> {
    let letters: Vec<Cow<'static, [char]>> =
        fold(name).chars().map(initials_of).filter(|initials| !initials.is_empty()).collect();
    if letters.is_empty() {
        return Vec::new();
    }
    let mut choices = vec![vec![0usize; letters.len()]];
    let mut next = 0;
    // Each spelling is varied behind its last unusual reading, so none comes twice.
    while next < choices.len() && choices.len() < MAX_SPELLINGS {
        let base = choices[next].clone();
        next += 1;
        let from = base.iter().rposition(|&n| n > 0).map_or(0, |at| at + 1);
        for at in from..letters.len().min(EVERY_READING) {
            for reading in 1..letters[at].len() {
                if choices.len() == MAX_SPELLINGS {
                    break;
                }
                let mut other = base.clone();
                other[at] = reading;
                choices.push(other);
            }
        }
    }
    choices.iter().map(|choice| choice.iter().zip(&letters).map(|(&n, l)| l[n]).collect()).collect()
}

/// The text a party is found by. Parts are separated by single spaces, which no query contains.
pub fn search_text(name: &str, uscc: &str, regist_no: &str, address: &str) -> String {
    let mut parts = vec![fold(name)];
    parts.extend(pinyin_initials(name));
    parts.push(fold_code(uscc).to_ascii_lowercase());
    parts.push(fold_code(regist_no).to_ascii_lowercase());
    parts.push(fold(address));
    parts.retain(|p| !p.is_empty());
    parts.join(" ")
}

/// What a person typed, brought to the form of [`search_text`]. Wildcards of SQL are gone.
pub fn search_query(typed: &str) -> String {
    fold(typed)
}
