//! Statements of a hostile maker: the payload is the input, the signature is valid. What decodes encodes back, and a book takes it or
//! not, the same way in any order.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use darkswap_trade::book::{Book, Capacity};
use darkswap_trade::order::{self, Statement};
use ed25519_dalek::{Signer as _, SigningKey};
use libfuzzer_sys::fuzz_target;

/// Makers that may sign; the payload names one of their keys where it wants to be taken.
static KEYS: LazyLock<[SigningKey; 2]> = LazyLock::new(|| [1, 2].map(|byte| SigningKey::from_bytes(&[byte; 32])));
/// Where in a payload the field with the maker's key begins: after the version.
const KEY: std::ops::Range<usize> = 4..36;
const NOW: Duration = Duration::from_secs(1_800_000_000);

fuzz_target!(|bytes: &[u8]| {
    let _ = order::decode(bytes, NOW);
    let statements: Vec<Statement> = darkswap_fuzz::steps(bytes)
        .filter_map(|(kind, payload)| order::decode(&signed(usize::from(kind & 1), payload), NOW).ok())
        .collect();
    for statement in &statements {
        let again = order::decode(statement.encoded(), NOW).expect("what was read can be read again");
        assert_eq!(again.id(), statement.id());
    }
    let book = |statements: &mut dyn Iterator<Item = &Statement>| {
        let mut book = Book::new(Capacity::default());
        for statement in statements {
            book.apply(statement.clone(), NOW);
        }
        book.statements().map(Statement::id).collect::<Vec<_>>()
    };
    assert_eq!(book(&mut statements.iter()), book(&mut statements.iter().rev()));
});

/// A statement with a valid signature over the payload, in which the key is filled in.
fn signed(maker: usize, payload: &[u8]) -> Vec<u8> {
    let key = &KEYS[maker];
    let mut payload = payload.to_vec();
    if let Some(field) = payload.get_mut(KEY) {
        field.copy_from_slice(key.verifying_key().as_bytes());
    }
    let length = u32::try_from(payload.len()).expect("steps have 255 bytes at most");
    let signature = key.sign(&[b"darkswap-order/1", &length.to_be_bytes()[..], &payload].concat()).to_bytes();
    [field(1, &payload), field(2, &signature)].concat()
}

/// A length-delimited field of protobuf.
fn field(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag << 3 | 2];
    match u8::try_from(content.len()).expect("steps have 255 bytes at most") {
        short @ 0..128 => bytes.push(short),
        long => bytes.extend([long, 1]),
    }
    bytes.extend_from_slice(content);
    bytes
}
