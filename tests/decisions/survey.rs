use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::collections::BTreeMap;

#[test]
#[ignore]
fn survey() {
    let n: usize = std::env::var("CASES").ok().and_then(|c| c.parse().ok()).unwrap_or(20000);
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        TestRng::from_seed(
            RngAlgorithm::ChaCha,
            &[std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(7); 32],
        ),
    );
    let mut tally: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let mut shapes: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..n {
        let case = crate::random::case().new_tree(&mut runner).unwrap().current();
        *shapes
            .entry({
                let e = crate::reference::expected(&case);
                match (e.reasons, e.planned) {
                    (r, None) => format!("{r:?}"),
                    (r, Some(p)) => format!("{:?} {:?} {:?} {}", p.strategy, p.bounds, p.qos, !r.is_empty()),
                }
            })
            .or_default() += 1;
        if let Err(e) = crate::properties::agrees_with_the_reference(&case) {
            let m = e.to_string();
            let key: String = m.chars().take(130).map(|c| if c.is_ascii_digit() { '#' } else { c }).collect();
            let entry = tally.entry(key).or_insert((0, String::new()));
            entry.0 += 1;
            let text = format!("{m}\n{case:?}");
            if entry.1.is_empty() || text.len() < entry.1.len() {
                entry.1 = text;
            }
        }
    }
    for (k, n) in shapes {
        println!("SHAPE {n} {k}");
    }
    for (k, (n, e)) in tally {
        println!("=== {n} x {k}\n{e}\n");
    }
}
