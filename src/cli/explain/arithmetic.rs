//! The arithmetic of a plan: every number with the formula it came from.

use super::{Explained, nodes};
use crate::admission::decision::Decision;
use crate::cli::executor_memory::ExecutorMemory;
use crate::cli::table::{Align, Table};
use crate::sizing::bound::Bound;
use crate::sizing::class::{LimitMode, Strategy, SwapClass};
use crate::sizing::executor::Executor;
use crate::sizing::fields::OneLine;
use crate::sizing::kubelet::PAGE;
use crate::sizing::plan::Plan;
use crate::sizing::sizes::{both, exact, gi, mi, ratio};

const COLUMNS: &[Align] = &[Align::Left, Align::Left, Align::Right, Align::Right, Align::Right];

/// H, T, W, P, Q, U, p and g(R); without a plan, what is known of the executor.
pub fn table(explained: &Explained<'_>) -> String {
    let Some(executor) = &explained.decision.executor else { return String::new() };
    let mut rows = Rows::new();
    let plan = explained.decision.plan.as_ref();
    let total = plan.map_or(executor.received_limit, |plan| plan.total);
    match executor.heap {
        Some(heap) => rows.size("H", "heap", heap, "SPARK_EXECUTOR_MEMORY"),
        None => {
            rows.note("H", "heap", "unknown: SPARK_EXECUTOR_MEMORY does not say, or _JAVA_OPTIONS sets it");
        }
    }
    rows.size("T", "declared total", total, &split(explained, executor, total));
    if let Some((plan, class)) = plan.zip(explained.decision.class.as_ref()) {
        demand(&mut rows, explained.decision, plan, class, executor);
    }
    let unswappable = match (executor.unswappable.is_bounded, executor.unswappable.bytes) {
        (true, 0) => "no memory-backed emptyDir in the Spark container",
        (true, _) => "sizeLimits of memory-backed emptyDirs in the Spark container",
        (false, _) => "and more of unknown size: a memory-backed emptyDir without sizeLimit, or huge pages",
    };
    rows.size("U", "unswappable", executor.unswappable.bytes, unswappable);
    if let Some(plan) = plan {
        promise(&mut rows, explained.decision, plan);
    }
    rows.0.render()
}

/// How T is made up, as far as it is known.
fn split(explained: &Explained<'_>, executor: &Executor, total: u64) -> String {
    if total > executor.received_limit {
        return format!("by the Spark conf labels; the pod's own limit is {}", mi(executor.received_limit));
    }
    match (&explained.subject.memory, executor.heap) {
        (Some(ExecutorMemory { heap, overhead, overhead_from, off_heap, pyspark, .. }), _) => {
            let mut parts = vec![format!("H {heap}Mi"), format!("O {overhead}Mi ({overhead_from})")];
            for (letter, name, part) in [("F", "off-heap", off_heap), ("Y", "pyspark", pyspark)] {
                if *part > 0 {
                    parts.push(format!("{letter} {part}Mi ({name})"));
                }
            }
            parts.join(" + ")
        }
        (None, Some(heap)) => format!(
            "the limit: H + {} of overhead, off-heap and pyspark (O + F + Y)",
            mi(total.saturating_sub(heap))
        ),
        (None, None) => "the limit: H + O + F + Y".to_owned(),
    }
}

fn demand(rows: &mut Rows, decision: &Decision, plan: &Plan, class: &SwapClass, executor: &Executor) {
    let (working_set, peak) = decision.percentages.unwrap_or((class.working_set_percent, class.peak_percent));
    let refined = |now: u64, of_class: u64, label: &str| {
        if now == of_class {
            format!("{now} % of T")
        } else {
            format!("{now} % of T by the label {label}; the class says {of_class} %")
        }
    };
    let by = refined(working_set, class.working_set_percent, "spark-swap.io/working-set-percent");
    rows.size("W", "working set", plan.working_set, &by);
    let mut by = refined(peak, class.peak_percent, "spark-swap.io/peak-percent");
    if executor.jvm.always_pre_touch {
        by.push_str(", at least the heap: -XX:+AlwaysPreTouch");
    }
    if let Some(heap) = plan.heap.filter(|heap| heap.to > heap.from && plan.strategy == Strategy::HeapGrowth)
    {
        by = format!("{by}, and the {} that the heap grows", mi(heap.to.saturating_sub(heap.from)));
    }
    rows.size("P", "peak", plan.peak, &by);
    rows.size("Q", "sizing peak", plan.sizing_peak, &format!("P + {} % margin", class.peak_margin_percent));
}

fn promise(rows: &mut Rows, decision: &Decision, plan: &Plan) {
    let request = plan.request.to;
    rows.size("R", "request", request, "the bounds below");
    let Some(promise) = plan.promise else {
        let why =
            if decision.shapes.is_empty() { "no node is known" } else { "no node with evidence can hold R" };
        return rows.note("p", "promised", &format!("nothing: {why}"));
    };
    let decides = nodes::rows(decision)
        .into_iter()
        .find(|row| row.has_evidence && row.shape.memory >= request && row.usable == promise.permille);
    let node = decides.map_or_else(String::new, |row| format!(": {}", OneLine(&row.shape.name)));
    rows.note(
        "p",
        "promised",
        &format!("{} permille of R, the least of the nodes with evidence{node}", promise.permille),
    );
    let cap = decision.class.as_ref().and_then(|class| class.swap.max_per_executor);
    let cap = cap.map_or_else(String::new, |cap| format!(", at most {} by maxPerExecutor", exact(cap)));
    rows.size("g(R)", "promised swap", promise.swap, &format!("floor4096(floor(R * p / 1000)){cap}"));
    if plan.is_backed {
        let sum = request.saturating_add(promise.swap);
        let target = plan.sizing_peak.saturating_add(PAGE);
        let backs = format!("holds Q + 4096 = {target}, {} to spare", exact(sum.saturating_sub(target)));
        rows.size("R + g(R)", "", sum, &backs);
    }
    if let Some(written) = plan.written_swap {
        rows.size("s", "written swap", written, "the smallest granted swap, written for the swap backend");
    }
}

/// Every bound on the request; the one that decided is marked.
pub fn request_bounds(explained: &Explained<'_>) -> String {
    let (Some(plan), Some(class)) = (&explained.decision.plan, &explained.decision.class) else {
        return String::new();
    };
    let mut bounds = plan.bounds.clone();
    let request = plan.request.to;
    if bounds.iter().all(|(_, value)| *value != request) {
        bounds.push((Bound::Received, request));
    }
    let is_decisive = |bound: Bound, value: u64| {
        value == request && (bound == plan.bound || bounds.iter().all(|(other, _)| *other != plan.bound))
    };
    let mut table = Table::new(COLUMNS);
    for &(bound, value) in &bounds {
        let mark = if is_decisive(bound, value) { ">" } else { "" };
        table.row([
            mark,
            bound.as_str(),
            &value.to_string(),
            &mi(value),
            &gi_if_large(value),
            &formula(bound, explained, class),
        ]);
    }
    let net = plan.strategy == Strategy::SafetyNet && class.strategy != Strategy::SafetyNet;
    let largest =
        plan.bounds.iter().filter(|(bound, _)| *bound != Bound::SafetyNet).max_by_key(|(_, value)| *value);
    let because = match (net, plan.bound, largest) {
        (true, Bound::GainTooSmall, Some((bound, value))) => {
            let most = plan.request.from.min(plan.total);
            format!("GainTooSmall: {bound} asks for {}, more than 97 % of {}", mi(*value), mi(most))
        }
        (true, bound, _) => format!("{bound}: {}", bound.text()),
        (false, ..) => return table.render(),
    };
    format!("{}  {because}\n", table.render())
}

fn formula(bound: Bound, explained: &Explained<'_>, class: &SwapClass) -> String {
    match bound {
        Bound::SafetyNet => "the largest whole Mi below the limit as received".to_owned(),
        Bound::WorkingSet => {
            let percent =
                explained.decision.percentages.map_or(class.working_set_percent, |(percent, _)| percent);
            let with_margin = class.margin_percent.saturating_add(100);
            format!("T * {percent} % * {with_margin} % + U, up to a whole Mi")
        }
        Bound::PeakOverSwap => "the smallest whole Mi with R + g(R) >= Q + 4096".to_owned(),
        Bound::MinimumRequest => "minimumRequest of the class".to_owned(),
        Bound::LimitRange => {
            "the first whole Mi from the largest other bound up that the LimitRanges allow".to_owned()
        }
        Bound::Received => "the request as received".to_owned(),
        other => other.text().to_owned(),
    }
}

/// HeapGrowth: every bound on the heap; the one that decided is marked.
pub fn heap_bounds(explained: &Explained<'_>) -> String {
    let (Some(plan), Some(class)) = (&explained.decision.plan, &explained.decision.class) else {
        return String::new();
    };
    let growth = class.heap_growth_percent;
    let mut table = Table::new(COLUMNS);
    for &(bound, value) in &plan.heap_bounds {
        let formula = match bound {
            Bound::Growth => format!("H + {growth} % (heap.growthPercent), down to a whole Mi"),
            Bound::SwapSpent => "the largest H' with Q' + 4096 <= R + g(R), down to a whole Mi".to_owned(),
            Bound::CompressedOops => "1Mi below 32Gi, as H is below it".to_owned(),
            other => other.text().to_owned(),
        };
        // Received: the swap of the request as received cut the growth.
        let decides = bound == plan.bound || (bound == Bound::SwapSpent && plan.bound == Bound::Received);
        let mark = if decides { ">" } else { "" };
        table.row([mark, bound.as_str(), &value.to_string(), &mi(value), &gi_if_large(value), &formula]);
    }
    table.render()
}

/// How L came about.
pub fn limit(explained: &Explained<'_>) -> Vec<String> {
    let (Some(plan), Some(class)) = (&explained.decision.plan, &explained.decision.class) else {
        return Vec::new();
    };
    let (request, limit) = (plan.request.to, plan.limit.to);
    let why = if request == limit {
        "R: QoS class Guaranteed wants them equal".to_owned()
    } else if plan.strategy != Strategy::Density {
        "as received".to_owned()
    } else if class.limit == LimitMode::Loose {
        "as received (limit: Loose)".to_owned()
    } else if limit == plan.limit.from {
        "as received: R * 1.02 is no less, or the JDK would fall back to SerialGC below 1792Mi".to_owned()
    } else if limit == 1792 << 20 {
        "1792Mi (limit: Tight): below it the JDK would fall back to SerialGC".to_owned()
    } else {
        "R * 1.02, up to a whole Mi (limit: Tight)".to_owned()
    };
    vec![format!("L = {}, {why}; limit / request = {}", both(limit), ratio(limit, request))]
}

/// The node affinity that is written and what it protects.
pub fn affinity(explained: &Explained<'_>) -> Vec<String> {
    let (Some(plan), Some(class)) = (&explained.decision.plan, &explained.decision.class) else {
        return Vec::new();
    };
    if !plan.is_pinned {
        return vec!["none: the plan claims nothing about the nodes".to_owned()];
    }
    let needed = plan.needed_permille;
    let key = class.swap.via.evidence_label();
    let minimum = class.least_swap_percent().saturating_mul(10);
    let by_class = if minimum > 0 { format!(", minimumSwapPercent ({minimum})") } else { String::new() };
    let by_peak = if plan.is_backed { " and the least p with R + g(R) >= Q + 4096" } else { "" };
    vec![
        format!("required: {key} Gt {}", needed.saturating_sub(1)),
        format!("needed: {needed} permille, the largest of 1{by_class}{by_peak}"),
        format!(
            "protects: no node that promises less than {needed} takes it, so none that joins later voids the plan"
        ),
    ]
}

fn gi_if_large(bytes: u64) -> String {
    if bytes < 1 << 30 { String::new() } else { gi(bytes) }
}

/// Rows of symbol, name, bytes, Mi, Gi and where they come from.
struct Rows(Table);

impl Rows {
    fn new() -> Self {
        let mut table = Table::new(COLUMNS);
        table.row(["", "", "bytes", "Mi", "Gi"]);
        Self(table)
    }

    fn size(&mut self, symbol: &str, name: &str, bytes: u64, from: &str) {
        self.0.row([symbol, name, &bytes.to_string(), &mi(bytes), &gi_if_large(bytes), from]);
    }

    fn note(&mut self, symbol: &str, name: &str, note: &str) {
        self.0.row([symbol, name, "", "", "", note]);
    }
}
