//! How many pods of one size fit a node that runs nothing else, as the scheduler counts: by requests.

use crate::cluster::allocatable::Allocatable;
use crate::vocabulary::vocabulary;

/// What the scheduler reserves for a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodRequest {
    /// Memory, bytes.
    pub memory: u64,
    /// cpu, thousandths of a core.
    pub cpu_millis: u64,
}

/// What a node has for pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Memory, bytes.
    pub memory: u64,
    /// cpu, thousandths of a core; `None` where it is not known and counts as enough.
    pub cpu_millis: Option<u64>,
    /// The most pods; `None` as for cpu.
    pub pods: Option<u64>,
}

vocabulary! {
    /// What is used up first when a node fills with executors.
    FullBy {
        Cpu => "The cpu requests fill the node before the memory requests do.",
        Pods => "The node takes no more pods.",
        Memory => "The memory requests fill the node.",
    }
}

/// How many pods fit, and what keeps the next one out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fit {
    /// So many.
    pub executors: u64,
    /// Of what is used up at the same time, what a smaller memory request does not help with.
    pub full_by: FullBy,
}

impl Room {
    /// Of a node of this capacity; all of its memory where it is not known how much of it is for pods.
    pub fn new(memory: u64, allocatable: &Allocatable) -> Self {
        let Allocatable { memory: for_pods, cpu_millis, pods } = *allocatable;
        Self { memory: for_pods.unwrap_or(memory), cpu_millis, pods }
    }

    /// How many of these pods fit; `None` where nothing that is known keeps any out.
    pub fn fit(self, pod: PodRequest) -> Option<Fit> {
        let by_cpu = self.cpu_millis.and_then(|cpu| cpu.checked_div(pod.cpu_millis));
        let by_memory = self.memory.checked_div(pod.memory);
        [(by_cpu, FullBy::Cpu), (self.pods, FullBy::Pods), (by_memory, FullBy::Memory)]
            .into_iter()
            .filter_map(|(executors, full_by)| Some(Fit { executors: executors?, full_by }))
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(room: Room, memory: u64, cpu_millis: u64) -> Option<(u64, FullBy)> {
        room.fit(PodRequest { memory, cpu_millis }).map(|fit| (fit.executors, fit.full_by))
    }

    #[test]
    fn what_is_used_up_first_decides() {
        let room = Room { memory: 64, cpu_millis: Some(4000), pods: Some(10) };
        assert_eq!(fit(room, 9, 500), Some((7, FullBy::Memory)));
        assert_eq!(fit(room, 9, 1000), Some((4, FullBy::Cpu)));
        assert_eq!(fit(room, 16, 1000), Some((4, FullBy::Cpu)), "less memory would not help");
        assert_eq!(fit(room, 1, 1), Some((10, FullBy::Pods)));
        assert_eq!(fit(room, 65, 1), Some((0, FullBy::Memory)));
        let memory_only = Room { cpu_millis: None, pods: None, ..room };
        assert_eq!(fit(memory_only, 9, 100_000), Some((7, FullBy::Memory)));
        assert_eq!(fit(memory_only, 0, 1), None);
    }
}
