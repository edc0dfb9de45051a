//! What is asked and answered between two nodes. CBOR, so that a later version can add fields.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use ortsnetz_model::CollectionId;
use ortsnetz_sync::Item;

use super::limits::{CHANGES_MAX, COLLECTIONS_MAX, ENTRIES_MAX, TEXT_CHARS_MAX};

/// What somebody asks a partner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Question {
    /// In these collections of the one asked.
    #[n(0)]
    pub collections: Vec<CollectionId>,
    /// The words.
    #[n(1)]
    pub words: String,
    /// ARS of the place.
    #[n(2)]
    pub place: Option<String>,
    /// Day, ISO 8601.
    #[n(3)]
    pub on: Option<String>,
    /// Only entries of this kind.
    #[n(4)]
    pub kind: Option<String>,
    /// Language of title and text.
    #[n(5)]
    pub language: Option<String>,
}

/// What it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Answer {
    /// Signed records with all their changes, the best first.
    #[n(0)]
    pub entries: Vec<Entry>,
    /// Why there are none, if the question was not answered.
    #[n(1)]
    pub refused: Option<String>,
}

/// One entry of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Entry {
    /// Which of the collections asked for.
    #[n(0)]
    pub collection: CollectionId,
    /// The record, as signed.
    #[n(1)]
    pub record: ByteVec,
    /// The changes of its document, in order.
    #[n(2)]
    pub chunks: Vec<ByteVec>,
}

impl Question {
    /// The bytes to send.
    pub fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).unwrap_or_default()
    }

    /// Reads a question; an error says what is wrong with it, for whoever asked.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let question: Self = minicbor::decode(bytes).map_err(|_| "no question that is understood here".to_owned())?;
        if question.collections.len() > COLLECTIONS_MAX {
            return Err(format!("{} collections, at most {COLLECTIONS_MAX} are possible", question.collections.len()));
        }
        let optional = [&question.place, &question.on, &question.kind, &question.language];
        let texts = optional.into_iter().flatten().chain([&question.words]);
        match texts.map(|text| text.chars().count()).max() {
            Some(longest) if longest > TEXT_CHARS_MAX => Err(format!("longer than {TEXT_CHARS_MAX} characters")),
            _ => Ok(question),
        }
    }
}

impl Answer {
    /// The bytes to send.
    pub fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).unwrap_or_default()
    }

    /// Reads an answer; `None` if it is none, or has more than can be.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let answer: Self = minicbor::decode(bytes).ok()?;
        let pieces = |entry: &Entry| entry.chunks.len() <= CHANGES_MAX;
        (answer.entries.len() <= ENTRIES_MAX && answer.entries.iter().all(pieces)).then_some(answer)
    }
}

impl Entry {
    /// As the acceptance takes it.
    pub fn into_item(self) -> Item {
        Item { record: Vec::from(self.record).into(), chunks: self.chunks.into_iter().map(Vec::from).collect() }
    }

    /// Bytes of record and changes.
    pub fn bytes(&self) -> usize {
        self.record.len() + self.chunks.iter().map(|chunk| chunk.len()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_question_at_its_limits_is_read_and_one_over_them_is_refused() {
        let text = |characters: usize| "ü".repeat(characters);
        let question = |collections: usize, words: usize, place: usize| Question {
            collections: vec![CollectionId([1; 16]); collections],
            words: text(words),
            place: Some(text(place)),
            ..Question::default()
        };
        let most = question(COLLECTIONS_MAX, TEXT_CHARS_MAX, TEXT_CHARS_MAX);
        assert_eq!(Question::from_bytes(&most.to_bytes()), Ok(most));
        let more = [(COLLECTIONS_MAX + 1, 1, 1), (1, TEXT_CHARS_MAX + 1, 1), (1, 1, TEXT_CHARS_MAX + 1)];
        for (collections, words, place) in more {
            assert!(Question::from_bytes(&question(collections, words, place).to_bytes()).is_err());
        }
    }

    #[test]
    fn an_answer_at_its_limits_is_read_and_one_over_them_is_none() {
        let entry = |chunks: usize| Entry {
            collection: CollectionId([1; 16]),
            record: vec![1; 3].into(),
            chunks: vec![vec![2].into(); chunks],
        };
        let answer = |entries: usize| Answer { entries: vec![entry(1); entries], refused: None };
        assert_eq!(Answer::from_bytes(&answer(ENTRIES_MAX).to_bytes()), Some(answer(ENTRIES_MAX)));
        assert_eq!(Answer::from_bytes(&answer(ENTRIES_MAX + 1).to_bytes()), None);
        let long = |chunks: usize| Answer { entries: vec![entry(chunks)], refused: None };
        assert!(Answer::from_bytes(&long(CHANGES_MAX).to_bytes()).is_some());
        assert!(Answer::from_bytes(&long(CHANGES_MAX + 1).to_bytes()).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = (Question::from_bytes(&bytes), Answer::from_bytes(&bytes));
        }
    }
}
