//! What a host gives besides sockets.

use std::time::Duration;

use super::Hosts;

pub(crate) async fn a_spawned_task_runs(hosts: Hosts) {
    let (done, told) = tokio::sync::oneshot::channel();
    hosts.client.spawn("test", Box::pin(async move { done.send(7).unwrap() }));
    assert_eq!(told.await, Ok(7));
}

pub(crate) async fn addresses_are_its_own(hosts: Hosts) {
    let addresses = hosts.client.local_addresses().unwrap();
    assert!(addresses.contains(&hosts.client_address));
    assert!(addresses.iter().any(std::net::IpAddr::is_loopback));
}

pub(crate) async fn entropy_differs_from_draw_to_draw(hosts: Hosts) {
    let mut draws = [[0; 32]; 2];
    hosts.client.fill_random(&mut draws[0]);
    hosts.client.fill_random(&mut draws[1]);
    assert_ne!(draws[0], draws[1]);
    assert_ne!(draws[0], [0; 32]);
}

pub(crate) async fn names_resolve_or_fail(hosts: Hosts) {
    assert!(hosts.client.resolve("localhost").await.unwrap().iter().all(std::net::IpAddr::is_loopback));
    assert_eq!(hosts.client.resolve("192.0.2.7").await.unwrap(), [std::net::IpAddr::from([192, 0, 2, 7])]);
    assert!(hosts.client.resolve("no-such-host.invalid").await.is_err());
}

pub(crate) async fn the_calendar_is_plausible(hosts: Hosts) {
    const YEAR: Duration = Duration::from_secs(31_556_952);
    let first = hosts.client.wall_clock();
    assert!(first > YEAR * 50 && first < YEAR * 200, "{first:?}");
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert!(hosts.client.wall_clock() > first);
}
