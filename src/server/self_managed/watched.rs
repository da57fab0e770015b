//! What is known of an object that is watched.

use crate::cluster::one_object::Sighting;

/// An object, and how its watch is doing.
pub(super) struct Watched<K> {
    /// As it was seen last.
    pub(super) seen: Seen<K>,
    /// Why its watch failed; `None` while it works, and when the object was read since.
    pub(super) failure: Option<String>,
    /// The watch told of the object since [`Self::is_about_to_be_read`].
    is_told: bool,
}

/// What was seen of an object.
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
                *self = Self { is_told: true, ..Self::read(object) };
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
        Self { seen: object.map_or(Seen::Absent, Seen::Found), failure: None, is_told: false }
    }

    /// A step begins, which will read the object or write it.
    pub(super) fn is_about_to_be_read(&mut self) {
        self.is_told = false;
    }

    /// Takes in the object as a step read or wrote it, unless the watch told of it meanwhile: that may be newer, and is
    /// not told again. What is older than the step is followed by what the step saw.
    pub(super) fn was_read(&mut self, read: Self) {
        if !self.is_told {
            *self = read;
        }
    }
}

impl<K> Default for Watched<K> {
    fn default() -> Self {
        Self { seen: Seen::NotYet, failure: None, is_told: false }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_watch_tells_while_a_step_is_taken_is_not_lost() {
        let is = |object| Sighting::Is(Some(Box::new(object)));
        let read = |object| Watched::read(Some(Box::new(object)));
        let mut watched = Watched::default();
        watched.saw(is("filled")).unwrap();

        watched.is_about_to_be_read();
        watched.was_read(read("written"));
        assert_eq!(watched.seen.found(), Some(&"written"));

        watched.is_about_to_be_read();
        watched.saw(is("blanked")).unwrap();
        watched.was_read(read("written"));
        assert_eq!(
            watched.seen.found(),
            Some(&"blanked"),
            "it would stay so until somebody changed it again"
        );

        watched.is_about_to_be_read();
        watched.saw(Sighting::Failed("broken off".to_owned())).unwrap_err();
        watched.was_read(read("read since"));
        assert_eq!((watched.seen.found(), &watched.failure), (Some(&"read since"), &None));
    }
}
