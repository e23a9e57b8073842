// Rows of text in columns as wide as what they hold.
//
// Numbers are aligned to the right, a heading as its column. Nothing follows the last cell of a
// row, so that lines can be compared and cut. Control characters in cells are replaced: a name from
// a file or a peer never commands the terminal.
#pragma once

#include <string>
#include <vector>

#include "control/ctl/style.h"

namespace ballast::control {

enum class Align { kLeft, kRight };

struct Column {
  std::string heading;
  Align align = Align::kLeft;
  size_t least_width = 0;
};

struct Cell {
  std::string text;
  Colour colour = Colour::kNone;

  Cell() = default;
  Cell(std::string content, Colour colour_of_text = Colour::kNone)  // NOLINT: a text is a cell
      : text(std::move(content)), colour(colour_of_text) {}
  Cell(const char* content) : text(content) {}  // NOLINT
};

class Table {
 public:
  Table(std::vector<Column> columns, Style style, std::string indent = {})
      : columns_(std::move(columns)), style_(style), indent_(std::move(indent)) {}

  void add(std::vector<Cell> cells);  // as many as there are columns, or fewer
  void add_line(std::string line);    // across all columns, as it is
  [[nodiscard]] bool empty() const { return rows_.empty(); }

  // Columns of a table that is printed in parts: rows that come later are at least as wide as those
  // before.
  void widen(std::vector<size_t>& widths) const;
  [[nodiscard]] std::string headings(const std::vector<size_t>& widths) const;
  [[nodiscard]] std::string rows(const std::vector<size_t>& widths) const;

  [[nodiscard]] std::string to_string() const;       // headings and rows
  [[nodiscard]] std::string rows_to_string() const;  // rows alone

 private:
  struct Row {
    std::vector<Cell> cells;
    std::string line;  // when there are no cells
  };
  [[nodiscard]] std::string render(const std::vector<Cell>& cells,
                                   const std::vector<size_t>& widths) const;

  std::vector<Column> columns_;
  Style style_;
  std::string indent_;
  std::vector<Row> rows_;
};

}  // namespace ballast::control
