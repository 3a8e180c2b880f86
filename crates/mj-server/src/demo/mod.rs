//! `mingjian demo`: fills a demonstration city through the same doors as real data, and serves it.
//!
//! People's set-up (agencies, accounts, grants, sources) goes through the HTTP routes, in process;
//! the department files go through the import door. When all is in, what was found is held against
//! the manifest of what was planted. Pages answer from the first second.

mod accounts;
mod fill;
mod judge;
mod posts;
mod today;
mod visitor;

use std::path::Path;
use std::sync::Arc;

use crate::cli::{Failure, Outcome, Size};
use crate::node::Node;
use crate::serve::{self, Health};

/// Says that filling was finished; without it a second start goes on where the first one stopped.
const FILLED: &str = "demo-accounts.json";

/// The accounts of the demonstration are printed for everybody who looks at it: many sit at one of them at once, and
/// none sends out another. Unless the configuration says otherwise.
pub const SESSIONS_AT_ONCE: u32 = 200;

pub async fn run(data_dir: &Path, port: Option<u16>, size: Size) -> Result<Outcome, Failure> {
    let node = Arc::new(Node::open_demo(data_dir, port, "枣庄市").await?);
    let filled = node.config.data_dir.join(FILLED).exists();
    let health = Health::new(if filled { 100 } else { 0 }, &node);
    let (stop, stopped) = serve::stop_signal();
    let background = node.start_background(stopped.clone());
    let filling = {
        let (node, health, stop) = (node.clone(), health.clone(), stop.clone());
        let mut stopped = stopped.clone();
        tokio::spawn(async move {
            if filled {
                return Ok(());
            }
            let told = stopped.wait_for(|stop| *stop);
            let outcome = tokio::select! {
                outcome = fill::fill(&node, &health, size) => outcome,
                _ = told => return Ok(()),
            };
            if let Err(error) = &outcome {
                eprintln!("演示城市没有建成：{error}");
                let _ = stop.send(true);
            }
            outcome
        })
    };
    let served = serve::listen(&node, health, stopped).await;
    let _ = stop.send(true);
    let filled = filling.await.map_err(Failure::broken)?;
    serve::settle(background).await;
    node.close().await;
    served?;
    filled.map(|()| Outcome::Clean)
}

/// The roles that get a demonstration account.
#[cfg(test)]
pub fn roles() -> Vec<mj_kernel::Role> {
    accounts::roles()
}
