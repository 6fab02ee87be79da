//! The checked scenarios of some files and folders, or everything that is wrong with them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use darkswap_records::nearest::nearest;
use darkswap_scenario::plan::is_plan;
use darkswap_scenario::{Problem, Scenario, bound};

/// Nesting of folders that are searched: a suite needs two levels.
const DEPTH: usize = 16;
/// Scenario files of one invocation.
const FILES: usize = 10_000;

/// The scenarios of some files and folders.
#[derive(Debug, Default)]
pub struct Collection {
    /// Those without a problem, in the order of the paths, those of a folder sorted by path.
    pub scenarios: Vec<Checked>,
    /// Everything that is wrong, in the same order.
    pub problems: Vec<BadInput>,
}

/// A scenario without a problem.
#[derive(Debug)]
pub struct Checked {
    /// Its file as the user would name it.
    pub file: PathBuf,
    /// What it says.
    pub scenario: Scenario,
    /// The bytes that were checked.
    pub text: Vec<u8>,
}

/// Something that the user has to put right before anything runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadInput {
    /// In a scenario.
    Scenario(Problem),
    /// With a path.
    Path(PathProblem),
}

/// What is wrong with a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathProblem {
    /// The path as the user named it.
    pub path: String,
    /// What it is, in words.
    pub found: String,
    /// What would have been right.
    pub expected: String,
    /// A way out, when one is known.
    pub help: Option<String>,
}

impl Collection {
    /// Reads and checks the scenarios at `paths`: files, and all `*.yaml` below folders. A file that is named twice counts once.
    pub fn of(paths: &[PathBuf]) -> Self {
        let mut collection = Self::default();
        let mut files = Vec::new();
        for path in paths {
            match find(path) {
                Ok(found) => files.extend(found),
                Err(problem) => collection.problems.push(BadInput::Path(problem)),
            }
        }
        if files.len() > FILES {
            let found = format!("one of {} scenario files", files.len());
            let path = files.swap_remove(FILES);
            collection.problems.push(BadInput::Path(PathProblem::new(&path, found, format!("at most {FILES}"))));
            return collection;
        }
        let mut seen = BTreeSet::new();
        let mut names = BTreeMap::new();
        for file in files {
            if seen.insert(file.canonicalize().unwrap_or_else(|_| file.clone())) {
                collection.add(file, &mut names);
            }
        }
        collection
    }

    fn add(&mut self, file: PathBuf, names: &mut BTreeMap<String, PathBuf>) {
        let (name, text) = match (name(&file), read(&file)) {
            (Ok(name), Ok(text)) => (name, text),
            (Err(problem), _) | (_, Err(problem)) => return self.problems.push(BadInput::Path(problem)),
        };
        match darkswap_scenario::check_bytes(&name, &file.display().to_string(), &text) {
            Ok(scenario) => self.scenarios.push(Checked { file: file.clone(), scenario, text }),
            Err(problems) => self.problems.extend(problems.into_iter().map(BadInput::Scenario)),
        }
        if let Some(other) = names.get(&name) {
            let found = format!("a scenario called `{name}`, as {} is", other.display());
            let problem = PathProblem::new(&file, found, "another name, since results are kept by name");
            self.problems.push(BadInput::Path(problem));
        }
        names.insert(name, file);
    }
}

impl PathProblem {
    fn new(path: &Path, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { path: path.display().to_string(), found: found.into(), expected: expected.into(), help: None }
    }
}

impl fmt::Display for BadInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scenario(problem) => problem.fmt(f),
            Self::Path(problem) => problem.fmt(f),
        }
    }
}

impl fmt::Display for PathProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: found {}, expected {}", self.path, self.found, self.expected)?;
        match &self.help {
            Some(help) => write!(f, "\n  = help: {help}"),
            None => Ok(()),
        }
    }
}

/// The scenario files that a path stands for.
fn find(path: &Path) -> Result<Vec<PathBuf>, PathProblem> {
    const EXPECTED: &str = "a scenario file or a folder with some";
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            let mut files = Vec::new();
            search(path, DEPTH, &mut files).map_err(|error| PathProblem::new(path, unreadable(&error), EXPECTED))?;
            files.sort();
            match files.is_empty() {
                true => Err(PathProblem::new(path, "no `*.yaml` in this folder", EXPECTED)),
                false => Ok(files),
            }
        }
        Ok(_) if is_plan(path) => {
            let help = Some(format!("darkswap-sim sweep {}", path.display()));
            Err(PathProblem { help, ..PathProblem::new(path, "a plan", EXPECTED) })
        }
        Ok(_) => Ok(vec![path.to_path_buf()]),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(PathProblem { help: similar(path), ..PathProblem::new(path, "nothing there", EXPECTED) })
        }
        Err(error) => Err(PathProblem::new(path, unreadable(&error), EXPECTED)),
    }
}

/// Adds all `*.yaml` below a folder; plans, links to folders and what is hidden are left out.
fn search(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if entry.file_type()?.is_dir() {
            if depth > 0 {
                search(&path, depth - 1, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "yaml") && !is_plan(&path) && path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

fn unreadable(error: &io::Error) -> String {
    format!("what cannot be read ({error})")
}

/// A neighbour whose name is close to that of a path that does not exist.
fn similar(path: &Path) -> Option<String> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let entries = fs::read_dir(parent.unwrap_or(Path::new("."))).ok()?;
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).take(FILES).collect();
    names.sort();
    let meant = nearest(path.file_name()?.to_str()?, names.iter().map(String::as_str))?;
    Some(format!("did you mean `{}`?", parent.map_or(meant.into(), |parent| parent.join(meant)).display()))
}

/// The scenario's name, which also becomes the name of a folder.
fn name(file: &Path) -> Result<String, PathProblem> {
    let whole = std::path::absolute(file)
        .map_err(|error| PathProblem::new(file, unreadable(&error), "a path below a working directory that exists"))?;
    let name = darkswap_scenario::name(&without_dots(&whole));
    match name.is_empty() || name.chars().any(char::is_control) {
        true => {
            Err(PathProblem::new(file, "a path that makes no name", "a file name of letters, such as `relay.yaml`"))
        }
        false => Ok(name),
    }
}

/// The path without `..`, by its text alone.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(part),
        }
    }
    plain
}

fn read(file: &Path) -> Result<Vec<u8>, PathProblem> {
    let mut text = Vec::new();
    // One byte more than allowed, for the check to see that it is too long.
    let limit = bound::FILE as u64 + 1;
    match File::open(file).and_then(|opened| opened.take(limit).read_to_end(&mut text)) {
        Ok(_) => Ok(text),
        Err(error) => Err(PathProblem::new(file, unreadable(&error), "a scenario file")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "title: t\nduration: 1s\nhosts: {relay: {role: relay}}\nexpect: [count(crash) == 0]\n";

    fn suite(files: &[(&str, &str)]) -> io::Result<tempfile::TempDir> {
        let dir = tempfile::tempdir()?;
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap_or(dir.path()))?;
            fs::write(path, text)?;
        }
        Ok(dir)
    }

    fn names(collection: &Collection) -> Vec<&str> {
        collection.scenarios.iter().map(|checked| checked.scenario.name.as_str()).collect()
    }

    #[test]
    fn a_folder_stands_for_its_scenarios_in_order() -> io::Result<()> {
        let dir = suite(&[
            ("scenarios/relay/a.yaml", GOOD),
            ("scenarios/b.yaml", GOOD),
            ("scenarios/.hidden/c.yaml", GOOD),
            ("scenarios/notes.txt", "no scenario"),
            ("scenarios/relay/d.plan.yaml", "no scenario"),
        ])?;
        let folder = dir.path().join("scenarios");
        let collection = Collection::of(&[folder.clone(), folder.join("relay/../b.yaml")]);
        assert_eq!(collection.problems, []);
        assert_eq!(names(&collection), ["b", "relay/a"]);
        Ok(())
    }

    #[test]
    fn every_problem_of_every_file_is_reported() -> io::Result<()> {
        let dir = suite(&[
            ("scenarios/a.yaml", "title: t\n"),
            ("scenarios/b.yaml", "duration: 5\n"),
            ("scenarios/c.yaml", GOOD),
        ])?;
        let collection = Collection::of(&[dir.path().join("scenarios")]);
        assert_eq!(names(&collection), ["c"]);
        for file in ["a.yaml:1:1: ", "b.yaml:1:11: "] {
            assert!(collection.problems.iter().any(|problem| problem.to_string().contains(file)), "{file}");
        }
        Ok(())
    }

    #[test]
    fn two_scenarios_of_one_name_are_refused() -> io::Result<()> {
        let dir = suite(&[("one/a.yaml", GOOD), ("other/a.yaml", GOOD)])?;
        let collection = Collection::of(&[dir.path().to_path_buf()]);
        let problems: Vec<String> = collection.problems.iter().map(ToString::to_string).collect();
        assert!(matches!(problems.as_slice(), [only] if only.contains("called `a`, as ")), "{problems:?}");
        Ok(())
    }

    #[test]
    fn a_path_with_nothing_there_suggests_its_neighbour() -> io::Result<()> {
        let dir = suite(&[("quickstart.yaml", GOOD), ("empty/notes.txt", "")])?;
        let problem = |name: &str| Collection::of(&[dir.path().join(name)]).problems[0].to_string();
        let missing = problem("quikstart.yaml");
        assert!(missing.contains("found nothing there"), "{missing}");
        assert!(missing.contains("did you mean `") && missing.ends_with("/quickstart.yaml`?"), "{missing}");
        assert!(problem("empty").contains("found no `*.yaml` in this folder"));
        Ok(())
    }
}
