//! `darkswap-regtest`: provides the programs that tests against a real chain need, and shows which are there.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
