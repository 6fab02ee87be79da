//! The command line.
//!
//! | module | noun |
//! |---|---|
//! | `arguments` | what can be typed |
//! | `settings` | where the configuration comes from |
//! | `init`, `run`, `config`, `commands`, `events`, `ice`, `wallet`, `trading` | the commands |
//! | `ready`, `signals`, `log` | what a running node shows and obeys |
//! | `output`, `table`, `failure` | what a command prints, and how it ends |

mod arguments;
mod commands;
mod config;
mod events;
mod failure;
mod ice;
mod init;
mod log;
mod output;
mod ready;
mod relays;
mod run;
mod settings;
mod signals;
mod table;
mod trading;
mod wallet;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::{Arguments, Command, Ice};
use failure::Failure;

/// Parses the command line and carries it out.
pub(crate) fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match dispatch(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn dispatch(arguments: Arguments) -> Result<(), Failure> {
    let place = arguments.place;
    match arguments.command {
        Command::Init => init::init(&place),
        Command::Config(options) => config::config(&place, &options),
        Command::Run(options) => run::run(&place, &options),
        Command::Events(options) => events::events(&place, &options),
        Command::Status(options) => commands::status(&place, options),
        Command::Relays(options) => relays::relays(&place, options),
        Command::Peers(options) => commands::peers(&place, options),
        Command::Connect(options) => commands::connect(&place, &options),
        Command::Disconnect(options) => commands::disconnect(&place, &options),
        Command::Send(options) => commands::send(&place, &options),
        Command::Publish(options) => commands::publish(&place, &options),
        Command::Ice(Ice::Test(options)) => ice::test(&place, &options),
        Command::Wallet(command) => wallet::wallet(&place, &command),
        Command::Order(command) => trading::order(&place, &command),
        Command::Trade(command) => trading::trade(&place, &command),
        Command::Asset(command) => trading::asset(&place, &command),
        Command::Stop => commands::stop(&place),
    }
}
