//! Offer and answer of a signalled connection (RFC 8829, RFC 9429), and candidates as they are found (RFC 8838).

use std::time::Instant;

use super::{Connection, ConnectionError, LocalCandidate};
use crate::certificate::provider;
use crate::sdp::{Description, Setup};

/// Where offer and answer stand.
pub(super) struct Negotiation {
    /// `None` where both descriptions are inferred.
    session: Option<Session>,
    /// Whether an offer of ours waits for its answer.
    offered: bool,
    /// The name of the media section, which the offerer chooses.
    mid: String,
}

struct Session {
    id: u64,
    version: u64,
}

impl Negotiation {
    pub(super) fn none() -> Self {
        Self { session: None, offered: false, mid: "0".to_owned() }
    }

    pub(super) fn new() -> Result<Self, ConnectionError> {
        let mut id = [0; 8];
        provider().random().fill(&mut id).map_err(|error| ConnectionError::SetUp { reason: error.to_string() })?;
        // RFC 8829 section 5.2.1: the highest bit is zero.
        let session = Session { id: u64::from_be_bytes(id) >> 1, version: 0 };
        Ok(Self { session: Some(session), ..Self::none() })
    }
}

impl Connection {
    /// Makes an offer, the first one or that of [`Connection::restart_ice`].
    pub fn create_offer(&mut self, now: Instant) -> Result<String, ConnectionError> {
        self.check("an offer")?;
        if self.dtls.is_some() && !self.ice.is_restart_prepared() {
            return Err(state("an offer", "nothing has changed since the last one"));
        }
        self.advance(now);
        self.negotiation.offered = true;
        Ok(self.describe(Setup::ActPass))
    }

    /// Takes an offer, the first one or that of a restart of ICE, and makes the answer.
    pub fn accept_offer(&mut self, now: Instant, sdp: &str) -> Result<String, ConnectionError> {
        self.check("an answer")?;
        if self.negotiation.offered {
            return Err(state("an answer", "our own offer waits for one"));
        }
        let offer = parse(sdp)?;
        let first = self.dtls.is_none();
        let client = match (first, offer.setup) {
            (false, _) => self.client,
            // The answerer begins unless the offerer insists, which saves half a round trip (RFC 8842 section 5.3).
            (true, Setup::ActPass | Setup::Passive) => true,
            (true, Setup::Active) => false,
        };
        // An end that only answers checks cannot be the one that controls them.
        let controlling = if first { offer.lite } else { self.ice.is_controlling() };
        self.negotiation.mid.clone_from(&offer.mid);
        if !first {
            self.check_same_peer(&offer)?;
            self.ice.prepare_restart()?;
            self.ice.restart(now)?;
        }
        self.begin_checks(now, controlling, client, &offer)?;
        Ok(self.describe(if client { Setup::Active } else { Setup::Passive }))
    }

    /// Takes the answer to our offer.
    pub fn accept_answer(&mut self, now: Instant, sdp: &str) -> Result<(), ConnectionError> {
        self.check("an answer")?;
        if !self.negotiation.offered {
            return Err(state("an answer", "no offer of ours waits for one"));
        }
        let answer = parse(sdp)?;
        let first = self.dtls.is_none();
        let client = match answer.setup {
            Setup::Passive => true,
            Setup::Active => false,
            Setup::ActPass => {
                let reason = "its setup is actpass, expected active or passive".to_owned();
                return Err(ConnectionError::Description { reason });
            }
        };
        if !first {
            self.check_same_peer(&answer)?;
        }
        self.negotiation.offered = false;
        if self.ice.is_restart_prepared() {
            self.ice.restart(now)?;
        }
        let controlling = first || self.ice.is_controlling();
        self.begin_checks(now, controlling, client, &answer)
    }

    /// Makes new credentials for the next [`Connection::create_offer`]. The pair in use stays until the answer has come; channels do
    /// not notice.
    pub fn restart_ice(&mut self, now: Instant) -> Result<(), ConnectionError> {
        self.check("a restart of ICE")?;
        if self.dtls.is_none() || self.negotiation.offered {
            return Err(state("a restart of ICE", "the first offer has not been answered"));
        }
        self.advance(now);
        self.ice.prepare_restart()
    }

    /// Takes back our offer of a restart, so that the peer's can be taken: both ends restart at once (RFC 8829 section 4.1.10.2). The pair in
    /// use stays. The first offer of a connection cannot be taken back.
    pub fn withdraw_offer(&mut self) {
        if self.dtls.is_some() {
            self.negotiation.offered = false;
        }
    }

    /// Adds a candidate of ours and returns it as text for the peer.
    pub fn add_local_candidate(&mut self, candidate: &LocalCandidate) -> Result<String, ConnectionError> {
        if self.closed {
            return Err(ConnectionError::Closed);
        }
        self.ice.add_local(candidate)
    }

    /// Adds a candidate of the peer. The empty text is the end of its candidates; names of multicast DNS and TCP are of no use to us.
    pub fn add_remote_candidate(&mut self, candidate: &str) -> Result<(), ConnectionError> {
        if self.closed {
            return Err(ConnectionError::Closed);
        }
        if candidate.trim().is_empty() {
            return Ok(());
        }
        self.ice.add_remote(candidate)
    }

    fn check(&self, operation: &'static str) -> Result<(), ConnectionError> {
        if self.closed {
            Err(ConnectionError::Closed)
        } else if self.negotiation.session.is_none() {
            Err(state(operation, "both ends of webrtc-direct infer their descriptions"))
        } else {
            Ok(())
        }
    }

    /// A restart changes the way to the peer, not the peer.
    fn check_same_peer(&self, description: &Description) -> Result<(), ConnectionError> {
        let invalid = |reason: &str| Err(ConnectionError::Description { reason: reason.to_owned() });
        if self.ice.remote_ufrag() == Some(&description.ufrag) {
            return invalid("its ice-ufrag is that of the last one, expected a new one for a restart of ICE");
        }
        if self.remote_fingerprint().is_some_and(|known| description.fingerprint != Some(known)) {
            return invalid("its fingerprint is not that of the peer");
        }
        Ok(())
    }

    fn describe(&mut self, setup: Setup) -> String {
        let (ufrag, password) = self.ice.credentials();
        let description = Description {
            ufrag,
            password,
            fingerprint: Some(self.local_fingerprint()),
            setup,
            mid: self.negotiation.mid.clone(),
            max_message: self.settings.max_message,
            lite: false,
            candidates: Vec::new(),
        };
        let session = self.negotiation.session.as_mut().expect("only connections with a session describe themselves");
        session.version += 1;
        description.to_text(session.id, session.version)
    }
}

fn parse(sdp: &str) -> Result<Description, ConnectionError> {
    Description::parse(sdp).map_err(|error| ConnectionError::Description { reason: error.to_string() })
}

fn state(operation: &'static str, reason: &'static str) -> ConnectionError {
    ConnectionError::State { operation, reason }
}
