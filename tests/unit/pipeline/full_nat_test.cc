// FULLNAT alone: local addresses and ports, who has them, and that they come back.
#include <set>
#include <tuple>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/pipeline/notes.h"
#include "tests/unit/pipeline/test_modes.h"

namespace ballast::testing {
namespace {

// What makes a server tell connections apart.
using Tuple = std::tuple<IpAddress::V6Bytes, uint16_t, int, uint16_t, IpProtocol>;

Tuple tuple_of(const Talk& talk) {
  return {talk.peer().bytes(), talk.peer_port(), talk.server(), talk.server_port(),
          talk.flow().protocol};
}

class FullNat : public InMode {
 protected:
  [[nodiscard]] Talk conversation(uint16_t client_port) {
    return {network, family, GetParam().service, client_port};
  }
  [[nodiscard]] uint32_t taken(uint16_t worker = 0) const {
    return network.local_ports(worker).taken();
  }
};
BALLAST_IN_MODES(FullNat, {"full-web", "full-dns", "full-any", "full-any-udp"});
class FullNatOfTcp : public FullNat {};
BALLAST_IN_MODES(FullNatOfTcp, {"full-web", "full-any"});

// Two services of the same servers' ports, from two VIPs, with few ports to choose from.
TEST_P(FullNat, NeverShowsAServerTwoConnectionsAsOne) {
  TestNetwork::Options options = all_modes();
  options.connections = {.trusted = 100, .untrusted = 7000, .translations = true};
  options.local_ports = {.first_port = 1024, .last_port = 2100, .tuples = 10'000, .lanes = 64};
  TestNetwork large(options);
  std::set<Tuple> tuples;
  std::set<std::string> addresses;
  for (uint16_t port = 1; port <= 1500; ++port) {
    for (const char* service : {"full-web", "full-dns", "full-any", "full-any-udp"}) {
      Talk each(large, family, service, port);
      each.vip(port % 2 == 0 ? family.vip : family.leased_vip);
      ASSERT_EQ(each.open().verdict, Verdict::kTransmit);
      ASSERT_TRUE(tuples.insert(tuple_of(each)).second);
      addresses.insert(each.peer().to_string());
    }
  }
  EXPECT_EQ(tuples.size(), 6000U);
  EXPECT_EQ(addresses.size(), 2U);
  EXPECT_EQ(large.local_ports().taken(), 6000U);
}

// One port may stand towards every server.
TEST_P(FullNat, UsesOneLocalPortTowardsSeveralServers) {
  TestNetwork::Options options = all_modes();
  options.local_ports.first_port = options.local_ports.last_port = 5000;
  TestNetwork small(options);
  std::set<Tuple> tuples;
  for (uint16_t port = 1; port <= 6; ++port) {  // two addresses, three servers
    Talk each(small, family, GetParam().service, port);
    ASSERT_EQ(each.open().verdict, Verdict::kTransmit);
    EXPECT_EQ(each.peer_port(), 5000);
    EXPECT_TRUE(tuples.insert(tuple_of(each)).second);
    EXPECT_EQ(note(each.answer(each.reply(kSyn | kAck))),
              fmt::format("wan, wan > client: vip:{} > client:{} {}", settings().port, port,
                          talk.is_tcp() ? "tcp S. ttl 63" : "udp ttl 63 \"response\""));
  }
  EXPECT_EQ(note(Talk(small, family, GetParam().service, 7).ask(kSyn)),
            "dropped: local_ports_exhausted");
  EXPECT_EQ(small.connections().size(), 6U);
  EXPECT_EQ(small.local_ports().taken(), 6U);
}

TEST_P(FullNat, FindsEveryReplyOfManyConnections) {
  std::vector<Talk> talks;
  for (uint16_t port = 1; port <= 400; ++port) {
    talks.push_back(conversation(port));
    talks.back().open();
  }
  for (Talk& each : talks) {
    EXPECT_EQ(note(each.answer(each.reply(kSyn | kAck).payload("x"))),
              fmt::format("wan, wan > client: vip:{} > client:{} {} ttl 63 \"x\"", settings().port,
                          each.flow().client_port.to_host(), talk.is_tcp() ? "tcp S." : "udp"));
  }
  EXPECT_EQ(taken(), 400U);
}

// ---- ports come back

TEST_P(FullNat, GivesThePortBackWhenAConnectionExpires) {
  talk.establish();
  EXPECT_EQ(taken(), 1U);
  network.pass(1000 * kSecond);
  EXPECT_EQ(network.connections().size(), 0U);
  EXPECT_EQ(taken(), 0U);
}

TEST_P(FullNat, GivesPortsBackWhenConnectionsAreRecycled) {
  for (uint16_t port = 1; port <= 1500; ++port) {  // of which the table keeps 500 untrusted ones
    conversation(port).open();
    ASSERT_EQ(taken(), network.connections().size());
  }
  EXPECT_GT(network.counters().recycled.read(), 900U);
}

TEST_P(FullNat, GivesThePortBackWhenTheServerIsGone) {
  service().on_server_down = OnServerDown::kReset;
  talk.establish();
  network.change_servers(GetParam().service,
                         [](RealServer& each) { each.accepts_connections = false; });
  talk.ask();
  EXPECT_EQ(network.connections().size(), 0U);
  EXPECT_EQ(taken(), 0U);
}

TEST_P(FullNat, TakesAnotherPortWhenTheConnectionIsScheduledAnew) {
  service().on_server_down = OnServerDown::kReschedule;
  service().sloppy_tcp = true;
  talk.establish();
  const Tuple before = tuple_of(talk);
  for (const ServerIndex each : network.servers_of(GetParam().service, talk.server())) {
    network.server(each).accepts_connections = false;
  }
  std::vector<int> others{1, 2, 3};
  std::erase(others, talk.server());
  use_servers(others);
  talk.open();
  EXPECT_NE(tuple_of(talk), before);
  EXPECT_EQ(taken(), 1U);
  EXPECT_EQ(network.connections().size(), 1U);
}

TEST_P(FullNatOfTcp, TakesAnotherPortForASynOnAClosingConnection) {
  use_servers({2});
  talk.establish();
  const Tuple before = tuple_of(talk);
  talk.ask(kFin | kAck);
  talk.answer(kFin | kAck);
  talk.ask();
  EXPECT_EQ(talk.connection()->state, ConnectionState::kTimeWait);
  talk.open();
  EXPECT_NE(tuple_of(talk), before);  // the server may hold that in TIME_WAIT
  EXPECT_EQ(taken(), 1U);
  EXPECT_EQ(network.connections().size(), 1U);
}

// The server keeps it in TIME_WAIT for time_wait seconds, however soon it ends here.
TEST_P(FullNatOfTcp, NeverHandsOutATupleThatTheServerMayHoldInTimeWait) {
  TestNetwork::Options options = all_modes();
  options.local_ports.first_port = options.local_ports.last_port = 5000;
  options.local_ports.time_wait = 60;
  TestNetwork small(options);
  small.use_servers(GetParam().service, {1});
  for (uint16_t port = 1; port <= 2; ++port) {
    Talk each(small, family, GetParam().service, port);
    each.establish();
    each.answer(kFin | kAck);
    each.ask(kFin | kAck);
    each.answer(kAck);
  }
  small.service(GetParam().service).on_server_down = OnServerDown::kReset;
  // They are ended early: by SYNs of the same clients, which find every port at rest.
  for (uint16_t port = 1; port <= 2; ++port) {
    EXPECT_EQ(note(Talk(small, family, GetParam().service, port).ask(kSyn)),
              "dropped: local_ports_exhausted");
  }
  EXPECT_EQ(small.connections().size(), 0U);
  small.pass(59 * kSecond);
  EXPECT_EQ(note(Talk(small, family, GetParam().service, 1).ask(kSyn)),
            "dropped: local_ports_exhausted");
  small.pass(3 * kSecond);
  EXPECT_EQ(Talk(small, family, GetParam().service, 1).open().verdict, Verdict::kTransmit);
}

TEST_P(FullNat, CountsPortsAtPresentAndAtRest) {
  talk.establish();
  network.pass(kMillisecond);
  EXPECT_EQ(network.counters().local_ports_taken.read(), 1U);
  network.pass(1000 * kSecond);
  EXPECT_EQ(network.counters().local_ports_taken.read(), 0U);
}

TEST_P(FullNat, TakesNoPortWhereNothingCanBeForwarded) {
  use_servers({});
  talk.ask(kSyn);
  EXPECT_EQ(taken(), 0U);
  use_servers({1, 2, 3});
  service().local_ipv4.clear();
  service().local_ipv6.clear();
  EXPECT_EQ(note(talk.ask(kSyn)), "dropped: local_ports_exhausted");
  EXPECT_EQ(network.connections().size(), 0U);
}

// ---- replies of no connection

TEST_P(FullNat, ResetsServersWhoseConnectionIsNotKnownAndDropsTheirDatagrams) {
  talk.open();
  network.pass(1000 * kSecond);  // it is forgotten
  const Outcome outcome =
      talk.answer(talk.is_tcp() ? talk.reply(kPsh | kAck).payload("late") : talk.reply());
  if (talk.is_tcp()) {
    EXPECT_EQ(note(outcome),
              fmt::format("answered reply_unmatched: lan, lan > server{}: {} > server{}:{} tcp R "
                          "ttl 64",
                          talk.server(), talk.peer_name(), talk.server(), talk.server_port()));
    EXPECT_EQ(Frame(outcome.frame).tcp()->sequence.to_host(), 1001U);
    EXPECT_EQ(note(talk.answer(kRst)), "dropped: reply_unmatched");  // never a reset for a reset
  } else {
    EXPECT_EQ(note(outcome), "dropped: reply_unmatched");
  }
}

TEST_P(FullNat, IsNotReachedByStrangersThroughALocalAddress) {
  talk.establish();
  // The right address and port, but not from the server.
  const auto stranger = talk.is_tcp() ? packet()
                                            .ip(ip_address(family.far_client), talk.peer())
                                            .tcp(talk.server_port(), talk.peer_port(), kAck)
                                      : packet()
                                            .ip(ip_address(family.far_client), talk.peer())
                                            .udp(talk.server_port(), talk.peer_port());
  EXPECT_EQ(network.send(stranger).reason, DropReason::kReplyUnmatched);
}

}  // namespace
}  // namespace ballast::testing
