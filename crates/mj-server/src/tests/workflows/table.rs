//! The published table, read out of docs/workflows.md, and what happened held against it.

use std::collections::BTreeSet;

use super::play::{Kind, Manner, Step};

pub const PAGE: &str = include_str!("../../../../../docs/workflows.md");

/// One transition: in this state this person does this, and then it stands there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    pub state: String,
    pub act: String,
    pub who: String,
    pub then: String,
}

/// A machine as published.
#[derive(Debug, Clone, Default)]
pub struct Published {
    pub name: String,
    pub lines: Vec<Line>,
    /// States of the code that nothing leads to yet.
    pub unreached: BTreeSet<String>,
}

impl Published {
    pub fn states(&self) -> BTreeSet<&str> {
        let both = self.lines.iter().flat_map(|line| [line.state.as_str(), line.then.as_str()]);
        both.chain(self.unreached.iter().map(String::as_str)).collect()
    }
}

fn listed(cell: &str) -> impl Iterator<Item = String> {
    cell.split(',').map(|part| part.trim().to_owned())
}

/// Every machine of the page: a heading that begins with its name in backticks, and a table
/// `state | act | who | then`. A cell may list several states or people; `stays` is the state itself.
pub fn published(page: &str) -> Vec<Published> {
    let mut machines: Vec<Published> = Vec::new();
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            let name = title.strip_prefix('`').and_then(|rest| rest.split_once('`'));
            if let Some((name, _)) = name {
                machines.push(Published { name: name.to_owned(), ..Published::default() });
            } else {
                machines.push(Published::default());
            }
        }
        let Some(machine) = machines.last_mut().filter(|one| !one.name.is_empty()) else {
            continue;
        };
        if let Some(states) = line.strip_prefix("Nothing leads to: ") {
            let states = listed(states.trim_end_matches('.'));
            machine.unreached.extend(states.map(|state| state.replace('`', "")));
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", states, act, people, then, ""] = cells[..] else { continue };
        if states == "state" || states.starts_with("---") {
            continue;
        }
        for state in listed(states) {
            for who in listed(people) {
                let then = if then == "stays" { state.clone() } else { then.to_owned() };
                let act = act.replace('`', "");
                machine.lines.push(Line { state: state.clone(), act, who, then });
            }
        }
    }
    machines.retain(|machine| !machine.name.is_empty());
    machines
}

pub fn machine(name: &str) -> Published {
    let found = published(PAGE).into_iter().find(|one| one.name == name);
    found.unwrap_or_else(|| panic!("docs/workflows.md has no section ## `{name}`"))
}

fn then<'a>(lines: &'a [Line], state: &str, act: &str, who: &str) -> Option<&'a str> {
    let of = |line: &&Line| line.state == state && line.act == act && line.who == who;
    lines.iter().find(of).map(|line| line.then.as_str())
}

/// What of these steps is not as these lines say.
pub fn differences(lines: &[Line], steps: &[Step]) -> Vec<String> {
    steps
        .iter()
        .filter_map(|step| Some(format!("{}\n    {}", wrong(lines, step)?, step.story)))
        .collect()
}

fn wrong(lines: &[Line], step: &Step) -> Option<String> {
    let Step { state, act, who, .. } = step;
    let said = format!("{state}: {act} by {who} ({:?})", step.manner);
    let once = matches!(step.kind, Kind::Versioned | Kind::Once | Kind::Alone);
    let known = then(lines, state, act, who);
    let mut expected = match step.manner {
        Manner::Right => known.map(|to| (1, to)),
        // the version names a state that is no more
        Manner::Old => None,
        Manner::Again if once => None,
        Manner::Again => known.map(|to| (1, to)),
        Manner::Twice => known.map(|to| (1, to)),
    };
    if let (Manner::Twice, false, Some((_, to))) = (step.manner, once, expected)
        && let Some(after) = then(lines, to, act, who)
    {
        expected = Some((2, after));
    }
    let mut went = step.answers.iter().filter(|answer| answer.went).count();
    if step.kind == Kind::Told && step.manner == Manner::Twice && expected.is_some() {
        went = went.min(1);
        expected = expected.map(|(_, to)| (1, to));
    }
    let told: Vec<String> =
        step.answers.iter().map(|one| format!("{} {}", one.status, one.code)).collect();
    let told = told.join(", ");
    for answer in &step.answers {
        let refused = (400..500).contains(&answer.status) && !answer.code.is_empty();
        if !answer.went && !refused && !answer.quiet {
            return Some(format!("{said}: neither done nor refused: {told}"));
        }
    }
    match expected {
        None if went > 0 => {
            Some(format!("{said}: succeeded ({told}) and is not in the table, now {}", step.then))
        }
        None if !step.unchanged => {
            Some(format!("{said}: refused ({told}), and something changed, now {}", step.then))
        }
        None => None,
        Some((times, _)) if went != times => Some(format!(
            "{said}: {went} of {} succeeded ({told}), {times} by the table",
            step.answers.len()
        )),
        Some((_, to)) if to != step.then => {
            Some(format!("{said}: now {}, by the table {to}", step.then))
        }
        Some(_) => None,
    }
}

/// The lines that no step went along.
pub fn not_gone(lines: &[Line], steps: &[Step]) -> Vec<Line> {
    let gone: BTreeSet<(&str, &str, &str)> = steps
        .iter()
        .filter(|step| {
            step.manner == Manner::Right && step.answers.iter().all(|answer| answer.went)
        })
        .map(|step| (step.state.as_str(), step.act, step.who))
        .collect();
    let unknown =
        |line: &&Line| !gone.contains(&(line.state.as_str(), line.act.as_str(), line.who.as_str()));
    lines.iter().filter(unknown).cloned().collect()
}

/// The lines that could be invented: what was tried and refused.
pub fn refused(steps: &[Step]) -> BTreeSet<(String, String, String)> {
    let of = |step: &&Step| {
        step.manner == Manner::Right && step.answers.iter().all(|answer| !answer.went)
    };
    let tried = steps.iter().filter(of);
    tried.map(|step| (step.state.clone(), step.act.to_owned(), step.who.to_owned())).collect()
}

/// `POST /api/v1/…` of an act, without the words behind it; none of what the house does.
pub fn route(act: &str) -> Option<String> {
    let mut words = act.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    path.starts_with('/').then(|| format!("{method} {path}"))
}

/// The routes that the section `## No workflow` lists, one table row a group: routes | why.
pub fn no_acts(page: &str) -> BTreeSet<String> {
    let section = page.split("\n## No workflow").nth(1).unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with('|'));
    let first = rows.filter_map(|row| row.split('|').nth(1));
    first.flat_map(|cell| cell.split('`').skip(1).step_by(2)).filter_map(route).collect()
}
