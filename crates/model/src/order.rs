//! Order keys: strings that sort where an element stands, with room for another between any two.
//!
//! A key is a fraction in base 62 without trailing zeros. Keys depend only on their neighbours, so two nodes that import
//! the same list give it the same keys.

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Digits that fit into the arithmetic; longer keys make the whole list get new ones.
const DIGITS_MAX: usize = 20;

/// The ordered keys of `new` elements: `None` for one that needs a key, `Some` for one that has one already. Keeps as many
/// keys as possible.
pub(crate) fn assign(old: &[Option<&str>]) -> Vec<String> {
    let mut keys = kept(old);
    let mut i = 0;
    while i < keys.len() {
        if keys[i].is_some() {
            i += 1;
            continue;
        }
        let end = (i..keys.len()).find(|&end| keys[end].is_some()).unwrap_or(keys.len());
        let low = i.checked_sub(1).and_then(|before| keys[before].as_deref());
        let high = keys.get(end).and_then(|key| key.as_deref());
        let Some(new) = between(low, high, end - i) else {
            return between(None, None, keys.len()).unwrap_or_default();
        };
        for (key, new) in keys[i..end].iter_mut().zip(new) {
            *key = Some(new);
        }
        i = end;
    }
    keys.into_iter().flatten().collect()
}

/// The longest strictly ascending subsequence of the keys; the others become `None`.
fn kept(old: &[Option<&str>]) -> Vec<Option<String>> {
    // `ends[n]` is the index of the smallest key that ends an ascending sequence of n + 1 keys.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; old.len()];
    for (i, key) in old.iter().enumerate() {
        let Some(key) = key.filter(|key| is_valid(key)) else { continue };
        let length = ends.partition_point(|&end| old[end].is_some_and(|end| end < key));
        before[i] = length.checked_sub(1).map(|shorter| ends[shorter]);
        if length == ends.len() {
            ends.push(i);
        } else {
            ends[length] = i;
        }
    }
    let mut keys = vec![None; old.len()];
    let mut at = ends.last().copied();
    while let Some(i) = at {
        keys[i] = old[i].map(str::to_owned);
        at = before[i];
    }
    keys
}

fn is_valid(key: &str) -> bool {
    !key.is_empty() && key.len() <= DIGITS_MAX && !key.ends_with('0') && key.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// `count` ascending keys between two keys; `None` if they would get too long.
fn between(low: Option<&str>, high: Option<&str>, count: usize) -> Option<Vec<String>> {
    let count = u128::try_from(count).ok()?;
    (1..=DIGITS_MAX).find_map(|length| {
        let low_number = number(low.unwrap_or_default(), length, false);
        let high_number = match high {
            Some(high) => number(high, length, true),
            None => 62_u128.pow(u32::try_from(length).ok()?),
        };
        let room = high_number.checked_sub(low_number)?;
        // `low` itself may have more digits than `length`: then it lies above `low_number`.
        let room = room.checked_sub(1)?;
        if room < count {
            return None;
        }
        // Appending is what people do most: leave the larger part of the room behind the last.
        let step =
            if low.is_some() && high.is_none() { (room / (count + 1) / 8).max(1) } else { (room + 1) / (count + 1) };
        let step = step.max(1);
        Some((1..=count).map(|i| text(low_number + i * step, length)).collect())
    })
}

/// The first `length` digits of a key as a number; rounded up if `ceiling` and digits are cut.
fn number(key: &str, length: usize, ceiling: bool) -> u128 {
    let digits = key.bytes().map(|byte| DIGITS.iter().position(|digit| *digit == byte).unwrap_or(0) as u128);
    let number = digits.chain(std::iter::repeat(0)).take(length).fold(0, |number, digit| number * 62 + digit);
    number + u128::from(ceiling && key.len() > length)
}

fn text(mut number: u128, length: usize) -> String {
    let mut digits = vec![0_u8; length];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(number % 62) as usize];
        number /= 62;
    }
    let text: String = digits.into_iter().map(char::from).collect();
    text.trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_are_short_and_the_same_everywhere() {
        assert_eq!(assign(&[None, None, None]), ["F", "U", "j"]);
        assert_eq!(assign(&[Some("F"), None, Some("U")])[1], "M");
        assert!(assign(&vec![None; 1000]).iter().all(|key| key.len() <= 2));
    }

    #[test]
    fn appending_a_thousand_times_keeps_keys_short() {
        let mut keys: Vec<String> = Vec::new();
        for _ in 0..1000 {
            let old: Vec<Option<&str>> = keys.iter().map(|key| Some(key.as_str())).chain([None]).collect();
            keys = assign(&old);
        }
        assert!(keys.is_sorted() && keys.iter().all(|key| key.len() <= 6), "{:?}", keys.last());
    }

    #[test]
    fn keys_of_strangers_are_replaced() {
        for bad in ["", "a0", "ä", "a-b", &"a".repeat(DIGITS_MAX + 1)] {
            let keys = assign(&[Some(bad), Some("b")]);
            assert!(is_valid(&keys[0]) && keys[0] < keys[1]);
        }
    }

    proptest! {
        #[test]
        fn any_order_gets_ascending_keys(moves in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..3_u8), 1..60)) {
            let mut keys: Vec<Option<String>> = Vec::new();
            for (from, to, action) in moves {
                match action {
                    0 if !keys.is_empty() => {
                        let key = keys.remove(from.index(keys.len()));
                        keys.insert(to.index(keys.len() + 1), key);
                    }
                    1 if !keys.is_empty() => drop(keys.remove(from.index(keys.len()))),
                    _ => keys.insert(to.index(keys.len() + 1), None),
                }
                let old: Vec<Option<&str>> = keys.iter().map(Option::as_deref).collect();
                let new = assign(&old);
                prop_assert_eq!(new.len(), keys.len());
                prop_assert!(new.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", new);
                prop_assert!(new.iter().all(|key| is_valid(key)));
                keys = new.into_iter().map(Some).collect();
            }
        }

        #[test]
        fn inserting_at_one_place_never_ends(count in 1..200_usize) {
            let mut keys = assign(&[None, None]);
            for _ in 0..count {
                let old: Vec<Option<&str>> = [Some(keys[0].as_str()), None].into_iter().chain(keys[1..].iter().map(|key| Some(key.as_str()))).collect();
                keys = assign(&old);
                prop_assert!(keys.is_sorted());
            }
        }
    }
}
