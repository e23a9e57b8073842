// Typed reading of one table of a TOML file.
//
// Each getter names a key. It gives the value when it is there and right; otherwise nothing, and
// when it is there but wrong, the report says where and what would be right. A table remembers
// which keys it was asked for: finish() refuses every other key, and suggests the nearest known
// one. So ask for every key, also for those that another key makes pointless, and then call
// finish(), once.
//
//   const std::optional<TomlTable> port = root.table("port");
//   const uint16_t queues = port->integer<uint16_t>("queues", 1, 64).value_or(1);
//   port->finish();
//
// A table borrows its document and its report; it is a cursor, cheap enough to pass by value.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "toml_reader/toml_node.h"
#include "toml_reader/toml_report.h"

namespace ballast {

struct TomlString {
  std::string value;
  TomlPosition where;
};

// One of the words that a key may have as its value.
template <typename Enum>
struct TomlWord {
  std::string_view word;
  Enum value;
};

class TomlTable {
 public:
  // `node` must be a table. `context` is what messages begin with: `service "web"`, or nothing.
  TomlTable(const TomlNode& node, TomlReport& report, std::string context);

  [[nodiscard]] const std::string& context() const { return context_; }
  void set_context(std::string context) { context_ = std::move(context); }

  [[nodiscard]] bool has(std::string_view key) { return find(key) != nullptr; }
  // Of the value of a key that may have several kinds; nothing when it is absent.
  [[nodiscard]] std::optional<TomlKind> kind(std::string_view key);
  // Of the value of a key; of the table itself when it is absent.
  [[nodiscard]] TomlPosition where(std::string_view key) const;
  [[nodiscard]] TomlPosition where() const { return node_->where; }

  // Reports a key that is absent.
  bool require(std::string_view key);

  std::optional<std::string> string(std::string_view key);
  std::optional<bool> boolean(std::string_view key);
  std::optional<int64_t> integer(std::string_view key, int64_t low, int64_t high);
  // Of a narrower type, of which `low` and `high` must be values.
  template <typename Integer>
  std::optional<Integer> integer(std::string_view key, std::type_identity_t<Integer> low,
                                 std::type_identity_t<Integer> high) {
    const auto value = integer(key, static_cast<int64_t>(low), static_cast<int64_t>(high));
    return value ? std::optional<Integer>(static_cast<Integer>(*value)) : std::nullopt;
  }
  // An integer or a float.
  std::optional<double> number(std::string_view key, double low, double high);
  std::optional<std::chrono::milliseconds> duration(std::string_view key,
                                                    std::chrono::milliseconds low,
                                                    std::chrono::milliseconds high);
  template <typename Enum>
  std::optional<Enum> word(std::string_view key, std::span<const TomlWord<Enum>> words) {
    std::vector<std::string_view> known;
    for (const auto& each : words) {
      known.push_back(each.word);
    }
    const std::optional<size_t> chosen = word_index(key, known);
    return chosen ? std::optional<Enum>(words[*chosen].value) : std::nullopt;
  }
  template <typename Enum, size_t Size>
  std::optional<Enum> word(std::string_view key, const TomlWord<Enum> (&words)[Size]) {
    return word<Enum>(key, std::span<const TomlWord<Enum>>(words));
  }
  // Subscript of the word among those that are known.
  std::optional<size_t> word_index(std::string_view key, std::span<const std::string_view> known);

  // An array of strings; elements that are not strings are reported and left out.
  std::optional<std::vector<TomlString>> strings(std::string_view key);
  // `[key]` or `key = { ... }`.
  std::optional<TomlTable> table(std::string_view key);
  // `[[key]]` or `key = [{ ... }, ...]`; none when it is absent. The context of each is "KEY N",
  // from 1.
  std::vector<TomlTable> tables(std::string_view key);
  // The keys of this table, for tables whose keys are data; then finish() is not needed.
  [[nodiscard]] std::vector<std::string_view> keys() const;

  // `message` goes behind the context.
  void error(std::string_view key, std::string_view message);
  void error_at(TomlPosition where, std::string_view message);
  void warning_at(TomlPosition where, std::string_view message);

  // Refuses every key that nobody has asked for.
  void finish();

 private:
  [[nodiscard]] const TomlMember* member(std::string_view key) const;
  const TomlNode* find(std::string_view key);
  template <typename Value>
  const Value* find_as(std::string_view key, std::string_view wanted);
  void wrong_kind(const TomlNode& node, std::string_view what, std::string_view wanted);
  [[nodiscard]] std::string in_context(std::string_view message) const;

  const TomlNode* node_;
  TomlReport* report_;
  std::string context_;
  std::vector<std::string> asked_;  // keys, each once
};

}  // namespace ballast
