//! Own orders, published again and again: gossip loses messages, and traders come late.

use std::time::Duration;

use super::Trader;
use crate::Time;
use crate::output::Output;

/// How often everything of ours is published again. All slots once in that time are far below what a maker may say.
const INTERVAL: Duration = Duration::from_secs(600);
/// How much later at most, so that traders that started together do not all speak together.
const JITTER: Duration = Duration::from_secs(120);
/// How long after the first trader appeared, at most: its gossip needs a moment to know that we listen.
const SOON: Duration = Duration::from_secs(2);

/// When everything of ours is published again.
#[derive(Debug, Default)]
pub(super) struct Publishing {
    at: Option<Time>,
}

impl Publishing {
    pub(super) fn deadline(&self) -> Option<Time> {
        self.at
    }
}

impl Trader {
    /// Somebody is there to hear us, after nobody was.
    pub(super) fn publish_soon(&mut self, now: Time) {
        self.publishing.at = Some(now.saturating_add(self.dice.delay(SOON)));
    }

    pub(super) fn advance_publishing(&mut self, now: Time) {
        if self.publishing.at.is_none_or(|at| at > now) {
            return;
        }
        if self.peers.is_empty() {
            // The next one that comes begins it anew.
            self.publishing.at = None;
            return;
        }
        self.publishing.at = Some(now.saturating_add(INTERVAL).saturating_add(self.dice.delay(JITTER)));
        let statements = self.orders.statements().filter(|statement| statement.kept_until() > now);
        let statements: Vec<_> = statements.map(|statement| statement.encoded().clone()).collect();
        for statement in statements {
            self.emit(Output::Publish(statement));
        }
    }
}
