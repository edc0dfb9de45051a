//! Memory of the daemons over time.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use ortsnetz_tests::Town;

/// Between two samples of a daemon.
const SAMPLE: Duration = Duration::from_secs(5);
/// The first part of a life in which memory may grow as it likes: caches fill.
const WARM_UP: f64 = 0.25;
/// Shorter lives say nothing about an hour.
const JUDGED: Duration = Duration::from_secs(30 * 60);
/// What it may grow by.
const MIB_PER_HOUR_MAX: f64 = 1.0;

/// Seconds of a life, and memory in MiB.
type Sample = (f64, f64);

#[derive(Default)]
pub struct Memory {
    last: Option<Instant>,
    /// When each process was first seen, with its samples, by daemon and process.
    lives: BTreeMap<(usize, u32), (Option<Instant>, Vec<Sample>)>,
}

impl Memory {
    /// Looks, if it is time.
    pub fn look(&mut self, towns: &[Town]) {
        if self.last.is_some_and(|last| last.elapsed() < SAMPLE) {
            return;
        }
        self.last = Some(Instant::now());
        for (number, town) in towns.iter().enumerate().filter(|(_, town)| town.runs()) {
            if let Some(mib) = own_mib(town.pid()) {
                let (begun, samples) = self.lives.entry((number, town.pid())).or_default();
                let begun = begun.get_or_insert_with(Instant::now);
                samples.push((begun.elapsed().as_secs_f64(), mib));
            }
        }
    }

    /// Prints the longest life of each daemon; says which grew by more than they may.
    pub fn judge(&self, towns: &[Town]) -> Vec<String> {
        let mut grown = Vec::new();
        for (number, town) in towns.iter().enumerate() {
            let lives = self.lives.iter().filter(|((daemon, _), _)| *daemon == number).map(|(_, (_, samples))| samples);
            let Some(samples) = lives.max_by(|a, b| length(a).total_cmp(&length(b))) else { continue };
            let length = length(samples);
            let warm: Vec<Sample> = samples.iter().copied().filter(|(at, _)| *at >= length * WARM_UP).collect();
            let slope = slope(&warm) * 3600.0;
            let judged = length >= JUDGED.as_secs_f64();
            let verdict = match (judged, slope <= MIB_PER_HOUR_MAX) {
                (false, _) => "too short to judge",
                (true, true) => "met",
                (true, false) => "MISSED",
            };
            let most = samples.iter().map(|(_, mib)| *mib).fold(0.0, f64::max);
            println!(
                "  {:<22} longest life {length:>6.0} s, at most {most:>5.0} MiB, {slope:>+7.2} MiB/h after warm-up (bar {MIB_PER_HOUR_MAX}: {verdict})",
                town.name
            );
            if judged && slope > MIB_PER_HOUR_MAX {
                grown.push(format!("{} grows by {slope:.2} MiB an hour", town.name));
            }
        }
        grown
    }
}

fn length(samples: &[Sample]) -> f64 {
    samples.last().map_or(0.0, |(at, _)| *at)
}

/// Least squares, per second.
fn slope(samples: &[Sample]) -> f64 {
    let count = samples.len() as f64;
    let mean = |what: fn(&Sample) -> f64| samples.iter().map(what).sum::<f64>() / count;
    let (at, mib) = (mean(|sample| sample.0), mean(|sample| sample.1));
    let spread: f64 = samples.iter().map(|sample| (sample.0 - at).powi(2)).sum();
    let together: f64 = samples.iter().map(|sample| (sample.0 - at) * (sample.1 - mib)).sum();
    if spread > 0.0 { together / spread } else { 0.0 }
}

/// What a process has that is not a mapped file.
fn own_mib(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("RssAnon:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kib| kib / 1024.0)
}
