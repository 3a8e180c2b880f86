//! May this kind of data come this way on this day? Behaviour type × channel × date of reception,
//! after a versioned rule table with its legal basis; and every source keeps to its own channels.

use chrono::NaiveDate;
use mj_platform::rules::RuleTable;

use crate::error::{Error, Result};
use crate::model::{Channel, Source};

/// The house's own rules; a node may bring others (`Datahub::with_channel_rules`).
pub fn default_rules() -> Result<RuleTable> {
    Ok(RuleTable::parse(include_str!("../rules/channels.toml"))?)
}

/// Refuses what came the wrong way, naming the rule.
pub fn approve(
    rules: &RuleTable,
    source: &Source,
    table: &str,
    table_title: &str,
    channel: Channel,
    day: NaiveDate,
) -> Result<()> {
    let refused = |rule: &str, text: String, day: NaiveDate| Error::ChannelNotApproved {
        rule: rule.to_owned(),
        text,
        day: day.to_string(),
        table_title: table_title.to_owned(),
        channel_title: channel.title(),
    };
    let key = format!("{table}/{}", channel.name());
    if let Some(rule) = rules.on(&key, day)
        && rule.value == "refuse"
    {
        return Err(refused(&rule.id, rule.basis.clone(), rule.valid_from));
    }
    if !source.active {
        let text = format!("数据源“{}”已停用", source.name);
        return Err(refused("source.stopped", text, day));
    }
    if !source.channels.contains(&channel) {
        let approved: Vec<&str> = source.channels.iter().map(|channel| channel.title()).collect();
        let text = format!("数据源“{}”登记的渠道为：{}", source.name, approved.join("、"));
        return Err(refused("source.channels", text, day));
    }
    if !source.delivers(table) {
        let text = format!("数据源“{}”没有登记报送这张表", source.name);
        return Err(refused("source.tables", text, day));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SourceKind;

    fn source() -> Source {
        Source {
            id: "s".into(),
            version: 1,
            cd_source: "370400-scjg".into(),
            name: "市市场监管局业务系统".into(),
            kind: SourceKind::Agency,
            agency: None,
            agency_name: None,
            area: None,
            priority: 1,
            channels: vec![Channel::File, Channel::Manual],
            tables: Vec::new(),
            backlog_declared: Default::default(),
            active: true,
        }
    }

    fn rule(table: &str, channel: Channel, day: &str) -> Option<String> {
        let rules = default_rules().expect("the house's rules");
        let day = day.parse().expect("a day");
        match approve(&rules, &source(), table, table, channel, day) {
            Ok(()) => None,
            Err(Error::ChannelNotApproved { rule, .. }) => Some(rule),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn the_cut_off_binds_inspections_only_and_only_from_its_day() {
        assert_eq!(rule("check_action", Channel::Manual, "2022-12-30"), None);
        assert_eq!(
            rule("check_action", Channel::Manual, "2022-12-31").as_deref(),
            Some("channel.check_action.manual")
        );
        assert_eq!(rule("punish_action", Channel::Manual, "2026-01-01"), None);
        assert_eq!(rule("check_action", Channel::File, "2026-01-01"), None);
    }

    #[test]
    fn a_source_keeps_to_the_channels_it_registered() {
        let refused = rule("punish_action", Channel::Push, "2026-01-01");
        assert_eq!(refused.as_deref(), Some("source.channels"));
    }
}
