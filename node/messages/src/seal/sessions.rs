//! Who has a session, when it is renewed, and when it ends.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use thiserror::Error;

use super::peer::{Peer, Waiting};
use super::{Channel, Entropy, HandshakeError, Handshakes, OpenError, SealError, Session};
use crate::Time;
use crate::identity::Party;

/// How many, how long, how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Peers with a session or a handshake. Whoever was used least recently makes room; that peer pays with another handshake.
    pub peers: usize,
    /// Age at which a session in use is renewed: what is stolen from memory later opens nothing that was sent before.
    pub renew_after: Duration,
    /// Messages of one end after which a session is renewed.
    pub renew_messages: u64,
    /// Age at which a session seals no more.
    pub expire_after: Duration,
    /// How much longer than its successor began, or than it seals, a session opens what is on its way.
    pub overlap: Duration,
    /// How long a handshake waits for the peer's next message.
    pub patience: Duration,
    /// The shortest time between two hellos of a peer that are answered: each costs some four exchanges and two signatures.
    pub hello_gap: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            peers: 512,
            renew_after: Duration::from_secs(600),
            renew_messages: 1 << 20,
            expire_after: Duration::from_secs(900),
            overlap: Duration::from_secs(60),
            patience: Duration::from_secs(10),
            hello_gap: Duration::from_millis(200),
        }
    }
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndReason {
    /// It grew too old without being renewed.
    Expired,
    /// The peer does not know it, since it restarted or forgot.
    Unknown,
    /// Others were used more recently.
    Evicted,
    /// The caller has no use for it any more.
    Dropped,
}

impl EndReason {
    /// The reason's name in events and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Unknown => "unknown",
            Self::Evicted => "evicted",
            Self::Dropped => "dropped",
        }
    }
}

/// What happened, or is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// There is a new session; what waits for the peer can be sealed.
    Established {
        /// With whom.
        peer: Party,
        /// What a proof for it is bound to.
        channel: Channel,
    },
    /// [`Sessions::open`] a new one: the current one grows old. It is good meanwhile.
    Renew {
        /// With whom.
        peer: Party,
    },
    /// There is no session any more.
    Ended {
        /// With whom.
        peer: Party,
        /// Why.
        reason: EndReason,
    },
}

/// Why a hello was not answered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Both ends opened a session at once; ours goes on, since our key is the smaller.
    #[error("found a hello that crossed ours: ours goes on")]
    Crossed,
    /// The last one was a moment ago.
    #[error("found a hello {since:?} after the last, expected none within {gap:?}: try again later")]
    TooSoon {
        /// How long ago.
        since: Duration,
        /// How long it has to be.
        gap: Duration,
    },
    /// It is none.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
}

/// The sessions of a node, at most one current one with each peer.
///
/// The caller carries messages of handshakes: `open` gives a hello, `hello` takes the peer's and gives the answer, `answer` takes
/// that and gives the finish, `finish` takes that. They answer at once, since the protocol below wants an answer when it asks; what
/// happens to sessions is polled. After any call drain [`poll`](Self::poll); at [`deadline`](Self::deadline) call
/// [`handle`](Self::handle).
///
/// | with a peer there is | leaves it by |
/// |---|---|
/// | nothing | `open` (opening), `hello` (answering) |
/// | opening | `answer` (session), `failed` or its patience (as before), `hello` of a smaller key (answering) |
/// | answering | `finish` (session), its patience (as before), another `hello` (answering) |
/// | session | its age: `Renew`, later `Ended`; `unknown`, `drop_peer`, eviction: `Ended`; another session takes its place |
#[derive(Debug)]
pub struct Sessions {
    handshakes: Handshakes,
    limits: Limits,
    peers: BTreeMap<Party, Peer>,
    outputs: VecDeque<Output>,
    deadline: Option<Time>,
}

impl Sessions {
    /// No session yet.
    ///
    /// # Panics
    /// When no peer is allowed.
    #[must_use]
    pub fn new(handshakes: Handshakes, limits: Limits) -> Self {
        assert!(limits.peers > 0, "found sessions with no peers, expected at least one");
        Self { handshakes, limits, peers: BTreeMap::new(), outputs: VecDeque::new(), deadline: None }
    }

    /// What all handshakes start from.
    #[must_use]
    pub fn handshakes(&self) -> &Handshakes {
        &self.handshakes
    }

    /// The session that messages to a peer are sealed with.
    #[must_use]
    pub fn current(&self, now: Time, peer: Party) -> Option<&Session> {
        let session = self.peers.get(&peer)?.current.as_ref()?;
        (now < session.since() + self.limits.expire_after).then_some(session)
    }

    /// Whether a session with a peer is being opened by this end.
    #[must_use]
    pub fn is_opening(&self, peer: Party) -> bool {
        self.peers.get(&peer).is_some_and(|peer| peer.opening.is_some())
    }

    /// Whether a session that the peer opened waits for its finish.
    #[must_use]
    pub fn is_answering(&self, peer: Party) -> bool {
        self.peers.get(&peer).is_some_and(|peer| peer.answering.is_some())
    }

    /// Opens a session: the hello to send, or `None` when one is on its way.
    pub fn open(&mut self, now: Time, peer: Party, entropy: Entropy) -> Option<Vec<u8>> {
        if self.is_opening(peer) {
            return None;
        }
        let (handshake, hello) = self.handshakes.open(peer, entropy);
        self.entry(now, peer).opening = Some(Waiting { handshake, since: now });
        self.reckon();
        Some(hello)
    }

    /// The hello that was sent was not answered.
    pub fn failed(&mut self, peer: Party) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.opening = None;
            peer.is_renewing = false;
        }
        self.reckon();
    }

    /// Takes a peer's hello: the answer to send.
    ///
    /// # Errors
    /// [`Refusal`]; what there is with the peer stays as it was.
    pub fn hello(&mut self, now: Time, peer: Party, hello: &[u8], entropy: Entropy) -> Result<Vec<u8>, Refusal> {
        if let Some(known) = self.peers.get(&peer) {
            let since = known.hello.map(|last| now.saturating_sub(last));
            if let Some(since) = since.filter(|since| *since < self.limits.hello_gap) {
                return Err(Refusal::TooSoon { since, gap: self.limits.hello_gap });
            }
            if known.opening.is_some() && self.handshakes.identity().party() < peer {
                return Err(Refusal::Crossed);
            }
        }
        let (handshake, answer) = self.handshakes.answer(peer, hello, entropy)?;
        let known = self.entry(now, peer);
        known.opening = None;
        known.hello = Some(now);
        known.answering = Some(Waiting { handshake, since: now });
        self.reckon();
        Ok(answer)
    }

    /// Takes the answer to our hello: the finish to send. The session is there.
    ///
    /// # Errors
    /// [`HandshakeError`]; the handshake is over.
    pub fn answer(&mut self, now: Time, peer: Party, answer: &[u8]) -> Result<Vec<u8>, HandshakeError> {
        let waiting = self.peers.get_mut(&peer).and_then(|peer| peer.opening.take());
        let waiting = waiting.ok_or(HandshakeError::Unexpected)?;
        let finished = self.handshakes.finish(waiting.handshake, now, answer);
        if finished.is_err() {
            self.failed(peer);
        }
        let (session, finish) = finished?;
        self.establish(now, peer, session);
        Ok(finish)
    }

    /// Takes the finish of a peer's handshake. The session is there.
    ///
    /// # Errors
    /// [`HandshakeError`]; the handshake is over.
    pub fn finish(&mut self, now: Time, peer: Party, finish: &[u8]) -> Result<(), HandshakeError> {
        let waiting = self.peers.get_mut(&peer).and_then(|peer| peer.answering.take());
        let finished = waiting
            .ok_or(HandshakeError::Unexpected)
            .and_then(|waiting| self.handshakes.finished(waiting.handshake, now, finish));
        self.reckon();
        self.establish(now, peer, finished?);
        Ok(())
    }

    /// The peer says that it does not know the session that it was sent to with: it restarted, or the finish was lost.
    pub fn unknown(&mut self, peer: Party) {
        self.end(peer, EndReason::Unknown);
    }

    /// Forgets a peer.
    pub fn drop_peer(&mut self, peer: Party) {
        self.end(peer, EndReason::Dropped);
        self.peers.remove(&peer);
        self.reckon();
    }

    /// Seals a message for a peer.
    ///
    /// # Errors
    /// [`SealError`]: then open a session first.
    pub fn seal(&mut self, now: Time, peer: Party, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        let limits = self.limits;
        let known = self.peers.get_mut(&peer).ok_or(SealError::NoSession { peer })?;
        let live = known.current.as_mut().filter(|session| now < session.since() + limits.expire_after);
        let sealed = live.ok_or(SealError::NoSession { peer })?.seal(plaintext)?;
        known.used = now;
        if known.wants_renewal(now, &limits) {
            known.is_renewing = true;
            self.outputs.push_back(Output::Renew { peer });
        }
        Ok(sealed)
    }

    /// The channel of the session that a sealed message names.
    #[must_use]
    pub fn channel_of(&self, peer: Party, sealed: &[u8]) -> Option<Channel> {
        let known = self.peers.get(&peer)?;
        let mut sessions = known.current.iter().chain(known.previous.as_ref().map(|(session, _)| session));
        sessions.find(|session| session.is_named_by(sealed)).map(Session::channel)
    }

    /// Seals the response to a message that was opened, in the session of that message: the peer has that one for certain.
    ///
    /// # Errors
    /// [`SealError`], when the session ended meanwhile.
    pub fn reply(&mut self, peer: Party, to: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        let session = self.peers.get_mut(&peer).and_then(|peer| peer.named_by(to));
        session.ok_or(SealError::NoSession { peer })?.seal(plaintext)
    }

    /// Opens a message of a peer of at most `limit` bytes.
    ///
    /// # Errors
    /// [`OpenError`]; [`OpenError::UnknownSession`] is to be told to the peer.
    pub fn unseal(&mut self, now: Time, peer: Party, sealed: &[u8], limit: usize) -> Result<Vec<u8>, OpenError> {
        let known = self.peers.get_mut(&peer).ok_or(OpenError::UnknownSession)?;
        known.unseal(now, &self.limits, sealed, limit)
    }

    /// Time passed.
    pub fn handle(&mut self, now: Time) {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        let limits = self.limits;
        for (party, peer) in &mut self.peers {
            if let Some(reason) = peer.expire(now, &limits) {
                self.outputs.push_back(Output::Ended { peer: *party, reason });
            }
            if peer.wants_renewal(now, &limits) {
                self.outputs.push_back(Output::Renew { peer: *party });
            }
            // Also of one that nobody used: it is asked once, so that the deadline moves on.
            if peer.current.as_ref().is_some_and(|session| now >= session.since() + limits.renew_after) {
                peer.is_renewing = true;
            }
        }
        self.peers.retain(|_, peer| !peer.is_empty());
        self.reckon();
    }

    /// What happened; call until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`handle`](Self::handle) has something to do if nothing else happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.deadline
    }

    /// How many peers there is something with.
    #[must_use]
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether there is nothing with anybody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    fn establish(&mut self, now: Time, peer: Party, session: Session) {
        let channel = session.channel();
        self.entry(now, peer).establish(now, session);
        self.outputs.push_back(Output::Established { peer, channel });
        self.reckon();
    }

    fn end(&mut self, peer: Party, reason: EndReason) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        known.previous = None;
        if known.current.take().is_some() {
            self.outputs.push_back(Output::Ended { peer, reason });
        }
        self.reckon();
    }

    /// What there is with a peer; somebody else makes room for a new one.
    fn entry(&mut self, now: Time, peer: Party) -> &mut Peer {
        if self.peers.len() >= self.limits.peers && !self.peers.contains_key(&peer) {
            // Those without a session first: a flood of hellos by new names costs no session.
            let value = |peer: &Peer| (peer.current.is_some(), peer.used);
            let least = self.peers.iter().min_by_key(|(_, peer)| value(peer)).map(|(party, _)| *party);
            if let Some(least) = least {
                self.end(least, EndReason::Evicted);
                self.peers.remove(&least);
            }
        }
        self.peers.entry(peer).or_insert_with(|| Peer { used: now, ..Peer::default() })
    }

    fn reckon(&mut self) {
        self.deadline = self.peers.values().filter_map(|peer| peer.deadline(&self.limits)).min();
    }
}

#[cfg(test)]
mod tests;
