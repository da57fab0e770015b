//! Files that somebody else renews, read by content every few seconds.
//!
//! Polling instead of inotify, because the kubelet swaps a `..data` symlink: a watch on the file sees the first
//! rotation at most. Whatever the path leads to now is what counts, for any number of rotations.

use std::fmt;
use std::time::Duration;

use tracing::error;

/// How often the files are read.
pub const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// Contents that are in force, and those that were seen since and are no good.
pub struct Watched<C> {
    in_force: C,
    suspect: Option<Suspect<C>>,
}

/// Contents that are no good, and whether somebody was told.
struct Suspect<C> {
    read: Result<C, String>,
    is_reported: bool,
}

/// What a look found.
#[derive(Debug)]
pub enum Reload<T> {
    /// Nothing new.
    Unchanged,
    /// New and good.
    Replaced(T),
    /// New and no good; reported once.
    Failed(String),
}

impl<C: PartialEq> Watched<C> {
    /// These contents are good and in force.
    pub fn new(in_force: C) -> Self {
        Self { in_force, suspect: None }
    }

    /// Judges what was read now. Contents that `judge` refuses are reported when they are seen twice in a row, and then
    /// not again until something changes: a writer may be in the middle of its work.
    pub fn look<T>(
        &mut self,
        read: Result<C, String>,
        judge: impl FnOnce(&C) -> Result<T, String>,
    ) -> Reload<T> {
        let made = match &read {
            Ok(contents) if *contents == self.in_force => {
                self.suspect = None;
                return Reload::Unchanged;
            }
            Ok(contents) => judge(contents),
            Err(problem) => Err(problem.clone()),
        };
        match (made, read) {
            (Ok(made), Ok(contents)) => {
                self.suspect = None;
                self.in_force = contents;
                Reload::Replaced(made)
            }
            (Err(problem), read) => self.suspect(read, problem),
            (Ok(_), Err(problem)) => self.suspect(Err(problem.clone()), problem),
        }
    }

    fn suspect<T>(&mut self, read: Result<C, String>, problem: String) -> Reload<T> {
        match &mut self.suspect {
            Some(suspect) if suspect.read == read => {
                if std::mem::replace(&mut suspect.is_reported, true) {
                    return Reload::Unchanged;
                }
                Reload::Failed(problem)
            }
            suspect => {
                *suspect = Some(Suspect { read, is_reported: false });
                Reload::Unchanged
            }
        }
    }
}

/// Contents may be secret.
impl<C> fmt::Debug for Watched<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Watched { .. }")
    }
}

/// Polls for ever, and passes on what is new.
pub async fn poll_for_ever<W: Send + 'static, T: Send + 'static>(
    mut watched: W,
    every: Duration,
    poll: fn(&mut W) -> Reload<T>,
    on_change: impl Fn(Result<T, String>),
) {
    loop {
        tokio::time::sleep(every).await;
        let polled = tokio::task::spawn_blocking(move || {
            let reload = poll(&mut watched);
            (watched, reload)
        });
        let reload = match polled.await {
            Ok((back, reload)) => {
                watched = back;
                reload
            }
            Err(panic) => {
                error!(error = %panic, "reading a file failed; it is not read again any more");
                return;
            }
        };
        match reload {
            Reload::Unchanged => {}
            Reload::Replaced(new) => on_change(Ok(new)),
            Reload::Failed(problem) => on_change(Err(problem)),
        }
    }
}
