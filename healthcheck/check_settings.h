// How the servers of a service are checked: what an operator writes as `check = { type = "http",
// ... }`. A plain value. The configuration calls validate() on it; everyone else may rely on that.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include <tl/expected.hpp>

#include "healthcheck/status_set.h"

namespace ballast::healthcheck {

// checker_list.h gives each its name and its checker.
enum class CheckType : uint8_t {
  kNone,  // never checked, always up
  kTcp,   // up when a connection can be made
  kHttp,  // up when the response's status is an expected one
};

struct CheckSettings {
  static constexpr std::chrono::milliseconds kMinInterval{10};
  static constexpr std::chrono::milliseconds kMaxInterval{3'600'000};
  static constexpr std::chrono::milliseconds kMinTimeout{1};
  static constexpr std::chrono::milliseconds kMaxTimeout{60'000};
  static constexpr uint32_t kMaxRise = 1000;
  static constexpr uint32_t kMaxFall = 1000;
  static constexpr double kMaxJitter = 0.5;
  static constexpr size_t kMaxPathLength = 2048;
  static constexpr size_t kMaxHostLength = 255;

  CheckType type = CheckType::kNone;
  // 0: the server's own.
  uint16_t port = 0;
  // http: what is asked for, in origin-form (RFC 9112 section 3.2.1): begins with "/".
  std::string path = "/";
  // http: the Host header. Empty: the server's address, and the port unless it is 80.
  std::string host;
  // http
  std::string method = "GET";
  // http; 200-299 unless said otherwise.
  StatusSet expect_status;
  // From the begin of one check to the begin of the next.
  std::chrono::milliseconds interval{2000};
  // For the whole check: connecting, sending, and all that is waited for.
  std::chrono::milliseconds timeout{1000};
  // Successes in a row that bring a server up, failures in a row that take it down.
  uint32_t rise = 2;
  uint32_t fall = 3;
  // Each interval is drawn from interval * [1 - jitter, 1 + jitter].
  double jitter = 0.1;

  friend bool operator==(const CheckSettings&, const CheckSettings&) = default;
};

// The first thing that is wrong, as `field: value: what would be right`.
tl::expected<void, std::string> validate(const CheckSettings& settings);

}  // namespace ballast::healthcheck
