//! Child processes that do not outlive the test.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

/// A running child with its output in a log file. Its standard input is a pipe
/// that only this process holds: a child that watches it ends with us, however we end.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    pub(crate) fn start(name: &str, command: &mut Command, log_dir: &Path) -> Self {
        let log = log_dir.join(format!("{name}.log"));
        let output = File::create(&log).unwrap_or_else(|error| panic!("{}: {error}", log.display()));
        let child = command
            .stdin(Stdio::piped())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name} ({command:?}): {error}"));
        Self { name: name.to_owned(), child, log }
    }

    /// Writes to a child that reads its standard input.
    pub(crate) fn write_line(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("an open pipe");
        writeln!(stdin, "{line}").unwrap_or_else(|error| panic!("{error}\n{}", self.tail()));
    }

    pub(crate) fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The end of the log, for a failure message.
    pub(crate) fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        let from = lines.len().saturating_sub(25);
        format!("--- {} ({})\n{}\n", self.name, self.log.display(), lines[from..].join("\n"))
    }

    /// Lets a child that watches its standard input come to its own end.
    pub(crate) fn finish(&mut self) -> ExitStatus {
        drop(self.child.stdin.take());
        self.child.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}

/// Runs a command to its end with `input`; its output, or its error output on failure.
pub(crate) fn run(command: &mut Command, input: &str) -> Result<String, String> {
    let output = output(command, input).map_err(|error| format!("{command:?}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// Runs a command to its end with `input`.
pub(crate) fn output(command: &mut Command, input: &str) -> io::Result<Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes())?;
    drop(stdin);
    child.wait_with_output()
}
