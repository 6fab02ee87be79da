//! What a report holds of runs in which hosts chose among relays.

use super::synthetic::relay::{HOSTS, relay_selection};
use super::synthetic::{Draft, suite};
use super::{report, titles};

#[test]
fn the_choice_of_relays_is_shown_where_there_was_one_and_nowhere_else() {
    let drafts: Vec<Draft> = (1..=3).map(relay_selection).chain(suite()).collect();
    let (dir, _, html) = report(&drafts);
    let of = |scenario: &str| -> Vec<&str> {
        html.split("<figure").skip(1).filter(|figure| figure.contains(&format!("{scenario} · seed"))).collect()
    };
    let shown = of("relay-selection/death");
    assert_eq!(
        titles(&shown),
        [
            "Out of reach after the death of a home relay",
            "Time to reach a host through what it announces",
            "Home relay over time",
            "Reservations by relay",
            "Bytes sent by relay",
            "Fairness of relay load",
            "Latency stretch"
        ]
    );
    assert!(titles(&of("quickstart")).iter().all(|title| !title.contains("elay")));
    for (tile, value) in [("Failover p95", " s<"), ("Unreachable a day", ">90 s<"), ("Flaps an hour", ">8.57<")] {
        let found = html.split("<dt>").find(|it| it.starts_with(tile)).unwrap();
        assert!(found.contains(value), "{found}");
    }
    assert!(html.contains("<dt>Home relay</dt>") && html.contains("<summary>Relays</summary>"));

    // Of the hosts that moved most the first is the one that had no home, and a stroke marks each death.
    let home = shown[2];
    assert!(home.contains(&format!("{} more hosts moved less", HOSTS - 12)), "{home}");
    assert!(home.contains("no home") && home.contains("1 failed, 2 by choice · seed 1"), "{home}");
    assert!(home.find("peer-1<").unwrap() < home.find("peer-10<").unwrap(), "{home}");
    // Six of eight relays have a colour of their own, those that were home most often.
    let bytes = shown[4];
    assert!(bytes.contains("2 other relays") && bytes.contains("relay-6") && !bytes.contains("relay-8"), "{bytes}");
    assert!(shown[5].contains("when all 8 relays carry the same, 0.125 when one"), "{}", shown[5]);

    let csv = std::fs::read_to_string(dir.path().join("out/csv/home_change.csv")).unwrap();
    assert!(csv.starts_with("scenario,seed,commit,at [s],category,from,relay\n"), "{csv}");
}

#[test]
fn without_several_relays_nothing_was_chosen() {
    let mut draft = relay_selection(1);
    draft.records.retain(|record| {
        !matches!(record, darkswap_records::record::Record::Sample(it) if it.tags.get("relay").is_some_and(|it| it != "relay-2"))
    });
    let (_dir, _, html) = report(&[draft]);
    assert!(!html.contains("Home relay") && !html.contains("<summary>Relays</summary>"));
}
