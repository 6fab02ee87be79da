//! What hosts are asked to do, one job per pair or publisher.

use std::time::Duration;

use super::HostIndex;

/// One thing that one host does, once or again and again.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// When it is done first.
    pub first: Duration,
    /// The period; done once when absent.
    pub every: Option<Duration>,
    /// Not done at this time or later.
    pub until: Duration,
    /// How often at most.
    pub count: Option<u64>,
    /// What is done.
    pub action: JobAction,
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobAction {
    /// Connects one host to another.
    Connect {
        /// Who asks.
        from: HostIndex,
        /// To whom.
        to: HostIndex,
    },
    /// Sends a message and awaits its acknowledgement.
    Message {
        /// Who sends.
        from: HostIndex,
        /// To whom.
        to: HostIndex,
        /// Payload in bytes.
        size: u64,
    },
    /// Publishes to every subscriber of a topic.
    Gossip {
        /// Who publishes.
        from: HostIndex,
        /// Index into [`Topology::topics`](super::Topology::topics).
        topic: usize,
        /// Payload in bytes.
        size: u64,
    },
    /// Opens data channels on the pair's WebRTC connection, all at once, and sends messages over each.
    Channel {
        /// Who opens.
        from: HostIndex,
        /// To whom.
        to: HostIndex,
        /// Index into [`Topology::channels`](super::Topology::channels).
        channels: usize,
    },
    /// Says wrong things about a WebRTC connection over a circuit to the other host, one after the other.
    Lie {
        /// Who lies.
        from: HostIndex,
        /// To whom.
        to: HostIndex,
        /// Index into [`Topology::lies`](super::Topology::lies).
        lies: usize,
    },
    /// Dials a host afresh through the relays that it announces, and hangs up.
    Reach {
        /// Who dials.
        from: HostIndex,
        /// Whom.
        to: HostIndex,
    },
    /// Follows the chain through an indexer, until the end of the run or of the host.
    Watch {
        /// Who watches.
        from: HostIndex,
        /// Whose word it takes.
        to: HostIndex,
    },
    /// Broadcasts a transaction through an indexer and waits until it is confirmed.
    Pay {
        /// Who pays.
        from: HostIndex,
        /// Through whom.
        to: HostIndex,
    },
    /// Places an order.
    Order {
        /// Who offers.
        from: HostIndex,
        /// Index into [`Topology::orders`](super::Topology::orders).
        orders: usize,
    },
    /// Takes an order.
    Take {
        /// Who takes.
        from: HostIndex,
        /// Index into [`Topology::takes`](super::Topology::takes).
        takes: usize,
    },
    /// Publishes statements about orders, all at once.
    Flood {
        /// Who publishes.
        from: HostIndex,
        /// Index into [`Topology::floods`](super::Topology::floods).
        floods: usize,
    },
    /// Finds out how the NAT in front of this host behaves (RFC 5780).
    ProbeNat {
        /// Who asks; one host for each NAT that is not behind another.
        host: HostIndex,
    },
}

/// Something that is gossiped about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Who listens.
    pub subscribers: Vec<HostIndex>,
}

/// What data channels are opened, and what is sent over them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channels {
    /// How many at once.
    pub count: u64,
    /// Messages on each.
    pub messages: u64,
    /// Bytes of each message.
    pub size: u64,
    /// What the channels get in turn; at least one.
    pub priorities: Vec<Priority>,
    /// Whether messages arrive in the order in which they were sent.
    pub ordered: bool,
    /// How long a lost message is sent again.
    pub reliability: Reliability,
}

/// A data channel's share when channels compete (RFC 8831, section 6.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// One part.
    VeryLow,
    /// Two parts.
    Low,
    /// Four parts.
    Medium,
    /// Eight parts.
    High,
}

impl Priority {
    /// What scenarios and records call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::VeryLow => "very_low",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// How long a lost message of a data channel is sent again (RFC 8832, section 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reliability {
    /// Until it arrives.
    Reliable,
    /// At most so many times.
    Retransmits(u16),
    /// At most so long, in whole milliseconds.
    Lifetime(Duration),
}

/// How a signalling peer breaks the rules, each on a stream of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lie {
    /// Bytes that are no message.
    Malformed,
    /// A message that is announced to be larger than any session description.
    Oversized,
    /// An answer where an offer is due.
    OutOfOrder,
    /// An offer with a candidate of another connection.
    Forged,
    /// The same offer again after it was answered.
    Replayed,
    /// An offer with more candidates than a description may have.
    Flood,
}

impl Lie {
    /// What scenarios and records call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Oversized => "oversized",
            Self::OutOfOrder => "out_of_order",
            Self::Forged => "forged",
            Self::Replayed => "replayed",
            Self::Flood => "flood",
        }
    }
}

impl Job {
    /// When the job is done, in order.
    pub fn times(&self) -> impl Iterator<Item = Duration> + use<> {
        let Self { first, every, until, count, .. } = *self;
        let most = match every {
            Some(_) => count.unwrap_or(u64::MAX),
            None => 1,
        };
        let next = move |at: &Duration| every.and_then(|every| at.checked_add(every));
        std::iter::successors(Some(first), next).take_while(move |at| *at < until).zip(0..most).map(|(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(every: Option<u64>, until: u64, count: Option<u64>) -> Vec<u64> {
        let action = JobAction::ProbeNat { host: HostIndex(0) };
        let seconds = Duration::from_secs;
        let job = Job { first: seconds(5), every: every.map(seconds), until: seconds(until), count, action };
        job.times().map(|at| at.as_secs()).collect()
    }

    #[test]
    fn a_job_ends_by_time_or_count() {
        assert_eq!(times(None, 60, None), [5]);
        assert_eq!(times(Some(10), 35, None), [5, 15, 25]);
        assert_eq!(times(Some(10), 60, Some(2)), [5, 15]);
    }
}
