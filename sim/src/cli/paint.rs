//! Colours, where there is somebody to see them.

use std::io::IsTerminal as _;

/// Puts text into colours, or leaves it alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    on: bool,
}

impl Paint {
    /// For standard output.
    pub(super) fn stdout() -> Self {
        Self { on: std::io::stdout().is_terminal() && wanted() }
    }

    /// For standard error.
    pub(super) fn stderr() -> Self {
        Self { on: std::io::stderr().is_terminal() && wanted() }
    }

    /// Whether there are colours.
    pub(super) fn is_on(self) -> bool {
        self.on
    }

    pub(super) fn red(self, text: &str) -> String {
        self.with("1;31", text)
    }

    pub(super) fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(super) fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// `code` is a parameter of SGR (ECMA-48, section 8.3.117).
    fn with(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}

/// Whether the user wants colours: `NO_COLOR` (no-color.org) must be absent or empty.
fn wanted() -> bool {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    set("NO_COLOR").is_none() && set("TERM").is_none_or(|terminal| terminal != "dumb")
}
