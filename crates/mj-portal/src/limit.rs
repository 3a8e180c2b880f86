//! How often one source address may write without an account. Addresses are not kept: only a keyed
//! digest of the bucket, in memory, for the hour it counts.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use mj_kernel::Instant;
use mj_platform::gm;

const HOUR_MICROS: i64 = 3_600 * 1_000_000;
/// Buckets remembered; the oldest are forgotten beyond that, so that a flood costs no memory.
const BUCKETS: usize = 20_000;

/// Where a request comes from, as coarse as it is judged: one IPv4 address, or one IPv6 /64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bucket([u8; 8]);

impl Bucket {
    pub fn of(peer: Option<IpAddr>) -> Self {
        let mut bytes = [0; 8];
        match peer.map(|peer| peer.to_canonical()) {
            Some(IpAddr::V4(address)) => bytes[..4].copy_from_slice(&address.octets()),
            Some(IpAddr::V6(address)) => bytes.copy_from_slice(&address.octets()[..8]),
            None => {}
        }
        Self(bytes)
    }
}

/// The bucket of a request; what comes from within the house shares one.
pub struct From(pub Bucket);

impl<S: Sync> FromRequestParts<S> for From {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        Ok(Self(Bucket::of(peer)))
    }
}

pub struct Limiter {
    key: [u8; 16],
    counts: Mutex<HashMap<[u8; 16], Counter>>,
}

#[derive(Debug, Clone, Copy)]
struct Counter {
    since: Instant,
    count: u32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { key: gm::random::<16>(), counts: Mutex::default() }
    }
}

impl Limiter {
    /// Counts one more of `what` from here; false once there were `most` within the hour.
    pub fn admit(&self, what: &str, bucket: Bucket, most: u32, now: Instant) -> bool {
        let mut digest = gm::Sm3::new();
        digest.update(&self.key);
        digest.update(what.as_bytes());
        digest.update(&bucket.0);
        let mut key = [0; 16];
        key.copy_from_slice(&digest.finish()[..16]);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= BUCKETS {
            counts.retain(|_, counter| now - counter.since < HOUR_MICROS);
        }
        if counts.len() >= BUCKETS {
            counts.clear();
        }
        let counter = counts.entry(key).or_insert(Counter { since: now, count: 0 });
        if now - counter.since >= HOUR_MICROS {
            *counter = Counter { since: now, count: 0 };
        }
        counter.count = counter.count.saturating_add(1);
        counter.count <= most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_is_held_back_for_the_hour_and_its_neighbour_is_not() {
        let limiter = Limiter::default();
        let at = |text: &str| Bucket::of(text.parse().ok());
        let ask = |from, now| limiter.admit("correction", from, 2, now);
        assert!(ask(at("203.0.113.7"), 0) && ask(at("203.0.113.7"), 1));
        assert!(!ask(at("203.0.113.7"), 2));
        assert!(!ask(at("::ffff:203.0.113.7"), 3), "the same address in the other notation");
        assert!(ask(at("203.0.113.8"), 2));
        assert!(ask(at("203.0.113.7"), HOUR_MICROS + 1));
        assert_eq!(at("2001:db8:1:2::1"), at("2001:db8:1:2:ffff::9"));
        assert_ne!(at("2001:db8:1:2::1"), at("2001:db8:1:3::1"));
    }
}
