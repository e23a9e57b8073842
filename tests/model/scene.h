// Where an episode plays, and the changes that may come over it.
//
//   clients --- router 203.0.113.1 --- wan [ balancer ] lan --- servers
//
//   wan  203.0.113.0/24, clients .50 and .51 on it, 198.51.100.7 and .8 behind the router
//   lan  10.0.0.0/16, servers 10.0.0.11-15; gateway 10.0.0.1, local addresses 10.0.1.200 and .201;
//        servers 10.9.0.11 and .12 behind the router 10.0.0.254
//   VIPs 192.0.2.10 (always ours), 192.0.2.20 (with a lease and a virtual MAC); the same in IPv6
#pragma once

#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/model/setup.h"

namespace ballast::model {

struct Client {
  IpAddress address;
  MacAddress mac;  // that its frames come from
};

inline constexpr PortIndex kWan{0};
inline constexpr PortIndex kLan{1};
inline constexpr uint8_t kLeasedSlot = 1;

struct Scene {
  uint64_t seed = 0;
  uint16_t workers = 1;
  Setup setup;
  std::vector<Client> clients;           // four of IPv4, then four of IPv6
  std::vector<ListenerSetup> listeners;  // of all services, and some where nobody listens
};

using Random = std::mt19937_64;
// Less than `bound`.
inline uint64_t below(Random& random, uint64_t bound) {
  return random() % bound;
}
inline bool one_in(Random& random, uint64_t chances) {
  return below(random, chances) == 0;
}

[[nodiscard]] Scene make_scene(uint64_t seed, const std::set<Mode>& modes);

// ---------------------------------------------------------------- changes

enum class ChangeKind : uint8_t {
  kServer,     // removed or added again
  kDisable,    // or enabled
  kWeight,     // to `value`
  kMode,       // to `value`
  kScheduler,  // to `value`
  kService,    // 0: removed; else there
  kOnDown,     // to `value`
  kAnswers,    // what cannot be served is answered or not
  kLease,      // forwards: bit 0 of `value`; answers: bit 1
  kMtu,        // of a port, to `value`
  kPortUp,     // 0: down
  kNeighbor,   // to the state `value`
  kNeighborMac,
};

struct Change {
  ChangeKind kind = ChangeKind::kServer;
  uint16_t which = 0;   // service, port or neighbour
  uint16_t member = 0;  // server of a service
  uint16_t value = 0;
};

[[nodiscard]] Change random_change(Random& random, const Scene& scene, const std::set<Mode>& modes);
// Makes it over `setup`, which once was the scene's.
void apply(const Change& change, const Scene& scene, Setup& setup);
[[nodiscard]] std::string to_string(const Change& change, const Scene& scene);

}  // namespace ballast::model
