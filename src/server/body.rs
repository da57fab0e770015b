//! Reading the body of a review without ever holding more memory than was agreed, whatever the clients do.

use std::future::poll_fn;
use std::pin::Pin;

use axum::body::{Body, Bytes, HttpBody};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::admission::fail_open;

/// What is read and thrown away of a body that is not wanted, so that its sender gets to read the answer instead of a
/// broken connection.
const DISCARD: usize = 64 << 20;

/// Up to this much is reserved because a sender says that it will come; more only as it comes.
const TRUSTED: usize = 256 << 10;

/// The uid of a review that is not looked at is searched for in this much of it: the whole of most reviews, so that it may
/// come after the pod. A connection has one request at a time, so the limit of connections bounds these beginnings as it
/// bounds the read buffers, which are as large.
const BEGINNING: usize = 64 << 10;

/// The unit in which memory is accounted for.
const PAGE: usize = 4 << 10;

/// The memory for all bodies together.
#[derive(Debug)]
pub(super) struct Room {
    pages: Semaphore,
}

impl Room {
    /// Room for this many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self { pages: Semaphore::new((bytes / PAGE).min(Semaphore::MAX_PERMITS)) }
    }
}

/// A body that arrived; its room is given back when it is dropped.
#[derive(Debug)]
pub(super) struct Arrived<'a> {
    /// The whole body.
    pub(super) bytes: Bytes,
    #[expect(dead_code, reason = "given back when the body is dropped")]
    held: Option<SemaphorePermit<'a>>,
}

/// A body that was not read to its end.
#[derive(Debug)]
pub(super) struct Unread {
    /// Why.
    pub(super) problem: BodyError,
    /// For [`BodyError::NoRoom`]: what had arrived of it, at most [`BEGINNING`].
    pub(super) beginning: Vec<u8>,
}

impl From<BodyError> for Unread {
    fn from(problem: BodyError) -> Self {
        Self { problem, beginning: Vec::new() }
    }
}

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is larger than the limit.
    TooLarge,
    /// There is no room for it now.
    NoRoom,
    /// The connection broke.
    Broken,
}

/// Reads a body of at most `limit` bytes. A body of one piece is not copied.
pub(super) async fn read<'a>(body: &mut Body, limit: usize, room: &'a Room) -> Result<Arrived<'a>, Unread> {
    let declared = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if declared > limit {
        return Err(BodyError::TooLarge.into());
    }
    let mut held: Option<SemaphorePermit<'a>> = None;
    let mut first = Bytes::new();
    let mut all = Vec::new();
    let mut length = 0_usize;
    while let Some(piece) = next_piece(body).await? {
        length = length.saturating_add(piece.len());
        if length > limit {
            return Err(BodyError::TooLarge.into());
        }
        if let Err(problem) = make_room(&mut held, length, room) {
            let mut beginning = Vec::with_capacity(BEGINNING);
            for part in [&first[..], &all, &piece] {
                extend(&mut beginning, part);
            }
            return Err(Unread { problem, beginning });
        }
        if all.is_empty() && first.is_empty() {
            first = piece;
            continue;
        }
        if all.is_empty() {
            all.reserve_exact(declared.clamp(length, length.max(TRUSTED)));
            all.extend_from_slice(&first);
            first = Bytes::new();
        }
        all.extend_from_slice(&piece);
    }
    let bytes = if all.is_empty() { first } else { Bytes::from(all) };
    Ok(Arrived { bytes, held })
}

/// The uid of a review that is not looked at: reads on until it is found, or the beginning or the body is over. None
/// leaves open what arrived last: until the beginning is over, it is looked at only after as much again has arrived.
pub(super) async fn uid(body: &mut Body, beginning: &mut Vec<u8>) -> Option<String> {
    let mut next = 1;
    loop {
        let is_over = beginning.len() >= BEGINNING;
        if is_over || beginning.len() >= next {
            let uid = fail_open::uid(beginning);
            if is_over || uid.is_some() {
                return uid;
            }
            next = beginning.len().saturating_mul(2);
        }
        match next_piece(body).await {
            Ok(Some(piece)) => extend(beginning, &piece),
            Ok(None) | Err(_) => return None,
        }
    }
}

/// Adds what belongs to the beginning.
fn extend(beginning: &mut Vec<u8>, piece: &[u8]) {
    let missing = BEGINNING.saturating_sub(beginning.len());
    beginning.extend_from_slice(piece.get(..missing).unwrap_or(piece));
}

/// Reads on and throws away, up to a bound.
pub(super) async fn discard(body: &mut Body) {
    let mut length = 0_usize;
    while let Ok(Some(piece)) = next_piece(body).await {
        length = length.saturating_add(piece.len());
        if length > DISCARD {
            return;
        }
    }
}

async fn next_piece(body: &mut Body) -> Result<Option<Bytes>, BodyError> {
    loop {
        match poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await {
            Some(Ok(frame)) => {
                if let Ok(piece) = frame.into_data()
                    && !piece.is_empty()
                {
                    return Ok(Some(piece));
                }
            }
            Some(Err(_)) => return Err(BodyError::Broken),
            None => return Ok(None),
        }
    }
}

fn make_room<'a>(
    held: &mut Option<SemaphorePermit<'a>>,
    length: usize,
    room: &'a Room,
) -> Result<(), BodyError> {
    let have = held.as_ref().map_or(0, SemaphorePermit::num_permits);
    let missing = length.div_ceil(PAGE).saturating_sub(have);
    if missing == 0 {
        return Ok(());
    }
    let missing = u32::try_from(missing).map_err(|_| BodyError::NoRoom)?;
    let more = room.pages.try_acquire_many(missing).map_err(|_| BodyError::NoRoom)?;
    match held {
        Some(held) => held.merge(more),
        None => *held = Some(more),
    }
    Ok(())
}
