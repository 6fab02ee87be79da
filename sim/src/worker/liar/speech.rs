//! What is said to tell a lie.

use anyhow::Result;
use darkswap_node::Runtime;
use darkswap_scenario::topology::Lie;
use darkswap_webrtc::certificate::Fingerprint;
use darkswap_webrtc::sdp::{Description, Setup};
use darkswap_webrtc::signalling::{Candidate, Message, SessionSettings};

/// A message that is announced with three bytes, but not a length that fits into them.
const HUGE: [u8; 3] = [0xff, 0xff, 0x7f];
/// A message of three bytes that are no protobuf.
const NONSENSE: [u8; 4] = [0x03, 0xff, 0xff, 0xff];
/// The code of SHA-256 in a multihash, and the length of its digest.
const SHA2_256: [u8; 2] = [0x12, 32];

/// The bytes of one stream.
pub(super) struct Speech {
    /// An offer that is as it should be, and whose answer is awaited first.
    pub(super) honest: Option<Vec<u8>>,
    pub(super) lie: Vec<u8>,
}

impl Speech {
    /// The speech for a lie, with credentials from the host's entropy.
    ///
    /// # Errors
    /// There is no fingerprint of these bytes: a bug.
    pub(super) fn new(lie: Lie, runtime: &dyn Runtime) -> Result<Self> {
        let description = description(runtime)?;
        let offer = Message::Offer { sdp: description.to_text(1, 1) }.encode();
        let mut honest = None;
        let lie = match lie {
            Lie::Malformed => NONSENSE.to_vec(),
            Lie::Oversized => HUGE.to_vec(),
            Lie::OutOfOrder => {
                let description = Description { setup: Setup::Active, ..description };
                Message::Answer { sdp: description.to_text(1, 1) }.encode().to_vec()
            }
            Lie::Forged => {
                let foreign = random_text::<4>(runtime);
                [offer, candidate(0, foreign)].concat()
            }
            Lie::Replayed => {
                honest = Some(offer.to_vec());
                offer.to_vec()
            }
            Lie::Flood => {
                let count = SessionSettings::default().candidates + 1;
                let candidates = (0..count).map(|number| candidate(number, description.ufrag.clone()));
                std::iter::once(offer).chain(candidates).flatten().collect()
            }
        };
        Ok(Self { honest, lie })
    }
}

fn description(runtime: &dyn Runtime) -> Result<Description> {
    let mut multihash = [0; 34];
    multihash[..2].copy_from_slice(&SHA2_256);
    runtime.fill_random(&mut multihash[2..]);
    Ok(Description {
        ufrag: random_text::<4>(runtime),
        password: random_text::<16>(runtime),
        fingerprint: Some(Fingerprint::from_multihash(&multihash)?),
        setup: Setup::ActPass,
        mid: "0".to_owned(),
        max_message: 16 << 10,
        lite: false,
        candidates: Vec::new(),
    })
}

/// A candidate at which nobody is (RFC 5737).
fn candidate(number: usize, ufrag: String) -> bytes::Bytes {
    let port = 1_024 + number;
    let candidate = format!("candidate:{number} 1 udp 2130706431 192.0.2.1 {port} typ host");
    Message::Candidate(Candidate::new(candidate, Some(ufrag))).encode()
}

/// So many bytes of entropy in hexadecimal digits.
fn random_text<const N: usize>(runtime: &dyn Runtime) -> String {
    let mut bytes = [0; N];
    runtime.fill_random(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
