#include "toml_reader/duration.h"

#include <array>
#include <charconv>
#include <cstdint>

#include <fmt/format.h>

namespace ballast {
namespace {

struct Unit {
  std::string_view name;
  int64_t milliseconds;
};

// The largest first: format_duration takes the first that divides.
constexpr std::array<Unit, 5> kUnits{{
    {"d", 86'400'000},
    {"h", 3'600'000},
    {"m", 60'000},
    {"s", 1'000},
    {"ms", 1},
}};
constexpr int64_t kLongest = 1000 * kUnits[0].milliseconds;

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  if (text.empty() || text.front() == '-') {
    return std::nullopt;
  }
  int64_t count = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, count);
  if (error != std::errc{}) {
    return std::nullopt;
  }
  const std::string_view name(rest, static_cast<size_t>(end - rest));
  for (const Unit& unit : kUnits) {
    if (unit.name == name) {
      if (count > kLongest / unit.milliseconds) {
        return std::nullopt;
      }
      return std::chrono::milliseconds(count * unit.milliseconds);
    }
  }
  return std::nullopt;
}

std::string format_duration(std::chrono::milliseconds duration) {
  if (duration.count() == 0) {
    return "0s";
  }
  for (const Unit& unit : kUnits) {
    if (duration.count() % unit.milliseconds == 0) {
      return fmt::format("{}{}", duration.count() / unit.milliseconds, unit.name);
    }
  }
  return fmt::format("{}ms", duration.count());
}

}  // namespace ballast
