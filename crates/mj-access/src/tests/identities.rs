//! Single sign-on is not there yet; what it will stand on is.

use mj_kernel::Actor;
use mj_platform::{Act, Lane, RowExt};

use super::House;
use crate::identity::{Issuer, bind, enters_by, unbind};
use crate::{AccountClass, Error, NewAccount, create_account, disable_account, issue_source_token};

const PROVINCE: &str = "https://login.shandong.example";

async fn open(house: &House, login: &str, class: AccountClass) -> String {
    let mut tx = house.kit.db().begin(Lane::People, act()).await.expect("begin");
    let (login, name) = (login.to_owned(), "王明".to_owned());
    let new = NewAccount { id: None, login, name, class, agency: None };
    let id = create_account(&mut tx, &new).await.expect("account");
    tx.commit().await.expect("commit");
    id
}

fn act() -> Act {
    Act::new(&Actor::system("test"), "access.identity.bind", "account_identity")
}

#[tokio::test]
async fn who_another_issuer_vouches_for_enters_one_account_by_issuer_and_subject_alone() {
    let house = House::new().await;
    let db = house.kit.db();
    let (own, other) = (
        open(&house, "wangming", AccountClass::Business).await,
        open(&house, "wangming2", AccountClass::Business).await,
    );
    let mut tx = db.begin(Lane::People, act()).await.expect("begin");
    let bound = bind(&mut tx, PROVINCE, "8f2c", &own).await.expect("bound");
    let again = bind(&mut tx, PROVINCE, "8f2c", &other).await;
    assert!(matches!(again, Err(Error::NotNow(_))), "one name leads to one account: {again:?}");
    let blank = bind(&mut tx, PROVINCE, " ", &other).await;
    assert!(matches!(blank, Err(Error::Invalid { field: "subject", .. })), "{blank:?}");
    tx.commit().await.expect("commit");

    let entered = async |issuer, subject: &str| {
        enters_by(db, issuer, subject).await.expect("read").map(|account| account.id)
    };
    assert_eq!(entered(Issuer::Other(PROVINCE), "8f2c").await.as_ref(), Some(&own));
    assert_eq!(entered(Issuer::House, "wangming").await.as_ref(), Some(&own));
    // neither the login at another issuer, nor the issuer's name at this house, nor another issuer's
    assert_eq!(entered(Issuer::Other(PROVINCE), "wangming").await, None);
    assert_eq!(entered(Issuer::House, "8f2c").await, None);
    assert_eq!(entered(Issuer::Other("https://elsewhere.example"), "8f2c").await, None);

    let mut tx = db.begin(Lane::People, act()).await.expect("begin");
    unbind(&mut tx, &bound).await.expect("unbound");
    bind(&mut tx, PROVINCE, "8f2c", &other).await.expect("free again");
    disable_account(&mut tx, &other, 1).await.expect("disabled");
    tx.commit().await.expect("commit");
    assert_eq!(
        entered(Issuer::Other(PROVINCE), "8f2c").await,
        None,
        "a disabled account opens nothing"
    );
}

#[tokio::test]
async fn a_system_is_nobody() {
    let house = House::new().await;
    let mut tx = house.kit.db().begin(Lane::People, act()).await.expect("begin");
    issue_source_token(&mut tx, "370400_31").await.expect("token");
    let sql = "SELECT id FROM account WHERE cd_source = $1";
    let row = tx.fetch_optional(sql, &["370400_31".into()]).await.expect("read").expect("one");
    let source = row.text("id").expect("id");
    let refused = bind(&mut tx, PROVINCE, "system", &source).await;
    assert!(matches!(refused, Err(Error::Separation(_))), "{refused:?}");
}
