//! The tests that take as long as a mapping lives.
//!
//! RFC 5780, section 4.6, searches for the life of a mapping. Here it is known what it should be, so one mapping is tried somewhat
//! before its end and another one somewhat after. The margin has to be longer than a round trip.

use std::time::Duration;

use anyhow::{Result, bail};
use darkswap_scenario::nat::Refresh;
use tokio::time::{Instant, sleep_until};

use super::examination::{Distance, Examination};
use super::finding::refresh_name;

/// What happens to a mapping while it idles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refreshed {
    /// Nothing.
    Never,
    /// A packet from inside at three fifths of its life.
    Outbound,
    /// A packet from outside at three fifths of its life.
    Inbound,
}

impl Examination {
    /// How long an idle mapping lives: as configured, or what else was seen.
    pub(super) async fn life(&self, distance: Distance) -> Result<String> {
        let (before, after) = (self.nat.life * 4 / 5, self.nat.life * 6 / 5);
        let (early, late) = tokio::join!(
            self.lives(before, Refreshed::Never, distance),
            self.lives(after, Refreshed::Never, distance),
        );
        Ok(match (early?, late?) {
            (true, false) => format!("{:?}", self.nat.life),
            (true, true) => format!("more than {after:?}"),
            (false, false) => format!("less than {before:?}"),
            (false, true) => bail!("gone after {before:?}, there after {after:?}"),
        })
    }

    /// Which packets prolong the life of a mapping.
    pub(super) async fn refresh(&self, distance: Distance) -> Result<&'static str> {
        let after = self.nat.life * 6 / 5;
        let (outbound, inbound) = tokio::join!(
            self.lives(after, Refreshed::Outbound, distance),
            self.lives(after, Refreshed::Inbound, distance),
        );
        Ok(match (outbound?, inbound?) {
            (true, false) => refresh_name(Refresh::Outbound),
            (false, true) => refresh_name(Refresh::Inbound),
            (true, true) => refresh_name(Refresh::Both),
            (false, false) => "neither",
        })
    }

    /// Whether a new mapping lets the server's packets in when it is this old.
    ///
    /// Another socket asks for the packet, since a request of the mapping's own would make a new one.
    async fn lives(&self, age: Duration, refreshed: Refreshed, distance: Distance) -> Result<bool> {
        let server = self.server.primary();
        let (client, trigger) = (self.client()?, self.client()?);
        let port = client.ask(server, distance.patience).await?.port();
        let born = Instant::now();
        // The packet is to arrive at this age.
        let asked_at = |age: Duration| born + age.saturating_sub(distance.round_trip);
        let middle = self.nat.life * 3 / 5;
        match refreshed {
            Refreshed::Never => {}
            Refreshed::Outbound => {
                sleep_until(born + middle).await;
                client.keep_alive(server)?;
            }
            Refreshed::Inbound => {
                sleep_until(asked_at(middle)).await;
                let asked = trigger.ask_for(port, server)?;
                if client.hear(asked, distance.patience).await?.is_none() {
                    bail!("gone after {middle:?}");
                }
            }
        }
        sleep_until(asked_at(age)).await;
        let asked = trigger.ask_for(port, server)?;
        Ok(client.hear(asked, distance.patience).await?.is_some())
    }
}
