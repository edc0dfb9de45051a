//! Which new element is which old one, so that editing, moving, inserting and deleting keep the others' identity.

use std::collections::{HashMap, HashSet, VecDeque};

/// Above this many pairs of unmatched elements only their position counts.
const PAIRS_MAX: usize = 10_000;
/// From this share of common content (in percent) a changed element is taken for the same one at another place.
const SIMILAR_PERCENT: usize = 50;

/// For each new element the index of the old one it continues: first by equal content, then the most similar, then by
/// position between the same neighbours.
pub(crate) fn align(old: &[String], new: &[String], similar: impl Fn(usize, usize) -> usize) -> Vec<Option<usize>> {
    let mut matched = vec![None; new.len()];
    let same_start = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let longest_end = old.len().min(new.len()) - same_start;
    let ends = old.iter().rev().zip(new.iter().rev()).take(longest_end);
    let same_end = ends.take_while(|(old, new)| old == new).count();
    for (i, matched) in matched.iter_mut().enumerate() {
        if i < same_start {
            *matched = Some(i);
        } else if i >= new.len() - same_end {
            *matched = Some(i + old.len() - new.len());
        }
    }

    let mut by_content: HashMap<&str, VecDeque<usize>> = HashMap::new();
    for (i, content) in old.iter().enumerate().take(old.len() - same_end).skip(same_start) {
        by_content.entry(content).or_default().push_back(i);
    }
    for (matched, content) in matched.iter_mut().zip(new) {
        if matched.is_none() {
            *matched = by_content.get_mut(content.as_str()).and_then(VecDeque::pop_front);
        }
    }

    let mut left: HashSet<usize> = by_content.into_values().flatten().collect();
    by_similarity(&mut matched, &mut left, similar);
    let mut next_old = 0;
    for matched in &mut matched {
        if matched.is_none() && left.remove(&next_old) {
            *matched = Some(next_old);
        }
        next_old = matched.map_or(next_old, |matched| matched + 1);
    }
    matched
}

fn by_similarity(matched: &mut [Option<usize>], left: &mut HashSet<usize>, similar: impl Fn(usize, usize) -> usize) {
    let new_left: Vec<usize> = (0..matched.len()).filter(|&i| matched[i].is_none()).collect();
    if new_left.is_empty() || left.is_empty() || new_left.len() * left.len() > PAIRS_MAX {
        return;
    }
    let mut pairs: Vec<(usize, usize, usize, usize)> = Vec::new();
    for &new in &new_left {
        for &old in left.iter() {
            let percent = similar(old, new);
            if percent >= SIMILAR_PERCENT {
                pairs.push((100 - percent.min(100), old.abs_diff(new), new, old));
            }
        }
    }
    pairs.sort_unstable();
    for (_, _, new, old) in pairs {
        if matched[new].is_none() && left.remove(&old) {
            matched[new] = Some(old);
        }
    }
}

/// The share of words two texts have in common, in percent.
pub(crate) fn words_in_common(a: &str, b: &str) -> usize {
    let mut count: HashMap<&str, usize> = HashMap::new();
    a.split_whitespace().for_each(|word| *count.entry(word).or_default() += 1);
    let total_a: usize = count.values().sum();
    let (mut common, mut total_b) = (0_usize, 0_usize);
    for word in b.split_whitespace() {
        total_b += 1;
        if let Some(count) = count.get_mut(word).filter(|count| **count > 0) {
            *count -= 1;
            common += 1;
        }
    }
    (200 * common).checked_div(total_a + total_b).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(old: &str, new: &str, expected: &[Option<usize>]) {
        let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        let (old, new) = (list(old), list(new));
        let matched = align(&old, &new, |o, n| words_in_common(&old[o], &new[n]));
        assert_eq!(matched, expected, "{old:?} -> {new:?}");
    }

    #[test]
    fn identity_survives_editing_moving_inserting_and_deleting() {
        check("a,b,c", "c,a,b", &[Some(2), Some(0), Some(1)]);
        check("a,b,c", "a,x,b,c", &[Some(0), None, Some(1), Some(2)]);
        check("a,b,c", "a,x,c", &[Some(0), Some(1), Some(2)]);
        check("a,b,c", "a,c", &[Some(0), Some(2)]);
        check("a,a", "a", &[Some(0)]);
        check("a", "a,a", &[Some(0), None]);
        check("das ist eins,b", "neu,b,das ist zwei", &[None, Some(1), Some(0)]);
        check("a,b", "x,y,b", &[Some(0), None, Some(1)]);
    }
}
