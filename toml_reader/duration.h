// Durations as people write them: "100ms", "2s", "5m", "1h", "1d".
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace ballast {

// A whole number and one unit; no sign, no blanks. Nothing longer than 1000 days.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

// The same form, in the largest unit that divides it: 120000 ms is "2m".
std::string format_duration(std::chrono::milliseconds duration);

}  // namespace ballast
