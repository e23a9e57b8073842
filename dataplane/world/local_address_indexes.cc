#include "dataplane/world/local_address_indexes.h"

#include <cassert>
#include <limits>

#include "dataplane/packet/numbers.h"

namespace ballast {

LocalAddressIndex LocalAddressIndexes::intern(const IpAddress& address) {
  assert(contains(address) || size() <= std::numeric_limits<uint16_t>::max());
  const auto next = LocalAddressIndex{static_cast<uint16_t>(size())};
  return indexes_.try_emplace(address, next).first->second;
}

std::shared_ptr<const std::vector<IpAddress>> LocalAddressIndexes::addresses() {
  if (addresses_->size() != size()) {
    std::vector<IpAddress> all(size());
    for (const auto& [address, place] : indexes_) {
      all[index(place)] = address;
    }
    addresses_ = std::make_shared<const std::vector<IpAddress>>(std::move(all));
  }
  return addresses_;
}

}  // namespace ballast
