//! What the index says of runes: what people call those that are shown, and answers to whoever needs one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bitcoin::FeeRate;
use darkswap_trade::alkane::ORIGIN_NOTICE;
use darkswap_trade::asset::Asset;
use darkswap_trade::rune::amount::Decimal;
use darkswap_trade::rune::{self, Entry};
use darkswap_wallet::AssetBalance;
use ordinals::{Rune, RuneId};

use super::Trader;
use super::spending::ANSWER;
use crate::Time;
use crate::chain::{ChainRequest, KnownRune, RuneQuery};
use crate::command::{AssetDescription, AssetName, AssetReport, CommandError, Label, MintTerms, Reply, RuneReport};
use crate::output::Output;

/// Runes whose names are remembered: more than a wallet, a book and a history that somebody looks at have. What the wallet has is
/// remembered beyond that; anything else is shown by its id.
const MAX_KNOWN: usize = 4_096;
/// Runes whose names are to be asked for. Strangers can name any number of them in orders.
const MAX_WAITING: usize = 4_096;
/// Questions about names that are open at once: look-ups in an index of our own.
const MAX_OPEN: usize = 8;
/// Operators who wait for an answer of the index.
const MAX_ASKED: usize = 64;
/// Names that are asked for again with each block, in turns: a reorganisation may give an id to another rune.
const PER_BLOCK: usize = 64;
/// When the index is asked again after it did not know.
const AGAIN: Duration = Duration::from_secs(30);

/// What a user must know of alkanes as long as there is no way to configure who knows their balances.
pub(super) const NO_ALKANES_INDEX: &str =
    "No alkanes indexer is configured: this version has none to configure, so balances of alkanes are not known to it.";

/// Why the index was asked.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// What people call it.
    Label(RuneId),
    /// An operator wants to know everything.
    Describe(AssetName),
    /// An operator mints.
    Mint(AssetName, FeeRate),
    /// An operator etches.
    Etch(Box<ordinals::Etching>, FeeRate),
    /// An etching goes on, depending on who has the name.
    Etching(Rune),
}

/// A question to the index.
#[derive(Debug)]
struct Question {
    purpose: Purpose,
    /// The operator who waits, and until when.
    asked: Option<(u64, Time)>,
}

/// What the index said, and what it is asked.
#[derive(Debug, Default)]
pub(super) struct Runes {
    known: BTreeMap<RuneId, Label>,
    waiting: BTreeSet<RuneId>,
    /// Those that it did not know; they are asked for again with the next block.
    absent: BTreeSet<RuneId>,
    open: BTreeMap<u64, Question>,
    /// After which rune the next turn begins.
    turn: Option<RuneId>,
    again: Option<Time>,
}

impl Runes {
    pub(super) fn deadline(&self) -> Option<Time> {
        self.open.values().filter_map(|it| it.asked.map(|(_, until)| until)).chain(self.again).min()
    }

    /// Whether an etching waits for an answer.
    pub(super) fn is_asked_of(&self, rune: Rune) -> bool {
        self.open.values().any(|it| matches!(it.purpose, Purpose::Etching(of) if of == rune))
    }
}

impl Trader {
    /// What people call an asset, as far as the index told.
    pub(super) fn label(&self, asset: Asset) -> Option<Label> {
        match asset {
            Asset::Rune(id) => self.runes.known.get(&id).cloned(),
            Asset::Alkane(_) => None,
        }
    }

    /// Wants to know what people call an asset.
    pub(super) fn want_label(&mut self, asset: Asset) {
        let Asset::Rune(id) = asset else { return };
        let is_known = self.runes.known.contains_key(&id) || self.runes.absent.contains(&id);
        if !is_known && self.runes.waiting.len() < MAX_WAITING {
            self.runes.waiting.insert(id);
            self.ask_labels();
        }
    }

    /// What the wallet has is asked for anew with every block, of the rest a part.
    pub(super) fn refresh_labels(&mut self) {
        self.runes.absent.clear();
        let after = self.runes.turn;
        let later = self.runes.known.keys().filter(|id| after.is_none_or(|after| **id > after));
        let chosen: Vec<RuneId> = later.copied().take(PER_BLOCK).collect();
        // After the last one the first comes again.
        self.runes.turn = chosen.last().copied().filter(|_| chosen.len() == PER_BLOCK);
        let held = self.wallet.assets().into_keys().filter_map(|asset| match asset {
            Asset::Rune(id) => Some(id),
            Asset::Alkane(_) => None,
        });
        self.runes.waiting.extend(held.chain(chosen));
        self.ask_labels();
    }

    fn ask_labels(&mut self) {
        loop {
            let open = self.runes.open.values().filter(|it| matches!(it.purpose, Purpose::Label(_))).count();
            // Until then nobody knows.
            if open >= MAX_OPEN || self.runes.again.is_some() {
                return;
            }
            let Some(id) = self.runes.waiting.pop_first() else { return };
            self.ask_rune(Purpose::Label(id), RuneQuery::Id(id), None);
        }
    }

    pub(super) fn ask_rune(&mut self, purpose: Purpose, query: RuneQuery, asked: Option<(u64, Time)>) {
        let request = self.number();
        self.runes.open.insert(request, Question { purpose, asked });
        self.ask_chain(ChainRequest::Rune { request, query });
    }

    /// A question for an operator.
    pub(super) fn ask_rune_for(
        &mut self,
        now: Time,
        token: u64,
        purpose: Purpose,
        query: RuneQuery,
    ) -> Result<(), CommandError> {
        if self.runes.open.values().filter(|it| it.asked.is_some()).count() >= MAX_ASKED {
            let text =
                format!("{MAX_ASKED} questions wait for the index of runes, which is the limit; try again later");
            return Err(CommandError::Limit(text));
        }
        self.ask_rune(purpose, query, Some((token, now.saturating_add(ANSWER))));
        Ok(())
    }

    pub(super) fn advance_runes(&mut self, now: Time) {
        if self.runes.again.is_some_and(|at| at <= now) {
            self.runes.again = None;
            self.ask_labels();
        }
        let late = self.runes.open.iter().filter(|(_, it)| it.asked.is_some_and(|(_, until)| until <= now));
        let late: Vec<u64> = late.map(|(request, _)| *request).collect();
        for request in late {
            let question = self.runes.open.remove(&request);
            if let Some((token, _)) = question.and_then(|it| it.asked) {
                let text =
                    format!("the index of runes has not answered within {ANSWER:?}; nothing was done, try again later");
                self.emit(Output::Answer { token, outcome: Err(CommandError::Chain(text)) });
            }
        }
    }

    /// The index answers.
    pub(super) fn hear_rune(&mut self, now: Time, request: u64, found: Result<Option<Box<KnownRune>>, String>) {
        // Whoever does not wait any more was told so.
        let Some(Question { purpose, asked }) = self.runes.open.remove(&request) else { return };
        let outcome = match purpose {
            Purpose::Label(id) => return self.hear_label(now, id, found),
            Purpose::Etching(rune) => return self.hear_name(now, rune, found),
            Purpose::Describe(name) => etched(found, &name).map(|known| Some(self.described(&known))),
            Purpose::Mint(name, fee_rate) => {
                let known = etched(found, &name);
                known.and_then(|known| self.mint(now, asked, &known, fee_rate)).map(|()| None)
            }
            Purpose::Etch(etching, fee_rate) => self.etch_found(now, asked, *etching, fee_rate, found).map(|()| None),
        };
        let Some((token, _)) = asked else { return };
        match outcome {
            Ok(Some(reply)) => self.emit(Output::Answer { token, outcome: Ok(reply) }),
            Ok(None) => {}
            Err(error) => self.emit(Output::Answer { token, outcome: Err(error) }),
        }
    }

    fn hear_label(&mut self, now: Time, id: RuneId, found: Result<Option<Box<KnownRune>>, String>) {
        let before = self.runes.known.get(&id).cloned();
        let is_held = || self.wallet.assets().contains_key(&Asset::Rune(id));
        match found {
            Ok(Some(known)) => {
                let label = label_of(&known.1);
                if self.runes.known.len() < MAX_KNOWN || before.is_some() || is_held() {
                    self.purse.changed |= before.as_ref() != Some(&label);
                    self.runes.known.insert(id, label);
                }
            }
            Ok(None) => {
                self.purse.changed |= self.runes.known.remove(&id).is_some();
                if self.runes.absent.len() < MAX_WAITING {
                    self.runes.absent.insert(id);
                }
            }
            Err(reason) => {
                tracing::debug!(%id, reason, "the index does not tell what a rune is called");
                self.runes.waiting.insert(id);
                self.runes.again = Some(now.saturating_add(AGAIN));
            }
        }
        self.ask_labels();
    }

    /// Everything about an asset.
    pub(super) fn describe(&mut self, now: Time, token: u64, name: AssetName) -> Result<Option<Reply>, CommandError> {
        let query = match name {
            AssetName::Id(asset @ Asset::Alkane(_)) => {
                let description = AssetDescription { held: self.asset_report(asset), rune: None };
                return Ok(Some(Reply::Asset(Box::new(description))));
            }
            AssetName::Id(Asset::Rune(id)) => RuneQuery::Id(id),
            AssetName::Rune(name) => RuneQuery::Name(name.rune),
        };
        self.ask_rune_for(now, token, Purpose::Describe(name), query).map(|()| None)
    }

    fn described(&self, (id, entry): &KnownRune) -> Reply {
        let held = AssetReport { label: Some(label_of(entry)), ..self.asset_report(Asset::Rune(*id)) };
        Reply::Asset(Box::new(AssetDescription { held, rune: Some(self.rune_report(entry)) }))
    }

    fn rune_report(&self, entry: &Entry) -> RuneReport {
        let mintable = match self.next_height() {
            Some(height) => entry.mintable(height).map_err(|refusal| refusal.to_string()),
            None => Err("the chain's height is not known yet".to_owned()),
        };
        RuneReport {
            number: entry.number,
            label: label_of(entry),
            etching: entry.etching,
            block: entry.block,
            etched_seconds: entry.timestamp,
            supply: entry.supply(),
            premine: entry.premine,
            burned: entry.burned,
            mints: entry.mints,
            terms: entry.terms.map(|terms| MintTerms {
                amount: terms.amount.unwrap_or_default(),
                cap: terms.cap.unwrap_or_default(),
                from_height: terms.height.0,
                until_height: terms.height.1,
                from_offset: terms.offset.0,
                until_offset: terms.offset.1,
            }),
            mintable: mintable.as_ref().ok().copied(),
            not_mintable: mintable.err(),
            turbo: entry.turbo,
        }
    }

    /// Units as people read them: in decimals and by name, where the index told.
    pub(super) fn pile(&self, asset: Asset, units: u128) -> String {
        match self.label(asset) {
            Some(Label { name, divisibility, .. }) => format!("{} {name}", Decimal { units, divisibility }),
            None => format!("{units} units of {asset}"),
        }
    }

    /// Refuses to give what the wallet does not have.
    pub(super) fn too_few(&self, asset: Asset, found: u128, expected: u128) -> CommandError {
        let (found, expected) = (self.pile(asset, found), self.pile(asset, expected));
        CommandError::Funds(format!(
            "found {found} that can be given away, expected {expected}; give less, or wait for a block: coins that are reserved or wait do not count"
        ))
    }

    /// What the wallet has of an asset.
    fn asset_report(&self, asset: Asset) -> AssetReport {
        self.asset_report_of(asset, self.wallet.assets().get(&asset).copied().unwrap_or_default())
    }

    /// The same, where what it has is known already.
    pub(super) fn asset_report_of(&self, asset: Asset, of: AssetBalance) -> AssetReport {
        let notice = matches!(asset, Asset::Alkane(_)).then(|| format!("{ORIGIN_NOTICE} {NO_ALKANES_INDEX}"));
        AssetReport {
            asset,
            label: self.label(asset),
            units: of.confirmed,
            pending: of.pending,
            reserved: of.reserved,
            notice,
        }
    }

    /// The height of the next block.
    pub(super) fn next_height(&self) -> Option<u64> {
        self.purse.tip.map(|(height, _)| u64::from(height).saturating_add(1))
    }

    /// Mints, once the index has said whether that is possible.
    pub(super) fn ask_mint(
        &mut self,
        now: Time,
        token: u64,
        name: AssetName,
        fee_rate: FeeRate,
    ) -> Result<(), CommandError> {
        self.check_sends()?;
        let query = match name {
            AssetName::Id(Asset::Rune(id)) => RuneQuery::Id(id),
            AssetName::Rune(name) => RuneQuery::Name(name.rune),
            AssetName::Id(Asset::Alkane(_)) => {
                let text = "found an alkane, expected a rune: alkanes are minted by their contracts, which this program does not run";
                return Err(CommandError::Invalid(text.to_owned()));
            }
        };
        self.ask_rune_for(now, token, Purpose::Mint(name, fee_rate), query)
    }

    fn mint(
        &mut self,
        now: Time,
        asked: Option<(u64, Time)>,
        (id, entry): &KnownRune,
        fee_rate: FeeRate,
    ) -> Result<(), CommandError> {
        self.check_sends()?;
        let invalid = |text: String| CommandError::Invalid(text);
        let height = self.next_height().ok_or_else(|| {
            CommandError::Chain("no server has told the chain's height yet; try again later".to_owned())
        })?;
        let units = entry
            .mintable(height)
            .map_err(|refusal| invalid(format!("{} cannot be minted in the next block: {refusal}", entry.spaced())))?;
        let runestone = rune::mint_script(*id, Some(0), 2).map_err(|error| invalid(error.to_string()))?;
        let payment = self.wallet.carry(runestone, fee_rate).map_err(super::spending::refusal)?;
        let held = self.holdings_of(&payment.transaction);
        let context = rune::Context { etched: None, minted: units };
        let moved = rune::allocate(&payment.transaction, &held, context).map_err(|error| invalid(error.to_string()))?;
        let received = moved.outputs.first().and_then(|output| output.get(&Asset::Rune(*id))).copied();
        if received.unwrap_or_default() != units || !moved.burned.is_empty() {
            return Err(invalid(format!(
                "found {moved:?}, expected {units} units on the first output; nothing was sent"
            )));
        }
        self.send_own(now, payment.transaction, asked.map(|(token, _)| token));
        Ok(())
    }
}

/// What people call a rune.
pub(super) fn label_of(entry: &Entry) -> Label {
    Label { name: entry.spaced().to_string(), symbol: entry.symbol, divisibility: entry.divisibility }
}

/// The rune, or why there is none.
fn etched(found: Result<Option<Box<KnownRune>>, String>, name: &AssetName) -> Result<KnownRune, CommandError> {
    match found {
        Ok(Some(known)) => Ok(*known),
        Ok(None) => Err(CommandError::NotFound(format!(
            "found no rune `{name}`; check the name, or wait for the block that etches it"
        ))),
        Err(reason) => Err(CommandError::Chain(format!("what is known of `{name}` cannot be looked up: {reason}"))),
    }
}
