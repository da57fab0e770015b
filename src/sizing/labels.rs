//! The labels of an object, in little memory: ten thousand nodes share most of theirs.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Labels, sorted by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(Vec<(Arc<str>, Arc<str>)>);

/// Texts that are kept once, however many labels hold them.
#[derive(Debug, Default)]
pub struct SharedTexts {
    texts: HashSet<Arc<str>>,
    sweep_at: usize,
}

impl Labels {
    /// The value of a label.
    pub fn get(&self, key: &str) -> Option<&str> {
        let place = self.place(key).ok()?;
        self.0.get(place).map(|(_, value)| value.as_ref())
    }

    /// Adds a label, or gives it another value.
    pub fn insert(&mut self, key: &str, value: &str) {
        let label = (Arc::from(key), Arc::from(value));
        match self.place(key) {
            Ok(place) => self.0.get_mut(place).into_iter().for_each(|found| found.clone_from(&label)),
            Err(place) => self.0.insert(place, label),
        }
    }

    /// Every label, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value.as_ref()))
    }

    /// As a map of its own, for libraries that want one.
    pub fn to_map(&self) -> BTreeMap<String, String> {
        self.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    /// The same labels, of shared texts.
    #[must_use]
    pub fn shared(self, texts: &mut SharedTexts) -> Self {
        let shared = self.0.into_iter().map(|(key, value)| (texts.share(key), texts.share(value)));
        let mut labels: Vec<_> = shared.collect();
        labels.shrink_to_fit();
        Self(labels)
    }

    fn place(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(own, _)| own.as_ref().cmp(key))
    }
}

impl<K: AsRef<str>, V: AsRef<str>> FromIterator<(K, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(labels: I) -> Self {
        let mut all = Self::default();
        all.extend(labels);
        all
    }
}

impl<K: AsRef<str>, V: AsRef<str>> Extend<(K, V)> for Labels {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, labels: I) {
        for (key, value) in labels {
            self.insert(key.as_ref(), value.as_ref());
        }
    }
}

impl SharedTexts {
    fn share(&mut self, text: Arc<str>) -> Arc<str> {
        if let Some(known) = self.texts.get(&text) {
            return Arc::clone(known);
        }
        self.texts.insert(Arc::clone(&text));
        if self.texts.len() > self.sweep_at {
            // Nodes come and go, each with a name of its own: texts that nobody else holds are given up.
            self.texts.retain(|text| Arc::strong_count(text) > 1);
            self.sweep_at = self.texts.len().saturating_mul(2).max(1024);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_found_replaced_and_listed_by_key() {
        let mut labels = Labels::from_iter([("b", "2"), ("a", "1")]);
        labels.insert("c", "3");
        labels.insert("a", "0");
        assert_eq!(labels.get("a"), Some("0"));
        assert_eq!(labels.get("d"), None);
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", "0"), ("b", "2"), ("c", "3")]);
    }

    #[test]
    fn equal_texts_are_kept_once_and_forgotten_with_the_last_label() {
        let mut texts = SharedTexts::default();
        let node = |name: String| Labels::from_iter([("name", name.as_str()), ("pool", "spark")]);
        let (one, other) = (node("1".to_owned()).shared(&mut texts), node("2".to_owned()).shared(&mut texts));
        assert!(Arc::ptr_eq(&one.0[1].1, &other.0[1].1));
        for passing in 3..10_000 {
            drop(node(passing.to_string()).shared(&mut texts));
        }
        assert!(texts.texts.len() < 3_000, "{} texts", texts.texts.len());
    }
}
