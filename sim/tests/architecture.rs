//! The architecture as rules that a machine can check: crate directions, the seam, readable files, working links.
//!
//! `docs/architecture.md` says why. Each rule is a small table and a test named after it; a failure says where, what was found, what
//! was expected and what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};

/// What each crate may use of the workspace, for whatever purpose. A row may be there before its crate.
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("darkswap-core", &[]),
    ("darkswap-connectivity", &["darkswap-core"]),
    ("darkswap-messages", &["darkswap-core"]),
    ("futures-timer", &[]),
    ("darkswap-webrtc", &[]),
    ("darkswap-trade", &[]),
    ("darkswap-wallet", &["darkswap-trade"]),
    ("darkswap-trader", &["darkswap-trade", "darkswap-wallet"]),
    (
        "darkswap-node",
        &[
            "darkswap-connectivity",
            "darkswap-core",
            "darkswap-messages",
            "darkswap-trade",
            "darkswap-trader",
            "darkswap-wallet",
            "darkswap-webrtc",
        ],
    ),
    ("darkswap-interop", &["darkswap-connectivity", "darkswap-core", "darkswap-messages", "darkswap-node"]),
    ("darkswap-chain", &[]),
    ("darkswap-fabric", &[]),
    ("darkswap-records", &[]),
    ("darkswap-scenario", &["darkswap-connectivity", "darkswap-records"]),
    ("darkswap-statistics", &[]),
    ("darkswap-reports", &["darkswap-records", "darkswap-statistics"]),
    (
        "darkswap-sim",
        &[
            "darkswap-chain",
            "darkswap-connectivity",
            "darkswap-core",
            "darkswap-fabric",
            "darkswap-messages",
            "darkswap-node",
            "darkswap-records",
            "darkswap-reports",
            "darkswap-scenario",
            "darkswap-trade",
            "darkswap-trader",
            "darkswap-wallet",
            "darkswap-webrtc",
        ],
    ),
    (
        "darkswap-regtest",
        &[
            "darkswap-chain",
            "darkswap-core",
            "darkswap-node",
            "darkswap-records",
            "darkswap-trade",
            "darkswap-trader",
            "darkswap-wallet",
        ],
    ),
];

/// Crates that bring tasks, timers or sockets.
const WORLDS: &[&str] =
    &["libp2p", "libp2p-core", "mio", "quinn", "quinn-proto", "socket2", "tokio", "turmoil", "turmoil-net"];
/// The same for a crate over `rtc`, whose ICE brings mDNS with socket2. It is switched off, and nothing opens a socket.
const WORLDS_BUT_MDNS: &[&str] =
    &["libp2p", "libp2p-core", "mio", "quinn", "quinn-proto", "tokio", "turmoil", "turmoil-net"];
/// Crates with sockets that are not the seam's.
const PAST_THE_SEAM: &[&str] = &["libp2p-quic", "libp2p-tcp", "turmoil", "turmoil-net"];

/// What a crate must not reach, directly or through others.
const OUT_OF_REACH: &[(&str, &[&str])] = &[
    ("darkswap-core", WORLDS),
    ("darkswap-connectivity", WORLDS),
    ("darkswap-messages", WORLDS),
    ("darkswap-webrtc", WORLDS_BUT_MDNS),
    ("darkswap-trade", WORLDS),
    ("darkswap-wallet", WORLDS),
    ("darkswap-trader", WORLDS),
    ("darkswap-chain", WORLDS),
    ("darkswap-fabric", WORLDS),
    ("darkswap-scenario", WORLDS),
    ("darkswap-records", WORLDS),
    ("darkswap-statistics", WORLDS),
    ("darkswap-reports", WORLDS),
    ("darkswap-node", PAST_THE_SEAM),
    ("darkswap-regtest", PAST_THE_SEAM),
];

/// Crates without Cargo features: features unify, so one that selects sockets would leak from the simulator into the shipped binary.
const WITHOUT_FEATURES: &[&str] =
    &["darkswap-core", "darkswap-connectivity", "darkswap-messages", "darkswap-node", "darkswap-sim"];

/// What a crate without I/O has no use for.
const PURE: &[&str] = &["std::fs", "std::env", "std::thread", "std::time::Instant", "std::time::SystemTime"];

/// What reaches around the seam: a folder, words that its code must not have, and where they may stand nevertheless.
const SEAM: &[(&str, &[&str], &[&str])] = &[
    (
        "node/src",
        &["tokio::net", "std::net::TcpStream", "SystemTime::now", "getrandom::", "if_addrs::", "socket2::"],
        // The control endpoint serves the operator of a real process; no simulated host has one.
        &["node/src/runtime_tokio.rs", "node/src/control/endpoint"],
    ),
    ("node/core/src", PURE, &[]),
    ("node/connectivity/src", PURE, &[]),
    ("node/messages/src", PURE, &[]),
    ("node/trade/src", PURE, &[]),
    ("node/wallet/src", PURE, &[]),
    ("node/trader/src", PURE, &[]),
    ("sim/chain/src", PURE, &[]),
    ("sim/fabric/src", PURE, &[]),
    ("reports/statistics/src", PURE, &[]),
];

/// The files that replace functions of libc: a simulated host's clock and entropy, and the entropy of a fuzzed input.
const INTERPOSITION: &[&str] = &["sim/src/interpose.rs", "node/fuzz/src/entropy.rs"];

/// Lines of a source file at most. At half of that, look for the seam between two nouns.
const LINES: usize = 800;

/// Folders that hold no source.
const SKIPPED: &[&str] = &[".git", "artifacts", "dist", "node_modules", "runs", "target"];

#[test]
fn crates_depend_in_the_stated_directions() {
    let metadata = metadata();
    let members: BTreeSet<&str> = metadata.workspace_packages().iter().map(|package| package.name.as_str()).collect();
    let mut findings = Findings::default();
    for package in metadata.workspace_packages() {
        let place = manifest(package);
        let Some((_, allowed)) = DIRECTIONS.iter().find(|(name, _)| *name == package.name.as_str()) else {
            findings.add(
                &place,
                "a crate without a row in DIRECTIONS",
                "one",
                "say in sim/tests/architecture.rs what it may use",
            );
            continue;
        };
        let used = package.dependencies.iter().map(|dependency| dependency.name.as_str());
        for used in used.filter(|used| members.contains(used) && !allowed.contains(used)) {
            let expected = format!("only {allowed:?} of the workspace");
            findings.add(
                &place,
                format!("a dependency on {used}"),
                expected,
                "turn the dependency round, or move the code",
            );
        }
    }
    findings.require_none();
}

#[test]
fn pure_crates_reach_no_world_and_the_node_only_the_seam() {
    let metadata = metadata();
    let mut findings = Findings::default();
    for (name, forbidden) in OUT_OF_REACH {
        let Some(package) = metadata.workspace_packages().into_iter().find(|package| package.name.as_str() == *name)
        else {
            continue;
        };
        let direct = package.dependencies.iter().map(|dependency| (dependency.name.clone(), "directly".to_owned()));
        for (found, through) in direct.chain(reached(&metadata, &package.id)) {
            if forbidden.contains(&found.as_str()) {
                let found = format!("{found}, {through}");
                findings.add(
                    &manifest(package),
                    found,
                    format!("none of {forbidden:?}"),
                    "decide here, perform in the crates above",
                );
            }
        }
    }
    findings.require_none();
}

#[test]
fn no_feature_selects_a_world() {
    let mut findings = Findings::default();
    for package in metadata().workspace_packages() {
        if WITHOUT_FEATURES.contains(&package.name.as_str()) && !package.features.is_empty() {
            let found = format!("the features {:?}", package.features.keys().collect::<Vec<_>>());
            findings.add(
                &manifest(package),
                found,
                "none",
                "pass a value at run time: a feature holds for the whole build",
            );
        }
    }
    findings.require_none();
}

#[test]
fn timers_of_all_crates_follow_tokios_clock() {
    let metadata = metadata();
    let timers: Vec<&Package> =
        metadata.packages.iter().filter(|package| package.name.as_str() == "futures-timer").collect();
    let mut findings = Findings::default();
    if timers.is_empty() {
        findings.add("Cargo.lock", "no futures-timer", "the one in node/futures-timer", "is the patch still needed?");
    }
    for timer in timers.into_iter().filter(|timer| timer.source.is_some()) {
        let found = format!("futures-timer {} of a registry", timer.version);
        let expected = "only the one in node/futures-timer, which the simulated clock moves";
        findings.add(
            "Cargo.lock",
            found,
            expected,
            "raise its version or add the features asked for, so that the patch applies",
        );
    }
    findings.require_none();
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace_and_one_clippy_configuration_holds() {
    let mut findings = Findings::default();
    for package in metadata().workspace_packages() {
        let text = fs::read_to_string(&package.manifest_path).unwrap();
        if !text.contains("[lints]\nworkspace = true") {
            findings.add(&manifest(package), "lints of its own, or none", "`[lints] workspace = true`", "add it");
        }
    }
    for path in files() {
        let name = path.file_name().unwrap_or_default();
        if (name == "clippy.toml" || name == ".clippy.toml") && path != Path::new("clippy.toml") {
            let expected = "only the file at the root, because the nearest one replaces it";
            findings.add(&show(&path), "a second clippy configuration", expected, "move its rules there");
        }
    }
    findings.require_none();
}

#[test]
fn only_the_interposition_leaves_safe_rust() {
    let (word, attribute) = (concat!("un", "safe"), concat!("#![expect(un", "safe_code, reason = "));
    let mut findings = Findings::default();
    for (path, text) in sources("rs") {
        let Some((line, _)) = code_lines(&text).find(|(_, line)| has_word(line, word)) else { continue };
        if !INTERPOSITION.contains(&show(&path).as_str()) {
            findings.add(
                &at(&path, line),
                format!("`{word}`"),
                format!("it in {} only", INTERPOSITION.join(" and ")),
                "use a safe crate for it",
            );
        } else if !text.contains(attribute) {
            findings.add(
                &show(&path),
                format!("`{word}` without a reason"),
                format!("`{attribute}\"..\")]`"),
                "add it",
            );
        }
    }
    findings.require_none();
}

#[test]
fn the_operating_system_is_reached_through_the_seam_only() {
    let mut findings = Findings::default();
    for (path, text) in sources("rs") {
        for (folder, words, exceptions) in SEAM {
            if !path.starts_with(folder) || exceptions.iter().any(|exception| path.starts_with(exception)) {
                continue;
            }
            for (line, code) in production_lines(&path, &text) {
                for word in words.iter().filter(|word| has_word(code, word)) {
                    let expected = format!("it in {exceptions:?} only");
                    let advice = "add what is needed to the Runtime trait, or take it as an argument";
                    findings.add(&at(&path, line), format!("`{word}`"), expected, advice);
                }
            }
        }
    }
    findings.require_none();
}

#[test]
fn files_are_short_enough_to_read() {
    let mut findings = Findings::default();
    for (path, text) in ["rs", "ts", "tsx", "mjs"].into_iter().flat_map(sources) {
        let lines = text.lines().count();
        if lines > LINES {
            let expected = format!("at most {LINES}");
            findings.add(&show(&path), format!("{lines} lines"), expected, "split it where a second noun begins");
        }
    }
    findings.require_none();
}

#[test]
fn nothing_unfinished_is_kept() {
    let words = [concat!("to", "do!"), concat!("db", "g!"), concat!("unimple", "mented!")];
    let mut findings = Findings::default();
    for (path, text) in sources("rs") {
        for (line, code) in production_lines(&path, &text) {
            for word in words.into_iter().filter(|word| has_word(code, word)) {
                findings.add(&at(&path, line), format!("`{word}`"), "finished code", "finish it, or leave it out");
            }
        }
    }
    findings.require_none();
}

#[test]
fn every_library_opens_with_its_purpose() {
    let mut findings = Findings::default();
    for package in metadata().workspace_packages() {
        let libraries = package.targets.iter().filter(|target| target.is_lib());
        for library in libraries.filter(|library| !fs::read_to_string(&library.src_path).unwrap().starts_with("//!")) {
            let place = library.src_path.strip_prefix(root()).unwrap_or(&library.src_path);
            findings.add(
                place.as_str(),
                "no documentation in the first line",
                "`//!`",
                "say purpose, module map and invariants",
            );
        }
    }
    findings.require_none();
}

#[test]
fn scenarios_are_yaml_files_by_capability() {
    let mut findings = Findings::default();
    for path in files().into_iter().filter(|path| path.starts_with("scenarios")) {
        let is_plain = |part: &str| {
            part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.' | '/'))
        };
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if !matches!(extension, "yaml" | "hash") {
            let expected = "`.yaml`, or `.hash` for a trace hash beside it";
            findings.add(&show(&path), format!("the extension `{extension}`"), expected, "rename it");
        }
        if !is_plain(&show(&path)) || path.components().count() > 3 {
            let expected = "scenarios/<capability>/<name>.yaml in lower case";
            findings.add(
                &show(&path),
                "another name",
                expected,
                "rename it: the path is the scenario's name in every report",
            );
        }
    }
    findings.require_none();
}

#[test]
fn no_file_names_a_place_on_one_computer() {
    let needles = [
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("/Us", "ers/"),
        concat!("C:\\Us", "ers\\"),
    ];
    let mut findings = Findings::default();
    for path in files() {
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        for (line, text) in text.lines().enumerate() {
            for needle in needles.into_iter().filter(|needle| begins_a_path(text, needle)) {
                let expected = "a path relative to the repository, or `~`";
                findings.add(
                    &at(&path, line + 1),
                    format!("`{needle}`"),
                    expected,
                    "take the place from arguments or the environment",
                );
            }
        }
    }
    findings.require_none();
}

#[test]
fn relative_links_in_documents_resolve() {
    let mut findings = Findings::default();
    for (path, text) in sources("md") {
        let folder = root().join(&path).parent().map(Path::to_path_buf).unwrap_or_default();
        for (line, target) in links(&text) {
            let file = target.split('#').next().unwrap_or_default();
            let is_elsewhere = target.contains("://") || target.starts_with("mailto:");
            // The first page of the repository is written last.
            let is_first_page = Path::new(file).file_name().is_some_and(|name| name == "README.md");
            if !file.is_empty() && !is_elsewhere && !is_first_page && !folder.join(file).exists() {
                findings.add(
                    &at(&path, line),
                    format!("a link to `{file}`"),
                    "a file or folder",
                    "correct the path, or add the file",
                );
            }
        }
    }
    findings.require_none();
}

/// What contradicts a rule.
#[derive(Default)]
struct Findings(String);

impl Findings {
    fn add(&mut self, place: &str, found: impl AsRef<str>, expected: impl AsRef<str>, advice: &str) {
        let (found, expected) = (found.as_ref(), expected.as_ref());
        writeln!(self.0, "{place}: found {found}\n    expected {expected}\n    to do: {advice}")
            .expect("a string takes all text");
    }

    #[track_caller]
    fn require_none(self) {
        assert!(self.0.is_empty(), "the architecture does not hold (docs/architecture.md)\n\n{}", self.0);
    }
}

fn root() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}

/// The workspace with everything that it depends on here; other platforms' crates may not have been fetched.
fn metadata() -> Metadata {
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml"));
    command.other_options(["--locked", "--filter-platform", "host-tuple"].map(str::to_owned));
    command.exec().expect("cargo metadata describes the workspace")
}

/// Every crate that a build of `start` needs, with the crate that asks for it.
fn reached(metadata: &Metadata, start: &PackageId) -> BTreeMap<String, String> {
    let nodes: BTreeMap<&PackageId, &cargo_metadata::Node> =
        metadata.resolve.iter().flat_map(|resolve| &resolve.nodes).map(|node| (&node.id, node)).collect();
    let mut reached = BTreeMap::new();
    let mut visited = BTreeSet::from([start]);
    let mut waiting = vec![start];
    while let Some(user) = waiting.pop() {
        for used in &nodes[user].deps {
            let is_needed = used.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development);
            if is_needed && visited.insert(&used.pkg) {
                reached.insert(metadata[&used.pkg].name.to_string(), format!("through {}", metadata[user].name));
                waiting.push(&used.pkg);
            }
        }
    }
    reached
}

/// A crate's manifest, from the root.
fn manifest(package: &Package) -> String {
    package.manifest_path.strip_prefix(root()).unwrap_or(&package.manifest_path).to_string()
}

/// Every file of the repository, from the root, in order.
fn files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if SKIPPED.iter().any(|skipped| entry.file_name() == *skipped) {
                continue;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            } else {
                files.extend(entry.path().strip_prefix(root()).map(Path::to_path_buf));
            }
        }
    }
    assert!(!files.is_empty(), "no file below {}", root().display());
    files.sort();
    files
}

/// The files of this extension with their text.
fn sources(extension: &str) -> Vec<(PathBuf, String)> {
    let files = files().into_iter().filter(|path| path.extension().is_some_and(|found| found == extension));
    files.filter_map(|path| fs::read_to_string(root().join(&path)).ok().map(|text| (path, text))).collect()
}

/// Numbered lines without their comments.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines().map(|line| line.split("//").next().unwrap_or_default()))
}

/// Numbered lines of what is shipped: nothing of a test, and nothing from a file's inner test module on.
fn production_lines<'t>(path: &Path, text: &'t str) -> impl Iterator<Item = (usize, &'t str)> {
    let is_test = ["tests", "benches", "examples"].iter().any(|folder| path.iter().any(|part| part == *folder))
        || path.file_name().is_some_and(|name| name == "tests.rs");
    let end = if is_test { 0 } else { text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len()) };
    code_lines(&text[..end])
}

/// Whether the word stands in the line, not as a part of a longer name.
fn has_word(line: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(start, _)| {
        let after = line[start + word.len()..].chars().next();
        !line[..start].ends_with(is_name) && (!word.ends_with(is_name) || !after.is_some_and(is_name))
    })
}

/// Whether a path starts here, and not one that only continues with the same folder.
fn begins_a_path(line: &str, needle: &str) -> bool {
    let continues = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '~' | '}' | '>' | '*');
    line.match_indices(needle).any(|(start, _)| !line[..start].ends_with(continues))
}

/// Targets of Markdown links with their lines, outside of code.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    let mut in_code = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            let prose = line.split('`').step_by(2);
            let targets = prose.flat_map(|prose| prose.split("](").skip(1)).filter_map(|rest| rest.split(')').next());
            links.extend(targets.filter_map(|target| target.split_whitespace().next()).map(|target| (number, target)));
        }
    }
    links
}

/// A path from the root with `/` on every system.
fn show(path: &Path) -> String {
    path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

fn at(path: &Path, line: usize) -> String {
    format!("{}:{line}", show(path))
}
