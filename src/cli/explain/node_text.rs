//! The nodes of a decision as tables.

use super::Explained;
use super::nodes::{self, Landing, NodeRow};
use crate::cli::table::{Align, Table};
use crate::sizing::fields::OneLine;
use crate::sizing::plan::Plan;
use crate::sizing::sizes::exact;

/// More reasons than this are counted, not listed.
const LISTED_REASONS: usize = 20;

/// A line for each shape of eligible nodes, with what it grants and whether the peak fits.
pub fn eligible(explained: &Explained<'_>) -> String {
    let rows = nodes::rows(explained.decision);
    if rows.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[
        Align::Left,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Right,
    ]);
    let plan = explained.decision.plan.as_ref();
    let titles = ["node", "nodes", "memory M", "swap S", "promised", "usable"];
    match plan {
        Some(plan) if plan.is_backed => table.row(titles.into_iter().chain(["granted s", "P <= R + s"])),
        Some(_) => table.row(titles.into_iter().chain(["granted s", "P <= L + s"])),
        None => table.row(titles),
    }
    for row in rows {
        let NodeRow { shape, promised, usable, has_evidence, landing } = row;
        let promise = if promised == 0 { "none".to_owned() } else { promised.to_string() };
        let outcome = match (plan, landing) {
            (Some(plan), Some(landing)) => outcome(landing, plan),
            _ if has_evidence => Vec::new(),
            _ if promised == 0 => vec!["no evidence".to_owned()],
            _ => vec!["less than the class wants".to_owned()],
        };
        let name = OneLine(&shape.name).to_string();
        let count = shape.count.to_string();
        let [memory, swap] = [shape.memory, shape.swap].map(exact);
        let facts = [name, count, memory, swap, promise, usable.to_string()];
        table.row(facts.into_iter().chain(outcome));
    }
    table.render()
}

/// The granted swap, and whether the peak fits.
fn outcome(landing: Landing, plan: &Plan) -> Vec<String> {
    let swap = match landing {
        Landing::Granted(swap) => swap,
        Landing::TooSmall => {
            return vec!["-".to_owned(), "never lands here: less memory than the request".to_owned()];
        }
        Landing::KeptOut => {
            return vec!["-".to_owned(), "never lands here: kept away by the node affinity".to_owned()];
        }
    };
    let base = if plan.is_backed { plan.request.to } else { plan.limit.to };
    let sum = base.saturating_add(swap);
    let verdict = match sum.checked_sub(plan.peak) {
        Some(spare) => format!("holds: {} <= {base} + {swap}, {} to spare", plan.peak, exact(spare)),
        None => format!("does not hold: {} > {base} + {swap}", plan.peak),
    };
    vec![swap.to_string(), verdict]
}

/// Why the other known nodes are not eligible.
pub fn ruled_out(explained: &Explained<'_>) -> String {
    let groups = nodes::ruled_out(explained);
    let mut table = Table::new(&[Align::Right]);
    for group in groups.iter().take(LISTED_REASONS) {
        let noun = if group.count == 1 { "node" } else { "nodes" };
        let example = if group.count == 1 { "" } else { "for example " };
        let because = OneLine(&group.because).to_string();
        table.row([
            &group.count.to_string(),
            noun,
            &because,
            &format!("{example}{}", OneLine(&group.example)),
        ]);
    }
    let rest = groups.len().saturating_sub(LISTED_REASONS);
    let more = if rest == 0 { String::new() } else { format!("  and {rest} more reasons\n") };
    table.render() + &more
}
