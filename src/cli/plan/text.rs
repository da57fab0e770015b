//! `plan` for people: the executors, the nodes full of them, the plot, and what should be known about it.

use super::fit::Fit;
use super::fleet::Row;
use super::report::{Entry, Report};
use super::terminal_plot;
use crate::cli::sentences;
use crate::cli::table::{Align, Table};
use crate::sizing::fields::OneLine;
use crate::sizing::plan::Change;
use crate::sizing::sizes::{gi, mi, short};

const LONGEST_LINE: usize = 96;
/// Longer names are cut, but for `-o wide`.
const LONGEST_NAME: usize = 24;
const MEGABYTE: u64 = 1_000_000;

const EXECUTOR_COLUMNS: &[Align] = &[Align::Right, Align::Left, Align::Right];
const NODE_COLUMNS: &[Align] = &[
    Align::Right,
    Align::Right,
    Align::Right,
    Align::Right,
    Align::Right,
    Align::Right,
    Align::Left,
    Align::Right,
    Align::Right,
    Align::Right,
    Align::Right,
    Align::Right,
];

/// Everything; the plots only where they are not drawn elsewhere.
pub fn report(report: &Report, is_wide: bool, with_plots: bool) -> String {
    let mut parts = vec![executors(report, is_wide), nodes(report, is_wide)];
    parts.extend(report.entries.iter().filter(|_| with_plots).map(plot));
    let notes = sentences::lines(report.notes.iter().cloned(), LONGEST_LINE);
    parts.push(if notes.is_empty() { notes } else { format!("Notes\n{notes}") });
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

/// A line for each group under each class; empty where there is none.
fn executors(report: &Report, is_wide: bool) -> String {
    if report.entries.is_empty() {
        return String::new();
    }
    let mut table = Table::new(EXECUTOR_COLUMNS);
    let mut titles = vec!["#", "EXECUTOR", "PODS", "CLASS", "REQUEST", "ROOM FOR", "DECIDED BY"];
    if is_wide {
        titles.extend(["LIMIT", "HEAP", "QOS"]);
    }
    table.row(titles);
    for entry in &report.entries {
        let (group, fleet) = (&entry.group, &entry.fleet);
        let plan = group.plan();
        let request = group.received_request();
        let decided_by =
            plan.map_or_else(|| group.decision.reason.to_string(), |plan| plan.bound.to_string());
        let mut cells = vec![
            entry.number.to_string(),
            name(entry, is_wide),
            group.count.to_string(),
            OneLine(group.class_name()).to_string(),
            plan.map_or_else(|| mi(request), |plan| change(plan.request, mi)),
            change(Change { from: fleet.before(), to: fleet.after() }, |count| count.to_string()),
            decided_by,
        ];
        if let Some(plan) = plan.filter(|_| is_wide) {
            cells.push(change(plan.limit, mi));
            cells.push(plan.heap.map_or_else(|| "unknown".to_owned(), |heap| change(heap, mi)));
            cells.push(plan.qos_class.to_string());
        }
        table.row(cells);
    }
    table.render_dense_list()
}

/// A line for each shape of nodes of each group; empty where there is none.
fn nodes(report: &Report, is_wide: bool) -> String {
    if report.entries.iter().all(|entry| entry.fleet.rows.is_empty()) {
        return String::new();
    }
    let mut table = Table::new(NODE_COLUMNS);
    let mut titles = vec![
        "#",
        "NODES",
        "MEMORY",
        "SWAP",
        "BEFORE",
        "AFTER",
        "FULL BY",
        "DECLARED",
        "RESERVED",
        "PEAK SWAP",
        "GRANTED",
        "WRITE/S",
    ];
    if is_wide {
        titles.extend(["EVIDENCE", "ALLOCATABLE", "CPU", "NODE"]);
    }
    table.row(titles);
    for entry in &report.entries {
        for row in &entry.fleet.rows {
            table.row(node(entry, row, is_wide));
        }
    }
    table.render_dense_list()
}

fn node(entry: &Entry, row: &Row, is_wide: bool) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let executors = |fit: Option<Fit>| or_dash(fit.map(|fit| fit.executors.to_string()));
    let full_by = row.after.map(|fit| fit.full_by.to_string().to_lowercase());
    let rate = row.load.write_rate().map(|rate| format!("{}MB", rate.div_ceil(MEGABYTE)));
    let mut cells = vec![
        entry.number.to_string(),
        row.count.to_string(),
        short(row.shape.memory),
        short(row.shape.swap),
        executors(row.before),
        executors(row.after),
        or_dash(full_by),
        short(row.load.declared),
        short(row.load.reserved),
        or_dash(row.load.peak_swap.map(short)),
        or_dash(row.load.granted_swap.map(short)),
        or_dash(rate),
    ];
    if is_wide {
        let cpu = row.allocatable.cpu_millis.map(|millis| format!("{millis}m"));
        cells.push(if row.has_evidence { "yes" } else { "no" }.to_owned());
        cells.push(or_dash(row.allocatable.memory.map(gi)));
        cells.push(or_dash(cpu));
        cells.push(OneLine(&row.shape.name).to_string());
    }
    cells
}

fn plot(entry: &Entry) -> String {
    let Some(curve) = &entry.curve else { return String::new() };
    let percent = |permille: u64| permille.checked_div(10).unwrap_or(0);
    let mut text = format!("{}\n\n{}", title(entry), terminal_plot::draw(curve));
    let own = percent(curve.own_permille);
    text.extend([
        "  line: after, were all nodes alike; dots: before; upright: swap of this node, ",
        &own.to_string(),
        " %\n",
    ]);
    let steps: Vec<String> = curve
        .steps()
        .iter()
        .skip(1)
        .map(|(permille, executors)| format!("{executors} from {} %", percent(*permille)))
        .collect();
    let last = curve.steps().last().map_or(0, |(permille, _)| percent(*permille));
    text.push_str(&sentences::lines(
        [format!(
            "{} executors without swap, {}; more swap than {last} % makes no room for more.",
            curve.points.first().map_or(0, |(_, executors)| *executors),
            steps.join(", "),
        )],
        LONGEST_LINE,
    ));
    text
}

/// What the plot of an entry is about.
pub fn title(entry: &Entry) -> String {
    let memory = entry.curve.as_ref().map_or(0, |curve| curve.memory);
    format!(
        "Executors per node against swap: #{} {} under {}, on nodes of {}",
        entry.number,
        name(entry, false),
        OneLine(entry.group.class_name()),
        gi(memory)
    )
}

/// `namespace/name`, cut where it is too long.
fn name(entry: &Entry, is_wide: bool) -> String {
    let subject = &entry.group.subject;
    let name = OneLine(&format!("{}/{}", subject.namespace, subject.name)).to_string();
    if is_wide || name.chars().count() <= LONGEST_NAME {
        return name;
    }
    let start: String = name.chars().take(LONGEST_NAME.saturating_sub(3)).collect();
    format!("{start}...")
}

/// `9011Mi -> 6008Mi`, or the one value that there is.
fn change(change: Change, show: impl Fn(u64) -> String) -> String {
    if change.from == change.to {
        show(change.to)
    } else {
        format!("{} -> {}", show(change.from), show(change.to))
    }
}
