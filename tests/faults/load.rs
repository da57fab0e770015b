//! Calls at a steady rate, whatever becomes of them: a call is due when it is due, not when the last one has ended. Some
//! are due at the same time, as executors of one application are, so that they need connections of their own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::{JoinHandle, JoinSet};

use crate::wait;

/// Calls that are due at the same time.
const BURST: u64 = 10;
/// More calls than this at a time mean that the machine does not hold the rate.
const MOST_UNDER_WAY: usize = 5_000;
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

/// Whom the executors are shown to.
pub(crate) trait Caller: Send + Sync + 'static {
    /// Shows the executor of this number, and says what came of it.
    fn call(&self, number: u64) -> impl Future<Output = Outcome> + Send;
}

#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) begun: Instant,
    pub(crate) ended: Instant,
    /// How long after it was due it began.
    pub(crate) late: Duration,
    pub(crate) outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Mutated,
    /// It came out as it went in; why, where it is known.
    Unmutated(String),
    /// No executor came out.
    Failed(String),
}

pub(crate) struct Load {
    runtime: Handle,
    per_second: u32,
    stop: Arc<AtomicBool>,
    calls: Arc<Calls>,
    pace: JoinHandle<()>,
}

/// The calls that have ended.
#[derive(Default)]
struct Calls {
    ended: Mutex<Vec<Call>>,
    one_more: Condvar,
}

impl Load {
    pub(crate) fn start<C: Caller>(runtime: &Handle, caller: Arc<C>, per_second: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let calls = Arc::<Calls>::default();
        let pace = runtime.spawn(pace(caller, per_second, Arc::clone(&stop), Arc::clone(&calls)));
        Self { runtime: runtime.clone(), per_second, stop, calls, pace }
    }

    /// Waits until as many further calls have ended as are due in this time.
    pub(crate) fn wait_for_calls_of(&self, time: Duration) {
        let more = u64::from(self.per_second) * u64::try_from(time.as_millis()).unwrap() / 1_000;
        let ended = self.calls.ended.lock().unwrap();
        let enough = ended.len() + usize::try_from(more).unwrap();
        let waited = self.calls.one_more.wait_timeout_while(ended, wait::LIMIT, |ended| ended.len() < enough);
        assert!(!waited.unwrap().1.timed_out(), "no {more} calls ended within {:?}", wait::LIMIT);
    }

    /// Waits for the answers that are still due, and returns every call.
    pub(crate) fn stop(self) -> Vec<Call> {
        self.stop.store(true, Ordering::Relaxed);
        self.runtime.block_on(self.pace).unwrap();
        std::mem::take(&mut self.calls.ended.lock().unwrap())
    }
}

async fn pace<C: Caller>(caller: Arc<C>, per_second: u32, stop: Arc<AtomicBool>, calls: Arc<Calls>) {
    let started = Instant::now();
    let mut told = started;
    let mut under_way = JoinSet::new();
    for number in 0_u64.. {
        let due =
            started + Duration::from_secs(1) * u32::try_from(number / BURST * BURST).unwrap() / per_second;
        tokio::time::sleep_until(due.into()).await;
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let (caller, calls) = (Arc::clone(&caller), Arc::clone(&calls));
        under_way.spawn(async move {
            let begun = Instant::now();
            let outcome = caller.call(number).await;
            let call = Call { begun, ended: Instant::now(), late: begun - due, outcome };
            calls.ended.lock().unwrap().push(call);
            calls.one_more.notify_all();
        });
        while under_way.try_join_next().is_some() {}
        assert!(
            under_way.len() < MOST_UNDER_WAY,
            "this machine does not hold {per_second} calls a second; give a lower rate"
        );
        if told.elapsed() > PROGRESS_INTERVAL {
            told = Instant::now();
            eprintln!(
                "    {:3} s: {number} calls, {} under way",
                started.elapsed().as_secs(),
                under_way.len()
            );
        }
    }
    under_way.join_all().await;
}
