//! The page: one HTML file that needs nothing else, no script, and follows the reader's light or dark theme.
//!
//! | module | noun |
//! |---|---|
//! | [`overview`] | the first screen: what this is, what ran, the verdict, every scenario in one row |
//! | [`failure`] | what did not hold, with the command that replays it |
//! | [`section`] | everything about one scenario |
//! | [`expectation`] | a scenario's expectations over its seeds |
//! | [`detail`] | faults, runs and every measured figure, as tables |
//! | [`relay`] | the relays of a scenario, as a table |
//! | [`table`] | rows and columns as HTML |

mod detail;
mod expectation;
mod failure;
mod overview;
mod relay;
mod section;
mod table;

use darkswap_records::summary::Summary;

use crate::escape::Escaped;
use crate::palette;
pub(crate) use section::Section;

const STYLE: &str = include_str!("page/style.css");

/// The whole page; scenarios with a run that did not pass come first.
pub(crate) fn page(summary: &Summary, mut sections: Vec<Section>) -> String {
    sections.sort_by_key(|section| section.passed());
    let passed = summary.runs.iter().filter(|run| run.passed).count();
    let theme = palette::theme();
    let overview = overview::overview(summary, &sections);
    let body: String = sections.iter().map(|section| section.html.as_str()).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{passed} of {} runs passed – DarkSwap simulation report</title>\n\
         <style>\n{theme}{STYLE}</style>\n</head>\n<body>\n<main>\n{overview}{body}\
         <footer>Made by <code>darkswap-sim report</code> from the records of <code>{}</code>, started {}. \
         The numbers behind every plot are in the folder <code>csv</code> beside this page.</footer>\n\
         </main>\n</body>\n</html>\n",
        summary.runs.len(),
        Escaped(&summary.command),
        Escaped(&summary.started),
    )
}

/// A count with its noun.
fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
