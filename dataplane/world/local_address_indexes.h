// The stable index of every local address of FULLNAT.
//
// A connection keeps the index as long as it lives, and a port of the address rests even longer
// (connection/local_ports.h). So an address keeps the index that it is given when a service first
// names it, until the process ends; named again later, it has the same one.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "dataplane/connection/translation.h"
#include "dataplane/packet/address.h"

namespace ballast {

class LocalAddressIndexes {
 public:
  // Gives one that is new the next index; the caller sees to it that there is one (size()).
  LocalAddressIndex intern(const IpAddress& address);
  [[nodiscard]] bool contains(const IpAddress& address) const { return indexes_.contains(address); }
  [[nodiscard]] size_t size() const { return indexes_.size(); }

  // By index; the same object until an address is added.
  [[nodiscard]] std::shared_ptr<const std::vector<IpAddress>> addresses();

 private:
  std::map<IpAddress, LocalAddressIndex> indexes_;
  std::shared_ptr<const std::vector<IpAddress>> addresses_ =
      std::make_shared<const std::vector<IpAddress>>();
};

}  // namespace ballast
