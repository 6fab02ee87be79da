use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

fn any_frame() -> impl Strategy<Value = Frame> {
    let flag = prop_oneof![
        Just(None),
        Just(Some(Flag::Fin)),
        Just(Some(Flag::StopSending)),
        Just(Some(Flag::Reset)),
        Just(Some(Flag::FinAck)),
    ];
    let size = prop_oneof![3 => 0..200usize, 1 => 0..=MAX_PAYLOAD, 1 => Just(MAX_PAYLOAD)];
    (flag, size, any::<u8>()).prop_map(|(flag, size, fill)| Frame { flag, payload: Bytes::from(vec![fill; size]) })
}

fn drain(decoder: &mut Decoder, message: Bytes) -> Result<Vec<Frame>, FrameError> {
    decoder.push(message)?;
    std::iter::from_fn(|| decoder.next_frame().transpose()).collect()
}

#[test]
fn the_largest_payload_fills_a_message_to_the_last_byte() {
    let frame = Frame { flag: Some(Flag::FinAck), payload: Bytes::from(vec![7; MAX_PAYLOAD]) };
    assert_eq!(frame.encode().len(), MAX_FRAME);
}

#[test]
fn the_bytes_on_the_wire_are_those_of_the_specification() {
    assert_eq!(Frame::flag(Flag::Fin).encode()[..], [2, 0x08, 0]);
    assert_eq!(Frame::flag(Flag::FinAck).encode()[..], [2, 0x08, 3]);
    assert_eq!(Frame::data(Bytes::from_static(b"hi")).encode()[..], [4, 0x12, 2, b'h', b'i']);
}

#[test]
fn an_unknown_flag_and_unknown_fields_are_ignored() {
    assert_eq!(decode(&[2, 0x08, 9]), Ok(Some(vec![Frame::default()])));
    assert_eq!(decode(&[5, 0x18, 1, 0x12, 1, b'x']), Ok(Some(vec![Frame::data(Bytes::from_static(b"x"))])));
}

#[test]
fn an_oversized_message_or_frame_is_refused_before_it_is_buffered() {
    assert_eq!(decode(&vec![0; MAX_FRAME + 1]), Err(FrameError::MessageTooLarge { found: MAX_FRAME + 1 }));
    assert_eq!(decode(&[0xfe, 0x7f]), Ok(None), "16,382 bytes and a prefix of 2 fit");
    assert_eq!(decode(&[0xff, 0x7f]), Err(FrameError::FrameTooLarge { found: 16_383 }));
    assert_eq!(decode(&[0x80, 0x80]), Err(FrameError::FrameTooLarge { found: u32::MAX }));
}

#[test]
fn a_small_payload_does_not_keep_a_large_frame_in_memory() {
    let mut wire = vec![0x1a, 0x80, 0x40];
    wire.resize(3 + 8192, 0);
    wire.extend([0x12, 1, b'x']);
    let mut message = BytesMut::new();
    put_prefix(&mut message, wire.len());
    message.extend_from_slice(&wire);
    let message = message.freeze();
    let mut decoder = Decoder::new();
    let frames = drain(&mut decoder, message.clone()).expect("well-formed");
    assert_eq!(frames, [Frame::data(Bytes::from_static(b"x"))]);
    assert!(message.is_unique(), "nothing but the test holds the message");
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_frame_survives_the_wire(frame in any_frame()) {
        let message = frame.encode();
        prop_assert!(message.len() <= MAX_FRAME);
        prop_assert_eq!(decode(&message), Ok(Some(vec![frame])));
    }

    #[test]
    fn frames_survive_any_way_of_cutting_them_into_messages(
        frames in prop::collection::vec(any_frame(), 0..6),
        cuts in prop::collection::vec(1..=MAX_FRAME, 1..40),
    ) {
        let mut stream: Bytes = frames.iter().flat_map(Frame::encode).collect::<Vec<u8>>().into();
        let mut decoder = Decoder::new();
        let mut decoded = Vec::new();
        let mut cuts = cuts.iter().cycle();
        while !stream.is_empty() {
            let cut = stream.len().min(*cuts.next().expect("cycles"));
            decoded.extend(drain(&mut decoder, stream.split_to(cut))?);
            prop_assert!(decoder.partial.len() <= MAX_FRAME);
        }
        prop_assert!(decoder.is_between_frames());
        prop_assert_eq!(decoded, frames);
    }

    #[test]
    fn arbitrary_messages_never_panic_and_never_grow_the_decoder(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20),
    ) {
        let mut decoder = Decoder::new();
        for message in messages {
            if drain(&mut decoder, message.into()).is_err() {
                break;
            }
            prop_assert!(decoder.partial.len() <= MAX_FRAME);
        }
    }
}
