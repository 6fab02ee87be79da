//! A DTLS peer that knows its keys: it can encrypt what no honest stack would send.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use bytes::BytesMut;
use rtc::crypto::{
    ActiveKeyExchange, AeadAlgorithm, AeadCipher, BlockCipherAlgorithm, CbcAlgorithm, CbcCipher, CryptoAlgorithm,
    CryptoError, HashAlgorithm, HmacAlgorithm, KeyExchangeAlgorithm, Mac, PublicKey, RTCCrypto, RTCCryptoProvider,
    RTCRandom, SignatureScheme, SigningKey, StreamCipher, StreamCipherAlgorithm,
};
use rtc::dtls::cipher_suite::CipherSuiteId;
use rtc::dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType};
use rtc::dtls::crypto::Certificate;
use rtc::dtls::endpoint::Endpoint;
use rtc::dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc::shared::TransportProtocol;

const REMOTE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
const SELF: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 2);
const RECORD_HEADER: usize = 13;

/// An honest stack whose keys are known.
pub struct Liar {
    endpoint: Endpoint,
    keys: Arc<Mutex<Keys>>,
}

/// What the peer encrypts with.
#[derive(Default)]
struct Keys {
    key: Option<Vec<u8>>,
    salt: Option<[u8; 4]>,
}

impl Liar {
    /// A client begins at once.
    pub fn new(now: Instant, client: bool) -> Self {
        static CERTIFICATE: OnceLock<Certificate> = OnceLock::new();
        let real = rtc::crypto::default_provider().expect("a provider is compiled in");
        let certificate = CERTIFICATE.get_or_init(|| {
            Certificate::generate_self_signed(vec!["liar".to_owned()], real.crypto()).expect("the provider makes some")
        });
        let keys = Arc::new(Mutex::new(Keys::default()));
        let config = ConfigBuilder::default()
            .with_crypto_provider(Arc::new(Spy { real, keys: Arc::clone(&keys) }))
            .with_certificates(vec![certificate.clone()])
            .with_cipher_suites(vec![CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256])
            // Our client offers SRTP, and a server without a common profile would end the handshake.
            .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm])
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            .with_insecure_skip_verify(true)
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .build(client, None)
            .expect("the configuration is whole");
        let config = Arc::new(config);
        let mut endpoint = Endpoint::new(SELF, TransportProtocol::UDP, (!client).then(|| Arc::clone(&config)));
        if client {
            endpoint.connect(now, REMOTE, config, None).expect("a client can begin");
        }
        Self { endpoint, keys }
    }

    /// Takes a datagram.
    pub fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
        let _ = self.endpoint.read(now, REMOTE, None, BytesMut::from(datagram));
    }

    /// Acts upon the time.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = self.endpoint.handle_timeout(REMOTE, now);
    }

    /// What it would honestly send, record by record.
    pub fn poll_records(&mut self) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(transmit) = self.endpoint.poll_transmit() {
            let mut rest = &transmit.message[..];
            while let Some(header) = rest.get(..RECORD_HEADER) {
                let length = RECORD_HEADER + usize::from(u16::from_be_bytes([header[11], header[12]]));
                let (record, next) = rest.split_at(length.min(rest.len()));
                all.push(record.to_vec());
                rest = next;
            }
        }
        all
    }

    /// A record that the other end can decrypt; `None` while there are no keys.
    pub fn forge(&self, kind: u8, epoch: u16, sequence: u32, content: &[u8]) -> Option<Vec<u8>> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let (key, salt) = (keys.key.as_ref()?, keys.salt?);
        let mut nonce = [0; 12];
        nonce[..4].copy_from_slice(&salt);
        nonce[8..].copy_from_slice(&sequence.to_be_bytes());
        // RFC 5246 section 6.2.3.3, with epoch and sequence number as RFC 6347 section 4.1.2.1 says.
        let mut header = record_header(kind, epoch, sequence, content.len());
        let mut additional = header[3..11].to_vec();
        additional.extend(&header[..3]);
        additional.extend(&header[11..]);
        let real = rtc::crypto::default_provider().ok()?;
        let mut aead = real.crypto().new_aead(AeadAlgorithm::Aes128Gcm, key).ok()?;
        let (mut sealed, mut tag) = (content.to_vec(), [0; 16]);
        aead.seal_in_place(&nonce, &additional, &mut sealed, &mut tag).ok()?;
        header[11..].copy_from_slice(&u16::try_from(8 + sealed.len() + 16).ok()?.to_be_bytes());
        Some([&header[..], &nonce[4..], &sealed, &tag].concat())
    }
}

/// A record as anybody can write it.
pub fn plain(kind: u8, epoch: u16, sequence: u32, content: &[u8]) -> Vec<u8> {
    [&record_header(kind, epoch, sequence, content.len())[..], content].concat()
}

fn record_header(kind: u8, epoch: u16, sequence: u32, length: usize) -> [u8; RECORD_HEADER] {
    let mut header = [kind, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    header[3..5].copy_from_slice(&epoch.to_be_bytes());
    header[7..11].copy_from_slice(&sequence.to_be_bytes());
    header[11..].copy_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    header
}

/// The real cryptography, and an eye on the first key: the peer's own.
struct Spy {
    real: Arc<dyn RTCCryptoProvider>,
    keys: Arc<Mutex<Keys>>,
}

impl RTCCryptoProvider for Spy {
    fn name(&self) -> &'static str {
        "spy"
    }

    fn crypto(&self) -> &dyn RTCCrypto {
        self
    }

    fn random(&self) -> &dyn RTCRandom {
        self.real.random()
    }
}

impl RTCCrypto for Spy {
    fn supports(&self, algorithm: CryptoAlgorithm) -> bool {
        self.real.crypto().supports(algorithm)
    }

    fn hash(&self, algorithm: HashAlgorithm, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.real.crypto().hash(algorithm, data)
    }

    fn block_encrypt(&self, of: BlockCipherAlgorithm, key: &[u8], block: &mut [u8]) -> Result<(), CryptoError> {
        self.real.crypto().block_encrypt(of, key, block)
    }

    fn new_hmac(&self, algorithm: HmacAlgorithm, key: &[u8]) -> Result<Box<dyn Mac>, CryptoError> {
        self.real.crypto().new_hmac(algorithm, key)
    }

    fn new_stream_cipher(&self, of: StreamCipherAlgorithm, key: &[u8]) -> Result<Box<dyn StreamCipher>, CryptoError> {
        self.real.crypto().new_stream_cipher(of, key)
    }

    fn new_aead(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadCipher>, CryptoError> {
        let real = self.real.crypto().new_aead(algorithm, key)?;
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.key.get_or_insert_with(|| key.to_vec());
        Ok(Box::new(SpiedAead { real, keys: Arc::clone(&self.keys) }))
    }

    fn new_cbc(&self, algorithm: CbcAlgorithm, key: &[u8]) -> Result<Box<dyn CbcCipher>, CryptoError> {
        self.real.crypto().new_cbc(algorithm, key)
    }

    fn start_key_exchange(&self, of: KeyExchangeAlgorithm) -> Result<Box<dyn ActiveKeyExchange>, CryptoError> {
        self.real.crypto().start_key_exchange(of)
    }

    fn generate_signing_key(&self, scheme: SignatureScheme) -> Result<Arc<dyn SigningKey>, CryptoError> {
        self.real.crypto().generate_signing_key(scheme)
    }

    fn import_signing_key(&self, scheme: SignatureScheme, der: &[u8]) -> Result<Arc<dyn SigningKey>, CryptoError> {
        self.real.crypto().import_signing_key(scheme, der)
    }

    fn verify_signature(
        &self,
        scheme: SignatureScheme,
        key: PublicKey<'_>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        self.real.crypto().verify_signature(scheme, key, message, signature)
    }
}

/// A cipher, and an eye on the secret part of the nonces that it seals with.
struct SpiedAead {
    real: Box<dyn AeadCipher>,
    keys: Arc<Mutex<Keys>>,
}

impl AeadCipher for SpiedAead {
    fn tag_len(&self) -> usize {
        self.real.tag_len()
    }

    fn seal_in_place(&mut self, nonce: &[u8], aad: &[u8], data: &mut [u8], tag: &mut [u8]) -> Result<(), CryptoError> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.salt = nonce.first_chunk().copied().or(keys.salt);
        self.real.seal_in_place(nonce, aad, data, tag)
    }

    fn open_in_place(&mut self, nonce: &[u8], aad: &[u8], data: &mut [u8], tag: &[u8]) -> Result<(), CryptoError> {
        self.real.open_in_place(nonce, aad, data, tag)
    }
}
