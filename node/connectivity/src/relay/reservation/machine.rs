//! The machine behind [`super`].

mod choice;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::rest::Resting;
use super::slot::{Phase, Slot};
use super::{
    ANSWER, Failure, HomeReason, Input, Known, LATE, LEAVING, LINGER, LONGEST_LIFE, LONGEST_NOTICE, Output, PATIENCE,
    Purpose, SHORTEST_LIFE, STANDBYS, Settings,
};
use crate::Time;
use crate::relay::estimate::RELAYS;
use darkswap_core::random::Random;

/// The home relay and its warm standbys.
#[derive(Debug)]
pub struct Machine<P> {
    settings: Settings,
    wanted: bool,
    known: BTreeMap<P, Known<P>>,
    slots: BTreeMap<P, Slot>,
    home: Option<P>,
    /// Whether there was a home since reachability was wanted. Before, the first choice is waited for.
    had_home: bool,
    /// The relay that becomes home as soon as it grants.
    suitor: Option<P>,
    resting: Resting<P>,
    reassess: Time,
    announced: Vec<P>,
    short: Option<usize>,
    random: Random,
    outputs: VecDeque<Output<P>>,
}

impl<P: Copy + Ord> Machine<P> {
    /// A machine that knows no relay and wants none. `seed` feeds jitter and the policy.
    #[must_use]
    pub fn new(mut settings: Settings, seed: u64) -> Self {
        settings.standbys = settings.standbys.min(STANDBYS);
        Self {
            settings,
            wanted: false,
            known: BTreeMap::new(),
            slots: BTreeMap::new(),
            home: None,
            had_home: false,
            suitor: None,
            resting: Resting::new(settings.retry),
            reassess: Time::ZERO,
            announced: Vec::new(),
            short: None,
            random: Random::new(seed),
            outputs: VecDeque::new(),
        }
    }

    /// The home relay.
    #[must_use]
    pub fn home(&self) -> Option<P> {
        self.home
    }

    /// The relays with a slot: asked, held or being left. At most `standbys + 3`, [`LATE`] and twice [`LEAVING`].
    pub fn relays(&self) -> impl Iterator<Item = P> {
        self.slots.keys().copied()
    }

    /// Takes note of what happened. Drain [`poll`](Self::poll) afterwards.
    pub fn handle(&mut self, now: Time, input: Input<P>) {
        match input {
            Input::Want => {
                if !std::mem::replace(&mut self.wanted, true) {
                    self.schedule_reassessment(now);
                }
            }
            Input::Unwant => self.unwant(),
            Input::Candidates(known) => {
                self.known = known.into_iter().take(RELAYS).map(|known| (known.relay, known)).collect();
            }
            Input::Granted { relay, life } => self.granted(now, relay, life),
            Input::Refused { relay } => self.refused(now, relay),
            Input::Lost { relay } => self.give_up(now, relay, Failure::Lost),
            Input::Draining { relay, within } => self.draining(now, relay, within),
            Input::Roamed => self.roamed(now),
            Input::Tick => {}
        }
        if self.wanted {
            self.advance(now);
        }
        self.announce();
    }

    /// What to do next; call until `None`.
    pub fn poll(&mut self) -> Option<Output<P>> {
        self.outputs.pop_front()
    }

    /// When to send [`Input::Tick`] if nothing else happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        if !self.wanted {
            return None;
        }
        let slots = self.slots.values().map(|slot| slot.phase.deadline()).min();
        let is_idle = |relay: &P| self.known.contains_key(relay) && !self.slots.contains_key(relay);
        let rests = self.resting.iter().filter(|(relay, _)| is_idle(relay)).map(|(_, until)| until).min();
        [slots, rests.filter(|_| self.missing() > 0), Some(self.reassess)].into_iter().flatten().min()
    }

    fn wanted_slots(&self) -> usize {
        self.settings.standbys + 1
    }

    fn count(&self, is: impl Fn(Phase) -> bool) -> usize {
        self.slots.values().filter(|slot| is(slot.phase)).count()
    }

    fn missing(&self) -> usize {
        let late = self.count(Phase::is_late).min(LATE);
        (self.wanted_slots() + late).saturating_sub(self.count(Phase::counts))
    }

    fn is_sound(&self, relay: P) -> bool {
        self.slots.get(&relay).is_some_and(|slot| slot.phase.is_sound())
    }

    fn unwant(&mut self) {
        self.wanted = false;
        for relay in std::mem::take(&mut self.slots).into_keys() {
            self.outputs.push_back(Output::Release { relay });
        }
        (self.home, self.suitor, self.short, self.had_home) = (None, None, None, false);
    }

    fn granted(&mut self, now: Time, relay: P, life: Duration) {
        let Some(slot) = self.slots.get_mut(&relay) else {
            // An answer that came too late to be of use.
            self.outputs.push_back(Output::Release { relay });
            return;
        };
        match slot.phase {
            Phase::Asked { .. } | Phase::Held { .. } | Phase::Renewing { .. } if life < SHORTEST_LIFE => {
                self.outputs.push_back(Output::Release { relay });
                self.give_up(now, relay, Failure::TooShort);
            }
            // What is held was renewed without having been asked for: libp2p does that as well.
            Phase::Asked { .. } | Phase::Held { .. } | Phase::Renewing { .. } => {
                let life = life.min(LONGEST_LIFE);
                let renew = now + self.random.between(life / 2, life * 3 / 4);
                slot.phase = Phase::Held { renew, expires: now + life };
                self.resting.of(relay, &mut self.random).granted(now);
                if self.suitor == Some(relay) {
                    self.suitor = None;
                    let reason = if self.home.is_some() { HomeReason::Better } else { HomeReason::First };
                    self.move_home(Some(relay), reason);
                }
            }
            Phase::Ending { .. } | Phase::Leaving { .. } => {}
        }
    }

    fn refused(&mut self, now: Time, relay: P) {
        let Some(slot) = self.slots.get_mut(&relay) else { return };
        match slot.phase {
            Phase::Asked { .. } => self.give_up(now, relay, Failure::Refused),
            // What was promised still holds until its end.
            Phase::Renewing { expires, .. } => slot.phase = Phase::Ending { at: expires },
            Phase::Held { .. } | Phase::Ending { .. } | Phase::Leaving { .. } => {}
        }
    }

    fn draining(&mut self, now: Time, relay: P, within: Duration) {
        let end = now + within.min(LONGEST_NOTICE);
        if self.known.contains_key(&relay) || self.slots.contains_key(&relay) {
            let rest = self.resting.of(relay, &mut self.random);
            rest.stops = rest.stops.max(end);
        }
        let Some(slot) = self.slots.get_mut(&relay) else { return };
        match &mut slot.phase {
            Phase::Asked { .. } => {
                self.outputs.push_back(Output::Release { relay });
                self.give_up(now, relay, Failure::Ended);
            }
            Phase::Held { expires, .. } | Phase::Renewing { expires, .. } => {
                slot.phase = Phase::Ending { at: end.min(*expires) };
            }
            Phase::Ending { at } | Phase::Leaving { until: at } => *at = end.min(*at),
        }
    }

    fn roamed(&mut self, now: Time) {
        for slot in self.slots.values_mut() {
            if let Phase::Held { renew, .. } = &mut slot.phase {
                *renew = (*renew).min(now);
            }
        }
    }

    /// Forgets a relay's slot after a failure, and leaves the relay alone for a while.
    fn give_up(&mut self, now: Time, relay: P, failure: Failure) {
        let Some(slot) = self.slots.remove(&relay) else { return };
        if self.suitor == Some(relay) {
            self.suitor = None;
        }
        if matches!(slot.phase, Phase::Leaving { .. }) {
            return;
        }
        self.resting.of(relay, &mut self.random).failed(now);
        self.outputs.push_back(Output::Failed { relay, failure });
    }

    /// Does what the state and the time ask for.
    fn advance(&mut self, now: Time) {
        self.expire(now);
        self.lose_patience(now);
        self.renew(now);
        self.promote();
        if now >= self.reassess {
            self.schedule_reassessment(now);
            self.seek_better(now);
        }
        self.fill(now);
        self.trim(now);
        self.note_shortage();
    }

    fn schedule_reassessment(&mut self, now: Time) {
        let mean = self.settings.reassess;
        self.reassess = now + self.random.between(mean * 3 / 4, mean * 5 / 4).max(Duration::from_millis(1));
    }

    fn expire(&mut self, now: Time) {
        let due = |slot: &Slot| match slot.phase {
            Phase::Held { expires, .. } => now >= expires,
            Phase::Asked { until, .. } => now >= until,
            Phase::Renewing { .. } | Phase::Ending { .. } | Phase::Leaving { .. } => now >= slot.phase.deadline(),
        };
        let due: Vec<(P, Phase)> =
            self.slots.iter().filter(|(_, slot)| due(slot)).map(|(relay, slot)| (*relay, slot.phase)).collect();
        for (relay, phase) in due {
            self.outputs.push_back(Output::Release { relay });
            let failure = match phase {
                Phase::Asked { .. } | Phase::Renewing { .. } => Failure::TimedOut,
                Phase::Held { .. } | Phase::Ending { .. } | Phase::Leaving { .. } => Failure::Ended,
            };
            self.give_up(now, relay, failure);
        }
    }

    fn lose_patience(&mut self, now: Time) {
        for slot in self.slots.values_mut() {
            if let Phase::Asked { patience, .. } = &mut slot.phase {
                *patience = patience.filter(|at| now < *at);
            }
        }
    }

    fn renew(&mut self, now: Time) {
        for (relay, slot) in &mut self.slots {
            if let Phase::Held { renew, expires } = slot.phase
                && now >= renew
            {
                slot.phase = Phase::Renewing { until: now + ANSWER, expires };
                self.outputs.push_back(Output::Reserve { relay: *relay, purpose: Purpose::Renewal });
            }
        }
    }

    /// Makes another held relay the home when the home is gone or about to stop.
    fn promote(&mut self) {
        if self.home.is_some_and(|home| self.is_sound(home)) || (!self.had_home && self.awaited().is_some()) {
            return;
        }
        let held: Vec<P> =
            self.slots.iter().filter(|(_, slot)| slot.phase.is_sound()).map(|(relay, _)| *relay).collect();
        let ending = self.home.filter(|home| self.slots.get(home).is_some_and(|slot| slot.phase.is_announced()));
        let reason = match (self.home, ending) {
            (None, _) => HomeReason::First,
            (Some(_), Some(_)) => HomeReason::Ending,
            (Some(_), None) => HomeReason::Failed,
        };
        match self.choose(&held, None) {
            Some(next) => {
                self.suitor = self.awaited();
                self.move_home(Some(next), reason);
            }
            // A home that is about to stop is better than none.
            None if ending.is_none() => self.move_home(None, reason),
            None => {}
        }
    }

    /// The suitor, unless it is late.
    fn awaited(&self) -> Option<P> {
        self.suitor.filter(|suitor| self.slots.get(suitor).is_some_and(|slot| !slot.phase.is_late()))
    }

    fn move_home(&mut self, to: Option<P>, reason: HomeReason) {
        let from = std::mem::replace(&mut self.home, to);
        self.had_home |= to.is_some();
        if from != to {
            self.outputs.push_back(Output::Home { from, to, reason });
        }
    }

    /// Asks the policy whether there is a better home, and gets its reservation before the change.
    fn seek_better(&mut self, now: Time) {
        let Some(home) = self.home.filter(|home| self.is_sound(*home)) else { return };
        if self.suitor.is_some() {
            return;
        }
        let held = self.slots.iter().filter(|(_, slot)| slot.phase.is_sound()).map(|(relay, _)| *relay);
        let idle = self.idle(now).into_iter().filter(|relay| self.answers(*relay));
        let all: Vec<P> = held.chain(idle).collect();
        match self.choose(&all, Some(home)) {
            Some(best) if best == home => {}
            Some(best) if self.is_sound(best) => self.move_home(Some(best), HomeReason::Better),
            Some(best) => {
                self.suitor = Some(best);
                self.ask(now, best);
            }
            None => {}
        }
    }

    fn ask(&mut self, now: Time, relay: P) {
        let prefixes = self.known.get(&relay).map(|known| known.prefixes.clone()).unwrap_or_default();
        self.slots.insert(relay, Slot { prefixes, phase: Phase::Asked { patience: Some(now + PATIENCE), until: now + ANSWER } });
        self.outputs.push_back(Output::Reserve { relay, purpose: Purpose::New });
    }

    /// Asks as many relays as are missing; then one in place of a standby that is not independent.
    fn fill(&mut self, now: Time) {
        while self.missing() > 0 {
            let soundest = self.soundest(now);
            let Some(next) = self.choose(&soundest, None) else { return };
            if self.home.is_none() && self.suitor.is_none() {
                self.suitor = Some(next);
            }
            self.ask(now, next);
        }
        if self.count(Phase::is_asked) == 0 && self.dependent().is_some() {
            let mut better = self.soundest(now);
            better.retain(|relay| self.answers(*relay) && self.would_be_independent(*relay));
            if let Some(next) = self.choose(&better, None) {
                self.ask(now, next);
            }
        }
    }

    /// Leaves standbys beyond those wanted, and relays that are about to stop as soon as there are enough others.
    fn trim(&mut self, now: Time) {
        while self.count(Phase::is_sound) > self.wanted_slots() {
            let Some(surplus) = self.dependent().or_else(|| self.dearest()) else { break };
            self.leave(surplus, now + LINGER);
        }
        if self.count(Phase::is_sound) >= self.wanted_slots() {
            let ends = |phase| if let Phase::Ending { at } = phase { Some(at) } else { None };
            let ending: Vec<(P, Time)> =
                self.slots.iter().filter_map(|(relay, slot)| Some((*relay, ends(slot.phase)?))).collect();
            for (relay, at) in ending {
                self.leave(relay, at.min(now + LINGER));
            }
        }
        self.bound(|phase| if let Phase::Leaving { until } = phase { Some(until) } else { None });
        self.bound(|phase| if let Phase::Ending { at } = phase { Some(at) } else { None });
    }

    /// Keeps the [`LEAVING`] slots of one phase that end last.
    fn bound(&mut self, end: impl Fn(Phase) -> Option<Time>) {
        let of_phase = self.slots.iter().filter_map(|(relay, slot)| Some((end(slot.phase)?, *relay)));
        let mut ends: Vec<(Time, P)> = of_phase.collect();
        ends.sort_unstable();
        for (_, relay) in ends.iter().rev().skip(LEAVING) {
            self.slots.remove(relay);
            self.outputs.push_back(Output::Release { relay: *relay });
        }
    }

    fn leave(&mut self, relay: P, until: Time) {
        if let Some(slot) = self.slots.get_mut(&relay) {
            slot.phase = Phase::Leaving { until };
        }
    }

    fn note_shortage(&mut self) {
        let (held, wanted) = (self.count(Phase::is_sound), self.wanted_slots());
        let short = (self.missing() > 0).then_some(held);
        if short != self.short {
            self.short = short;
            if short.is_some() {
                self.outputs.push_back(Output::Short { held, wanted });
            }
        }
    }

    fn announce(&mut self) {
        let is_home = |relay: &P| self.home == Some(*relay);
        let announced = self.slots.iter().filter(|(_, slot)| slot.phase.is_announced()).map(|(relay, _)| *relay);
        let mut relays: Vec<P> = announced.collect();
        relays.sort_by_key(|relay| !is_home(relay));
        if relays != self.announced {
            self.announced.clone_from(&relays);
            self.outputs.push_back(Output::Announce { relays });
        }
    }
}
