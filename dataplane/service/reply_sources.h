// Whose packets may be replies in NAT mode: the servers of all NAT services, by address.
//
// A packet to an address that is not this node's is looked up here by its source, so that whatever
// else passes costs no lookup of a connection.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "dataplane/packet/address.h"
#include "dataplane/packet/numbers.h"

namespace ballast {

class ReplySources {
 public:
  ReplySources() : ReplySources(std::span<const std::pair<IpAddress, ServerIndex>>{}) {}
  // In any order; a server is given once.
  explicit ReplySources(std::span<const std::pair<IpAddress, ServerIndex>> servers);

  // All NAT servers with this address, of whatever service and port; empty: it is none's.
  [[nodiscard]] std::span<const ServerIndex> find(const IpAddress& address) const;
  [[nodiscard]] bool empty() const { return servers_.empty(); }

 private:
  struct Source {
    IpAddress address;
    uint32_t first = 0;  // subscript into servers_
    uint32_t count = 0;
  };

  std::vector<Source> sources_;
  std::vector<ServerIndex> servers_;  // by address
  std::vector<uint32_t> slots_;       // subscript into sources_ plus one; 0 is empty
};

}  // namespace ballast
