//! Writes the files of one table: lets faults be planted, sends later rows after, keeps the manifest.

use std::path::Path;

use chrono::{Duration, NaiveDate};
use mj_kernel::code::BatchNumber;
use mj_standard::{Standard, Table};

use crate::CityError;
use crate::draft::{Draft, EnvelopeColumns};
use crate::faults::{Change, Follow, Outside, Planter, Spec, Stretch, full_rule};
use crate::manifest::{Fault, FileEntry, LinkTruth, Manifest};
use crate::numbers;
use crate::plantings::faults_of;
use crate::sink::{Shape, Sink};

/// What a file is to look like.
pub(crate) struct FilePlan {
    pub name: String,
    pub source: String,
    pub shape: Shape,
    pub titles: bool,
    pub envelope: bool,
    /// Carries date and name of the person who handed the rows in.
    pub submitted: bool,
    pub backlog: bool,
    pub rows: usize,
}

/// The files of one table, written one after another.
pub(crate) struct Delivery<'a> {
    pub table: &'static Table,
    pub plans: Vec<FilePlan>,
    pub envelope: EnvelopeColumns,
    dir: &'a Path,
    manifest: &'a mut Manifest,
    planter: Planter,
    outside: &'a Outside,
    today: NaiveDate,
    open: Option<OpenFile>,
}

struct OpenFile {
    plan: usize,
    sink: Sink,
    batch: String,
    /// Rows that follow: due after this row, what, the row it refers to.
    later: Vec<(u64, Draft, &'static Spec, u64)>,
}

/// What became of a row.
pub(crate) struct Fate {
    pub row: u64,
    /// Nothing was planted: other records may refer to it.
    pub clean: bool,
}

/// What a row brings along besides its cells.
#[derive(Default)]
pub(crate) struct About<'a> {
    /// Day on which it was handed in.
    pub submitted: Option<NaiveDate>,
    pub submitter: &'a str,
    /// Number of the record in its source; made into `cd_id`.
    pub number: &'a str,
    /// Document number of an earlier row of the same body in this file.
    pub earlier_document: Option<&'a str>,
    /// Nothing may be planted here.
    pub spared: bool,
}

impl<'a> Delivery<'a> {
    pub fn new(
        dir: &'a Path,
        table: &str,
        plans: Vec<FilePlan>,
        seed: u64,
        today: NaiveDate,
        outside: &'a Outside,
        manifest: &'a mut Manifest,
    ) -> Result<Self, CityError> {
        let table =
            Standard::v1().table(table).ok_or_else(|| CityError::Table(table.to_owned()))?;
        let envelope = EnvelopeColumns::of(table)?;
        let columns: Vec<Vec<usize>> =
            plans.iter().map(|plan| columns_of(table, &envelope, plan)).collect();
        let stretches: Vec<Stretch> = plans
            .iter()
            .zip(&columns)
            .map(|(plan, columns)| Stretch { rows: plan.rows, columns })
            .collect();
        let planter = Planter::new(seed, table, faults_of(&table.name), &stretches)?;
        Ok(Self { table, plans, envelope, dir, manifest, planter, outside, today, open: None })
    }

    pub fn planter_done(&self) -> bool {
        self.planter.is_done()
    }

    pub fn open(&mut self, plan: usize) -> Result<(), CityError> {
        self.close()?;
        let spec = &self.plans[plan];
        let columns = columns_of(self.table, &self.envelope, spec);
        let path = self.dir.join(&spec.name);
        let sink = Sink::create(&path, self.table, spec.shape, spec.titles, columns)?;
        let nth = self.manifest.files.len() as u32 + 1;
        let batch = BatchNumber::of(self.today, nth)?.to_string();
        self.open = Some(OpenFile { plan, sink, batch, later: Vec::new() });
        Ok(())
    }

    /// Writes a row, perhaps with a fault in it, and the rows that are due after it.
    pub fn emit(&mut self, mut row: Draft, about: &About) -> Result<Fate, CityError> {
        let Some(open) = &mut self.open else {
            return Err(CityError::Table(self.table.name.clone()));
        };
        let plan = &self.plans[open.plan];
        fill_envelope(
            &mut row,
            &self.envelope,
            plan,
            &open.batch,
            about,
            self.today,
            self.planter.dice(),
        );
        let sink = &open.sink;
        let carries = |at: usize| sink.carries(at);
        let planted = if about.spared {
            None
        } else {
            self.planter.plant(&mut row, self.table, &carries, self.outside, about.earlier_document)
        };
        let number = open.sink.push(&row)?;
        if let Some(spec) = planted {
            match spec.change {
                Change::Follow(follow) => {
                    let after = number + self.planter.dice().between(3, 120) as u64;
                    let code = self.table.column_index(spec.column);
                    let next = follower(
                        row,
                        follow,
                        self.table,
                        &self.envelope,
                        code,
                        self.today,
                        self.planter.dice(),
                    );
                    open.later.push((after, next, spec, number));
                }
                _ => {
                    let fault = fault(&plan.name, self.table, spec, number);
                    self.manifest.faults.push(fault);
                }
            }
        }
        self.send_followers(false)?;
        Ok(Fate { row: number, clean: planted.is_none() })
    }

    fn send_followers(&mut self, all: bool) -> Result<(), CityError> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        while let Some(at) =
            open.later.iter().position(|(after, ..)| all || *after <= open.sink.rows)
        {
            let (_, row, spec, first) = open.later.swap_remove(at);
            let number = open.sink.push(&row)?;
            // an update or deletion makes the first row old; a repetition or a late version is itself the odd one
            let blamed = match spec.change {
                Change::Follow(Follow::Update | Follow::Delete) => first,
                _ => number,
            };
            let fault = fault(&self.plans[open.plan].name, self.table, spec, blamed);
            self.manifest.faults.push(fault);
        }
        Ok(())
    }

    /// Notes a remark that a row earns by what it is, without a change.
    pub fn remark(
        &mut self,
        kind: &str,
        row: u64,
        column: &str,
        rule: &str,
    ) -> Result<(), CityError> {
        let Some(open) = &self.open else {
            return Ok(());
        };
        let id = format!("{}.{rule}", self.table.name);
        let known = self.table.rule(&id).ok_or_else(|| CityError::Rule(id.clone()))?;
        self.manifest.faults.push(Fault {
            file: self.plans[open.plan].name.clone(),
            table: self.table.name.clone(),
            row,
            column: Some(column.to_owned()),
            kind: kind.to_owned(),
            class: Some(known.class.code().to_owned()),
            rule: Some(id),
            outcome: crate::manifest::Outcome::Warned,
        });
        Ok(())
    }

    pub fn link(&mut self, row: u64, by: &str, uscc: &str) {
        if let Some(open) = &self.open {
            self.manifest.links.push(LinkTruth {
                file: self.plans[open.plan].name.clone(),
                table: self.table.name.clone(),
                row,
                by: by.to_owned(),
                uscc: uscc.to_owned(),
            });
        }
    }

    pub fn close(&mut self) -> Result<(), CityError> {
        self.send_followers(true)?;
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        let plan = &self.plans[open.plan];
        let rows = open.sink.finish()?;
        self.manifest.files.push(FileEntry {
            file: plan.name.clone(),
            table: self.table.name.clone(),
            cd_source: plan.source.clone(),
            cd_batch: open.batch,
            format: plan.shape.format().to_owned(),
            encoding: plan.shape.encoding().to_owned(),
            headers: if plan.titles { "title" } else { "identifier" }.to_owned(),
            envelope: plan.envelope,
            portion: if plan.backlog { "backlog" } else { "delta" }.to_owned(),
            rows,
        });
        Ok(())
    }
}

fn columns_of(table: &Table, envelope: &EnvelopeColumns, plan: &FilePlan) -> Vec<usize> {
    (0..table.columns.len())
        .filter(|&at| {
            let handed_in = at == envelope.submitted_date || at == envelope.submitted_personnel;
            !table.columns[at].envelope || plan.envelope || (plan.submitted && handed_in)
        })
        .collect()
}

fn fault(file: &str, table: &Table, spec: &Spec, row: u64) -> Fault {
    let rule = (!spec.rule.is_empty()).then(|| full_rule(table, spec));
    let class =
        rule.as_deref().and_then(|id| table.rule(id)).map(|rule| rule.class.code().to_owned());
    Fault {
        file: file.to_owned(),
        table: table.name.clone(),
        row,
        column: Some(spec.column.to_owned()),
        kind: spec.kind.to_owned(),
        class,
        rule,
        outcome: spec.outcome,
    }
}

fn fill_envelope(
    row: &mut Draft,
    c: &EnvelopeColumns,
    plan: &FilePlan,
    batch: &str,
    about: &About,
    today: NaiveDate,
    dice: &mut crate::dice::Dice,
) {
    let day = about.submitted.unwrap_or(today).min(today);
    if plan.envelope || plan.submitted {
        row.set(c.submitted_date, day.to_string());
        row.set(c.submitted_personnel, about.submitter);
    }
    if plan.envelope {
        let id = format!("{}-{}", plan.source, about.number);
        row.set(c.record_unique_identity, &id);
        row.set(c.cd_id, id);
        let (hour, minute, second) =
            (dice.between(8, 15), dice.between(0, 59), dice.between(0, 59));
        row.set(c.cd_time, format!("{day} {hour:02}:{minute:02}:{second:02}"));
        row.set(c.cd_source, &plan.source);
        row.set(c.cd_batch, batch);
        row.set(c.cd_operation, "i");
    }
}

/// The row that follows a good one.
fn follower(
    mut row: Draft,
    follow: Follow,
    table: &Table,
    c: &EnvelopeColumns,
    code: Option<usize>,
    today: NaiveDate,
    dice: &mut crate::dice::Dice,
) -> Draft {
    let day = row.get(c.cd_time).get(..10).and_then(|text| text.parse::<NaiveDate>().ok());
    match follow {
        Follow::Again => {}
        Follow::Twice => {
            if let Some(code) = code {
                let old = row.get(code).to_owned();
                let new = numbers::another(&old, dice);
                if !row.get(c.cd_id).is_empty() {
                    let id = row.get(c.cd_id).replace(&old, &new);
                    row.set(c.record_unique_identity, &id);
                    row.set(c.cd_id, id);
                }
                row.set(code, new);
            }
            for name in ["check_document_code", "punish_document_code"] {
                if let Some(at) = table.column_index(name) {
                    let other = row.get(at).replace('号', "-1号");
                    row.set(at, other);
                }
            }
        }
        Follow::Update | Follow::Late => {
            change_content(&mut row, table, follow);
            if let Some(day) = day {
                let time = if follow == Follow::Late {
                    format!("{} 07:30:00", day - Duration::days(1))
                } else {
                    format!("{} 17:30:00", (day + Duration::days(dice.between(0, 9))).min(today))
                };
                row.set(c.cd_time, time);
            }
            row.set(c.cd_operation, "u");
        }
        Follow::Delete => {
            if let Some(day) = day {
                row.set(c.cd_time, format!("{} 17:45:00", (day + Duration::days(2)).min(today)));
            }
            row.set(c.cd_operation, "d");
        }
    }
    row
}

/// Something a department really corrects afterwards.
fn change_content(row: &mut Draft, table: &Table, follow: Follow) {
    let note = if follow == Follow::Late { "（旧稿）" } else { "（更正）" };
    for name in ["check_action_name", "penalty_result", "closing_case", "legal_repr"] {
        if let Some(at) = table.column_index(name) {
            let changed = if name == "legal_repr" {
                format!("{}华", row.get(at))
            } else {
                format!("{}{note}", row.get(at))
            };
            row.set(at, changed);
            return;
        }
    }
}
