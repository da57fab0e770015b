//! How much memory Spark asks for an executor with a given conf: its own arithmetic, in whole MiB.
//!
//! Mirrors `ResourceProfile.getResourcesForClusterManager`, `BasicExecutorFeatureStep` and the checks of
//! `UnifiedMemoryManager` of Spark.

use super::spark_conf::{ConfProblem, SparkConf};
use crate::admission::spark_labels::{FACTOR, MEMORY, MIN_OVERHEAD, OFF_HEAP, OVERHEAD, PYSPARK};
use crate::sizing::spark_memory::{
    DefaultUnit, MINIMUM_HEAP_MIB, MINIMUM_OVERHEAD_MIB, OVERHEAD_FACTOR, overhead_factor, overhead_mib,
    spark_mib,
};

/// Since Spark 2.3 an alternative name of `spark.executor.memoryOverhead`.
const YARN_OVERHEAD: &str = "spark.yarn.executor.memoryOverhead";
/// Before Spark 3.3 the only factor, and still read.
const KUBERNETES_FACTOR: &str = "spark.kubernetes.memoryOverheadFactor";
const OFF_HEAP_ENABLED: &str = "spark.memory.offHeap.enabled";
/// `spark-submit` sets it in cluster mode.
pub const RESOURCE_TYPE: &str = "spark.kubernetes.resource.type";
/// What `spark-submit` sets as the factor for Python and R in cluster mode.
const NON_JVM_FACTOR: f64 = 0.4;

/// The parts of T, MiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutorMemory {
    /// H.
    pub heap: u64,
    /// O.
    pub overhead: u64,
    /// How O came about.
    pub overhead_from: String,
    /// F.
    pub off_heap: u64,
    /// Y.
    pub pyspark: u64,
    /// What somebody should know about the conf.
    pub notes: Vec<String>,
}

impl ExecutorMemory {
    /// The memory of an executor with this conf.
    ///
    /// # Errors
    /// A value that Spark refuses, so that the application does not start.
    pub fn of(conf: &SparkConf) -> Result<Self, ConfProblem> {
        let mut notes = Vec::new();
        let heap = heap(conf)?;
        let (overhead, overhead_from) = overhead(conf, heap, &mut notes)?;
        let off_heap = off_heap(conf, &mut notes)?;
        let pyspark = pyspark(conf, &mut notes)?;
        Ok(Self { heap, overhead, overhead_from, off_heap, pyspark, notes })
    }

    /// T = H + O + F + Y.
    pub fn total(&self) -> u64 {
        [self.overhead, self.off_heap, self.pyspark].into_iter().fold(self.heap, u64::saturating_add)
    }
}

fn heap(conf: &SparkConf) -> Result<u64, ConfProblem> {
    let parse = |value: &str| {
        let heap = size(value, DefaultUnit::MiB)?;
        // The check reads a number without unit as bytes, unlike everything else.
        match spark_mib(value, DefaultUnit::Byte) {
            Some(checked) if checked >= MINIMUM_HEAP_MIB => Ok(heap),
            Some(_) if heap >= MINIMUM_HEAP_MIB => Err(format!(
                "Spark refuses a heap below {MINIMUM_HEAP_MIB}m and checks a number without unit as bytes; write {heap}m"
            )),
            _ => Err(format!("Spark refuses a heap below {MINIMUM_HEAP_MIB}m")),
        }
    };
    Ok(conf.read(MEMORY, parse)?.unwrap_or(1024))
}

fn overhead(conf: &SparkConf, heap: u64, notes: &mut Vec<String>) -> Result<(u64, String), ConfProblem> {
    for key in [OVERHEAD, YARN_OVERHEAD] {
        if let Some(overhead) = conf.read(key, |value| size(value, DefaultUnit::MiB))? {
            return Ok((overhead, key.to_owned()));
        }
    }
    let minimum = conf.read(MIN_OVERHEAD, |value| size(value, DefaultUnit::MiB))?;
    if minimum.is_some() {
        notes.push(format!("{MIN_OVERHEAD} counts since Spark 4.0; older ones take {MINIMUM_OVERHEAD_MIB}m"));
    }
    let minimum = minimum.unwrap_or(MINIMUM_OVERHEAD_MIB);
    let (factor, factor_from) = factor(conf, notes)?;
    let Some(overhead) = overhead_mib(heap, factor, minimum) else {
        return Err(conf.problem(MEMORY, "the overhead is beyond what Spark can compute with"));
    };
    let share = overhead_mib(heap, factor, 0);
    let from = if share.is_none_or(|share| share < minimum) {
        format!("Spark's minimum of {minimum}Mi, more than {factor} of the heap")
    } else {
        format!("{factor} of the heap, {factor_from}")
    };
    Ok((overhead, from))
}

fn factor(conf: &SparkConf, notes: &mut Vec<String>) -> Result<(f64, &'static str), ConfProblem> {
    let positive =
        |value: &str| overhead_factor(value).ok_or_else(|| "is not a number above 0, such as 0.1".to_owned());
    let not_negative = |value: &str| match value.trim().parse::<f64>() {
        Ok(factor) if factor.is_finite() && factor >= 0.0 => Ok(factor),
        _ => Err("is not a number from 0 up, such as 0.1".to_owned()),
    };
    if let Some(factor) = conf.read(FACTOR, positive)? {
        return Ok((factor, FACTOR));
    }
    if let Some(factor) = conf.read(KUBERNETES_FACTOR, not_negative)? {
        return Ok((factor, KUBERNETES_FACTOR));
    }
    if matches!(conf.get(RESOURCE_TYPE), Some("python" | "r")) {
        notes.push(format!(
            "{KUBERNETES_FACTOR} is not set: spark-submit sets {NON_JVM_FACTOR} for Python and R in cluster mode, and so it counts here"
        ));
        return Ok((NON_JVM_FACTOR, "as spark-submit sets it for Python and R in cluster mode"));
    }
    Ok((OVERHEAD_FACTOR, "Spark's default"))
}

fn off_heap(conf: &SparkConf, notes: &mut Vec<String>) -> Result<u64, ConfProblem> {
    let size = conf.read(OFF_HEAP, |value| size(value, DefaultUnit::Byte))?;
    let enabled = conf.flag(OFF_HEAP_ENABLED)?;
    match (enabled, size) {
        (true, Some(size)) if size > 0 => Ok(size),
        (true, Some(_)) => {
            Err(conf.problem(OFF_HEAP, format!("Spark wants at least 1m with {OFF_HEAP_ENABLED}")))
        }
        (true, None) => {
            Err(conf.problem(OFF_HEAP_ENABLED, format!("Spark wants {OFF_HEAP} of at least 1m, too")))
        }
        (false, Some(size)) if size > 0 => {
            notes.push(format!("{OFF_HEAP} does not count: {OFF_HEAP_ENABLED} is not true"));
            Ok(0)
        }
        (false, _) => Ok(0),
    }
}

fn pyspark(conf: &SparkConf, notes: &mut Vec<String>) -> Result<u64, ConfProblem> {
    let size = conf.read(PYSPARK, |value| size(value, DefaultUnit::MiB))?.unwrap_or(0);
    if size == 0 || conf.get(RESOURCE_TYPE) == Some("python") {
        return Ok(size);
    }
    notes.push(format!(
        "{PYSPARK} does not count: Spark adds it only for Python in cluster mode, where spark-submit sets {RESOURCE_TYPE}=python"
    ));
    Ok(0)
}

fn size(value: &str, unit: DefaultUnit) -> Result<u64, String> {
    spark_mib(value, unit).ok_or_else(|| {
        "is not a size that Spark reads: write a whole number and b, k, m, g, t or p, such as 1536m"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(conf: &[(&str, &str)]) -> Result<ExecutorMemory, String> {
        let mut all = SparkConf::default();
        for (key, value) in conf {
            all.set_flag("--conf", key, value);
        }
        ExecutorMemory::of(&all).map_err(|problem| problem.to_string())
    }

    fn total(conf: &[(&str, &str)]) -> u64 {
        memory(conf).unwrap().total()
    }

    #[test]
    fn totals_are_those_that_spark_was_seen_to_post() {
        assert_eq!(total(&[]), 1408);
        assert_eq!(total(&[(MEMORY, "1g")]), 1408);
        assert_eq!(total(&[(MEMORY, "8g")]), 9011);
        let off_heap = [(MEMORY, "2g"), (FACTOR, ".25"), (OFF_HEAP_ENABLED, "true"), (OFF_HEAP, "1g")];
        assert_eq!(total(&off_heap), 3584);
        let with_minimum = [off_heap.as_slice(), &[(MIN_OVERHEAD, "600m")]].concat();
        assert_eq!(total(&with_minimum), 3672);
        assert_eq!(total(&[(MEMORY, "64g"), (OVERHEAD, "1500k")]), 65_537);
        let python = [(MEMORY, "2g"), (PYSPARK, "512m"), (RESOURCE_TYPE, "python")];
        assert_eq!(total(&python), 3379);
        assert_eq!(total(&[python.as_slice(), &[(KUBERNETES_FACTOR, "0.4")]].concat()), 3379);
        assert_eq!(total(&[python.as_slice(), &[(KUBERNETES_FACTOR, "0.1")]].concat()), 2944);
        assert_eq!(total(&[python.as_slice(), &[(FACTOR, "0.25")]].concat()), 3072);
        assert_eq!(total(&[(MEMORY, "2g"), (PYSPARK, "512m"), (RESOURCE_TYPE, "r")]), 2048 + 819);
    }

    #[test]
    fn what_does_not_count_is_noted() {
        let client = memory(&[(MEMORY, "2g"), (PYSPARK, "512m"), (OFF_HEAP, "1g")]).unwrap();
        assert_eq!(client.total(), 2432);
        assert_eq!(client.notes.len(), 2);
        assert_eq!(memory(&[(MEMORY, "8g"), (YARN_OVERHEAD, "512")]).unwrap().total(), 8704);
        assert_eq!(memory(&[(MEMORY, "8g"), (KUBERNETES_FACTOR, "0")]).unwrap().overhead, 384);
    }

    #[test]
    fn what_spark_refuses_is_refused() {
        for (conf, problem) in [
            (&[(MEMORY, "449m")][..], "--conf spark.executor.memory=449m: Spark refuses a heap below 450m"),
            (
                &[(MEMORY, "8192")],
                "--conf spark.executor.memory=8192: Spark refuses a heap below 450m and checks a number without unit as bytes; write 8192m",
            ),
            (
                &[(MEMORY, "1.5g")],
                "--conf spark.executor.memory=1.5g: is not a size that Spark reads: write a whole number and b, k, m, g, t or p, such as 1536m",
            ),
            (
                &[(FACTOR, "0")],
                "--conf spark.executor.memoryOverheadFactor=0: is not a number above 0, such as 0.1",
            ),
            (
                &[(OFF_HEAP_ENABLED, "true")],
                "--conf spark.memory.offHeap.enabled=true: Spark wants spark.memory.offHeap.size of at least 1m, too",
            ),
            (
                &[(OFF_HEAP_ENABLED, "yes")],
                "--conf spark.memory.offHeap.enabled=yes: is neither true nor false",
            ),
        ] {
            assert_eq!(memory(conf).unwrap_err(), problem);
        }
        assert!(memory(&[(MEMORY, "450m")]).is_ok());
    }
}
