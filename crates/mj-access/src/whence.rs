//! From where somebody comes, and whether an administrator may come from there.

use std::net::IpAddr;

use axum::http::request::Parts;
use mj_web::Relayed;

use crate::model::AccountClass;
use crate::{Access, session};

/// Where somebody stands who wants to enter.
#[derive(Debug, Clone, Copy)]
pub enum Whence {
    /// At the machine, with a command.
    Machine,
    /// At the other end of a connection.
    Network {
        address: Option<IpAddr>,
        /// The address is that of somebody unknown who passed the request on.
        relayed: bool,
    },
}

impl Whence {
    pub fn of(request: &Parts) -> Self {
        let relayed = request.extensions.get::<Relayed>().is_some();
        Self::Network { address: session::address(request), relayed }
    }

    pub fn address(self) -> Option<IpAddr> {
        match self {
            Self::Machine => None,
            Self::Network { address, .. } => address,
        }
    }
}

impl Access {
    /// Whether an administrator may enter from there; without a list, from everywhere.
    pub(crate) fn admits_administrators(&self, from: Whence) -> bool {
        match from {
            Whence::Machine => true,
            Whence::Network { address, relayed } => {
                let listed = |address| !relayed && self.admin_networks.contains(address);
                self.admin_networks.is_empty() || address.is_some_and(listed)
            }
        }
    }

    pub(crate) fn admits(&self, class: AccountClass, from: Whence) -> bool {
        class != AccountClass::Admin || self.admits_administrators(from)
    }
}
