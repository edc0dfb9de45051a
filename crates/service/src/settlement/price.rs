//! Amounts. Every division rounds half a cent up.

use std::collections::BTreeMap;

use super::{Flat, Line, Question, Tax, Version};
use crate::agreement::{Cap, Prices, Rounding};
use crate::journal::{Month, Under};

/// `number / by`, rounded to the nearest whole number; half goes up. `by` is positive.
pub fn div_round(number: i128, by: i64) -> i64 {
    let doubled = 2 * number + i128::from(by);
    // More cents than fit are no amount; no price and no month comes near.
    i64::try_from(doubled.div_euclid(2 * i128::from(by))).unwrap_or(i64::MAX)
}

/// Prices the lines, which are in order. What minutes cost is rounded over the sum of a version, so that the lines add up to
/// it: a line costs by how much the rounded sum grows.
pub(super) fn lines(lines: &mut [Line<'_>], versions: &BTreeMap<&Under, &Version>) {
    let mut sums: BTreeMap<&Under, i128> = BTreeMap::new();
    for line in lines {
        let sign = if line.contact.outcome.is_billed() { line.kind.sign() } else { 0 };
        let Some(under) = line.contact.under.as_ref() else { continue };
        let Some(prices) = versions.get(under).and_then(|version| version.prices()) else { continue };
        line.billed_seconds = sign * billed(line.contact.seconds, prices.rounding);
        let minute = i64::from(prices.minute_cents.unwrap_or_default());
        let sum = sums.entry(under).or_default();
        let before = div_round(*sum, 60);
        *sum += i128::from(line.billed_seconds) * i128::from(minute);
        line.cents = div_round(*sum, 60) - before + sign * i64::from(prices.contact_cents.unwrap_or_default());
    }
}

/// The seconds that are billed for a contact of so many.
fn billed(seconds: u32, rounding: Rounding) -> i64 {
    let seconds = i64::from(seconds);
    match rounding {
        Rounding::Second => seconds,
        Rounding::MinuteUp => (seconds + 59) / 60 * 60,
        Rounding::Minute => (seconds + 30) / 60 * 60,
    }
}

/// What is paid by the month: each version of an agreement for the days on which it counted, so that the parts add up.
pub(super) fn flats(month: Month, versions: &[Version]) -> Vec<Flat> {
    let mut by_agreement: BTreeMap<&str, Vec<&Version>> = BTreeMap::new();
    for version in versions {
        by_agreement.entry(&version.under.agreement).or_default().push(version);
    }
    let mut flats = Vec::new();
    for mut versions in by_agreement.into_values() {
        versions.sort_by_key(|version| version.under.version);
        let mut sum = 0_i128;
        for (at, version) in versions.iter().enumerate() {
            let newer = &versions[at + 1..];
            let counts =
                |day: &jiff::civil::Date| version.covers(*day) && !newer.iter().any(|newer| newer.covers(*day));
            let days = month.first().series(jiff::Span::new().days(1)).take_while(|day| *day <= month.last());
            let days = days.filter(counts).count();
            let price = version.prices().and_then(|prices| prices.month_cents).unwrap_or_default();
            if days > 0 {
                let before = div_round(sum, i64::from(month.days()));
                sum += i128::from(price) * days as i128;
                let cents = div_round(sum, i64::from(month.days())) - before;
                flats.push(Flat { under: version.under.clone(), days: days as i64, cents });
            }
        }
    }
    flats
}

pub(super) struct Sums {
    pub net: i64,
    pub cap: i64,
    pub taxes: Vec<Tax>,
    pub year_net: i64,
    pub year_billed: i64,
}

/// Adds up, takes off what is over the cap of the year, and taxes what is left.
pub(super) fn sums(
    question: &Question<'_>,
    lines: &[Line<'_>],
    flats: &[Flat],
    versions: &BTreeMap<&Under, &Version>,
) -> Sums {
    let rate = |under: &Under| versions.get(under).and_then(|version| version.prices()).map_or(0, |p| p.tax_permille);
    let mut by_rate: BTreeMap<u16, i64> = BTreeMap::new();
    let of_lines = lines.iter().filter_map(|line| Some((line.contact.under.as_ref()?, line.cents)));
    for (under, cents) in of_lines.chain(flats.iter().map(|flat| (&flat.under, flat.cents))) {
        if cents != 0 {
            *by_rate.entry(rate(under)).or_default() += cents;
        }
    }
    let net: i64 = by_rate.values().sum();
    let before = question.closed.last().filter(|statement| statement.month.year() == question.month.year());
    let (net_before, billed_before) =
        before.map_or((0, 0), |statement| (statement.year_net_cents, statement.year_billed_cents));
    let year_net = net_before + net;
    let capping = capping(question.month, question.versions);
    let billed = capping.map_or(net, |(_, cap)| {
        let most = i64::from(cap.cents_per_inhabitant) * i64::from(cap.inhabitants);
        (year_net.min(most) - billed_before).clamp(net.min(0), net.max(0))
    });
    let cap = net - billed;
    if let Some((version, _)) = capping.filter(|_| cap != 0) {
        *by_rate.entry(rate(&version.under)).or_default() -= cap;
    }
    let tax = |(permille, net_cents): (u16, i64)| Tax {
        permille,
        net_cents,
        cents: div_round(i128::from(net_cents) * i128::from(permille), 1_000),
    };
    Sums {
        net,
        cap,
        taxes: by_rate.into_iter().filter(|(permille, _)| *permille > 0).map(tax).collect(),
        year_net,
        year_billed: billed_before + billed,
    }
}

/// The version whose cap counts: of those with one that count on the last day of the month on which any does, the newest.
fn capping(month: Month, versions: &[Version]) -> Option<(&Version, &Cap)> {
    let cap = |version: &Version| version.last_day.min(month.last());
    let in_month = versions.iter().filter(|v| v.terms.from() <= month.last() && v.last_day >= month.first());
    in_month
        .max_by_key(|version| (cap(version), version.under.version, version.under.agreement.clone()))
        .and_then(|version| Some((version, version.prices().and_then(|prices: &Prices| prices.cap.as_ref())?)))
}
