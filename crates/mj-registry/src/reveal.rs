//! Masked values of parties, of what was done to them, and of officers, found one at a time for whoever asks to
//! see one in clear. Whoever may not see the record gets the same answer as for one that is missing.

use mj_facts::RowId;
use mj_kernel::lines_of_items;
use mj_platform::RowExt;
use mj_standard::TableKind;
use mj_web::reveal::{AGENCY_VALUE, MaskedValue, not_masked};
use mj_web::{Caller, Mask, Problem, Resource};

use crate::acts::{Acts, Entry};
use crate::api::{Desk, visible_root};
use crate::dossier::{PartyDossier, Sight};
use crate::tables::{IN_LIST, marks, texts};
use crate::{Registry, Result, officer_api};

impl Registry {
    /// A field of a party's file (`contact_phone`), what another source says of it (`contact_phone@1`, in the
    /// order of the file), or how a row calls the party (`mention:ID.name`, `mention:ID.code`).
    pub async fn masked_of_party(
        &self,
        acts: &Acts,
        caller: &Caller,
        id: &str,
        field: &str,
    ) -> Result<MaskedValue, Problem> {
        let desk = Desk { registry: self.clone(), acts: acts.clone() };
        let root = visible_root(&desk, caller, id).await?;
        let sight = |mask| Sight { scopes: caller.scopes.clone(), mask };
        let masked = self.dossier(acts, &root, &sight(caller.mask)).await?;
        let clear = self.dossier(acts, &root, &sight(Mask::Clear)).await?;
        let (title, value) = pick(&masked, &clear, field).ok_or_else(not_masked)?;
        // registered in one area, spoken of in others: a right at any of them is one
        let mut areas = vec![root.stored.area_number.clone()];
        for chunk in self.members(&root).await?.chunks(IN_LIST) {
            let sql = format!(
                "SELECT DISTINCT area_number FROM mention WHERE party_id IN ({}) \
                 AND area_number IS NOT NULL ORDER BY area_number",
                marks(1, chunk.len())
            );
            let args = texts(chunk.iter().map(String::as_str));
            for row in self.db.fetch_all(&sql, &args).await? {
                areas.push(row.opt_text("area_number")?);
            }
        }
        areas.sort_unstable();
        areas.dedup();
        let at = areas.iter().map(|area| Resource::at(area.as_deref(), None)).collect();
        Ok(MaskedValue { object: format!("party:{}", root.id), at, title, value })
    }

    /// A column of a delivered row (`TABLE.ROW`): under the shared right only of behaviours, which every agency
    /// of the area reads in a party's file.
    pub async fn masked_of_record(
        &self,
        acts: &Acts,
        caller: &Caller,
        id: &str,
        field: &str,
    ) -> Result<MaskedValue, Problem> {
        let (table, row) = id.rsplit_once('.').ok_or_else(Problem::not_found)?;
        let row = row.parse().map(RowId).map_err(|_| Problem::not_found())?;
        let entry = acts.one(table, row, &caller.scopes).await?.ok_or_else(Problem::not_found)?;
        let of_agency = caller.action == AGENCY_VALUE;
        if !of_agency && entry.table.kind != TableKind::Behaviour {
            return Err(Problem::not_found());
        }
        let agency = entry.row.agency.as_deref().filter(|_| of_agency);
        let place = Resource::at(entry.row.area.as_deref(), agency);
        let lines: Vec<String> = items_of(acts, &entry)
            .map(|codes| lines_of_items(codes).map(str::to_owned).collect())
            .unwrap_or_default();
        let at = match lines.is_empty() {
            true => vec![place],
            false => lines.into_iter().map(|line| place.clone().of_item_line(line)).collect(),
        };
        let (title, value) =
            self.field_in_clear(acts, &entry, field).await?.ok_or_else(not_masked)?;
        Ok(MaskedValue { object: format!("{table}:{}", row.0), at, title, value })
    }

    /// The field's title and value, if it is one that is sealed.
    async fn field_in_clear(
        &self,
        acts: &Acts,
        entry: &Entry,
        field: &str,
    ) -> Result<Option<(String, Option<String>)>> {
        let Some(column) = entry.table.column(field) else { return Ok(None) };
        let Some(stored) = acts.value(entry, field) else { return Ok(None) };
        if !mj_platform::keys::is_sealed(stored) {
            return Ok(None);
        }
        let shown =
            crate::show::shown(&self.keys, &self.db, field, Some(column), stored, Mask::Clear);
        Ok(Some((column.title.clone(), shown.await?.value)))
    }

    /// A personal value of an officer.
    pub async fn masked_of_officer(
        &self,
        acts: &Acts,
        caller: &Caller,
        id: &str,
        field: &str,
    ) -> Result<MaskedValue, Problem> {
        let desk = Desk { registry: self.clone(), acts: acts.clone() };
        let found = officer_api::personal_of(&desk, caller, id, Mask::Clear).await?;
        let (place, officer, fields) = found.ok_or_else(Problem::not_found)?;
        let field = fields.into_iter().find(|one| one.name == field).ok_or_else(not_masked)?;
        Ok(MaskedValue {
            object: format!("officer:{officer}"),
            at: vec![place],
            title: field.title,
            value: field.value,
        })
    }
}

fn items_of<'e>(acts: &Acts, entry: &'e Entry) -> Option<&'e str> {
    let (_, codes) = acts.first_of(entry, |column| column.ty == mj_standard::ColumnType::Item)?;
    Some(codes)
}

/// The title and the clear value of what is masked under this name.
fn pick(
    masked: &PartyDossier,
    clear: &PartyDossier,
    name: &str,
) -> Option<(String, Option<String>)> {
    if let Some(rest) = name.strip_prefix("mention:") {
        let (id, what) = rest.rsplit_once('.')?;
        let hidden = masked.mentions.iter().find(|one| one.id == id)?;
        let open = clear.mentions.iter().find(|one| one.id == id)?;
        return match what {
            "name" if hidden.name_masked => Some(("所称名称".into(), Some(open.name.clone()))),
            "code" if hidden.code_masked => Some(("所称代码".into(), open.code.clone())),
            _ => None,
        };
    }
    let (name, other) = match name.split_once('@') {
        Some((name, at)) => (name, Some(at.parse::<usize>().ok()?)),
        None => (name, None),
    };
    let Some(hidden) = masked.fields.iter().find(|one| one.name == name) else {
        let is_own = name == "name" && masked.name_masked;
        return is_own.then(|| ("名称".into(), Some(clear.name.clone())));
    };
    let open = clear.fields.iter().find(|one| one.name == name)?;
    let Some(at) = other else {
        return hidden.masked.then(|| (hidden.title.clone(), open.value.clone()));
    };
    let hidden_other = hidden.others.get(at).filter(|one| one.masked)?;
    // what is told apart in clear is more than what is told apart masked: by its source, not by its place
    let open = open.others.iter().find(|one| one.provenance == hidden_other.provenance)?;
    Some((hidden.title.clone(), open.value.clone()))
}
