// Two nodes, everything that can happen to them within kDepth decisions: the fate of each advert,
// and what is done to the nodes twice per interval. A run is replayed from its decisions; those
// beyond the depth are the harmless ones, so that every run ends in a network that has healed.
#include <gtest/gtest.h>

#include "tests/unit/vrrp/world.h"

namespace ballast::vrrp::testing {
namespace {

constexpr size_t kDepth = 6;  // 8 was run too: a minute
constexpr Duration kInterval = ms(100);
constexpr Duration kDelay = ms(1);

// A path through the tree of decisions.
class Decisions {
 public:
  // 0 is the harmless one.
  size_t choose(size_t options) {
    if (next_ >= kDepth || !is_open_) {
      return 0;
    }
    if (next_ == path_.size()) {
      path_.push_back({0, options});
    }
    return path_[next_++].chosen;
  }
  void open(bool is_open) { is_open_ = is_open; }

  // To the next path; false: that was the last one.
  bool advance() {
    next_ = 0;
    while (!path_.empty() && path_.back().chosen + 1 == path_.back().options) {
      path_.pop_back();
    }
    if (path_.empty()) {
      return false;
    }
    ++path_.back().chosen;
    return true;
  }

  [[nodiscard]] bool is_exhausted() const { return next_ >= kDepth; }
  [[nodiscard]] std::string text() const {
    std::string text;
    for (const Decision& decision : path_) {
      text += std::to_string(decision.chosen) + "/" + std::to_string(decision.options) + " ";
    }
    return text;
  }

 private:
  struct Decision {
    size_t chosen;
    size_t options;
  };
  std::vector<Decision> path_;
  size_t next_ = 0;
  bool is_open_ = false;
};

void disturb(World& world, Decisions& decisions) {
  const size_t what = decisions.choose(7);
  if (what == 0) {
    return;
  }
  const size_t node = (what - 1) % 2;
  switch ((what - 1) / 2) {
    case 0:
      world.nodes[node].group ? world.kill(node) : world.start(node);
      break;
    case 1:
      world.nodes[node].is_frozen ? world.thaw(node) : world.freeze(node);
      break;
    default:
      world.with(node, [](RouterGroup& group, TimePoint at, Actions& actions) {
        if (!group.move_away(at, actions)) {
          group.release(at, actions);
        }
      });
  }
}

std::string judge(World& world) {
  for (size_t node = 0; node < 2; ++node) {
    if (!world.nodes[node].group) {
      world.start(node);
    }
    world.thaw(node);
    world.with(node, [](RouterGroup& group, TimePoint at, Actions& actions) {
      group.release(at, actions);
    });
  }
  world.run(kInterval + kDelay);
  world.reset_measures();
  world.run(8 * kInterval);
  const RouterKey key = world.nodes[0].settings.routers[0].key;
  std::string wrong = world.violation();
  if (world.longest_overlap() > kDelay) {
    wrong += " two owners for " + to_text(world.longest_overlap());
  }
  if (world.holders(key) != 1 || world.active().size() != 1) {
    wrong += " not one active router";
  }
  return wrong;
}

// Returns the number of runs.
uint64_t explore(const std::vector<GroupSettings>& groups) {
  uint64_t runs = 0;
  Decisions decisions;
  World fresh(groups, [&decisions](size_t, size_t) -> std::vector<Duration> {
    switch (decisions.choose(3)) {
      case 1:
        return {};
      case 2:
        return {kDelay, kInterval * 3 / 2};  // and once more, after a later one
      default:
        return {kDelay};
    }
  });
  fresh.start(0);
  fresh.start(1);
  fresh.run(6 * kInterval);
  do {
    World world = fresh;
    world.keeps_log = false;
    decisions.open(true);
    for (int i = 0; i < 40 && !decisions.is_exhausted(); ++i) {
      disturb(world, decisions);
      world.run(kInterval / 2);
    }
    decisions.open(false);
    const std::string wrong = judge(world);
    if (!wrong.empty()) {
      ADD_FAILURE() << wrong << " after " << decisions.text() << '\n' << world.describe();
      return runs;
    }
    ++runs;
  } while (decisions.advance());
  return runs;
}

TEST(VrrpTwoNodes, HealFromEverySequenceOfSixDecisions) {
  for (const bool preempt : {false, true}) {
    for (const uint8_t other : {uint8_t{100}, uint8_t{150}}) {
      std::vector<GroupSettings> groups{group_of(Priority{100}, kInterval),
                                        group_of(Priority{other}, kInterval)};
      groups[0].preempt = groups[1].preempt = preempt;
      EXPECT_GT(explore(groups), 1000U);
    }
  }
}

}  // namespace
}  // namespace ballast::vrrp::testing
