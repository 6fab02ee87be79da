//! What the first bytes of a substream say.

/// The byte that ends every message of multistream-select.
const END: u8 = b'\n';
/// Lengths from here on take more than one byte. No probe has so long a name.
const LONG: u8 = 0x80;

/// The beginning of a substream as it is received: two messages of multistream-select, each with its length before it. The first is the
/// header; the second names the protocol, as a proposal or as the answer to ours, or refuses.
#[derive(Debug)]
pub(super) struct Opening<P: 'static> {
    probes: &'static [P],
    state: State,
}

#[derive(Debug)]
enum State {
    /// The length of a message is next.
    Length { is_header: bool },
    /// So many bytes of the header are left.
    Header { left: u8 },
    /// So many bytes of the second message are left. These are the probes whose names begin as it does, by their place, and how
    /// much of them was compared.
    Name { left: u8, compared: usize, candidates: Vec<usize> },
    /// Everything after is a probe's, or nothing is.
    Open { is_probe: bool },
}

impl<P: AsRef<str>> Opening<P> {
    /// A substream of which nothing was received, where these protocols are probes.
    pub(super) fn new(probes: &'static [P]) -> Self {
        Self { probes, state: State::Length { is_header: true } }
    }

    /// Whether there is something of use in what was received next: what a protocol has to say that is no probe.
    pub(super) fn is_use(&mut self, received: &[u8]) -> bool {
        for byte in received {
            if let State::Open { is_probe } = self.state {
                return !is_probe;
            }
            self.next(*byte);
        }
        false
    }

    fn next(&mut self, byte: u8) {
        match &mut self.state {
            State::Length { .. } if byte == 0 || byte >= LONG => self.state = State::Open { is_probe: false },
            State::Length { is_header: true } => self.state = State::Header { left: byte },
            State::Length { is_header: false } => {
                let candidates = (0..self.probes.len()).collect();
                self.state = State::Name { left: byte, compared: 0, candidates };
            }
            State::Header { left } => {
                *left -= 1;
                if *left == 0 {
                    self.state = State::Length { is_header: false };
                }
            }
            State::Name { left, compared, candidates } => {
                *left -= 1;
                let (is_last, probes) = (*left == 0, self.probes);
                let expected = |probe: usize| probes[probe].as_ref().as_bytes().get(*compared).copied();
                // The last byte ends the message, and the name has to end before it.
                let expected =
                    |probe: usize| if is_last { expected(probe).is_none().then_some(END) } else { expected(probe) };
                candidates.retain(|probe| expected(*probe) == Some(byte));
                *compared += 1;
                if is_last {
                    self.state = State::Open { is_probe: !candidates.is_empty() };
                }
            }
            State::Open { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use libp2p::StreamProtocol;
    use proptest::prelude::*;

    use super::*;

    static PROBES: [StreamProtocol; 2] =
        [StreamProtocol::new("/ipfs/ping/1.0.0"), StreamProtocol::new("/darkswap/alive/1")];

    fn message(text: &str) -> Vec<u8> {
        [&[u8::try_from(text.len() + 1).unwrap()], text.as_bytes(), b"\n"].concat()
    }

    fn opened(protocol: &str, rest: &[u8]) -> Vec<u8> {
        [&message("/multistream/1.0.0")[..], &message(protocol), rest].concat()
    }

    fn is_use(bytes: &[u8], chunk: usize) -> bool {
        let mut opening = Opening::new(&PROBES);
        bytes.chunks(chunk).fold(false, |is_use, chunk| opening.is_use(chunk) | is_use)
    }

    #[test]
    fn what_arrives_on_a_probes_substream_is_no_use_and_on_every_other_it_is() {
        for chunk in [1, 3, 20, 1_000] {
            assert!(!is_use(&opened("/ipfs/ping/1.0.0", &[7; 320]), chunk));
            assert!(!is_use(&opened("/darkswap/alive/1", b""), chunk));
            assert!(is_use(&opened("/darkswap/message/2", b"m"), chunk));
            assert!(is_use(&opened("/darkswap/alive/10", b"m"), chunk), "which is another protocol");
            assert!(is_use(&opened("/darkswap/alive/", b"m"), chunk));
            assert!(is_use(&opened(&"/long".repeat(20), b"m"), chunk));
        }
    }

    #[test]
    fn to_open_a_substream_is_no_use_and_neither_is_a_refusal() {
        for chunk in [1, 1_000] {
            assert!(!is_use(&opened("/darkswap/message/2", b""), chunk));
            assert!(!is_use(&opened("na", b""), chunk));
        }
    }

    proptest! {
        #![proptest_config(crate::cases())]

        #[test]
        fn no_bytes_make_it_panic_and_chunks_make_no_difference(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0_u8..40], 0..200),
            chunk in 1_usize..50,
        ) {
            prop_assert_eq!(is_use(&bytes, chunk), is_use(&bytes, bytes.len().max(1)));
        }
    }
}
