//! A large export that another person must approve.

use std::sync::Arc;

use mj_kernel::Role;
use serde_json::json;

use super::super::authorisation::world::party_row;
use super::play::{Act, Ask, Deed, Dice, Machine, Seen, Stage, act, bare, held};

const REQUESTS: &str = "/api/v1/exports/requests";
const LIST: &str = "/api/v1/registry/parties/export";

#[derive(Default)]
struct Export {
    id: String,
    /// Each request asks for something else, so that none answers for another.
    number: usize,
}

impl Export {
    fn wish(&self) -> serde_json::Value {
        let filters = json!({"q": "槐花", "number": self.number.to_string()});
        json!({"format": "csv", "columns": ["name"], "filters": filters})
    }
}

impl Machine for Export {
    const NAME: &'static str = "export_request";
    const SEQUENCES: usize = 16;

    fn acts(&self) -> Vec<Act> {
        const TWO: &[&str] = &["asker", "second person"];
        vec![
            act("POST /api/v1/exports/requests/{id}/approve", TWO),
            act("POST /api/v1/exports/requests/{id}/refuse", TWO),
            bare("POST /api/v1/registry/parties/export", TWO),
            bare("time: 72 hours", &["house"]),
        ]
    }

    async fn begin(&mut self, stage: &Arc<Stage>, _: &mut Dice) {
        self.number += 1;
        if self.number == 1 {
            let mut tx = stage.world.kit.begin().await;
            for number in 0..1_001 {
                let (id, name) = (format!("many-{number:05}"), format!("槐花{number:04}店"));
                party_row(&mut tx, &id, 20_000 + number, &name, Some("370400")).await;
            }
            tx.note().await.expect("noted");
            tx.commit().await.expect("committed");
        }
        let mut wish = self.wish();
        wish["reason"] = "年度名录核对".into();
        let asked = stage.send(&Ask::by(Role::Leader, LIST, wish)).await;
        assert_eq!(asked.code, "access.second_person_required", "{}", asked.body);
        let all = stage.get(Role::Leader, REQUESTS).await;
        let newest = all["items"].as_array().expect("items").iter().find(|one| one["own"] == true);
        self.id = newest.expect("a request")["id"].as_str().expect("an id").to_owned();
    }

    async fn seen(&mut self, stage: &Arc<Stage>) -> Seen {
        let all = stage.get(Role::Leader, REQUESTS).await;
        let all = all["items"].as_array().expect("items");
        let whole = all.iter().find(|one| one["id"] == *self.id).expect("the request").clone();
        let state = whole["state"].as_str().expect("a state").to_owned();
        Seen { state, version: whole["version"].as_i64().expect("a version"), whole }
    }

    fn deed(&mut self, stage: &Arc<Stage>, act: &str, who: &str, version: i64) -> Option<Deed> {
        if who == "house" {
            let stage = stage.clone();
            return Deed::house(async move { stage.wait(72 * 3600) });
        }
        let role = if who == "asker" { Role::Leader } else { Role::RegionLeader };
        let path = act.trim_start_matches("POST ").replace("{id}", &self.id);
        let mut body = json!({"version": version, "reason": "已核对用途"});
        if path == LIST {
            body = self.wish();
            body["approval"] = self.id.clone().into();
        }
        Ask::by(role, path, body).into()
    }
}

#[tokio::test]
async fn an_approved_export_goes_as_published() {
    held(Export::default()).await;
}
