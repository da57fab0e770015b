//! What was expected of an arm, stated before it ran.

use std::fmt;

use crate::measure::Measure;
use crate::tenths::Tenths;

/// One expectation of every run of an arm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expectation {
    /// The job came to this end.
    Outcome(String),
    /// What the webhook planned: `none`, a strategy, or a strategy and what decided.
    Plan(String),
    /// A number is what it was expected to be.
    Number { measure: Measure, comparison: Comparison, bound: Bound },
}

/// How a number compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Less,
    AtMost,
    More,
    AtLeast,
}

/// What it compares with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// A number, in the measure's own unit.
    Number(u64),
    /// So many percent of the median of another arm.
    Arm { percent: u64, arm: String },
}

/// How a job may end.
pub(crate) const OUTCOMES: [&str; 3] = ["done", "failed", "unfinished"];

impl Expectation {
    /// Reads `measure: value`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(measure: &str, value: &str) -> Result<Self, String> {
        match measure {
            "outcome" if OUTCOMES.contains(&value) => return Ok(Self::Outcome(value.to_owned())),
            "outcome" => return Err(format!("{value:?} is none of: {}", OUTCOMES.join(", "))),
            "plan" => return Ok(Self::Plan(value.to_owned())),
            _ => {}
        }
        let Some(measure) = Measure::named(measure) else {
            let names = Measure::ALL.map(|measure| measure.described().0).join(", ");
            return Err(format!("nothing of this name is measured; there are: outcome, plan, {names}"));
        };
        let (comparison, rest) = Comparison::ALL
            .into_iter()
            .find_map(|comparison| Some((comparison, value.strip_prefix(comparison.sign())?)))
            .unwrap_or((Comparison::Equal, value));
        let rest = rest.trim();
        let bound = match (measure, rest) {
            (Measure::Exact, "yes") => Bound::Number(1),
            (Measure::Exact, "no") => Bound::Number(0),
            (Measure::Exact, _) => return Err(format!("{value:?} is neither yes nor no")),
            _ => Bound::parse(measure, rest)?,
        };
        Ok(Self::Number { measure, comparison, bound })
    }

    /// The other arm that it looks at.
    pub(crate) fn other_arm(&self) -> Option<&str> {
        match self {
            Self::Number { bound: Bound::Arm { arm, .. }, .. } => Some(arm),
            Self::Outcome(_) | Self::Plan(_) | Self::Number { .. } => None,
        }
    }
}

impl Bound {
    fn parse(measure: Measure, text: &str) -> Result<Self, String> {
        let is_number = text.starts_with(|c: char| c.is_ascii_digit());
        let (percent, arm) = match text.split_once("% of ") {
            Some((percent, arm)) => (percent.trim(), arm.trim()),
            None if is_number && measure.is_in_tenths() => {
                return Ok(Self::Number(text.parse::<Tenths>()?.0));
            }
            None if is_number => return whole(text).map(Self::Number),
            None => ("100", text),
        };
        if arm.is_empty() {
            return Err("a number or an arm is missing".to_owned());
        }
        Ok(Self::Arm { percent: whole(percent)?, arm: arm.to_owned() })
    }
}

fn whole(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text:?} is not a whole number"))
}

impl Comparison {
    /// The longer signs first.
    const ALL: [Self; 5] = [Self::AtMost, Self::AtLeast, Self::Less, Self::More, Self::Equal];

    pub(crate) const fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }

    pub(crate) fn holds(self, left: u64, right: u64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::More => left > right,
            Self::AtLeast => left >= right,
        }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (measure, comparison, bound) = match self {
            Self::Outcome(outcome) => return write!(f, "outcome {outcome}"),
            Self::Plan(plan) => return write!(f, "plan {plan}"),
            Self::Number { measure, comparison, bound } => (measure, comparison, bound),
        };
        let sign = if *comparison == Comparison::Equal { "" } else { comparison.sign() };
        write!(f, "{} {sign}", measure.described().0)?;
        match bound {
            Bound::Number(number) => f.write_str(&measure.shown(*number)),
            Bound::Arm { percent: 100, arm } => f.write_str(arm),
            Bound::Arm { percent, arm } => write!(f, "{percent} % of {arm}"),
        }
    }
}
