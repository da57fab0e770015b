//! How far a long piece of work is: on stderr, and only where somebody looks at it.

use std::io::{self, IsTerminal, Write};
use std::pin::pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, interval_at};

/// Work that is done by then passes without a word.
const PATIENCE: Duration = Duration::from_secs(1);
const REDRAW: Duration = Duration::from_millis(200);

/// Collects what a stream yields, and shows `what: 120/1000` meanwhile.
pub async fn collect<T>(what: &str, total: usize, stream: impl Stream<Item = T>) -> Vec<T> {
    let is_watched = io::stderr().is_terminal();
    let start = Instant::now();
    let mut redraws = interval_at(start.checked_add(PATIENCE).unwrap_or(start), REDRAW);
    let mut stream = pin!(stream);
    let mut items = Vec::with_capacity(total);
    let mut is_drawn = false;
    loop {
        tokio::select! {
            item = stream.next() => match item {
                Some(item) => items.push(item),
                None => break,
            },
            _ = redraws.tick(), if is_watched => {
                is_drawn = true;
                draw(&format!("{what}: {}/{total}", items.len()));
            }
        }
    }
    if is_drawn {
        draw("");
    }
    items
}

/// Replaces the line that the cursor is in. Nobody is left to tell if this fails.
fn draw(text: &str) {
    let mut stderr = io::stderr().lock();
    drop(write!(stderr, "\r\x1b[K{text}"));
    drop(stderr.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everything_is_collected_in_its_order() {
        let stream = futures_util::stream::iter(0..5);
        assert_eq!(collect("counted", 5, stream).await, [0, 1, 2, 3, 4]);
    }
}
