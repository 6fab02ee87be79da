//! The name that was probably meant.

/// Longest word that is compared: the distance is quadratic and the words come from outside.
const LONGEST_WORD: usize = 64;

/// The candidate closest to `word`, when it is close enough to be a plausible slip of the pen.
///
/// Distance is optimal string alignment without regard to case; a third of the longer word may differ, of two letters none. Among equals the first
/// candidate wins, so the answer does not depend on anything but the order given.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.is_empty() || word.len() > LONGEST_WORD {
        return None;
    }
    let word = word.to_lowercase();
    let mut best: Option<(usize, &'a str)> = None;
    for candidate in candidates {
        let distance = strsim::osa_distance(&word, &candidate.to_lowercase());
        let allowed = word.chars().count().max(candidate.chars().count()) / 3;
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_pen_finds_its_name() {
        assert_eq!(nearest("conect_time", ["path", "connect_time"]), Some("connect_time"));
        assert_eq!(nearest("Kib", ["kB", "KiB"]), Some("KiB"));
    }

    #[test]
    fn an_unrelated_word_finds_nothing() {
        assert_eq!(nearest("banana", ["path", "connect_time"]), None);
        assert_eq!(nearest("MB", ["ms", "s"]), None);
        assert_eq!(nearest("", ["path"]), None);
        assert_eq!(nearest(&"x".repeat(1_000), ["path"]), None);
    }
}
