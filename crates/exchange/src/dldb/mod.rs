//! dldb

use std::io::Read;

use crate::import::{Imported, Options, Rejected};
use crate::source::Source;

pub(crate) struct Elements<R> {
    source: Source<R>,
}

impl<R: Read> Elements<R> {
    pub(crate) fn new(source: Source<R>, _options: Options) -> Self {
        Self { source }
    }
    pub(crate) fn source(&self) -> &Source<R> {
        &self.source
    }
    pub(crate) fn next(&mut self) -> Option<Result<Imported, Rejected>> {
        unimplemented!()
    }
}
