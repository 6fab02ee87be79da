//! A trader that breaks the rules: an honest one whose messages are changed on their way out, one lie in each swap.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash as _;
use bitcoin::{OutPoint, Transaction, Txid};
use bytes::Bytes;
use darkswap_node::Runtime as _;
use darkswap_node::trading::Machine;
use darkswap_scenario::topology::TradeLie;
use darkswap_trade::order::TraderKey;
use darkswap_trade::swap::{Accept, Body, Message, Rejection, SwapId};
use darkswap_trader::Time;
use darkswap_trader::chain::ChainInput;
use darkswap_trader::input::Input;
use darkswap_trader::output::Output;

use crate::runtime::SimRuntime;
use crate::worker::bitcoin::Bitcoin;

/// Bytes that no message begins with.
const NONSENSE: &[u8] = &[0x03, 0xff, 0xff, 0xff];
/// How far away an impossible deadline is.
const TOO_LONG: Duration = Duration::from_secs(24 * 60 * 60);

/// A trader that lies.
pub(in crate::worker) struct Crook {
    host: usize,
    honest: Box<dyn Machine>,
    lies: Vec<TradeLie>,
    /// Its lies take turns, those of makers and those of takers each on their own.
    turns: [usize; 2],
    tales: BTreeMap<(TraderKey, SwapId), Tale>,
    bitcoin: Bitcoin,
    runtime: Arc<SimRuntime>,
}

/// What is told in one swap. Bounded by the swaps of a run.
#[derive(Default)]
struct Tale {
    lie: Option<TradeLie>,
    is_drawn: bool,
    /// What the taker brings.
    theirs: Vec<OutPoint>,
    /// The transaction that is about to be spent otherwise.
    swap: Option<Transaction>,
    is_silent: bool,
}

impl Crook {
    pub(in crate::worker) fn new(
        host: usize,
        honest: Box<dyn Machine>,
        lies: Vec<TradeLie>,
        bitcoin: Bitcoin,
        runtime: Arc<SimRuntime>,
    ) -> Self {
        Self { host, honest, lies, turns: [0; 2], tales: BTreeMap::new(), bitcoin, runtime }
    }

    /// What is told in a swap. The lie is the next one in turn, drawn when the first message goes out in which it could be told.
    fn tale(&mut self, peer: TraderKey, swap: SwapId, is_maker: bool) -> &mut Tale {
        let Self { host, lies, turns, tales, bitcoin, .. } = self;
        let tale = tales.entry((peer, swap)).or_default();
        if !tale.is_drawn {
            let fitting: Vec<TradeLie> = lies.iter().copied().filter(|lie| lie.is_of_maker() == is_maker).collect();
            let turn = &mut turns[usize::from(is_maker)];
            tale.lie = fitting.get(turn.checked_rem(fitting.len()).unwrap_or_default()).copied();
            tale.is_drawn = true;
            *turn += 1;
            if let Some(lie) = tale.lie {
                bitcoin.trades().lied(*host, peer, swap, lie);
            }
        }
        tale
    }

    /// What is sent instead of a message; nothing when silence is the lie.
    fn instead(&mut self, peer: TraderKey, bytes: Bytes) -> Option<Bytes> {
        let Ok(Message { swap, body }) = Message::decode(&bytes) else { return Some(bytes) };
        let is_maker = match &body {
            Body::Accept(_) | Body::Settled(_) => true,
            Body::Proposal(_) => false,
            // In these nothing can be gained.
            Body::Request(_) | Body::Reject(_) => {
                let is_silent = self.tales.get(&(peer, swap)).is_some_and(|tale| tale.is_silent);
                return (!is_silent).then_some(bytes);
            }
        };
        let tale = self.tale(peer, swap, is_maker);
        if tale.is_silent {
            return None;
        }
        let body = match (tale.lie, body) {
            (Some(TradeLie::Garble), Body::Accept(_)) => return Some(Bytes::from_static(NONSENSE)),
            (Some(lie), Body::Accept(accept)) => {
                tale.is_silent = lie == TradeLie::Vanish;
                Body::Accept(twisted(lie, accept, &tale.theirs, swap))
            }
            (Some(TradeLie::Refuse), Body::Settled(_)) => Body::Reject(Rejection::Proposal),
            (Some(TradeLie::Swap), Body::Settled(transaction)) => {
                Body::Settled(Transaction { lock_time: LockTime::from_consensus(1), ..transaction })
            }
            (Some(TradeLie::DoubleSpend), Body::Settled(transaction)) => {
                tale.swap = Some(transaction.clone());
                Body::Settled(transaction)
            }
            (Some(TradeLie::Forge), Body::Proposal(psbt)) => {
                // The end of a PSBT is where its last output is described.
                let kept = psbt.len() - psbt.len() / 4;
                Body::Proposal(psbt.slice(..kept))
            }
            (_, body) => body,
        };
        Some(Message { swap, body }.encode().into())
    }

    /// The transaction of a swap is out: the moment to spend its inputs elsewhere.
    fn on_broadcast(&mut self, txid: Txid) {
        let mut tales = self.tales.values_mut();
        let due = tales.find(|tale| tale.swap.as_ref().is_some_and(|swap| swap.compute_txid() == txid));
        let Some(swap) = due.and_then(|tale| tale.swap.take()) else { return };
        if let Err(error) = self.bitcoin.double_spend(self.host, &swap, self.runtime.wall_clock()) {
            tracing::error!(host = self.runtime.name(), %txid, error = %format!("{error:#}"), "no double spend");
        }
    }
}

impl Machine for Crook {
    fn handle(&mut self, now: Time, input: Input) {
        match &input {
            Input::Message { from, bytes } => {
                if let Ok(Message { swap, body }) = Message::decode(bytes) {
                    if self.tales.get(&(*from, swap)).is_some_and(|tale| tale.is_silent) {
                        return;
                    }
                    if let Body::Request(request) = body {
                        self.tales.entry((*from, swap)).or_default().theirs = request.stake.inputs;
                    }
                }
            }
            Input::Chain(ChainInput::Broadcast { txid, outcome: Ok(()) }) => self.on_broadcast(*txid),
            _ => {}
        }
        self.honest.handle(now, input);
    }

    fn poll(&mut self) -> Option<Output> {
        loop {
            match self.honest.poll()? {
                Output::Send { to, bytes } => {
                    if let Some(bytes) = self.instead(to, bytes) {
                        return Some(Output::Send { to, bytes });
                    }
                }
                output => return Some(output),
            }
        }
    }

    fn deadline(&self) -> Option<Time> {
        self.honest.deadline()
    }
}

/// An acceptance that no taker may believe, where that is the lie.
fn twisted(lie: TradeLie, mut accept: Accept, theirs: &[OutPoint], swap: SwapId) -> Accept {
    match lie {
        TradeLie::Steal => accept.stake.inputs = theirs.to_vec(),
        TradeLie::Phantom => {
            let mut txid = [0; 32];
            txid[..swap.0.len()].copy_from_slice(&swap.0);
            accept.stake.inputs = vec![OutPoint { txid: Txid::from_byte_array(txid), vout: 0 }];
        }
        TradeLie::Deadline => accept.deadline = accept.deadline.saturating_add(TOO_LONG),
        TradeLie::Vanish
        | TradeLie::Garble
        | TradeLie::Refuse
        | TradeLie::Swap
        | TradeLie::DoubleSpend
        | TradeLie::Forge => {}
    }
    accept
}
