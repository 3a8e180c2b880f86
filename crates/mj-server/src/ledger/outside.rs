//! Asking this node's witnesses: every interval each gets the newest checkpoint with the proof that it
//! goes on from the one it saw last. A witness that saw more, or something else, shows that this store
//! was put back; then nothing is written any more (`mj_platform::ledger::outside`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::Method;
use mj_kernel::Instant;
use mj_platform::config::{WitnessAt, WitnessSettings};
use mj_platform::ledger::outside::Reached;
use mj_platform::ledger::{Ledger, outside};

use super::ask::ask;
use super::watched;

/// How often another process's fork record or entries are noticed.
const TICK: Duration = Duration::from_secs(2);

/// What came of the last question to one witness.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    pub tried_at: Instant,
    /// `None`: it cosigned.
    pub trouble: Option<String>,
}

/// The questions to the witnesses. Cheap to clone.
#[derive(Clone)]
pub struct Outside {
    ledger: Ledger,
    settings: Arc<WitnessSettings>,
    started_at: Instant,
    standing: Arc<Mutex<BTreeMap<String, Standing>>>,
}

/// One witness as pages and figures show it.
#[derive(Debug, Clone)]
pub struct WitnessNow {
    pub name: String,
    pub url: String,
    pub cosigned: Option<outside::Cosigned>,
    /// Since the newest cosignature, or since the start where there is none.
    pub lag: Duration,
    pub alarm: bool,
    pub tried_at: Instant,
    pub trouble: Option<String>,
}

impl Outside {
    pub fn new(ledger: Ledger, settings: WitnessSettings) -> Self {
        let started_at = ledger.db().clock().now();
        Self { ledger, settings: Arc::new(settings), started_at, standing: Arc::default() }
    }

    pub fn settings(&self) -> &WitnessSettings {
        &self.settings
    }

    pub async fn watch(&self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut since_asked = self.settings.every;
        loop {
            if since_asked >= self.settings.every && !self.settings.witnesses.is_empty() {
                tokio::select! {
                    () = &mut stop => return,
                    () = self.round() => {}
                }
                since_asked = Duration::ZERO;
            }
            let tick = TICK.min(self.settings.every);
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep(tick) => {}
            }
            since_asked += tick;
            let heeded = self.ledger.heed();
            if let Err(error) = heeded.and(self.ledger.wake().await) {
                tracing::error!(error = %error, "监管日志的状态无法读取，稍后重试");
            }
        }
    }

    /// Asks every witness once.
    pub async fn round(&self) {
        for witness in &self.settings.witnesses {
            let outcome = self.one(witness).await;
            if let Err(trouble) = &outcome {
                tracing::warn!(witness = %witness.key.name, %trouble, "见证方没有签署");
            }
            let tried_at = self.ledger.db().clock().now();
            if let Ok(mut standing) = self.standing.lock() {
                let name = witness.key.name.clone();
                let trouble = outcome.as_ref().err().cloned();
                standing.insert(name, Standing { tried_at, trouble });
            }
            self.count(witness, outcome.is_err()).await;
        }
    }

    /// Counts a question, for whoever looks back upon a month.
    async fn count(&self, witness: &WitnessAt, failed: bool) {
        let (db, name) = (self.ledger.db(), witness.key.name.as_str());
        let Ok(cosigned) = outside::cosigned(db, name).await else { return };
        let lag = lag(db.clock().now(), cosigned.as_ref(), self.started_at);
        let worst = i64::try_from(lag.as_secs()).unwrap_or(i64::MAX);
        let bad = lag > self.settings.alarm;
        watched::count(db, &watched::Round { kind: "witness", name, bad, failed, worst }).await;
    }

    async fn one(&self, witness: &WitnessAt) -> Result<(), String> {
        let broken = |error: mj_platform::Error| error.to_string();
        let known = outside::cosigned(self.ledger.db(), &witness.key.name).await.map_err(broken)?;
        let mut old = match known {
            Some(known) => self.reached(&known.checkpoint).map_err(broken)?,
            None => Reached::NOTHING,
        };
        // once more, where the witness remembers another size than this node
        for _ in 0..2 {
            let Some(asked) = self.ledger.ask(old).map_err(broken)? else {
                return match old.size {
                    // nothing was ever done here
                    0 => Ok(()),
                    _ => self.doubt(witness, "见证方见过的条目比本节点多").await,
                };
            };
            let url = format!("{}/add-checkpoint", witness.url);
            let answer = ask(Method::POST, &url, asked.text.clone()).await?;
            match answer.status {
                200 => {
                    let kept = self.ledger.keep(&asked, &witness.key, &answer.body).await;
                    return kept.map(drop).map_err(broken);
                }
                409 => match answer.body.trim().parse::<u64>() {
                    Ok(0) => old = Reached::NOTHING,
                    // which volume it speaks of stands in what it shows alone
                    Ok(_) => match self.shown(witness).await? {
                        Some(seen) if seen != old => old = seen,
                        _ => return self.doubt(witness, "见证方见过的是另一份日志").await,
                    },
                    Err(_) => return self.doubt(witness, "见证方见过的是另一份日志").await,
                },
                422 => return self.doubt(witness, "本节点的日志接不上见证方见过的").await,
                404 => return Err("见证方没有登记本节点的日志（ledger.witness_for）".into()),
                403 => return Err("见证方登记的不是本节点的日志公钥".into()),
                status => return Err(format!("见证方回答 {status}")),
            }
        }
        Err("见证方记得的大小一变再变".into())
    }

    /// How far a checkpoint of this log reaches.
    fn reached(&self, text: &str) -> mj_platform::Result<Reached> {
        let own = self.ledger.own(text)?;
        Ok(own.map_or(Reached::NOTHING, |checkpoint| Reached::of(&checkpoint)))
    }

    /// How far a witness saw this log, as it shows itself; `None` where it shows nothing of it.
    async fn shown(&self, witness: &WitnessAt) -> Result<Option<Reached>, String> {
        let shown = ask(Method::GET, &self.seen_at(witness), String::new()).await?;
        if shown.status != 200 {
            return Ok(None);
        }
        let reached = self.reached(&shown.body).map_err(|error| error.to_string())?;
        Ok(Some(reached).filter(|reached| reached.size > 0))
    }

    fn seen_at(&self, witness: &WitnessAt) -> String {
        format!("{}/checkpoint?origin={}", witness.url, self.ledger.key().name)
    }

    /// What a witness refuses is believed only with what it saw, signed by this log's own key.
    async fn doubt(&self, witness: &WitnessAt, trouble: &str) -> Result<(), String> {
        let broken = |error: mj_platform::Error| error.to_string();
        let shown = ask(Method::GET, &self.seen_at(witness), String::new()).await?;
        if shown.status != 200 {
            return Err(format!("{trouble}，但没有出示证据（{}）", shown.status));
        }
        match self.ledger.contradiction(&shown.body).map_err(broken)? {
            None if self.has_frozen().map_err(broken)? => Err(format!(
                "{trouble}：损坏的一册已封存，请见证方执行 mingjian log reset-witnessed"
            )),
            None => Err(format!("{trouble}，但出示的证据不成立")),
            Some(seen) => {
                let held = self.ledger.suspect(&witness.key.name, &seen, &shown.body).await;
                Err(match held.map_err(broken)? {
                    true => format!("{trouble}：疑似被退回到旧的备份"),
                    false => format!("{trouble}：分叉已登记，等待见证方重新开始"),
                })
            }
        }
    }

    /// Whether a damaged volume was given up, which a witness may have seen more of.
    fn has_frozen(&self) -> mj_platform::Result<bool> {
        let volumes = self.ledger.shelf().list()?;
        let mut closed = volumes.iter().filter_map(|one| one.closed.as_ref());
        Ok(closed.any(|closed| closed.cause == mj_ledger::Cause::Freeze))
    }

    /// Every witness and how it stands.
    pub async fn now(&self) -> mj_platform::Result<Vec<WitnessNow>> {
        let db = self.ledger.db();
        let now = db.clock().now();
        let mut all = Vec::new();
        for witness in &self.settings.witnesses {
            let name = witness.key.name.clone();
            let cosigned = outside::cosigned(db, &name).await?;
            let lag = lag(now, cosigned.as_ref(), self.started_at);
            let standing = self.standing.lock().ok().and_then(|all| all.get(&name).cloned());
            let standing = standing.unwrap_or_default();
            all.push(WitnessNow {
                name,
                url: witness.url.clone(),
                cosigned,
                lag,
                alarm: lag > self.settings.alarm,
                tried_at: standing.tried_at,
                trouble: standing.trouble,
            });
        }
        Ok(all)
    }

    /// Whether every witness has been silent for too long to do what must be witnessed.
    pub async fn is_stopped(&self) -> bool {
        if self.settings.witnesses.is_empty() || self.settings.stop.is_zero() {
            return false;
        }
        let silent = |one: &WitnessNow| one.lag > self.settings.stop;
        self.now().await.is_ok_and(|all| all.iter().all(silent))
    }
}

pub fn lag(now: Instant, cosigned: Option<&outside::Cosigned>, since: Instant) -> Duration {
    let from = cosigned.map_or(since, |cosigned| cosigned.at);
    Duration::from_micros(u64::try_from(now - from).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use mj_ledger::WitnessKey;
    use mj_platform::gm::vault::{KeyClass, SmProvider, Vault};
    use mj_platform::ledger::witness::{Verdict, Witness};
    use mj_testkit::TestDb;

    use super::*;

    fn vault(kit: &TestDb, name: &str) -> Arc<Vault> {
        let folder = kit.folder.path().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        Arc::new(Vault::open(&folder, &[7; 16], false))
    }

    /// Where nobody listens.
    fn settings(key: WitnessKey) -> WitnessSettings {
        WitnessSettings {
            every: Duration::from_secs(60),
            alarm: Duration::from_secs(10 * 60),
            stop: Duration::from_secs(4 * 3_600),
            patience: Duration::from_secs(1),
            witnesses: vec![WitnessAt { url: "http://127.0.0.1:1".into(), key }],
            witness_for: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_silent_witness_is_an_alarm_and_in_the_end_stops_what_must_be_witnessed() {
        let kit = TestDb::new().await;
        let folder = kit.folder.path().join("log");
        let own = vault(&kit, "own");
        let ledger = Ledger::open(kit.db().clone(), &folder, own, "370400").await.expect("a log");
        let mut tx = kit.begin().await;
        tx.note().await.expect("noted");
        tx.commit().await.expect("done");
        ledger.drain().await.expect("sealed");
        let other = vault(&kit, "other");
        let logs = vec![ledger.key()];
        let witness =
            Witness::new(kit.db().clone(), other.clone(), "370000", logs).expect("a witness");
        assert_eq!(witness.key().point, other.public(KeyClass::Witness).expect("a key"));
        let outside = Outside::new(ledger.clone(), settings(witness.key().clone()));
        outside.round().await;
        let now = outside.now().await.expect("read");
        assert!(!now[0].alarm && now[0].cosigned.is_none());
        let trouble = now[0].trouble.clone().expect("nobody answers");
        assert!(trouble.starts_with("连接不上"), "{trouble}");

        kit.clock.advance_seconds(11 * 60);
        assert!(outside.now().await.expect("read")[0].alarm, "never signed, and long started");
        let asked = ledger.ask(Reached::NOTHING).expect("asked").expect("signed");
        let verdict = witness.add_checkpoint(&asked.text).await.expect("answered");
        let Verdict::Cosigned(line) = verdict else { panic!("{verdict:?}") };
        ledger.keep(&asked, witness.key(), &line).await.expect("kept");
        let now = outside.now().await.expect("read");
        assert!(!now[0].alarm && now[0].lag.is_zero(), "{:?}", now[0]);
        // a signature of somebody else is not kept
        let stranger = WitnessKey { point: [4; 65], ..witness.key().clone() };
        assert!(ledger.keep(&asked, &stranger, &line).await.is_err());
        kit.clock.advance_seconds(4 * 3_600);
        assert!(outside.now().await.expect("read")[0].alarm && !outside.is_stopped().await);
        kit.clock.advance_seconds(1);
        assert!(outside.is_stopped().await);
    }
}
