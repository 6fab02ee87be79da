//! How a run ends.

use std::future;
use std::sync::Arc;
use std::time::Duration;

use darkswap_node::Runtime;
use darkswap_sim::Simulation;

use super::{host, on, receive, run, setup};

#[test]
fn a_panic_of_a_task_ends_the_run_and_says_where() {
    let outcome = Simulation::new(1).run(setup, |world| async move {
        host(&world, "one").spawn("careless", Box::pin(async { panic!("a bug") }));
        future::pending::<()>().await;
    });
    assert_eq!(outcome.unwrap_err().to_string(), "task `careless` of host `one` panicked: a bug");
}

#[test]
fn a_run_without_end_is_ended_by_its_limit() {
    let limit = Duration::from_secs(10);
    let outcome = Simulation::new(1).limit(limit).run(setup, |_| future::pending::<()>());
    assert_eq!(outcome.unwrap_err().to_string(), "the run did not end within 10s of simulated time");
}

#[test]
fn sockets_may_outlive_the_run() {
    let socket = run(|world| async move {
        let one = host(&world, "one");
        one.bind_udp(on(&one, 4_001)).unwrap()
    });
    assert!(socket.value.try_send(b"too late", "198.51.100.2:1".parse().unwrap()).is_err());
}

#[test]
fn tasks_and_their_sockets_end_with_the_run() {
    let alive = Arc::new(());
    let held = Arc::downgrade(&alive);
    let outcome = Simulation::new(1).run(setup, move |world| async move {
        let one = host(&world, "one");
        let socket = one.bind_udp(on(&one, 4_001)).unwrap();
        one.spawn(
            "waiting",
            Box::pin(async move {
                let _alive = alive;
                receive(&socket).await;
            }),
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
    });
    assert_eq!(outcome.unwrap().simulated, Duration::from_secs(1));
    assert_eq!(held.strong_count(), 0);
}

#[test]
fn interposition_is_missed_where_it_is_not_linked() {
    let outcome = Simulation::new(1).require_interposition().run(setup, |_| async {});
    assert_eq!(outcome.unwrap_err().to_string(), "the process does not replace clock_gettime");
}
