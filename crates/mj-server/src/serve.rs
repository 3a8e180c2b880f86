//! Serving: one socket for IPv6 and IPv4, health, the faces beside the routes, and a quiet end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use mj_platform::Networks;
use mj_platform::ledger::Ledger;
use serde_json::json;
use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cli::{Failure, Outcome};
use crate::faces::{self, Face};
use crate::figures::{self, Figures};
use crate::node::Node;

/// How long a question after the node's health may wait for the next checkpoint.
const SEALED_WITHIN: Duration = Duration::from_secs(3);
/// How long background work may go on after the signal to stop; with the drain below 30 s together.
const QUIET_WITHIN: Duration = Duration::from_secs(20);

/// How far a node is with filling itself; 100 is ready.
#[derive(Debug)]
pub struct Health {
    percent: AtomicU8,
    database: &'static str,
    ledger: Ledger,
    /// Everything that was there when filling ended is in a signed checkpoint.
    sealed: AtomicBool,
}

impl Health {
    pub fn new(percent: u8, node: &Node) -> Arc<Self> {
        let (percent, sealed) = (AtomicU8::new(percent), AtomicBool::new(false));
        Arc::new(Self {
            percent,
            database: node.db.dialect().name(),
            ledger: node.ledger.clone(),
            sealed,
        })
    }

    pub fn set(&self, percent: u8) {
        self.percent.store(percent.min(100), Ordering::Relaxed);
    }

    async fn answer(&self) -> Response {
        let mut percent = self.percent.load(Ordering::Relaxed);
        if percent >= 100 && !self.sealed.load(Ordering::Relaxed) {
            let sealed = self.ledger.settled(SEALED_WITHIN).await;
            self.sealed.store(sealed, Ordering::Relaxed);
            percent = if sealed { 100 } else { 99 };
        }
        if percent < 100 {
            let body = json!({"state": "filling", "percent": percent});
            return (StatusCode::SERVICE_UNAVAILABLE, axum::Json(body)).into_response();
        }
        axum::Json(json!({
            "state": "ready",
            "version": env!("CARGO_PKG_VERSION"),
            "database": self.database,
        }))
        .into_response()
    }
}

pub async fn run(data_dir: &Path, port: Option<u16>) -> Result<Outcome, Failure> {
    let node = Node::open(data_dir, port).await?;
    node.announce_first_start().await?;
    let health = Health::new(100, &node);
    let (stop, stopped) = stop_signal();
    let background = node.start_background(stopped.clone());
    let served = listen(&node, health, stopped).await;
    // also when serving failed: background work must not outlive the node
    let _ = stop.send(true);
    settle(background).await;
    node.close().await;
    served.map(|()| Outcome::Clean)
}

/// Waits for background work to end by itself, but not beyond what a service manager grants; a batch
/// that is cut off here runs again from its file at the next start.
pub async fn settle(background: JoinHandle<()>) {
    let abort = background.abort_handle();
    if tokio::time::timeout(QUIET_WITHIN, background).await.is_err() {
        tracing::warn!("后台任务未能及时结束，下次启动时重新进行");
        abort.abort();
    }
}

/// Serves until told to stop; requests under way are finished first.
pub async fn listen(
    node: &Node,
    health: Arc<Health>,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let listener = bind(node.config.address, node.config.port)?;
    let pages = mj_portal::fallback(node.domains.portal.clone());
    let router = node.web.router(faces_router(health).merge(figures(node)).merge(pages));
    let router = mj_portal::remembering(router);
    let proxies = node.config.trusted_proxies.clone();
    let router = router.layer(from_fn_with_state(proxies, mj_web::known_client));
    warn_of_loopback(&node.config.admin_networks);
    eprintln!(
        "明鉴已启动：http://localhost:{}/  工作台：http://localhost:{}/desk/",
        node.config.port, node.config.port
    );
    axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async move {
            // the sender only goes away together with the process
            let _ = stopped.wait_for(|stop| *stop).await;
        })
        .await
        .map_err(Failure::broken)
}

/// Whoever works at the machine itself comes by loopback; a list that forgets it is seldom meant.
fn warn_of_loopback(admin_networks: &Networks) {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    if !admin_networks.is_empty() && !loopback.into_iter().any(|it| admin_networks.contains(it)) {
        tracing::warn!(
            "access.admin_networks 不含本机（127.0.0.1、::1）：管理员不能在这台机器上用浏览器登录；\
             带 --by 的命令不受限制"
        );
    }
}

/// Resolves to true on SIGINT or SIGTERM.
pub fn stop_signal() -> (Arc<watch::Sender<bool>>, watch::Receiver<bool>) {
    let (stop, stopped) = watch::channel(false);
    let stop = Arc::new(stop);
    let sender = stop.clone();
    tokio::spawn(async move {
        let interrupt = tokio::signal::ctrl_c();
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            match signal(SignalKind::terminate()) {
                Ok(mut terminate) => {
                    tokio::select! { _ = interrupt => {}, _ = terminate.recv() => {} }
                }
                Err(_) => drop(interrupt.await),
            }
        }
        #[cfg(not(unix))]
        drop(interrupt.await);
        let _ = sender.send(true);
    });
    (stop, stopped)
}

/// `::` takes both families from one socket; where the machine has no IPv6, IPv4 alone.
fn bind(address: IpAddr, port: u16) -> Result<TcpListener, Failure> {
    let open = |address: IpAddr| -> std::io::Result<TcpListener> {
        let domain = if address.is_ipv6() { Domain::IPV6 } else { Domain::IPV4 };
        let socket = Socket::new(domain, Type::STREAM, None)?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddr::new(address, port).into())?;
        socket.listen(1024)?;
        TcpListener::from_std(socket.into())
    };
    let outcome = match open(address) {
        Err(error) if address.is_ipv6() && error.kind() != std::io::ErrorKind::AddrInUse => {
            open(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
        }
        outcome => outcome,
    };
    outcome.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            Failure::Usage(format!("端口 {port} 已被占用，请用 --port 换一个"))
        }
        _ => Failure::Broken(format!("无法监听 {address} 端口 {port}：{error}")),
    })
}

fn figures(node: &Node) -> Router {
    let figures = Figures::new(node.db.clone(), node.config.clone(), node.domains.ledger.clone());
    Router::new().route("/metrics", get(figures::show)).with_state(figures)
}

fn faces_router(health: Arc<Health>) -> Router {
    Router::new()
        .route(
            "/healthz",
            get(|State(health): State<Arc<Health>>| async move { health.answer().await }),
        )
        .with_state(health)
        .route("/desk", get(|| async { Redirect::permanent("/desk/") }))
        .route("/m", get(|| async { Redirect::permanent("/m/") }))
        .route("/desk/", get(desk))
        .route("/desk/{*path}", get(desk))
        .route("/m/", get(mobile))
        .route("/m/{*path}", get(mobile))
        .route("/assets/portal/{*path}", get(portal_asset))
        .route("/favicon.ico", get(|| async { StatusCode::NO_CONTENT }))
}

async fn desk(uri: Uri, headers: HeaderMap) -> Response {
    faces::serve(Face::Desk, uri.path().trim_start_matches("/desk"), &headers)
}

async fn mobile(uri: Uri, headers: HeaderMap) -> Response {
    faces::serve(Face::Mobile, uri.path().trim_start_matches("/m"), &headers)
}

async fn portal_asset(uri: Uri, headers: HeaderMap) -> Response {
    let name = uri.path().trim_start_matches("/assets/portal/");
    faces::serve(Face::Portal, &format!("assets/{name}"), &headers)
}
