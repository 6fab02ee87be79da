//! Ctrl-C, and the request of the system to end.

use std::thread;

use darkswap_sim::orchestrator::interrupt::Interrupt;

use super::exit::Exit;
use super::output;

/// An interrupt that is raised by the first signal. The second ends the process at once, whatever it is doing.
pub(super) fn interrupt() -> Interrupt {
    let interrupt = Interrupt::default();
    let raised = interrupt.clone();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let waited = runtime.and_then(|runtime| {
            runtime.block_on(async {
                signal().await?;
                output::note("interrupted: ending the workers (once more to leave at once)");
                raised.raise();
                signal().await
            })
        });
        match waited {
            Ok(()) => std::process::exit(Exit::Interrupted.code().into()),
            Err(error) => output::warning(&format!("signals are not handled: {error}")),
        }
    });
    interrupt
}

#[cfg(unix)]
async fn signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
