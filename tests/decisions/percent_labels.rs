//! The labels that refine working set and peak for one application.

use rstest::rstest;
use spark_swap::admission::reason::Notice;
use spark_swap::sizing::class::{Strategy, SwapClass};

use crate::cluster::{admit, class, example, state, swap_node, with_label};

/// W and P of an executor of 9011Mi under a class of 70 and 100 percent with overrides of 40 and 80.
#[rstest]
#[case::no_labels(None, None, (70, 100), None)]
#[case::upwards_freely(Some("71"), None, (71, 100), None)]
#[case::up_to_the_peak(Some("100"), None, (100, 100), None)]
#[case::down_to_the_override(Some("40"), None, (40, 100), None)]
#[case::not_below_the_override(Some("39"), None, (40, 100), Some(Notice::LabelClamped))]
#[case::one_percent(Some("1"), None, (40, 100), Some(Notice::LabelClamped))]
#[case::the_peak_down_to_its_override(None, Some("80"), (70, 80), None)]
#[case::the_peak_not_below_its_override(None, Some("79"), (70, 80), Some(Notice::LabelClamped))]
#[case::the_working_set_is_never_above_the_peak(Some("90"), Some("85"), (85, 85), Some(Notice::LabelClamped))]
#[case::both(Some("50"), Some("90"), (50, 90), None)]
#[case::zero(Some("0"), None, (70, 100), Some(Notice::LabelIgnored))]
#[case::above_a_hundred(Some("101"), None, (70, 100), Some(Notice::LabelIgnored))]
#[case::negative(Some("-50"), None, (70, 100), Some(Notice::LabelIgnored))]
#[case::a_fraction(Some("50.5"), None, (70, 100), Some(Notice::LabelIgnored))]
#[case::a_share_of_one(None, Some("0.9"), (70, 100), Some(Notice::LabelIgnored))]
#[case::words(Some("half"), None, (70, 100), Some(Notice::LabelIgnored))]
#[case::empty(Some(""), None, (70, 100), Some(Notice::LabelIgnored))]
#[case::too_long_for_a_number(Some("99999999999999999999999999"), None, (70, 100), Some(Notice::LabelIgnored))]
fn a_label_counts_within_the_classs_overrides(
    #[case] working_set: Option<&str>,
    #[case] peak: Option<&str>,
    #[case] percents: (u64, u64),
    #[case] notice: Option<Notice>,
) {
    let labels = [("spark-swap.io/working-set-percent", working_set), ("spark-swap.io/peak-percent", peak)];
    let pod = labels.into_iter().fold(example(), |pod, (key, value)| match value {
        Some(value) => with_label(pod, key, value),
        None => pod,
    });
    let (decision, _) = admit(&pod, &state(class(Strategy::SafetyNet), vec![swap_node("swap-1")]));
    let plan = decision.plan.unwrap();
    let share = |percent: u64| (9_448_718_336 * percent).div_ceil(100);
    assert_eq!((plan.working_set, plan.peak), (share(percents.0), share(percents.1)));
    let notices: Vec<Notice> = decision.notes.iter().map(|note| note.notice).collect();
    assert_eq!(notices, notice.into_iter().collect::<Vec<_>>());
}

/// A class below its own override: labels may ask for more, and never for less than the class.
#[rstest]
#[case("40", 40)]
#[case("31", 31)]
#[case("29", 30)]
fn a_class_below_its_override_is_the_floor_itself(#[case] label: &str, #[case] percent: u64) {
    let class = SwapClass { working_set_percent: 30, ..class(Strategy::SafetyNet) };
    let pod = with_label(example(), "spark-swap.io/working-set-percent", label);
    let (decision, _) = admit(&pod, &state(class, vec![]));
    assert_eq!(decision.percentages, Some((percent, 100)));
}
