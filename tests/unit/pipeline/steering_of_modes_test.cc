// With several workers every packet of a connection, in any mode and direction, comes to one owner,
// whatever the NIC did.
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/unit/pipeline/notes.h"
#include "tests/unit/pipeline/test_modes.h"

namespace ballast::testing {
namespace {

class SteeringOfModes : public ::testing::TestWithParam<CaseOnWorkers> {
 protected:
  const Family4or6& family = GetParam().service.family;
  const uint16_t workers = GetParam().workers;
  TestNetwork network{all_modes(workers)};
  const TestNetwork::ServiceSettings& settings = service_settings(GetParam().service.service);

  [[nodiscard]] Talk conversation(uint16_t client_port) {
    return {network, family, settings.name, client_port};
  }
  // By whatever worker it comes in, with and without the NIC's hash, it is decided by this one.
  void expect_owner(uint16_t owner, const Frame& frame, PortIndex port, const std::string& what) {
    for (uint16_t worker = 0; worker < workers; ++worker) {
      for (const bool rss : {false, true}) {
        const Outcome outcome =
            network.send_to_owner(frame, {.port = port, .worker = worker, .rss = rss});
        EXPECT_EQ(outcome.worker, owner) << what;
        EXPECT_EQ(outcome.verdict, Verdict::kTransmit) << what << note(outcome);
        EXPECT_EQ(outcome.reason, DropReason::kNone) << what << note(outcome);
      }
    }
  }
  [[nodiscard]] PacketBuilder about(PacketBuilder builder, const Frame& quoted) const {
    return builder.icmp_error(family.is_v4() ? kIcmpTimeExceeded : kIcmpv6TimeExceeded, 0, quoted);
  }
  [[nodiscard]] uint64_t handed_over() const {
    uint64_t sum = 0;
    for (uint16_t worker = 0; worker < workers; ++worker) {
      sum += network.counters(worker).handed_over.read();
    }
    return sum;
  }
  // The worker that a NIC with RSS gives the frame to.
  [[nodiscard]] uint16_t worker_of_nic(const Frame& frame) const {
    ParsedPacket parsed;
    Frame copy = frame;
    EXPECT_EQ(parse(copy.view(), parsed), DropReason::kNone);
    const ToeplitzHash toeplitz(network.steering().key());
    return index(network.steering().owner(toeplitz.hash(
        parsed.source, parsed.destination, parsed.source_port, parsed.destination_port)));
  }
};

BALLAST_ON_WORKERS(SteeringOfModes, {1, 2, 4, 8},
                   cases({"nat-web", "nat-dns", "nat-shop", "full-web", "full-dns", "full-any",
                          "ipip", "gre-udp", "gue-shop"}));
class SteeringOfFullNat : public SteeringOfModes {};
BALLAST_ON_WORKERS(SteeringOfFullNat, {1, 2, 4, 8}, cases({"full-web", "full-dns", "full-any"}));

TEST_P(SteeringOfModes, BringsAllOfAConnectionToOneOwner) {
  std::set<uint16_t> owners;
  for (uint16_t port = 1; port <= 40; ++port) {
    Talk talk = conversation(port);
    const uint16_t owner = talk.open().worker;
    owners.insert(owner);
    ASSERT_NE(talk.connection(owner), nullptr);
    const std::string what = fmt::format("client port {} ", port);
    expect_owner(owner, talk.request().build(), kWan, what + "request ");
    expect_owner(
        owner,
        about(packet().ip(family.router, family.vip), talk.reply_at_client().build()).build(), kWan,
        what + "error to the server ");
    if (settings.mode == ForwardingMode::kTunnel) {
      continue;
    }
    expect_owner(owner, talk.reply(kSyn | kAck).build(), kLan, what + "reply ");
    expect_owner(owner,
                 about(packet()
                           .ethernet(mac_of_server(talk.server()), kLanMac)
                           .ip(ip_address(talk.server_address()), talk.peer()),
                       talk.request_at_server().build())
                     .build(),
                 kLan, what + "error to the client ");
    const auto with_options =
        family.is_v4() ? talk.reply().ipv4_options({1, 1, 1, 0})
                       : talk.reply().extension(IpProtocol::kDestinationOptions, {1, 12});
    expect_owner(owner, PacketBuilder(with_options).build(), kLan, what + "reply with options ");
  }
  if (workers > 1) {
    EXPECT_GE(owners.size(), 2U);
  }
  size_t connections = 0;
  for (uint16_t worker = 0; worker < workers; ++worker) {
    connections += network.connections(worker).size();
  }
  EXPECT_EQ(connections, 40U);
}

// The listener is gone; its connections go on where they are, as on_server_down keeps them.
TEST_P(SteeringOfModes, BringsConnectionsOfARemovedServiceToTheirOwner) {
  std::vector<std::pair<Talk, uint16_t>> talks;
  for (uint16_t port = 1; port <= 20; ++port) {
    Talk talk = conversation(port);
    const uint16_t owner = talk.open().worker;
    talks.emplace_back(talk, owner);
  }
  std::vector<ServiceTable::Entry> left;
  for (const ServiceTable::Entry& each : network.snapshot.listeners->all()) {
    if (network.snapshot.services[each.service]->name != settings.name) {
      left.push_back(each);
    }
  }
  network.snapshot.listeners = std::make_shared<const ServiceTable>(left);
  network.change_servers(settings.name, [](RealServer& each) { each.accepts_connections = false; });
  for (auto& [talk, owner] : talks) {
    expect_owner(owner, talk.request().build(), kWan, "request ");
    if (settings.mode != ForwardingMode::kTunnel) {
      expect_owner(owner, talk.reply().build(), kLan, "reply ");
    }
  }
}

TEST_P(SteeringOfFullNat, HandsRepliesOverOnlyWhereTheNicDoesNotHash) {
  std::vector<Talk> talks;
  for (uint16_t port = 1; port <= 100; ++port) {
    talks.push_back(conversation(port));
    talks.back().open();
  }
  const uint64_t before = handed_over();
  for (Talk& talk : talks) {
    const Frame reply = talk.reply(kSyn | kAck).build();
    const Outcome outcome =
        network.send(reply, {.port = kLan, .worker = worker_of_nic(reply), .rss = true});
    EXPECT_EQ(outcome.verdict, Verdict::kTransmit);
    const Frame request = talk.request().build();
    EXPECT_EQ(network.send(request, {.port = kWan, .worker = worker_of_nic(request), .rss = true})
                  .verdict,
              Verdict::kTransmit);
  }
  EXPECT_EQ(handed_over(), before);
}

TEST_P(SteeringOfModes, CountsWhatIsHandedOver) {
  Talk talk = conversation(40000);
  talk.open();
  const uint64_t before = handed_over();
  for (uint16_t worker = 0; worker < workers; ++worker) {
    network.send_to_owner(talk.request().build(), {.worker = worker});
  }
  EXPECT_EQ(handed_over(), before + workers - 1U);
}

TEST_P(SteeringOfModes, SharesConnectionsAmongAllWorkers) {
  std::vector<int> flows(workers);
  for (uint16_t port = 1; port <= 400; ++port) {
    ++flows[conversation(port).open().worker];
  }
  for (const int count : flows) {
    EXPECT_GT(count, 400 / workers / 2);
  }
}

}  // namespace
}  // namespace ballast::testing
