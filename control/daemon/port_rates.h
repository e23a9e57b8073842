// Packets per second of each port, from two readings of its counters. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "dataplane/api/dataplane.pb.h"

namespace ballast::control {

struct PortRate {
  uint64_t rx_packets_per_second = 0;
  uint64_t tx_packets_per_second = 0;

  friend bool operator==(const PortRate&, const PortRate&) = default;
};

class PortRates {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // A new reading. Counters that went back (the dataplane is a new one) give no rate until the
  // next.
  void read(const ballast::api::Statistics& statistics, Time now);
  void forget() { *this = {}; }

  // Nothing before the second reading.
  [[nodiscard]] std::optional<PortRate> of(const std::string& port) const;

 private:
  struct Reading {
    uint64_t rx_packets = 0;
    uint64_t tx_packets = 0;
    Time at;
    std::optional<PortRate> rate;
  };
  std::map<std::string, Reading> readings_;
};

}  // namespace ballast::control
