// What a service in each mode may not say, and in which words it is told.
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/world/world_fixture.h"

namespace ballast::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

Change addresses() {
  Change change = base();
  change.add_local("10.0.0.200").add_local("2001:db8:1::200");
  change.add_vip("10.0.0.254", 0, {}, api::GATEWAY);
  return change;
}

api::Service web(api::Mode mode) {
  return service_in(mode, "web", "192.0.2.10", 80, {server("10.0.0.1", 1)});
}

struct ModeCase {
  const char* name;
  api::Mode mode;
  std::function<void(api::Service&)> spoil;
  const char* sentence;
};

std::vector<ModeCase> families_and_ports() {
  const auto ipv6_server = [](api::Service& s) {
    s.mutable_servers(0)->set_address("2001:db8:1::1");
  };
  const auto port_8080 = [](api::Service& s) { s.mutable_servers(0)->set_port(8080); };
  return {
      {"NAT 4->6", api::NAT, ipv6_server,
       "server [2001:db8:1::1]:0: the service has no IPv6 listener, and mode NAT does not "
       "translate "
       "between families"},
      {"FULLNAT 4->6", api::FULLNAT, ipv6_server, "mode FULLNAT does not translate between"},
      {"TUN port", api::TUN, port_8080,
       "server 10.0.0.1:8080: mode TUN does not change ports, and a listener has port 80: the "
       "server's port must be that of every listener, or 0"},
      {"TUN port, one listener of two", api::TUN,
       [](api::Service& s) {
         s.mutable_servers(0)->set_port(80);
         *s.add_listeners() = s.listeners(0);
         s.mutable_listeners(1)->set_address("2001:db8::10");
         s.mutable_listeners(1)->set_port(81);
       },
       "mode TUN does not change ports, and a listener has port 81"},
  };
}

std::vector<ModeCase> local_addresses() {
  return {
      {"none", api::FULLNAT, [](api::Service& s) { s.clear_local_addresses(); },
       "server 10.0.0.1:0: mode FULLNAT needs a local address of its family: name at least one "
       "IPv4 local address"},
      {"of the other family only", api::FULLNAT,
       [](api::Service& s) {
         s.clear_local_addresses();
         s.add_local_addresses("2001:db8:1::200");
       },
       "name at least one IPv4 local address"},
      {"not an address", api::FULLNAT,
       [](api::Service& s) { s.add_local_addresses("10.0.0.0/24"); },
       "local address \"10.0.0.0/24\" is not an address"},
      {"multicast", api::FULLNAT, [](api::Service& s) { s.add_local_addresses("224.0.0.1"); },
       "local address 224.0.0.1 is a multicast address"},
      {"twice", api::FULLNAT, [](api::Service& s) { s.add_local_addresses("10.0.0.200"); },
       "local address 10.0.0.200 is named twice"},
      {"not of this state", api::FULLNAT,
       [](api::Service& s) { s.add_local_addresses("10.0.0.9"); },
       "local address 10.0.0.9 is not an address of this state: add vip 10.0.0.9 with use LOCAL"},
      {"a VIP", api::FULLNAT, [](api::Service& s) { s.add_local_addresses("192.0.2.10"); },
       "local address 192.0.2.10: vip 192.0.2.10 has use SERVICES: local addresses need use LOCAL"},
      {"in another mode", api::NAT, [](api::Service& s) { s.add_local_addresses("10.0.0.200"); },
       "local addresses need mode FULLNAT"},
      {"listener on a gateway", api::NAT,
       [](api::Service& s) { s.mutable_listeners(0)->set_address("10.0.0.254"); },
       "listener tcp/10.0.0.254:80: vip 10.0.0.254 has use GATEWAY: services listen on addresses "
       "with use SERVICES only"},
      {"listener on a local address", api::NAT,
       [](api::Service& s) { s.mutable_listeners(0)->set_address("10.0.0.200"); },
       "vip 10.0.0.200 has use LOCAL"},
  };
}

std::vector<ModeCase> tunnels() {
  const auto sources = [](std::initializer_list<const char*> all) {
    return [all = std::vector<std::string>(all.begin(), all.end())](api::Service& s) {
      for (const std::string& one : all) {
        s.mutable_tunnel()->add_sources(one);
      }
    };
  };
  return {
      {"in another mode", api::DR, [](api::Service& s) { s.mutable_tunnel(); },
       "a tunnel needs mode TUN"},
      {"encapsulation", api::TUN,
       [](api::Service& s) { s.mutable_tunnel()->set_encapsulation(api::Encapsulation(9)); },
       "tunnel: encapsulation 9 is unknown (IPIP, GRE, GUE)"},
      {"no prefix", api::TUN, sources({"here"}),
       "tunnel: source \"here\" is neither an address nor a prefix like"},
      {"host bits", api::TUN, sources({"10.0.1.1/24"}), "its host bits zero"},
      {"too wide", api::TUN, sources({"10.0.0.0/15"}),
       "tunnel: source 10.0.0.0/15 has more than 65536 addresses: take a prefix of /16 or longer"},
      {"too wide in IPv6", api::TUN, sources({"2001:db8::/111"}), "a prefix of /112 or longer"},
      {"multicast", api::TUN, sources({"224.0.0.0/24"}), "source 224.0.0.0/24 is a multicast"},
      {"two of a family", api::TUN, sources({"10.1.0.0/24", "10.2.0.0/24"}),
       "tunnel: sources 10.1.0.0/24 and 10.2.0.0/24 are both IPv4: at most one prefix of each "
       "family is possible"},
      {"GUE's port without GUE", api::TUN,
       [](api::Service& s) { s.mutable_tunnel()->set_gue_port(6080); },
       "tunnel: gue_port needs encapsulation GUE"},
      {"GUE's checksum without GUE", api::TUN,
       [](api::Service& s) { s.mutable_tunnel()->set_no_udp_checksum(true); },
       "tunnel: no_udp_checksum needs encapsulation GUE"},
      {"GUE's port", api::TUN,
       [](api::Service& s) {
         s.mutable_tunnel()->set_encapsulation(api::GUE);
         s.mutable_tunnel()->set_gue_port(65536);
       },
       "tunnel: gue_port 65536 is out of range (1-65535, or 0 for 6080)"},
  };
}

std::vector<ModeCase> other_settings() {
  return {
      {"mss", api::DR, [](api::Service& s) { s.set_mss(87); },
       "mss 87 is out of range (88-65535, or 0 to leave SYNs as they are): below 88 bytes"},
      {"large mss", api::DR, [](api::Service& s) { s.set_mss(65536); },
       "mss 65536 is out of range"},
      {"mss twice", api::TUN,
       [](api::Service& s) {
         s.set_mss(1440);
         s.set_mss_auto(true);
       },
       "mss 1440 and mss_auto: only one of them can be"},
      {"one_packet", api::DR, [](api::Service& s) { s.set_one_packet(true); },
       "one_packet needs a UDP listener"},
      {"one_packet in FULLNAT", api::FULLNAT,
       [](api::Service& s) {
         s.set_one_packet(true);
         s.mutable_listeners(0)->set_protocol(api::UDP);
       },
       "one_packet is not possible in mode FULLNAT"},
  };
}

void expect_refused(const std::vector<ModeCase>& cases) {
  WorldFixture fixture;
  fixture.accept(addresses());
  for (const ModeCase& one : cases) {
    SCOPED_TRACE(one.name);
    api::Service spoiled = web(one.mode);
    fixture.accept(std::move(Change().add(spoiled)));  // it is the change that is refused
    fixture.accept(std::move(Change().remove_service("web")));
    one.spoil(spoiled);
    EXPECT_THAT(fixture.refuse(std::move(Change().add(spoiled))),
                ElementsAre(AllOf(StartsWith("service \"web\": "), HasSubstr(one.sentence))));
  }
}

TEST(ModeValidation, RefusesFamiliesAndPortsThatTheModeDoesNotTranslate) {
  expect_refused(families_and_ports());
}

TEST(ModeValidation, RefusesLocalAddressesThatAreNone) {
  expect_refused(local_addresses());
}

TEST(ModeValidation, RefusesTunnelsThatCannotBe) {
  expect_refused(tunnels());
}

TEST(ModeValidation, RefusesSegmentSizesAndOnePacketWhereTheyMeanNothing) {
  expect_refused(other_settings());
}

TEST(ModeValidation, TakesWhatEachModeIsFor) {
  WorldFixture fixture;
  fixture.accept(addresses());
  for (const api::Mode mode : {api::NAT, api::FULLNAT}) {
    api::Service ports = web(mode);
    ports.mutable_servers(0)->set_port(8080);
    fixture.accept(std::move(Change().add(ports)));
  }
  api::Service tunnel = web(api::TUN);
  *tunnel.add_servers() = server("2001:db8:1::1");
  tunnel.mutable_tunnel()->add_sources("10.1.0.0/16");
  tunnel.mutable_tunnel()->add_sources("2001:db8:5::/112");
  tunnel.set_mss(88);
  fixture.accept(std::move(Change().add(tunnel)));
  api::Service datagrams = web(api::NAT);
  datagrams.mutable_listeners(0)->set_protocol(api::UDP);
  datagrams.set_one_packet(true);
  fixture.accept(std::move(Change().add(datagrams)));
}

TEST(ModeValidation, SaysWhatNatWouldNeedWhereItCannotBe) {
  WorldFixture fixture({}, 1000, {ForwardingMode::kDirectRouting, ForwardingMode::kTunnel});
  fixture.accept(addresses());
  for (const char* mode : {"NAT", "FULLNAT"}) {
    api::Mode value{};
    ASSERT_TRUE(api::Mode_Parse(mode, &value));
    EXPECT_THAT(fixture.refuse(std::move(Change().add(web(value)))),
                ElementsAre("service \"web\": mode " + std::string(mode) +
                            " needs [connections] nat = true in dataplane.toml (supported: DR, "
                            "TUN)"));
  }
  WorldFixture bare({}, 1000, {ForwardingMode::kDirectRouting});
  bare.accept(addresses());
  EXPECT_THAT(
      bare.refuse(std::move(Change().add(web(api::TUN)))),
      ElementsAre(HasSubstr("mode TUN is not supported by this dataplane (supported: DR)")));
}

TEST(ModeValidation, AnAddressInUseKeepsItsUse) {
  WorldFixture fixture;
  fixture.accept(addresses());
  fixture.accept(std::move(Change().add(web(api::FULLNAT))));
  EXPECT_THAT(
      fixture.refuse(std::move(Change().add_local("192.0.2.10"))),
      ElementsAre("vip 192.0.2.10: service \"web\" listens on tcp/192.0.2.10:80: remove the "
                  "listener before its use becomes LOCAL"));
  EXPECT_THAT(fixture.refuse(std::move(Change().add_vip("10.0.0.200", 0, {}, api::GATEWAY))),
              ElementsAre("vip 10.0.0.200: is a local address of service \"web\": remove it there "
                          "before its use becomes GATEWAY"));
  EXPECT_THAT(fixture.refuse(std::move(Change().remove_vip("10.0.0.200"))),
              ElementsAre("vip 10.0.0.200: is a local address of service \"web\": remove it there "
                          "first"));
  // What is not in use may change, and what is at once with its services.
  fixture.accept(std::move(Change().add_local("10.0.0.254")));
  fixture.accept(std::move(Change().add_vip("10.0.0.254")));
  Change exchange;
  exchange.add_vip("10.0.0.200").add_local("192.0.2.10");
  api::Service moved = web(api::FULLNAT);
  moved.mutable_listeners(0)->set_address("10.0.0.200");
  moved.set_local_addresses(0, "192.0.2.10");
  fixture.accept(std::move(exchange.add(moved)));
}

TEST(ModeValidation, ARefusedAddressIsNotHeldAgainstTheServicesThatUseIt) {
  WorldFixture fixture;
  Change change = base();
  change.add_vip("10.0.0.200", 99, {}, api::LOCAL).add_local("2001:db8:1::200");
  EXPECT_THAT(fixture.refuse(std::move(change.add(web(api::FULLNAT)))),
              ElementsAre(HasSubstr("lease slot 99")));
}

TEST(ModeValidation, RefusesUsesAndRoutedNetworksThatItDoesNotKnow) {
  WorldFixture fixture;
  fixture.accept(addresses());
  EXPECT_THAT(fixture.refuse(std::move(Change().add_vip("192.0.2.9", 0, {}, api::AddressUse(7)))),
              ElementsAre("vip 192.0.2.9: use 7 is unknown (SERVICES, GATEWAY, LOCAL)"));
  EXPECT_THAT(fixture.refuse(std::move(Change().route_for({"10.0.0.0/24", "10.0.0.1/24"}))),
              ElementsAre("settings: routed network \"10.0.0.1/24\" is not a prefix like "
                          "10.0.0.0/24 or 2001:db8::/64, its host bits zero"));
  EXPECT_THAT(fixture.refuse(std::move(Change().route_for(std::vector<std::string>(257, "x")))),
              ElementsAre("settings: 257 routed networks: at most 256 are supported"));
}

}  // namespace
}  // namespace ballast::test
