//! Threads for work that can wait.

use std::io;
use std::thread::{Builder, JoinHandle};

/// How far such a thread stands back (`nice`): beside busy threads it gets about a tenth of a core.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Starts a thread whose work yields to all other work of the machine, and so does that of the threads it starts.
///
/// # Errors
/// The system has no thread left.
pub fn in_background<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).spawn(move || {
        // On Linux this is about the calling thread alone (setpriority(2), "C library/kernel differences"). Where it is
        // refused the work goes on as all other.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::setpriority_process(None, NICE);
        work()
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_the_thread_and_those_it_starts_stand_back() {
        let own = || rustix::process::getpriority_process(None);
        let before = own();
        let work = move || (own(), std::thread::spawn(own).join());
        let (inside, below) = in_background("test", work).expect("a thread").join().expect("no panic");
        assert_eq!((inside, below.expect("no panic")), (Ok(NICE), Ok(NICE)));
        assert_eq!(own(), before);
    }
}
