//! Session descriptions of connections that carry nothing but data channels (RFC 8866, RFC 8839, RFC 8841, RFC 8842).
//!
//! The ends of webrtc-direct infer each other's description from the address and the first connectivity check instead of sending it:
//! [`Description::of_direct_server`] and [`Description::of_direct_client`].

use std::fmt::Write as _;
use std::net::SocketAddr;

use thiserror::Error;

use crate::certificate::Fingerprint;

/// The most bytes of a description that we read: a browser's have some 500, and 100 per candidate.
pub const MAX_DESCRIPTION: usize = 64 * 1024;
/// The most candidates of a description that we keep.
pub const MAX_CANDIDATES: usize = 64;
/// What a peer takes that does not say (RFC 8841 section 6.1).
const DEFAULT_MAX_MESSAGE: usize = 64 * 1024;
/// The largest message of webrtc-direct (libp2p WebRTC, "Multiplexing").
const DIRECT_MAX_MESSAGE: usize = 16 * 1024;
/// The port of SCTP within DTLS, which every implementation uses.
const SCTP_PORT: &str = "5000";
/// Lengths of the credentials (RFC 8839 section 5.4).
const UFRAG: std::ops::RangeInclusive<usize> = 4..=256;
const PASSWORD: std::ops::RangeInclusive<usize> = 22..=256;

/// What one end says about itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Description {
    /// The username fragment of its connectivity checks.
    pub ufrag: String,
    /// The password of its connectivity checks.
    pub password: String,
    /// The fingerprint of its certificate; nobody knows that of a client of webrtc-direct beforehand.
    pub fingerprint: Option<Fingerprint>,
    /// Which role of DTLS it takes.
    pub setup: Setup,
    /// The name of the media section.
    pub mid: String,
    /// The most bytes of one message that it takes.
    pub max_message: usize,
    /// Whether it only answers connectivity checks (RFC 8445 section 2.5).
    pub lite: bool,
    /// Its candidates, as candidate-attributes.
    pub candidates: Vec<String>,
}

/// Who begins the handshake of DTLS (RFC 8842 section 5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Setup {
    /// The answerer chooses.
    ActPass,
    /// This end begins.
    Active,
    /// The other end begins.
    Passive,
}

/// Why a text is not a description that we can use.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum DescriptionError {
    /// Too long.
    #[error("it has {found} bytes, at most {MAX_DESCRIPTION} are read")]
    TooLong {
        /// Its bytes.
        found: usize,
    },
    /// Not one media section for data channels.
    #[error(
        "it has {found} media sections of which {data} are for data channels over UDP, expected exactly one, and for data channels"
    )]
    Media {
        /// How many there are.
        found: usize,
        /// How many of them are for data channels.
        data: usize,
    },
    /// A missing attribute.
    #[error("it has no usable {attribute}")]
    Missing {
        /// Its name.
        attribute: &'static str,
    },
    /// An attribute with a value that we cannot use.
    #[error("its {attribute} cannot be used: expected {expected}")]
    Invalid {
        /// Its name.
        attribute: &'static str,
        /// What it should be.
        expected: &'static str,
    },
}

impl Description {
    /// What a client of webrtc-direct infers about the server; `ufrag` is the password, too.
    pub fn of_direct_server(address: SocketAddr, ufrag: &str, fingerprint: Fingerprint) -> Self {
        let candidate = format!("candidate:1 1 udp 2130706431 {} {} typ host", address.ip(), address.port());
        Self {
            lite: true,
            setup: Setup::Passive,
            candidates: vec![candidate],
            ..Self::of_direct_end(ufrag, Some(fingerprint))
        }
    }

    /// What a server of webrtc-direct infers about a client; the first check shows its address.
    pub fn of_direct_client(ufrag: &str) -> Self {
        Self::of_direct_end(ufrag, None)
    }

    fn of_direct_end(ufrag: &str, fingerprint: Option<Fingerprint>) -> Self {
        Self {
            ufrag: ufrag.to_owned(),
            password: ufrag.to_owned(),
            fingerprint,
            setup: Setup::ActPass,
            mid: "0".to_owned(),
            max_message: DIRECT_MAX_MESSAGE,
            lite: false,
            candidates: Vec::new(),
        }
    }

    /// Reads an offer or an answer.
    pub fn parse(text: &str) -> Result<Self, DescriptionError> {
        if text.len() > MAX_DESCRIPTION {
            return Err(DescriptionError::TooLong { found: text.len() });
        }
        let mut read = Read::default();
        for line in text.lines() {
            match line.split_once('=') {
                Some(("m", media)) => read.media(media),
                Some(("a", attribute)) => read.attribute(attribute)?,
                _ => {}
            }
        }
        read.finish()
    }

    /// Writes it as the `version`th description of a session.
    pub fn to_text(&self, session: u64, version: u64) -> String {
        let mut text =
            format!("v=0\r\no=- {session} {version} IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {}\r\n", self.mid);
        if self.lite {
            text.push_str("a=ice-lite\r\n");
        }
        text.push_str("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n");
        let mut attribute = |name: &str, value: &dyn std::fmt::Display| {
            write!(text, "a={name}:{value}\r\n").expect("writing to a string does not fail");
        };
        attribute("mid", &self.mid);
        attribute("ice-ufrag", &self.ufrag);
        attribute("ice-pwd", &self.password);
        attribute("ice-options", &"trickle");
        if let Some(fingerprint) = self.fingerprint {
            attribute("fingerprint", &format_args!("sha-256 {}", fingerprint.to_sdp()));
        }
        attribute("setup", &self.setup.name());
        attribute("sctp-port", &SCTP_PORT);
        attribute("max-message-size", &self.max_message);
        for candidate in &self.candidates {
            write!(text, "a={candidate}\r\n").expect("writing to a string does not fail");
        }
        text
    }
}

impl Setup {
    fn name(self) -> &'static str {
        match self {
            Self::ActPass => "actpass",
            Self::Active => "active",
            Self::Passive => "passive",
        }
    }
}

/// Whether a text may be a username fragment (RFC 8839 section 5.4).
pub fn is_ufrag(text: &str) -> bool {
    UFRAG.contains(&text.len()) && is_ice_text(text)
}

/// Whether a text may be a password, so also both credentials of webrtc-direct.
pub fn is_password(text: &str) -> bool {
    PASSWORD.contains(&text.len()) && is_ice_text(text)
}

fn is_ice_text(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

/// A description while it is read.
#[derive(Default)]
struct Read {
    sections: usize,
    data_sections: usize,
    ufrag: Option<String>,
    password: Option<String>,
    fingerprint: Option<Fingerprint>,
    setup: Option<Setup>,
    mid: Option<String>,
    max_message: Option<usize>,
    lite: bool,
    candidates: Vec<String>,
}

impl Read {
    fn media(&mut self, media: &str) {
        self.sections += 1;
        let fields: Vec<&str> = media.split_ascii_whitespace().take(5).collect();
        if matches!(fields[..], ["application", _, "UDP/DTLS/SCTP", "webrtc-datachannel"]) {
            self.data_sections += 1;
        }
    }

    fn attribute(&mut self, attribute: &str) -> Result<(), DescriptionError> {
        let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        match name {
            "ice-ufrag" if is_ufrag(value) => self.ufrag = Some(value.to_owned()),
            "ice-ufrag" => return Err(invalid("ice-ufrag", "4 to 256 letters, digits, + or /")),
            "ice-pwd" if is_password(value) => self.password = Some(value.to_owned()),
            "ice-pwd" => return Err(invalid("ice-pwd", "22 to 256 letters, digits, + or /")),
            "ice-lite" => self.lite = true,
            "fingerprint" => self.read_fingerprint(value)?,
            "setup" => self.setup = Some(read_setup(value)?),
            "mid" if (1..=64).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic()) => {
                self.mid = Some(value.to_owned());
            }
            "mid" => return Err(invalid("mid", "1 to 64 visible characters")),
            "sctp-port" if value != SCTP_PORT => return Err(invalid("sctp-port", SCTP_PORT)),
            "max-message-size" => {
                let most = value.parse::<u64>().map_err(|_| invalid("max-message-size", "a number"))?;
                let most = usize::try_from(most).unwrap_or(usize::MAX);
                self.max_message = Some(if most == 0 { usize::MAX } else { most });
            }
            "candidate" if self.candidates.len() < MAX_CANDIDATES => self.candidates.push(attribute.to_owned()),
            _ => {}
        }
        Ok(())
    }

    /// Other hashes may stand beside SHA-256.
    fn read_fingerprint(&mut self, value: &str) -> Result<(), DescriptionError> {
        if let Some((hash, digest)) = value.split_once(' ')
            && hash.eq_ignore_ascii_case("sha-256")
        {
            let digest = Fingerprint::from_sdp(digest.trim());
            self.fingerprint = Some(
                digest
                    .map_err(|_| invalid("fingerprint", "32 pairs of hexadecimal digits with colons between them"))?,
            );
        }
        Ok(())
    }

    fn finish(self) -> Result<Description, DescriptionError> {
        if (self.sections, self.data_sections) != (1, 1) {
            return Err(DescriptionError::Media { found: self.sections, data: self.data_sections });
        }
        let missing = |attribute| DescriptionError::Missing { attribute };
        Ok(Description {
            ufrag: self.ufrag.ok_or(missing("ice-ufrag"))?,
            password: self.password.ok_or(missing("ice-pwd"))?,
            fingerprint: Some(self.fingerprint.ok_or(missing("fingerprint of SHA-256"))?),
            setup: self.setup.ok_or(missing("setup"))?,
            mid: self.mid.unwrap_or_else(|| "0".to_owned()),
            max_message: self.max_message.unwrap_or(DEFAULT_MAX_MESSAGE),
            lite: self.lite,
            candidates: self.candidates,
        })
    }
}

fn read_setup(value: &str) -> Result<Setup, DescriptionError> {
    [Setup::ActPass, Setup::Active, Setup::Passive]
        .into_iter()
        .find(|setup| setup.name() == value)
        .ok_or(invalid("setup", "actpass, active or passive"))
}

fn invalid(attribute: &'static str, expected: &'static str) -> DescriptionError {
    DescriptionError::Invalid { attribute, expected }
}

#[cfg(test)]
mod tests;
