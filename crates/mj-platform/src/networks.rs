//! Networks as an operator writes them, in CIDR. An IPv4 address inside IPv6 (`::ffff:10.1.2.3`, which a socket for
//! both families sees) is that IPv4 address, and a network of such addresses is the IPv4 network.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};

use crate::error::{Error, Result};

/// A list of networks; the empty one holds nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Arc<[IpNet]>);

impl Networks {
    /// Reads the value of a setting; what cannot be read is named with how it should be written.
    pub fn parse<T: AsRef<str>>(setting: &str, written: &[T]) -> Result<Self> {
        let nets = written.iter().map(|text| {
            read(text.as_ref().trim())
                .map_err(|why| Error::Config(format!("{setting} 中的 {} {why}", text.as_ref())))
        });
        Ok(Self(nets.collect::<Result<Vec<_>>>()?.into()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|net| net.contains(&address))
    }
}

fn read(text: &str) -> std::result::Result<IpNet, String> {
    const HOW: &str = "不是网段，应写成 10.20.0.0/16、10.20.3.4 或 240e:1:2::/48";
    let net = match text.contains('/') {
        true => text.parse::<IpNet>().map_err(|_| HOW.to_owned())?,
        false => IpNet::from(text.parse::<IpAddr>().map_err(|_| HOW.to_owned())?),
    };
    if net.addr() != net.network() {
        return Err(format!("的主机位不为零，应写成 {}", net.trunc()));
    }
    if let IpNet::V6(six) = net
        && let Some(four) = six.addr().to_ipv4_mapped()
        && let Some(bits) = six.prefix_len().checked_sub(96)
    {
        return Ipv4Net::new(four, bits).map(IpNet::V4).map_err(|_| HOW.to_owned());
    }
    Ok(net)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Networks {
        Networks::parse("access.admin_networks", &[text]).expect("a network")
    }

    fn at(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_is_in_its_network_whichever_way_it_is_written() {
        for (net, inside, outside) in [
            ("10.20.0.0/16", "10.20.255.1", "10.21.0.1"),
            ("10.20.0.0/16", "::ffff:10.20.3.4", "::ffff:10.21.3.4"),
            ("::ffff:10.20.0.0/112", "10.20.3.4", "10.21.3.4"),
            ("10.20.3.4", "10.20.3.4", "10.20.3.5"),
            ("240e:1:2::/48", "240e:1:2:ffff::1", "240e:1:3::1"),
            ("0.0.0.0/0", "8.8.8.8", "240e::1"),
            ("::/0", "240e::1", "8.8.8.8"),
        ] {
            assert!(of(net).contains(at(inside)), "{inside} in {net}");
            assert!(!of(net).contains(at(outside)), "{outside} not in {net}");
        }
        assert!(!Networks::default().contains(at("127.0.0.1")));
    }

    #[test]
    fn what_is_no_network_is_said_with_the_mend() {
        let said = |text: &str| {
            let read = Networks::parse("access.admin_networks", &["10.0.0.0/8", text]);
            read.expect_err(text).to_string()
        };
        for text in ["", "办公网", "10.20.0.0/33", "10.20/16", "10.20.0.0/", "::1/129", "a/b"] {
            let said = said(text);
            assert!(said.contains("access.admin_networks") && said.contains("不是网段"), "{said}");
        }
        let said = said("10.20.3.4/16");
        assert!(said.contains("主机位不为零") && said.contains("10.20.0.0/16"), "{said}");
    }
}
