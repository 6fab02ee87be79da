//! WebRTC on loopback, side by side: the crate `webrtc` as it is published, our data channels and our substreams, and two pages of
//! Chromium where that is ready.
//!
//! Speed and set-up time by criterion, and again with all stacks taking turns; then memory and CPU time, each stack in a process of
//! its own. Set-up is everything from nothing to the first message: of ours over webrtc-direct, with noise. Both ends are in one
//! process, Chromium's in one each. Targets are in `docs/performance.md`.
//!
//! `cargo bench -p darkswap-interop --bench webrtc`

mod chromium;
mod cost;
mod ours;
mod raw;
mod stack;

use std::cell::RefCell;
use std::io::{Write as _, stdout};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use chromium::Chromium;
use criterion::{Criterion, Throughput};
use ours::{Channels, Substreams};
use raw::Raw;
use stack::{MESSAGE, Stack};
use tokio::runtime::Runtime;

/// Messages of one transfer: 8 MiB, many times every window.
const MESSAGES: usize = 512;
/// Runs of each stack when they take turns.
const TURNS: usize = 15;

fn main() -> Result<()> {
    if cost::is_child()? {
        return Ok(());
    }
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(5))
        .sample_size(10)
        .configure_from_args();

    let mut transfers =
        [transfer::<Raw<false>>()?, transfer::<Raw<true>>()?, transfer::<Channels>()?, transfer::<Substreams>()?];
    let mut group = criterion.benchmark_group("transfer");
    group.throughput(Throughput::Bytes((MESSAGES * MESSAGE) as u64));
    for (name, transfer) in &mut transfers {
        group.bench_function(*name, |bencher| bencher.iter_custom(|times| (0..times).map(|_| transfer()).sum()));
    }
    group.finish();

    let mut set_ups = [set_up::<Raw<false>>()?, set_up::<Channels>()?, set_up::<Substreams>()?];
    let mut group = criterion.benchmark_group("set-up");
    for (name, set_up) in &mut set_ups {
        group.bench_function(*name, |bencher| bencher.iter_custom(|times| (0..times).map(|_| set_up()).sum()));
    }
    group.finish();
    criterion.final_summary();

    // `cargo test` runs benchmarks, too, to see whether they run at all.
    if std::env::args().any(|argument| argument == "--bench") {
        let (mut transfers, mut set_ups) = (Vec::from(transfers), Vec::from(set_ups));
        if let Some(chromium) = Chromium::start() {
            let pages = Rc::new(RefCell::new(chromium));
            let run = |measure: fn(&mut Chromium) -> Result<Duration>| -> Run {
                let pages = Rc::clone(&pages);
                Box::new(move || measure(&mut pages.borrow_mut()).expect("Chromium connects to itself"))
            };
            transfers.push((chromium::NAME, run(|pages| pages.transfer(MESSAGES))));
            set_ups.push((chromium::NAME, run(Chromium::set_up)));
        }
        compare("transfer", &mut transfers)?;
        compare("set-up", &mut set_ups)?;
        cost::print()?;
    }
    Ok(())
}

/// Threads as the node has them.
fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// What is measured: it runs once and says how long that took.
type Run = Box<dyn FnMut() -> Duration>;

fn transfer<S: Stack + 'static>() -> Result<(&'static str, Run)> {
    let runtime = runtime()?;
    let mut stack = runtime.block_on(S::start())?;
    let mut pair = runtime.block_on(stack.connect())?;
    let run = move || {
        // The listener lives as long as the connection.
        let _stack = &stack;
        let begin = tokio::time::Instant::now();
        runtime.block_on(S::transfer(&mut pair, MESSAGES)).expect("a transfer over loopback succeeds");
        begin.elapsed()
    };
    Ok((S::NAME, Box::new(run)))
}

fn set_up<S: Stack + 'static>() -> Result<(&'static str, Run)> {
    let runtime = runtime()?;
    let mut stack = runtime.block_on(S::start())?;
    let run = move || {
        let begin = tokio::time::Instant::now();
        let pair = runtime.block_on(stack.connect()).expect("a connection over loopback is set up");
        let took = begin.elapsed();
        runtime.block_on(S::close(pair)).expect("a connection can be closed");
        took
    };
    Ok((S::NAME, Box::new(run)))
}

/// Lets all take turns, so that whatever else the computer does meets all of them, and prints the median and the fastest run.
fn compare(what: &str, runs: &mut [(&'static str, Run)]) -> Result<()> {
    let mut took = vec![Vec::new(); runs.len()];
    for _ in 0..TURNS {
        for ((_, run), took) in runs.iter_mut().zip(&mut took) {
            took.push(run());
        }
    }
    writeln!(stdout(), "\n{what:<22} {:>12} {:>12}", "median ms", "fastest ms")?;
    for ((name, _), mut took) in runs.iter().zip(took) {
        took.sort_unstable();
        let [median, fastest] = [took[TURNS / 2], took[0]].map(|took| took.as_secs_f64() * 1e3);
        writeln!(stdout(), "{name:<22} {median:>12.1} {fastest:>12.1}")?;
    }
    Ok(())
}
