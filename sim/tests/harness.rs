//! The harness: packets between simulated hosts, crashes, and the end of a run.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod harness_cases;
