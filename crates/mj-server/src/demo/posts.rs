//! A handful of posts in every state, written and reviewed by the demonstration's clerk and reviewer
//! through the same routes as anybody's.

use std::path::Path;

use axum::Router;
use mj_kernel::Role;
use serde_json::{Value, json};

use super::visitor::Visitor;
use crate::cli::Failure;
use crate::node::Node;

/// How many parties are looked at for a penalty that may be exposed.
const LOOKED_AT: usize = 200;

struct Desk {
    clerk: Visitor,
    reviewer: Visitor,
    public: Visitor,
    area: String,
    agency: String,
}

/// What is done with a draft, in order.
#[derive(Clone, Copy)]
enum Fate {
    Draft,
    Submitted,
    Returned,
    Published,
    Corrected,
    Withdrawn,
}

const NEWS: [(&str, &str, Fate); 7] = [
    (
        "开展冬季餐饮服务食品安全检查",
        "11月下旬起，对辖区餐饮服务单位开展冬季食品安全检查，重点看三项：\n\n- 进货查验记录是否完整；\n- 餐饮具清洗消毒是否到位；\n- 后厨是否有超过保质期的食品。\n\n检查按“双随机、一公开”方式进行，结果在本站公示。发现问题可以拨打 12345 反映。",
        Fate::Published,
    ),
    (
        "特种设备使用单位自查情况通报",
        "10月底前，辖区特种设备使用单位完成了年度自查。多数单位台账齐全、按期检验；个别单位存在检验标志未张贴、应急演练记录缺失的情况，已当场提醒改正。\n\n## 下一步\n\n对未完成自查的单位，列入下季度重点检查范围。",
        Fate::Corrected,
    ),
    (
        "药品经营企业“挂证”专项检查结果",
        "本次专项检查共涉及辖区药品零售企业，主要核对执业药师在岗情况。检查结果已逐户录入本站，可在“企业信息查询”中查看。\n\n> 执业药师不在岗时，不得销售处方药。",
        Fate::Published,
    ),
    (
        "计量器具免费检定服务安排",
        "集贸市场在用计量器具免费检定服务安排如下：周一至周五上午在各市场服务台办理，带好营业执照即可。",
        Fate::Withdrawn,
    ),
    (
        "春节前市场价格巡查安排（征求意见）",
        "拟于春节前开展重要民生商品价格巡查，主要检查明码标价和价格欺诈，时间和范围待定。",
        Fate::Draft,
    ),
    (
        "校园周边食品经营单位检查安排",
        "12月上旬，对校园周边食品经营单位逐户检查，重点是“三无”食品和过期食品。",
        Fate::Submitted,
    ),
    (
        "关于加强年报公示提醒的通知",
        "请各市场主体按时公示年度报告。逾期未报的，将依法列入经营异常名录。",
        Fate::Returned,
    ),
];

/// Writes them, unless they are there.
pub async fn write(node: &Node, accounts: &Path) -> Result<(), Failure> {
    let router = node.web.router(Router::new());
    let desk = Desk::open(&router, accounts).await?;
    let known = desk.clerk.get("/api/v1/portal/posts?limit=1").await?;
    if known["items"].as_array().is_some_and(|items| !items.is_empty()) {
        return Ok(());
    }
    // the newest is published last
    for (title, body, fate) in NEWS.iter().rev() {
        let post = json!({"kind": "news", "agency": desk.agency, "title": title, "body": body});
        desk.carry_out(post, *fate).await?;
    }
    let penalties = desk.penalties().await?;
    for (at, (party, act)) in penalties.iter().take(3).enumerate() {
        let name = party["name"].as_str().unwrap_or_default();
        let item = act["item_name"].as_str().unwrap_or("行政处罚");
        let post = json!({
            "kind": "exposure", "agency": desk.agency,
            "register_no": party["register_no"], "act_line": act["line"],
            "title": format!("曝光：{name}被处{}", act["result"].as_str().unwrap_or("罚")),
            "body": format!(
                "{name}因违法行为被依法查处，处理结果：{}。文书号：{}。当事单位应当改正并履行决定；对决定有异议的，\
                 可以依法申请行政复议或者提起行政诉讼。\n\n查处事项：{item}。",
                act["result"].as_str().unwrap_or("行政处罚"),
                act["document_no"].as_str().unwrap_or("见公示记录"),
            ),
        });
        let fate = if at < 2 { Fate::Published } else { Fate::Submitted };
        desk.carry_out(post, fate).await?;
    }
    Ok(())
}

impl Desk {
    async fn open(router: &Router, accounts: &Path) -> Result<Self, Failure> {
        let text = std::fs::read(accounts).map_err(Failure::broken)?;
        let people: Value = serde_json::from_slice(&text).map_err(Failure::broken)?;
        let of = |role: Role| {
            let found = people["accounts"].as_array().and_then(|accounts| {
                accounts.iter().find(|one| one["role"] == role.name() && !one["agency"].is_null())
            });
            found.cloned().ok_or_else(|| Failure::Broken(format!("没有{}的账号", role.title())))
        };
        let (clerk, reviewer) = (of(Role::Clerk)?, of(Role::Reviewer)?);
        let text = |from: &Value, key: &str| from[key].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            area: text(&clerk, "area"),
            agency: text(&clerk, "agency"),
            clerk: Visitor::login(router, &text(&clerk, "login"), &text(&clerk, "password"))
                .await?,
            reviewer: Visitor::login(
                router,
                &text(&reviewer, "login"),
                &text(&reviewer, "password"),
            )
            .await?,
            public: Visitor::new(router),
        })
    }

    async fn carry_out(&self, post: Value, fate: Fate) -> Result<(), Failure> {
        let post = self.clerk.post("/api/v1/portal/posts", post).await?;
        if matches!(fate, Fate::Draft) {
            return Ok(());
        }
        let post = self.step(&self.clerk, &post, "submit", json!({})).await?;
        match fate {
            Fate::Draft | Fate::Submitted => {}
            Fate::Returned => {
                let why = json!({"reason": "请写明年报截止日期和办理地址"});
                self.step(&self.reviewer, &post, "return", why).await?;
            }
            Fate::Published => {
                self.step(&self.reviewer, &post, "publish", json!({})).await?;
            }
            Fate::Corrected => {
                let post = self.step(&self.reviewer, &post, "publish", json!({})).await?;
                let why = json!({"reason": "自查完成时间应为11月10日，原文写作10月底"});
                let post = self.step(&self.clerk, &post, "correct", why).await?;
                let open = post["texts"].as_array().and_then(|texts| texts.last()).cloned();
                let open = open.unwrap_or_default();
                let body = open["body"].as_str().unwrap_or_default();
                let mended = json!({
                    "title": open["title"], "body": body.replace("10月底前", "11月10日前"),
                });
                let post = self.step(&self.clerk, &post, "text", mended).await?;
                let post = self.step(&self.clerk, &post, "submit", json!({})).await?;
                self.step(&self.reviewer, &post, "publish", json!({})).await?;
            }
            Fate::Withdrawn => {
                let post = self.step(&self.reviewer, &post, "publish", json!({})).await?;
                let why = json!({"reason": "服务时间调整，将重新发布"});
                self.step(&self.reviewer, &post, "withdraw", why).await?;
            }
        }
        Ok(())
    }

    async fn step(
        &self,
        who: &Visitor,
        post: &Value,
        verb: &str,
        mut body: Value,
    ) -> Result<Value, Failure> {
        body["version"] = post["version"].clone();
        let id = post["id"].as_str().unwrap_or_default();
        who.post(&format!("/api/v1/portal/posts/{id}/{verb}"), body).await
    }

    /// Public penalties by this agency, each with its party.
    async fn penalties(&self) -> Result<Vec<(Value, Value)>, Failure> {
        let mut found = Vec::new();
        // 有限公司
        let path = format!(
            "/api/v1/public/parties?q=%E6%9C%89%E9%99%90%E5%85%AC%E5%8F%B8&kind=enterprise&area={}&limit={LOOKED_AT}",
            self.area
        );
        let page = self.public.get(&path).await?;
        for party in page["items"].as_array().into_iter().flatten() {
            let number = party["register_no"].as_str().unwrap_or_default();
            let record = self.public.get(&format!("/api/v1/public/parties/{number}")).await?;
            let act = record["acts"].as_array().into_iter().flatten().find(|act| {
                act["table"] == "punish_action" && act["agency_code"] == self.agency.as_str()
            });
            if let Some(act) = act {
                found.push((party.clone(), act.clone()));
            }
            if found.len() == 3 {
                break;
            }
        }
        Ok(found)
    }
}
