//! What is read out of the logs of a record.

use std::collections::BTreeSet;

use rstest::rstest;

use crate::driver_log::DriverLog;
use crate::kernel_log::KernelLog;
use crate::memory::{Memory, Reading};
use crate::tenths::Tenths;
use crate::watch_log::{Happening, WatchLog, What};

fn watched(text: &str) -> WatchLog {
    WatchLog::parse(text, |pod| pod.starts_with("spark-exec-"))
}

fn happened(log: &WatchLog) -> Vec<String> {
    log.happenings.iter().map(|Happening { at, what, pod }| format!("{at} {what} {pod}")).collect()
}

#[test]
fn pods_that_have_to_leave_a_node_that_is_away_are_evicted() {
    let log = watched(
        "  368.6 node MemoryPressure=Unknown Ready=Unknown
  432.1 event hog-4 TaintManagerEviction: Marking for deletion Pod default/hog-4
  433.0 event hog-5 TaintManagerEviction: Cancelling deletion of Pod default/hog-5
",
    );
    assert_eq!(happened(&log), ["432.1 Evicted hog-4"]);
}

#[test]
fn a_node_that_was_not_ready_yet_has_not_gone_away() {
    let log = watched(
        "    0.1 node MemoryPressure=False Ready=False
    2.0 node MemoryPressure=False Ready=True
   60.0 node MemoryPressure=True Ready=True
   90.5 node MemoryPressure=Unknown Ready=Unknown
   91.0 node MemoryPressure=True Ready=False
  120.0 node MemoryPressure=True Ready=True
  150.0 node MemoryPressure=False Ready=Unknown
",
    );
    assert_eq!(
        happened(&log),
        ["60.0 MemoryPressure ", "90.5 NotReady ", "91.0 MemoryPressure ", "150.0 NotReady "]
    );
}

#[test]
fn a_container_that_runs_again_was_killed_once() {
    let log = watched(
        "    1.0 pod hog-1 Running state:running
   10.0 pod hog-1 Running state:terminated:OOMKilled:137
   11.0 pod hog-1 Running state:running lastState:terminated:OOMKilled:137
   20.0 pod hog-1 Running state:terminated:OOMKilled:137 lastState:terminated:OOMKilled:137
   21.0 pod hog-1 Running state:waiting:CrashLoopBackOff lastState:terminated:OOMKilled:137
   30.0 pod hog-2 Running state:running lastState:terminated:OOMKilled:137
   40.0 pod hog-3 Failed Evicted state:terminated:Error:137
   40.5 pod hog-3 Failed Evicted
",
    );
    assert_eq!(
        happened(&log),
        ["10.0 OOMKilled hog-1", "20.0 OOMKilled hog-1", "30.0 OOMKilled hog-2", "40.0 Evicted hog-3"]
    );
    assert_eq!(log.executors_at_once, 0, "neighbours are no executors");
}

#[test]
fn executors_run_at_once_until_they_end() {
    let log = watched(
        "    1.0 pod spark-exec-1 Running state:running
    2.0 pod spark-exec-2 Running state:running
    3.0 pod spark-exec-1 Failed state:terminated:Error:52
    4.0 pod spark-exec-3 Running state:running
    5.0 pod spark-exec-2 Deleted
",
    );
    assert_eq!(log.executors_at_once, 2);
}

#[rstest]
#[case::own_limit("oom_memcg=/kubepods/burstable/pod1-2,task_memcg=/kubepods/burstable/pod1-2/abc", 1, 0)]
#[case::container("oom_memcg=/kubepods/burstable/pod1-2/abc,task_memcg=/kubepods/burstable/pod1-2/abc", 1, 0)]
#[case::systemd("oom_memcg=/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice", 1, 0)]
#[case::all_pods("oom_memcg=/kubepods,task_memcg=/kubepods/burstable/pod1-2/abc", 0, 1)]
#[case::quality("oom_memcg=/kubepods/besteffort,task_memcg=/kubepods/besteffort/pod1-2/abc", 0, 1)]
#[case::node("global_oom,task_memcg=/kubepods/besteffort/pod1-2/abc", 0, 1)]
fn a_kill_is_for_the_group_that_was_full(#[case] groups: &str, #[case] own_limit: u64, #[case] node: u64) {
    let line = format!(
        "6,412,201880514,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),{groups},task=java,pid=1,uid=0\n"
    );
    let others = "3,413,1,-;Memory cgroup out of memory: Killed process 1 (java)\n";
    assert_eq!(
        KernelLog::parse(&[line.as_str(), others].concat()),
        KernelLog { own_limit, node, used_at_kill: None }
    );
}

/// Of two kills the one with less: 20000 pages in memory and 30000 swapped.
#[test]
fn what_was_in_use_at_a_kill_is_what_its_processes_had_in_memory_and_in_swap() {
    let kill = |swapped: u64| {
        format!(
            "6,1,1,-;[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj name
6,2,1,-;[   1376]     0  1376   675096    16000    15000     1000         0        0    {swapped}           822 java
6,3,1,-;[   1626]     0  1626    67596     6000     4000     1000      1000        0        0           822 python3
6,4,1,-;oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/kubepods/burstable/pod1/c,task_memcg=/kubepods/burstable/pod1/c\n"
        )
    };
    let of = |text: &str| KernelLog::parse(text).used_at_kill;
    assert_eq!(of(&[kill(40000), kill(30000)].concat()), Some(50000 * 4096));
}

#[test]
fn lost_executors_are_counted_once_and_by_cause() {
    let log = DriverLog::parse(
        "26/11/24 19:25:54 ERROR TaskSchedulerImpl: Lost executor 3 on 10.88.0.12: 
The executor with id 3 exited with exit code 52(JVM OOM).
26/11/24 19:26:54 WARN TaskSetManager: Lost task 3.0 in stage 4.0 (TID 92) (10.88.0.12 executor 7): java.lang.OutOfMemoryError: Java heap space
26/11/24 19:27:54 ERROR TaskSchedulerImpl: Lost executor 4 on 10.88.0.13: Executor heartbeat timed out after 126314 ms
26/11/24 19:27:55 ERROR TaskSchedulerImpl: Lost executor 4 on 10.88.0.13: 
The executor with id 5 exited with exit code 137(SIGKILL, possible container OOM).
26/11/30 01:19:13 WARN HeartbeatReceiver: Removing executor 11 with no recent heartbeats: 147077 ms exceeds timeout 120000 ms
JOB    38.0 session 38.0s 3 executors
JOB    86.0 FAILED 86.0s Job aborted: Lost executor 9 on 10.88.0.13
",
    );
    assert_eq!(log.lost, BTreeSet::from([3, 4, 11]));
    assert_eq!(log.heartbeat_lost, BTreeSet::from([4, 11]));
    assert_eq!(log.jvm_oom, BTreeSet::from([3, 7]));
    assert_eq!(log.start(), Some(Tenths(380)));
    assert!(!log.end.unwrap().is_done);
}

#[test]
fn the_end_of_a_job_may_tell_the_time_of_its_tasks() {
    let end = DriverLog::parse("JOB 86.0 DONE 86.0s taskSeconds=123.45 gcSeconds=5\n").end.unwrap();
    assert!(end.is_done);
    assert_eq!(
        (end.seconds, end.task_seconds, end.gc_seconds),
        (Tenths(860), Some(Tenths(1234)), Some(Tenths(50)))
    );
    assert_eq!(DriverLog::parse("JOB 86.0 load 86.0s\n").end, None);
}

#[test]
fn what_happened_stands_at_the_next_moment_and_survives_the_csv() {
    let readings = "seconds,available,swap_used,kubepods,kubepods_swap,system,executors,executors_swap
2.0,1048576,0,0,0,0,0,0
4.1,2097151,1048576,0,0,0,0,0
";
    let happening = |at, what, pod: &str| Happening { at: Tenths(at), what, pod: pod.to_owned() };
    let happenings = [
        happening(20, What::OomKilled, "spark-exec-1"),
        happening(21, What::OomKilled, "spark-exec-2"),
        happening(99, What::NotReady, ""),
    ];
    let memory = Memory::new(&Reading::read_all(readings).unwrap(), &happenings);
    let csv = memory.to_csv().unwrap();
    assert_eq!(
        csv,
        "seconds,available,swap_used,kubepods,kubepods_swap,system,executors,executors_swap,happened
2.0,1,0,0,0,0,0,0,OOMKilled spark-exec-1
4.1,1,1,0,0,0,0,0,OOMKilled spark-exec-2; NotReady
"
    );
    let memory = Memory::from_csv(&csv).unwrap();
    assert_eq!(memory.times_of(What::OomKilled).collect::<Vec<_>>(), [Tenths(20), Tenths(41)]);
    assert_eq!(memory.times_of(What::NotReady).collect::<Vec<_>>(), [Tenths(41)]);
}
