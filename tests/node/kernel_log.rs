//! Whom the kernel killed for memory, and for whose.

/// The kernel's kills, from its own log: nothing else tells a container that outgrew its limit from one that had to go
/// because others filled the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KernelLog {
    /// A pod reached its own limit.
    pub(crate) own_limit: u64,
    /// The node was full, or what it has for pods.
    pub(crate) node: u64,
}

impl KernelLog {
    /// Counts lines `… oom-kill:constraint=…,oom_memcg=…,task_memcg=…`, one for each victim.
    pub(crate) fn parse(text: &str) -> Self {
        let mut log = Self::default();
        for (_, kill) in text.lines().filter_map(|line| line.split_once("oom-kill:")) {
            let reached = kill.split(',').find_map(|field| field.strip_prefix("oom_memcg="));
            // Of a pod or its container: /kubepods/burstable/pod<uid>/<container>.
            let is_of_pod =
                |group: &str| group.split('/').any(|name| name.starts_with("pod") || name.contains("-pod"));
            if reached.is_some_and(is_of_pod) {
                log.own_limit += 1;
            } else {
                log.node += 1;
            }
        }
        log
    }
}
