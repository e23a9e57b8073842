// Bounds on a TOML text that are checked before it is parsed.
//
// The parser and its tree recurse once per nested value and once per part of a dotted key, and keep
// about 200 bytes per value; a small hostile or garbled file could exhaust the stack or the memory.
// This scan knows just enough of TOML's grammar (comments and the four kinds of string) to count
// brackets, dots and values. It is exact up to the first syntax error, and there the parser stops
// too. It also refuses bytes beyond ASCII outside of strings and comments, which TOML does not
// have: some of them lead toml++ 3.3.0 into undefined behaviour.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "toml_reader/toml_report.h"

namespace ballast {

struct TomlBounds {
  size_t nesting = 16;      // brackets and braces inside each other
  size_t key_parts = 16;    // of a dotted key or table header
  size_t values = 1000000;  // in the whole file
  size_t dots =
      200000;  // outside of strings; the parser looks through all dotted keys for each of them
  size_t headers = 200000;  // [table] and [[table]]; likewise
};

struct TomlExcess {
  TomlPosition where;
  std::string message;
};

// What exceeds the bounds first, or nothing.
std::optional<TomlExcess> find_excess(std::string_view text, const TomlBounds& bounds);

}  // namespace ballast
