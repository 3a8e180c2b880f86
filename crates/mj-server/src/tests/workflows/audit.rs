//! The monthly audit report: a month runs, waits and is signed once; after that there are only further editions.

use std::sync::Arc;

use mj_kernel::Role;
use serde_json::{Value, json};

use super::play::{Act, Ask, Deed, Dice, Machine, Seen, Stage, act, bare, held, once};
use crate::ledger::audit::Month;

const SIGN: &str = "POST /api/v1/log/audit-reports/{month}/sign";
const CORRECT: &str = "POST /api/v1/log/audit-reports/{month}/correct";

#[derive(Default)]
struct AuditReport {
    month: Option<Month>,
    /// The digest of the numbers that were read last.
    seen: String,
}

impl AuditReport {
    fn path(&self) -> String {
        let month = self.month.map(Month::name).unwrap_or_default();
        format!("/api/v1/log/audit-reports/{month}")
    }
}

/// The month that runs ends.
fn month_ends(stage: &Stage, month: Month) {
    let now = stage.world.kit.db().clock().now();
    stage.wait((month.until() - now) / 1_000_000 + 1);
}

impl Machine for AuditReport {
    const NAME: &'static str = "audit_report";
    const SEQUENCES: usize = 12;

    fn acts(&self) -> Vec<Act> {
        const WHO: &[&str] = &["auditor"];
        vec![once(SIGN, WHO), act(CORRECT, WHO), bare("time: the month ends", &["house"])]
    }

    async fn begin(&mut self, stage: &Arc<Stage>, _: &mut Dice) {
        let running = |stage: &Stage| Month::of(stage.world.kit.db().clock().now());
        if self.month == Some(running(stage)) {
            month_ends(stage, running(stage));
        }
        self.month = Some(running(stage));
    }

    async fn seen(&mut self, stage: &Arc<Stage>) -> Seen {
        let whole = stage.get(Role::AuditAdmin, &self.path()).await;
        let text = |name: &str| whole[name].as_str().expect("a text").to_owned();
        self.seen = text("seen");
        let editions = whole["editions"].clone();
        let version = editions.as_array().map_or(0, Vec::len);
        let version = i64::try_from(version).expect("few");
        Seen { state: text("state"), version, whole: editions }
    }

    fn deed(&mut self, stage: &Arc<Stage>, act: &str, who: &str, version: i64) -> Option<Deed> {
        if who == "house" {
            let (stage, month) = (stage.clone(), self.month?);
            return Deed::house(async move {
                if Month::of(stage.world.kit.db().clock().now()) == month {
                    month_ends(&stage, month);
                }
            });
        }
        let what = act.rsplit('/').next()?;
        let mut body: Value = json!({"seen": self.seen, "findings": "未发现问题", "opinion": ""});
        if act == CORRECT {
            body["edition"] = version.into();
            body["why"] = "补充说明".into();
        }
        Ask::by(Role::AuditAdmin, format!("{}/{what}", self.path()), body).into()
    }
}

#[tokio::test]
async fn an_audit_report_goes_as_published() {
    held(AuditReport::default()).await;
}
