//! The binary under test, and houses for it: data directories of their own on the database under
//! test. One house is furnished once per run the way a new owner does it (first start, one-time
//! codes, accounts, sources); every story gets a copy.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use mj_platform::{Db, RowExt, SystemClock};
use mj_testkit::OwnDatabase;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{Door, Token};

/// The agency whose business system delivers, and the name of that system.
pub const SOURCE: &str = "370400";
/// A system that may only push, and only inspections.
pub const PUSHER: &str = "370400-push";
/// Someone else's system.
pub const STRANGER: &str = "370500";

const AGENCY: &str = "11370400004400001P";
/// Nothing that is waited for takes longer, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// What was printed, as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.err))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

pub fn mingjian(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mingjian"));
    command.args(args);
    for name in [
        "DATA_DIR",
        "DATABASE_URL",
        "DATABASE_MIGRATE_URL",
        "SERVER_PORT",
        "SERVER_ADDRESS",
        "SERVER_TRUSTED_PROXIES",
        "ACCESS_ADMIN_NETWORKS",
        "NODE_AREA",
        "LOG",
    ] {
        command.env_remove(format!("MINGJIAN_{name}"));
    }
    command
}

pub fn run(args: &[&str]) -> Ran {
    mingjian(args).output().expect("the binary starts").into()
}

/// Runs with `input` on standard input.
pub fn run_with(args: &[&str], input: &[u8]) -> Ran {
    fed(mingjian(args), input)
}

fn fed(mut command: Command, input: &[u8]) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("the binary ends");
    let _ = writer.join();
    output.into()
}

/// Asks until there is an answer.
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(since.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::park_timeout(Duration::from_millis(30));
    }
}

/// A data directory of its own and a database of its own.
pub struct House {
    pub database: Option<OwnDatabase>,
    root: Arc<TempDir>,
    /// Another database than its own.
    url: Option<String>,
    /// Whose role migrates.
    migrate_url: Option<String>,
}

impl House {
    /// Nothing has ever run here.
    pub fn bare() -> Self {
        let root = TempDir::new().expect("a folder");
        fs::create_dir(root.path().join("data")).expect("a data directory");
        Self { database: OwnDatabase::empty(), root: Arc::new(root), url: None, migrate_url: None }
    }

    /// A copy of the furnished house: accounts and sources, not one record.
    pub fn furnished() -> Self {
        furnished().house.copy()
    }

    /// Copying the directory of a stopped node copies the node.
    pub fn copy(&self) -> Self {
        let root = TempDir::new().expect("a folder");
        copy_folder(&self.data(), &root.path().join("data"));
        let database = self.database.as_ref().map(OwnDatabase::fork);
        Self { database, root: Arc::new(root), url: None, migrate_url: None }
    }

    /// The same directory, its rows in another database.
    pub fn at(&self, url: &str) -> Self {
        let (root, url) = (self.root.clone(), Some(url.to_owned()));
        Self { database: None, root, url, migrate_url: None }
    }

    /// Migrated with the role that this URL names.
    pub fn migrated_by(self, url: &str) -> Self {
        Self { migrate_url: Some(url.to_owned()), ..self }
    }

    /// The same node with its directory on another disk.
    pub fn on(self, disk: &Path) -> Self {
        let root = TempDir::new_in(disk).expect("a folder");
        copy_folder(&self.data(), &root.path().join("data"));
        Self { root: Arc::new(root), ..self }
    }

    pub fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    /// A file beside the data directory.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.root.path().join(name);
        fs::write(&path, content).expect("written");
        path
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = mingjian(args);
        command.env("MINGJIAN_DATA_DIR", self.data());
        let own = self.database.as_ref().map(OwnDatabase::url);
        if let Some(url) = self.url.clone().or(own) {
            command.env("MINGJIAN_DATABASE_URL", url);
        }
        if let Some(url) = &self.migrate_url {
            command.env("MINGJIAN_DATABASE_MIGRATE_URL", url);
        }
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        self.command(args).output().expect("the binary starts").into()
    }

    /// With `input` on standard input.
    pub fn run_with(&self, args: &[&str], input: &str) -> Ran {
        fed(self.command(args), input.as_bytes())
    }

    pub fn import(&self, table: &str, file: &Path) -> Ran {
        self.run(&["import", table, text_of(file), "--source", SOURCE])
    }

    /// Imports what must be taken in without a fault.
    pub fn import_clean(&self, table: &str, name: &str, content: impl AsRef<[u8]>) -> Value {
        let ran = self.import(table, &self.file(name, content));
        assert_eq!(ran.code, 0, "{name}: {} {}", ran.out, ran.err);
        ran.json()
    }

    pub fn check(&self, table: &str, file: &Path) -> Ran {
        let data = self.data();
        self.run(&["check", "table", table, text_of(file), "--json", "--data-dir", text_of(&data)])
    }

    /// `doctor` finds nothing.
    #[track_caller]
    pub fn is_clean(&self) {
        let ran = self.run(&["doctor"]);
        assert_eq!((ran.code, ran.out.as_str()), (0, "正常\n"), "{}", ran.err);
    }

    #[track_caller]
    pub fn digest(&self) -> String {
        let ran = self.run(&["doctor", "--digest"]);
        let digest = ran.out.trim().to_owned();
        assert_eq!((ran.code, digest.len()), (0, 64), "{} {}", ran.out, ran.err);
        digest
    }

    /// What somebody with the database password could do.
    pub fn by_hand(&self, sql: &str) {
        self.tried_by_hand(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// The same where it may be refused.
    pub fn tried_by_hand(&self, sql: &str) -> mj_platform::Result<()> {
        let mut done = Ok(());
        self.in_database(async |db| done = db.statement(sql).await);
        done
    }

    /// What a `SELECT COUNT(*)` counts.
    pub fn number(&self, sql: &str) -> i64 {
        let mut counted = 0;
        self.in_database(async |db| counted = db.count(sql, &[]).await.expect("counted"));
        counted
    }

    /// Shows every text and every blob of every table to `look`, with the table's name.
    pub fn everything_in_the_database(&self, mut look: impl FnMut(&str, &[u8])) {
        let names = match &self.database {
            Some(_) => {
                "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables WHERE table_schema = 'public'"
            }
            None => "SELECT name FROM sqlite_master WHERE type = 'table'",
        };
        self.in_database(async |db| {
            let tables = db.fetch_all(&format!("{names} ORDER BY 1"), &[]).await.expect("tables");
            assert!(tables.len() > 20, "only {} tables", tables.len());
            for table in tables {
                let name = table.text("name").expect("a name");
                let all = format!("SELECT * FROM {name}");
                for row in db.fetch_all(&all, &[]).await.expect("rows") {
                    for column in row.names() {
                        match row.value(column).expect("readable") {
                            mj_platform::Value::Text(text) => look(&name, text.as_bytes()),
                            mj_platform::Value::Bytes(bytes) => look(&name, &bytes),
                            _ => {}
                        }
                    }
                }
            }
        });
    }

    fn in_database(&self, act: impl AsyncFnOnce(&Db)) {
        let url = match (&self.url, &self.database) {
            (Some(url), _) => url.clone(),
            (None, Some(database)) => database.url(),
            (None, None) => {
                format!("sqlite:{}", self.data().join("db/mingjian.sqlite3").display())
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let db = Db::open(&url, Arc::new(SystemClock)).await.expect("the database opens");
            act(&db).await;
            db.close().await;
        });
    }

    pub fn serve(&self) -> Node<'_> {
        self.serve_with(&[])
    }

    pub fn serve_with(&self, env: &[(&str, &str)]) -> Node<'_> {
        // somebody else may take the port between asking for it and using it
        for _ in 0..5 {
            if let Some(node) = self.try_serve(free_port(), env) {
                return node;
            }
        }
        panic!("no port stayed free");
    }

    fn try_serve(&self, port: u16, env: &[(&str, &str)]) -> Option<Node<'_>> {
        let log = self.root.path().join(format!("node-{port}.log"));
        let mut child = self
            .command(&["serve", "--port", &port.to_string()])
            .envs(env.iter().copied())
            .stdout(Stdio::null())
            .stderr(File::create(&log).expect("a log"))
            .spawn()
            .expect("the binary starts");
        let door = Door::at(port);
        let up = wait_for("the node answers", || {
            if let Some(status) = child.try_wait().expect("asked") {
                let text = fs::read_to_string(&log).unwrap_or_default();
                assert!(text.contains("已被占用"), "the node ended with {status}: {text}");
                return Some(false);
            }
            // not whoever else answers there: the node of another story may have taken the port a moment ago
            let ours = fs::read_to_string(&log).is_ok_and(|text| text.contains("明鉴已启动"));
            let healthy = || door.try_get("/healthz").is_some_and(|answer| answer.status == 200);
            (ours && healthy()).then_some(true)
        });
        up.then(|| Node { child, door, log, _house: self })
    }
}

/// A running `mingjian serve`; killed when dropped.
pub struct Node<'h> {
    child: Child,
    pub door: Door,
    log: PathBuf,
    _house: &'h House,
}

impl Node<'_> {
    /// Everything it has said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("a log")
    }

    /// SIGKILL, as when the power goes.
    pub fn kill(self) {
        drop(self);
    }

    /// SIGTERM, and how it ended within 30 seconds.
    pub fn stop(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        let since = Instant::now();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("kill");
        assert!(sent.success());
        let status = wait_for("the node ends", || self.child.try_wait().expect("asked"));
        assert!(since.elapsed() < Duration::from_secs(30), "took {:?}", since.elapsed());
        status
    }
}

impl Drop for Node<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("what the node said:\n{}", self.log());
        }
    }
}

/// Lets a command run for so long, then kills it with SIGKILL. Whether it ended by itself first.
pub fn cut_short(mut command: Command, after: Duration) -> bool {
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary starts");
    let ended = end_of(child.stdout.take().expect("a pipe"));
    let by_itself = match ended.recv_timeout(after) {
        Err(RecvTimeoutError::Timeout) => {
            child.kill().expect("killed");
            false
        }
        _ => true,
    };
    child.wait().expect("gone");
    by_itself
}

/// Tells when the other end of a pipe is closed.
fn end_of(mut pipe: impl Read + Send + 'static) -> Receiver<()> {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let mut nothing = Vec::new();
        let _ = pipe.read_to_end(&mut nothing);
        let _ = tell.send(());
    });
    told
}

/// What the furnished house's people hold in their hands.
pub struct Furnished {
    pub house: House,
    /// The system administrator.
    pub system: Token,
    pub security: Token,
    pub auditor: Token,
    pub operator: Token,
    pub source: Token,
    pub pusher: Token,
    pub stranger: Token,
}

pub fn furnished() -> &'static Furnished {
    static FURNISHED: OnceLock<Furnished> = OnceLock::new();
    FURNISHED.get_or_init(|| furnish(House::bare()))
}

/// A first start and everything after it, in a house where nothing has ever run.
pub fn furnish(house: House) -> Furnished {
    let node = house.serve();
    let codes = enrolment_codes(&node.log());
    let door = node.door;
    let nobody = Token::default();
    for (login, code) in ["sys-admin", "sec-admin", "audit-admin"].iter().zip(&codes) {
        let person =
            json!({"code": code, "login": login, "password": secret(login), "name": login});
        door.post(&nobody, "/api/v1/enrolments", &person).expect(201);
    }
    let system = login(door, "sys-admin");
    let security = login(door, "sec-admin");
    let agency = json!({"uscc": AGENCY, "name": "枣庄市市场监督管理局", "area_number": "370400",
        "line": "31", "nature": "1", "valid_from": "2010-01-01"});
    door.post(&system, "/api/v1/access/agencies", &agency).expect(201);
    let account = json!({"login": "operator", "name": "数据汇聚管理员"});
    let made = door.post(&system, "/api/v1/access/accounts", &account).expect(201);
    let person = json!({"code": made["activation_code"], "login": "operator",
        "password": secret("operator")});
    door.post(&nobody, "/api/v1/enrolments", &person).expect(201);
    let grant = json!({"account_id": made["id"], "role": "datahub_operator", "areas": ["370000"],
        "reason": "汇聚数据"});
    // a role that only two may give
    let requests = "/api/v1/access/grant-requests";
    let asked = door.post(&security, requests, &grant).expect(201);
    let auditor = login(door, "audit-admin");
    let confirm = format!("{requests}/{}/confirm", asked["id"].as_str().expect("an id"));
    door.post(&auditor, &confirm, &json!({"version": asked["version"]})).expect(200);
    let operator = login(door, "operator");
    let register = |cd_source: &str, channels: Value, tables: Value| {
        let source = json!({"cd_source": cd_source, "name": "业务系统", "kind": "agency",
            "agency": AGENCY, "agency_name": "枣庄市市场监督管理局", "area": "370400",
            "priority": 10, "channels": channels, "tables": tables});
        door.post(&operator, "/api/v1/datahub/sources", &source).expect(201);
        let path = format!("/api/v1/datahub/sources/{cd_source}/token");
        let issued = door.post(&operator, &path, &json!({})).expect(201);
        Token::bearer(issued["token"].as_str().expect("a token"))
    };
    let source = register(SOURCE, json!(["file", "push", "upload", "manual"]), json!([]));
    let pusher = register(PUSHER, json!(["push"]), json!(["check_action"]));
    let stranger = register(STRANGER, json!(["push", "upload"]), json!([]));
    assert!(node.stop().success());
    Furnished { house, system, security, auditor, operator, source, pusher, stranger }
}

/// The three one-time codes as they are printed, in the order system, security, audit.
pub fn enrolment_codes(log: &str) -> Vec<String> {
    let codes: Vec<String> = ["系统管理员", "安全管理员", "审计管理员"]
        .iter()
        .filter_map(|title| {
            let line = log.lines().find_map(|line| line.trim().strip_prefix(title))?;
            Some(line.trim_start_matches('：').trim().to_owned())
        })
        .collect();
    assert_eq!(codes.len(), 3, "{log}");
    codes
}

pub fn secret(login: &str) -> String {
    format!("{}-滕州大白菜42", login.chars().rev().collect::<String>())
}

pub fn login(door: Door, login: &str) -> Token {
    let body = json!({"login": login, "password": secret(login)});
    let session = door.post(&Token::default(), "/api/v1/sessions", &body).expect(201);
    let token = Token::bearer(session["token"].as_str().expect("a token"));
    match session["state"].as_str() {
        Some("active") => token,
        // an administrator's first login: the authenticator is set up before anything opens
        Some("enrol") => {
            let path = "/api/v1/sessions/current/second-factor";
            door.get(&token, "/api/v1/sessions/current").expect(401);
            let offer = door.post(&token, &format!("{path}/offer"), &json!({})).expect(200);
            let uri = offer["uri"].as_str().expect("an address");
            let code = totp_rs::Totp::from_url(uri).expect("ours").generate_current().to_string();
            let done = door.post(&token, &format!("{path}/confirm"), &json!({"totp": code}));
            let done = done.expect(200);
            assert_eq!(done["recovery_codes"].as_array().map(Vec::len), Some(10));
            Token::bearer(done["token"].as_str().expect("a new token"))
        }
        other => panic!("a login ends in {other:?}"),
    }
}

/// A port that nobody uses and no other story was given: a node takes a second to reach for its own.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().expect("no story fails in here");
    loop {
        let listener = std::net::TcpListener::bind("[::]:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        if given.insert(port) {
            return port;
        }
    }
}

pub fn text_of(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).expect("copied");
        }
    }
}

/// All files below a folder.
pub fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files.extend(files_in(&path)) } else { files.push(path) }
    }
    files
}
