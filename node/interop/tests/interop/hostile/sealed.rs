//! Sealed messages that break the protocol: bombs, copies, other people's names.

use std::time::Duration;

use bytes::Bytes;
use darkswap_core::Time;
use darkswap_messages::compression::plain;
use darkswap_messages::identity::{Identity, Party};
use darkswap_messages::seal::{Capabilities, Entropy, Handshakes, Limits, Sessions, StaticKey};
use darkswap_messages::wire::{Entry, LENGTH, Outcome, Parcel, Receipt, Refused, Request, Response, framed};
use darkswap_node::event::{Event, Misbehaviour};
use libp2p::PeerId;
use libp2p::identity::{Keypair, PublicKey};
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use zeroize::Zeroizing;

use super::Siege;
use crate::carrier::Carrier;
use crate::common::listening;
use crate::raw::Raw;

const PROTOCOL: &str = "/darkswap/message/2";
const NOW: Time = Duration::from_secs(1);

/// A peer that seals as it should, until it is told to do something else.
struct Sealer {
    siege: Siege,
    peer: Raw,
    id: PeerId,
    node: Party,
    sessions: Sessions,
}

impl Sealer {
    /// A peer that has a session with the node, which has delivered its first message.
    async fn begin() -> Self {
        let mut sealer = Self::connect().await;
        let hello = sealer.sessions.open(NOW, sealer.node, Entropy::new([5; 32])).unwrap();
        let answer = sealer.ask(&Request::Hello(hello.into())).await;
        let Some(Response::Answer(answer)) = answer else { panic!("{answer:?} to a hello") };
        let finish = sealer.sessions.answer(NOW, sealer.node, &answer).unwrap();
        let sealed = sealer.seal(&parcel(0, vec![plain(b"hello")]));
        let receipt = sealer.ask(&Request::Finish { finish: finish.into(), sealed }).await;
        assert_eq!(sealer.outcomes(receipt), [Outcome::Delivered]);
        sealer.received().await;
        sealer
    }

    async fn connect() -> Self {
        let siege = Siege::begin(listening(Carrier::Quic.loopback())).await;
        let identity = Keypair::generate_ed25519();
        let peer = Raw::dial(&siege.address, &identity).await;
        let node = party(siege.node.id());
        Self { siege, peer, id: identity.public().to_peer_id(), node, sessions: sessions(&identity) }
    }

    async fn ask(&self, request: &Request) -> Option<Response> {
        let mut stream = self.peer.open(PROTOCOL).await;
        stream.write(&framed(&request.encode())).await;
        let response = stream.rest().await;
        Response::decode(&Bytes::from(response).slice(LENGTH..)).ok()
    }

    fn seal(&mut self, parcel: &[u8]) -> Bytes {
        self.sessions.seal(NOW, self.node, parcel).unwrap().into()
    }

    fn outcomes(&mut self, response: Option<Response>) -> Vec<Outcome> {
        let Some(Response::Sealed(receipt)) = response else { panic!("{response:?} to a parcel") };
        let receipt = self.sessions.unseal(NOW, self.node, &receipt, 1_000).unwrap();
        Receipt::decode(&receipt.into()).unwrap().outcomes
    }

    /// The node delivered a message of ours.
    async fn received(&mut self) -> Bytes {
        let id = self.id;
        self.siege
            .node
            .wait("message", |event| match event {
                Event::MessageReceived { peer, payload, .. } if *peer == id => Some(payload.clone()),
                _ => None,
            })
            .await
    }

    async fn is_counted_as(&mut self, expected: Misbehaviour) {
        let (kind, evidence) = self.siege.counted(self.id).await;
        assert_eq!(kind, expected, "{evidence}");
        self.siege.serves().await;
    }
}

fn party(peer: PeerId) -> Party {
    let key = PublicKey::try_decode_protobuf(peer.as_ref().digest()).unwrap();
    Party(key.try_into_ed25519().unwrap().to_bytes())
}

fn handshakes(identity: &Keypair) -> Handshakes {
    let secret = identity.clone().try_into_ed25519().unwrap().secret();
    let identity = Identity::new(&Zeroizing::new(secret.as_ref().try_into().unwrap()));
    Handshakes::new(identity, StaticKey::new(Zeroizing::new([9; 32])), Capabilities { zstd: true })
}

fn sessions(identity: &Keypair) -> Sessions {
    Sessions::new(handshakes(identity), Limits::default())
}

fn parcel(first: u64, messages: Vec<Vec<u8>>) -> Vec<u8> {
    let entry = |(sequence, packed): (u64, Vec<u8>)| Entry { sequence, packed: packed.into() };
    let entries = (first..).zip(messages).map(entry).collect();
    Parcel { challenge: None, session: 7, entries }.encode()
}

fn frame(content: &[u8]) -> Vec<u8> {
    [&[1], &zstd::bulk::compress(content, 1).unwrap()[..]].concat()
}

#[tokio::test]
async fn a_bomb_is_refused_and_counted_and_the_message_beside_it_is_delivered() {
    let mut sealer = Sealer::begin().await;
    let bomb = frame(&vec![0; 64 << 20]);
    let sealed = sealer.seal(&parcel(1, vec![bomb, plain(b"beside it"), frame(&vec![0; 1 << 20])]));
    let response = sealer.ask(&Request::Sealed(sealed)).await;
    assert_eq!(sealer.outcomes(response), [Outcome::Refused, Outcome::Delivered, Outcome::Refused]);
    sealer.is_counted_as(Misbehaviour::Bomb).await;
    sealer.is_counted_as(Misbehaviour::Bomb).await;
}

#[tokio::test]
async fn many_small_bombs_are_one_large_one() {
    let mut sealer = Sealer::begin().await;
    // Each is within the bounds by itself: 300 KiB from 5 KiB.
    let mut state = 1_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    let noise: Vec<u8> = (0..5_000).map(|_| random()).collect();
    let message = frame(&[&noise[..], &vec![0; 300 << 10]].concat());
    let sealed = sealer.seal(&parcel(1, vec![message; 8]));
    let response = sealer.ask(&Request::Sealed(sealed)).await;
    let outcomes = sealer.outcomes(response);
    assert_eq!(outcomes[..3], [Outcome::Delivered; 3]);
    assert_eq!(outcomes[3..], [Outcome::Refused; 5]);
    sealer.is_counted_as(Misbehaviour::Bomb).await;
}

#[tokio::test]
async fn a_sealed_message_is_taken_once_and_its_copy_is_counted() {
    let mut sealer = Sealer::begin().await;
    let request = Request::Sealed(sealer.seal(&parcel(1, vec![plain(b"once")])));
    let response = sealer.ask(&request).await;
    assert_eq!(sealer.outcomes(response), [Outcome::Delivered]);
    assert_eq!(sealer.received().await, &b"once"[..]);
    assert_eq!(sealer.ask(&request).await, Some(Response::Refused(Refused::Misbehaviour)));
    sealer.is_counted_as(Misbehaviour::Replayed).await;
    // The same message, sealed anew, is what an honest peer does that lost the receipt.
    let again = sealer.seal(&parcel(1, vec![plain(b"once")]));
    let response = sealer.ask(&Request::Sealed(again)).await;
    assert_eq!(sealer.outcomes(response), [Outcome::Duplicate]);
}

#[tokio::test]
async fn what_was_changed_or_is_of_no_session_is_refused() {
    let mut sealer = Sealer::begin().await;
    let mut changed = sealer.seal(&parcel(1, vec![plain(b"x")])).to_vec();
    *changed.last_mut().unwrap() ^= 1;
    let response = sealer.ask(&Request::Sealed(changed.clone().into())).await;
    assert_eq!(response, Some(Response::Refused(Refused::Misbehaviour)));
    sealer.is_counted_as(Misbehaviour::Forged).await;
    changed[0] ^= 1;
    let response = sealer.ask(&Request::Sealed(changed.into())).await;
    assert_eq!(response, Some(Response::Refused(Refused::UnknownSession)));
    let nonsense = sealer.seal(b"no parcel");
    assert_eq!(sealer.ask(&Request::Sealed(nonsense)).await, Some(Response::Refused(Refused::Misbehaviour)));
    sealer.is_counted_as(Misbehaviour::Malformed).await;
}

/// Noise with random bytes that are none.
struct Predictable;

impl CryptoResolver for Predictable {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Self))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }
}

impl Random for Predictable {
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), snow::Error> {
        bytes.fill(5);
        Ok(())
    }
}

#[tokio::test]
async fn a_peer_with_the_certificate_of_another_is_counted_as_posing() {
    let mut mallory = Sealer::connect().await;
    let victim = handshakes(&Keypair::generate_ed25519());
    let prologue = [&b"darkswap sealed session 1"[..], &party(mallory.id).0, &mallory.node.0].concat();
    let pattern = "Noise_XX_25519_ChaChaPoly_SHA256".parse().unwrap();
    let mut noise = snow::Builder::with_resolver(pattern, Box::new(Predictable))
        .local_private_key(&[3; 32])
        .and_then(|builder| builder.prologue(&prologue))
        .and_then(snow::Builder::build_initiator)
        .unwrap();
    let mut buffer = [0; 1_000];
    let length = noise.write_message(&[], &mut buffer).unwrap();
    let answer = mallory.ask(&Request::Hello(Bytes::copy_from_slice(&buffer[..length]))).await;
    let Some(Response::Answer(answer)) = answer else { panic!("{answer:?} to a hello") };
    noise.read_message(&answer, &mut buffer).unwrap();
    let length = noise.write_message(&[&[1, 0], &victim.certificate().encode()[..]].concat(), &mut buffer).unwrap();
    let finish = Bytes::copy_from_slice(&buffer[..length]);
    let response = mallory.ask(&Request::Finish { finish, sealed: Bytes::new() }).await;
    assert_eq!(response, Some(Response::Refused(Refused::Misbehaviour)));
    mallory.is_counted_as(Misbehaviour::Spoofed).await;
}

#[tokio::test]
async fn a_flood_of_hellos_is_answered_with_a_gap() {
    let mut sealer = Sealer::begin().await;
    let mut refused = 0;
    for number in 0..20 {
        let mut strangers = sessions(&Keypair::generate_ed25519());
        let hello = strangers.open(NOW, sealer.node, Entropy::new([number; 32])).unwrap();
        let response = sealer.ask(&Request::Hello(hello.into())).await;
        refused += u32::from(response == Some(Response::Refused(Refused::TooSoon)));
    }
    assert!(refused > 0, "some of 20 hellos came within the gap");
    sealer.siege.serves().await;
    let sealed = sealer.seal(&parcel(1, vec![plain(b"still here")]));
    let response = sealer.ask(&Request::Sealed(sealed)).await;
    assert_eq!(sealer.outcomes(response), [Outcome::Delivered]);
}
