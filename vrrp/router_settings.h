// One virtual router, and the group of those that move together, as an operator configures them.
//
// A [[vrrp]] instance with addresses of both families is two virtual routers in one group; a group
// may also hold several instances. All members of a group have one priority and one opinion about
// preemption: they win and lose elections together.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "vrrp/advert_codec.h"
#include "vrrp/timing.h"

namespace ballast::vrrp {

struct RouterSettings {
  RouterKey key;
  Version version = Version::kV3;
  Duration advert_interval = std::chrono::milliseconds{100};
  std::vector<IpAddress> addresses;  // of the key's family; IPv6: the first is link-local

  ChecksumForm checksum = ChecksumForm::kRfc5798;  // what is sent
  std::vector<IpAddress> unicast_peers;            // empty: multicast
  // Of unicast; multicast is always 255. keepalived 2.2.7 sends unicast over IPv6 with 64.
  uint8_t minimum_ttl = kRequiredTtl;
  // Discard adverts with other addresses than these, as RFC 3768 section 7.1 does unless the
  // sender is the owner. It makes two active routers while an operator edits: off by default.
  bool strict_addresses = false;
  // False: the addresses are answered for with the port's own MAC, and adverts come from it. What
  // the state machine does with it: receive_in_active.
  bool virtual_mac = true;

  friend bool operator==(const RouterSettings&, const RouterSettings&) = default;
};

struct GroupSettings {
  std::string name;
  Priority priority = kDefaultPriority;
  // Off: a healthy active router is left alone whatever its priority. See
  // RivalWatch.
  bool preempt = false;
  Duration preempt_delay{0};
  Duration announce_refresh = std::chrono::seconds{60};  // 0: never
  // The first one decides ties, see router_group.h.
  std::vector<RouterSettings> routers;

  friend bool operator==(const GroupSettings&, const GroupSettings&) = default;
};

inline constexpr size_t kMaximumRoutersPerGroup = 32;
inline constexpr size_t kMaximumUnicastPeers = 16;

// The first thing that is wrong, as `field: value: what would be right`.
tl::expected<void, std::string> validate(const GroupSettings& group);

// "100 ms", "1 s", "2.5 ms".
std::string to_text(Duration duration);

}  // namespace ballast::vrrp
