//! Which DTLS records reach the stack below (RFC 6347), to shield it from what it does not stand.
//!
//! - Repeated handshake messages are left out. On any handshake record the stack stops its retransmission timer, so a peer's repeated
//!   flight made both ends wait for each other without end when our answer to it was lost.
//! - Handshake messages have few fragments and short sequences. The stack joins fragments recursively and keeps whatever comes.
//! - After the handshake only repetitions of it pass, which make the stack repeat its last flight.

use std::collections::{BTreeMap, BTreeSet};

use bytes::BytesMut;

const RECORD_HEADER: usize = 13;
const HANDSHAKE_HEADER: usize = 12;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// The longest handshake message: a certificate has less than 1 KiB, chains of browsers less than 8.
const MAX_MESSAGE: usize = 16 * 1024;
/// The most fragments of a handshake message, with those of other sizes that a repetition may have.
const MAX_FRAGMENTS: usize = 32;
/// The most handshake messages: a full handshake has 8 from one end.
const MAX_MESSAGES: u16 = 24;
/// The most records besides whole handshake messages before the handshake is over: changes of cipher, alerts, encrypted ones.
const MAX_OTHERS: usize = 128;

/// What has been seen of the peer's handshake.
pub(super) struct Records {
    server: bool,
    fragments: BTreeMap<u16, BTreeSet<(usize, usize)>>,
    others: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Pass,
    Repeated,
    Drop,
}

impl Records {
    pub(super) fn new(server: bool) -> Self {
        Self { server, fragments: BTreeMap::new(), others: 0 }
    }

    /// The records of a datagram that pass; `None` if none does.
    pub(super) fn pass(&mut self, datagram: &[u8], over: bool) -> Option<BytesMut> {
        let mut passed = BytesMut::with_capacity(datagram.len());
        let mut rest = datagram;
        while let Some((record, next)) = split_record(rest) {
            rest = next;
            let verdict = if over { self.judge_established(record) } else { self.judge_handshake(record) };
            if verdict == Verdict::Pass {
                passed.extend_from_slice(record);
            }
        }
        (!passed.is_empty()).then_some(passed)
    }

    fn judge_established(&self, record: &[u8]) -> Verdict {
        match (kind(record), epoch(record)) {
            (APPLICATION_DATA | ALERT, 1..) => Verdict::Pass,
            (HANDSHAKE, 0) => match fragments(record) {
                Some(fragments) if fragments.iter().all(|fragment| self.knows(fragment)) => Verdict::Pass,
                _ => Verdict::Drop,
            },
            _ => Verdict::Drop,
        }
    }

    fn judge_handshake(&mut self, record: &[u8]) -> Verdict {
        match (kind(record), epoch(record)) {
            (HANDSHAKE, 0) => self.judge_fragments(record),
            (CHANGE_CIPHER_SPEC | ALERT, 0) | (HANDSHAKE | ALERT | APPLICATION_DATA, 1) if self.others < MAX_OTHERS => {
                self.others += 1;
                Verdict::Pass
            }
            _ => Verdict::Drop,
        }
    }

    fn judge_fragments(&mut self, record: &[u8]) -> Verdict {
        let Some(fragments) = fragments(record) else { return Verdict::Drop };
        if fragments.iter().all(|fragment| self.knows(fragment)) {
            // A server keeps no state and no timer until the client has shown its cookie: it answers each first hello.
            let hello = self.server && self.fragments.keys().all(|sequence| *sequence == 0);
            return if hello { Verdict::Pass } else { Verdict::Repeated };
        }
        for fragment in &fragments {
            let known = self.fragments.entry(fragment.sequence).or_default();
            if known.len() >= MAX_FRAGMENTS {
                return Verdict::Drop;
            }
            known.insert((fragment.offset, fragment.length));
        }
        Verdict::Pass
    }

    fn knows(&self, fragment: &Fragment) -> bool {
        self.fragments.get(&fragment.sequence).is_some_and(|known| known.contains(&(fragment.offset, fragment.length)))
    }
}

struct Fragment {
    sequence: u16,
    offset: usize,
    length: usize,
}

/// The handshake messages of a record, or parts of them; `None` if they are beyond the bounds.
fn fragments(record: &[u8]) -> Option<Vec<Fragment>> {
    let mut rest = &record[RECORD_HEADER..];
    let mut fragments = Vec::new();
    while !rest.is_empty() {
        let (header, body) = rest.split_at_checked(HANDSHAKE_HEADER)?;
        let message = u24(&header[1..4]);
        let sequence = u16::from_be_bytes([header[4], header[5]]);
        let (offset, length) = (u24(&header[6..9]), u24(&header[9..12]));
        let whole = length == message;
        let fits =
            message <= MAX_MESSAGE && offset + length <= message && sequence < MAX_MESSAGES && body.len() >= length;
        // A part of a message must be the last of its record: the stack takes all that follows for its own.
        if !fits || (!whole && (length == 0 || body.len() > length)) {
            return None;
        }
        fragments.push(Fragment { sequence, offset, length });
        rest = &body[length..];
    }
    (!fragments.is_empty()).then_some(fragments)
}

/// The first record and what follows it; `None` at the end or at what is no record.
fn split_record(datagram: &[u8]) -> Option<(&[u8], &[u8])> {
    let header = datagram.get(..RECORD_HEADER)?;
    let length = usize::from(u16::from_be_bytes([header[11], header[12]]));
    let known = matches!(kind(header), CHANGE_CIPHER_SPEC..=APPLICATION_DATA) && header[1] == 0xFE && length > 0;
    if known { datagram.split_at_checked(RECORD_HEADER + length) } else { None }
}

fn kind(record: &[u8]) -> u8 {
    record[0]
}

fn epoch(record: &[u8]) -> u16 {
    u16::from_be_bytes([record[3], record[4]])
}

fn u24(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(kind: u8, epoch: u16, body: &[u8]) -> Vec<u8> {
        let mut record = vec![kind, 0xFE, 0xFD];
        record.extend(epoch.to_be_bytes());
        record.extend([0; 6]);
        record.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        record.extend(body);
        record
    }

    fn fragment(sequence: u16, message: usize, offset: usize, length: usize) -> Vec<u8> {
        let u24 = |number: usize| u32::try_from(number).unwrap().to_be_bytes()[1..].to_vec();
        let body = [vec![11], u24(message), sequence.to_be_bytes().to_vec(), u24(offset), u24(length), vec![7; length]]
            .concat();
        record(HANDSHAKE, 0, &body)
    }

    fn passes(records: &mut Records, datagram: &[u8]) -> usize {
        records.pass(datagram, false).map_or(0, |passed| passed.len())
    }

    #[test]
    fn a_repeated_flight_does_not_pass_but_what_is_new_beside_it_does() {
        let mut records = Records::new(false);
        let [hello, certificate] = [fragment(1, 40, 0, 40), fragment(2, 500, 0, 500)];
        assert_eq!(passes(&mut records, &hello), hello.len());
        assert_eq!(passes(&mut records, &hello), 0);
        assert_eq!(passes(&mut records, &[hello, certificate.clone()].concat()), certificate.len());
    }

    #[test]
    fn a_server_hears_every_first_hello_until_the_client_shows_its_cookie() {
        let mut records = Records::new(true);
        let [first, second] = [fragment(0, 40, 0, 40), fragment(1, 60, 0, 60)];
        for _ in 0..3 {
            assert_eq!(passes(&mut records, &first), first.len());
        }
        assert_eq!(passes(&mut records, &second), second.len());
        assert_eq!(passes(&mut records, &first), 0);
        assert_eq!(passes(&mut records, &second), 0);
    }

    #[test]
    fn a_message_in_countless_fragments_does_not_pass() {
        let mut records = Records::new(true);
        let passed = (0..1000).filter(|offset| passes(&mut records, &fragment(0, 16_000, *offset, 1)) > 0).count();
        assert_eq!(passed, MAX_FRAGMENTS);
        assert_eq!(passes(&mut records, &fragment(MAX_MESSAGES, 10, 0, 10)), 0, "too many messages");
        assert_eq!(passes(&mut records, &fragment(1, MAX_MESSAGE + 1, 0, 10)), 0, "too long a message");
        assert_eq!(passes(&mut records, &fragment(1, 10, 5, 6)), 0, "beyond the message's end");
        assert_eq!(passes(&mut records, &fragment(1, 10, 5, 0)), 0, "an empty part");
    }

    #[test]
    fn what_waits_for_keys_is_bounded() {
        let mut records = Records::new(false);
        let encrypted = record(APPLICATION_DATA, 1, &[0; 100]);
        let passed = (0..10_000).filter(|_| passes(&mut records, &encrypted) > 0).count();
        assert_eq!(passed, MAX_OTHERS);
    }

    #[test]
    fn after_the_handshake_only_encrypted_data_and_repetitions_pass() {
        let mut records = Records::new(false);
        let known = fragment(1, 40, 0, 40);
        passes(&mut records, &known);
        let mut passes = |record: &[u8]| records.pass(record, true).is_some();
        assert!(passes(&record(APPLICATION_DATA, 1, b"data")));
        assert!(passes(&record(ALERT, 1, b"alert")));
        assert!(passes(&known));
        assert!(!passes(&fragment(2, 40, 0, 40)));
        assert!(!passes(&record(ALERT, 0, &[2, 0])), "an alert that anybody can forge");
        assert!(!passes(&record(HANDSHAKE, 1, b"handshake")));
        assert!(!passes(&record(APPLICATION_DATA, 0, b"data")));
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_without_panic(datagram in proptest::collection::vec(any::<u8>(), 0..200), server: bool, over: bool) {
            let _ = Records::new(server).pass(&datagram, over);
        }

        #[test]
        fn any_handshake_is_judged_without_panic(body in proptest::collection::vec(any::<u8>(), 1..100), server: bool, over: bool) {
            let _ = Records::new(server).pass(&record(HANDSHAKE, 0, &body), over);
        }
    }
}
