//! The plan for a fleet: every group of executors under every class that is tried, on the nodes it may use.

use anyhow::ensure;

use super::density_curve::DensityCurve;
use super::fleet::Fleet;
use super::groups::{Group, Groups};
use super::notes;
use crate::cli::pod_input::Subject;
use crate::cli::state_source::KnownState;
use crate::sizing::class::SwapClass;
use crate::sizing::state::{OPT_OUT, Settings, State, StateParts};

/// At most so many groups get a plot each; where there are more, only the largest gets one.
const MOST_PLOTS: usize = 3;

/// All that is shown.
#[derive(Debug)]
pub struct Report {
    /// The largest group first.
    pub entries: Vec<Entry>,
    /// What somebody should know.
    pub notes: Vec<String>,
}

/// A group of executors under a class, on its nodes.
#[derive(Debug)]
pub struct Entry {
    /// From 1.
    pub number: usize,
    /// The executors.
    pub group: Group,
    /// The nodes.
    pub fleet: Fleet,
    /// How the swap of a node decides; where it is plotted.
    pub curve: Option<DensityCurve>,
}

/// Which classes are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// For each executor the class that it is admitted under.
    Own,
    /// These, for all executors.
    Named(Vec<String>),
    /// All that are known.
    All,
}

impl Report {
    /// Decides about every executor.
    ///
    /// # Errors
    /// A class to try that does not exist.
    pub fn new(
        known: KnownState,
        settings: &Settings,
        subjects: Vec<Subject>,
        tried: &Tried,
    ) -> anyhow::Result<Self> {
        let KnownState { parts, allocatable, notes: of_state } = known;
        let classes = tried.names(&parts.classes)?;
        let as_written = parts.classes.clone();
        let parts = rolled_out(parts);
        let state = State::new(parts.clone(), settings.clone());
        let groups = Groups::new(subjects, &classes, &state)?;
        let input = notes::input(&groups);
        let entry = |(place, group): (usize, Group)| {
            let fleet = Fleet::new(&group, &state, &allocatable);
            Entry { number: place.saturating_add(1), group, fleet, curve: None }
        };
        let mut entries: Vec<Entry> = groups.groups.into_iter().enumerate().map(entry).collect();
        let mut plots = if entries.len() <= MOST_PLOTS { MOST_PLOTS } else { 1 };
        for Entry { group, fleet, curve, .. } in &mut entries {
            if plots > 0 {
                *curve = DensityCurve::new(group, fleet, &parts, settings, &state);
                plots = plots.saturating_sub(usize::from(curve.is_some()));
            }
        }
        let mut notes = of_state;
        notes.extend(notes::basis(&entries));
        notes.extend(input);
        notes.extend(state.problems().iter().cloned());
        let is_used =
            |class: &&SwapClass| entries.iter().any(|entry| entry.group.decision.class_name == class.name);
        notes.extend(as_written.iter().filter(is_used).flat_map(notes::class));
        notes.extend(notes::entries(&entries));
        Ok(Self { entries, notes })
    }
}

impl Tried {
    /// Their names; none for [`Tried::Own`].
    fn names(&self, classes: &[SwapClass]) -> anyhow::Result<Vec<String>> {
        let mut known: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
        if !known.contains(&SwapClass::BUILT_IN) {
            known.push(SwapClass::BUILT_IN);
        }
        known.sort_unstable();
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        match self {
            Self::Own => Ok(Vec::new()),
            Self::All => Ok(owned(&known)),
            Self::Named(names) => {
                let mut classes: Vec<String> = Vec::with_capacity(names.len());
                for name in names {
                    ensure!(
                        name == OPT_OUT || known.contains(&name.as_str()),
                        "--class {name}: there is no such SwapClass; known are {}",
                        known.join(", ")
                    );
                    if !classes.contains(name) {
                        classes.push(name.clone());
                    }
                }
                Ok(classes)
            }
        }
    }
}

/// The plan shows what a class does to the applications that are in.
fn rolled_out(mut parts: StateParts) -> StateParts {
    for class in &mut parts.classes {
        class.rollout_percent = 100;
    }
    parts
}
