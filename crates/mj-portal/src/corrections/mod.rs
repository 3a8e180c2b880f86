//! 纠错: anybody may say that a line of a public record is wrong, without an account and without
//! saying who they are. It becomes a work item of the agency whose line it is; a number and a query
//! code let whoever asked read the answer.
//!
//! The code is a keyed function of the form's own token: a form sent twice makes one request and
//! shows the same number and code again. Only the code's digest is stored.

pub mod pages;
mod store;

use mj_flow::NewWorkItem;
use mj_flow::state::PORTAL_CORRECTION;
use mj_kernel::clock::beijing_date;
use mj_kernel::{Actor, Event};
use mj_platform::{Act, Lane, Value, WriteTx};
use mj_registry::PublicParty;

use self::store::CORRECTION;
pub use self::store::Correction;
use crate::error::{Error, Result};
use crate::limit::Bucket;
use crate::{Portal, markup, rules};

/// What may be wrong with a line.
pub const FAULTS: [(&str, &str); 6] = [
    ("not_ours", "不是这个单位的记录"),
    ("value_wrong", "内容有误（名称、日期、金额等）"),
    ("outdated", "情况已变化，信息过时"),
    ("revoked", "处罚或决定已被撤销、变更"),
    ("expired", "已过公示期限"),
    ("other", "其他"),
];

const SHORTEST: usize = 5;
const LONGEST: usize = 500;
/// No letters that look like figures, so that a code survives being read aloud.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// What somebody says is wrong.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The form's own random token: the same form sent twice is one request.
    pub token: String,
    pub register_no: String,
    pub line: String,
    pub fault: String,
    pub said: String,
}

/// What whoever reported gets at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub number: String,
    pub code: String,
    pub deadline: Option<String>,
    pub agency_name: Option<String>,
}

/// Where a report stands, for whoever made it.
#[derive(Debug, Clone)]
pub struct Progress {
    pub correction: Correction,
    pub standing: &'static str,
    pub deadline: Option<String>,
}

/// A line as the form names it, and whose it is.
#[derive(Debug, Clone)]
pub struct Line {
    pub party: PublicParty,
    pub title: String,
    pub value: String,
    /// Whose clerks answer for it.
    pub area_number: Option<String>,
    pub agency: Option<String>,
    pub agency_name: Option<String>,
}

fn fault_title(name: &str) -> Option<&'static str> {
    FAULTS.iter().find(|(known, _)| *known == name).map(|(_, title)| *title)
}

impl Portal {
    /// The line that is said to be wrong: a behaviour by its name, or `field:NAME`.
    pub(crate) async fn line(&self, register_no: &str, line: &str) -> Result<Option<Line>> {
        if let Some(field) = line.strip_prefix("field:") {
            let page = mj_kernel::Page { limit: Some(1), cursor: None };
            let record = self.registry.public_record(&self.acts, register_no, &page).await?;
            let Some(record) = record else { return Ok(None) };
            let Some(field) = record.fields.into_iter().find(|known| known.name == field) else {
                return Ok(None);
            };
            return Ok(Some(Line {
                area_number: record.party.area_number.clone(),
                party: record.party,
                title: field.title,
                value: field.value,
                agency: None,
                agency_name: field.source.map(|source| source.source_name),
            }));
        }
        let Some(act) = self.public_act(register_no, line).await? else { return Ok(None) };
        let Some(party) = self.registry.public_party(register_no).await? else { return Ok(None) };
        let title = match &act.event_date {
            Some(date) => format!("{}（{date}）", act.table_title),
            None => act.table_title.clone(),
        };
        Ok(Some(Line {
            area_number: act.area_number.clone().or_else(|| party.area_number.clone()),
            party,
            title,
            value: crate::posts::act_title(&act),
            agency: act.agency_code,
            agency_name: act.agency_name,
        }))
    }

    /// Takes a report in and makes the work item, in one transaction.
    pub async fn report(&self, from: Bucket, report: &Report) -> Result<Receipt> {
        if fault_title(&report.fault).is_none() {
            return Err(Error::field("fault", "请选择哪里有误"));
        }
        let said = report.said.replace("\r\n", "\n").trim().to_owned();
        let length = said.chars().count();
        if length < SHORTEST {
            return Err(Error::field(
                "said",
                format!("请说明哪里不对、应是什么，至少 {SHORTEST} 个字"),
            ));
        }
        if length > LONGEST {
            return Err(Error::field(
                "said",
                format!("说明不超过 {LONGEST} 字，现在是 {length} 字"),
            ));
        }
        if said.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
            return Err(Error::field("said", "含有无法显示的控制字符，请删去"));
        }
        if let Some(what) = markup::personal_number(&said) {
            let message = format!("请删去{what}：纠错不需要个人信息，凭编号和查询码就能查看答复");
            return Err(Error::field("said", message));
        }
        if !(16..=64).contains(&report.token.len())
            || !report.token.bytes().all(|b| b.is_ascii_alphanumeric())
        {
            return Err(Error::field("token", "页面已过期，请返回重新打开这一页"));
        }
        let line = self.line(&report.register_no, &report.line).await?;
        let line = line.ok_or(Error::ActNotPublic)?;
        let code = self.code_of(&report.token);
        let id = self.keys.lookup("portal_correction_token", &report.token);
        if let Some(earlier) = store::by_id(&self.db, &id).await? {
            return self.receipt(&earlier, code).await;
        }
        let today = self.today();
        let most = rules::most_an_hour("correction", today)?;
        if !self.limiter.admit("correction", from, most, self.db.clock().now()) {
            return Err(Error::TooOften);
        }
        let act = Act::new(&Actor::anonymous(), "portal.correction.create", "portal_correction");
        let mut tx = self.db.begin(Lane::People, act).await?;
        let correction = self.insert(&mut tx, id, report, &line, &said, &code).await?;
        tx.commit().await?;
        self.receipt(&correction, code).await
    }

    async fn receipt(&self, correction: &Correction, code: String) -> Result<Receipt> {
        let item = self.flow.item_unscoped(&correction.work_item_id).await?;
        Ok(Receipt {
            number: correction.number.clone(),
            code,
            deadline: item.deadline,
            agency_name: correction.agency_name.clone(),
        })
    }

    async fn insert(
        &self,
        tx: &mut WriteTx,
        id: String,
        report: &Report,
        line: &Line,
        said: &str,
        code: &str,
    ) -> Result<Correction> {
        let fault = fault_title(&report.fault).unwrap_or_default();
        let now = tx.now();
        let item = NewWorkItem {
            kind: PORTAL_CORRECTION,
            title: format!("公众指出“{}”的{}有误", line.party.name, line.title),
            object_table: "portal_correction".into(),
            object_id: id.clone(),
            cause: format!("portal_correction:{id}"),
            area_number: line.area_number.clone(),
            agency: line.agency.clone(),
            agency_name: line.agency_name.clone(),
            payload: serde_json::json!({
                "register_no": line.party.register_no,
                "party_name": line.party.name,
                "line_title": line.title,
                "line_value": line.value,
                "fault": fault,
                "said": said,
            }),
            deadline: None,
        };
        let work_item = self.flow.receive(tx, item).await?;
        // after the first change, which holds the head: two at once cannot get one number
        let number = store::next_number(tx, beijing_date(now)).await?;
        let correction = Correction {
            id,
            number,
            register_no: line.party.register_no.clone(),
            party_name: line.party.name.clone(),
            line_title: line.title.clone(),
            agency_name: line.agency_name.clone(),
            fault: report.fault.clone(),
            said: said.to_owned(),
            work_item_id: work_item,
            state: "received".into(),
            verdict: None,
            answer: None,
            received_at: now,
            answered_at: None,
        };
        let row: Vec<(&str, Value)> = vec![
            ("id", correction.id.as_str().into()),
            ("number", correction.number.as_str().into()),
            ("code_digest", self.digest(&correction.number, code).into()),
            ("register_no", correction.register_no.as_str().into()),
            ("party_name", correction.party_name.as_str().into()),
            ("line", report.line.as_str().into()),
            ("line_title", correction.line_title.as_str().into()),
            ("area_number", line.area_number.clone().into()),
            ("agency", line.agency.clone().into()),
            ("agency_name", line.agency_name.clone().into()),
            ("fault", correction.fault.as_str().into()),
            ("said", correction.said.as_str().into()),
            ("work_item_id", correction.work_item_id.as_str().into()),
            ("state", correction.state.as_str().into()),
            ("received_at", now.into()),
        ];
        tx.insert(&CORRECTION, &row).await?;
        Ok(correction)
    }

    /// What came of a report, for whoever knows its number and code. Wrong guesses are counted.
    pub async fn progress_of(&self, from: Bucket, number: &str, code: &str) -> Result<Progress> {
        let number: String = number.chars().filter(char::is_ascii_graphic).collect();
        let number = number.to_ascii_uppercase();
        let code: String = code
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_ascii_uppercase();
        let found = store::by_number(&self.db, &number, &self.digest(&number, &code)).await?;
        let Some(correction) = found else {
            let most = rules::most_an_hour("track", self.today())?;
            if !self.limiter.admit("track", from, most, self.db.clock().now()) {
                return Err(Error::TooOften);
            }
            return Err(Error::UnknownCorrection);
        };
        let item = self.flow.item_unscoped(&correction.work_item_id).await?;
        let standing = match (correction.state.as_str(), item.state.is_open(), item.assignee) {
            ("answered", ..) => "已答复",
            (_, true, Some(_)) => "核实中",
            (_, true, None) => "已收到，等待核实",
            _ => "核实完毕，答复即将公布",
        };
        Ok(Progress { correction, standing, deadline: item.deadline })
    }

    /// A decided work item is the answer; one taken back is open again.
    pub async fn on_event(&self, event: &Event) -> Result<()> {
        match event {
            Event::WorkItemDecided { work_item_id, kind, verdict, payload }
                if kind == PORTAL_CORRECTION.name =>
            {
                let told: serde_json::Value = serde_json::from_str(payload).unwrap_or_default();
                let answer = told["reason"].as_str().unwrap_or_default().to_owned();
                self.settle(work_item_id, Some((verdict.as_str(), answer))).await
            }
            Event::WorkItemReopened { work_item_id, kind, .. }
                if kind == PORTAL_CORRECTION.name =>
            {
                self.settle(work_item_id, None).await
            }
            _ => Ok(()),
        }
    }

    async fn settle(&self, work_item_id: &str, answer: Option<(&str, String)>) -> Result<()> {
        let act =
            Act::new(&Actor::system("portal"), "portal.correction.answer", "portal_correction");
        let mut tx = self.db.begin(Lane::Bulk, act).await?;
        let Some(correction) = store::by_work_item(&mut tx, work_item_id).await? else {
            return Ok(());
        };
        let now = tx.now();
        let (state, verdict, said, at) = match answer {
            Some((verdict, said)) => {
                ("answered", Value::from(verdict), Value::from(said), Value::Int(now))
            }
            None => ("received", Value::Null, Value::Null, Value::Null),
        };
        if correction.state == state {
            return Ok(());
        }
        let changes =
            [("state", state.into()), ("verdict", verdict), ("answer", said), ("answered_at", at)];
        tx.update(&CORRECTION, &correction.id, None, &changes).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Eight letters and figures that nobody can compute without this node's keys.
    fn code_of(&self, token: &str) -> String {
        let digest = self.keys.lookup("portal_correction_code", token);
        let bytes = hex::decode(&digest).unwrap_or_else(|_| digest.into_bytes());
        bytes.iter().take(8).map(|b| char::from(ALPHABET[usize::from(*b) % 32])).collect()
    }

    fn digest(&self, number: &str, code: &str) -> String {
        self.keys.lookup("portal_correction", &format!("{number}\u{1f}{code}"))
    }
}

/// What a verdict is called in an answer.
pub fn verdict_title(verdict: &str) -> &'static str {
    PORTAL_CORRECTION.verdict_title(verdict).unwrap_or("已答复")
}
