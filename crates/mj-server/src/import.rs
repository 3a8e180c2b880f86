//! `mingjian import`: one department file through the import door, followed to its counts.
//!
//! Where a node runs on the directory the file is handed to it through `inbox/` and followed in the
//! database; otherwise this process is the node for as long as it takes.

use std::future::Future;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mj_datahub::{Batch, Datahub, Import, Listener, Portion};
use mj_platform::{Config, new_id};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;

use crate::check;
use crate::cli::{Failure, Outcome};
use crate::node::{Beside, Node, lock};
use crate::serve::stop_signal;

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a running node may take to notice a file.
const NOTICED_WITHIN: Duration = Duration::from_secs(30);

pub async fn run(
    table: &str,
    file: &Path,
    source: &str,
    data_dir: &Path,
) -> Result<Outcome, Failure> {
    check::open(file)?;
    std::fs::create_dir_all(data_dir)
        .map_err(|error| Failure::Broken(format!("无法建立 {}：{error}", data_dir.display())))?;
    let free = lock(data_dir)?.is_some();
    let batch = if free {
        let node = Node::open(data_dir, None).await?;
        let import =
            Import { table, file, cd_source: source, cd_batch: None, portion: Portion::Delta };
        let (_signal, mut stopped) = stop_signal();
        let stop = async move {
            let _ = stopped.wait_for(|stop| *stop).await;
            eprint!("\r\x1b[K正在停止…");
        };
        let (loaded, mut no_more_said) = watch::channel(false);
        let (end, mut ended) = watch::channel(false);
        let (ledger, runner) = (node.ledger.clone(), node.runner.clone());
        // signed and heard while the load goes on, as in a node that serves
        let signing = tokio::spawn(async move {
            ledger.watch(async move { _ = ended.wait_for(|end| *end).await }).await;
        });
        let hearing = tokio::spawn(async move {
            runner.hear(async move { _ = no_more_said.wait_for(|end| *end).await }).await;
        });
        let outcome = import_until(&node.domains.datahub, &import, stop).await;
        loaded.send_replace(true);
        let _ = hearing.await;
        // what the batch told the other domains is heard before we leave
        let heard = node.runner.run_until_idle().await;
        end.send_replace(true);
        let _ = signing.await;
        node.close().await;
        let batch = outcome?;
        heard?;
        batch
    } else {
        hand_over(table, file, source, data_dir).await?
    };
    print(&batch)
}

/// Imports a file in this process, showing progress on a terminal.
async fn import_until(
    hub: &Datahub,
    import: &Import<'_>,
    stop: impl Future<Output = ()>,
) -> Result<Batch, Failure> {
    let imported = hub.import_file_until(import, Some(terminal()), stop).await;
    let imported = imported.map_err(usage_or_broken)?;
    eprint!("\r\x1b[K");
    if imported.again {
        eprintln!("这个文件以前导入过，未重复导入");
    }
    Ok(imported.batch)
}

/// A mistake in what was asked for is usage; the rest is ours.
fn usage_or_broken(error: mj_datahub::Error) -> Failure {
    use mj_datahub::Error;
    match error {
        Error::Platform(_) | Error::Facts(_) | Error::Registry(_) | Error::Catalog(_) => {
            Failure::broken(error)
        }
        other => Failure::Usage(other.to_string()),
    }
}

fn terminal() -> Listener {
    Arc::new(|standing| {
        eprint!(
            "\r\x1b[K{}%  {} 行  {} 行/秒  问题行 {}",
            standing.percent, standing.rows, standing.rows_per_second, standing.error
        );
        let _ = std::io::stderr().flush();
    })
}

fn print(batch: &Batch) -> Result<Outcome, Failure> {
    let counts = &batch.counts;
    let shown = json!({
        "batch_id": batch.id,
        "table": batch.table,
        "cd_source": batch.cd_source,
        "cd_batch": batch.cd_batch,
        "state": batch.state.name(),
        "counts": {
            "front": counts.front, "pending": counts.pending, "correct": counts.correct,
            "error": counts.error, "duplicate": counts.duplicate, "superseded": counts.superseded,
        },
        "by_class": batch.by_class,
        "message": batch.message,
    });
    println!("{shown:#}");
    if batch.state.may_come_again() {
        return Err(Failure::Broken(batch.message.clone().unwrap_or_default()));
    }
    Ok(Outcome::clean_if(counts.error == 0 && batch.message.is_none()))
}

#[derive(Serialize, Deserialize)]
struct Request {
    table: String,
    cd_source: String,
    file_name: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Batch(String),
    Usage(String),
    Broken(String),
}

/// Where files for a running node lie: `<id>.file/<name>`, then `<id>.request`, then `<id>.answer`;
/// `<id>.stop` when whoever handed it over wants it stopped.
#[derive(Clone)]
pub struct Inbox {
    folder: PathBuf,
    hub: Datahub,
}

impl Inbox {
    pub fn of(node: &Node) -> Self {
        Self { folder: folder(&node.config), hub: node.domains.datahub.clone() }
    }

    /// Takes in what is handed over until told to stop.
    pub async fn watch(&self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            self.take_all().await;
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn take_all(&self) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.extension().is_some_and(|ending| ending == "request") {
                let answer = self.take(&path).await;
                if let Err(error) = put(&path.with_extension("answer"), &answer) {
                    tracing::error!(error = %error, "移交的文件无法答复");
                }
                let _ = std::fs::remove_file(&path);
                let _ = std::fs::remove_dir_all(path.with_extension("file"));
            }
            if path.extension().is_some_and(|ending| ending == "stop") {
                let id = std::fs::read_to_string(&path).unwrap_or_default();
                if let Err(error) = self.hub.interrupt(&id).await {
                    tracing::error!(error = %error, "导入未能停止");
                }
                let _ = std::fs::remove_file(&path);
            }
        }
    }

    async fn take(&self, path: &Path) -> Answer {
        let request = std::fs::read(path).map_err(|error| error.to_string()).and_then(|text| {
            serde_json::from_slice::<Request>(&text).map_err(|error| error.to_string())
        });
        let request = match request {
            Ok(request) => request,
            Err(error) => return Answer::Broken(format!("移交说明无法读取：{error}")),
        };
        let file = path.with_extension("file").join(&request.file_name);
        let import = Import {
            table: &request.table,
            file: &file,
            cd_source: &request.cd_source,
            cd_batch: None,
            portion: Portion::Delta,
        };
        match self.hub.receive_file(&import).await {
            Ok(received) => Answer::Batch(received.batch.id),
            Err(error) => match usage_or_broken(error) {
                Failure::Usage(text) => Answer::Usage(text),
                Failure::Broken(text) => Answer::Broken(text),
            },
        }
    }
}

fn folder(config: &Config) -> PathBuf {
    config.data_dir.join("inbox").join("handed")
}

/// Written whole or not at all: whoever waits for the name finds the content.
fn put(path: &Path, content: &impl Serialize) -> std::io::Result<()> {
    let partial = path.with_extension("partial");
    std::fs::write(&partial, serde_json::to_vec(content)?)?;
    std::fs::rename(partial, path)
}

async fn hand_over(
    table: &str,
    file: &Path,
    source: &str,
    data_dir: &Path,
) -> Result<Batch, Failure> {
    let config = Config::load(data_dir)?;
    let folder = folder(&config);
    // from the first moment on: the node may have begun before it is followed
    let (_signal, mut stopped) = stop_signal();
    let request = folder.join(format!("{}.request", new_id()));
    let answer = request.with_extension("answer");
    let file_name =
        file.file_name().ok_or_else(|| Failure::Usage(format!("{} 不是文件", file.display())))?;
    let place = request.with_extension("file");
    let handed = || -> std::io::Result<()> {
        std::fs::create_dir_all(&place)?;
        std::fs::copy(file, place.join(file_name))?;
        put(
            &request,
            &Request {
                table: table.to_owned(),
                cd_source: source.to_owned(),
                file_name: file_name.to_string_lossy().into_owned(),
            },
        )
    };
    handed().map_err(|error| Failure::Broken(format!("无法移交文件：{error}")))?;
    let answered = async {
        loop {
            if let Ok(text) = std::fs::read(&answer) {
                let _ = std::fs::remove_file(&answer);
                return serde_json::from_slice::<Answer>(&text).map_err(Failure::broken);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let id = match tokio::time::timeout(NOTICED_WITHIN, answered).await {
        Ok(answer) => match answer? {
            Answer::Batch(id) => id,
            Answer::Usage(text) => return Err(Failure::Usage(text)),
            Answer::Broken(text) => return Err(Failure::Broken(text)),
        },
        Err(_) => {
            let _ = std::fs::remove_file(&request);
            let _ = std::fs::remove_dir_all(&place);
            return Err(Failure::Broken("正在运行的明鉴进程没有答复，文件未导入".into()));
        }
    };
    let beside = Beside::open(data_dir).await?;
    let hub = &beside.domains.datahub;
    let followed = tokio::select! {
        followed = follow(hub, &id) => followed,
        _ = stopped.wait_for(|stop| *stop) => {
            eprintln!("正在停止…");
            let partial = request.with_extension("partial");
            let asked = std::fs::write(&partial, &id)
                .and_then(|()| std::fs::rename(&partial, request.with_extension("stop")));
            match asked {
                Ok(()) => follow(hub, &id).await,
                Err(error) => Err(Failure::Broken(format!("无法要求停止：{error}"))),
            }
        }
    };
    beside.close().await;
    followed
}

/// Waits until a batch is settled by whoever runs it.
pub async fn follow(hub: &Datahub, id: &str) -> Result<Batch, Failure> {
    loop {
        let batch = hub.batch(id).await.map_err(Failure::broken)?;
        match batch {
            Some(batch) if batch.state.is_final() => return Ok(batch),
            Some(_) => tokio::time::sleep(LOOK_EVERY).await,
            None => return Err(Failure::Broken(format!("批次 {id} 不见了"))),
        }
    }
}
