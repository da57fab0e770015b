//! Sections 4 and 5 of the design: what the executor asks for, and its percentages.

use spark_swap::sizing::class::SwapClass;

use crate::ask::{Ask, Conf, Heap};

const MIB: u64 = 1 << 20;

/// T, H, W, P, Q and U for one reading of the executor; bytes.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub total: u64,
    pub heap_from: Option<u64>,
    pub heap: Option<u64>,
    pub non_heap: Option<u64>,
    pub working_set: u64,
    pub peak: u64,
    pub sizing_peak: u64,
}

/// `ceil(amount * numerator / denominator)`.
pub fn ceil(amount: u64, numerator: u64, denominator: u64) -> u64 {
    u128::div_ceil(u128::from(amount) * u128::from(numerator), u128::from(denominator)) as u64
}

/// The heap that the pod's environment sets.
pub fn heap(ask: &Ask) -> Option<u64> {
    match ask.heap {
        Heap::Env(bytes) | Heap::Twice(bytes) => Some(bytes),
        Heap::Absent | Heap::ValueFrom | Heap::NotASize | Heap::Overruled(_) => None,
    }
}

/// W and P in percent of T: labels raise freely, and lower to the class's overrides; W never above P.
pub fn percents(ask: &Ask, class: &SwapClass) -> (u64, u64) {
    let refined = |label: &Option<String>, own: u64, floor: u64| {
        let asked = label.as_ref().and_then(|label| label.parse::<u64>().ok());
        match asked.filter(|asked| (1..=100).contains(asked)) {
            Some(asked) => asked.max(own.min(floor)),
            None => own,
        }
    };
    let peak = refined(&ask.peak_label, class.peak_percent, class.min_peak_percent);
    let working_set =
        refined(&ask.working_set_label, class.working_set_percent, class.min_working_set_percent);
    (working_set.min(peak), peak)
}

/// Heap and declared total by the Spark conf labels.
pub fn labelled(conf: &Conf, heap: u64) -> (u64, u64) {
    let heap = conf.memory.map_or(heap, |mib| mib * MIB);
    let factor: f64 = conf.factor.unwrap_or("0.1").parse().unwrap();
    let by_factor = (factor * (heap / MIB) as f64).trunc() as u64;
    let overhead = conf.overhead.unwrap_or_else(|| by_factor.max(conf.minimum_overhead.unwrap_or(384)));
    (heap, heap + (overhead + conf.pyspark.unwrap_or(0)) * MIB + conf.off_heap.unwrap_or(0))
}

/// The sizes for this total and heap.
pub fn sizes(ask: &Ask, class: &SwapClass, total: u64, heap: Option<u64>) -> Sizes {
    let (working_set, peak) = percents(ask, class);
    let touches_heap = ask.options.iter().any(|(_, value)| value.contains("-XX:+AlwaysPreTouch"));
    let peak = ceil(total, peak, 100).max(heap.filter(|_| touches_heap).unwrap_or(0));
    Sizes {
        total,
        heap_from: self::heap(ask),
        heap,
        non_heap: heap.map(|heap| total.saturating_sub(heap)),
        working_set: ceil(total, working_set, 100),
        peak,
        sizing_peak: ceil(peak, 100 + class.peak_margin_percent, 100),
    }
}

/// A collector is selected.
pub fn selects_collector(ask: &Ask) -> bool {
    ask.options.iter().any(|(_, value)| value.contains("-XX:+Use") && value.contains("GC"))
}

/// The young generation is set.
pub fn sets_young_generation(ask: &Ask) -> bool {
    let flags = ["-Xmn", "NewSize", "NewRatio", "G1NewSizePercent", "G1MaxNewSizePercent"];
    ask.options.iter().any(|(_, value)| flags.iter().any(|flag| value.contains(flag)))
}

/// U: the known part, and whether there is no other.
pub fn unswappable(ask: &Ask) -> (u64, bool) {
    let large_pages = ask.options.iter().any(|(_, value)| value.contains("-XX:+UseLargePages"));
    let mounted: Vec<Option<u64>> =
        ask.tmpfs.iter().filter(|(_, mounted)| *mounted).map(|(limit, _)| *limit).collect();
    let is_known = mounted.iter().all(Option::is_some) && !ask.huge_pages && !large_pages;
    (mounted.into_iter().flatten().sum(), is_known)
}

/// FNV-1a 64.
pub fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
