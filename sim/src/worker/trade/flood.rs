//! Statements about orders that nobody asked for, more than anybody wants.

use std::time::Duration;

use bytes::Bytes;
use darkswap_node::trading::ORDERS;
use darkswap_scenario::topology::{FloodKind, Floods};
use darkswap_trade::asset::Asset;
use darkswap_trade::order::{Draft, FIRST_WIDE_SLOT, MAX_LIFE, Offer, Price, Proposal, Settlement, Side, sign};

use super::Desk;
use crate::clock::WALL_CLOCK_EPOCH;
use crate::worker::observer::With as _;

/// How long each order of a flood lasts.
const LIFE: Duration = Duration::from_secs(3_600);
/// How long ago what is stale was said: longer than anybody keeps it.
const LONG_AGO: Duration = Duration::from_secs(3_600);
/// Bytes of a statement that is none.
const GARBAGE: usize = 200;

impl Desk<'_> {
    /// Has a host publish a flood, in its node's name: its own node does not look at what it is asked to publish.
    pub(in crate::worker) async fn flood(self, host: usize, floods: &Floods) {
        let Some(handle) = self.cast.handle(host) else { return };
        for kind in &floods.kinds {
            let names = self.tags(host).with("how", kind.name());
            for number in 0..floods.count {
                let Some(bytes) = self.statement(host, *kind, number) else { continue };
                let said = handle.publish(ORDERS, bytes).await;
                self.recorder.category("flood", if said.is_ok() { "published" } else { "refused" }, names.clone());
            }
        }
    }

    fn statement(self, host: usize, kind: FloodKind, number: u64) -> Option<Bytes> {
        let now = WALL_CLOCK_EPOCH + self.recorder.now();
        match kind {
            FloodKind::Garbage => {
                // Different ones, or gossip knows the second one.
                let bytes = number.to_be_bytes().into_iter().cycle().take(GARBAGE);
                Some(bytes.map(|byte| byte ^ 0xa5).collect())
            }
            FloodKind::Orders => self.order(host, now, number),
            FloodKind::Stale => self.order(host, now.checked_sub(MAX_LIFE + LONG_AGO)?, number),
            FloodKind::Forgeries => {
                let mut bytes = self.order(host, now, number)?.to_vec();
                // The signature comes last.
                let last = bytes.last_mut()?;
                *last ^= 1;
                Some(bytes.into())
            }
        }
    }

    /// An order of a rune of the host that the host's key signed: every slot in turn, each time with a later revision.
    fn order(self, host: usize, now: Duration, number: u64) -> Option<Bytes> {
        let slots = u64::from(FIRST_WIDE_SLOT);
        let created = now + Duration::from_millis(number / slots);
        let rune = self.cast.bitcoin()?.rune_of(host)?;
        let draft = Draft {
            maker: self.key(host),
            slot: u16::try_from(number % slots).ok()?,
            created: whole_millis(created),
            proposal: Proposal::Offer {
                offer: Offer {
                    side: Side::Sell,
                    asset: Asset::Rune(rune),
                    units: 1_000,
                    minimum: 1_000,
                    price: Price { sats: 1_000 + number, units: 1 },
                },
                expires: whole_millis(created + LIFE),
                settlement: Settlement::Interactive,
                funding: Vec::new(),
            },
        };
        let keypair = self.cast.members()[host].identity.clone().try_into_ed25519().ok()?;
        let signed = sign(draft, |bytes| keypair.sign(bytes).try_into().unwrap_or([0; 64]));
        Some(signed.ok()?.encoded().clone())
    }
}

/// The wire carries whole milliseconds.
fn whole_millis(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
