//! What there is with one peer.

use super::handshake::Handshake;
use super::sessions::{EndReason, Limits};
use super::{OpenError, Session};
use crate::Time;

/// A handshake that waits, and since when.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) handshake: Handshake,
    pub(super) since: Time,
}

/// What there is with one peer: at most two sessions and two handshakes.
#[derive(Debug, Default)]
pub(super) struct Peer {
    /// The newest session: what is sent is sealed with it.
    pub(super) current: Option<Session>,
    /// The one before, and when it was replaced: what is on its way was sealed with it.
    pub(super) previous: Option<(Session, Time)>,
    /// Ours: waits for the answer.
    pub(super) opening: Option<Waiting>,
    /// The peer's: waits for the finish.
    pub(super) answering: Option<Waiting>,
    /// When the peer's last hello was answered.
    pub(super) hello: Option<Time>,
    /// Whether the current session's renewal was asked for.
    pub(super) is_renewing: bool,
    /// When it was used last.
    pub(super) used: Time,
}

impl Peer {
    /// A new session takes the place of the current one.
    pub(super) fn establish(&mut self, now: Time, session: Session) {
        self.previous = self.current.replace(session).map(|session| (session, now));
        self.is_renewing = false;
        self.used = now;
    }

    /// Opens with whichever session the message names.
    pub(super) fn unseal(
        &mut self,
        now: Time,
        limits: &Limits,
        sealed: &[u8],
        limit: usize,
    ) -> Result<Vec<u8>, OpenError> {
        let live = |session: &&mut Session| now < session.since() + limits.expire_after + limits.overlap;
        let session = self.named_by(sealed).filter(live).ok_or(OpenError::UnknownSession)?;
        let plaintext = session.open(sealed, limit)?;
        self.used = now;
        Ok(plaintext)
    }

    /// The session that a sealed message names.
    pub(super) fn named_by(&mut self, sealed: &[u8]) -> Option<&mut Session> {
        let mut sessions = self.current.iter_mut().chain(self.previous.as_mut().map(|(session, _)| session));
        sessions.find(|session| session.is_named_by(sealed))
    }

    /// Whether the current session should make room for a new one: the end that opened it asks, so that not both do.
    pub(super) fn wants_renewal(&self, now: Time, limits: &Limits) -> bool {
        self.opening.is_none()
            && !self.is_renewing
            && self.current.as_ref().is_some_and(|session| {
                let is_old = now >= session.since() + limits.renew_after || session.sealed() >= limits.renew_messages;
                // A session that nobody used since it was due is left to end.
                session.is_initiator() && is_old && self.used + limits.renew_after > now
            })
    }

    /// Drops what is over; says why the current session ended, if it did.
    pub(super) fn expire(&mut self, now: Time, limits: &Limits) -> Option<EndReason> {
        self.opening.take_if(|waiting| now >= waiting.since + limits.patience);
        self.answering.take_if(|waiting| now >= waiting.since + limits.patience);
        self.previous.take_if(|(_, replaced)| now >= *replaced + limits.overlap);
        let end = limits.expire_after + limits.overlap;
        self.hello.take_if(|hello| now >= *hello + limits.hello_gap);
        self.current.take_if(|session| now >= session.since() + end).map(|_| EndReason::Expired)
    }

    /// Whether nothing is left that is worth its memory. The time of the last hello is, until its gap is over.
    pub(super) fn is_empty(&self) -> bool {
        self.current.is_none()
            && self.previous.is_none()
            && self.opening.is_none()
            && self.answering.is_none()
            && self.hello.is_none()
    }

    /// When something of it changes by itself.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<Time> {
        let waiting = self.opening.iter().chain(&self.answering).map(|waiting| waiting.since + limits.patience);
        let previous = self.previous.iter().map(|(_, replaced)| *replaced + limits.overlap);
        let end = self.current.iter().map(|session| session.since() + limits.expire_after + limits.overlap);
        let renewal = self
            .current
            .iter()
            .filter(|session| session.is_initiator() && !self.is_renewing && self.opening.is_none())
            .map(|session| session.since() + limits.renew_after);
        let hello = self.hello.iter().map(|hello| *hello + limits.hello_gap);
        waiting.chain(previous).chain(end).chain(renewal).chain(hello).min()
    }
}
