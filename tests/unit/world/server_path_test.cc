// What a packet to a server needs on its way: tunnel, outer source, largest segment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dataplane/rewrite/mss_clamp.h"
#include "tests/unit/world/world_fixture.h"

namespace ballast::test {
namespace {

const MacAddress kLanMac({2, 0, 0, 0, 0, 0xa1});

api::Service tunnel_to(const std::vector<api::Server>& servers,
                       api::Encapsulation encapsulation = api::IPIP,
                       const std::vector<std::string>& sources = {}) {
  api::Service result = service_in(api::TUN, "web", "192.0.2.10", 80, servers);
  result.mutable_tunnel()->set_encapsulation(encapsulation);
  for (const std::string& source : sources) {
    result.mutable_tunnel()->add_sources(source);
  }
  return result;
}

std::string source_of(const WorldFixture& fixture, const char* server) {
  const RealServer& real = fixture.real("web", server);
  return real.tunnel->first_source.to_string() + " x " + std::to_string(real.tunnel->sources);
}

TEST(ServerPath, ATunnelComesFromItsSourcesOrElseFromThePort) {
  WorldFixture fixture;
  fixture.accept(base());
  const std::vector both{server("10.0.0.1"), server("2001:db8:1::1"), server("10.9.0.1")};
  fixture.accept(std::move(Change().add(tunnel_to(both))));
  EXPECT_EQ(source_of(fixture, "10.0.0.1"), ":: x 0");
  EXPECT_EQ(source_of(fixture, "10.9.0.1"), ":: x 0") << "no route";

  // Link-local addresses are no use elsewhere; the first of the others is taken.
  fixture.accept(std::move(Change().add_port(
      "lan", {"fe80::1", "169.254.0.1", "10.0.0.6", "10.0.0.5", "2001:db8:1::5"})));
  EXPECT_EQ(source_of(fixture, "10.0.0.1"), "10.0.0.5 x 1");
  EXPECT_EQ(source_of(fixture, "2001:db8:1::1"), "2001:db8:1::5 x 1");
  EXPECT_EQ(fixture.world.snapshot()->ports[index(kLan)].ipv4.to_string(), "10.0.0.5");
  EXPECT_EQ(fixture.world.snapshot()->ports[index(kLan)].ipv6.to_string(), "2001:db8:1::5");

  fixture.accept(std::move(Change().add_port("wan", {"192.0.2.2"})));
  fixture.accept(
      std::move(Change().add_route("10.9.0.0/24", "wan").add_route("10.0.0.1/32", "wan")));
  EXPECT_EQ(source_of(fixture, "10.9.0.1"), "192.0.2.2 x 1");
  EXPECT_EQ(source_of(fixture, "10.0.0.1"), "192.0.2.2 x 1") << "its next hop is another";
  fixture.accept(std::move(Change().remove_route("10.0.0.1/32")));
  EXPECT_EQ(source_of(fixture, "10.0.0.1"), "10.0.0.5 x 1");

  fixture.accept(
      std::move(Change().add(tunnel_to(both, api::IPIP, {"10.7.0.0/20", "2001:db8:7::5"}))));
  EXPECT_EQ(source_of(fixture, "10.0.0.1"), "10.7.0.0 x 4096");
  EXPECT_EQ(source_of(fixture, "10.9.0.1"), "10.7.0.0 x 4096");
  EXPECT_EQ(source_of(fixture, "2001:db8:1::1"), "2001:db8:7::5 x 1");
  fixture.accept(std::move(Change().add_port("lan", {})));
  EXPECT_EQ(source_of(fixture, "10.0.0.1"), "10.7.0.0 x 4096");
  EXPECT_EQ(fixture.world.snapshot()->ports[index(kLan)].ipv4, IpAddress{});
}

TEST(ServerPath, ATunnelIsTheSameObjectUntilSomethingInItChanges) {
  WorldFixture fixture;
  fixture.accept(base());
  fixture.accept(std::move(Change().add_port("lan", {"10.0.0.5"})));
  fixture.accept(std::move(Change().add(tunnel_to({server("10.0.0.1")}))));
  const auto first = fixture.world.snapshot();
  const ServerTunnel* tunnel = fixture.real("web", "10.0.0.1").tunnel;
  api::Server heavier = server("10.0.0.1", 7);
  fixture.accept(std::move(Change().add(tunnel_to({heavier, server("10.0.0.2")}))));
  fixture.accept(std::move(Change().add_port("lan", {"10.0.0.5", "10.0.0.77"})));
  fixture.accept(std::move(Change().add_route("10.0.0.1/32", "lan", "10.0.0.9")));
  EXPECT_EQ(fixture.real("web", "10.0.0.1").tunnel, tunnel);

  fixture.accept(std::move(Change().add(tunnel_to({heavier}, api::GRE))));
  EXPECT_NE(fixture.real("web", "10.0.0.1").tunnel, tunnel);
  EXPECT_EQ(fixture.real("web", "10.0.0.1").tunnel->header.overhead(), 24);
  EXPECT_EQ(first->servers[index(fixture.find("web", "10.0.0.1"))].tunnel, tunnel);
  EXPECT_EQ(tunnel->header.overhead(), 20) << "a snapshot never changes";
}

TEST(ServerPath, ARemovedServerKeepsItsTunnelAndFollowsThePort) {
  WorldFixture fixture;
  fixture.accept(base());
  fixture.accept(std::move(Change().add_port("lan", {"10.0.0.5"})));
  fixture.accept(std::move(Change().add(tunnel_to({server("10.0.0.1")}, api::GUE))));
  const ServerIndex old = fixture.find("web", "10.0.0.1");
  fixture.accept(std::move(Change().add(tunnel_to({server("10.0.0.2")}, api::GRE))));
  fixture.accept(std::move(Change().add_port("lan", {"10.0.0.6"})));
  fixture.accept(std::move(Change().remove_service("web")));
  const RealServer& real = fixture.world.snapshot()->servers[index(old)];
  ASSERT_NE(real.tunnel, nullptr);
  EXPECT_EQ(real.tunnel->header.overhead(), 32);
  EXPECT_EQ(real.tunnel->first_source.to_string(), "10.0.0.6");
}

uint16_t mss_of(const WorldFixture& fixture, const char* server, Family family) {
  return fixture.real("web", server).mss(family);
}

TEST(ServerPath, TheLargestSegmentIsWhatFitsThePort) {
  WorldFixture fixture;
  fixture.accept(base());
  Change vip;
  api::Service direct = service("web", "192.0.2.10", 80, {server("10.0.0.1")});
  fixture.accept(std::move(Change().add(direct)));
  EXPECT_EQ(mss_of(fixture, "10.0.0.1", Family::kIpv4), 0);
  direct.set_mss(1200);
  fixture.accept(std::move(Change().add(direct)));
  EXPECT_EQ(mss_of(fixture, "10.0.0.1", Family::kIpv4), 1200);
  direct.set_mss(0);
  direct.set_mss_auto(true);
  fixture.accept(std::move(Change().add(direct)));
  EXPECT_EQ(mss_of(fixture, "10.0.0.1", Family::kIpv4), 1460);
  fixture.world.port_changed(kLan, {kLanMac, 9000, true});
  EXPECT_EQ(mss_of(fixture, "10.0.0.1", Family::kIpv4), 8960);
  fixture.accept(std::move(Change().add_route("10.0.0.1/32", "wan")));
  EXPECT_EQ(mss_of(fixture, "10.0.0.1", Family::kIpv4), 1460) << "another way, another MTU";
  fixture.accept(std::move(Change().remove_route("10.0.0.1/32").remove_route("10.0.0.0/24")));
  EXPECT_EQ(mss_of(fixture, "10.0.0.1", Family::kIpv4), 0) << "nothing is sent";
}

TEST(ServerPath, TheLargestSegmentIsWhatFitsTheTunnelInEveryPairOfFamilies) {
  const std::vector both{server("10.0.0.1"), server("2001:db8:1::1")};
  for (const api::Encapsulation encapsulation : {api::IPIP, api::GRE, api::GUE}) {
    for (const uint16_t mtu : {uint16_t{576}, uint16_t{1500}, uint16_t{9000}}) {
      WorldFixture fixture;
      fixture.accept(base());
      api::Service service = tunnel_to(both, encapsulation);
      service.set_mss_auto(true);
      fixture.accept(std::move(Change().add(service)));
      fixture.world.port_changed(kLan, {kLanMac, mtu, true});
      for (const char* address : {"10.0.0.1", "2001:db8:1::1"}) {
        const int overhead = fixture.real("web", address).tunnel->header.overhead();
        EXPECT_EQ(mss_of(fixture, address, Family::kIpv4), mtu - overhead - 40) << mtu;
        // Every IPv6 link carries 1280 bytes, if need be in fragments.
        EXPECT_EQ(mss_of(fixture, address, Family::kIpv6), std::max(mtu - overhead, 1280) - 60);
      }
    }
  }
}

TEST(ServerPath, AMtuChangesNoOtherPortsServers) {
  WorldFixture fixture;
  fixture.accept(base());
  api::Service service = tunnel_to({server("10.0.0.1")});
  service.set_mss_auto(true);
  fixture.accept(std::move(Change().add(service)));
  const uint16_t before = mss_of(fixture, "10.0.0.1", Family::kIpv4);
  fixture.world.port_changed(kWan, {MacAddress({2, 0, 0, 0, 0, 0xa0}), 9000, true});
  EXPECT_EQ(mss_of(fixture, "10.0.0.1", Family::kIpv4), before);
}

}  // namespace
}  // namespace ballast::test
