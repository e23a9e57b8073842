#include "control/netlink/interface_setup.h"

#include <gmock/gmock.h>

#include "tests/unit/control/netlink/network_namespace.h"

namespace ballast::netlink {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class SetupInNamespace : public NetworkNamespaceTest {
 protected:
  void SetUp() override {
    NetworkNamespaceTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    // A persistent tap, as the dataplane's twins are.
    make_tap();
    mirror_ = open_mirror([this](const KernelChanges& changes) { setup_->on_change(changes); });
    auto setup = InterfaceSetup::open(
        io_, *mirror_, [this](const std::string& problem) { told_.push_back(problem); });
    ASSERT_TRUE(setup) << setup.error();
    setup_ = std::move(*setup);
  }
  // A route by hand whose gateway was reached by an address that is gone; then the link loses all.
  void lose_a_route_that_cannot_come_back() {
    setup_->set({settings_});
    ASSERT_TRUE(all_there());
    run("ip address add 172.16.5.2/24 dev lan; ip route add 203.0.113.0/24 via 172.16.5.1");
    ASSERT_TRUE(
        until([this] { return mirrored("172.16.5.2") && mirrored_route("203.0.113.0/24"); }));
    run("ip address del 172.16.5.2/24 dev lan");
    ASSERT_TRUE(until([this] { return !mirrored("172.16.5.2"); }));
    ASSERT_TRUE(on_tap("203.0.113.0/24"));
    run("ip link set lan down; ip link set lan up");
    ASSERT_TRUE(until([this] { return on_tap("198.51.100.0/24") && !told_.empty(); }));
    EXPECT_THAT(told_.back(), HasSubstr("route 203.0.113.0/24 via 172.16.5.1: "));
  }
  static void make_tap() { run("ip tuntap add lan mode tap"); }

  [[nodiscard]] bool on_tap(const std::string& text) const {
    return (output_of("ip address show dev lan") +
            output_of("ip route show dev lan; ip -6 route show dev lan") +
            output_of("ip route show; ip -6 route show"))
               .find(text) != std::string::npos;
  }
  // In the mirror, which then has told the setup.
  [[nodiscard]] bool mirrored(const char* address) const {
    for (const auto& [key, value] : mirror_->state().addresses) {
      if (key.address == ip(address)) {
        return true;
      }
    }
    return false;
  }
  [[nodiscard]] bool mirrored_route(const char* prefix) const {
    const auto at = mirror_->state().routes.lower_bound({block(prefix), 0});
    return at != mirror_->state().routes.end() && at->first.prefix == block(prefix);
  }

  const InterfaceSettings settings_{"lan",
                                    {{ip("192.0.2.1"), 24}, {ip("2001:db8:9::1"), 64}},
                                    {{block("198.51.100.0/24"), ip("192.0.2.254"), {}},
                                     {block("2001:db8:a::/48"), ip("2001:db8:9::fe"), {}}}};
  std::vector<std::string> told_;
  std::unique_ptr<Mirror> mirror_;
  std::unique_ptr<InterfaceSetup> setup_;

  bool all_there() {
    return until([this] {
      return mirrored("192.0.2.1") && mirrored("2001:db8:9::1") &&
             mirrored_route("198.51.100.0/24") && mirrored_route("2001:db8:a::/48");
    });
  }
};

TEST_F(SetupInNamespace, BringsTheLinkUpAndAddsWhatIsConfigured) {
  setup_->set({settings_});
  EXPECT_TRUE(all_there());
  EXPECT_TRUE(mirror_->state().link_named("lan")->admin_up);
  EXPECT_THAT(output_of("ip -6 address show dev lan to 2001:db8:9::1"),
              Not(HasSubstr("tentative")));
  EXPECT_THAT(told_, IsEmpty());
  setup_->set({settings_});
  EXPECT_THAT(setup_->problems(), IsEmpty());
}

TEST_F(SetupInNamespace, RemovesWhatItAddedAndNothingElse) {
  setup_->set({settings_});
  ASSERT_TRUE(all_there());
  run("ip address add 192.0.2.77/32 dev lan; ip route add 203.0.113.0/24 via 192.0.2.254");
  ASSERT_TRUE(until([this] { return mirrored("192.0.2.77") && mirrored_route("203.0.113.0/24"); }));
  setup_->set({{"lan", {{ip("192.0.2.1"), 24}}, {}}});
  EXPECT_TRUE(until([this] {
    return !mirrored("2001:db8:9::1") && !mirrored_route("198.51.100.0/24") &&
           !mirrored_route("2001:db8:a::/48");
  }));
  EXPECT_TRUE(on_tap("192.0.2.77"));
  EXPECT_TRUE(on_tap("203.0.113.0/24"));
  EXPECT_TRUE(on_tap("192.0.2.1/24"));
}

TEST_F(SetupInNamespace, ALaterDaemonRemovesWhatAnEarlierOneAdded) {
  setup_->set({settings_});
  ASSERT_TRUE(all_there());
  auto later = InterfaceSetup::open(io_, *mirror_, {});
  ASSERT_TRUE(later);
  setup_ = std::move(*later);
  setup_->set({{"lan", {}, {}}});
  EXPECT_TRUE(until([this] {
    return !mirrored("192.0.2.1") && !mirrored("2001:db8:9::1") &&
           !mirrored_route("198.51.100.0/24");
  }));
}

TEST_F(SetupInNamespace, ReplacesItsOwnRouteWhenTheGatewayChanges) {
  setup_->set({settings_});
  ASSERT_TRUE(all_there());
  auto changed = settings_;
  changed.routes[0].via = ip("192.0.2.253");
  setup_->set({changed});
  EXPECT_TRUE(until([this] { return on_tap("198.51.100.0/24 via 192.0.2.253"); }));
  EXPECT_FALSE(on_tap("192.0.2.254"));
}

TEST_F(SetupInNamespace, TellsOnceWhatTheKernelRefusesAndDoesItWhenItCan) {
  auto settings = settings_;
  settings.routes.push_back({block("203.0.113.0/24"), ip("10.99.0.1"), {}});
  setup_->set({settings});
  ASSERT_TRUE(all_there());
  ASSERT_TRUE(until([this] { return !told_.empty(); }));
  EXPECT_THAT(told_,
              ElementsAre(HasSubstr("interface \"lan\": route 203.0.113.0/24 via 10.99.0.1: ")));
  run("ip address add 10.99.0.2/24 dev lan");
  EXPECT_TRUE(until([this] { return mirrored_route("203.0.113.0/24"); }));
  EXPECT_TRUE(until([this] { return setup_->problems().empty(); }));
  EXPECT_EQ(told_.size(), 1U);
}

TEST_F(SetupInNamespace, DoesNotTouchARouteOfSomebodyElseThatIsInTheWay) {
  run("ip route add 198.51.100.0/24 via 10.0.0.2");
  setup_->set({settings_});
  ASSERT_TRUE(until([this] { return !told_.empty(); }));
  EXPECT_THAT(told_, ElementsAre(HasSubstr("another route with metric 0 is in the way")));
  EXPECT_TRUE(on_tap("198.51.100.0/24 via 10.0.0.2"));
}

TEST_F(SetupInNamespace, PutsEverythingBackAfterTheLinkWentDownAndUp) {
  setup_->set({settings_});
  ASSERT_TRUE(all_there());
  run("ip -6 address add 2001:db8:9::77/128 dev lan; ip route add 203.0.113.0/24 via 192.0.2.254 "
      "metric 7");
  ASSERT_TRUE(
      until([this] { return mirrored("2001:db8:9::77") && mirrored_route("203.0.113.0/24"); }));
  run("ip link set lan down; ip link set lan up");
  EXPECT_FALSE(on_tap("2001:db8:9::1/64"));
  EXPECT_TRUE(until([this] {
    return on_tap("2001:db8:9::1/64") && on_tap("2001:db8:9::77/128") &&
           on_tap("203.0.113.0/24 via 192.0.2.254 metric 7") && on_tap("198.51.100.0/24") &&
           on_tap("2001:db8:a::/48");
  }));
}

TEST_F(SetupInNamespace, PutsEverythingBackWhenTheLinkIsMadeAnew) {
  setup_->set({settings_});
  ASSERT_TRUE(all_there());
  run("ip address add 192.0.2.77/32 dev lan; ip route add 203.0.113.0/24 via 192.0.2.254");
  ASSERT_TRUE(until([this] { return mirrored("192.0.2.77") && mirrored_route("203.0.113.0/24"); }));
  const int index = mirror_->state().link_named("lan")->index;
  run("ip link del lan");
  ASSERT_TRUE(until([this] { return mirror_->state().link_named("lan") == nullptr; }));
  make_tap();
  EXPECT_TRUE(all_there());
  EXPECT_TRUE(until([this] { return mirrored("192.0.2.77") && mirrored_route("203.0.113.0/24"); }));
  EXPECT_NE(mirror_->state().link_named("lan")->index, index);
  EXPECT_TRUE(on_tap("203.0.113.0/24 via 192.0.2.254"));
}

TEST_F(SetupInNamespace, DoesNotPutBackWhatAnOperatorTookAway) {
  setup_->set({settings_});
  ASSERT_TRUE(all_there());
  run("ip address add 192.0.2.77/32 dev lan; ip route add 203.0.113.0/24 via 192.0.2.254");
  ASSERT_TRUE(until([this] { return mirrored("192.0.2.77") && mirrored_route("203.0.113.0/24"); }));
  run("ip address del 192.0.2.77/32 dev lan; ip route del 203.0.113.0/24");
  ASSERT_TRUE(
      until([this] { return !mirrored("192.0.2.77") && !mirrored_route("203.0.113.0/24"); }));
  run("ip link set lan down; ip link set lan up");
  ASSERT_TRUE(until([this] { return on_tap("2001:db8:9::1/64") && on_tap("198.51.100.0/24"); }));
  EXPECT_FALSE(on_tap("192.0.2.77"));
  EXPECT_FALSE(on_tap("203.0.113.0/24"));
}

TEST_F(SetupInNamespace, DoesNotGiveUpRestoringBecauseTheKernelHasMuchNews) {
  lose_a_route_that_cannot_come_back();
  for (int i = 1; i <= 12; ++i) {
    const auto address = fmt::format("10.0.0.{}", 100 + i);
    run("ip address add " + address + "/32 dev wan");
    ASSERT_TRUE(until([&] { return mirrored(address.c_str()); }));
  }
  run("ip address add 172.16.5.2/24 dev lan");
  EXPECT_TRUE(until([this] { return on_tap("203.0.113.0/24 via 172.16.5.1"); }));
  EXPECT_TRUE(until([this] { return setup_->problems().empty(); }));
}

TEST_F(SetupInNamespace, SaysWhenItGivesUpRestoringAndFollowsTheLinkAgain) {
  using namespace std::chrono_literals;
  auto hasty = InterfaceSetup::open(
      io_, *mirror_, [this](const std::string& problem) { told_.push_back(problem); },
      {.first = 5ms, .longest = 20ms, .give_up_after = 60ms});
  ASSERT_TRUE(hasty);
  setup_ = std::move(*hasty);
  lose_a_route_that_cannot_come_back();
  EXPECT_TRUE(
      until([this] { return told_.back().find("not tried any more") != std::string::npos; }));
  EXPECT_TRUE(until([this] { return setup_->problems().empty(); }));
  // What is taken away from now on is taken away by somebody, and not put back.
  run("ip address add 192.0.2.77/32 dev lan");
  ASSERT_TRUE(until([this] { return mirrored("192.0.2.77"); }));
  run("ip address del 192.0.2.77/32 dev lan");
  ASSERT_TRUE(until([this] { return !mirrored("192.0.2.77"); }));
  run("ip link set lan down; ip link set lan up");
  ASSERT_TRUE(until([this] { return on_tap("198.51.100.0/24") && mirrored("2001:db8:9::1"); }));
  EXPECT_FALSE(on_tap("192.0.2.77"));
  EXPECT_FALSE(on_tap("203.0.113.0/24"));
}

TEST_F(SetupInNamespace, LetsAnOperatorTakeTheLinkDown) {
  setup_->set({settings_});
  ASSERT_TRUE(all_there());
  run("ip link set lan down");
  ASSERT_TRUE(until([this] { return !mirror_->state().link_named("lan")->admin_up; }));
  run("ip address add 10.0.0.55/32 dev wan");  // some other change
  ASSERT_TRUE(until([this] { return mirrored("10.0.0.55"); }));
  EXPECT_THAT(output_of("ip link show dev lan"), Not(HasSubstr(",UP")));
}

}  // namespace
}  // namespace ballast::netlink
