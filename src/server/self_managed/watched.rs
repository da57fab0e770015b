//! What is known of an object that is watched.

use crate::cluster::one_object::Sighting;

/// An object, and how its watch is doing.
#[derive(Debug)]
pub(super) struct Watched<K> {
    /// As it was seen last.
    pub(super) seen: Seen<K>,
    /// Why its watch failed; `None` while it works, and when the object was read since.
    pub(super) failure: Option<String>,
}

/// What was seen of an object.
#[derive(Debug)]
pub(super) enum Seen<K> {
    /// Nobody looked yet.
    NotYet,
    /// There is none.
    Absent,
    /// This.
    Found(Box<K>),
}

/// The watch of an object failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) problem: String,
    /// It is not the one before once more.
    pub(super) is_new: bool,
}

impl<K> Watched<K> {
    /// Takes in what the watch tells.
    pub(super) fn saw(&mut self, sighting: Sighting<K>) -> Result<(), Failure> {
        match sighting {
            Sighting::Is(object) => {
                *self = Self::read(object);
                Ok(())
            }
            Sighting::Failed(problem) => {
                let is_new = self.failure.as_ref() != Some(&problem);
                self.failure = Some(problem.clone());
                Err(Failure { problem, is_new })
            }
        }
    }

    /// It was read just now.
    pub(super) fn read(object: Option<Box<K>>) -> Self {
        Self { seen: object.map_or(Seen::Absent, Seen::Found), failure: None }
    }
}

impl<K> Default for Watched<K> {
    fn default() -> Self {
        Self { seen: Seen::NotYet, failure: None }
    }
}

impl<K> Seen<K> {
    /// The object, if there is one.
    pub(super) fn found(&self) -> Option<&K> {
        match self {
            Self::Found(object) => Some(object),
            Self::NotYet | Self::Absent => None,
        }
    }
}
