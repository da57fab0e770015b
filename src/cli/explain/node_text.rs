//! The nodes of a decision as tables.

use super::Explained;
use super::nodes::{self, Landing, NodeRow};
use crate::cli::sizes::exact;
use crate::cli::table::{Align, Table};
use crate::sizing::fields::OneLine;
use crate::sizing::plan::Plan;

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
    let check = plan.map_or("", |plan| if plan.is_backed { "P <= R + s" } else { "P <= L + s" });
    let granted = if plan.is_some() { "granted s" } else { "" };
    table.row(["node", "nodes", "memory M", "swap S", "promised", "usable", granted, check]);
    for row in rows {
        let NodeRow { shape, promised, usable, has_evidence, landing } = row;
        let promise = if promised == 0 { "none".to_owned() } else { promised.to_string() };
        let (granted, check) = outcome(landing, plan, has_evidence);
        let name = OneLine(&shape.name).to_string();
        let count = shape.count.to_string();
        let sizes = [shape.memory, shape.swap].map(exact);
        let [memory, swap] = &sizes;
        table.row([&name, &count, memory, swap, &promise, &usable.to_string(), &granted, &check]);
    }
    table.render()
}

fn outcome(landing: Option<Landing>, plan: Option<&Plan>, has_evidence: bool) -> (String, String) {
    let Some(plan) = plan else {
        let verdict = if has_evidence { "" } else { "no evidence, or less than the class wants" };
        return (String::new(), verdict.to_owned());
    };
    match landing {
        Some(Landing::Granted(swap)) => {
            let base = if plan.is_backed { plan.request.to } else { plan.limit.to };
            let sum = base.saturating_add(swap);
            let verdict = match sum.checked_sub(plan.peak) {
                Some(spare) => format!("holds: {} <= {base} + {swap}, {} to spare", plan.peak, exact(spare)),
                None => format!("does not hold: {} > {base} + {swap}", plan.peak),
            };
            (swap.to_string(), verdict)
        }
        Some(Landing::TooSmall) => {
            ("-".to_owned(), "never lands here: less memory than the request".to_owned())
        }
        Some(Landing::KeptOut) => {
            ("-".to_owned(), "never lands here: kept away by the node affinity".to_owned())
        }
        None => (String::new(), String::new()),
    }
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
