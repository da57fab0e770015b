//! What a command is waiting for, on stderr: only when it takes more than a second, and only where somebody looks.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, sleep};

/// Shorter waits need no words; and how often the words are written anew.
const EVERY: Duration = Duration::from_secs(1);
/// Back to the start of the line, and what stands there erased.
const ERASE_LINE: &str = "\r\x1b[K";

/// The words for what is being waited for.
#[derive(Debug)]
pub struct Progress {
    text: Mutex<String>,
}

impl Progress {
    /// Such as `reading the cluster`.
    pub fn new(text: impl Display) -> Self {
        Self { text: Mutex::new(text.to_string()) }
    }

    /// Says it anew: `reading kubelets: 120 of 10000`.
    pub fn set(&self, text: impl Display) {
        *self.text.lock().unwrap_or_else(PoisonError::into_inner) = text.to_string();
    }

    /// Waits for the future, and says so where stderr is a terminal.
    pub async fn show<T>(&self, future: impl Future<Output = T>) -> T {
        if io::stderr().is_terminal() { self.show_on(&mut io::stderr(), future).await } else { future.await }
    }

    async fn show_on<T>(&self, out: &mut impl Write, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let start = Instant::now();
        let mut is_written = false;
        loop {
            let done = tokio::select! {
                biased;
                done = &mut future => Some(done),
                () = sleep(EVERY) => None,
            };
            // Nobody is left to tell where this cannot be written.
            let mut write = |line: &str| drop(out.write_all(line.as_bytes()).and_then(|()| out.flush()));
            if let Some(done) = done {
                if is_written {
                    write(ERASE_LINE);
                }
                return done;
            }
            let text = self.text.lock().unwrap_or_else(PoisonError::into_inner).clone();
            write(&format!("{ERASE_LINE}{text} ({} s)", start.elapsed().as_secs()));
            is_written = true;
        }
    }
}

/// Collects what a stream yields, and says how much of it is there: `what: 120 of 1000`.
pub async fn collect<T>(what: &str, total: usize, stream: impl Stream<Item = T>) -> Vec<T> {
    let words = |count: usize| format!("{what}: {count} of {total}");
    let progress = Progress::new(words(0));
    let work = async {
        let mut stream = pin!(stream);
        let mut items = Vec::with_capacity(total);
        while let Some(item) = stream.next().await {
            items.push(item);
            progress.set(words(items.len()));
        }
        items
    };
    progress.show(work).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_wait_of_more_than_a_second_is_told_and_nothing_of_it_stays() {
        let progress = Progress::new("reading the cluster");
        let mut out = Vec::new();
        assert_eq!(progress.show_on(&mut out, async { 1 }).await, 1);
        progress.show_on(&mut out, sleep(Duration::from_millis(900))).await;
        assert_eq!(String::from_utf8_lossy(&out), "");
        let work = async {
            sleep(Duration::from_millis(1500)).await;
            progress.set("reading kubelets: 2 of 3");
            sleep(Duration::from_secs(1)).await;
        };
        progress.show_on(&mut out, work).await;
        assert_eq!(
            String::from_utf8_lossy(&out),
            "\r\x1b[Kreading the cluster (1 s)\r\x1b[Kreading kubelets: 2 of 3 (2 s)\r\x1b[K"
        );
    }

    #[tokio::test]
    async fn everything_is_collected_in_its_order() {
        let stream = futures_util::stream::iter(0..5);
        assert_eq!(collect("counted", 5, stream).await, [0, 1, 2, 3, 4]);
    }
}
