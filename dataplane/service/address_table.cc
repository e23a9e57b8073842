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

// Words of 64 bits.
size_t filter_size(size_t addresses, size_t bits_each) {
  return std::bit_ceil(std::max<size_t>(addresses * bits_each / 64, 8));
}

// By bits of the hash that the slots do not use.
uint64_t bit_of(uint64_t hash) {
  return uint64_t{1} << (hash >> 58);
}
size_t word_of(uint64_t hash, size_t words) {
  return hash >> 26 & (words - 1);
}

}  // namespace

AddressTable::AddressTable(std::span<const LocalAddress> addresses)
    : addresses_(addresses.begin(), addresses.end()),
      filter_(filter_size(addresses.size(), kFilterBits)),
      slots_(make_slots(addresses_.size(),
                        [this](uint32_t i) { return hash_address(addresses_[i].address); })) {
  for (const LocalAddress& local : addresses_) {
    const uint64_t hash = hash_address(local.address);
    filter_[word_of(hash, filter_.size())] |= bit_of(hash);
    translates_ |= local.translates || local.role == AddressRole::kLocal;
  }
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
    if (!local.virtual_mac.is_zero()) {
      virtual_macs_.push_back(local.virtual_mac);
    }
  }
  std::sort(virtual_macs_.begin(), virtual_macs_.end());
  virtual_macs_.erase(std::unique(virtual_macs_.begin(), virtual_macs_.end()), virtual_macs_.end());
  std::sort(solicited_nodes_.begin(), solicited_nodes_.end());
  solicited_nodes_.erase(std::unique(solicited_nodes_.begin(), solicited_nodes_.end()),
                         solicited_nodes_.end());
}

const LocalAddress* AddressTable::find(const IpAddress& address) const {
  const uint64_t hash = hash_address(address);
  if ((filter_[word_of(hash, filter_.size())] & bit_of(hash)) == 0) {
    return nullptr;
  }
  const uint32_t found =
      find_in_slots(slots_, hash, [&](uint32_t i) { return addresses_[i].address == address; });
  return found == 0 ? nullptr : &addresses_[found - 1];
}

bool AddressTable::has_virtual_mac(const MacAddress& mac) const {
  return std::binary_search(virtual_macs_.begin(), virtual_macs_.end(), mac);
}

bool AddressTable::is_solicited_node_of_vip(const IpAddress& group) const {
  return std::equal(kSolicitedNodePrefix.begin(), kSolicitedNodePrefix.end(),
                    group.bytes().begin()) &&
         std::binary_search(solicited_nodes_.begin(), solicited_nodes_.end(), last_24_bits(group));
}

}  // namespace ballast
