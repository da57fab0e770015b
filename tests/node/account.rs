//! What runs came to, for a terminal.

use spark_swap::cli::table::{Align, Table};

use crate::arm::Arms;
use crate::measure::Measure;
use crate::results::Results;

/// A line for each run, then what did not come out as expected.
pub(crate) fn account(results: &Results, arms: &Arms) -> String {
    const COLUMNS: [(&str, Measure); 13] = [
        ("SECONDS", Measure::Seconds),
        ("EXECUTORS", Measure::Executors),
        ("OOMKILLED", Measure::OomKilled),
        ("JVM OOM", Measure::JvmOom),
        ("CGROUP OOM", Measure::CgroupOom),
        ("NODE OOM", Measure::NodeOom),
        ("EVICTED", Measure::Evicted),
        ("HEARTBEAT", Measure::HeartbeatLost),
        ("LOST", Measure::Lost),
        ("NOTREADY", Measure::NotReady),
        ("MEMORY", Measure::MemoryPeakMib),
        ("SWAP", Measure::SwapPeakMib),
        ("EXACT", Measure::Exact),
    ];
    const ALIGNMENT: [Align; 15] = {
        let mut alignment = [Align::Right; 15];
        (alignment[0], alignment[1]) = (Align::Left, Align::Left);
        alignment
    };
    let mut table = Table::new(&ALIGNMENT);
    table.row(["RUN", "JOB"].into_iter().chain(COLUMNS.map(|(header, _)| header)));
    for run in results.iter() {
        let cell = |(_, measure): (&str, Measure)| {
            run.measured(measure).map_or_else(|| "-".to_owned(), |value| measure.shown(value))
        };
        table.row([run.name(), run.outcome.clone()].into_iter().chain(COLUMNS.map(cell)));
    }
    let not_met = arms.iter().flat_map(|arm| {
        let not_met = results.not_met(arm).unwrap_or_default();
        not_met
            .into_iter()
            .map(move |what| format!("not as expected: {}: {}\n", arm.name, what.replace('`', "")))
    });
    [table.render_dense_list()].into_iter().chain(not_met).collect()
}
