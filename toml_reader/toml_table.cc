#include "toml_reader/toml_table.h"

#include <algorithm>
#include <cassert>

#include <fmt/format.h>

#include "toml_reader/duration.h"
#include "toml_reader/suggestion.h"

namespace ballast {
namespace {

std::string did_you_mean(std::string_view word, std::span<const std::string_view> known) {
  const auto nearest = nearest_word(word, known);
  return nearest ? fmt::format(": did you mean \"{}\"?", *nearest) : "";
}

std::string range_of(int64_t low, int64_t high) {
  return fmt::format("({}-{})", low, high);
}

}  // namespace

std::string_view name_of(TomlKind kind) {
  switch (kind) {
    case TomlKind::kString:
      return "a string";
    case TomlKind::kInteger:
      return "an integer";
    case TomlKind::kFloat:
      return "a float";
    case TomlKind::kBoolean:
      return "a boolean";
    case TomlKind::kDate:
      return "a date or time";
    case TomlKind::kArray:
      return "an array";
    case TomlKind::kTable:
      return "a table";
  }
  return "unknown";
}

TomlTable::TomlTable(const TomlNode& node, TomlReport& report, std::string context)
    : node_(&node), report_(&report), context_(std::move(context)) {
  assert(node.kind() == TomlKind::kTable);
}

const TomlMember* TomlTable::member(std::string_view key) const {
  const auto& members = std::get<TomlNode::Table>(node_->value);
  const auto found =
      std::lower_bound(members.begin(), members.end(), key,
                       [](const TomlMember& each, std::string_view k) { return each.key < k; });
  return found != members.end() && found->key == key ? &*found : nullptr;
}

const TomlNode* TomlTable::find(std::string_view key) {
  if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) {
    asked_.emplace_back(key);
  }
  const TomlMember* found = member(key);
  return found != nullptr ? &found->node : nullptr;
}

template <typename Value>
const Value* TomlTable::find_as(std::string_view key, std::string_view wanted) {
  const TomlNode* node = find(key);
  if (node == nullptr) {
    return nullptr;
  }
  const auto* value = std::get_if<Value>(&node->value);
  if (value == nullptr) {
    wrong_kind(*node, key, wanted);
  }
  return value;
}

void TomlTable::wrong_kind(const TomlNode& node, std::string_view what, std::string_view wanted) {
  error_at(node.where, fmt::format("{} must be {}, not {}", what, wanted, name_of(node.kind())));
}

std::optional<TomlKind> TomlTable::kind(std::string_view key) {
  const TomlNode* node = find(key);
  return node != nullptr ? std::optional(node->kind()) : std::nullopt;
}

TomlPosition TomlTable::where(std::string_view key) const {
  const TomlMember* found = member(key);
  return found != nullptr ? found->node.where : node_->where;
}

bool TomlTable::require(std::string_view key) {
  if (find(key) != nullptr) {
    return true;
  }
  error_at(node_->where, fmt::format("\"{}\" is missing", key));
  return false;
}

std::optional<std::string> TomlTable::string(std::string_view key) {
  const auto* value = find_as<std::string>(key, "a string");
  return value != nullptr ? std::optional(*value) : std::nullopt;
}

std::optional<bool> TomlTable::boolean(std::string_view key) {
  const auto* value = find_as<bool>(key, "true or false");
  return value != nullptr ? std::optional(*value) : std::nullopt;
}

std::optional<int64_t> TomlTable::integer(std::string_view key, int64_t low, int64_t high) {
  const auto* value = find_as<int64_t>(key, "an integer " + range_of(low, high));
  if (value == nullptr) {
    return std::nullopt;
  }
  if (*value < low || *value > high) {
    error(key, fmt::format("{} {} is out of range {}", key, *value, range_of(low, high)));
    return std::nullopt;
  }
  return *value;
}

std::optional<double> TomlTable::number(std::string_view key, double low, double high) {
  const TomlNode* node = find(key);
  if (node == nullptr) {
    return std::nullopt;
  }
  double value = 0;
  if (const auto* integer = std::get_if<int64_t>(&node->value)) {
    value = static_cast<double>(*integer);
  } else if (const auto* floating = std::get_if<double>(&node->value)) {
    value = *floating;
  } else {
    wrong_kind(*node, key, fmt::format("a number ({}-{})", low, high));
    return std::nullopt;
  }
  if (!(value >= low && value <= high)) {  // this way round, to refuse a nan
    error(key, fmt::format("{} {} is out of range ({}-{})", key, value, low, high));
    return std::nullopt;
  }
  return value;
}

std::optional<std::chrono::milliseconds> TomlTable::duration(std::string_view key,
                                                             std::chrono::milliseconds low,
                                                             std::chrono::milliseconds high) {
  constexpr std::string_view kForm = R"("500ms", "2s", "5m" or "1h")";
  const auto* text = find_as<std::string>(key, fmt::format("a duration such as {}", kForm));
  if (text == nullptr) {
    return std::nullopt;
  }
  const auto value = parse_duration(*text);
  if (!value) {
    error(key, fmt::format("{} {} is not a duration: write it as {}", key, quote(*text), kForm));
    return std::nullopt;
  }
  if (*value < low || *value > high) {
    error(key, fmt::format("{} {} is out of range ({}-{})", key, quote(*text), format_duration(low),
                           format_duration(high)));
    return std::nullopt;
  }
  return value;
}

std::optional<size_t> TomlTable::word_index(std::string_view key,
                                            std::span<const std::string_view> known) {
  const std::string list = fmt::format("{}", fmt::join(known, ", "));
  const auto* text = find_as<std::string>(key, "one of " + list);
  if (text == nullptr) {
    return std::nullopt;
  }
  const auto found = std::find(known.begin(), known.end(), *text);
  if (found == known.end()) {
    error(key, fmt::format("{} {} is not one of {}{}", key, quote(*text), list,
                           did_you_mean(*text, known)));
    return std::nullopt;
  }
  return static_cast<size_t>(found - known.begin());
}

std::optional<std::vector<TomlString>> TomlTable::strings(std::string_view key) {
  const auto* array = find_as<TomlNode::Array>(key, "an array of strings");
  if (array == nullptr) {
    return std::nullopt;
  }
  std::vector<TomlString> result;
  result.reserve(array->size());
  for (const TomlNode& element : *array) {
    if (const auto* text = std::get_if<std::string>(&element.value)) {
      result.push_back({*text, element.where});
    } else {
      wrong_kind(element, fmt::format("each element of {}", key), "a string");
    }
  }
  return result;
}

std::optional<TomlTable> TomlTable::table(std::string_view key) {
  const TomlNode* node = find(key);
  if (node == nullptr) {
    return std::nullopt;
  }
  if (node->kind() != TomlKind::kTable) {
    wrong_kind(*node, key, fmt::format("a table: [{0}] or {0} = {{ ... }}", key));
    return std::nullopt;
  }
  return TomlTable(*node, *report_, in_context(key));
}

std::vector<TomlTable> TomlTable::tables(std::string_view key) {
  const std::string wanted = fmt::format("an array of tables: [[{0}]] or {0} = [{{ ... }}]", key);
  std::vector<TomlTable> result;
  const auto* array = find_as<TomlNode::Array>(key, wanted);
  if (array == nullptr) {
    return result;
  }
  result.reserve(array->size());
  size_t count = 0;
  for (const TomlNode& element : *array) {
    ++count;
    if (element.kind() == TomlKind::kTable) {
      result.emplace_back(element, *report_, in_context(fmt::format("{} {}", key, count)));
    } else {
      wrong_kind(element, fmt::format("each element of {}", key), "a table: { ... }");
    }
  }
  return result;
}

std::vector<std::string_view> TomlTable::keys() const {
  std::vector<std::string_view> result;
  for (const TomlMember& each : std::get<TomlNode::Table>(node_->value)) {
    result.push_back(each.key);
  }
  return result;
}

void TomlTable::error(std::string_view key, std::string_view message) {
  error_at(where(key), message);
}

void TomlTable::error_at(TomlPosition where, std::string_view message) {
  report_->error(where, in_context(message));
}

void TomlTable::warning_at(TomlPosition where, std::string_view message) {
  report_->warning(where, in_context(message));
}

std::string TomlTable::in_context(std::string_view message) const {
  return context_.empty() ? std::string(message) : fmt::format("{}: {}", context_, message);
}

void TomlTable::finish() {
  const std::vector<std::string_view> known(asked_.begin(), asked_.end());
  for (const TomlMember& each : std::get<TomlNode::Table>(node_->value)) {
    if (std::find(known.begin(), known.end(), each.key) == known.end()) {
      error_at(each.where,
               fmt::format("unknown key {}{}", quote(each.key), did_you_mean(each.key, known)));
    }
  }
}

}  // namespace ballast
