// VRRP adverts that the kernel sends through a twin: they leave with the virtual router's MAC as
// their source, so that switches learn by the first of them which way it has gone (RFC 9568
// section 7.2), and those that waited for too long do not leave.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/packet/address.h"
#include "dataplane/packet/packet_view.h"

namespace ballast {

struct OutgoingAdvert {
  MacAddress virtual_mac;    // by its family and virtual router id, whether or not it is in use
  uint64_t interval_ns = 0;  // at which the sender announces its adverts; not 0
};

// Nothing for any other frame, and for a message that no peer would accept as an advert.
std::optional<OutgoingAdvert> find_outgoing_advert(PacketView frame);

// Which of the 510 virtual router MACs are in use.
class VirtualMacSet {
 public:
  void add(const MacAddress& mac);  // any other MAC is left out
  [[nodiscard]] bool contains(const MacAddress& mac) const;

 private:
  std::bitset<512> in_use_;
};

}  // namespace ballast
