//! What goes wrong in a town hall: the power, the disk, the file from another program, the hand that types.

#![allow(clippy::print_stdout, reason = "a long test prints its figures")]

mod bad_input;
mod directories;
mod flipped;
mod full_disk;
mod kill;
mod phases;
mod says;
mod tokens;
