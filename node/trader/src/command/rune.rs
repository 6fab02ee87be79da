//! Runes: what is known of one, and new ones.

use bitcoin::Txid;
use darkswap_trade::asset::Asset;
use serde::{Deserialize, Serialize};

use super::text;
use super::{AssetReport, Label};

/// A rune that is to be etched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRune {
    /// Its name, with spacers.
    pub name: String,
    /// Digits after the decimal point, at most 38.
    pub divisibility: u8,
    /// Its currency symbol.
    pub symbol: Option<char>,
    /// Units for whoever etches.
    #[serde(with = "text::units")]
    pub premine: u128,
    /// Whether and when others can mint it.
    pub terms: Option<MintTerms>,
    /// Whether it opts in to future changes of the protocol.
    pub turbo: bool,
}

/// Whether and when a rune can be minted. Where a height and an offset are given, the later start and the earlier end count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MintTerms {
    /// Units of one mint.
    #[serde(with = "text::units")]
    pub amount: u128,
    /// How many mints there are.
    #[serde(with = "text::units")]
    pub cap: u128,
    /// The first height.
    pub from_height: Option<u64>,
    /// The first height without.
    pub until_height: Option<u64>,
    /// The first block, counted from the etching's.
    pub from_offset: Option<u64>,
    /// The first block without, counted from the etching's.
    pub until_offset: Option<u64>,
}

/// Everything that is known of an asset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetDescription {
    /// What the wallet has of it, and what it is called.
    pub held: AssetReport,
    /// What the index knows of a rune; none for an alkane.
    pub rune: Option<RuneReport>,
}

/// What the index knows of a rune.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuneReport {
    /// How many were etched before it.
    pub number: u64,
    /// What people call it.
    pub label: Label,
    /// The transaction that etched it.
    pub etching: Txid,
    /// The height of its block.
    pub block: u64,
    /// When that was, in seconds since the Unix epoch, as the block says.
    pub etched_seconds: u64,
    /// Units that exist or were burned.
    #[serde(with = "text::maybe_units")]
    pub supply: Option<u128>,
    /// Units that its etching made.
    #[serde(with = "text::units")]
    pub premine: u128,
    /// Units that are gone.
    #[serde(with = "text::units")]
    pub burned: u128,
    /// How often it was minted.
    #[serde(with = "text::units")]
    pub mints: u128,
    /// Whether and when it can be minted.
    pub terms: Option<MintTerms>,
    /// Units that a mint in the next block gives.
    #[serde(with = "text::maybe_units")]
    pub mintable: Option<u128>,
    /// Why there is none.
    pub not_mintable: Option<String>,
    /// Whether it opts in to future changes of the protocol.
    pub turbo: bool,
}

/// Where an etching is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EtchingPhase {
    /// The commitment to the name waits for a block.
    Committing,
    /// The commitment is in a block, and not deep enough.
    Maturing,
    /// The transaction that etches is out.
    Revealing,
    /// The rune is there.
    Done,
    /// It does not go on; the commitment's bitcoin is on its way back.
    Withdrawing,
    /// It did not come to be.
    Abandoned,
}

/// An etching of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EtchingReport {
    /// The name, with spacers.
    pub name: String,
    /// Where it is.
    pub phase: EtchingPhase,
    /// The transaction that commits to the name, once the wallet has it.
    pub commitment: Option<Txid>,
    /// How many blocks the commitment is deep; its own counts.
    pub confirmations: u32,
    /// How deep it has to be in the block that etches, which counts as well.
    pub needed: u32,
    /// The transaction that etches, or the one that brings the bitcoin back.
    pub txid: Option<Txid>,
    /// The rune, once it is there.
    #[serde(with = "text::maybe_shown")]
    pub asset: Option<Asset>,
    /// Why it does not go on.
    pub reason: Option<String>,
    /// When it began, in seconds since the Unix epoch.
    pub created_seconds: u64,
}
