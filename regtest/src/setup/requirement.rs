//! What a build needs from the system: how it is recognised, and the Debian package that brings it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use super::step::Steps;
use crate::tool::Tool;
use crate::tool::recipe::ROCKSDB;

/// Something that a build needs.
#[derive(Debug)]
struct Requirement {
    what: &'static str,
    package: &'static str,
    tools: &'static [Tool],
    probe: Probe,
}

/// How it is recognised.
#[derive(Debug)]
enum Probe {
    /// An executable in `PATH`.
    Executable(&'static str),
    /// A header that the C++ compiler finds.
    Header(&'static str),
    /// The library that bindings are generated with.
    Libclang,
    /// The headers of a RocksDB of the version that electrs is written for.
    Rocksdb,
}

const REQUIREMENTS: &[Requirement] = &[
    Requirement {
        what: "g++",
        package: "g++",
        tools: &[Tool::Bitcoind, Tool::Electrs, Tool::Ord],
        probe: Probe::Executable("g++"),
    },
    Requirement { what: "cmake", package: "cmake", tools: &[Tool::Bitcoind], probe: Probe::Executable("cmake") },
    Requirement { what: "ninja", package: "ninja-build", tools: &[Tool::Bitcoind], probe: Probe::Executable("ninja") },
    Requirement {
        what: "headers of Boost",
        package: "libboost-dev",
        tools: &[Tool::Bitcoind],
        probe: Probe::Header("boost/multi_index_container.hpp"),
    },
    Requirement { what: "clang", package: "clang", tools: &[Tool::Electrs], probe: Probe::Executable("clang") },
    Requirement { what: "libclang", package: "libclang-dev", tools: &[Tool::Electrs], probe: Probe::Libclang },
    Requirement { what: "RocksDB 7.8", package: "librocksdb-dev", tools: &[Tool::Electrs], probe: Probe::Rocksdb },
    Requirement { what: "snappy", package: "libsnappy-dev", tools: &[Tool::Electrs], probe: Probe::Header("snappy.h") },
    Requirement { what: "LZ4", package: "liblz4-dev", tools: &[Tool::Electrs], probe: Probe::Header("lz4.h") },
    Requirement { what: "Zstandard", package: "libzstd-dev", tools: &[Tool::Electrs], probe: Probe::Header("zstd.h") },
];

/// Makes sure that `tools` can be built, by installing packages where that is allowed.
pub(super) fn provide(tools: &[Tool], install: bool, steps: &mut Steps) -> Result<()> {
    let missing = missing(tools);
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|requirement| requirement.package).collect();
    let whats: Vec<&str> = missing.iter().map(|requirement| requirement.what).collect();
    let command = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    let names: Vec<&str> = tools.iter().map(|tool| tool.name()).collect();
    let variables: Vec<&str> = tools.iter().map(|tool| tool.variable()).collect();
    if !install {
        bail!(
            "to build {}, {} must be installed.\nDebian 12, as root:\n    {command}\n(setup does so itself with --install.) \
             Elsewhere install what your system calls these, or name executables with {}.",
            names.join(", "),
            whats.join(", "),
            variables.join(", "),
        );
    }
    if !is_root() || executable("apt-get").is_none() {
        bail!("{} must be installed, and only root on a Debian system can have that done: {command}", whats.join(", "));
    }
    apt(steps, &packages)?;
    let still: Vec<&str> = self::missing(tools).iter().map(|requirement| requirement.what).collect();
    if !still.is_empty() {
        bail!(
            "{} still missing after `{command}`: this system's packages do not bring what the build needs",
            still.join(", ")
        );
    }
    Ok(())
}

fn apt(steps: &mut Steps, packages: &[&str]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut update = Command::new("apt-get");
    update.args(["update", "--quiet"]).env("DEBIAN_FRONTEND", "noninteractive");
    steps.run("packages: update the list", &mut update, &folder.path().join("update.log"))?;
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(packages);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    let step = format!("packages: install {}", packages.join(" "));
    steps.run(&step, &mut install, &folder.path().join("install.log"))
}

/// Whether this process may install packages.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn missing(tools: &[Tool]) -> Vec<&'static Requirement> {
    let needed = |requirement: &&Requirement| requirement.tools.iter().any(|tool| tools.contains(tool));
    REQUIREMENTS.iter().filter(needed).filter(|requirement| !requirement.probe.finds()).collect()
}

impl Probe {
    fn finds(&self) -> bool {
        match self {
            Self::Executable(name) => executable(name).is_some(),
            Self::Header(header) => preprocess(&format!("#include <{header}>")).is_some(),
            Self::Libclang => libclang(),
            Self::Rocksdb => rocksdb_version() == Some(ROCKSDB),
        }
    }
}

fn executable(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// What the preprocessor makes of `source`, if it finds every header.
fn preprocess(source: &str) -> Option<String> {
    let mut command = Command::new("g++");
    command.args(["-E", "-P", "-x", "c++", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    child.stdin.take()?.write_all(source.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Where the generator of bindings looks for it.
fn libclang() -> bool {
    let mut folders: Vec<PathBuf> = std::env::var_os("LIBCLANG_PATH").map(PathBuf::from).into_iter().collect();
    folders.extend(["/usr/lib", "/usr/lib64", "/usr/local/lib"].map(PathBuf::from));
    for parent in ["/usr/lib", "/usr/local"] {
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            folders.push(entry.path());
            folders.push(entry.path().join("lib"));
        }
    }
    // `libclang.so`, `libclang-14.so`, `libclang.dylib`; `libclang-cpp.so.14` is another library.
    let is_library = |name: &str| {
        let rest = name.strip_prefix("libclang").unwrap_or_default();
        let rest = rest.trim_start_matches(|c: char| c == '-' || c.is_ascii_digit());
        rest.starts_with(".so") || rest.starts_with(".dylib")
    };
    let holds = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name()).any(|name| is_library(&name.to_string_lossy()))
    };
    folders.iter().any(|folder| holds(folder))
}

fn rocksdb_version() -> Option<(u32, u32)> {
    let text = preprocess("#include <rocksdb/version.h>\nFOUND ROCKSDB_MAJOR ROCKSDB_MINOR")?;
    let mut words = text.lines().find(|line| line.starts_with("FOUND"))?.split_whitespace().skip(1);
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

/// Lets electrs link the system's RocksDB: compiling the one that comes with its bindings takes far longer than all the rest.
pub(super) fn link_rocksdb(command: &mut Command, steps: &Steps) {
    // The linker looks into the folders of the system anyway; the variable only says that a library is to be linked.
    for (variable, value) in [("ROCKSDB_INCLUDE_DIR", "/usr/include"), ("ROCKSDB_LIB_DIR", "/usr/lib")] {
        if std::env::var_os(variable).is_none() {
            command.env(variable, value);
        } else {
            steps.note(&format!("{variable} is taken from the environment"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_is_nowhere_is_missing() {
        assert!(Probe::Header("stddef.h").finds());
        assert!(!Probe::Header("no/such/header.h").finds());
        assert!(!Probe::Executable("no-such-executable").finds());
    }
}
