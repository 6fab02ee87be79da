//! Seeds in few characters.

/// `7`, `1..4`, `1, 5, 9`, or how many there are and where they begin.
pub(super) fn show(seeds: &[u64]) -> String {
    const LISTED: usize = 4;
    let mut sorted = seeds.to_vec();
    sorted.sort_unstable();
    match sorted.as_slice() {
        [] => "none".into(),
        [only] => only.to_string(),
        [first, .., last] if last - first == sorted.len() as u64 - 1 => format!("{first}..{last}"),
        few if few.len() <= LISTED => few.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
        [first, ..] => format!("{} from {first}", sorted.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::show;

    #[test]
    fn seeds_are_shown_in_the_shortest_way() {
        let shown = |seeds: &[u64]| show(seeds);
        assert_eq!([shown(&[7]), shown(&[3, 1, 2, 4]), shown(&[1, 5, 9])], ["7", "1..4", "1, 5, 9"]);
        assert_eq!(shown(&[1, 5, 9, 12, 20, u64::MAX]), "6 from 1");
    }
}
