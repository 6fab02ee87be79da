//! How the cost of a run grows with its nodes: `scenarios/scale.yaml` beside this file with 50, 200, 500 and 1,000 nodes.
//!
//! Each size runs for [`SHORT`], by whose end everybody is connected, and for [`LONG`]; the difference of the two is steady state. Prints
//! a table, one line per size, and draws `docs/images/scale.svg` when asked to with `--draw`.
//!
//! `cargo bench -p darkswap-sim --bench scale -- [--draw] NODES...`, or `all` for every size. It takes up to an hour, so without sizes, as
//! one bench of many, it measures nothing.

use std::fs;
use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, anyhow, ensure};
use darkswap_records::summary::{RunSummary, Summary};
use plotters::prelude::*;

/// Simulated seconds of the two runs.
const SHORT: u32 = 90;
const LONG: u32 = 210;
/// Nodes besides the relays.
const SIZES: [u64; 4] = [50, 200, 500, 1_000];
/// Those among them that publish, whatever the size.
const PUBLISHERS: u64 = 20;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test` runs benchmarks, too, to see whether they run at all; these take too long for that.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let is_all = arguments.iter().any(|argument| argument == "all");
    let asked: Vec<u64> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    if !is_all && asked.is_empty() {
        writeln!(
            stdout(),
            "scale: nothing was asked for; `--bench scale -- all` measures 50 to 1,000 nodes, in up to an hour"
        )?;
        return Ok(());
    }
    let folder = tempfile::tempdir().context("cannot make a folder for the runs")?;
    let mut out = stdout();
    writeln!(
        out,
        "{:>6} {:>16} {:>20} {:>24} {:>10} {:>16}",
        "nodes", "first 90 s, s", "then, ms per second", "per node, µs per second", "MB", "packets per s"
    )?;
    let mut rows = Vec::new();
    for nodes in SIZES.into_iter().filter(|nodes| is_all || asked.contains(nodes)) {
        let row = Row::measure(nodes, folder.path())?;
        let Row { first, steady, megabytes, packets, .. } = row;
        writeln!(
            out,
            "{nodes:>6} {first:>16.2} {:>20.1} {:>24.0} {megabytes:>10.0} {packets:>16.0}",
            steady * 1e3,
            row.per_node() * 1e6
        )?;
        rows.push(row);
    }
    if arguments.iter().any(|argument| argument == "--draw") {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images/scale.svg");
        draw(&rows, &path).with_context(|| format!("cannot draw {}", path.display()))?;
    }
    Ok(())
}

/// What one size costs.
struct Row {
    nodes: u64,
    /// CPU seconds of the short run.
    first: f64,
    /// CPU seconds per simulated second afterwards.
    steady: f64,
    /// At the peak of the long run.
    megabytes: f64,
    /// Packets delivered per simulated second afterwards.
    packets: f64,
}

impl Row {
    fn measure(nodes: u64, folder: &Path) -> Result<Self> {
        let (short, long) = (run(nodes, SHORT, folder)?, run(nodes, LONG, folder)?);
        let time = long.simulated_s - short.simulated_s;
        Ok(Self {
            nodes,
            first: short.cpu_s,
            steady: (long.cpu_s - short.cpu_s) / time,
            megabytes: long.peak_memory_bytes as f64 / 1e6,
            packets: delivered(&long).saturating_sub(delivered(&short)) as f64 / time,
        })
    }

    /// CPU seconds per node and simulated second.
    fn per_node(&self) -> f64 {
        self.steady / self.nodes as f64
    }
}

fn delivered(run: &RunSummary) -> u64 {
    run.packets.get("delivered").copied().unwrap_or_default()
}

fn run(nodes: u64, seconds: u32, folder: &Path) -> Result<RunSummary> {
    let scenario = scenario(nodes, seconds, folder)?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_darkswap-sim"));
    command.arg("run").arg(&scenario).args(["--json", "--out"]);
    let output = command.arg(tempfile::tempdir_in(folder)?.keep()).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{} did not pass", scenario.display());
    let summary: Summary = serde_json::from_slice(&output.stdout).context("the summary")?;
    summary.runs.into_iter().next().context("no run")
}

/// The scenario with so many nodes and this duration.
fn scenario(nodes: u64, seconds: u32, folder: &Path) -> Result<PathBuf> {
    let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/scenarios/scale.yaml");
    let text = fs::read_to_string(&original).with_context(|| format!("cannot read {}", original.display()))?;
    let peers = nodes.checked_sub(PUBLISHERS).context("fewer nodes than publishers")?;
    let text = text
        .replacen("duration: 10m", &format!("duration: {seconds}s"), 1)
        .replacen("count: 480", &format!("count: {peers}"), 1)
        .replacen("pairs: 960", &format!("pairs: {}", peers * 2), 1);
    let copy = folder.join(format!("scale-{nodes}-{seconds}.yaml"));
    fs::write(&copy, text)?;
    Ok(copy)
}

/// CPU time and memory per node, over the number of nodes.
fn draw(rows: &[Row], path: &Path) -> Result<()> {
    let most = rows.iter().map(|row| row.nodes).max().context("nothing was measured")? as f64 * 1.05;
    let area = SVGBackend::new(path, (760, 300)).into_drawing_area();
    area.fill(&WHITE).map_err(|error| anyhow!("{error}"))?;
    let (left, right) = area.split_horizontally(380);
    let time = |row: &Row| row.per_node() * 1e6;
    let memory = |row: &Row| row.megabytes / row.nodes as f64;
    panel(&left, "CPU µs per node and simulated second", most, rows, &BLUE, time)?;
    panel(&right, "peak memory per node, MB", most, rows, &RED, memory)?;
    area.present().map_err(|error| anyhow!("{error}"))
}

fn panel(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    title: &str,
    most: f64,
    rows: &[Row],
    colour: &RGBColor,
    value: impl Fn(&Row) -> f64,
) -> Result<()> {
    let high = rows.iter().map(&value).fold(0.0, f64::max) * 1.15;
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 15))
        .margin(12)
        .x_label_area_size(34)
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..most, 0.0..high)
        .map_err(|error| anyhow!("{error}"))?;
    let mut mesh = chart.configure_mesh();
    mesh.x_desc("nodes").x_labels(6).y_labels(6).light_line_style(WHITE).draw().map_err(|error| anyhow!("{error}"))?;
    let points: Vec<_> = rows.iter().map(|row| (row.nodes as f64, value(row))).collect();
    chart.draw_series(LineSeries::new(points.clone(), colour.stroke_width(2))).map_err(|error| anyhow!("{error}"))?;
    let dots = points.into_iter().map(|point| Circle::new(point, 4, colour.filled()));
    chart.draw_series(dots).map_err(|error| anyhow!("{error}"))?;
    Ok(())
}
