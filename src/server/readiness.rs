//! Whether the process wants requests: `/readyz` and `Connection: close` follow from it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Ready until something is waited for or the process drains.
#[derive(Debug, Default)]
pub struct Readiness {
    is_draining: AtomicBool,
    waits_for: Mutex<BTreeSet<&'static str>>,
}

impl Readiness {
    /// Not ready until [`Self::arrived`] is called with the same word, for example before the first sync of watches.
    pub fn wait_for(&self, what: &'static str) {
        self.waits_for.lock().unwrap_or_else(PoisonError::into_inner).insert(what);
    }

    /// What was waited for is there.
    pub fn arrived(&self, what: &'static str) {
        self.waits_for.lock().unwrap_or_else(PoisonError::into_inner).remove(what);
    }

    /// Not ready from now on: the process is about to end.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::Release);
    }

    /// [`Self::drain`] was called.
    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Acquire)
    }

    /// Why the process is not ready; empty when it is.
    pub fn obstacles(&self) -> Vec<String> {
        let waits_for = self.waits_for.lock().unwrap_or_else(PoisonError::into_inner);
        let mut obstacles: Vec<String> = waits_for.iter().map(|what| format!("waiting for {what}")).collect();
        if self.is_draining() {
            obstacles.push("shutting down".to_owned());
        }
        obstacles
    }
}
