//! Open data without a single person in it.

use super::*;

#[tokio::test]
async fn open_data_holds_bodies_and_no_person_and_its_digest_is_true() {
    use sha2::Digest;
    let world = World::new().await;
    let factory = world.body(FACTORY, "=恒达\"商贸\",有限公司").await;
    let shop = world.body(SHOP, "滕州市好味饭店").await;
    world.punished(factory, "1", FACTORY, "=恒达\"商贸\",有限公司", NOVEMBER).await;
    world.punished(factory, "2", FACTORY, "恒达", NOVEMBER - 4 * 365).await;
    world.punished(shop, "3", SHOP, "滕州市好味饭店", NOVEMBER).await;
    assert!(world.page("/data").await.1.contains("正在生成"));
    world.portal.keep_open_data().await.expect("queued");
    world.portal.keep_open_data().await.expect("queued once");
    world.runner.run_until_idle().await.expect("built");
    let (status, text) = world.page("/api/v1/public/datasets").await;
    assert_eq!(status, 200);
    let sets: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(sets.as_array().map(Vec::len), Some(8));
    let set = |id: &str| sets.as_array().into_iter().flatten().find(|set| set["id"] == id).cloned();
    let penalties = set("penalties").expect("there");
    assert_eq!(penalties["rows"], 1, "one body, within its term: {penalties}");
    assert_eq!(set("agencies").expect("there")["rows"], 1);
    assert_eq!(set("market-entities").expect("there")["rows"], 1);
    for file in penalties["files"].as_array().into_iter().flatten() {
        let (status, body) = world.page(file["address"].as_str().expect("an address")).await;
        assert_eq!(status, 200);
        assert_eq!(file["bytes"].as_i64(), i64::try_from(body.len()).ok());
        assert_eq!(file["sha256"], hex::encode(sha2::Sha256::digest(body.as_bytes())));
        assert!(body.contains("2000.00") && body.contains(FACTORY), "{body}");
        assert!(!body.contains("张三") && !body.contains("好味"), "{body}");
        if file["format"] == "json" {
            let whole: Value = serde_json::from_str(&body).expect("JSON");
            assert_eq!(whole["rows"][0]["administrative_cp"], "=恒达\"商贸\",有限公司");
        } else {
            assert!(body.contains("\"'=恒达\"\"商贸\"\",有限公司\""), "{body}");
        }
    }
    let (status, html) = world.page("/data/penalties").await;
    assert_eq!(status, 200);
    assert!(html.contains("处罚决定书文号") && html.contains("演示数据"), "{html}");
    assert_eq!(world.page("/data/penalties/other.csv").await.0, 404);
    assert_eq!(world.page("/data/nothing").await.0, 404);
    let files =
        std::fs::read_dir(world.db.folder.path().join("open-data")).expect("a folder").count();
    world.portal.build_open_data(None).await.expect("built again");
    let now =
        std::fs::read_dir(world.db.folder.path().join("open-data")).expect("a folder").count();
    assert_eq!(files, now, "old files are taken away");
}
