//! Hosts that choose among relays, one of which dies.

use super::{Dice, Draft, host};

/// Relays of the scenario: more than have a colour.
pub(crate) const RELAYS: usize = 8;
/// Hosts that choose: more than the timeline shows.
pub(crate) const HOSTS: usize = 14;

/// Half of the hosts are at home at `relay-1` when it dies; one of them flaps before, another is without a home for a while.
pub(crate) fn relay_selection(seed: u64) -> Draft {
    let mut draft = Draft::new("relay-selection/death", "A home relay dies", "", seed);
    draft.head.hosts = (1..=RELAYS).map(|n| host(&format!("relay-{n}"), "relay", "public")).collect();
    draft.head.hosts.iter_mut().for_each(|relay| relay.region = "eu".into());
    let mut dice = Dice::new(seed);
    for n in 1..=HOSTS {
        let name = format!("peer-{n}");
        draft.host(&name, "EI/APD");
        choose(&mut draft, &name, n, &mut dice);
        draft.value(60.0, "flaps", if n == 1 { 120.0 } else { 0.0 }, &[("from", &name)]);
        for second in 1..=20 {
            draft.value(f64::from(second), "latency_stretch", dice.tail(1.6), &[("from", &name), ("to", "peer-0")]);
        }
    }
    for second in 1..=60_u32 {
        let at = f64::from(second);
        for relay in 1..=RELAYS {
            let name = format!("relay-{relay}");
            let is_dead = relay == 1 && second > 30;
            let hosts = if is_dead { 0.0 } else { 3.0 };
            draft.value(at, "relay_reservations", hosts, &[("relay", &name)]);
            draft.value(at, "relay_bytes", hosts * 1_000.0 * relay as f64, &[("relay", &name)]);
        }
    }
    for n in 1..=HOSTS / 2 {
        let (name, time) = (format!("peer-{n}"), dice.tail(0.6));
        draft.value(31.0 + time, "failover_time", time, &[("to", &name), ("relay", "relay-1"), ("fault", "crash")]);
        draft.value(60.0, "unreachable_per_day", 90.0, &[("host", &name)]);
        for second in 40..50 {
            let tags = [("from", "watcher"), ("to", name.as_str()), ("relay", "relay-3")];
            draft.category(f64::from(second), "reach", "reached", &tags);
            draft.value(f64::from(second), "reach_time", dice.tail(0.15), &tags);
        }
    }
    draft.fault("crash", "relay-1", 30.0, None, 1);
    for relay in 1..=RELAYS {
        let name = format!("relay-{relay}");
        for (of, share) in [("bytes", relay as f64 / 36.0), ("reservations", 0.125), ("circuits", 0.125)] {
            draft.value(60.0, "relay_load", share, &[("relay", &name), ("of", of)]);
        }
        draft.category(20.0, "relay_probe", "answered", &[("from", "peer-1"), ("relay", &name)]);
        draft.category(21.0, "relay_probe", "silent", &[("from", "peer-1"), ("relay", &name)]);
    }
    draft.expect("max(flaps) < 200", 120.0, "120", true);
    draft
}

fn choose(draft: &mut Draft, name: &str, number: usize, dice: &mut Dice) {
    let mut change = |at: f64, reason: &str, relay: &str| {
        draft.category(at, "home_change", reason, &[("from", name), ("relay", relay)]);
    };
    let first = if number <= HOSTS / 2 { "relay-1".to_owned() } else { format!("relay-{}", 2 + number % (RELAYS - 1)) };
    change(1.0 + dice.roll(), "first", &first);
    if number == 1 {
        change(10.0, "better", "relay-2");
        change(20.0, "better", "relay-1");
    }
    if number == 2 {
        change(32.0, "failed", "none");
        change(45.0, "first", "relay-4");
    } else if first == "relay-1" {
        change(31.0 + dice.roll(), "failed", "relay-3");
    }
}
