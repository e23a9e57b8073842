// Networks of 2 to 8 nodes under virtual time: loss, delay, duplication, reordering, partitions,
// restarts, freezes, clocks that run 10 % apart.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/unit/vrrp/world.h"

namespace ballast::vrrp::testing {
namespace {

constexpr uint64_t kStepsInAll = 1'000'000;

// What may happen to the network and to the nodes.
struct Chaos {
  bool loses = true;  // adverts, and partitions
  bool clocks_differ = true;
};

struct Scenario {
  Duration interval{};
  Duration delay{};  // the longest of an advert on a healthy network
  bool preempt = false;
  int families = 1;
  std::vector<GroupSettings> groups;
};

Scenario draw_scenario(Random& random, const Chaos& chaos) {
  Scenario scenario;
  const std::array intervals{ms(10), ms(100), ms(1000)};
  scenario.interval = intervals[random.below(intervals.size())];
  scenario.delay = std::min(scenario.interval / 100, ms(2));
  scenario.preempt = random.chance(50);
  scenario.families = random.chance(40) ? 2 : 1;
  const bool is_v2 = scenario.interval == ms(1000) && scenario.families == 1 && random.chance(30);
  const size_t count = 2 + random.below(7);
  const bool are_equal = chaos.loses && random.chance(20);
  for (size_t i = 0; i < count; ++i) {
    const auto priority = static_cast<uint8_t>(are_equal ? 100 : 20 + i * 30);
    scenario.groups.push_back(group_of(Priority{priority}, scenario.interval, scenario.families,
                                       is_v2 ? Version::kV2 : Version::kV3));
    scenario.groups.back().preempt = scenario.preempt;
  }
  return scenario;
}

class Storm {
 public:
  Storm(uint64_t seed, const Chaos& chaos)
      : random_(seed),
        chaos_(chaos),
        scenario_(draw_scenario(random_, chaos)),
        world_(scenario_.groups, [](size_t, size_t) { return std::vector<Duration>{}; }),
        side_(scenario_.groups.size(), false) {
    world_.keeps_log = true;
    world_.fate = [this](size_t from, size_t to) { return fate(from, to); };
    for (size_t i = 0; i < world_.nodes.size(); ++i) {
      if (chaos.clocks_differ) {
        world_.nodes[i].rate = 0.95 + 0.1 * static_cast<double>(random_.below(1001)) / 1000.0;
      }
      world_.start(i);
    }
  }

  void rage(int steps) {
    is_calm_ = false;
    for (int i = 0; i < steps; ++i) {
      if (random_.chance(3)) {
        disturb();
      }
      steps_ += static_cast<uint64_t>(world_.step(world_.now() + scenario_.interval));
    }
  }

  // Partition healed, everybody runs and can take part. Returns what is wrong, if anything.
  std::string heal_and_judge() {
    is_calm_ = true;
    std::fill(side_.begin(), side_.end(), false);
    for (size_t i = 0; i < world_.nodes.size(); ++i) {
      if (!world_.nodes[i].group) {
        world_.start(i);
      }
      world_.thaw(i);
      world_.set_condition(i, Condition{});
    }
    const Duration slow_interval = scenario_.interval * 11 / 10;
    // Adverts that were late on their way arrive, then every active router has heard every other.
    run(4 * scenario_.interval + slow_interval + 2 * scenario_.delay);
    world_.reset_measures();
    run(slow_interval * 5);
    world_.reset_measures();
    run(slow_interval * 5);
    std::string wrong = world_.violation();
    if (world_.longest_overlap() > 2 * scenario_.delay) {
      wrong += fmt::format(" two owners for {} after healing", to_text(world_.longest_overlap()));
    }
    if (world_.longest_gap() > Duration{0}) {
      wrong += fmt::format(" nobody for {} after healing", to_text(world_.longest_gap()));
    }
    if (world_.active().size() != 1) {
      wrong += fmt::format(" {} active", world_.active().size());
    }
    for (const RouterSettings& router : scenario_.groups.front().routers) {
      if (world_.holders(router.key) != 1) {
        wrong += fmt::format(" {} owners of IPv{}", world_.holders(router.key),
                             index(router.key.family));
      }
    }
    return wrong;
  }

  [[nodiscard]] const World& world() const { return world_; }
  World& world() { return world_; }
  [[nodiscard]] const Scenario& scenario() const { return scenario_; }
  [[nodiscard]] uint64_t steps() const { return steps_; }

 private:
  void run(Duration duration) {
    const TimePoint until = world_.now() + duration;
    while (world_.step(until)) {
      ++steps_;
    }
  }

  std::vector<Duration> fate(size_t from, size_t to) {
    const Duration way = random_.up_to(scenario_.delay);
    if (is_calm_ || !chaos_.loses) {
      return {way};
    }
    if (side_[from] != side_[to] || random_.chance(20)) {
      return {};
    }
    if (random_.chance(5)) {  // late, so that later ones overtake it, and twice
      return {way, random_.up_to(3 * scenario_.interval)};
    }
    return {way};
  }

  void disturb() {
    // Without loss: a node that dies in the very moment in which an advert that deposes it is on
    // its way is the same as a lost advert.
    if (!chaos_.loses && world_.has_flights()) {
      return;
    }
    const size_t node = random_.below(world_.nodes.size());
    switch (random_.below(chaos_.loses ? 10 : 8)) {
      case 0:
        world_.kill(node);
        break;
      case 1:
        world_.stop(node);
        world_.kill(node);
        break;
      case 2:
      case 3:
        if (!world_.nodes[node].group) {
          world_.start(node);
        }
        break;
      case 4:
        world_.freeze(node);
        break;
      case 5:
        world_.thaw(node);
        break;
      case 6:
        world_.with(node, [](RouterGroup& group, TimePoint at, Actions& actions) {
          if (!group.move_away(at, actions)) {
            group.release(at, actions);
          }
        });
        break;
      case 7: {
        Condition condition;
        if (random_.chance(30)) {
          condition.faults = {"link wan: down"};
        }
        world_.set_condition(node, condition);
        break;
      }
      default:
        side_[node] = !side_[node];
    }
  }

  Random random_;
  Chaos chaos_;
  Scenario scenario_;
  World world_;
  std::vector<bool> side_;
  bool is_calm_ = false;
  uint64_t steps_ = 0;
};

TEST(VrrpSimulation, OneActiveRouterOnceAPartitionHasHealedWhateverHappenedBefore) {
  uint64_t steps = 0;
  for (uint64_t seed = 1; steps < kStepsInAll; ++seed) {
    Storm storm(seed, {});
    for (int round = 0; round < 3; ++round) {
      storm.rage(500);
      const std::string wrong = storm.heal_and_judge();
      ASSERT_EQ(wrong, "") << "seed " << seed << " round " << round << " interval "
                           << to_text(storm.scenario().interval) << " preempt "
                           << storm.scenario().preempt << '\n'
                           << storm.world().describe();
    }
    steps += storm.steps();
  }
}

// Freezes, crashes, stops, moves and faults alone never make two owners: leases end by themselves.
// With clocks that differ two backups may rise within the time an advert takes.
TEST(VrrpSimulation, WithoutLossNoTwoNodesEverOwnAnAddressAtOnce) {
  uint64_t steps = 0;
  for (uint64_t seed = 1; steps < kStepsInAll / 4; ++seed) {
    const bool clocks_differ = seed % 2 == 0;
    Storm storm(seed, {.loses = false, .clocks_differ = clocks_differ});
    storm.world().reset_measures();
    const Duration allowed = clocks_differ ? 2 * storm.scenario().delay : storm.scenario().delay;
    for (int i = 0; i < 2000 && storm.world().longest_overlap() <= allowed; ++i) {
      storm.rage(1);
    }
    ASSERT_LE(storm.world().longest_overlap(), allowed) << "seed " << seed << '\n'
                                                        << storm.world().describe();
    ASSERT_EQ(storm.world().violation(), "") << "seed " << seed;
    steps += storm.steps();
  }
}

}  // namespace
}  // namespace ballast::vrrp::testing
