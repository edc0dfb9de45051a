use ortsnetz_model::{CollectionId, NodeId, OrgId};
use proptest::prelude::*;

use super::*;
use crate::keys::{NodeKey, RootKey};
use crate::limits::{ADDRESS_BYTES_MAX, ADDRESSES_MAX, NAME_BYTES_MAX};

fn root() -> RootKey {
    RootKey::from_secret(&[1; 32])
}

fn genesis() -> Genesis {
    Genesis {
        version: STATEMENT_VERSION,
        name: "Stadt Siegburg".into(),
        ars: "053820060060".into(),
        kind: OrganisationKind::Municipality,
        root: root().public(),
        at: 1_795_300_000_000,
        random: [7; 16],
    }
}

fn certificate() -> NodeCertificate {
    NodeCertificate {
        organisation: OrgId([1; 32]),
        node: NodeId([2; 32]),
        serial: 1,
        roles: Roles { admin: true, edit: false },
        not_before: 1,
        not_after: 2,
        addresses: vec!["/ip4/192.0.2.1/tcp/4115".into()],
        name: "Rathaus".into(),
    }
}

#[test]
fn an_organisation_is_the_hash_of_its_signed_genesis() {
    let signed = Signed::new(genesis(), &[&root()]).unwrap();
    let id = signed.genesis_id().unwrap();
    // Fixed for ever: every id of every organisation hangs on these bytes.
    assert_eq!(id.to_string(), "6c3aa694c045e1851bb5e5b0a02d2a077347f045b287726152368c4699df7765");
    let other = Signed::new(Genesis { random: [8; 16], ..genesis() }, &[&root()]).unwrap();
    assert_ne!(other.genesis_id(), Some(id));
    assert_eq!(Signed::new(certificate(), &[&root()]).unwrap().genesis_id(), None);
}

#[test]
fn each_limit_holds_at_and_over() {
    let signs = |statement: Statement| Signed::new(statement, &[&root()]).is_ok();
    let named = |length: usize| Genesis { name: "a".repeat(length), ..genesis() }.into();
    assert!(signs(named(NAME_BYTES_MAX)) && !signs(named(NAME_BYTES_MAX + 1)) && !signs(named(0)));
    let placed = |ars: &str| Genesis { ars: ars.into(), ..genesis() }.into();
    assert!(signs(placed("")) && signs(placed("053820060060")));
    assert!(!signs(placed("05382006006")) && !signs(placed("0538200600600")) && !signs(placed("05382006006x")));
    let reached = |count: usize, length: usize| {
        NodeCertificate { addresses: vec!["a".repeat(length); count], ..certificate() }.into()
    };
    assert!(signs(reached(ADDRESSES_MAX, ADDRESS_BYTES_MAX)));
    assert!(!signs(reached(ADDRESSES_MAX + 1, 1)) && !signs(reached(1, ADDRESS_BYTES_MAX + 1)));
    assert!(!signs(NodeCertificate { not_after: 1, ..certificate() }.into()), "never valid");
    assert!(matches!(
        Signed::new(Genesis { version: 2, ..genesis() }, &[&root()]),
        Err(EncodingError::Unknown { number: 2, .. })
    ));
}

#[test]
fn signatures_are_sorted_limited_and_one_per_key() {
    let keys: Vec<NodeKey> = (0..=SIGNATURES_MAX as u8).map(|n| NodeKey::from_secret(&[n; 32])).collect();
    let signed_by = |count: usize| {
        let mut signed = Signed::new(certificate(), &[]).unwrap();
        keys[..count].iter().for_each(|key| signed.sign(key));
        signed
    };
    let most = signed_by(SIGNATURES_MAX);
    assert_eq!(Signed::from_bytes(&most.to_bytes()).unwrap(), most);
    assert!(Signed::from_bytes(&signed_by(SIGNATURES_MAX + 1).to_bytes()).is_err());
    let mut twice = most.clone();
    twice.sign(&keys[0]);
    assert_eq!(twice, most);
    let mut swapped = most;
    swapped.signatures.swap(0, 1);
    assert!(Signed::from_bytes(&swapped.to_bytes()).is_err());
}

#[test]
fn other_encodings_and_unknown_kinds_are_refused() {
    let signed = Signed::new(certificate(), &[&root()]).unwrap();
    let with_payload = |kind: u8, payload: &[u8]| {
        let raw = RawSigned { kind, payload: payload.to_vec(), signatures: signed.signatures.clone() };
        Signed::from_bytes(&canonical::encode(&raw))
    };
    assert_eq!(with_payload(2, signed.payload()).as_ref(), Ok(&signed));
    assert!(matches!(with_payload(99, signed.payload()), Err(EncodingError::Unknown { number: 99, .. })));
    assert!(with_payload(4, signed.payload()).is_err(), "another kind's content");
    let mut loose = signed.payload().to_vec();
    loose[0] = 0x9f;
    loose.push(0xff);
    assert_eq!(with_payload(2, &loose), Err(EncodingError::NotCanonical));
    let mut longer = signed.payload().to_vec();
    longer.push(0xf6);
    assert_eq!(with_payload(2, &longer), Err(EncodingError::NotCanonical));
    let huge = vec![0; STATEMENT_BYTES_MAX + 1];
    assert!(with_payload(2, &huge).is_err());
    assert!(Signed::from_bytes(&vec![0x80; 1 << 20]).is_err());
}

#[test]
fn what_one_kind_signed_does_not_pass_as_another() {
    // A confirmation and a term could have equal bytes; the domain keeps them apart.
    let signed = Signed::new(certificate(), &[&root()]).unwrap();
    let (key, signature) = signed.signatures()[0];
    assert!(key.verify(Domain("node-certificate"), signed.payload(), &signature));
    assert!(!key.verify(Domain("node-revocation"), signed.payload(), &signature));
    assert!(!key.verify(Domain("record"), signed.payload(), &signature));
}

fn any_statement() -> impl Strategy<Value = Statement> {
    let orgs = (any::<[u8; 32]>(), any::<[u8; 32]>()).prop_filter("two", |(a, b)| a != b);
    let name = "[a-zA-ZäöüÄÖÜß ]{1,40}x";
    (orgs, name, 1u64..u64::MAX, any::<u64>(), 0u8..9).prop_map(|((a, b), name, serial, at, kind)| {
        let (organisation, partner) = (OrgId(a), OrgId(b));
        match kind {
            0 => Genesis { name, at, ..genesis() }.into(),
            1 => NodeCertificate { organisation, serial, name, ..certificate() }.into(),
            2 => NodeRevocation { organisation, node: NodeId(b), serial, at }.into(),
            3 => PublisherTerm { organisation, number: serial as u32 | 1, node: NodeId(b), at }.into(),
            4 => CollectionStatement {
                organisation,
                collection: CollectionId::named(&organisation, &name),
                name,
                serial,
                readers: Readers::Organisations(vec![partner]),
                since: vec![at],
                relay: at % 2 == 0,
                ended: at % 3 == 0,
                at,
                title: (at % 5 == 0).then(|| "Neu".into()),
            }
            .into(),
            5 => Partnership { a: organisation.min(partner), b: organisation.max(partner), serial, at }.into(),
            8 => ReaderRemoval {
                organisation,
                collection: CollectionId::named(&partner, &name),
                reader: partner,
                serial,
                at,
            }
            .into(),
            6 => PartnerConfirmation { organisation, partner, serial, confirmed: at % 2 == 0, at }.into(),
            _ => Delegation { organisation, to: partner, ars: "053820060060".into(), serial, until: at }.into(),
        }
    })
}

proptest! {
    #[test]
    fn a_statement_comes_back_from_its_bytes(statement in any_statement()) {
        let signed = Signed::new(statement.clone(), &[&root()]).unwrap();
        let back = Signed::from_bytes(&signed.to_bytes()).unwrap();
        prop_assert!(back.signed_by(&root().public()));
        prop_assert_eq!(back.statement(), &statement);
        prop_assert_eq!(back, signed);
    }

    #[test]
    fn foreign_bytes_are_refused_or_mean_themselves(
        statement in any_statement(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = Signed::new(statement, &[&root()]).unwrap().to_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(signed) = Signed::from_bytes(&bytes) {
            prop_assert_eq!(signed.to_bytes(), bytes);
        }
    }
}

/// Each rule of each kind, from both sides: what is allowed can be signed, and each single thing wrong is refused.
#[test]
fn each_rule_of_a_statement_holds_alone() {
    type Wrong<'a, S> = (&'a str, fn(&mut S));
    fn check<S: Into<Statement> + Clone>(good: &S, wrong: &[Wrong<'_, S>]) {
        assert!(Signed::new(good.clone(), &[&root()]).is_ok());
        for (what, spoil) in wrong {
            let mut bad = good.clone();
            spoil(&mut bad);
            assert!(Signed::new(bad, &[&root()]).is_err(), "{what}");
        }
    }
    let [own, other, third] = [1, 2, 3].map(|byte| OrgId([byte; 32]));
    let (at, old) = (5, root().public());
    let new = RootKey::from_secret(&[2; 32]).public();
    check(
        &RootRotation { organisation: own, number: 1, old, new, at },
        &[("number 0", |s| s.number = 0), ("the same key", |s| s.new = s.old)],
    );
    check(&certificate(), &[("serial 0", |s| s.serial = 0), ("ends when it begins", |s| s.not_after = s.not_before)]);
    check(
        &NodeRevocation { organisation: own, node: NodeId([2; 32]), serial: 1, at },
        &[("serial 0", |s| s.serial = 0)],
    );
    check(&PublisherTerm { organisation: own, number: 1, node: NodeId([2; 32]), at }, &[("term 0", |s| s.number = 0)]);
    check(
        &Succession { organisation: own, predecessor: other, serial: 1, at, ended: false },
        &[("serial 0", |s| s.serial = 0), ("follows itself", |s| s.predecessor = s.organisation)],
    );
    check(
        &SuccessionConfirmation {
            organisation: own,
            successor: other,
            predecessor: third,
            serial: 1,
            confirmed: true,
            at,
        },
        &[
            ("serial 0", |s| s.serial = 0),
            ("confirms itself", |s| s.successor = s.organisation),
            ("follows itself", |s| s.predecessor = s.successor),
        ],
    );
    check(
        &ReaderRemoval { organisation: own, collection: CollectionId([1; 16]), reader: other, serial: 1, at },
        &[("serial 0", |s| s.serial = 0), ("removes itself", |s| s.reader = s.organisation)],
    );
    check(
        &Partnership { a: own, b: other, serial: 1, at },
        &[
            ("serial 0", |s| s.serial = 0),
            ("with itself", |s| s.b = s.a),
            ("the other way round", |s| std::mem::swap(&mut s.a, &mut s.b)),
        ],
    );
    check(
        &PartnershipEnd { organisation: own, partner: other, serial: 1, at },
        &[("serial 0", |s| s.serial = 0), ("with itself", |s| s.partner = s.organisation)],
    );
    check(
        &PartnerConfirmation { organisation: own, partner: other, serial: 1, confirmed: true, at },
        &[("serial 0", |s| s.serial = 0), ("of itself", |s| s.partner = s.organisation)],
    );
    check(
        &Delegation { organisation: own, to: other, ars: "053820060060".into(), serial: 1, until: 9 },
        &[
            ("serial 0", |s| s.serial = 0),
            ("to itself", |s| s.to = s.organisation),
            ("no place", |s| s.ars = "05382006006x".into()),
        ],
    );
}
