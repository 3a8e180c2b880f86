//! What the public reads: posts by two people, and reports of citizens with their answers.

use std::sync::Arc;

use axum::http::Method;
use mj_kernel::Role;
use serde_json::{Value, json};

use super::super::authorisation::world::{Hat, Relation};
use super::play::{Act, Answer, Ask, Deed, Dice, Machine, Seen, Stage, act, bare, held};

const POSTS: &str = "/api/v1/portal/posts";

/// One post. Who wrote it may also review, but not this one.
#[derive(Default)]
struct Post {
    id: String,
}

impl Machine for Post {
    const NAME: &'static str = "post";
    const SEQUENCES: usize = 24;

    fn acts(&self) -> Vec<Act> {
        const ALL: &[&str] = &["author", "second person", "drafter"];
        vec![
            act("POST /api/v1/portal/posts/{id}/text", ALL),
            act("POST /api/v1/portal/posts/{id}/submit", ALL),
            act("POST /api/v1/portal/posts/{id}/return", ALL),
            act("POST /api/v1/portal/posts/{id}/publish", ALL),
            act("POST /api/v1/portal/posts/{id}/correct", &["author", "second person"]),
            act("POST /api/v1/portal/posts/{id}/withdraw", ALL),
        ]
    }

    async fn begin(&mut self, stage: &Arc<Stage>, _: &mut Dice) {
        let body = json!({"kind": "news", "title": "开展食品安全专项检查",
            "body": "本月起对全市食品经营单位开展专项检查。", "agency": Relation::Own.agency()});
        let made = stage.create(Ask::by(Role::Reviewer, POSTS, body)).await;
        self.id = made["id"].as_str().expect("an id").to_owned();
    }

    async fn seen(&mut self, stage: &Arc<Stage>) -> Seen {
        let mut whole = stage.get(Role::Supervisor, &format!("{POSTS}/{}", self.id)).await;
        let mut state = whole["state"].as_str().expect("a state").to_owned();
        if state == "correcting" {
            let texts = whole["texts"].as_array().expect("texts");
            let open = texts.iter().find(|text| text["number"] == whole["open_text"]);
            let open = open.expect("the correction")["state"].clone();
            state = format!("correcting: {}", open.as_str().expect("a state"));
        }
        // what the public is told goes with it
        let public = match whole["number"].as_i64() {
            None => 404,
            Some(number) => {
                let path = format!("/api/v1/public/news/{number}");
                let ask = Ask::post(None, path, Value::Null).method(Method::GET);
                let answer = stage.send(&Ask { body: Vec::new(), ..ask }).await;
                whole["public"] = answer.body["html"].clone();
                answer.status
            }
        };
        let expected = match state.as_str() {
            "draft" | "submitted" | "returned" => 404,
            "withdrawn" => 410,
            _ => 200,
        };
        assert_eq!(public, expected, "{state}: {whole}");
        Seen { state, version: whole["version"].as_i64().expect("a version"), whole }
    }

    fn deed(&mut self, _: &Arc<Stage>, act: &str, who: &str, version: i64) -> Option<Deed> {
        let role = match who {
            "author" => Role::Reviewer,
            "second person" => Role::Leader,
            _ => Role::DeptAdmin,
        };
        let body = json!({"version": version, "reason": "数字有误", "title": "开展食品安全专项检查",
            "body": format!("本月起对全市食品经营单位开展专项检查（第 {version} 稿）。")});
        Ask::by(role, act.trim_start_matches("POST ").replace("{id}", &self.id), body).into()
    }
}

#[tokio::test]
async fn a_post_goes_as_published() {
    held(Post::default()).await;
}

/// What somebody without an account says of a line of a public record.
#[derive(Default)]
struct Correction {
    register_no: String,
    form: String,
    receipt: Option<(String, String)>,
    item: String,
}

const FORM: &str = "application/x-www-form-urlencoded";

fn form(path: &str, body: String) -> Ask {
    let mut ask = Ask::post(None, path, Value::Null);
    ask.headers.push(("content-type", FORM.into()));
    Ask { body: body.into_bytes(), ..ask }
}

/// What stands in the page under this mark.
fn receipt(page: &Value, name: &str) -> Option<String> {
    let page = page.as_str()?;
    let mark = format!("data-receipt=\"{name}\">");
    Some(page.split(&mark).nth(1)?.split('<').next()?.to_owned())
}

impl Correction {
    fn send(&self) -> Ask {
        form(&format!("/parties/{}/wrong", self.register_no), self.form.clone())
    }
}

impl Machine for Correction {
    const NAME: &'static str = "correction";
    const SEQUENCES: usize = 8;

    fn acts(&self) -> Vec<Act> {
        const CLERK: &[&str] = &["clerk"];
        vec![
            bare("POST /parties/{register_no}/wrong the same form again", &["citizen"]),
            act("POST /api/v1/flow/work-items/{id}/claim", CLERK),
            act("POST /api/v1/flow/work-items/{id}/return", CLERK),
            act("POST /api/v1/flow/work-items/{id}/decide", CLERK),
            act("POST /api/v1/flow/work-items/{id}/reopen", CLERK),
        ]
    }

    async fn begin(&mut self, stage: &Arc<Stage>, _: &mut Dice) {
        // of one address only so many are taken in an hour
        stage.wait(3_601);
        if self.register_no.is_empty() {
            self.register_no = enterprise(stage).await;
        }
        let token = mj_platform::new_id().replace('-', "");
        let path = format!("/api/v1/public/parties/{}", self.register_no);
        let record = stage.get(Role::Clerk, &path).await;
        let field = record["fields"][0]["name"].as_str().unwrap_or_else(|| panic!("{record}"));
        self.form = format!(
            "line=field:{field}&fault=value_wrong&said=right+name+is+another&token={token}"
        );
        let answer = stage.send(&self.send()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let part = |name| receipt(&answer.body, name).expect("a receipt");
        self.receipt = Some((part("number"), part("code")));
        let sql = "SELECT work_item_id AS found FROM portal_correction WHERE number = $1";
        self.item = stage.text(sql, &part("number")).await.expect("an item");
    }

    /// As whoever reported it reads it, when what was decided has been done.
    async fn seen(&mut self, stage: &Arc<Stage>) -> Seen {
        stage.work().await;
        let (number, code) = self.receipt.clone().expect("a receipt");
        let page = stage.send(&form("/corrections", format!("number={number}&code={code}"))).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let text = page.body.as_str().expect("a page");
        let known =
            [("已收到，等待核实", "received"), ("核实中", "checked"), ("已答复", "answered")];
        let state = known.iter().find(|(said, _)| text.contains(said)).expect("a standing").1;
        let path = format!("/api/v1/flow/work-items/{}", self.item);
        let item = stage.get(Role::Clerk, &path).await;
        let version = item["version"].as_i64().expect("a version");
        Seen { state: state.into(), version, whole: json!([item, self.receipt]) }
    }

    fn deed(&mut self, _: &Arc<Stage>, act: &str, _: &str, version: i64) -> Option<Deed> {
        if act.starts_with("POST /parties") {
            return self.send().into();
        }
        let body = json!({"version": version, "reason": "已向来源部门核实", "decision": "kept"});
        let path = act.trim_start_matches("POST ").replace("{id}", &self.item);
        Ask::by(Role::Clerk, path, body).into()
    }

    /// The same form makes one report, and shows the same receipt.
    fn went(&self, act: &str, answer: &Answer) -> bool {
        let own = || Some((receipt(&answer.body, "number")?, receipt(&answer.body, "code")?));
        answer.status == 200 && (!act.starts_with("POST /parties") || own() == self.receipt)
    }
}

/// An enterprise with a public record; its register number.
async fn enterprise(stage: &Stage) -> String {
    let row = json!({
        "cd_id": "p1", "cd_time": "2026-11-19T10:00:00+08:00", "cd_operation": "i",
        "entity_id_code": "3704000000000001", "uscc": "91370400MA3D2E3F55",
        "ent_name": "枣庄石榴红食品有限公司", "legal_repr": "李明",
        "address_registered": "山东省枣庄市市中区石榴路1号", "regist_status": "1",
        "regist_status_name": "存续", "establish_date": "2010-01-05",
    });
    let batch = json!({"table": "object_enterprise", "cd_source": "src_own",
        "cd_batch": "2026112000009", "rows": [row]});
    let ask = Ask::post(Hat::Source.token(), "/api/v1/datahub/batches", batch);
    let answer = stage.send(&ask).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    stage.work().await;
    let sql = "SELECT register_no AS found FROM party WHERE uscc = $1";
    stage.text(sql, "91370400MA3D2E3F55").await.expect("a party")
}

#[tokio::test]
async fn a_correction_goes_as_published() {
    held(Correction::default()).await;
}
