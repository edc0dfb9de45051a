//! The simulator: many engines, one seed, virtual time. `ORTSNETZ_SIM_SEEDS` says how many seeds are run,
//! `ORTSNETZ_SIM_SEED` runs one again.

mod busy;
mod check;
mod disk;
mod following;
mod hostile;
mod leaving;
mod lie;
mod machine;
mod readers;
mod restored;
mod seeds;
mod stolen;
mod stories;
mod world;
