//! What state something was in over time: rows of strips, faults shaded.

use super::axis::{Axis, Quantity};
use super::canvas::{self, Anchor, Canvas, TEXT};
use super::plane::{Span, shade};
use super::{Key, Plot, PlotError};
use crate::palette::{AXIS, Colour, FAIL, INK, MUTED, RULE};

/// As wide as a telephone shows without scrolling.
const WIDTH: f64 = 530.0;
const LEFT: f64 = 16.0;
const RIGHT: f64 = WIDTH - 22.0;
const ROW: f64 = 44.0;
const BELOW: f64 = 48.0;
/// Height of a row's words, which stand above its strips.
const WORDS: f64 = 19.0;
/// Height of a strip with the gap below it; a row has room for two.
const STRIP: f64 = 11.0;
/// Longest label that is shown in full.
const LONG: usize = 32;
/// States that hold for fewer CSS pixels than this are too short to be seen, and are left out when another follows.
const VISIBLE: f64 = 2.0;

/// Something whose state is shown, as seen from one or two ends.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// What it is.
    pub(crate) label: String,
    /// What is worth reading beside it, in a few words.
    pub(crate) note: String,
    /// Its strips from the top down.
    pub(crate) strips: Vec<Strip>,
}

/// The states at one end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Strip {
    /// Ascending in time; each holds until the next.
    pub(crate) changes: Vec<Change>,
    /// Until when the last one holds.
    pub(crate) until: f64,
}

/// The beginning of a state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Change {
    /// Since when, in seconds.
    pub(crate) at: f64,
    /// Its colour.
    pub(crate) colour: Colour,
    /// Whether it is marked even if it is too short to be seen.
    pub(crate) marked: bool,
}

/// Draws the rows below each other between two times; none without rows.
pub(crate) fn draw(
    title: &str,
    (low, high): (f64, f64),
    rows: &[Row],
    spans: &[Span],
    legend: Vec<Key>,
) -> Result<Option<Plot>, PlotError> {
    if rows.is_empty() {
        return Ok(None);
    }
    let axis = Axis::between("time in the run", Quantity::Seconds, low, high, 8);
    let seen: Vec<Span> = spans.iter().copied().filter(|span| touches(span, &axis)).collect();
    let top = if seen.is_empty() { 8.0 } else { 24.0 };
    let bottom = top + ROW * rows.len() as f64;
    let x = |at: f64| LEFT + axis.position(at) * (RIGHT - LEFT);
    let svg = canvas::draw((WIDTH, bottom + BELOW), title, |canvas| {
        for (value, label) in &axis.ticks {
            canvas.line(&[(x(*value), top), (x(*value), bottom)], RULE, 1.0)?;
            canvas.text(label, (x(*value), bottom + 8.0), Anchor::Top, MUTED, TEXT)?;
        }
        shade(canvas, &seen, (top, bottom), x)?;
        for (index, row) in rows.iter().enumerate() {
            draw_row(canvas, top + ROW * index as f64, row, x)?;
        }
        canvas.line(&[(LEFT, bottom), (RIGHT, bottom)], AXIS, 1.0)?;
        canvas.text(&axis.title, (RIGHT, bottom + 34.0), Anchor::Right, INK, TEXT)
    })?;
    Ok(Some(Plot { svg, wide: false, legend }))
}

fn draw_row(canvas: &Canvas<'_>, top: f64, row: &Row, x: impl Fn(f64) -> f64 + Copy) -> Result<(), PlotError> {
    let middle = top + WORDS / 2.0 + 1.0;
    canvas.text(&shown(&row.label), (LEFT, middle), Anchor::Left, INK, TEXT)?;
    canvas.text(&row.note, (RIGHT, middle), Anchor::Right, MUTED, TEXT - 1.0)?;
    for (index, strip) in row.strips.iter().enumerate() {
        let top = top + WORDS + STRIP * index as f64;
        let bottom = top + STRIP - 2.0;
        for (from, until, colour) in pieces(strip, x) {
            canvas.rectangle((from, top), (until, bottom), colour, 1.0)?;
        }
        for at in marks(strip, x) {
            canvas.line(&[(at, top - 1.0), (at, bottom + 1.0)], FAIL, 2.0)?;
        }
    }
    Ok(())
}

/// Start, end and colour of what is seen of each state, in CSS pixels; a state too short to be seen lengthens the one before it.
fn pieces(strip: &Strip, x: impl Fn(f64) -> f64) -> Vec<(f64, f64, Colour)> {
    let mut pieces: Vec<(f64, f64, Colour)> = Vec::new();
    let ends = strip.changes.iter().skip(1).map(|change| change.at).chain([strip.until]);
    for (change, end) in strip.changes.iter().zip(ends) {
        let (from, until) = (x(change.at), x(end));
        match pieces.last_mut() {
            Some((_, last, colour)) if until - from < VISIBLE || *colour == change.colour => *last = last.max(until),
            Some((_, last, _)) => {
                *last = last.min(from);
                pieces.push((from, until, change.colour));
            }
            None => pieces.push((from, until.max(from), change.colour)),
        }
    }
    pieces
}

/// Where the marked states begin, in CSS pixels and far enough from each other to be told apart.
fn marks(strip: &Strip, x: impl Fn(f64) -> f64) -> Vec<f64> {
    let mut marks: Vec<f64> = Vec::new();
    for change in strip.changes.iter().filter(|change| change.marked) {
        let at = x(change.at);
        if marks.last().is_none_or(|last| at - last >= VISIBLE) {
            marks.push(at);
        }
    }
    marks
}

fn touches(span: &Span, axis: &Axis) -> bool {
    span.from <= axis.high() && span.until.unwrap_or(span.from) >= axis.low()
}

fn shown(label: &str) -> String {
    let mut shown: String = label.chars().take(LONG).collect();
    if label.chars().count() > LONG {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::palette::{BLUE, GREEN, VERMILLION};

    fn change(at: f64, colour: Colour) -> Change {
        Change { at, colour, marked: colour == VERMILLION }
    }

    fn strip(changes: &[(f64, Colour)], until: f64) -> Strip {
        Strip { changes: changes.iter().map(|(at, colour)| change(*at, *colour)).collect(), until }
    }

    #[test]
    fn each_state_holds_until_the_next() {
        let strip = strip(&[(0.0, BLUE), (40.0, GREEN)], 100.0);
        assert_eq!(pieces(&strip, |at| at), [(0.0, 40.0, BLUE), (40.0, 100.0, GREEN)]);
    }

    #[test]
    fn a_failure_too_short_to_be_seen_is_marked() {
        let strip = strip(&[(0.0, BLUE), (40.0, VERMILLION), (40.1, GREEN)], 100.0);
        assert_eq!(pieces(&strip, |at| at).len(), 2);
        assert_eq!(marks(&strip, |at| at), [40.0]);
    }

    #[test]
    fn ten_thousand_changes_give_no_more_pieces_than_can_be_seen() {
        let changes: Vec<_> =
            (0..10_000).map(|n| (f64::from(n) / 100.0, if n % 2 == 0 { BLUE } else { VERMILLION })).collect();
        let strip = strip(&changes, 100.0);
        assert!(pieces(&strip, |at| at).len() <= 51 && marks(&strip, |at| at).len() <= 51);
    }

    #[test]
    fn only_faults_within_the_shown_time_are_marked() {
        let row = Row { label: "a".into(), note: String::new(), strips: vec![strip(&[(11.0, BLUE)], 12.0)] };
        let span = |number, from| Span { number, from, until: None };
        let spans = [span(7, 1.0), span(8, 11.5)];
        let plot = draw("", (10.0, 12.0), &[row], &spans, Vec::new()).unwrap().unwrap();
        assert!(plot.svg.contains(">8<") && !plot.svg.contains(">7<"), "{}", plot.svg);
        assert_eq!(draw("", (0.0, 1.0), &[], &spans, Vec::new()).unwrap(), None);
    }
}
