// What a transaction may not say, and in which words it is told.
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/world/world_fixture.h"

namespace ballast::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

struct ServiceCase {
  const char* name;
  std::function<void(api::Service&)> spoil;
  const char* sentence;
};

TEST(Validation, RefusesAServiceWithASentenceAnOperatorCanActOn) {
  const std::vector<ServiceCase> cases{
      {"no VIP", [](api::Service& s) { s.mutable_listeners(0)->set_address("192.0.2.99"); },
       "listener tcp/192.0.2.99:80: address is not a VIP of this state: add vip 192.0.2.99"},
      {"protocol", [](api::Service& s) { s.mutable_listeners(0)->clear_protocol(); },
       "protocol 0 is neither TCP (6) nor UDP (17)"},
      {"port", [](api::Service& s) { s.mutable_listeners(0)->set_port(70000); },
       "port 70000 is out of range (1-65535)"},
      {"port 0", [](api::Service& s) { s.mutable_listeners(0)->set_port(0); },
       "port 0 is out of range (1-65535)"},
      {"address", [](api::Service& s) { s.mutable_listeners(0)->set_address("web"); },
       "listener: \"web\" is not an address"},
      {"listener twice", [](api::Service& s) { *s.add_listeners() = s.listeners(0); },
       "listener tcp/192.0.2.10:80 is named twice"},
      {"no listener", [](api::Service& s) { s.clear_listeners(); }, "has no listener"},
      {"no mode", [](api::Service& s) { s.clear_mode(); },
       "mode 0 is unknown (supported: DR, NAT, FULLNAT, TUN)"},
      {"scheduler", [](api::Service& s) { s.set_scheduler("wlc9"); },
       "unknown scheduler \"wlc9\" (known: rr, wrr"},
      {"timeout name", [](api::Service& s) { (*s.mutable_timeout_seconds())["OPEN"] = 1; },
       "timeout of unknown state \"OPEN\" (known: NONE, ESTABLISHED"},
      {"timeout", [](api::Service& s) { (*s.mutable_timeout_seconds())["UDP"] = 0; },
       "timeout of UDP: 0 seconds is out of range (1-86400)"},
      {"server", [](api::Service& s) { s.mutable_servers(0)->set_address("rs1"); },
       "server: \"rs1\" is not an address"},
      {"server multicast", [](api::Service& s) { s.mutable_servers(0)->set_address("224.0.0.1"); },
       "server 224.0.0.1: is a multicast address"},
      {"weight", [](api::Service& s) { s.mutable_servers(0)->set_weight(65536); },
       "server 10.0.0.1: weight 65536 is out of range (0-65535)"},
      {"configured weight",
       [](api::Service& s) { s.mutable_servers(0)->set_configured_weight(65536); },
       "server 10.0.0.1: configured weight 65536 is out of range (0-65535)"},
      {"server twice", [](api::Service& s) { *s.add_servers() = s.servers(0); },
       "server 10.0.0.1:0 is named twice"},
      {"server port", [](api::Service& s) { s.mutable_servers(0)->set_port(8080); },
       "server 10.0.0.1:8080: mode DR does not change ports, and a listener has port 80"},
      {"family", [](api::Service& s) { s.mutable_servers(0)->set_address("2001:db8:1::1"); },
       "server [2001:db8:1::1]:0: the service has no IPv6 listener"},
      {"on_no_server", [](api::Service& s) { s.set_on_no_server(api::Refuse(7)); },
       "on_no_server 7 is unknown (ANSWER, DROP)"},
      {"on_server_down", [](api::Service& s) { s.set_on_server_down(api::OnServerDown(7)); },
       "on_server_down 7 is unknown"},
      {"health", [](api::Service& s) { s.mutable_servers(0)->set_health(api::Health(9)); },
       "health 9 is unknown"},
      {"override", [](api::Service& s) { s.mutable_servers(0)->set_override(api::Override(9)); },
       "override 9 is unknown"},
  };
  WorldFixture fixture;
  fixture.accept(base());
  for (const ServiceCase& one : cases) {
    SCOPED_TRACE(one.name);
    api::Service spoiled = service("web", "192.0.2.10", 80, {server("10.0.0.1")});
    one.spoil(spoiled);
    EXPECT_THAT(fixture.refuse(std::move(Change().add(spoiled))),
                ElementsAre(AllOf(StartsWith("service \"web\": "), HasSubstr(one.sentence))));
  }
  fixture.accept(
      std::move(Change().add(service("web", "192.0.2.10", 80, {server("10.0.0.1", 1, 80)}))));
}

TEST(Validation, RefusesOtherResourcesWithASentenceAnOperatorCanActOn) {
  const std::vector<std::pair<Change, std::string>> cases{
      {Change().add_vip("192.0.2.300"), "vip \"192.0.2.300\": not an address"},
      {Change().add_vip("192.0.2.9", 64), "vip 192.0.2.9: lease slot 64 is out of range (0-63)"},
      {Change().add_vip("192.0.2.9", 0, "1:2"), "vip 192.0.2.9: virtual MAC \"1:2\" is not a MAC"},
      {Change().add_vip("224.0.0.1"), "vip 224.0.0.1: is a multicast address"},
      {Change().add_route("10.1.0.1/16", "lan"), "route \"10.1.0.1/16\": not a prefix"},
      {Change().add_route("10.1.0.0/16", "lan9"),
       "route 10.1.0.0/16: unknown port \"lan9\" (ports: wan, lan)"},
      {Change().add_route("10.1.0.0/16", "lan", "fe80::1"),
       "route 10.1.0.0/16: gateway fe80::1 is not of the prefix's family"},
      {Change().add_route("10.1.0.0/16", "lan", "gw"), "gateway \"gw\" is not an address"},
      {Change().add(neighbor("lan9", "10.0.0.1", "02:00:00:00:00:01")), "unknown port \"lan9\""},
      {Change().add(neighbor("lan", "10.0.0.1", "ff:ff:ff:ff:ff:ff")), "is not of one station"},
      {Change().add(neighbor("lan", "10.0.0.1", "")), "MAC \"\" is not a MAC like"},
      {Change().add(neighbor("lan", "10.0.0", "02:00:00:00:00:01")), "not an address"},
      {Change().add_port("eth9", {}), "port \"eth9\": unknown port \"eth9\" (ports: wan, lan)"},
      {Change().add_port("wan", {"192.0.2.1/24"}), "\"192.0.2.1/24\" is not an address"},
      {Change().add_port("wan", {"192.0.2.10"}), "address 192.0.2.10 is a VIP of this state"},
      {Change().add_vip("192.0.2.2"), "vip 192.0.2.2: is an address of port \"lan\""},
      {Change().remove_vip("x"), "vip \"x\": remove: not an address"},
      {Change().add_vip("192.0.2.9").add_vip("192.0.2.9"), "named twice in one transaction"},
      {Change().add_vip("192.0.2.9").remove_vip("192.0.2.9"), "named twice in one transaction"},
  };
  WorldFixture fixture;
  fixture.accept(base());
  fixture.accept(std::move(Change().add_port("lan", {"192.0.2.2"})));
  for (const auto& [change, sentence] : cases) {
    EXPECT_THAT(fixture.refuse(Change(change)), ElementsAre(HasSubstr(sentence)));
  }
}

TEST(Validation, RefusesWhatWouldBreakAServiceThatStaysAsItIs) {
  WorldFixture fixture;
  fixture.accept(base());
  fixture.accept(std::move(Change().add(service("web", "192.0.2.10", 80, {}))));
  EXPECT_THAT(fixture.refuse(std::move(Change().remove_vip("192.0.2.10"))),
              ElementsAre("vip 192.0.2.10: service \"web\" listens on tcp/192.0.2.10:80: remove "
                          "the listener first"));
  EXPECT_THAT(fixture.refuse(std::move(Change().add(service("b", "192.0.2.10", 80, {})))),
              ElementsAre("service \"b\": listener tcp/192.0.2.10:80: service \"web\" listens "
                          "there"));
  // Both at once with what makes them right.
  fixture.accept(std::move(Change().remove_service("web").add(service("b", "192.0.2.10", 80, {}))));
  fixture.accept(std::move(Change().remove_service("b").remove_vip("192.0.2.10")));
}

TEST(Validation, RefusesAGenerationThatDoesNotGrow) {
  WorldFixture fixture;
  fixture.accept(base());
  Change change;
  change.transaction().set_generation(fixture.world.generation());
  const World::Outcome outcome = fixture.world.apply(change.transaction());
  ASSERT_THAT(outcome.refusals, SizeIs(1));
  EXPECT_EQ(outcome.refusals[0].why(), "generation 1 is not greater than 1, which is in force");
}

TEST(Validation, ListsEveryRefusalUpToAHundred) {
  WorldFixture fixture;
  Change change;
  for (int count = 0; count < 150; ++count) {
    change.add_vip("x" + std::to_string(count));
  }
  const auto sentences = fixture.refuse(std::move(change));
  ASSERT_THAT(sentences, SizeIs(100));
  EXPECT_EQ(sentences[98], "vip \"x98\": not an address");
  EXPECT_EQ(sentences[99], "transaction: 51 more refusals are not listed");
}

TEST(Validation, ARefusedVipIsNotHeldAgainstTheServicesOnIt) {
  WorldFixture fixture;
  Change change;
  change.add_vip("192.0.2.10", 99).add(service("web", "192.0.2.10", 80, {}));
  EXPECT_THAT(fixture.refuse(std::move(change)), ElementsAre(HasSubstr("lease slot 99")));
}

TEST(Validation, KeepsToTheLimits) {
  WorldLimits limits;
  limits.max_services = 1;
  limits.max_servers = 2;
  limits.max_vips = 2;
  limits.max_routes = 3;
  WorldFixture fixture(limits, 3);
  fixture.accept(base());
  EXPECT_THAT(fixture.refuse(std::move(Change().add_vip("192.0.2.11"))),
              ElementsAre(HasSubstr("the state would have 3 VIPs: at most 2 are allowed")));
  EXPECT_THAT(fixture.refuse(std::move(
                  Change().add_route("10.1.0.0/16", "lan").add_route("10.2.0.0/16", "lan"))),
              ElementsAre(HasSubstr("4 routes: at most 3 are allowed")));
  EXPECT_THAT(
      fixture.refuse(std::move(Change().add(service(
          "web", "192.0.2.10", 80, {server("10.0.0.1"), server("10.0.0.2"), server("10.0.0.3")})))),
      testing::Contains(HasSubstr("3 servers: at most 2 are allowed")));
  fixture.accept(std::move(
      Change().add(service("web", "192.0.2.10", 80, {server("10.0.0.1"), server("10.0.0.2")}))));
  EXPECT_THAT(
      fixture.refuse(std::move(Change()
                                   .add(neighbor("wan", "192.0.2.77", "02:00:00:00:00:01"))
                                   .add(neighbor("wan", "192.0.2.78", "02:00:00:00:00:01")))),
      ElementsAre(HasSubstr("2 more neighbors are needed, and 2 of 3 are in use")));
  // Removed servers hold their indexes until they are reclaimed.
  EXPECT_THAT(fixture.refuse(
                  std::move(Change().add(service("web", "192.0.2.10", 80, {server("10.0.0.3")})))),
              ElementsAre(HasSubstr("3 servers are needed, 2 are possible")));
  EXPECT_THAT(fixture.refuse(std::move(
                  Change().remove_service("web").add(service("b", "192.0.2.10", 80, {})))),
              ElementsAre(HasSubstr("2 services are needed, 1 are possible")));
}

}  // namespace
}  // namespace ballast::test
