#include "tests/bench/measurement.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace ballast::bench {

double Sample::median() const {
  std::vector<double> sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  const size_t middle = sorted.size() / 2;
  return sorted.size() % 2 != 0 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

double Sample::min() const {
  return *std::min_element(values_.begin(), values_.end());
}

double Sample::max() const {
  return *std::max_element(values_.begin(), values_.end());
}

Report::Report(std::string benchmark, Machine machine)
    : benchmark_(std::move(benchmark)), machine_(std::move(machine)) {}

void Report::begin() const {
  fmt::print("{}", machine_.to_string());
}

void Report::title(const std::string& line) {
  fmt::print("\n{}\n", line);
  static_cast<void>(std::fflush(stdout));
}

void Report::add(const JsonObject& row, const std::string& line) {
  rows_.push_back(row.text());
  fmt::print("{}\n", line);
  static_cast<void>(std::fflush(stdout));
}

void Report::fail(const std::string& what, const std::string& why) {
  failed_ = true;
  rows_.push_back(JsonObject().add("row", what).add("error", why).text());
  fmt::print("{}: ERROR: {}\n", what, why);
  static_cast<void>(std::fflush(stdout));
}

tl::expected<void, std::string> Report::write(const std::string& path) const {
  std::ofstream file(path);
  file << fmt::format("{{\"benchmark\": \"{}\",\n \"machine\": {},\n \"rows\": [\n  {}\n]}}\n",
                      benchmark_, machine_.to_json(), fmt::join(rows_, ",\n  "));
  if (!file.flush()) {
    return tl::unexpected(fmt::format("{}: {}", path, std::strerror(errno)));
  }
  return {};
}

}  // namespace ballast::bench
