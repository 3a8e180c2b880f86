//! The service: holds the newest picture, renews it when the house has changed, answers from it.

use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant as Stopwatch};

use chrono::NaiveDate;
use mj_facts::{FactStore, TableSpec};
use mj_flow::Flow;
use mj_platform::Db;
use mj_platform::calendar::Calendar;
use mj_platform::keys::Keys;
use tokio::sync::Mutex;

use crate::error::{Error, Result};
use crate::house::House;
use crate::measure::{Tally, Walk};
use crate::overview::Desk;
use crate::period::Period;
use crate::picture::Keeper;
use crate::rollup;
use crate::rule::{Indicator, Rules};
use crate::world::{Day, Sieve, Wanted, World, date_of, day_of};

/// How long an answer waits for a newer picture before it is given from the last one.
const PATIENCE: Duration = Duration::from_millis(60);
/// A picture is renewed at most this often, and never so often that renewing takes more than a fifth of
/// the time.
const LEAST_GAP: Duration = Duration::from_millis(500);
/// A picture older than this is made anew though nothing seems to have changed.
const OLD_MICROS: i64 = 600 * 1_000_000;

/// What evaluation stands on.
pub struct Parts {
    pub db: Db,
    pub keys: Keys,
    pub facts: FactStore,
    pub flow: Flow,
    /// The tables of the fact store as the data centre writes them.
    pub specs: Vec<TableSpec>,
    pub house: Arc<dyn House>,
}

struct Inner {
    parts: Parts,
    rules: Rules,
    picture: RwLock<Option<Arc<World>>>,
    keeper: Mutex<Making>,
    /// Monday of the week whose digest was queued.
    queued: RwLock<Option<NaiveDate>>,
}

#[derive(Default)]
struct Making {
    keeper: Keeper,
    /// When the last one was finished and how long it took.
    last: Option<(Stopwatch, Duration)>,
}

/// Evaluation. Cheap to clone.
#[derive(Clone)]
pub struct Evaluation(Arc<Inner>);

/// A picture and whether the house has moved on since.
#[derive(Clone)]
pub struct Seen {
    pub world: Arc<World>,
    pub is_stale: bool,
}

impl Evaluation {
    pub fn new(parts: Parts) -> Result<Self> {
        Ok(Self(Arc::new(Inner {
            parts,
            rules: Rules::bundled()?,
            picture: RwLock::default(),
            keeper: Mutex::default(),
            queued: RwLock::default(),
        })))
    }

    pub fn rules(&self) -> &Rules {
        &self.0.rules
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.0.parts
    }

    pub(crate) fn today(&self) -> NaiveDate {
        self.0.parts.db.clock().today()
    }

    pub(crate) fn was_queued(&self, monday: NaiveDate) -> bool {
        self.0.queued.read().is_ok_and(|queued| *queued == Some(monday))
    }

    pub(crate) fn queued(&self, monday: NaiveDate) {
        if let Ok(mut queued) = self.0.queued.write() {
            *queued = Some(monday);
        }
    }

    fn held(&self) -> Option<Arc<World>> {
        self.0.picture.read().ok()?.clone()
    }

    pub(crate) fn has_picture(&self) -> bool {
        self.held().is_some()
    }

    pub(crate) fn db(&self) -> &Db {
        &self.0.parts.db
    }

    /// The newest picture that is there without waiting long.
    pub async fn seen(&self) -> Result<Seen> {
        let stamp = self.0.parts.house.stamp().await?;
        let today = day_of(self.today());
        let fits = |world: &World| world.stamp == stamp && world.today == today;
        match self.held() {
            Some(world) if fits(&world) => {
                if self.0.parts.db.clock().now() - world.as_of > OLD_MICROS {
                    // what no number of change tells (who logged in) is read again now and then
                    let own = self.clone();
                    tokio::spawn(async move { own.renew_old().await });
                }
                return Ok(Seen { world, is_stale: false });
            }
            None => {
                let world = self.renew(true).await?;
                return Ok(Seen { is_stale: !fits(&world), world });
            }
            Some(_) => {}
        }
        let own = self.clone();
        // goes on when the answer does not wait any more
        let renewing = tokio::spawn(async move { own.renew(false).await });
        let renewed = tokio::time::timeout(PATIENCE, renewing).await;
        if let Ok(Ok(Err(error))) = renewed {
            return Err(error);
        }
        let world = match self.held() {
            Some(world) => world,
            None => self.renew(true).await?,
        };
        Ok(Seen { is_stale: !fits(&world), world })
    }

    async fn renew_old(&self) {
        let now = self.0.parts.db.clock().now();
        if let Err(error) = self.make(|world, _| now - world.as_of <= OLD_MICROS).await {
            tracing::warn!(error = %error, "评价数据未能更新，查询时再试");
        }
    }

    /// Makes a new picture, unless one was just made and `now` does not insist.
    pub async fn renew(&self, now: bool) -> Result<Arc<World>> {
        let stamp = self.0.parts.house.stamp().await?;
        let today = day_of(self.today());
        self.make(|world, (finished, took)| {
            let fits = world.stamp >= stamp && world.today == today;
            fits || (!now && finished.elapsed() < LEAST_GAP.max(took * 4))
        })
        .await
    }

    /// Makes a picture unless the last one will do.
    async fn make(
        &self,
        will_do: impl FnOnce(&World, (Stopwatch, Duration)) -> bool,
    ) -> Result<Arc<World>> {
        let mut making = self.0.keeper.lock().await;
        if let (Some(world), Some(last)) = (self.held(), making.last)
            && will_do(&world, last)
        {
            return Ok(world);
        }
        let begun = Stopwatch::now();
        let Parts { db, facts, specs, house, .. } = &self.0.parts;
        let world = Arc::new(making.keeper.picture(db, facts, specs, house.as_ref()).await?);
        self.make_ready(&world).await?;
        if let Ok(mut slot) = self.0.picture.write() {
            *slot = Some(world.clone());
        }
        making.last = Some((Stopwatch::now(), begun.elapsed()));
        let took_ms = begun.elapsed().as_millis() as u64;
        tracing::info!(rows = world.rows(), took_ms, "评价数据已更新");
        Ok(world)
    }

    /// Rolls up what is asked for first, so that no answer waits for it.
    async fn make_ready(&self, world: &Arc<World>) -> Result<()> {
        let (own, world, today) = (self.clone(), world.clone(), self.today());
        tokio::task::spawn_blocking(move || {
            let wanted = rollup::everything();
            let sieve = Sieve::new(&world, &wanted);
            let mend_before = own.mend_before(&world)?;
            let indicators: Vec<&Indicator> = own.rules().on(today).collect();
            for kind in ["year", "month", "quarter"] {
                let period = Period::named(kind, today)?;
                let indicators = indicators.clone();
                let desk = Desk { world: &world, indicators, sieve: &sieve, period, mend_before };
                desk.figures();
                desk.months();
            }
            Ok(())
        })
        .await
        .map_err(Error::thread)?
    }

    /// The first day of reception whose refused rows may still wait to be mended.
    pub(crate) fn mend_before(&self, world: &World) -> Result<Day> {
        let today = date_of(world.today).unwrap_or_default();
        let days = i64::from(self.0.rules.term("mend_working_days", today)?);
        let yesterday = today.pred_opt().unwrap_or(today);
        let calendar = Calendar::bundled();
        let mut day = yesterday;
        while calendar.working_days_between(day, yesterday) < days {
            day = day.pred_opt().unwrap_or(day);
        }
        Ok(day_of(day) + 1)
    }

    /// One figure.
    pub fn tally(
        &self,
        world: &World,
        indicator: &Indicator,
        wanted: &Wanted,
        days: (Day, Day),
    ) -> Result<Tally> {
        let sieve = Sieve::new(world, wanted);
        let mend_before = self.mend_before(world)?;
        Ok(Walk { world, indicator, sieve: &sieve, days, mend_before }.tally())
    }
}
