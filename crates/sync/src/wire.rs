//! The messages of `/ortsnetz/sync/1`. A frame holds one message: CBOR `[type, [fields]]`. Unknown types are ignored,
//! unknown fields at the end too, so that a later version can add both.

use std::sync::Arc;

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use ortsnetz_model::{EntryId, FeedId, Hash, OrgId, Position};

use crate::effect::{Item, OfferHash};
use crate::frame::{self, FrameError};

/// The version spoken here.
pub const VERSION: u32 = 1;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Message {
    /// First message of both sides, at once.
    #[n(0)]
    Hello {
        /// Lowest version spoken.
        #[n(0)]
        oldest: u32,
        /// Highest version spoken.
        #[n(1)]
        newest: u32,
        /// Organisation of the sender.
        #[n(2)]
        organisation: OrgId,
        /// Random id of the sending process.
        #[n(3)]
        instance: u64,
        /// Hash of the sender's statements the receiver may see, first half.
        #[cbor(n(4), with = "minicbor::bytes")]
        chain: [u8; 16],
        /// Hash of what the sender may give the receiver.
        #[cbor(n(5), with = "minicbor::bytes")]
        offer: OfferHash,
        /// Hash of the receiver's last offer that the sender took in completely.
        #[cbor(n(6), with = "minicbor::bytes")]
        taken: OfferHash,
    },
    /// What the sender may give: feeds and chains that changed since the receiver last knew.
    #[n(1)]
    Have {
        /// Feeds.
        #[n(0)]
        feeds: Vec<Held>,
        /// First halves of the hashes of statement chains.
        #[n(1)]
        chains: Vec<HeldChain>,
        /// Hash of everything the sender may give; `None` if more messages of this kind follow.
        #[cbor(n(2), with = "minicbor::bytes")]
        offer: Option<OfferHash>,
    },
    /// Send me the statements of this organisation.
    #[n(2)]
    AskChain {
        /// Whose.
        #[n(0)]
        organisation: OrgId,
    },
    /// Statements, as signed.
    #[n(3)]
    Chain {
        /// Whose.
        #[n(0)]
        organisation: OrgId,
        /// In the order they can be taken in.
        #[n(1)]
        statements: Vec<ByteVec>,
        /// Whether this is the last part.
        #[n(2)]
        last: bool,
    },
    /// Send me pages of this feed, from after this position on.
    #[n(4)]
    Get {
        /// Which feed.
        #[n(0)]
        feed: FeedId,
        /// The sender's cursor.
        #[n(1)]
        after: Position,
    },
    /// Newest records per entry in order of position, with changes. Asked for by `Get`, or pushed.
    #[n(5)]
    Page {
        /// Which feed.
        #[n(0)]
        feed: FeedId,
        /// Complete from here.
        #[n(1)]
        after: Position,
        /// Complete up to here, never above the sender's cursor.
        #[n(2)]
        upto: Position,
        /// Whether it was pushed, whether it is the last of a catch-up.
        #[n(3)]
        kind: PageKind,
        /// Hash of everything the sender may give, if the receiver has heard of all of it now.
        #[cbor(n(4), with = "minicbor::bytes")]
        offer: Option<OfferHash>,
        /// The records with their changes, all records first: signatures between texts would make both pack worse.
        #[cbor(n(5), with = "items")]
        items: Vec<WireItem>,
    },
    /// Stored durably; the sender of it is complete up to here.
    #[n(6)]
    Ack {
        /// Which feed.
        #[n(0)]
        feed: FeedId,
        /// Its cursor there now.
        #[n(1)]
        cursor: Position,
        /// Last position of the page that was stored, also if the cursor could not follow.
        #[n(2)]
        stored: Position,
        /// As in `Page`.
        #[cbor(n(3), with = "minicbor::bytes")]
        offer: Option<OfferHash>,
    },
    /// Send me the newest record of this entry, and the changes that are not ancestors of these heads.
    #[n(7)]
    Want {
        /// Which feed.
        #[n(0)]
        feed: FeedId,
        /// Which entry; `None` is the checkpoint.
        #[n(1)]
        entry: Option<EntryId>,
        /// Heads the sender has.
        #[n(2)]
        have: Vec<Hash>,
    },
    /// Answer to `Want`, in one or more parts.
    #[n(8)]
    Changes {
        /// Which feed.
        #[n(0)]
        feed: FeedId,
        /// Which entry.
        #[n(1)]
        entry: Option<EntryId>,
        /// The record, in the first part.
        #[n(2)]
        record: Option<ByteVec>,
        /// The changes.
        #[n(3)]
        chunks: Vec<ByteVec>,
        /// Whether this is the last part.
        #[n(4)]
        last: bool,
    },
    /// Answer to `Want`: nothing of this entry can be given now.
    #[n(9)]
    Gone {
        /// Which feed.
        #[n(0)]
        feed: FeedId,
        /// Which entry.
        #[n(1)]
        entry: Option<EntryId>,
    },
    /// Compare trees: first halves of the 64 upper hashes of the sender.
    #[n(10)]
    Audit {
        /// Which feed.
        #[n(0)]
        feed: FeedId,
        /// 64 times 16 bytes.
        #[cbor(n(1), with = "minicbor::bytes")]
        middles: Vec<u8>,
    },
    /// Answer to `Audit`.
    #[n(11)]
    AuditBuckets {
        /// Which feed.
        #[n(0)]
        feed: FeedId,
        /// Cursor of the sender; the start if it holds nothing.
        #[n(1)]
        cursor: Position,
        /// Root of its tree.
        #[n(2)]
        root: Hash,
        /// Its live count.
        #[n(3)]
        live: u64,
        /// Of each upper bucket that differs: first halves of its 64 leaves.
        #[n(4)]
        buckets: Vec<Bucket>,
    },
    /// Send me what you hold in these leaves.
    #[n(12)]
    AuditLeaves {
        /// Which feed.
        #[n(0)]
        feed: FeedId,
        /// Numbers of leaves.
        #[n(1)]
        leaves: Vec<u16>,
    },
    /// Answer to `AuditLeaves`, in one or more parts.
    #[n(13)]
    AuditItems {
        /// Which feed.
        #[n(0)]
        feed: FeedId,
        /// What is held there.
        #[n(1)]
        items: Vec<AuditItem>,
        /// Whether this is the last part.
        #[n(2)]
        last: bool,
    },
    /// Records of your feed that are kept beside here because they do not count any more.
    #[n(14)]
    Yours {
        /// Which feed of the receiver's organisation.
        #[n(0)]
        feed: FeedId,
        /// The records with all their changes.
        #[n(1)]
        items: Vec<WireItem>,
    },
    /// Answer to `Yours`: taken over by the owner, they need not be kept any more.
    #[n(15)]
    Settled {
        /// Which feed.
        #[n(0)]
        feed: FeedId,
        /// Which records.
        #[n(1)]
        records: Vec<Settled>,
    },
    /// Two different signed records at one position.
    #[n(16)]
    Evidence {
        /// Which feed.
        #[n(0)]
        feed: FeedId,
        /// The two records.
        #[n(1)]
        items: Vec<WireItem>,
    },
    /// I live.
    #[n(17)]
    Beat {
        /// Whether an answer is wanted.
        #[n(0)]
        question: bool,
    },
    /// The sender closes.
    #[n(18)]
    Bye {
        /// Why.
        #[n(0)]
        code: ByeCode,
    },
    /// Whether the sender wants to hear of a feed and get what is pushed in it; until the connection ends. It wants all that
    /// are not named.
    #[n(19)]
    Follow {
        /// Which feed the receiver offers.
        #[n(0)]
        feed: FeedId,
        /// Whether it is wanted.
        #[n(1)]
        follows: bool,
    },
}

/// How far the sender has a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Held {
    /// Which feed.
    #[n(0)]
    pub feed: FeedId,
    /// Complete up to here.
    #[n(1)]
    pub cursor: Position,
    /// Serial of its reader list.
    #[n(2)]
    pub serial: u64,
}

/// Which statements of an organisation the sender has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct HeldChain {
    /// Whose.
    #[n(0)]
    pub organisation: OrgId,
    /// First half of the hash of those the receiver may see.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub hash: [u8; 16],
}

/// What kind of page it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum PageKind {
    /// Part of a catch-up; more follow.
    #[n(0)]
    Middle,
    /// The last of a catch-up.
    #[n(1)]
    Last,
    /// Pushed without being asked for.
    #[n(2)]
    Live,
    /// Part of a catch-up that ends here because the next entry is too large for a page: it comes with `Want`.
    #[n(3)]
    Large,
}

/// Leaves of one upper bucket.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Bucket {
    /// 0 to 63.
    #[n(0)]
    pub number: u8,
    /// 64 times 16 bytes.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub leaves: Vec<u8>,
}

/// What is held of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AuditItem {
    /// Which entry.
    #[n(0)]
    pub entry: EntryId,
    /// First half of its item in the tree.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub item: [u8; 16],
}

/// A record kept beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Settled {
    /// Its entry.
    #[n(0)]
    pub entry: EntryId,
    /// Its position.
    #[n(1)]
    pub position: Position,
}

/// Why the sender closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum ByeCode {
    /// It stops; it will be back.
    #[n(0)]
    Stopping,
    /// No common version.
    #[n(1)]
    Version,
    /// The receiver sent what it may not.
    #[n(2)]
    Misbehaved,
    /// The partnership ended, or the receiver's certificate was taken back: the statements that say so came before.
    #[n(3)]
    Removed,
}

/// A record and its changes on the wire. A hash inside the record that is the hash of the last chunk is left out.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct WireItem {
    /// The record, shortened by 32 bytes if `cut` is given.
    #[cbor(n(0), with = "minicbor::bytes")]
    record: Vec<u8>,
    /// Where the hash of the last chunk belongs.
    #[n(1)]
    cut: Option<u32>,
    /// The changes.
    #[n(2)]
    chunks: Vec<ByteVec>,
}

/// Where the hashed part of a change chunk begins: behind magic and checksum.
const CHUNK_HASHED_FROM: usize = 8;

impl WireItem {
    /// An item as it travels.
    pub fn new(item: &Item) -> Self {
        let head = item.chunks.last().and_then(|chunk| chunk.get(CHUNK_HASHED_FROM..)).map(Hash::of);
        let place = head.and_then(|head| item.record.windows(32).position(|window| window == head.0));
        let record = match place {
            Some(place) => [&item.record[..place], &item.record[place + 32..]].concat(),
            None => item.record.to_vec(),
        };
        Self {
            record,
            cut: place.map(|place| place as u32),
            chunks: item.chunks.iter().map(|chunk| chunk.clone().into()).collect(),
        }
    }

    /// Bytes of record and changes.
    pub fn bytes(&self) -> usize {
        self.record.len() + self.chunks.iter().map(|chunk| chunk.len()).sum::<usize>()
    }

    /// The item; `None` if the place of the hash makes no sense.
    pub fn item(self) -> Option<Item> {
        let chunks: Vec<Vec<u8>> = self.chunks.into_iter().map(Vec::from).collect();
        let record = match self.cut {
            None => self.record,
            Some(place) => {
                let head = Hash::of(chunks.last()?.get(CHUNK_HASHED_FROM..)?);
                let (front, back) = self.record.split_at_checked(place as usize)?;
                [front, &head.0, back].concat()
            }
        };
        Some(Item { record: Arc::from(record), chunks })
    }
}

/// Why a frame holds no message.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// Not a frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// Not a message.
    #[error("a frame that holds no message: {0}")]
    Content(#[from] minicbor::decode::Error),
}

/// The items of a page as `[[[record, cut]...], [[chunk...]...]]`.
mod items {
    use minicbor::decode::Error as DecodeError;
    use minicbor::encode::{Error, Write};
    use minicbor::{Decode, Decoder, Encode, Encoder};

    use super::{ByteVec, WireItem};

    /// A record and where 32 bytes were cut out of it.
    #[derive(Decode)]
    struct Head {
        #[cbor(n(0), with = "minicbor::bytes")]
        record: Vec<u8>,
        #[n(1)]
        cut: Option<u32>,
    }

    pub(super) fn encode<C, W: Write>(
        items: &[WireItem],
        encoder: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), Error<W::Error>> {
        encoder.array(2)?.array(items.len() as u64)?;
        for item in items {
            encoder.array(2)?.bytes(&item.record)?.encode_with(item.cut, context)?;
        }
        changes(items).encode(encoder, context)
    }

    pub(super) fn changes(items: &[WireItem]) -> Vec<&[ByteVec]> {
        items.iter().map(|item| item.chunks.as_slice()).collect()
    }

    pub(super) fn decode<C>(decoder: &mut Decoder<'_>, context: &mut C) -> Result<Vec<WireItem>, DecodeError> {
        let (heads, changes): (Vec<Head>, Vec<Vec<ByteVec>>) = decoder.decode_with(context)?;
        if heads.len() != changes.len() {
            return Err(DecodeError::message("a page with changes for more or fewer records than it has"));
        }
        let item = |(head, chunks): (Head, _)| WireItem { record: head.record, cut: head.cut, chunks };
        Ok(heads.into_iter().zip(changes).map(item).collect())
    }
}

impl Message {
    /// The frame that carries the message.
    pub fn frame(&self, zstd_level: i32) -> Vec<u8> {
        let body = minicbor::to_vec(self).unwrap_or_default();
        let texts = match self {
            Self::Page { items, .. } => minicbor::to_vec(items::changes(items)).map_or(0, |changes| changes.len()),
            _ => 0,
        };
        let (head, texts) = body.split_at(body.len().saturating_sub(texts));
        frame::pack(&[head, texts], zstd_level)
    }

    /// The message in a frame; `None` for a type a later version may know.
    pub fn read(frame: &[u8]) -> Result<Option<Self>, MessageError> {
        match minicbor::decode(&frame::unpack(frame)?) {
            Ok(message) => Ok(Some(message)),
            Err(error) if error.is_unknown_variant() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derivable_head_does_not_travel() {
        let chunk = vec![3; 100];
        let head = Hash::of(&chunk[8..]);
        let record: Vec<u8> = [&[1; 40][..], &head.0, &[2; 9]].concat();
        let item = Item { record: record.into(), chunks: vec![vec![5; 20], chunk] };
        let wire = WireItem::new(&item);
        assert_eq!(wire.record.len(), 49);
        assert_eq!(wire.item(), Some(item));
    }

    #[test]
    fn a_senseless_cut_is_refused() {
        for (cut, chunks) in [(50, vec![vec![0; 20].into()]), (0, vec![]), (0, vec![vec![0; 7].into()])] {
            assert_eq!(WireItem { record: vec![0; 49], cut: Some(cut), chunks }.item(), None);
        }
    }

    #[test]
    fn an_unknown_type_is_ignored_and_nonsense_is_an_error() {
        let mut later = minicbor::Encoder::new(vec![0]);
        later.array(2).unwrap().u32(200).unwrap().array(1).unwrap().u8(1).unwrap();
        assert!(matches!(Message::read(&later.into_writer()), Ok(None)));
        assert!(Message::read(&[0, 0x61, 0x61]).is_err());
        assert!(Message::read(&[0]).is_err());
    }
}
