use super::tests::token;
use super::*;
use crate::identity::PartnershipState;
use crate::keys::NodeKey;
use crate::limits::{ADDRESS_BYTES_MAX, ADDRESSES_MAX, WRONG_PROOFS_MAX};
use crate::testing::{NOW, Town};

const ADDRESS: &str = "/dns4/bonn.example/tcp/4115";

fn answer(made: &Token, town: &Town) -> Answer {
    Answer::new(made, &town.identity, town.id(), vec![ADDRESS.into()]).unwrap()
}

/// Siegburg was given Bonn's answer and calls; both messages pass through `tamper`. Returns what each side has.
fn call(
    siegburg: &mut Town,
    bonn: &mut Town,
    (invitation, open): (&mut Invitation, &mut OpenAnswer),
    mut tamper: impl FnMut(JoinMessage) -> JoinMessage,
) -> Result<(Joined, Joined), JoinError> {
    let mut carry = |message: JoinMessage| tamper(JoinMessage::from_bytes(&message.to_bytes()).unwrap());
    let text = answer(&open.token, bonn).to_text().unwrap();
    let call = Answer::from_text(&text, NOW).unwrap().call(invitation, NOW)?;
    assert_eq!(carry(call), JoinMessage::Call(open.token.id));
    let (mut joiner, first) = open.called(siegburg.id(), &bonn.identity, bonn.id(), [11; 32], NOW)?;
    let JoinMessage::Partner(request) = carry(first) else { panic!("not a request") };
    let (mut inviter, challenge) =
        PartnerInviter::answer(&request, invitation, &siegburg.identity, bonn.id(), [22; 32], NOW)?;
    let mut at_bonn =
        |open: &mut OpenAnswer, message| open.handle(&mut joiner, message, &bonn.identity, &bonn.node, NOW);
    let (reveal, _) = at_bonn(open, carry(challenge))?;
    let (theirs, _) = inviter.handle(carry(reveal.unwrap()), invitation, &siegburg.identity, &siegburg.node)?;
    let (signed, _) = at_bonn(open, carry(theirs.unwrap()))?;
    let (last, here) = inviter.handle(carry(signed.unwrap()), invitation, &siegburg.identity, &siegburg.node)?;
    let (_, there) = at_bonn(open, carry(last.unwrap()))?;
    let (here, there) = (here.unwrap(), there.unwrap());
    siegburg.identity.take_in(here.ours.clone()).unwrap();
    bonn.identity.take_in(there.ours.clone()).unwrap();
    Ok((here, there))
}

#[test]
fn an_inviter_whom_nobody_can_dial_calls_the_one_who_answered() {
    let (mut siegburg, mut bonn) = (Town::siegburg(), Town::bonn());
    let mut made = token(&siegburg, TokenKind::Partner);
    (made.for_ars, made.trust) = (Some(bonn.identity.ars().into()), true);
    let mut invitation = Invitation::new(made.clone());
    let mut open = OpenAnswer::new(made);
    assert!(open.is_open(NOW));
    let (here, there) = call(&mut siegburg, &mut bonn, (&mut invitation, &mut open), |message| message).unwrap();
    assert_eq!(here.check_words, there.check_words);
    assert!(here.confirmed && there.confirmed);
    assert_eq!(siegburg.identity.partnership_with(&here.partner), PartnershipState::Active);
    assert_eq!(bonn.identity.partnership_with(&there.partner), PartnershipState::Active);
    assert!(!invitation.is_open(NOW) && !open.is_open(NOW));
    // Used is used, on both sides.
    let again = answer(&open.token, &bonn).call(&mut invitation, NOW);
    assert_eq!(again, Err(JoinError::Burnt));
    let again = open.called(siegburg.id(), &bonn.identity, bonn.id(), [11; 32], NOW).map(|_| ());
    assert_eq!(again, Err(JoinError::Burnt));
}

#[test]
fn a_forged_answer_is_counted_and_the_first_right_one_binds_the_invitation() {
    let (siegburg, bonn, hennef) = (Town::siegburg(), Town::bonn(), Town::new(3, "Stadt Hennef", "053820020020"));
    let made = token(&siegburg, TokenKind::Partner);
    let real = answer(&made, &bonn);
    let mut invitation = Invitation::new(made.clone());
    let guessed = answer(&Token { secret: [0; 32], ..made.clone() }, &bonn);
    let mut forged = vec![guessed];
    forged.push(Answer { node: NodeKey::from_secret(&[66; 32]).id(), ..real.clone() });
    forged.push(Answer { addresses: vec!["/ip4/192.0.2.66/tcp/4115".into()], ..real.clone() });
    forged.push(Answer { organisation: answer(&made, &hennef).organisation, ..real.clone() });
    forged.push(Answer { expires: real.expires - 1, ..real.clone() });
    assert_eq!(forged.len(), WRONG_PROOFS_MAX as usize);
    for (wrong, forged) in (0..).zip(&forged[1..]) {
        assert_eq!(invitation.wrong, wrong);
        assert_eq!(forged.call(&mut invitation, NOW), Err(JoinError::WrongProof));
    }
    assert_eq!(real.call(&mut invitation, NOW), Ok(JoinMessage::Call(made.id)));
    assert_eq!(answer(&made, &hennef).call(&mut invitation, NOW), Err(JoinError::Burnt), "bound to Bonn's node");
    assert_eq!(real.call(&mut invitation, NOW), Ok(JoinMessage::Call(made.id)), "the line may break");
    assert_eq!(real.call(&mut invitation, made.expires), Ok(JoinMessage::Call(made.id)));
    assert_eq!(real.call(&mut invitation, made.expires + 1), Err(JoinError::Expired));

    let mut closed = Invitation::new(made.clone());
    for forged in &forged {
        assert!(closed.is_open(NOW));
        assert_eq!(forged.call(&mut closed, NOW), Err(JoinError::WrongProof));
    }
    assert_eq!(real.call(&mut closed, NOW), Err(JoinError::Closed));

    let mut other = Invitation::new(Token { id: [9; 16], ..made.clone() });
    assert_eq!(real.call(&mut other, NOW), Err(JoinError::UnknownToken));
    let mut for_node = Invitation::new(token(&siegburg, TokenKind::Node));
    assert!(matches!(real.call(&mut for_node, NOW), Err(JoinError::WrongKind(_))));
}

#[test]
fn only_the_inviting_node_may_call_and_five_wrong_proofs_close_the_answer() {
    let (mut siegburg, mut bonn) = (Town::siegburg(), Town::bonn());
    let made = token(&siegburg, TokenKind::Partner);
    let mut open = OpenAnswer::new(made.clone());
    let called = |open: &OpenAnswer, peer, now| {
        open.called(peer, &Town::bonn().identity, Town::bonn().id(), [11; 32], now).map(|_| ())
    };
    assert_eq!(called(&open, NodeKey::from_secret(&[66; 32]).id(), NOW), Err(JoinError::UnknownToken));
    assert_eq!(called(&open, siegburg.id(), made.expires), Ok(()));
    assert_eq!(called(&open, siegburg.id(), made.expires + 1), Err(JoinError::Expired));
    assert!(!open.is_open(made.expires + 1));
    for wrong in 0..WRONG_PROOFS_MAX {
        assert!(open.is_open(NOW) && open.wrong == wrong);
        let mut invitation = Invitation::new(made.clone());
        let result = call(&mut siegburg, &mut bonn, (&mut invitation, &mut open), |message| match message {
            JoinMessage::Challenge { commitment, .. } => {
                JoinMessage::Challenge { commitment, proof: ortsnetz_model::Hash([0; 32]) }
            }
            other => other,
        });
        assert_eq!(result.map(|_| ()), Err(JoinError::WrongProof));
    }
    assert!(!open.is_open(NOW));
    assert_eq!(called(&open, siegburg.id(), NOW), Err(JoinError::Closed));
    assert_eq!(siegburg.identity.partners().count() + bonn.identity.partners().count(), 0);
}

#[test]
fn whoever_may_not_join_cannot_answer_either() {
    let (siegburg, bonn) = (Town::siegburg(), Town::bonn());
    let made = token(&siegburg, TokenKind::Partner);
    let try_with =
        |made: &Token, town: &Town, me| Answer::new(made, &town.identity, me, vec![ADDRESS.into()]).map(|_| ());
    assert_eq!(try_with(&made, &bonn, bonn.id()), Ok(()));
    assert_eq!(try_with(&made, &siegburg, siegburg.id()), Err(JoinError::Oneself));
    let plain = NodeKey::from_secret(&[70; 32]).id();
    assert!(matches!(try_with(&made, &bonn, plain), Err(JoinError::NotEntitled(_))));
    let for_node = token(&siegburg, TokenKind::Node);
    assert!(matches!(try_with(&for_node, &bonn, bonn.id()), Err(JoinError::WrongKind(_))));
    let elsewhere = Token { for_ars: Some("053820020020".into()), ..made };
    assert_eq!(try_with(&elsewhere, &bonn, bonn.id()), Err(JoinError::OtherPlace("053820020020".into())));
}

#[test]
fn every_failure_of_an_answer_says_what_it_is() {
    let (siegburg, bonn) = (Town::siegburg(), Town::bonn());
    let made = token(&siegburg, TokenKind::Partner);
    let real = answer(&made, &bonn);
    let text = real.to_text().unwrap();
    assert!(text.len() < 400 && Answer::is_meant_by(&format!(" {}", text.to_lowercase())), "{}", text.len());
    let invitation = made.to_text().unwrap();
    assert!(!Answer::is_meant_by(&invitation));
    for foreign in ["", "hallo", &invitation, &"A".repeat(100_000)] {
        assert_eq!(Answer::from_text(foreign, NOW), Err(AnswerError::Foreign), "{}", &foreign[..foreign.len().min(20)]);
    }
    assert_eq!(Token::from_text(&text, NOW), Err(TokenError::Foreign));
    for length in 1..text.len() {
        let cut = Answer::from_text(&text[..length], NOW);
        assert!(matches!(cut, Err(AnswerError::Truncated { .. })), "{length}: {cut:?}");
    }
    for at in 16..text.len() {
        let mut bent = text.clone().into_bytes();
        bent[at] = if bent[at] == b'C' { b'D' } else { b'C' };
        let read = Answer::from_text(&String::from_utf8(bent).unwrap(), NOW);
        assert_eq!(read, Err(AnswerError::Damaged), "{at}");
    }
    assert_eq!(Answer::from_text(&text, real.expires), Ok(real.clone()));
    let late = Answer::from_text(&text, real.expires + 2 * 3_600_000).unwrap_err();
    assert_eq!(late, AnswerError::Expired { hours: 2, organisation: "Bundesstadt Bonn".into() });
    assert!(late.to_string().len() < 120);
}

#[test]
fn an_answer_keeps_the_limits() {
    let (siegburg, bonn) = (Town::siegburg(), Town::bonn());
    let made = token(&siegburg, TokenKind::Partner);
    let with = |addresses: Vec<String>| Answer::new(&made, &bonn.identity, bonn.id(), addresses).unwrap().to_text();
    assert!(matches!(with(Vec::new()), Err(AnswerError::Invalid(_))), "nothing to dial");
    let full = with(vec!["a".repeat(ADDRESS_BYTES_MAX); ADDRESSES_MAX]).unwrap();
    assert!(Answer::from_text(&full, NOW).is_ok());
    assert!(matches!(with(vec!["a".into(); ADDRESSES_MAX + 1]), Err(AnswerError::Invalid(_))));
    assert!(matches!(with(vec!["a".repeat(ADDRESS_BYTES_MAX + 1)]), Err(AnswerError::Invalid(_))));
}
