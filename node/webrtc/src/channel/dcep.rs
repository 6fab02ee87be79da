//! DCEP, the protocol that opens channels (RFC 8832 section 5).

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{ChannelOptions, MAX_LABEL, Priority, Reliability};

const OPEN: u8 = 3;
const ACK: u8 = 2;
/// Bytes of an opening without label and protocol.
const HEADER: usize = 12;
/// Set in the type of channels whose messages may arrive in any order.
const UNORDERED: u8 = 0x80;
const RETRANSMITS: u8 = 1;
const LIFETIME: u8 = 2;

/// A message of DCEP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Dcep {
    /// DATA_CHANNEL_OPEN.
    Open(ChannelOptions),
    /// DATA_CHANNEL_ACK.
    Ack,
}

impl Dcep {
    /// `None` of what is not a message of DCEP that we can honour.
    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        match *bytes.first()? {
            ACK => Some(Self::Ack),
            OPEN if bytes.len() >= HEADER => {
                bytes.advance(1);
                let kind = bytes.get_u8();
                let priority = priority(bytes.get_u16());
                let parameter = bytes.get_u32();
                let [label, protocol] = [bytes.get_u16(), bytes.get_u16()].map(usize::from);
                if label > MAX_LABEL || bytes.len() != label + protocol {
                    return None;
                }
                let reliability = match kind & !UNORDERED {
                    0 => Reliability::Reliable,
                    RETRANSMITS => Reliability::Retransmits(u16::try_from(parameter).unwrap_or(u16::MAX)),
                    LIFETIME => Reliability::Lifetime(Duration::from_millis(parameter.into())),
                    _ => return None,
                };
                let label = std::str::from_utf8(&bytes[..label]).ok()?.to_owned();
                Some(Self::Open(ChannelOptions {
                    label,
                    ordered: kind & UNORDERED == 0,
                    reliability,
                    priority,
                    negotiated: None,
                }))
            }
            _ => None,
        }
    }

    pub(crate) fn encode(&self) -> Bytes {
        let Self::Open(options) = self else { return Bytes::from_static(&[ACK]) };
        let (kind, parameter) = match options.reliability {
            Reliability::Reliable => (0, 0),
            Reliability::Retransmits(most) => (RETRANSMITS, most.into()),
            Reliability::Lifetime(most) => (LIFETIME, milliseconds(most)),
        };
        let mut bytes = BytesMut::with_capacity(HEADER + options.label.len());
        bytes.put_u8(OPEN);
        bytes.put_u8(if options.ordered { kind } else { kind | UNORDERED });
        bytes.put_u16(code(options.priority));
        bytes.put_u32(parameter);
        bytes.put_u16(u16::try_from(options.label.len()).expect("labels are bounded far below this"));
        bytes.put_u16(0);
        bytes.put_slice(options.label.as_bytes());
        bytes.freeze()
    }
}

/// A lifetime as the wire has it.
pub(crate) fn milliseconds(lifetime: Duration) -> u32 {
    u32::try_from(lifetime.as_millis()).unwrap_or(u32::MAX)
}

/// RFC 8831 section 6.4: what lies between two classes belongs to the upper one.
fn priority(code: u16) -> Priority {
    match code {
        0..=128 => Priority::VeryLow,
        129..=256 => Priority::Low,
        257..=512 => Priority::Medium,
        513.. => Priority::High,
    }
}

fn code(priority: Priority) -> u16 {
    match priority {
        Priority::VeryLow => 128,
        Priority::Low => 256,
        Priority::Medium => 512,
        Priority::High => 1024,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn options() -> impl Strategy<Value = ChannelOptions> {
        let reliability = prop_oneof![
            Just(Reliability::Reliable),
            any::<u16>().prop_map(Reliability::Retransmits),
            any::<u32>().prop_map(|most| Reliability::Lifetime(Duration::from_millis(most.into()))),
        ];
        let priority =
            prop_oneof![Just(Priority::VeryLow), Just(Priority::Low), Just(Priority::Medium), Just(Priority::High)];
        (".{0,60}", any::<bool>(), reliability, priority).prop_map(|(label, ordered, reliability, priority)| {
            ChannelOptions { label, ordered, reliability, priority, negotiated: None }
        })
    }

    #[test]
    fn an_opening_has_the_bytes_of_the_specification() {
        let options = ChannelOptions {
            label: "ab".to_owned(),
            ordered: false,
            reliability: Reliability::Retransmits(3),
            priority: Priority::High,
            negotiated: None,
        };
        assert_eq!(&Dcep::Open(options).encode()[..], [3, 0x81, 4, 0, 0, 0, 0, 3, 0, 2, 0, 0, b'a', b'b']);
        assert_eq!(&Dcep::Ack.encode()[..], [2]);
    }

    #[test]
    fn an_opening_that_cannot_be_honoured_is_refused() {
        let open = Dcep::Open(ChannelOptions { label: "ab".to_owned(), ..ChannelOptions::default() }).encode();
        let changed = |at: usize, byte: u8| {
            let mut bytes = open.to_vec();
            bytes[at] = byte;
            Dcep::decode(&bytes)
        };
        assert_eq!(changed(1, 3), None, "an unknown type");
        assert_eq!(changed(9, 3), None, "a label beyond the end");
        assert_eq!(changed(9, 1), None, "bytes after the end");
        assert_eq!(changed(12, 0xFF), None, "a label that is not UTF-8");
        assert_eq!(Dcep::decode(&open[..11]), None, "cut off");
        assert_eq!(Dcep::decode(&[]), None);
        assert_eq!(Dcep::decode(&[9]), None, "an unknown message");
    }

    proptest! {
        #[test]
        fn any_opening_comes_back(options in options()) {
            let open = Dcep::Open(options);
            prop_assert_eq!(Dcep::decode(&open.encode()), Some(open));
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Dcep::decode(&bytes);
        }
    }
}
