//! Instructions per review, counted by valgrind: the only number that stays the same on a busy machine.
//!
//! The program runs itself under valgrind with some and with twice as many reviews; the difference is what they cost.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::arithmetic_side_effects)]

use std::hint::black_box;
use std::process::Command;

use spark_swap::admission::answer::answer;
use spark_swap::sizing::state::State;

const REVIEWS: u64 = 1000;
const BODIES: [(&str, &[u8]); 3] = [
    ("small", include_bytes!("data/executor-small.json")),
    ("typical", include_bytes!("data/executor-typical.json")),
    ("large", include_bytes!("data/executor-large.json")),
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, command, name, count] = arguments.as_slice()
        && command == "review"
    {
        return review(name, count.parse().unwrap());
    }
    for (name, body) in BODIES {
        let instructions = (counted(name, 2 * REVIEWS) - counted(name, REVIEWS)) / REVIEWS;
        println!("review of {} bytes ({name}): {instructions} instructions", body.len());
    }
}

fn review(name: &str, count: u64) {
    let (_, body) = BODIES.into_iter().find(|(known, _)| *known == name).unwrap();
    let state = State::default();
    for _ in 0..count {
        black_box(answer(black_box(body), &state)).unwrap();
    }
}

/// The instructions of the whole process.
fn counted(name: &str, count: u64) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args(["review", name, &count.to_string()])
        .output()
        .expect("valgrind counts the instructions: install it (Debian: apt-get install valgrind)");
    let report = String::from_utf8(output.stderr).unwrap();
    let line = report.lines().find(|line| line.contains("Collected : ")).expect(&report);
    line.rsplit(' ').next().unwrap().parse().unwrap()
}
