#include "toml_reader/toml_report.h"

#include <algorithm>

#include <fmt/format.h>

namespace ballast {

void TomlReport::add(Findings& findings, TomlPosition where, std::string message) {
  ++findings.count;
  if (findings.kept.size() < kMostFindings) {
    findings.kept.push_back({where, std::move(message)});
  }
}

std::vector<std::string> TomlReport::lines(const Findings& findings) const {
  std::vector<Finding> sorted = findings.kept;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Finding& a, const Finding& b) { return a.where < b.where; });
  std::vector<std::string> result;
  result.reserve(sorted.size() + 1);
  for (const Finding& finding : sorted) {
    if (finding.where.line == 0) {
      result.push_back(fmt::format("{}: {}", file_, finding.message));
    } else {
      result.push_back(fmt::format("{}:{}:{}: {}", file_, finding.where.line, finding.where.column,
                                   finding.message));
    }
  }
  if (findings.count > findings.kept.size()) {
    result.push_back(fmt::format("{}: and {} more", file_, findings.count - findings.kept.size()));
  }
  return result;
}

std::string quote(std::string_view text) {
  constexpr size_t kLongest = 100;
  std::string result = "\"";
  for (const char c : text.substr(0, kLongest)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += c;
    }
  }
  if (text.size() > kLongest) {
    // Not in the middle of a UTF-8 sequence.
    while (!result.empty() && (static_cast<unsigned char>(result.back()) & 0xc0U) == 0x80U) {
      result.pop_back();
    }
    if (!result.empty() && (static_cast<unsigned char>(result.back()) & 0xc0U) == 0xc0U) {
      result.pop_back();
    }
    result += "...";
  }
  return result + '"';
}

}  // namespace ballast
