use proptest::prelude::*;

use super::*;

fn packet(chunks: &[(u8, u8, &[u8])]) -> Bytes {
    let mut packet = vec![0; COMMON_HEADER];
    for (kind, flags, body) in chunks {
        packet.extend([*kind, *flags]);
        packet.extend(u16::try_from(body.len() + CHUNK_HEADER).unwrap().to_be_bytes());
        packet.extend(*body);
        packet.resize(packet.len().next_multiple_of(4), 0);
    }
    packet.into()
}

fn init(tsn: u32) -> Bytes {
    packet(&[(INIT, 0, &[[0; 12].as_slice(), &tsn.to_be_bytes()].concat())])
}

fn data(tsn: u32, stream: u16, message: &[u8]) -> Bytes {
    packet(&[(DATA, WHOLE, &[&tsn.to_be_bytes(), &stream.to_be_bytes()[..], &[0; 6], message].concat())])
}

fn reset(request: u32, last: u32) -> Bytes {
    let [request, last] = [request, last].map(u32::to_be_bytes);
    let parameter =
        [&OUTGOING_RESET.to_be_bytes()[..], &18_u16.to_be_bytes(), &request, &[0; 4], &last, &[0, 7]].concat();
    packet(&[(RECONFIG, 0, &parameter)])
}

fn response(result: u32) -> Bytes {
    let parameter = [&RESPONSE.to_be_bytes()[..], &12_u16.to_be_bytes(), &[0; 4], &result.to_be_bytes()].concat();
    packet(&[(RECONFIG, 0, &parameter)])
}

fn inspector(initial: u32) -> Inspector {
    let mut inspector = Inspector::default();
    assert_eq!(inspector.inspect(init(initial), |_, _| Standing::Live).len(), 1);
    inspector
}

fn is_valid(packet: &Bytes) -> bool {
    let sealed = seal(BytesMut::from(&packet[..]));
    sealed == packet
}

#[test]
fn a_jump_beyond_any_window_does_not_pass() {
    for initial in [5, 0, u32::MAX] {
        let mut inspector = inspector(initial);
        let mut passes = |packet| !inspector.inspect(packet, |_, _| Standing::Live).is_empty();
        assert!(passes(data(initial, 1, b"a")));
        assert!(passes(data(initial.wrapping_add(1000), 1, b"a")));
        assert!(passes(packet(&[(FORWARD_TSN, 0, &initial.wrapping_add(900).to_be_bytes())])));
        assert!(!passes(packet(&[(FORWARD_TSN, 0, &initial.wrapping_add(1 << 30).to_be_bytes())])));
        assert!(!passes(data(initial.wrapping_add(1 << 30), 1, b"a")));
    }
}

#[test]
fn the_first_start_of_the_peer_counts_and_another_does_not_pass() {
    let mut inspector = inspector(5);
    let mut passes = |packet| !inspector.inspect(packet, |_, _| Standing::Live).is_empty();
    assert!(!passes(init(1 << 30)));
    assert!(passes(init(5)), "the peer repeats itself");
    assert!(passes(data(5, 1, b"a")));
}

#[test]
fn a_reset_waits_for_the_data_before_it() {
    for initial in [10, u32::MAX] {
        let mut inspector = inspector(initial);
        let tsn = |ahead: u32| initial.wrapping_add(ahead);
        let mut passed = |packet| inspector.inspect(packet, |_, _| Standing::Live).len();
        assert_eq!(passed(reset(1, tsn(2))), 0);
        assert_eq!(passed(reset(1, tsn(2))), 0, "the peer repeats it");
        assert_eq!(passed(data(tsn(2), 1, b"c")), 1);
        assert_eq!(passed(data(tsn(0), 1, b"a")), 1);
        assert_eq!(passed(data(tsn(1), 1, b"b")), 2, "the last data, and then the reset");
        assert_eq!(passed(reset(2, tsn(2))), 1);
    }
}

#[test]
fn data_beside_a_waiting_reset_is_not_held_up() {
    let mut inspector = inspector(1);
    let both = [&data(1, 1, b"a")[..], &reset(1, 2)[COMMON_HEADER..]].concat();
    let passed = inspector.inspect(both.into(), |_, _| Standing::Live);
    assert_eq!(passed.len(), 1);
    assert_eq!(passed[0][COMMON_HEADER..], data(1, 1, b"a")[COMMON_HEADER..]);
    assert!(is_valid(&passed[0]));
    let passed = inspector.inspect(data(2, 1, b"b"), |_, _| Standing::Live);
    assert_eq!(passed[1][COMMON_HEADER..], reset(1, 2)[COMMON_HEADER..]);
    assert!(is_valid(&passed[1]));
}

#[test]
fn resets_that_wait_are_bounded() {
    let mut inspector = inspector(1);
    for request in 0..1000 {
        assert!(inspector.inspect(reset(request, request + 1), |_, _| Standing::Live).is_empty());
    }
    assert_eq!(inspector.held.len(), MAX_HELD);
}

#[test]
fn an_answer_that_nothing_has_happened_yet_does_not_pass() {
    let mut inspector = inspector(1);
    assert!(inspector.inspect(response(IN_PROGRESS), |_, _| Standing::Live).is_empty());
    assert_eq!(inspector.inspect(response(1), |_, _| Standing::Live), [response(1)]);
}

#[test]
fn data_for_a_closed_stream_goes_where_nobody_reads_and_the_packet_stays_valid() {
    let mut inspector = inspector(1);
    let standing = |stream, _| if stream == 5 { Standing::Closing } else { Standing::Live };
    let open = data(1, 4, b"message");
    assert_eq!(inspector.inspect(open.clone(), standing), [open]);
    let closed = inspector.inspect(data(2, 5, b"message"), standing);
    assert_eq!(closed[0][COMMON_HEADER + 1], WHOLE | UNORDERED);
    assert_eq!(closed[0][COMMON_HEADER + 8..COMMON_HEADER + 10], SINK.to_be_bytes());
    assert!(is_valid(&closed[0]));
    assert!(inspector.inspect(data(3, SINK, b"message"), |_, _| Standing::Live)[0][COMMON_HEADER + 1] & UNORDERED != 0);
}

#[test]
fn a_stream_that_is_gone_is_opened_again_in_order_only() {
    let mut inspector = inspector(1);
    let mut gone = true;
    let mut inspect = |packet| {
        let passed = inspector.inspect(packet, |_, arrival| {
            gone &= arrival != Arrival::Reopens;
            if gone { Standing::Gone } else { Standing::Live }
        });
        passed.first().map(|passed| passed[COMMON_HEADER + 8..COMMON_HEADER + 10] == SINK.to_be_bytes())
    };
    let open = |tsn: u32| {
        let body = [&tsn.to_be_bytes()[..], &[0, 5], &[0, 0], &DCEP.to_be_bytes(), &[OPEN, 0]].concat();
        packet(&[(DATA, WHOLE, &body)])
    };
    assert_eq!(inspect(open(2)), None, "something is missing that may be for the old channel");
    assert_eq!(inspect(data(1, 5, b"for the old channel")), Some(true));
    assert_eq!(inspect(data(3, 5, b"for the new channel")), None, "its opening is missing");
    assert_eq!(inspect(open(2)), Some(false));
    assert_eq!(inspect(data(3, 5, b"for the new channel")), Some(false));
}

#[test]
fn bytes_are_counted_once() {
    let mut sent = Sent::default();
    assert_eq!(sent.count(&data(u32::MAX, 1, b"one")), 3);
    assert_eq!(sent.count(&data(0, 1, b"three")), 5);
    assert_eq!(sent.count(&data(u32::MAX, 1, b"one")), 0);
}

proptest! {
    #[test]
    fn any_bytes_are_inspected_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120), known: bool) {
        let mut inspector = if known { inspector(7) } else { Inspector::default() };
        let _ = inspector.inspect(bytes.clone().into(), |_, _| Standing::Gone);
        let _ = Sent::default().count(&bytes);
    }

    #[test]
    fn any_chunk_is_inspected_without_panic(kind: u8, body in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = inspector(7).inspect(packet(&[(kind, 3, &body)]), |_, _| Standing::Gone);
    }
}

#[test]
fn a_crooked_chunk_does_not_pass() {
    let init = [0; 16];
    for (kind, body) in [
        // An error cause that claims more bytes than there are: the stack would panic.
        (ABORT, &[0, 12, 1, 0][..]),
        (ERROR, &[0, 12, 0, 3]),
        // What the stack would read as a chunk of its own.
        (COOKIE_ACK, &[0; 4]),
        (SACK, &[0; 16]),
        (FORWARD_TSN, &[0; 6]),
        (RECONFIG, &[0, 16, 0, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
        (RECONFIG, &[]),
        (INIT, &[&init[..], &[0xC0, 0, 0, 8, 0, 0, 0, 0]].concat()),
        (INIT, &[&init[..], &[0x80, 8, 0, 3]].concat()),
        (DATA, &[0; 12]),
    ] {
        assert!(inspector(1).inspect(packet(&[(kind, 0, body)]), |_, _| Standing::Live).is_empty(), "{kind} {body:?}");
    }
    let mut cut = data(1, 1, b"message").to_vec();
    cut.truncate(cut.len() - 4);
    assert!(inspector(1).inspect(cut.into(), |_, _| Standing::Live).is_empty());
}

#[test]
fn a_kind_of_chunk_that_the_stack_does_not_know_is_left_out() {
    let both = [&packet(&[(5, 0, &[0; 8])])[..], &data(1, 1, b"a")[COMMON_HEADER..]].concat();
    let passed = inspector(1).inspect(both.into(), |_, _| Standing::Live);
    assert_eq!(passed[0][COMMON_HEADER..], data(1, 1, b"a")[COMMON_HEADER..]);
}
