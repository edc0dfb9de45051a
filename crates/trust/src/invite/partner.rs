//! Two organisations join: request, challenge, reveal, reveal, partnership, partnership. The one who holds the token
//! speaks first, whoever dialled.

use ortsnetz_model::{Hash, NodeId, OrgId};

use super::message::{JoinError, JoinMessage, PartnerRequest, check_words, commitment, prove, proves};
use super::{Ends, Invitation, Token, TokenKind};
use crate::identity::{Identity, Slot, View};
use crate::keys::NodeKey;
use crate::statement::{Partnership, Signed, Statement};
use crate::words::CHECK_WORDS;

const REQUEST: &str = "partner-request";
const CHALLENGE: &str = "partner-challenge";

/// What joining gave. The caller takes `ours` into its own identity and stores `partner`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The other organisation, with the partnership it signed.
    pub partner: Identity,
    /// The partnership signed by us, for our own chain.
    pub ours: Signed,
    /// The words a person on each side compares.
    pub check_words: [&'static str; CHECK_WORDS],
    /// The invitation confirmed the other side in advance (`--for ARS --trust`), so no person needs to.
    pub confirmed: bool,
}

/// The side that was given a token.
#[derive(Debug)]
pub struct PartnerJoiner {
    token: Token,
    ends: Ends,
    nonce: [u8; 32],
    state: JoinerState,
}

#[derive(Debug)]
enum JoinerState {
    Asked { commitment: Hash },
    Revealed { theirs: Hash },
    Signed(Box<Offered>),
    Done,
}

#[derive(Debug)]
struct Offered {
    partner: Identity,
    ours: Signed,
    words: [&'static str; CHECK_WORDS],
}

impl PartnerJoiner {
    /// Starts joining. `me` is our node, `nonce` 32 random bytes. Returns the first message.
    pub fn start(
        token: Token,
        identity: &Identity,
        me: NodeId,
        nonce: [u8; 32],
    ) -> Result<(Self, JoinMessage), JoinError> {
        may_join(&token, identity, me)?;
        let ends = Ends::of(&token, me, identity.id());
        let commitment = commitment(&identity.id(), &nonce);
        let proof = prove(&token, REQUEST, &ends, &[&commitment.0]);
        let request = PartnerRequest { token: token.id, organisation: identity.id(), commitment, proof };
        let joiner = Self { token, ends, nonce, state: JoinerState::Asked { commitment } };
        Ok((joiner, JoinMessage::Partner(request)))
    }

    /// Takes the inviter's next message. Returns what to answer and, at the end, the result.
    pub fn handle(
        &mut self,
        message: JoinMessage,
        identity: &Identity,
        key: &NodeKey,
        now: u64,
    ) -> Result<(Option<JoinMessage>, Option<Joined>), JoinError> {
        let state = std::mem::replace(&mut self.state, JoinerState::Done);
        match (state, message) {
            (_, JoinMessage::Refused(reason)) => Err(JoinError::Refused(reason)),
            (JoinerState::Asked { commitment: ours }, JoinMessage::Challenge { commitment, proof }) => {
                if !proves(&self.token, CHALLENGE, &self.ends, &[&ours.0, &commitment.0], &proof) {
                    return Err(JoinError::WrongProof);
                }
                self.state = JoinerState::Revealed { theirs: commitment };
                Ok((Some(reveal(identity, self.nonce, self.ends.inviting)), None))
            }
            (JoinerState::Revealed { theirs }, JoinMessage::Reveal { nonce, statements }) => {
                let partner = revealed(theirs, &nonce, statements, self.ends.inviting, self.ends.inviter)?;
                let words = check_words(&self.ends, &self.nonce, &nonce);
                let ours = offer(identity, &partner, key, now)?;
                let message = JoinMessage::Partnership(ours.clone());
                self.state = JoinerState::Signed(Box::new(Offered { partner, ours, words }));
                Ok((Some(message), None))
            }
            (JoinerState::Signed(offered), JoinMessage::Partnership(theirs)) => {
                let Offered { mut partner, ours, words } = *offered;
                if theirs.hash() != ours.hash() {
                    return Err(JoinError::WrongReveal);
                }
                partner.take_in(theirs).map_err(|error| JoinError::BadChain(error.to_string()))?;
                let joined = Joined { partner, ours, check_words: words, confirmed: in_advance(&self.token) };
                Ok((None, Some(joined)))
            }
            _ => Err(JoinError::OutOfOrder),
        }
    }
}

/// The side that gave a token out: one per connection.
#[derive(Debug)]
pub struct PartnerInviter {
    ends: Ends,
    nonce: [u8; 32],
    state: InviterState,
}

#[derive(Debug)]
enum InviterState {
    Challenged { theirs: Hash },
    Revealed { partner: Box<Identity>, words: [&'static str; CHECK_WORDS] },
    Done,
}

impl PartnerInviter {
    /// Answers a request that came from `peer`. The invitation was found by the token id; store it afterwards in any
    /// case, since it counts proofs. `nonce` is 32 random bytes.
    pub fn answer(
        request: &PartnerRequest,
        invitation: &mut Invitation,
        identity: &Identity,
        peer: NodeId,
        nonce: [u8; 32],
        now: u64,
    ) -> Result<(Self, JoinMessage), JoinError> {
        let token = invitation.token.clone();
        if token.id != request.token {
            return Err(JoinError::UnknownToken);
        }
        if token.kind != TokenKind::Partner {
            return Err(JoinError::WrongKind("adding a node"));
        }
        let ends = Ends::of(&token, peer, request.organisation);
        let valid = proves(&token, REQUEST, &ends, &[&request.commitment.0], &request.proof);
        invitation.judge(peer, now, valid)?;
        if request.organisation == identity.id() {
            return Err(JoinError::Oneself);
        }
        entitled(identity, token.node)?;
        let ours = commitment(&identity.id(), &nonce);
        let proof = prove(&token, CHALLENGE, &ends, &[&request.commitment.0, &ours.0]);
        let state = InviterState::Challenged { theirs: request.commitment };
        Ok((Self { ends, nonce, state }, JoinMessage::Challenge { commitment: ours, proof }))
    }

    /// Takes the joiner's next message. Returns what to answer and, at the end, the result.
    pub fn handle(
        &mut self,
        message: JoinMessage,
        invitation: &mut Invitation,
        identity: &Identity,
        key: &NodeKey,
    ) -> Result<(Option<JoinMessage>, Option<Joined>), JoinError> {
        let state = std::mem::replace(&mut self.state, InviterState::Done);
        match (state, message) {
            (_, JoinMessage::Refused(reason)) => Err(JoinError::Refused(reason)),
            (InviterState::Challenged { theirs }, JoinMessage::Reveal { nonce, statements }) => {
                let partner = revealed(theirs, &nonce, statements, self.ends.joining, self.ends.joiner)?;
                check_place(&invitation.token, &partner)?;
                let words = check_words(&self.ends, &nonce, &self.nonce);
                self.state = InviterState::Revealed { partner: Box::new(partner), words };
                Ok((Some(reveal(identity, self.nonce, self.ends.joining)), None))
            }
            (InviterState::Revealed { mut partner, words }, JoinMessage::Partnership(theirs)) => {
                let ours = accept(identity, &partner, &theirs, key)?;
                partner.take_in(theirs).map_err(|error| JoinError::BadChain(error.to_string()))?;
                invitation.completed = true;
                let confirmed = in_advance(&invitation.token);
                let joined = Joined { partner: *partner, ours: ours.clone(), check_words: words, confirmed };
                Ok((Some(JoinMessage::Partnership(ours)), Some(joined)))
            }
            _ => Err(JoinError::OutOfOrder),
        }
    }
}

/// Whether our node may join with this token at all.
pub(super) fn may_join(token: &Token, identity: &Identity, me: NodeId) -> Result<(), JoinError> {
    if token.kind != TokenKind::Partner {
        return Err(JoinError::WrongKind("adding a node"));
    }
    if token.organisation.id == identity.id() {
        return Err(JoinError::Oneself);
    }
    check_place(token, identity)?;
    entitled(identity, me)
}

/// A place was named and trusted; trust alone would confirm whatever place the other side claims.
fn in_advance(token: &Token) -> bool {
    token.trust && token.for_ars.is_some()
}

fn check_place(token: &Token, joining: &Identity) -> Result<(), JoinError> {
    match &token.for_ars {
        Some(ars) if ars != joining.ars() => Err(JoinError::OtherPlace(ars.clone())),
        _ => Ok(()),
    }
}

fn entitled(identity: &Identity, node: NodeId) -> Result<(), JoinError> {
    if identity.roles(&node).admin {
        return Ok(());
    }
    Err(JoinError::NotEntitled("only a node with role admin can join partners".into()))
}

fn reveal(identity: &Identity, nonce: [u8; 32], to: OrgId) -> JoinMessage {
    JoinMessage::Reveal { nonce, statements: identity.statements_for(View::Reader(to)) }
}

/// Checks what the other side revealed against its commitment, and that its chain makes it and certifies its node.
fn revealed(
    committed: Hash,
    nonce: &[u8; 32],
    statements: Vec<Signed>,
    organisation: OrgId,
    node: NodeId,
) -> Result<Identity, JoinError> {
    if commitment(&organisation, nonce) != committed {
        return Err(JoinError::WrongReveal);
    }
    let (identity, refused) =
        Identity::from_statements(statements).map_err(|error| JoinError::BadChain(error.to_string()))?;
    if identity.id() != organisation {
        return Err(JoinError::WrongReveal);
    }
    if let Some((_, error)) = refused.first() {
        return Err(JoinError::BadChain(error.to_string()));
    }
    if !identity.roles(&node).admin {
        return Err(JoinError::BadChain("its node is not an admin node of the organisation".into()));
    }
    Ok(identity)
}

fn serial_between(a: &Identity, b: &Identity) -> u64 {
    a.serial(&Slot::Partnership(b.id())).max(b.serial(&Slot::Partnership(a.id())))
}

fn offer(own: &Identity, partner: &Identity, key: &NodeKey, at: u64) -> Result<Signed, JoinError> {
    let (a, b) = (own.id().min(partner.id()), own.id().max(partner.id()));
    let partnership = Partnership { a, b, serial: serial_between(own, partner) + 1, at };
    sign(partnership, own, key)
}

/// Signs the partnership the joiner offered, if it is the one to expect.
fn accept(own: &Identity, partner: &Identity, offered: &Signed, key: &NodeKey) -> Result<Signed, JoinError> {
    let Statement::Partnership(partnership) = offered.statement() else { return Err(JoinError::OutOfOrder) };
    let pair = (own.id().min(partner.id()), own.id().max(partner.id()));
    if (partnership.a, partnership.b) != pair || partnership.serial != serial_between(own, partner) + 1 {
        return Err(JoinError::WrongReveal);
    }
    sign(partnership.clone(), own, key)
}

fn sign(partnership: Partnership, own: &Identity, key: &NodeKey) -> Result<Signed, JoinError> {
    entitled(own, key.id())?;
    Signed::new(partnership, &[key]).map_err(|error| JoinError::NotEntitled(error.to_string()))
}
