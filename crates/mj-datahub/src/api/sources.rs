//! Who may deliver, shown and registered.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use mj_platform::{Lane, new_id};
use mj_web::{Answer, Caller, Input, Once, PathOf, Resource, replayed};

use super::resource;
use super::shapes::*;
use super::source_file::standing_view;
use crate::Datahub;
use crate::connection::{self, Delivered, Said};
use crate::error::{Error, Result};
use crate::model::{Channel, Source, SourceKind};
use crate::store;

pub async fn register(
    State(hub): State<Datahub>,
    caller: Caller,
    input: Input<NewSource>,
) -> Answer<Response> {
    let new = input.value;
    let said = Said {
        stage: new.stage.as_deref(),
        due_on: new.due_on.as_deref(),
        live_since: new.live_since.as_deref(),
        note: new.note.as_deref(),
    };
    let today = hub.db.clock().today();
    let said = if said.is_empty() { None } else { Some(said.over(None, today)?) };
    let why = new.reason;
    caller.require(&Resource::at(new.area.as_deref(), new.agency.as_deref()))?;
    let source = Source {
        id: new_id(),
        version: 1,
        name: new.name,
        kind: SourceKind::parse(&new.kind)
            .ok_or_else(|| Error::Request("kind应为agency或third_party".into()))?,
        agency: new.agency,
        agency_name: new.agency_name,
        area: new.area,
        priority: new.priority.unwrap_or(100),
        channels: channels(&new.channels)?,
        tables: tables(&hub, new.tables)?,
        backlog_declared: new.backlog_declared,
        active: true,
        cd_source: new.cd_source,
    };
    if source.cd_source.is_empty() || source.cd_source.chars().count() > 50 {
        return Err(Error::Request("cd_source应为1至50个字符".into()).into());
    }
    let object = format!("hub_source:{}", source.cd_source);
    let mut tx = hub.db.begin(Lane::People, with_reason(caller.act(object), why)).await?;
    let first = match Once::claim(&mut tx, &caller, &input.digest).await? {
        Once::Replay(earlier) => {
            drop(tx);
            let source = hub.source(&earlier.object_id).await?;
            return Ok(replayed(&earlier, Json(view(&source))));
        }
        Once::First(first) => first,
    };
    store::source::insert(&mut tx, &source).await?;
    if let Some(said) = &said {
        connection::put(&mut tx, &source, said).await?;
    }
    first.keep(&mut tx, StatusCode::CREATED, &source.cd_source, 1).await?;
    tx.commit().await?;
    let shown = standing_view(&hub, &source, said.as_ref(), &Delivered::default());
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}

fn with_reason(act: mj_platform::Act, reason: Option<String>) -> mj_platform::Act {
    match reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty()) {
        Some(reason) => act.because(reason),
        None => act,
    }
}

pub async fn change(
    State(hub): State<Datahub>,
    caller: Caller,
    PathOf(cd_source): PathOf<String>,
    input: Input<SourceChange>,
) -> Answer<Json<SourceView>> {
    let change = input.value;
    let mut source = hub.source(&cd_source).await?;
    caller.require(&resource(&source))?;
    if let Some(name) = change.name {
        source.name = name;
    }
    if let Some(priority) = change.priority {
        source.priority = priority;
    }
    if let Some(names) = change.channels {
        source.channels = channels(&names)?;
    }
    if let Some(names) = change.tables {
        source.tables = tables(&hub, names)?;
    }
    if let Some(declared) = change.backlog_declared {
        source.backlog_declared = declared;
    }
    let before = connection::all_unscoped(&hub.db).await?.remove(&cd_source);
    let said = Said {
        stage: change.stage.as_deref(),
        due_on: change.due_on.as_deref(),
        live_since: change.live_since.as_deref(),
        note: change.note.as_deref(),
    };
    let said = match said.is_empty() {
        true => before,
        false => Some(said.over(before.as_ref(), hub.db.clock().today())?),
    };
    match change.status.as_deref() {
        None => {}
        Some("active") => source.active = true,
        Some("stopped") => source.active = false,
        Some(_) => return Err(Error::Request("status应为active或stopped".into()).into()),
    }
    let object = format!("hub_source:{cd_source}");
    let act = with_reason(caller.act(object), change.reason);
    let mut tx = hub.db.begin(Lane::People, act).await?;
    match store::source::update(&mut tx, &source, Some(change.version)).await {
        Ok(version) => source.version = version,
        Err(Error::Platform(stale @ mj_platform::Error::Stale { .. })) => {
            drop(tx);
            let newer = hub.source(&cd_source).await?;
            return Err(mj_web::Problem::from(stale).with_current(view(&newer)));
        }
        Err(error) => return Err(error.into()),
    }
    if let Some(said) = &said {
        connection::put(&mut tx, &source, said).await?;
    }
    tx.commit().await?;
    let came = connection::delivered(&hub.db, Some(&cd_source)).await?;
    Ok(Json(standing_view(&hub, &source, said.as_ref(), &connection::sum(came.values()))))
}

/// A fresh token for a department's system; the one before it opens nothing any more.
pub async fn issue_token(
    State(hub): State<Datahub>,
    caller: Caller,
    PathOf(cd_source): PathOf<String>,
) -> Answer<Response> {
    let source = hub.source(&cd_source).await?;
    caller.require(&resource(&source))?;
    let token = hub.issue_token(caller.act(format!("hub_source:{cd_source}")), &source).await?;
    Ok((StatusCode::CREATED, Json(TokenIssued { cd_source, token })).into_response())
}

pub(super) fn view(source: &Source) -> SourceView {
    SourceView {
        cd_source: source.cd_source.clone(),
        version: source.version,
        name: source.name.clone(),
        kind: source.kind.name().into(),
        agency: source.agency.clone(),
        agency_name: source.agency_name.clone(),
        area: source.area.clone(),
        priority: source.priority,
        channels: source.channels.iter().map(|channel| channel.name().to_owned()).collect(),
        tables: source.tables.clone(),
        backlog_declared: source.backlog_declared.clone(),
        status: if source.active { "active" } else { "stopped" }.into(),
        connection: None,
    }
}

fn channels(names: &[String]) -> Result<Vec<Channel>> {
    names
        .iter()
        .map(|name| {
            Channel::parse(name)
                .ok_or_else(|| Error::Request("channels只能取file、push、upload、manual".into()))
        })
        .collect()
}

fn tables(hub: &Datahub, names: Vec<String>) -> Result<Vec<String>> {
    for name in &names {
        hub.table(name)?;
    }
    Ok(names)
}
