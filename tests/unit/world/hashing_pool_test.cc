// A pool whose scheduler hashes: what transactions do to its table and to its answers.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dataplane/scheduler/maglev.h"
#include "tests/unit/world/world_fixture.h"

namespace ballast::test {
namespace {

constexpr int kServers = 20;

class NoLoads final : public ServerLoads {
 public:
  [[nodiscard]] uint32_t active_connections(ServerIndex) const override { return 0; }
  [[nodiscard]] uint32_t inactive_connections(ServerIndex) const override { return 0; }
};

std::string address_of(int number) {
  return "10.0.0." + std::to_string(number);
}

// Servers 1 to 20, all of weight 100.
api::Service web() {
  std::vector<api::Server> servers;
  for (int number = 1; number <= kServers; ++number) {
    servers.push_back(server(address_of(number)));
  }
  api::Service result = service("web", "192.0.2.10", 80, servers);
  result.set_scheduler("mh");
  return result;
}

api::Service down(api::Service service, int number) {
  api::Server& server = *service.mutable_servers(number - 1);
  server.set_weight(0);
  server.set_health(api::DOWN);
  return service;
}

const Maglev& scheduler_of(const ForwardingSnapshot& snapshot) {
  const ServiceTable::Entry* entry = snapshot.listeners->find(
      {*IpAddress::parse("192.0.2.10"), Big16::from_host(80), IpProtocol::kTcp});
  return dynamic_cast<const Maglev&>(*snapshot.services.at(entry->service)->ipv4.scheduler);
}

// The address of the server of each of many flows; empty: none.
std::vector<std::string> answers(const ForwardingSnapshot& snapshot) {
  std::vector<std::string> result;
  const NoLoads loads;
  SchedulerCursor cursor;
  FlowKey flow;
  for (uint16_t port = 1; port <= 2000; ++port) {
    flow.client_port = Big16::from_host(port);
    const ServerIndex picked = scheduler_of(snapshot).pick({flow, loads, cursor});
    result.push_back(picked != kNoServer ? snapshot.servers.at(index(picked)).address.to_string()
                                         : "");
  }
  return result;
}

TEST(HashingPool, AServerThatGoesDownTakesNoOtherFlowAlong) {
  WorldFixture fixture;
  fixture.accept(base());
  const auto up = fixture.accept(std::move(Change().add(web())));
  const auto flapped = fixture.accept(std::move(Change().add(down(web(), 7))));
  EXPECT_EQ(scheduler_of(*flapped).table(), scheduler_of(*up).table()) << "built anew";
  const auto before = answers(*up);
  const auto after = answers(*flapped);
  for (size_t i = 0; i < before.size(); ++i) {
    ASSERT_NE(after[i], address_of(7));
    ASSERT_TRUE(before[i] == address_of(7) || after[i] == before[i]);
  }
  EXPECT_NE(before, after);
  const auto again = fixture.accept(std::move(Change().add(web())));
  EXPECT_EQ(scheduler_of(*again).table(), scheduler_of(*up).table());
  EXPECT_EQ(answers(*again), before);
}

TEST(HashingPool, ADrainedOrDisabledServerKeepsItsSlots) {
  WorldFixture fixture;
  fixture.accept(base());
  const auto up = fixture.accept(std::move(Change().add(web())));
  for (const api::Override override_in_force : {api::DRAINED, api::DISABLED}) {
    api::Service drained = web();
    drained.mutable_servers(2)->set_override(override_in_force);
    const auto snapshot = fixture.accept(std::move(Change().add(drained)));
    EXPECT_EQ(scheduler_of(*snapshot).table(), scheduler_of(*up).table());
    EXPECT_THAT(answers(*snapshot), testing::Not(testing::Contains(address_of(3))));
  }
}

TEST(HashingPool, WithoutAnyUsableServerItRefusesAndKeepsTheTable) {
  WorldFixture fixture;
  fixture.accept(base());
  const auto up = fixture.accept(std::move(Change().add(web())));
  api::Service all_down = web();
  for (int number = 1; number <= kServers; ++number) {
    all_down = down(all_down, number);
  }
  const auto snapshot = fixture.accept(std::move(Change().add(all_down)));
  EXPECT_THAT(answers(*snapshot), testing::Each(""));
  EXPECT_EQ(scheduler_of(*snapshot).table(), scheduler_of(*up).table());
  EXPECT_EQ(answers(*fixture.accept(std::move(Change().add(web())))), answers(*up));
}

TEST(HashingPool, AConfiguredWeightOfNoneIsNotInTheTable) {
  WorldFixture fixture;
  fixture.accept(base());
  api::Service service = web();
  service.mutable_servers(4)->set_weight(0);
  service.mutable_servers(4)->set_configured_weight(0);
  const auto snapshot = fixture.accept(std::move(Change().add(service)));
  EXPECT_EQ(scheduler_of(*snapshot).table()->members().size(), kServers - 1U);
  service.mutable_servers(4)->set_weight(50);  // by a client that tells no configured weights
  const auto weighted = fixture.accept(std::move(Change().add(service)));
  EXPECT_EQ(scheduler_of(*weighted).table()->members().at(4).weight, 50U);
}

// One node has met its servers one by one, with flaps in between; the other is told all at once.
TEST(HashingPool, TwoNodesAnswerAlikeWhateverTheirHistories) {
  WorldFixture grown;
  grown.accept(base());
  api::Service service = web();
  while (service.servers_size() > 0) {
    service.mutable_servers()->RemoveLast();
  }
  const api::Service whole = web();
  for (int number = kServers; number >= 1; --number) {
    *service.add_servers() = whole.servers(number - 1);
    grown.accept(std::move(Change().add(service)));
    grown.accept(std::move(Change().add(down(service, 1))));
  }
  const auto here = grown.accept(std::move(Change().add(down(whole, 9))));
  WorldFixture other;
  other.accept(base());
  const auto there = other.accept(std::move(Change().add(down(whole, 9))));
  EXPECT_NE(grown.find("web", "10.0.0.1"), other.find("web", "10.0.0.1")) << "a weaker test";
  EXPECT_EQ(answers(*here), answers(*there));
}

TEST(HashingPool, AnotherSchedulerAndBackGivesTheSameAnswers) {
  WorldFixture fixture;
  fixture.accept(base());
  const auto before = fixture.accept(std::move(Change().add(web())));
  api::Service other = web();
  other.set_scheduler("wrr");
  fixture.accept(std::move(Change().add(other)));
  EXPECT_EQ(answers(*fixture.accept(std::move(Change().add(web())))), answers(*before));
}

}  // namespace
}  // namespace ballast::test
