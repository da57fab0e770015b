//! Tables of arms for `docs/experiment.md`.

use std::collections::BTreeMap;

use crate::arm::{Arm, Arms, own};
use crate::measure::Measure;
use crate::results::Results;

/// What a table tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Parameters,
    Failures,
    Streams,
    Usable,
    Times,
    Memory,
    Expectations,
    Runs,
}

impl Kind {
    pub(crate) const ALL: [Self; 8] = [
        Self::Parameters,
        Self::Failures,
        Self::Streams,
        Self::Usable,
        Self::Times,
        Self::Memory,
        Self::Expectations,
        Self::Runs,
    ];

    /// As the page names it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Parameters => "parameters",
            Self::Failures => "failures",
            Self::Streams => "streams",
            Self::Usable => "usable",
            Self::Times => "times",
            Self::Memory => "memory",
            Self::Expectations => "expectations",
            Self::Runs => "runs",
        }
    }
}

/// The table of these arms as Markdown.
pub(crate) fn table(kind: Kind, arms: &Arms, shown: &[&Arm], results: &Results) -> String {
    match kind {
        Kind::Parameters => markdown(&["arm", "what it shows", "parameters"], shown, |arm| {
            Some(vec![arm.shows.clone(), parameters(arms, arm)])
        }),
        Kind::Failures => {
            let columns = [
                ("job, s", Measure::Seconds),
                ("executors", Measure::Executors),
                ("OOMKilled", Measure::OomKilled),
                ("JVM OOM", Measure::JvmOom),
                ("cgroup OOM", Measure::CgroupOom),
                ("node OOM", Measure::NodeOom),
                ("evictions", Measure::Evicted),
                ("heartbeats lost", Measure::HeartbeatLost),
                ("executors lost", Measure::Lost),
                ("MemoryPressure", Measure::MemoryPressure),
                ("NotReady", Measure::NotReady),
            ];
            measures(&["runs", "job"], &columns, shown, results, |arm| {
                vec![results.of(&arm.name).len().to_string(), outcomes(arm, results)]
            })
        }
        Kind::Streams => {
            let columns = [
                ("rows", Measure::Rows),
                ("slowest batch, s", Measure::SlowestBatchSeconds),
                ("swapped in, MiB", Measure::SwapInMib),
                ("swapped out, MiB", Measure::SwapOutMib),
            ];
            measures(&[], &columns, shown, results, |_| Vec::new())
        }
        Kind::Usable => {
            let columns = [
                ("limit, MiB", Measure::LimitMib),
                ("OOMKilled", Measure::OomKilled),
                ("used at a kill, %", Measure::UsedAtKillPercent),
                ("largest sum of memory.peak and swap.peak, MiB", Measure::FootprintMib),
                ("of limit + swap, %", Measure::UsedPercent),
            ];
            measures(&["runs", "job", "memory.swap.max, bytes"], &columns, shown, results, |arm| {
                vec![results.of(&arm.name).len().to_string(), outcomes(arm, results), grants(arm, results)]
            })
        }
        Kind::Times => {
            let columns = [
                ("job, s", Measure::Seconds),
                ("without its start, s", Measure::JobSeconds),
                ("tasks, s", Measure::TaskSeconds),
                ("of that garbage collection, s", Measure::GcSeconds),
                ("jobs per hour per GiB", Measure::JobsPerHourPerGib),
                ("swapped in, MiB", Measure::SwapInMib),
                ("swapped out, MiB", Measure::SwapOutMib),
            ];
            measures(&["job"], &columns, shown, results, |arm| vec![outcomes(arm, results)])
        }
        Kind::Memory => {
            let columns = [
                ("request, MiB", Measure::RequestMib),
                ("limit, MiB", Measure::LimitMib),
                ("largest memory.peak, MiB", Measure::MemoryPeakMib),
                ("largest swap.peak, MiB", Measure::SwapPeakMib),
                ("largest sum of both, MiB", Measure::FootprintMib),
                ("of limit + swap, %", Measure::UsedPercent),
                ("least available on the node, MiB", Measure::LowestAvailableMib),
            ];
            measures(&["plan", "memory.swap.max, bytes"], &columns, shown, results, |arm| {
                vec![each(arm, results, |run| run.plan.clone()), grants(arm, results)]
            })
        }
        Kind::Expectations => markdown(&["arm", "what it shows", "expected", "came true"], shown, |arm| {
            Some(vec![arm.shows.clone(), expected(arm), came_true(arm, results)])
        }),
        Kind::Runs => runs(shown, results),
    }
}

/// A row for each arm that ran.
fn measures(
    first: &[&str],
    columns: &[(&str, Measure)],
    shown: &[&Arm],
    results: &Results,
    first_cells: impl Fn(&Arm) -> Vec<String>,
) -> String {
    let header: Vec<&str> =
        ["arm"].iter().chain(first).copied().chain(columns.iter().map(|(header, _)| *header)).collect();
    markdown(&header, shown, |arm| {
        if results.of(&arm.name).is_empty() {
            return None;
        }
        let cells = columns.iter().map(|(_, measure)| results.spread(&arm.name, *measure).to_string());
        Some(first_cells(arm).into_iter().chain(cells).collect())
    })
}

/// A row for each arm; none: it did not run.
fn markdown(header: &[&str], shown: &[&Arm], cells: impl Fn(&Arm) -> Option<Vec<String>>) -> String {
    let rows = shown.iter().map(|arm| {
        let cells = cells(arm).unwrap_or_else(|| vec!["not run".to_owned()]);
        [vec![format!("`{}`", arm.name)], cells].concat()
    });
    lines(header, rows)
}

fn runs(shown: &[&Arm], results: &Results) -> String {
    let runs = shown.iter().flat_map(|arm| results.of(&arm.name)).map(|run| {
        let seconds = run.seconds.map_or_else(|| "-".to_owned(), |seconds| seconds.to_string());
        vec![format!("`{}`", run.name()), run.outcome.clone(), seconds, run.phases.clone()]
    });
    lines(&["run", "job", "s", "phases, each with its seconds"], runs)
}

fn lines(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let header: Vec<String> = header.iter().map(|cell| (*cell).to_owned()).collect();
    let dashes = vec!["---".to_owned(); header.len()];
    let rows = rows.map(|mut row| {
        row.resize(header.len(), String::new());
        line(&row)
    });
    [line(&header), line(&dashes)].into_iter().chain(rows).collect()
}

/// What differs from the defaults.
fn parameters(arms: &Arms, arm: &Arm) -> String {
    let own = own(&arm.parameters, &arms.defaults);
    if own.is_empty() { "the defaults".to_owned() } else { format!("`{own}`") }
}

fn outcomes(arm: &Arm, results: &Results) -> String {
    each(arm, results, |run| run.outcome.clone())
}

/// The different values of its runs, with how many have it where they differ.
fn each(arm: &Arm, results: &Results, value: impl Fn(&crate::run::Run) -> String) -> String {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for run in results.of(&arm.name) {
        *times.entry(value(run)).or_default() += 1;
    }
    match times.len() {
        1 => times.into_keys().collect(),
        _ => times.iter().map(|(value, times)| format!("{value} ({times})")).collect::<Vec<_>>().join(", "),
    }
}

fn grants(arm: &Arm, results: &Results) -> String {
    each(arm, results, |run| match run.exact {
        Some(true) => format!("{}, exact", run.swap_max),
        Some(false) => format!("{}, **not exact**", run.swap_max),
        None => "not seen".to_owned(),
    })
}

fn expected(arm: &Arm) -> String {
    // As code: `<` begins no tag in it.
    let all: Vec<String> = arm.expects.iter().map(|expectation| format!("`{expectation}`")).collect();
    if all.is_empty() { "nothing in particular".to_owned() } else { all.join(", ") }
}

fn came_true(arm: &Arm, results: &Results) -> String {
    match results.not_met(arm) {
        None => "not run".to_owned(),
        Some(not_met) if !not_met.is_empty() => format!("**not**: {}", not_met.join("; ")),
        Some(_) if arm.expects.is_empty() => String::new(),
        Some(_) => "yes".to_owned(),
    }
}
