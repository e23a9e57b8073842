#include "healthcheck/monitor.h"

#include <map>
#include <optional>
#include <random>

#include <gmock/gmock.h>

#include "tests/unit/healthcheck/checker_fixture.h"

namespace ballast::healthcheck {
namespace {

using namespace std::chrono_literals;

Target target(std::string key, uint16_t port, CheckType type = CheckType::kTcp) {
  Target result{std::move(key), kLoopback4, port, {}};
  result.settings.type = type;
  result.settings.interval = 10ms;
  result.settings.timeout = 5s;
  return result;
}

class MonitorTest : public ::testing::Test {
 protected:
  void make(MonitorOptions options = {}) {
    monitor.emplace(loop, options, [this](const Flip& flip) {
      flips.push_back(flip);
      if (on_flip) {
        on_flip(flip);
      }
    });
  }

  // By value, and found anew each time: a snapshot is of one moment.
  [[nodiscard]] TargetStatus status(const std::string& key) const {
    for (const auto& status : monitor->snapshot()) {
      if (status.key == key) {
        return status;
      }
    }
    ADD_FAILURE() << "no target " << key;
    return {};
  }

  bool run_until_flips(size_t count) {
    return run_until(loop, [&] { return flips.size() >= count; });
  }
  bool run_for_checks(uint64_t count) {
    const uint64_t goal = monitor->counters().checks + count;
    return run_until(loop, [&] { return monitor->counters().checks >= goal; });
  }

  boost::asio::io_context loop;
  std::vector<Flip> flips;
  std::function<void(const Flip&)> on_flip;
  std::optional<Monitor> monitor;
};

TEST_F(MonitorTest, SaysUpAndDownOnceEachWithTheReason) {
  make();
  const TestServer server(loop, {});
  const RefusingPort refusing(loop);
  monitor->set_targets({target("good", server.port()), target("bad", refusing.port())});
  EXPECT_EQ(monitor->health("good"), Health::kUnknown);
  ASSERT_TRUE(run_until_flips(2));
  ASSERT_TRUE(run_for_checks(20));
  ASSERT_EQ(flips.size(), 2U);
  std::map<std::string, Flip> by_key;
  for (const Flip& flip : flips) {
    EXPECT_EQ(flip.from, Health::kUnknown);
    by_key.emplace(flip.key, flip);
  }
  EXPECT_EQ(by_key.at("good").to, Health::kUp);
  EXPECT_EQ(by_key.at("bad").to, Health::kDown);
  EXPECT_EQ(by_key.at("bad").reason, "connection refused");
  EXPECT_EQ(status("bad").last_text, "connection refused");
  EXPECT_EQ(status("bad").since, by_key.at("bad").at);
  EXPECT_TRUE(status("bad").last_ended);
  EXPECT_EQ(monitor->health("nobody"), std::nullopt);
}

TEST_F(MonitorTest, FollowsAServerThatFailsAndRecovers) {
  make();
  TestServer server(loop, {.answer = "HTTP/1.1 200 OK\r\n\r\n"});
  Target http = target("web", server.port(), CheckType::kHttp);
  http.initial = Health::kUp;
  monitor->set_targets({http});
  ASSERT_TRUE(run_for_checks(3));
  EXPECT_TRUE(flips.empty());
  server.set_script({.answer = "HTTP/1.1 503 No\r\n\r\n"});
  ASSERT_TRUE(run_until_flips(1));
  EXPECT_EQ(flips[0].to, Health::kDown);
  EXPECT_EQ(flips[0].reason, "HTTP status 503, expected 200-299");
  EXPECT_EQ(status("web").counts.unhealthy, http.settings.fall);
  server.set_script({.answer = "HTTP/1.1 204 OK\r\n\r\n"});
  ASSERT_TRUE(run_until_flips(2));
  EXPECT_EQ(flips[1].to, Health::kUp);
}

TEST_F(MonitorTest, HoldsTargetsWithoutChecksUp) {
  make();
  Target adopted = target("adopted", 1, CheckType::kNone);
  adopted.initial = Health::kUp;
  monitor->set_targets({target("plain", 1, CheckType::kNone), adopted});
  EXPECT_EQ(monitor->health("plain"), Health::kUp);
  EXPECT_TRUE(flips.empty()) << "reported from inside set_targets";
  ASSERT_TRUE(run_until_flips(1));
  loop.run_for(5ms);
  ASSERT_EQ(flips.size(), 1U);
  EXPECT_EQ(flips[0].key, "plain");
  EXPECT_EQ(flips[0].to, Health::kUp);
  EXPECT_EQ(status("plain").next_due, std::nullopt);
  EXPECT_EQ(monitor->counters().checks, 0U);
}

TEST_F(MonitorTest, ForgetsAnUnannouncedTargetThatIsRemoved) {
  make();
  monitor->set_targets({target("plain", 1, CheckType::kNone)});
  monitor->set_targets({});
  loop.run_for(5ms);
  EXPECT_TRUE(flips.empty());
}

TEST_F(MonitorTest, KeepsStateAndTimersOfUnchangedTargets) {
  make();
  const RefusingPort refusing(loop);
  Target slow = target("slow", refusing.port());
  slow.settings.interval = 1h;
  slow.initial = Health::kUp;
  const Target fast = target("fast", refusing.port());
  monitor->set_targets({slow, fast});
  ASSERT_TRUE(run_until_flips(1));
  const auto before = status("slow");
  const auto fast_before = status("fast");
  Target again = slow;
  again.initial = Health::kDown;  // counts for new keys only
  monitor->set_targets({again, fast, target("new", refusing.port())});
  EXPECT_EQ(status("slow").next_due, before.next_due);
  EXPECT_EQ(status("slow").health, Health::kUp);
  EXPECT_EQ(status("slow").since, before.since);
  EXPECT_EQ(status("fast").counts, fast_before.counts);
  EXPECT_EQ(status("fast").next_due, fast_before.next_due);
}

TEST_F(MonitorTest, GoesOnFromThePresentHealthWhenACheckChanges) {
  make();
  const TestServer server(loop, {});
  const RefusingPort refusing(loop);
  monitor->set_targets({target("a", server.port())});
  ASSERT_TRUE(run_until_flips(1));
  Target changed = target("a", server.port());
  changed.settings.port = refusing.port();
  changed.settings.fall = 4;
  monitor->set_targets({changed});
  EXPECT_EQ(monitor->health("a"), Health::kUp);
  EXPECT_EQ(status("a").port, refusing.port());
  ASSERT_TRUE(run_until_flips(2));
  EXPECT_EQ(flips[1].to, Health::kDown);
  EXPECT_EQ(status("a").counts.unhealthy, 4U);
  changed.settings = {};
  monitor->set_targets({changed});
  EXPECT_EQ(monitor->health("a"), Health::kUp);
  ASSERT_TRUE(run_until_flips(3));
  EXPECT_EQ(flips[2].to, Health::kUp);
  EXPECT_EQ(flips[2].reason, "not checked");
}

TEST_F(MonitorTest, EndsTheCheckUnderWayOfARemovedOrChangedTarget) {
  make();
  const TestServer server(loop, {.closes = false});
  Target http = target("web", server.port(), CheckType::kHttp);
  http.settings.timeout = 30ms;
  monitor->set_targets({http});
  ASSERT_TRUE(run_until(loop, [&] { return server.accepted() == 1; }));
  EXPECT_TRUE(status("web").in_flight);
  http.settings.interval = 1h;
  http.settings.rise = 5;
  monitor->set_targets({http});
  EXPECT_FALSE(status("web").in_flight);
  EXPECT_EQ(monitor->counters().in_flight, 0U);
  monitor->set_targets({});
  loop.run_for(60ms);
  EXPECT_TRUE(flips.empty());
  EXPECT_EQ(monitor->counters().checks, 0U);
  EXPECT_TRUE(monitor->snapshot().empty());
}

TEST_F(MonitorTest, MayBeToldOfOtherTargetsFromItsOwnCallback) {
  make();
  const TestServer server(loop, {});
  on_flip = [&](const Flip& flip) {
    if (flip.key == "first") {
      monitor->set_targets({target("second", server.port())});
    }
  };
  monitor->set_targets({target("first", server.port())});
  ASSERT_TRUE(run_until_flips(2));
  EXPECT_EQ(flips[1].key, "second");
  EXPECT_EQ(monitor->health("first"), std::nullopt);
}

TEST_F(MonitorTest, MayBeDestroyedFromItsOwnCallbackAndMidCheck) {
  make();
  const TestServer server(loop, {});
  on_flip = [&](const Flip&) { monitor.reset(); };
  std::vector<Target> targets;
  for (int number = 0; number < 50; ++number) {
    targets.push_back(target(std::to_string(number), server.port()));
  }
  monitor->set_targets(targets);
  ASSERT_TRUE(run_until_flips(1));
  loop.run_for(20ms);
  EXPECT_EQ(flips.size(), 1U);
}

TEST_F(MonitorTest, NeverRunsTwoChecksOfOneServerNorMoreThanItsLimit) {
  make({.max_in_flight = 3, .seed = 0});
  const TestServer server(loop, {.closes = false});
  std::vector<Target> targets;
  for (int number = 0; number < 10; ++number) {
    targets.push_back(target(std::to_string(number), server.port(), CheckType::kHttp));
    targets.back().settings.timeout = 25ms;  // longer than the interval
  }
  monitor->set_targets(targets);
  uint32_t most = 0;
  ASSERT_TRUE(run_until(loop, [&] {
    most = std::max(most, monitor->counters().in_flight);
    return flips.size() == 10;  // the ones that waited had their turn
  }));
  EXPECT_EQ(most, 3U);
  EXPECT_GT(monitor->counters().waiting, 0U);
}

TEST_F(MonitorTest, ChecksThousandsOfServers) {
  make({.max_in_flight = 256, .seed = 1});
  const TestServer server(loop, {});
  const RefusingPort refusing(loop);
  constexpr int kTargets = 4000;
  std::vector<Target> targets;
  for (int number = 0; number < kTargets; ++number) {
    const uint16_t port = number % 2 == 0 ? server.port() : refusing.port();
    targets.push_back(target(std::to_string(number), port));
    targets.back().settings.interval = 1s;
  }
  monitor->set_targets(targets);
  ASSERT_TRUE(run_until_flips(kTargets));
  for (const auto& status : monitor->snapshot()) {
    const bool even = std::stoi(status.key) % 2 == 0;
    ASSERT_EQ(status.health, even ? Health::kUp : Health::kDown) << status.last_text;
  }
  EXPECT_EQ(flips.size(), size_t{kTargets});
}

TEST_F(MonitorTest, HoldsNoLackOfFileDescriptorsAgainstServers) {
#ifdef __SANITIZE_ADDRESS__
  // The sanitizer asks by a pipe whether memory may be read, and takes the lack of one for a bad
  // pointer.
  GTEST_SKIP() << "not with sanitizers: they need descriptors themselves";
#endif
  make();
  const TestServer server(loop, {});
  Target up = target("up", server.port());
  up.initial = Health::kUp;
  up.settings.fall = 1;
  monitor->set_targets({up});
  bool ran = false;
  {
    const NoFileDescriptors none;
    ran = run_for_checks(10);
  }
  ASSERT_TRUE(ran);
  EXPECT_TRUE(flips.empty());
  EXPECT_GE(monitor->counters().inconclusive, 10U);
  EXPECT_EQ(status("up").last_text, "could not check: too many open files");
}

TEST_F(MonitorTest, ReportsNothingOfTargetsThatAreGoneUnderRandomChanges) {
  make();
  const TestServer server(loop, {.answer = "HTTP/1.1 200 OK\r\n\r\n"});
  const RefusingPort refusing(loop);
  std::mt19937 random(5);
  std::map<std::string, Health> told;
  std::map<std::string, Target> present;
  on_flip = [&](const Flip& flip) {
    ASSERT_TRUE(present.contains(flip.key));
    ASSERT_EQ(told[flip.key], flip.from);
    ASSERT_NE(flip.from, flip.to);
    told[flip.key] = flip.to;
  };
  for (int round = 0; round < 300; ++round) {
    std::map<std::string, Target> next;
    std::vector<Target> targets;
    for (int number = 0; number < 40; ++number) {
      const std::string key = std::to_string(number);
      if (random() % 3 == 0) {
        told.erase(key);
        continue;
      }
      const auto type = static_cast<CheckType>(random() % 3);
      const bool refuses = random() % 2 == 0;
      Target one = target(key, refuses ? refusing.port() : server.port(), type);
      one.settings.rise = static_cast<uint32_t>(1 + random() % 2);
      next.emplace(key, present.contains(key) && random() % 2 == 0 ? present.at(key) : one);
      targets.push_back(next.at(key));
    }
    present = next;
    monitor->set_targets(targets);
    for (int step = 0; step < 40; ++step) {
      loop.run_one_for(1ms);
      loop.restart();
    }
    ASSERT_EQ(monitor->snapshot().size(), present.size());
  }
  run_until(loop, [&] {
    for (const auto& [key, wanted] : present) {
      if (monitor->health(key) == Health::kUnknown) {
        return false;
      }
    }
    return true;
  });
  loop.run_for(1ms);
  for (const auto& [key, wanted] : present) {
    EXPECT_EQ(monitor->health(key), told[key]) << key;
  }
}

}  // namespace
}  // namespace ballast::healthcheck
