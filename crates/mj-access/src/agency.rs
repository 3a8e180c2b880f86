//! Agencies as they are registered and changed. What is wrong in a registration is mended here, with a reason; the
//! credit code alone never changes, because records name an agency by it.

use mj_kernel::clock::beijing_date;
use mj_platform::{RowExt, Value, WriteTx, new_id};

use crate::error::{Error, Result};
use crate::model::{Agency, NO_END, NewAgency, check_area, check_day};
use crate::store::AGENCY;

/// So many agencies stand one above another at most; a longer way up is a circle.
const HEIGHT: usize = 16;

/// Registers an agency; returns its id.
pub async fn create_agency(tx: &mut WriteTx, new: &NewAgency) -> Result<String> {
    if new.uscc.len() != 18 || !new.uscc.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(Error::Invalid {
            field: "uscc", reason: "应为 18 位统一社会信用代码"
        });
    }
    check_area("area_number", &new.area_number)?;
    if let Some(parent) = &new.parent {
        check_parent(tx, &new.uscc, parent).await?;
    }
    if new.name.trim().is_empty() {
        return Err(Error::Invalid { field: "name", reason: "不能为空" });
    }
    for (field, day) in [("valid_from", &new.valid_from), ("valid_to", &new.valid_to)] {
        if let Some(day) = day {
            check_day(field, day)?;
        }
    }
    let id = new.id.clone().unwrap_or_else(new_id);
    let valid_from = new.valid_from.clone().unwrap_or_else(|| beijing_date(tx.now()).to_string());
    tx.insert(
        &AGENCY,
        &[
            ("id", id.as_str().into()),
            ("uscc", new.uscc.as_str().into()),
            ("name", new.name.trim().into()),
            ("short_name", new.short_name.trim().into()),
            ("area_number", new.area_number.as_str().into()),
            ("line", new.line.as_str().into()),
            ("nature", new.nature.as_str().into()),
            ("parent", new.parent.clone().into()),
            ("valid_from", valid_from.into()),
            ("valid_to", new.valid_to.as_deref().unwrap_or(NO_END).into()),
        ],
    )
    .await?;
    Ok(id)
}

/// What of an agency may change; its code never does.
#[derive(Debug, Default)]
pub struct AgencyChange<'a> {
    pub name: Option<&'a str>,
    pub short_name: Option<&'a str>,
    pub area_number: Option<&'a str>,
    pub line: Option<&'a str>,
    /// Nothing in it: there is none above any more.
    pub parent: Option<&'a str>,
    pub valid_to: Option<&'a str>,
}

/// Changes what is said; what it is to be is checked as at registration.
pub async fn change_agency(
    tx: &mut WriteTx,
    agency: &Agency,
    expected: i64,
    change: &AgencyChange<'_>,
) -> Result<i64> {
    let mut values: Vec<(&str, Value)> = Vec::new();
    if let Some(name) = change.name {
        if name.trim().is_empty() {
            return Err(Error::Invalid { field: "name", reason: "不能为空" });
        }
        values.push(("name", name.trim().into()));
    }
    if let Some(short_name) = change.short_name {
        values.push(("short_name", short_name.trim().into()));
    }
    if let Some(area) = change.area_number {
        check_area("area_number", area)?;
        values.push(("area_number", area.into()));
    }
    if let Some(line) = change.line {
        values.push(("line", line.into()));
    }
    if let Some(parent) = change.parent {
        let parent = Some(parent).filter(|parent| !parent.is_empty());
        if let Some(parent) = parent.filter(|parent| agency.parent.as_deref() != Some(*parent)) {
            check_parent(tx, &agency.uscc, parent).await?;
        }
        values.push(("parent", parent.into()));
    }
    if let Some(day) = change.valid_to {
        check_day("valid_to", day)?;
        values.push(("valid_to", day.into()));
    }
    if values.is_empty() {
        return Err(Error::Invalid { field: "name", reason: "没有要修改的内容" });
    }
    Ok(tx.update(&AGENCY, &agency.id, Some(expected), &values).await?)
}

/// The agency above is registered, and the way up from it does not lead back.
async fn check_parent(tx: &mut WriteTx, uscc: &str, parent: &str) -> Result<()> {
    // one after another, on PostgreSQL too: two at once could each put the other above
    tx.position().await?;
    let mut above = Some(parent.to_owned());
    for step in 0..HEIGHT {
        let Some(code) = above else { return Ok(()) };
        if code == uscc {
            return Err(Error::Invalid {
                field: "parent",
                reason: "上级部门不能是本部门或本部门的下级，请核对",
            });
        }
        let sql = "SELECT parent FROM agency WHERE uscc = $1";
        above = match tx.fetch_optional(sql, &[code.into()]).await? {
            Some(row) => row.opt_text("parent")?,
            None if step == 0 => {
                return Err(Error::Invalid {
                    field: "parent",
                    reason: "没有登记过这个部门：请核对代码，或先登记上级部门",
                });
            }
            // registered before parents were looked up
            None => None,
        };
    }
    Err(Error::Invalid { field: "parent", reason: "上下级绕成了圈，请核对上级部门" })
}
