//! Finds the tools or builds what is missing: once per user, whoever asks first.

mod build;
mod progress;
mod requirement;
mod smoke;
mod step;

use std::fs::{self, File, TryLockError};
use std::num::NonZero;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

pub use self::progress::Progress;
pub use self::requirement::is_root;
pub use self::step::StepTime;
use crate::tool::Tool;
use crate::tool::find::{self, Found, Search, Source};
use crate::tool::recipe::Recipe;

/// Begins the name of a folder in which a build is under way. What a stopped setup left is removed by the next one.
const STAGING: &str = ".building-";

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which tools.
    pub tools: Vec<Tool>,
    /// Whether missing Debian packages may be installed.
    pub install: bool,
    /// Compilers at a time.
    pub jobs: NonZero<usize>,
}

/// What came out.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Every tool that was asked for.
    pub tools: Vec<Found>,
    /// What was done for it.
    pub steps: Vec<StepTime>,
}

/// Provides the tools of `request`.
///
/// # Errors
///
/// When something that a build needs is missing, a build fails (its log stays and is named), or what was built does not work.
pub fn run(request: &Request, progress: &mut Progress) -> Result<Outcome> {
    let mut searches = search_all(&request.tools)?;
    if searches.iter().all(|search| search.found.is_some()) {
        return Ok(Outcome {
            tools: searches.into_iter().filter_map(|search| search.found).collect(),
            steps: Vec::new(),
        });
    }
    let cache = find::cache()?;
    fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
    let _lock = lock(&cache, progress)?;
    // Whoever held the lock may have built what this one misses.
    searches = search_all(&request.tools)?;
    for note in searches.iter().flat_map(|search| &search.notes) {
        progress.note(&format!("passed over: {note}"));
    }
    let missing: Vec<Tool> =
        searches.iter().filter(|search| search.found.is_none()).map(|search| search.tool).collect();
    let mut steps = step::Steps::new(progress);
    if !missing.is_empty() {
        requirement::provide(&missing, request.install, &mut steps)?;
        provide(&missing, &cache, request.jobs, &mut steps)?;
    }
    let steps = steps.finish();
    let mut tools = Vec::new();
    for tool in &request.tools {
        tools.push(find::search(*tool)?.found.with_context(|| format!("{tool} was built and is not found: a bug"))?);
    }
    Ok(Outcome { tools, steps })
}

fn search_all(tools: &[Tool]) -> Result<Vec<Search>> {
    tools.iter().map(|tool| find::search(*tool)).collect()
}

/// Builds in a folder beside the others, tries what came out, and only then puts it where it is looked for. Each tool for itself, so
/// that what was built stays when the next one fails.
fn provide(missing: &[Tool], cache: &Path, jobs: NonZero<usize>, steps: &mut step::Steps) -> Result<()> {
    remove_leftovers(cache)?;
    let staging = tempfile::Builder::new().prefix(STAGING).tempdir_in(cache)?;
    for tool in missing {
        let path = build::build(*tool, staging.path(), jobs, steps)?;
        let built = find::examine(*tool, &path, Source::Cache).context("what was built does not run")?;
        smoke::test(&built, steps)?;
        keep(&built, cache)?;
    }
    Ok(())
}

/// Puts a tool into the cache: first completely beside its place, then by a rename.
fn keep(found: &Found, cache: &Path) -> Result<PathBuf> {
    let recipe = Recipe::of(found.tool);
    let folder = cache.join(recipe.name());
    let beside = tempfile::Builder::new().prefix(STAGING).tempdir_in(cache)?;
    let name = found.tool.name();
    fs::copy(&found.path, beside.path().join(name)).with_context(|| format!("cannot keep {name}"))?;
    fs::write(beside.path().join("recipe.txt"), format!("{} {}\n{}\n", recipe.tool, recipe.version, recipe.text))?;
    // Only a tool that does not run any more is built again.
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::rename(beside.path(), &folder).with_context(|| format!("cannot create {}", folder.display()))?;
    make_readable(&folder)?;
    Ok(folder.join(name))
}

/// A temporary folder is its owner's alone; this one is a cache like any other.
fn make_readable(folder: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// Called under the lock, so that nobody is building in them.
fn remove_leftovers(cache: &Path) -> Result<()> {
    for entry in fs::read_dir(cache)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(STAGING) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// One setup at a time; the others wait and then find what it built. The lock goes with its process.
fn lock(cache: &Path, progress: &mut Progress) -> Result<File> {
    let path = cache.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            progress.note(&format!("waiting for another setup (it holds {})", path.display()));
            file.lock()?;
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("cannot lock {}", path.display()));
        }
    }
    Ok(file)
}
