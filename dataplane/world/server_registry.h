// The stable index of every real server.
//
// A server is (service, address, port, mode): in another mode a connection means something else, so
// a service that changes its mode has other servers. An index is given when it is first named and
// stays while a connection may refer to it: remove() only marks it, add() of the same identity
// revives it, and free() gives the index back once the caller knows that nobody holds it any more.
// Index 0 is never used.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "dataplane/packet/address.h"
#include "dataplane/packet/byte_order.h"
#include "dataplane/packet/numbers.h"
#include "dataplane/service/virtual_service.h"

namespace ballast {

// Position of a service in ForwardingSnapshot::services; it stays with the service's name.
enum class ServiceSlot : uint32_t {};

class ServerRegistry {
 public:
  enum class State : uint8_t { kFree, kLive, kRemoved };

  struct Entry {
    ServiceSlot service{};
    IpAddress address;
    Big16 port;
    ForwardingMode mode{};
    State state = State::kFree;
  };

  // The index of this server, live from now on; `is_new` tells one that was just given from one
  // that was there or revived.
  struct Added {
    ServerIndex server;
    bool is_new;
  };
  Added add(ServiceSlot service, const IpAddress& address, Big16 port, ForwardingMode mode);
  void remove(ServerIndex server);  // of a live one
  void free(ServerIndex server);    // of a removed one

  // kNoServer when it was never named or is freed.
  [[nodiscard]] ServerIndex find(ServiceSlot service, const IpAddress& address, Big16 port,
                                 ForwardingMode mode) const;
  // Of any index below end().
  [[nodiscard]] const Entry& at(ServerIndex server) const { return entries_[index(server)]; }
  // Every index given is below it.
  [[nodiscard]] uint32_t end() const { return static_cast<uint32_t>(entries_.size()); }
  // Live and removed ones.
  [[nodiscard]] size_t used() const { return by_identity_.size(); }
  [[nodiscard]] const std::set<ServerIndex>& removed() const { return removed_; }

  // Live and removed ones, in order of address, port and mode. The visitor may remove() but not
  // add() or free().
  void visit_service(ServiceSlot service, const std::function<void(ServerIndex)>& visitor) const;
  [[nodiscard]] bool has_servers(ServiceSlot service) const;
  // Any server with this address; kNoServer when there is none.
  [[nodiscard]] ServerIndex find_address(const IpAddress& address) const;
  void visit_address(const IpAddress& address,
                     const std::function<void(ServerIndex)>& visitor) const;
  // Each address of a server inside the prefix, at least once.
  void visit_addresses(const Prefix& prefix,
                       const std::function<void(const IpAddress&)>& visitor) const;

 private:
  using Identity = std::tuple<ServiceSlot, IpAddress, Big16, ForwardingMode>;

  std::vector<Entry> entries_ = std::vector<Entry>(1);  // by index
  std::vector<ServerIndex> free_;
  std::map<Identity, ServerIndex> by_identity_;
  std::set<std::pair<IpAddress, ServerIndex>> by_address_;
  std::set<ServerIndex> removed_;
};

}  // namespace ballast
