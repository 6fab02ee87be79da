//! `darkswap`: makes, runs and controls a DarkSwap node.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}

/// How properties are tested: the same cases on every run. `PROPTEST_RNG_SEED` and `PROPTEST_CASES` ask for others.
#[cfg(test)]
fn cases() -> proptest::test_runner::Config {
    use proptest::test_runner::{Config, RngSeed};

    let config = Config::default();
    let rng_seed = if config.rng_seed == RngSeed::Random { RngSeed::Fixed(1) } else { config.rng_seed };
    Config { rng_seed, failure_persistence: None, ..config }
}
