use serde::{Deserialize, Serialize};

/// Longest JSON text of a candidate. A candidate with a long host name and every extension stays below 512 bytes.
pub const MAX_CANDIDATE: usize = 2 * 1024;

/// A candidate as browsers exchange it: `RTCIceCandidateInit` of W3C WebRTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Candidate {
    /// The candidate-attribute (RFC 8839, section 5.1), not empty.
    pub candidate: String,
    /// The media section it belongs to, by name; `"0"` for the only one of a libp2p connection.
    pub sdp_mid: Option<String>,
    /// The media section it belongs to, by position.
    #[serde(rename = "sdpMLineIndex")]
    pub sdp_m_line_index: Option<u16>,
    /// The ICE generation it belongs to.
    pub username_fragment: Option<String>,
}

/// Why a text is not a candidate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CandidateError {
    /// It is too long.
    #[error("found a candidate of {found} bytes, expected at most {MAX_CANDIDATE}")]
    TooLarge {
        /// Its length.
        found: usize,
    },
    /// It is not the JSON of a candidate.
    #[error("found a candidate that is not the JSON of an RTCIceCandidateInit: {reason}")]
    Json {
        /// What the JSON decoder says.
        reason: String,
    },
    /// It would break out of its line in a session description.
    #[error("found a candidate with control characters, expected one line of text")]
    ControlCharacter,
}

impl Candidate {
    /// A candidate of the only media section of a libp2p connection.
    pub fn new(candidate: String, username_fragment: Option<String>) -> Self {
        Self { candidate, sdp_mid: Some("0".to_owned()), sdp_m_line_index: Some(0), username_fragment }
    }

    /// The JSON text that a browser's `RTCIceCandidate` is made of.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers can always be written as JSON")
    }

    /// Reads the JSON text. `None` is the end of the candidates: no text, `null`, `""` or an empty candidate (each has been sent
    /// by some version of js-libp2p or some browser).
    ///
    /// # Errors
    /// If it is something else.
    pub fn from_json(text: &str) -> Result<Option<Self>, CandidateError> {
        if text.len() > MAX_CANDIDATE {
            return Err(CandidateError::TooLarge { found: text.len() });
        }
        if matches!(text, "" | "null" | "\"\"") {
            return Ok(None);
        }
        let candidate: Self =
            serde_json::from_str(text).map_err(|error| CandidateError::Json { reason: error.to_string() })?;
        let texts = [Some(&candidate.candidate), candidate.sdp_mid.as_ref(), candidate.username_fragment.as_ref()];
        if texts.into_iter().flatten().any(|text| text.contains(char::is_control)) {
            return Err(CandidateError::ControlCharacter);
        }
        Ok(Some(candidate).filter(|candidate| !candidate.candidate.is_empty()))
    }
}
