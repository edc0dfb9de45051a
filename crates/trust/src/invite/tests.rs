use ortsnetz_model::{NodeId, OrgId};
use proptest::prelude::*;

use super::*;
use crate::identity::{Identity, PartnershipState};
use crate::keys::NodeKey;
use crate::limits::{INVITATION_MS_MAX, JOIN_MESSAGE_BYTES_MAX};
use crate::statement::Roles;
use crate::testing::{NOW, Town};

pub(super) fn token(town: &Town, kind: TokenKind) -> Token {
    Token {
        kind,
        organisation: NamedOrganisation {
            id: town.identity.id(),
            name: town.identity.name().into(),
            ars: town.identity.ars().into(),
        },
        node: town.id(),
        addresses: vec!["/dns4/siegburg.example/tcp/4115".into(), "/ip4/192.0.2.7/tcp/4115".into()],
        id: [4; 16],
        secret: [5; 32],
        expires: NOW + INVITATION_MS_MAX,
        for_ars: None,
        trust: false,
    }
}

#[test]
fn an_age_is_said_in_words() {
    let said: Vec<String> = [0, 1, 47, 48, 72].map(token::hours_ago).into();
    assert_eq!(said, ["less than an hour ago", "an hour ago", "47 hours ago", "2 days ago", "3 days ago"]);
}

#[test]
fn a_token_survives_mail_paper_and_telephone() {
    let made = token(&Town::siegburg(), TokenKind::Partner);
    let text = made.to_text().unwrap();
    assert!(text.len() < 450, "{}", text.len());
    assert!(text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
    let grouped: Vec<String> = text.as_bytes().chunks(5).map(|group| String::from_utf8_lossy(group).into()).collect();
    for variant in [text.clone(), text.to_lowercase(), grouped.join("-"), grouped.join(" \r\n "), format!(" {text}\n")]
    {
        assert_eq!(Token::from_text(&variant, NOW).as_ref(), Ok(&made));
    }
    assert_eq!(Token::from_text(&text.replace('O', "0").replace('B', "8"), NOW), Err(TokenError::Foreign));
    let (prefix, rest) = text.split_at(8);
    let misread = format!("{prefix}{}", rest.replace('O', "0").replace('B', "8").replace('I', "1"));
    assert_eq!(Token::from_text(&misread, NOW), Ok(made));
}

#[test]
fn every_failure_of_a_token_says_what_it_is() {
    let made = token(&Town::siegburg(), TokenKind::Partner);
    let text = made.to_text().unwrap();
    for foreign in ["", "hallo", "https://example.org", "4111 1111 1111 1111", &"A".repeat(100_000)] {
        assert_eq!(Token::from_text(foreign, NOW), Err(TokenError::Foreign), "{}", &foreign[..foreign.len().min(20)]);
    }
    for length in 1..text.len() {
        let cut = Token::from_text(&text[..length], NOW);
        assert!(matches!(cut, Err(TokenError::Truncated { .. })), "{length}: {cut:?}");
    }
    let mut longer = text.clone();
    longer.push('A');
    assert_eq!(Token::from_text(&longer, NOW), Err(TokenError::Damaged));
    for at in 13..text.len() {
        let mut bent = text.clone().into_bytes();
        bent[at] = if bent[at] == b'C' { b'D' } else { b'C' };
        let read = Token::from_text(&String::from_utf8(bent).unwrap(), NOW);
        assert_eq!(read, Err(TokenError::Damaged), "{at}");
    }
    assert_eq!(Token::from_text(&text, made.expires), Ok(made.clone()));
    let late = Token::from_text(&text, made.expires + 3 * 3_600_000).unwrap_err();
    assert_eq!(late, TokenError::Expired { hours: 3, organisation: "Stadt Siegburg".into() });
    let errors = [late, TokenError::Foreign, TokenError::Damaged, TokenError::Truncated { found: 1, expected: 2 }];
    for error in errors {
        assert!(!error.to_string().contains('\n') && error.to_string().len() < 120);
    }
    let mut wrong = made;
    wrong.for_ars = Some("5".into());
    assert!(matches!(wrong.to_text(), Err(TokenError::Invalid(_))));
}

proptest! {
    #[test]
    fn a_token_comes_back_from_its_text(
        (id, secret, expires, trust) in any::<([u8; 16], [u8; 32], u64, bool)>(),
        name in "[a-zA-ZäöüÄÖÜß -]{1,60}",
        addresses in proptest::collection::vec("[a-z0-9/.]{1,60}", 0..5),
        node in any::<bool>(),
    ) {
        let kind = if node { TokenKind::Node } else { TokenKind::Partner };
        let mut made = Token { id, secret, expires, trust, addresses, ..token(&Town::siegburg(), kind) };
        made.organisation.name = name;
        let back = Token::from_text(&made.to_text().unwrap(), expires).unwrap();
        prop_assert_eq!(back, made);
    }
}

/// Lets Bonn join Siegburg; both messages pass through `tamper`. Returns what each side has.
fn join(
    siegburg: &mut Town,
    bonn: &mut Town,
    invitation: &mut Invitation,
    mut tamper: impl FnMut(usize, JoinMessage) -> JoinMessage,
) -> Result<(Joined, Joined), JoinError> {
    let mut count = 0;
    let mut carry = |message: JoinMessage| {
        let bytes = message.to_bytes();
        assert!(bytes.len() <= JOIN_MESSAGE_BYTES_MAX);
        count += 1;
        tamper(count, JoinMessage::from_bytes(&bytes).unwrap())
    };
    let held = invitation.token.clone();
    let (mut joiner, first) = PartnerJoiner::start(held, &bonn.identity, bonn.id(), [11; 32])?;
    let JoinMessage::Partner(request) = carry(first) else { panic!("not a request") };
    let (mut inviter, challenge) =
        PartnerInviter::answer(&request, invitation, &siegburg.identity, bonn.id(), [22; 32], NOW)?;
    let (reveal, _) = joiner.handle(carry(challenge), &bonn.identity, &bonn.node, NOW)?;
    let (theirs, _) = inviter.handle(carry(reveal.unwrap()), invitation, &siegburg.identity, &siegburg.node)?;
    let (signed, _) = joiner.handle(carry(theirs.unwrap()), &bonn.identity, &bonn.node, NOW)?;
    let (last, at_siegburg) = inviter.handle(carry(signed.unwrap()), invitation, &siegburg.identity, &siegburg.node)?;
    let (_, at_bonn) = joiner.handle(carry(last.unwrap()), &bonn.identity, &bonn.node, NOW)?;
    let (at_siegburg, at_bonn) = (at_siegburg.unwrap(), at_bonn.unwrap());
    siegburg.identity.take_in(at_siegburg.ours.clone()).unwrap();
    bonn.identity.take_in(at_bonn.ours.clone()).unwrap();
    Ok((at_siegburg, at_bonn))
}

fn asis(_: usize, message: JoinMessage) -> JoinMessage {
    message
}

#[test]
fn two_towns_join_and_compare_the_same_six_words() {
    let (mut siegburg, mut bonn) = (Town::siegburg(), Town::bonn());
    let mut invitation = Invitation::new(token(&siegburg, TokenKind::Partner));
    assert!(invitation.is_open(NOW));
    let (at_siegburg, at_bonn) = join(&mut siegburg, &mut bonn, &mut invitation, asis).unwrap();
    assert_eq!(at_siegburg.check_words, at_bonn.check_words);
    assert!(at_bonn.check_words.iter().all(|word| crate::words::list().contains(word)));
    assert!(!at_siegburg.confirmed && !at_bonn.confirmed);
    assert_eq!(at_siegburg.partner.id(), bonn.identity.id());
    assert_eq!(at_bonn.partner.name(), "Stadt Siegburg");
    assert_eq!(siegburg.identity.partnership_with(&at_siegburg.partner), PartnershipState::Active);
    assert_eq!(bonn.identity.partnership_with(&at_bonn.partner), PartnershipState::Active);
    assert!(!invitation.is_open(NOW));
    // Used is used, also for the same town.
    let again = join(&mut siegburg, &mut bonn, &mut invitation, asis).unwrap_err();
    assert_eq!(again, JoinError::Burnt);
    // A second invitation renews the partnership with the next serial.
    let mut second = Invitation::new(token(&siegburg, TokenKind::Partner));
    let (at_siegburg, _) = join(&mut siegburg, &mut bonn, &mut second, asis).unwrap();
    assert_eq!(siegburg.identity.partnership_with(&at_siegburg.partner), PartnershipState::Active);
}

#[test]
fn a_trusted_invitation_for_a_place_confirms_in_advance_and_fits_that_place_only() {
    let (mut siegburg, mut bonn) = (Town::siegburg(), Town::bonn());
    let mut made = token(&siegburg, TokenKind::Partner);
    (made.for_ars, made.trust) = (Some(bonn.identity.ars().into()), true);
    let mut other = Town::new(3, "Stadt Hennef", "053820020020");
    let refused = join(&mut siegburg, &mut other, &mut Invitation::new(made.clone()), asis).unwrap_err();
    assert_eq!(refused, JoinError::OtherPlace("053140000000".into()));
    let mut invitation = Invitation::new(made.clone());
    let (at_siegburg, at_bonn) = join(&mut siegburg, &mut bonn, &mut invitation, asis).unwrap();
    assert!(at_siegburg.confirmed && at_bonn.confirmed);
    // Trust without a place would confirm any claim.
    made.for_ars = None;
    let (at_siegburg, _) = join(&mut siegburg, &mut bonn, &mut Invitation::new(made), asis).unwrap();
    assert!(!at_siegburg.confirmed);
}

#[test]
fn a_proof_holds_for_one_connection_only() {
    let (siegburg, bonn) = (Town::siegburg(), Town::bonn());
    let made = token(&siegburg, TokenKind::Partner);
    let (_, message) = PartnerJoiner::start(made.clone(), &bonn.identity, bonn.id(), [11; 32]).unwrap();
    let JoinMessage::Partner(request) = message else { panic!() };
    let answer = |request: &PartnerRequest, invitation: &mut Invitation, peer: NodeId| {
        PartnerInviter::answer(request, invitation, &siegburg.identity, peer, [22; 32], NOW).map(|_| ())
    };
    let mut invitation = Invitation::new(made);
    let thief = NodeKey::from_secret(&[66; 32]).id();
    assert_eq!(answer(&request, &mut invitation, thief), Err(JoinError::WrongProof), "replayed from elsewhere");
    let mut for_other = request.clone();
    for_other.organisation = OrgId([1; 32]);
    assert_eq!(answer(&for_other, &mut invitation, bonn.id()), Err(JoinError::WrongProof));
    assert_eq!(invitation.wrong, 2);
    let mut unknown = request.clone();
    unknown.token = [0; 16];
    assert_eq!(answer(&unknown, &mut invitation, bonn.id()), Err(JoinError::UnknownToken));
    assert_eq!(answer(&request, &mut invitation, bonn.id()), Ok(()));
    // Burnt for everybody else, even with a valid proof; the same node may begin again after a broken line.
    let hennef = Town::new(3, "Stadt Hennef", "053820020020");
    let held = invitation.token.clone();
    let (_, message) = PartnerJoiner::start(held, &hennef.identity, hennef.id(), [11; 32]).unwrap();
    let JoinMessage::Partner(second) = message else { panic!() };
    assert_eq!(answer(&second, &mut invitation, hennef.id()), Err(JoinError::Burnt));
    assert_eq!(answer(&request, &mut invitation, bonn.id()), Ok(()));
    let mut late = Invitation::new(invitation.token.clone());
    late.token.expires = NOW - 1;
    assert_eq!(answer(&request, &mut late, bonn.id()), Err(JoinError::Expired));
    assert!(!late.is_open(NOW));
}

#[test]
fn five_wrong_proofs_close_an_invitation() {
    let (siegburg, bonn) = (Town::siegburg(), Town::bonn());
    let made = token(&siegburg, TokenKind::Partner);
    let guessed = Token { secret: [0; 32], ..made.clone() };
    let mut invitation = Invitation::new(made.clone());
    let try_with = |held: &Token, invitation: &mut Invitation| {
        let (_, message) = PartnerJoiner::start(held.clone(), &bonn.identity, bonn.id(), [11; 32]).unwrap();
        let JoinMessage::Partner(request) = message else { panic!() };
        PartnerInviter::answer(&request, invitation, &siegburg.identity, bonn.id(), [22; 32], NOW).map(|_| ())
    };
    for _ in 0..WRONG_PROOFS_MAX {
        assert!(invitation.is_open(NOW));
        assert_eq!(try_with(&guessed, &mut invitation), Err(JoinError::WrongProof));
    }
    assert!(!invitation.is_open(NOW));
    assert_eq!(try_with(&made, &mut invitation), Err(JoinError::Closed));
}

#[test]
fn whoever_changes_anything_on_the_way_is_noticed() {
    type Tamper = fn(usize, JoinMessage) -> JoinMessage;
    let attacks: [(&str, Tamper); 5] = [
        ("a challenge without the secret", |_, message| match message {
            JoinMessage::Challenge { commitment, .. } => {
                JoinMessage::Challenge { commitment, proof: ortsnetz_model::Hash([0; 32]) }
            }
            other => other,
        }),
        ("another commitment", |_, message| match message {
            JoinMessage::Challenge { proof, .. } => {
                JoinMessage::Challenge { commitment: ortsnetz_model::Hash([0; 32]), proof }
            }
            other => other,
        }),
        ("another nonce than was committed to", |_, message| match message {
            JoinMessage::Reveal { statements, .. } => JoinMessage::Reveal { nonce: [9; 32], statements },
            other => other,
        }),
        ("another organisation's chain", |_, message| match message {
            JoinMessage::Reveal { nonce, .. } => {
                let statements = Town::new(3, "Stadt Hennef", "").identity.statements_for(crate::View::Own);
                JoinMessage::Reveal { nonce, statements }
            }
            other => other,
        }),
        ("a message that is not due", |count, message| if count == 2 { JoinMessage::Chain(vec![]) } else { message }),
    ];
    for (name, attack) in attacks {
        let (mut siegburg, mut bonn) = (Town::siegburg(), Town::bonn());
        let mut invitation = Invitation::new(token(&siegburg, TokenKind::Partner));
        let result = join(&mut siegburg, &mut bonn, &mut invitation, attack);
        assert!(result.is_err(), "{name}");
        assert_eq!(siegburg.identity.partners().count() + bonn.identity.partners().count(), 0, "{name}");
    }
}

#[test]
fn one_does_not_join_oneself_nor_with_the_wrong_token_or_node() {
    let (siegburg, bonn) = (Town::siegburg(), Town::bonn());
    let start =
        |made: Token, town: &Town, node: NodeId| PartnerJoiner::start(made, &town.identity, node, [1; 32]).map(|_| ());
    let made = token(&siegburg, TokenKind::Partner);
    assert_eq!(start(made.clone(), &siegburg, siegburg.id()), Err(JoinError::Oneself));
    let for_node = token(&siegburg, TokenKind::Node);
    assert!(matches!(start(for_node, &bonn, bonn.id()), Err(JoinError::WrongKind(_))));
    let plain = NodeKey::from_secret(&[70; 32]).id();
    assert!(matches!(start(made.clone(), &bonn, plain), Err(JoinError::NotEntitled(_))));
    assert!(matches!(NodeJoiner::start(made, plain, "x".into(), vec![]), Err(JoinError::WrongKind(_))));
}

#[test]
fn a_new_machine_becomes_a_node() {
    let mut town = Town::siegburg();
    let laptop = NodeKey::from_secret(&[70; 32]);
    let mut invitation = Invitation::new(token(&town, TokenKind::Node));
    let held = invitation.token.clone();
    let addresses = vec!["/ip4/192.0.2.9/tcp/4115".into()];
    let (mut joiner, message) = NodeJoiner::start(held, laptop.id(), "Laptop".into(), addresses).unwrap();
    let JoinMessage::Node(request) = JoinMessage::from_bytes(&message.to_bytes()).unwrap() else { panic!() };
    let roles = Roles { admin: false, edit: true };
    let mut answer = |request: &NodeRequest, invitation: &mut Invitation, peer: NodeId| {
        NodeInviter::answer(request, invitation, &mut town.identity, peer, roles, &town.root, NOW)
    };
    let mut renamed = request.clone();
    renamed.name = "Publisher".into();
    assert_eq!(answer(&renamed, &mut invitation, laptop.id()), Err(JoinError::WrongProof));
    let thief = NodeKey::from_secret(&[71; 32]).id();
    assert_eq!(answer(&request, &mut invitation, thief), Err(JoinError::WrongProof));
    let (_, chain) = answer(&request, &mut invitation, laptop.id()).unwrap();
    let identity: Identity = joiner.handle(chain.clone()).unwrap();
    assert_eq!(identity, town.identity);
    assert_eq!(identity.roles(&laptop.id()), roles);
    assert_eq!(joiner.handle(chain), Err(JoinError::OutOfOrder));
    // The chain of another organisation does not pass for the invited one.
    let held = invitation.token.clone();
    let (mut joiner, _) = NodeJoiner::start(held, laptop.id(), "Laptop".into(), vec![]).unwrap();
    let foreign = Town::bonn().identity.statements_for(crate::View::Own);
    assert!(matches!(joiner.handle(JoinMessage::Chain(foreign)), Err(JoinError::BadChain(_))));
}

#[test]
fn a_message_that_is_too_long_is_not_even_read() {
    let long = vec![0; JOIN_MESSAGE_BYTES_MAX + 1];
    assert!(matches!(JoinMessage::from_bytes(&long), Err(crate::EncodingError::TooLong { .. })));
    assert!(matches!(JoinMessage::from_bytes(&long[1..]), Err(crate::EncodingError::Malformed(_))));
}
