//! Where the files of an invocation and of each run are.
//!
//! ```text
//! runs/latest                          symbolic link to the last invocation's folder
//! runs/20260131T120059Z/summary.json   with report.html, junit.xml and csv/ beside it
//!                       scenarios/     every scenario as it was when it was checked; workers read these
//!                       <scenario>/seed-<N>/records.jsonl, stderr.txt, ...
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::moment::Moment;

/// The folder that holds the folders of all invocations unless the user says otherwise.
pub const RUNS: &str = "runs";
/// The name of a run's records.
pub const RECORDS: &str = "records.jsonl";
/// The name of the summary.
pub const SUMMARY: &str = "summary.json";

/// Most folders that begin within the same second.
const SAME_SECOND: u32 = 1_000;

/// The folder of an invocation.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Opens the folder that the user asked for.
    ///
    /// # Errors
    /// It does not exist and cannot be created.
    pub fn at(path: PathBuf) -> anyhow::Result<Self> {
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path })
    }

    /// Creates a new folder in `runs`, called by the moment.
    ///
    /// # Errors
    /// It cannot be created.
    pub fn new_in(runs: &Path, moment: Moment) -> anyhow::Result<Self> {
        fs::create_dir_all(runs).with_context(|| format!("cannot create {}", runs.display()))?;
        let name = moment.file_name();
        for attempt in 1..=SAME_SECOND {
            let path = runs.join(if attempt == 1 { name.clone() } else { format!("{name}-{attempt}") });
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).with_context(|| format!("cannot create {}", path.display())),
            }
        }
        anyhow::bail!("{} has too many folders called {name}", runs.display())
    }

    /// Where it is, as the user would name it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of one run.
    pub fn run(&self, scenario: &str, seed: u64) -> PathBuf {
        self.path.join(run_name(scenario, seed))
    }

    /// Writes the summary; a reader sees the old one or the new one, never half of it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_summary(&self, json: &str) -> anyhow::Result<()> {
        let path = self.path.join(SUMMARY);
        let fresh = self.path.join(format!(".{SUMMARY}.{}", std::process::id()));
        fs::write(&fresh, json)
            .and_then(|()| fs::rename(&fresh, &path))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Makes `runs/latest` point here.
    ///
    /// # Errors
    /// Something else is called `latest`, or the file system has no symbolic links.
    pub fn point_latest(&self, runs: &Path) -> anyhow::Result<()> {
        let link = runs.join("latest");
        let fresh = runs.join(format!(".latest.{}", std::process::id()));
        let target = match self.path.strip_prefix(runs) {
            Ok(inside) => inside.to_path_buf(),
            Err(_) => self.path.canonicalize()?,
        };
        symlink(&target, &fresh)
            .and_then(|()| fs::rename(&fresh, &link))
            .inspect_err(|_| {
                let _ = fs::remove_file(&fresh);
            })
            .with_context(|| format!("cannot make {} point to {}", link.display(), self.path.display()))
    }
}

/// The folder of one run below its invocation's, with slashes.
pub fn run_name(scenario: &str, seed: u64) -> String {
    format!("{scenario}/seed-{seed}")
}

/// Writes a copy of a scenario below `folder` so that its path still gives its name.
///
/// # Errors
/// It cannot be written.
pub fn keep_scenario(folder: &Path, name: &str, text: &[u8]) -> anyhow::Result<PathBuf> {
    let path = folder.join("scenarios").join(format!("{name}.yaml"));
    let parent = path.parent().unwrap_or(folder);
    fs::create_dir_all(parent)
        .and_then(|()| fs::write(&path, text))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// Empties a folder of what an earlier run left, and creates it.
///
/// # Errors
/// Something cannot be removed or created.
pub fn fresh(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(path)
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(not(unix))]
fn symlink(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn folders_of_the_same_second_differ() -> anyhow::Result<()> {
        let dir = tempfile::tempdir()?;
        let moment = Moment::of(Duration::ZERO);
        let names: Vec<_> = (0..3)
            .map(|_| Folder::new_in(dir.path(), moment).map(|folder| folder.path().file_name().map(ToOwned::to_owned)))
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(names, ["19700101T000000Z", "19700101T000000Z-2", "19700101T000000Z-3"]);
        Ok(())
    }

    #[test]
    #[cfg(unix)]
    fn latest_follows_the_last_folder() -> anyhow::Result<()> {
        let dir = tempfile::tempdir()?;
        let runs = dir.path().join("runs");
        for second in [1, 2] {
            let folder = Folder::new_in(&runs, Moment::of(Duration::from_secs(second)))?;
            folder.point_latest(&runs)?;
            folder.write_summary("{}")?;
            assert_eq!(runs.join("latest").canonicalize()?, folder.path().canonicalize()?);
        }
        assert_eq!(fs::read_link(runs.join("latest"))?, Path::new("19700101T000002Z"));

        let elsewhere = Folder::at(dir.path().join("elsewhere"))?;
        elsewhere.point_latest(&runs)?;
        assert_eq!(runs.join("latest").canonicalize()?, elsewhere.path().canonicalize()?);
        assert_eq!(fs::read_dir(&runs)?.count(), 3);
        Ok(())
    }

    #[test]
    #[cfg(unix)]
    fn a_folder_called_latest_is_not_replaced() -> anyhow::Result<()> {
        let dir = tempfile::tempdir()?;
        fs::create_dir_all(dir.path().join("latest/precious"))?;
        let folder = Folder::new_in(dir.path(), Moment::of(Duration::ZERO))?;
        assert!(folder.point_latest(dir.path()).is_err());
        assert!(dir.path().join("latest/precious").is_dir());
        assert_eq!(fs::read_dir(dir.path())?.count(), 2);
        Ok(())
    }

    #[test]
    fn a_kept_scenario_keeps_its_name() -> anyhow::Result<()> {
        let dir = tempfile::tempdir()?;
        let path = keep_scenario(dir.path(), "nat/matrix", b"title: x\n")?;
        assert_eq!(darkswap_scenario::name(&path), "nat/matrix");
        assert_eq!(fs::read(path)?, b"title: x\n");
        Ok(())
    }
}
