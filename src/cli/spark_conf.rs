//! Spark conf as `spark-submit` takes it: `--conf KEY=VALUE` over a properties file.

use std::collections::BTreeMap;
use std::fmt;

use super::java_properties;
use crate::sizing::fields::OneLine;

/// Spark conf, every value with where it came from.
#[derive(Clone, Debug, Default)]
pub struct SparkConf {
    entries: BTreeMap<String, Entry>,
    /// Keys that Spark ignores, because they do not start with `spark.`.
    ignored: Vec<String>,
}

/// A key that Spark would refuse, with where it was set and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfProblem {
    /// `--conf`, or the file and line; empty for a default.
    pub origin: String,
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
    /// What is wrong with it and what to do.
    pub problem: String,
}

#[derive(Clone, Debug)]
struct Entry {
    value: String,
    origin: String,
}

impl SparkConf {
    /// The conf of a properties file; `name` is for messages.
    ///
    /// # Errors
    /// What is wrong with the file's syntax, with its name and the line.
    pub fn from_properties(name: &str, text: &str) -> Result<Self, String> {
        let mut conf = Self::default();
        for property in java_properties::parse(text).map_err(|error| format!("{name}: {error}"))? {
            let origin = format!("{name}: line {}", property.line);
            // Spark trims the values, but for line ends.
            let value =
                property.value.trim_matches(|character| character <= ' ' && !"\r\n".contains(character));
            conf.set(property.key, value.to_owned(), origin);
        }
        Ok(conf)
    }

    /// Sets what `--conf` or a flag of its own says, which wins over whatever was set before.
    pub fn set_flag(&mut self, flag: &str, key: &str, value: &str) {
        self.set(key.to_owned(), value.to_owned(), flag.to_owned());
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries.get(key).map(|entry| entry.value.as_str())
    }

    /// The value of a key as `parse` understands it.
    ///
    /// # Errors
    /// The value that was not understood, and where it was set.
    pub fn read<T>(
        &self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfProblem> {
        self.get(key).map(|value| parse(value).map_err(|problem| self.problem(key, problem))).transpose()
    }

    /// A boolean, as Scala's `toBoolean` reads it; `false` when it is not set.
    ///
    /// # Errors
    /// Neither `true` nor `false`.
    pub fn flag(&self, key: &str) -> Result<bool, ConfProblem> {
        let parse = |value: &str| match value.trim().to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("is neither true nor false".to_owned()),
        };
        Ok(self.read(key, parse)?.unwrap_or(false))
    }

    /// Every key with this prefix and something after it, without the prefix.
    pub fn with_prefix<'c>(&'c self, prefix: &'c str) -> impl Iterator<Item = (&'c str, &'c str)> {
        let rest = move |key: &'c String| key.strip_prefix(prefix).filter(|rest| !rest.is_empty());
        self.entries.iter().filter_map(move |(key, entry)| Some((rest(key)?, entry.value.as_str())))
    }

    /// A problem with a key, with where it was set.
    pub fn problem(&self, key: &str, problem: impl Into<String>) -> ConfProblem {
        let entry = self.entries.get(key);
        let text = |of: fn(&Entry) -> &String| entry.map_or_else(String::new, |entry| of(entry).clone());
        ConfProblem {
            origin: text(|entry| &entry.origin),
            key: key.to_owned(),
            value: text(|entry| &entry.value),
            problem: problem.into(),
        }
    }

    /// Keys that Spark ignores, with where they were set.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    fn set(&mut self, key: String, value: String, origin: String) {
        if key.starts_with("spark.") {
            self.entries.insert(key, Entry { value, origin });
        } else {
            self.ignored.push(format!("{origin}: {key}"));
        }
    }
}

impl fmt::Display for ConfProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, key, value, problem } = self;
        let separator = if origin.is_empty() || origin.starts_with("--") { "" } else { ":" };
        write!(formatter, "{}{separator} {}={}: {problem}", OneLine(origin), OneLine(key), OneLine(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_file_and_the_last_one_over_the_others() {
        let file = "spark.a 1\nspark.b  2 \nspark.c=3\nother 4\nspark.c 5\n";
        let mut conf = SparkConf::from_properties("spark-defaults.conf", file).unwrap();
        conf.set_flag("--conf", "spark.a", "6");
        conf.set_flag("--conf", "spark.a", "7");
        conf.set_flag("--conf", "sparc.a", "8");
        assert_eq!(
            ["spark.a", "spark.b", "spark.c"].map(|key| conf.get(key)),
            [Some("7"), Some("2"), Some("5")]
        );
        assert_eq!(conf.ignored(), ["spark-defaults.conf: line 4: other", "--conf: sparc.a"]);
        assert_eq!(conf.problem("spark.a", "is bad").to_string(), "--conf spark.a=7: is bad");
        let problem = conf.problem("spark.c", "is bad").to_string();
        assert_eq!(problem, "spark-defaults.conf: line 5: spark.c=5: is bad");
    }

    #[test]
    fn prefixes_need_something_after_them() {
        let mut conf = SparkConf::default();
        conf.set_flag("--conf", "spark.executorEnv.", "x");
        conf.set_flag("--conf", "spark.executorEnv.A", "a");
        conf.set_flag("--conf", "spark.executorEnvironment", "x");
        assert_eq!(conf.with_prefix("spark.executorEnv.").collect::<Vec<_>>(), [("A", "a")]);
    }
}
