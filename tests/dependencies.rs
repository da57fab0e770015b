//! The bans of `deny.toml`, held without cargo-deny, which takes minutes to build.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::path::Path;
use std::process::Command;

/// Every crate that is compiled into what users get, or compiled to build it. (Cargo.lock has more: `ring` is in
/// there as an option of rustls that nobody takes.)
fn crates() -> Vec<String> {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--locked", "--edges=normal,build", "--prefix=none", "--format={p}"]);
    tree.args(["--target=x86_64-unknown-linux-musl", "--target=x86_64-unknown-linux-gnu"]);
    let output = tree.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).unwrap();
    names.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The text between `before` and the next quote, wherever there is any.
fn quoted<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split('"').next())
}

#[test]
fn no_banned_crate_is_compiled() {
    let policy = read("deny.toml");
    let bans = policy.split("\ndeny = [").nth(1).and_then(|rest| rest.split("\n]").next()).unwrap();
    let banned: Vec<&str> = quoted(bans, "{ crate = \"").collect();
    for name in ["openssl-sys", "ring", "rustls-pemfile", "serde_yaml"] {
        assert!(banned.contains(&name), "deny.toml no longer bans {name}");
    }
    let compiled = crates();
    assert!(compiled.iter().any(|name| name == "rustls"), "cargo tree is written in another way now");
    for name in banned {
        assert!(
            compiled.iter().all(|used| used != name),
            "{name} is banned by deny.toml: cargo tree -i {name}"
        );
    }
}

#[test]
fn every_crate_is_from_the_public_registry() {
    let lock = read("Cargo.lock");
    for source in quoted(&lock, "\nsource = \"") {
        assert_eq!(source, "registry+https://github.com/rust-lang/crates.io-index");
    }
}
