// When new connections were last refused for want of local ports (mode fullnat), from readings of
// the dataplane's counters. Pure.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

#include "control/api/control.pb.h"
#include "dataplane/api/dataplane.pb.h"

namespace ballast::control {

class LocalPortDrops {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // A new reading. When the drops that the first one has took place is not known; counters that
  // went back are of a new dataplane.
  void read(const ballast::api::Statistics& statistics, Time now);
  void forget() { *this = {}; }

  void fill(Time now, api::LocalPortStatus& status) const;

 private:
  struct Counter {
    std::optional<uint64_t> packets;  // of the last reading
    std::optional<Time> grown;        // when it was last seen to have
  };
  static void count(uint64_t packets, Time now, Counter& counter);

  Counter exhausted_;
  Counter no_room_;
};

}  // namespace ballast::control
