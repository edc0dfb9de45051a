//! Contacts, calls, and what is computed from them. Each organisation writes journals in the collection that the other reads;
//! every figure is a fold over both. All of this blocks.

mod calls;
mod exports;
mod gaps;
mod handle;
mod journals;
mod months;
mod paper;
mod recording;
mod reporting;
mod settling;
mod writing;

pub(crate) use gaps::{Missed, asked, sought};
#[cfg(test)]
pub(crate) use journals::JOURNALS;
pub(crate) use journals::{forget, put};
pub(crate) use reporting::heard;
pub(crate) use writing::{Writing, watch};
