//! Sessions between two identities: what is sealed for a peer only that peer opens, and opens once.
//!
//! The [handshake](Handshakes) is `Noise_XX_25519_ChaChaPoly_SHA256` of the Noise Protocol Framework (revision 34), by `snow`. Its
//! static keys are X25519 keys of their own; a [`Certificate`] says whose they are, signed by the identity, as in libp2p-noise, but
//! with another domain. The prologue names both parties, so that both ends agree on who talks to whom, or on nothing.
//!
//! ```text
//!   initiator                                            responder
//!       | -- hello:  e                                        -> |
//!       | <- answer: e, ee, s, es, {version, flags, certificate} |
//!       | -- finish: s, se, {version, flags, certificate}     -> |
//! ```
//!
//! A sealed message names its session and its number, in the clear but bound by the encryption:
//!
//! | bytes | field |
//! |---|---|
//! | 8 | session: the first bytes of the handshake's hash |
//! | 8 | number of the message in its direction, from 0 |
//! | .. | records of at most 65,535 bytes: ciphertext and tag |
//!
//! The nonce of record `r` of message `m` is `m * 65,536 + r`. The plaintext starts with its length, so that records that are cut off
//! are missed. A [window](Window) of numbers lets messages overtake each other and each pass once.
//!
//! [`Sessions`] is the machine over all peers: who has a session, when it is renewed, when it ends.

mod certificate;
mod handshake;
pub(crate) mod noise;
mod peer;
mod session;
mod sessions;
mod window;

pub use self::certificate::{CERTIFICATE, Certificate, CertificateError, StaticKey};
#[cfg(test)]
pub(crate) use self::handshake::handshakes;
pub use self::handshake::{Capabilities, HANDSHAKE, HandshakeError, Handshakes};
pub use self::session::{Channel, OVERHEAD, OpenError, PLAINTEXT, SealError, Session};
pub use self::sessions::{EndReason, Limits, Output, Refusal, Sessions};
pub use self::window::{Verdict, WINDOW, Window};

/// Random bytes for one handshake, drawn by the caller and used once. They become the ephemeral key.
pub type Entropy = zeroize::Zeroizing<[u8; 32]>;
