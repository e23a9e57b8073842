// A network of nodes under virtual time: every node has a group, a clock of its own rate, and a
// lease that ends by that clock whatever the node does. Adverts travel as bytes, through the codec
// and the judge. What happens to each on its way is decided by a Fate.
//
// Copyable, so that a search can fork it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "vrrp/advert_check.h"
#include "vrrp/router_group.h"

namespace ballast::vrrp::testing {

constexpr Duration ms(int64_t count) {
  return std::chrono::milliseconds{count};
}
constexpr Duration us(int64_t count) {
  return std::chrono::microseconds{count};
}

// A group on interface 1: one router for IPv4, with `families` 2 another for IPv6.
GroupSettings group_of(Priority priority, Duration interval, int families = 1,
                       Version version = Version::kV3);
IpAddress node_address(size_t node, Family family);

struct Holding {
  LeaseMode mode = LeaseMode::kNone;
  TimePoint until;  // by the node's own clock
};

struct Flight {
  TimePoint arrives;
  size_t from = 0;
  size_t to = 0;
  RouterKey key;
  std::shared_ptr<const std::vector<uint8_t>> message;
};

struct Node {
  std::optional<RouterGroup> group;  // none: its process is not running
  GroupSettings settings;
  double rate = 1.0;
  bool is_frozen = false;
  std::vector<Flight> backlog;  // arrived while frozen
  std::map<RouterKey, Holding> leases;
  uint64_t announcements = 0;
  std::vector<std::string> log;  // transitions, only when World::keeps_log
};

class World {
 public:
  // Delays of the copies of an advert that arrive; none: lost.
  using Fate = std::function<std::vector<Duration>(size_t from, size_t to)>;

  World(std::vector<GroupSettings> nodes, Fate fate);

  void start(size_t node);
  void adopt(size_t node);
  void kill(size_t node);  // without a word; the lease stays until it ends
  void stop(size_t node);
  void freeze(size_t node) { nodes[node].is_frozen = nodes[node].group.has_value(); }
  void thaw(size_t node);
  void with(size_t node,
            const std::function<void(RouterGroup&, TimePoint local, Actions& actions)>& what);
  void set_condition(size_t node, const Condition& condition);

  // The next event, no later than `until`; false: there is none before, and now() is `until`.
  bool step(TimePoint until);
  void run(Duration duration);
  [[nodiscard]] TimePoint next_event() const;
  [[nodiscard]] bool has_flights() const { return !flights_.empty(); }

  [[nodiscard]] TimePoint now() const { return now_; }
  [[nodiscard]] TimePoint local(size_t node, TimePoint real) const;
  [[nodiscard]] TimePoint real(size_t node, TimePoint local) const;
  [[nodiscard]] LeaseMode held(size_t node, const RouterKey& key) const;
  [[nodiscard]] size_t holders(const RouterKey& key, LeaseMode mode = LeaseMode::kFull) const;
  [[nodiscard]] std::vector<size_t> active() const;

  // The longest stretch in which two nodes fully held one router, since the last reset.
  [[nodiscard]] Duration longest_overlap() const { return longest_overlap_; }
  // The longest stretch in which nobody forwarded for the first router.
  [[nodiscard]] Duration longest_gap() const { return longest_gap_; }
  void reset_measures();

  [[nodiscard]] std::string describe() const;
  // What is wrong with what nodes did, empty if nothing: leases and adverts in the wrong order.
  [[nodiscard]] const std::string& violation() const { return violation_; }

  std::vector<Node> nodes;
  Fate fate;
  bool keeps_log = false;

 private:
  void carry_out(size_t node, const Actions& actions);
  void send(size_t node, const RouterKey& key, const Advert& advert);
  void deliver(const Flight& flight);
  void advance(TimePoint to);
  void measure(const RouterKey& key, TimePoint from, TimePoint to);

  TimePoint now_{std::chrono::hours{1}};
  std::vector<Flight> flights_;  // a heap, the earliest first
  std::map<RouterKey, std::optional<TimePoint>> overlap_since_;
  std::optional<TimePoint> gap_since_;
  Duration longest_overlap_{0};
  TimePoint longest_overlap_at_{};
  Duration longest_gap_{0};
  std::string violation_;
};

// Small, fast, the same everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 + 1) {}
  uint64_t next();
  uint64_t below(uint64_t bound) { return next() % bound; }
  bool chance(uint64_t percent) { return below(100) < percent; }
  Duration up_to(Duration bound) {
    return Duration{static_cast<int64_t>(below(static_cast<uint64_t>(bound.count()) + 1))};
  }

 private:
  uint64_t state_;
};

}  // namespace ballast::vrrp::testing
