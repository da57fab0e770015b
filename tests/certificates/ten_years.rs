//! Ten years of certificates, with everything that may happen to them: nobody who calls is ever shown a certificate
//! that it does not trust.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::json;
use spark_swap::cluster::certificates::{Material, Published, RotationPolicy};

use crate::fixtures::{NAME, created, days, minutes, policy, start};
use crate::world::World;

const TEN_YEARS: u64 = 3653;

fn end() -> Timestamp {
    start() + days(TEN_YEARS)
}

#[test]
fn ten_quiet_years_take_few_writes() {
    let mut world = World::new(1, policy(), 3, 3);
    world.run_until(end());
    world.settle();
    world.assert_converged();
    let changes = &world.counted.changes;
    assert_eq!(changes["Create"], 1);
    assert_eq!(changes["StageCa"], 15, "an authority lives a year and is replaced after eight months");
    assert!(!changes.contains_key("Restore") && !changes.contains_key("ForgetConfirmation"), "{changes:?}");
    let writes: usize = changes.values().sum();
    assert!(writes < 12 * 10 * 2, "{changes:?}: two a month");
    assert!(world.counted.publications < 10 * 4, "{:?}: four a year", world.counted);
}

/// Whole histories: a smaller seed is not a simpler one. `PROPTEST_CASES` asks for more.
fn decades(cases: u32) -> ProptestConfig {
    let cases =
        if std::env::var_os("PROPTEST_CASES").is_some() { ProptestConfig::default().cases } else { cases };
    ProptestConfig { cases, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(decades(4))]

    #[test]
    fn whatever_happens_in_ten_years_no_call_is_lost(
        seed in any::<u64>(),
        replicas in 2_usize..=4,
        api_servers in 1_usize..=3,
    ) {
        let mut world = World::new(seed, policy(), replicas, api_servers);
        live(&mut world, trouble);
        world.assert_converged();
        let counted = &world.counted;
        // One when an authority is staged and one when it is dropped; the others answer somebody else's write.
        let staged = counted.changes["StageCa"] + counted.changes.get("Create").unwrap_or(&0);
        let expected = 1 + 2 * staged + 2 * counted.interferences;
        prop_assert!(counted.publications <= expected, "{counted:?}");
    }
}

proptest! {
    #![proptest_config(decades(2))]

    #[test]
    fn a_bundle_that_gitops_owns_is_waited_for(seed in any::<u64>()) {
        let policy = RotationPolicy { manage_ca_bundle: false, ..policy() };
        let mut world = World::new(seed, policy, 3, 2);
        live(&mut world, gitops);
        while !world.is_published() {
            synchronise(&mut world);
            world.settle();
        }
        world.assert_converged();
        prop_assert_eq!(world.counted.publications, 0);
        prop_assert!(world.counted.changes["PromoteCa"] >= 10);
    }

    #[test]
    fn what_a_wrong_clock_did_heals_when_it_is_right_again(seed in any::<u64>()) {
        let mut world = World::new(seed, policy(), 3, 2);
        live(&mut world, clock_jump);
        world.assert_converged();
    }
}

#[test]
fn a_replica_that_is_cut_off_is_trusted_though_the_secret_forgets_its_authority() {
    for seed in 0..10 {
        let mut world = World::new(seed, policy(), 3, 2);
        world.run_until(start() + days(1));
        world.cut_off(0, days(3));
        ask_for_an_authority(&mut world);
        world.run_until(world.now + minutes(60));
        // It starts anew while the Secret is damaged, and remembers nothing.
        crash(&mut world, 1, Duration::from_secs(10));
        world.patch_secret(&json!({"data": {"previous-ca.crt": null}}));
        world.run_until(world.now + days(4));
        world.settle();
        world.assert_converged();
        assert_eq!(world.counted.changes["Restore"], 1);
        assert!(!world.material().unwrap().previous.is_empty(), "until the certificate that it signed ends");
    }
}

/// The simulated world notices what it is there to notice.
#[test]
#[should_panic(expected = "API server")]
fn a_wait_shorter_than_api_servers_need_loses_calls() {
    let mut world = World::new(1, policy(), 3, 3);
    world.slowest_api_server = minutes(30);
    live(&mut world, trouble);
}

/// Every kind of step is taken, or the world is too peaceful.
#[test]
fn all_steps_are_taken_in_the_simulated_world() {
    let mut changes: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut conflicts, mut crashes) = (0, 0);
    for seed in 0..2 {
        let mut world = World::new(seed, policy(), 3, 2);
        live(&mut world, trouble);
        for (name, count) in &world.counted.changes {
            *changes.entry(name).or_default() += count;
        }
        conflicts += world.counted.conflicts;
        crashes += world.counted.crashes;
    }
    assert_eq!(changes.len(), 8, "{changes:?}");
    assert!(
        changes.values().sum::<usize>() > 500 && conflicts > 20 && crashes > 500,
        "{changes:?} {conflicts} {crashes}"
    );
}

/// Ten years with something every few days, and days of peace at the end, until what began is over.
fn live(world: &mut World, happening: fn(&mut World)) {
    while world.now < end() - days(20) {
        let pause = minutes(30) + world.random.up_to(days(8));
        world.run_until(world.now + pause);
        happening(world);
    }
    world.run_until(end());
    world.settle();
}

fn trouble(world: &mut World) {
    let replica = world.random.below(world.replicas.len());
    match world.random.below(16) {
        0 => crash(world, replica, days(1)),
        1 => restart_all(world),
        2 => cut_off(world, replica),
        3 => (0..world.replicas.len()).for_each(|replica| cut_off(world, replica)),
        4 | 5 => world.overwrite_bundle(Published::of(None)),
        6 => {
            let old = world.old_bundle();
            world.overwrite_bundle(old);
        }
        7 => {
            let absence = world.random.up_to(minutes(60));
            world.delete_entry(absence);
        }
        8 if is_remembered(world) => {
            restart_but_one_who_remembers(world);
            world.delete_secret();
        }
        9 if is_remembered(world) => {
            restart_but_one_who_remembers(world);
            world.patch_secret(&json!({"data": null, "metadata": {"annotations": null}}));
        }
        10 if is_remembered(world) => {
            restart_but_one_who_remembers(world);
            let foreign = created(world.now);
            world.patch_secret(&foreign.merge_patch("0"));
        }
        11 => damage(world),
        12 => ask_for_an_authority(world),
        13 => {
            ask_for_an_authority(world);
            let meanwhile = world.random.up_to(minutes(15));
            world.run_until(world.now + meanwhile);
            let old = world.old_bundle();
            world.overwrite_bundle(old);
        }
        14 => world.patch_secret(&json!({"metadata": {"annotations": {"spark-swap.io/rotate": "leaf"}}})),
        15 => {
            let policy = other_policy(world);
            world.policy = policy;
            restart_all(world);
        }
        _ => {}
    }
    // Something may crash right in the middle of what follows.
    let shortly = world.random.up_to(minutes(2));
    world.run_until(world.now + shortly);
    crash(world, replica, minutes(10));
}

fn ask_for_an_authority(world: &mut World) {
    world.patch_secret(&json!({"metadata": {"annotations": {"spark-swap.io/rotate": "ca"}}}));
}

fn crash(world: &mut World, replica: usize, longest: Duration) {
    if world.may_crash(replica) {
        let downtime = world.random.up_to(longest);
        world.crash(replica, downtime);
    }
}

fn restart_all(world: &mut World) {
    for replica in 0..world.replicas.len() {
        crash(world, replica, minutes(1));
        world.run_until(world.now + minutes(2));
    }
}

/// For days, but never for longer than a certificate is renewed ahead.
fn cut_off(world: &mut World, replica: usize) {
    if world.is_up_to_date(replica) {
        let lasting = world.random.up_to(days(6));
        world.cut_off(replica, lasting);
    }
}

/// Somebody serves what the Secret holds and would write it back.
fn is_remembered(world: &World) -> bool {
    one_who_remembers(world).is_some()
}

fn one_who_remembers(world: &World) -> Option<usize> {
    let mut replicas = 0..world.replicas.len();
    replicas.find(|replica| world.is_up_to_date(*replica) && world.replicas[*replica].is_ready)
}

/// So that the others find the Secret as it is now, and remember nothing.
fn restart_but_one_who_remembers(world: &mut World) {
    let remembering = one_who_remembers(world);
    for replica in (0..world.replicas.len()).filter(|replica| Some(*replica) != remembering) {
        crash(world, replica, Duration::from_secs(20));
    }
}

fn damage(world: &mut World) {
    let keys = ["ca.key", "tls.crt", "tls.key", "next-ca.crt", "next-ca.key", "previous-ca.crt"];
    let key = keys[world.random.below(keys.len())];
    let value = if world.random.below(2) == 0 { json!(null) } else { json!("AAAA") };
    let patch = json!({"data": {key: value}});
    if world.is_complete_after(&patch) || is_remembered(world) {
        world.patch_secret(&patch);
    }
}

fn other_policy(world: &mut World) -> RotationPolicy {
    let names = ["a.svc", "b.svc", "10.0.0.7"].map(str::to_owned);
    let some = world.random.below(3);
    RotationPolicy {
        ca_lifetime: days([90, 365, 730][world.random.below(3)]),
        tls_lifetime: days([30, 60, 90][world.random.below(3)]),
        names: [NAME.to_owned()].into_iter().chain(names.into_iter().take(some)).collect(),
        ..policy()
    }
}

fn gitops(world: &mut World) {
    let replica = world.random.below(world.replicas.len());
    match world.random.below(4) {
        0 => restart_all(world),
        1 => ask_for_an_authority(world),
        _ => crash(world, replica, days(1)),
    }
    synchronise(world);
}

/// A pull request with the bundle of today is merged tomorrow.
fn synchronise(world: &mut World) {
    let bundle = world.material().map(Material::bundle);
    let lag = world.random.up_to(days(1));
    world.run_until(world.now + lag);
    if let Some(bundle) = bundle {
        world.synchronise_bundle(bundle);
    }
}

fn clock_jump(world: &mut World) {
    let replica = world.random.below(world.replicas.len());
    let right = world.replicas[replica].ahead;
    let days_ahead = i64::try_from(world.random.below(21)).unwrap() - 10;
    world.is_strict = false;
    world.replicas[replica].ahead = SignedDuration::from_hours(24 * days_ahead);
    let lasting = world.random.up_to(minutes(120));
    world.run_until(world.now + lasting);
    world.replicas[replica].ahead = right;
    world.run_until(world.now + minutes(120));
    world.is_strict = true;
}
