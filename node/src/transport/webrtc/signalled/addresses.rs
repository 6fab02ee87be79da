//! The host's addresses, looked at now and then, and what a change of them means for a connection.
//!
//! The seam tells addresses when asked and no news of them, as hosts do it in many ways. Asking is cheap, and one look serves all
//! connections of the node.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::sockets::usable;
use crate::Runtime;

/// Pause between two looks: well below the 5 s of silence after which ICE notices a lost address by itself.
pub(super) const LOOK: Duration = Duration::from_secs(2);
/// The shortest pause between two restarts because of addresses, which doubles with each that follows on the heels of another, and its
/// cap: an interface that comes and goes must not restart for ever, and a host that has moved must not wait long.
const HOLD_OFF: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(320));

/// The host's addresses as of the last look.
#[derive(Debug, Default)]
pub(super) struct Addresses(Mutex<Option<(Instant, BTreeSet<IpAddr>)>>);

impl Addresses {
    /// The addresses at which the host may be reached, in its order.
    ///
    /// # Errors
    /// When the host does not tell.
    pub(super) fn read(&self, runtime: &dyn Runtime) -> io::Result<Vec<IpAddr>> {
        let found = usable(runtime.local_addresses()?);
        let known = Some((Instant::now(), found.iter().copied().collect()));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(found)
    }

    /// The same as of the last [`LOOK`]; `None` when the host does not tell.
    pub(super) fn look(&self, runtime: &dyn Runtime) -> Option<BTreeSet<IpAddr>> {
        if let Some((at, known)) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner)
            && at.elapsed() < LOOK
        {
            return Some(known.clone());
        }
        match self.read(runtime) {
            Ok(found) => Some(found.into_iter().collect()),
            Err(error) => {
                tracing::debug!(%error, "the host's addresses cannot be listed");
                None
            }
        }
    }
}

/// The addresses that the host had when a connection's sockets were bound, and when a change may be acted upon.
#[derive(Debug)]
pub(super) struct Roaming {
    bound: BTreeSet<IpAddr>,
    hold_off: Duration,
    /// Until when nothing is done.
    until: Option<Instant>,
}

impl Roaming {
    /// For sockets that were bound when the host had these addresses.
    pub(super) fn new(bound: BTreeSet<IpAddr>) -> Self {
        Self { bound, hold_off: HOLD_OFF.0, until: None }
    }

    /// Sockets were bound anew.
    pub(super) fn set_bound(&mut self, bound: BTreeSet<IpAddr>) {
        self.bound = bound;
    }

    /// Whether the host has lost all its addresses: others will come, and until then there is nothing to bind to.
    pub(super) fn is_offline(&self, current: &BTreeSet<IpAddr>) -> bool {
        current.iter().all(IpAddr::is_loopback) && !self.bound.iter().all(IpAddr::is_loopback)
    }

    /// Whether the host's addresses are others than those of the sockets.
    pub(super) fn has_moved(&self, current: &BTreeSet<IpAddr>) -> bool {
        !self.is_offline(current) && *current != self.bound
    }

    /// Whether a restart may begin now because of that; if so, the hold-off begins.
    pub(super) fn may_restart(&mut self, now: Instant) -> bool {
        match self.until {
            Some(until) if now < until => return false,
            // On the heels of the last one.
            Some(until) if now < until + self.hold_off => self.hold_off = (self.hold_off * 2).min(HOLD_OFF.1),
            Some(_) | None => self.hold_off = HOLD_OFF.0,
        }
        self.until = Some(now + self.hold_off);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> BTreeSet<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_host_without_any_address_has_not_moved() {
        let roaming = Roaming::new(ips(&["10.0.0.1", "10.1.0.1"]));
        assert!(!roaming.has_moved(&ips(&["10.0.0.1", "10.1.0.1"])));
        assert!(roaming.has_moved(&ips(&["10.0.0.1"])) && roaming.has_moved(&ips(&["10.0.0.2"])));
        assert!(!roaming.has_moved(&ips(&["127.0.0.1"])) && !roaming.has_moved(&ips(&[])));
        assert!(Roaming::new(ips(&["127.0.0.1"])).has_moved(&ips(&["127.0.0.1", "127.0.0.2"])));
    }

    #[test]
    fn an_interface_that_comes_and_goes_restarts_ever_more_rarely_and_a_quiet_one_at_once() {
        let mut roaming = Roaming::new(ips(&["10.0.0.1"]));
        let begin = Instant::now();
        let seconds = (0..3_600).filter(|second| roaming.may_restart(begin + Duration::from_secs(*second)));
        let seconds: Vec<u64> = seconds.collect();
        assert_eq!(seconds[..8], [0, 5, 15, 35, 75, 155, 315, 635]);
        assert!(seconds.len() < 20, "{seconds:?}");
        let quiet = begin + Duration::from_secs(3_600) + 2 * HOLD_OFF.1;
        assert!(roaming.may_restart(quiet));
        assert!(!roaming.may_restart(quiet + HOLD_OFF.0 / 2) && roaming.may_restart(quiet + HOLD_OFF.0));
    }
}
