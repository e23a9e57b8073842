// NAT alone: one client port that reaches one server through two VIPs.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/unit/pipeline/notes.h"
#include "tests/unit/pipeline/test_modes.h"

namespace ballast::testing {
namespace {

class Nat : public InMode {
 protected:
  Nat() { use_servers({2}); }
};
BALLAST_IN_MODES(Nat, {"nat-web", "nat-dns", "nat-any", "nat-any-udp", "nat-shop", "nat-game"});

// ---- two VIPs, one server

TEST_P(Nat, TakesAnotherServerForAClientsPortThatReachesOneByAnotherVip) {
  use_servers({1, 2, 3});
  for (uint16_t port = 1024; port < 1124; ++port) {
    Talk first(network, family, GetParam().service, port);
    Talk second(network, family, GetParam().service, port);
    first.open();
    second.vip(family.leased_vip);
    second.open();
    EXPECT_NE(first.server(), second.server());
    // Both know their way back.
    EXPECT_EQ(note(first.answer(first.reply(kSyn | kAck).payload("1"))),
              fmt::format("wan, wan > client: vip:{} > client:{} {} ttl 63 \"1\"", settings().port,
                          port, talk.is_tcp() ? "tcp S." : "udp"));
    EXPECT_EQ(note(second.answer(second.reply(kSyn | kAck).payload("2"))),
              fmt::format("wan, wan > client: leased-vip:{} > client:{} {} ttl 63 \"2\"",
                          settings().port, port, talk.is_tcp() ? "tcp S." : "udp"));
  }
}

// However seldom the scheduler names it.
TEST_P(Nat, TakesTheOneServerThatIsFree) {
  uint16_t port = 1024;
  for (int taken = 1; taken <= 3; ++taken) {
    for (int free = 1; free <= 3; ++free) {
      for (int i = 0; i < 50 && free != taken; ++i, ++port) {
        use_servers({taken});
        Talk first(network, family, GetParam().service, port);
        first.vip(family.leased_vip).open();
        use_servers({taken, free});
        Talk second(network, family, GetParam().service, port);
        ASSERT_EQ(second.open().server(), free) << "client port " << port;
        EXPECT_EQ(second.answer(kSyn | kAck).verdict, Verdict::kTransmit);
      }
    }
  }
  EXPECT_EQ(network.drops(DropReason::kNatCollision), 0U);
}

TEST_P(Nat, DropsAClientsPortThatReachesTheOnlyServerByAnotherVip) {
  talk.open();
  Talk other(network, family, GetParam().service);
  EXPECT_EQ(note(other.vip(family.leased_vip).ask(kSyn)), "dropped: nat_collision");
  EXPECT_EQ(network.connections().size(), 1U);
  // Another port of the client's is none of this.
  Talk neighbor(network, family, GetParam().service, 40001);
  neighbor.vip(family.leased_vip).open();
  EXPECT_EQ(network.connections().size(), 2U);
}

}  // namespace
}  // namespace ballast::testing
