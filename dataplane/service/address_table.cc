#include "dataplane/service/address_table.h"

#include <algorithm>
#include <cassert>

#include "dataplane/service/slot_index.h"

namespace ballast {
namespace {

// ff02::1:ffXX:XXXX; what varies is the last 24 bits of the address (RFC 4291 section 2.7.1).
constexpr std::array<uint8_t, 13> kSolicitedNodePrefix{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};

uint32_t last_24_bits(const IpAddress& address) {
  const IpAddress::V6Bytes& bytes = address.bytes();
  return uint32_t{bytes[13]} << 16 | uint32_t{bytes[14]} << 8 | bytes[15];
}

}  // namespace

AddressTable::AddressTable(std::span<const LocalAddress> addresses)
    : addresses_(addresses.begin(), addresses.end()),
      slots_(make_slots(addresses_.size(),
                        [this](uint32_t i) { return hash_address(addresses_[i].address); })) {
  for ([[maybe_unused]] const LocalAddress& local : addresses_) {
    assert(find(local.address) == &local);  // no address is given twice
  }
  for (const LocalAddress& local : addresses_) {
    if (local.role == AddressRole::kGateway) {
      gateways_.push_back(local);
    }
    if (local.role != AddressRole::kNode && local.address.is_v6()) {
      solicited_nodes_.push_back(last_24_bits(local.address));
    }
  }
  std::sort(solicited_nodes_.begin(), solicited_nodes_.end());
  solicited_nodes_.erase(std::unique(solicited_nodes_.begin(), solicited_nodes_.end()),
                         solicited_nodes_.end());
}

const LocalAddress* AddressTable::find(const IpAddress& address) const {
  const uint32_t found = find_in_slots(
      slots_, hash_address(address), [&](uint32_t i) { return addresses_[i].address == address; });
  return found == 0 ? nullptr : &addresses_[found - 1];
}

bool AddressTable::is_solicited_node_of_vip(const IpAddress& group) const {
  return std::equal(kSolicitedNodePrefix.begin(), kSolicitedNodePrefix.end(),
                    group.bytes().begin()) &&
         std::binary_search(solicited_nodes_.begin(), solicited_nodes_.end(), last_24_bits(group));
}

}  // namespace ballast
