//! Two towns for tests.

use ortsnetz_model::{CollectionId, EntryId, FeedId, Hash, NodeId, Position};

use crate::identity::{Founding, Identity};
use crate::keys::{NodeKey, RootKey};
use crate::record::{Body, Record, Totals};
use crate::statement::OrganisationKind;

/// 2026-11-22, milliseconds since 1970.
pub const NOW: u64 = 1_795_300_000_000;

/// An organisation with all its keys.
pub struct Town {
    pub root: RootKey,
    pub node: NodeKey,
    pub identity: Identity,
}

impl Town {
    pub fn new(number: u8, name: &str, ars: &str) -> Self {
        let root = RootKey::from_secret(&[number; 32]);
        let node = NodeKey::from_secret(&[number + 100; 32]);
        let founding = Founding {
            name: name.into(),
            ars: ars.into(),
            kind: OrganisationKind::Municipality,
            node_name: "Rathaus".into(),
            addresses: vec!["/dns4/rathaus.example/tcp/4115".into()],
            at: NOW,
            random: [number; 16],
        };
        let identity = Identity::found(founding, &root, &node).unwrap();
        Self { root, node, identity }
    }

    pub fn siegburg() -> Self {
        Self::new(1, "Stadt Siegburg", "053820060060")
    }

    pub fn bonn() -> Self {
        Self::new(2, "Bundesstadt Bonn", "053140000000")
    }

    pub fn id(&self) -> NodeId {
        self.node.id()
    }

    pub fn feed(&self, collection: &str) -> FeedId {
        let organisation = self.identity.id();
        FeedId { organisation, collection: CollectionId::named(&organisation, collection) }
    }

    /// A publication in `public` at this sequence.
    pub fn publication(&self, sequence: u64) -> Record {
        Record {
            feed: self.feed("public"),
            entry: Some(EntryId([9; 16])),
            generation: 1,
            position: Position { term: 1, epoch: NOW, sequence },
            previous: None,
            list_serial: 0,
            at: NOW + 5_000,
            instance: 0x1234_5678_9abc_def0,
            body: Body::Publication { heads: vec![Hash([7; 32])] },
            totals: None,
        }
    }
}

pub fn totals() -> Totals {
    Totals { count: 1, root: Hash([5; 32]) }
}
