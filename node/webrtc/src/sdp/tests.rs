use proptest::prelude::*;

use super::*;

/// What Chromium writes for a data channel.
const CHROMIUM: &str = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=extmap-allow-mixed\r\n\
    a=msid-semantic: WMS\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:q1Kd\r\n\
    a=ice-pwd:0123456789abcdefghijkl+/\r\na=ice-options:trickle\r\n\
    a=fingerprint:sha-256 AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB\r\n\
    a=setup:actpass\r\na=mid:0\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n";

fn fingerprint() -> Fingerprint {
    Fingerprint::from_sdp(&["AB"; 32].join(":")).unwrap()
}

#[test]
fn a_browsers_offer_is_read() {
    let description = Description::parse(CHROMIUM).unwrap();
    assert_eq!(
        description,
        Description {
            ufrag: "q1Kd".to_owned(),
            password: "0123456789abcdefghijkl+/".to_owned(),
            fingerprint: Some(fingerprint()),
            setup: Setup::ActPass,
            mid: "0".to_owned(),
            max_message: 262_144,
            lite: false,
            candidates: vec![],
        }
    );
}

#[test]
fn candidates_and_bare_line_ends_are_read() {
    let text = format!("{}a=candidate:1 1 udp 5 10.0.0.1 9 typ host\r\n", CHROMIUM).replace('\r', "");
    assert_eq!(Description::parse(&text).unwrap().candidates, ["candidate:1 1 udp 5 10.0.0.1 9 typ host"]);
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let error = |from: &str, to: &str| Description::parse(&CHROMIUM.replace(from, to)).unwrap_err();
    assert_eq!(error("a=setup:actpass\r\n", ""), DescriptionError::Missing { attribute: "setup" });
    assert_eq!(error("sha-256", "sha-1"), DescriptionError::Missing { attribute: "fingerprint of SHA-256" });
    assert_eq!(error("q1Kd", "q1K"), invalid("ice-ufrag", "4 to 256 letters, digits, + or /"));
    assert_eq!(error("sctp-port:5000", "sctp-port:5001"), invalid("sctp-port", "5000"));
    assert_eq!(error("m=application", "m=audio"), DescriptionError::Media { found: 1, data: 0 });
    assert_eq!(
        error("a=setup", "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=setup"),
        DescriptionError::Media { found: 2, data: 1 }
    );
    let long = "x".repeat(MAX_DESCRIPTION + 1);
    assert_eq!(Description::parse(&long), Err(DescriptionError::TooLong { found: MAX_DESCRIPTION + 1 }));
}

#[test]
fn the_description_of_a_direct_server_names_its_address() {
    for (address, candidate) in [
        ("192.0.2.1:4001", "candidate:1 1 udp 2130706431 192.0.2.1 4001 typ host"),
        ("[2001:db8::1]:4001", "candidate:1 1 udp 2130706431 2001:db8::1 4001 typ host"),
    ] {
        let ufrag = "libp2p+webrtc+v1/0123456789";
        let description = Description::of_direct_server(address.parse().unwrap(), ufrag, fingerprint());
        assert_eq!(description.candidates, [candidate]);
        assert_eq!((description.lite, description.setup), (true, Setup::Passive));
        assert_eq!((&description.ufrag[..], &description.password[..]), (ufrag, ufrag));
        assert_eq!(Description::parse(&description.to_text(1, 1)), Ok(description));
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in ".*") {
        let _ = Description::parse(&text);
    }

    #[test]
    fn any_damaged_offer_is_read_without_panic(at in 0..CHROMIUM.len(), by in ".{0,3}") {
        let text = format!("{}{by}{}", &CHROMIUM[..at], &CHROMIUM[at + 1..]);
        let _ = Description::parse(&text);
    }

    #[test]
    fn any_description_comes_back(ufrag in "[a-zA-Z0-9+/]{4,256}", password in "[a-zA-Z0-9+/]{22,256}", mid in "[!-~]{1,64}", most in 1..=usize::MAX) {
        let description = Description {
            ufrag,
            password,
            fingerprint: Some(fingerprint()),
            setup: Setup::Active,
            mid,
            max_message: most,
            lite: false,
            candidates: vec!["candidate:1 1 udp 5 10.0.0.1 9 typ host".to_owned()],
        };
        prop_assert_eq!(Description::parse(&description.to_text(7, 1)), Ok(description));
    }
}
