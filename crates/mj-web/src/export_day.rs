//! How much of a list an account takes away on one day of Beijing's calendar without another person: many small files
//! are counted as the one large file they are. What was approved is not counted again.

use mj_kernel::clock::{beijing_date, parse_instant};
use mj_kernel::{ActorKind, Instant};
use mj_platform::{Db, DbRow, RowExt, TruthTable, Value, WriteTx};

use crate::caller::Caller;
use crate::problem::Problem;

/// Which file was taken with which approval.
pub const EXPORT_APPROVED: TruthTable =
    TruthTable { name: "export_approved", columns: &["id", "request_id"] };

const TAKEN: &str = "SELECT row_count FROM data_export WHERE actor = $1 AND list_name = $2 \
    AND at >= $3 AND id <> $4 AND NOT EXISTS \
    (SELECT 1 FROM export_approved a WHERE a.id = data_export.id)";

/// What the rule leaves of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Day {
    most: usize,
    taken: usize,
}

impl Day {
    /// As far as is known before the file is written down.
    pub(crate) async fn look(
        db: &Db,
        caller: &Caller,
        list: &str,
        most: usize,
    ) -> Result<Self, Problem> {
        let Some(args) = question(caller, list, "", db.clock().now()) else {
            return Ok(Self { most, taken: 0 });
        };
        Ok(Self { most, taken: sum(&db.fetch_all(TAKEN, &args).await?)? })
    }

    /// Counted when the file is written down already, and apart from it: whoever takes another at the same moment waits
    /// for the count to be true.
    pub(crate) async fn claim(
        tx: &mut WriteTx,
        caller: &Caller,
        list: &str,
        most: usize,
        file: &str,
    ) -> Result<Self, Problem> {
        let Some(args) = question(caller, list, file, tx.now()) else {
            return Ok(Self { most, taken: 0 });
        };
        Ok(Self { most, taken: sum(&tx.fetch_all(TAKEN, &args).await?)? })
    }

    pub(crate) fn allows(self, rows: usize) -> bool {
        self.taken.saturating_add(rows) <= self.most
    }

    /// What was taken, what is left, and what to do.
    pub(crate) fn refusal(self, title: &str, rows: usize) -> Problem {
        let Self { most, taken } = self;
        let said = match taken {
            0 => format!("共 {rows} 行，超过 {most} 行的导出须另一人批准"),
            _ => format!("今天已导出 {taken} 行，加上这次 {rows} 行超过 {most} 行，须另一人批准"),
        };
        let left = most.saturating_sub(taken);
        Problem::forbidden("export.approval_needed", said).detail(format!(
            "不经批准，每人每天从“{title}”至多导出 {most} 行：今天已导出 {taken} 行，还可导出 {left} 行，明天 0 时重新计算。\
             请缩小筛选范围，或写明理由提交申请；批准后用同样的筛选和列再点一次导出。"
        ))
    }
}

/// `None`: a department's own system, whose deliveries are its own, is bounded by the file alone.
fn question(caller: &Caller, list: &str, file: &str, now: Instant) -> Option<[Value; 4]> {
    if matches!(caller.actor.kind, ActorKind::Source { .. }) {
        return None;
    }
    let midnight = parse_instant(&beijing_date(now).to_string()).unwrap_or_default();
    Some([caller.actor.reference().into(), list.into(), midnight.into(), file.into()])
}

fn sum(rows: &[DbRow]) -> Result<usize, Problem> {
    let mut taken = 0_usize;
    for row in rows {
        taken = taken.saturating_add(usize::try_from(row.int("row_count")?).unwrap_or(usize::MAX));
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_says_what_was_taken_what_is_left_and_what_to_do() {
        let day = Day { most: 1_000, taken: 700 };
        assert!(day.allows(300) && !day.allows(301));
        let told = day.refusal("监管对象", 400);
        assert!(told.title.contains("今天已导出 700 行"), "{}", told.title);
        assert!(told.detail.contains("还可导出 300 行"), "{}", told.detail);
        assert!(told.detail.contains("提交申请"), "{}", told.detail);
        // an earlier rule let more be taken
        let told = Day { most: 1_000, taken: 5_000 }.refusal("监管对象", 1);
        assert!(told.detail.contains("还可导出 0 行"), "{}", told.detail);
    }
}
