//! How much is relayed, in all and for each partner. Knows no clock and no socket: time comes in.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use ortsnetz_model::NodeId;

/// What a partner may have relayed in a day begins anew after this.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Asks are counted over this.
const MINUTE: Duration = Duration::from_secs(60);

/// How much a node relays for others. A partner counts at both ends of a circuit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayLimits {
    /// Circuits open at one time.
    pub circuits_max: usize,
    /// Of these, with one partner's node at one of the ends.
    pub circuits_per_partner_max: usize,
    /// Bytes relayed for one partner's node in a day, in both directions.
    pub bytes_per_day_max: u64,
    /// How long one circuit lives; after that, its ends dial anew.
    pub circuit_time_max: Duration,
    /// Circuits one partner's node may ask for in a minute.
    pub asks_per_minute_max: u32,
}

impl Default for RelayLimits {
    fn default() -> Self {
        Self {
            circuits_max: 128,
            circuits_per_partner_max: 8,
            bytes_per_day_max: 1024 * 1024 * 1024,
            circuit_time_max: Duration::from_secs(12 * 3600),
            asks_per_minute_max: 30,
        }
    }
}

/// What a node relays and has relayed since it started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relaying {
    /// Circuits open now.
    pub circuits: usize,
    /// Circuits opened.
    pub opened: u64,
    /// Circuits refused or ended because of a limit.
    pub refused: u64,
    /// Bytes passed on.
    pub bytes: u64,
}

/// Why a circuit is not opened, or ends. The text is for the administrator of the town that asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("it does not relay")]
    NotRelaying,
    // One text for both: who its partners are is nobody's business.
    #[error("the other node is not connected to it as its partner")]
    NotThere,
    #[error("it relays {max} circuits already, the most it takes; try again later")]
    Circuits { max: usize },
    #[error("it relays {max} circuits for one of the two partners already, the most it takes for one; try again later")]
    PartnerCircuits { max: usize },
    #[error(
        "its quota for one of the two partners is used up: it relays {max} bytes a day for each; again in {} min, or ask its administrator to raise bytes_per_day_max", .again.as_secs().div_ceil(60)
    )]
    Bytes { max: u64, again: Duration },
    #[error("it was asked for more than {max} circuits within a minute; try again later")]
    Asks { max: u32 },
    #[error("the circuit was open for {} s, the longest it relays one; its ends dial anew", .0.as_secs())]
    Time(Duration),
}

/// The books of a node that relays.
#[derive(Debug)]
pub(crate) struct Quotas {
    pub(crate) limits: RelayLimits,
    pub(crate) totals: Relaying,
    partners: HashMap<NodeId, Used>,
}

/// What one partner's node used.
#[derive(Debug)]
struct Used {
    circuits: usize,
    bytes: u64,
    day: Instant,
    asks: u32,
    minute: Instant,
}

impl Quotas {
    pub(crate) fn new(limits: RelayLimits) -> Self {
        Self { limits, totals: Relaying::default(), partners: HashMap::new() }
    }

    /// Counts an ask; comes before anything that costs more.
    pub(crate) fn ask(&mut self, now: Instant, from: &NodeId) -> Result<(), Refused> {
        let max = self.limits.asks_per_minute_max;
        let used = self.used(now, from);
        used.asks = used.asks.saturating_add(1);
        if used.asks > max {
            return self.refuse(Refused::Asks { max });
        }
        Ok(())
    }

    /// Opens a circuit between two nodes; [`close`](Self::close) follows.
    pub(crate) fn open(&mut self, now: Instant, from: &NodeId, to: &NodeId) -> Result<(), Refused> {
        // Nobody is remembered who has nothing open and used nothing lately.
        self.partners.retain(|_, used| used.circuits > 0 || now.duration_since(used.day) < DAY);
        let max = self.limits.circuits_max;
        if self.totals.circuits >= max {
            return self.refuse(Refused::Circuits { max });
        }
        let max = self.limits.circuits_per_partner_max;
        if [from, to].iter().any(|node| self.used(now, node).circuits >= max) {
            return self.refuse(Refused::PartnerCircuits { max });
        }
        self.within_day(now, from, to)?;
        [from, to].iter().for_each(|node| self.used(now, node).circuits += 1);
        self.totals.circuits += 1;
        self.totals.opened += 1;
        Ok(())
    }

    /// Counts bytes that were passed on. An error says why the circuit has to end.
    pub(crate) fn charge(&mut self, now: Instant, from: &NodeId, to: &NodeId, bytes: u64) -> Result<(), Refused> {
        self.totals.bytes += bytes;
        for node in [from, to] {
            let used = self.used(now, node);
            used.bytes = used.bytes.saturating_add(bytes);
        }
        self.within_day(now, from, to)
    }

    /// A circuit is over.
    pub(crate) fn close(&mut self, from: &NodeId, to: &NodeId) {
        self.totals.circuits = self.totals.circuits.saturating_sub(1);
        for node in [from, to] {
            if let Some(used) = self.partners.get_mut(node) {
                used.circuits = used.circuits.saturating_sub(1);
            }
        }
    }

    fn within_day(&mut self, now: Instant, from: &NodeId, to: &NodeId) -> Result<(), Refused> {
        let max = self.limits.bytes_per_day_max;
        for node in [from, to] {
            let used = self.used(now, node);
            if used.bytes >= max {
                let again = DAY.saturating_sub(now.duration_since(used.day));
                return self.refuse(Refused::Bytes { max, again });
            }
        }
        Ok(())
    }

    fn refuse(&mut self, refused: Refused) -> Result<(), Refused> {
        self.totals.refused += 1;
        Err(refused)
    }

    fn used(&mut self, now: Instant, node: &NodeId) -> &mut Used {
        let fresh = || Used { circuits: 0, bytes: 0, day: now, asks: 0, minute: now };
        let used = self.partners.entry(*node).or_insert_with(fresh);
        if now.duration_since(used.day) >= DAY {
            (used.bytes, used.day) = (0, now);
        }
        if now.duration_since(used.minute) >= MINUTE {
            (used.asks, used.minute) = (0, now);
        }
        used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u8) -> NodeId {
        NodeId([number; 32])
    }

    fn quotas(limits: RelayLimits) -> (Quotas, Instant) {
        (Quotas::new(limits), Instant::now())
    }

    #[test]
    fn circuits_are_limited_in_all_and_for_each_partner_at_either_end() {
        let (mut quotas, now) =
            quotas(RelayLimits { circuits_max: 3, circuits_per_partner_max: 2, ..RelayLimits::default() });
        assert_eq!(quotas.open(now, &node(1), &node(2)), Ok(()));
        assert_eq!(quotas.open(now, &node(3), &node(1)), Ok(()));
        let full = Err(Refused::PartnerCircuits { max: 2 });
        assert_eq!(quotas.open(now, &node(1), &node(4)), full);
        assert_eq!(quotas.open(now, &node(4), &node(1)), full);
        assert_eq!(quotas.open(now, &node(4), &node(5)), Ok(()));
        assert_eq!(quotas.open(now, &node(6), &node(7)), Err(Refused::Circuits { max: 3 }));
        quotas.close(&node(1), &node(2));
        assert_eq!(quotas.open(now, &node(4), &node(1)), Ok(()));
        assert_eq!(quotas.totals, Relaying { circuits: 3, opened: 4, refused: 3, bytes: 0 });
    }

    #[test]
    fn bytes_are_limited_a_day_and_count_for_both() {
        let (mut quotas, now) = quotas(RelayLimits { bytes_per_day_max: 100, ..RelayLimits::default() });
        quotas.open(now, &node(1), &node(2)).unwrap();
        assert_eq!(quotas.charge(now, &node(1), &node(2), 99), Ok(()));
        let later = now + Duration::from_secs(3600);
        let used_up = Refused::Bytes { max: 100, again: Duration::from_secs(23 * 3600) };
        assert_eq!(quotas.charge(later, &node(1), &node(2), 1), Err(used_up.clone()));
        assert!(used_up.to_string().contains("100 bytes a day for each; again in 1380 min"), "{used_up}");
        quotas.close(&node(1), &node(2));
        assert_eq!(quotas.open(later, &node(3), &node(2)), Err(used_up));
        assert_eq!(quotas.open(later, &node(3), &node(4)), Ok(()));
        assert_eq!(quotas.open(now + DAY, &node(3), &node(2)), Ok(()));
    }

    #[test]
    fn asks_are_limited_a_minute() {
        let (mut quotas, now) = quotas(RelayLimits { asks_per_minute_max: 2, ..RelayLimits::default() });
        assert_eq!([quotas.ask(now, &node(1)), quotas.ask(now, &node(1))], [Ok(()), Ok(())]);
        assert_eq!(quotas.ask(now, &node(1)), Err(Refused::Asks { max: 2 }));
        assert_eq!(quotas.ask(now, &node(2)), Ok(()));
        assert_eq!(quotas.ask(now + MINUTE, &node(1)), Ok(()));
    }

    #[test]
    fn who_used_nothing_lately_is_forgotten() {
        let (mut quotas, now) = quotas(RelayLimits::default());
        for number in 0..100 {
            quotas.open(now, &node(number), &node(200)).ok();
            quotas.close(&node(number), &node(200));
        }
        quotas.open(now + DAY, &node(1), &node(2)).unwrap();
        assert_eq!(quotas.partners.len(), 2);
    }
}
