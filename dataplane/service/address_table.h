// Which addresses mean something to this node: VIPs, gateways and local addresses, with the lease
// that they are held by, and the node's own.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/packet/address.h"
#include "dataplane/packet/numbers.h"

namespace ballast {

enum class AddressRole : uint8_t {
  kVip,      // services may listen here
  kNode,     // the node's own: the kernel's business
  kGateway,  // servers in NAT mode route through it
  kLocal,    // stands in the clients' place towards servers in FULLNAT mode
};

struct LocalAddress {
  IpAddress address;
  AddressRole role = AddressRole::kVip;
  // --- all but kNode, which are answered for by the dataplane on every port
  LeaseSlot lease{};  // answered for and forwarded only as far as this lease goes
  bool answer_ping = true;
  MacAddress virtual_mac;  // what ARP and ND are answered with; zero: the receiving port's own
  // --- kVip
  // A service here is NAT or FULLNAT, or was and may have connections left: packets need their
  // Translation.
  bool translates = false;
  bool steers_by_client = false;  // a service here is NAT: its listener says who owns a flow
  // --- kNode
  PortIndex port{};  // the twin that carries it

  friend bool operator==(const LocalAddress&, const LocalAddress&) = default;
};

// Open addressing over a power of two slots; immutable once built. Lookups touch one or two cache
// lines. Most addresses that are looked up for every packet are none of these (the clients that
// servers in NAT answer): a filter of kFilterBits an address says so of nearly all of them by one
// bit, without a comparison that could go either way.
class AddressTable {
 public:
  AddressTable() : AddressTable(std::span<const LocalAddress>{}) {}
  explicit AddressTable(std::span<const LocalAddress> addresses);

  // Null when the address is neither a VIP nor the node's.
  [[nodiscard]] const LocalAddress* find(const IpAddress& address) const;

  // All, in the order given: for announcements and for the solicited-node groups they are in.
  [[nodiscard]] std::span<const LocalAddress> all() const { return addresses_; }

  // Whether packets of a connection in NAT or FULLNAT may be from or to one of these: it is a VIP
  // that `translates`, or a local address.
  [[nodiscard]] bool translates() const { return translates_; }

  // Those that servers route through.
  [[nodiscard]] std::span<const LocalAddress> gateways() const { return gateways_; }

  // Whether one of these is answered for with this virtual MAC.
  [[nodiscard]] bool has_virtual_mac(const MacAddress& mac) const;

  // Whether `group` is the solicited-node multicast address (RFC 4291 section 2.7.1) of one
  // that the dataplane answers for.
  [[nodiscard]] bool is_solicited_node_of_vip(const IpAddress& group) const;

 private:
  std::vector<LocalAddress> addresses_;
  std::vector<LocalAddress> gateways_;
  static constexpr size_t kFilterBits = 32;

  std::vector<uint64_t> filter_;  // a bit for each hash; a power of two words
  std::vector<uint32_t> slots_;   // subscript into addresses_ plus one; 0 is empty
  bool translates_ = false;
  std::vector<MacAddress> virtual_macs_;   // sorted
  std::vector<uint32_t> solicited_nodes_;  // last 24 bits of the IPv6 VIPs, sorted
};

}  // namespace ballast
