//! A client that shares nothing with the server: HTTP/1.1 over a socket, one request a connection.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::house::{PATIENCE, wait_for};

/// What a caller shows: nothing, or a bearer token.
#[derive(Debug, Clone, Default)]
pub struct Token(Option<String>);

impl Token {
    pub fn bearer(token: &str) -> Self {
        Self(Some(token.to_owned()))
    }

    pub fn text(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The body, when the status is this one.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.json()
    }

    /// A problem of this status and code, in words a person can use.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.expect(status);
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        for key in ["type", "title", "status", "trace_id"] {
            assert!(!problem[key].is_null(), "{key} is missing: {problem}");
        }
        let title = problem["title"].as_str().expect("a title");
        assert!(!title.is_ascii(), "not in Chinese: {title}");
        problem
    }
}

/// Where a node listens.
#[derive(Debug, Clone, Copy)]
pub struct Door(SocketAddr);

impl Door {
    pub fn at(port: u16) -> Self {
        Self((Ipv4Addr::LOCALHOST, port).into())
    }

    pub fn over_ipv6(self) -> Self {
        Self((Ipv6Addr::LOCALHOST, self.0.port()).into())
    }

    /// By an address of this machine that is not its own loopback, where it has one.
    pub fn by_outer_address(self) -> Option<Self> {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
        // nothing is sent: it only says which address would be used
        socket.connect("192.0.2.1:9").ok()?;
        let address = socket.local_addr().ok()?.ip();
        let other = !address.is_loopback() && !address.is_unspecified();
        other.then(|| Self((address, self.0.port()).into()))
    }

    pub fn port(self) -> u16 {
        self.0.port()
    }

    pub fn try_get(self, path: &str) -> Option<Answer> {
        self.send("GET", path, &[], &[]).ok()
    }

    pub fn get(self, token: &Token, path: &str) -> Answer {
        self.ask("GET", token, path, &[], &[])
    }

    /// A create with a key of its own.
    pub fn post(self, token: &Token, path: &str, body: &Value) -> Answer {
        self.post_as(token, path, body, &mj_platform::new_id())
    }

    pub fn post_as(self, token: &Token, path: &str, body: &Value, key: &str) -> Answer {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        self.ask("POST", token, path, &headers, body.to_string().as_bytes())
    }

    pub fn ask(
        self,
        method: &str,
        token: &Token,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let bearer = token.0.as_ref().map(|token| format!("Bearer {token}"));
        let mut headers = headers.to_vec();
        let (path, typed) = mj_testkit::typed(path);
        if !typed.is_empty() {
            headers.push(("mingjian-search", typed));
        }
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        self.send(method, path, &headers, body).expect("an answer")
    }

    /// Asks for a batch until it is settled.
    pub fn settled(self, token: &Token, href: &str) -> Value {
        wait_for("the batch is settled", || {
            let batch = self.get(token, href).expect(200);
            let state = batch["state"].as_str().expect("a state");
            assert_ne!(state, "failed", "{batch}");
            (state == "settled").then_some(batch)
        })
    }

    fn send(
        self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<Answer> {
        let mut stream = TcpStream::connect_timeout(&self.0, Duration::from_secs(5))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        parse(&answer).ok_or_else(|| std::io::ErrorKind::InvalidData.into())
    }
}

fn parse(answer: &[u8]) -> Option<Answer> {
    let end = answer.windows(4).position(|part| part == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let rest = &answer[end + 4..];
    let chunked = headers.get("transfer-encoding").is_some_and(|how| how == "chunked");
    let body = if chunked { unchunk(rest)? } else { rest.to_vec() };
    Some(Answer { status, headers, body })
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|part| part == b"\r\n")?;
        let size =
            usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?.trim(), 16).ok()?;
        let chunk = rest.get(line + 2..line + 2 + size)?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(chunk);
        rest = rest.get(line + 2 + size + 2..)?;
    }
}
