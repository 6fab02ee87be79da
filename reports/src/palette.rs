//! Every colour of a report, once for light and once for dark surroundings.
//!
//! Categories use the Okabe-Ito palette, which stays distinct under the common kinds of colour blindness. Plots are drawn in the
//! light colours; [`theme`] makes each of them follow the reader's theme, and a plot saved on its own still looks right.

use std::fmt::Write;

use plotters::style::RGBColor;

/// A named colour in both themes, as `0xRRGGBB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Colour {
    /// Name of its CSS variable, without the dashes.
    pub(crate) name: &'static str,
    light: u32,
    dark: u32,
}

impl Colour {
    /// The colour as plotters wants it.
    pub(crate) fn rgb(self) -> RGBColor {
        let [_, red, green, blue] = self.light.to_be_bytes();
        RGBColor(red, green, blue)
    }

    /// The colour as a CSS value that follows the theme.
    pub(crate) fn css(self) -> String {
        format!("var(--{})", self.name)
    }
}

const fn colour(name: &'static str, light: u32, dark: u32) -> Colour {
    Colour { name, light, dark }
}

/// Text.
pub(crate) const INK: Colour = colour("ink", 0x1A1D21, 0xE8EAED);
/// Secondary text and axis labels.
pub(crate) const MUTED: Colour = colour("muted", 0x59626C, 0xA3ACB6);
/// Grid lines and borders.
pub(crate) const RULE: Colour = colour("rule", 0xDFE3E8, 0x343A41);
/// Axis lines.
pub(crate) const AXIS: Colour = colour("axis", 0x8B949E, 0x6B747E);
/// The page behind everything.
pub(crate) const PAGE: Colour = colour("page", 0xF6F7F8, 0x131619);
/// Cards and plots.
pub(crate) const CARD: Colour = colour("card", 0xFFFFFF, 0x1B1F23);
/// Text on a strongly coloured surface.
pub(crate) const ON_STRONG: Colour = colour("on-strong", 0xFEFEFE, 0xFFFFFE);
/// Text and marks that say "held".
pub(crate) const PASS: Colour = colour("pass", 0x00734F, 0x35C99A);
/// Text and marks that say "failed".
pub(crate) const FAIL: Colour = colour("fail", 0xB34700, 0xFF8A4C);
/// Background of a passed verdict.
pub(crate) const PASS_TINT: Colour = colour("pass-tint", 0xE6F4EE, 0x15302A);
/// Background of a failed verdict.
pub(crate) const FAIL_TINT: Colour = colour("fail-tint", 0xFCEDE3, 0x3A2418);
/// Shaded time of a fault.
pub(crate) const FAULT: Colour = colour("fault", 0xCB78A6, 0xCB78A7);

/// Direct paths and everything that arrived.
pub(crate) const BLUE: Colour = colour("blue", 0x0072B2, 0x4FB0EA);
/// Relayed paths.
pub(crate) const ORANGE: Colour = colour("orange", 0xE69F00, 0xE69F01);
/// Failures.
pub(crate) const VERMILLION: Colour = colour("vermillion", 0xD55E00, 0xF0702A);
/// Further categories.
pub(crate) const GREEN: Colour = colour("green", 0x009E73, 0x1FB98E);
/// Further categories.
pub(crate) const PURPLE: Colour = colour("purple", 0xCC79A7, 0xDB8FBA);
/// Further categories.
pub(crate) const SKY: Colour = colour("sky", 0x56B4E9, 0x8CCBF2);

/// Colours for categories without a colour of their own, in order of use.
pub(crate) const CATEGORIES: [Colour; 6] = [BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY];

/// Shares of 0 to 100 % in steps of 10 from orange (relayed) over grey to blue (direct).
const SHARES: [Colour; 11] = [
    colour("share-0", 0xF0B84D, 0x966600),
    colour("share-1", 0xF1C46C, 0x825C0D),
    colour("share-2", 0xF2D08C, 0x6F521A),
    colour("share-3", 0xF3DBAB, 0x5C4927),
    colour("share-4", 0xF3E7CA, 0x494033),
    colour("share-5", 0xE6E8EA, 0x363B41),
    colour("share-6", 0xC7D9E4, 0x304659),
    colour("share-7", 0x9BC0D8, 0x2B5170),
    colour("share-8", 0x5C9EC7, 0x255C86),
    colour("share-9", 0x2F88BD, 0x20679B),
    colour("share-10", 0x0071B1, 0x1A72B0),
];

const SURFACES: [Colour; 12] = [INK, MUTED, RULE, AXIS, PAGE, CARD, ON_STRONG, PASS, FAIL, PASS_TINT, FAIL_TINT, FAULT];

/// The cell colour of a share between 0 and 1, and the text colour that is readable on it.
pub(crate) fn share(share: f64) -> (Colour, Colour) {
    // Only all of them is the last step, only none of them the first.
    let step = if share >= 1.0 { 10 } else { (share * 9.0).ceil().clamp(0.0, 9.0) as usize };
    (SHARES[step], if step >= 9 { ON_STRONG } else { INK })
}

/// The style sheet's colours: a variable per colour, and a rule per colour for what is drawn in it.
pub(crate) fn theme() -> String {
    let all = || SURFACES.iter().chain(&CATEGORIES).chain(&SHARES);
    let mut css = String::from(":root{color-scheme:light dark");
    for colour in all() {
        let _ = write!(css, ";--{}:#{:06X}", colour.name, colour.light);
    }
    css.push_str("}\n@media(prefers-color-scheme:dark){:root{");
    for colour in all() {
        let _ = write!(css, "--{}:#{:06X};", colour.name, colour.dark);
    }
    css.push_str("}}\n");
    for colour in all() {
        let (name, light) = (colour.name, colour.light);
        let _ = writeln!(
            css,
            ".plot [fill=\"#{light:06X}\"]{{fill:var(--{name})}}.plot [stroke=\"#{light:06X}\"]{{stroke:var(--{name})}}"
        );
    }
    css
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_colour_has_its_own_light_value_so_that_the_theme_can_tell_them_apart() {
        let all: Vec<_> = SURFACES.iter().chain(&CATEGORIES).chain(&SHARES).collect();
        let values: BTreeSet<_> = all.iter().map(|colour| colour.light).collect();
        assert_eq!(values.len(), all.len());
    }

    #[test]
    fn text_is_readable_on_every_share_in_both_themes() {
        for percent in 0..=100 {
            let (cell, text) = share(f64::from(percent) / 100.0);
            for (cell, text) in [(cell.light, text.light), (cell.dark, text.dark)] {
                assert!(
                    contrast(cell, text) >= 3.8,
                    "{percent} %: {cell:06X} under {text:06X}: {}",
                    contrast(cell, text)
                );
            }
        }
        for (surface, text) in [
            (CARD, INK),
            (CARD, MUTED),
            (PAGE, MUTED),
            (CARD, PASS),
            (CARD, FAIL),
            (PASS_TINT, PASS),
            (FAIL_TINT, FAIL),
        ] {
            assert!(contrast(surface.light, text.light) >= 4.5, "{} on {}", text.name, surface.name);
            assert!(contrast(surface.dark, text.dark) >= 4.5, "{} on {}", text.name, surface.name);
        }
    }

    #[test]
    fn only_all_and_only_none_get_the_ends_of_the_scale() {
        assert_eq!(share(1.0).0, SHARES[10]);
        assert_eq!(share(0.999).0, SHARES[9]);
        assert_eq!(share(0.001).0, SHARES[1]);
        assert_eq!(share(0.0).0, SHARES[0]);
    }

    /// Contrast ratio of WCAG 2.2.
    fn contrast(one: u32, other: u32) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    fn luminance(colour: u32) -> f64 {
        let [_, red, green, blue] = colour.to_be_bytes();
        let linear = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }
}
