//! zstd dictionaries: small values compress to a third with one. A local matter: what is signed and what travels is
//! uncompressed. Dictionaries are rows with a number and lie in the own log too. A trained one holds pieces of what it was
//! trained from, so a purge retires all of them: nothing is compressed with them any more, and every row is rewritten.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use zstd::bulk::{Compressor, Decompressor};

/// The first dictionary of every store: what our documents and projections are full of.
pub(crate) const BUILT_IN: &[u8] = include_bytes!("dictionary.txt");

/// Number of the first dictionary, which holds nobody's data.
pub(crate) const FIRST: u16 = 1;

const LEVEL: i32 = 3;

/// Size of a trained dictionary.
const TRAINED_BYTES_MAX: usize = 96 * 1024;

/// Values are collected until there are this many bytes of them, then a dictionary is trained.
pub(crate) const SAMPLE_BYTES: usize = 1 << 20;

/// Longer values teach little about small ones.
pub(crate) const SAMPLE_VALUE_BYTES_MAX: usize = 16 * 1024;

/// Contexts one thread keeps, each for one dictionary.
const CONTEXTS_MAX: usize = 6;

static NEXT_CONTEXT: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static COMPRESSORS: RefCell<Vec<(u64, Compressor<'static>)>> = const { RefCell::new(Vec::new()) };
    static DECOMPRESSORS: RefCell<Vec<(u64, Decompressor<'static>)>> = const { RefCell::new(Vec::new()) };
}

/// All dictionaries of a store.
pub(crate) struct Dictionaries {
    known: RwLock<Known>,
    samples: Mutex<Option<Vec<Vec<u8>>>>,
}

#[derive(Default)]
struct Known {
    /// The one that compresses.
    newest: u16,
    /// Trained ones up to here are no longer used; they stay in memory for who reads meanwhile.
    retired: u16,
    /// Counts the purges: what was learned before one is not used after it.
    purges: u64,
    by_id: HashMap<u16, Arc<Dictionary>>,
}

struct Dictionary {
    /// Unlike the number in the store, unique in this process.
    context: u64,
    bytes: Vec<u8>,
}

impl Dictionaries {
    /// No dictionary yet.
    pub(crate) fn new() -> Self {
        Self { known: RwLock::default(), samples: Mutex::new(Some(Vec::new())) }
    }

    /// Adds one; the one with the highest number compresses. Number 0 stands for "none".
    pub(crate) fn add(&self, id: u16, bytes: Vec<u8>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let context = NEXT_CONTEXT.fetch_add(1, Ordering::Relaxed);
        known.by_id.insert(id, Arc::new(Dictionary { context, bytes }));
        known.newest = known.newest.max(id);
        if known.newest > FIRST {
            *self.samples.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// Number of the newest one.
    pub(crate) fn newest(&self) -> u16 {
        self.known.read().unwrap_or_else(PoisonError::into_inner).newest
    }

    /// A number that none has had in this process.
    pub(crate) fn next(&self) -> u16 {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.by_id.keys().max().map_or(1, |id| id.saturating_add(1))
    }

    /// Whether one must not be found on disk any more.
    pub(crate) fn is_retired(&self, id: u16) -> bool {
        id > FIRST && id <= self.known.read().unwrap_or_else(PoisonError::into_inner).retired
    }

    /// How many purges there were.
    pub(crate) fn purges(&self) -> u64 {
        self.known.read().unwrap_or_else(PoisonError::into_inner).purges
    }

    /// Retires all trained ones but `fresh`, which compresses from now on (without it the first one does), and forgets
    /// what was collected to learn from.
    pub(crate) fn retire(&self, fresh: Option<(u16, Vec<u8>)>) {
        {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            known.retired = known.by_id.keys().max().copied().unwrap_or_default();
            known.newest = FIRST.min(known.newest);
            known.purges += 1;
        }
        *self.samples.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
        if let Some((id, bytes)) = fresh {
            self.add(id, bytes);
        }
    }

    fn by_id(&self, id: u16) -> Option<Arc<Dictionary>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).by_id.get(&id).cloned()
    }

    /// Compresses with the newest dictionary. Returns its number and the bytes.
    pub(crate) fn compress(&self, value: &[u8]) -> (u16, Vec<u8>) {
        let newest = self.newest();
        let dictionary = self.by_id(newest);
        let (context, bytes) = dictionary.as_ref().map_or((0, &[][..]), |found| (found.context, &found.bytes));
        let packed = COMPRESSORS.with_borrow_mut(|kept| {
            let compressor = context_for(kept, context, || Compressor::with_dictionary(LEVEL, bytes))?;
            compressor.compress(value)
        });
        // Without room for a context the value is stored as it is.
        (newest, packed.unwrap_or_else(|_| value.to_vec()))
    }

    /// Inflates to exactly `raw_bytes`. The error is the detail of a problem.
    pub(crate) fn decompress(&self, id: u16, packed: &[u8], raw_bytes: usize) -> Result<Vec<u8>, String> {
        let dictionary = match id {
            0 => None,
            id => Some(self.by_id(id).ok_or_else(|| format!("compression dictionary {id} is missing"))?),
        };
        let (context, bytes) = dictionary.as_ref().map_or((0, &[][..]), |found| (found.context, &found.bytes));
        let raw = DECOMPRESSORS.with_borrow_mut(|kept| {
            let decompressor = context_for(kept, context, || Decompressor::with_dictionary(bytes))?;
            decompressor.decompress(packed, raw_bytes)
        });
        match raw {
            Ok(raw) if raw.len() == raw_bytes => Ok(raw),
            Ok(raw) => Err(format!("inflates to {} bytes instead of {raw_bytes}", raw.len())),
            Err(error) => Err(format!("does not inflate: {error}")),
        }
    }

    /// Collects a value to learn from; returns the samples once there are enough, and then never again.
    pub(crate) fn sample(&self, value: &[u8]) -> Option<Vec<Vec<u8>>> {
        if value.len() > SAMPLE_VALUE_BYTES_MAX {
            return None;
        }
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let collected = samples.as_mut()?;
        collected.push(value.to_vec());
        let enough = collected.iter().map(Vec::len).sum::<usize>() >= SAMPLE_BYTES;
        if enough { samples.take() } else { None }
    }
}

/// Trains a dictionary; `None` if the samples are too much alike or too few.
pub(crate) fn train(samples: &[Vec<u8>]) -> Option<Vec<u8>> {
    zstd::dict::from_samples(samples, TRAINED_BYTES_MAX).ok().filter(|bytes| bytes.len() >= 1024)
}

fn context_for<T>(
    kept: &mut Vec<(u64, T)>,
    context: u64,
    make: impl FnOnce() -> std::io::Result<T>,
) -> std::io::Result<&mut T> {
    let place = match kept.iter().position(|(id, _)| *id == context) {
        Some(place) => place,
        None => {
            if kept.len() == CONTEXTS_MAX {
                kept.remove(0);
            }
            kept.push((context, make()?));
            kept.len() - 1
        }
    };
    Ok(&mut kept[place].1)
}
