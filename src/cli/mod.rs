//! The command line: one file per command.

pub mod executor_memory;
pub mod executor_pod;
pub mod explain;
pub mod java_properties;
pub mod node_flag;
pub mod sizes;
pub mod spark_conf;
pub mod table;
