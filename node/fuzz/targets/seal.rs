//! Handshakes, sealed messages and boxes: what the peer did not seal is never opened, and what it sealed is opened once.
//!
//! Two ends talk honestly; the input is a list of steps that change, repeat, reorder and add what passes between them. A fuzzer has
//! no keys, so whatever it changes must be refused.
#![no_main]

use std::time::Duration;

use darkswap_fuzz::{byte, mutate, steps};
use darkswap_messages::identity::{Identity, Party};
use darkswap_messages::seal::{Capabilities, Entropy, Handshakes, Limits, OpenError, Sessions, StaticKey};
use darkswap_messages::{Time, stored};
use libfuzzer_sys::fuzz_target;
use zeroize::Zeroizing;

const LIMIT: usize = 1_000;

/// One end, and how many keys it drew.
struct End {
    sessions: Sessions,
    drawn: u8,
}

fuzz_target!(|bytes: &[u8]| {
    let (mut one, mut two) = (end(1), end(2));
    let mut now = Time::ZERO;
    // Sealed messages and whether they were opened.
    let mut sent: Vec<(Vec<u8>, bool)> = Vec::new();
    for (kind, bytes) in steps(bytes).take(64) {
        match kind % 8 {
            0 => establish(now, &mut one, &mut two, bytes),
            1 => sent.extend(one.sessions.seal(now, party(&two), bytes).ok().map(|sealed| (sealed, false))),
            2 if !sent.is_empty() => {
                let at = usize::from(byte(bytes, 0)) % sent.len();
                let (sealed, opened) = &mut sent[at];
                match two.sessions.unseal(now, party(&one), sealed, LIMIT) {
                    Ok(_) => assert!(!std::mem::replace(opened, true), "it was opened twice"),
                    Err(OpenError::Forged | OpenError::Length { .. }) => panic!("a genuine message was refused"),
                    Err(_) => {}
                }
            }
            3 if !sent.is_empty() => {
                let at = usize::from(byte(bytes, 0)) % sent.len();
                let mut changed = sent[at].0.clone();
                mutate(&mut changed, bytes.get(1..).unwrap_or_default());
                if changed != sent[at].0 {
                    assert!(two.sessions.unseal(now, party(&one), &changed, LIMIT).is_err());
                }
            }
            4 => assert!(two.sessions.unseal(now, party(&one), bytes, LIMIT).is_err()),
            5 => {
                let entropy = two.entropy();
                let _ = two.sessions.hello(now, party(&one), bytes, entropy);
                assert!(two.sessions.finish(now, party(&one), bytes).is_err());
            }
            6 => {
                now += Duration::from_secs(u64::from(byte(bytes, 0)) * 4);
                for end in [&mut one, &mut two] {
                    end.sessions.handle(now);
                    assert!(end.sessions.deadline().is_none_or(|deadline| deadline > now));
                }
            }
            _ => keep(&one, &two, bytes),
        }
        for end in [&mut one, &mut two] {
            while end.sessions.poll().is_some() {}
        }
    }
});

fn end(number: u8) -> End {
    let secret = |number| Zeroizing::new([number; 32]);
    let key = StaticKey::new(secret(number + 100));
    let handshakes = Handshakes::new(Identity::new(&secret(number)), key, Capabilities { zstd: true });
    End { sessions: Sessions::new(handshakes, Limits::default()), drawn: 0 }
}

fn party(end: &End) -> Party {
    end.sessions.handshakes().identity().party()
}

impl End {
    fn entropy(&mut self) -> Entropy {
        self.drawn = self.drawn.wrapping_add(1);
        let mut bytes = [party(self).0[0]; 32];
        bytes[0] = self.drawn;
        Entropy::new(bytes)
    }
}

/// A handshake whose answer is changed as the bytes say, or whose finish is.
fn establish(now: Time, one: &mut End, two: &mut End, changes: &[u8]) {
    let (entropy, peer) = (one.entropy(), party(two));
    let Some(hello) = one.sessions.open(now, peer, entropy) else { return };
    let entropy = two.entropy();
    let Ok(answer) = two.sessions.hello(now, party(one), &hello, entropy) else { return one.sessions.failed(peer) };
    let mut changed = answer.clone();
    mutate(&mut changed, changes);
    match one.sessions.answer(now, peer, &changed) {
        Ok(finish) => {
            assert_eq!(changed, answer, "a changed answer was believed");
            two.sessions.finish(now, party(one), &finish).expect("an honest finish");
        }
        Err(error) => assert_ne!(changed, answer, "an honest answer was refused: {error}"),
    }
}

/// A box is opened as it was, and not when it was changed.
fn keep(one: &End, two: &End, changes: &[u8]) {
    let (from, to) = (one.sessions.handshakes(), two.sessions.handshakes());
    let written = Duration::from_secs(1);
    let sealed = stored::seal(from, to.certificate(), written, changes, Entropy::new([7; 32])).expect("it is short");
    let mut changed = sealed.clone();
    mutate(&mut changed, changes);
    match stored::open(to, &changed) {
        Ok(opened) => assert!(changed == sealed && opened.message == changes),
        Err(error) => assert_ne!(changed, sealed, "an honest box was refused: {error}"),
    }
    assert!(stored::open(to, changes).is_err());
}
