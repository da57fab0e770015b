//! Whom the kernel killed for memory, for whose, and what was in use then.

/// The kernel's kills, from its own log: nothing else tells a container that outgrew its limit from one that had to go
/// because others filled the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KernelLog {
    /// A pod reached its own limit.
    pub(crate) own_limit: u64,
    /// The node was full, or what it has for pods.
    pub(crate) node: u64,
    /// Of these pods, the least that one had in use of limit and swap when it was killed, in percent: anonymous pages, each
    /// counted once wherever it is. None: the log does not tell.
    pub(crate) used_at_kill_percent: Option<u64>,
}

/// What the kernel prints of a group before it kills.
#[derive(Default)]
struct Dump {
    limit_kib: Option<u64>,
    swap_limit_kib: Option<u64>,
    /// The names of the columns of processes.
    columns: Vec<String>,
    pages: u64,
}

impl KernelLog {
    /// Reads lines of /dev/kmsg: `memory: usage …, limit …kB`, the same of `swap`, the table of processes, and for each victim
    /// `oom-kill:constraint=…,oom_memcg=…,task_memcg=…`.
    pub(crate) fn parse(text: &str) -> Self {
        let (mut log, mut dump) = (Self::default(), Dump::default());
        for line in text.lines() {
            let message = line.split_once(';').map_or(line, |(_, message)| message);
            if let Some(usage) = message.strip_prefix("memory: usage ") {
                dump = Dump { limit_kib: limit_kib(usage), ..Dump::default() };
            } else if let Some(usage) = message.strip_prefix("swap: usage ") {
                dump.swap_limit_kib = limit_kib(usage);
            } else if let Some((_, process)) = message.strip_prefix('[').and_then(|row| row.split_once(']')) {
                dump.process(process);
            } else if let Some((_, kill)) = line.split_once("oom-kill:") {
                if is_own_limit(kill) {
                    log.own_limit += 1;
                    let used = dump.used_percent();
                    log.used_at_kill_percent = log.used_at_kill_percent.into_iter().chain(used).min();
                } else {
                    log.node += 1;
                }
            }
        }
        log
    }
}

impl Dump {
    /// The header of the table, or a row.
    fn process(&mut self, row: &str) {
        let cells: Vec<&str> = row.split_whitespace().collect();
        if cells.contains(&"swapents") {
            self.columns = cells.into_iter().map(str::to_owned).collect();
            return;
        }
        let pages = |name: &str| {
            let place = self.columns.iter().position(|column| column == name)?;
            cells.get(place)?.parse::<u64>().ok()
        };
        self.pages += ["rss_anon", "rss_shmem", "swapents"].into_iter().filter_map(pages).sum::<u64>();
    }

    fn used_percent(&self) -> Option<u64> {
        let granted = self.limit_kib? + self.swap_limit_kib?;
        (self.pages > 0).then_some(self.pages * 4 * 100 / granted)
    }
}

/// Of `917504kB, limit 917504kB, failcnt 12`.
fn limit_kib(usage: &str) -> Option<u64> {
    let (_, limit) = usage.split_once("limit ")?;
    limit.split_once("kB")?.0.parse().ok()
}

/// Of a pod or its container: /kubepods/burstable/pod<uid>/<container>.
fn is_own_limit(kill: &str) -> bool {
    let reached = kill.split(',').find_map(|field| field.strip_prefix("oom_memcg="));
    reached.is_some_and(|group| group.split('/').any(|name| name.starts_with("pod") || name.contains("-pod")))
}
