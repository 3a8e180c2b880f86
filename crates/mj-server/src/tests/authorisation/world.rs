//! A small world to ask questions of: five offices around one (own, sibling, parent, child, foreign), each
//! with one of everything, and one account a role. Rows are put in by hand: what is asked here is who
//! sees them, not how they come.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Method, Request, StatusCode};
use mj_access::seal::{Kind, seal};
use mj_kernel::{Actor, ActorKind, Role};
use mj_platform::{Act, Config, Lane, Value, WriteTx};
use mj_testkit::{NOW, TestDb};
use mj_web::{SEARCH_TEXT, Web};
use sha2::{Digest, Sha256};
use tower::ServiceExt;

use crate::modules::{Domains, web};
use crate::node::Floor;

/// How an office stands to the one that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    Own,
    Sibling,
    Parent,
    Child,
    Foreign,
}

impl Relation {
    pub const ALL: [Self; 5] = [Self::Own, Self::Sibling, Self::Parent, Self::Child, Self::Foreign];

    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Sibling => "sibling",
            Self::Parent => "parent",
            Self::Child => "child",
            Self::Foreign => "foreign",
        }
    }

    pub fn letter(self) -> char {
        match self {
            Self::Own => 'O',
            Self::Sibling => 'S',
            Self::Parent => 'P',
            Self::Child => 'C',
            Self::Foreign => 'F',
        }
    }

    fn number(self) -> usize {
        self as usize + 1
    }

    pub fn area(self) -> &'static str {
        match self {
            Self::Own | Self::Sibling => "370400",
            Self::Parent => "370000",
            Self::Child => "370402",
            Self::Foreign => "410700",
        }
    }

    pub fn agency(self) -> &'static str {
        match self {
            Self::Own => "11370400004400001P",
            Self::Sibling => "11370400004400002K",
            Self::Parent => "11370000004500003M",
            Self::Child => "12370400494500012B",
            Self::Foreign => "11410700005100004X",
        }
    }

    /// What its things are called, in words that stand in no other's.
    pub fn word(self) -> &'static str {
        match self {
            Self::Own => "甲本局",
            Self::Sibling => "乙邻局",
            Self::Parent => "丙上级",
            Self::Child => "丁下级",
            Self::Foreign => "戊外地",
        }
    }

    pub fn agency_name(self) -> String {
        format!("{}市场监督管理局", self.word())
    }

    pub fn source(self) -> String {
        format!("src_{}", self.name())
    }

    /// The number of the log's entry about its party.
    pub fn entry(self) -> i64 {
        self as i64 + FIRST_ENTRY
    }

    /// An id of its own for a kind of thing.
    pub fn id(self, kind: &str) -> String {
        let digest = hex::encode(Sha256::digest(kind.as_bytes()));
        format!("01900000-0000-7000-8{:03}-{}", self.number(), &digest[..12])
    }
}

/// Behind what the rows by hand left in the log.
const FIRST_ENTRY: i64 = 1;

/// Who asks: a column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hat {
    Anonymous,
    /// Signed in, no role at all.
    Person,
    Source,
    /// Two holders with the sealed code of an emergency.
    Emergency,
    Role(Role),
}

impl Hat {
    pub fn all() -> Vec<Self> {
        let roles = Role::ALL.iter().filter(|role| **role != Role::Anonymous);
        let mut all = vec![Self::Anonymous, Self::Person, Self::Source, Self::Emergency];
        all.extend(roles.map(|role| Self::Role(*role)));
        all
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Person => "person",
            Self::Source => "source",
            Self::Emergency => "emergency",
            Self::Role(role) => role.name(),
        }
    }

    pub fn account(self) -> String {
        format!("hat-{}", self.name())
    }

    pub fn token(self) -> Option<String> {
        match self {
            Self::Anonymous => None,
            Self::Source => Some("mjk_test_source".into()),
            Self::Emergency => Some("mje_test_emergency".into()),
            _ => Some(format!("mjs_test_{}", self.name())),
        }
    }
}

pub struct World {
    pub kit: TestDb,
    pub domains: Domains,
    pub web: Web,
}

pub struct Answer {
    pub status: StatusCode,
    pub body: Bytes,
}

impl World {
    pub async fn new() -> Self {
        let kit = TestDb::new().await;
        let floor = Floor {
            config: Config::load(kit.folder.path()).expect("defaults"),
            db: kit.db().clone(),
            keys: kit.keys(),
            vault: kit.vault(),
            blobs: kit.blobs(),
            demo: true,
        };
        let domains = Domains::open(&floor).await.expect("the domains open");
        let web = web(&domains);
        Self { kit, domains, web }
    }

    pub async fn stand(&self) {
        let mut tx = self.kit.begin().await;
        for relation in Relation::ALL {
            office(&mut tx, &self.kit.keys(), relation).await;
        }
        for hat in Hat::all() {
            person(&mut tx, hat).await;
        }
        let (account, token) = ("hat-source", Hat::Source.token().expect("a token"));
        put(
            &mut tx,
            "account",
            &[
                ("id", account.into()),
                ("login", "source:src_own".into()),
                ("name", "src_own".into()),
                ("class", "source".into()),
                ("cd_source", Relation::Own.source().into()),
                ("state", "active".into()),
                ("created_at", NOW.into()),
            ],
        )
        .await;
        put(
            &mut tx,
            "emergency_seal",
            &[
                ("id", "hat-emergency".into()),
                ("first_holder", "赵六".into()),
                ("second_holder", "钱七".into()),
                ("code_sha256", "-".into()),
                ("state", "opened".into()),
                ("sealed_by", "account:hat-sec_admin".into()),
                ("sealed_at", NOW.into()),
                ("opened_at", NOW.into()),
                ("opened_why", "试".into()),
                ("until", (NOW + 7_200_000_000).into()),
                ("token_sha256", sha256(&Hat::Emergency.token().expect("a token")).into()),
            ],
        )
        .await;
        put(
            &mut tx,
            "source_token",
            &[
                ("id", "hat-source-token".into()),
                ("account_id", account.into()),
                ("token_sha256", sha256(&token).into()),
                ("issued_at", NOW.into()),
                ("revoked_at", 0_i64.into()),
            ],
        )
        .await;
        let seals = [(Kind::Emergency, "hat-emergency"), (Kind::SourceToken, "hat-source-token")];
        for (kind, id) in seals {
            seal(&mut tx, kind, id).await.expect("sealed");
        }
        tx.note().await.expect("noted");
        tx.commit().await.expect("committed");
        for relation in Relation::ALL {
            self.act_of(relation).await;
        }
    }

    /// One entry of the log a office: somebody of it did something to a party of its place.
    async fn act_of(&self, relation: Relation) {
        let account_id = relation.id("account");
        let actor = Actor { kind: ActorKind::Person { account_id }, grants: Vec::new() };
        let act = Act::new(&actor, "test.act", format!("party:{}", relation.id("party")));
        let act = act.because(format!("{}核对", relation.word()));
        let mut tx = self.kit.db().begin(Lane::People, act).await.expect("a transaction");
        tx.note().await.expect("noted");
        tx.commit().await.expect("committed");
        let sql = "SELECT MAX(log_seq) FROM act_journal";
        let seq = self.kit.db().count(sql, &[]).await.expect("counted");
        assert_eq!(seq, relation.entry(), "the number by which routes.txt asks for it");
    }
}

pub fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// A row by hand; digests are not what is asked here.
pub async fn put(tx: &mut WriteTx, table: &str, values: &[(&str, Value)]) {
    let mut names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
    let mut args: Vec<Value> = values.iter().map(|(_, value)| value.clone()).collect();
    let truth = !["session", "hub_error", "account_seen"].contains(&table);
    if truth {
        let salt = || Value::from(vec![0_u8; 16]);
        for (name, value) in [
            ("version", Value::from(1_i64)),
            ("change_seq", Value::from(1_i64)),
            ("row_salt", salt()),
            ("row_digest", salt()),
        ] {
            names.push(name);
            args.push(value);
        }
    }
    let marks: Vec<String> = (1..=args.len()).map(|at| format!("${at}")).collect();
    let sql = format!("INSERT INTO {table} ({}) VALUES ({})", names.join(","), marks.join(","));
    tx.execute(&sql, &args).await.unwrap_or_else(|error| panic!("{table}: {error:?}"));
}

async fn person(tx: &mut WriteTx, hat: Hat) {
    let Some(token) = hat.token().filter(|_| ![Hat::Source, Hat::Emergency].contains(&hat)) else {
        return;
    };
    let id = hat.account();
    let administrator =
        matches!(hat, Hat::Role(Role::SysAdmin | Role::SecAdmin | Role::AuditAdmin));
    let class = if administrator { "admin" } else { "business" };
    account(tx, &id, class, Relation::Own).await;
    if let Hat::Role(role) = hat {
        // of those who may see a masked value, one is not of the level for it
        let level = match role {
            Role::Officer | Role::Clerk | Role::Reviewer => "personal",
            _ => "internal",
        };
        grant(tx, &format!("grant-{id}"), &id, class, role.name(), level, Relation::Own).await;
    }
    for (session, token) in [(format!("session-{id}"), token), (format!("mine-{id}"), id.clone())] {
        session_row(tx, &session, &id, &token).await;
    }
    post(tx, &format!("post-{id}"), Relation::Own, &format!("account:{id}")).await;
}

pub async fn session_row(tx: &mut WriteTx, id: &str, account: &str, token: &str) {
    put(
        tx,
        "session",
        &[
            ("id", id.into()),
            ("token_sha256", sha256(token).into()),
            ("account_id", account.into()),
            ("created_at", NOW.into()),
            ("last_seen_at", NOW.into()),
            ("idle_seconds", 3600_i64.into()),
            ("absolute_until", (NOW + 3_600_000_000).into()),
            ("proven_at", NOW.into()),
            ("state", "active".into()),
            ("device", "试验".into()),
        ],
    )
    .await;
    seal(tx, Kind::Session, id).await.expect("sealed");
}

pub async fn account(tx: &mut WriteTx, id: &str, class: &str, relation: Relation) {
    put(
        tx,
        "account",
        &[
            ("id", id.into()),
            ("login", id.into()),
            ("name", format!("{}的人", relation.word()).into()),
            ("class", class.into()),
            ("agency", relation.agency().into()),
            ("state", "active".into()),
            ("created_at", NOW.into()),
        ],
    )
    .await;
}

pub async fn grant(
    tx: &mut WriteTx,
    id: &str,
    account: &str,
    class: &str,
    role: &str,
    level: &str,
    relation: Relation,
) {
    put(
        tx,
        "role_grant",
        &[
            ("id", id.into()),
            ("account_id", account.into()),
            ("account_class", class.into()),
            ("role", role.into()),
            ("areas", format!("[\"{}\"]", relation.area()).into()),
            ("agencies", format!("[\"{}\"]", relation.agency()).into()),
            ("item_lines", "*".into()),
            ("level", level.into()),
            ("valid_from", "2020-01-01".into()),
            ("valid_to", "9999-12-31".into()),
            ("granted_by", "account:nobody".into()),
            ("granted_at", NOW.into()),
            ("revoked_at", 0_i64.into()),
        ],
    )
    .await;
}

async fn post(tx: &mut WriteTx, id: &str, relation: Relation, author: &str) {
    post_row(tx, id, relation.agency(), relation.area(), author).await;
}

pub async fn post_row(tx: &mut WriteTx, id: &str, agency: &str, area: &str, author: &str) {
    put(
        tx,
        "portal_post",
        &[
            ("id", id.into()),
            ("kind", "news".into()),
            ("state", "draft".into()),
            ("agency", agency.into()),
            (
                "agency_name",
                Relation::ALL
                    .iter()
                    .find(|one| one.agency() == agency)
                    .map_or("某局".to_owned(), |one| one.agency_name())
                    .into(),
            ),
            ("area_number", area.into()),
            ("author", author.into()),
            ("open_text", 1_i64.into()),
            ("created_at", NOW.into()),
            ("updated_at", NOW.into()),
        ],
    )
    .await;
    put(
        tx,
        "portal_post_text",
        &[
            ("id", format!("text-{id}").into()),
            ("post_id", id.into()),
            ("number", 1_i64.into()),
            ("state", "submitted".into()),
            ("title", "动态".into()),
            ("body", "正文".into()),
            ("author", author.into()),
            ("updated_at", NOW.into()),
        ],
    )
    .await;
}

const ISSUES: &str = r#"[{"column":"check_date","column_title":"检查日期","value":"x","class":"04","class_title":"时间",
"rule":"check_action.check_date.date","severity":"error","reason":"不是日期","remedy":"改","source":"标准"}]"#;

/// One of everything that belongs to this office.
async fn office(tx: &mut WriteTx, keys: &mj_platform::keys::Keys, relation: Relation) {
    let (area, agency, source) = (relation.area(), relation.agency(), relation.source());
    let id = |kind: &str| relation.id(kind);
    let word = relation.word();
    put(
        tx,
        "agency",
        &[
            ("id", id("agency").into()),
            ("uscc", agency.into()),
            ("name", relation.agency_name().into()),
            ("short_name", word.into()),
            ("area_number", area.into()),
            ("line", "31".into()),
            ("nature", "1".into()),
            ("valid_from", "2019-01-01".into()),
            ("valid_to", "9999-12-31".into()),
        ],
    )
    .await;
    account(tx, &id("account"), "business", relation).await;
    put(
        tx,
        "export_request",
        &[
            ("id", id("export").into()),
            ("list_name", "registry.parties".into()),
            ("title", format!("{word}名录").into()),
            ("columns_json", "[]".into()),
            ("filters_json", "[]".into()),
            ("request_sm3", "00".into()),
            ("row_count", 6000_i64.into()),
            ("reason", "年度核对".into()),
            ("state", "waiting".into()),
            ("requested_by", "account:nobody".into()),
            ("requested_at", NOW.into()),
            ("expires_at", (NOW + 3_600_000_000).into()),
            ("decided_at", 0_i64.into()),
            ("area", area.into()),
            ("agency", agency.into()),
        ],
    )
    .await;
    // the clerk of this office asked for its own rows
    let scope = mj_kernel::Scope {
        areas: vec![area.into()],
        agencies: mj_kernel::AgencySet::only([agency]),
        item_lines: mj_kernel::AgencySet::All,
        level: mj_kernel::DataLevel::Internal,
    };
    let scopes = serde_json::to_string(&[scope]).expect("JSON");
    let reach = [("id", id("export").into()), ("scopes_json", scopes.into())];
    put(tx, "export_reach", &reach).await;
    put(
        tx,
        "grant_request",
        &[
            ("id", id("request").into()),
            ("account_id", id("account").into()),
            ("role", "datahub_operator".into()),
            ("areas", format!("[\"{area}\"]").into()),
            ("agencies", "*".into()),
            ("item_lines", "*".into()),
            ("level", "internal".into()),
            ("reason", "试".into()),
            ("state", "waiting".into()),
            ("requested_by", "account:nobody".into()),
            ("requested_at", NOW.into()),
            ("expires_at", (NOW + 3_600_000_000).into()),
            ("decided_at", 0_i64.into()),
        ],
    )
    .await;
    put(
        tx,
        "unlock_request",
        &[
            ("id", id("unlock").into()),
            ("account_id", id("account").into()),
            ("kind", "unlock".into()),
            ("reason", "试".into()),
            ("state", "waiting".into()),
            ("requested_by", "account:nobody".into()),
            ("requested_at", NOW.into()),
            ("expires_at", (NOW + 3_600_000_000).into()),
            ("decided_at", 0_i64.into()),
        ],
    )
    .await;
    grant(tx, &id("grant"), &id("account"), "business", "clerk", "internal", relation).await;
    session_row(tx, &id("session"), &id("account"), &id("token")).await;
    source_row(tx, &id("source"), &source, &relation.agency_name(), agency, area).await;
    batch_row(tx, &id("batch"), &source, "check_action").await;
    put(
        tx,
        "hub_error",
        &[
            ("batch_id", id("batch").into()),
            ("row_no", 7_i64.into()),
            ("line_no", 8_i64.into()),
            ("cd_id", format!("{word}错行").into()),
            ("raw", keys.seal_alone(&format!("hub_error/{}/7", id("batch")), "[\"1\"]").into()),
            ("issues", ISSUES.into()),
            ("class_mask", 1_i64.into()),
            ("rules", "|check_action.check_date.date|".into()),
            ("state", "open".into()),
        ],
    )
    .await;
    put(
        tx,
        "hub_repair",
        &[
            ("id", id("repair").into()),
            ("batch_id", id("batch").into()),
            ("rule", "r".into()),
            ("column_name", "c".into()),
            ("fix", "{\"kind\":\"clean\"}".into()),
            ("title", "改".into()),
            ("reason", "改".into()),
            ("state", "waiting".into()),
            ("matched", 1_i64.into()),
            ("submitted", 0_i64.into()),
            ("actor", "account:nobody".into()),
            ("created_at", NOW.into()),
            ("run_at", (NOW + 600_000_000).into()),
            ("finished_at", 0_i64.into()),
        ],
    )
    .await;
    put(
        tx,
        "catalog_mapping",
        &[
            ("id", id("mapping").into()),
            ("cd_source", source.as_str().into()),
            ("local_code", format!("L-{}", relation.name()).into()),
            ("item_code", "01370100100001".into()),
            ("valid_from", "2020-01-01".into()),
            ("valid_to", "9999-12-31".into()),
        ],
    )
    .await;
    item_row(tx, &id("work"), &format!("{word}的待办"), Some(area), Some(agency)).await;
    post(tx, &id("post"), relation, "account:nobody").await;
    let twin = |part: &str| format!("{word}{part}有限公司");
    party_row(tx, &id("party"), relation.number(), &twin("石榴"), Some(area)).await;
    party_row(tx, &id("twin"), relation.number() + 10, &twin("枣花"), Some(area)).await;
    put(
        tx,
        "party_merge",
        &[
            ("id", id("merge").into()),
            ("keep_id", id("party").into()),
            ("merge_id", id("gone").into()),
            ("reason", format!("{word}同一家").into()),
            ("area_number", area.into()),
            ("actor", "account:nobody".into()),
            ("merged_at", NOW.into()),
            ("undone_at", 0_i64.into()),
        ],
    )
    .await;
    put(
        tx,
        "certificate_wording",
        &[
            ("id", id("wording").into()),
            ("agency", agency.into()),
            ("wording", format!("{word}执法").into()),
            ("line", "31".into()),
            ("valid_from", "2020-01-01".into()),
            ("valid_to", "9999-12-31".into()),
        ],
    )
    .await;
    officer_row(tx, &id("officer"), relation.number(), &relation.agency_name(), Some(area)).await;
}

pub async fn source_row(
    tx: &mut WriteTx,
    id: &str,
    code: &str,
    name: &str,
    agency: &str,
    area: &str,
) {
    put(
        tx,
        "hub_source",
        &[
            ("id", id.into()),
            ("cd_source", code.into()),
            ("name", format!("{name}业务系统").into()),
            ("kind", "agency".into()),
            ("agency", agency.into()),
            ("agency_name", name.into()),
            ("area", area.into()),
            ("priority", 10_i64.into()),
            ("channels", "[\"file\",\"push\",\"upload\",\"manual\"]".into()),
            ("tables", "[]".into()),
            ("backlog_declared", "{}".into()),
            ("status", "active".into()),
            ("created_at", NOW.into()),
        ],
    )
    .await;
}

pub async fn batch_row(tx: &mut WriteTx, id: &str, source: &str, table: &str) {
    let mut values: Vec<(&str, Value)> = vec![
        ("id", id.into()),
        ("table_name", table.into()),
        ("cd_source", source.into()),
        ("cd_batch", format!("2026112{}", &id[id.len() - 6..]).into()),
        ("channel", "file".into()),
        ("portion", "delta".into()),
        ("format", "auto".into()),
        ("body_sha256", sha256(id).into()),
        ("blob_id", sha256(id).into()),
        ("bytes", 10_i64.into()),
        ("state", "settled".into()),
        ("by_class", "{}".into()),
        ("by_rule", "{}".into()),
        ("received_at", NOW.into()),
        ("settled_at", NOW.into()),
        ("attempt", 1_i64.into()),
    ];
    for (name, count) in [
        ("front", 1),
        ("pending", 0),
        ("correct", 0),
        ("error", 1),
        ("duplicate", 0),
        ("superseded", 0),
    ] {
        values.push((name, Value::from(i64::from(count))));
    }
    put(tx, "hub_batch", &values).await;
}

pub async fn item_row(
    tx: &mut WriteTx,
    id: &str,
    title: &str,
    area: Option<&str>,
    agency: Option<&str>,
) {
    put(
        tx,
        "work_item",
        &[
            ("id", id.into()),
            ("kind", "batch_errors".into()),
            ("title", title.into()),
            ("object_table", "hub_batch".into()),
            ("object_id", id.into()),
            ("cause", format!("test:{id}").into()),
            ("area_number", area.map(str::to_owned).into()),
            ("agency", agency.map(str::to_owned).into()),
            ("agency_name", agency.map(str::to_owned).into()),
            ("state", "received".into()),
            ("urged", 0_i64.into()),
            ("created_at", NOW.into()),
            ("updated_at", NOW.into()),
            ("payload", "{}".into()),
        ],
    )
    .await;
}

pub async fn party_row(tx: &mut WriteTx, id: &str, number: usize, name: &str, area: Option<&str>) {
    put(
        tx,
        "party",
        &[
            ("id", id.into()),
            ("register_no", format!("P990000-{number:09}").into()),
            ("anchor", format!("test:{id}").into()),
            ("kind", "enterprise".into()),
            ("origin", "register".into()),
            ("name", name.into()),
            ("area_number", area.map(str::to_owned).into()),
            ("search_text", name.into()),
            ("status", "存续".into()),
            ("valid_from", "2019-01-01".into()),
            ("known_from", 1_i64.into()),
        ],
    )
    .await;
}

pub async fn officer_row(
    tx: &mut WriteTx,
    id: &str,
    number: usize,
    agency_name: &str,
    area: Option<&str>,
) {
    put(
        tx,
        "officer",
        &[
            ("id", id.into()),
            ("register_no", format!("O990000-{number:09}").into()),
            ("anchor", format!("test:{id}").into()),
            ("name", format!("{}员", agency_name.chars().take(3).collect::<String>()).into()),
            ("initials", "x".into()),
            ("org_full_name", agency_name.into()),
            ("area_number", area.map(str::to_owned).into()),
            ("status", "on_duty".into()),
        ],
    )
    .await;
    put(
        tx,
        "officer_certificate",
        &[
            ("id", format!("c-{id}").into()),
            ("officer_id", id.into()),
            ("certificate_no", format!("1504{number:07}").into()),
            ("valid_until", "2030-12-31".into()),
            ("status", "in_use".into()),
        ],
    )
    .await;
}

/// Sends one request as whoever holds the token.
pub async fn ask(
    router: &Router,
    method: &Method,
    path: &str,
    token: Option<&str>,
    body: Option<String>,
) -> Answer {
    let (path, typed) = mj_testkit::typed(path);
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(SEARCH_TEXT, typed)
        .header("idempotency-key", mj_platform::new_id())
        .header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(body.map_or_else(Body::empty, Body::from)).expect("a request");
    let response = router.clone().oneshot(request).await.expect("an answer");
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 64 << 20).await.expect("a body");
    Answer { status, body }
}
