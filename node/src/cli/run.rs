//! `darkswap run`: the node itself.

use std::convert::Infallible;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use darkswap_node::config_file::Settings;
use darkswap_node::control::{Server, Subscribers};
use darkswap_node::identity::{self, IdentityError};
use darkswap_node::{Handle, Node, TokioRuntime, certificate_file};
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use serde_json::json;
use tokio::sync::oneshot;

use super::arguments::{Place, Run};
use super::failure::Failure;
use super::ready::Readiness;
use super::signals::Signals;
use super::wallet::OldLock;
use super::{log, output, settings, wallet};

/// How long the listeners may take to open.
const OPENING: Duration = Duration::from_secs(10);

/// How long the connections may take to close in good order.
const CLOSING: Duration = Duration::from_secs(10);

pub(crate) fn run(place: &Place, options: &Run) -> Result<(), Failure> {
    let mut settings = settings::resolve(place, Some(&options.overrides))?.settings;
    let identity = load_identity(&settings.identity)?;
    if settings.node.webrtc.enabled {
        settings.node.webrtc.ice_servers = settings::ice_servers(&settings)?;
        settings.node.webrtc.certificate = Some(certificate_file::load_or_create(&settings.certificate)?.0);
    }
    if settings.trading.enabled {
        let seed = wallet::open(&settings.trading, &OldLock::default())?;
        settings.node.trading = Some(settings.trading.complete(seed));
    }
    log::start(options.log_format)?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(serve(settings, identity, options.ready_json))
}

fn load_identity(path: &Path) -> Result<Keypair, Failure> {
    match identity::load(path) {
        Err(IdentityError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Err(Failure::bad_input(format!("there is no identity file {}; `darkswap init` makes one", path.display())))
        }
        loaded => Ok(loaded?),
    }
}

async fn serve(settings: Settings, identity: Keypair, ready_json: bool) -> Result<(), Failure> {
    let signals = Signals::new().context("cannot receive signals")?;
    // First, so that a second node of the same folder notices before it opens anything else.
    let server = settings.control.then(|| Server::bind(&settings.control_socket)).transpose()?;
    let message_size = settings.node.limits.message_size;
    let drain = settings.node.relay_server.then_some(settings.relay_drain).filter(|drain| !drain.is_zero());
    let (mut readiness, ready) = Readiness::new(&settings.node.listen);
    let mut node = Node::new(settings.node, identity, Arc::new(TokioRuntime)).map_err(anyhow::Error::from)?;
    let handle = node.handle();
    let subscribers = Subscribers::default();
    let publisher = subscribers.clone();
    node.observe(move |event| {
        log::event(event);
        readiness.observe(event);
        publisher.publish(event);
    });

    let (end, ended) = oneshot::channel::<()>();
    let served = async {
        if let Some(server) = server {
            let ended = async { drop(ended.await) };
            server.serve(handle.clone(), subscribers, message_size, ended).await;
        }
    };
    let ran = async {
        node.run().await;
        drop(end);
    };
    let announced = announce(&handle, ready, ready_json);
    tokio::select! {
        _ = async { tokio::join!(ran, served) } => {
            tracing::info!(target: "darkswap", "stopped");
            Ok(())
        }
        Err(failure) = supervise(&handle, signals, drain, announced) => Err(failure),
    }
}

/// Announces that the node is ready and stops it at a signal, a relay when it has drained. Ends only when something fails.
async fn supervise(
    handle: &Handle,
    mut signals: Signals,
    drain: Option<Duration>,
    announced: impl Future<Output = Result<(), Failure>>,
) -> Result<Infallible, Failure> {
    tokio::select! {
        () = signals.next() => {}
        failed = async {
            match announced.await {
                Ok(()) => std::future::pending().await,
                Err(failure) => failure,
            }
        } => return Err(failed),
    }
    if let Some(within) = drain {
        tracing::info!(target: "darkswap", ?within, "draining");
        tokio::select! {
            () = signals.next() => return Err(Failure::failed("ended by a second signal before the relay had drained")),
            _ = handle.drain(within) => {}
        }
    }
    tracing::info!(target: "darkswap", "stopping");
    tokio::select! {
        () = signals.next() => Err(Failure::failed("ended by a second signal before all connections were closed")),
        stopped = tokio::time::timeout(CLOSING, handle.stop()) => match stopped {
            // The node's own end follows.
            Ok(_) => std::future::pending().await,
            Err(_) => Err(Failure::failed(format!("ended before all connections were closed, which took over {CLOSING:?}"))),
        },
    }
}

async fn announce(handle: &Handle, ready: oneshot::Receiver<Result<(), String>>, as_json: bool) -> Result<(), Failure> {
    match tokio::time::timeout(OPENING, ready).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(reason))) => return Err(Failure::failed(reason)),
        // The node has ended already, which is told elsewhere.
        Ok(Err(_)) => return Ok(()),
        Err(_) => return Err(Failure::failed(format!("the configured addresses were not open within {OPENING:?}"))),
    }
    let Ok(status) = handle.status().await else { return Ok(()) };
    let peer = status.peer_id;
    let addresses: Vec<String> = status
        .listening
        .into_iter()
        .map(|address| {
            if address.iter().any(|part| part == Protocol::P2p(peer)) {
                address
            } else {
                address.with(Protocol::P2p(peer))
            }
        })
        .map(|address| address.to_string())
        .collect();
    let printed = if as_json {
        output::print_json(&json!({"event": "ready", "peer_id": peer.to_string(), "addresses": addresses}))
    } else {
        output::print(&format!(
            "node {peer} is ready\n{}",
            addresses.iter().map(|a| format!("  {a}\n")).collect::<String>()
        ))
    };
    match printed {
        // A node runs on when nobody reads what it prints.
        Ok(()) | Err(Failure::OutputClosed) => Ok(()),
        Err(failure) => Err(failure),
    }
}
