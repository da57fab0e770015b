//! What several runs of an arm come to.

use crate::arm::Arms;
use crate::arm_table::{Kind, table};
use crate::measure::Measure;
use crate::results::Results;
use crate::run::Run;
use crate::tenths::Tenths;

const ARMS: &str = "
defaults: {WEBHOOK: no, EVIDENCE: no}
arms:
- {name: a-stock, shows: x, expects: {seconds: 100}}
- {name: a-net, shows: x, expects: {outcome: done, seconds: <90 % of a-stock, lost: <=1, nodeOom: 0}}
";

fn arms() -> Arms {
    Arms::parse(ARMS, |_| true).unwrap_or_else(|problem| panic!("{problem:#}"))
}

fn run(arm: &str, repeat: u32, seconds: u64, lost: u64) -> Run {
    Run {
        arm: arm.to_owned(),
        repeat,
        outcome: "done".to_owned(),
        seconds: Some(Tenths(seconds * 10)),
        node_oom: Some(0),
        lost,
        node_memory_mib: 5120,
        ..Run::default()
    }
}

fn results() -> Results {
    let unfinished = Run { outcome: "unfinished".to_owned(), seconds: None, ..run("a-net", 3, 0, 2) };
    let stock = [run("a-stock", 2, 120, 0), run("a-stock", 1, 100, 0)];
    let net = [unfinished, run("a-net", 1, 99, 0), run("a-net", 2, 80, 1)];
    Results::new(stock.into_iter().chain(net).collect(), &arms()).unwrap()
}

#[test]
fn runs_are_in_the_order_of_the_arms_and_their_repeats() {
    let names: Vec<_> = results().iter().map(Run::name).collect();
    assert_eq!(names, ["a-stock-1", "a-stock-2", "a-net-1", "a-net-2", "a-net-3"]);
}

#[test]
fn a_spread_has_the_median_the_range_and_how_many_are_known() {
    let spread = |arm, measure| results().spread(arm, measure).to_string();
    assert_eq!(spread("a-stock", Measure::Seconds), "110.0 (100.0–120.0)");
    assert_eq!(spread("a-net", Measure::Seconds), "89.5 (80.0–99.0) in 2 of 3 runs");
    assert_eq!(spread("a-net", Measure::Lost), "1 (0–2)");
    assert_eq!(spread("a-net", Measure::NodeOom), "0");
    assert_eq!(spread("a-net", Measure::CgroupOom), "?");
    // An hour has 3600 seconds: 7.2 of a job of 100 s for each of 5 GiB. One that was not done is none.
    assert_eq!(spread("a-stock", Measure::JobsPerHourPerGib), "6.6 (6.0–7.2)");
    assert_eq!(spread("a-net", Measure::JobsPerHourPerGib), "7.2 (0.0–9.0)");
}

#[test]
fn every_run_has_to_be_as_expected() {
    let arms = arms();
    let not_met = |arm| results().not_met(arms.get(arm).unwrap()).unwrap();
    assert_eq!(not_met("a-stock"), ["`seconds 100.0` (in 1 of 2 runs: 120.0)"]);
    assert_eq!(
        not_met("a-net"),
        [
            "`lost <=1` (in 1 of 3 runs: 2)",
            "`outcome done` (in 1 of 3 runs: unfinished)",
            "`seconds <90 % of a-stock` (in 2 of 3 runs: 99.0, not known)"
        ]
    );
}

#[test]
fn different_outcomes_are_counted() {
    let arms = arms();
    let shown = [arms.get("a-net").unwrap()];
    let table = table(Kind::Failures, &arms, &shown, &results());
    assert!(table.contains("| 3 | done (2), unfinished (1) |"), "{table}");
}

#[test]
fn a_run_of_no_arm_and_one_that_is_there_twice_are_refused() {
    let problem = |runs| format!("{:#}", Results::new(runs, &arms()).unwrap_err());
    assert_eq!(problem(vec![run("b-net", 1, 1, 0)]), "b-net-1: there is no arm b-net in arms.yaml");
    assert_eq!(
        problem(vec![run("a-net", 1, 1, 0), run("a-net", 1, 2, 0)]),
        "a-net-1: there are two records of it"
    );
}
