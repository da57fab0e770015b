//! What a fault cost: one line of the table.

use std::collections::BTreeMap;
use std::time::Duration;

use spark_swap::cli::table::{Align, Table};

use crate::fault::{Spared, Window};
use crate::load::{Call, Outcome};

/// Calls that begin later than this say more about the machine than about the webhook.
const TOO_LATE: Duration = Duration::from_millis(150);
/// How many different reasons are told of a line.
const REASONS: usize = 5;

/// The calls of one load during one fault.
pub(crate) struct Account {
    pub(crate) fault: String,
    pub(crate) certificates: &'static str,
    pub(crate) load: &'static str,
    pub(crate) per_second: u32,
    calls: usize,
    failed: usize,
    unmutated: usize,
    /// Of the calls in the fault itself.
    spared: usize,
    slowest: Duration,
    latest: Duration,
    /// What went wrong outside the fault itself, and how often.
    reasons: BTreeMap<String, usize>,
    notes: Vec<String>,
    /// The fault was made again at a lower rate, as the machine did not keep to the schedule.
    is_superseded: bool,
}

impl Account {
    pub(crate) fn new(
        fault: String,
        certificates: &'static str,
        load: &'static str,
        per_second: u32,
    ) -> Self {
        Self {
            fault,
            certificates,
            load,
            per_second,
            calls: 0,
            failed: 0,
            unmutated: 0,
            spared: 0,
            slowest: Duration::ZERO,
            latest: Duration::ZERO,
            reasons: BTreeMap::new(),
            notes: Vec::new(),
            is_superseded: false,
        }
    }

    /// Counts calls. `spares_failures`: where the webhook cannot be reached, a call fails instead of leaving an executor
    /// unmutated.
    pub(crate) fn count(&mut self, calls: &[Call], windows: &[Window], spares_failures: bool) {
        for call in calls {
            let spares = windows
                .iter()
                .find(|window| call.begun < window.to && window.from < call.ended)
                .map(|window| window.spares);
            self.latest = self.latest.max(call.late);
            let reason = match (&call.outcome, spares) {
                // Nobody was there to accept it: it does not count as a call.
                (Outcome::Failed(_), Some(Spared::Unaccepted)) if !spares_failures => {
                    self.spared += 1;
                    continue;
                }
                (Outcome::Unmutated(_), Some(Spared::Unmutated)) => {
                    self.spared += 1;
                    None
                }
                (Outcome::Failed(_), Some(Spared::Unmutated)) if spares_failures => {
                    self.spared += 1;
                    None
                }
                (Outcome::Mutated, _) => None,
                (Outcome::Unmutated(why), _) => {
                    self.unmutated += 1;
                    Some(format!("unmutated {why}"))
                }
                (Outcome::Failed(why), _) => {
                    self.failed += 1;
                    Some(format!("failed: {why}"))
                }
            };
            self.calls += 1;
            self.slowest = self.slowest.max(call.ended - call.begun);
            if let Some(reason) = reason {
                *self.reasons.entry(reason).or_default() += 1;
            }
        }
    }

    /// Counts executors that were found unmutated later.
    pub(crate) fn found_unmutated(&mut self, names: &[String]) {
        self.unmutated += names.len();
        if !names.is_empty() {
            self.reasons
                .insert(format!("stored unmutated, the answer lost: {}", names.join(" ")), names.len());
        }
    }

    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// The next one counts instead.
    pub(crate) fn supersede(&mut self) {
        self.is_superseded = true;
    }

    /// All that has to be zero is.
    pub(crate) fn is_clean(&self) -> bool {
        self.is_superseded || (self.failed == 0 && self.unmutated == 0)
    }

    /// The machine kept to the schedule.
    pub(crate) fn is_in_time(&self) -> bool {
        self.latest < TOO_LATE
    }

    /// What is said as soon as the fault is over.
    pub(crate) fn summary(&self) -> String {
        let Self { calls, failed, unmutated, spared, .. } = self;
        let counts = format!("{calls} calls, {failed} failed, {unmutated} unmutated, {spared} in the fault");
        let reasons = self.reasons.iter().take(REASONS).map(|(reason, times)| format!("{times} x {reason}"));
        let lines = [counts].into_iter().chain(reasons).chain(self.notes.iter().cloned());
        lines.map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
    }
}

/// The table of all of them.
pub(crate) fn table(accounts: &[Account]) -> String {
    const COLUMNS: [Align; 10] = [
        Align::Left,
        Align::Left,
        Align::Left,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Right,
    ];
    let mut table = Table::new(&COLUMNS);
    table.row([
        "FAULT",
        "CERTIFICATES",
        "CALLS OF",
        "A SECOND",
        "CALLS",
        "FAILED",
        "UNMUTATED",
        "IN THE FAULT",
        "SLOWEST",
        "LATE",
    ]);
    for account in accounts {
        table.row([
            account.fault.clone(),
            account.certificates.to_owned(),
            account.load.to_owned(),
            account.per_second.to_string(),
            account.calls.to_string(),
            account.failed.to_string(),
            account.unmutated.to_string(),
            account.spared.to_string(),
            format!("{} ms", account.slowest.as_millis()),
            format!(
                "{} ms{}",
                account.latest.as_millis(),
                if account.is_superseded { ", again:" } else { "" }
            ),
        ]);
    }
    table.render_dense_list()
}
