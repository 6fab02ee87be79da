//! Builds one tool from its pinned source.

use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::requirement;
use super::step::Steps;
use crate::tool::Tool;
use crate::tool::recipe::{BITCOIN_FLAGS, BITCOIN_SOURCE, Recipe};
use crate::wait;

/// Fetching one crate takes seconds.
const FETCH: Duration = Duration::from_secs(300);

/// Set by the cargo that runs this program, for its own build; a build of another program must not see them.
const FOREIGN: &[&str] = &["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET", "CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"];

/// Builds `tool` below `staging` and returns its executable.
pub(super) fn build(tool: Tool, staging: &Path, jobs: NonZero<usize>, steps: &mut Steps) -> Result<PathBuf> {
    let folder = staging.join(tool.name());
    fs::create_dir_all(&folder)?;
    match tool {
        Tool::Bitcoind => bitcoind(&folder, jobs, steps),
        Tool::Electrs | Tool::Ord => crate_binary(tool, &folder, jobs, steps),
    }
}

fn bitcoind(folder: &Path, jobs: NonZero<usize>, steps: &mut Steps) -> Result<PathBuf> {
    let source = steps.call("bitcoind: fetch the source", || bitcoin_source(folder))?;
    let build = folder.join("build");
    let mut configure = Command::new("cmake");
    configure.arg("-S").arg(source).arg("-B").arg(&build).args(BITCOIN_FLAGS);
    steps.run("bitcoind: configure", &mut configure, &folder.join("configure.log"))?;
    let mut compile = Command::new("cmake");
    compile.arg("--build").arg(&build).args(["--target", "bitcoind", "--parallel", &jobs.to_string()]);
    steps.run("bitcoind: compile", &mut compile, &folder.join("compile.log"))?;
    Ok(build.join("bin").join("bitcoind"))
}

/// `cargo metadata` fetches what a manifest names and says where it lies.
fn bitcoin_source(folder: &Path) -> Result<PathBuf> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        manifest_path: PathBuf,
    }
    let (name, version) = BITCOIN_SOURCE;
    let stub = folder.join("stub");
    fs::create_dir_all(stub.join("src"))?;
    fs::write(stub.join("src").join("lib.rs"), "")?;
    let manifest = format!(
        "[package]\nname = \"stub\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n{name} = \"={version}\"\n"
    );
    fs::write(stub.join("Cargo.toml"), manifest)?;
    // Into a file, since the answer is larger than a pipe holds.
    let answer = stub.join("metadata.json");
    let mut command = cargo(&stub);
    command.args(["metadata", "--format-version", "1"]).stdout(fs::File::create(&answer)?);
    let log = stub.join("metadata.log");
    let mut child = command.stderr(fs::File::create(&log)?).spawn().context("cannot run cargo")?;
    match wait::exit_within(&mut child, FETCH)? {
        Some(status) if status.success() => {}
        Some(status) => bail!("cargo metadata: {status}: {}", fs::read_to_string(&log)?.trim()),
        None => {
            child.kill()?;
            child.wait()?;
            bail!("{name} was not fetched within {} s: is the package registry within reach?", FETCH.as_secs());
        }
    }
    let metadata: Metadata = serde_json::from_slice(&fs::read(&answer)?).context("cargo metadata")?;
    let package = metadata.packages.into_iter().find(|package| package.name == name);
    let manifest = package.with_context(|| format!("cargo metadata does not know {name}"))?.manifest_path;
    let source = manifest.parent().context("a manifest lies in a folder")?.join("bitcoin");
    if !source.join("CMakeLists.txt").is_file() {
        bail!("{} holds no sources of Bitcoin Core: {name} {version} is expected to", source.display());
    }
    Ok(source)
}

fn crate_binary(tool: Tool, folder: &Path, jobs: NonZero<usize>, steps: &mut Steps) -> Result<PathBuf> {
    let Recipe { version, .. } = Recipe::of(tool);
    let mut command = cargo(folder);
    command.args(["install", tool.name(), "--version", &version.to_string(), "--locked", "--jobs", &jobs.to_string()]);
    command.arg("--root").arg(folder).arg("--target-dir").arg(folder.join("target"));
    if tool == Tool::Electrs {
        requirement::link_rocksdb(&mut command, steps);
    }
    steps.run(&format!("{tool}: compile"), &mut command, &folder.join("compile.log"))?;
    Ok(folder.join("bin").join(tool.name()))
}

/// The cargo that runs this program, in `folder`, so that no configuration of this workspace has a say.
fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder);
    for variable in FOREIGN {
        command.env_remove(variable);
    }
    command
}
