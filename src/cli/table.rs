//! Text in aligned columns.

/// Rows of cells, each column as wide as its widest cell.
#[derive(Debug)]
pub struct Table {
    alignment: &'static [Align],
    rows: Vec<Vec<String>>,
}

/// Where the text of a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// At the left.
    Left,
    /// At the right, for numbers.
    Right,
}

impl Table {
    /// A table with these columns; further ones are aligned left.
    pub fn new(alignment: &'static [Align]) -> Self {
        Self { alignment, rows: Vec::new() }
    }

    /// Adds a row. Rows may have fewer cells than there are columns.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// The table, every line indented by two spaces and without spaces at its end.
    pub fn render(&self) -> String {
        self.lines("  ", "  ")
    }

    /// The table as kubectl prints lists: no indentation, columns three spaces apart, no spaces at the end of lines.
    pub fn render_list(&self) -> String {
        self.lines("", "   ")
    }

    /// The same with columns two spaces apart, where there are many of them.
    pub fn render_dense_list(&self) -> String {
        self.lines("", "  ")
    }

    fn lines(&self, indentation: &str, gap: &str) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(|column| self.width(column)).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
                line.push_str(if column == 0 { indentation } else { gap });
                match self.alignment.get(column) {
                    Some(Align::Right) => line.extend([padding.as_str(), cell]),
                    Some(Align::Left) | None => line.extend([cell, padding.as_str()]),
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    fn width(&self, column: usize) -> usize {
        // The last cell of a row has nobody to its right to make room for.
        let inner = self.rows.iter().filter(|row| row.len() > column.saturating_add(1));
        let of = |row: &Vec<String>| row.get(column).map_or(0, |cell| cell.chars().count());
        match self.alignment.get(column) {
            Some(Align::Right) => self.rows.iter().map(of).max(),
            Some(Align::Left) | None => inner.map(of).max(),
        }
        .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_have_no_tail() {
        let mut table = Table::new(&[Align::Left, Align::Right]);
        table.row(["name", "size", "note"]);
        table.row(["a-long-name", "5", ""]);
        table.row(["x"]);
        assert_eq!(table.render(), "  name         size  note\n  a-long-name     5\n  x\n");
        assert_eq!(table.render_list(), "name          size   note\na-long-name      5\nx\n");
    }
}
