//! Where relays are, as operators write it: by peer id the round-trip time that its place suggests.

use std::collections::BTreeMap;
use std::time::Duration;

use darkswap_connectivity::relay::estimate::RELAYS;
use libp2p::PeerId;
use toml::de::DeValue;

use super::unit;
use super::value::{Fault, Raw};
use crate::config::{Config, Reachability};

/// What values are possible, for messages.
pub(super) const EXPECTED: &str = "a table of peer ids with durations";

/// The longest hint. No place on earth is that far from another one, and a policy treats it like any other number.
const LONGEST: Duration = Duration::from_secs(10);

/// Reads hints: a table in the file, `peer=40ms` with commas between elsewhere.
pub(super) fn read(raw: Raw<'_>) -> Result<BTreeMap<PeerId, Duration>, Vec<Fault>> {
    let (mut hints, mut faults) = (BTreeMap::new(), Vec::new());
    let mut set = |peer: &str, value: Option<&str>, name: Raw<'_>, at: Raw<'_>| {
        let Ok(relay) = peer.parse::<PeerId>() else {
            faults.extend(name.unexpected("the peer id of a relay, such as `12D3KooW..`, for each hint"));
            return;
        };
        match value.and_then(unit::parse_duration).filter(|hint| (Duration::ZERO..=LONGEST).contains(hint)) {
            Some(hint) if hints.insert(relay, hint).is_some() => {
                faults.push(name.fault(format!("found two hints for {relay}, expected one")));
            }
            Some(_) => {}
            None => faults.extend(at.unexpected("a duration from 0s to 10s")),
        }
    };
    match raw {
        Raw::Text(text) => {
            for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
                let (peer, value) = item.split_once('=').unwrap_or((item, ""));
                set(peer.trim(), Some(value.trim()), Raw::Text(peer.trim()), Raw::Text(value.trim()));
            }
        }
        Raw::Toml(value) => {
            let DeValue::Table(table) = value.get_ref() else { return Err(raw.unexpected(EXPECTED)) };
            for (peer, value) in table {
                let at = Raw::Toml(value);
                set(peer.get_ref(), at.text(), Raw::Text(peer.get_ref()), at);
            }
        }
    }
    if hints.len() > RELAYS {
        // More relays than that are never kept in mind.
        faults.push(raw.fault(format!("found {} hints, expected at most {RELAYS}", hints.len())));
    }
    if faults.is_empty() { Ok(hints) } else { Err(faults) }
}

/// As TOML.
pub(super) fn show(hints: &BTreeMap<PeerId, Duration>) -> toml::Value {
    let hints = hints.iter().map(|(relay, hint)| (relay.to_string(), unit::show_duration(*hint).into()));
    hints.collect::<toml::Table>().into()
}

/// What is wrong with a hint for a relay that this node never hears of: neither configured nor to be found.
pub(super) fn stray(node: &Config) -> Option<String> {
    let finds = node.discovery && node.relay_selection.discovery && node.reachability != Reachability::Public;
    let is_known = |relay: &PeerId| node.relays.iter().any(|known| known.peer == *relay);
    let stray = node.relay_selection.hints.keys().find(|relay| !is_known(relay)).filter(|_| !finds)?;
    Some(format!(
        "found {stray}, expected one of relay.relays: this node finds no others, so correct the peer id or add the relay"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config_file::{Sources, resolve};

    const ONE: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
    const OTHER: &str = "12D3KooWH3uVF6wv47WnArKHk5p6cvgCJEb74UTmxztmQDc298L3";

    fn sources(text: &str) -> Sources {
        Sources { file: Some(("darkswap.toml".to_owned(), text.to_owned())), ..Sources::default() }
    }

    fn hints(sources: &Sources) -> BTreeMap<PeerId, Duration> {
        resolve(sources).unwrap().settings.node.relay_selection.hints
    }

    fn problem(text: &str) -> String {
        resolve(&sources(text)).unwrap_err().to_string()
    }

    #[test]
    fn hints_are_a_table_in_the_file_and_a_list_elsewhere() {
        let expected = [(ONE, 40), (OTHER, 1_500)].map(|(relay, hint)| (relay.parse().unwrap(), hint));
        let expected = BTreeMap::from(expected.map(|(relay, hint)| (relay, Duration::from_millis(hint))));
        let file = sources(&format!("[relay]\nhints = {{ {ONE} = \"40ms\", \"{OTHER}\" = \"1s500ms\" }}"));
        assert_eq!(hints(&file), expected);
        let variable = ("DARKSWAP_RELAY_HINTS".to_owned(), format!("{ONE}=40ms, {OTHER}=1s500ms"));
        assert_eq!(hints(&Sources { environment: vec![variable], ..Sources::default() }), expected);
    }

    #[test]
    fn a_hint_is_for_a_peer_id_and_a_round_trip_that_is_possible() {
        let nobody = problem("[relay]\nhints = { relay-1 = \"40ms\" }");
        assert!(nobody.contains("relay.hints: found `relay-1`, expected the peer id of a relay"), "{nobody}");
        for wrong in ["\"11s\"", "\"near\"", "40", "{}"] {
            let told = problem(&format!("[relay]\nhints = {{ {ONE} = {wrong} }}"));
            assert!(told.contains("expected a duration from 0s to 10s"), "{wrong}: {told}");
        }
        assert!(problem("[relay]\nhints = \"40ms\"").contains("relay.hints: found"));
        let many: Vec<String> = (0..=RELAYS).map(|_| format!("{} = \"1ms\"", PeerId::random())).collect();
        let told = problem(&format!("[relay]\nhints = {{ {} }}", many.join(", ")));
        assert!(told.contains("found 65 hints, expected at most 64"), "{told}");
    }

    #[test]
    fn a_hint_for_a_relay_that_is_never_heard_of_is_refused() {
        let stray = format!("[relay]\ndiscovery = false\nhints = {{ {ONE} = \"40ms\" }}");
        assert!(problem(&stray).contains(&format!("relay.hints: found {ONE}, expected one of relay.relays")));
        let known = format!("{stray}\nrelays = [\"/ip4/192.0.2.1/udp/4001/quic-v1/p2p/{ONE}\"]");
        assert_eq!(hints(&sources(&known)).len(), 1);
    }

    #[test]
    fn what_is_shown_is_read_as_the_same() {
        let settings = resolve(&sources(&format!("[relay]\nhints = {{ {ONE} = \"40ms\" }}"))).unwrap();
        let again = resolve(&sources(&settings.to_toml())).unwrap();
        assert_eq!(again.settings, settings.settings);
    }
}
