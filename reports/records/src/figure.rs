//! The catalogue of everything a run measures.
//!
//! The simulator may push no figure that is not listed here, an expectation may name no other, and the reports know the unit of
//! each from here. Samples of a category figure carry the value 1 and one of the figure's categories.

use crate::nearest;

mod better;
mod catalogue;

pub(crate) use better::of_category;
pub use better::{Better, better};
pub use catalogue::FIGURES;

/// A quantity that a run measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figure {
    /// Name in `snake_case`, as samples and expectations use it.
    pub name: &'static str,
    /// What one sample's value is.
    pub unit: Unit,
    /// Tags that its samples may carry, and that `where` may name.
    pub tags: &'static [&'static str],
    /// The categories of a [`Unit::Category`] figure; empty otherwise.
    pub categories: &'static [&'static str],
    /// What it means and when a sample is pushed: one sentence or two.
    pub about: &'static str,
}

/// What a sample's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// A share of 0 to 1.
    Share,
    /// A number without unit that is no number of things: one value over another.
    Ratio,
    /// A number of things.
    Count,
    /// 1, with the sample's category beside it.
    Category,
}

impl Unit {
    /// The unit's name in tables and axis labels; empty where there is none.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Bytes => "B",
            Self::BytesPerSecond => "B/s",
            Self::Share => "share",
            Self::Ratio | Self::Count | Self::Category => "",
        }
    }

    /// A value in this unit, rounded for people.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Seconds => crate::unit::show_seconds(value),
            Self::Bytes => crate::unit::show_bytes(value),
            Self::BytesPerSecond => crate::unit::show_rate(value),
            Self::Share => crate::unit::show_share(value),
            Self::Ratio => crate::unit::show_ratio(value),
            Self::Count | Self::Category => crate::unit::show_count(value),
        }
    }
}

/// The figure of this name.
pub fn find(name: &str) -> Option<&'static Figure> {
    FIGURES.iter().find(|figure| figure.name == name)
}

/// The figure whose name is nearest to `name`, when one is near.
pub fn nearest(name: &str) -> Option<&'static Figure> {
    nearest::nearest(name, FIGURES.iter().map(|figure| figure.name)).and_then(find)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_plain() {
        for (index, figure) in FIGURES.iter().enumerate() {
            assert!(FIGURES[..index].iter().all(|other| other.name != figure.name), "{} twice", figure.name);
            let words =
                [figure.name].into_iter().chain(figure.tags.iter().copied()).chain(figure.categories.iter().copied());
            for word in words {
                assert!(word.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{word}");
            }
            assert!(!figure.about.is_empty() && figure.about.ends_with('.'), "{}", figure.name);
        }
    }

    #[test]
    fn categories_belong_to_category_figures() {
        for figure in FIGURES {
            assert_eq!(figure.unit == Unit::Category, !figure.categories.is_empty(), "{}", figure.name);
        }
    }

    #[test]
    fn a_misspelt_figure_is_found() {
        assert_eq!(nearest("conect_time").map(|figure| figure.name), Some("connect_time"));
        assert_eq!(nearest("zzzzzz"), None);
    }
}
