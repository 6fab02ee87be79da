use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

fn start() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "only the distances to it matter")]
    Instant::now()
}

fn sdp(ufrag: &str) -> String {
    format!("v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:secret\r\n")
}

fn candidate(ufrag: &str, port: u16) -> Candidate {
    let text = format!("candidate:1 1 udp 2122260223 192.0.2.1 {port} typ host generation 0 ufrag {ufrag}");
    Candidate::new(text, Some(ufrag.to_owned()))
}

fn session(role: Role) -> Session {
    Session::new(role, SessionSettings::default(), start())
}

fn events(session: &mut Session) -> Vec<Event> {
    std::iter::from_fn(|| session.poll_event()).collect()
}

fn output(session: &mut Session) -> Vec<Message> {
    let bytes: Vec<u8> = std::iter::from_fn(|| session.poll_output()).flatten().collect();
    let (mut decoder, mut rest) = (Decoder::new(), bytes.as_slice());
    let messages = std::iter::from_fn(|| decoder.next_message(&mut rest).expect("ours are valid")).collect();
    assert!(decoder.is_between_messages());
    messages
}

/// Gives one message of the peer to the session.
fn give(session: &mut Session, message: &Message) -> Result<(), Misbehaviour> {
    session.handle_bytes(start(), &message.encode())
}

fn offer(ufrag: &str) -> Message {
    Message::Offer { sdp: sdp(ufrag) }
}

fn answer(ufrag: &str) -> Message {
    Message::Answer { sdp: sdp(ufrag) }
}

/// An answerer that has answered, with its outputs and events drained.
fn answered() -> Session {
    let mut session = session(Role::Answerer);
    give(&mut session, &offer("peer1")).expect("valid");
    session.send_answer(sdp("ours1")).expect("due");
    output(&mut session);
    events(&mut session);
    session
}

#[test]
fn the_bytes_on_the_wire_are_those_of_the_specification() {
    let offer = Message::Offer { sdp: "v=0".to_owned() };
    assert_eq!(offer.encode()[..], [7, 0x08, 0, 0x12, 3, b'v', b'=', b'0']);
    assert_eq!(Message::EndOfCandidates.encode()[..], [8, 0x08, 2, 0x12, 4, b'n', b'u', b'l', b'l']);
}

#[test]
fn a_candidate_is_written_and_read_as_browsers_do() {
    let text = r#"{"candidate":"candidate:1 1 udp 1 192.0.2.1 9 typ host","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"Ab+/"}"#;
    let read = Candidate::from_json(text).expect("valid").expect("not the end");
    assert_eq!(read.sdp_m_line_index, Some(0));
    assert_eq!(read.username_fragment.as_deref(), Some("Ab+/"));
    assert_eq!(read.to_json(), text);
    let sparse = r#"{"candidate":"candidate:1","sdpMid":null,"foundation":"1"}"#;
    assert_eq!(Candidate::from_json(sparse).expect("valid").expect("not the end").sdp_mid, None);
}

#[test]
fn every_known_way_to_say_that_there_are_no_more_candidates_is_understood() {
    for text in ["", "null", "\"\"", r#"{"candidate":"","sdpMid":"0","sdpMLineIndex":0}"#, "{}"] {
        assert_eq!(Candidate::from_json(text), Ok(None), "{text}");
    }
    assert_eq!(Message::decode(&[0x08, 2]), Ok(Message::EndOfCandidates), "js-libp2p reads missing data as null");
}

#[test]
fn a_candidate_that_breaks_out_of_its_line_or_its_bound_is_refused() {
    let text = r#"{"candidate":"candidate:1\r\na=fingerprint:sha-256 00"}"#;
    assert_eq!(Candidate::from_json(text), Err(CandidateError::ControlCharacter));
    let text = format!("{{\"candidate\":\"{}\"}}", "x".repeat(MAX_CANDIDATE));
    assert!(matches!(Candidate::from_json(&text), Err(CandidateError::TooLarge { .. })));
    let deep = "[".repeat(MAX_CANDIDATE);
    assert!(matches!(Candidate::from_json(&deep), Err(CandidateError::Json { .. })));
    assert!(matches!(Candidate::from_json("7"), Err(CandidateError::Json { .. })));
}

#[test]
fn messages_without_or_with_another_type_are_refused() {
    assert_eq!(Message::decode(&[]), Err(MessageError::NoType));
    assert_eq!(Message::decode(&[0x08, 3]), Err(MessageError::UnknownType { found: 3 }));
    assert_eq!(Message::decode(&[0x08, 0]), Err(MessageError::SdpSize { found: 0 }));
    assert!(matches!(Message::decode(&[0x12, 9, 1]), Err(MessageError::Malformed { .. })));
}

#[test]
fn an_oversized_message_is_refused_when_it_is_announced() {
    let mut session = session(Role::Answerer);
    let fault = session.handle_bytes(start(), &[0xff, 0xff, 0x7f]).expect_err("2 MiB");
    assert_eq!(fault.label(), "oversized");
    assert_eq!(session.poll_output(), None);
    let mut drawn_out: &[u8] = &[0x80, 0x80, 0x80, 0x80];
    assert!(Decoder::new().next_message(&mut drawn_out).is_err());
}

#[test]
fn the_exchange_with_js_libp2p_runs_to_the_end_in_both_roles() {
    let now = start();
    let mut dialer = session(Role::Offerer);
    dialer.send_candidate(candidate("ours1", 1)).expect("held");
    assert_eq!(output(&mut dialer), []);
    dialer.send_offer(now, sdp("ours1")).expect("due");
    assert_eq!(output(&mut dialer), [offer("ours1"), Message::Candidate(candidate("ours1", 1))]);
    dialer.send_candidate(candidate("ours1", 2)).expect("goes at once");
    assert_eq!(output(&mut dialer).len(), 1);
    give(&mut dialer, &answer("peer1")).expect("valid");
    give(&mut dialer, &Message::Candidate(candidate("peer1", 3))).expect("valid");
    let expected = [Event::Answer { sdp: sdp("peer1") }, Event::Candidate(candidate("peer1", 3))];
    assert_eq!(events(&mut dialer), expected);
    dialer.connected();
    assert_eq!(dialer.poll_timeout(), None);
    assert_eq!(dialer.handle_closed(), Ok(()), "js-libp2p closes the stream when the connection is up");
    assert!(!dialer.can_restart());

    let mut listener = session(Role::Answerer);
    give(&mut listener, &offer("peer1")).expect("valid");
    listener.send_candidate(candidate("ours1", 1)).expect("held: js-libp2p takes nothing before the answer");
    assert_eq!(output(&mut listener), []);
    listener.send_answer(sdp("ours1")).expect("due");
    listener.send_end_of_candidates().expect("goes at once");
    let expected = [answer("ours1"), Message::Candidate(candidate("ours1", 1)), Message::EndOfCandidates];
    assert_eq!(output(&mut listener), expected);
    assert!(listener.can_restart());
}

#[test]
fn candidates_that_come_early_wait_for_the_description_they_belong_to() {
    let mut session = session(Role::Answerer);
    give(&mut session, &Message::Candidate(candidate("peer1", 1))).expect("early");
    give(&mut session, &Message::EndOfCandidates).expect("early");
    assert_eq!(events(&mut session), []);
    give(&mut session, &offer("peer1")).expect("valid");
    let offered = Event::Offer { sdp: sdp("peer1") };
    assert_eq!(events(&mut session), [offered, Event::Candidate(candidate("peer1", 1)), Event::EndOfCandidates]);
    give(&mut session, &Message::Candidate(candidate("peer1", 2))).expect("ignored after the end");
    assert_eq!(events(&mut session), []);
}

#[test]
fn ice_restarts_on_the_same_stream_with_new_credentials() {
    let now = start();
    let mut session = answered();
    session.connected();
    give(&mut session, &offer("peer2")).expect("a restart");
    assert!(session.poll_timeout().is_some());
    assert_eq!(events(&mut session), [Event::Offer { sdp: sdp("peer2") }]);
    give(&mut session, &Message::Candidate(candidate("peer1", 9))).expect("late, and of no use");
    give(&mut session, &Message::Candidate(candidate("peer2", 1))).expect("valid");
    assert_eq!(events(&mut session), [Event::Candidate(candidate("peer2", 1))]);
    session.send_answer(sdp("ours2")).expect("due");

    let mut offerer = Session::new(Role::Offerer, SessionSettings::default(), now);
    let limit = SessionSettings::default().offers_sent;
    for number in 0..limit {
        offerer.send_offer(now, sdp(&format!("ours{number}"))).expect("within the bound");
        give(&mut offerer, &answer(&format!("peer{number}"))).expect("valid");
    }
    assert_eq!(offerer.send_offer(now, sdp("oursX")), Err(SessionError::TooManyOffers { limit }));
    offerer.send_offer(now + Duration::from_secs(60), sdp("oursX")).expect("a minute later");
}

#[test]
fn messages_out_of_order_are_misbehaviour_and_end_the_exchange() {
    let mut first = session(Role::Answerer);
    let fault = give(&mut first, &answer("peer1")).expect_err("nothing to answer");
    assert_eq!(fault, Misbehaviour::UnexpectedAnswer { expected: "the first offer" });
    assert_eq!(first.send_candidate(candidate("ours1", 1)), Err(SessionError::Closed));
    assert_eq!(first.poll_timeout(), None);
    give(&mut first, &offer("peer1")).expect("not looked at any more");
    assert_eq!(events(&mut first), []);

    let mut twice = session(Role::Answerer);
    give(&mut twice, &offer("peer1")).expect("valid");
    assert_eq!(give(&mut twice, &offer("peer2")).expect_err("not answered yet").label(), "out_of_order");

    let mut offerer = session(Role::Offerer);
    assert_eq!(give(&mut offerer, &answer("peer1")).expect_err("no offer was sent").label(), "out_of_order");
    let mut offerer = session(Role::Offerer);
    offerer.send_offer(start(), sdp("ours1")).expect("due");
    assert_eq!(give(&mut offerer, &offer("peer1")).expect_err("offers are ours").label(), "out_of_order");
    let mut offerer = session(Role::Offerer);
    offerer.send_offer(start(), sdp("ours1")).expect("due");
    give(&mut offerer, &answer("peer1")).expect("valid");
    assert_eq!(give(&mut offerer, &answer("peer1")).expect_err("a duplicate").label(), "out_of_order");
}

#[test]
fn replayed_reflected_and_forged_messages_are_refused() {
    let mut replayed = answered();
    assert_eq!(give(&mut replayed, &offer("peer1")).expect_err("an old offer").label(), "replayed");
    let mut reflected = session(Role::Offerer);
    reflected.send_offer(start(), sdp("ours1")).expect("due");
    assert_eq!(give(&mut reflected, &answer("ours1")).expect_err("our own offer").label(), "replayed");
    let mut forged = answered();
    let long = "x".repeat(200);
    let fault = give(&mut forged, &Message::Candidate(candidate(&long, 1))).expect_err("another connection's");
    assert_eq!(fault, Misbehaviour::ForeignCandidate { found: "x".repeat(MAX_EVIDENCE) });
    let mut empty = session(Role::Answerer);
    assert_eq!(give(&mut empty, &Message::Offer { sdp: "v=0".to_owned() }), Err(Misbehaviour::NoUfrag));
}

#[test]
fn floods_of_candidates_ends_and_offers_meet_their_bounds() {
    let settings = SessionSettings::default();
    let end = Message::EndOfCandidates;
    let host = Message::Candidate(candidate("peer1", 1));
    for flood in [&end, &host] {
        for mut session in [session(Role::Answerer), answered()] {
            let taken = (0..1000).take_while(|_| give(&mut session, flood).is_ok()).count();
            assert_eq!(taken, settings.candidates);
        }
    }
    let mut large = candidate("peer1", 1);
    large.candidate.push_str(&"x".repeat(1500));
    let mut session = answered();
    let taken = (0..1000).take_while(|_| give(&mut session, &Message::Candidate(large.clone())).is_ok()).count();
    assert!(taken < settings.candidates && taken * 1500 < settings.candidate_bytes, "{taken}");

    let mut session = answered();
    let limit = settings.offers_accepted;
    for restart in 1..limit {
        give(&mut session, &offer(&format!("again{restart}"))).expect("within the bound; the first offer counts");
        session.send_answer(sdp(&format!("mine{restart}"))).expect("due");
    }
    let fault = give(&mut session, &offer("again")).expect_err("one too many");
    assert_eq!(fault, Misbehaviour::TooManyOffers { found: limit + 1, limit });
}

#[test]
fn our_own_candidates_stay_below_what_the_peer_accepts() {
    let mut session = answered();
    let limit = SessionSettings::default().candidates;
    for port in 0..limit {
        session.send_candidate(candidate("ours1", port as u16)).expect("within the bound");
    }
    assert_eq!(session.send_candidate(candidate("ours1", 9)), Err(SessionError::TooManyCandidates { limit }));
}

#[test]
fn an_exchange_that_leads_nowhere_times_out_once_and_says_what_was_missing() {
    let mut session = session(Role::Offerer);
    session.send_offer(start(), sdp("ours1")).expect("due");
    let deadline = session.poll_timeout().expect("running");
    session.handle_timeout(deadline - Duration::from_millis(1));
    assert_eq!(events(&mut session), []);
    session.handle_timeout(deadline);
    session.handle_timeout(deadline);
    assert_eq!(events(&mut session), [Event::TimedOut(Waiting::Answer)]);
    assert_eq!(session.handle_closed(), Err(SessionError::ClosedEarly { waiting: Waiting::Answer }));
}

fn any_candidate() -> impl Strategy<Value = Candidate> {
    let text = || proptest::string::string_regex("[ -~äß€]{0,40}").expect("a valid expression");
    (text(), prop::option::of(text()), any::<Option<u16>>(), prop::option::of(text())).prop_map(
        |(text, sdp_mid, sdp_m_line_index, username_fragment)| Candidate {
            candidate: format!("candidate:{text}"),
            sdp_mid,
            sdp_m_line_index,
            username_fragment,
        },
    )
}

fn any_message() -> impl Strategy<Value = Message> {
    let ufrag = || (0..4u8).prop_map(|number| format!("ufrag{number}"));
    prop_oneof![
        2 => ufrag().prop_map(|ufrag| offer(&ufrag)),
        2 => ufrag().prop_map(|ufrag| answer(&ufrag)),
        1 => (1..=MAX_SDP).prop_map(|size| Message::Offer { sdp: "x".repeat(size) }),
        4 => ufrag().prop_map(|ufrag| Message::Candidate(candidate(&ufrag, 1))),
        2 => any_candidate().prop_map(Message::Candidate),
        1 => Just(Message::EndOfCandidates),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn messages_survive_any_way_of_cutting_the_stream(
        messages in prop::collection::vec(any_message(), 0..8),
        cuts in prop::collection::vec(1..5000usize, 1..20),
    ) {
        let mut stream: Bytes = messages.iter().flat_map(Message::encode).collect::<Vec<u8>>().into();
        let (mut decoder, mut decoded, mut cuts) = (Decoder::new(), Vec::new(), cuts.iter().cycle());
        while !stream.is_empty() {
            let piece = stream.split_to(stream.len().min(*cuts.next().expect("cycles")));
            let mut rest = &piece[..];
            while let Some(message) = decoder.next_message(&mut rest)? {
                decoded.push(message);
            }
            prop_assert!(rest.is_empty());
        }
        prop_assert!(decoder.is_between_messages());
        prop_assert_eq!(decoded, messages);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), text in ".{0,200}") {
        _ = Message::decode(&bytes);
        _ = Candidate::from_json(&text);
        _ = session(Role::Answerer).handle_bytes(start(), &bytes);
    }

    #[test]
    fn arbitrary_exchanges_stay_within_their_bounds(
        messages in prop::collection::vec((any_message(), any::<bool>()), 0..200),
        offers in any::<bool>(),
    ) {
        let role = if offers { Role::Offerer } else { Role::Answerer };
        let mut session = session(role);
        let mut described = 0;
        for (number, (message, ours)) in messages.into_iter().enumerate() {
            if ours {
                _ = session.send_offer(start(), sdp(&format!("offer{number}")));
                _ = session.send_answer(sdp(&format!("answer{number}")));
            }
            let failed = give(&mut session, &message).is_err();
            let happened = events(&mut session);
            for event in &happened {
                match event {
                    Event::Offer { .. } | Event::Answer { .. } => described += 1,
                    Event::Candidate(_) | Event::EndOfCandidates => prop_assert!(described > 0),
                    Event::TimedOut(_) => prop_assert!(false, "no time has passed"),
                }
            }
            prop_assert!(happened.len() <= SessionSettings::default().candidates + 1);
            if failed {
                prop_assert!(!session.can_restart() && session.poll_output().is_none());
                break;
            }
        }
    }
}
