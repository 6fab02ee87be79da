use proptest::prelude::*;

use super::*;

#[test]
fn a_certificate_comes_back_from_its_text_with_the_same_fingerprint() {
    let certificate = Certificate::generate().unwrap();
    let again = Certificate::from_pem(&certificate.to_pem()).unwrap();
    assert_eq!(again.fingerprint(), certificate.fingerprint());
    assert_eq!(again.to_pem(), certificate.to_pem());
}

#[test]
fn two_certificates_differ() {
    assert_ne!(Certificate::generate().unwrap().fingerprint(), Certificate::generate().unwrap().fingerprint());
}

#[test]
fn a_fingerprint_reads_both_cases_and_writes_upper_case() {
    let text = ["AB"; 32].join(":");
    let fingerprint = Fingerprint::from_sdp(&text.to_lowercase()).unwrap();
    assert_eq!(fingerprint.to_sdp(), text);
}

#[test]
fn a_fingerprint_of_another_length_or_hash_is_refused() {
    assert_eq!(Fingerprint::from_sdp("AA:BB"), Err(FingerprintError::Length { found: 2 }));
    assert_eq!(Fingerprint::from_sdp(&["AB"; 33].join(":")), Err(FingerprintError::Length { found: 33 }));
    assert_eq!(Fingerprint::from_sdp("not a fingerprint"), Err(FingerprintError::Text));
    assert_eq!(Fingerprint::from_multihash(&[0x13, 0x40]), Err(FingerprintError::OtherHash));
    assert_eq!(Fingerprint::from_multihash(&[0x12, 0x20, 1]), Err(FingerprintError::Length { found: 1 }));
}

#[test]
fn a_damaged_text_is_refused() {
    let pem = Certificate::generate().unwrap().to_pem();
    assert!(matches!(Certificate::from_pem(""), Err(CertificateError::Pem { .. })));
    assert!(matches!(Certificate::from_pem(&pem.replace("PRIVATE_KEY", "KEY")), Err(CertificateError::Pem { .. })));
    assert!(matches!(Certificate::from_pem(&"x".repeat(MAX_PEM + 1)), Err(CertificateError::Pem { .. })));
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let [one, other] = [Certificate::generate().unwrap().to_pem(), Certificate::generate().unwrap().to_pem()];
    let at = |pem: &str| pem.find("-----BEGIN CERTIFICATE").unwrap();
    let mixed = format!("{}{}", &one[..at(&one)], &other[at(&other)..]);
    assert!(matches!(Certificate::from_pem(&mixed), Err(CertificateError::Mismatch)));
}

proptest! {
    #[test]
    fn any_fingerprint_comes_back_from_both_texts(digest in any::<[u8; 32]>()) {
        let fingerprint = Fingerprint(digest);
        prop_assert_eq!(Fingerprint::from_sdp(&fingerprint.to_sdp()), Ok(fingerprint));
        prop_assert_eq!(Fingerprint::from_multihash(&fingerprint.to_multihash()), Ok(fingerprint));
    }

    #[test]
    fn any_text_and_bytes_are_read_without_panic(text in ".*", bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = Fingerprint::from_sdp(&text);
        let _ = Fingerprint::from_multihash(&bytes);
        let _ = Certificate::from_pem(&text);
    }
}
