//! The `spark-swap` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    spark_swap::cli::main()
}
