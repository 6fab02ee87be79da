use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::candidate::Candidate;
use super::event::{Event, Role, SessionError, Waiting};
use super::message::{Decoder, Message};
use super::misbehaviour::{Misbehaviour, evidence};
use super::ufrags::Ufrags;

/// The span that offers are counted in.
const OFFER_WINDOW: Duration = Duration::from_secs(60);

/// Bounds of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// Longest time from the start, or from the offer of an ICE restart, until the connection is up. ICE gives up after 30 s.
    pub deadline: Duration,
    /// Most candidates per description, in each direction. A host with ten addresses and four servers has fifty.
    pub candidates: usize,
    /// Most bytes of the peer's candidates per description.
    pub candidate_bytes: usize,
    /// Most offers a minute that we send; restarts that help no more often than that do not help.
    pub offers_sent: u32,
    /// Most offers a minute that we accept: twice as many, because a relay can deliver those of two minutes in one.
    pub offers_accepted: u32,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            candidates: 64,
            candidate_bytes: 32 * 1024,
            offers_sent: 4,
            offers_accepted: 8,
        }
    }
}

/// Offers within the last minute.
#[derive(Debug, Default)]
struct Offers {
    since: Option<Instant>,
    count: u32,
}

impl Offers {
    fn count(&mut self, now: Instant) -> u32 {
        if self.since.is_none_or(|since| now >= since + OFFER_WINDOW) {
            *self = Self { since: Some(now), count: 0 };
        }
        self.count = self.count.saturating_add(1);
        self.count
    }
}

/// One exchange on one stream: pure, so the caller moves the bytes. After any call drain [`Session::poll_output`] and
/// [`Session::poll_event`]. The stream stays open after the connection is up if the peer allows it (js-libp2p closes it), for the offers
/// of later ICE restarts.
///
/// | state | offerer | answerer |
/// |---|---|---|
/// | `Offer` | our offer is due; candidates of ours wait for it | the peer's offer is due; early candidates of the peer wait for it |
/// | `Answer` | the peer's answer is due; its early candidates wait for it | our answer is due; candidates of ours wait for it |
/// | `Connection` | candidates go both ways; a new offer leads back to `Answer` | the same |
#[derive(Debug)]
pub struct Session {
    role: Role,
    settings: SessionSettings,
    decoder: Decoder,
    waiting: Waiting,
    /// The stream is closed, or the peer misbehaved.
    closed: bool,
    deadline: Option<Instant>,
    offers: Offers,
    ufrags: Ufrags,
    /// The peer's candidate messages of its description, and their bytes.
    received: usize,
    received_bytes: usize,
    /// The peer has said that there are no more.
    ended: bool,
    /// Candidate messages of the peer that came before its first description.
    early: Vec<Message>,
    /// Candidate messages of ours for our description, and those of them that wait for it.
    sent: usize,
    held: Vec<Message>,
    output: VecDeque<Bytes>,
    events: VecDeque<Event>,
}

impl Session {
    /// An exchange on a stream that was just opened.
    pub fn new(role: Role, settings: SessionSettings, now: Instant) -> Self {
        Self {
            role,
            deadline: Some(now + settings.deadline),
            settings,
            decoder: Decoder::new(),
            waiting: Waiting::Offer,
            closed: false,
            offers: Offers::default(),
            ufrags: Ufrags::default(),
            received: 0,
            received_bytes: 0,
            ended: false,
            early: Vec::new(),
            sent: 0,
            held: Vec::new(),
            output: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Sends our offer: the first, or one that restarts ICE after the last was answered.
    ///
    /// # Errors
    /// If it is not the time for it.
    pub fn send_offer(&mut self, now: Instant, sdp: String) -> Result<(), SessionError> {
        self.check_due(Role::Offerer, &[Waiting::Offer, Waiting::Connection])?;
        let limit = self.settings.offers_sent;
        if self.offers.count(now) > limit {
            return Err(SessionError::TooManyOffers { limit });
        }
        self.ufrags.ours(&sdp);
        self.waiting = Waiting::Answer;
        self.deadline = Some(now + self.settings.deadline);
        self.send_description(Message::Offer { sdp });
        Ok(())
    }

    /// Sends our answer to the peer's offer.
    ///
    /// # Errors
    /// If there is no offer to answer.
    pub fn send_answer(&mut self, sdp: String) -> Result<(), SessionError> {
        self.check_due(Role::Answerer, &[Waiting::Answer])?;
        self.ufrags.ours(&sdp);
        self.waiting = Waiting::Connection;
        self.send_description(Message::Answer { sdp });
        Ok(())
    }

    /// Sends a candidate of ours, after the description it belongs to.
    ///
    /// # Errors
    /// If there were too many, or the stream is closed.
    pub fn send_candidate(&mut self, candidate: Candidate) -> Result<(), SessionError> {
        self.send_trickled(Message::Candidate(candidate))
    }

    /// Tells the peer that we have no more candidates for our description.
    ///
    /// # Errors
    /// As [`Session::send_candidate`].
    pub fn send_end_of_candidates(&mut self) -> Result<(), SessionError> {
        self.send_trickled(Message::EndOfCandidates)
    }

    /// The connection is up: the deadline has been met.
    pub fn connected(&mut self) {
        self.deadline = None;
    }

    /// Whether a later ICE restart can use this exchange.
    pub fn can_restart(&self) -> bool {
        !self.closed && self.waiting == Waiting::Connection
    }

    /// Takes bytes of the stream.
    ///
    /// # Errors
    /// If the peer misbehaves: the stream has to be reset.
    pub fn handle_bytes(&mut self, now: Instant, mut bytes: &[u8]) -> Result<(), Misbehaviour> {
        while !self.closed {
            let before = bytes.len();
            let taken = match self.decoder.next_message(&mut bytes) {
                Ok(None) => return Ok(()),
                Ok(Some(message)) => self.handle_message(now, message, before - bytes.len()),
                Err(error) => Err(error.into()),
            };
            if taken.is_err() {
                self.shut();
                return taken;
            }
        }
        Ok(())
    }

    /// Takes the end of the stream.
    ///
    /// # Errors
    /// If it came before the descriptions were exchanged.
    pub fn handle_closed(&mut self) -> Result<(), SessionError> {
        let was_closed = std::mem::replace(&mut self.closed, true);
        self.output.clear();
        match self.waiting {
            waiting @ (Waiting::Offer | Waiting::Answer) if !was_closed => {
                self.deadline = None;
                Err(SessionError::ClosedEarly { waiting })
            }
            _ => Ok(()),
        }
    }

    /// The next bytes for the stream.
    pub fn poll_output(&mut self) -> Option<Bytes> {
        self.output.pop_front()
    }

    /// The next thing that the connection has to know.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Session::handle_timeout`] has to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.deadline = None;
            self.events.push_back(Event::TimedOut(self.waiting));
        }
    }

    fn handle_message(&mut self, now: Instant, message: Message, size: usize) -> Result<(), Misbehaviour> {
        match (message, self.role, self.waiting) {
            (Message::Offer { sdp }, Role::Answerer, Waiting::Offer | Waiting::Connection) => {
                let limit = self.settings.offers_accepted;
                let found = self.offers.count(now);
                if found > limit {
                    return Err(Misbehaviour::TooManyOffers { found, limit });
                }
                self.take_description(&sdp)?;
                self.waiting = Waiting::Answer;
                self.deadline = Some(now + self.settings.deadline);
                // Our candidates from now on belong to the answer.
                self.sent = self.held.len();
                self.events.push_back(Event::Offer { sdp });
                self.release_early()
            }
            (Message::Answer { sdp }, Role::Offerer, Waiting::Answer) => {
                self.take_description(&sdp)?;
                self.waiting = Waiting::Connection;
                self.events.push_back(Event::Answer { sdp });
                self.release_early()
            }
            (Message::Offer { .. }, ..) => Err(Misbehaviour::UnexpectedOffer { expected: self.expected() }),
            (Message::Answer { .. }, ..) => Err(Misbehaviour::UnexpectedAnswer { expected: self.expected() }),
            (trickled @ (Message::Candidate(_) | Message::EndOfCandidates), ..) => self.take_trickled(trickled, size),
        }
    }

    /// Accepts a description of the peer; its candidates are counted from here.
    fn take_description(&mut self, sdp: &str) -> Result<(), Misbehaviour> {
        if let Some(found) = self.ufrags.used_before(sdp) {
            return Err(Misbehaviour::Replayed { found: evidence(&found) });
        }
        if !self.ufrags.theirs(sdp) {
            return Err(Misbehaviour::NoUfrag);
        }
        if self.early.is_empty() {
            self.received = 0;
            self.received_bytes = 0;
        }
        self.ended = false;
        Ok(())
    }

    fn take_trickled(&mut self, message: Message, size: usize) -> Result<(), Misbehaviour> {
        self.received += 1;
        self.received_bytes += size;
        let (limit, limit_bytes) = (self.settings.candidates, self.settings.candidate_bytes);
        if self.received > limit || self.received_bytes > limit_bytes {
            let (found, bytes) = (self.received, self.received_bytes);
            return Err(Misbehaviour::TooManyCandidates { found, bytes, limit, limit_bytes });
        }
        if self.ufrags.has_theirs() {
            return self.deliver(message);
        }
        self.early.push(message);
        Ok(())
    }

    fn release_early(&mut self) -> Result<(), Misbehaviour> {
        std::mem::take(&mut self.early).into_iter().try_for_each(|message| self.deliver(message))
    }

    fn deliver(&mut self, message: Message) -> Result<(), Misbehaviour> {
        match message {
            Message::Candidate(candidate) => {
                match &candidate.username_fragment {
                    Some(ufrag) if self.ufrags.is_current(ufrag) => {}
                    // Sent before the peer saw the restart; nothing can be done with it any more.
                    Some(ufrag) if self.ufrags.is_stale(ufrag) => return Ok(()),
                    Some(ufrag) => return Err(Misbehaviour::ForeignCandidate { found: evidence(ufrag) }),
                    None => {}
                }
                // After the end no candidate is accepted (RFC 8838).
                if !self.ended {
                    self.events.push_back(Event::Candidate(candidate));
                }
            }
            Message::EndOfCandidates => {
                if !std::mem::replace(&mut self.ended, true) {
                    self.events.push_back(Event::EndOfCandidates);
                }
            }
            Message::Offer { .. } | Message::Answer { .. } => unreachable!("descriptions are not trickled"),
        }
        Ok(())
    }

    fn send_trickled(&mut self, message: Message) -> Result<(), SessionError> {
        if self.closed {
            return Err(SessionError::Closed);
        }
        let limit = self.settings.candidates;
        if self.sent >= limit {
            return Err(SessionError::TooManyCandidates { limit });
        }
        self.sent += 1;
        match (self.role, self.waiting) {
            // js-libp2p takes nothing else for the offer or the answer that is due.
            (Role::Offerer, Waiting::Offer) | (Role::Answerer, Waiting::Offer | Waiting::Answer) => {
                self.held.push(message);
            }
            (Role::Offerer, Waiting::Answer | Waiting::Connection) | (Role::Answerer, Waiting::Connection) => {
                self.output.push_back(message.encode());
            }
        }
        Ok(())
    }

    fn send_description(&mut self, description: Message) {
        self.sent = self.held.len();
        self.output.push_back(description.encode());
        self.output.extend(self.held.drain(..).map(|message| message.encode()));
    }

    fn check_due(&self, role: Role, states: &[Waiting]) -> Result<(), SessionError> {
        if self.closed {
            return Err(SessionError::Closed);
        }
        if self.role != role || !states.contains(&self.waiting) {
            return Err(SessionError::NotDue { role: self.role, waiting: self.waiting });
        }
        Ok(())
    }

    fn expected(&self) -> &'static str {
        match (self.role, self.waiting) {
            (Role::Offerer, Waiting::Offer) => "nothing before our offer",
            (Role::Offerer, Waiting::Answer) => "the answer to our offer",
            (Role::Answerer, Waiting::Offer) => "the first offer",
            (Role::Answerer, Waiting::Answer) => "candidates until our answer",
            (Role::Offerer, Waiting::Connection) => "candidates",
            (Role::Answerer, Waiting::Connection) => "candidates or an offer that restarts ICE",
        }
    }

    fn shut(&mut self) {
        self.closed = true;
        self.deadline = None;
        self.early.clear();
        self.held.clear();
        self.output.clear();
    }
}
