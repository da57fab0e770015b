//! New runs beside those that are known: what counts as the same result.

use crate::arm::Arms;
use crate::comparison::{Comparison, compare};
use crate::results::Results;
use crate::run::Run;
use crate::tenths::Tenths;

const ARMS: &str = "
defaults: {JOB: cache, WEBHOOK: no, EVIDENCE: no, CLASS: ''}
arms:
- {name: dense-stock, shows: as Spark writes it, expects: {}}
- {name: dense-tight, shows: Density, expects: {}}
";

fn arms() -> Arms {
    Arms::parse(ARMS, |_| true).unwrap_or_else(|problem| panic!("{problem:#}"))
}

fn run(arm: &str, repeat: u32) -> Run {
    let (arm, outcome) = (arm.to_owned(), "done".to_owned());
    let seconds = Some(Tenths(1000));
    Run { arm, repeat, outcome, seconds, executors: 3, exact: Some(true), ..Run::default() }
}

fn differences(new: Vec<Run>, known: Vec<Run>) -> Vec<String> {
    let results = |runs| Results::new(runs, &arms()).unwrap();
    let Comparison { arms: 1, differences } = compare(&results(new), &results(known), &arms()) else {
        panic!("one arm is in both")
    };
    differences
}

fn known(changes: [fn(&mut Run); 3]) -> Vec<Run> {
    let runs = (1..=3).map(|repeat| run("dense-stock", repeat));
    let of_stock = runs.zip(changes).map(|(mut run, change)| {
        change(&mut run);
        run
    });
    of_stock.chain([run("dense-tight", 1)]).collect()
}

fn new(change: fn(&mut Run)) -> Vec<Run> {
    let mut run = run("dense-stock", 1);
    change(&mut run);
    vec![run]
}

const SAME: fn(&mut Run) = |_| {};

#[test]
fn the_same_again_is_no_difference() {
    assert_eq!(differences(new(SAME), known([SAME; 3])), [""; 0]);
}

#[test]
fn the_time_of_a_job_may_lie_a_fifth_outside_of_what_is_known() {
    let known =
        || known([|run| run.seconds = Some(Tenths(900)), SAME, |run| run.seconds = Some(Tenths(1100))]);
    assert_eq!(differences(new(|run| run.seconds = Some(Tenths(720))), known()), [""; 0]);
    assert_eq!(differences(new(|run| run.seconds = Some(Tenths(1320))), known()), [""; 0]);
    let slower = differences(new(|run| run.seconds = Some(Tenths(1321))), known());
    assert_eq!(slower, ["dense-stock: seconds: the median is 132.1, known is 100.0 (90.0–110.0)"]);
}

#[test]
fn what_never_happened_must_not_happen_and_what_always_did_must() {
    let once: fn(&mut Run) = |run| run.oom_killed = 1;
    let many: fn(&mut Run) = |run| run.oom_killed = 7;
    assert_eq!(
        differences(new(once), known([SAME; 3])),
        ["dense-stock: oomKilled: the median is 1, known is 0"]
    );
    assert_eq!(
        differences(new(SAME), known([once, once, many])),
        ["dense-stock: oomKilled: the median is 0, known is 1 (1–7)"]
    );
    for run in [SAME, once, many] {
        assert_eq!(differences(new(run), known([SAME, once, once])), [""; 0]);
    }
}

#[test]
fn another_outcome_size_or_grant_is_a_difference() {
    let other = new(|run| {
        run.outcome = "failed".to_owned();
        run.executors = 2;
        run.exact = Some(false);
    });
    assert_eq!(
        differences(other, known([SAME; 3])),
        [
            "dense-stock: outcome: failed",
            "dense-stock: executors: the median is 2, known is 3",
            "dense-stock: exact: the median is no, known is yes",
        ]
    );
}
