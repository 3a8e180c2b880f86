//! A citizen's correction and its answer.

use super::*;

#[tokio::test]
async fn somebody_without_an_account_says_a_line_is_wrong_and_reads_the_answer() {
    let world = World::new().await;
    let factory = world.body(FACTORY, "枣庄恒达商贸有限公司").await;
    world.punished(factory, "1", FACTORY, "枣庄恒达商贸有限公司", NOVEMBER).await;
    let (number, record) = world.number_of("恒达").await;
    let line = record["acts"][0]["line"].as_str().expect("a line");
    let path = format!("/parties/{number}/wrong");
    let (status, html) = world.page(&format!("{path}?line={line}")).await;
    assert_eq!(status, 200);
    let token =
        html.split("name=\"token\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let token = token.expect("a token").to_owned();
    assert_eq!(world.page(&format!("{path}?line=1.nothing")).await.0, 404);
    let form = |said: &'static str| {
        let (token, line) = (token.clone(), line.to_owned());
        let (world, path) = (&world, path.clone());
        async move {
            let fields = [
                ("line", line.as_str()),
                ("token", &token),
                ("fault", "value_wrong"),
                ("said", said),
            ];
            world.form(&path, &fields).await
        }
    };
    let (status, html) = form("短").await;
    assert_eq!(status, 422);
    assert!(html.contains("至少 5 个字") && html.contains(">短</textarea>"), "{html}");
    let (status, html) = form("请打13812345678联系我，谢谢").await;
    assert_eq!(status, 422);
    assert!(html.contains("请删去手机号码"), "{html}");
    let (status, html) = form("罚款应为 1000 元，见判决 <b>1</b> '\"%").await;
    assert_eq!(status, 200, "{html}");
    let told = |html: &str, what: &str| {
        let rest = html.split(&format!("data-receipt=\"{what}\">")).nth(1).expect("told");
        rest.split('<').next().expect("a value").to_owned()
    };
    let (id, code) = (told(&html, "number"), told(&html, "code"));
    assert_eq!(id, "JC20261120-0001");
    let (_, again) = form("罚款应为 1000 元，见判决 <b>1</b> '\"%").await;
    assert_eq!((told(&again, "number"), told(&again, "code")), (id.clone(), code.clone()));

    let (status, html) = world.form("/corrections", &[("number", &id), ("code", "AAAAAAAA")]).await;
    assert_eq!(status, 422);
    assert!(html.contains("编号或查询码不对"), "{html}");
    let lower = code.to_lowercase();
    let (status, html) = world.form("/corrections", &[("number", &id), ("code", &lower)]).await;
    assert_eq!(status, 200);
    assert!(html.contains("已收到，等待核实") && html.contains("&#60;b&#62;1"), "{html}");

    let (_, list) =
        world.call(CLERK, "GET", "/api/v1/flow/work-items?kind=portal_correction", json!({})).await;
    let item = &list["items"][0];
    assert!(item.is_object(), "{list}");
    assert_eq!(item["deadline"], "2026-11-25", "three working days after Friday: {item}");
    assert!(item["payload"]["said"].as_str().is_some_and(|said| said.contains("1000")), "{item}");
    let verb = |verb: &'static str, body: Value| {
        let (world, id) = (&world, item["id"].as_str().unwrap_or_default().to_owned());
        async move {
            let (_, now) =
                world.call(CLERK, "GET", &format!("/api/v1/flow/work-items/{id}"), json!({})).await;
            let mut body = body;
            body["version"] = now["version"].clone();
            world.call(CLERK, "POST", &format!("/api/v1/flow/work-items/{id}/{verb}"), body).await
        }
    };
    assert_eq!(verb("claim", json!({})).await.0, 200);
    let decided = json!({"decision": "corrected", "reason": "已按生效判决更正为 1000 元"});
    assert_eq!(verb("decide", decided).await.0, 200);
    world.runner.run_until_idle().await.expect("told");
    let (_, html) = world.form("/corrections", &[("number", &id), ("code", &code)]).await;
    assert!(
        html.contains("确有错误，已更正") && html.contains("已按生效判决更正为 1000 元"),
        "{html}"
    );
    let reopened = Event::WorkItemReopened {
        work_item_id: item["id"].as_str().unwrap_or_default().into(),
        kind: "portal_correction".into(),
        verdict: "corrected".into(),
        payload: "{}".into(),
    };
    world.portal.on_event(&reopened).await.expect("taken back");
    let (_, html) = world.form("/corrections", &[("number", &id), ("code", &code)]).await;
    assert!(!html.contains("已按生效判决"), "{html}");
    let open = world.flow.item_unscoped(item["id"].as_str().unwrap_or_default()).await;
    assert!(open.is_ok());
}

#[tokio::test]
async fn one_address_cannot_flood_the_clerks() {
    let world = World::new().await;
    let factory = world.body(FACTORY, "枣庄恒达商贸有限公司").await;
    world.punished(factory, "1", FACTORY, "枣庄恒达商贸有限公司", NOVEMBER).await;
    let (number, record) = world.number_of("恒达").await;
    let line = record["acts"][0]["line"].as_str().expect("a line");
    for nth in 0..8 {
        let token = format!("token0000000000{nth}0");
        let fields =
            [("line", line), ("token", &token), ("fault", "other"), ("said", "这条记录不对")];
        let (status, html) = world.form(&format!("/parties/{number}/wrong"), &fields).await;
        if nth < 6 {
            assert_eq!(status, 200, "{html}");
        } else {
            assert_eq!(status, 429);
            assert!(html.contains("这条记录不对"), "what was written is not lost");
        }
    }
    let items = world.db.db().count("SELECT COUNT(*) FROM work_item", &[]).await.expect("counted");
    assert_eq!(items, 6);
}
