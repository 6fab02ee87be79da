//! `darkswap`: makes, runs and controls a DarkSwap node.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
