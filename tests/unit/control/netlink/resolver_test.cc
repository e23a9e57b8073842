#include "control/netlink/resolver.h"

#include <gmock/gmock.h>

#include "control/netlink/neighbor_memory.h"
#include "tests/unit/control/netlink/network_namespace.h"

namespace ballast::netlink {
namespace {

using std::chrono::milliseconds;

class ResolverInNamespace : public NetworkNamespaceTest {
 protected:
  void SetUp() override {
    NetworkNamespaceTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    // The kernel's own timers, made short.
    for (const char* family : {"ipv4", "ipv6"}) {
      run(
          fmt::format("sysctl -qw net.{0}.neigh.wan.retrans_time_ms=50 "
                      "net.{0}.neigh.wan.base_reachable_time_ms=200 "
                      "net.{0}.neigh.wan.delay_first_probe_time=1",
                      family));
    }
    mirror_ = open_mirror([this](const KernelChanges& changes) {
      memory_.follow(mirror_->state(), changes, {"wan"});
      complete_ = true;
    });
    auto resolver = Resolver::open(io_, *mirror_,
                                   [this](const std::string& problem) { told_.push_back(problem); },
                                   {.known = milliseconds(200), .unanswered = milliseconds(1000)});
    ASSERT_TRUE(resolver) << resolver.error();
    resolver_ = std::move(*resolver);
    ASSERT_TRUE(until([this] { return complete_; }));
  }
  [[nodiscard]] RememberedNeighbor remembered(const char* address) const {
    const auto found = memory_.neighbors().find({"wan", ip(address)});
    return found == memory_.neighbors().end() ? RememberedNeighbor{} : found->second;
  }
  [[nodiscard]] bool known_as(const char* address, const char* mac) const {
    return remembered(address) ==
           RememberedNeighbor{*MacAddress::parse(mac), NeighborState::kKnown};
  }
  [[nodiscard]] bool failed(const char* address) const {
    return remembered(address).state == NeighborState::kFailed;
  }

  std::vector<std::string> told_;
  NeighborMemory memory_;
  bool complete_ = false;
  std::unique_ptr<Mirror> mirror_;
  std::unique_ptr<Resolver> resolver_;
};

TEST_F(ResolverInNamespace, HasTheKernelFindANeighbour) {
  in_peer("ip link set peer address 02:00:00:00:00:22");
  for (const char* address : {"10.0.0.2", "2001:db8::2"}) {
    ASSERT_TRUE(until([&] { return mirror_->state().link_named("wan")->up; }));
    const auto asked = resolver_->ask({"wan", ip(address)});
    ASSERT_TRUE(asked) << asked.error();
    EXPECT_TRUE(*asked);
    EXPECT_TRUE(until([&] { return known_as(address, "02:00:00:00:00:22"); })) << address;
  }
}

TEST_F(ResolverInNamespace, FindsALinkLocalNeighbour) {
  in_peer("ip address add fe80::99/64 dev peer nodad");
  ASSERT_TRUE(resolver_->ask({"wan", ip("fe80::99")}));
  EXPECT_TRUE(until([&] { return remembered("fe80::99").state == NeighborState::kKnown; }));
}

TEST_F(ResolverInNamespace, SaysWhenNobodyAnswersAndFindsTheNeighbourWhenItCameBack) {
  const NextHop nobody{"wan", ip("10.0.0.9")};
  ASSERT_TRUE(resolver_->ask(nobody));
  EXPECT_FALSE(*resolver_->ask(nobody)) << "within the same second";
  EXPECT_TRUE(until([&] { return failed("10.0.0.9"); }));
  in_peer("ip address add 10.0.0.9/24 dev peer");
  EXPECT_TRUE(until([&] {
    (void)resolver_->ask(nobody);
    return remembered("10.0.0.9").state == NeighborState::kKnown;
  }));
}

TEST_F(ResolverInNamespace, KeepingFreshNoticesANewMac) {
  in_peer("ip link set peer address 02:00:00:00:00:22");
  memory_.keep({{"wan", ip("10.0.0.2")}});
  resolver_->keep_fresh({{"wan", ip("10.0.0.2")}});
  ASSERT_TRUE(until([&] { return known_as("10.0.0.2", "02:00:00:00:00:22"); }));
  in_peer("sysctl -qw net.ipv4.conf.peer.arp_notify=0");
  in_peer("ip link set peer address 02:00:00:00:00:33");
  EXPECT_TRUE(until([&] { return known_as("10.0.0.2", "02:00:00:00:00:33"); }));
}

TEST_F(ResolverInNamespace, KeepingFreshNoticesADeadNeighbour) {
  memory_.keep({{"wan", ip("10.0.0.2")}, {"wan", ip("2001:db8::2")}});
  resolver_->keep_fresh({{"wan", ip("10.0.0.2")}, {"wan", ip("2001:db8::2")}});
  const auto both = [this](NeighborState state) {
    return remembered("10.0.0.2").state == state && remembered("2001:db8::2").state == state;
  };
  ASSERT_TRUE(until([&] { return both(NeighborState::kKnown); }));
  in_peer("ip address flush dev peer");
  EXPECT_TRUE(until([&] { return both(NeighborState::kFailed); }));
}

TEST_F(ResolverInNamespace, AKnownMacOutlivesTheKernelsEntryUntilTheNeighbourFails) {
  memory_.keep({{"wan", ip("10.0.0.2")}});
  ASSERT_TRUE(resolver_->ask({"wan", ip("10.0.0.2")}));
  ASSERT_TRUE(until([&] { return remembered("10.0.0.2").state == NeighborState::kKnown; }));
  run("ip neigh flush all");
  const NeighborKey key{mirror_->state().link_named("wan")->index, ip("10.0.0.2")};
  ASSERT_TRUE(until([&] { return !mirror_->state().neighbors.contains(key); }));
  EXPECT_EQ(remembered("10.0.0.2").state, NeighborState::kKnown);
  in_peer("ip address flush dev peer");
  resolver_->keep_fresh({{"wan", ip("10.0.0.2")}});
  EXPECT_TRUE(until([&] { return failed("10.0.0.2"); }));
}

TEST_F(ResolverInNamespace, TellsOnceThatTheKernelCannotAskAndGoesOn) {
  // A link without IPv6 has no room for such neighbours; a full table refuses in the same way.
  run("sysctl -qw net.ipv6.conf.wan.disable_ipv6=1");
  std::set<NextHop> neighbors;
  for (const char* address : {"2001:db8::2", "2001:db8::3", "2001:db8::4"}) {
    neighbors.insert({"wan", ip(address)});
  }
  resolver_->keep_fresh(neighbors);
  ASSERT_TRUE(until([&] { return !told_.empty(); }));
  EXPECT_THAT(told_.front(), testing::HasSubstr("neighbor 2001:db8::"));
  EXPECT_FALSE(resolver_->trouble().empty());
  neighbors.insert({"wan", ip("10.0.0.2")});
  resolver_->keep_fresh(neighbors);
  EXPECT_TRUE(until([&] { return remembered("10.0.0.2").state == NeighborState::kKnown; }));
  EXPECT_EQ(told_.size(), 1U);
  resolver_->keep_fresh({});
  run("sysctl -qw net.ipv6.conf.wan.disable_ipv6=0");
  EXPECT_TRUE(until([&] {
    (void)resolver_->ask({"wan", ip("10.0.0.9")});
    return resolver_->trouble().empty();
  }));
}

TEST_F(ResolverInNamespace, RefusesWhatCannotBeANeighbour) {
  EXPECT_FALSE(resolver_->ask({"wan", ip("224.0.0.1")}));
  EXPECT_FALSE(resolver_->ask({"wan", IpAddress()}));
  EXPECT_FALSE(resolver_->ask({"nowhere", ip("10.0.0.2")}));
}

}  // namespace
}  // namespace ballast::netlink
