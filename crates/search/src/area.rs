//! Places as the index keeps them: an ARS without its tail of zeros.

use ortsnetz_model::Ars;

/// Where an entry is valid, or where a question is asked: the digits that count; none of them means everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Area {
    /// The digits as a number, filled with zeros up to 12.
    number: u64,
    digits: u32,
}

impl Area {
    const DIGITS_MAX: u32 = 12;

    /// The area of this key. All zeros mean the whole country.
    pub fn of(ars: &Ars) -> Self {
        let number = ars.as_str().parse().unwrap_or(0);
        let digits = if number == 0 { 0 } else { u32::try_from(ars.prefix().len()).unwrap_or(Self::DIGITS_MAX) };
        Self { number, digits }
    }

    /// How many digits count: 12 a municipality, 5 a county, 2 a state, 0 everywhere.
    pub fn digits(self) -> u8 {
        // At most 12.
        u8::try_from(self.digits).unwrap_or(0)
    }

    /// The area as one number for a column.
    pub fn encode(self) -> u64 {
        self.number * 16 + u64::from(self.digits)
    }

    /// The area with this number.
    pub fn decode(encoded: u64) -> Self {
        let digits = u32::try_from(encoded % 16).unwrap_or(0).min(Self::DIGITS_MAX);
        Self { number: encoded / 16, digits }
    }

    /// The area of the first `digits` digits.
    fn cut(self, digits: u32) -> Self {
        let unit = 10u64.pow(Self::DIGITS_MAX - digits);
        Self { number: self.number / unit * unit, digits }
    }

    /// Whether what is valid here is valid in all of `other`.
    pub fn covers(self, other: Self) -> bool {
        self.digits <= other.digits && other.cut(self.digits).number == self.number
    }

    fn text(self) -> String {
        let all = format!("{:012}", self.number);
        all[..self.digits as usize].to_owned()
    }

    /// The term of entries that name exactly this area.
    pub fn itself(self) -> String {
        format!("={}", self.text())
    }

    /// The terms under which an entry valid here is found: itself, and marked with `<` what it is a part of.
    pub fn terms(self) -> Vec<String> {
        let above = [0, 2, 3, 5, 9].into_iter().filter(|&digits| digits < self.digits);
        std::iter::once(self.itself()).chain(above.map(|digits| format!("<{}", self.cut(digits).text()))).collect()
    }

    /// The terms that find every entry valid here: in all of the area, or in a part of it.
    pub fn asked(self) -> Vec<String> {
        (0..=self.digits)
            .map(|digits| format!("={}", self.cut(digits).text()))
            .chain([format!("<{}", self.text())])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(text: &str) -> Area {
        Area::of(&text.parse().unwrap())
    }

    fn finds(asked: &str, valid: &str) -> bool {
        let terms = area(valid).terms();
        area(asked).asked().iter().any(|term| terms.contains(term))
    }

    #[test]
    fn what_is_valid_above_is_valid_below() {
        for valid in ["053620028028", "053620028000", "053620000000", "053000000000", "050000000000", "000000000000"] {
            assert!(finds("053620028028", valid), "{valid}");
            assert!(area(valid).covers(area("053620028028")), "{valid}");
        }
        for valid in ["053150000000", "053620028029", "060000000000"] {
            assert!(!finds("053620028028", valid), "{valid}");
            assert!(!area(valid).covers(area("053620028028")), "{valid}");
        }
    }

    #[test]
    fn a_county_finds_what_is_valid_in_a_part_of_it() {
        assert!(finds("053620000000", "053620028028"));
        assert!(finds("050000000000", "053620028028"));
        assert!(!finds("053620000000", "053820060060"));
        assert!(!area("053620028028").covers(area("053620000000")));
    }

    #[test]
    fn numbers_come_back_as_the_area() {
        for text in ["053620028028", "053150000000", "010010000000", "110000000000", "000000000000"] {
            assert_eq!(Area::decode(area(text).encode()), area(text));
        }
        assert_eq!(area("053150000000").digits(), 5);
        assert_eq!(Area::decode(u64::MAX).digits, 12);
    }
}
