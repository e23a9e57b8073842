// Several runs of one thing, and the report of many things: a table for people, JSON for
// tests/bench/compare.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "tests/bench/json.h"
#include "tests/bench/machine.h"

namespace ballast::bench {

// Values of the same measurement, one a run.
class Sample {
 public:
  void add(double value) { values_.push_back(value); }
  [[nodiscard]] bool empty() const { return values_.empty(); }
  [[nodiscard]] double median() const;
  [[nodiscard]] double min() const;
  [[nodiscard]] double max() const;

 private:
  std::vector<double> values_;
};

// The rows of one benchmark. A row is an object of JSON and a line of text under the title line.
class Report {
 public:
  Report(std::string benchmark, Machine machine);

  // Prints the machine.
  void begin() const;
  // The head of the table whose rows follow.
  void title(const std::string& line);
  void add(const JsonObject& row, const std::string& line);
  // A row that could not be measured; the benchmark ends with an error.
  void fail(const std::string& what, const std::string& why);
  [[nodiscard]] bool failed() const { return failed_; }
  // An error says which file cannot be written.
  [[nodiscard]] tl::expected<void, std::string> write(const std::string& path) const;

 private:
  std::string benchmark_;
  Machine machine_;
  std::vector<std::string> rows_;
  bool failed_ = false;
};

}  // namespace ballast::bench
