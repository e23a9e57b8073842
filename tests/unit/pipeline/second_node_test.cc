// A second node, which the VIPs have moved to: what it makes of connections that it has never seen.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/unit/pipeline/notes.h"
#include "tests/unit/pipeline/test_modes.h"

namespace ballast::testing {
namespace {

TestNetwork::Options with_other_secrets() {
  TestNetwork::Options options = all_modes();
  options.flow_hash_seed = 77;
  return options;
}

// `network` is the first node, `second` the one that takes over.
class SecondNode : public InMode {
 protected:
  SecondNode() {
    talk.establish();
    second.add_client_hop(kWan, family.client,
                          {mac_address(kClientMac), NeighborState::kReachable});
    only_vip();
    after.assume_server(talk.server());
  }
  // The leased VIP stays where it was.
  void only_vip() { second.set_lease(0); }

  [[nodiscard]] std::string forwarded(std::string_view what) const {
    return fmt::format("wan, wan > client: vip:{} > client:40000 {}", settings().port, what);
  }

  // The server that every node's hash names for a client's port.
  int server_by_hash(uint16_t port, const std::string& vip) {
    Talk other(second, family, GetParam().service, port);
    SchedulerCursor cursor;
    const FlowKey flow = other.vip(vip).flow();
    const Pool& pool = second.service(GetParam().service).pool(flow.vip.family());
    const ServerIndex server = pool.scheduler->pick({flow, second, cursor});
    for (int number = 1; number <= 3; ++number) {
      for (const ServerIndex each : second.servers_of(GetParam().service, number)) {
        if (each == server) {
          return number;
        }
      }
    }
    return 0;
  }

  TestNetwork second{with_other_secrets()};
  Talk after{second, family, GetParam().service};  // the same conversation
};
BALLAST_IN_MODES(SecondNode, {"nat-shop", "nat-game"});
class SecondNodeOfTcp : public SecondNode {};
BALLAST_IN_MODES(SecondNodeOfTcp, {"nat-shop"});

TEST_P(SecondNode, RebuildsAConnectionFromTheClientsPacket) {
  EXPECT_EQ(after.ask().server(), talk.server());
  ASSERT_NE(after.connection(), nullptr);
  EXPECT_FALSE(after.connection()->trusted);
  EXPECT_EQ(note(after.answer()),
            forwarded(talk.is_tcp() ? "tcp . ttl 63" : "udp ttl 63 \"response\""));
  EXPECT_EQ(after.ask().server(), talk.server());
  EXPECT_TRUE(after.connection()->trusted);
}

TEST_P(SecondNode, RebuildsAConnectionFromTheServersPacket) {
  EXPECT_EQ(note(after.answer()),
            forwarded(talk.is_tcp() ? "tcp . ttl 63" : "udp ttl 63 \"response\""));
  ASSERT_NE(after.connection(), nullptr);
  EXPECT_FALSE(after.connection()->trusted);
  EXPECT_EQ(after.connection()->state,
            talk.is_tcp() ? ConnectionState::kEstablished : ConnectionState::kUdp);
  EXPECT_EQ(second.active_connections(talk.server_index()), 1U);
  EXPECT_EQ(after.ask().server(), talk.server());
  EXPECT_TRUE(after.connection()->trusted);
  EXPECT_EQ(second.connections().size(), 1U);
  // Where the client's frames come from is known by now, but the way by the neighbour stays good.
  EXPECT_EQ(note(after.answer()),
            forwarded(talk.is_tcp() ? "tcp . ttl 63" : "udp ttl 63 \"response\""));
}

TEST_P(SecondNode, AsksForTheMacOfAClientThatItHasNotHeardOf) {
  TestNetwork third(with_other_secrets());
  third.set_lease(0);
  Talk unheard(third, family, GetParam().service);
  unheard.assume_server(talk.server());
  EXPECT_EQ(note(unheard.answer()), "dropped: neighbor_timeout");
  NeighborRequest request;
  ASSERT_TRUE(third.take_request(request));
  EXPECT_EQ(request.neighbor, kNoNeighbor);
  EXPECT_EQ(request.port, kWan);
  EXPECT_EQ(request.address, ip_address(family.client));
  third.add_client_hop(kWan, family.client, {mac_address(kClientMac), NeighborState::kReachable});
  EXPECT_EQ(note(unheard.answer()),
            forwarded(talk.is_tcp() ? "tcp . ttl 63" : "udp ttl 63 \"response\""));
}

TEST_P(SecondNode, RefusesAReplyThatTwoVipsCouldHaveAsked) {
  // The hash names this server for both VIPs, for some clients' ports.
  second.set_lease(kLeaseNeverEnds);
  int ambiguous = 0;
  int clear = 0;
  for (uint16_t port = 1; port <= 200; ++port) {
    Talk by_vip(second, family, GetParam().service, port);
    Talk by_leased(second, family, GetParam().service, port);
    by_vip.assume_server(server_by_hash(port, family.vip));
    const bool same = server_by_hash(port, family.leased_vip) == by_vip.server();
    EXPECT_EQ(note(by_vip.answer()).substr(0, 24),
              same ? "dropped: reply_unmatched" : "wan, wan > client: vip:8");
    (same ? ambiguous : clear) += 1;
  }
  EXPECT_GT(ambiguous, 20);
  EXPECT_GT(clear, 20);
}

TEST_P(SecondNode, RefusesAServerThatTheHashDoesNotName) {
  for (int number = 1; number <= 3; ++number) {
    after.assume_server(number);
    EXPECT_EQ(after.answer().verdict,
              number == talk.server() ? Verdict::kTransmit : Verdict::kDrop);
  }
}

TEST_P(SecondNode, RefusesAReplyOfAServerThatItsConnectionDoesNotGoTo) {
  // Here the connection was given to another server; to the hash it would still be this one's.
  const int named = talk.server();
  std::vector<int> others{1, 2, 3};
  std::erase(others, named);
  second.use_servers(GetParam().service, others);
  after.open();
  ASSERT_NE(after.server(), named);
  second.use_servers(GetParam().service, {1, 2, 3});
  Talk stray(second, family, GetParam().service);
  stray.assume_server(named);
  EXPECT_EQ(note(stray.answer()), "dropped: reply_unmatched");
  EXPECT_EQ(after.answer().verdict, Verdict::kTransmit);
}

TEST_P(SecondNodeOfTcp, TakesTheServersAnswerToASynThatItHasNotSeen) {
  EXPECT_EQ(note(after.answer(kSyn | kAck)), forwarded("tcp S. ttl 63"));
  ASSERT_NE(after.connection(), nullptr);
  EXPECT_EQ(after.connection()->state, ConnectionState::kSynReceived);
  after.ask();
  EXPECT_EQ(after.connection()->state, ConnectionState::kEstablished);
  EXPECT_TRUE(after.connection()->trusted);
}

TEST_P(SecondNodeOfTcp, TellsTheClientOfAResetAndRemembersNothing) {
  EXPECT_EQ(note(after.answer(kRst)), forwarded("tcp R ttl 63"));
  EXPECT_EQ(second.connections().size(), 0U);
}

TEST_P(SecondNodeOfTcp, TakesAServersOwnConnectionForNoReply) {
  EXPECT_EQ(note(after.answer(kSyn)), "dropped: reply_unmatched");
  EXPECT_EQ(second.connections().size(), 0U);
}

// ---- schedulers that do not hash, and FULLNAT

class SecondNodeWithoutHash : public InMode {
 protected:
  SecondNodeWithoutHash() { talk.establish(); }
  TestNetwork second{with_other_secrets()};
  Talk after{second, family, GetParam().service};
};
BALLAST_IN_MODES(SecondNodeWithoutHash, {"nat-web", "nat-any", "full-web"});

TEST_P(SecondNodeWithoutHash, ResetsTheClient) {
  EXPECT_EQ(note(after.ask()),
            fmt::format("answered not_syn: wan, wan > client: vip:{} > client:40000 tcp R ttl 64",
                        settings().port));
}

TEST_P(SecondNodeWithoutHash, ForwardsNoReply) {
  const Outcome outcome = second.send(talk.reply().build(), {.port = kLan});
  EXPECT_EQ(outcome.reason, DropReason::kReplyUnmatched);
  EXPECT_EQ(outcome.verdict, is_nat() ? Verdict::kDrop : Verdict::kTransmit);  // FULLNAT: a reset
}

}  // namespace
}  // namespace ballast::testing
