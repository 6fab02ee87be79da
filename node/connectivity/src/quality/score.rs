//! One number for a connection, after the table of [`super`].

use std::fmt;
use std::time::Duration;

use super::{Kind, Measurement};

const LATENCY: f64 = 50.0;
const JITTER: f64 = 20.0;
const THROUGHPUT: f64 = 15.0;
const DIRECT: f64 = 15.0;

/// Round-trip times of a good and of a useless connection. 50 ms are not felt; from a second on, conversations break.
const RTT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// Jitter of a good and of a useless connection.
const DEVIATION: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));
/// The throughput beyond which more does not help: a block of trades is a few KiB.
const ENOUGH: f64 = 262_144.0;
/// The loss at which nothing works any more.
const HOPELESS: f64 = 0.25;

/// What a score is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Factor {
    /// The round-trip time.
    Latency,
    /// Its deviation.
    Jitter,
    /// Lost probes.
    Loss,
    /// Bytes per second.
    Throughput,
    /// That there is a relay between.
    Relayed,
}

impl Factor {
    /// Its name in events and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Jitter => "jitter",
            Self::Loss => "loss",
            Self::Throughput => "throughput",
            Self::Relayed => "relayed",
        }
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How good a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Score {
    /// From 0, useless, to 100.
    pub points: u8,
    /// What costs most points.
    pub weakest: Factor,
}

impl Score {
    /// The score of what was measured.
    #[must_use]
    pub fn of<P>(measured: &Measurement<P>) -> Self {
        let latency = LATENCY * measured.rtt.map_or(0.5, |rtt| fall(rtt, RTT));
        let jitter = JITTER * fall(measured.jitter, DEVIATION);
        let throughput = THROUGHPUT * measured.throughput.map_or(1.0, |rate| (rate as f64 / ENOUGH).min(1.0));
        let direct = match measured.kind {
            Kind::Direct(_) => DIRECT,
            Kind::Relayed(_) => 0.0,
        };
        let kept = 1.0 - (measured.loss / HOPELESS).clamp(0.0, 1.0);
        let sum = latency + jitter + throughput + direct;
        let costs = [
            (Factor::Loss, sum * (1.0 - kept)),
            (Factor::Latency, LATENCY - latency),
            (Factor::Jitter, JITTER - jitter),
            (Factor::Throughput, THROUGHPUT - throughput),
            (Factor::Relayed, DIRECT - direct),
        ];
        let dearest = costs.iter().rev().max_by(|left, right| left.1.total_cmp(&right.1));
        let points = (sum * kept).round().clamp(0.0, 100.0) as u8;
        Self { points, weakest: dearest.map_or(Factor::Latency, |(factor, _)| *factor) }
    }
}

/// 1.0 up to the first, 0.0 from the second on, linear between.
fn fall(value: Duration, (full, none): (Duration, Duration)) -> f64 {
    let over = value.saturating_sub(full).as_secs_f64() / (none - full).as_secs_f64();
    1.0 - over.min(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::quality::Transport;

    fn measured(kind: Kind<u8>, rtt: u64, loss: f64) -> Measurement<u8> {
        let rtt = Some(Duration::from_millis(rtt));
        let (jitter, inactive) = (Duration::ZERO, Duration::ZERO);
        Measurement { kind, rtt, jitter, loss, throughput: None, received: 0, sent: 0, inactive }
    }

    #[test]
    fn known_connections_have_known_scores() {
        let of = |measured| {
            let score = Score::of(&measured);
            (score.points, score.weakest)
        };
        let direct = Kind::Direct(Transport::Quic);
        assert_eq!(of(measured(direct, 20, 0.0)).0, 100);
        assert_eq!(of(measured(Kind::Relayed(1), 50, 0.0)), (85, Factor::Relayed));
        assert_eq!(of(measured(direct, 525, 0.0)), (75, Factor::Latency));
        assert_eq!(of(measured(direct, 20, 0.125)), (50, Factor::Loss));
        assert_eq!(of(measured(direct, 20, 0.9)), (0, Factor::Loss));
    }

    fn any_measured() -> impl Strategy<Value = Measurement<u8>> {
        let kind = prop_oneof![Just(Kind::Relayed(1)), Just(Kind::Direct(Transport::Quic))];
        let ms = || (0_u64..2_000).prop_map(Duration::from_millis);
        (kind, prop::option::of(ms()), ms(), 0.0..=1.0, prop::option::of(0_u64..1_000_000)).prop_map(
            |(kind, rtt, jitter, loss, throughput)| {
                let inactive = Duration::ZERO;
                Measurement { kind, rtt, jitter, loss, throughput, received: 0, sent: 0, inactive }
            },
        )
    }

    proptest! {
        #![proptest_config(crate::cases())]

        #[test]
        fn a_better_value_of_one_input_never_lowers_the_score(good in any_measured(), more in 0_u64..1_000, share in 0.0..=1.0) {
            let more_time = Duration::from_millis(more);
            let worse = [
                Measurement { rtt: good.rtt.map(|rtt| rtt + more_time), ..good },
                Measurement { jitter: good.jitter + more_time, ..good },
                Measurement { loss: good.loss + (1.0 - good.loss) * share, ..good },
                Measurement { throughput: good.throughput.map(|rate| rate.saturating_sub(more * 100)), ..good },
                Measurement { kind: Kind::Relayed(1), ..good },
            ];
            let score = Score::of(&good);
            prop_assert!(score.points <= 100);
            for worse in worse {
                prop_assert!(Score::of(&worse).points <= score.points, "{:?}", worse);
            }
        }
    }
}
