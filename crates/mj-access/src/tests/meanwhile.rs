//! What happens to an account while its password is being checked: checking takes long enough for another to act.

use super::*;

const NEW: &str = "山亭-的-核桃-熟了";

impl House {
    /// Sends this, does the other thing once it waits for its password to be checked, and gives its answer.
    async fn meanwhile(&self, ask: Ask<'_>, other: impl Future<Output = ()>) -> Answer {
        let passwords = self.access.passwords();
        let held = passwords.held_up().await;
        let sent = ask.go();
        let rest = async {
            while passwords.waiting() == 0 {
                tokio::task::yield_now().await;
            }
            other.await;
            drop(held);
        };
        let (answer, ()) = futures_util::future::join(sent, rest).await;
        answer
    }

    fn sign_in<'a>(&'a self, login: &str, password: &str) -> Ask<'a> {
        self.ask("POST", "/sessions").body(json!({"login": login, "password": password}))
    }

    async fn sessions(&self) -> i64 {
        self.kit.db().count("SELECT COUNT(*) FROM session", &[]).await.expect("counted")
    }

    async fn change(&self, account: &str, hash: &str) {
        let mut tx = self.kit.begin().await;
        crate::set_password(&mut tx, account, hash).await.expect("set");
        tx.commit().await.expect("done");
    }
}

#[tokio::test]
async fn a_sign_in_with_the_old_password_fails_when_it_was_changed_while_being_checked() {
    let house = House::new().await;
    let account = house.person("lisi", Role::Clerk).await;
    let hash = house.access.passwords().hash(NEW, None).await.expect("hashed");
    let old = house.sign_in("lisi", PASSWORD);
    let answer = house.meanwhile(old, house.change(&account, &hash)).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.body);
    assert_eq!(house.sessions().await, 0);
    assert_eq!(house.login("lisi", NEW).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn the_same_password_stored_anew_meanwhile_is_no_other_one() {
    let house = House::new().await;
    let account = house.person("lisi", Role::Clerk).await;
    let stored_anew = house.access.passwords().hash(PASSWORD, None).await.expect("hashed");
    let same = house.sign_in("lisi", PASSWORD);
    let answer = house.meanwhile(same, house.change(&account, &stored_anew)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    let token = answer.body["token"].as_str().expect("a token");
    assert_eq!(house.ask("GET", "/sessions/current").bearer(token).go().await.status, 200);
}

#[tokio::test]
async fn an_account_disabled_while_its_password_is_checked_gets_no_session() {
    let house = House::new().await;
    let account = house.person("lisi", Role::Clerk).await;
    let disabled = async {
        let mut tx = house.kit.begin().await;
        crate::disable_account(&mut tx, &account, 1).await.expect("disabled");
        tx.commit().await.expect("done");
    };
    let answer = house.meanwhile(house.sign_in("lisi", PASSWORD), disabled).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.body);
    assert_eq!(house.sessions().await, 0, "none that would open again with the account");
}

#[tokio::test]
async fn of_two_who_change_the_same_old_password_at_once_one_does() {
    let house = House::new().await;
    house.person("lisi", Role::Clerk).await;
    let (desk, phone) = (house.token("lisi").await, house.phone("lisi").await);
    let change = |token: &str, new: &str| {
        let ask = house.ask("POST", "/sessions/current/password").bearer(token);
        ask.body(json!({"current": PASSWORD, "new": new})).go()
    };
    let passwords = house.access.passwords();
    let held = passwords.held_up().await;
    let both_wait = async {
        while passwords.waiting() < 2 {
            tokio::task::yield_now().await;
        }
        drop(held);
    };
    let other = "微山湖-的-荷花-开了";
    let (one, two, ()) = tokio::join!(change(&desk, NEW), change(&phone, other), both_wait);
    let done = [&one, &two].into_iter().filter(|answer| answer.status == StatusCode::OK).count();
    assert_eq!(done, 1, "{} {}", one.body, two.body);
    let opens = if one.status == StatusCode::OK { NEW } else { other };
    for password in [NEW, other] {
        let right = house.login("lisi", password).await.status == StatusCode::CREATED;
        assert_eq!(right, password == opens);
    }
}

#[tokio::test]
async fn a_second_factor_bound_while_the_password_is_checked_is_asked_for() {
    let house = strict_house().await;
    house.person("lisi", Role::Clerk).await;
    let token = house.token("lisi").await;
    let bound = async {
        super::second_factor::bind(&house, &token).await;
    };
    let answer = house.meanwhile(house.sign_in("lisi", PASSWORD), bound).await;
    assert_eq!(answer.body["state"], "second_factor", "{}", answer.body);
}
