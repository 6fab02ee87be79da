//! The task: inputs to the trader, its outputs carried out in order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use darkswap_trade::order::TraderKey;
use darkswap_trader::Time;
use darkswap_trader::chain::ChainRequest;
use darkswap_trader::command::{CommandError, Reply, TradeEvent};
use darkswap_trader::input::Input;
use darkswap_trader::output::Output;
use tokio::sync::{mpsc, oneshot};

use super::desk::{Ask, End};
use super::limits::{ANSWERS, RETRY, SLEEP, TICK, UNASKED};
use super::link::{Act, Feed};
use super::{Chain, Machine, Parts, key};
use crate::Runtime;
use crate::chain::Refused;
use crate::handle::Command;
use crate::store::Store;

/// A trader with everything that it needs.
pub(crate) struct Task {
    machine: Box<dyn Machine>,
    store: Store,
    chain: Chain,
    runtime: Arc<dyn Runtime>,
    feed: Feed,
    asks: mpsc::Receiver<Ask>,
    acts: mpsc::Sender<Command>,
    end: End,
    /// Operators who wait, by token.
    answers: BTreeMap<u64, oneshot::Sender<Result<Reply, CommandError>>>,
    next_token: u64,
    /// Who is connected, as far as the trader was told.
    told: BTreeSet<TraderKey>,
    /// What the trader has not been told yet of that.
    news: VecDeque<Input>,
    /// What the chain did not take yet.
    unasked: VecDeque<ChainRequest>,
    chain_ended: bool,
    /// The time of the last tick.
    ticked: Time,
}

/// Why the task ends.
enum Ended {
    /// The node stops.
    Node,
    /// The trader cannot go on.
    Failed(String),
}

impl Task {
    pub(crate) fn new(
        parts: Parts,
        runtime: Arc<dyn Runtime>,
        feed: Feed,
        asks: mpsc::Receiver<Ask>,
        acts: mpsc::Sender<Command>,
        end: End,
    ) -> Self {
        let Parts { machine, store, chain } = parts;
        Self {
            machine,
            store,
            chain,
            runtime,
            feed,
            asks,
            acts,
            end,
            answers: BTreeMap::new(),
            next_token: 0,
            told: BTreeSet::new(),
            news: VecDeque::new(),
            unasked: VecDeque::new(),
            chain_ended: false,
            ticked: Time::ZERO,
        }
    }

    /// Runs until the node stops, or until the trader cannot go on.
    pub(crate) async fn run(mut self) {
        let ended = loop {
            // A restored trader has something to do before anything happens.
            if let Err(ended) = self.carry_out().await {
                break ended;
            }
            match self.next().await {
                Ok(input) => self.machine.handle(self.runtime.wall_clock(), input),
                Err(ended) => break ended,
            }
        };
        if let Ended::Failed(reason) = ended {
            let reason = format!("trading has stopped: {reason}; mend that and restart the node");
            self.end.set(reason.clone());
            let _ = self.act(Act::Event(TradeEvent::Failed { reason })).await;
        }
    }

    /// What happens next. Whatever a stranger can cause comes last, so that no flood of it keeps an operator or a deadline waiting.
    async fn next(&mut self) -> Result<Input, Ended> {
        loop {
            if let Some(input) = self.news.pop_front() {
                return Ok(input);
            }
            self.ask_chain().await?;
            let now = self.runtime.wall_clock();
            let due = self.machine.deadline().map(|at| at.saturating_sub(now));
            if due == Some(Time::ZERO) && now != self.ticked {
                self.ticked = now;
                return Ok(Input::Tick);
            }
            let longest = if self.unasked.is_empty() { SLEEP } else { RETRY };
            let pause = due.unwrap_or(longest).clamp(TICK, longest);
            tokio::select! {
                biased;
                changed = self.feed.connected.changed() => match changed {
                    Ok(()) => self.note_connections(),
                    Err(_) => return Err(Ended::Node),
                },
                Some(ask) = self.asks.recv() => {
                    if let Some(input) = self.admit(ask) {
                        return Ok(input);
                    }
                }
                () = tokio::time::sleep(pause) => {}
                told = self.chain.inputs.recv(), if !self.chain_ended => match told {
                    Some(input) => return Ok(Input::Chain(input)),
                    None => self.chain_ended = true,
                },
                Some(event) = self.chain.events.recv() => self.act(Act::ChainEvent(event)).await?,
                input = self.feed.inputs.recv() => return input.ok_or(Ended::Node),
            }
        }
    }

    /// Notes who came and who went since the trader was told.
    fn note_connections(&mut self) {
        let now = self.feed.connected.borrow_and_update().clone();
        self.news.extend(self.told.difference(&now).copied().map(Input::Disconnected));
        self.news.extend(now.difference(&self.told).copied().map(Input::Connected));
        self.told = now;
    }

    fn admit(&mut self, Ask { command, answer }: Ask) -> Option<Input> {
        if self.answers.len() >= ANSWERS {
            self.answers.retain(|_, waiting| !waiting.is_closed());
        }
        if self.answers.len() >= ANSWERS {
            let found =
                format!("found {ANSWERS} commands without an answer yet, expected fewer; wait for some of them");
            let _ = answer.send(Err(CommandError::Limit(found)));
            return None;
        }
        let token = self.next_token;
        self.next_token += 1;
        self.answers.insert(token, answer);
        Some(Input::Command { token, command })
    }

    /// Drains the trader. What is durable is on the disk before anything after it happens.
    async fn carry_out(&mut self) -> Result<(), Ended> {
        while let Some(output) = self.machine.poll() {
            match output {
                Output::Persist(writes) => {
                    let mut committed = Ok(());
                    self.runtime.blocking(&mut || committed = self.store.commit(&writes));
                    committed.map_err(|error| Ended::Failed(explain(&error)))?;
                }
                Output::Chain(request) => self.unasked.push_back(request),
                Output::Answer { token, outcome } => {
                    if let Some(answer) = self.answers.remove(&token) {
                        // Whoever asked may have gone.
                        let _ = answer.send(outcome);
                    }
                }
                Output::Publish(bytes) => self.act(Act::Publish(bytes)).await?,
                Output::Verdict { token, verdict } => self.act(Act::Verdict { token, verdict }).await?,
                Output::Connect(trader) => match key::peer(&trader) {
                    Ok(peer) => self.act(Act::Connect(peer)).await?,
                    Err(error) => self.act(Act::Event(TradeEvent::Failed { reason: error.to_string() })).await?,
                },
                // To what is no peer there is no path either: nothing to release, nobody to send to.
                Output::Release(trader) => {
                    if let Ok(peer) = key::peer(&trader) {
                        self.act(Act::Release(peer)).await?;
                    }
                }
                Output::Send { to, bytes } => {
                    if let Ok(to) = key::peer(&to) {
                        self.act(Act::Send { to, bytes }).await?;
                    }
                }
                Output::SyncAsk { token, to, bytes } => match key::peer(&to) {
                    Ok(to) => self.act(Act::SyncAsk { token, to, bytes }).await?,
                    Err(_) => self.news.push_back(Input::SyncAnswered { token, bytes: None }),
                },
                Output::SyncAnswer { token, bytes } => self.act(Act::SyncAnswer { token, bytes }).await?,
                Output::Event(event) => self.act(Act::Event(event)).await?,
            }
        }
        Ok(())
    }

    async fn act(&mut self, act: Act) -> Result<(), Ended> {
        self.acts.send(Command::Trading(act)).await.map_err(|_| Ended::Node)
    }

    /// Asks the chain what it takes now.
    async fn ask_chain(&mut self) -> Result<(), Ended> {
        while let Some(request) = self.unasked.pop_front() {
            match (self.chain.ask)(request) {
                Ok(()) => {}
                Err(Refused::Full(request)) if self.unasked.len() < UNASKED => {
                    self.unasked.push_front(*request);
                    break;
                }
                Err(refused @ Refused::Watches(_)) => {
                    self.act(Act::Event(TradeEvent::Failed { reason: refused.to_string() })).await?;
                }
                Err(refused @ (Refused::Full(_) | Refused::Gone(_))) => return Err(Ended::Failed(refused.to_string())),
            }
        }
        Ok(())
    }
}

/// What an error says, with its causes.
fn explain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
