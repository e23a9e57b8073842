// What is wrong with a file, for the person who wrote it: sentences with file, line and column.
//
// All findings of one reading are collected, up to a bound, so that an operator corrects a file
// once and not once per mistake. Errors refuse the file, warnings do not. The form is
// `file:line:column: where: what: what would be right`, without a full stop:
//
//   ballast.toml:14:13: service "web": port 70000 is out of range (1-65535)
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ballast {

// Where something stands in a file, both counted from 1; {0, 0} is the file as a whole.
struct TomlPosition {
  uint32_t line = 0;
  uint32_t column = 0;

  friend auto operator<=>(const TomlPosition&, const TomlPosition&) = default;
};

class TomlReport {
 public:
  // Of errors, and again of warnings; what comes after is only counted.
  static constexpr size_t kMostFindings = 50;

  explicit TomlReport(std::string file) : file_(std::move(file)) {}

  void error(TomlPosition where, std::string message) { add(errors_, where, std::move(message)); }
  void warning(TomlPosition where, std::string message) {
    add(warnings_, where, std::move(message));
  }

  [[nodiscard]] bool has_errors() const { return errors_.count > 0; }

  // In the order of the file; the last line says how many more there are, if there are.
  [[nodiscard]] std::vector<std::string> errors() const { return lines(errors_); }
  [[nodiscard]] std::vector<std::string> warnings() const { return lines(warnings_); }

 private:
  struct Finding {
    TomlPosition where;
    std::string message;
  };
  struct Findings {
    std::vector<Finding> kept;
    size_t count = 0;
  };

  static void add(Findings& findings, TomlPosition where, std::string message);
  [[nodiscard]] std::vector<std::string> lines(const Findings& findings) const;

  std::string file_;
  Findings errors_;
  Findings warnings_;
};

// A text from a file as it may appear in a message: in quotes, control characters escaped, cut off
// after 100 bytes.
std::string quote(std::string_view text);

}  // namespace ballast
