// Which addresses mean something to this node: VIPs, with the lease that they are held by, and the
// node's own.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/packet/address.h"
#include "dataplane/packet/numbers.h"

namespace ballast {

enum class AddressRole : uint8_t { kVip, kNode };

struct LocalAddress {
  IpAddress address;
  AddressRole role = AddressRole::kVip;
  LeaseSlot lease{};        // VIPs: answered for and forwarded only as far as this lease goes
  bool answer_ping = true;  // VIPs
  bool any_port = true;     // VIPs: the address is answered for on every port; kNode: unused
  PortIndex port{};         // kNode: the twin that carries it
  MacAddress
      virtual_mac;  // VIPs: what ARP and ND are answered with; zero means the receiving port's own
};

// Open addressing over a power of two slots; immutable once built. Lookups touch one or two cache
// lines.
class AddressTable {
 public:
  AddressTable() : AddressTable(std::span<const LocalAddress>{}) {}
  explicit AddressTable(std::span<const LocalAddress> addresses);

  // Null when the address is neither a VIP nor the node's.
  [[nodiscard]] const LocalAddress* find(const IpAddress& address) const;

  // All, in the order given: for announcements and for the solicited-node groups they are in.
  [[nodiscard]] std::span<const LocalAddress> all() const { return addresses_; }

  // Whether `group` is the solicited-node multicast address (RFC 4291 section 2.7.1) of a VIP.
  [[nodiscard]] bool is_solicited_node_of_vip(const IpAddress& group) const;

 private:
  std::vector<LocalAddress> addresses_;
  std::vector<uint32_t> slots_;            // subscript into addresses_ plus one; 0 is empty
  std::vector<uint32_t> solicited_nodes_;  // last 24 bits of the IPv6 VIPs, sorted
};

}  // namespace ballast
