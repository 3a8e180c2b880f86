//! Likeness of short texts in whole thousandths.

/// 1000 for equal texts, 0 for texts with nothing in common, by edit distance over characters.
pub(crate) fn likeness(a: &str, b: &str) -> i32 {
    if a == b {
        return 1000;
    }
    let longest = a.chars().count().max(b.chars().count());
    let distance = strsim::damerau_levenshtein(a, b).min(longest);
    ((longest - distance) * 1000 / longest) as i32
}

/// Numbers in a text, in order, Chinese numerals before a counter word included: `第二分店` → `[2]`.
pub(crate) fn numbers(text: &str) -> Vec<u64> {
    let mut out = Vec::new();
    let chars: Vec<char> = text.chars().collect();
    let mut at = 0;
    while at < chars.len() {
        if chars[at].is_ascii_digit() {
            let mut n = 0u64;
            while at < chars.len() && chars[at].is_ascii_digit() {
                let digit = u64::from(chars[at] as u32 - '0' as u32);
                n = n.wrapping_mul(10).wrapping_add(digit);
                at += 1;
            }
            out.push(n);
            continue;
        }
        let run = chars[at..].iter().take_while(|c| numeral(**c).is_some()).count();
        if run > 0 {
            let counted = chars.get(at + run).is_some_and(|c| COUNTERS.contains(*c));
            let ordinal = at > 0 && chars[at - 1] == '第';
            if counted || ordinal {
                out.push(chinese_number(&chars[at..at + run]));
            }
            at += run;
            continue;
        }
        at += 1;
    }
    out
}

const COUNTERS: &str = "号楼层室幢栋单组店厂部队村街分";

fn numeral(c: char) -> Option<u64> {
    "零一二三四五六七八九十百"
        .chars()
        .position(|n| n == c)
        .or(match c {
            '〇' => Some(0),
            '两' => Some(2),
            _ => None,
        })
        .map(|n| n as u64)
}

/// 二十三 → 23, 一〇五 → 105.
fn chinese_number(chars: &[char]) -> u64 {
    if !chars.iter().any(|c| matches!(c, '十' | '百')) {
        return chars
            .iter()
            .fold(0u64, |n, c| n.wrapping_mul(10).wrapping_add(numeral(*c).unwrap_or(0)));
    }
    let (mut total, mut digit) = (0u64, None);
    for c in chars {
        match c {
            '百' => total = total.wrapping_add(digit.take().unwrap_or(1) * 100),
            '十' => total = total.wrapping_add(digit.take().unwrap_or(1) * 10),
            _ => digit = numeral(*c),
        }
    }
    total.wrapping_add(digit.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_words_and_digits() {
        assert_eq!(numbers("第二分店"), [2]);
        assert_eq!(numbers("光明路二十三号1幢105室"), [23, 1, 105]);
        assert_eq!(numbers("一〇五室"), [105]);
        assert_eq!(numbers("第十二中学"), [12]);
        // A numeral that counts nothing belongs to the name.
        assert_eq!(numbers("三鼎机电"), Vec::<u64>::new());
    }

    #[test]
    fn likeness_is_a_share_of_the_longer_text() {
        assert_eq!(likeness("", ""), 1000);
        assert_eq!(likeness("光明路", ""), 0);
        assert_eq!(likeness("光明大道", "光明路"), 500);
        assert_eq!(likeness("裕信投资", "信裕投资"), 750);
    }
}
