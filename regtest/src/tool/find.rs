//! Where a tool is: environment variable, `PATH`, cache, in this order.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use etcetera::BaseStrategy as _;
use serde::Serialize;

use super::recipe::Recipe;
use super::{Tool, Version};
use crate::wait;

/// A program that does not say its version by then is another program.
const ANSWER: Duration = Duration::from_secs(20);

/// What provides the tools.
pub const SETUP: &str = "cargo run -p darkswap-regtest -- setup";

/// Which way a tool was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Named by the tool's environment variable.
    Variable,
    /// In a folder of `PATH`.
    Path,
    /// Built before.
    Cache,
}

/// A tool that is there and answers.
#[derive(Clone, Debug)]
pub struct Found {
    /// Which tool.
    pub tool: Tool,
    /// Its executable.
    pub path: PathBuf,
    /// What it says about itself.
    pub version: Version,
    /// Which way it was found.
    pub source: Source,
}

/// The result of looking for one tool.
#[derive(Clone, Debug)]
pub struct Search {
    /// Which tool.
    pub tool: Tool,
    /// The first that fits.
    pub found: Option<Found>,
    /// What was passed over, and why.
    pub notes: Vec<String>,
}

/// The executables of one test environment.
#[derive(Clone, Debug)]
pub struct Tools {
    /// Bitcoin Core.
    pub bitcoind: PathBuf,
    /// The Electrum server.
    pub electrs: PathBuf,
    /// The oracle for runes.
    pub ord: PathBuf,
}

/// The tools, looked for once per process.
///
/// # Panics
///
/// With the command that provides them, when one is missing: a test that cannot run must not look like one that passed.
pub fn tools() -> &'static Tools {
    static TOOLS: OnceLock<Result<Tools, String>> = OnceLock::new();
    match TOOLS.get_or_init(|| all().map_err(|error| format!("{error:#}"))) {
        Ok(tools) => tools,
        Err(why) => panic!("{why}\nRun: {SETUP}"),
    }
}

fn all() -> Result<Tools> {
    let path = |tool: Tool| {
        let Search { found, notes, .. } = search(tool)?;
        match found {
            Some(found) => Ok(found.path),
            None if notes.is_empty() => bail!("{tool} is missing: this test runs against a real one."),
            None => bail!("{tool} is missing: this test runs against a real one ({}).", notes.join("; ")),
        }
    };
    Ok(Tools { bitcoind: path(Tool::Bitcoind)?, electrs: path(Tool::Electrs)?, ord: path(Tool::Ord)? })
}

/// Looks for `tool`.
///
/// # Errors
///
/// When its variable names something that does not fit: whoever sets it wants that one and no other.
pub fn search(tool: Tool) -> Result<Search> {
    let variable = tool.variable();
    let mut notes = Vec::new();
    if let Some(path) = std::env::var_os(variable).filter(|path| !path.is_empty()) {
        let found = examine(tool, Path::new(&path), Source::Variable)
            .with_context(|| format!("{variable} does not name a usable {tool}: correct it or unset it"))?;
        return Ok(Search { tool, found: Some(found), notes });
    }
    let mut candidates: Vec<(PathBuf, Source)> = std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).map(|folder| (folder.join(tool.name()), Source::Path)).collect())
        .unwrap_or_default();
    candidates.push((cached(tool)?, Source::Cache));
    for (path, source) in candidates.into_iter().filter(|(path, _)| path.is_file()) {
        match examine(tool, &path, source) {
            Ok(found) => return Ok(Search { tool, found: Some(found), notes }),
            Err(error) => notes.push(format!("{error:#}")),
        }
    }
    Ok(Search { tool, found: None, notes })
}

/// Whether `path` is a `tool` that runs here and whose version fits.
///
/// # Errors
///
/// It does not start, does not answer, or answers with a version that does not fit.
pub fn examine(tool: Tool, path: &Path, source: Source) -> Result<Found> {
    let shown = path.display();
    let mut command = Command::new(path);
    command.arg(tool.version_flag());
    // Even for its version bitcoind writes settings into its data folder, and two that do so at once fail.
    if tool == Tool::Bitcoind {
        command.arg("-nosettings");
    }
    let answer = wait::output_within(&mut command, ANSWER).with_context(|| format!("{shown} does not start"))?;
    let Some((status, text)) = answer else {
        bail!("{shown} {} gave no answer within {} s", tool.version_flag(), ANSWER.as_secs());
    };
    if !status.success() {
        bail!("{shown} {} failed: {status}: {}", tool.version_flag(), text.trim());
    }
    let (first, end) = tool.fitting();
    let Some(version) = Version::within(&text) else {
        bail!("{shown} does not say its version; expected {first} or later, below {end}");
    };
    if !tool.fits(version) {
        bail!("{shown} is version {version}; expected {first} or later, below {end}");
    }
    Ok(Found { tool, path: path.to_owned(), version, source })
}

/// Where built tools are kept, for all clones of a user.
///
/// # Errors
///
/// When the user has no home folder.
pub fn cache() -> Result<PathBuf> {
    let strategy = etcetera::choose_base_strategy().context("no home folder is known: set HOME")?;
    Ok(strategy.cache_dir().join("darkswap").join("chain-tools"))
}

/// Where `tool` is once it was built.
pub(crate) fn cached(tool: Tool) -> Result<PathBuf> {
    Ok(cache()?.join(Recipe::of(tool).name()).join(tool.name()))
}
