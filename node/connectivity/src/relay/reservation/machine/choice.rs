//! Which relays can be chosen, and which of them is.

use super::Machine;
use crate::Time;
use crate::prefix::Prefixes;
use crate::relay::policy::{Candidate, View, cost};

impl<P: Copy + Ord> Machine<P> {
    /// Relays that can be asked now.
    pub(super) fn idle(&self, now: Time) -> Vec<P> {
        let rested = |relay: &P| self.resting.until(*relay) <= now;
        self.known.keys().filter(|relay| !self.slots.contains_key(relay) && rested(relay)).copied().collect()
    }

    /// Of the relays that can be asked now those that are most likely to be of use, as [`super::super`] says.
    pub(super) fn soundest(&self, now: Time) -> Vec<P> {
        let rank = |relay: &P| (!self.answers(*relay), !self.would_be_independent(*relay), self.resting.failures(*relay));
        let mut idle = self.idle(now);
        let best = idle.iter().map(rank).min();
        idle.retain(|relay| Some(rank(relay)) == best);
        idle
    }

    pub(super) fn answers(&self, relay: P) -> bool {
        self.known.get(&relay).is_some_and(|known| known.answers)
    }

    /// The policy's choice among these relays, in order of their ids.
    pub(super) fn choose(&mut self, relays: &[P], current: Option<P>) -> Option<P> {
        let candidates: Vec<Candidate> = relays.iter().map(|relay| self.candidate(*relay)).collect();
        let current = current.and_then(|current| relays.iter().position(|relay| *relay == current));
        let parameters = &self.settings.parameters;
        let view = View { candidates: &candidates, current, parameters, bits: self.random.bits() };
        self.settings.policy.choose(&view).and_then(|index| relays.get(index).copied())
    }

    /// What is known of a relay; of one that is held but no longer among the candidates, nothing good.
    pub(super) fn candidate(&self, relay: P) -> Candidate {
        let unknown = Candidate { rtt: None, loss: 0.0, load: 1.0, success: 0.0, hint: None };
        self.known.get(&relay).map_or(unknown, |known| known.candidate)
    }

    /// Whether the relay shares no prefix with any other that counts.
    fn is_independent(&self, relay: P, prefixes: &Prefixes) -> bool {
        let others = self.slots.iter().filter(|(other, slot)| **other != relay && slot.phase.counts());
        others.into_iter().all(|(_, slot)| prefixes.is_independent_of(&slot.prefixes))
    }

    pub(super) fn would_be_independent(&self, relay: P) -> bool {
        self.known.get(&relay).is_some_and(|known| self.is_independent(relay, &known.prefixes))
    }

    /// A standby that shares a prefix with another relay in use.
    pub(super) fn dependent(&self) -> Option<P> {
        let standbys = self.slots.iter().filter(|(relay, slot)| self.home != Some(**relay) && slot.phase.is_sound());
        let mut dependent = standbys.filter(|(relay, slot)| !self.is_independent(**relay, &slot.prefixes));
        dependent.next_back().map(|(relay, _)| *relay)
    }

    /// The standby that costs most.
    pub(super) fn dearest(&self) -> Option<P> {
        let standbys = self.slots.iter().filter(|(relay, slot)| self.home != Some(**relay) && slot.phase.is_sound());
        let price = |relay: P| cost(&self.candidate(relay), &self.settings.parameters);
        standbys.map(|(relay, _)| *relay).max_by_key(|relay| (price(*relay), *relay))
    }
}
