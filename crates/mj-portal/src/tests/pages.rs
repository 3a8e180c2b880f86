//! The pages themselves, whatever is typed and without scripts.

use super::*;

#[tokio::test]
async fn large_type_and_contrast_hold_without_scripts_and_lead_back() {
    let world = World::new().await;
    let (_, plain) = world.page("/search?q=a%20b").await;
    assert!(plain.contains("<html lang=\"zh-CN\">"), "{plain}");
    let to_large = "/display?to=large&amp;back=/search%3Fq%3Da%2520b";
    assert!(plain.replace("&#38;", "&amp;").replace("%2F", "/").contains(to_large), "{plain}");
    let asked = Request::get("/display?to=large.contrast&back=%2Fsearch%3Fq%3Da%2520b");
    let asked = asked.body(Body::empty()).expect("a request");
    let answer = world.router.clone().oneshot(asked).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.headers()[header::LOCATION], "/search?q=a%20b");
    let kept = answer.headers()[header::SET_COOKIE].to_str().expect("a cookie");
    assert!(kept.starts_with("mj-display=large.contrast; Path=/;"), "{kept}");
    let again = Request::get("/about").header(header::COOKIE, "a=b; mj-display=large.contrast");
    let (_, html) = world.send(again.body(Body::empty()).expect("a request")).await;
    assert!(html.contains(r#"<html lang="zh-CN" data-size="large" data-contrast="high">"#));
    assert!(html.contains("display?to=contrast"), "one of the two is taken back by itself: {html}");
}

#[tokio::test]
async fn every_page_stands_whatever_is_typed_into_the_search() {
    let world = World::new().await;
    world.body(FACTORY, "枣庄恒达商贸有限公司").await;
    let long = "恒".repeat(10_000);
    for (q, expected) in [
        ("恒达", "共找到 1 户"),
        ("%", "太短"),
        ("%%%", "没有找到"),
        ("__", "没有找到"),
        ("' OR 1=1 --", "没有找到"),
        ("\"><script>alert(1)</script>", "没有找到"),
        ("😀😀😀", "没有找到"),
        ("\u{0}\u{7}恒达", "共找到"),
        (long.get(..9_000).unwrap_or_default(), "只用了前 100 个字"),
    ] {
        let (status, html) = world.page(&crate::pages::address("/search", &[("q", q)])).await;
        assert_eq!(status, 200, "{q}");
        let shown: String = q.chars().take(20).collect();
        assert!(html.contains(expected), "{shown}: {html}");
        assert!(!html.contains("<script>alert"), "{shown}");
    }
    let (_, html) = world.page("/search?q=%E6%81%92%E8%BE%BE&area=999999&kind=person").await;
    assert!(html.contains("“地区”不存在") && html.contains("“类型”不存在"), "{html}");
    let (_, html) = world.page("/search?q=%E6%81%92%E8%BE%BE&area=370403").await;
    assert!(html.contains("不限地区和类型再查一次"), "{html}");
    for path in [
        "/",
        "/search",
        "/news",
        "/exposure",
        "/log",
        "/data",
        "/corrections",
        "/about",
        "/accessibility",
        "/sitemap",
    ] {
        let (status, html) = world.page(path).await;
        assert_eq!(status, 200, "{path}");
        assert!(html.contains("<h1") && html.contains("跳到正文") && html.len() < 30_000, "{path}");
    }
    for path in [
        "/nothing",
        "/news/abc",
        "/parties/%00",
        "/parties/%FF",
        "/data/%00",
        "/data/%00/x",
        "/news/%00",
        "/log/weeks/%00",
        "/log/weeks/..%2Fkey",
        "/log/weeks/..%2Fkey.txt",
        "/log/weeks/2026-W47.txt",
    ] {
        assert_eq!(world.page(path).await.0, 404, "{path}");
    }
    for path in ["/search?q=a&q=b", "/search?q=%FF", "/news?before=x&before=y", "/search?cursor"] {
        assert_eq!(world.page(path).await.0, 200, "{path}");
    }
    assert_eq!(world.page("/search?q=%E6%81%92%E8%BE%BE&cursor=%00").await.0, 303);
    assert_eq!(world.form("/corrections", &[("number", "\u{0}"), ("code", "\u{0}")]).await.0, 422);
}
