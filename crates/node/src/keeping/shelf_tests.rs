//! What a keeper takes, keeps and gives back.

use ortsnetz_model::OrgId;
use ortsnetz_trust::{RootKey, Signer as _};

use super::*;

const MB: u64 = 1024 * 1024;

struct Town {
    root: RootKey,
    dir: tempfile::TempDir,
    bytes_max: u64,
    free: u64,
}

/// A copy as its owner has it.
struct Made {
    file: Vec<u8>,
    tree: PieceTree,
    signed: SignedCopy,
    number: u64,
}

impl Made {
    fn piece(&self, index: u64) -> &[u8] {
        self.file.chunks(SEALED_PIECE_BYTES).nth(index as usize).unwrap()
    }
}

impl Town {
    fn new(bytes_max: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { root: RootKey::from_secret(&[1; 32]), dir, bytes_max, free: 1 << 40 }
    }

    fn shelf(&self) -> Shelf {
        Shelf::new(self.dir.path().join("kept"))
    }

    fn with<T>(&self, work: impl FnOnce(&Shelf, &Terms<'_>) -> io::Result<T>) -> T {
        let room = |bytes| if bytes <= self.free { Ok(()) } else { Err("the disk is full".to_owned()) };
        let terms = Terms { bytes_max: self.bytes_max, root: self.root.public(), room: &room };
        work(&self.shelf(), &terms).unwrap()
    }

    fn make(&self, number: u64, bytes: usize, oldest: u64) -> Made {
        let file: Vec<u8> = (0..bytes).map(|at| (at as u64 / 11 + number) as u8).collect();
        let tree = PieceTree::new(file.chunks(SEALED_PIECE_BYTES).map(piece_hash).collect());
        let copy = SealedCopy::new(OrgId([7; 32]), number, bytes as u64, tree.root(), number, oldest);
        Made { file, tree, signed: SignedCopy::sign(&copy, &self.root).unwrap(), number }
    }

    fn offer(&self, made: &Made) -> KeepAnswer {
        self.with(|shelf, terms| shelf.offer(&made.signed, terms))
    }

    fn put(&self, made: &Made, index: u64) -> KeepAnswer {
        let path = made.tree.path(index).unwrap();
        self.with(|shelf, terms| shelf.put(made.number, index, made.piece(index), &path, terms))
    }

    /// Offers and sends what is wanted, until it is kept or refused.
    fn send(&self, made: &Made) -> KeepAnswer {
        let mut answer = self.offer(made);
        while let KeepAnswer::Want(index) = answer {
            answer = self.put(made, index);
        }
        answer
    }

    fn get(&self, number: u64, index: u64) -> Option<KeepAnswer> {
        let shelf = self.shelf();
        let (copy, tree) = shelf.tree(number).unwrap()?;
        Some(shelf.get(&copy, &tree, index).unwrap())
    }

    fn numbers(&self) -> Vec<u64> {
        self.shelf().whole().unwrap().iter().map(|(copy, _)| copy.number).collect()
    }

    /// How many files lie here.
    fn files(&self) -> usize {
        fs::read_dir(self.dir.path().join("kept")).map_or(0, Iterator::count)
    }
}

fn why(answer: KeepAnswer) -> KeepRefusal {
    match answer {
        KeepAnswer::Refused { why, .. } => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_copy_comes_in_pieces_and_goes_back_piece_by_piece() {
    let town = Town::new(8 * MB);
    let made = town.make(5, 2 * SEALED_PIECE_BYTES + 9, 0);
    assert_eq!(town.send(&made), KeepAnswer::Kept(5));
    assert_eq!(town.send(&made), KeepAnswer::Kept(5), "once more is nothing new");
    let state = town.with(|shelf, terms| shelf.state(terms));
    assert_eq!(state, KeepAnswer::State { bytes_max: 8 * MB, copies: vec![made.signed.clone()] });
    for index in 0..3 {
        let expected = KeepAnswer::Piece { piece: made.piece(index).to_vec(), path: made.tree.path(index).unwrap() };
        assert_eq!(town.get(5, index), Some(expected));
    }
    assert_eq!(town.get(5, 3).map(why), Some(KeepRefusal::Wrong));
    assert_eq!(town.get(6, 0), None);
    assert_eq!(town.files(), 3);
}

#[test]
fn an_upload_that_broke_off_goes_on_and_a_piece_that_was_cut_comes_again() {
    let town = Town::new(8 * MB);
    let made = town.make(5, 3 * SEALED_PIECE_BYTES + 9, 0);
    assert_eq!(town.offer(&made), KeepAnswer::Want(0));
    town.put(&made, 0);
    assert_eq!(town.put(&made, 1), KeepAnswer::Want(2));
    assert_eq!(town.put(&made, 0), KeepAnswer::Want(2), "it is here");
    assert_eq!(town.put(&made, 3), KeepAnswer::Want(2), "one is missing before");
    assert_eq!(town.offer(&made), KeepAnswer::Want(2), "after a restart");
    let part = town.shelf().path(5, PART);
    let length = fs::metadata(&part).unwrap().len();
    OpenOptions::new().write(true).open(&part).unwrap().set_len(length - 1).unwrap();
    assert_eq!(town.offer(&made), KeepAnswer::Want(1));
    assert_eq!(town.send(&made), KeepAnswer::Kept(5));
    assert!(fs::read(town.shelf().path(5, FILE)).unwrap() == made.file);
}

#[test]
fn a_broken_upload_never_replaces_a_good_copy() {
    let town = Town::new(8 * MB);
    let (good, next) = (town.make(5, 300_000, 0), town.make(6, 300_000, 6));
    assert_eq!(town.send(&good), KeepAnswer::Kept(5));
    town.offer(&next);
    town.put(&next, 0);
    // The disk lost what was written, without a word.
    town.put(&next, 1);
    let part = town.shelf().path(6, PART);
    let mut bytes = fs::read(&part).unwrap();
    bytes[7] ^= 1;
    fs::write(&part, bytes).unwrap();
    assert_eq!(why(town.put(&next, 2)), KeepRefusal::Lost);
    assert_eq!(town.numbers(), [5]);
    assert!(matches!(town.get(5, 2), Some(KeepAnswer::Piece { .. })));
    assert_eq!(town.send(&next), KeepAnswer::Kept(6), "from the beginning");
    assert_eq!(town.numbers(), [6], "what is older than its owner wants is gone");
}

#[test]
fn the_quota_holds_at_and_over_and_the_newest_stays_until_the_next_is_whole() {
    let size = 300_000;
    let town = Town::new(2 * size);
    assert_eq!(town.send(&town.make(1, size as usize, 0)), KeepAnswer::Kept(1));
    assert_eq!(why(town.offer(&town.make(2, size as usize + 1, 0))), KeepRefusal::Quota);
    assert_eq!(town.numbers(), [1]);
    assert_eq!(town.send(&town.make(2, size as usize, 0)), KeepAnswer::Kept(2));
    assert_eq!(town.numbers(), [2, 1]);
    // Now the oldest makes room, and never the newest.
    let third = town.make(3, size as usize, 0);
    assert_eq!(town.offer(&third), KeepAnswer::Want(0));
    assert_eq!(town.numbers(), [2]);
    assert_eq!(town.send(&third), KeepAnswer::Kept(3));
    assert_eq!(town.numbers(), [3, 2]);
    assert!(town.shelf().bytes().unwrap() <= 2 * size + 2 * (3 * HASH as u64 + 400), "and what describes them");
    let alone = Town::new(size);
    assert_eq!(why(alone.offer(&alone.make(1, size as usize + 1, 0))), KeepRefusal::Quota);
    assert_eq!(alone.send(&alone.make(1, size as usize, 0)), KeepAnswer::Kept(1));
}

#[test]
fn so_many_versions_are_kept_and_no_more() {
    let town = Town::new(64 * MB);
    let last = SEALED_VERSIONS_MAX as u64 + 1;
    for number in 1..last {
        assert_eq!(town.send(&town.make(number, 1000, 0)), KeepAnswer::Kept(number));
    }
    assert_eq!(town.numbers().len(), SEALED_VERSIONS_MAX);
    town.send(&town.make(last, 1000, 0));
    assert_eq!(town.numbers(), (2..=last).rev().collect::<Vec<_>>());
}

#[test]
fn what_root_has_not_signed_or_what_is_older_is_not_taken() {
    let town = Town::new(8 * MB);
    let thief = Town { root: RootKey::from_secret(&[2; 32]), ..Town::new(8 * MB) };
    assert_eq!(why(town.offer(&thief.make(9, 1000, 0))), KeepRefusal::Wrong);
    assert_eq!(town.send(&town.make(5, 1000, 0)), KeepAnswer::Kept(5));
    for number in [4, 5] {
        assert_eq!(why(town.offer(&town.make(number, 1001, 0))), KeepRefusal::Older, "{number}");
    }
    let made = town.make(6, 300_000, 0);
    assert_eq!(why(town.put(&made, 0)), KeepRefusal::Wrong, "not offered");
    town.offer(&made);
    let path = made.tree.path(0).unwrap();
    let wrong = town.with(|shelf, terms| shelf.put(6, 0, made.piece(1), &path, terms));
    assert_eq!(why(wrong), KeepRefusal::Wrong);
    assert_eq!(town.offer(&made), KeepAnswer::Want(0), "nothing of it was written");
}

#[test]
fn a_full_disk_refuses_and_says_so() {
    let mut town = Town::new(8 * MB);
    let made = town.make(5, 300_000, 0);
    town.free = 299_999;
    assert_eq!(why(town.offer(&made)), KeepRefusal::NoRoom);
    assert_eq!(town.files(), 0);
    town.free = 300_000;
    assert_eq!(town.offer(&made), KeepAnswer::Want(0));
    town.free = 5;
    let refused = town.put(&made, 0);
    assert_eq!(refused, KeepAnswer::refused(KeepRefusal::NoRoom, "the disk is full"));
    town.free = 1 << 40;
    assert_eq!(town.send(&made), KeepAnswer::Kept(5));
}

#[test]
fn an_owner_that_offers_ever_new_copies_fills_no_disk() {
    let town = Town::new(MB);
    for number in 1..40 {
        let made = town.make(number, 600_000, 0);
        assert_eq!(town.offer(&made), KeepAnswer::Want(0));
        for index in 0..3 {
            town.put(&made, index);
        }
        assert!(town.shelf().bytes().unwrap() <= MB, "{number}");
        assert!(town.files() <= 3, "{number}");
    }
}

#[test]
fn a_flipped_byte_on_the_keepers_disk_is_told_and_the_hashes_are_made_again() {
    let town = Town::new(8 * MB);
    let made = town.make(5, 300_000, 0);
    town.send(&made);
    fs::write(town.shelf().path(5, TREE), "nonsense").unwrap();
    assert!(matches!(town.get(5, 1), Some(KeepAnswer::Piece { .. })));
    fs::write(
        town.shelf().path(5, TREE),
        made.file.chunks(SEALED_PIECE_BYTES).flat_map(|p| piece_hash(p).0).collect::<Vec<_>>(),
    )
    .unwrap();
    let file = town.shelf().path(5, FILE);
    let mut bytes = fs::read(&file).unwrap();
    bytes[SEALED_PIECE_BYTES + 3] ^= 1;
    fs::write(&file, bytes).unwrap();
    assert!(matches!(town.get(5, 0), Some(KeepAnswer::Piece { .. })));
    assert_eq!(town.get(5, 1).map(why), Some(KeepRefusal::Lost));
    town.shelf().remove(5).unwrap();
    assert_eq!(town.send(&made), KeepAnswer::Kept(5), "it can be sent again");
    town.shelf().clear().unwrap();
    assert_eq!(town.numbers(), [0; 0]);
}
