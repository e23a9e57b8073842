// What [[vrrp]] of ballast.toml says, as values.
//
// An instance with addresses of both families is two virtual routers, which move together; so do
// instances that name the same group. Members of a group agree on all that decides an election
// (priority, preemption, delays), and what one of them tracks counts for all.
//
// Everything here is as configured and complete; nothing is known of the kernel's interfaces or of
// the router's state.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/packet/address.h"
#include "vrrp/identity.h"
#include "vrrp/router_settings.h"
#include "vrrp/tracking.h"

namespace ballast::control {

// Which state of a tracked file counts as up.
enum class FileIsUpIf : uint8_t { kExists, kMissing };

std::string_view name_of(FileIsUpIf up_if);

// One thing that an instance follows.
struct VrrpTrack {
  enum class Kind : uint8_t { kPort, kService, kScript, kFile, kRoute };

  Kind kind = Kind::kPort;
  // The port's, the service's name, the file's path, the route's prefix; of a script its command,
  // with blanks between the words.
  std::string subject;
  std::vector<std::string> command;  // of a script: an absolute path, then arguments
  FileIsUpIf up_if = FileIsUpIf::kExists;

  int weight = 0;                            // 0: down is a fault
  std::chrono::milliseconds interval{2000};  // of a script
  std::chrono::milliseconds timeout{1000};   // of a script; not longer than the interval
  uint32_t rise = 1;                         // of a script
  uint32_t fall = 1;                         // of a script
  std::chrono::milliseconds up_delay{0};     // of all others: how long a change has to last
  std::chrono::milliseconds down_delay{0};

  // "port wan", "script /usr/local/bin/check-bgp --fast": unique within an instance.
  [[nodiscard]] std::string name() const;
  friend bool operator==(const VrrpTrack&, const VrrpTrack&) = default;
};

std::string_view name_of(VrrpTrack::Kind kind);  // "port", "service", ...

struct VrrpSettings {  // key: name
  std::string name;
  std::string interface;          // the kernel twin of a port
  uint8_t virtual_router_id = 0;  // 1..255
  uint8_t priority = 100;         // 1..255; 255 owns the addresses
  vrrp::Version version = vrrp::Version::kV3;
  std::chrono::milliseconds advert_interval{100};  // 1 s in version 2
  // Of both families, in the order of the file; the first IPv6 one is link-local.
  std::vector<IpAddress> addresses;

  bool preempt = false;
  std::chrono::milliseconds preempt_delay{0};
  std::chrono::milliseconds start_delay{0};
  bool virtual_mac = true;
  std::vector<IpAddress> unicast_peers;  // none: multicast
  uint8_t minimum_ttl = vrrp::kRequiredTtl;
  vrrp::ChecksumForm checksum = vrrp::ChecksumForm::kRfc5798;
  bool strict_addresses = false;
  std::chrono::milliseconds announce_refresh{60'000};  // 0: never
  std::string group;                                   // empty: it moves by itself
  std::vector<VrrpTrack> tracks;
  std::vector<std::string> notify;  // an absolute path, then arguments; empty: nobody is told

  // Of one family, in order.
  [[nodiscard]] std::vector<IpAddress> addresses_of(Family family) const;
  [[nodiscard]] bool has(Family family) const;
  friend bool operator==(const VrrpSettings&, const VrrpSettings&) = default;
};

// What goes without saying: 100 ms, which version 2 cannot say, or 1 s.
std::chrono::milliseconds usual_advert_interval(vrrp::Version version);

// The link-local address that a virtual router's own MAC gives by the usual rule (RFC 4291
// appendix A), and which is therefore a good choice for the first of its IPv6 addresses.
IpAddress link_local_of_virtual_mac(uint8_t virtual_router_id);

// As vrrp/tracking.h wants them.
std::vector<vrrp::TrackSettings> track_settings(const VrrpSettings& instance);

}  // namespace ballast::control
