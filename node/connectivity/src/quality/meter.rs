//! What is measured of one connection.

use std::time::Duration;

use crate::Time;
use crate::rtt::{LONGEST, Rtt};

/// The weight of a new outcome in the loss.
const LOSS_WEIGHT: f64 = 1.0 / 16.0;
/// Over how long bytes are summed to a rate.
const WINDOW: Duration = Duration::from_secs(1);
/// A window with fewer bytes says nothing about what the connection can carry, only about what was asked of it.
const BUSY: u64 = 16 << 10;
/// Nor does one in which everything passed in less time than this: what came at once was not kept waiting.
const BUSY_FOR: Duration = Duration::from_millis(500);
/// A rate that old says nothing about now.
const RATE_LIFE: Duration = Duration::from_secs(60);

/// What a direct connection runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// QUIC over UDP.
    Quic,
    /// TCP with Noise and Yamux.
    Tcp,
    /// WebSocket over TCP.
    WebSocket,
    /// WebRTC data channels.
    WebRtc,
}

/// How a connection reaches its peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind<P> {
    /// Peer to peer.
    Direct(Transport),
    /// Through this relay.
    Relayed(P),
}

/// What is known of a connection now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measurement<P> {
    /// How it reaches its peer.
    pub kind: Kind<P>,
    /// The smoothed round-trip time.
    pub rtt: Option<Duration>,
    /// The mean deviation of consecutive round-trip times.
    pub jitter: Duration,
    /// The share of lost probes, `0.0..=1.0`.
    pub loss: f64,
    /// Bytes per second in both directions, of late, while there was something to carry.
    pub throughput: Option<u64>,
    /// Bytes received since it was opened.
    pub received: u64,
    /// Bytes sent since it was opened.
    pub sent: u64,
    /// For how long nothing was received that somebody wanted: nothing but probes. At first, since it was opened.
    pub inactive: Duration,
}

/// Measures one connection.
#[derive(Debug, Clone)]
pub struct Meter<P> {
    kind: Kind<P>,
    rtt: Option<Rtt>,
    last_rtt: Option<Duration>,
    jitter: Duration,
    loss: f64,
    received: u64,
    sent: u64,
    last_activity: Time,
    window: Time,
    in_window: u64,
    last_carried: Time,
    rate: Option<(u64, Time)>,
}

impl<P: Copy> Meter<P> {
    /// A connection that was opened now.
    #[must_use]
    pub fn new(now: Time, kind: Kind<P>) -> Self {
        Self {
            kind,
            rtt: None,
            last_rtt: None,
            jitter: Duration::ZERO,
            loss: 0.0,
            received: 0,
            sent: 0,
            last_activity: now,
            window: now,
            in_window: 0,
            last_carried: now,
            rate: None,
        }
    }

    /// Bytes were sent.
    pub fn sent(&mut self, now: Time, bytes: u64) {
        self.sent = self.sent.saturating_add(bytes);
        self.carried(now, bytes);
    }

    /// Bytes arrived.
    pub fn received(&mut self, now: Time, bytes: u64) {
        self.received = self.received.saturating_add(bytes);
        self.carried(now, bytes);
    }

    /// What arrived was no probe.
    pub fn used(&mut self, now: Time) {
        self.last_activity = self.last_activity.max(now);
    }

    /// A probe was answered. Jitter is that of RFC 3550, section 6.4.1, `J += (|D| - J) / 16`, over round trips instead of one-way
    /// transits: the two ends have no clock in common.
    pub fn answered(&mut self, rtt: Duration) {
        let rtt = rtt.min(LONGEST);
        match &mut self.rtt {
            Some(estimate) => estimate.record(rtt),
            None => self.rtt = Some(Rtt::first(rtt)),
        }
        if let Some(last) = self.last_rtt.replace(rtt) {
            self.jitter = (self.jitter * 15 + last.abs_diff(rtt)) / 16;
        }
        self.loss -= self.loss * LOSS_WEIGHT;
    }

    /// A probe was lost.
    pub fn unanswered(&mut self) {
        self.loss += (1.0 - self.loss) * LOSS_WEIGHT;
    }

    /// What is known now.
    #[must_use]
    pub fn measure(&self, now: Time) -> Measurement<P> {
        let mut current = self.clone();
        current.roll(now);
        let rate = current.rate.filter(|(_, at)| now.saturating_sub(*at) <= RATE_LIFE);
        Measurement {
            kind: self.kind,
            rtt: self.rtt.map(|rtt| rtt.smoothed()),
            jitter: self.jitter,
            loss: self.loss,
            throughput: rate.map(|(rate, _)| rate),
            received: self.received,
            sent: self.sent,
            inactive: now.saturating_sub(self.last_activity),
        }
    }

    fn carried(&mut self, now: Time, bytes: u64) {
        self.roll(now);
        self.in_window = self.in_window.saturating_add(bytes);
        self.last_carried = self.last_carried.max(now);
    }

    /// Ends the window when its time is over, and takes its rate with a weight of a quarter.
    fn roll(&mut self, now: Time) {
        if now.saturating_sub(self.window) < WINDOW {
            return;
        }
        if self.in_window >= BUSY && self.last_carried.saturating_sub(self.window) >= BUSY_FOR {
            let before = self.rate.map_or(self.in_window, |(rate, _)| rate);
            let rate = before / 4 * 3 + self.in_window / 4;
            self.rate = Some((rate, self.window));
        }
        (self.window, self.in_window) = (now, 0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_secs(seconds)
    }

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn meter() -> Meter<u8> {
        Meter::new(at(0), Kind::Relayed(1))
    }

    #[test]
    fn jitter_follows_rfc_3550() {
        let mut meter = meter();
        for rtt in [100, 116, 100] {
            meter.answered(ms(rtt));
        }
        // 16 / 16 = 1 ms, then 1 + (16 - 1) / 16.
        assert_eq!(meter.measure(at(1)).jitter, Duration::from_nanos(1_937_500));
    }

    #[test]
    fn an_idle_connection_has_no_throughput_and_a_busy_one_its_rate() {
        let mut meter = meter();
        meter.received(at(0), 100);
        assert_eq!(meter.measure(at(2)).throughput, None);
        for tenth in 20..300 {
            meter.received(ms(tenth * 100), 6_000);
            meter.sent(ms(tenth * 100), 4_000);
        }
        assert_eq!(meter.measure(at(31)).throughput, Some(100_000));
        assert_eq!(meter.measure(at(31) + RATE_LIFE).throughput, None);
    }

    #[test]
    fn what_passes_at_once_says_nothing_about_the_rate() {
        let mut meter = meter();
        for second in 1..30 {
            meter.received(at(second), 60_000);
            meter.received(at(second) + BUSY_FOR / 2, 40_000);
        }
        assert_eq!(meter.measure(at(31)).throughput, None);
    }

    #[test]
    fn bytes_are_counted_and_the_time_since_somebody_wanted_any() {
        let mut meter = meter();
        meter.sent(at(3), 7);
        meter.received(at(2), 5);
        meter.used(at(2));
        meter.received(at(6), 32);
        meter.answered(ms(20));
        let measured = meter.measure(at(7));
        assert_eq!((measured.sent, measured.received, measured.inactive), (7, 37, ms(5_000)));
    }

    proptest! {
        #![proptest_config(crate::cases())]

        #[test]
        fn nothing_overflows_and_fractions_stay_fractions(steps in prop::collection::vec((0_u8..4, any::<u64>(), 0_u64..100), 0..100)) {
            let mut meter = meter();
            for (step, value, second) in steps {
                match step {
                    0 => meter.sent(at(second), value),
                    1 => meter.received(at(second), value),
                    2 => meter.answered(ms(value)),
                    _ => meter.unanswered(),
                }
                let measured = meter.measure(at(second));
                prop_assert!((0.0..=1.0).contains(&measured.loss));
                prop_assert!(measured.jitter <= LONGEST);
            }
        }
    }
}
