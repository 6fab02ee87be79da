//! Three processes of the program: a relay, and two peers that know nothing but the relay.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[expect(dead_code, reason = "what only tests/cli.rs uses")]
mod program;

use std::future::Future;

use darkswap_node::control::{Client, EventStream};
use program::{Folder, PATIENCE, Running};
use serde_json::{Map, Value, json};

const RELAY: &str = "\
[node]
listen = [\"/ip4/127.0.0.1/udp/0/quic-v1\", \"/ip4/127.0.0.1/tcp/0\"]
reachability = \"public\"
[relay]
server = true
[discovery]
enabled = false
";

fn peer_config(relay: &str, hole_punching: bool) -> String {
    format!(
        "[node]\nlisten = [\"/ip4/127.0.0.1/udp/0/quic-v1\"]\nreachability = \"private\"\nhole_punching = {hole_punching}\n\
         [relay]\nrelays = [\"{relay}\"]\n[discovery]\nenabled = false\n"
    )
}

/// A peer's process.
struct Peer {
    folder: Folder,
    id: String,
    running: Running,
}

impl Peer {
    async fn start(folder: Folder) -> Self {
        let (running, ready) = folder.start(&[]);
        let id = ready["peer_id"].as_str().unwrap().to_owned();
        let peer = Self { folder, id, running };
        let mut events = peer.events().await;
        // It may hold its reservation already, before there was somebody to tell.
        if peer.folder.run(&["status", "--json"]).json()["reservations"] == json!([]) {
            peer.wait(&mut events, |event| event["event"] == "reservation_accepted").await;
        }
        peer
    }

    async fn events(&self) -> EventStream {
        Client::connect(&self.folder.file("control.sock")).await.unwrap().events().await.unwrap()
    }

    async fn wait(&self, events: &mut EventStream, wanted: impl Fn(&Map<String, Value>) -> bool) -> Map<String, Value> {
        let found = async {
            loop {
                let event = events.next().await.unwrap().unwrap();
                if wanted(&event) {
                    return event;
                }
            }
        };
        self.within(found).await
    }

    async fn within<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::time::timeout(PATIENCE, work)
            .await
            .unwrap_or_else(|_| panic!("nothing happened: {}", self.running.log()))
    }

    fn connect(&self, relay: &str, to: &Self) -> Value {
        self.folder.run(&["connect", "--json", &format!("{relay}/p2p-circuit/p2p/{}", to.id)]).json()
    }

    /// Sends a message and sees it arrive: the path that it took.
    async fn send(&self, to: &Self, text: &str) -> String {
        let mut events = to.events().await;
        let receipt = self.folder.run(&["send", "--json", &to.id, text]).json();
        let arrived = to.wait(&mut events, |event| event["event"] == "message_received").await;
        assert_eq!((&arrived["peer"], &arrived["payload"]), (&json!(self.id), &json!({"text": text})));
        assert_eq!(arrived["id"], receipt["id"]);
        receipt["path"].as_str().unwrap().to_owned()
    }

    /// The path to another peer as `darkswap peers` lists it.
    fn path_to(&self, to: &Self) -> Value {
        let peers = self.folder.run(&["peers", "--json"]).json();
        peers.as_array().unwrap().iter().find(|peer| peer["peer"] == to.id.as_str()).unwrap()["path"].clone()
    }

    fn stop(self) -> Folder {
        assert_eq!(self.folder.run(&["stop"]).code, 0);
        assert_eq!(self.running.ended(), Some(0));
        self.folder
    }
}

#[tokio::test]
async fn peers_talk_through_the_relay_and_then_directly() {
    let relay = Folder::with_config(RELAY);
    let (_relay, ready) = relay.start(&[]);
    let addresses = ready["addresses"].as_array().unwrap();
    let relay_address = addresses.iter().map(|address| address.as_str().unwrap()).find(|a| a.contains("quic")).unwrap();

    // Without hole punching the relay is the only way, although on this host everybody could reach everybody.
    let start = async |folder: Folder, hole_punching: bool| {
        std::fs::write(folder.file("darkswap.toml"), peer_config(relay_address, hole_punching)).unwrap();
        Peer::start(folder).await
    };
    let alice = start(Folder::with_config(""), false).await;
    let bob = start(Folder::with_config(""), false).await;
    assert_eq!(alice.connect(relay_address, &bob), json!({"connected": {"path": "relayed"}}));
    assert_eq!(alice.send(&bob, "hello through the relay").await, "relayed");
    assert_eq!(bob.send(&alice, "hello back").await, "relayed");
    assert_eq!((alice.path_to(&bob), bob.path_to(&alice)), (json!("relayed"), json!("relayed")));

    // With it, the same relayed connection becomes a direct one.
    let (alice, bob) = (alice.stop(), bob.stop());
    let (alice, bob) = (start(alice, true).await, start(bob, true).await);
    let mut events = alice.events().await;
    assert_eq!(alice.connect(relay_address, &bob), json!({"connected": {"path": "relayed"}}));
    let changed =
        |to: &'static str| move |event: &Map<String, Value>| event["event"] == "path_changed" && event["to"] == to;
    alice.wait(&mut events, changed("relayed")).await;
    alice.wait(&mut events, changed("direct")).await;
    // Until the relayed connection is closed, a message may take either.
    let closed = |event: &Map<String, Value>| event["event"] == "connection_closed" && event["path"] == "relayed";
    alice.wait(&mut events, closed).await;
    assert_eq!(alice.path_to(&bob), "direct");
    assert_eq!(alice.send(&bob, "hello").await, "direct");
    assert_eq!(bob.send(&alice, "hello back").await, "direct");
    assert_eq!(bob.path_to(&alice), "direct");
    alice.stop();
    bob.stop();
}
