//! The memory of nodes over time as an SVG image: two runs side by side, on the same scales.

use anyhow::anyhow;
use plotters::backend::SVGBackend;
use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{PathElement, Text};
use plotters::series::LineSeries;
use plotters::style::{Color, RGBColor, WHITE};

use crate::memory::{Memory, Sample};
use crate::tenths::Tenths;
use crate::watch_log::What;

const WIDTH: u32 = 1200;
const HEIGHT: u32 = 440;
/// Of the key, which has a row for the lines and one for the marks.
const KEY_ROW: u32 = 18;
/// A scale ends at a multiple of these: tenths of a second, MiB.
const TIME_STEP: u64 = 300;
const MEMORY_STEP: u64 = 512;

type Area<'i> = DrawingArea<SVGBackend<'i>, Shift>;

/// A run and its heading.
pub(crate) struct Drawn<'m> {
    pub(crate) title: String,
    /// Its results in short.
    pub(crate) subtitle: String,
    pub(crate) memory: &'m Memory,
    /// Of its node, MiB.
    pub(crate) node_memory: u64,
}

/// A line of the chart.
struct Line {
    name: &'static str,
    colour: RGBColor,
    value: fn(&Sample) -> u64,
}

/// Told apart by everybody who sees colours, and by their brightness.
const LINES: [Line; 3] = [
    Line { name: "available", colour: RGBColor(0, 114, 178), value: |sample| sample.available },
    Line { name: "memory of pods", colour: RGBColor(213, 94, 0), value: |sample| sample.kubepods },
    Line { name: "swap used", colour: RGBColor(0, 158, 115), value: |sample| sample.swap_used },
];

/// Marks stand at the top edge, each kind in a row of its own.
const fn colour_of(what: What) -> RGBColor {
    match what {
        What::OomKilled => RGBColor(204, 0, 0),
        What::Evicted => RGBColor(204, 121, 167),
        What::MemoryPressure => RGBColor(230, 159, 0),
        What::NotReady => RGBColor(0, 0, 0),
    }
}

/// One image of them.
///
/// # Errors
/// What the plotting library says; nothing is known to make it fail.
pub(crate) fn draw(runs: &[Drawn<'_>]) -> anyhow::Result<String> {
    let mut image = String::new();
    let area = SVGBackend::with_string(&mut image, (WIDTH, HEIGHT)).into_drawing_area();
    area.fill(&WHITE).map_err(|error| anyhow!("{error}"))?;
    let samples = || runs.iter().flat_map(|run| &run.memory.0);
    let latest = samples().map(|sample| sample.seconds.0).max().unwrap_or(0).next_multiple_of(TIME_STEP);
    let of_sample = |sample: &Sample| LINES.iter().map(|line| (line.value)(sample)).max().unwrap_or(0);
    let highest = samples().map(of_sample).chain(runs.iter().map(|run| run.node_memory)).max().unwrap_or(0);
    // Room for the marks above it.
    let top = (highest + MEMORY_STEP).next_multiple_of(MEMORY_STEP);
    for (part, run) in area.split_evenly((1, runs.len().max(1))).iter().zip(runs) {
        chart(part, run, latest.max(TIME_STEP), top)?;
    }
    area.present().map_err(|error| anyhow!("{error}"))?;
    drop(area);
    Ok(image)
}

fn chart(area: &Area<'_>, run: &Drawn<'_>, latest: u64, top: u64) -> anyhow::Result<()> {
    let area = area.titled(&run.title, ("sans-serif", 18))?;
    let area = area.titled(&run.subtitle, ("sans-serif", 13))?;
    let (_, height) = area.dim_in_pixel();
    let (area, key) = area.split_vertically(height.saturating_sub(2 * KEY_ROW));
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d(0..latest, 0..top)?;
    chart
        .configure_mesh()
        .x_desc("seconds")
        .y_desc("MiB")
        .x_label_formatter(&|tenths| (tenths / 10).to_string())
        .light_line_style(WHITE)
        .draw()?;
    for line in &LINES {
        let points = run.memory.0.iter().map(|sample| (sample.seconds.0, (line.value)(sample)));
        chart.draw_series(LineSeries::new(points, line.colour.stroke_width(2)))?;
    }
    let mut marked = Vec::new();
    for (row, what) in (0..).zip(What::ALL) {
        let times: Vec<Tenths> = run.memory.times_of(what).collect();
        if times.is_empty() {
            continue;
        }
        let height = MEMORY_STEP / 4;
        let upper = top - row * height;
        let marks = times.iter().map(|Tenths(at)| {
            PathElement::new([(*at, upper), (*at, upper - height)], colour_of(what).stroke_width(3))
        });
        chart.draw_series(marks)?;
        marked.push((format!("{what}: {}", times.len()), colour_of(what)));
    }
    draw_key(&key, 0, LINES.iter().map(|line| (line.name.to_owned(), line.colour)))?;
    draw_key(&key, 1, marked.into_iter())
}

/// Says what the colours are, below the chart: in it, lines would be hidden.
fn draw_key(
    area: &Area<'_>,
    row: u32,
    names: impl Iterator<Item = (String, RGBColor)>,
) -> anyhow::Result<()> {
    let y = i32::try_from(row * KEY_ROW)? + 8;
    for (x, (name, colour)) in (0..).map(|column| 80 + column * 130).zip(names) {
        area.draw(&PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(3)))?;
        area.draw(&Text::new(name, (x + 22, y - 5), ("sans-serif", 12)))?;
    }
    Ok(())
}
