//! The judgement of a single code and of a list of codes, one a line (`mingjian check codes`).

use super::{DivisionKind, Standing, departments, divisions, industries};
use chrono::NaiveDate;
use mj_kernel::code::{
    CitizenId, CodeError, CodeKind, DivisionCode, DivisionShape, IndustryCode, ItemCode, RegNo,
    Uscc, normalize,
};
use std::io::{self, BufRead, Write};

/// What is said of one value: `ok` with perhaps a remark, or a stable code with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeVerdict {
    pub code: &'static str,
    /// The reason, or the remark on a good value; empty when there is nothing to say.
    pub text: String,
}

impl CodeVerdict {
    pub fn is_ok(&self) -> bool {
        self.code == "ok"
    }

    fn ok(remark: Option<String>) -> Self {
        Self { code: "ok", text: remark.unwrap_or_default() }
    }
}

impl From<CodeError> for CodeVerdict {
    fn from(error: CodeError) -> Self {
        Self { code: error.code, text: error.reason }
    }
}

/// How many lines were judged and how many of them were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    pub lines: u64,
    pub bad: u64,
}

/// Judges one value as it stands on a day; with `mend` its form is mended first and the mend is remarked.
pub fn check_code(kind: CodeKind, value: &str, on: NaiveDate, mend: bool) -> CodeVerdict {
    if !mend {
        return judge(kind, value, on).map_or_else(CodeVerdict::from, CodeVerdict::ok);
    }
    let mended = normalize(kind, value);
    let mut verdict = judge(kind, &mended.text, on).map_or_else(CodeVerdict::from, CodeVerdict::ok);
    if mended.mends.any() && !mended.text.is_empty() {
        // a citizen's number is not repeated in a text about it
        let note = match kind {
            CodeKind::CitizenId => format!("已规范（{}）", mended.mends.text()),
            _ => format!("已规范为 {}（{}）", shown(&mended.text), mended.mends.text()),
        };
        verdict.text =
            if verdict.text.is_empty() { note } else { format!("{}；{note}", verdict.text) };
    }
    verdict
}

/// The judgement itself: a refusal, or the remark that a good value deserves.
pub fn judge(kind: CodeKind, value: &str, on: NaiveDate) -> Result<Option<String>, CodeError> {
    match kind {
        CodeKind::Uscc => {
            let code = Uscc::parse(value)?;
            let place = registrar_remark(code.division(), on);
            Ok(join(code.remark(), place))
        }
        CodeKind::CitizenId => {
            let code = CitizenId::parse(value)?;
            if code.birth_date() > on {
                return Err(refusal(
                    "citizen_id.birth_date",
                    "公民身份号码中的出生日期晚于当日".to_owned(),
                ));
            }
            // numbers were given under divisions older than any list: only what was never a code is remarked
            let known = divisions().get(code.division()).is_some();
            Ok((!known).then(|| "号码前 6 位不在行政区划名录内（含历史），不影响使用".to_owned()))
        }
        CodeKind::RegNo => {
            let code = RegNo::parse(value)?;
            Ok(registrar_remark(code.division(), on))
        }
        CodeKind::Division => judge_division(&DivisionCode::parse(value)?, on),
        CodeKind::Industry => {
            let code = IndustryCode::parse(value)?;
            if industries().get(code.as_str()).is_some() {
                return Ok(None);
            }
            let hint = industries()
                .with_lost_zero(code.as_str())
                .map(|i| format!("，疑似丢失前导零，应为 {}（{}）", i.code, i.name));
            Err(refusal(
                "industry.unknown",
                format!("行业代码 {code} 不在 GB/T 4754-2017 内{}", hint.unwrap_or_default()),
            ))
        }
        CodeKind::Item => {
            let code = ItemCode::parse(value)?;
            let known = departments().get(code.department()).is_some();
            Ok((!known).then(|| format!("前 2 位“{}”不在 58 个监管部门列表内", code.department())))
        }
        CodeKind::Org | CodeKind::Implementation | CodeKind::Batch => {
            kind.check_form(value).map(|()| None)
        }
    }
}

fn refusal(code: &'static str, reason: String) -> CodeError {
    CodeError { code, reason }
}

fn join(a: Option<String>, b: Option<String>) -> Option<String> {
    match (a, b) {
        (Some(a), Some(b)) => Some(format!("{a}；{b}")),
        (a, b) => a.or(b),
    }
}

/// Codes outlive the division of their registrar: worth a remark, never an error.
fn registrar_remark(six: &str, on: NaiveDate) -> Option<String> {
    // 100000 is the national registrar; xx01 stands for "the city proper" in codes given by city registrars
    let city_proper = six.ends_with("01") && divisions().in_force(&format!("{}00", &six[..4]), on);
    if divisions().in_force(six, on) || six == "100000" || city_proper {
        return None;
    }
    Some(match DivisionCode::parse(six).map(|code| divisions().at(&code, on)) {
        Ok(Standing::Retired(old, _)) => {
            format!("登记机关所在区划 {six}（{}）已停用，不影响使用", old.name)
        }
        _ => format!("登记机关区划 {six} 不在行政区划名录内，不影响使用"),
    })
}

fn judge_division(code: &DivisionCode, on: NaiveDate) -> Result<Option<String>, CodeError> {
    let register = divisions();
    match register.at(code, on) {
        Standing::InForce(found) => {
            let remark = match found.kind {
                DivisionKind::Statutory => None,
                DivisionKind::Grouping => Some(format!("“{}”是归类码，不是一级行政区", found.name)),
                DivisionKind::Functional if found.code.len() == 9 => None,
                DivisionKind::Functional => Some(match found.host.and_then(|h| register.name(h)) {
                    Some(host) => {
                        format!("{}是功能区，不在 GB/T 2260 内，由{host}托管或管理", found.name)
                    }
                    None => format!("{}是功能区，不在 GB/T 2260 内", found.name),
                }),
                DivisionKind::Statistical => {
                    Some(format!("{}是统计用代码，不在民政部名录内", found.name))
                }
            };
            let reach = match code.shape() {
                DivisionShape::Village => Some("村级代码只核对到乡镇".to_owned()),
                DivisionShape::Town if found.code.len() == 6 => {
                    Some("名录不含该县当时的乡镇，只核对到县".to_owned())
                }
                _ => None,
            };
            Ok(join(remark, reach))
        }
        Standing::Retired(old, heirs) => {
            let until = old.to_year.map_or_else(String::new, |y| format!(" {y} 年"));
            let now = match heirs.as_slice() {
                [] => "，没有直接承接的代码".to_owned(),
                list => {
                    let names: Vec<String> =
                        list.iter().map(|d| format!("{}（{}）", d.code, d.name)).collect();
                    format!("，现为 {}", names.join("、"))
                }
            };
            Err(refusal(
                "division.retired",
                format!("行政区划代码 {code}（{}）已于{until}停用{now}", old.name),
            ))
        }
        Standing::NotYet(found) => {
            let since = found.from_year.unwrap_or_default();
            let then: Vec<String> = register
                .predecessors(code.six(), on)
                .iter()
                .map(|d| format!("{}（{}）", d.code, d.name))
                .collect();
            let then = if then.is_empty() {
                String::new()
            } else {
                format!("，当时为 {}", then.join("、"))
            };
            Err(refusal(
                "division.not_yet",
                format!(
                    "行政区划代码 {code}（{}）{since} 年起启用，{on} 尚未启用{then}",
                    found.name
                ),
            ))
        }
        Standing::Unknown => {
            let why = match code.shape() {
                DivisionShape::Nation => "：全 0 只在清单中表示全国，不是行政区划".to_owned(),
                DivisionShape::Town | DivisionShape::Village => match register.name(code.six()) {
                    Some(county) => {
                        format!("：{county}下没有这个乡镇、街道（名录截至 2023-06-30）")
                    }
                    None => String::new(),
                },
                DivisionShape::County if code.six().ends_with("01") => {
                    "：如果指的是“市辖区”归类码，请填具体的区".to_owned()
                }
                _ => String::new(),
            };
            Err(refusal("division.unknown", format!("行政区划代码 {code} 不在名录内{why}")))
        }
    }
}

/// Judges one value a line: exactly one line out for each line in, `value⇥ok|CODE⇥text`, no header, no summary.
/// A tab or carriage return inside a value is shown as `\t` or `\r`; bytes that are no UTF-8 are refused.
pub fn check_codes(
    kind: CodeKind,
    on: NaiveDate,
    mend: bool,
    mut input: impl BufRead,
    mut out: impl Write,
) -> io::Result<Summary> {
    let mut summary = Summary::default();
    let mut line = Vec::with_capacity(64);
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let mut bytes = line.as_slice();
        bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if summary.lines == 0 {
            // a byte order mark is a note of the encoding, not part of the first value
            bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        }
        summary.lines += 1;
        let verdict = match std::str::from_utf8(bytes) {
            Ok(value) => {
                write_value(&mut out, value)?;
                check_code(kind, value, on, mend)
            }
            Err(_) => {
                write_value(&mut out, &String::from_utf8_lossy(bytes))?;
                CodeVerdict {
                    code: "encoding",
                    text: "这一行不是 UTF-8 文字，请转换编码后再检查".to_owned(),
                }
            }
        };
        summary.bad += u64::from(!verdict.is_ok());
        writeln!(out, "\t{}\t{}", verdict.code, verdict.text)?;
    }
    out.flush()?;
    Ok(summary)
}

fn write_value(out: &mut impl Write, value: &str) -> io::Result<()> {
    if !value.contains(['\t', '\r']) {
        return out.write_all(value.as_bytes());
    }
    out.write_all(value.replace('\t', "\\t").replace('\r', "\\r").as_bytes())
}

/// A value inside a sentence, short and without characters that would break the line.
fn shown(value: &str) -> String {
    value.chars().filter(|c| !c.is_control()).take(40).collect()
}
