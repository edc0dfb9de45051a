//! What a service centre needs to answer for another town, from entries as they are published: which texts of which owner
//! make up an answer, who is responsible at a place, whether an office is open, how fresh all that is.
//!
//! Everything here is a function of its arguments. This crate reads no store and knows no clock: the time of the question
//! and the entries come in, plain values go out.

pub mod agreement;
pub mod difference;
pub mod feedback;
pub mod figures;
mod freshness;
mod holidays;
mod hours;
pub mod journal;
mod layers;
pub mod mail;
mod notices;
mod personal;
mod places;
mod responsibility;
pub mod settlement;
pub mod tasks;
mod words;

pub use freshness::{
    AGEING_REVIEW_DAYS, CHECKPOINT_STALE_MS, Facts, Freshness, REVIEW_SOON_DAYS, Reason, STALE_REVIEW_DAYS, judge,
    next_review,
};
pub use holidays::{DayName, day_name};
pub use hours::{Closed, LOOK_AHEAD_DAYS, Now, Opening, Slot, opening, time_of_day, week};
pub use layers::{Composed, Layer, Part, Told, compose};
pub use notices::{Notice, Urgency};
pub use personal::{Personal, personal};
pub use places::{Level, Place, covers, level, level_of};
pub use responsibility::{Claim, Responsible, Role, resolve};
pub use words::{LANGUAGE_EASY, spoken, spoken_text};
