//! `spark-swap check`.
