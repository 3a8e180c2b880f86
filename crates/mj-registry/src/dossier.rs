//! One party, one file (一企一档): every field with where its value is from and what else was said,
//! the wordings that mean it, what was done to it, its credit.

use std::collections::BTreeMap;

use mj_kernel::clock::to_rfc3339;
use mj_kernel::{Page, PageOf, Scope};
use mj_platform::RowExt;
use mj_standard::{ColumnType, Table};
use mj_web::Mask;
use serde::Serialize;
use utoipa::ToSchema;

use crate::acts::{self, ActCounts, Acts, Entry, FoundNames};
use crate::masters::{self, PartyRow, open_state};
use crate::model::PartyKind;
use crate::show::{self, Shown, ShownField};
use crate::survivor::{self, SourceRow, by_strength};
use crate::tables::{IN_LIST, marks, texts};
use crate::{Registry, Result};

/// A party in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PartyHit {
    pub id: String,
    pub register_no: String,
    pub kind: String,
    pub kind_title: String,
    pub name: String,
    pub uscc: Option<String>,
    pub regist_no: Option<String>,
    pub area_number: Option<String>,
    pub area_name: Option<String>,
    pub status: Option<String>,
    pub address: Option<String>,
    /// 监管记录数
    pub act_count: i64,
    pub last_act_date: Option<String>,
}

/// Where a value is from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Provenance {
    pub table: String,
    pub table_title: String,
    pub cd_source: String,
    pub source_name: Option<String>,
    pub batch_id: String,
    pub row: i64,
    pub at: String,
    /// source_priority：来源优先；newest：同级来源中最新；only：只有这一个来源
    pub rule: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct OtherValue {
    pub value: Option<String>,
    pub masked: bool,
    pub provenance: Provenance,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PartyField {
    pub name: String,
    pub title: String,
    pub value: Option<String>,
    pub masked: bool,
    pub provenance: Option<Provenance>,
    /// 其他来源的不同取值
    pub others: Vec<OtherValue>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PartyMention {
    pub id: String,
    pub name: String,
    pub name_masked: bool,
    pub code: Option<String>,
    pub code_masked: bool,
    pub link_rule: String,
    pub score: i64,
    pub explain: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PartyCredit {
    pub table: String,
    pub title: String,
    pub class: Option<String>,
    pub value: Option<String>,
    pub from: Option<String>,
    pub until: Option<String>,
    pub source_name: Option<String>,
}

/// Everything about one party but its timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PartyDossier {
    pub id: String,
    pub version: i64,
    pub register_no: String,
    pub kind: String,
    pub kind_title: String,
    pub name: String,
    pub name_masked: bool,
    pub uscc: Option<String>,
    pub area_number: Option<String>,
    pub area_name: Option<String>,
    pub status: Option<String>,
    /// 这些取值从哪一天起有效；不知道时为空
    pub valid_from: Option<String>,
    /// 并入本对象的编号，仍可用来查询
    pub merged_from: Vec<String>,
    pub fields: Vec<PartyField>,
    pub mentions: Vec<PartyMention>,
    pub counts: BTreeMap<String, i64>,
    pub last_act_date: Option<String>,
    pub credit: Vec<PartyCredit>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TimelineEntry {
    /// 记录号，查看被遮挡的值时用
    pub record: String,
    pub table: String,
    pub table_title: String,
    pub key: String,
    pub title: Option<String>,
    pub event_date: Option<String>,
    pub item_code: Option<String>,
    pub item_name: Option<String>,
    pub agency_name: Option<String>,
    pub result_title: Option<String>,
    pub amount_fen: Option<i64>,
    pub cd_source: String,
    pub source_name: Option<String>,
    pub batch_id: String,
    pub row: i64,
    pub summary: Vec<ShownField>,
}

/// How far somebody may look.
#[derive(Debug, Clone)]
pub struct Sight {
    pub scopes: Vec<Scope>,
    pub mask: Mask,
}

impl Registry {
    /// The parties merged into this one, itself included.
    pub(crate) async fn members(&self, root: &PartyRow) -> Result<Vec<String>> {
        let ids = [root.id.clone()];
        let mut clusters = masters::clusters(&mut self.db.clone(), &ids).await?;
        Ok(clusters.remove(&root.id).unwrap_or_default())
    }

    /// The mentions of several parties with all that is merged into them.
    async fn mentions_of(&self, roots: &[PartyRow]) -> Result<Vec<Vec<i64>>> {
        let ids: Vec<String> = roots.iter().map(|row| row.id.clone()).collect();
        let clusters = masters::clusters(&mut self.db.clone(), &ids).await?;
        let mut every: Vec<&str> = clusters.values().flatten().map(String::as_str).collect();
        every.sort_unstable();
        let mut by_party: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for chunk in every.chunks(IN_LIST) {
            let sql = format!(
                "SELECT number, party_id FROM mention WHERE party_id IN ({}) ORDER BY number",
                marks(1, chunk.len())
            );
            for row in self.db.fetch_all(&sql, &texts(chunk.iter().copied())).await? {
                by_party.entry(row.text("party_id")?).or_default().push(row.int("number")?);
            }
        }
        let of = |id: &String| {
            let members = clusters.get(id).map(Vec::as_slice).unwrap_or_default();
            members.iter().filter_map(|member| by_party.get(member)).flatten().copied().collect()
        };
        Ok(ids.iter().map(of).collect())
    }

    /// A page of parties as list items.
    pub(crate) async fn hits(
        &self,
        acts: &Acts,
        page: PageOf<PartyRow>,
        sight: &Sight,
    ) -> Result<PageOf<PartyHit>> {
        let mentions = self.mentions_of(&page.items).await?;
        let counts = acts.counts(mentions, &sight.scopes).await?;
        let mut items = Vec::with_capacity(page.items.len());
        for (row, counts) in page.items.into_iter().zip(counts) {
            items.push(self.hit(row, &counts, sight.mask).await?);
        }
        Ok(PageOf { items, next_cursor: page.next_cursor })
    }

    async fn hit(&self, row: PartyRow, counts: &ActCounts, mask: Mask) -> Result<PartyHit> {
        let name = self.party_value(&row, "name", &row.stored.name, mask).await?;
        let address = match &row.stored.address {
            Some(address) => self.party_value(&row, "address", address, mask).await?.value,
            None => None,
        };
        Ok(PartyHit {
            kind: row.stored.kind.name().to_owned(),
            kind_title: row.stored.kind.title().to_owned(),
            name: name.value.unwrap_or_default(),
            area_name: row.stored.area_number.as_deref().and_then(show::area_name),
            act_count: counts.total(),
            last_act_date: counts.last_act_date.clone(),
            id: row.id,
            register_no: row.register_no,
            uscc: row.stored.uscc,
            regist_no: row.stored.regist_no,
            area_number: row.stored.area_number,
            status: row.stored.status,
            address,
        })
    }

    /// What parties are called, merged ones by their own name.
    pub(crate) async fn names_of(
        &self,
        ids: &[String],
        mask: Mask,
    ) -> Result<BTreeMap<String, String>> {
        let mut names = BTreeMap::new();
        for row in masters::load(&mut self.db.clone(), ids).await? {
            let shown = self.party_value(&row, "name", &row.stored.name, mask).await?;
            if let Some(name) = shown.value {
                names.insert(row.id, name);
            }
        }
        Ok(names)
    }

    /// A value of the master record: only natural persons' are sealed.
    async fn party_value(
        &self,
        row: &PartyRow,
        column: &str,
        stored: &str,
        mask: Mask,
    ) -> Result<Shown> {
        let like = match column {
            "name" => "administrative_cp",
            "address" => "domicile",
            _ => "administrative_cp_ui_code",
        };
        let column_spec = match row.stored.kind {
            PartyKind::Person => show::table("object_person").and_then(|table| table.column(like)),
            _ => None,
        };
        let place = format!("party.{column}");
        Ok(show::shown(&self.keys, &self.db, &place, column_spec, stored, mask).await?)
    }

    /// The whole file of a party.
    pub(crate) async fn dossier(
        &self,
        acts: &Acts,
        root: &PartyRow,
        sight: &Sight,
    ) -> Result<PartyDossier> {
        let members = self.members(root).await?;
        let (sources, _) = masters::rows_behind(&mut self.db.clone(), &members).await?;
        let mut sources: Vec<SourceRow> = sources.into_values().flatten().collect();
        by_strength(&mut sources);
        let numbers = self.mentions_of(std::slice::from_ref(root)).await?;
        let counts = acts.counts(numbers.clone(), &sight.scopes).await?.pop().unwrap_or_default();
        let credit = acts.credit(numbers.into_iter().flatten().collect(), &sight.scopes).await?;
        let names = self.names(acts, &sources, &credit).await?;

        let mut merged_from = Vec::new();
        for row in masters::load(&mut self.db.clone(), &members).await? {
            if row.id != root.id {
                merged_from.push(row.register_no);
            }
        }
        merged_from.sort_unstable();
        let stored = &root.stored;
        let name = self.party_value(root, "name", &stored.name, sight.mask).await?;
        let always = stored.valid_from == crate::model::ALWAYS;
        Ok(PartyDossier {
            id: root.id.clone(),
            version: self.version_of(&root.id).await?,
            register_no: root.register_no.clone(),
            kind: stored.kind.name().to_owned(),
            kind_title: stored.kind.title().to_owned(),
            name_masked: name.masked,
            name: name.value.unwrap_or_default(),
            uscc: stored.uscc.clone(),
            area_number: stored.area_number.clone(),
            area_name: stored.area_number.as_deref().and_then(show::area_name),
            status: stored.status.clone(),
            valid_from: (!always).then(|| stored.valid_from.clone()),
            merged_from,
            fields: self.fields(root, &sources, &names, sight.mask).await?,
            mentions: self.shown_mentions(&members, sight.mask).await?,
            last_act_date: counts.last_act_date.clone(),
            counts: counts.by_table.into_iter().collect(),
            credit: credit.iter().map(|entry| credit_view(acts, entry, &names)).collect(),
        })
    }

    async fn version_of(&self, id: &str) -> Result<i64> {
        let row =
            self.db.fetch_one("SELECT version FROM party WHERE id = $1", &[id.into()]).await?;
        Ok(row.int("version")?)
    }

    pub(crate) async fn names(
        &self,
        acts: &Acts,
        sources: &[SourceRow],
        entries: &[Entry],
    ) -> Result<FoundNames> {
        let mut codes: Vec<String> = sources.iter().map(|row| row.cd_source.clone()).collect();
        codes.extend(entries.iter().map(|entry| entry.row.cd_source.clone()));
        codes.sort_unstable();
        codes.dedup();
        let mut items: Vec<String> =
            entries.iter().filter_map(|entry| item_code(acts, entry)).collect();
        items.sort_unstable();
        items.dedup();
        Ok(acts.names.look_up(&codes, &items).await?)
    }

    /// Fields out of the register rows; of a party without any, what the rows call it.
    pub(crate) async fn fields(
        &self,
        root: &PartyRow,
        sources: &[SourceRow],
        names: &FoundNames,
        mask: Mask,
    ) -> Result<Vec<PartyField>> {
        let mut fields = Vec::new();
        for survivor in survivor::survivors(sources) {
            let mut offers = Vec::new();
            for (row, column, value) in &survivor.offers {
                offers.push((*row, *column, self.offer(row, column, value, mask).await?));
            }
            let Some((best, column, first)) = offers.first().cloned() else { continue };
            let title = show::table(&best.table)
                .and_then(|table| table.column(column))
                .map_or(column, |column| column.title.as_str());
            let rule = match offers.get(1) {
                None => "only",
                Some((next, ..)) if next.priority != best.priority => "source_priority",
                Some(_) => "newest",
            };
            let others = offers.iter().skip(1).filter(|(_, _, shown)| shown.value != first.value);
            fields.push(PartyField {
                name: survivor.field.to_owned(),
                title: title.to_owned(),
                value: first.value.clone(),
                masked: first.masked,
                provenance: Some(provenance(best, rule, names)),
                others: others
                    .map(|(row, _, shown)| OtherValue {
                        value: shown.value.clone(),
                        masked: shown.masked,
                        provenance: provenance(row, "", names),
                    })
                    .collect(),
            });
        }
        if fields.is_empty() {
            fields = self.fields_of_mentions(root, mask).await?;
        }
        Ok(fields)
    }

    async fn offer(&self, row: &SourceRow, column: &str, value: &str, mask: Mask) -> Result<Shown> {
        let spec = show::table(&row.table).and_then(|table| table.column(column));
        let place = format!("party_source.{column}");
        Ok(show::shown(&self.keys, &self.db, &place, spec, value, mask).await?)
    }

    async fn fields_of_mentions(&self, root: &PartyRow, mask: Mask) -> Result<Vec<PartyField>> {
        let stored = &root.stored;
        let area = stored
            .area_number
            .as_ref()
            .map(|code| show::area_name(code).unwrap_or_else(|| code.clone()));
        let given = [
            ("name", "名称", Some(stored.name.clone())),
            ("uscc", "统一社会信用代码", stored.uscc.clone()),
            ("regist_no", "注册号", stored.regist_no.clone()),
            ("person_code", "证件号码", stored.person_code.as_ref().map(|(_, code)| code.clone())),
            ("area_number", "行政区划", area),
            ("address", "地址", stored.address.clone()),
        ];
        let mut fields = Vec::new();
        for (name, title, value) in given {
            let Some(value) = value else { continue };
            let shown = self.party_value(root, name, &value, mask).await?;
            fields.push(PartyField {
                name: name.to_owned(),
                title: title.to_owned(),
                value: shown.value,
                masked: shown.masked,
                provenance: None,
                others: Vec::new(),
            });
        }
        Ok(fields)
    }

    async fn shown_mentions(&self, members: &[String], mask: Mask) -> Result<Vec<PartyMention>> {
        let mut mentions = Vec::new();
        for chunk in members.chunks(IN_LIST) {
            let sql = format!(
                "SELECT id, name, code, regist_no, link_rule, score, explain FROM mention \
                 WHERE party_id IN ({}) ORDER BY id LIMIT 500",
                marks(1, chunk.len())
            );
            for row in self.db.fetch_all(&sql, &texts(chunk.iter().map(String::as_str))).await? {
                let person = show::table("object_person");
                let column = |name: &str| person.and_then(|table: &Table| table.column(name));
                let (keys, db) = (&self.keys, &self.db);
                let name = column("administrative_cp");
                let stored = row.text("name")?;
                let name = show::shown(keys, db, "mention.name", name, &stored, mask).await?;
                let code = match row.opt_text("code")? {
                    Some(code) => {
                        let column = column("administrative_cp_ui_code");
                        show::shown(keys, db, "mention.code", column, &code, mask).await?
                    }
                    None => match row.opt_text("regist_no")? {
                        Some(number) => {
                            let place = "mention.regist_no";
                            show::shown(keys, db, place, None, &number, mask).await?
                        }
                        None => Shown { value: None, masked: false },
                    },
                };
                mentions.push(PartyMention {
                    id: row.text("id")?,
                    name_masked: name.masked,
                    name: name.value.unwrap_or_default(),
                    code_masked: code.masked,
                    code: code.value,
                    link_rule: row.text("link_rule")?,
                    score: row.int("score")?,
                    explain: row.text("explain")?,
                });
            }
        }
        Ok(mentions)
    }

    /// One page of what was done to a party.
    pub(crate) async fn timeline(
        &self,
        acts: &Acts,
        root: &PartyRow,
        sight: &Sight,
        table: Option<&str>,
        page: &Page,
    ) -> Result<PageOf<TimelineEntry>> {
        let numbers = self.mentions_of(std::slice::from_ref(root)).await?;
        let numbers = numbers.into_iter().flatten().collect();
        let (entries, next_cursor) = acts.timeline(numbers, &sight.scopes, table, page).await?;
        let names = self.names(acts, &[], &entries).await?;
        let mut items = Vec::with_capacity(entries.len());
        for entry in &entries {
            items.push(self.timeline_entry(acts, entry, &names, sight.mask).await?);
        }
        Ok(PageOf { items, next_cursor })
    }

    /// Entries that were found otherwise than by their party.
    pub(crate) async fn entries_shown(
        &self,
        acts: &Acts,
        entries: &[Entry],
        mask: Mask,
    ) -> Result<Vec<TimelineEntry>> {
        let names = self.names(acts, &[], entries).await?;
        let mut items = Vec::with_capacity(entries.len());
        for entry in entries {
            items.push(self.timeline_entry(acts, entry, &names, mask).await?);
        }
        Ok(items)
    }

    async fn timeline_entry(
        &self,
        acts: &Acts,
        entry: &Entry,
        names: &FoundNames,
        mask: Mask,
    ) -> Result<TimelineEntry> {
        let mut summary = Vec::new();
        for column in entry.table.columns.iter().filter(|column| !column.envelope) {
            let Some(value) = acts.value(entry, &column.name) else { continue };
            let shown =
                show::shown(&self.keys, &self.db, &column.name, Some(column), value, mask).await?;
            summary.push(ShownField {
                name: column.name.clone(),
                title: column.title.clone(),
                value: shown.value,
                masked: shown.masked,
            });
        }
        let said = |name: &str| {
            let found = summary.iter().find(|field: &&ShownField| field.name == name);
            found.and_then(|field| field.value.clone())
        };
        let key = entry.table.natural_key.last().and_then(|column| said(column));
        let title = acts.first_of(entry, acts::is_title).and_then(|(column, _)| said(&column.name));
        let item_code = item_code(acts, entry);
        Ok(TimelineEntry {
            record: format!("{}.{}", entry.table.name, entry.row.row.0),
            table: entry.table.name.clone(),
            table_title: entry.table.title.clone(),
            key: key.unwrap_or_else(|| entry.cursor.clone()),
            title,
            event_date: entry.row.event_date.map(acts::day_text),
            item_name: item_code.as_ref().and_then(|code| names.items.get(code).cloned()),
            item_code,
            agency_name: said("implement_institution"),
            result_title: acts::RESULTS.iter().find_map(|column| said(column)),
            amount_fen: amount(acts, entry),
            cd_source: entry.row.cd_source.clone(),
            source_name: names.sources.get(&entry.row.cd_source).cloned(),
            batch_id: entry.row.batch.clone(),
            row: i64::from(entry.row.delivery_row),
            summary,
        })
    }

    /// What the party was on `day` as far as it was known at position `known_at`.
    pub async fn as_of(&self, id: &str, day: &str, known_at: i64) -> Result<Option<PartyAsOf>> {
        let ids = [id.to_owned()];
        let row = masters::load(&mut self.db.clone(), &ids).await?;
        let row = row.into_iter().next().ok_or(crate::Error::UnknownParty)?;
        if known_at >= row.known_from && day >= row.stored.valid_from.as_str() {
            let open = open_state(&self.keys, &self.db, &row.stored).await?;
            return Ok(Some(PartyAsOf {
                name: open.name,
                status: open.status,
                area_number: open.area_number,
                merged_into: row.merged_into,
            }));
        }
        let sql = "SELECT name, status, area_number, merged_into FROM party_version \
                   WHERE party_id = $1 AND known_from <= $2 AND known_to > $2 \
                   AND valid_from <= $3 AND (valid_to IS NULL OR valid_to > $3) \
                   ORDER BY known_from DESC, id DESC LIMIT 1";
        let args = [id.into(), known_at.into(), day.into()];
        let Some(row) = self.db.fetch_optional(sql, &args).await? else { return Ok(None) };
        let name = row.text("name")?;
        Ok(Some(PartyAsOf {
            name: self.keys.unseal(&self.db, "party.name", &name).await?.unwrap_or_default(),
            status: row.opt_text("status")?,
            area_number: row.opt_text("area_number")?,
            merged_into: row.opt_text("merged_into")?,
        }))
    }
}

/// A party as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartyAsOf {
    pub name: String,
    pub status: Option<String>,
    pub area_number: Option<String>,
    pub merged_into: Option<String>,
}

/// The first item a behaviour cites.
pub fn item_code(acts: &Acts, entry: &Entry) -> Option<String> {
    let (column, value) = acts.first_of(entry, |column| column.ty == ColumnType::Item)?;
    let first = match column.multi {
        Some(separator) => value.split(separator).next().unwrap_or(value),
        None => value,
    };
    Some(first.to_owned())
}

/// The first amount of money, in 分.
pub fn amount(acts: &Acts, entry: &Entry) -> Option<i64> {
    let (_, value) = acts.first_of(entry, |column| column.ty == ColumnType::Money)?;
    value.parse().ok()
}

fn provenance(row: &SourceRow, rule: &str, names: &FoundNames) -> Provenance {
    Provenance {
        table: row.table.clone(),
        table_title: show::table(&row.table).map_or_else(|| row.table.clone(), |t| t.title.clone()),
        cd_source: row.cd_source.clone(),
        source_name: names.sources.get(&row.cd_source).cloned(),
        batch_id: row.batch_id.clone(),
        row: row.row,
        at: to_rfc3339(row.cd_time),
        rule: rule.to_owned(),
    }
}

fn credit_view(acts: &Acts, entry: &Entry, names: &FoundNames) -> PartyCredit {
    let shown = |name: &str| {
        let value = acts.value(entry, name)?;
        (!mj_platform::keys::is_sealed(value))
            .then(|| show::display(entry.table.column(name), value))
    };
    let either = |wanted: &[&str]| wanted.iter().find_map(|name| shown(name));
    PartyCredit {
        table: entry.table.name.clone(),
        title: entry.table.title.clone(),
        class: shown("credit_class"),
        value: either(&["put_reason_text", "put_reason_code", "cause", "score"]),
        from: either(&["put_date", "estimate_time"]),
        until: either(&["remove_date", "expire_date"]),
        source_name: names.sources.get(&entry.row.cd_source).cloned(),
    }
}
