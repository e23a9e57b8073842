// How long ago something was, as the API says it: whole seconds, never below 0.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace ballast::control {

inline uint64_t seconds_since(std::chrono::steady_clock::time_point when) {
  const auto passed = std::chrono::steady_clock::now() - when;
  return static_cast<uint64_t>(
      std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(passed).count()));
}

}  // namespace ballast::control
