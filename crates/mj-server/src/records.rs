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
            "party" => (
                "SELECT area_number AS area, NULL AS agency FROM party WHERE id = $1",
                "registry.party.read",
            ),
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
        let resource = Resource::at(area.as_deref(), agency.as_deref());
        Ok(Some(Place { action, resource }))
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
