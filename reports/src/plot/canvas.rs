//! The surface of a plot: lines, polygons and text in CSS pixels, finished as one `<svg>` element.

use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::PlotError;
use crate::escape::Escaped;
use crate::palette::Colour;

/// Units of the drawing per CSS pixel. Plotters draws on whole units, so this is the precision of every line.
const SCALE: f64 = 3.0;

/// How far a page may enlarge a drawing, so that its text does not outgrow the text around it.
const LARGEST: f64 = 1.2;
/// How far a page may shrink a drawing before it has to scroll, so that its text stays readable.
const SMALLEST: f64 = 0.65;

/// Height of ordinary text in CSS pixels.
pub(crate) const TEXT: f64 = 12.0;

/// Length of a dash and of the gap behind it in CSS pixels.
const DASH: f64 = 5.0;
const GAP: f64 = 3.0;

/// Where a text hangs on its point.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Anchor {
    /// Left of the text, halfway up.
    Left,
    /// Right of the text, halfway up.
    Right,
    /// Middle of the text.
    Middle,
    /// Middle of the text's upper edge.
    Top,
}

/// A drawing in progress.
pub(crate) struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
}

/// Draws on a new canvas of `width` x `height` CSS pixels. `label` tells what the drawing shows to those who do not see it.
pub(crate) fn draw(
    (width, height): (f64, f64),
    label: &str,
    paint: impl FnOnce(&Canvas<'_>) -> Result<(), PlotError>,
) -> Result<String, PlotError> {
    let mut buffer = String::new();
    let size = (units(width).unsigned_abs(), units(height).unsigned_abs());
    {
        let canvas = Canvas { area: SVGBackend::with_string(&mut buffer, size).into_drawing_area() };
        paint(&canvas)?;
        canvas.area.present()?;
    }
    // The first tag is the backend's own; the page needs one that scales, is named, and knows its font.
    let body = buffer.split_once('>').map_or("", |(_, body)| body);
    let head = format!(
        "<svg class=\"plot\" viewBox=\"0 0 {} {}\" style=\"min-width:{:.0}px;max-width:{:.0}px\" xmlns=\"http://www.w3.org/2000/svg\" \
         font-family=\"system-ui, sans-serif\" role=\"img\" aria-label=\"{}\">",
        size.0,
        size.1,
        width * SMALLEST,
        width * LARGEST,
        Escaped(label)
    );
    Ok(compact(&format!("{head}{body}")))
}

impl Canvas<'_> {
    /// A line through the points.
    pub(crate) fn line(&self, points: &[(f64, f64)], colour: Colour, width: f64) -> Result<(), PlotError> {
        let style = colour.rgb().stroke_width(units(width).unsigned_abs().max(1));
        self.area.draw(&PathElement::new(distinct(points), style))
    }

    /// A dashed line through the points.
    pub(crate) fn dashes(&self, points: &[(f64, f64)], colour: Colour, width: f64) -> Result<(), PlotError> {
        let style = colour.rgb().stroke_width(units(width).unsigned_abs().max(1));
        self.area.draw(&DashedPathElement::new(distinct(points), units(DASH), units(GAP), style))
    }

    /// A filled shape.
    pub(crate) fn polygon(&self, points: &[(f64, f64)], colour: Colour, opacity: f64) -> Result<(), PlotError> {
        self.area.draw(&Polygon::new(distinct(points), colour.rgb().mix(opacity).filled()))
    }

    /// A filled rectangle between two corners.
    pub(crate) fn rectangle(
        &self,
        from: (f64, f64),
        to: (f64, f64),
        colour: Colour,
        opacity: f64,
    ) -> Result<(), PlotError> {
        self.area.draw(&Rectangle::new([point(from), point(to)], colour.rgb().mix(opacity).filled()))
    }

    /// A filled dot.
    pub(crate) fn dot(&self, centre: (f64, f64), radius: f64, colour: Colour, opacity: f64) -> Result<(), PlotError> {
        self.area.draw(&Circle::new(point(centre), units(radius), colour.rgb().mix(opacity).filled()))
    }

    /// One line of text.
    pub(crate) fn text(
        &self,
        text: &str,
        at: (f64, f64),
        anchor: Anchor,
        colour: Colour,
        size: f64,
    ) -> Result<(), PlotError> {
        let position = match anchor {
            Anchor::Left => Pos::new(HPos::Left, VPos::Center),
            Anchor::Right => Pos::new(HPos::Right, VPos::Center),
            Anchor::Middle => Pos::new(HPos::Center, VPos::Center),
            Anchor::Top => Pos::new(HPos::Center, VPos::Top),
        };
        // The backend divides the size by 1.24 before it writes it.
        let colour = colour.rgb();
        let style = TextStyle::from(("sans-serif", size * SCALE * 1.24).into_font()).color(&colour).pos(position);
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.area.draw_text(&text, &style, point(at))
    }
}

fn units(pixels: f64) -> i32 {
    (pixels * SCALE).round() as i32
}

fn point((x, y): (f64, f64)) -> (i32, i32) {
    (units(x), units(y))
}

/// The points on whole units, without repetitions.
fn distinct(points: &[(f64, f64)]) -> Vec<(i32, i32)> {
    let mut points: Vec<_> = points.iter().copied().map(point).collect();
    points.dedup();
    points
}

/// The same drawing without what the backend repeats on every element.
fn compact(svg: &str) -> String {
    svg.replace(">\n", ">")
        .replace("\n<", "<")
        .replace(" opacity=\"1\"", "")
        .replace(" font-family=\"sans-serif\"", "")
        .replace(" stroke=\"none\"", "")
        .replace(" \"/>", "\"/>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::palette::{BLUE, INK};

    #[test]
    fn text_is_escaped_and_stays_one_line() {
        let svg = draw((100.0, 50.0), "a <b> \"c\"", |canvas| {
            canvas.text("<script>\nalert(1)</script>", (1.0, 1.0), Anchor::Left, INK, TEXT)
        })
        .unwrap();
        assert!(!svg.contains("<script"), "{svg}");
        assert!(svg.contains("&lt;script&gt; alert(1)&lt;/script&gt;"), "{svg}");
        assert!(svg.contains("aria-label=\"a &lt;b&gt; &quot;c&quot;\""), "{svg}");
        assert!(svg.ends_with("</svg>") || svg.ends_with("</svg>\n"), "{svg}");
    }

    #[test]
    fn a_line_that_stands_still_is_drawn_once() {
        let svg =
            draw((100.0, 50.0), "", |canvas| canvas.line(&[(1.0, 1.0), (1.01, 1.0), (9.0, 1.0)], BLUE, 1.0)).unwrap();
        assert!(svg.contains("points=\"3,3 27,3\""), "{svg}");
    }
}
