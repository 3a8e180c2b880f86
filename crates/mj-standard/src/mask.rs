//! Masks personal values for reports and screens.
//!
//! It decides only how much of a value may be seen; which values are personal is said by the
//! columns of the standard.

use crate::spec::ColumnType;

/// How a value is masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaskKind {
    /// `张*`
    Name,
    /// `370402********4321`
    Id,
    /// `138****0000`
    Phone,
    /// Down to the county.
    Address,
    /// Nothing is shown.
    All,
}

impl MaskKind {
    /// The mask that suits a column of this type.
    pub fn of(ty: &ColumnType) -> MaskKind {
        match ty {
            ColumnType::Name => Self::Name,
            ColumnType::Phone => Self::Phone,
            ColumnType::Address => Self::Address,
            ColumnType::CitizenId
            | ColumnType::UsccOrCitizenId
            | ColumnType::Identifier
            | ColumnType::Uscc => Self::Id,
            _ => Self::All,
        }
    }
}

/// Masks a value. Short values are hidden wholly rather than shown by accident.
pub fn mask(kind: MaskKind, value: &str) -> String {
    let chars: Vec<char> = value.chars().collect();
    match kind {
        MaskKind::Name => match chars.first() {
            Some(first) => format!("{first}{}", "*".repeat((chars.len() - 1).max(1))),
            None => String::new(),
        },
        // 6 + 4 visible of an 18-digit number; never more than half of a shorter one
        MaskKind::Id if chars.len() >= 15 => ends(&chars, 6, 4),
        MaskKind::Id if chars.len() >= 8 => ends(&chars, 2, 2),
        MaskKind::Phone if chars.len() >= 11 => ends(&chars, 3, 4),
        MaskKind::Phone if chars.len() >= 7 => ends(&chars, 1, 2),
        MaskKind::Address => address(value),
        _ => "*".repeat(chars.len().min(8)),
    }
}

fn ends(chars: &[char], head: usize, tail: usize) -> String {
    let hidden = chars.len() - head - tail;
    chars[..head]
        .iter()
        .copied()
        .chain(std::iter::repeat_n('*', hidden))
        .chain(chars[chars.len() - tail..].iter().copied())
        .collect()
}

/// Keeps the address down to its county: 山东省枣庄市市中区****.
fn address(value: &str) -> String {
    let mut end = 0;
    let mut segment = String::new();
    let mut cities = 0;
    let mut chars = value.char_indices().take(30).peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        let closes = match c {
            '省' | '盟' | '市' | '区' | '县' | '旗' => !segment.is_empty(),
            // 滕州市 is a city of that name, 自治州 a level of its own
            '州' => {
                segment.ends_with("自治") || (segment.chars().count() > 1 && next != Some('市'))
            }
            _ => false,
        };
        segment.push(c);
        if !closes {
            continue;
        }
        end = at + c.len_utf8();
        cities += usize::from(c == '市');
        let county = matches!(c, '区' | '县' | '旗') && !segment.ends_with("自治区");
        if county || cities == 2 {
            break;
        }
        segment.clear();
    }
    format!("{}****", &value[..end])
}
