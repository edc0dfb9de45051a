//! What an agent and an editor do for each other: reports, proposals, tasks.

use super::Handle;
use crate::dto::*;
use crate::error::NodeError;
use crate::mail::{self, MailConfig};
use crate::{adopting, editing, feedback, proposals, tasks};

impl Handle {
    /// `feedback add`: an agent reports that an entry is wrong.
    pub async fn add_feedback(&self, new: NewFeedback) -> Result<FeedbackInfo, NodeError> {
        self.blocking(move |shared| feedback::add(shared, &new)).await
    }

    /// `feedback list`
    pub async fn feedback_list(&self, request: FeedbackRequest) -> Result<Vec<FeedbackInfo>, NodeError> {
        self.blocking(move |shared| feedback::list(shared, &request)).await
    }

    /// `feedback show ID`
    pub async fn feedback(&self, id: &str) -> Result<FeedbackInfo, NodeError> {
        let id = id.to_owned();
        self.blocking(move |shared| feedback::show(shared, &id)).await
    }

    /// `feedback answer ID STATE`: the owner of the entry says how a report stands.
    pub async fn answer_feedback(&self, id: &str, answer: FeedbackAnswer) -> Result<FeedbackInfo, NodeError> {
        let id = id.to_owned();
        self.blocking(move |shared| feedback::answer(shared, &id, &answer)).await
    }

    /// `feedback withdraw ID`: whoever reported takes it back.
    pub async fn withdraw_feedback(&self, id: &str) -> Result<(), NodeError> {
        let id = id.to_owned();
        self.blocking(move |shared| feedback::withdraw(shared, &id)).await
    }

    /// `tasks list`
    pub async fn tasks(&self, request: TasksRequest) -> Result<TaskList, NodeError> {
        self.blocking(move |shared| tasks::list(shared, &request)).await
    }

    /// `confirm ID`: an own entry is still correct, as it is published.
    pub async fn confirm_entry(&self, id: &str) -> Result<Published, NodeError> {
        let id = id.to_owned();
        self.blocking(move |shared| editing::confirm(shared, &id)).await
    }

    /// `proposals make`: suggests what a partner's entry should say.
    pub async fn propose(&self, new: NewProposal) -> Result<ProposalInfo, NodeError> {
        self.blocking(move |shared| proposals::propose(shared, &new)).await
    }

    /// `proposals list`
    pub async fn proposals(&self, request: ProposalsRequest) -> Result<Vec<ProposalInfo>, NodeError> {
        self.blocking(move |shared| proposals::list(shared, &request)).await
    }

    /// `proposals show ID`: each field as it was, is suggested, and is now.
    pub async fn proposal(&self, id: &str) -> Result<ProposalInfo, NodeError> {
        let id = id.to_owned();
        self.blocking(move |shared| proposals::show(shared, &id)).await
    }

    /// `proposals accept ID` and `proposals decline ID`: the owner decides field by field.
    pub async fn decide(&self, id: &str, decision: DecideRequest) -> Result<ProposalInfo, NodeError> {
        let id = id.to_owned();
        self.blocking(move |shared| proposals::decide(shared, &id, &decision)).await
    }

    /// `proposals withdraw ID`: whoever suggested takes it back.
    pub async fn withdraw_proposal(&self, id: &str) -> Result<(), NodeError> {
        let id = id.to_owned();
        self.blocking(move |shared| proposals::withdraw(shared, &id)).await
    }

    /// `adopt ID --changes`: what the source of an adopted entry says else than it did.
    pub async fn source_changes(&self, id: &str) -> Result<SourceChanges, NodeError> {
        let id = id.to_owned();
        self.blocking(move |shared| adopting::show(shared, &id)).await
    }

    /// `adopt ID --take` and `adopt ID --dismiss`
    pub async fn take_source(&self, id: &str, request: SourceRequest) -> Result<SourceChanges, NodeError> {
        let id = id.to_owned();
        self.blocking(move |shared| adopting::take(shared, &id, &request)).await
    }

    /// From now on mails go out as configured.
    ///
    /// # Errors
    /// A field that cannot work, in one line.
    pub fn start_mail(&self, config: &MailConfig) -> Result<(), NodeError> {
        mail::start(&self.shared, config)
    }

    /// `mail test`: one mail to each mailbox, or to that of one role, at once.
    pub async fn test_mail(&self, role: Option<String>) -> Result<Vec<MailTried>, NodeError> {
        self.blocking(move |shared| mail::test(shared, role.as_deref())).await
    }

    /// `mail list`: what waits.
    pub async fn mail(&self) -> Result<MailReport, NodeError> {
        self.blocking(move |shared| mail::list(shared)).await
    }
}
