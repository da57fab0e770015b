//! Two small records: an executor killed among five (`dense-naive-1`), and three that swap (`overshoot-net-1`).

use std::fs;
use std::path::{Path, PathBuf};

use crate::account::account;
use crate::arm::Arms;
use crate::boot::repository;
use crate::memory::Memory;
use crate::record;
use crate::report::{self, Files, PAGE, Recorded};
use crate::run::Run;

/// Both arms as they were expected; one expectation is wrong on purpose.
const ARMS: &str = "
defaults: {JOB: cache, WEBHOOK: no, EVIDENCE: no, CLASS: '', SWAP_BEHAVIOR: LimitedSwap}
plots: [{name: pair, without: dense-naive, with: overshoot-net}]
arms:
- {name: dense-naive, shows: requests lowered by hand, expects: {outcome: done, executors: 5, lost: 0, nodeOom: 1}, set: {SWAP_BEHAVIOR: NoSwap}}
- {name: overshoot-net, shows: SafetyNet, expects: {outcome: done, plan: SafetyNet, exact: yes, seconds: <50 % of dense-naive}, set: {JOB: python, WEBHOOK: yes}}
- {name: overshoot-stock, shows: as Spark writes it, expects: {outcome: failed}}
";

const PROSE: &str = "# Experiment

<!-- table parameters * -->
<!-- end of table -->
<!-- table failures * -->
old
<!-- end of table -->
<!-- table times overshoot-* -->
<!-- end of table -->
<!-- table memory dense-naive overshoot-net -->
<!-- end of table -->
<!-- table expectations * -->
<!-- end of table -->
<!-- table runs * -->
<!-- end of table -->
The end.
";

fn arms() -> Arms {
    Arms::parse(ARMS, |_| true).unwrap_or_else(|problem| panic!("{problem:#}"))
}

fn records() -> Vec<PathBuf> {
    record::find(&[repository("tests/experiment/record")]).unwrap()
}

fn recorded() -> Recorded {
    let (recorded, unread) = Recorded::of_records(&records(), &arms()).unwrap();
    assert_eq!(unread, [""; 0]);
    recorded
}

fn files(recorded: &Recorded) -> Files {
    recorded.files(&arms(), PROSE).unwrap()
}

#[test]
fn a_run_is_what_its_record_says() {
    insta::assert_snapshot!(recorded().results.to_csv().unwrap());
}

#[test]
fn tables_tell_every_run_and_what_was_not_as_expected() {
    let page = &files(&recorded())[PAGE];
    insta::assert_snapshot!(page);
    insta::assert_snapshot!("on_a_terminal", account(&recorded().results, &arms()));
}

#[test]
fn the_plot_marks_what_went_wrong() {
    let plot = &files(&recorded())["docs/experiment/memory-pair.svg"];
    for text in ["dense-naive-1", "overshoot-net-1", "OOMKilled: 1", "swap used"] {
        assert!(plot.contains(text), "{text}");
    }
    assert!(!plot.contains("NotReady"));
}

#[test]
fn the_csvs_alone_give_the_same_page_and_plots() {
    let root = tempfile::tempdir().unwrap();
    let made = files(&recorded());
    report::write(root.path(), &made).unwrap();
    let of_csv = Recorded::of_csv(root.path(), &arms()).unwrap();
    assert_eq!(of_csv, recorded());
    assert_eq!(of_csv.files(&arms(), &made[PAGE]).unwrap(), made);
}

#[test]
fn files_of_runs_that_are_no_longer_drawn_go() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("docs/experiment")).unwrap();
    for name in ["memory-old-arm-1.csv", "memory-old.svg", "node.svg"] {
        fs::write(root.path().join("docs/experiment").join(name), "").unwrap();
    }
    report::write(root.path(), &files(&recorded())).unwrap();
    let mut names: Vec<_> = fs::read_dir(root.path().join("docs/experiment"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["memory-dense-naive-1.csv", "memory-overshoot-net-1.csv", "memory-pair.svg", "node.svg", "runs.csv"]
    );
}

#[test]
fn comments_of_the_page_are_refused_with_their_line() {
    let problem = |page: &str| format!("{:#}", recorded().files(&arms(), page).unwrap_err());
    assert_eq!(
        problem("\n<!-- table deaths * -->\n"),
        "docs/experiment.md:2: no table \"deaths\"; there are: parameters, failures, streams, usable, times, memory, expectations, runs"
    );
    assert_eq!(problem("<!-- table times x-* -->\n"), "docs/experiment.md:1: no arm in arms.yaml fits x-*");
    assert_eq!(
        problem("<!-- table times * -->\ntext\n<!-- table runs * -->\n<!-- end of table -->\n"),
        "docs/experiment.md:1: no line <!-- end of table --> after it"
    );
}

/// A copy of a record, to change.
fn copy(name: &str, dir: &Path) -> PathBuf {
    let copied = dir.join(name);
    fs::create_dir(&copied).unwrap();
    for file in fs::read_dir(repository("tests/experiment/record").join(name)).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copied.join(file.file_name())).unwrap();
    }
    copied
}

fn run_of(record: &Path) -> Run {
    let record = record::Record::read(record).unwrap_or_else(|problem| panic!("{problem:#}"));
    Run::of(&record, &arms().defaults)
}

#[test]
fn a_heap_that_was_too_small_is_found_in_the_logs_of_pods() {
    let dir = tempfile::tempdir().unwrap();
    let record = copy("overshoot-net-1", dir.path());
    assert_eq!(run_of(&record).jvm_oom, 0);
    let logs = record.join("pods/default_spark-exec-2_be098024/spark-kubernetes-executor");
    fs::create_dir_all(&logs).unwrap();
    fs::write(logs.join("0.log"), "stderr F java.lang.OutOfMemoryError: Java heap space\n").unwrap();
    assert_eq!(run_of(&record).jvm_oom, 1);
}

#[test]
fn swap_that_differs_from_the_plan_is_not_exact() {
    let dir = tempfile::tempdir().unwrap();
    let record = copy("overshoot-net-1", dir.path());
    let summary = fs::read_to_string(record.join("summary.json")).unwrap();
    fs::write(record.join("summary.json"), summary.replacen("478998528", "479002624", 1)).unwrap();
    assert_eq!(run_of(&record).exact, Some(false));
}

#[test]
fn kinds_of_kills_are_not_known_without_the_log_of_the_kernel() {
    let dir = tempfile::tempdir().unwrap();
    let record = copy("dense-naive-1", dir.path());
    fs::remove_file(record.join("kernel.log")).unwrap();
    let run = run_of(&record);
    assert_eq!((run.oom_killed, run.cgroup_oom, run.node_oom), (1, None, None));
}

#[test]
fn a_record_that_is_not_complete_is_named_and_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let record = copy("dense-naive-1", dir.path());
    fs::remove_file(record.join("summary.json")).unwrap();
    let (recorded, unread) = Recorded::of_records(&[record], &arms()).unwrap();
    assert_eq!(recorded.results.iter().count(), 0);
    assert!(unread[0].contains("dense-naive-1") && unread[0].contains("summary.json"), "{}", unread[0]);
}

#[test]
fn a_run_of_an_arm_that_has_changed_since_is_left_out_of_records_and_refused_in_the_csv() {
    let now = Arms::parse(&ARMS.replace("SWAP_BEHAVIOR: NoSwap", "JOB: group"), |_| true)
        .unwrap_or_else(|problem| panic!("{problem:#}"));
    let (recorded_now, unread) = Recorded::of_records(&records(), &now).unwrap();
    let names: Vec<_> = recorded_now.results.iter().map(Run::name).collect();
    assert_eq!(names, ["overshoot-net-1"]);
    let difference = "it ran with \"SWAP_BEHAVIOR=NoSwap\", the arm now has \"JOB=group\"";
    assert!(unread[0].ends_with(difference), "{}", unread[0]);
    let root = tempfile::tempdir().unwrap();
    report::write(root.path(), &files(&recorded())).unwrap();
    let problem = format!("{:#}", Recorded::of_csv(root.path(), &now).unwrap_err());
    assert!(problem.contains("dense-naive-1: run it again") && problem.ends_with(difference), "{problem}");
}

#[test]
fn the_run_that_is_drawn_took_the_median_time() {
    let run = |repeat, tenths: Option<u64>| Run {
        arm: "dense-naive".to_owned(),
        repeat,
        seconds: tenths.map(crate::tenths::Tenths),
        ..Run::default()
    };
    let typical = |runs: Vec<Run>| {
        crate::results::Results::new(runs, &arms()).unwrap().typical("dense-naive").unwrap().repeat
    };
    assert_eq!(typical(vec![run(1, Some(900)), run(2, Some(100)), run(3, Some(500))]), 3);
    assert_eq!(typical(vec![run(1, None), run(2, None), run(3, Some(500))]), 1);
    assert_eq!(Memory::default().to_csv().unwrap(), "");
}

#[test]
fn known_runs_stay_beside_new_ones_and_give_way_to_those_of_the_same_name() {
    let known = |arm: &str, repeat: u32| Run { arm: arm.to_owned(), repeat, ..Run::default() };
    let known = vec![known("dense-naive", 1), known("dense-naive", 2)];
    let known =
        Recorded { results: crate::results::Results::new(known, &arms()).unwrap(), ..Recorded::default() };
    let both = recorded().beside(known, &arms()).unwrap();
    let shown: Vec<_> = both.results.iter().map(|run| (run.name(), run.executors > 0)).collect();
    let shown: Vec<_> = shown.iter().map(|(name, is_new)| (name.as_str(), *is_new)).collect();
    assert_eq!(shown, [("dense-naive-1", true), ("dense-naive-2", false), ("overshoot-net-1", true)]);
    assert_eq!(both.memory, recorded().memory);
}
