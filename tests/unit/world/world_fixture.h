// A world with two ports, and short ways to say what a transaction holds.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/api/dataplane.pb.h"
#include "dataplane/world/world.h"

namespace ballast::test {

inline constexpr PortIndex kWan{0};
inline constexpr PortIndex kLan{1};

std::vector<WorldPort> two_ports();

api::Server server(const std::string& address, uint32_t weight = 100, uint32_t port = 0);
// A DR service, "rr", on one TCP listener.
api::Service service(const std::string& name, const std::string& vip, uint32_t port,
                     const std::vector<api::Server>& servers);
// The same in another mode, FULLNAT with 10.0.0.200 and 2001:db8:1::200 as local addresses.
api::Service service_in(api::Mode mode, const std::string& name, const std::string& vip,
                        uint32_t port, const std::vector<api::Server>& servers);
api::Neighbor neighbor(const std::string& port, const std::string& address, const std::string& mac);

// Collects resources and keys; a generation is given when it is applied.
class Change {
 public:
  explicit Change(bool full = false) { transaction_.set_full(full); }

  Change& add(const api::Service& service);
  Change& add(const api::Neighbor& neighbor);
  Change& add_vip(const std::string& address, uint32_t lease_slot = 0,
                  const std::string& virtual_mac = {}, api::AddressUse use = api::SERVICES);
  Change& add_local(const std::string& address) { return add_vip(address, 0, {}, api::LOCAL); }
  Change& route_for(const std::vector<std::string>& networks);  // the settings
  // `gateway` empty: the destination itself is the neighbour.
  Change& add_route(const std::string& prefix, const std::string& port,
                    const std::string& gateway = {});
  Change& add_port(const std::string& name, const std::vector<std::string>& addresses);
  Change& remove_service(const std::string& name);
  Change& remove_vip(const std::string& address);
  Change& remove_route(const std::string& prefix);
  Change& remove_neighbor(const std::string& port, const std::string& address);

  api::Transaction& transaction() { return transaction_; }

 private:
  api::Transaction transaction_;
};

std::set<ForwardingMode> all_modes();

struct WorldFixture {
  explicit WorldFixture(const WorldLimits& limits = {}, uint32_t neighbor_capacity = 1000,
                        const std::set<ForwardingMode>& modes = all_modes())
      : neighbors(neighbor_capacity), world(two_ports(), neighbors, modes, limits) {}

  // Applies it with the next generation.
  World::Outcome apply(Change& change);
  World::Outcome apply(Change&& change) { return apply(change); }
  // Applies it and expects it to be accepted.
  std::shared_ptr<const ForwardingSnapshot> accept(Change&& change);
  // Applies it, expects it to be refused and to change nothing, and gives "what: why" of all
  // refusals.
  std::vector<std::string> refuse(Change&& change);

  // The index of a server in the words of describe(), a live one first; kNoServer when there is
  // none.
  [[nodiscard]] ServerIndex find(const std::string& service, const std::string& address) const;
  [[nodiscard]] const RealServer& real(const std::string& service,
                                       const std::string& address) const;
  [[nodiscard]] Neighbor next_hop_of(const std::string& service, const std::string& address) const;

  NeighborTable neighbors;
  World world;
};

// Two VIPs, a route to a LAN, and nothing else.
Change base();

// Everything that a worker could see in a snapshot, by names instead of indexes, so that two
// snapshots which forward alike give the same text.
std::string print(const World& world, const NeighborTable& neighbors);

// The whole of a scheduler's share: how often each server, by address, is picked in `picks` picks.
std::map<std::string, int> picks(const ForwardingSnapshot& snapshot, const Pool& pool, int picks);

}  // namespace ballast::test
