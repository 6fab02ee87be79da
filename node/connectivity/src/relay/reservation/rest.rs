//! Relays that failed, and until when they are left alone.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Time;
use crate::backoff::Reconnection;
use crate::relay::estimate::RELAYS;
use darkswap_core::random::Random;

/// What is remembered of the relays that were used, [`RELAYS`] at most.
#[derive(Debug)]
pub(super) struct Resting<P> {
    retry: (Duration, Duration),
    relays: BTreeMap<P, Rest>,
}

#[derive(Debug)]
pub(super) struct Rest {
    reconnection: Reconnection,
    /// Failures since it last granted.
    failures: u32,
    /// When it will have stopped, after its own notice.
    pub(super) stops: Time,
}

impl Rest {
    pub(super) fn granted(&mut self, now: Time) {
        self.failures = 0;
        self.reconnection.opened(now);
    }

    pub(super) fn failed(&mut self, now: Time) {
        self.failures = self.failures.saturating_add(1);
        self.reconnection.lost(now);
    }

    fn until(&self) -> Time {
        self.reconnection.next().max(self.stops)
    }
}

impl<P: Copy + Ord> Resting<P> {
    pub(super) fn new(retry: (Duration, Duration)) -> Self {
        Self { retry, relays: BTreeMap::new() }
    }

    /// Until when the relay is left alone.
    pub(super) fn until(&self, relay: P) -> Time {
        self.relays.get(&relay).map_or(Time::ZERO, Rest::until)
    }

    /// How often the relay failed since it last granted.
    pub(super) fn failures(&self, relay: P) -> u32 {
        self.relays.get(&relay).map_or(0, |rest| rest.failures)
    }

    /// Every relay with the time until which it is left alone.
    pub(super) fn iter(&self) -> impl Iterator<Item = (P, Time)> {
        self.relays.iter().map(|(relay, rest)| (*relay, rest.until()))
    }

    /// A relay's entry. Of too many, the one that could be asked again first makes room.
    pub(super) fn of(&mut self, relay: P, random: &mut Random) -> &mut Rest {
        if !self.relays.contains_key(&relay) && self.relays.len() >= RELAYS {
            let first = self.iter().min_by_key(|(_, until)| *until).map(|(relay, _)| relay);
            first.and_then(|relay| self.relays.remove(&relay));
        }
        let (base, cap) = self.retry;
        let rest = || Rest { reconnection: Reconnection::new(base, cap, random.bits()), failures: 0, stops: Time::ZERO };
        self.relays.entry(relay).or_insert_with(rest)
    }
}
