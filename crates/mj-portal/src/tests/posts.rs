//! A post and its second person, its correction and its end.

use super::*;

#[tokio::test]
async fn a_post_is_published_by_a_second_person_corrected_in_sight_and_withdrawn_with_its_reason() {
    let world = World::new().await;
    let (status, post) = world.call(CLERK, "POST", "/api/v1/portal/posts", news()).await;
    assert_eq!(status, 201, "{post}");
    assert_eq!(world.page("/news/1").await.0, 404);
    assert_eq!(world.act(REVIEWER, &post, "publish", json!({})).await.0, 409, "not yet submitted");
    let (status, _) = world.act(REVIEWER, &post, "submit", json!({})).await;
    assert_eq!(status, 404, "somebody else's draft is not there for them");
    let (status, sent) = world.act(CLERK, &post, "submit", json!({})).await;
    assert_eq!((status, sent["state"].as_str()), (StatusCode::OK, Some("submitted")), "{sent}");
    assert_eq!(world.waiting(CLERK).await, Vec::<String>::new(), "not the author’s to do");
    assert_eq!(world.waiting(REVIEWER).await, ["监管动态“滕州市开展餐饮专项检查”待审核"]);
    // the author is a reviewer today: the decision asks for a second person all the same
    let (status, refused) = world.act(("wang", "reviewer"), &post, "publish", json!({})).await;
    assert_eq!(
        (status, refused["code"].as_str()),
        (StatusCode::FORBIDDEN, Some("access.second_person_required"))
    );
    let (status, back) = world.act(REVIEWER, &post, "return", json!({"reason": "缺少时间"})).await;
    assert_eq!((status, back["state"].as_str()), (StatusCode::OK, Some("returned")), "{back}");
    assert_eq!(world.waiting(REVIEWER).await, Vec::<String>::new(), "sent back");
    let mended = json!({"title": "滕州市开展餐饮专项检查", "body": format!("11月20日起。\n\n{}", news()["body"].as_str().unwrap_or_default())});
    assert_eq!(world.act(CLERK, &post, "text", mended).await.0, 200);
    assert_eq!(world.act(CLERK, &post, "submit", json!({})).await.0, 200);
    assert_eq!(world.waiting(REVIEWER).await.len(), 1, "sent once more");
    let (status, out) = world.act(REVIEWER, &post, "publish", json!({})).await;
    assert_eq!((status, out["address"].as_str()), (StatusCode::OK, Some("/news/1")), "{out}");

    assert_eq!(world.waiting(REVIEWER).await, Vec::<String>::new(), "published");

    let (status, html) = world.page("/news/1").await;
    assert_eq!(status, 200);
    assert!(html.contains("<strong>餐饮</strong>") && html.contains("&lt;script&gt;"), "{html}");
    assert!(!html.contains("<script>alert") && !html.contains("javascript:"), "{html}");
    assert!(html.contains(r#"<meta name="PubDate" content="2026-11-20">"#), "{html}");
    assert!(world.page("/news").await.1.contains("滕州市开展餐饮专项检查"));
    assert!(world.page("/").await.1.contains("/news/1"));

    let (status, _) = world.act(CLERK, &post, "correct", json!({})).await;
    assert_eq!(status, 422, "a correction has a reason");
    let (status, open) = world.act(CLERK, &post, "correct", json!({"reason": "日期写错"})).await;
    assert_eq!((status, open["state"].as_str()), (StatusCode::OK, Some("correcting")), "{open}");
    let text = json!({"title": "滕州市开展餐饮专项检查", "body": "12月1日起检查餐饮单位。"});
    assert_eq!(world.act(CLERK, &post, "text", text).await.0, 200);
    assert!(world.page("/news/1").await.1.contains("11月20日起"), "until it is published");
    assert_eq!(world.act(CLERK, &post, "submit", json!({})).await.0, 200);
    assert_eq!(world.act(REVIEWER, &post, "publish", json!({})).await.0, 200);
    let (_, html) = world.page("/news/1").await;
    assert!(html.contains("12月1日起") && html.contains("日期写错"), "{html}");
    assert!(html.contains("11月20日起") && html.contains("更正前的文本"), "{html}");

    assert_eq!(world.act(CLERK, &post, "withdraw", json!({"reason": "x"})).await.0, 403);
    let (status, gone) =
        world.act(REVIEWER, &post, "withdraw", json!({"reason": "活动取消"})).await;
    assert_eq!((status, gone["state"].as_str()), (StatusCode::OK, Some("withdrawn")), "{gone}");
    let (status, html) = world.page("/news/1").await;
    assert_eq!(status, 410);
    assert!(html.contains("活动取消") && html.contains("2026年11月20日撤回"), "{html}");
    assert!(!html.contains("12月1日起"), "{html}");
    assert_eq!(world.page("/api/v1/public/news/1").await.0, 410);
    let verbs: Vec<&str> = gone["steps"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|step| step["verb"].as_str())
        .collect();
    assert_eq!(
        verbs,
        [
            "create", "submit", "return", "write", "submit", "publish", "correct", "write",
            "submit", "publish", "withdraw"
        ]
    );
    assert_eq!(gone["texts"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn nothing_personal_is_published_by_mistake() {
    let world = World::new().await;
    for (field, text) in [
        ("body", "当事人身份证号34052419800101001X，已处理完毕。"),
        ("body", "联系电话13812345678，欢迎监督举报。"),
        ("title", "关于13812345678的通报"),
        ("title", "短"),
        ("body", "太短"),
    ] {
        let mut post = news();
        post[field] = text.into();
        let (status, refused) = world.call(CLERK, "POST", "/api/v1/portal/posts", post).await;
        assert_eq!(status, 422, "{refused}");
        assert_eq!(refused["errors"][0]["field"], field, "{refused}");
    }
    let mut post = news();
    post["agency"] = FACTORY.into();
    let (status, _) = world.call(CLERK, "POST", "/api/v1/portal/posts", post).await;
    assert_eq!(status, 404, "another agency's word cannot be given");
}

#[tokio::test]
async fn an_exposure_stands_on_a_public_record_and_ends_by_the_rule_table() {
    let world = World::new().await;
    let factory = world.body(FACTORY, "枣庄恒达商贸有限公司").await;
    world.punished(factory, "1", FACTORY, "枣庄恒达商贸有限公司", NOVEMBER).await;
    let (number, record) = world.number_of("恒达").await;
    let line = record["acts"][0]["line"].as_str().expect("a line");
    let mut post = json!({
        "kind": "exposure", "agency": AGENCY, "title": "曝光一起过期食品案件",
        "body": "恒达公司经营超过保质期的食品，被罚款。", "register_no": number,
    });
    let (status, refused) = world.call(CLERK, "POST", "/api/v1/portal/posts", post.clone()).await;
    assert_eq!(status, 422, "{refused}");
    post["act_line"] = "20758.0123456789abcdef".into();
    let (status, refused) = world.call(CLERK, "POST", "/api/v1/portal/posts", post.clone()).await;
    assert_eq!(
        (status, refused["code"].as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, Some("portal.act_not_public"))
    );
    post["act_line"] = line.into();
    let (status, post) = world.call(CLERK, "POST", "/api/v1/portal/posts", post).await;
    assert_eq!(status, 201, "{post}");
    assert_eq!(world.act(CLERK, &post, "submit", json!({})).await.0, 200);
    let (status, out) = world.act(REVIEWER, &post, "publish", json!({})).await;
    assert_eq!(
        (status, out["shown_until"].as_str()),
        (StatusCode::OK, Some("2027-11-20")),
        "{out}"
    );
    assert!(out["until_basis"].as_str().is_some_and(|basis| basis.contains("22号")), "{out}");
    let (_, html) = world.page("/exposure/1").await;
    assert!(html.contains("展示至") && html.contains(&format!("/parties/{number}")), "{html}");
    assert!(world.page(&format!("/parties/{number}")).await.1.contains("/exposure/1"));
    world.db.clock.advance_seconds(366 * 86_400);
    let (status, html) = world.page("/exposure/1").await;
    assert_eq!(status, 410);
    assert!(html.contains("展示期已满") && !html.contains("恒达"), "{html}");
    assert!(!world.page("/exposure").await.1.contains("/exposure/1"));
}

#[tokio::test]
async fn a_penalty_leaves_the_public_record_when_its_term_is_over() {
    let world = World::new().await;
    let factory = world.body(FACTORY, "枣庄恒达商贸有限公司").await;
    world.punished(factory, "1", FACTORY, "枣庄恒达商贸有限公司", NOVEMBER).await;
    world.punished(factory, "2", FACTORY, "枣庄恒达商贸有限公司", NOVEMBER - 4 * 365).await;
    let (number, record) = world.number_of("恒达").await;
    let shown = record["acts"].as_array().expect("acts");
    assert_eq!(shown.len(), 1, "{record}");
    assert_eq!(shown[0]["source"]["data_date"], "2026-11-20", "{record}");
    let (_, html) = world.page(&format!("/parties/{number}")).await;
    assert!(html.contains("2,000.00 元") && html.contains("数据日期 2026年11月20日"), "{html}");
    assert!(!html.contains("张三"), "free texts may name people");
}
