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
