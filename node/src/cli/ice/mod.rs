//! `darkswap ice test`: which STUN and TURN servers work from here, and what kind of NAT they see.

mod probe;
mod report;

use anyhow::Context as _;
use darkswap_node::TokioRuntime;
use darkswap_node::config_file::Override;

use super::arguments::{IceTest, Place};
use super::failure::Failure;
use super::{output, settings};
use report::Report;

/// Tests the given servers, or the configured ones. Fails when none works.
pub(crate) fn test(place: &Place, options: &IceTest) -> Result<(), Failure> {
    let settings = settings::resolve_with(place, overrides(&options.server))?.settings;
    let servers = settings::ice_servers(&settings)?;
    if servers.is_empty() {
        return Err(Failure::bad_input(
            "there is no server to test: webrtc.ice_servers is empty; give one with --server",
        ));
    }
    let findings = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(probe::probe(&TokioRuntime, &servers))
        .context("cannot list this host's addresses")?;
    let report = Report::new(findings);
    if options.shown.json {
        output::print_json(&report.to_json())?
    } else {
        output::print(&report.to_text())?
    }
    if report.has_working_server() { Ok(()) } else { Err(Failure::failed("no server works from here")) }
}

/// Servers on the command line take the place of the configured ones, and the policy does not matter to a test.
fn overrides(servers: &[String]) -> Vec<Override> {
    if servers.is_empty() {
        return Vec::new();
    }
    let entry = |server: &String| {
        if server.trim_start().starts_with('{') {
            server.clone()
        } else {
            toml::Value::from(server.as_str()).to_string()
        }
    };
    let list = format!("[{}]", servers.iter().map(entry).collect::<Vec<_>>().join(", "));
    let set = |key: &str, value: String| Override { flag: "--server".to_owned(), name: format!("webrtc.{key}"), value };
    vec![set("ice_servers", list), set("policy", "all".to_owned())]
}
