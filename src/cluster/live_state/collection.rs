//! The objects of one kind, through lists and watches: what a list brings counts when it is complete.

use std::collections::BTreeMap;

use super::Effect;

/// Namespace and name.
pub(super) type Key = (Option<String>, String);

/// The objects of one kind.
#[derive(Debug)]
pub(super) struct Collection<T> {
    /// Those in force.
    pub(super) objects: BTreeMap<Key, T>,
    /// What a list in progress brought.
    listed: Option<BTreeMap<Key, T>>,
    /// A first list was complete.
    pub(super) is_synced: bool,
}

impl<T> Default for Collection<T> {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), listed: None, is_synced: false }
    }
}

impl<T: PartialEq> Collection<T> {
    /// The object is known, and `is_same`, outside of lists.
    pub(super) fn has(&self, key: &Key, is_same: impl FnOnce(&T) -> bool) -> bool {
        self.listed.is_none() && self.objects.get(key).is_some_and(is_same)
    }

    pub(super) fn put(&mut self, key: Key, object: T) -> Effect {
        if let Some(listed) = &mut self.listed {
            listed.insert(key, object);
            return Effect::None;
        }
        if self.objects.get(&key) == Some(&object) {
            return Effect::None;
        }
        self.objects.insert(key, object);
        Effect::Changed
    }
}

/// What is the same for the objects of every kind.
pub(super) trait Listing {
    fn begin(&mut self);
    fn end(&mut self) -> Effect;
    fn remove(&mut self, key: &Key) -> Effect;
    /// The object is in the list, in a version that cannot be used.
    fn keep(&mut self, key: &Key);
}

impl<T: PartialEq + Clone> Listing for Collection<T> {
    fn begin(&mut self) {
        self.listed = Some(BTreeMap::new());
    }

    fn end(&mut self) -> Effect {
        let Some(listed) = self.listed.take() else { return Effect::None };
        let is_first = !self.is_synced;
        self.is_synced = true;
        if !is_first && listed == self.objects {
            return Effect::None;
        }
        self.objects = listed;
        Effect::Changed
    }

    fn remove(&mut self, key: &Key) -> Effect {
        if let Some(listed) = &mut self.listed {
            listed.remove(key);
            return Effect::None;
        }
        if self.objects.remove(key).is_some() { Effect::Changed } else { Effect::None }
    }

    fn keep(&mut self, key: &Key) {
        if let (Some(listed), Some(object)) = (&mut self.listed, self.objects.get(key)) {
            listed.insert(key.clone(), object.clone());
        }
    }
}
