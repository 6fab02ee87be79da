//! One CSV per figure: every sample of every run, with scenario, seed and commit.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use darkswap_records::figure::{self, FIGURES, Figure, Unit};
use darkswap_records::record::{Record, Run, Sample};

/// The tables of all figures, created as their first sample comes.
#[derive(Debug)]
pub(crate) struct Tables {
    folder: PathBuf,
    open: BTreeMap<&'static str, BufWriter<File>>,
}

impl Tables {
    /// Prepares the folder; tables of an earlier report are removed, so that none looks current.
    pub(crate) fn create(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        for figure in FIGURES {
            let path = folder.join(format!("{}.csv", figure.name));
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot replace {}", path.display()));
                }
                _ => {}
            }
        }
        Ok(Self { folder: folder.to_path_buf(), open: BTreeMap::new() })
    }

    /// Adds the samples of one run. Figures outside the catalogue have no table.
    pub(crate) fn add(&mut self, records: &[Record]) -> anyhow::Result<()> {
        let Some(Record::Run(run)) = records.first() else { return Ok(()) };
        for record in records {
            if let Record::Sample(sample) = record
                && let Some(figure) = figure::find(&sample.figure)
            {
                let line = line(run, figure, sample);
                self.table(figure)?
                    .write_all(line.as_bytes())
                    .with_context(|| format!("cannot write {}.csv", figure.name))?;
            }
        }
        Ok(())
    }

    /// Writes out what is still in memory.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        for (name, mut table) in self.open {
            table.flush().with_context(|| format!("cannot write {name}.csv"))?;
        }
        Ok(())
    }

    fn table(&mut self, figure: &'static Figure) -> anyhow::Result<&mut BufWriter<File>> {
        use std::collections::btree_map::Entry;
        match self.open.entry(figure.name) {
            Entry::Occupied(open) => Ok(open.into_mut()),
            Entry::Vacant(vacant) => {
                let path = self.folder.join(format!("{}.csv", figure.name));
                let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
                let table = vacant.insert(BufWriter::new(file));
                table.write_all(header(figure).as_bytes())?;
                Ok(table)
            }
        }
    }
}

fn header(figure: &Figure) -> String {
    let value = match (figure.unit, figure.unit.symbol()) {
        (Unit::Category, _) => "category".to_string(),
        (_, "") => "value".to_string(),
        (_, symbol) => format!("value [{symbol}]"),
    };
    let columns =
        ["scenario", "seed", "commit", "at [s]"].into_iter().chain([value.as_str()]).chain(figure.tags.iter().copied());
    join(columns)
}

fn line(run: &Run, figure: &Figure, sample: &Sample) -> String {
    let (seed, at) = (run.seed.to_string(), format!("{}.{:06}", sample.at_us / 1_000_000, sample.at_us % 1_000_000));
    let number = sample.value.to_string();
    let value = if figure.unit == Unit::Category { sample.category.as_deref().unwrap_or_default() } else { &number };
    let tags = figure.tags.iter().map(|tag| sample.tags.get(*tag).map_or("", String::as_str));
    join([run.scenario.as_str(), &seed, &run.commit, &at, value].into_iter().chain(tags))
}

fn join<'a>(fields: impl Iterator<Item = &'a str>) -> String {
    let mut line = fields.map(field).collect::<Vec<_>>().join(",");
    line.push('\n');
    line
}

/// A field as RFC 4180 quotes it.
fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_with_separators_stays_one_field() {
        assert_eq!(join(["a,b", "say \"hi\"", "plain"].into_iter()), "\"a,b\",\"say \"\"hi\"\"\",plain\n");
    }

    #[test]
    fn the_header_names_the_unit() {
        let header_of = |name| figure::find(name).map(header).unwrap_or_default();
        assert!(header_of("connect_time").starts_with("scenario,seed,commit,at [s],value [s],from,to,"));
        assert!(header_of("path").starts_with("scenario,seed,commit,at [s],category,"));
    }
}
