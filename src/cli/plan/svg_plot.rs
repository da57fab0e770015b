//! Density curves as an SVG image.

use anyhow::anyhow;
use plotters::backend::SVGBackend;
use plotters::chart::{ChartBuilder, SeriesLabelPosition};
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::PathElement;
use plotters::series::{DashedLineSeries, LineSeries};
use plotters::style::{BLACK, Color, RGBColor, WHITE};

use super::density_curve::{DensityCurve, LARGEST_PERMILLE};

const WIDTH: u32 = 900;
/// Of one curve.
const HEIGHT: u32 = 450;
/// Told apart by everybody who sees colours, and by their brightness.
const BEFORE: RGBColor = RGBColor(213, 94, 0);
const AFTER: RGBColor = RGBColor(0, 114, 178);

/// A curve with the heading above it.
#[derive(Debug)]
pub struct Titled<'c> {
    /// What the curve is about.
    pub title: String,
    /// The curve.
    pub curve: &'c DensityCurve,
}

/// One image, the curves below each other.
///
/// # Errors
/// What the plotting library says; nothing is known to make it fail.
pub fn draw(curves: &[Titled<'_>]) -> anyhow::Result<String> {
    let mut image = String::new();
    let count = curves.len().max(1);
    let height = HEIGHT.saturating_mul(u32::try_from(count)?);
    let area = SVGBackend::with_string(&mut image, (WIDTH, height)).into_drawing_area();
    area.fill(&WHITE).map_err(|error| anyhow!("{error}"))?;
    for (part, curve) in area.split_evenly((count, 1)).iter().zip(curves) {
        chart(part, curve)?;
    }
    area.present().map_err(|error| anyhow!("{error}"))?;
    drop(area);
    Ok(image)
}

fn chart(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    Titled { title, curve }: &Titled<'_>,
) -> anyhow::Result<()> {
    let top = curve.most().saturating_add(1);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(52)
        .build_cartesian_2d(0..LARGEST_PERMILLE, 0..top)?;
    chart
        .configure_mesh()
        .x_desc("node swap, % of its memory")
        .y_desc("executors per node")
        .x_label_formatter(&|permille| format!("{} %", permille.checked_div(10).unwrap_or(0)))
        .light_line_style(WHITE)
        .draw()?;
    let ends = [(0, curve.before), (LARGEST_PERMILLE, curve.before)];
    let key = |colour: RGBColor| {
        move |(x, y): (i32, i32)| {
            PathElement::new([(x, y), (x.saturating_add(20), y)], colour.stroke_width(2))
        }
    };
    chart.draw_series(LineSeries::new(ends, BEFORE.stroke_width(2)))?.label("before").legend(key(BEFORE));
    chart
        .draw_series(LineSeries::new(corners(&curve.points), AFTER.stroke_width(2)))?
        .label("after")
        .legend(key(AFTER));
    if curve.own_permille <= LARGEST_PERMILLE {
        let own = [(curve.own_permille, 0), (curve.own_permille, top)];
        let percent = curve.own_permille.checked_div(10).unwrap_or(0);
        chart
            .draw_series(DashedLineSeries::new(own, 4, 4, BLACK.stroke_width(1)))?
            .label(format!("this node: {percent} %"))
            .legend(key(RGBColor(0, 0, 0)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()?;
    Ok(())
}

/// A line with steps: each value holds until the next one.
fn corners(points: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut corners: Vec<(u64, u64)> = Vec::with_capacity(points.len().saturating_mul(2));
    for &(permille, executors) in points {
        if let Some(&(_, last)) = corners.last()
            && last != executors
        {
            corners.push((permille, last));
        }
        corners.push((permille, executors));
    }
    corners
}
