//! Who is at the other end of a connection. A proxy that the operator named is asked whom it speaks for; what anybody
//! else says of that in a header is not heard, and is noted where it matters.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use mj_platform::Networks;

/// As most proxies write it; they append, so the last is what the nearest saw.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// In a request's extensions: it says of itself that it was passed on, and nobody whose word is taken says by whom and
/// from where. Its address is that of the last machine on the way.
#[derive(Debug, Clone, Copy)]
pub struct Relayed;

/// The address at the other end, as far as the server told.
pub(crate) fn address_of(request: &Parts) -> Option<IpAddr> {
    request.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip())
}

/// Puts the client's address in the place of the proxy's, before anything looks at it.
pub async fn known_client(
    State(proxies): State<Networks>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0);
    if let Some(peer) = peer {
        match client(&proxies, peer.ip(), request.headers()) {
            Some(address) => {
                let told = SocketAddr::new(address, peer.port());
                request.extensions_mut().insert(ConnectInfo(told));
            }
            None => {
                request.extensions_mut().insert(Relayed);
            }
        }
    }
    next.run(request).await
}

/// `None`: passed on, and no more is known.
fn client(proxies: &Networks, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
    let passed_on = [FORWARDED_FOR, header::FORWARDED.as_str(), "x-real-ip", "via"];
    let passed_on = passed_on.into_iter().any(|name| headers.contains_key(name));
    if !proxies.contains(peer) {
        return (!passed_on).then_some(peer);
    }
    let mut hops = Vec::new();
    for value in headers.get_all(FORWARDED_FOR) {
        hops.extend(value.to_str().ok()?.split(',').map(str::trim));
    }
    // from the nearest on, for as long as who says so is ours; what a client wrote itself stands before that
    if hops.is_empty() {
        // it asks for itself, or does not say for whom
        return (!passed_on).then_some(peer);
    }
    let mut at = peer;
    for hop in hops.into_iter().rev() {
        at = address(hop)?;
        if !proxies.contains(at) {
            return Some(at);
        }
    }
    Some(at)
}

/// An address, with the port some proxies add.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.split_once(']')).map(|(ip, _)| ip);
    let parsed = bare.unwrap_or(text).parse().ok();
    parsed.or_else(|| text.parse().ok().map(|full: SocketAddr| full.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(peer: &str, forwarded: &[&str]) -> Option<String> {
        let proxies = Networks::parse("t", &["127.0.0.1", "10.9.0.0/24"]).expect("networks");
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().expect("a header"));
        }
        client(&proxies, peer.parse().expect("an address"), &headers).map(|it| it.to_string())
    }

    #[test]
    fn a_named_proxy_is_believed_and_what_the_client_wrote_before_it_is_not() {
        let said = |forwarded: &[&str]| asked("127.0.0.1", forwarded);
        assert_eq!(said(&["198.51.100.7"]).as_deref(), Some("198.51.100.7"));
        assert_eq!(said(&["10.20.0.1, 198.51.100.7"]).as_deref(), Some("198.51.100.7"));
        assert_eq!(said(&["10.20.0.1", "198.51.100.7"]).as_deref(), Some("198.51.100.7"));
        // over two of ours
        assert_eq!(said(&["10.20.0.1, 198.51.100.7, 10.9.0.3"]).as_deref(), Some("198.51.100.7"));
        assert_eq!(said(&["198.51.100.7:51002"]).as_deref(), Some("198.51.100.7"));
        assert_eq!(said(&["[240e::7]:51002"]).as_deref(), Some("240e::7"));
        assert_eq!(asked("::ffff:127.0.0.1", &["198.51.100.7"]).as_deref(), Some("198.51.100.7"));
    }

    #[test]
    fn anybody_elses_word_counts_for_nothing() {
        assert_eq!(asked("198.51.100.7", &["10.20.0.1"]), None);
        assert_eq!(asked("198.51.100.7", &[]).as_deref(), Some("198.51.100.7"));
        for unreadable in ["unknown", "", "10.20.0.1, _hidden", "10.20.0.1,"] {
            assert_eq!(asked("127.0.0.1", &[unreadable]), None, "{unreadable}");
        }
    }

    #[test]
    fn a_proxys_own_machine_asks_for_itself_only_when_it_passes_nothing_on() {
        assert_eq!(asked("127.0.0.1", &[]).as_deref(), Some("127.0.0.1"));
        assert_eq!(asked("127.0.0.1", &["127.0.0.1"]).as_deref(), Some("127.0.0.1"));
        assert_eq!(asked("127.0.0.1", &["10.9.0.3"]).as_deref(), Some("10.9.0.3"));
        let named = Networks::parse("t", &["127.0.0.1"]).expect("a network");
        let mut headers = HeaderMap::new();
        headers.insert("x-real-ip", "198.51.100.7".parse().expect("a header"));
        assert_eq!(client(&named, IpAddr::from([127, 0, 0, 1]), &headers), None);
    }
}
