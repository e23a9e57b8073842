#include "control/daemon/local_port_drops.h"

#include <string_view>

namespace ballast::control {
namespace {

constexpr std::string_view kExhausted = "local_ports_exhausted";
constexpr std::string_view kNoRoom = "local_ports_memory";

uint64_t seconds_between(LocalPortDrops::Time then, LocalPortDrops::Time now) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(now - then).count());
}

}  // namespace

void LocalPortDrops::count(uint64_t packets, Time now, Counter& counter) {
  if (counter.packets && packets > *counter.packets) {
    counter.grown = now;
  } else if (counter.packets && packets < *counter.packets) {
    counter.grown.reset();
  }
  counter.packets = packets;
}

void LocalPortDrops::read(const ballast::api::Statistics& statistics, Time now) {
  for (const ballast::api::DropCount& drop : statistics.drops()) {
    if (drop.reason() == kExhausted) {
      count(drop.packets(), now, exhausted_);
    } else if (drop.reason() == kNoRoom) {
      count(drop.packets(), now, no_room_);
    }
  }
}

void LocalPortDrops::fill(Time now, api::LocalPortStatus& status) const {
  status.set_exhausted_drops(exhausted_.packets.value_or(0));
  status.set_no_room_drops(no_room_.packets.value_or(0));
  if (exhausted_.grown) {
    status.set_exhausted_seconds_ago(seconds_between(*exhausted_.grown, now));
  }
  if (no_room_.grown) {
    status.set_no_room_seconds_ago(seconds_between(*no_room_.grown, now));
  }
}

}  // namespace ballast::control
