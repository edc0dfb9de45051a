//! Opening: lock, finish what a crash interrupted, rebuild if damaged.
//!
//! Only damage or a panic of the database moves it aside, with our lock held and room on the disk; a lock, a full disk
//! and other errors stop with one line and move nothing.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::sync::Arc;

use crate::cached;
use crate::dictionary::BUILT_IN;
use crate::directory::{
    current, move_aside, next_database, remove_if_there, remove_leftovers, set_current, unix_seconds,
};
use crate::engine::{Engine, EngineError, SledEngine};
use crate::error::StoreError;
use crate::frame::{self, Row};
use crate::log::{self, HEADER_BYTES, Log, STORE_FORMAT};
use crate::shared::{DAMAGED_FILE, IMPORTING_FILE, LOCK_FILE, OPEN_SHARE, OWN_LOG, REDO_FILE, SYNCED_FILE, check_disk};
use crate::state::{self, FORMAT_KEY, ID_KEY, STATE_KEY, State, Synced};
use crate::table::{ReadError, Table};
use crate::types::{OpenReport, Options, Problem};

/// Everything a store needs to start.
pub(crate) struct Opened {
    pub(crate) table: Table,
    pub(crate) state: State,
    pub(crate) id: [u8; 16],
    pub(crate) dictionaries: Vec<(u16, Vec<u8>)>,
    pub(crate) log: Option<Log>,
    pub(crate) redo: Option<Log>,
    pub(crate) synced: Option<Synced>,
    pub(crate) lock: Option<File>,
    pub(crate) report: OpenReport,
}

/// Why a database cannot be used.
enum Trouble {
    /// It must be rebuilt.
    Damaged(String),
    Stop(StoreError),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Stop(error)
    }
}

/// Opens or makes the store in a directory.
pub(crate) fn open(directory: &Path, options: &Options) -> Result<Opened, StoreError> {
    let io = |e: std::io::Error| StoreError::io(directory, &e);
    fs::create_dir_all(directory).map_err(io)?;
    log::sync_parent(directory)?;
    let lock = lock(directory)?;
    if directory.join(IMPORTING_FILE).exists() {
        let message = "holds an import that was interrupted; delete the directory and import again".to_owned();
        return Err(StoreError::Refused { path: directory.to_owned(), message });
    }
    let log_id = log::read_header(&directory.join(OWN_LOG));
    if let Err(newer @ StoreError::Newer { .. }) = log_id {
        return Err(newer);
    }
    // A quarter: while writes are refused, one can still read.
    check_disk(directory, options.disk_free_min / OPEN_SHARE)?;
    remove_leftovers(directory)?;

    let mut report = OpenReport::default();
    let mut opened = match open_database(directory, options) {
        Ok(found) => found,
        Err(Trouble::Stop(error)) => return Err(error),
        Err(Trouble::Damaged(detail)) => {
            report.problems.push(Problem { what: "database".to_owned(), detail });
            report.rebuilt = Some(move_aside(directory)?);
            create_database(directory, options)?
        }
    };
    notice_rollback(directory, &mut opened, &mut report)?;
    let (log, redo) = match replay(directory, &mut opened, &mut report) {
        Ok(logs) => logs,
        Err(Trouble::Stop(error)) => return Err(error),
        Err(Trouble::Damaged(detail)) => {
            drop(opened);
            report.problems.push(Problem { what: "database".to_owned(), detail });
            report.rebuilt = Some(move_aside(directory)?);
            opened = create_database(directory, options)?;
            replay(directory, &mut opened, &mut report).map_err(stop)?
        }
    };
    let dictionaries = dictionaries(&opened.table).map_err(stop)?;
    let mut synced = Synced::open(&directory.join(SYNCED_FILE))?;
    synced.set(opened.state.change);
    let Database { table, state, id } = opened;
    let (log, redo, synced, lock) = (Some(log), Some(redo), Some(synced), Some(lock));
    Ok(Opened { table, state, id, dictionaries, log, redo, synced, lock, report })
}

/// What we wrote alone comes back from the own log; the new id says that other rows and changes may be gone.
fn notice_rollback(directory: &Path, database: &mut Database, report: &mut OpenReport) -> Result<(), StoreError> {
    let synced = Synced::read(&directory.join(SYNCED_FILE));
    if database.state.change >= synced {
        return Ok(());
    }
    let detail = format!("it is back at change {}, but had {synced}: its file was damaged", database.state.change);
    tracing::error!(detail, "database lost changes");
    report.problems.push(Problem { what: "database".to_owned(), detail });
    database.id = rand::random();
    let row = state::plain_row(ID_KEY, &database.id);
    let written = database.table.apply(vec![row], None).and_then(|()| database.table.engine().barrier());
    written.map_err(|error| StoreError::io(directory, &std::io::Error::other(error.to_string())))
}

/// What a store in memory starts with.
pub(crate) fn in_memory(engine: Arc<dyn Engine>) -> Result<Opened, StoreError> {
    let Database { table, state, id } = start_database(engine).map_err(stop)?;
    let dictionaries = dictionaries(&table).map_err(stop)?;
    let report = OpenReport::default();
    Ok(Opened { table, state, id, dictionaries, log: None, redo: None, synced: None, lock: None, report })
}

struct Database {
    table: Table,
    state: State,
    id: [u8; 16],
}

fn lock(directory: &Path) -> Result<File, StoreError> {
    let path = directory.join(LOCK_FILE);
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|e| StoreError::io(&path, &e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: directory.to_owned() }),
        Err(TryLockError::Error(error)) => Err(StoreError::io(path, &error)),
    }
}

fn open_database(directory: &Path, options: &Options) -> Result<Database, Trouble> {
    let Some(path) = current(directory)? else {
        let log = directory.join(OWN_LOG);
        if fs::metadata(&log).is_ok_and(|metadata| metadata.len() > HEADER_BYTES) {
            return Err(Trouble::Damaged("it is missing, and the own log is not empty".to_owned()));
        }
        return Ok(create_database(directory, options)?);
    };
    if let Ok(detail) = fs::read_to_string(directory.join(DAMAGED_FILE)) {
        return Err(Trouble::Damaged(detail));
    }
    if !path.join("db").exists() {
        return Err(Trouble::Damaged(format!("{} is missing", path.display())));
    }
    let engine: Arc<dyn Engine> = Arc::new(open_engine(&path, options)?);
    let get = |key: &[u8]| match engine.get(key).map_err(|e| trouble(e, &path))? {
        None => Ok(None),
        Some(bytes) => state::plain(key, &bytes)
            .map(Some)
            .map_err(|detail| Trouble::Damaged(format!("row {}: {detail}", String::from_utf8_lossy(key)))),
    };
    // A database becomes current only after its format is durable. sled opens some damaged files without a word, as if
    // they were empty or older than they are.
    let Some(format) = get(FORMAT_KEY)? else {
        return Err(Trouble::Damaged("its format is missing".to_owned()));
    };
    let found = format.try_into().map(u32::from_be_bytes).unwrap_or(u32::MAX);
    if found > STORE_FORMAT {
        return Err(StoreError::Newer { path: directory.to_owned(), found, known: STORE_FORMAT }.into());
    }
    let state = get(STATE_KEY)?.and_then(|bytes| State::parse(&bytes));
    let id = get(ID_KEY)?.and_then(|bytes| bytes.try_into().ok());
    let (Some(state), Some(id)) = (state, id) else {
        return Err(Trouble::Damaged("its state is missing".to_owned()));
    };
    let table = Table::open(engine).map_err(|e| trouble(e, &path))?;
    Ok(Database { table, state, id })
}

/// A new empty database, which becomes the current one.
fn create_database(directory: &Path, options: &Options) -> Result<Database, StoreError> {
    let name = next_database(directory)?;
    let path = directory.join(&name);
    let database = open_engine(&path, options).and_then(|engine| start_database(Arc::new(engine))).map_err(stop)?;
    set_current(directory, &name)?;
    for name in [DAMAGED_FILE, SYNCED_FILE] {
        remove_if_there(&directory.join(name))?;
    }
    Ok(database)
}

fn start_database(engine: Arc<dyn Engine>) -> Result<Database, Trouble> {
    let id: [u8; 16] = rand::random();
    let state = State::default();
    let dictionary = state::dictionary_key(1);
    let mut rows = vec![
        state::plain_row(FORMAT_KEY, &STORE_FORMAT.to_be_bytes()),
        state::plain_row(ID_KEY, &id),
        state::plain_row(&dictionary, BUILT_IN),
        state.row(),
    ];
    rows.extend(state::padding());
    let here = Path::new("database");
    engine.apply(rows).and_then(|()| engine.barrier()).map_err(|e| trouble(e, here))?;
    let table = Table::open(engine).map_err(|e| trouble(e, here))?;
    Ok(Database { table, state, id })
}

fn open_engine(path: &Path, options: &Options) -> Result<SledEngine, Trouble> {
    SledEngine::open(path, options.cache_bytes).map_err(|error| trouble(error, path))
}

/// Applies what logs have and the database has not, in the order of changes, and opens the logs for writing.
fn replay(directory: &Path, database: &mut Database, report: &mut OpenReport) -> Result<(Log, Log), Trouble> {
    let path = directory.join(OWN_LOG);
    let log_id = match log::read_header(&path) {
        Ok(id) => id,
        Err(StoreError::Damaged { detail, .. }) => {
            let kept = directory.join(format!("own.log.broken-{}", unix_seconds()));
            fs::rename(&path, &kept).map_err(|e| StoreError::io(&kept, &e))?;
            report.problems.push(Problem { what: format!("own log, kept as {}", kept.display()), detail });
            None
        }
        Err(error) => return Err(error.into()),
    };
    let redo_path = directory.join(REDO_FILE);
    let Some(log_id) = log_id else {
        if database.state.log_id != [0; 16] {
            let detail = "missing; written again from the database".to_owned();
            report.problems.push(Problem { what: "own log".to_owned(), detail });
        }
        let log = new_log(&path, database)?;
        return Ok((log, Log::create(&redo_path)?));
    };

    // The log of another database: after a rebuild, or when a crash came while a compaction swapped files. It is taken
    // from its beginning, and rows of partners in it are then only part of what belongs together.
    let continues = log_id == database.state.log_id;
    let State { change: known, log_end, log_number, .. } = database.state;
    let (from, number) = if continues { (log_end, Some(log_number)) } else { (HEADER_BYTES, None) };
    let mut batches: Vec<(u64, Option<u64>, Vec<Row>)> = Vec::new();
    let mut damaged = Vec::new();
    let mut numbered = number.unwrap_or(0);
    let scan = log::scan(&path, from, number, &mut |at, end, payload| match frame::decode(payload) {
        Some((change, mut rows)) => {
            rows.retain(|row| continues || row.own);
            batches.push((change, Some(end), rows));
        }
        None => damaged.push((at, end, "a frame that is no batch".to_owned())),
    })?;
    damaged.extend(scan.damaged.iter().cloned());
    if scan.end < from {
        damaged.push((scan.end, from, "missing, but the database has it".to_owned()));
    }
    for (at, end, detail) in &damaged {
        report.problems.push(Problem { what: format!("own log, bytes {at} to {end}"), detail: detail.clone() });
    }
    report.torn_bytes = scan.torn_bytes;

    // A torn redo file was never acted on.
    if continues && matches!(log::read_header(&redo_path), Ok(Some(_))) {
        log::scan(&redo_path, HEADER_BYTES, None, &mut |_, _, payload| {
            batches
                .extend(frame::decode(payload).filter(|(change, _)| *change > known).map(|(c, rows)| (c, None, rows)));
        })?;
    }
    batches.sort_by_key(|batch| batch.0);
    for (change, end, rows) in batches {
        report.replayed += 1;
        database.state.change = database.state.change.max(change);
        // Until all of a foreign log is in, the state does not name it, so that a crash begins it again.
        if let (true, Some(end)) = (continues, end) {
            numbered += 1;
            (database.state.log_end, database.state.log_number) = (end, numbered);
        }
        apply(&mut database.table, rows, database.state)?;
    }
    database.table.engine().barrier().map_err(|e| trouble(e, &path))?;
    let log = if damaged.is_empty() {
        let log = Log::open(&path, log_id, &scan)?;
        database.state = State { log_id, log_end: log.end(), log_number: log.next_number(), ..database.state };
        apply(&mut database.table, Vec::new(), database.state)?;
        log
    } else {
        let kept = directory.join(format!("own.log.broken-{}", unix_seconds()));
        fs::copy(&path, &kept).map_err(|e| StoreError::io(&kept, &e))?;
        new_log(&path, database)?
    };
    database.table.engine().barrier().map_err(|e| trouble(e, &path))?;
    Ok((log, Log::create(&redo_path)?))
}

/// Writes the own log again from the database.
fn new_log(path: &Path, database: &mut Database) -> Result<Log, Trouble> {
    let log = crate::compact::write_own_log(&database.table, path, database.state.change)?;
    database.state = State { log_id: log.id(), log_end: log.end(), log_number: log.next_number(), ..database.state };
    apply(&mut database.table, Vec::new(), database.state)?;
    Ok(log)
}

fn apply(table: &mut Table, rows: Vec<Row>, state: State) -> Result<(), Trouble> {
    let touched = cached::touched(rows.iter().map(|row| row.key.as_slice()), state.change);
    let changes = rows.into_iter().map(|row| (row.key, row.value)).chain(touched).collect();
    table.apply(changes, Some(state.row())).map_err(|e| trouble(e, Path::new("database")))
}

fn dictionaries(table: &Table) -> Result<Vec<(u16, Vec<u8>)>, Trouble> {
    let rows = table.page(&state::dictionary_key(0)[..5], None, usize::from(u16::MAX));
    let rows = rows.map_err(|error| match error {
        ReadError::Engine(error) => trouble(error, Path::new("database")),
        ReadError::Damaged(_, detail) => Trouble::Damaged(detail),
    })?;
    let mut found = Vec::new();
    for (key, bytes) in rows {
        let value = state::plain(&key, &bytes).map_err(Trouble::Damaged)?;
        found.extend(state::dictionary_id(&key).map(|id| (id, value)));
    }
    Ok(found)
}

fn trouble(error: EngineError, path: &Path) -> Trouble {
    match error {
        EngineError::Damaged(detail) => Trouble::Damaged(detail),
        error => Trouble::Stop(StoreError::Io { path: path.to_owned(), message: error.to_string() }),
    }
}

fn stop(trouble: Trouble) -> StoreError {
    match trouble {
        Trouble::Damaged(detail) => StoreError::damaged("database", detail),
        Trouble::Stop(error) => error,
    }
}
