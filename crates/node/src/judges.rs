//! Who judges what peers send: threads of their own, so that nothing else waits for them. Each peer has its turn, and none
//! has all threads, so that whoever sends what takes long to judge keeps nobody but itself waiting.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use ortsnetz_model::NodeId;

use crate::shared::lock;

/// One thing to judge.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// The threads. Dropped, they end after what they are at.
pub(crate) struct Judges(Arc<Bench>);

struct Bench {
    state: Mutex<State>,
    work: Condvar,
    /// Threads that one peer may keep busy.
    share: usize,
}

#[derive(Default)]
struct State {
    waiting: BTreeMap<NodeId, VecDeque<Job>>,
    /// Peers that wait, each once, in the order of their turn.
    turns: VecDeque<NodeId>,
    /// Threads at work for a peer.
    busy: BTreeMap<NodeId, usize>,
    stopping: bool,
}

impl Judges {
    /// One thread more than there are processors: a single peer can use all of these, and one thread is left for others.
    pub fn new(processors: usize) -> Self {
        let share = processors.max(1);
        let bench = Arc::new(Bench { state: Mutex::default(), work: Condvar::new(), share });
        for number in 0..=share {
            let own = bench.clone();
            let spawned = thread::Builder::new().name(format!("judge-{number}")).spawn(move || own.sit());
            if let Err(error) = spawned {
                tracing::error!(%error, "a thread that judges records could not be started");
            }
        }
        Self(bench)
    }

    /// Takes what a peer sent; the jobs of one peer begin in this order.
    pub fn take(&self, node: NodeId, jobs: impl IntoIterator<Item = Job>) {
        let mut state = lock(&self.0.state);
        let queue = state.waiting.entry(node).or_default();
        let new = queue.is_empty();
        queue.extend(jobs);
        match (new, queue.is_empty()) {
            (_, true) => drop(state.waiting.remove(&node)),
            (true, false) => state.turns.push_back(node),
            (false, false) => {}
        }
        drop(state);
        self.0.work.notify_all();
    }
}

impl Drop for Judges {
    fn drop(&mut self) {
        lock(&self.0.state).stopping = true;
        self.0.work.notify_all();
    }
}

impl Bench {
    fn sit(&self) {
        let mut state = lock(&self.state);
        while !state.stopping {
            let Some((node, job)) = state.next(self.share) else {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(state);
            job();
            state = lock(&self.state);
            if state.done(&node) {
                self.work.notify_all();
            }
        }
    }
}

impl State {
    /// The next job of the next peer that does not keep its share of the threads busy already.
    fn next(&mut self, share: usize) -> Option<(NodeId, Job)> {
        for _ in 0..self.turns.len() {
            let node = self.turns.pop_front()?;
            if self.busy.get(&node).is_some_and(|busy| *busy >= share) {
                self.turns.push_back(node);
                continue;
            }
            let queue = self.waiting.get_mut(&node)?;
            let job = queue.pop_front()?;
            if queue.is_empty() {
                self.waiting.remove(&node);
            } else {
                self.turns.push_back(node);
            }
            *self.busy.entry(node).or_default() += 1;
            return Some((node, job));
        }
        None
    }

    /// A job is done; true if the peer has more that may have waited for it.
    fn done(&mut self, node: &NodeId) -> bool {
        if let Some(busy) = self.busy.get_mut(node) {
            *busy -= 1;
            if *busy == 0 {
                self.busy.remove(node);
            }
        }
        self.waiting.contains_key(node)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    const A: NodeId = NodeId([1; 32]);
    const B: NodeId = NodeId([2; 32]);
    const PATIENCE: Duration = Duration::from_secs(30);

    /// A job that says so and then waits until it may end.
    fn slow(begun: &mpsc::Sender<&'static str>, end: &Arc<Mutex<()>>) -> Job {
        let (begun, end) = (begun.clone(), end.clone());
        Box::new(move || {
            let _ = begun.send("slow");
            drop(end.lock());
        })
    }

    #[test]
    fn one_peer_cannot_keep_all_threads_busy() {
        let (judges, end) = (Judges::new(2), Arc::new(Mutex::new(())));
        let (tell, told) = mpsc::channel();
        let held = end.lock();
        judges.take(A, (0..10).map(|_| slow(&tell, &end)));
        assert_eq!([told.recv_timeout(PATIENCE), told.recv_timeout(PATIENCE)], [Ok("slow"), Ok("slow")]);
        // Two of three threads are busy for ever, and A has more.
        let quick = tell.clone();
        judges.take(B, [Box::new(move || quick.send("quick").expect("somebody listens")) as Job]);
        assert_eq!(told.recv_timeout(PATIENCE), Ok("quick"));
        drop(held);
        assert_eq!(
            (0..8).filter(|_| told.recv_timeout(PATIENCE) == Ok("slow")).count(),
            8,
            "all of it is done in the end"
        );
    }

    #[test]
    fn peers_have_their_turn_and_the_jobs_of_one_keep_their_order() {
        let mut state = State::default();
        let job = || Box::new(|| ()) as Job;
        for (node, count) in [(A, 3), (B, 2)] {
            state.waiting.insert(node, (0..count).map(|_| job()).collect());
            state.turns.push_back(node);
        }
        let order: Vec<_> = std::iter::from_fn(|| state.next(9)).map(|(node, _)| node).collect();
        assert_eq!(order, [A, B, A, B, A]);
        assert!(state.waiting.is_empty() && state.turns.is_empty());
        assert!((0..3).all(|_| !state.done(&A)) && state.busy.len() == 1);
    }

    #[test]
    fn one_peer_alone_uses_a_thread_for_each_processor() {
        let mut state = State::default();
        state.waiting.insert(A, (0..9).map(|_| Box::new(|| ()) as Job).collect());
        state.turns.push_back(A);
        assert_eq!(std::iter::from_fn(|| state.next(4)).count(), 4);
        assert!(state.done(&A), "then the next");
        assert_eq!(std::iter::from_fn(|| state.next(4)).count(), 1);
    }
}
