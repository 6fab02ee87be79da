use super::message::MessageError;

/// Most characters of what the peer sent that are kept as evidence.
pub const MAX_EVIDENCE: usize = 64;

/// What a peer must not do in an exchange. The exchange is over after any of these.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misbehaviour {
    /// It sent something that is not a message, or an oversized one.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// It sent an offer although the offers are ours to send, or before the last one was answered.
    #[error("found an offer, expected {expected}")]
    UnexpectedOffer {
        /// What was to come.
        expected: &'static str,
    },
    /// It sent an answer without an open offer.
    #[error("found an answer, expected {expected}")]
    UnexpectedAnswer {
        /// What was to come.
        expected: &'static str,
    },
    /// It restarts ICE again and again.
    #[error("found {found} offers within a minute, expected at most {limit}")]
    TooManyOffers {
        /// How many came.
        found: u32,
        /// How many may come.
        limit: u32,
    },
    /// It sent more candidates for one description than any host has.
    #[error("found {found} candidates of {bytes} bytes for one description, expected at most {limit} of {limit_bytes}")]
    TooManyCandidates {
        /// How many came.
        found: usize,
        /// Their bytes.
        bytes: usize,
        /// How many may come.
        limit: usize,
        /// How many bytes they may have.
        limit_bytes: usize,
    },
    /// It sent a description without ICE credentials.
    #[error("found a session description without a=ice-ufrag, expected one for the connection")]
    NoUfrag,
    /// It sent a description whose ICE credentials were used before in this exchange, by it or by us.
    #[error("found a session description with the used ice-ufrag {found:?}, expected a new one: it was replayed")]
    Replayed {
        /// The ufrag, shortened.
        found: String,
    },
    /// It sent a candidate for another connection.
    #[error(
        "found a candidate with the usernameFragment {found:?}, expected that of the session description: it is forged"
    )]
    ForeignCandidate {
        /// The ufrag, shortened.
        found: String,
    },
}

impl Misbehaviour {
    /// A short name for counters.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Message(MessageError::TooLarge { .. } | MessageError::SdpSize { .. }) => "oversized",
            Self::Message(MessageError::Candidate(super::CandidateError::TooLarge { .. })) => "oversized",
            Self::Message(_) | Self::NoUfrag => "malformed",
            Self::UnexpectedOffer { .. } | Self::UnexpectedAnswer { .. } => "out_of_order",
            Self::TooManyOffers { .. } | Self::TooManyCandidates { .. } => "too_many",
            Self::Replayed { .. } => "replayed",
            Self::ForeignCandidate { .. } => "forged",
        }
    }
}

/// The beginning of what the peer sent.
pub(super) fn evidence(text: &str) -> String {
    text.chars().take(MAX_EVIDENCE).collect()
}
