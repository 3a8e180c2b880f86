//! Where an entry of the log belongs: to the place of what was acted on, and where that has none or its
//! kind names none, to the office of whoever acted. What neither tells is read by those alone who see the
//! whole country; but what the house did by its rules to no one thing (a load, a link) is everybody's who
//! reads the log, because each record's page leads to it.

use mj_platform::{Db, DbRow, RowExt};
use mj_web::{Answer, Caller, Problem, Resource};

/// Kind of object, how its row is found by the part behind the colon (`?`), its area and its agency.
const KINDS: [(&str, &str, &str, &str); 9] = [
    ("party", "party o WHERE o.id = ?", "o.area_number", "NULL"),
    ("officer", "officer o WHERE o.id = ?", "o.area_number", "NULL"),
    ("work_item", "work_item o WHERE o.id = ?", "o.area_number", "o.agency"),
    ("portal_post", "portal_post o WHERE o.id = ?", "o.area_number", "o.agency"),
    ("export_request", "export_request o WHERE o.id = ?", "o.area", "o.agency"),
    ("agency", "agency o WHERE o.id = ? OR o.uscc = ?", "o.area_number", "o.uscc"),
    ("account", OF_ACCOUNT, "g.area_number", "g.uscc"),
    ("hub_source", "hub_source o WHERE o.cd_source = ?", "o.area", "o.agency"),
    (
        "hub_batch",
        "hub_source o JOIN hub_batch b ON b.cd_source = o.cd_source WHERE b.id = ?",
        "o.area",
        "o.agency",
    ),
];
const OF_ACCOUNT: &str = "account a JOIN agency g ON g.uscc = a.agency WHERE a.id = ?";

/// Area and agency of the entry in `act_journal j`, as SQL.
fn place() -> [String; 2] {
    [0, 1].map(|part| {
        let of =
            |(_, found, area, agency): (&str, &str, &str, &str), named: &str, behind: usize| {
                let wanted = [area, agency][part];
                if wanted == "NULL" {
                    return wanted.to_owned();
                }
                // one row at most, said so that both databases know it
                let found = found.replace('?', &format!("substr(j.{named}, {behind})"));
                format!("(SELECT MIN({wanted}) FROM {found})")
            };
        let mut object = String::from("CASE");
        for kind in KINDS {
            let then = of(kind, "object", kind.0.len() + 2);
            object.push_str(&format!(" WHEN j.object LIKE '{}:%' THEN {then}", kind.0));
        }
        let account = of(KINDS[6], "actor", "account:".len() + 1);
        let source = of(KINDS[7], "actor", "source:".len() + 1);
        format!(
            "COALESCE({object} END, CASE WHEN j.actor LIKE 'account:%' THEN {account} \
             WHEN j.actor LIKE 'source:%' THEN {source} END)"
        )
    })
}

/// What the house did to no one thing.
const OF_THE_HOUSE: &str = "j.actor LIKE 'system:%' AND j.object NOT LIKE '%:%'";

/// Whether the log is this caller's in all places.
pub(super) fn everywhere(caller: &Caller) -> bool {
    caller.scopes.iter().any(|scope| scope.covers(None, None))
}

/// `act_journal j`, as much of it as this caller may read: for the `FROM` of a list.
pub(super) fn journal(caller: &Caller, args: &mut Vec<mj_platform::Value>) -> String {
    // nothing is asked of the rows then
    if everywhere(caller) {
        return "act_journal j".to_owned();
    }
    let [area, agency] = place();
    let within = caller.predicate("j.place_area", Some("j.place_agency"), args);
    format!(
        "(SELECT j.* FROM (SELECT j.*, {area} AS place_area, {agency} AS place_agency \
         FROM act_journal j) j WHERE {OF_THE_HOUSE} OR (1=1{within})) j"
    )
}

/// One entry, where the caller may read it; otherwise it is as if there were none.
pub(super) async fn entry(db: &Db, caller: &Caller, seq: i64) -> Answer<DbRow> {
    let [area, agency] = place();
    let sql = format!(
        "SELECT j.*, {area} AS place_area, {agency} AS place_agency, \
         CASE WHEN {OF_THE_HOUSE} THEN 1 ELSE 0 END AS of_the_house FROM act_journal j \
         WHERE j.log_seq = $1"
    );
    let row = db.fetch_optional(&sql, &[seq.into()]).await?.ok_or_else(Problem::not_found)?;
    if row.int("of_the_house")? == 1 {
        return Ok(row);
    }
    let (area, agency) = (row.opt_text("place_area")?, row.opt_text("place_agency")?);
    caller.require(&Resource::at(area.as_deref(), agency.as_deref()))?;
    Ok(row)
}
