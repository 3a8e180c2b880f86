//! One HTTP/1.1 request to a witness, small and bounded. No encryption: what is sent is public and what
//! comes back is signed; where the way must be encrypted, a gateway on this machine does it.

use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

const WITHIN: Duration = Duration::from_secs(15);
const MOST_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// Asks `url`; what went wrong is told in words for the log and the page.
pub async fn ask(method: Method, url: &str, body: String) -> Result<Answer, String> {
    let asked = tokio::time::timeout(WITHIN, send(method, url, body)).await;
    asked.unwrap_or_else(|_| Err(format!("{} 秒内没有回答", WITHIN.as_secs())))
}

async fn send(method: Method, url: &str, body: String) -> Result<Answer, String> {
    let uri: Uri = url.parse().map_err(|_| "地址无法识别".to_owned())?;
    let host = uri.host().ok_or("地址无法识别")?.to_owned();
    let port = uri.port_u16().unwrap_or(80);
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let stream = TcpStream::connect((bare, port)).await;
    let stream = stream.map_err(|error| format!("连接不上：{error}"))?;
    let broken = |error: hyper::Error| format!("通信中断：{error}");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let driver = tokio::spawn(connection);
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header("host", format!("{host}:{port}"))
        .header("content-type", "text/plain; charset=utf-8")
        .header("connection", "close")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(broken)?;
    let status = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
    driver.abort();
    let body = body.map_err(|error| format!("回答没有收完整：{error}"))?.to_bytes();
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}
