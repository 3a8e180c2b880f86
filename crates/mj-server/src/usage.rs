//! What is wrong with a command line, in Chinese: clap's own words are English. Help stays clap's.

use std::process::ExitCode;

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Says it, and gives the exit code of docs/contracts.md: 2, or 0 for help and version that were asked for.
pub fn told(error: &Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            // nothing is left to do where not even this can be written
            let _ = error.print();
        }
        _ => eprintln!("{}", words(error)),
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

fn words(error: &Error) -> String {
    let named = |kind| texts(error, kind).join("、");
    let argument = named(ContextKind::InvalidArg);
    let value = named(ContextKind::InvalidValue);
    let mut text = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            format!("没有 {} 这个命令", named(ContextKind::InvalidSubcommand))
        }
        ErrorKind::MissingSubcommand => {
            format!("{} 之后应写明做什么", named(ContextKind::InvalidSubcommand))
        }
        ErrorKind::UnknownArgument => format!("不认识参数 {argument}"),
        ErrorKind::MissingRequiredArgument => format!("缺少参数 {argument}"),
        ErrorKind::InvalidValue if value.is_empty() => format!("参数 {argument} 没有给出内容"),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            format!("参数 {argument} 不能是 {value}")
        }
        ErrorKind::TooManyValues => format!("参数 {argument} 多出了 {value}"),
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            format!("参数 {argument} 的内容个数不对")
        }
        ErrorKind::ArgumentConflict => match named(ContextKind::PriorArg) {
            prior if prior.is_empty() || prior == argument => format!("参数 {argument} 写了两次"),
            prior => format!("参数 {argument} 不能与 {prior} 同用"),
        },
        ErrorKind::InvalidUtf8 => "参数不是 UTF-8 文字".to_owned(),
        _ => "命令行有误".to_owned(),
    };
    let offered = [ContextKind::ValidValue, ContextKind::ValidSubcommand];
    if let Some(choice) = offered.map(named).into_iter().find(|choice| !choice.is_empty()) {
        text.push_str(&format!("；可选 {choice}"));
    }
    let likely =
        [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    if let Some(guess) = likely.map(named).into_iter().find(|guess| !guess.is_empty()) {
        text.push_str(&format!("；是不是 {guess}？"));
    }
    let usage = named(ContextKind::Usage);
    if let Some((_, usage)) = usage.split_once("Usage: ") {
        text.push_str(&format!("\n用法：{}", usage.trim_end()));
    }
    text.push_str("\n加 --help 看说明");
    text
}

fn texts(error: &Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        Some(ContextValue::StyledStr(text)) => vec![text.to_string()],
        Some(ContextValue::StyledStrs(texts)) => texts.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    }
}
