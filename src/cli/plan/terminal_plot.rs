//! A density curve for terminals, drawn with braille dots.

use num_traits::ToPrimitive;
use textplots::{Chart, LabelBuilder, LabelFormat, Plot, Shape, TickDisplay, TickDisplayBuilder};

use super::density_curve::{DensityCurve, LARGEST_PERMILLE};

/// Dots; two to a character across and four down.
const WIDTH: u32 = 160;
const HEIGHT: u32 = 64;
/// Characters, with one for what lies on the right edge.
const COLUMNS: usize = 81;
/// Heights are drawn in tenths of an executor, which leaves room for dots between two executors.
const TENTHS: u64 = 10;
/// Labels from bottom to top, so that each of them is a whole number.
const LABELS: u64 = 4;
/// Dotted lines have so many dots.
const DOTS: u64 = 40;

/// The curve: a line for after, dots for before and upright for the node's own swap.
pub fn draw(curve: &DensityCurve) -> String {
    let top = curve.most().saturating_add(1).next_multiple_of(LABELS).saturating_mul(TENTHS);
    let point = |permille: u64, tenths: u64| (float(permille), float(tenths));
    let after = curve.points.iter();
    let after: Vec<_> =
        after.map(|&(permille, executors)| point(permille, executors.saturating_mul(TENTHS))).collect();
    let before = curve.before.saturating_mul(TENTHS);
    let before: Vec<_> = dots(LARGEST_PERMILLE).map(|permille| point(permille, before)).collect();
    let own = dots(top).filter(|_| curve.own_permille <= LARGEST_PERMILLE);
    let own: Vec<_> = own.map(|tenths| point(curve.own_permille, tenths)).collect();
    let (after, before, own) = (Shape::Steps(&after), Shape::Points(&before), Shape::Points(&own));

    let mut chart = Chart::new_with_y_range(WIDTH, HEIGHT, 0.0, float(LARGEST_PERMILLE), 0.0, float(top));
    let part = |number: f32, of: u64| number.to_u64().and_then(|number| number.checked_div(of)).unwrap_or(0);
    let percent = move |permille: f32| format!("{} %", part(permille, 10));
    let executors = move |tenths: f32| part(tenths, TENTHS).to_string();
    let chart = chart
        .x_label_format(LabelFormat::Custom(Box::new(percent)))
        .y_label_format(LabelFormat::Custom(Box::new(executors)))
        .y_tick_display(TickDisplay::Sparse)
        .lineplot(&after)
        .lineplot(&before)
        .lineplot(&own);
    chart.axis();
    chart.figures();
    chart.to_string().lines().flat_map(|line| [aligned(line), "\n".to_owned()]).collect()
}

/// Puts the labels at the right below each other, and drops blanks at the end of a line.
fn aligned(line: &str) -> String {
    let blank = '\u{2800}';
    let is_drawn = |text: &str| text.chars().all(|character| (blank..='\u{28ff}').contains(&character));
    match line.rsplit_once(' ') {
        Some((dots, label)) if is_drawn(dots) => {
            let missing = COLUMNS.saturating_sub(dots.chars().count());
            format!("{dots}{} {label}", blank.to_string().repeat(missing))
        }
        _ => line.trim_end_matches(blank).to_owned(),
    }
}

/// Numbers from 0 to `end` that lie about as far apart as fits.
fn dots(end: u64) -> impl Iterator<Item = u64> {
    let step = end.div_ceil(DOTS).max(1);
    (0..=DOTS).map(move |number| number.saturating_mul(step)).take_while(move |number| *number <= end)
}

fn float(number: u64) -> f32 {
    number.to_f32().unwrap_or(0.0)
}
