//! Reading one value from the file, the environment or a flag, and showing it.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use std::time::Duration;

use bitcoin::FeeRate;
use darkswap_connectivity::relay::policy::{self, Parameters, Policy};
use libp2p::{Multiaddr, PeerId};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ice_servers::{self, ConfiguredServer};
use super::problem::{excerpt, suggestion};
use super::{Settings, address, bandwidth, relay_hints, relay_selection, trading, unit};
use crate::config::{DayRate, ElectrumServer, PeerAddress, ServerAddress};

/// Entries of one list. A node has no use for more, and each costs a socket or a connection.
const LIST_LIMIT: usize = 64;

/// Bytes of a gossip topic's name.
const TOPIC_LIMIT: usize = 256;

/// A value as it was written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Raw<'a> {
    /// From the environment or a flag: lists are separated by commas.
    Text(&'a str),
    /// From the file.
    Toml(&'a Spanned<DeValue<'a>>),
}

/// What is wrong with a value, and with which part of it when that is known.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) span: Option<Range<usize>>,
    pub(super) message: String,
}

impl Fault {
    /// Something wrong at a place in the file.
    pub(super) fn at(span: Range<usize>, message: String) -> Self {
        Self { span: Some(span), message }
    }

    /// Where it begins.
    pub(super) fn start(&self) -> usize {
        self.span.as_ref().map_or(0, |span| span.start)
    }
}

/// What a setting holds and where in [`Settings`] it is kept.
#[derive(Debug, Clone)]
pub(super) enum Field {
    Listen(fn(&mut Settings) -> &mut Vec<Multiaddr>),
    External(fn(&mut Settings) -> &mut Vec<Multiaddr>),
    Peers(fn(&mut Settings) -> &mut Vec<PeerAddress>),
    Topics(fn(&mut Settings) -> &mut Vec<String>),
    Flag(fn(&mut Settings) -> &mut bool),
    Choice(Choice),
    IceServers(fn(&mut Settings) -> &mut Vec<ConfiguredServer>),
    Servers(fn(&mut Settings) -> &mut Vec<ElectrumServer>),
    Bitcoind(fn(&mut Settings) -> &mut Option<ServerAddress>),
    Path(fn(&mut Settings) -> &mut PathBuf),
    OptionalPath(fn(&mut Settings) -> &mut Option<PathBuf>),
    RelayPolicy(fn(&mut Settings) -> &mut &'static dyn Policy),
    RelayParameters(fn(&mut Settings) -> &mut Parameters),
    RelayHints(fn(&mut Settings) -> &mut BTreeMap<PeerId, Duration>),
    FeeRate(RangeInclusive<FeeRate>, fn(&mut Settings) -> &mut FeeRate),
    Duration(RangeInclusive<Duration>, fn(&mut Settings) -> &mut Duration),
    Count(RangeInclusive<u64>, Number),
    Size(RangeInclusive<u64>, Number),
    Rate(fn(&mut Settings) -> &mut DayRate),
}

/// Access to one of a few named values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    pub(super) names: &'static [&'static str],
    pub(super) read: fn(&Settings) -> &'static str,
    /// Is given one of the names.
    pub(super) write: fn(&mut Settings, &str),
}

/// Access to a number, whatever its width.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number {
    pub(super) read: fn(&Settings) -> u64,
    pub(super) write: fn(&mut Settings, u64),
}

impl Field {
    /// Puts a value into its place, or says everything that is wrong with it.
    pub(super) fn read(&self, raw: Raw<'_>, settings: &mut Settings) -> Result<(), Vec<Fault>> {
        match self {
            Self::Listen(place) => *place(settings) = texts(raw, address::listen_address)?,
            Self::External(place) => *place(settings) = texts(raw, address::external_address)?,
            Self::Peers(place) => *place(settings) = texts(raw, address::direct_peer_address)?,
            Self::Topics(place) => *place(settings) = texts(raw, topic)?,
            Self::IceServers(place) => *place(settings) = ice_servers::read(raw)?,
            Self::Servers(place) => *place(settings) = trading::read_servers(raw)?,
            Self::Bitcoind(place) => *place(settings) = trading::read_bitcoind(raw)?,
            Self::Rate(place) => *place(settings) = bandwidth::read(raw)?,
            Self::Flag(place) => {
                *place(settings) = raw.boolean().ok_or_else(|| raw.unexpected(&self.expected()))?;
            }
            Self::Choice(choice) => {
                let found = raw.text().unwrap_or_default();
                if !choice.names.contains(&found) {
                    let hint = suggestion(found, choice.names.iter().copied());
                    return Err(raw.unexpected(&format!("{}{hint}", self.expected())));
                }
                (choice.write)(settings, found);
            }
            Self::Path(place) => {
                let text = raw.text().filter(|text| !text.is_empty() && !text.contains('\0'));
                *place(settings) = text.ok_or_else(|| raw.unexpected(&self.expected()))?.into();
            }
            Self::OptionalPath(place) => {
                let text =
                    raw.text().filter(|text| !text.contains('\0')).ok_or_else(|| raw.unexpected(&self.expected()))?;
                *place(settings) = (!text.is_empty()).then(|| text.into());
            }
            Self::RelayPolicy(place) => *place(settings) = relay_selection::read_policy(raw)?,
            Self::RelayParameters(place) => *place(settings) = relay_selection::read_parameters(raw)?,
            Self::RelayHints(place) => *place(settings) = relay_hints::read(raw)?,
            Self::FeeRate(range, place) => {
                let fee_rate = raw.text().and_then(unit::parse_fee_rate).filter(|found| range.contains(found));
                *place(settings) = fee_rate.ok_or_else(|| raw.unexpected(&self.expected()))?;
            }
            Self::Duration(range, place) => {
                let duration = raw.text().and_then(unit::parse_duration).filter(|found| range.contains(found));
                *place(settings) = duration.ok_or_else(|| raw.unexpected(&self.expected()))?;
            }
            Self::Count(range, number) => {
                let count = raw.integer().filter(|found| range.contains(found));
                (number.write)(settings, count.ok_or_else(|| raw.unexpected(&self.expected()))?);
            }
            Self::Size(range, number) => {
                let size = raw.integer().or_else(|| raw.text().and_then(unit::parse_size));
                let size = size.filter(|found| range.contains(found));
                (number.write)(settings, size.ok_or_else(|| raw.unexpected(&self.expected()))?);
            }
        }
        Ok(())
    }

    /// The value as TOML.
    pub(super) fn show(&self, settings: &Settings) -> toml::Value {
        fn texts<T: ToString>(list: &[T]) -> toml::Value {
            list.iter().map(ToString::to_string).collect::<Vec<_>>().into()
        }
        let mut settings = settings.clone();
        match self {
            Self::Listen(place) | Self::External(place) => texts(place(&mut settings)),
            Self::Peers(place) => texts(
                &place(&mut settings).iter().map(|to| format!("{}/p2p/{}", to.address, to.peer)).collect::<Vec<_>>(),
            ),
            Self::Topics(place) => texts(place(&mut settings)),
            Self::Servers(place) => texts(place(&mut settings)),
            Self::Bitcoind(place) => trading::show_bitcoind(place(&mut settings).as_ref()).into(),
            Self::Flag(place) => (*place(&mut settings)).into(),
            Self::Choice(choice) => (choice.read)(&settings).into(),
            Self::IceServers(place) => {
                place(&mut settings).iter().map(ConfiguredServer::show).collect::<Vec<toml::Value>>().into()
            }
            Self::Path(place) => place(&mut settings).to_string_lossy().into_owned().into(),
            Self::OptionalPath(place) => place(&mut settings)
                .as_ref()
                .map_or_else(String::new, |path| path.to_string_lossy().into_owned())
                .into(),
            Self::RelayPolicy(place) => place(&mut settings).name().into(),
            Self::RelayParameters(place) => relay_selection::show_parameters(place(&mut settings)),
            Self::RelayHints(place) => relay_hints::show(place(&mut settings)),
            Self::FeeRate(_, place) => unit::show_fee_rate(*place(&mut settings)).into(),
            Self::Duration(_, place) => unit::show_duration(*place(&mut settings)).into(),
            Self::Count(_, number) => i64::try_from((number.read)(&settings)).unwrap_or(i64::MAX).into(),
            Self::Size(_, number) => unit::show_size((number.read)(&settings)).into(),
            Self::Rate(place) => bandwidth::show(place(&mut settings)),
        }
    }

    /// What values are possible, for messages.
    fn expected(&self) -> String {
        let range = self.range().unwrap_or_default();
        match self {
            Self::Listen(_) | Self::External(_) | Self::Peers(_) | Self::Topics(_) => "a list of strings".to_owned(),
            Self::Flag(_) => "`true` or `false`".to_owned(),
            Self::Choice(choice) => format!("one of {}", quoted(choice.names)),
            Self::IceServers(_) => "a list of servers".to_owned(),
            Self::Servers(_) => "a list of servers, `host:port` or `ssl://host:port`".to_owned(),
            Self::Bitcoind(_) => "an address such as `http://127.0.0.1:8332`".to_owned(),
            Self::Path(_) => "a path".to_owned(),
            Self::OptionalPath(_) => "a path, or nothing".to_owned(),
            Self::RelayPolicy(_) => "the name of a policy".to_owned(),
            Self::RelayParameters(_) => "a table of parameters".to_owned(),
            Self::RelayHints(_) => relay_hints::EXPECTED.to_owned(),
            Self::FeeRate(..) => format!("a fee rate from {range}"),
            Self::Duration(..) => format!("a duration from {range}"),
            Self::Count(..) => format!("a number from {range}"),
            Self::Size(..) => format!("a size from {range}"),
            Self::Rate(_) => bandwidth::EXPECTED.to_owned(),
        }
    }

    /// The smallest and the largest value of what has them: `1 to 5`.
    pub(super) fn range(&self) -> Option<String> {
        let (from, to) = match self {
            Self::Duration(range, _) => (unit::show_duration(*range.start()), unit::show_duration(*range.end())),
            Self::Size(range, _) => (unit::show_size(*range.start()), unit::show_size(*range.end())),
            Self::FeeRate(range, _) => (unit::show_fee_rate(*range.start()), unit::show_fee_rate(*range.end())),
            Self::Count(range, _) => return Some(format!("{} to {}", range.start(), range.end())),
            Self::Listen(_)
            | Self::External(_)
            | Self::Peers(_)
            | Self::Topics(_)
            | Self::Flag(_)
            | Self::Choice(_)
            | Self::IceServers(_)
            | Self::Servers(_)
            | Self::Bitcoind(_)
            | Self::Path(_)
            | Self::OptionalPath(_)
            | Self::Rate(_)
            | Self::RelayPolicy(_)
            | Self::RelayParameters(_)
            | Self::RelayHints(_) => return None,
        };
        Some(format!("\"{from}\" to \"{to}\""))
    }

    /// A sentence about what it may be, where a table knows that better than the setting's text.
    pub(super) fn allowed(&self) -> Option<String> {
        match self {
            Self::RelayPolicy(_) => Some(format!("One of \"{}\".", policy::names().join("\", \""))),
            field => field.range().map(|range| format!("From {range}.")),
        }
    }
}

impl<'a> Raw<'a> {
    pub(super) fn text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text.trim()),
            Self::Toml(value) => value.get_ref().as_str(),
        }
    }

    fn boolean(self) -> Option<bool> {
        match self {
            Self::Text(text) => text.trim().parse().ok(),
            Self::Toml(value) => value.get_ref().as_bool(),
        }
    }

    fn integer(self) -> Option<u64> {
        match self {
            Self::Text(text) => text.trim().parse().ok(),
            Self::Toml(value) => {
                let integer = value.get_ref().as_integer()?;
                u64::from_str_radix(integer.as_str(), integer.radix()).ok()
            }
        }
    }

    fn items(self) -> Option<Vec<Raw<'a>>> {
        match self {
            Self::Text(text) if text.trim().is_empty() => Some(Vec::new()),
            Self::Text(text) => Some(text.split(',').map(Self::Text).collect()),
            Self::Toml(value) => Some(value.get_ref().as_array()?.iter().map(Raw::Toml).collect()),
        }
    }

    /// What was found, for people.
    fn found(self) -> String {
        match self {
            Self::Text(text) => format!("`{}`", excerpt(text)),
            Self::Toml(value) => match value.get_ref() {
                DeValue::String(text) => format!("the string \"{}\"", excerpt(text)),
                DeValue::Integer(number) => format!("the number {}", excerpt(number.as_str())),
                DeValue::Float(number) => format!("the number {}", excerpt(number.as_str())),
                DeValue::Boolean(value) => format!("`{value}`"),
                DeValue::Datetime(_) => "a date".to_owned(),
                DeValue::Array(_) => "a list".to_owned(),
                DeValue::Table(_) => "a table".to_owned(),
            },
        }
    }

    pub(super) fn unexpected(self, expected: &str) -> Vec<Fault> {
        vec![self.fault(format!("found {}, expected {expected}", self.found()))]
    }

    pub(super) fn fault(self, message: String) -> Fault {
        let span = match self {
            Self::Text(_) => None,
            Self::Toml(value) => Some(value.span()),
        };
        Fault { span, message }
    }
}

/// Reads a list of strings and collects what is wrong with each of them.
fn texts<T: PartialEq>(raw: Raw<'_>, entry: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, Vec<Fault>> {
    list(raw, LIST_LIMIT, |item| match item.text().map(&entry) {
        Some(read) => read.map_err(|message| vec![item.fault(message)]),
        None => Err(item.unexpected("a string")),
    })
}

/// Reads a list and collects what is wrong with each of its entries.
pub(super) fn list<T: PartialEq>(
    raw: Raw<'_>,
    limit: usize,
    entry: impl Fn(Raw<'_>) -> Result<T, Vec<Fault>>,
) -> Result<Vec<T>, Vec<Fault>> {
    let items = raw.items().ok_or_else(|| raw.unexpected("a list"))?;
    if items.len() > limit {
        return Err(vec![raw.fault(format!("found {} entries, expected at most {limit}", items.len()))]);
    }
    let (mut list, mut faults) = (Vec::new(), Vec::new());
    for item in items {
        match entry(item) {
            Ok(value) if list.contains(&value) => faults.push(item.fault(format!("found {} twice", item.found()))),
            Ok(value) => list.push(value),
            Err(wrong) => faults.extend(wrong),
        }
    }
    if faults.is_empty() { Ok(list) } else { Err(faults) }
}

fn topic(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > TOPIC_LIMIT {
        return Err(format!("found a topic of {} bytes, expected 1 to {TOPIC_LIMIT}", text.len()));
    }
    Ok(text.to_owned())
}

/// The keys of a table that mean nothing there.
pub(super) fn unknown_keys(table: &DeTable<'_>, known: &[&str]) -> Vec<Fault> {
    let unknown = |key: &str| {
        let meant = suggestion(key, known.iter().copied());
        format!("unknown key `{}`, expected one of {}{meant}", excerpt(key), quoted(known))
    };
    let others = table.keys().filter(|key| !known.contains(&key.get_ref().as_ref()));
    others.map(|key| Fault::at(key.span(), unknown(key.get_ref()))).collect()
}

/// Names in a sentence: `` `a`, `b` ``.
pub(super) fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
