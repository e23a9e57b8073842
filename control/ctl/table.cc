#include "control/ctl/table.h"

#include <algorithm>
#include <utility>

#include "control/api/printable.h"

namespace ballast::control {

void Table::add(std::vector<Cell> cells) {
  for (Cell& cell : cells) {
    cell.text = printable(std::move(cell.text));
  }
  rows_.push_back({std::move(cells), {}});
}

void Table::add_line(std::string line) {
  rows_.push_back({{}, std::move(line)});
}

void Table::widen(std::vector<size_t>& widths) const {
  widths.resize(columns_.size());
  for (size_t column = 0; column < columns_.size(); ++column) {
    widths[column] =
        std::max({widths[column], columns_[column].least_width, columns_[column].heading.size()});
    for (const Row& row : rows_) {
      if (column < row.cells.size()) {
        widths[column] = std::max(widths[column], row.cells[column].text.size());
      }
    }
  }
}

std::string Table::render(const std::vector<Cell>& cells, const std::vector<size_t>& widths) const {
  std::string line = indent_;
  size_t owed = 0;  // spaces that are written only if something follows
  for (size_t column = 0; column < cells.size(); ++column) {
    const std::string& text = cells[column].text;
    const size_t padding = widths[column] - std::min(widths[column], text.size());
    const bool right = columns_[column].align == Align::kRight;
    if (!text.empty()) {
      line.append(owed + (right ? padding : 0), ' ');
      line += style_.paint(cells[column].colour, text);
      owed = right ? 1 : padding + 1;
    } else {
      owed += padding + 1;
    }
  }
  return line + "\n";
}

std::string Table::headings(const std::vector<size_t>& widths) const {
  std::vector<Cell> cells;
  for (const Column& column : columns_) {
    cells.emplace_back(column.heading, Colour::kHeading);
  }
  return render(cells, widths);
}

std::string Table::rows(const std::vector<size_t>& widths) const {
  std::string text;
  for (const Row& row : rows_) {
    text += row.cells.empty() ? row.line + "\n" : render(row.cells, widths);
  }
  return text;
}

std::string Table::to_string() const {
  std::vector<size_t> widths;
  widen(widths);
  return headings(widths) + rows(widths);
}

std::string Table::rows_to_string() const {
  std::vector<size_t> widths;
  widen(widths);
  return rows(widths);
}

}  // namespace ballast::control
