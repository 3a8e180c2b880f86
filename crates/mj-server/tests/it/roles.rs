//! PostgreSQL with two roles: one migrates and owns the tables, the other serves and may not change
//! them (docs/operate.md, 两个数据库角色).

use mj_testkit::OwnDatabase;

use crate::house::{House, furnish};
use crate::rows::inspections;

/// A house in which nothing has run, its database and the URLs of two roles of which one may make
/// tables; `None` on SQLite.
fn two_roles() -> Option<(House, [(String, String); 2])> {
    let mut house = House::bare();
    let database = house.database.as_mut()?;
    let (owner, servant) = (database.role(), database.role());
    // as docs/operate.md says
    let name = database.name().to_owned();
    house.by_hand(&format!("ALTER DATABASE {name} OWNER TO {}", owner.0));
    Some((house, [owner, servant]))
}

#[track_caller]
fn may_not(house: &House, sql: &str) {
    let refused = house.tried_by_hand(sql).expect_err(sql);
    // insufficient_privilege
    assert!(format!("{refused:?}").contains("42501"), "{sql}: {refused:?}");
}

#[test]
fn a_role_of_its_own_migrates_and_the_one_that_serves_may_not_change_tables() {
    let Some((house, [(owner, owners_url), (servant, servants_url)])) = two_roles() else {
        // nothing has roles here, and a setting that would do nothing is not passed over
        let house = House::bare().migrated_by("postgres://owner:geheim@localhost/mingjian");
        for args in [&["serve", "--port", "0"][..], &["migrate"], &["doctor"]] {
            let refused = house.run(args);
            assert_eq!((refused.code, refused.out.as_str()), (2, ""), "{args:?} {}", refused.err);
            assert!(refused.err.contains("database.migrate_url 只用于 PostgreSQL"));
            assert!(!refused.err.contains("geheim"), "{}", refused.err);
        }
        return;
    };
    // a first start, people, sources, a file: the serving role does all of it but make the tables
    let people = furnish(house.at(&servants_url).migrated_by(&owners_url));
    let there = people.house;
    there.import_clean("check_action", "few.csv", inspections(0..20, |_| Vec::new()));
    let node = there.serve();
    assert!(node.stop().success());
    let verified = there.run(&["verify"]);
    assert_eq!((verified.code, verified.out.as_str()), (0, ""), "{}", verified.err);
    there.is_clean();
    let owned = |role: &str| {
        house.number(&format!(
            "SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public' AND tableowner = '{role}'"
        ))
    };
    assert!(owned(&owner) > 60 && owned(&servant) == 0);
    for sql in [
        "CREATE TABLE own (id TEXT)",
        "ALTER TABLE act_journal ADD COLUMN own TEXT",
        "ALTER TABLE act_journal DISABLE TRIGGER ALL",
        "CREATE INDEX own ON act_journal (at)",
        "DROP TABLE backup_mark",
        "TRUNCATE act_journal",
        // a migration that is not on the list runs again
        "DELETE FROM schema_migration",
    ] {
        may_not(&there, sql);
    }

    // what a newer version adds is the serving role's to fill, whenever the grant was missing
    let newer = house.at(&owners_url);
    newer.by_hand("DROP TABLE backup_mark");
    newer.by_hand("DELETE FROM schema_migration WHERE name LIKE '%_backup_mark'");
    newer.by_hand(&format!("REVOKE ALL ON act_journal FROM {servant}"));
    for applied in [1, 0] {
        let migrated = there.run(&["migrate"]);
        assert_eq!(migrated.code, 0, "{}", migrated.err);
        assert_eq!(migrated.out, format!("已执行 {applied} 项数据库升级\n"));
    }
    there.by_hand("INSERT INTO backup_mark (id, at) VALUES (1, 0)");
    there.by_hand("UPDATE backup_mark SET at = 1");
    assert_eq!(there.number("SELECT COUNT(*) FROM backup_mark"), 1);
    there.by_hand("DELETE FROM backup_mark");
    there.is_clean();
    // the owner's password need not lie with the node: without it, it starts, and migrates nothing
    let alone = house.at(&servants_url);
    assert!(alone.serve().stop().success());
    newer.by_hand("DELETE FROM schema_migration WHERE name LIKE '%_backup_mark'");
    let refused = alone.run(&["migrate"]);
    assert_eq!(refused.code, 2, "{} {}", refused.out, refused.err);
    for word in ["_backup_mark", "不能建表、改表", "database.migrate_url"] {
        assert!(refused.err.contains(word), "{}", refused.err);
    }
    newer.by_hand("DROP TABLE backup_mark");
    assert_eq!(there.run(&["migrate"]).code, 0);

    // the whole of it moves away with the serving role's rights to read
    let sqlite = format!("sqlite:{}", there.data().join("db").join("moved.sqlite3").display());
    let moved = there.run(&["move", "--to", &sqlite]);
    assert_eq!(moved.code, 0, "{} {}", moved.out, moved.err);
    // and back into an empty database with the owner's, where the other then serves
    let mut home = OwnDatabase::empty().expect("PostgreSQL");
    let (owner, owners_url) = home.role();
    let (_, servants_url) = home.role();
    house.by_hand(&format!("ALTER DATABASE {} OWNER TO {owner}", home.name()));
    let back = house.at(&sqlite).run(&["move", "--to", &owners_url]);
    assert_eq!(back.code, 0, "{} {}", back.out, back.err);
    let back = house.at(&servants_url).migrated_by(&owners_url);
    assert!(back.serve().stop().success());
    back.is_clean();
    assert_eq!(back.digest(), there.digest());
}

#[test]
fn two_roles_that_do_not_fit_together_are_refused_in_words() {
    let Some((house, [(owner, owners_url), (servant, servants_url)])) = two_roles() else {
        // one role alone is what SQLite has
        assert!(House::bare().serve().stop().success());
        return;
    };
    let says = |migrate_url: &str, words: &[&str]| {
        let there = house.at(&servants_url).migrated_by(migrate_url);
        for args in [&["migrate"][..], &["serve", "--port", "0"]] {
            let refused = there.run(args);
            assert_eq!((refused.code, refused.out.as_str()), (2, ""), "{args:?} {}", refused.err);
            for word in words {
                assert!(refused.err.contains(word), "{args:?} {word}: {}", refused.err);
            }
            assert!(!refused.err.contains(&format!(":{owner}@")), "{}", refused.err);
        }
    };
    let (own, other) = (house.database.as_ref().expect("PostgreSQL"), OwnDatabase::empty());
    let other = other.expect("PostgreSQL");
    let elsewhere = owners_url.replace(own.name(), other.name());
    says(&elsewhere, &["不是同一个数据库", own.name(), other.name()]);
    assert_eq!(
        house.at(&other.url()).number("SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'"),
        0
    );
    says(&servants_url, &["同一个角色", &servant]);
    let unfit = format!("ALTER ROLE {servant} IN DATABASE {} SET search_path", own.name());
    house.by_hand("CREATE SCHEMA elsewhere");
    house.by_hand(&format!("GRANT USAGE ON SCHEMA elsewhere TO {servant}"));
    house.by_hand(&format!("{unfit} = elsewhere"));
    says(&owners_url, &["search_path", "public", "elsewhere"]);
    house.by_hand(&format!("{unfit} TO DEFAULT"));
    house.by_hand(&format!("ALTER DATABASE {} OWNER TO postgres", own.name()));
    says(&owners_url, &["不能在模式 public 中建表", "GRANT CREATE", &owner]);
    house.by_hand(&format!("ALTER DATABASE {} OWNER TO {owner}", own.name()));
    // a database that one role has done everything in, until it is handed over
    house.by_hand(&format!("GRANT CREATE ON SCHEMA public TO {servant}"));
    let alone = house.at(&servants_url);
    assert!(alone.serve().stop().success());
    says(&owners_url, &["REASSIGN OWNED BY", &owner, &servant]);
    house.by_hand(&format!("REASSIGN OWNED BY {servant} TO {owner}"));
    // where the administrator has shut the schema to everybody, the owner opens it to the one
    house.by_hand("REVOKE ALL ON SCHEMA public FROM PUBLIC");
    house.by_hand(&format!("REVOKE USAGE ON SCHEMA public FROM {servant}"));
    let there = house.at(&servants_url).migrated_by(&owners_url);
    assert!(there.serve().stop().success());
    let warned = there.run(&["doctor"]);
    assert_eq!(warned.code, 1, "{} {}", warned.out, warned.err);
    assert!(warned.out.starts_with("注意\t数据库角色\t"), "{}", warned.out);
    house.by_hand(&format!("REVOKE CREATE ON SCHEMA public FROM {servant}"));
    there.is_clean();
}
