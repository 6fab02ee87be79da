//! The settings as text: the commented file that `darkswap init` writes, and the resolved one that `darkswap config` prints.

use std::fmt::Write as _;

use super::setting::{SETTINGS, Setting, TABLES};
use super::{Resolved, Settings};

/// Columns of a comment.
const WIDTH: usize = 100;

const HEAD: &str = "Configuration of a DarkSwap node. Every setting is shown with its default value: remove the `#` in front of \
                    a setting and change it. A flag of `darkswap run` overrides an environment variable \
                    (DARKSWAP_<TABLE>_<KEY>), which overrides this file. `darkswap config` prints what results.";

/// A configuration file in which every setting is explained and stands in a comment with its default.
#[must_use]
pub fn template() -> String {
    let defaults = Settings::default();
    let mut text = String::new();
    comment(&mut text, HEAD);
    for (table, about) in TABLES {
        text.push('\n');
        comment(&mut text, about);
        let _ = writeln!(text, "[{table}]");
        for setting in of_table(table) {
            text.push('\n');
            comment(
                &mut text,
                &match setting.field.allowed() {
                    Some(allowed) => format!("{} {allowed}", setting.about),
                    None => setting.about.to_owned(),
                },
            );
            if let Some(example) = setting.example {
                let _ = writeln!(text, "# Example: {} = {example}", setting.key);
            }
            let _ = writeln!(text, "#{} = {}", setting.key, setting.field.show(&defaults));
        }
    }
    text
}

/// Every setting with its value and where that came from.
pub(super) fn resolved(resolved: &Resolved) -> String {
    let mut text = String::new();
    for (table, _) in TABLES {
        if !text.is_empty() {
            text.push('\n');
        }
        let _ = writeln!(text, "[{table}]");
        for (setting, origin) in SETTINGS.iter().zip(&resolved.origins).filter(|(setting, _)| setting.table == table) {
            let _ = writeln!(text, "{} = {} # {origin}", setting.key, setting.field.show(&resolved.settings));
        }
    }
    text
}

fn of_table(table: &str) -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().filter(move |setting| setting.table == table)
}

/// Each line of `about` begins a line of the comment.
fn comment(text: &mut String, about: &str) {
    for paragraph in about.lines() {
        let mut line = String::from("#");
        for word in paragraph.split_whitespace() {
            if line.len() + 1 + word.len() > WIDTH {
                let _ = writeln!(text, "{line}");
                line.truncate(1);
            }
            line.push(' ');
            line.push_str(word);
        }
        let _ = writeln!(text, "{line}");
    }
}
