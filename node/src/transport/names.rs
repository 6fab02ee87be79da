//! Host names in addresses: `/dns`, `/dns4` and `/dns6` are resolved through the seam before the inner transport dials.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, Transport};

use crate::Runtime;
use crate::limits::fixed::stream::NAME_ADDRESSES;

/// A transport that resolves names for another one.
pub(super) struct Names<T> {
    inner: Arc<Mutex<T>>,
    runtime: Arc<dyn Runtime>,
}

impl<T> Names<T> {
    pub(super) fn new(inner: T, runtime: Arc<dyn Runtime>) -> Self {
        Self { inner: Arc::new(Mutex::new(inner)), runtime }
    }
}

impl<T> Transport for Names<T>
where
    T: Transport + Send + Unpin + 'static,
    T::Dial: Send,
    T::Error: Send + Sync,
{
    type Output = T::Output;
    type Error = io::Error;
    type ListenerUpgrade = futures::future::MapErr<T::ListenerUpgrade, fn(T::Error) -> io::Error>;
    type Dial = BoxFuture<'static, io::Result<T::Output>>;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<io::Error>> {
        lock(&self.inner).listen_on(id, address).map_err(|error| error.map(io::Error::other))
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        lock(&self.inner).remove_listener(id)
    }

    fn dial(&mut self, address: Multiaddr, options: DialOpts) -> Result<Self::Dial, TransportError<io::Error>> {
        let Some(name) = name(&address) else {
            let dial = lock(&self.inner).dial(address, options).map_err(|error| error.map(io::Error::other))?;
            return Ok(async move { dial.await.map_err(io::Error::other) }.boxed());
        };
        let resolved = self.runtime.resolve(&name);
        let inner = Arc::clone(&self.inner);
        Ok(async move {
            let mut last =
                io::Error::new(io::ErrorKind::NotFound, format!("{name} has no address of the asked family"));
            let candidates = resolved.await?.into_iter().filter_map(|ip| with_ip(&address, ip)).take(NAME_ADDRESSES);
            for candidate in candidates {
                let dial = match lock(&inner).dial(candidate, options) {
                    Ok(dial) => dial,
                    Err(error) => {
                        last = io::Error::other(error.map(io::Error::other));
                        continue;
                    }
                };
                match dial.await {
                    Ok(output) => return Ok(output),
                    Err(error) => last = io::Error::other(error),
                }
            }
            Err(last)
        }
        .boxed())
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        let into_io: fn(T::Error) -> io::Error = io::Error::other;
        Pin::new(&mut *lock(&self.inner)).poll(cx).map(|event| {
            event.map_upgrade(|upgrade| futures::TryFutureExt::map_err(upgrade, into_io)).map_err(io::Error::other)
        })
    }
}

fn lock<T>(inner: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The host name that an address begins with.
fn name(address: &Multiaddr) -> Option<String> {
    match address.iter().next()? {
        Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) => Some(name.into_owned()),
        _ => None,
    }
}

/// The address with its name replaced, unless the name asks for the other family.
fn with_ip(address: &Multiaddr, ip: IpAddr) -> Option<Multiaddr> {
    let fits = match address.iter().next()? {
        Protocol::Dns4(_) => ip.is_ipv4(),
        Protocol::Dns6(_) => ip.is_ipv6(),
        _ => true,
    };
    fits.then(|| std::iter::once(Protocol::from(ip)).chain(address.iter().skip(1)).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::transport::arbitrary;

    #[test]
    fn a_name_is_replaced_by_addresses_of_its_family() {
        let address: Multiaddr = "/dns4/relay.example/udp/4001/quic-v1".parse().unwrap();
        assert_eq!(name(&address).as_deref(), Some("relay.example"));
        assert_eq!(
            with_ip(&address, "10.0.0.1".parse().unwrap()).unwrap().to_string(),
            "/ip4/10.0.0.1/udp/4001/quic-v1"
        );
        assert_eq!(with_ip(&address, "::1".parse().unwrap()), None);
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn a_resolved_address_has_an_ip_for_its_name_and_is_the_same_otherwise(
            address in arbitrary::multiaddr(),
            ip: IpAddr,
        ) {
            if name(&address).is_some() && let Some(resolved) = with_ip(&address, ip) {
                prop_assert_eq!(resolved.iter().next(), Some(Protocol::from(ip)));
                prop_assert!(resolved.iter().skip(1).eq(address.iter().skip(1)));
                prop_assert_eq!(name(&resolved), None);
            }
        }
    }
}
