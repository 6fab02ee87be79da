//! The Bitcoin chain of a scenario, and what hosts have on it at the start.

use std::time::Duration;

use crate::bound;
use crate::fields::{Fields, Section};
use crate::problem::{Problems, quote};
use crate::topology::{Blocks, Chain, TradeLie, Trader};
use crate::tree::Node;
use crate::value;

pub(crate) const CHAIN: Section =
    Section { name: "`chain`", fields: &["blocks", "interval", "relay_fee", "estimates"] };
pub(crate) const TRADER: Section = Section { name: "`trader`", fields: &["bitcoin", "coins", "runes", "lies"] };

/// How a trader can break the rules of swaps.
pub(crate) const LIES: [TradeLie; 9] = [
    TradeLie::Vanish,
    TradeLie::Steal,
    TradeLie::Phantom,
    TradeLie::Deadline,
    TradeLie::Garble,
    TradeLie::Refuse,
    TradeLie::Swap,
    TradeLie::DoubleSpend,
    TradeLie::Forge,
];

const BLOCKS: [(&str, Blocks); 2] = [("random", Blocks::Random), ("fixed", Blocks::Fixed)];
/// Time between two blocks of a chain that does not say: that of the real chain would outlast most runs.
const INTERVAL: Duration = Duration::from_secs(30);
/// Coins of a trader that does not say: enough for a few swaps at once.
const COINS: u64 = 4;

impl Chain {
    /// The chain of a scenario without a section of its own.
    pub(crate) fn plain() -> Self {
        Self { blocks: Blocks::Random, interval: INTERVAL, relay_fee: 1, estimates: true }
    }

    /// Reads the section `chain`.
    pub(crate) fn read(node: &Node, problems: &mut Problems<'_>) -> Option<Self> {
        let fields = Fields::open(node, &CHAIN, problems)?;
        let plain = Self::plain();
        let relay_fee = fields.find("relay_fee").and_then(|node| value::number(node, bound::RELAY_FEE, problems));
        Some(Self {
            blocks: fields.word("blocks", &BLOCKS, plain.blocks, problems),
            interval: fields.duration("interval", bound::BLOCK_INTERVAL, plain.interval, problems),
            relay_fee: relay_fee.unwrap_or(plain.relay_fee),
            estimates: fields.switch("estimates", plain.estimates, problems),
        })
    }
}

impl Trader {
    /// Reads the field `trader` of a host.
    pub(crate) fn read(node: &Node, problems: &mut Problems<'_>) -> Option<Self> {
        let fields = Fields::open(node, &TRADER, problems)?;
        let bitcoin = fields.require("bitcoin", problems);
        let bitcoin = bitcoin.and_then(|node| value::bitcoin(node, bound::BITCOIN, problems));
        let coins = match fields.find("coins") {
            Some(node) => value::number(node, bound::COINS, problems),
            None => Some(COINS),
        };
        let runes = match fields.find("runes") {
            Some(node) => runes(node, problems),
            None => Some(Vec::new()),
        };
        let lies = match fields.find("lies") {
            Some(node) => value::distinct(node, "lie", &LIES.map(|lie| (lie.name(), lie)), problems),
            None => Some(Vec::new()),
        };
        Some(Self { bitcoin: bitcoin?, coins: coins?, runes: runes?, lies: lies? })
    }
}

/// Names of runes with how many units there are of each.
fn runes(node: &Node, problems: &mut Problems<'_>) -> Option<Vec<(String, u64)>> {
    const NAME: &str = "a rune's name of letters from `A` to `Z`, at most 12";
    let mut runes = Vec::new();
    for (key, units) in value::map(node, "runes", bound::RUNES, problems)? {
        let name = value::text(key, NAME, problems)?;
        let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase());
        if !plain || name.len() > bound::RUNE_NAME {
            problems.add(key.place, quote(name), NAME);
            return None;
        }
        runes.push((name.to_string(), value::number(units, bound::RUNE_UNITS, problems)?));
    }
    Some(runes)
}
