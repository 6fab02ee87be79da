//! The node's program: the one that is tested.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

/// Names the program to test.
const VARIABLE: &str = "DARKSWAP_BIN";

/// The package and the program.
const BUILD: &[&str] = &["build", "--package", "darkswap-node", "--bin", "darkswap"];

/// What cargo sets for the process of a test. Build scripts that look at these would run again because of us.
const OF_A_TEST: &[&str] =
    &["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_NAME", "CARGO_BIN_", "CARGO_PRIMARY_PACKAGE"];

/// The node's program, looked for once per process: what `DARKSWAP_BIN` names, or else what cargo builds from the sources as they are.
///
/// # Panics
///
/// With the reason, when there is none: a test that cannot run must not look like one that passed.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match PROGRAM.get_or_init(|| find().map_err(|error| format!("{error:#}"))) {
        Ok(program) => program,
        Err(why) => panic!("{why}"),
    }
}

fn find() -> Result<PathBuf> {
    let Some(named) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) else { return build() };
    let path = PathBuf::from(named);
    ensure!(path.is_file(), "{VARIABLE} names {}, which is no file: correct it or unset it", path.display());
    Ok(path)
}

/// Has cargo build the program where it builds everything else. It does nothing when nothing changed, and waits for others that build.
fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(BUILD).args(["--message-format", "json-render-diagnostics"]);
    command.args(std::env::var_os("CI").map(|_| "--locked"));
    for (name, _) in std::env::vars_os() {
        if OF_A_TEST.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the crate is in a workspace")?;
    let built = command.current_dir(workspace).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let built = built.context("cargo does not start")?;
    ensure!(built.status.success(), "cargo {} failed: see above", BUILD.join(" "));
    let lines = String::from_utf8(built.stdout).context("cargo speaks JSON")?;
    let found = lines.lines().filter_map(|line| serde_json::from_str::<Artifact>(line).ok());
    // Libraries come first, and have none.
    let mut programs = found.filter_map(|artifact| artifact.executable);
    programs.next_back().with_context(|| format!("cargo {} made no program", BUILD.join(" ")))
}

/// What cargo says that it made.
#[derive(Deserialize)]
struct Artifact {
    executable: Option<PathBuf>,
}
