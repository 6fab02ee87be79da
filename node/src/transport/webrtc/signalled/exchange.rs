//! The messages on one signalling stream.

use std::collections::VecDeque;
use std::io;

use darkswap_webrtc::certificate::Fingerprint;
use darkswap_webrtc::connection::ConnectionError;
use darkswap_webrtc::signalling::{self, Candidate, Role, Session, SessionSettings};
use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use libp2p::swarm::Stream;
use thiserror::Error;
use tokio::time::Instant;

use crate::event::Misbehaviour;

/// Bytes that are read at once; most messages are smaller.
const READ: usize = 4 << 10;

/// Something that the peer said.
#[derive(Debug)]
pub(super) enum Received {
    /// Its description, as the offerer.
    Offer { sdp: String, fingerprint: Fingerprint },
    /// Its description, as the answerer.
    Answer { sdp: String, fingerprint: Fingerprint },
    /// A candidate; empty when there are no more.
    Candidate(String),
    /// It closed the stream, or the relayed connection ended.
    Ended,
}

/// What a peer said against the rules.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{evidence}")]
pub struct Refused {
    /// Which rule.
    pub kind: Misbehaviour,
    /// The evidence, for people.
    pub evidence: String,
}

impl Refused {
    /// A description that cannot be used.
    pub(super) fn description(which: &str, error: &ConnectionError) -> Self {
        Self { kind: Misbehaviour::Malformed, evidence: format!("found an {which} that cannot be used: {error}") }
    }

    /// A description for another certificate than that of the connection which it is to restart.
    pub(super) fn other_certificate() -> Self {
        let evidence = "found another certificate in a restart, expected that of the connection".to_owned();
        Self { kind: Misbehaviour::Forged, evidence }
    }
}

impl From<signalling::Misbehaviour> for Refused {
    fn from(misbehaviour: signalling::Misbehaviour) -> Self {
        let kind = match misbehaviour.label() {
            "oversized" | "too_many" => Misbehaviour::Oversized,
            "out_of_order" | "replayed" => Misbehaviour::OutOfOrder,
            "forged" => Misbehaviour::Forged,
            _ => Misbehaviour::Malformed,
        };
        Self { kind, evidence: misbehaviour.to_string() }
    }
}

/// One signalling stream with the rules of its exchange.
#[derive(Debug)]
pub(super) struct Exchange {
    /// `None` once either side has ended it.
    stream: Option<Stream>,
    role: Role,
    session: Session,
    received: VecDeque<Received>,
    buffer: Box<[u8]>,
}

impl Exchange {
    /// A stream that we opened.
    pub(super) fn offerer(stream: Stream) -> Self {
        Self::new(stream, Role::Offerer)
    }

    /// A stream that the peer opened.
    pub(super) fn answerer(stream: Stream) -> Self {
        Self::new(stream, Role::Answerer)
    }

    fn new(stream: Stream, role: Role) -> Self {
        Self {
            stream: Some(stream),
            role,
            session: Session::new(role, SessionSettings::default(), now()),
            received: VecDeque::new(),
            buffer: vec![0; READ].into(),
        }
    }

    /// Whether more can be said.
    pub(super) fn is_open(&self) -> bool {
        self.stream.is_some() || !self.received.is_empty()
    }

    /// Whether this stream can carry a restart of ours: the offers on it are ours.
    pub(super) fn can_restart(&self) -> bool {
        self.stream.is_some() && self.role == Role::Offerer && self.session.can_restart()
    }

    /// Sends our offer, the first or that of a restart.
    pub(super) async fn offer(&mut self, sdp: String) -> io::Result<()> {
        self.session.send_offer(now(), sdp).map_err(io::Error::other)?;
        self.flush().await
    }

    /// Sends our answer.
    pub(super) async fn answer(&mut self, sdp: String) -> io::Result<()> {
        self.session.send_answer(sdp).map_err(io::Error::other)?;
        self.flush().await
    }

    /// Tells the peer a candidate of ours. One that cannot be told any more is not needed any more, or ICE does without.
    pub(super) async fn candidate(&mut self, candidate: &str) {
        if let Err(error) = self.session.send_candidate(Candidate::new(candidate.to_owned(), None)) {
            tracing::debug!(%error, "a candidate is not told");
        }
        self.flush_or_end().await;
    }

    /// Tells the peer that we have no more candidates.
    pub(super) async fn end_of_candidates(&mut self) {
        // It is of use only where the candidates before it went.
        let _ = self.session.send_end_of_candidates();
        self.flush_or_end().await;
    }

    /// Notices when the stream has ended with its connection, of which a reader hears nothing. Tells the peer once more that there are no
    /// more candidates, which harms nobody.
    pub(super) async fn probe(&mut self) {
        self.end_of_candidates().await;
    }

    /// The connection stands.
    pub(super) fn connected(&mut self) {
        self.session.connected();
    }

    /// The next thing that the peer says. May be dropped at any time without loss. Pends for ever after [`Received::Ended`].
    ///
    /// # Errors
    /// When the peer breaks a rule; the stream is reset.
    pub(super) async fn receive(&mut self) -> Result<Received, Refused> {
        loop {
            if let Some(received) = self.received.pop_front() {
                return Ok(received);
            }
            let Some(stream) = &mut self.stream else { return std::future::pending().await };
            let taken = match stream.read(&mut self.buffer).await {
                Ok(0) | Err(_) => {
                    // Whoever negotiates knows what the end means at this point.
                    let _ = self.session.handle_closed();
                    self.close().await;
                    return Ok(Received::Ended);
                }
                Ok(length) => self.session.handle_bytes(now(), &self.buffer[..length]).map_err(Refused::from),
            };
            let taken = taken.and_then(|()| self.take_events());
            if let Err(refused) = taken {
                self.stream = None;
                self.received.clear();
                return Err(refused);
            }
        }
    }

    fn take_events(&mut self) -> Result<(), Refused> {
        while let Some(event) = self.session.poll_event() {
            let received = match event {
                signalling::Event::Offer { sdp } => Received::Offer { fingerprint: fingerprint(&sdp)?, sdp },
                signalling::Event::Answer { sdp } => Received::Answer { fingerprint: fingerprint(&sdp)?, sdp },
                signalling::Event::Candidate(candidate) => Received::Candidate(candidate.candidate),
                signalling::Event::EndOfCandidates => Received::Candidate(String::new()),
                // Whoever negotiates keeps the time.
                signalling::Event::TimedOut(_) => continue,
            };
            self.received.push_back(received);
        }
        Ok(())
    }

    /// Ends the stream in good order.
    async fn close(&mut self) {
        if let Some(mut stream) = self.stream.take() {
            // It may be broken.
            let _ = stream.close().await;
        }
    }

    async fn flush_or_end(&mut self) {
        if self.flush().await.is_err() {
            self.stream = None;
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        while let Some(bytes) = self.session.poll_output() {
            let stream = self.stream.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
            stream.write_all(&bytes).await?;
            stream.flush().await?;
        }
        Ok(())
    }
}

/// The fingerprint of the certificate that a description announces (RFC 8122, section 5). Every one it has must be the same, for
/// whoever checks the certificate must not have to choose.
fn fingerprint(sdp: &str) -> Result<Fingerprint, Refused> {
    let malformed = |evidence: String| Refused { kind: Misbehaviour::Malformed, evidence };
    let mut found = None;
    for line in sdp.lines() {
        let Some(value) = line.strip_prefix("a=fingerprint:") else { continue };
        let Some(("sha-256", digits)) = value.trim().split_once(' ').map(|(hash, digits)| (hash, digits.trim())) else {
            // A description may have others besides.
            continue;
        };
        let fingerprint = Fingerprint::from_sdp(digits)
            .map_err(|error| malformed(format!("found a fingerprint that cannot be read: {error}")))?;
        if found.is_some_and(|other| other != fingerprint) {
            return Err(malformed("found two fingerprints in a description, expected one".to_owned()));
        }
        found = Some(fingerprint);
    }
    found.ok_or_else(|| malformed("found a description without a SHA-256 fingerprint, expected one".to_owned()))
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(byte: u8) -> String {
        format!("a=fingerprint:sha-256 {}\r\n", vec![format!("{byte:02X}"); 32].join(":"))
    }

    #[test]
    fn a_description_has_one_fingerprint_however_often() {
        let expected = Fingerprint::from_multihash(&[&[0x12, 0x20][..], &[7; 32]].concat()).unwrap();
        assert_eq!(fingerprint(&format!("v=0\r\n{}", line(7))), Ok(expected));
        assert_eq!(fingerprint(&format!("v=0\r\n{}m=application\r\n{}", line(7), line(7))), Ok(expected));
        for sdp in ["v=0\r\n".to_owned(), format!("{}{}", line(7), line(8)), "a=fingerprint:sha-256 7".to_owned()] {
            assert_eq!(fingerprint(&sdp).unwrap_err().kind, Misbehaviour::Malformed, "{sdp}");
        }
    }

    proptest! {
        #![proptest_config(crate::cases())]
        #[test]
        fn no_description_is_too_strange_to_look_for_a_fingerprint(sdp in "(a=fingerprint:(sha-256 )?[0-9A-F: ]{0,100}|.{0,20}|\n){0,8}") {
            let _ = fingerprint(&sdp);
        }
    }
}
