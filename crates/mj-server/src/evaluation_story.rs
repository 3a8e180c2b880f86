//! Evaluation over the whole house: what it says is what a plain count of the stores says, before and
//! after a mended row, for each reader; and the weekly digest comes once.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use mj_datahub::{Channel, Import, NewSource, Portion, SourceKind};
use mj_evaluation::measure::Tally;
use mj_evaluation::world::{Wanted, day_of};
use mj_facts::At;
use mj_kernel::{Actor, AgencySet, DataLevel, Role, Scope};
use mj_platform::{Act, Config, RowExt};
use mj_standard::Standard;
use mj_testkit::TestDb;

use crate::modules::{Domains, table_specs};
use crate::node::Floor;

const BODY: &str = "11370400004400001P";
const SOURCE: &str = "370400";

struct House {
    kit: TestDb,
    domains: Domains,
}

impl House {
    async fn new() -> Self {
        let kit = TestDb::new().await;
        let floor = Floor {
            config: Config::load(kit.folder.path()).expect("defaults"),
            db: kit.db().clone(),
            keys: kit.keys(),
            vault: kit.vault(),
            blobs: kit.blobs(),
            demo: false,
        };
        let domains = Domains::open(&floor).await.expect("the domains open");
        let house = Self { kit, domains };
        let mut tx = house.kit.begin().await;
        let agency = mj_access::NewAgency {
            id: None,
            uscc: BODY.into(),
            name: "枣庄市市场监督管理局".into(),
            short_name: "市监".into(),
            area_number: "370400".into(),
            line: "31".into(),
            nature: "1".into(),
            parent: None,
            valid_from: Some("2019-03-01".into()),
            valid_to: None,
        };
        mj_access::create_agency(&mut tx, &agency).await.expect("an agency");
        tx.commit().await.expect("committed");
        let act = Act::new(&Actor::system("test"), "datahub.source.register", SOURCE);
        let source = NewSource {
            cd_source: SOURCE.into(),
            name: "市市场监管局业务系统".into(),
            kind: SourceKind::Agency,
            agency: Some(BODY.into()),
            agency_name: Some("枣庄市市场监督管理局".into()),
            area: Some("370400".into()),
            priority: 10,
            channels: Channel::ALL.to_vec(),
            tables: vec!["check_action".into(), "punish_action".into()],
            backlog_declared: Default::default(),
        };
        house.domains.datahub.register_source(act, source).await.expect("a source");
        house
    }

    /// Inspections as the sample row with other numbers, areas and, for a fault, another credit code.
    async fn deliver(&self, name: &str, rows: &[(&str, &str, bool)]) {
        let table = Standard::v1().table("check_action").expect("a table");
        let columns: Vec<usize> = (0..table.columns.len())
            .filter(|at| !table.columns[*at].envelope && table.sample[*at].is_some())
            .collect();
        let mut text: Vec<String> = vec![
            columns.iter().map(|at| table.columns[*at].name.clone()).collect::<Vec<_>>().join(","),
        ];
        for (number, area, right) in rows {
            let cells = columns.iter().map(|at| {
                let sample = table.sample[*at].clone().unwrap_or_default();
                match table.columns[*at].name.as_str() {
                    "check_action_code" | "check_document_code" => (*number).to_owned(),
                    "area_number" => (*area).to_owned(),
                    "check_date" => "2026-11-18".to_owned(),
                    // two inspections of one day are two when their form differs
                    "supervise_item_implement_code" | "check_form" => sample,
                    "administrative_cp_ui_code" if !right => "91350100M000100Y44".to_owned(),
                    _ => sample,
                }
            });
            text.push(cells.map(|cell| format!("\"{cell}\"")).collect::<Vec<_>>().join(","));
        }
        let file = self.kit.folder.path().join(name);
        std::fs::write(&file, text.join("\n") + "\n").expect("written");
        let import = Import {
            table: "check_action",
            file: &file,
            cd_source: SOURCE,
            cd_batch: None,
            portion: Portion::Delta,
        };
        self.domains.datahub.import_file(&import, None).await.expect("imported");
    }

    async fn tally(&self, id: &str, area: &str) -> Tally {
        let evaluation = &self.domains.evaluation;
        let world = evaluation.renew(true).await.expect("a picture");
        let day = |text: &str| text.parse::<NaiveDate>().expect("a day");
        let indicator = evaluation.rules().find(id, day("2026-11-20")).expect("an indicator");
        let scope = Scope {
            areas: vec![area.into()],
            agencies: AgencySet::All,
            item_lines: AgencySet::All,
            level: DataLevel::Internal,
        };
        let wanted = Wanted { scopes: vec![scope], ..Wanted::default() };
        let days = (day_of(day("2026-11-01")), day_of(day("2026-11-20")));
        evaluation.tally(&world, indicator, &wanted, days).expect("a tally")
    }

    /// What the stores hold, counted without us.
    async fn plain(&self) -> Tally {
        let specs = table_specs();
        let spec = specs.iter().find(|spec| spec.name == "check_action").expect("a table");
        let snapshot = self.domains.facts.snapshot(spec, At::Latest).await.expect("a snapshot");
        let held = snapshot.count(&Scope::everything(DataLevel::Personal)) as i64;
        let sql = "SELECT CAST(COUNT(*) AS BIGINT) FROM hub_error WHERE state = 'open'";
        let open = self.kit.db().count(sql, &[]).await.expect("a count");
        Tally { num: held, den: held + open }
    }
}

#[tokio::test]
async fn figures_are_what_a_plain_count_says_and_a_mended_row_changes_them() {
    let house = House::new().await;
    house
        .deliver(
            "first.csv",
            &[("J-1", "370402", true), ("J-2", "370481", false), ("J-3", "370402", false)],
        )
        .await;
    let plain = house.plain().await;
    assert!(plain.num >= 1 && plain.den - plain.num == 2, "{plain:?}");
    assert_eq!(house.tally("K04a", "370400").await, plain);
    assert_eq!(house.tally("K04", "370400").await, plain);
    // a refused row counts where it says it belongs
    let county = house.tally("K04a", "370402").await;
    assert_eq!(county, Tally { num: 1, den: 2 });
    assert_eq!(house.tally("K04a", "370481").await, Tally { num: 0, den: 1 });
    assert_eq!(house.tally("K04a", "370500").await, Tally::default());
    // of the two tables the source owes one came
    assert_eq!(house.tally("K17", "370400").await, Tally { num: 1, den: 2 });
    // two days from the inspection to us: three row-days for one row
    assert_eq!(house.tally("K06", "370400").await, Tally { num: 1, den: 3 });
    let mut tx = house.kit.begin().await;
    let sql = "UPDATE hub_error SET state = 'mended' WHERE row_no = 2";
    assert_eq!(tx.execute(sql, &[]).await.expect("mended"), 1);
    tx.commit().await.expect("committed");
    house.deliver("second.csv", &[("J-2", "370481", true)]).await;
    let after = house.tally("K04a", "370400").await;
    assert_eq!(after, house.plain().await);
    assert_eq!(after.den - after.num, 1, "one refused row is left");
}

#[tokio::test]
async fn a_digest_comes_once_a_week_to_those_who_lead_and_replaces_the_one_before() {
    let house = House::new().await;
    house.deliver("first.csv", &[("J-1", "370402", true), ("J-3", "370402", false)]).await;
    let mut tx = house.kit.begin().await;
    let account = mj_access::NewAccount {
        id: None,
        login: "leader".into(),
        name: "市领导".into(),
        class: mj_access::AccountClass::Business,
        agency: None,
    };
    let account = mj_access::create_account(&mut tx, &account).await.expect("an account");
    let scope = Scope { areas: vec!["370400".into()], ..Scope::everything(DataLevel::Internal) };
    let grant = mj_access::NewGrant::of(&account, Role::RegionLeader, scope);
    mj_access::grant_role(&mut tx, &grant).await.expect("a grant");
    tx.commit().await.expect("committed");
    let evaluation = &house.domains.evaluation;
    let day = |text: &str| text.parse::<NaiveDate>().expect("a day");
    for _ in 0..2 {
        assert_eq!(evaluation.make_digests(day("2026-11-18")).await.expect("made"), 1);
    }
    let items = |state: &'static str| {
        let db = house.kit.db().clone();
        async move {
            let sql = "SELECT title, payload FROM work_item \
                       WHERE kind = 'weekly_digest' AND state = $1 ORDER BY title";
            db.fetch_all(sql, &[state.into()]).await.expect("items")
        }
    };
    let made = items("received").await;
    assert_eq!(made.len(), 1);
    assert_eq!(made[0].text("title").expect("a title"), "枣庄市每周简报（11月16日至11月22日）");
    let payload = made[0].text("payload").expect("a payload");
    assert!(payload.contains("上周到达有效数据 1 条"), "{payload}");
    assert!(payload.contains("还有 1 条错误未改正"), "{payload}");
    evaluation.make_digests(day("2026-11-25")).await.expect("made");
    assert_eq!((items("received").await.len(), items("closed").await.len()), (1, 1));
    let links: BTreeSet<&str> = ["C01", "K04", "K17"].into();
    let payload: serde_json::Value = serde_json::from_str(&payload).expect("JSON");
    let lines = payload["lines"].as_array().expect("lines");
    let named: BTreeSet<&str> =
        lines.iter().filter_map(|line| line["indicator"].as_str()).collect();
    assert!(links.is_subset(&named), "{named:?}");
}
