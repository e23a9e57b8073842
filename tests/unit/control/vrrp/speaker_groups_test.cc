#include "control/vrrp/speaker_groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/config/load.h"

namespace ballast::control {
namespace {

using testing::ElementsAre;

IpAddress ip(const char* text) {
  return IpAddress::parse(text).value();
}

Configuration configuration(const std::string& text) {
  auto loaded = parse_configuration(text, "b.toml", Capabilities{});
  EXPECT_TRUE(loaded) << testing::PrintToString(loaded.error());
  return loaded ? loaded->configuration : Configuration{};
}

// Interface wan is number 7, lan number 8.
netlink::KernelState kernel(const std::vector<std::pair<int, const char*>>& addresses) {
  netlink::KernelState state;
  state.links[7] = {.index = 7, .name = "wan", .admin_up = true, .carrier = true, .up = true};
  state.links[8] = {.index = 8, .name = "lan", .admin_up = true, .carrier = true, .up = true};
  for (const auto& [link, address] : addresses) {
    state.addresses[{link, ip(address), 24}] = {};
  }
  return state;
}

const char* const kTwoInstances = R"(
[[interface]]
name = "wan"
addresses = ["10.0.0.9/24", "10.0.0.5/24"]
[[vrrp]]
name = "front"
interface = "wan"
virtual_router_id = 51
priority = 150
preempt = true
group = "all"
addresses = ["192.0.2.10", "fe80::1", "2001:db8::10"]
unicast_peers = ["10.0.0.2", "2001:db8::2"]
track = [{ port = "wan" }, { route = "0.0.0.0/0" }]
[[vrrp]]
name = "back"
interface = "lan"
virtual_router_id = 52
priority = 150
preempt = true
group = "all"
addresses = ["192.0.2.20"]
track = [{ port = "wan" }, { port = "lan" }]
[[vrrp]]
name = "alone"
interface = "lan"
virtual_router_id = 53
version = 2
addresses = ["192.0.2.30"]
)";

TEST(SpeakerGroups, HaveARouterForEachFamilyOfEachMember) {
  const Configuration wanted = configuration(kTwoInstances);
  const std::vector<VrrpGroup> groups = groups_of(wanted.vrrp);
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[0].name, "all");
  EXPECT_TRUE(groups[0].has("front") && groups[0].has("back") && !groups[0].has("alone"));
  EXPECT_EQ(groups[1].name, "alone");

  const auto settings = group_settings(groups[0], kernel({}));
  ASSERT_TRUE(settings);
  EXPECT_TRUE(vrrp::validate(*settings));
  EXPECT_EQ(index(settings->priority), 150);
  EXPECT_TRUE(settings->preempt);
  ASSERT_EQ(settings->routers.size(), 3U);
  EXPECT_THAT(settings->routers[0].addresses, ElementsAre(ip("192.0.2.10")));
  EXPECT_THAT(settings->routers[0].unicast_peers, ElementsAre(ip("10.0.0.2")));
  EXPECT_THAT(settings->routers[1].addresses, ElementsAre(ip("fe80::1"), ip("2001:db8::10")));
  EXPECT_THAT(settings->routers[1].unicast_peers, ElementsAre(ip("2001:db8::2")));
  EXPECT_EQ(index(settings->routers[2].key.interface), 8U);
  EXPECT_EQ(index(settings->routers[2].key.id), 52);
}

TEST(SpeakerGroups, TrackWhatAnyMemberTracksOnce) {
  const Configuration wanted = configuration(kTwoInstances);
  std::vector<std::string> names;
  for (const vrrp::TrackSettings& track : track_settings(groups_of(wanted.vrrp)[0])) {
    names.push_back(track.name);
  }
  EXPECT_THAT(names, ElementsAre("port wan", "route 0.0.0.0/0", "port lan"));
}

TEST(SpeakerGroups, AreNotThereWithoutTheInterfaceOfEachMember) {
  const Configuration wanted = configuration(kTwoInstances);
  netlink::KernelState without_lan = kernel({});
  without_lan.links.erase(8);
  EXPECT_FALSE(group_settings(groups_of(wanted.vrrp)[0], without_lan));
}

TEST(InterfaceFacts, PreferTheConfiguredAddressesInTheirOrderAndTakeNoVip) {
  const Configuration wanted = configuration(kTwoInstances);
  const auto facts = [&](const std::vector<std::pair<int, const char*>>& addresses) {
    return interface_facts(wanted, kernel(addresses)).front();
  };
  EXPECT_EQ(facts({{7, "10.0.0.1"}, {7, "10.0.0.5"}, {7, "10.0.0.9"}, {8, "10.0.0.9"}}).ipv4,
            ip("10.0.0.9"));
  EXPECT_EQ(facts({{7, "10.0.0.1"}, {7, "10.0.0.5"}}).ipv4, ip("10.0.0.5"));
  EXPECT_EQ(facts({{7, "10.0.0.4"}, {7, "10.0.0.3"}}).ipv4, ip("10.0.0.3"));
  EXPECT_EQ(facts({{7, "192.0.2.10"}, {8, "10.0.0.3"}}).ipv4, std::nullopt);
  EXPECT_EQ(facts({{7, "2001:db8::7"}, {7, "fe80::77"}, {7, "fe80::1"}}).link_local,
            ip("fe80::77"));
}

}  // namespace
}  // namespace ballast::control
