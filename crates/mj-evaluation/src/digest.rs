//! The week's figures as a work item (每周简报) for everybody who leads an area or an agency: made once a
//! week on the working day that the rule table names, with a link behind each number.

use chrono::{Datelike, Days, NaiveDate};
use mj_flow::state::WEEKLY_DIGEST;
use mj_kernel::{Actor, AgencySet, Role, Scope};
use mj_platform::calendar::Calendar;
use mj_platform::{Act, Lane, jobs};
use mj_web::Caller;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::measure::Tally;
use crate::overview::Desk;
use crate::period::{Kind, Period};
use crate::rule::Indicator;
use crate::service::Evaluation;
use crate::world::{Sieve, Wanted, World};

pub const WEEKLY_DIGEST_JOB: &str = "weekly_digest";
/// Earlier weeks whose digests a new one replaces.
const REPLACED_WEEKS: u64 = 8;

/// A line of the digest: words, and the figure whose rows show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    pub text: String,
    pub indicator: String,
    pub part: &'static str,
    pub from: String,
    pub to: String,
}

#[derive(Deserialize, Serialize)]
struct Payload {
    /// A day of the week that is reported.
    week: NaiveDate,
}

/// Monday to Sunday around a day.
fn week_of(day: NaiveDate) -> (NaiveDate, NaiveDate) {
    let monday = day - Days::new(u64::from(day.weekday().num_days_from_monday()));
    (monday, monday + Days::new(6))
}

/// The day of this week on which the digest of the last one is due.
fn due_day(today: NaiveDate, weekday: u32) -> NaiveDate {
    let (monday, _) = week_of(today);
    let mut day = monday + Days::new(u64::from(weekday.clamp(1, 7) - 1));
    while !Calendar::bundled().is_working_day(day) {
        day = day + Days::new(1);
    }
    day
}

fn cause(monday: NaiveDate, area: &str, agency: Option<&str>) -> String {
    format!("weekly_digest:{monday}:{area}:{}", agency.unwrap_or("*"))
}

impl Evaluation {
    /// Queues the digest of last week once its day has come. Called again and again.
    pub async fn tick(&self) -> Result<()> {
        let today = self.today();
        let due = due_day(today, self.rules().term("digest_weekday", today)?);
        let (monday, _) = week_of(today);
        if today < due || self.was_queued(monday) || !self.parts().house.is_quiet().await? {
            return Ok(());
        }
        self.queue_digest(monday - Days::new(7)).await?;
        self.queued(monday);
        Ok(())
    }

    async fn queue_digest(&self, week: NaiveDate) -> Result<()> {
        let payload = serde_json::to_string(&Payload { week })
            .map_err(|error| Error::Request(error.to_string()))?;
        let act = Act::new(&Actor::system("evaluation"), "evaluation.digest.queue", "");
        let mut tx = self.parts().db.begin(Lane::Bulk, act).await?;
        jobs::enqueue(&mut tx, WEEKLY_DIGEST_JOB, &payload, &format!("weekly_digest:{week}"))
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The body of the job; a second run finds its items made.
    pub async fn run_digest(&self, payload: &str) -> Result<()> {
        let payload: Payload = serde_json::from_str(payload)
            .map_err(|error| Error::Request(format!("任务内容无法读取：{error}")))?;
        self.make_digests(payload.week).await.map(drop)
    }

    /// Makes the digests of the week around a day; gives how many there are for it.
    pub async fn make_digests(&self, week: NaiveDate) -> Result<usize> {
        let (monday, sunday) = week_of(week);
        let world = self.renew(true).await?;
        let today = self.today().to_string();
        let roles = [Role::Leader, Role::RegionLeader];
        let mut readers: Vec<(String, Option<String>, Scope)> = Vec::new();
        for (_, scope) in self.parts().house.grants_of(&roles, &today).await? {
            for area in &scope.areas {
                let agencies: Vec<Option<String>> = match &scope.agencies {
                    AgencySet::All => vec![None],
                    AgencySet::Only(names) => names.iter().cloned().map(Some).collect(),
                };
                for agency in agencies {
                    let scope = Scope {
                        areas: vec![area.clone()],
                        agencies: match &agency {
                            None => AgencySet::All,
                            Some(name) => AgencySet::only([name.clone()]),
                        },
                        ..scope.clone()
                    };
                    readers.push((area.clone(), agency, scope));
                }
            }
        }
        readers.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        readers.dedup_by(|a, b| (&a.0, &a.1) == (&b.0, &b.1));
        for (area, agency, scope) in &readers {
            let own = self.clone();
            let (picture, one) = (world.clone(), scope.clone());
            let lines =
                tokio::task::spawn_blocking(move || own.lines(&picture, one, (monday, sunday)))
                    .await
                    .map_err(Error::thread)??;
            self.inform(&world, area, agency.as_deref(), (monday, sunday), lines).await?;
        }
        Ok(readers.len())
    }

    async fn inform(
        &self,
        world: &World,
        area: &str,
        agency: Option<&str>,
        (monday, sunday): (NaiveDate, NaiveDate),
        lines: Vec<Line>,
    ) -> Result<()> {
        let agency_name = agency.map(|code| {
            let word = world.agencies.find(code).unwrap_or(0);
            world.body_name(word).unwrap_or(code).to_owned()
        });
        let of = match &agency_name {
            Some(name) => name.clone(),
            None => mj_standard::register::divisions()
                .name(area)
                .map_or_else(|| "全部范围".to_owned(), str::to_owned),
        };
        let days = format!(
            "{}月{}日至{}月{}日",
            monday.month(),
            monday.day(),
            sunday.month(),
            sunday.day()
        );
        let new = mj_flow::NewWorkItem {
            kind: WEEKLY_DIGEST,
            title: format!("{of}每周简报（{days}）"),
            object_table: "evaluation".into(),
            object_id: monday.to_string(),
            cause: cause(monday, area, agency),
            area_number: Some(area.to_owned()),
            agency: agency.map(str::to_owned),
            agency_name,
            deadline: None,
            payload: serde_json::json!({
                "from": monday.to_string(),
                "to": sunday.to_string(),
                "as_of": mj_kernel::clock::to_rfc3339(world.as_of),
                "lines": lines,
            }),
        };
        let replaces: Vec<String> = (1..=REPLACED_WEEKS)
            .map(|weeks| cause(monday - Days::new(7 * weeks), area, agency))
            .collect();
        let act = Act::new(&Actor::system("evaluation"), "evaluation.digest.make", "work_item");
        self.parts().flow.inform(act, new, &replaces).await?;
        Ok(())
    }

    /// What the digest says to somebody who sees `scope`.
    fn lines(
        &self,
        world: &World,
        scope: Scope,
        week: (NaiveDate, NaiveDate),
    ) -> Result<Vec<Line>> {
        let wanted = Wanted { scopes: vec![scope], ..Wanted::default() };
        let sieve = Sieve::new(world, &wanted);
        let mend_before = self.mend_before(world)?;
        let (from, to) = week;
        let period = Period { from, to, kind: Kind::Range };
        let year = Period::named("year", self.today())?;
        let indicators: Vec<&Indicator> = self.rules().on(to).collect();
        let desk =
            Desk { world, indicators: indicators.clone(), sieve: &sieve, period, mend_before };
        let mut lines = Vec::new();
        let mut say = |id: &str,
                       period: Period,
                       part: &'static str,
                       said: &dyn Fn(Tally, Tally) -> Option<String>| {
            let Some(indicator) = indicators.iter().copied().find(|one| one.id == id) else {
                return;
            };
            let sum = |period: Period| desk.rollup().tally(indicator, period.days());
            let (now, before) = (sum(period), sum(period.previous()));
            if let Some(text) = said(now, before) {
                lines.push(Line {
                    text,
                    indicator: id.to_owned(),
                    part,
                    from: period.from.to_string(),
                    to: period.to.to_string(),
                });
            }
        };
        say("C01", period, "numerator", &|now, before| {
            Some(format!("上周到达有效数据 {} 条，前一周 {} 条", now.num, before.num))
        });
        say("K04", period, "gap", &|now, _| {
            (now.den > now.num)
                .then(|| format!("上周到达的数据中还有 {} 条错误未改正", now.den - now.num))
        });
        say("K17", period, "gap", &|now, _| {
            (now.den > 0).then(|| {
                format!("应更新的 {} 张表中，{} 张上周没有新数据", now.den, now.den - now.num)
            })
        });
        for (id, what) in
            [("K04", "数据正确率"), ("K05", "监管事项覆盖率"), ("K16", "执法人员持证有效率")]
        {
            say(id, year, "gap", &|now, _| {
                let value = now.quotient()?;
                let (num, den) = (now.num, now.den);
                Some(format!("今年{what} {}（{num}/{den}）", share(value)))
            });
        }
        for (id, what) in [("O01", "逾期待办"), ("O02", "超期未改的错误数据")] {
            say(id, year, "numerator", &|now, _| {
                (now.num > 0).then(|| format!("{what} {} 件", now.num))
            });
        }
        Ok(lines)
    }

    /// The reader has read it.
    pub(crate) async fn read_digest(&self, caller: &Caller, id: &str, version: i64) -> Result<()> {
        let act = caller.act(format!("work_item:{id}"));
        Ok(self.parts().flow.read_notice(&caller.actor, act, id, version).await?)
    }
}

/// `97.8%`; never 100 % for what is not all.
fn share(value: f64) -> String {
    let percent = (value * 1_000.0).floor() / 10.0;
    format!("{percent:.1}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_due_on_the_first_working_day_of_the_week() {
        let day = |text: &str| text.parse::<NaiveDate>().expect("a day");
        assert_eq!(due_day(day("2026-11-20"), 1), day("2026-11-16"));
        // 2025-10-01 to 10-08 are holidays: Monday the 6th rolls on to Thursday the 9th
        assert_eq!(due_day(day("2025-10-07"), 1), day("2025-10-09"));
        assert_eq!(week_of(day("2026-11-22")), (day("2026-11-16"), day("2026-11-22")));
        assert_eq!(share(0.99999), "99.9%");
        assert_eq!(share(1.0), "100.0%");
    }
}
