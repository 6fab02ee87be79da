//! What a message costs above the transport: as it is, sealed alone, sealed in a batch, compressed.
//!
//! `plain` is the baseline of a group, with the same bytes in the same run: what the step is divided by. Handshakes stand for themselves.
//!
//! | group | step | baseline |
//! |---|---|---|
//! | `message` | a parcel sealed, opened and read | copied and read |
//! | `seal` | sealed; sealed and opened | copied |
//! | `batch` | items encoded; decoded | copied one by one |
//! | `compression` | packed and unpacked | copied |
//! | `inflate` | unpacked; refused at the bound on its size | copied as it comes out |

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use darkswap_messages::Time;
use darkswap_messages::batch;
use darkswap_messages::compression::{Bounds, Compressor, Inflater, Rule, plain};
use darkswap_messages::identity::Identity;
use darkswap_messages::seal::{Capabilities, Entropy, Handshakes, Limits, Sessions, StaticKey};
use darkswap_messages::wire::{Entry, Parcel};
use zeroize::Zeroizing;

const BOUNDS: Bounds = Bounds { message: 1 << 20, ratio: 100 };
const SIZES: [usize; 3] = [100, 1_000, 100_000];
const BATCH: usize = 32;

fn sessions(number: u8) -> Sessions {
    let secret = |number| Zeroizing::new([number; 32]);
    let handshakes =
        Handshakes::new(Identity::new(&secret(number)), StaticKey::new(secret(number + 100)), Capabilities::default());
    Sessions::new(handshakes, Limits::default())
}

/// Two ends with a session.
fn pair() -> (Sessions, Sessions) {
    let (mut one, mut two) = (sessions(1), sessions(2));
    let (first, second) = (one.handshakes().identity().party(), two.handshakes().identity().party());
    let hello = one.open(Time::ZERO, second, Entropy::new([3; 32])).expect("nothing is open");
    let answer = two.hello(Time::ZERO, first, &hello, Entropy::new([4; 32])).expect("an honest hello");
    let finish = one.answer(Time::ZERO, second, &answer).expect("an honest answer");
    two.finish(Time::ZERO, first, &finish).expect("an honest finish");
    (one, two)
}

fn text(length: usize) -> Vec<u8> {
    (0_u32..).flat_map(|n| format!("ask {n} of 20 for {}, ", n * 7_919 % 1_000).into_bytes()).take(length).collect()
}

fn parcel(messages: usize, size: usize) -> Vec<u8> {
    let entry = |sequence| Entry { sequence, packed: plain(&text(size)).into() };
    Parcel { challenge: None, session: 7, entries: (0..messages as u64).map(entry).collect() }.encode()
}

fn seal(bench: &mut Criterion) {
    let (mut one, mut two) = pair();
    let (first, second) = (one.handshakes().identity().party(), two.handshakes().identity().party());
    let mut exchange = |plaintext: &[u8]| {
        let sealed = one.seal(Time::ZERO, second, plaintext).expect("there is a session");
        let opened = two.unseal(Time::ZERO, first, &sealed, 1 << 21).expect("it is genuine");
        Parcel::decode(&opened.into(), 1 << 20).expect("it is a parcel")
    };
    let mut group = bench.benchmark_group("message");
    for size in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        let one = parcel(1, size);
        group.bench_function(format!("plain/{size}"), |bench| {
            bench.iter(|| Parcel::decode(&Bytes::copy_from_slice(black_box(&one)), 1 << 20));
        });
        group.bench_function(format!("sealed/{size}"), |bench| bench.iter(|| exchange(black_box(&one))));
    }
    group.throughput(Throughput::Elements(BATCH as u64));
    let (alone, together) = (parcel(1, 100), parcel(BATCH, 100));
    group.bench_function("sealed 32 alone", |bench| bench.iter(|| (0..BATCH).for_each(|_| drop(exchange(&alone)))));
    group.bench_function("sealed 32 together", |bench| bench.iter(|| exchange(black_box(&together))));
    group.finish();
    bench.bench_function("handshake", |bench| bench.iter(pair));
}

/// Without the parcel around it: what the cipher and the session cost.
fn cipher(bench: &mut Criterion) {
    let (mut one, mut two) = pair();
    let (first, second) = (one.handshakes().identity().party(), two.handshakes().identity().party());
    let mut group = bench.benchmark_group("seal");
    for size in SIZES {
        let text = text(size);
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(format!("plain/{size}"), |bench| bench.iter(|| black_box(&text).clone()));
        group.bench_function(format!("seal/{size}"), |bench| {
            bench.iter(|| one.seal(Time::ZERO, second, black_box(&text)).expect("there is a session"));
        });
        // Opened once only, so that each has to be sealed before.
        group.bench_function(format!("seal and open/{size}"), |bench| {
            bench.iter(|| {
                let sealed = one.seal(Time::ZERO, second, black_box(&text)).expect("there is a session");
                two.unseal(Time::ZERO, first, &sealed, 1 << 21).expect("it is genuine")
            });
        });
    }
    group.finish();
}

fn batches(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("batch");
    for size in [100, 1_000] {
        let items: Vec<Bytes> = (0..BATCH).map(|_| text(size).into()).collect();
        let encoded: Bytes = batch::encode(items.iter().map(|item| &item[..])).into();
        let bounds = batch::Bounds { items: BATCH, item_bytes: size };
        group.throughput(Throughput::Elements(BATCH as u64));
        group.bench_function(format!("plain/{size}"), |bench| {
            bench.iter(|| black_box(&items).iter().map(|item| item.to_vec()).collect::<Vec<_>>());
        });
        group.bench_function(format!("encode/{size}"), |bench| {
            bench.iter(|| batch::encode(black_box(&items).iter().map(|item| &item[..])))
        });
        group.bench_function(format!("decode/{size}"), |bench| {
            bench.iter(|| batch::decode(black_box(&encoded), bounds).expect("it was encoded here"));
        });
    }
    group.finish();
}

/// What a peer sends compressed: within the bounds, and a bomb that is refused at the bound.
fn inflate(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("inflate");
    let (mut compressor, mut inflater) = (Compressor::new(Rule::default(), BOUNDS), Inflater::new());
    for size in SIZES {
        let text = text(size);
        let packed = compressor.pack(&text);
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(format!("plain/{size}"), |bench| bench.iter(|| black_box(&text).clone()));
        group.bench_function(format!("unpack/{size}"), |bench| {
            bench.iter(|| inflater.unpack(black_box(&packed), BOUNDS).expect("it was packed here"));
        });
    }
    let size = SIZES[SIZES.len() - 1];
    let (bomb, bounds) = (compressor.pack(&text(size)), Bounds { message: size / 2, ..BOUNDS });
    group.bench_function(format!("refuse/{size}"), |bench| {
        bench.iter(|| inflater.unpack(black_box(&bomb), bounds).expect_err("it is twice the bound"));
    });
    group.finish();
}

fn compress(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("compression");
    for size in SIZES {
        let text = text(size);
        group.throughput(Throughput::Bytes(size as u64));
        let (mut compressor, mut inflater) = (Compressor::new(Rule::default(), BOUNDS), Inflater::new());
        group.bench_function(format!("plain/{size}"), |bench| bench.iter(|| black_box(&text).clone()));
        group.bench_function(format!("text/{size}"), |bench| {
            bench.iter(|| inflater.unpack(&compressor.pack(black_box(&text)), BOUNDS).expect("it was packed here"));
        });
    }
    group.finish();
}

criterion_group!(benches, seal, cipher, batches, compress, inflate);
criterion_main!(benches);
