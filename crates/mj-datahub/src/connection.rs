//! How far each department's system is connected (应接尽接): planned, connecting, live with its due
//! day; and what follows from it and from the deliveries: overdue, in use, silent, stopped.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::NaiveDate;
use mj_kernel::clock::beijing_date;
use mj_platform::rules::RuleTable;
use mj_platform::{Db, RowExt, TruthTable, Value, WriteTx};

use crate::error::{Error, Result};
use crate::model::Source;

pub const HUB_CONNECTION: TruthTable = TruthTable {
    name: "hub_connection",
    columns: &["id", "cd_source", "stage", "due_on", "live_since", "note"],
};

static RULES: LazyLock<RuleTable> = LazyLock::new(|| {
    RuleTable::parse(include_str!("../rules/sources.toml"))
        .expect("the checked-in rules parse: a test of this crate reads them")
});

/// After how many days without data a connected source counts as silent, and by what rule.
pub fn silent_rule(day: NaiveDate) -> (i64, String) {
    match RULES.on("silent_days", day) {
        Some(rule) => (rule.value.parse().unwrap_or(30), rule.basis.clone()),
        None => (30, String::new()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Planned,
    Connecting,
    Live,
}

impl Stage {
    const ALL: [Stage; 3] = [Self::Planned, Self::Connecting, Self::Live];

    pub fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Connecting => "connecting",
            Self::Live => "live",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }
}

/// What people said of a source's connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    pub stage: Stage,
    pub due_on: Option<String>,
    pub live_since: Option<String>,
    pub note: String,
}

/// What came from a source so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivered {
    pub batches: i64,
    pub front: i64,
    pub correct: i64,
    pub error: i64,
    /// 0 before the first delivery.
    pub last_received_at: i64,
}

/// Where a source stands today, in one word; and for how many days it has been silent or overdue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub name: &'static str,
    pub title: &'static str,
    pub days: Option<i64>,
}

/// Pure: from what was said, what came, and the day.
pub fn standing(
    source: &Source,
    said: Option<&Connection>,
    came: &Delivered,
    today: NaiveDate,
    silent_after: i64,
) -> Standing {
    let of = |name, title, days| Standing { name, title, days };
    if !source.active {
        return of("stopped", "已停用", None);
    }
    // a source of which nobody said anything is live once it has delivered
    let stage = match said {
        Some(said) => said.stage,
        None if came.batches > 0 => Stage::Live,
        None => Stage::Connecting,
    };
    let day = |text: &Option<String>| text.as_deref().and_then(|day| day.parse().ok());
    if stage != Stage::Live {
        let due: Option<NaiveDate> = said.and_then(|said| day(&said.due_on));
        let late = due.map(|due| (today - due).num_days()).filter(|days| *days > 0);
        return match (late, stage) {
            (Some(days), _) => of("overdue", "逾期未接", Some(days)),
            (None, Stage::Planned) => of("planned", "计划接入", None),
            (None, _) => of("connecting", "接入中", None),
        };
    }
    let last = (came.last_received_at > 0).then(|| beijing_date(came.last_received_at));
    let since = last.max(said.and_then(|said| day(&said.live_since)));
    match since.map(|since| (today - since).num_days()) {
        Some(days) if days > silent_after => of("silent", "静默", Some(days)),
        _ => of("in_use", "在用", None),
    }
}

/// What a request may say of a connection; absent parts stay as they are, an empty day is taken away.
#[derive(Debug, Clone, Copy, Default)]
pub struct Said<'a> {
    pub stage: Option<&'a str>,
    pub due_on: Option<&'a str>,
    pub live_since: Option<&'a str>,
    pub note: Option<&'a str>,
}

impl Said<'_> {
    pub fn is_empty(&self) -> bool {
        let Self { stage, due_on, live_since, note } = self;
        [stage, due_on, live_since, note].iter().all(|part| part.is_none())
    }

    /// What stands after it was said.
    pub fn over(&self, before: Option<&Connection>, today: NaiveDate) -> Result<Connection> {
        let day = |said: Option<&str>, before: Option<String>, name: &str| match said {
            None => Ok(before),
            Some("") => Ok(None),
            Some(text) => match text.parse::<NaiveDate>() {
                Ok(day) if day.to_string() == text => Ok(Some(text.to_owned())),
                _ => Err(Error::Request(format!("{name}应为YYYY-MM-DD形式的日期"))),
            },
        };
        let stage = match (self.stage, before) {
            (Some(name), _) => Stage::parse(name)
                .ok_or_else(|| Error::Request("stage应为planned、connecting或live".into()))?,
            (None, Some(before)) => before.stage,
            (None, None) => Stage::Connecting,
        };
        let live_since = day(
            self.live_since,
            before.and_then(|before| before.live_since.clone()),
            "live_since",
        )?;
        let note = self.note.map(str::trim).or(before.map(|before| before.note.as_str()));
        if note.is_some_and(|note| note.chars().count() > 500) {
            return Err(Error::Request("note最多500个字".into()));
        }
        Ok(Connection {
            stage,
            due_on: day(self.due_on, before.and_then(|before| before.due_on.clone()), "due_on")?,
            live_since: match (stage, live_since) {
                (Stage::Live, None) => Some(today.to_string()),
                (_, since) => since,
            },
            note: note.unwrap_or_default().to_owned(),
        })
    }
}

pub async fn put(tx: &mut WriteTx, source: &Source, said: &Connection) -> Result<()> {
    let values: [(&str, Value); 5] = [
        ("cd_source", source.cd_source.as_str().into()),
        ("stage", said.stage.name().into()),
        ("due_on", said.due_on.clone().into()),
        ("live_since", said.live_since.clone().into()),
        ("note", said.note.as_str().into()),
    ];
    let sql = "SELECT id FROM hub_connection WHERE id = $1";
    match tx.fetch_optional(sql, &[source.id.as_str().into()]).await? {
        Some(_) => {
            tx.update(&HUB_CONNECTION, &source.id, None, &values).await?;
        }
        None => {
            let mut row = vec![("id", source.id.as_str().into())];
            row.extend(values);
            tx.insert(&HUB_CONNECTION, &row).await?;
        }
    }
    Ok(())
}

/// What was said of every source, by its code. Sources are few; callers narrow by scope.
pub async fn all_unscoped(db: &Db) -> Result<BTreeMap<String, Connection>> {
    let mut found = BTreeMap::new();
    for row in db.fetch_all("SELECT * FROM hub_connection ORDER BY cd_source", &[]).await? {
        let stage = row.text("stage")?;
        let stage = Stage::parse(&stage)
            .ok_or_else(|| mj_platform::Error::Corrupt("数据源的接入阶段无法识别".into()))?;
        let connection = Connection {
            stage,
            due_on: row.opt_text("due_on")?,
            live_since: row.opt_text("live_since")?,
            note: row.text("note")?,
        };
        found.insert(row.text("cd_source")?, connection);
    }
    Ok(found)
}

/// What came from each source, or from one; by table where asked.
pub async fn delivered(
    db: &Db,
    cd_source: Option<&str>,
) -> Result<BTreeMap<(String, String), Delivered>> {
    let mut args: Vec<Value> = Vec::new();
    let mut filter = String::new();
    if let Some(cd_source) = cd_source {
        args.push(cd_source.into());
        filter.push_str(" WHERE cd_source = $1");
    }
    let sql = format!(
        "SELECT cd_source, table_name, CAST(COUNT(*) AS BIGINT) AS batches, \
         CAST(SUM(front) AS BIGINT) AS front, CAST(SUM(correct) AS BIGINT) AS correct, \
         CAST(SUM(error) AS BIGINT) AS error, CAST(MAX(received_at) AS BIGINT) AS last_at \
         FROM hub_batch{filter} GROUP BY cd_source, table_name ORDER BY cd_source, table_name"
    );
    let mut found = BTreeMap::new();
    for row in db.fetch_all(&sql, &args).await? {
        let delivered = Delivered {
            batches: row.int("batches")?,
            front: row.int("front")?,
            correct: row.int("correct")?,
            error: row.int("error")?,
            last_received_at: row.int("last_at")?,
        };
        found.insert((row.text("cd_source")?, row.text("table_name")?), delivered);
    }
    Ok(found)
}

/// All tables of a source together.
pub fn sum<'a>(parts: impl Iterator<Item = &'a Delivered>) -> Delivered {
    parts.fold(Delivered::default(), |sum, part| Delivered {
        batches: sum.batches + part.batches,
        front: sum.front + part.front,
        correct: sum.correct + part.correct,
        error: sum.error + part.error,
        last_received_at: sum.last_received_at.max(part.last_received_at),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SourceKind;

    #[test]
    fn a_source_is_silent_only_after_the_days_of_the_rule_and_late_only_after_its_due_day() {
        let mut source = Source {
            id: "s".into(),
            version: 1,
            cd_source: "370400_16".into(),
            name: "污染源监控系统".into(),
            kind: SourceKind::Agency,
            agency: None,
            agency_name: None,
            area: None,
            priority: 1,
            channels: Vec::new(),
            tables: Vec::new(),
            backlog_declared: BTreeMap::new(),
            active: true,
        };
        let day = |text: &str| text.parse::<NaiveDate>().expect("a day");
        let (after, basis) = silent_rule(day("2026-11-20"));
        assert!(after == 30 && basis.contains("静默"));
        let live = |since: &str| Connection {
            stage: Stage::Live,
            due_on: None,
            live_since: Some(since.into()),
            note: String::new(),
        };
        let none = Delivered::default();
        let at = |said: &Connection, today: &str| {
            standing(&source, Some(said), &none, day(today), after)
        };
        assert_eq!(at(&live("2026-10-21"), "2026-11-20").name, "in_use");
        let silent = at(&live("2026-10-20"), "2026-11-20");
        assert_eq!((silent.name, silent.days), ("silent", Some(31)));
        let planned = Connection {
            stage: Stage::Planned,
            due_on: Some("2026-11-20".into()),
            ..live("2026-01-01")
        };
        assert_eq!(at(&planned, "2026-11-20").name, "planned");
        assert_eq!(at(&planned, "2026-11-21").days, Some(1));
        assert_eq!(standing(&source, None, &none, day("2026-11-20"), after).name, "connecting");
        source.active = false;
        assert_eq!(standing(&source, None, &none, day("2026-11-20"), after).name, "stopped");
    }
}
