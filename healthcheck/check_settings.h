// How the servers of a service are checked: what an operator writes as `check = { type = "http",
// ... }`. A plain value; the configuration validates it, against the limits below.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "healthcheck/status_set.h"

namespace ballast::healthcheck {

enum class CheckType : uint8_t {
  kNone,  // never checked, always up
  kTcp,   // up when a connection can be made
  kHttp,  // up when the response's status is an expected one
};

struct CheckSettings {
  // Limits that make sense of the fields; the configuration refuses what lies outside.
  static constexpr std::chrono::milliseconds kMinInterval{10};
  static constexpr std::chrono::milliseconds kMaxInterval{3'600'000};
  static constexpr uint32_t kMaxRise = 1000;
  static constexpr uint32_t kMaxFall = 1000;
  static constexpr double kMaxJitter = 0.5;

  CheckType type = CheckType::kNone;
  uint16_t port = 0;       // 0: the server's own
  std::string path = "/";  // http: what is asked for, in origin-form: begins with "/"
  std::string host;  // http: the Host header; empty: the server's address (and port, unless 80)
  std::string method = "GET";                // http
  StatusSet expect_status;                   // http; 200-299 unless said otherwise
  std::chrono::milliseconds interval{2000};  // from the begin of one check to the begin of the next
  std::chrono::milliseconds timeout{
      1000};            // for the whole check; at most `interval` (checks never overlap)
  uint32_t rise = 2;    // successes in a row that bring a server up
  uint32_t fall = 3;    // failures in a row that take it down
  double jitter = 0.1;  // each interval is drawn from interval * [1 - jitter, 1 + jitter]

  friend bool operator==(const CheckSettings&, const CheckSettings&) = default;
};

}  // namespace ballast::healthcheck
