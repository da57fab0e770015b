//! Kubernetes' own functions, asked over a pipe, and the differential test against them.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;

use crate::parts::control_plane_binary;

/// Answers of the oracle to questions, in their order.
pub(crate) fn answers(questions: &[Value]) -> Vec<Value> {
    let mut child = Command::new(control_plane_binary())
        .arg("oracle")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start the oracle: {error}"));
    let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let answers: Vec<Value> = thread::scope(|scope| {
        // Beside the reading, for the pipes hold less than all of it.
        scope.spawn(move || {
            let mut stdin = BufWriter::new(stdin);
            for question in questions {
                writeln!(stdin, "{question}").unwrap();
            }
            stdin.flush().unwrap();
        });
        BufReader::new(stdout).lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
    });
    assert!(child.wait().unwrap().success());
    assert_eq!(answers.len(), questions.len());
    answers
}

/// Puts `count` random questions to the oracle and lets `check` compare its answers with
/// ours. Fails with some of the differences when there is any.
pub(crate) fn assert_no_difference(
    count: usize,
    mut question: impl FnMut(&mut Random) -> Value,
    check: impl Fn(&Value, &Value) -> Result<(), String>,
) {
    const BATCH: usize = 10_000;
    let mut random = Random::new();
    let mut differences = Vec::new();
    for start in (0..count).step_by(BATCH) {
        let questions: Vec<_> = (start..count.min(start + BATCH)).map(|_| question(&mut random)).collect();
        for (question, answer) in questions.iter().zip(answers(&questions)) {
            if let Err(difference) = check(question, &answer) {
                differences.push(format!("{difference}\n  question {question}\n  oracle {answer}"));
            }
        }
    }
    let shown = differences.len().min(5);
    assert!(
        differences.is_empty(),
        "{} of {count} differ:\n{}",
        differences.len(),
        differences[..shown].join("\n")
    );
}

/// A small deterministic generator (SplitMix64): the same questions in every run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Self {
        Self(0)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    pub(crate) fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        let index = self.below(u64::try_from(choices.len()).unwrap());
        choices[usize::try_from(index).unwrap()].clone()
    }

    /// Fewer than `end` of them.
    pub(crate) fn several<T>(&mut self, end: u64, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(end)).map(|_| make(self)).collect()
    }
}
