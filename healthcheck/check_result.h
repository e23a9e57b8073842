// What one check found out.
#pragma once

#include <cstdint>
#include <string>

namespace ballast::healthcheck {

enum class Verdict : uint8_t {
  kHealthy,
  kUnhealthy,
  // The check could not be made for a reason of this machine's own (no file descriptor left, no
  // local port left). It says nothing about the server and never changes its state.
  kInconclusive,
};

struct CheckResult {
  Verdict verdict = Verdict::kInconclusive;
  // For people: "HTTP status 503, expected 200-299". Printable, of bounded length.
  std::string text;

  friend bool operator==(const CheckResult&, const CheckResult&) = default;
};

}  // namespace ballast::healthcheck
