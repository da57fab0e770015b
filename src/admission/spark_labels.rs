//! Spark conf labels: what the pod does not show, or what the application asks for beyond it.
//!
//! `--conf spark.kubernetes.executor.label.<key>=<value>`, where the key is a Spark conf key and the value has Spark's
//! units. A label that is not understood is a note, never a refusal.

use crate::sizing::executor::Labelled;
use crate::sizing::spark_memory::{
    DefaultUnit, MIB, MINIMUM_HEAP_MIB, MINIMUM_OVERHEAD_MIB, OVERHEAD_FACTOR, overhead_factor, overhead_mib,
    spark_mib,
};

use super::pod::Pod;
use super::reason::{Note, Notice};

/// `spark.executor.memory`.
pub const MEMORY: &str = "spark.executor.memory";
/// `spark.executor.memoryOverhead`.
pub const OVERHEAD: &str = "spark.executor.memoryOverhead";
/// `spark.executor.minMemoryOverhead`.
pub const MIN_OVERHEAD: &str = "spark.executor.minMemoryOverhead";
/// `spark.executor.memoryOverheadFactor`.
pub const FACTOR: &str = "spark.executor.memoryOverheadFactor";
/// `spark.executor.pyspark.memory`.
pub const PYSPARK: &str = "spark.executor.pyspark.memory";
/// `spark.memory.offHeap.size`.
pub const OFF_HEAP: &str = "spark.memory.offHeap.size";

/// The executor as its labels describe it; `None` without understood labels, or when the heap is unknown.
///
/// `heap` is the pod's own H in bytes.
pub fn labelled(pod: &Pod<'_>, heap: Option<u64>, notes: &mut Vec<Note>) -> Option<Labelled> {
    let labels = pod.metadata.as_ref()?.labels.as_ref()?;
    if !labels.0.iter().any(|(key, _)| key.as_str().starts_with("spark.")) {
        return None;
    }
    let mut read = Labels { pod, notes, any: false };
    let memory = read.mib(MEMORY, DefaultUnit::MiB, MINIMUM_HEAP_MIB);
    let overhead = read.mib(OVERHEAD, DefaultUnit::MiB, 0);
    let minimum = read.mib(MIN_OVERHEAD, DefaultUnit::MiB, 0);
    let pyspark = read.mib(PYSPARK, DefaultUnit::MiB, 0);
    let off_heap = read.mib(OFF_HEAP, DefaultUnit::Byte, 0);
    let factor = read.value(FACTOR, overhead_factor);
    if !read.any {
        return None;
    }
    let Some(heap) = heap else {
        notes.push(Note::about(
            Notice::LabelIgnored,
            "the pod's own heap is unknown, so Spark conf labels have no effect",
        ));
        return None;
    };
    let labelled = || {
        let heap_mib = memory.or_else(|| heap.checked_div(MIB))?;
        let overhead = overhead.or_else(|| {
            overhead_mib(heap_mib, factor.unwrap_or(OVERHEAD_FACTOR), minimum.unwrap_or(MINIMUM_OVERHEAD_MIB))
        })?;
        let heap = match memory {
            Some(mib) => mib.checked_mul(MIB)?,
            None => heap,
        };
        let rest = overhead.checked_add(pyspark.unwrap_or(0))?.checked_add(off_heap.unwrap_or(0))?;
        Some(Labelled { heap, total: heap.checked_add(rest.checked_mul(MIB)?)? })
    };
    let labelled = labelled();
    if labelled.is_none() {
        notes.push(Note::about(Notice::LabelIgnored, "Spark conf labels ask for more than Spark can count"));
    }
    labelled
}

struct Labels<'r, 'a> {
    pod: &'r Pod<'a>,
    notes: &'r mut Vec<Note>,
    /// Some label is understood.
    any: bool,
}

impl Labels<'_, '_> {
    fn mib(&mut self, key: &str, unit: DefaultUnit, least: u64) -> Option<u64> {
        self.value(key, |text| spark_mib(text, unit).filter(|mib| *mib >= least))
    }

    fn value<T>(&mut self, key: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.pod.label(key)?;
        let value = parse(text);
        if value.is_some() {
            self.any = true;
        } else {
            let detail = format!("label {key}={text:?} is not understood, or below Spark's minimum");
            self.notes.push(Note::about(Notice::LabelIgnored, detail));
        }
        value
    }
}
