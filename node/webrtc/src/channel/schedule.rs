//! The order in which messages of competing channels leave (RFC 8831 section 6.4).
//!
//! Deficit round robin: whoever has the turn gets credit by its weight and sends while the credit lasts. So the shares hold in bytes,
//! whatever the messages' sizes, and nobody starves.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use bytes::Bytes;

use super::{ChannelId, Priority};

/// Credit of one turn and one part of weight: small, so that a low channel's turn does not hold up a high one for long.
const QUANTUM: usize = 1024;
/// What a message costs besides its bytes: about its headers, so that empty ones are not free.
const OVERHEAD: usize = 64;

/// The messages that wait for their turn.
#[derive(Default)]
pub(crate) struct Schedule {
    lanes: BTreeMap<ChannelId, Lane>,
    turns: VecDeque<ChannelId>,
    /// Whether the channel at the front has had this turn's credit.
    granted: bool,
}

struct Lane {
    weight: usize,
    credit: usize,
    bytes: usize,
    messages: VecDeque<Message>,
}

/// A message that waits.
pub(crate) struct Message {
    pub(crate) payload: Bytes,
    /// When it is no longer worth sending.
    pub(crate) expires: Option<Instant>,
}

impl Schedule {
    pub(crate) fn push(&mut self, channel: ChannelId, priority: Priority, message: Message) {
        let lane = self.lanes.entry(channel).or_insert_with(|| {
            self.turns.push_back(channel);
            Lane { weight: priority.weight() as usize, credit: 0, bytes: 0, messages: VecDeque::new() }
        });
        lane.bytes += message.payload.len() + OVERHEAD;
        lane.messages.push_back(message);
    }

    /// The next message to send. `emptied` hears of the channels whose last messages all came too late.
    pub(crate) fn pop(&mut self, now: Instant, mut emptied: impl FnMut(ChannelId)) -> Option<(ChannelId, Message)> {
        loop {
            let channel = *self.turns.front()?;
            let lane = self.lanes.get_mut(&channel).expect("a channel with a turn has a lane");
            while let Some(message) = lane.messages.pop_front_if(|message| message.expires.is_some_and(|at| at <= now))
            {
                lane.bytes -= message.payload.len() + OVERHEAD;
            }
            if !self.granted {
                lane.credit += lane.weight * QUANTUM;
                self.granted = true;
            }
            let Some(cost) = lane.messages.front().map(|message| message.payload.len() + OVERHEAD) else {
                self.remove(channel);
                emptied(channel);
                continue;
            };
            if lane.credit < cost {
                self.turns.rotate_left(1);
                self.granted = false;
                continue;
            }
            lane.credit -= cost;
            let message = lane.messages.pop_front().expect("its cost was just looked up");
            lane.bytes -= message.payload.len() + OVERHEAD;
            if lane.messages.is_empty() {
                self.remove(channel);
            }
            return Some((channel, message));
        }
    }

    /// How many bytes of the channel wait, with an overhead per message.
    pub(crate) fn bytes(&self, channel: ChannelId) -> usize {
        self.lanes.get(&channel).map_or(0, |lane| lane.bytes)
    }

    /// Whether messages of the channel wait, even empty ones.
    pub(crate) fn holds(&self, channel: ChannelId) -> bool {
        self.lanes.contains_key(&channel)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Forgets the channel's messages.
    pub(crate) fn remove(&mut self, channel: ChannelId) {
        if self.lanes.remove(&channel).is_none() {
            return;
        }
        if self.turns.front() == Some(&channel) {
            self.granted = false;
            self.turns.pop_front();
        } else {
            self.turns.retain(|other| *other != channel);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HIGH: ChannelId = ChannelId(1);
    const LOW: ChannelId = ChannelId(2);

    #[expect(clippy::disallowed_methods, reason = "only a start from which virtual time is counted")]
    fn now() -> Instant {
        Instant::now()
    }

    fn message(length: usize) -> Message {
        Message { payload: Bytes::from(vec![0; length]), expires: None }
    }

    fn pop(schedule: &mut Schedule) -> Option<(ChannelId, usize)> {
        schedule.pop(now(), |_| ()).map(|(channel, message)| (channel, message.payload.len()))
    }

    #[test]
    fn shares_follow_the_weights_whatever_the_sizes() {
        let mut schedule = Schedule::default();
        for _ in 0..4000 {
            schedule.push(HIGH, Priority::High, message(1000));
        }
        for _ in 0..500 {
            schedule.push(LOW, Priority::VeryLow, message(16_000));
        }
        let mut sent = BTreeMap::from([(HIGH, 0), (LOW, 0)]);
        while sent.values().sum::<usize>() < 2_000_000 {
            let (channel, length) = pop(&mut schedule).unwrap();
            *sent.get_mut(&channel).unwrap() += length;
        }
        let ratio = sent[&HIGH] as f64 / sent[&LOW] as f64;
        assert!((6.5..9.0).contains(&ratio), "{ratio}");
    }

    #[test]
    fn a_channel_alone_sends_without_pause_and_in_order() {
        let mut schedule = Schedule::default();
        for length in [16_384, 0, 1] {
            schedule.push(LOW, Priority::VeryLow, message(length));
        }
        assert_eq!(schedule.bytes(LOW), 16_385 + 3 * OVERHEAD);
        assert_eq!(
            [pop(&mut schedule), pop(&mut schedule), pop(&mut schedule)],
            [Some((LOW, 16_384)), Some((LOW, 0)), Some((LOW, 1))]
        );
        assert!(schedule.is_empty());
        assert_eq!(pop(&mut schedule), None);
    }

    #[test]
    fn a_message_that_came_too_late_is_not_sent() {
        let (mut schedule, now) = (Schedule::default(), now());
        schedule.push(LOW, Priority::Low, Message { payload: Bytes::from_static(b"late"), expires: Some(now) });
        schedule.push(
            LOW,
            Priority::Low,
            Message { payload: Bytes::from_static(b"in time"), expires: Some(now + Duration::from_secs(1)) },
        );
        schedule.push(HIGH, Priority::High, Message { payload: Bytes::from_static(b"late, too"), expires: Some(now) });
        let mut emptied = Vec::new();
        let sent: Vec<_> = std::iter::from_fn(|| schedule.pop(now, |channel| emptied.push(channel)))
            .map(|(_, message)| message.payload)
            .collect();
        assert_eq!(sent, ["in time"]);
        assert_eq!(emptied, [HIGH]);
    }

    #[test]
    fn a_channel_that_leaves_does_not_hold_up_the_others() {
        let mut schedule = Schedule::default();
        schedule.push(HIGH, Priority::High, message(10));
        schedule.push(LOW, Priority::VeryLow, message(20));
        schedule.remove(HIGH);
        assert!(!schedule.holds(HIGH));
        assert_eq!(pop(&mut schedule), Some((LOW, 20)));
    }
}
