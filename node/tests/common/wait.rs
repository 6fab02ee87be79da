//! Waiting for one of the events that a node reports.

use std::fmt::Debug;
use std::time::Duration;

use tokio::sync::mpsc;

/// Waits for an event that was not looked at yet; without it in time, panics and tells which there were instead.
pub(crate) async fn wait<E: Debug, T>(
    events: &mut mpsc::Receiver<E>,
    patience: Duration,
    what: &str,
    mut found: impl FnMut(&E) -> Option<T>,
) -> T {
    let mut seen = Vec::new();
    let waiting = async {
        loop {
            let event = events.recv().await.expect("the node runs");
            match found(&event) {
                Some(found) => return found,
                None => seen.push(event),
            }
        }
    };
    match tokio::time::timeout(patience, waiting).await {
        Ok(found) => found,
        Err(_) => panic!("no {what}; saw {seen:#?}"),
    }
}
