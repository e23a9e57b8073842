// The tree of a parsed TOML file, as plain values that know where they stood.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "toml_reader/toml_report.h"

namespace ballast {

enum class TomlKind : uint8_t { kString, kInteger, kFloat, kBoolean, kDate, kArray, kTable };

struct TomlMember;

struct TomlNode {
  struct Date {};  // any of TOML's four kinds of date and time: known, never wanted
  using Array = std::vector<TomlNode>;
  using Table = std::vector<TomlMember>;  // in alphabetical order of the keys, each once

  TomlPosition where;
  std::variant<std::string, int64_t, double, bool, Date, Array, Table> value;  // as in TomlKind

  [[nodiscard]] TomlKind kind() const { return static_cast<TomlKind>(value.index()); }
};

struct TomlMember {
  std::string key;
  TomlPosition where;  // of the key
  TomlNode node;
};

// "a string", "an integer": for messages.
std::string_view name_of(TomlKind kind);

}  // namespace ballast
