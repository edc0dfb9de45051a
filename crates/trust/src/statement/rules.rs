//! The rules a statement obeys whoever signs it.

use ortsnetz_model::{CollectionId, OrgId};

use super::kinds::{
    CollectionStatement, Delegation, Deletion, Genesis, Leaving, NodeCertificate, NodeRevocation, PartnerConfirmation,
    Partnership, PartnershipEnd, PublisherTerm, ReaderRemoval, Readers, RootRotation, STATEMENT_VERSION, Succession,
    SuccessionConfirmation, is_ars,
};
use crate::canonical::{EncodingError, rule};
use crate::limits::{
    ADDRESS_BYTES_MAX, ADDRESSES_MAX, KEEP_DAYS_MAX, LEAVING_AHEAD_MS_MAX, NAME_BYTES_MAX, NOTE_BYTES_MAX, READERS_MAX,
    TELEPHONE_BYTES_MAX,
};

fn check_name(name: &str) -> Result<(), EncodingError> {
    rule(!name.trim().is_empty(), || "the name is empty".into())?;
    rule(!name.chars().any(char::is_control), || "the name holds control characters".into())?;
    rule(name.len() <= NAME_BYTES_MAX, || format!("the name has {} bytes, allowed are {NAME_BYTES_MAX}", name.len()))
}

pub(crate) fn check_addresses(addresses: &[String]) -> Result<(), EncodingError> {
    rule(addresses.len() <= ADDRESSES_MAX, || format!("{} addresses, allowed are {ADDRESSES_MAX}", addresses.len()))?;
    let longest = addresses.iter().map(String::len).max().unwrap_or(0);
    rule(longest <= ADDRESS_BYTES_MAX, || format!("an address of {longest} bytes, allowed are {ADDRESS_BYTES_MAX}"))
}

fn check_readers(list: &[OrgId], own: &OrgId) -> Result<(), EncodingError> {
    rule(list.len() <= READERS_MAX, || format!("{} organisations listed, allowed are {READERS_MAX}", list.len()))?;
    rule(list.is_sorted_by(|a, b| a < b), || "a list of organisations is not sorted".into())?;
    rule(!list.contains(own), || "an organisation lists itself as reader".into())
}

/// Checked when signing and when reading.
pub(crate) trait Rules {
    fn check(&self) -> Result<(), EncodingError>;
}

impl Rules for Genesis {
    fn check(&self) -> Result<(), EncodingError> {
        if self.version != STATEMENT_VERSION {
            return Err(EncodingError::Unknown { what: "genesis version", number: self.version.into() });
        }
        check_name(&self.name)?;
        rule(self.ars.is_empty() || is_ars(&self.ars), || "the ARS does not have 12 digits".into())
    }
}

impl Rules for RootRotation {
    fn check(&self) -> Result<(), EncodingError> {
        rule(self.number > 0 && self.old != self.new, || "a rotation to the same key".into())
    }
}

impl Rules for NodeCertificate {
    fn check(&self) -> Result<(), EncodingError> {
        check_name(&self.name)?;
        check_addresses(&self.addresses)?;
        rule(self.serial > 0 && self.not_before < self.not_after, || "the certificate is never valid".into())
    }
}

impl Rules for NodeRevocation {
    fn check(&self) -> Result<(), EncodingError> {
        rule(self.serial > 0, || "a revocation of nothing".into())
    }
}

impl Rules for PublisherTerm {
    fn check(&self) -> Result<(), EncodingError> {
        rule(self.number > 0, || "terms count from 1".into())
    }
}

impl Rules for Succession {
    fn check(&self) -> Result<(), EncodingError> {
        rule(self.serial > 0 && self.organisation != self.predecessor, || "an organisation follows itself".into())
    }
}

impl Rules for SuccessionConfirmation {
    fn check(&self) -> Result<(), EncodingError> {
        let other = self.organisation != self.successor && self.successor != self.predecessor;
        rule(self.serial > 0 && other, || "an organisation confirms itself as successor, or follows itself".into())
    }
}

impl Rules for CollectionStatement {
    fn check(&self) -> Result<(), EncodingError> {
        check_name(&self.name)?;
        rule(self.collection == CollectionId::named(&self.organisation, &self.name), || {
            "the collection's id does not belong to its name".into()
        })?;
        rule(self.serial > 0, || "serials count from 1".into())?;
        if let Some(title) = &self.title {
            check_name(title)?;
            rule(*title != self.name, || "a collection is renamed to its first name".into())?;
        }
        let listed = match &self.readers {
            Readers::Organisations(list) => list.len(),
            Readers::Public | Readers::Internal => 0,
        };
        rule(self.since.len() == listed, || format!("{} times for {listed} readers", self.since.len()))?;
        match &self.readers {
            Readers::Organisations(list) => check_readers(list, &self.organisation),
            Readers::Public => rule(self.relay, || "a public collection may always be relayed".into()),
            Readers::Internal => rule(!self.relay, || "an internal collection is never relayed".into()),
        }
    }
}

impl Rules for ReaderRemoval {
    fn check(&self) -> Result<(), EncodingError> {
        rule(self.organisation != self.reader && self.serial > 0, || "an organisation removes itself".into())
    }
}

impl Rules for Partnership {
    fn check(&self) -> Result<(), EncodingError> {
        rule(self.a < self.b && self.serial > 0, || "the two sides of a partnership are not in order".into())
    }
}

impl Rules for PartnershipEnd {
    fn check(&self) -> Result<(), EncodingError> {
        rule(self.organisation != self.partner && self.serial > 0, || "a partnership with oneself".into())
    }
}

impl Rules for PartnerConfirmation {
    fn check(&self) -> Result<(), EncodingError> {
        rule(self.organisation != self.partner && self.serial > 0, || "a confirmation of oneself".into())
    }
}

impl Rules for Delegation {
    fn check(&self) -> Result<(), EncodingError> {
        rule(self.organisation != self.to && self.serial > 0, || "a delegation to oneself".into())?;
        rule(is_ars(&self.ars), || "the ARS does not have 12 digits".into())
    }
}

impl Rules for Leaving {
    fn check(&self) -> Result<(), EncodingError> {
        rule(self.serial > 0, || "serials count from 1".into())?;
        let empty = self.telephone.is_empty() && self.note.is_empty() && self.keep_days == 0;
        rule(self.from > 0 || empty, || "what is taken back says nothing else".into())?;
        rule(self.from <= self.at.saturating_add(LEAVING_AHEAD_MS_MAX), || {
            "the day of leaving lies more than two years ahead".into()
        })?;
        rule(self.keep_days <= KEEP_DAYS_MAX, || {
            format!("copies are kept for {} days, allowed are {KEEP_DAYS_MAX}", self.keep_days)
        })?;
        check_line("telephone number", &self.telephone, TELEPHONE_BYTES_MAX)?;
        let of_a_number = |c: char| c.is_ascii_digit() || " +-/().,".contains(c);
        rule(self.telephone.chars().all(of_a_number), || {
            "a telephone number has digits, spaces and + - / ( ) . , only".into()
        })?;
        check_line("note", &self.note, NOTE_BYTES_MAX)
    }
}

fn check_line(what: &str, text: &str, max: usize) -> Result<(), EncodingError> {
    rule(!text.chars().any(char::is_control), || format!("the {what} holds control characters"))?;
    rule(text.len() <= max, || format!("the {what} has {} bytes, allowed are {max}", text.len()))
}

impl Rules for Deletion {
    fn check(&self) -> Result<(), EncodingError> {
        rule(self.organisation != self.leaver && self.serial > 0, || "a deletion of one's own".into())
    }
}
