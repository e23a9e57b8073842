// A service that comes to NAT, or leaves it, with several workers: its connections go on where they
// are, and new ones are owned by the new rule.
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/unit/pipeline/notes.h"
#include "tests/unit/pipeline/test_modes.h"

namespace ballast::testing {
namespace {

struct Transition {
  Case service;
  ForwardingMode mode;  // that it changes to
  uint16_t workers;
};

class FormerOwner : public ::testing::TestWithParam<Transition> {
 protected:
  const Family4or6& family = GetParam().service.family;
  const uint16_t workers = GetParam().workers;
  TestNetwork network{all_modes(workers)};
  const TestNetwork::ServiceSettings& settings = service_settings(GetParam().service.service);
  struct Opened {
    Talk talk;
    uint16_t worker;
  };

  [[nodiscard]] Opened open(uint16_t client_port) {
    Talk talk(network, family, settings.name, client_port);
    const uint16_t worker = talk.open().worker;
    EXPECT_NE(talk.connection(worker), nullptr);
    return {talk, worker};
  }
  std::vector<Opened> open_some(uint16_t first) {
    std::vector<Opened> all;
    for (uint16_t port = first; port < first + 40; ++port) {
      all.push_back(open(port));
    }
    return all;
  }
  void change_mode() {
    TestNetwork::ServiceSettings then = settings;
    then.name = "changed";
    then.mode = GetParam().mode;
    then.server_port = then.mode == ForwardingMode::kNat ? 9777 : 0;
    network.replace_service(settings.name, then);
  }
  [[nodiscard]] uint16_t owner_by_rule(const FlowKey& flow) const {
    return index(GetParam().mode == ForwardingMode::kNat
                     ? network.steering().owner_by_client(flow.client, flow.client_port)
                     : network.steering().owner(flow));
  }
  [[nodiscard]] size_t connections() const {
    size_t sum = 0;
    for (uint16_t worker = 0; worker < workers; ++worker) {
      sum += network.connections(worker).size();
    }
    return sum;
  }
  [[nodiscard]] bool answers() const { return settings.mode != ForwardingMode::kTunnel; }
  // By whatever worker it comes in, with and without the NIC's hash.
  void expect(uint16_t owner, int server, const Frame& frame, PortIndex port) {
    for (uint16_t worker = 0; worker < workers; ++worker) {
      for (const bool rss : {false, true}) {
        const Outcome outcome =
            network.send_to_owner(frame, {.port = port, .worker = worker, .rss = rss});
        EXPECT_EQ(outcome.worker, owner) << note(outcome);
        EXPECT_EQ(outcome.verdict, Verdict::kTransmit) << note(outcome);
        EXPECT_EQ(outcome.reason, DropReason::kNone) << note(outcome);
        EXPECT_EQ(outcome.server(), server) << note(outcome);
      }
    }
  }
};

void PrintTo(const Transition& which, std::ostream* out) {
  *out << which.service.name();
}

std::vector<Transition> transitions() {
  using Mode = ForwardingMode;
  std::vector<Transition> all;
  for (const uint16_t workers : std::to_array<uint16_t>({2, 4})) {
    for (const Case& each : cases({"nat-web", "nat-dns"})) {
      for (const Mode mode : {Mode::kDirectRouting, Mode::kFullNat, Mode::kTunnel}) {
        all.push_back({each, mode, workers});
      }
    }
    for (const Case& each : cases({"full-web", "full-dns", "ipip", "gre-udp"})) {
      all.push_back({each, Mode::kNat, workers});
    }
  }
  return all;
}
INSTANTIATE_TEST_SUITE_P(Modes, FormerOwner, ::testing::ValuesIn(transitions()),
                         [](const auto& instance) {
                           const Transition& each = instance.param;
                           return fmt::format("{}_to_{}_{}_workers", each.service.name(),
                                              static_cast<int>(each.mode), each.workers);
                         });

TEST_P(FormerOwner, KeepsItsConnections) {
  std::vector<Opened> all = open_some(1000);
  change_mode();
  for (auto& [talk, worker] : all) {
    expect(worker, talk.server(), talk.request().build(), kWan);
    if (answers()) {
      expect(worker, 0, talk.reply(kSyn | kAck).build(), kLan);
    }
    expect(worker, talk.server(),
           packet()
               .ip(family.router, family.vip)
               .icmp_error(family.is_v4() ? kIcmpTimeExceeded : kIcmpv6TimeExceeded, 0,
                           talk.reply_at_client().build())
               .build(),
           kWan);
  }
  EXPECT_EQ(connections(), all.size());
}

// Else the tests above and below would say nothing.
TEST(FormerOwners, AreOthersThanTheNewOnesForSomeServices) {
  TestNetwork network{all_modes(4)};
  std::set<std::string> moved;
  for (const Transition& each : transitions()) {
    Talk talk(network, each.service.family, each.service.service);
    const FlowKey flow = talk.flow();
    if (network.steering().owner(flow) !=
        network.steering().owner_by_client(flow.client, flow.client_port)) {
      moved.insert(each.service.name());
    }
  }
  EXPECT_GE(moved.size(), 6U);
}

TEST_P(FormerOwner, HasNoNewOnes) {
  std::vector<Opened> before = open_some(1000);
  change_mode();
  std::vector<Opened> all = open_some(2000);
  for (auto& [talk, worker] : all) {
    EXPECT_EQ(worker, owner_by_rule(talk.flow()));
    expect(worker, talk.server(), talk.request().build(), kWan);
  }
  EXPECT_EQ(connections(), all.size() + before.size());
}

TEST_P(FormerOwner, GivesBackWhatIsScheduledAnew) {
  network.service(settings.name).on_server_down = OnServerDown::kReschedule;
  std::vector<Opened> all = open_some(1000);
  change_mode();
  for (auto& [talk, worker] : all) {
    const uint16_t owner = owner_by_rule(talk.flow());
    const Outcome outcome = talk.ask(kSyn);
    EXPECT_EQ(outcome.worker, owner) << note(outcome);
    EXPECT_NE(outcome.server(), 0) << note(outcome);
    ASSERT_NE(talk.connection(owner), nullptr);
    EXPECT_TRUE(owner == worker || talk.connection(worker) == nullptr);
  }
  EXPECT_EQ(connections(), all.size());
}

TEST_P(FormerOwner, IsNotAskedWhenNoneOfItsConnectionsCanBeLeft) {
  open_some(1000);
  change_mode();
  network.snapshot.steered_anew = std::make_shared<const ServiceTable>();
  for (uint16_t port = 2000; port < 2040; ++port) {
    Talk talk(network, family, settings.name, port);
    const uint16_t owner = owner_by_rule(talk.flow());
    EXPECT_EQ(network.send(talk.request(kSyn).build(), {.worker = owner}).verdict,
              Verdict::kTransmit);
  }
}

// A worker that has the new snapshot asks one that has the older one, by which it owns the flow.
TEST_P(FormerOwner, TakesAFlowThatItIsAskedForBeforeItKnowsOfTheChange) {
  for (uint16_t port = 2000; port < 2040; ++port) {
    Talk talk(network, family, settings.name, port);
    const uint16_t former =
        settings.mode == ForwardingMode::kNat
            ? index(network.steering().owner_by_client(talk.flow().client, talk.flow().client_port))
            : index(network.steering().owner(talk.flow()));
    const Outcome outcome =
        network.send(talk.request(kSyn).build(),
                     {.worker = former, .handed_over = ballast::HandOver::kFormerOwner});
    EXPECT_EQ(outcome.verdict, Verdict::kTransmit) << note(outcome);
  }
}

}  // namespace
}  // namespace ballast::testing
