//! Orders, the book and reconciliation: how many per second, and how many bytes.
//!
//! `cargo bench -p darkswap-trade --bench book`
#![expect(
    clippy::print_stdout,
    reason = "what a session costs in bytes and rounds is not a time that criterion could show"
)]

use std::hint::black_box;

use bitcoin::hashes::{Hash as _, sha256};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use darkswap_trade::Time;
use darkswap_trade::asset::Asset;
use darkswap_trade::book::{Applied, Backing, Book};
use darkswap_trade::order::{
    Draft, Offer, OrderId, Price, Proposal, Settlement, Side, Statement, TraderKey, decode, sign,
};
use darkswap_trade::reconcile::{Initiator, Responder, Snapshot, Step};
use ed25519_dalek::{Signer as _, SigningKey};
use ordinals::RuneId;

const NOW: Time = Time::from_secs(1_800_000_000);
const RUNE: Asset = Asset::Rune(RuneId { block: 840_000, tx: 3 });
/// Offers of one maker.
const LADDER: u32 = 50;
/// Orders in a large book.
const ORDERS: u32 = 100_000;
/// Orders that only one of two books has, half of them on each side.
const DIFFERENT: u32 = 100;

fn statement(number: u32) -> Statement {
    let (maker, slot) = (number / LADDER, u16::try_from(number % LADDER).expect("less than a ladder"));
    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&maker.to_be_bytes());
    let key = SigningKey::from_bytes(&seed);
    // Spread over prices by the bits of a hash, as arrivals are.
    let spread = u64::from(sha256::Hash::hash(&number.to_be_bytes()).to_byte_array()[0]);
    let (side, sats) =
        if number.is_multiple_of(2) { (Side::Sell, 10_300 + spread) } else { (Side::Buy, 10_000 - spread) };
    let created = NOW - Time::from_millis(u64::from(number) * 10);
    let proposal = Proposal::Offer {
        offer: Offer { asset: RUNE, side, units: 1_000_000, minimum: 100_000, price: Price { sats, units: 10_000 } },
        expires: created + Time::from_hours(20),
        settlement: Settlement::Interactive,
        funding: Vec::new(),
    };
    let maker = TraderKey(key.verifying_key().to_bytes());
    sign(Draft { maker, slot, created, proposal }, |bytes| key.sign(bytes).to_bytes()).expect("a valid offer")
}

fn book(statements: &[Statement]) -> Book {
    let mut book = Book::default();
    for statement in statements {
        assert_eq!(book.apply(statement.clone(), NOW), Applied::Added { displaced: None });
    }
    book
}

fn orders(criterion: &mut Criterion) {
    let first = statement(0);
    println!("bytes of a plain offer: {}", first.encoded().len());
    let mut group = criterion.benchmark_group("order");
    group.throughput(Throughput::Elements(1));
    group.bench_function("validate", |bencher| bencher.iter(|| decode(black_box(first.encoded()), NOW)));
    group.bench_function("make a key and sign", |bencher| bencher.iter(|| statement(black_box(7))));
    group.finish();
}

fn matching(criterion: &mut Criterion) {
    let statements: Vec<_> = (0..ORDERS).map(statement).collect();
    let full = book(&statements);
    println!("bytes of {ORDERS} offers: {}", full.bytes());
    let mut group = criterion.benchmark_group("book of 100,000");
    group.sample_size(20);
    group.throughput(Throughput::Elements(1));
    group.bench_function("out of all indexes and in again", |bencher| {
        let mut book = full.clone();
        let mut verdicts = [Backing::Proven, Backing::Unknown].into_iter().cycle();
        bencher.iter(|| book.set_backing(&statements[5_000].id(), verdicts.next().expect("it cycles"), NOW));
    });
    group.bench_function("hear an order again", |bencher| {
        let mut book = full.clone();
        bencher.iter(|| book.apply(statements[5_000].clone(), NOW));
    });
    let limit = Some(Price { sats: 12_000, units: 10_000 });
    for wanted in [1, 10, 100] {
        group.bench_function(format!("match {wanted} orders"), |bencher| {
            bencher.iter(|| full.fills(Side::Buy, RUNE, black_box(1_000_000 * wanted), limit));
        });
    }
    // All but a rest that is less than anybody's minimum.
    group.bench_function("match 10 orders and pass over 256", |bencher| {
        bencher.iter(|| full.fills(Side::Buy, RUNE, black_box(10_050_000), limit));
    });
    group.throughput(Throughput::Elements(ORDERS.into()));
    group.sample_size(10);
    group.bench_function("fill it", |bencher| bencher.iter(|| book(black_box(&statements))));
    group.finish();
}

/// Both directions of a whole session: rounds, and bytes to and from the responder.
fn session(ours: &Snapshot, theirs: &Snapshot) -> (u32, usize, usize) {
    let (mut initiator, mut message) = Initiator::new(ours.clone());
    let mut responder = Responder::new(theirs.clone());
    let (mut to, mut from) = (0, 0);
    loop {
        to += message.len();
        let Step::Send(answer) = responder.handle(&message).expect("both are honest") else { break };
        from += answer.len();
        message = match initiator.handle(&answer).expect("both are honest") {
            Step::Send(next) | Step::SendLast(next) => next,
            Step::Done => break,
        };
    }
    let found = initiator.difference();
    assert_eq!(
        (&found.lacking, &found.peer_lacks),
        (&responder.difference().peer_lacks, &responder.difference().lacking)
    );
    (initiator.rounds(), to, from)
}

/// (Revision, id) of orders that were made 10 ms apart.
fn items(numbers: impl Iterator<Item = u32>) -> Vec<(u64, OrderId)> {
    let id = |number: u32| OrderId(sha256::Hash::hash(&number.to_be_bytes()).to_byte_array());
    numbers.map(|number| (1_800_000_000_000 + u64::from(number) * 10, id(number))).collect()
}

fn reconciliation(criterion: &mut Criterion) {
    let every = ORDERS / DIFFERENT;
    let without = |rest: u32| items((0..ORDERS).filter(move |number| number % (every * 2) != rest));
    let recent = |begin: u32| items((0..ORDERS).chain(begin..begin + DIFFERENT / 2));
    let empty = Snapshot::new([]);
    let all = Snapshot::new(items(0..ORDERS));
    let cases = [
        ("nothing different", all.clone(), all.clone()),
        ("100 different, spread evenly", Snapshot::new(without(3)), Snapshot::new(without(every + 3))),
        ("100 different, the newest", Snapshot::new(recent(ORDERS)), Snapshot::new(recent(ORDERS + DIFFERENT))),
        ("a late joiner", empty, all),
    ];
    let mut group = criterion.benchmark_group("reconcile 100,000");
    group.sample_size(10);
    for (name, ours, theirs) in &cases {
        let (rounds, to, from) = session(ours, theirs);
        println!("{name}: {rounds} rounds, {to} bytes to and {from} bytes from the responder");
        group.bench_function(*name, |bencher| bencher.iter(|| session(ours, theirs)));
    }
    let unsorted = without(3);
    group.bench_function("make a snapshot", |bencher| {
        bencher.iter_batched(|| unsorted.clone(), Snapshot::new, BatchSize::LargeInput);
    });
    group.finish();
}

criterion_group!(benches, orders, matching, reconciliation);
criterion_main!(benches);
