//! Where the sealed copies of one organisation lie, beside the store: whole ones, and one that is arriving. A copy counts
//! when it was read back and its description lies beside it; until then nothing that was whole gives way to it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use ortsnetz_model::Hash;
use ortsnetz_trust::PublicKey;
use ortsnetz_trust::limits::{SEALED_PIECE_BYTES, SEALED_VERSIONS_MAX};
use ortsnetz_trust::sealed::{KeepAnswer, KeepRefusal, PieceTree, SealedCopy, SignedCopy, piece_hash};

/// A whole copy.
const FILE: &str = "age";
/// What root said of it; written last.
const COPY: &str = "copy";
/// Hashes of its pieces.
const TREE: &str = "tree";
/// A copy that is arriving, and what root said of it.
const PART: &str = "part";
const OFFER: &str = "offer";
/// Bytes of a hash.
const HASH: usize = 32;

/// The copies of one organisation. Used by one caller at a time.
pub(crate) struct Shelf {
    directory: PathBuf,
}

/// What is agreed, and what the disk says.
pub(crate) struct Terms<'a> {
    /// Bytes that all copies may take.
    pub(crate) bytes_max: u64,
    /// The owner's root key.
    pub(crate) root: PublicKey,
    /// An error, for people, if so many bytes are not free.
    pub(crate) room: &'a dyn Fn(u64) -> Result<(), String>,
}

impl Shelf {
    /// In this directory, which need not exist yet.
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    fn path(&self, number: u64, kind: &str) -> PathBuf {
        self.directory.join(format!("{number}.{kind}"))
    }

    /// Whole copies, newest first.
    pub(crate) fn whole(&self) -> io::Result<Vec<(SealedCopy, SignedCopy)>> {
        let mut all = self.described(COPY)?;
        all.retain(|(copy, _)| fs::metadata(self.path(copy.number, FILE)).is_ok_and(|about| about.len() == copy.bytes));
        Ok(all)
    }

    /// The copy that is arriving, and how many of its bytes are here.
    pub(crate) fn arriving(&self) -> io::Result<Option<(SealedCopy, SignedCopy, u64)>> {
        let Some((copy, signed)) = self.described(OFFER)?.into_iter().next() else { return Ok(None) };
        let bytes = fs::metadata(self.path(copy.number, PART)).map_or(0, |about| about.len());
        Ok(Some((copy, signed, bytes)))
    }

    /// Descriptions that lie here, newest first. Their signature was checked when they were written.
    fn described(&self, kind: &str) -> io::Result<Vec<(SealedCopy, SignedCopy)>> {
        let mut all = Vec::new();
        for number in self.numbers(kind)? {
            let signed = SignedCopy::from_bytes(&fs::read(self.path(number, kind))?);
            if let Some((copy, signed)) = signed.ok().and_then(|signed| Some((signed.said().ok()?, signed)))
                && copy.number == number
            {
                all.push((copy, signed));
            }
        }
        Ok(all)
    }

    /// Numbers of files of a kind, highest first.
    fn numbers(&self, kind: &str) -> io::Result<Vec<u64>> {
        let items = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            items => items?,
        };
        let number = |path: &Path| {
            let right = path.extension().is_some_and(|end| end == kind);
            path.file_stem().filter(|_| right)?.to_str()?.parse().ok()
        };
        let mut numbers: Vec<u64> = items.filter_map(|item| number(&item.ok()?.path())).collect();
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        Ok(numbers)
    }

    /// Bytes of everything that lies here.
    pub(crate) fn bytes(&self) -> io::Result<u64> {
        match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            items => Ok(items?.filter_map(|item| Some(item.ok()?.metadata().ok()?.len())).sum()),
        }
    }

    /// `State`
    pub(crate) fn state(&self, terms: &Terms<'_>) -> io::Result<KeepAnswer> {
        let copies = self.whole()?.into_iter().take(SEALED_VERSIONS_MAX).map(|(_, signed)| signed).collect();
        Ok(KeepAnswer::State { bytes_max: terms.bytes_max, copies })
    }

    /// `Offer`
    pub(crate) fn offer(&self, signed: &SignedCopy, terms: &Terms<'_>) -> io::Result<KeepAnswer> {
        let refused = |why, reason: String| Ok(KeepAnswer::refused(why, reason));
        let copy = match signed.verify(&terms.root) {
            Ok(copy) => copy,
            Err(error) => return refused(KeepRefusal::Wrong, error.to_string()),
        };
        let whole = self.whole()?;
        if let Some((newest, known)) = whole.first() {
            if newest.number == copy.number && known == signed {
                return Ok(KeepAnswer::Kept(copy.number));
            }
            if newest.number >= copy.number {
                return refused(KeepRefusal::Older, format!("a copy with the number {} is here", newest.number));
            }
        }
        if let Some((_, known, bytes)) = self.arriving()?
            && known == *signed
        {
            return Ok(KeepAnswer::Want(self.arrived(&copy, bytes)));
        }
        // The newest stays until the new one is whole.
        let newest = whole.first().map_or(0, |(newest, _)| newest.bytes);
        let needed = newest.saturating_add(copy.bytes);
        if needed > terms.bytes_max {
            let beside = if newest > 0 { format!(" beside the last one with {newest}") } else { String::new() };
            return refused(
                KeepRefusal::Quota,
                format!("the copy has {} bytes{beside}; agreed are {} for both", copy.bytes, terms.bytes_max),
            );
        }
        self.forget_arriving()?;
        let mut used: u64 = whole.iter().map(|(copy, _)| copy.bytes).sum();
        for (oldest, _) in whole.iter().skip(1).rev() {
            if used.saturating_add(copy.bytes) > terms.bytes_max {
                self.remove(oldest.number)?;
                used -= oldest.bytes;
            }
        }
        if let Err(reason) = (terms.room)(copy.bytes) {
            return refused(KeepRefusal::NoRoom, reason);
        }
        fs::create_dir_all(&self.directory)?;
        self.write(copy.number, OFFER, &signed.to_bytes())?;
        Ok(KeepAnswer::Want(0))
    }

    /// How many pieces of the arriving copy are here for sure.
    fn arrived(&self, copy: &SealedCopy, bytes: u64) -> u64 {
        let hashes = fs::metadata(self.path(copy.number, TREE)).map_or(0, |about| about.len() / HASH as u64);
        // A last piece that is shorter is not counted: it comes again.
        (bytes / SEALED_PIECE_BYTES as u64).min(hashes).min(copy.pieces().saturating_sub(1))
    }

    /// `Put`
    pub(crate) fn put(
        &self,
        number: u64,
        index: u64,
        piece: &[u8],
        path: &[Hash],
        terms: &Terms<'_>,
    ) -> io::Result<KeepAnswer> {
        let offered = self.arriving()?.filter(|(copy, ..)| copy.number == number);
        let Some((copy, signed, bytes)) = offered else {
            return Ok(KeepAnswer::refused(KeepRefusal::Wrong, "this copy was not offered"));
        };
        let next = self.arrived(&copy, bytes);
        if index != next {
            return Ok(KeepAnswer::Want(next));
        }
        if !copy.has_piece(index, piece, path) {
            return Ok(KeepAnswer::refused(KeepRefusal::Wrong, "the piece is not one of this copy"));
        }
        if let Err(reason) = (terms.room)(piece.len() as u64) {
            return Ok(KeepAnswer::refused(KeepRefusal::NoRoom, reason));
        }
        self.write_at(number, PART, index * SEALED_PIECE_BYTES as u64, piece)?;
        self.write_at(number, TREE, index * HASH as u64, &piece_hash(piece).0)?;
        if index + 1 < copy.pieces() {
            return Ok(KeepAnswer::Want(index + 1));
        }
        self.finish(&copy, &signed)
    }

    /// Reads a copy back whose last piece has come; only then it counts.
    fn finish(&self, copy: &SealedCopy, signed: &SignedCopy) -> io::Result<KeepAnswer> {
        let number = copy.number;
        for kind in [PART, TREE] {
            File::open(self.path(number, kind))?.sync_all()?;
        }
        let tree = tree_of(&self.path(number, PART))?;
        if tree.root() != copy.root || fs::metadata(self.path(number, PART))?.len() != copy.bytes {
            self.forget_arriving()?;
            return Ok(KeepAnswer::refused(KeepRefusal::Lost, "what was written does not read back; send it again"));
        }
        fs::rename(self.path(number, PART), self.path(number, FILE))?;
        self.sync()?;
        self.write(number, COPY, &signed.to_bytes())?;
        remove_if_there(&self.path(number, OFFER))?;
        for (at, (old, _)) in self.whole()?.into_iter().enumerate() {
            if at >= SEALED_VERSIONS_MAX || old.number < copy.oldest {
                self.remove(old.number)?;
            }
        }
        self.sync()?;
        Ok(KeepAnswer::Kept(number))
    }

    /// The tree of a whole copy; `None` if there is none, or if it is damaged.
    pub(crate) fn tree(&self, number: u64) -> io::Result<Option<(SealedCopy, PieceTree)>> {
        let Some((copy, _)) = self.whole()?.into_iter().find(|(copy, _)| copy.number == number) else {
            return Ok(None);
        };
        let bytes = match fs::read(self.path(number, TREE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            bytes => bytes?,
        };
        let hashes = bytes.chunks_exact(HASH).filter_map(|hash| Some(Hash(hash.try_into().ok()?))).collect();
        let tree = PieceTree::new(hashes);
        if tree.root() == copy.root {
            return Ok(Some((copy, tree)));
        }
        // The hashes are damaged; perhaps the file is not.
        let tree = tree_of(&self.path(number, FILE))?;
        Ok((tree.root() == copy.root).then_some((copy, tree)))
    }

    /// `Get`
    pub(crate) fn get(&self, copy: &SealedCopy, tree: &PieceTree, index: u64) -> io::Result<KeepAnswer> {
        let (Some(path), Some(expected)) = (tree.path(index), tree.piece(index)) else {
            return Ok(KeepAnswer::refused(KeepRefusal::Wrong, format!("the copy has {} pieces", tree.pieces())));
        };
        let mut file = File::open(self.path(copy.number, FILE))?;
        file.seek(SeekFrom::Start(index * SEALED_PIECE_BYTES as u64))?;
        let mut piece = vec![0; copy.piece_bytes(index)];
        file.read_exact(&mut piece)?;
        if piece_hash(&piece) != *expected {
            return Ok(KeepAnswer::refused(KeepRefusal::Lost, "the copy is damaged on the disk here"));
        }
        Ok(KeepAnswer::Piece { piece, path })
    }

    /// Removes one copy: it is damaged, or too old.
    pub(crate) fn remove(&self, number: u64) -> io::Result<()> {
        // What says that it is whole goes first.
        [COPY, FILE, TREE].iter().try_for_each(|kind| remove_if_there(&self.path(number, kind)))
    }

    /// Removes what has arrived of a copy that is not whole.
    fn forget_arriving(&self) -> io::Result<()> {
        let whole: Vec<u64> = self.whole()?.iter().map(|(copy, _)| copy.number).collect();
        for kind in [COPY, OFFER, PART, TREE, FILE] {
            for number in self.numbers(kind)? {
                if !whole.contains(&number) {
                    remove_if_there(&self.path(number, kind))?;
                }
            }
        }
        Ok(())
    }

    /// Removes everything.
    pub(crate) fn clear(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Writes a small file whole or not at all.
    fn write(&self, number: u64, kind: &str, bytes: &[u8]) -> io::Result<()> {
        let (new, path) = (self.path(number, "new"), self.path(number, kind));
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        self.sync()
    }

    fn write_at(&self, number: u64, kind: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let mut file = options.open(self.path(number, kind))?;
        // What lies behind was not finished.
        file.set_len(at)?;
        file.seek(SeekFrom::Start(at))?;
        file.write_all(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }
}

/// The tree over the pieces of a file.
pub(crate) fn tree_of(file: &Path) -> io::Result<PieceTree> {
    let (mut reader, mut hashes) = (BufReader::new(File::open(file)?), Vec::new());
    let mut piece = Vec::with_capacity(SEALED_PIECE_BYTES);
    loop {
        piece.clear();
        (&mut reader).take(SEALED_PIECE_BYTES as u64).read_to_end(&mut piece)?;
        if piece.is_empty() {
            return Ok(PieceTree::new(hashes));
        }
        hashes.push(piece_hash(&piece));
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "shelf_tests.rs"]
mod tests;
