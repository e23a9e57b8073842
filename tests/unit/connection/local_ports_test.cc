#include "dataplane/connection/local_ports.h"

#include <deque>
#include <map>
#include <random>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/connection/flows.h"

namespace ballast {
namespace {

constexpr uint32_t kAllLanes = UINT32_MAX;
constexpr uint32_t kPorts = 65535 - 1024 + 1;

ServerEndpoint server(uint32_t number) {
  ServerEndpoint endpoint;
  endpoint.address =
      IpAddress::v4({10, 1, static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number)});
  endpoint.port = Big16::from_host(80);
  endpoint.protocol = IpProtocol::kTcp;
  return endpoint;
}

std::vector<LocalAddressIndex> addresses(uint16_t count) {
  std::vector<LocalAddressIndex> result;
  for (uint16_t i = 0; i < count; ++i) {
    result.push_back(LocalAddressIndex{i});
  }
  return result;
}

LocalPorts::IsOwned all() {
  return [](LocalAddressIndex, Big16, const ServerEndpoint&) { return true; };
}
LocalPorts::IsOwned by_worker(uint32_t worker, uint32_t workers) {
  return [=](LocalAddressIndex, Big16 port, const ServerEndpoint&) {
    return port.to_host() % workers == worker;
  };
}

constexpr LocalPortSettings kFewPorts{
    .first_port = 5000, .last_port = 5009, .time_wait = 60, .tuples = 1000};

TEST(LocalPorts, GoUpFromARandomPortAndAroundTheEnd) {
  std::set<uint16_t> starts;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    LocalPorts ports(kFewPorts, kTestHashKey, seed, all());
    uint16_t previous = 0;
    for (uint32_t i = 0; i < 10; ++i) {
      const uint16_t port = ports.take(addresses(1), server(1), 1)->port.to_host();
      if (i == 0) {
        starts.insert(port);
      } else {
        EXPECT_EQ(port, previous == 5009 ? 5000 : previous + 1);
      }
      previous = port;
    }
  }
  EXPECT_EQ(starts.size(), 10U);
}

TEST(LocalPorts, OnePortServesAsManyConnectionsAsThereAreServersAndProtocols) {
  LocalPortSettings settings = kFewPorts;
  settings.last_port = settings.first_port;
  LocalPorts ports(settings, kTestHashKey, 1, all());
  ServerEndpoint udp = server(1);
  udp.protocol = IpProtocol::kUdp;
  ServerEndpoint other_port = server(1);
  other_port.port = Big16::from_host(81);
  for (const ServerEndpoint& each : {server(1), server(2), udp, other_port}) {
    EXPECT_EQ(ports.take(addresses(1), each, 1)->port, Big16::from_host(5000));
    EXPECT_EQ(ports.take(addresses(1), each, 1), tl::unexpected(NoLocalPort::kExhausted));
  }
  EXPECT_EQ(ports.counts().exhausted, 4U);
  EXPECT_EQ(ports.taken(), 4U);
}

TEST(LocalPorts, OfServicesThatShareAddressesAreToldApart) {
  LocalPorts ports(kFewPorts, kTestHashKey, 1, all());
  const std::vector<LocalAddressIndex> first{LocalAddressIndex{1}, LocalAddressIndex{2}};
  const std::vector<LocalAddressIndex> second{LocalAddressIndex{2}, LocalAddressIndex{3}};
  std::set<std::pair<LocalAddressIndex, Big16>> seen;
  for (uint32_t i = 0; i < 20; ++i) {
    const auto local = ports.take(i < 10 ? first : second, server(1), 1);
    ASSERT_TRUE(local.has_value());
    EXPECT_TRUE(seen.emplace(local->address, local->port).second);
  }
}

TEST(LocalPorts, RestUntilMoreThanTheirTimeHasPassed) {
  LocalPortSettings settings = kFewPorts;
  settings.last_port = 5001;
  for (const auto& [rest, seconds] : {std::pair{PortRest::kTimeWait, settings.time_wait},
                                      {PortRest::kShort, settings.short_rest}}) {
    LocalPorts ports(settings, kTestHashKey, 1, all());
    const LocalEndpoint kept = *ports.take(addresses(1), server(1), 100);
    const LocalEndpoint local = *ports.take(addresses(1), server(1), 100);
    ASSERT_NE(kept.port, local.port);
    ports.give_back(local, rest, 100);
    for (const Seconds32 now : {Seconds32{100}, 100 + seconds}) {
      EXPECT_FALSE(ports.take(addresses(1), server(1), now).has_value()) << now;
      ports.tidy(now, kAllLanes);
    }
    EXPECT_EQ(ports.take(addresses(1), server(1), 101 + seconds)->port, local.port);
  }
}

TEST(LocalPorts, RestAlsoWhenAllElseOfTheLaneIsGone) {
  LocalPortSettings settings = kFewPorts;
  settings.last_port = 5000;
  LocalPorts ports(settings, kTestHashKey, 1, all());
  ports.give_back(*ports.take(addresses(1), server(1), 100), PortRest::kTimeWait, 100);
  for (Seconds32 now = 100; now <= 160; ++now) {
    ports.tidy(now, kAllLanes);
    EXPECT_FALSE(ports.take(addresses(1), server(1), now).has_value()) << now;
  }
  ports.tidy(161, kAllLanes);
  EXPECT_EQ(ports.lanes(), 0U);
  EXPECT_TRUE(ports.take(addresses(1), server(1), 161).has_value());
}

TEST(LocalPorts, ThoseGivenBackLongestAgoGoFirstWhateverTheirRest) {
  LocalPorts ports(kFewPorts, kTestHashKey, 1, all());
  std::vector<LocalEndpoint> taken;
  for (uint32_t i = 0; i < 10; ++i) {
    taken.push_back(*ports.take(addresses(1), server(1), 1));
  }
  const std::vector<uint32_t> order{3, 1, 4, 0, 5, 9, 2, 6, 8, 7};
  for (uint32_t i = 0; i < 10; ++i) {
    ports.give_back(taken[order[i]], i % 2 == 0 ? PortRest::kTimeWait : PortRest::kShort, 10 + i);
  }
  for (uint32_t i = 0; i < 10; ++i) {
    EXPECT_EQ(ports.take(addresses(1), server(1), 1000)->port, taken[order[i]].port) << i;
  }
}

TEST(LocalPorts, ExhaustionIsCountedSearchedForOnceASecondAndRecoveredFrom) {
  LocalPorts ports(kFewPorts, kTestHashKey, 1, all());
  const std::vector<LocalAddressIndex> eight = addresses(8);
  std::vector<LocalEndpoint> taken;
  for (uint32_t i = 0; i < 80; ++i) {
    taken.push_back(*ports.take(eight, server(1), 5));
  }
  EXPECT_FALSE(ports.take(eight, server(1), 5).has_value());
  const uint64_t asked = ports.counts().lanes_asked;
  for (uint32_t i = 0; i < 1000; ++i) {
    EXPECT_FALSE(ports.take(eight, server(1), 5).has_value());
  }
  EXPECT_EQ(ports.counts().lanes_asked, asked);
  EXPECT_EQ(ports.counts().exhausted, 1001U);
  // Of no matter to another server, or to more addresses.
  EXPECT_TRUE(ports.take(eight, server(2), 5).has_value());
  EXPECT_TRUE(ports.take(addresses(9), server(1), 5).has_value());
  EXPECT_FALSE(ports.take(eight, server(1), 6).has_value());
  EXPECT_EQ(ports.counts().exhausted, 1002U);
  ports.give_back(taken[17], PortRest::kShort, 6);
  EXPECT_FALSE(ports.take(eight, server(1), 7).has_value());
  const auto again = ports.take(eight, server(1), 8);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->address, taken[17].address);
  EXPECT_EQ(again->port, taken[17].port);
}

TEST(LocalPorts, WithoutAddressesThereIsNone) {
  LocalPorts ports(kFewPorts, kTestHashKey, 1, all());
  EXPECT_EQ(ports.take({}, server(1), 1), tl::unexpected(NoLocalPort::kExhausted));
  EXPECT_EQ(ports.counts().exhausted, 1U);
}

TEST(LocalPorts, OfSeveralWorkersNeverMeetAndLeaveNothingOver) {
  std::set<std::pair<LocalAddressIndex, Big16>> seen;
  for (uint32_t worker = 0; worker < 5; ++worker) {
    LocalPorts ports({.tuples = 100'000}, kTestHashKey, worker, by_worker(worker, 5));
    while (const auto local = ports.take(addresses(1), server(1), 1)) {
      ASSERT_EQ(local->port.to_host() % 5, worker);
      ASSERT_TRUE(seen.emplace(local->address, local->port).second);
    }
    EXPECT_EQ(ports.counts().ports_walked, kPorts);
  }
  EXPECT_EQ(seen.size(), kPorts);
}

TEST(LocalPorts, AWorkerThatOwnsNoneIsToldSoInBoundedTime) {
  LocalPorts ports({.tuples = 100'000}, kTestHashKey, 1,
                   [](LocalAddressIndex, Big16, const ServerEndpoint&) { return false; });
  uint64_t walked = 0;
  for (Seconds32 now = 1; now < 30; ++now) {
    EXPECT_FALSE(ports.take(addresses(1), server(1), now).has_value());
    EXPECT_LE(ports.counts().ports_walked - walked, LocalPorts::kMaxWalk);
    walked = ports.counts().ports_walked;
  }
  EXPECT_EQ(walked, kPorts);
}

// Connections come and go at random at a given part of all tuples, taken and resting together.
class Traffic {
 public:
  Traffic(uint16_t address_count, uint32_t servers, uint32_t workers)
      : addresses_(addresses(address_count)),
        servers_(servers),
        tuples_(uint64_t{address_count} * servers * (kPorts / workers)),
        ports_({.tuples = static_cast<uint32_t>(tuples_ * 3)}, kTestHashKey, 11,
               by_worker(0, workers)) {}

  // Steps that a port costs, on average, while the part in use goes to `percent`.
  double steps_up_to(uint32_t percent) {
    return steps([&] {
      while (taken_.size() < tuples_ * percent / 100) {
        take();
      }
    });
  }
  double steps_of_churn(uint32_t count) {
    return steps([&] {
      for (uint32_t i = 0; i < count; ++i) {
        std::swap(taken_[random_() % taken_.size()], taken_.back());
        ports_.give_back(taken_.back(), PortRest::kShort, now_);
        taken_.pop_back();
        if (i % 1000 == 999) {
          now_ += 2;
        }
        take();
      }
    });
  }
  [[nodiscard]] uint64_t refused() const { return ports_.counts().exhausted; }
  [[nodiscard]] double walked_a_port() const {
    return static_cast<double>(ports_.counts().ports_walked) /
           static_cast<double>(ports_.counts().taken);
  }

 private:
  void take() {
    const auto local =
        ports_.take(addresses_, server(static_cast<uint32_t>(random_()) % servers_), now_);
    if (local.has_value()) {
      taken_.push_back(*local);
    }
  }
  template <typename Do>
  double steps(Do&& act) {
    const LocalPortCounts before = ports_.counts();
    act();
    const LocalPortCounts& after = ports_.counts();
    return static_cast<double>(after.lanes_asked - before.lanes_asked) /
           static_cast<double>(after.taken - before.taken);
  }

  std::vector<LocalAddressIndex> addresses_;
  uint32_t servers_;
  uint64_t tuples_;
  std::mt19937_64 random_{5};
  Seconds32 now_ = 1;
  LocalPorts ports_;
  std::vector<LocalEndpoint> taken_;
};

TEST(LocalPorts, CostTheSameAtFourFifthsOfAllTuplesAsWhenAllAreFree) {
  Traffic traffic(8, 3, 4);
  for (const uint32_t percent : {10U, 40U, 70U, 80U}) {
    EXPECT_EQ(traffic.steps_up_to(percent), 1.0) << percent;
  }
  EXPECT_LE(traffic.walked_a_port(), 4.001);
  EXPECT_LT(traffic.steps_of_churn(1'000'000), 1.001);
  EXPECT_EQ(traffic.refused(), 0U);
}

TEST(LocalPorts, AreAllHadBeforeAnyIsRefused) {
  Traffic traffic(8, 3, 4);
  EXPECT_LT(traffic.steps_up_to(100), 2);
  // Whoever came when one server's were all taken was refused; the others' were still had.
  EXPECT_GT(traffic.refused(), 0U);
}

TEST(LocalPorts, AFloodOfHandshakesThatNobodyCompletesLeavesPortsForOthers) {
  // Each SYN takes a port, which is given back when its entry is recycled, long before 60 s.
  LocalPorts ports({.tuples = 400'000}, kTestHashKey, 3, all());
  std::deque<LocalEndpoint> untrusted;
  for (uint32_t i = 0; i < 3'000'000; ++i) {
    const Seconds32 now = 100 + i / 20'000;
    const auto local = ports.take(addresses(2), server(1), now);
    ASSERT_TRUE(local.has_value()) << i;
    untrusted.push_back(*local);
    if (untrusted.size() > 50'000) {
      ports.give_back(untrusted.front(), PortRest::kShort, now);
      untrusted.pop_front();
    }
  }
}

TEST(LocalPorts, AnAddressIsInUseUntilItsLastPortHasRested) {
  LocalPorts ports(kFewPorts, kTestHashKey, 1, all());
  const LocalAddressIndex address{0};
  EXPECT_FALSE(ports.uses(address));
  const LocalEndpoint local = *ports.take(addresses(1), server(1), 10);
  ports.tidy(1000, kAllLanes);
  EXPECT_TRUE(ports.uses(address));
  ports.give_back(local, PortRest::kTimeWait, 1000);
  ports.tidy(1060, kAllLanes);
  EXPECT_TRUE(ports.uses(address));
  ports.tidy(1061, kAllLanes);
  EXPECT_FALSE(ports.uses(address));
  EXPECT_EQ(ports.lanes(), 0U);
  EXPECT_EQ(ports.resting(), 0U);
}

TEST(LocalPorts, MemoryIsTwelveBytesAPortAndFollowsWhatIsTakenNotWhatCouldBe) {
  LocalPortSettings settings{.tuples = 1'000'000, .lanes = 1000};
  LocalPorts ports(settings, kTestHashKey, 1, all());
  const size_t lanes = 1001 * size_t{64} + BucketIndex::buckets_for(1000) * sizeof(Bucket);
  EXPECT_LE(ports.memory_bytes(), 1'000'000 * size_t{12 + 5} + lanes + 300'000);
  // Fifty addresses and ten servers have 32 million tuples. 100,000 connections that come and go
  // need no more memory than themselves and those that rest, however long it lasts.
  std::deque<LocalEndpoint> open;
  std::mt19937_64 random(1);
  for (uint32_t i = 0; i < 3'000'000; ++i) {
    const Seconds32 now = 100 + i / 50'000;
    const auto local = ports.take(addresses(50), server(static_cast<uint32_t>(random()) % 10), now);
    ASSERT_TRUE(local.has_value()) << i;
    open.push_back(*local);
    if (open.size() > 100'000) {
      ports.give_back(open.front(), PortRest::kShort, now);
      open.pop_front();
    }
  }
  EXPECT_LT(ports.taken() + ports.resting(), 700'000U);
}

TEST(LocalPorts, WhatOneServerOnceNeededComesToAnother) {
  LocalPortSettings settings{.tuples = 40'000, .lanes = 100};
  LocalPorts ports(settings, kTestHashKey, 1, all());
  // A peak at one server; one connection stays, so that the lane does.
  std::vector<LocalEndpoint> peak;
  for (uint32_t i = 0; i < 39'999; ++i) {
    peak.push_back(*ports.take(addresses(1), server(1), 10));
  }
  std::set<uint16_t> ports_of_peak;
  for (uint32_t i = 1; i < peak.size(); ++i) {
    ports.give_back(peak[i], PortRest::kTimeWait, 10);
    ports_of_peak.insert(peak[i].port.to_host());
  }
  std::vector<LocalEndpoint> other{*ports.take(addresses(1), server(2), 20)};
  EXPECT_EQ(ports.take(addresses(1), server(2), 20), tl::unexpected(NoLocalPort::kNoMemory));
  for (uint32_t i = 0; i < 1000; ++i) {
    ports.tidy(100);
  }
  while (other.size() < 25'000) {
    const auto local = ports.take(addresses(1), server(2), 100);
    ASSERT_TRUE(local.has_value());
    other.push_back(*local);
    ports.tidy(100);
  }
  // And the first server's are still all there: those in order, those without, and fresh ones.
  for (const LocalEndpoint& local : other) {
    ports.give_back(local, PortRest::kShort, 100);
  }
  for (uint32_t i = 0; i < 1000; ++i) {
    ports.tidy(200);
  }
  std::set<uint16_t> again{peak[0].port.to_host()};
  while (ports.taken() < 40'000) {
    const auto local = ports.take(addresses(1), server(1), 200);
    ASSERT_TRUE(local.has_value()) << ports.taken();
    ASSERT_TRUE(again.insert(local->port.to_host()).second) << "taken twice";
  }
}

TEST(LocalPorts, LanesAreBoundedAndTheOldOnesGoOn) {
  LocalPortSettings settings = kFewPorts;
  settings.lanes = 2;
  LocalPorts ports(settings, kTestHashKey, 1, all());
  const LocalEndpoint first = *ports.take(addresses(1), server(1), 1);
  ASSERT_TRUE(ports.take(addresses(1), server(2), 1).has_value());
  EXPECT_EQ(ports.take(addresses(1), server(3), 1), tl::unexpected(NoLocalPort::kNoMemory));
  EXPECT_EQ(ports.counts().no_memory, 1U);
  EXPECT_TRUE(ports.take(addresses(1), server(2), 1).has_value());
  EXPECT_TRUE(ports.take(addresses(5), server(2), 1).has_value()) << "of the lane that there is";
  ports.give_back(first, PortRest::kShort, 1);
  ports.tidy(3, kAllLanes);
  EXPECT_TRUE(ports.take(addresses(1), server(3), 3).has_value());
}

}  // namespace
}  // namespace ballast
