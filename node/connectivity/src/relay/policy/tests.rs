use proptest::prelude::*;

use super::*;

fn candidate(rtt: u64, load: f64) -> Candidate {
    Candidate { rtt: Some(Duration::from_millis(rtt)), loss: 0.0, load, success: 1.0, hint: None }
}

fn choose(policy: &dyn Policy, candidates: &[Candidate], current: Option<usize>, bits: u64) -> Option<usize> {
    policy.choose(&View { candidates, current, parameters: &Parameters::default(), bits })
}

#[test]
fn names_are_unique_and_found() {
    for known in POLICIES {
        assert_eq!(policy(known.name()).unwrap().name(), known.name());
    }
    let mut names = names();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), POLICIES.len());
}

#[test]
fn an_unknown_name_is_answered_with_the_known_ones() {
    let error = policy("nearest").unwrap_err();
    assert_eq!(error.to_string(), format!("found the policy `nearest`, expected one of {}", names().join(", ")));
}

#[test]
fn lowest_latency_goes_after_every_millisecond_and_sticky_does_not() {
    let candidates = [candidate(50, 0.5), candidate(49, 0.5)];
    assert_eq!(choose(&LowestLatency, &candidates, Some(0), 0), Some(1));
    assert_eq!(choose(&Sticky, &candidates, Some(0), 0), Some(0));
    assert_eq!(choose(&Sticky, &candidates, None, 0), Some(1));
}

#[test]
fn sticky_needs_both_margins() {
    // With these parameters an idle relay that grants everything costs its round-trip time.
    let of = |current: u64, other: u64| choose(&Sticky, &[candidate(current, 0.0), candidate(other, 0.0)], Some(0), 0);
    assert_eq!(of(40, 25), Some(0), "a third, but 15 ms only");
    assert_eq!(of(400, 350), Some(0), "50 ms, but an eighth only");
    assert_eq!(of(400, 300), Some(1));
}

#[test]
fn a_loaded_relay_loses_to_one_that_is_a_little_farther() {
    let candidates = [candidate(50, 1.0), candidate(70, 0.0)];
    assert_eq!(choose(&LatencyTimesLoad, &candidates, None, 0), Some(1));
    assert_eq!(choose(&LowestLatency, &candidates, None, 0), Some(0));
}

#[test]
fn random_of_best_n_draws_each_of_the_nearest_and_keeps_what_it_drew() {
    let candidates = [candidate(40, 0.0), candidate(10, 0.0), candidate(20, 0.0), candidate(30, 0.0)];
    let drawn: std::collections::BTreeSet<_> =
        (0..100).filter_map(|bits| choose(&RandomOfBestN, &candidates, None, bits)).collect();
    assert_eq!(drawn, [1, 2, 3].into());
    assert!((0..100).all(|bits| choose(&RandomOfBestN, &candidates, Some(3), bits) == Some(3)));
    assert!((0..100).all(|bits| choose(&RandomOfBestN, &candidates, Some(0), bits) != Some(0)));
}

#[test]
fn power_of_two_choices_never_takes_the_most_loaded() {
    let candidates = [candidate(10, 0.9), candidate(50, 0.2), candidate(90, 0.1)];
    assert!((0..100).all(|bits| choose(&PowerOfTwoChoices, &candidates, None, bits) != Some(0)));
}

#[test]
fn geographic_hint_knows_the_nearest_before_anything_was_measured() {
    let hinted = |hint| Candidate { rtt: None, hint: Some(Duration::from_millis(hint)), ..candidate(0, 0.5) };
    assert_eq!(choose(&GeographicHint, &[hinted(200), hinted(20), hinted(90)], None, 0), Some(1));
}

fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
    let rtt = || prop::option::of((0_u64..60_000).prop_map(Duration::from_millis));
    let one = (rtt(), 0.0..=1.0, 0.0..=1.0, 0.0..=1.0, rtt()).prop_map(|(rtt, loss, load, success, hint)| Candidate {
        rtt,
        loss,
        load,
        success,
        hint,
    });
    prop::collection::vec(one, 0..24)
}

fn parameters() -> impl Strategy<Value = Parameters> {
    prop::collection::vec(0.0..=1.0, PARAMETERS.len()).prop_map(|values| {
        let mut parameters = Parameters::default();
        for (parameter, value) in PARAMETERS.iter().zip(values) {
            let (low, high) = parameter.range;
            parameters.set(parameter.name, low + value * (high - low)).unwrap();
        }
        parameters
    })
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn every_policy_chooses_a_candidate_whenever_there_is_one_and_the_same_again(
        candidates in candidates(), current in prop::option::of(0_usize..32), parameters in parameters(), bits: u64,
    ) {
        let current = current.filter(|index| *index < candidates.len());
        let view = View { candidates: &candidates, current, parameters: &parameters, bits };
        for policy in POLICIES {
            let chosen = policy.choose(&view);
            prop_assert_eq!(chosen.is_some(), !candidates.is_empty(), "{}", policy.name());
            prop_assert!(chosen.is_none_or(|index| index < candidates.len()), "{}", policy.name());
            prop_assert_eq!(chosen, policy.choose(&view), "{}", policy.name());
        }
    }

    #[test]
    fn every_policy_still_chooses_a_relay_that_became_better(
        candidates in candidates(), current in prop::option::of(0_usize..32), bits: u64, share in 0.0..=1.0,
    ) {
        let parameters = Parameters::default();
        let current = current.filter(|index| *index < candidates.len());
        for policy in POLICIES {
            let view = View { candidates: &candidates, current, parameters: &parameters, bits };
            let Some(chosen) = policy.choose(&view) else { continue };
            let mut better = candidates.clone();
            let one = &mut better[chosen];
            one.rtt = one.rtt.map(|rtt| rtt.mul_f64(share));
            one.hint = one.hint.map(|hint| hint.mul_f64(share));
            one.load *= share;
            one.loss *= share;
            one.success = 1.0 - (1.0 - one.success) * share;
            // What is drawn at random may be drawn among others now; what is kept is kept.
            if policy.name() != RandomOfBestN.name() || current == Some(chosen) {
                let view = View { candidates: &better, ..view };
                prop_assert_eq!(policy.choose(&view), Some(chosen), "{}", policy.name());
            }
        }
    }

    #[test]
    fn sticky_never_flaps_between_relays_that_are_nearly_equal(base in 30_u64..1_000, noise in prop::collection::vec((0_u64..20, 0_u64..20), 1..64)) {
        let mut current = Some(0);
        for (left, right) in noise {
            let candidates = [candidate(base + left, 0.5), candidate(base + right, 0.5)];
            current = choose(&Sticky, &candidates, current, 0);
            // Costs are at most 1.5 times the round-trip times, so noise of 13 ms stays below the absolute margin.
            prop_assert!(current == Some(0) || left.abs_diff(right) > 13);
            current = Some(0);
        }
    }

    #[test]
    fn cost_grows_with_everything_that_is_bad(candidates in candidates(), parameters in parameters(), share in 0.0..=1.0) {
        for good in candidates {
            let worse = [
                Candidate { rtt: good.rtt.map(|rtt| rtt + Duration::from_millis(1)), ..good },
                Candidate { load: good.load + (1.0 - good.load) * share, ..good },
                Candidate { loss: good.loss + (1.0 - good.loss) * share, ..good },
                Candidate { success: good.success * share, ..good },
            ];
            for worse in worse {
                prop_assert!(cost(&worse, &parameters) >= cost(&good, &parameters));
            }
        }
    }
}
