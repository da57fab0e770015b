//! The arms of the experiment, from `arms.yaml`: what runs with which parameters, and what is expected of it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::expectation::Expectation;

/// The parameters that the node and the job get, by name.
pub(crate) type Parameters = BTreeMap<String, String>;

/// Every arm, in the order of the file.
pub(crate) struct Arms {
    list: Vec<Arm>,
    /// Every parameter there is.
    pub(crate) defaults: Parameters,
    /// Whose memory over time is drawn side by side.
    pub(crate) plots: Vec<Pair>,
}

/// One arm.
pub(crate) struct Arm {
    pub(crate) name: String,
    /// The question it answers, for people.
    pub(crate) shows: String,
    /// What was expected of each run, before it ran.
    pub(crate) expects: Vec<Expectation>,
    /// All of them: defaults, those of its family, its own.
    pub(crate) parameters: Parameters,
}

/// Two arms that are drawn side by side.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pair {
    pub(crate) name: String,
    pub(crate) without: String,
    pub(crate) with: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    defaults: Parameters,
    #[serde(default)]
    families: BTreeMap<String, Parameters>,
    #[serde(default)]
    plots: Vec<Pair>,
    arms: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    shows: String,
    expects: BTreeMap<String, String>,
    #[serde(default)]
    set: Parameters,
}

impl Arms {
    /// Reads the file, whose classes lie in `classes` beside it.
    ///
    /// # Errors
    /// Every problem, one a line.
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let classes = file.with_file_name("classes");
        Self::parse(&text, |class| classes.join(format!("{class}.yaml")).is_file())
            .with_context(|| file.display().to_string())
    }

    /// Reads the text of the file.
    ///
    /// # Errors
    /// Every problem, one a line.
    pub(crate) fn parse(text: &str, is_class: impl Fn(&str) -> bool) -> anyhow::Result<Self> {
        let document: Document = serde_saphyr::from_str(text)?;
        let mut problems = document.problems();
        let Document { defaults, families, plots, arms: entries } = document;
        let mut list: Vec<Arm> = Vec::new();
        for Entry { name, shows, expects, set } in entries {
            let mut parameters = defaults.clone();
            parameters.extend(families.get(family(&name)).cloned().unwrap_or_default());
            parameters.extend(set);
            let arm_problems = problems_of(&parameters, &is_class);
            let read = |(measure, value): (String, String)| {
                Expectation::parse(&measure, &value)
                    .map_err(|problem| format!("{name}: expects.{measure}: {problem}"))
            };
            let (expects, misread): (Vec<_>, Vec<_>) = expects.into_iter().map(read).partition(Result::is_ok);
            problems.extend(arm_problems.into_iter().map(|problem| format!("{name}: {problem}")));
            problems.extend(misread.into_iter().filter_map(Result::err));
            let expects = expects.into_iter().filter_map(Result::ok).collect();
            list.push(Arm { name, shows, expects, parameters });
        }
        let arms = Self { list, defaults, plots };
        problems.extend(arms.unknown_references());
        if !problems.is_empty() {
            bail!("{}", problems.join("\n"));
        }
        Ok(arms)
    }

    /// The arms, in the order of the file.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arm> {
        self.list.iter()
    }

    /// The arm of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Arm> {
        self.list.iter().find(|arm| arm.name == name)
    }

    /// The arms of these names, in this order.
    ///
    /// # Errors
    /// A name that no arm has.
    pub(crate) fn named(&self, names: &[String]) -> anyhow::Result<Vec<&Arm>> {
        let known = || self.list.iter().map(|arm| arm.name.as_str()).collect::<Vec<_>>().join(" ");
        let arm = |name: &String| {
            self.get(name).with_context(|| format!("no arm {name} in arms.yaml; there are: {}", known()))
        };
        names.iter().map(arm).collect()
    }

    /// The arms whose name fits one of the patterns.
    ///
    /// # Errors
    /// A pattern that no name fits.
    pub(crate) fn matching(&self, patterns: &[glob::Pattern]) -> anyhow::Result<Vec<&Arm>> {
        for pattern in patterns {
            if !self.list.iter().any(|arm| pattern.matches(&arm.name)) {
                bail!("no arm in arms.yaml fits {pattern}");
            }
        }
        let fits = |arm: &&Arm| patterns.iter().any(|pattern| pattern.matches(&arm.name));
        Ok(self.list.iter().filter(fits).collect())
    }

    /// Expectations and plots that name no arm.
    fn unknown_references(&self) -> Vec<String> {
        let of_plots = self.plots.iter().flat_map(|plot| {
            [&plot.without, &plot.with].map(|arm| (format!("plots: {}", plot.name), arm.as_str()))
        });
        let of_arms = self.list.iter().flat_map(|arm| {
            arm.expects.iter().filter_map(|expectation| Some((arm.name.clone(), expectation.other_arm()?)))
        });
        let unknown = of_plots.chain(of_arms).filter(|(_, arm)| self.get(arm).is_none());
        unknown.map(|(place, arm)| format!("{place}: no arm {arm}")).collect()
    }
}

impl Document {
    /// What is wrong with names.
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut unknown = |place: &str, parameters: &Parameters| {
            for parameter in parameters.keys().filter(|parameter| !self.defaults.contains_key(*parameter)) {
                problems
                    .push(format!("{place}: unknown parameter {parameter}: defaults lists those there are"));
            }
        };
        self.families
            .iter()
            .for_each(|(family, parameters)| unknown(&format!("families: {family}"), parameters));
        self.arms.iter().for_each(|arm| unknown(&arm.name, &arm.set));
        for name in
            self.families.keys().filter(|name| !self.arms.iter().any(|arm| family(&arm.name) == *name))
        {
            problems.push(format!("families: {name}: no arm is of it"));
        }
        for (index, arm) in self.arms.iter().enumerate() {
            if !is_kebab_case(&arm.name) {
                problems.push(format!(
                    "{}: a name is FAMILY-VARIANT in small letters, digits and hyphens",
                    arm.name
                ));
            }
            if self.arms.iter().take(index).any(|earlier| earlier.name == arm.name) {
                problems.push(format!("{}: this name occurs twice", arm.name));
            }
        }
        problems
    }
}

impl Arm {
    pub(crate) fn has_webhook(&self) -> bool {
        self.parameters.get("WEBHOOK").is_some_and(|value| value == "yes")
    }
}

/// What is wrong with the parameters of one arm.
fn problems_of(parameters: &Parameters, is_class: impl Fn(&str) -> bool) -> Vec<String> {
    let value = |name: &str| parameters.get(name).map_or("", String::as_str);
    let mut problems = Vec::new();
    let class = value("CLASS");
    if !class.is_empty() && !is_class(class) {
        problems.push(format!("CLASS: no file classes/{class}.yaml"));
    }
    for name in ["WEBHOOK", "EVIDENCE"] {
        if !matches!(value(name), "yes" | "no") {
            problems.push(format!("{name}: {:?} is neither yes nor no", value(name)));
        }
    }
    if value("WEBHOOK") == "no" && !class.is_empty() {
        problems.push("CLASS: nobody acts on it without WEBHOOK: yes".to_owned());
    }
    for (name, value) in parameters {
        if value.contains(['\n', '\r']) {
            problems.push(format!("{name}: has more than one line"));
        }
    }
    problems
}

/// The first word of a name.
fn family(name: &str) -> &str {
    name.split_once('-').map_or(name, |(family, _)| family)
}

fn is_kebab_case(name: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    name.contains('-') && name.split('-').all(is_word)
}

/// Those that are not as by default, as `NAME=value` words. What there is no default for any more, or not yet, does not count.
pub(crate) fn own(parameters: &Parameters, defaults: &Parameters) -> String {
    let differs =
        |(name, value): &(&String, &String)| defaults.get(*name).is_some_and(|default| default != *value);
    let words = parameters.iter().filter(differs).map(|(name, value)| format!("{name}={value}"));
    words.collect::<Vec<_>>().join(" ")
}

/// Parameters as a shell reads them, one `KEY='value'` a line.
pub(crate) fn as_shell(parameters: &Parameters) -> String {
    let line = |(name, value): (&String, &String)| format!("{name}='{}'\n", value.replace('\'', r"'\''"));
    parameters.iter().map(line).collect()
}

/// What [`as_shell`] wrote.
///
/// # Errors
/// A line of another form.
pub(crate) fn from_shell(text: &str) -> anyhow::Result<Parameters> {
    let parameter = |line: &str| {
        let (name, value) = line.split_once('=')?;
        let value = value.strip_prefix('\'')?.strip_suffix('\'')?;
        Some((name.to_owned(), value.replace(r"'\''", "'")))
    };
    text.lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| parameter(line).with_context(|| format!("not KEY='value': {line}")))
        .collect()
}
