//! What the room of access asks of the others: where a record stands, and what a certificate of office says.

use mj_access::{Certificates, Place, Records};
use mj_platform::{Db, RowExt};
use mj_web::{BoxFuture, CertificateHeld, Resource};

#[derive(Clone)]
pub struct HouseRecords {
    db: Db,
}

impl HouseRecords {
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    async fn find(&self, kind: &str, id: &str) -> mj_platform::Result<Option<Place>> {
        let (sql, action) = match kind {
            "work_item" => (
                "SELECT area_number AS area, agency FROM work_item WHERE id = $1",
                "flow.work_item.read",
            ),
            "batch" => (
                "SELECT s.area, s.agency FROM hub_batch b JOIN hub_source s \
                 ON s.cd_source = b.cd_source WHERE b.id = $1",
                "datahub.batch.read",
            ),
            "source" => {
                ("SELECT area, agency FROM hub_source WHERE cd_source = $1", "datahub.source.read")
            }
            "party" => return self.party(id).await,
            "officer" => (
                "SELECT o.area_number AS area, a.uscc AS agency FROM officer o \
                 LEFT JOIN agency a ON a.name = o.org_full_name WHERE o.id = $1",
                "registry.officer.read",
            ),
            "post" => (
                "SELECT area_number AS area, agency FROM portal_post WHERE id = $1",
                "portal.post.read",
            ),
            _ => return Ok(None),
        };
        let Some(row) = self.db.fetch_optional(sql, &[id.into()]).await? else { return Ok(None) };
        let (area, agency) = (row.opt_text("area")?, row.opt_text("agency")?);
        let at = vec![Resource::at(area.as_deref(), agency.as_deref())];
        let reveal = match kind {
            "officer" => Some(mj_web::reveal::SHARED_VALUE.name),
            _ => None,
        };
        Ok(Some(Place { action, reveal, at }))
    }

    /// A party is seen where it is registered and wherever somebody spoke of it, of one that was merged into it, too:
    /// as its own page has it.
    async fn party(&self, id: &str) -> mj_platform::Result<Option<Place>> {
        let sql = "SELECT r.id, r.area_number AS area FROM party p \
                   JOIN party r ON r.id = COALESCE(p.merged_into, p.id) WHERE p.id = $1";
        let Some(root) = self.db.fetch_optional(sql, &[id.into()]).await? else { return Ok(None) };
        let mut at = vec![Resource::at(root.opt_text("area")?.as_deref(), None)];
        let sql = "SELECT DISTINCT m.area_number AS area FROM mention m JOIN party c ON c.id = m.party_id \
                   WHERE (c.id = $1 OR c.merged_into = $1) AND m.area_number IS NOT NULL";
        for row in self.db.fetch_all(sql, &[root.text("id")?.into()]).await? {
            at.push(Resource::at(row.opt_text("area")?.as_deref(), None));
        }
        let reveal = Some(mj_web::reveal::SHARED_VALUE.name);
        Ok(Some(Place { action: "registry.party.read", reveal, at }))
    }

    async fn held(
        &self,
        number: &str,
        today: &str,
    ) -> mj_platform::Result<Option<CertificateHeld>> {
        let sql = "SELECT c.valid_until, c.law_type, o.area_number, a.uscc AS agency, \
                   (SELECT MAX(s.to_day) FROM officer_suspension s \
                    WHERE s.certificate_no = c.certificate_no AND s.lifted_at = 0 \
                    AND s.from_day <= $2 AND s.to_day >= $2) AS suspended_until \
                   FROM officer_certificate c JOIN officer o ON o.id = c.officer_id \
                   LEFT JOIN agency a ON a.name = o.org_full_name \
                   WHERE c.certificate_no = $1 ORDER BY c.valid_until DESC LIMIT 1";
        let row = self.db.fetch_optional(sql, &[number.into(), today.into()]).await?;
        let Some(row) = row else { return Ok(None) };
        let said = row.opt_text("law_type")?.map(|text| text.trim().to_owned());
        let wording = said.filter(|text| !text.is_empty());
        let item_lines = match (&wording, row.opt_text("agency")?) {
            (Some(wording), Some(agency)) => self.lines_of(&agency, wording, today).await?,
            _ => None,
        };
        Ok(Some(CertificateHeld {
            valid_until: row.opt_text("valid_until")?,
            suspended_until: row.opt_text("suspended_until")?,
            area: row.opt_text("area_number")?,
            wording,
            item_lines,
        }))
    }

    /// The lines that an agency's wording stands for on a day; none while nobody has said which.
    async fn lines_of(
        &self,
        agency: &str,
        wording: &str,
        day: &str,
    ) -> mj_platform::Result<Option<Vec<String>>> {
        let sql = "SELECT line FROM certificate_wording WHERE agency = $1 AND wording = $2 \
                   AND valid_from <= $3 AND $3 < valid_to ORDER BY line";
        let rows = self.db.fetch_all(sql, &[agency.into(), wording.into(), day.into()]).await?;
        let lines = rows.iter().map(|row| row.text("line")).collect::<Result<Vec<_>, _>>()?;
        Ok((!lines.is_empty()).then_some(lines))
    }
}

impl Records for HouseRecords {
    fn place<'a>(
        &'a self,
        kind: &'a str,
        id: &'a str,
    ) -> BoxFuture<'a, mj_platform::Result<Option<Place>>> {
        Box::pin(self.find(kind, id))
    }
}

impl Certificates for HouseRecords {
    fn certificate<'a>(
        &'a self,
        certificate_no: &'a str,
        today: &'a str,
    ) -> BoxFuture<'a, mj_platform::Result<Option<CertificateHeld>>> {
        Box::pin(self.held(certificate_no, today))
    }
}
