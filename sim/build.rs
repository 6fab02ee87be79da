//! Tells a release build of which commit it is, so that its reports can say so wherever it runs.
//!
//! `DARKSWAP_COMMIT` in the environment of the build says it for sources without a checkout.

#![allow(clippy::print_stdout, reason = "a build script talks to cargo by its output")]

use std::env;
use std::path::Path;

#[path = "src/orchestrator/commit/checkout.rs"]
mod checkout;

const VARIABLE: &str = "DARKSWAP_COMMIT";

fn main() {
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    println!("cargo::rerun-if-changed=build.rs");
    if env::var(VARIABLE).is_ok_and(|told| !told.is_empty()) || env::var("PROFILE").as_deref() != Ok("release") {
        return;
    }
    let Some(root) = Path::new(env!("CARGO_MANIFEST_DIR")).parent() else { return };
    for source in checkout::SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    // Every change of what is checked out is written down there.
    if let Some(log) = checkout::git(root, &["rev-parse", "--path-format=absolute", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={log}");
    }
    if let Some(commit) = checkout::commit(root) {
        println!("cargo::rustc-env={VARIABLE}={commit}");
    }
}
