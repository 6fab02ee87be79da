//! The commands that ask a running node for something.

use std::fs::File;
use std::future::Future;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use darkswap_node::config_file::peer_address;
use darkswap_node::control::{Client, Payload, PeerReport, QualityReport, Reply, Request};
use libp2p::PeerId;

use super::arguments::{Connect, Content, Disconnect, Place, Publish, Send, Shown};
use super::failure::Failure;
use super::table::table;
use super::{output, relay, settings};

/// Largest message that is read from a file: what a node can be configured to send.
const FILE_LIMIT: u64 = 16 << 20;

/// How long a node that was told to stop may take to end.
const ENDING: Duration = Duration::from_secs(15);

pub(crate) fn status(place: &Place, shown: Shown) -> Result<(), Failure> {
    let Reply::Status(status) = ask(place, &Request::Status)? else { return Err(unexpected()) };
    if shown.json {
        return output::print_json(&status);
    }
    let mut rows = vec![["peer id".to_owned(), status.peer_id.to_string()], ["version".to_owned(), status.version]];
    rows.extend(status.listening.iter().map(|address| ["listens on".to_owned(), address.to_string()]));
    rows.extend(status.external.iter().map(|address| ["reachable at".to_owned(), address.to_string()]));
    rows.extend(status.reservations.into_iter().map(|relay| ["relay".to_owned(), relay]));
    rows.extend(status.relay.as_deref().map(relay::rows).unwrap_or_default());
    let misbehaved = status.misbehaved.into_iter();
    rows.extend(misbehaved.map(|(rule, times)| ["misbehaviour of peers".to_owned(), format!("{rule}, {times} times")]));
    output::print(&table(["WHAT", "VALUE"], &rows))
}

pub(crate) fn peers(place: &Place, shown: Shown) -> Result<(), Failure> {
    let Reply::Peers(peers) = ask(place, &Request::Peers)? else { return Err(unexpected()) };
    if shown.json {
        return output::print_json(&peers);
    }
    let names = [
        "PEER",
        "PATH",
        "SCORE",
        "ROUND TRIP",
        "LOSS",
        "SENT",
        "RECEIVED",
        "INACTIVE",
        "CONNECTIONS",
        "USE",
        "PENDING",
        "AGENT",
        "ADDRESS",
    ];
    output::print(&table(names, &peers.into_iter().map(row).collect::<Vec<_>>()))
}

pub(crate) fn connect(place: &Place, options: &Connect) -> Result<(), Failure> {
    let (peer, addresses) = match options.peer.parse::<PeerId>() {
        Ok(peer) => (peer, Vec::new()),
        Err(_) => peer_address(&options.peer).map(|to| (to.peer, vec![to.address])).map_err(Failure::bad_input)?,
    };
    let reply = ask(place, &Request::Connect { peer, addresses })?;
    let Reply::Connected { path } = reply else { return Err(unexpected()) };
    if options.shown.json { output::print_json(&reply) } else { output::print(&format!("connected, {}", path.name())) }
}

pub(crate) fn disconnect(place: &Place, options: &Disconnect) -> Result<(), Failure> {
    ask(place, &Request::Disconnect { peer: options.peer }).map(drop)
}

pub(crate) fn send(place: &Place, options: &Send) -> Result<(), Failure> {
    let request = Request::Send { peer: options.peer, payload: payload(&options.content)? };
    let Reply::Sent(receipt) = ask(place, &request)? else { return Err(unexpected()) };
    if options.shown.json {
        return output::print_json(&receipt);
    }
    let time = milliseconds(receipt.elapsed_seconds);
    output::print(&format!("acknowledged after {time}, {} (message {})", receipt.path.name(), receipt.id))
}

pub(crate) fn publish(place: &Place, options: &Publish) -> Result<(), Failure> {
    let request = Request::Publish { topic: options.topic.clone(), payload: payload(&options.content)? };
    ask(place, &request).map(drop)
}

/// Returns when the node has ended, so that a script can start it again at once.
pub(crate) fn stop(place: &Place) -> Result<(), Failure> {
    with_client(place, async |mut client| {
        client.call(&Request::Stop).await?;
        tokio::time::timeout(ENDING, client.closed())
            .await
            .map_err(|_| Failure::failed(format!("the node has not ended within {ENDING:?}")))
    })
}

/// Connects to the running node and does something with the connection.
pub(crate) fn with_client<T, F: Future<Output = Result<T, Failure>>>(
    place: &Place,
    work: impl FnOnce(Client) -> F,
) -> Result<T, Failure> {
    let settings = settings::resolve(place, None)?.settings;
    if !settings.control {
        return Err(Failure::bad_input("control.enabled is false: a running node cannot be reached"));
    }
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(async { work(Client::connect(&settings.control_socket).await?).await })
}

pub(crate) fn ask(place: &Place, request: &Request) -> Result<Reply, Failure> {
    with_client(place, async |mut client| Ok(client.call(request).await?))
}

fn payload(content: &Content) -> Result<Payload, Failure> {
    match (&content.text, &content.file) {
        (Some(text), _) => Ok(Payload::Text(text.clone())),
        (None, Some(path)) if path == Path::new("-") => read(io::stdin().lock(), "standard input"),
        (None, Some(path)) => {
            let name = path.display().to_string();
            read(File::open(path).with_context(|| format!("cannot open {name}")).map_err(Failure::BadInput)?, &name)
        }
        (None, None) => Err(Failure::bad_input("there is no message, expected a text or --file")),
    }
}

fn read(reader: impl Read, name: &str) -> Result<Payload, Failure> {
    let mut bytes = Vec::new();
    reader
        .take(FILE_LIMIT + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {name}"))
        .map_err(Failure::BadInput)?;
    if bytes.len() as u64 > FILE_LIMIT {
        return Err(Failure::bad_input(format!(
            "{name} has more than {FILE_LIMIT} bytes, the most that a message can have"
        )));
    }
    Ok(Payload::from(&bytes[..]))
}

fn row(peer: PeerReport) -> [String; 13] {
    let nothing = || "-".to_owned();
    let quality = peer.quality.as_ref();
    let path = peer.path.map_or_else(nothing, |path| path.name().to_owned());
    let of = |show: fn(&QualityReport) -> String| quality.map_or_else(nothing, show);
    [
        peer.peer.to_string(),
        match peer.transport {
            Some(transport) if quality.is_none_or(|quality| quality.relay.is_none()) => format!("{path} {transport}"),
            _ => path,
        },
        of(|quality| quality.score.to_string()),
        peer.round_trip_seconds.map_or_else(nothing, milliseconds),
        of(|quality| format!("{:.1} %", quality.loss * 100.0)),
        of(|quality| bytes(quality.sent_bytes)),
        of(|quality| bytes(quality.received_bytes)),
        of(|quality| format!("{:.0} s", quality.inactive_seconds)),
        peer.connections.to_string(),
        peer.usage.unwrap_or_else(nothing),
        peer.pending.to_string(),
        peer.agent.unwrap_or_else(nothing),
        peer.address.map_or_else(nothing, |address| address.to_string()),
    ]
}

/// A number of bytes in the largest binary unit of which there is one: `1.4 MiB`.
fn bytes(count: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let power = (count.max(1).ilog2() / 10) as usize;
    match power {
        0 => format!("{count} B"),
        _ => format!("{:.1} {}", count as f64 / (1_u64 << (10 * power)) as f64, units[power]),
    }
}

pub(crate) fn milliseconds(seconds: f64) -> String {
    format!("{:.1} ms", seconds * 1_000.0)
}

pub(crate) fn unexpected() -> Failure {
    Failure::failed("the node answered something else than what was asked")
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn bytes_are_shown_in_the_largest_unit() {
        let shown = [0, 1_023, 1_024, 1_500_000, u64::MAX].map(bytes);
        assert_eq!(shown, ["0 B", "1023 B", "1.0 KiB", "1.4 MiB", "16.0 EiB"]);
    }
}
