#include "control/netlink/mirror.h"

#include <fstream>

#include <gmock/gmock.h>

#include "tests/unit/control/netlink/network_namespace.h"

namespace ballast::netlink {
namespace {

using testing::SizeIs;

class MirrorInNamespace : public NetworkNamespaceTest {
 protected:
  void SetUp() override {
    NetworkNamespaceTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    mirror_ = open_mirror([this](const KernelChanges& changes) { reports_.push_back(changes); });
  }
  void complete() {
    ASSERT_TRUE(until([this] { return !reports_.empty(); }));
  }
  [[nodiscard]] const KernelState& state() const { return mirror_->state(); }
  [[nodiscard]] std::optional<EffectiveRoute> route(const char* prefix) const {
    return effective_route(state(), {"wan", "lan"}, block(prefix));
  }
  [[nodiscard]] bool has_address(const char* address) const {
    for (const auto& [key, value] : state().addresses) {
      if (key.address == ip(address)) {
        return true;
      }
    }
    return false;
  }
  // What a mirror that starts now sees.
  KernelState seen_afresh() {
    bool done = false;
    auto other = open_mirror([&done](const KernelChanges&) { done = true; });
    EXPECT_TRUE(until([&done] { return done; }));
    return other->state();
  }

  std::vector<KernelChanges> reports_;
  std::unique_ptr<Mirror> mirror_;
};

TEST_F(MirrorInNamespace, IsCompleteOnlyWhenAllTablesAreIn) {
  EXPECT_FALSE(mirror_->complete());
  complete();
  EXPECT_TRUE(mirror_->complete());
  EXPECT_TRUE(reports_.front().everything);
  const auto* wan = state().link_named("wan");
  ASSERT_NE(wan, nullptr);
  EXPECT_TRUE(wan->admin_up);
  EXPECT_FALSE(wan->mac.is_zero());
  EXPECT_EQ(wan->mtu, 1500U);
  EXPECT_TRUE(has_address("10.0.0.1"));
  EXPECT_TRUE(has_address("2001:db8::1"));
  ASSERT_TRUE(until([this] { return route("10.0.0.0/24") && route("2001:db8::/64"); }));
  EXPECT_FALSE(route("10.0.0.0/24")->hops.front().gateway);
}

TEST_F(MirrorInNamespace, CompletesInANamespaceWithoutAnyRoute) {
  run("ip link del wan");
  complete();
  EXPECT_THAT(state().routes, SizeIs(0));
}

TEST_F(MirrorInNamespace, FollowsAddresses) {
  complete();
  run("ip address add 10.0.0.7/32 dev wan; ip address add 2001:db8::7/128 dev wan nodad");
  EXPECT_TRUE(until([this] { return has_address("10.0.0.7") && has_address("2001:db8::7"); }));
  run("ip address del 10.0.0.7/32 dev wan; ip address del 2001:db8::7/128 dev wan");
  EXPECT_TRUE(until([this] { return !has_address("10.0.0.7") && !has_address("2001:db8::7"); }));
}

TEST_F(MirrorInNamespace, LosesTheRoutesOfALinkWithoutCarrierAndFindsThemAgain) {
  complete();
  run("ip route add 172.16.0.0/12 via 10.0.0.2");
  ASSERT_TRUE(until([this] { return route("172.16.0.0/12").has_value(); }));
  in_peer("ip link set peer down");
  EXPECT_TRUE(
      until([this] { return !state().link_named("wan")->carrier && !route("172.16.0.0/12"); }));
  EXPECT_TRUE(state().link_named("wan")->admin_up);
  in_peer("ip link set peer up");
  EXPECT_TRUE(until([this] { return route("172.16.0.0/12").has_value(); }));
}

TEST_F(MirrorInNamespace, NoticesTheRoutesThatTheKernelTakesSilentlyWhenALinkGoesDown) {
  run("ip route add 172.16.0.0/12 via 10.0.0.2");
  complete();
  ASSERT_TRUE(until([this] { return route("172.16.0.0/12").has_value(); }));
  run("ip link set wan down; ip link set wan up");
  // Up again, the connected routes are back, but those of the operator are not.
  EXPECT_TRUE(until([this] { return route("10.0.0.0/24") && !route("172.16.0.0/12"); }));
  bool went_down = false;
  for (const auto& report : reports_) {
    went_down = went_down || report.went_down.contains("wan");
  }
  EXPECT_TRUE(went_down);
}

TEST_F(MirrorInNamespace, FollowsARouteThatIsReplaced) {
  complete();
  run("ip route add 172.16.0.0/12 via 10.0.0.2; ip -6 route add 2001:db8:1::/48 via 2001:db8::2");
  ASSERT_TRUE(until([this] { return route("172.16.0.0/12") && route("2001:db8:1::/48"); }));
  run("ip route replace 172.16.0.0/12 via 10.0.0.3; ip -6 route replace 2001:db8:1::/48 via "
      "2001:db8::3");
  EXPECT_TRUE(until([this] {
    return route("172.16.0.0/12")->hops.front().gateway == ip("10.0.0.3") &&
           route("2001:db8:1::/48")->hops.front().gateway == ip("2001:db8::3");
  }));
  run("ip route replace unreachable 172.16.0.0/12");
  EXPECT_TRUE(until([this] { return route("172.16.0.0/12")->kind == RouteKind::kUnreachable; }));
}

TEST_F(MirrorInNamespace, FollowsMultipathRoutesHopByHop) {
  complete();
  run("ip route add 172.16.0.0/12 nexthop via 10.0.0.2 weight 3 nexthop via 10.0.0.3");
  run("ip -6 route add 2001:db8:1::/48 nexthop via 2001:db8::2 nexthop via 2001:db8::3");
  ASSERT_TRUE(until([this] { return route("172.16.0.0/12") && route("2001:db8:1::/48"); }));
  EXPECT_EQ(route("172.16.0.0/12")->hops,
            (std::vector<RouteHop>{{"wan", ip("10.0.0.2"), 3}, {"wan", ip("10.0.0.3"), 1}}));
  EXPECT_THAT(route("2001:db8:1::/48")->hops, SizeIs(2));
  run("ip -6 route append 2001:db8:1::/48 via 2001:db8::4");
  EXPECT_TRUE(until([this] { return route("2001:db8:1::/48")->hops.size() == 3; }));
  run("ip -6 route del 2001:db8:1::/48 via 2001:db8::2");
  EXPECT_TRUE(until([this] { return route("2001:db8:1::/48")->hops.size() == 2; }));
  EXPECT_TRUE(until([this] { return state() == seen_afresh(); }));
}

TEST_F(MirrorInNamespace, FollowsRoutesOfNexthopObjects) {
  complete();
  run("ip nexthop add id 1 via 10.0.0.2 dev wan; ip route add 172.16.0.0/12 nhid 1");
  ASSERT_TRUE(until([this] { return route("172.16.0.0/12").has_value(); }));
  EXPECT_EQ(route("172.16.0.0/12")->hops.front().gateway, ip("10.0.0.2"));
  run("ip nexthop replace id 1 via 10.0.0.3 dev wan");
  EXPECT_TRUE(
      until([this] { return route("172.16.0.0/12")->hops.front().gateway == ip("10.0.0.3"); }));
  run("ip nexthop del id 1");
  EXPECT_TRUE(until([this] { return !route("172.16.0.0/12"); }));
}

TEST_F(MirrorInNamespace, KeepsTheSecondOfTwoRoutesWithOneKey) {
  complete();
  run("ip route add 172.16.0.0/12 via 10.0.0.2; ip route append 172.16.0.0/12 via 10.0.0.3");
  ASSERT_TRUE(until([this] {
    return state().routes.contains({block("172.16.0.0/12"), 0}) &&
           state().routes.at({block("172.16.0.0/12"), 0}).size() == 2;
  }));
  EXPECT_EQ(route("172.16.0.0/12")->hops.front().gateway, ip("10.0.0.2"));
  run("ip route del 172.16.0.0/12 via 10.0.0.2");
  EXPECT_TRUE(
      until([this] { return route("172.16.0.0/12")->hops.front().gateway == ip("10.0.0.3"); }));
}

TEST_F(MirrorInNamespace, FollowsALinkThatIsRenamedDeletedAndMadeAgain) {
  complete();
  run("ip link set wan down; ip link set wan name lan; ip link set lan up");
  EXPECT_TRUE(until([this] {
    return state().link_named("lan") != nullptr && route("10.0.0.0/24") &&
           route("10.0.0.0/24")->hops.front().link == "lan";
  }));
  run("ip link del lan");
  EXPECT_TRUE(
      until([this] { return state().link_named("lan") == nullptr && state().routes.empty(); }));
  make_wan();
  EXPECT_TRUE(until([this] { return route("10.0.0.0/24") && has_address("2001:db8::1"); }));
}

TEST_F(MirrorInNamespace, ReportsManyChangesAtOnce) {
  complete();
  const auto before = reports_.size();
  for (int i = 0; i < 20; ++i) {
    run(fmt::format("ip route add 172.16.{}.0/24 via 10.0.0.2", i));
  }
  ASSERT_TRUE(until([this] { return route("172.16.19.0/24").has_value(); }));
  ASSERT_TRUE(until([this, before] { return reports_.size() > before; }));
  EXPECT_LE(reports_.size(), before + 5);
}

class MirrorUnderFlood : public MirrorInNamespace {
 protected:
  static void write_routes(const std::string& path, const char* verb, int count) {
    std::ofstream batch(path);
    for (int i = 0; i < count; ++i) {
      batch << "route " << verb << " 172." << 16 + i / 65536 << '.' << i / 256 % 256 << '.'
            << i % 256 << "/32 via 10.0.0.2\n";
    }
  }
  // Not through the loop: it does not run meanwhile, so that nobody reads the socket.
  static void change_routes(const char* verb, int count) {
    const auto path = fmt::format("/tmp/ballast-mirror-test-{}", ::getpid());
    write_routes(path, verb, count);
    run("ip -batch " + path);
    std::remove(path.c_str());
  }
};

TEST_F(MirrorUnderFlood, LosesNothingWhenTheKernelDropsEvents) {
  constexpr int kRoutes = 20000;
  mirror_ = open_mirror([this](const KernelChanges& changes) { reports_.push_back(changes); },
                        {.receive_buffer_bytes = 16 * 1024});
  complete();
  change_routes("add", kRoutes);
  ASSERT_TRUE(until([this] { return state().routes.size() >= kRoutes; }));
  EXPECT_GT(mirror_->overruns(), 0U);
  change_routes("del", kRoutes - 7);
  ASSERT_TRUE(until([this] { return state().routes.size() < 20; }));
  EXPECT_TRUE(until([this] { return state() == seen_afresh(); }));
}

TEST_F(MirrorUnderFlood, FollowsTwentyThousandRoutesByEvents) {
  constexpr int kRoutes = 20000;
  complete();
  change_routes("add", kRoutes);
  ASSERT_TRUE(until([this] { return state().routes.size() >= kRoutes; }));
  EXPECT_EQ(mirror_->overruns(), 0U);
  EXPECT_TRUE(until([this] { return state() == seen_afresh(); }));
}

TEST_F(MirrorInNamespace, CanBeDestroyedByItsOwnReport) {
  std::unique_ptr<Mirror> short_lived;
  bool called = false;
  short_lived = open_mirror([&](const KernelChanges&) {
    called = true;
    short_lived.reset();
  });
  EXPECT_TRUE(until([&] { return called; }));
  run("ip route add 172.16.0.0/12 via 10.0.0.2");
  EXPECT_TRUE(until([this] { return !reports_.empty() && route("172.16.0.0/12"); }));
  EXPECT_EQ(short_lived, nullptr);
}

}  // namespace
}  // namespace ballast::netlink
