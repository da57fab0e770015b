//! Whom the kernel killed for memory, for whose, and what was in use then.

const PAGE: u64 = 4096;

/// The kernel's kills, from its own log: nothing else tells a container that outgrew its limit from one that had to go
/// because others filled the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KernelLog {
    /// A pod reached its own limit.
    pub(crate) own_limit: u64,
    /// The node was full, or what it has for pods.
    pub(crate) node: u64,
    /// The least that one of these pods had in use when it was killed, bytes: its processes' anonymous pages, in memory or
    /// swapped. What processes share counts for each. None: the log does not tell.
    pub(crate) used_at_kill: Option<u64>,
}

/// The kernel's table of the processes that it may kill.
#[derive(Default)]
struct Processes {
    columns: Vec<String>,
    pages: u64,
}

impl KernelLog {
    /// Reads lines of /dev/kmsg: the table of processes, and for each victim `oom-kill:constraint=…,oom_memcg=…,task_memcg=…`.
    pub(crate) fn parse(text: &str) -> Self {
        let (mut log, mut processes) = (Self::default(), Processes::default());
        for line in text.lines() {
            let message = line.split_once(';').map_or(line, |(_, message)| message);
            if let Some((_, row)) = message.strip_prefix('[').and_then(|row| row.split_once(']')) {
                processes.read(row);
            } else if let Some((_, kill)) = line.split_once("oom-kill:") {
                if is_own_limit(kill) {
                    log.own_limit += 1;
                    let used = (processes.pages > 0).then_some(processes.pages * PAGE);
                    log.used_at_kill = log.used_at_kill.into_iter().chain(used).min();
                } else {
                    log.node += 1;
                }
            }
        }
        log
    }
}

impl Processes {
    /// The header of a new table, or a row.
    fn read(&mut self, row: &str) {
        let cells: Vec<&str> = row.split_whitespace().collect();
        if cells.contains(&"swapents") {
            *self = Self { columns: cells.into_iter().map(str::to_owned).collect(), pages: 0 };
            return;
        }
        let pages = |name: &str| {
            let place = self.columns.iter().position(|column| column == name)?;
            cells.get(place)?.parse::<u64>().ok()
        };
        self.pages += ["rss_anon", "rss_shmem", "swapents"].into_iter().filter_map(pages).sum::<u64>();
    }
}

/// Of a pod or its container: /kubepods/burstable/pod<uid>/<container>.
fn is_own_limit(kill: &str) -> bool {
    let reached = kill.split(',').find_map(|field| field.strip_prefix("oom_memcg="));
    reached.is_some_and(|group| group.split('/').any(|name| name.starts_with("pod") || name.contains("-pod")))
}
