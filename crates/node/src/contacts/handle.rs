//! What a person or program can ask of a running node about contacts and reports.

use std::io::Read;

use super::{calls, gaps, recording, reporting, settling, writing};
use crate::dto::{
    CallInfo, CallRequest, CallsReport, ContactInfo, ContactRequest, ContactsPage, ContactsRequest, FollowUpInfo, Gaps,
    MonthInfo, Report,
};
use crate::error::NodeError;
use crate::handle::Handle;

impl Handle {
    /// `contacts add`: up to `CONTACTS_MAX` at once; durable when it returns.
    pub async fn add_contacts(&self, requests: Vec<ContactRequest>) -> Result<Vec<ContactInfo>, NodeError> {
        self.blocking(move |shared| recording::add(shared, &requests)).await
    }

    /// `contacts undo`: the last one recorded here, or this one, if it is young enough.
    pub async fn undo_contact(&self, id: Option<&str>) -> Result<ContactInfo, NodeError> {
        let id = id.map(str::to_owned);
        self.blocking(move |shared| recording::undo(shared, id.as_deref())).await
    }

    /// `contacts reverse ID --reason`: a contact does not count.
    pub async fn reverse_contact(&self, id: &str, reason: &str) -> Result<ContactInfo, NodeError> {
        let (id, reason) = (id.to_owned(), reason.to_owned());
        self.blocking(move |shared| recording::reverse(shared, &id, &reason)).await
    }

    /// `contacts list`
    pub async fn contacts(&self, request: ContactsRequest) -> Result<ContactsPage, NodeError> {
        self.blocking(move |shared| recording::list(shared, &request)).await
    }

    /// `contacts follow-ups`
    pub async fn follow_ups(&self, partner: Option<&str>, open: bool) -> Result<Vec<FollowUpInfo>, NodeError> {
        let partner = partner.map(str::to_owned);
        self.blocking(move |shared| recording::follow_ups(shared, partner.as_deref(), open)).await
    }

    /// `contacts done NUMBER`: ticks off a follow-up.
    pub async fn follow_up_done(&self, number: &str) -> Result<FollowUpInfo, NodeError> {
        let number = number.to_owned();
        self.blocking(move |shared| recording::done(shared, &number)).await
    }

    /// `POST /calls`: a call, as the telephone system tells it.
    pub async fn add_call(&self, request: CallRequest) -> Result<CallInfo, NodeError> {
        self.blocking(move |shared| calls::add(shared, &request)).await
    }

    /// `contacts import FILE --mapping`: the export of a telephone system. Blocking.
    pub fn import_calls(&self, file: &str, mapping: &str, bytes: &mut dyn Read) -> Result<CallsReport, NodeError> {
        calls::import(self.shared(), file, mapping, bytes)
    }

    /// Signs and publishes what was recorded, without waiting for the next minute; with `all` also what could still be
    /// undone.
    pub async fn publish_journals(&self, all: bool) -> Result<(), NodeError> {
        self.blocking(move |shared| writing::flush(shared, all)).await
    }
}

/// Figures, and months with partners.
impl Handle {
    /// `reports month`
    pub async fn report(&self, month: Option<&str>, partner: Option<&str>) -> Result<Report, NodeError> {
        let (month, partner) = (month.map(str::to_owned), partner.map(str::to_owned));
        self.blocking(move |shared| reporting::month(shared, month.as_deref(), partner.as_deref())).await
    }

    /// `reports gaps`
    pub async fn gaps(&self) -> Result<Gaps, NodeError> {
        self.blocking(move |shared| gaps::gaps(shared)).await
    }

    /// `reports settle list`
    pub async fn settlements(&self, partner: Option<&str>) -> Result<Vec<MonthInfo>, NodeError> {
        let partner = partner.map(str::to_owned);
        self.blocking(move |shared| settling::list(shared, partner.as_deref())).await
    }

    /// `reports settle show`: how a month stands; of an open one what it would cost so far.
    pub async fn settlement(
        &self,
        partner: &str,
        month: &str,
        we_answer: Option<bool>,
    ) -> Result<MonthInfo, NodeError> {
        let (partner, month) = (partner.to_owned(), month.to_owned());
        self.blocking(move |shared| settling::show(shared, &partner, &month, we_answer)).await
    }

    /// `reports settle propose`: offers a month that is over, signed.
    pub async fn propose_month(&self, partner: &str, month: &str) -> Result<MonthInfo, NodeError> {
        let (partner, month) = (partner.to_owned(), month.to_owned());
        self.blocking(move |shared| settling::propose(shared, &partner, &month)).await
    }

    /// `reports settle object`: objects to lines of what is offered.
    pub async fn object_month(
        &self,
        partner: &str,
        month: &str,
        contacts: Vec<String>,
        reason: &str,
    ) -> Result<MonthInfo, NodeError> {
        let (partner, month, reason) = (partner.to_owned(), month.to_owned(), reason.to_owned());
        self.blocking(move |shared| settling::object(shared, &partner, &month, &contacts, &reason)).await
    }

    /// `reports settle accept` (without `keep`) and `keep`: answers objections, all that wait if none is named.
    pub async fn answer_month(
        &self,
        partner: &str,
        month: &str,
        contacts: Vec<String>,
        keep: Option<&str>,
    ) -> Result<MonthInfo, NodeError> {
        let (partner, month, keep) = (partner.to_owned(), month.to_owned(), keep.map(str::to_owned));
        self.blocking(move |shared| settling::answer(shared, &partner, &month, &contacts, keep.as_deref())).await
    }

    /// `reports settle sign`: signs what is offered, if it comes out the same here.
    pub async fn sign_month(&self, partner: &str, month: &str) -> Result<MonthInfo, NodeError> {
        let (partner, month) = (partner.to_owned(), month.to_owned());
        self.blocking(move |shared| settling::sign(shared, &partner, &month)).await
    }

    /// `reports settle export`: `csv`, `json` or `pdf`.
    pub async fn export_month(
        &self,
        partner: &str,
        month: &str,
        we_answer: Option<bool>,
        format: &str,
    ) -> Result<Vec<u8>, NodeError> {
        let (partner, month, format) = (partner.to_owned(), month.to_owned(), format.to_owned());
        self.blocking(move |shared| settling::export(shared, &partner, &month, we_answer, &format)).await
    }
}
