use proptest::prelude::*;

use super::*;

/// The message behind the length, which must be that of the rest.
fn body(encoded: &[u8]) -> &[u8] {
    let prefix = if encoded[0] & 0x80 == 0 { 1 } else { 2 };
    assert_eq!(length(&encoded[..prefix]), Ok(Some(encoded.len() - prefix)));
    &encoded[prefix..]
}

#[test]
fn a_request_has_the_bytes_of_the_specification() {
    assert_eq!(HopMessage::Reserve.encode(), [2, 0x08, 0]);
    assert_eq!(HopMessage::Connect { peer: vec![7] }.encode(), [7, 0x08, 1, 0x12, 3, 0x0a, 1, 7]);
    assert_eq!(StopMessage::Status(Status::Ok).encode(), [4, 0x08, 1, 0x20, 100]);
}

#[test]
fn what_is_missing_is_named() {
    assert_eq!(HopMessage::decode(&[]), Err(Malformed::Missing { field: "type" }));
    assert_eq!(HopMessage::decode(&[0x08, 1]), Err(Malformed::Missing { field: "peer" }));
    assert_eq!(HopMessage::decode(&[0x08, 1, 0x12, 0]), Err(Malformed::Missing { field: "peer" }));
    assert_eq!(HopMessage::decode(&[0x08, 2]), Err(Malformed::Missing { field: "status" }));
    assert_eq!(HopMessage::decode(&[0x08, 9]), Err(Malformed::Unknown { field: "type", found: 9 }));
    assert_eq!(StopMessage::decode(&[0x08, 1, 0x20, 1]), Err(Malformed::Unknown { field: "status", found: 1 }));
}

#[test]
fn a_length_beyond_the_bound_is_refused_before_anything_is_read() {
    assert_eq!(length(&[]), Ok(None));
    assert_eq!(length(&[0x80]), Ok(None));
    assert_eq!(length(&[0x80, 0x20]), Ok(Some(MAX_MESSAGE)));
    assert_eq!(length(&[0x81, 0x20]), Err(Malformed::TooLarge { found: MAX_MESSAGE + 1 }));
    assert!(length(&[0xff, 0xff]).is_err());
    assert_eq!(HopMessage::decode(&[0; MAX_MESSAGE + 1]), Err(Malformed::TooLarge { found: MAX_MESSAGE + 1 }));
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..64)
}

fn limit() -> impl Strategy<Value = Option<Limit>> {
    prop::option::of(any::<(Option<u32>, Option<u64>)>().prop_map(|(duration, data)| Limit { duration, data }))
}

fn status() -> impl Strategy<Value = Status> {
    prop::sample::select(vec![
        Status::Ok,
        Status::ReservationRefused,
        Status::ResourceLimitExceeded,
        Status::PermissionDenied,
        Status::ConnectionFailed,
        Status::NoReservation,
        Status::MalformedMessage,
        Status::UnexpectedMessage,
    ])
}

fn hop() -> impl Strategy<Value = HopMessage> {
    let reservation = (any::<u64>(), prop::collection::vec(bytes(), 0..8), prop::option::of(bytes()))
        .prop_map(|(expires, addresses, voucher)| Reservation { expires, addresses, voucher });
    prop_oneof![
        Just(HopMessage::Reserve),
        bytes().prop_map(|peer| HopMessage::Connect { peer }),
        (status(), prop::option::of(reservation), limit())
            .prop_map(|(status, reservation, limit)| HopMessage::Status { status, reservation, limit }),
    ]
}

fn stop() -> impl Strategy<Value = StopMessage> {
    prop_oneof![
        (bytes(), limit()).prop_map(|(peer, limit)| StopMessage::Connect { peer, limit }),
        status().prop_map(StopMessage::Status),
    ]
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn messages_round_trip(hop in hop(), stop in stop()) {
        prop_assert_eq!(HopMessage::decode(body(&hop.encode())), Ok(hop));
        prop_assert_eq!(StopMessage::decode(body(&stop.encode())), Ok(stop));
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = (length(&bytes), HopMessage::decode(&bytes), StopMessage::decode(&bytes));
    }
}
