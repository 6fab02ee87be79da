//! Settings in the making.

use std::path::Path;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ice_servers::ConfiguredServer;
use super::origin::{Origin, Place};
use super::problem::{Problem, Problems, excerpt, nearest, suggestion};
use super::setting::{SETTINGS, Setting, TABLES, find};
use super::value::{Fault, Raw, quoted};
use super::{FILE_LIMIT, Override, Resolved, Settings, relay_hints};
use crate::config::Reachability;
use crate::limits::Limits;

/// Problems that are reported at once. Who has more has given a wrong file.
const PROBLEM_LIMIT: usize = 50;

/// Settings to which one source after the other is applied.
pub(super) struct Draft {
    settings: Settings,
    /// Parallel to [`SETTINGS`].
    origins: Vec<Origin>,
    problems: Vec<Problem>,
}

impl Default for Draft {
    fn default() -> Self {
        Self { settings: Settings::default(), origins: vec![Origin::Default; SETTINGS.len()], problems: Vec::new() }
    }
}

impl Draft {
    pub(super) fn read_file(&mut self, name: &str, text: &str) {
        let mut faults = Vec::new();
        if text.len() > FILE_LIMIT {
            faults.push(Fault::at(0..0, format!("found {} bytes, expected at most {FILE_LIMIT}", text.len())));
        } else {
            let (document, errors) = DeTable::parse_recoverable(text);
            let syntax = |error: &toml::de::Error| {
                Fault::at(error.span().unwrap_or(0..0), format!("not TOML: {}", error.message()))
            };
            faults.extend(errors.iter().map(syntax));
            self.read_document(name, text, document.get_ref(), &mut faults);
        }
        faults.sort_by_key(|fault| fault.start());
        faults.truncate(PROBLEM_LIMIT);
        self.problems.extend(faults.into_iter().map(|fault| {
            let place = Place::new(name, text, fault.span.unwrap_or(0..0));
            Problem::in_file(place, text, fault.message)
        }));
    }

    fn read_document(&mut self, name: &str, text: &str, document: &DeTable<'_>, faults: &mut Vec<Fault>) {
        for (table, content) in document {
            let (at, table) = (table.span(), table.get_ref().as_ref());
            match content.get_ref() {
                _ if !TABLES.iter().any(|(known, _)| *known == table) => {
                    faults.push(Fault::at(at, unknown_table(table)))
                }
                DeValue::Table(settings) => {
                    for (key, value) in settings {
                        match find(table, key.get_ref()) {
                            None => faults.push(Fault::at(key.span(), unknown_key(table, key.get_ref()))),
                            Some(index) => {
                                self.origins[index] = Origin::File(Place::new(name, text, key.span()));
                                faults.extend(self.read_value(index, value));
                            }
                        }
                    }
                }
                _ => faults.push(Fault::at(at, format!("`{table}` is not a setting, expected the table `[{table}]`"))),
            }
        }
    }

    fn read_value(&mut self, index: usize, value: &Spanned<DeValue<'_>>) -> Vec<Fault> {
        let setting = &SETTINGS[index];
        let faults = setting.field.read(Raw::Toml(value), &mut self.settings).err().unwrap_or_default();
        let place = |fault: Fault| {
            Fault::at(fault.span.unwrap_or_else(|| value.span()), format!("{}: {}", setting.name(), fault.message))
        };
        faults.into_iter().map(place).collect()
    }

    pub(super) fn read_environment(&mut self, variables: &[(String, String)]) {
        let known: Vec<String> = SETTINGS.iter().map(Setting::variable).collect();
        for (variable, value) in variables {
            let origin = Origin::Environment(variable.clone());
            if let Some(index) = known.iter().position(|name| name == variable) {
                self.read_text(index, origin, value);
            } else if TABLES.iter().any(|(table, _)| starts_with_table(variable, table)) {
                // A container's orchestrator adds variables such as `DARKSWAP_RELAY_PORT`; only a likely slip is refused.
                if let Some(meant) =
                    nearest(variable, known.iter().map(String::as_str)).filter(|meant| is_slip(variable, meant))
                {
                    let message = format!("there is no such variable; did you mean `{meant}`?");
                    self.problems.push(Problem::elsewhere(origin, message));
                }
            }
        }
    }

    pub(super) fn read_flags(&mut self, flags: &[Override]) {
        for Override { flag, name, value } in flags {
            let (table, key) = name.split_once('.').unwrap_or((name, ""));
            let origin = Origin::Flag(flag.clone());
            match find(table, key) {
                Some(index) => self.read_text(index, origin, value),
                None => {
                    let names: Vec<String> = SETTINGS.iter().map(Setting::name).collect();
                    let hint = suggestion(name, names.iter().map(String::as_str));
                    let message = format!("unknown setting `{}`, expected `table.key`{hint}", excerpt(name));
                    self.problems.push(Problem::elsewhere(origin, message));
                }
            }
        }
    }

    fn read_text(&mut self, index: usize, origin: Origin, value: &str) {
        for fault in SETTINGS[index].field.read(Raw::Text(value), &mut self.settings).err().into_iter().flatten() {
            let message = format!("{}: {}", SETTINGS[index].name(), fault.message);
            self.problems.push(Problem::elsewhere(origin.clone(), message));
        }
        self.origins[index] = origin;
    }

    /// Checks what concerns several settings and completes the paths.
    pub(super) fn finish(mut self, folder: &Path) -> Result<Resolved, Problems> {
        if self.problems.is_empty() {
            self.apply_preset();
            self.make_room_for_clients();
            self.check_together();
        }
        if !self.problems.is_empty() {
            self.problems.sort_by(|a, b| a.origin.cmp(&b.origin));
            self.problems.truncate(PROBLEM_LIMIT);
            return Err(Problems(self.problems));
        }
        self.settings.identity = folder.join(&self.settings.identity);
        let beside = self.settings.identity.parent().unwrap_or(folder);
        self.settings.certificate = beside.join(&self.settings.certificate);
        self.settings.ice_servers.iter_mut().for_each(|server| server.complete_path(folder));
        self.settings.trading.complete_paths(folder);
        self.settings.control_socket = folder.join(&self.settings.control_socket);
        Ok(Resolved { settings: self.settings, origins: self.origins })
    }

    /// What nobody set follows the preset.
    fn apply_preset(&mut self) {
        let preset = self.settings.preset;
        let origin = match self.origin("webrtc", "preset") {
            Origin::Default => Origin::Default,
            Origin::Preset(_) | Origin::File(_) | Origin::Environment(_) | Origin::Flag(_) => {
                Origin::Preset(preset.name())
            }
        };
        for key in ["ice_servers", "policy"] {
            let Some(index) = find("webrtc", key) else { continue };
            if self.origins[index] == Origin::Default {
                self.origins[index] = origin.clone();
                match key {
                    "policy" => self.settings.node.webrtc.relay_only = preset.relay_only(),
                    _ => self.settings.ice_servers = preset.ice_servers(),
                }
            }
        }
    }

    /// A relay needs connections for its clients.
    fn make_room_for_clients(&mut self) {
        if self.settings.node.relay_server && self.origin("limits", "connections") == Origin::Default {
            let reservations = self.settings.node.relay_limits.reservations;
            self.settings.node.limits.connections = Limits::of_relay(reservations).connections;
        }
    }

    fn check_webrtc(&mut self) {
        let is_webrtc = |address: &Multiaddr| address.iter().any(|part| part == Protocol::WebRTCDirect);
        if !self.settings.node.webrtc.enabled && self.origin("node", "listen") == Origin::Default {
            self.settings.node.listen.retain(|address| !is_webrtc(address));
        }
        let webrtc = &self.settings.node.webrtc;
        if !webrtc.enabled {
            if self.settings.node.listen.iter().any(is_webrtc) {
                let message = "found `false`, but node.listen has an address with `/webrtc-direct`".to_owned();
                self.wrong("webrtc", "enabled", message);
            }
        } else if webrtc.relay_only && !self.settings.ice_servers.iter().any(ConfiguredServer::is_turn) {
            let key = if matches!(self.origin("webrtc", "policy"), Origin::Preset(_)) { "preset" } else { "policy" };
            let message = "only what a TURN server relays is offered, but webrtc.ice_servers has none: add one, or set policy = \
                           \"all\"";
            self.wrong("webrtc", key, message.to_owned());
        }
    }

    fn check_together(&mut self) {
        self.check_webrtc();
        for (key, message) in self.settings.trading.contradictions() {
            self.wrong("trading", key, message);
        }
        let node = self.settings.node.clone();
        let limits = &node.limits;
        if node.relay_server && node.reachability == Reachability::Private {
            self.wrong(
                "relay",
                "server",
                "a relay has to be reachable, but node.reachability is \"private\"".to_owned(),
            );
        }
        if limits.connections_per_peer > limits.connections {
            let message = format!(
                "found {}, expected at most limits.connections, {}",
                limits.connections_per_peer, limits.connections
            );
            self.wrong("limits", "connections_per_peer", message);
        }
        self.check_relay();
    }

    /// A share is no larger than the whole, and what is promised can be kept.
    fn check_relay(&mut self) {
        let relay = self.settings.node.relay_limits;
        let connections = self.settings.node.limits.connections;
        if self.settings.node.relay_server && relay.reservations > connections as usize / 2 {
            let message = format!(
                "found {}, expected at most half of limits.connections, {connections}: each keeps a connection, and those without \
                 one need room as well; lower it, or raise limits.connections",
                relay.reservations
            );
            self.wrong("relay", "reservations", message);
        }
        let counts = |key, found: usize, whole, most: usize| (key, found as u64, whole, most as u64);
        let shares = [
            counts("reservations_per_prefix", relay.reservations_per_prefix, "reservations", relay.reservations),
            counts("circuits_per_peer", relay.circuits_per_peer, "circuits", relay.circuits),
            counts("circuits_per_prefix", relay.circuits_per_prefix, "circuits", relay.circuits),
            ("peer_bytes", relay.peer_bytes, "prefix_bytes", relay.prefix_bytes),
            ("peer_rate", relay.peer_rate, "prefix_rate", relay.prefix_rate),
            ("prefix_rate", relay.prefix_rate, "rate", relay.rate),
        ];
        for (key, found, whole, most) in shares.into_iter().filter(|(_, found, _, most)| found > most) {
            self.wrong("relay", key, format!("found {found}, expected at most relay.{whole}, {most}"));
        }
        if let Some(message) = relay_hints::stray(&self.settings.node) {
            self.wrong("relay", "hints", message);
        }
    }

    fn origin(&self, table: &str, key: &str) -> Origin {
        find(table, key).map_or(Origin::Default, |index| self.origins[index].clone())
    }

    fn wrong(&mut self, table: &str, key: &str, message: String) {
        let origin = self.origin(table, key);
        self.problems.push(Problem::elsewhere(origin, format!("{table}.{key}: {message}")));
    }
}

fn unknown_table(found: &str) -> String {
    let tables = TABLES.map(|(table, _)| table);
    let hint = match SETTINGS.iter().find(|setting| setting.key == found) {
        Some(setting) => format!("; did you mean `{found}` in `[{}]`?", setting.table),
        None => suggestion(found, tables),
    };
    format!("unknown table `{}`, expected one of {}{hint}", excerpt(found), quoted(&tables))
}

fn unknown_key(table: &str, found: &str) -> String {
    let keys: Vec<&str> = SETTINGS.iter().filter(|setting| setting.table == table).map(|setting| setting.key).collect();
    let elsewhere = SETTINGS.iter().find(|setting| setting.key == found);
    let hint = match elsewhere {
        Some(setting) => format!("; did you mean `{found}` in `[{}]`?", setting.table),
        None => suggestion(found, keys.iter().copied()),
    };
    format!("unknown setting `{}` in `[{table}]`, expected one of {}{hint}", excerpt(found), quoted(&keys))
}

fn starts_with_table(variable: &str, table: &str) -> bool {
    variable
        .strip_prefix("DARKSWAP_")
        .and_then(|rest| rest.get(..table.len() + 1))
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case(&format!("{table}_")))
}

/// Two letters changed, added or missing.
fn is_slip(found: &str, meant: &str) -> bool {
    strsim::damerau_levenshtein(&excerpt(found), meant) <= 2
}
