//! Plays random sequences of acts upon one thing after another, over the whole house's HTTP API, and
//! writes down what came of each. It does not know the table: it picks what was tried least from the
//! state that the API tells, so that every act is tried in every state it gets to.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request};
use mj_access::seal;
use mj_kernel::{Event, Role};
use mj_platform::RowExt;
use mj_platform::jobs::Runner;
use mj_web::SEARCH_TEXT;
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::Value;
use tower::ServiceExt;

use super::super::authorisation::world::{Hat, World};
use super::table;

/// Draws of a run; `MJ_SEED` gives another one.
pub fn seed() -> u64 {
    std::env::var("MJ_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(7)
}

pub struct Dice(TestRng);

impl Dice {
    pub fn new(of: &str) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed().to_le_bytes());
        for (at, byte) in of.bytes().take(24).enumerate() {
            bytes[8 + at] = byte;
        }
        Self(TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.0.next_u64() % end as u64).expect("below an usize")
    }
}

/// One request as somebody.
#[derive(Debug, Clone)]
pub struct Ask {
    pub method: Method,
    pub path: String,
    pub token: Option<String>,
    pub body: Vec<u8>,
    pub headers: Vec<(&'static str, String)>,
}

impl Ask {
    pub fn post(token: Option<String>, path: impl Into<String>, body: Value) -> Self {
        let body = body.to_string().into_bytes();
        Self { method: Method::POST, path: path.into(), token, body, headers: Vec::new() }
    }

    pub fn by(role: Role, path: impl Into<String>, body: Value) -> Self {
        Self::post(token(role), path, body)
    }

    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }
}

pub fn token(role: Role) -> Option<String> {
    Hat::Role(role).token()
}

/// What is done in one step.
pub enum Deed {
    Ask(Ask),
    /// Requests one after another that count as one act: it went when the state moved.
    Series(Vec<Ask>),
    /// What the house does by itself: it went when the state moved.
    House(Pin<Box<dyn Future<Output = ()> + Send>>),
}

impl Deed {
    pub fn house(future: impl Future<Output = ()> + Send + 'static) -> Option<Self> {
        Some(Self::House(Box::pin(future)))
    }
}

impl From<Ask> for Option<Deed> {
    fn from(ask: Ask) -> Self {
        Some(Deed::Ask(ask))
    }
}

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub code: String,
    pub body: Value,
    pub headers: HeaderMap,
}

/// An act that a machine knows, and who may try it.
#[derive(Debug, Clone, Copy)]
pub struct Act {
    pub act: &'static str,
    pub who: &'static [&'static str],
    pub kind: Kind,
}

/// What becomes of the same request sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It names the version it was decided upon, and is refused.
    Versioned,
    /// It carries a code, a token or an approval that is good once, and is refused.
    Once,
    /// As `Once`, and not tried from two sides at once: nobody could tell afterwards which of the two tokens
    /// given out is the later.
    Alone,
    /// It is an act as any other, judged by the state there is now.
    Bare,
    /// As `Bare`; two at the same moment may both be told that it is done.
    Told,
}

pub const fn act(act: &'static str, who: &'static [&'static str]) -> Act {
    Act { act, who, kind: Kind::Versioned }
}

pub const fn once(act: &'static str, who: &'static [&'static str]) -> Act {
    Act { act, who, kind: Kind::Once }
}

pub const fn alone(act: &'static str, who: &'static [&'static str]) -> Act {
    Act { act, who, kind: Kind::Alone }
}

pub const fn bare(act: &'static str, who: &'static [&'static str]) -> Act {
    Act { act, who, kind: Kind::Bare }
}

pub const fn told(act: &'static str, who: &'static [&'static str]) -> Act {
    Act { act, who, kind: Kind::Told }
}

/// How a thing stands, as the API tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub state: String,
    pub version: i64,
    pub whole: Value,
}

pub trait Machine {
    const NAME: &'static str;
    /// At least so many sequences in a run of ordinary length.
    const SEQUENCES: usize;
    fn acts(&self) -> Vec<Act>;
    /// Makes a fresh thing.
    async fn begin(&mut self, stage: &Arc<Stage>, dice: &mut Dice);
    async fn seen(&mut self, stage: &Arc<Stage>) -> Seen;
    /// `None`: there is nobody of that kind now.
    fn deed(&mut self, stage: &Arc<Stage>, act: &str, who: &str, version: i64) -> Option<Deed>;
    /// Whether the answer says that it was done.
    fn went(&self, _act: &str, answer: &Answer) -> bool {
        (200..300).contains(&answer.status)
    }
    /// How an answer that did nothing refused.
    fn refusal(&self, _act: &str, answer: &Answer) -> (u16, String) {
        (answer.status, answer.code.clone())
    }
    /// Keeps in mind what was refused.
    fn refused(&mut self, _act: &str) {}
    /// Keeps in mind what was done.
    fn done(&mut self, _act: &str, _who: &str, _answer: &Answer) {}
}

/// How an act is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Manner {
    Right,
    /// With a version that is no more.
    Old,
    /// The same request once more, after it was done.
    Again,
    /// The same request from two sides at once.
    Twice,
}

#[derive(Debug, Clone)]
pub struct Told {
    pub went: bool,
    /// What the house does tells no status.
    pub quiet: bool,
    pub status: u16,
    pub code: String,
}

/// One step as it was.
#[derive(Debug, Clone)]
pub struct Step {
    pub state: String,
    pub act: &'static str,
    pub who: &'static str,
    pub kind: Kind,
    pub manner: Manner,
    pub answers: Vec<Told>,
    pub then: String,
    /// Neither the thing nor the journal of acts is other than before.
    pub unchanged: bool,
    /// How it came to this, to be read when something is wrong.
    pub story: String,
}

/// The house, with sessions that outlast every wait.
pub struct Stage {
    pub world: World,
    router: Router,
}

impl Stage {
    pub async fn new() -> Arc<Self> {
        let world = World::new().await;
        world.stand().await;
        let router = crate::modules::web(&world.domains).router(Router::new());
        let stage = Self { world, router };
        stage.wake_sessions().await;
        Arc::new(stage)
    }

    /// Nobody has to sign in again, however long a sequence waits.
    async fn wake_sessions(&self) {
        let later = mj_testkit::NOW + 20 * 365 * 86_400_000_000;
        let sql = format!(
            "UPDATE session SET absolute_until = {later}, proven_at = {later}, \
             last_seen_at = {later} WHERE account_id LIKE 'hat-%'"
        );
        self.world.kit.db().statement(&sql).await.expect("sessions are prolonged");
        let db = self.world.kit.db();
        let sql = "SELECT id FROM session WHERE account_id LIKE 'hat-%'";
        let rows = db.fetch_all(sql, &[]).await.expect("read");
        let mut tx = self.world.kit.begin().await;
        for row in rows {
            let id = row.text("id").expect("an id");
            seal::seal(&mut tx, seal::Kind::Session, &id).await.expect("sealed");
        }
        tx.commit().await.expect("done");
    }

    /// Sends it with a key of its own, or with the one it names.
    pub async fn send(&self, ask: &Ask) -> Answer {
        self.send_keyed(ask, &mj_platform::new_id()).await.0
    }

    async fn send_keyed(&self, ask: &Ask, key: &str) -> (Answer, bool) {
        let (path, typed) = mj_testkit::typed(&ask.path);
        let mut request = Request::builder().method(&ask.method).uri(path);
        request = request.header(SEARCH_TEXT, typed).header("idempotency-key", key);
        if !ask.headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        if let Some(token) = &ask.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Body::from(ask.body.clone())).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 64 << 20).await.expect("a body");
        let text = String::from_utf8_lossy(&body).into_owned();
        let body: Value = serde_json::from_slice(&body).unwrap_or(Value::String(text));
        let code = body["code"].as_str().unwrap_or_default().to_owned();
        let again = head.headers.contains_key("idempotency-replayed");
        (Answer { status: head.status.as_u16(), code, body, headers: head.headers }, again)
    }

    pub async fn get(&self, role: Role, path: &str) -> Value {
        let ask = Ask::by(role, path, Value::Null).method(Method::GET);
        let answer = self.send(&Ask { body: Vec::new(), ..ask }).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    /// Makes a thing. The same request with the same key makes no second one and answers the same;
    /// with another body it is a conflict. Neither writes anything.
    pub async fn create(&self, ask: Ask) -> Value {
        let key = mj_platform::new_id();
        let (first, _) = self.send_keyed(&ask, &key).await;
        assert!(
            (200..300).contains(&first.status),
            "{}: {} {}",
            ask.path,
            first.status,
            first.body
        );
        let written = self.written().await;
        let (second, again) = self.send_keyed(&ask, &key).await;
        assert!(again && second.status == first.status, "{}: {}", ask.path, second.body);
        let id =
            |answer: &Answer| ["id", "batch_id", "cd_source"].map(|name| answer.body[name].clone());
        assert_eq!(id(&first), id(&second), "{}", ask.path);
        let mut other: Value = serde_json::from_slice(&ask.body).expect("JSON");
        other["reason"] = "另一个请求".into();
        let other = Ask { body: other.to_string().into_bytes(), ..ask };
        let (third, _) = self.send_keyed(&other, &key).await;
        assert!((400..500).contains(&third.status), "{}: {}", other.path, third.body);
        assert_eq!(self.written().await, written, "{}: a repeated key writes nothing", other.path);
        first.body
    }

    /// How many acts the journal has: what is refused adds none but that it was refused, or that it was tried
    /// too often.
    pub async fn written(&self) -> i64 {
        let sql = "SELECT COUNT(*) FROM act_journal \
                   WHERE action NOT LIKE 'access.decision.%' AND action <> 'access.account.lock'";
        self.world.kit.db().count(sql, &[]).await.expect("counted")
    }

    pub async fn text(&self, sql: &str, id: &str) -> Option<String> {
        let row = self.world.kit.db().fetch_optional(sql, &[id.into()]).await.expect("asked");
        row.map(|row| row.text("found").expect("a text"))
    }

    /// Queued jobs and events are done.
    pub async fn work(&self) {
        let web = &self.world.web;
        let runner = Runner::new(self.world.kit.db().clone(), web.jobs(), web.events());
        runner.run_until_idle().await.expect("jobs ran");
    }

    /// What failed jobs said, for whoever reads why a step went another way.
    async fn job_errors(&self) -> Vec<String> {
        let sql = "SELECT kind, attempts, message FROM job WHERE message <> '' AND attempts > 0 \
                   AND state IN ('failed', 'queued')";
        let rows = self.world.kit.db().fetch_all(sql, &[]).await.expect("read");
        let told = rows.iter().map(|row| {
            let text = |name| row.text(name).expect("a text");
            format!(
                "{} after {}: {}",
                text("kind"),
                row.int("attempts").expect("a number"),
                text("message")
            )
        });
        told.collect()
    }

    pub async fn tell(&self, event: Event) {
        let mut tx = self.world.kit.begin().await;
        tx.publish(&event).await.expect("told");
        tx.note().await.expect("noted");
        tx.commit().await.expect("committed");
        self.work().await;
    }

    pub fn wait(&self, seconds: i64) {
        self.world.kit.clock.advance_seconds(seconds);
    }
}

fn heard<M: Machine>(machine: &mut M, act: &str, who: &str, answer: &Answer) -> Told {
    let went = machine.went(act, answer);
    let (status, code) = match went {
        true => (answer.status, String::new()),
        false => machine.refusal(act, answer),
    };
    match went {
        true => machine.done(act, who, answer),
        false => machine.refused(act),
    }
    Told { went, quiet: false, status, code }
}

type Choice = (Act, &'static str, Manner);

/// What was met so far: what can be tried in a state and how often it was, and where acts led.
#[derive(Default)]
struct Memory {
    tries: BTreeMap<String, Vec<(Choice, usize)>>,
    ways: BTreeMap<String, Vec<(&'static str, &'static str, String)>>,
}

impl Memory {
    fn learn(&mut self, steps: &[Step]) {
        for step in steps.iter().filter(|step| step.answers.iter().any(|answer| answer.went)) {
            let way = (step.act, step.who, step.then.clone());
            let ways = self.ways.entry(step.state.clone()).or_default();
            if step.then != step.state && !ways.contains(&way) {
                ways.push(way);
            }
        }
    }

    /// How much was tried in a state.
    fn tried(&self, state: &str) -> usize {
        self.tries.get(state).map_or(0, |tried| tried.iter().map(|one| one.1).sum())
    }

    /// Whether something was never tried there as it should be; where nobody has looked, everything.
    fn is_new(&self, state: &str) -> bool {
        let new = |one: &(Choice, usize)| one.0.2 == Manner::Right && one.1 == 0;
        self.tries.get(state).is_none_or(|tried| tried.iter().any(new))
    }

    /// Whether some state that was met is new.
    fn is_anything_new(&self) -> bool {
        let led = self.ways.values().flatten().map(|way| &way.2);
        self.tries.keys().chain(led).any(|state| self.is_new(state))
    }

    /// The first act on the shortest way to a new state, else to one in which less was tried.
    fn way_on(&self, state: &str) -> Option<(&'static str, &'static str)> {
        let here = self.tried(state);
        let less = |at: &str| self.tried(at) < here;
        self.way_to(state, |at| self.is_new(at)).or_else(|| self.way_to(state, less))
    }

    fn way_to(
        &self,
        state: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Option<(&'static str, &'static str)> {
        let mut met = vec![state.to_owned()];
        let mut open: VecDeque<(String, Option<(&'static str, &'static str)>)> =
            VecDeque::from([(state.to_owned(), None)]);
        while let Some((at, first)) = open.pop_front() {
            if wanted(&at) {
                return first;
            }
            for (act, who, then) in self.ways.get(&at).into_iter().flatten() {
                if !met.contains(then) {
                    met.push(then.clone());
                    open.push_back((then.clone(), first.or(Some((act, who)))));
                }
            }
        }
        None
    }
}

/// The steps, and in how many sequences.
pub async fn play<M: Machine>(
    stage: &Arc<Stage>,
    machine: &mut M,
    sequences: usize,
) -> (Vec<Step>, usize) {
    let mut dice = Dice::new(M::NAME);
    let mut memory = Memory::default();
    let mut steps = Vec::new();
    let mut number = 0;
    // until everything was tried everywhere, within bounds
    while number < sequences || (memory.is_anything_new() && number < 8 * sequences) {
        number += 1;
        machine.begin(stage, &mut dice).await;
        let mut story = format!("sequence {number}");
        for _ in 0..8 + dice.below(12) {
            let before = machine.seen(stage).await;
            let Some(choice) = choose(stage, machine, &before, &mut memory, &mut dice) else {
                break;
            };
            story += &format!(" · {} {} {}", before.state, choice.1, choice.0.act);
            let known = steps.len();
            take(stage, machine, &before, choice, &story, &mut steps).await;
            memory.learn(&steps[known..]);
        }
    }
    (steps, number)
}

/// What was tried least from here, or the way to where less was; every so often anything.
fn choose<M: Machine>(
    stage: &Arc<Stage>,
    machine: &mut M,
    seen: &Seen,
    memory: &mut Memory,
    dice: &mut Dice,
) -> Option<Choice> {
    let mut all = Vec::new();
    for act in machine.acts() {
        for who in act.who {
            let manners: &[Manner] = match machine.deed(stage, act.act, who, seen.version) {
                None => &[],
                Some(Deed::Ask(_)) if act.kind == Kind::Versioned => {
                    &[Manner::Right, Manner::Old, Manner::Again, Manner::Twice]
                }
                Some(Deed::Ask(_)) if act.kind == Kind::Alone => &[Manner::Right, Manner::Again],
                Some(Deed::Ask(_)) => &[Manner::Right, Manner::Again, Manner::Twice],
                Some(_) => &[Manner::Right],
            };
            all.extend(manners.iter().map(|manner| (act, *who, *manner)));
        }
    }
    let tried = memory.tries.entry(seen.state.clone()).or_default();
    for choice in &all {
        if !tried.iter().any(|(known, _)| same(known, choice)) {
            tried.push((*choice, 0));
        }
    }
    // every act as it should be comes before its replays
    let times = |choice: &Choice| {
        let known = tried.iter().find(|(known, _)| same(known, choice)).map_or(0, |one| one.1);
        known + usize::from(choice.2 != Manner::Right)
    };
    let least = all.iter().map(times).min()?;
    let mut wanted: Vec<Choice> = all.iter().filter(|one| times(one) == least).copied().collect();
    match dice.below(6) {
        0 => wanted = all,
        1..=3 => {
            let way = memory.way_on(&seen.state);
            let on = |one: &&Choice| Some((one.0.act, one.1)) == way && one.2 == Manner::Right;
            if let Some(on) = all.iter().find(on) {
                wanted = vec![*on];
            }
        }
        _ => {}
    }
    let choice = wanted[dice.below(wanted.len())];
    let tried = memory.tries.get_mut(&seen.state)?;
    if let Some(one) = tried.iter_mut().find(|(known, _)| same(known, &choice)) {
        one.1 += 1;
    }
    Some(choice)
}

fn same(one: &Choice, other: &Choice) -> bool {
    (one.0.act, one.1, one.2) == (other.0.act, other.1, other.2)
}

async fn take<M: Machine>(
    stage: &Arc<Stage>,
    machine: &mut M,
    before: &Seen,
    (act, who, manner): Choice,
    story: &str,
    steps: &mut Vec<Step>,
) {
    let version = if manner == Manner::Old { before.version - 1 } else { before.version };
    let written = stage.written().await;
    let Some(deed) = machine.deed(stage, act.act, who, version) else { return };
    let mut answers = Vec::new();
    let mut repeat = None;
    match deed {
        Deed::Ask(ask) if manner == Manner::Twice => {
            let (one, other) = tokio::join!(stage.send(&ask), stage.send(&ask));
            answers.push(heard(machine, act.act, who, &one));
            answers.push(heard(machine, act.act, who, &other));
        }
        Deed::Ask(ask) => {
            let answer = stage.send(&ask).await;
            let told = heard(machine, act.act, who, &answer);
            repeat = (manner == Manner::Again && told.went).then_some(ask);
            answers.push(told);
        }
        Deed::Series(asks) => {
            for ask in asks {
                stage.send(&ask).await;
            }
        }
        Deed::House(future) => future.await,
    }
    let after = machine.seen(stage).await;
    if answers.is_empty() {
        let went = after.state != before.state;
        answers.push(Told { went, quiet: true, status: 0, code: String::new() });
    }
    let unchanged = after == *before && stage.written().await == written;
    let quiet = answers.iter().any(|answer| answer.quiet);
    let step = Step {
        state: before.state.clone(),
        act: act.act,
        who,
        kind: act.kind,
        manner: if manner == Manner::Again { Manner::Right } else { manner },
        answers,
        then: after.state.clone(),
        unchanged: unchanged || (quiet && after.state == before.state),
        story: story.to_owned(),
    };
    steps.push(step.clone());
    let Some(ask) = repeat else { return };
    let written = stage.written().await;
    let answer = stage.send(&ask).await;
    let answers = vec![heard(machine, act.act, who, &answer)];
    let last = machine.seen(stage).await;
    let unchanged = last == after && stage.written().await == written;
    let (state, then) = (after.state, last.state);
    steps.push(Step { state, then, unchanged, manner: Manner::Again, answers, ..step });
}

/// Plays one machine and holds it against its published table.
pub async fn held<M: Machine>(mut machine: M) {
    let published = table::machine(M::NAME);
    let lines = &published.lines;
    let known: Vec<Act> = machine.acts();
    for line in lines {
        let of = |one: &&Act| one.act == line.act && one.who.contains(&line.who.as_str());
        assert!(known.iter().any(|one| of(&one)), "{}: nobody plays {line:?}", M::NAME);
    }
    let stage = Stage::new().await;
    let longer = if std::env::var_os("MJ_LONG").is_some() { 10 } else { 1 };
    let (steps, sequences) = play(&stage, &mut machine, M::SEQUENCES * longer).await;
    let wrong = table::differences(lines, &steps);
    assert!(
        wrong.is_empty(),
        "{}: {} of {} steps are not as docs/workflows.md says (MJ_SEED={}):\n  {}\njobs: {:?}",
        M::NAME,
        wrong.len(),
        steps.len(),
        seed(),
        brief(&wrong),
        stage.job_errors().await
    );
    let dead = table::not_gone(lines, &steps);
    assert!(dead.is_empty(), "{}: no step went along {dead:#?}", M::NAME);
    controls(&published, &steps);
    let refused = table::refused(&steps);
    println!(
        "workflows: {}: seed {}, {sequences} sequences, {} steps: {} transitions, {} refusals in their states, \
         0 differences; every transition left out and every refusal invented as a transition was found",
        M::NAME,
        seed(),
        steps.len(),
        lines.len(),
        refused.len()
    );
}

/// One of each kind, and of the first how it came to it.
fn brief(wrong: &[String]) -> String {
    let mut kinds: BTreeMap<&str, &String> = BTreeMap::new();
    for one in wrong {
        kinds.entry(one.lines().next().unwrap_or_default()).or_insert(one);
    }
    let told = kinds.iter().enumerate();
    let told = told.map(|(at, (kind, whole))| if at == 0 { whole.as_str() } else { kind });
    told.collect::<Vec<_>>().join("\n  ")
}

/// The comparison finds a table that is wrong: each transition left out, each led elsewhere, and each
/// refusal written down as if it were a transition.
fn controls(published: &table::Published, steps: &[Step]) {
    let lines = &published.lines;
    for at in 0..lines.len() {
        let mut without = lines.clone();
        let left_out = without.remove(at);
        assert!(!table::differences(&without, steps).is_empty(), "not missed: {left_out:?}");
        let mut elsewhere = lines.clone();
        elsewhere[at].then = "nowhere".into();
        assert!(
            !table::differences(&elsewhere, steps).is_empty(),
            "may lead anywhere: {left_out:?}"
        );
    }
    for (state, act, who) in table::refused(steps) {
        let mut more = lines.clone();
        more.push(table::Line { then: state.clone(), state, act, who });
        let invented = more.last().cloned();
        assert!(!table::differences(&more, steps).is_empty(), "not noticed: {invented:?}");
    }
}
