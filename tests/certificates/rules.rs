//! Each rule of the plan, on its own.

use std::time::Duration;

use jiff::Timestamp;
use rstest::rstest;
use spark_swap::cluster::certificates::certificate::Certificate;
use spark_swap::cluster::certificates::material::Request;
use spark_swap::cluster::certificates::{
    Bundle, Change, Held, Kept, Material, Published, RotationPolicy, Why, adopt, carry_out, plan_rotation,
};

use crate::fixtures::{
    NAME, after, blank, created, days, minutes, nothing, plan, policy, published, staged, start, usable,
    words,
};

fn plan_words(now: Timestamp, kept: &Kept, published: &Published, held: &Held<'_>) -> String {
    words(&plan_rotation(now, &policy(), kept, published, held))
}

#[rstest]
#[case::no_secret(Kept::Absent)]
#[case::no_use(Kept::Unusable("ca.crt is not PEM".to_owned()))]
fn where_nobody_is_trusted_an_authority_is_made_at_once(
    #[case] kept: Kept,
    #[values(Published::Absent, blank())] published: Published,
) {
    assert_eq!(plan_words(start(), &kept, &published, &nothing()), "Create");
}

#[test]
fn where_somebody_is_trusted_a_replica_without_memory_lets_the_others_write_back() {
    let trusted = published(&created(start()));
    for published in [&trusted, &Published::Unknown] {
        let at = |time| plan_words(time, &Kept::Absent, published, &nothing());
        assert_eq!(at(start()), "Restoring until 2030-01-01T00:01:00Z");
        assert_eq!(at(start() + minutes(1)), "Create");
        assert_eq!(at(start() - minutes(1)), "Create", "a clock that was set back does not wait for ever");
    }
    let expired = start() + days(400);
    let held = Held::Nothing { since: expired };
    assert_eq!(plan_words(expired, &Kept::Absent, &trusted, &held), "Create", "nobody trusts what is over");
}

#[test]
fn a_lost_secret_is_written_back_by_who_still_serves_it() {
    let made = created(start());
    let held = Held::Material(&made);
    for kept in [Kept::Absent, Kept::Unusable(String::new())] {
        for published in [Published::Unknown, blank(), published(&made)] {
            assert_eq!(plan_words(start(), &kept, &published, &held), "Restore");
        }
        let restored = carry_out(Change::Restore, start(), &policy(), &kept, &held).unwrap();
        assert_eq!(restored, made);
        assert_eq!(plan_words(start() + days(61), &kept, &blank(), &held), "Create", "it has expired");
    }
}

#[test]
fn what_api_servers_trust_wins_over_another_authority_in_the_secret() {
    let (ours, other) = (created(start()), created(start()));
    let held = Held::Material(&ours);
    let kept = usable(&other);
    assert_eq!(plan_words(start(), &kept, &published(&ours), &held), "Restore");
    assert!(plan_words(start(), &kept, &published(&other), &held).starts_with("NextDue"));
    assert!(plan_words(start(), &kept, &Published::Unknown, &held).starts_with("NextDue"));
    assert_eq!(plan_words(start(), &kept, &blank(), &held), "Publish 1");
}

#[test]
fn a_replica_that_lags_behind_a_rotation_does_not_undo_it() {
    let old = created(start());
    let new = after(Change::PromoteCa, start(), &after(Change::StageCa(Why::Due), start(), &old));
    let step = plan_words(start(), &usable(&new), &published(&old), &Held::Material(&old));
    assert_eq!(step, "Publish 2");
}

#[test]
fn a_key_that_the_secret_lost_comes_back_from_memory() {
    let made = created(start());
    let damaged = without_key(made.clone());
    let step = plan_words(start(), &usable(&damaged), &published(&made), &Held::Material(&made));
    assert_eq!(step, "Restore");
}

#[test]
fn previous_authorities_that_the_secret_lost_come_back_from_memory() {
    let staged = after(Change::StageCa(Why::Requested), start(), &created(start()));
    let promoted = after(Change::PromoteCa, start(), &staged);
    let until = promoted.previous_until.unwrap();
    let damaged = Material { previous: Vec::new(), ..promoted.clone() };
    let step =
        |now, kept: &Material, held: &Held<'_>| plan_words(now, &usable(kept), &published(&promoted), held);
    let held = Held::Material(&promoted);
    assert_eq!(step(start(), &damaged, &held), "Restore");
    assert!(adopt(start(), &policy(), &usable(&damaged), &published(&promoted), &held).is_none());
    assert_eq!(step(start(), &damaged, &nothing()), "Restoring until 2030-01-01T00:01:00Z");
    let adopted = |now| adopt(now, &policy(), &usable(&damaged), &published(&promoted), &nothing()).is_some();
    assert!(!adopted(start()) && adopted(start() + minutes(1)));
    assert_eq!(step(start() + minutes(1), &damaged, &nothing()), "Publish 1", "nobody remembers");

    let dropped = after(Change::DropPreviousCa, start(), &promoted);
    assert_eq!(step(start(), &dropped, &held), "Publish 1", "by a clock that is ahead, or by hand");
    let renewed = after(Change::RenewLeaf(Why::Due), start() + days(40), &damaged);
    assert_eq!(words(&plan(until, &renewed)), "DropPreviousCa", "nor is their time remembered for ever");
}

#[test]
fn what_the_secret_did_not_lose_is_newer_than_what_is_remembered() {
    let staged = after(Change::StageCa(Why::Requested), start(), &created(start()));
    let promoted = after(Change::PromoteCa, start(), &staged);
    let renewed = after(Change::RenewLeaf(Why::Requested), start(), &promoted);
    let newer = after(Change::StageCa(Why::Requested), start(), &renewed);
    let restored = |kept: &Material| {
        carry_out(Change::Restore, start(), &policy(), &usable(kept), &Held::Material(&promoted)).unwrap()
    };
    assert_eq!(restored(&Material { previous: Vec::new(), ..newer.clone() }), newer);
    assert_eq!(restored(&without_key(newer.clone())), newer);
    let leafless = restored(&without_key(Material { leaf: None, ..newer.clone() }));
    assert_eq!(leafless, Material { leaf: promoted.leaf.clone(), ..newer });
}

#[test]
fn without_the_authoritys_key_a_new_one_is_staged_while_the_old_is_served() {
    let damaged = without_key(created(start()));
    assert_eq!(words(&plan(start(), &damaged)), "StageCa(Missing)");
    let staged = after(Change::StageCa(Why::Missing), start(), &damaged);
    assert!(words(&plan(start(), &staged)).starts_with("Confirm"));
    // Its certificate ends unrenewed: there is nothing to lose any more.
    let over = start() + days(61);
    assert_eq!(words(&plan(over, &staged)), "PromoteCa");
    assert_eq!(words(&plan(over, &damaged)), "Create");
}

#[test]
fn a_certificate_is_renewed_when_a_third_of_its_life_is_left() {
    let made = created(start());
    let due = start() + days(40);
    assert_eq!(words(&plan(start() + minutes(10), &made)), format!("NextDue until {due}"));
    assert!(words(&plan(due - minutes(1), &made)).starts_with("NextDue"));
    assert_eq!(words(&plan(due, &made)), "RenewLeaf(Due)");
    assert_eq!(words(&plan(start() + days(61), &made)), "RenewLeaf(Due)", "expired");

    let renewed = after(Change::RenewLeaf(Why::Due), due, &made);
    assert_eq!(renewed.current, made.current);
    let leaf = renewed.leaf.as_ref().unwrap();
    assert!(leaf.certificate.is_signed_by(&made.current.certificate));
    assert_eq!(leaf.certificate.not_after(), due + days(60));
    assert!(words(&plan(due + minutes(10), &renewed)).starts_with("NextDue"));
}

#[test]
fn lifetimes_of_minutes_work_as_well() {
    let policy = RotationPolicy { tls_lifetime: minutes(1), ca_lifetime: minutes(3), ..policy() };
    let made = carry_out(Change::Create, start(), &policy, &Kept::Absent, &nothing()).unwrap();
    let at = |seconds| {
        let now = start() + Duration::from_secs(seconds);
        words(&plan_rotation(now, &policy, &usable(&made), &published(&made), &nothing()))
    };
    assert_eq!(at(0), "NextDue until 2030-01-01T00:00:40Z");
    assert_eq!(at(40), "RenewLeaf(Due)");
}

#[rstest]
#[case::missing(Material { leaf: None, ..created(start()) }, "RenewLeaf(Missing)")]
#[case::asked_for(Material { request: Some(Request::Leaf), ..created(start()) }, "RenewLeaf(Requested)")]
#[case::from_a_clock_ahead(with_leaf_of(start() + days(2)), "RenewLeaf(NotYetValid)")]
fn a_certificate_is_renewed_out_of_turn(#[case] material: Material, #[case] step: &str) {
    assert_eq!(words(&plan(start(), &material)), step);
    let renewed = after(Change::RenewLeaf(Why::Due), start(), &material);
    assert!(renewed.serving(start()).is_some());
    assert_eq!(renewed.request, None);
}

#[test]
fn a_certificate_of_other_names_or_of_a_longer_life_is_renewed() {
    let made = created(start());
    let plan = |now, policy: RotationPolicy| {
        words(&plan_rotation(now, &policy, &usable(&made), &published(&made), &nothing()))
    };
    let with_names = |names: &[&str]| RotationPolicy {
        names: names.iter().copied().map(str::to_owned).collect(),
        ..policy()
    };
    let soon = start() + minutes(1);
    assert_eq!(plan(soon, with_names(&[NAME, "other.svc"])), "RenewLeaf(Names)");
    // Replicas before and after an upgrade: not at once, and not for a name too many.
    assert_eq!(plan(start(), with_names(&["other.svc"])), format!("NextDue until {soon}"));
    assert!(plan(soon, with_names(&[NAME])).starts_with("NextDue"));
    // Other spellings of the same names.
    let renamed = with_names(&["Spark-Swap.spark-swap.SVC", "127.0.0.1"]);
    assert!(plan(soon, renamed).starts_with("NextDue"));

    assert_eq!(plan(soon, RotationPolicy { tls_lifetime: days(59), ..policy() }), "RenewLeaf(TooLong)");
    assert!(plan(soon, RotationPolicy { tls_lifetime: days(61), ..policy() }).starts_with("NextDue"));
}

#[test]
fn a_certificate_never_outlives_its_authority_and_is_not_renewed_in_vain() {
    let made = created(start());
    let late = start() + days(330);
    let renewed = after(Change::RenewLeaf(Why::Due), late, &made);
    let leaf = renewed.leaf.as_ref().unwrap();
    assert_eq!(leaf.certificate.not_after(), made.current.certificate.not_after());
    // The authority itself is renewed instead; here that cannot go on because nothing is known of the caBundle.
    let staged = after(Change::StageCa(Why::Due), late, &renewed);
    let almost = start() + days(364);
    let step = plan_words(almost, &usable(&staged), &Published::Unknown, &nothing());
    assert_eq!(step, "Publication until 2031-01-01T00:00:00Z");
}

#[test]
fn a_new_authority_is_staged_published_confirmed_waited_for_and_then_used() {
    let made = created(start());
    let now = start() + days(250);
    let old = after(Change::RenewLeaf(Why::Due), now, &made);
    assert_eq!(words(&plan(now, &old)), "StageCa(Due)");

    let staged = after(Change::StageCa(Why::Due), now, &old);
    assert_eq!((&staged.current, &staged.leaf), (&old.current, &old.leaf), "nothing else is served");
    let with = |published: &Published, time| plan_words(time, &usable(&staged), published, &nothing());
    assert_eq!(with(&published(&old), now), "Publish 2");
    assert!(with(&Published::Unknown, now).starts_with("Publication"));
    assert_eq!(with(&published(&staged), now), "Confirm");

    let confirmed = after(Change::Confirm, now, &staged);
    let at = |published: &Published, time| plan_words(time, &usable(&confirmed), published, &nothing());
    let then = now + minutes(10);
    assert_eq!(at(&published(&staged), then - minutes(1)), format!("Propagation until {then}"));
    assert_eq!(at(&published(&staged), then), "PromoteCa");
    assert!(at(&Published::Unknown, then).starts_with("Publication"));

    let promoted = after(Change::PromoteCa, then, &confirmed);
    assert!(promoted.bundle().trusts_the_same_as(&staged.bundle()), "so that nothing is to be published");
    assert!(promoted.serving(then).unwrap().certificate.is_signed_by(&promoted.current.certificate));
    assert_eq!(promoted.previous, std::slice::from_ref(&old.current.certificate));
    let end = old.leaf.as_ref().unwrap().certificate.not_after();
    assert_eq!(promoted.previous_until, Some(end));
    let renewed = after(Change::RenewLeaf(Why::Due), end, &promoted);
    assert_eq!(words(&plan(end, &renewed)), "DropPreviousCa");
    let dropped = after(Change::DropPreviousCa, end, &renewed);
    let step = plan_words(end, &usable(&dropped), &published(&renewed), &nothing());
    assert_eq!(step, "Publish 1");
}

#[test]
fn a_bundle_that_lost_a_confirmed_authority_is_waited_for_anew() {
    let confirmed = after(Change::Confirm, start(), &staged(start()));
    let later = start() + minutes(60);
    for lost in [blank(), Published::Found(Bundle::new(vec![confirmed.current.certificate.clone()]))] {
        assert_eq!(plan_words(later, &usable(&confirmed), &lost, &nothing()), "ForgetConfirmation");
        let forgotten = after(Change::ForgetConfirmation, later, &confirmed);
        assert_eq!(plan_words(later, &usable(&forgotten), &lost, &nothing()), "Publish 2");
    }
}

#[test]
fn a_confirmation_from_the_future_is_repeated() {
    let confirmed = after(Change::Confirm, start() + days(1), &staged(start()));
    assert_eq!(words(&plan(start(), &confirmed)), "Confirm");
    let ahead = after(Change::Confirm, start() + minutes(4), &staged(start()));
    assert!(words(&plan(start(), &ahead)).starts_with("Propagation"), "clocks differ a little");
}

#[test]
fn where_nobody_calls_a_new_authority_comes_into_force_as_well() {
    let staged = staged(start());
    assert_eq!(plan_words(start(), &usable(&staged), &Published::Absent, &nothing()), "Confirm");
    let confirmed = after(Change::Confirm, start(), &staged);
    let then = start() + minutes(10);
    assert_eq!(plan_words(then, &usable(&confirmed), &Published::Absent, &nothing()), "PromoteCa");
}

#[test]
fn an_authority_to_come_that_is_not_valid_is_replaced() {
    let due = start() + days(250);
    let next = staged(start() + days(400)).next;
    let material = Material { next, ..after(Change::RenewLeaf(Why::Due), due, &created(start())) };
    assert_eq!(words(&plan(due, &material)), "StageCa(Due)");
}

#[test]
fn an_expired_authority_is_replaced_at_once() {
    let over = start() + days(366);
    let made = created(start());
    assert_eq!(words(&plan(over, &made)), "Create");
    let staged = after(Change::StageCa(Why::Due), start() + days(250), &made);
    assert_eq!(words(&plan(over, &staged)), "PromoteCa", "unconfirmed as it is");
    let promoted = after(Change::PromoteCa, over, &staged);
    assert!(promoted.previous.is_empty(), "what is over verifies nothing");
    assert!(promoted.serving(over).is_some());
}

#[test]
fn an_authority_made_by_a_clock_ahead_is_replaced_in_stages() {
    let made = created(start() + days(30));
    let with_leaf = after(Change::RenewLeaf(Why::NotYetValid), start(), &made);
    assert_eq!(words(&plan(start(), &with_leaf)), "StageCa(NotYetValid)");
}

#[test]
fn somebody_asks_for_a_new_authority() {
    let asked = Material { request: Some(Request::Ca), ..created(start()) };
    assert_eq!(words(&plan(start(), &asked)), "StageCa(Requested)");
    let staged = after(Change::StageCa(Why::Requested), start(), &asked);
    assert_eq!(staged.request, None);
    // Asked again while it goes on: the same rotation answers it.
    let again = Material { request: Some(Request::Ca), ..staged };
    assert_eq!(words(&plan(start(), &again)), "Confirm");
    assert_eq!(after(Change::PromoteCa, start(), &again).request, None);
}

#[test]
fn rotations_in_quick_succession_keep_every_authority_that_may_be_served() {
    let first = created(start());
    let mut material = first.clone();
    for hour in 1..=3 {
        let now = start() + minutes(60 * hour);
        material = after(Change::PromoteCa, now, &after(Change::StageCa(Why::Requested), now, &material));
    }
    assert_eq!(material.previous.len(), 3);
    assert!(material.bundle().contains(&first.current.certificate));
    let last_leaf = start() + minutes(120) + days(60);
    assert_eq!(material.previous_until, Some(last_leaf));
    for hour in 4..=9 {
        let now = start() + minutes(60 * hour);
        material = after(Change::PromoteCa, now, &after(Change::StageCa(Why::Requested), now, &material));
    }
    assert_eq!(material.previous.len(), 4, "a bundle stays short");
}

#[test]
fn a_bundle_is_exactly_ours_and_compared_by_certificate() {
    let staged = after(Change::Confirm, start(), &staged(start()));
    let ours = staged.bundle();
    let text = |pem: String| Published::of(Some(format!("# our authorities\n{pem}").as_bytes()));
    let reversed: String = ours.certificates().iter().rev().map(Certificate::pem).collect();
    let windows = ours.pem().replace('\n', "\r\n");
    for same in [text(ours.pem()), text(reversed), text(windows)] {
        assert!(plan_words(start(), &usable(&staged), &same, &nothing()).starts_with("Propagation"));
    }
    let foreign = created(start()).bundle();
    let more = text(ours.pem() + &foreign.pem());
    assert_eq!(plan_words(start(), &usable(&staged), &more, &nothing()), "Publish 2");
}

#[test]
fn a_replica_without_memory_does_not_publish_against_what_others_are_trusted_for() {
    let (ours, other) = (created(start()), created(start()));
    let step = |time, held: &Held<'_>| plan_words(time, &usable(&ours), &published(&other), held);
    let adopted =
        |time, held: &Held<'_>| adopt(time, &policy(), &usable(&ours), &published(&other), held).is_some();
    assert_eq!(step(start(), &nothing()), "Restoring until 2030-01-01T00:01:00Z");
    assert!(!adopted(start(), &nothing()));
    assert!(adopt(start(), &policy(), &usable(&ours), &Published::Unknown, &nothing()).is_none());
    assert!(adopt(start(), &policy(), &usable(&ours), &published(&ours), &nothing()).is_some());
    let later = start() + minutes(1);
    assert_eq!(step(later, &nothing()), "Publish 1");
    assert!(adopted(later, &nothing()));
    assert_eq!(step(start(), &Held::Material(&ours)), "Publish 1", "somebody overwrote the bundle");
}

#[test]
fn what_is_served_follows_the_secret_unless_api_servers_trust_the_old() {
    let (ours, other) = (created(start()), created(start()));
    let renewed = after(Change::RenewLeaf(Why::Due), start(), &ours);
    let promoted = after(Change::PromoteCa, start(), &after(Change::StageCa(Why::Due), start(), &ours));
    let adopted = |now, kept: &Material, published: &Published| {
        adopt(now, &policy(), &usable(kept), published, &Held::Material(&ours)).is_some()
    };
    for kept in [&renewed, &promoted] {
        assert!(adopted(start(), kept, &Published::Unknown));
        assert!(adopted(start(), kept, &published(&ours)));
    }
    assert!(!adopted(start(), &other, &Published::Unknown), "nobody knows whom API servers trust");
    assert!(!adopted(start(), &other, &published(&ours)));
    assert!(adopted(start(), &other, &published(&other)));
    assert!(!adopted(start() + days(61), &other, &published(&other)), "expired");
    assert!(!adopted(start(), &Material { leaf: None, ..renewed.clone() }, &Published::Unknown));
}

#[test]
fn a_bundle_that_somebody_else_manages_is_never_written() {
    let policy = RotationPolicy { manage_ca_bundle: false, ..policy() };
    let staged = staged(start());
    let plan = |published: &Published| {
        words(&plan_rotation(start(), &policy, &usable(&staged), published, &nothing()))
    };
    let current = Published::Found(Bundle::new(vec![staged.current.certificate.clone()]));
    assert!(plan(&current).starts_with("Publication"));
    assert!(plan(&blank()).starts_with("Publication"));
    let foreign = created(start()).current.certificate;
    let more = [staged.bundle().certificates(), &[foreign]].concat();
    assert_eq!(plan(&Published::Found(Bundle::new(more))), "Confirm", "a superset is good enough");
}

#[test]
fn lifetimes_that_cannot_work_are_refused() {
    assert!(policy().check().is_ok());
    for policy in [
        RotationPolicy { names: Vec::new(), ..policy() },
        RotationPolicy { ca_lifetime: minutes(30), ..policy() },
        RotationPolicy { tls_lifetime: minutes(0), ..policy() },
    ] {
        assert!(policy.check().is_err());
    }
}

#[test]
fn a_change_that_was_planned_for_another_secret_is_refused() {
    let made = created(start());
    for (change, kept) in [
        (Change::PromoteCa, usable(&made)),
        (Change::Confirm, usable(&made)),
        (Change::Restore, usable(&made)),
        (Change::RenewLeaf(Why::Due), Kept::Absent),
        (Change::RenewLeaf(Why::Due), usable(&without_key(made.clone()))),
    ] {
        assert!(carry_out(change, start(), &policy(), &kept, &nothing()).is_err(), "{change}");
    }
}

fn without_key(mut material: Material) -> Material {
    material.current.key = None;
    material
}

fn with_leaf_of(made: Timestamp) -> Material {
    after(Change::RenewLeaf(Why::Due), made, &created(start()))
}
