// What ballast.toml says of the four modes: [nat], and the keys of a [[service]] that one mode has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/config/diff.h"
#include "control/config/load.h"

namespace ballast::control {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

LoadErrors errors_of(std::string_view text) {
  const auto loaded = parse_configuration(text, "b.toml", Capabilities{});
  return loaded ? LoadErrors{} : loaded.error();
}

LoadedConfiguration accept(std::string_view text) {
  auto loaded = parse_configuration(text, "b.toml", Capabilities{});
  if (!loaded) {
    ADD_FAILURE() << testing::PrintToString(loaded.error()) << "\n" << text;
    return {};
  }
  return std::move(*loaded);
}

// A service of one mode; further keys are lines. The mode stands in line 3, listen in 4, server in
// 5, further lines begin with 6.
std::string service(const std::string& mode, const std::string& lines = "",
                    const std::string& listen = "'tcp/192.0.2.10:80'",
                    const std::string& server = "{ address = '10.0.0.11' }") {
  return "[[service]]\nname = 'web'\nmode = '" + mode + "'\nlisten = [" + listen + "]\nserver = [" +
         server + "]\n" + lines + "\n";
}

std::string fullnat(const std::string& lines = "") {
  return service("fullnat", "local_addresses = ['10.0.0.200-10.0.0.203']\n" + lines);
}

const ServiceSettings& only_service(const LoadedConfiguration& loaded) {
  static const ServiceSettings kNone;
  EXPECT_THAT(loaded.configuration.services, SizeIs(1));
  return loaded.configuration.services.empty() ? kNone : loaded.configuration.services[0];
}

std::vector<std::string> difference(const std::string& from, const std::string& to) {
  std::vector<std::string> lines;
  for (const Change& change : diff(accept(from).configuration, accept(to).configuration)) {
    lines.push_back(change.to_string());
  }
  return lines;
}

TEST(Modes, HaveDefaultsForAllThatIsTheirOwn) {
  const auto nat = accept(service("nat"));
  EXPECT_THAT(nat.warnings, IsEmpty());
  EXPECT_EQ(only_service(nat).mode, Mode::kNat);
  EXPECT_EQ(nat.configuration.nat, NatSettings{});
  const auto tun = accept(service("tun"));
  EXPECT_EQ(only_service(tun).mode, Mode::kTunnel);
  EXPECT_EQ(only_service(tun).tunnel, TunnelSettings{});
  EXPECT_EQ(only_service(tun).tunnel.encapsulation, Encapsulation::kIpip);
  EXPECT_EQ(only_service(tun).tunnel.gue_port, 6080);
  EXPECT_TRUE(only_service(tun).tunnel.gue_checksum);
  EXPECT_EQ(only_service(tun).mss, 0);
  EXPECT_FALSE(only_service(tun).mss_auto);
  EXPECT_FALSE(only_service(tun).one_packet);
}

TEST(ModeFullNat, HasLocalAddressesRangesAndPrefixesOfThem) {
  const auto loaded =
      accept(service("fullnat",
                     "local_addresses = ['10.0.0.200', '10.0.0.208/30', '10.0.1.1-10.0.1.2', "
                     "'2001:db8::200/127']",
                     "'tcp/192.0.2.10:80', 'tcp/[2001:db8::10]:80'",
                     "{ address = '10.0.0.11:8080' }, { address = '2001:db8:1::11' }"));
  std::vector<std::string> addresses;
  for (const IpAddress& address : only_service(loaded).local_addresses) {
    addresses.push_back(address.to_string());
  }
  EXPECT_THAT(addresses,
              ElementsAre("10.0.0.200", "10.0.0.208", "10.0.0.209", "10.0.0.210", "10.0.0.211",
                          "10.0.1.1", "10.0.1.2", "2001:db8::200", "2001:db8::201"));
  EXPECT_THAT(loaded.warnings, IsEmpty());
}

TEST(ModeFullNat, NeedsLocalAddressesOfEachFamilyThatIsListenedOn) {
  EXPECT_THAT(
      errors_of(service("fullnat")),
      ElementsAre("b.toml:3:8: service \"web\": mode fullnat needs IPv4 addresses of its own "
                  "for IPv4 listeners: write local_addresses = "
                  "[\"10.0.0.200-10.0.0.207\"]"));
  EXPECT_THAT(errors_of(service("fullnat", "local_addresses = []")), SizeIs(1));
  EXPECT_THAT(
      errors_of(service("fullnat", "local_addresses = ['10.0.0.200', '2001:db8::1']")),
      ElementsAre("b.toml:6:34: service \"web\": local_addresses: those of IPv6 would never "
                  "be used: the service does not listen on IPv6"));
}

TEST(ModeFullNat, SaysWhatIsWrongWithLocalAddresses) {
  const std::vector<std::pair<std::string, std::string>> mistakes{
      {"['10.0.0.0/8']", "local_addresses \"10.0.0.0/8\" are too many: at most 4096 in all"},
      {"['10.0.0.200', '10.0.0.200']", "10.0.0.200 is there already, in line 6"},
      {"['10.0.0.200/29', '10.0.0.204-10.0.0.210']", "10.0.0.204 is there already, in line 6"},
      {"['127.0.0.1']", "a local address cannot be loopback"},
      {"['224.0.0.0/30']", "a local address cannot be multicast"},
      {"['10.0.0.9-10.0.0.1']", "the range ends before it begins"},
      {"['10.0.0.201/29']", "has bits beyond its prefix length"},
      {"'10.0.0.200'", "local_addresses must be an array of strings, not a string"},
      {"['10.0.0.10-10.0.0.20']",
       "local_addresses: 10.0.0.11 is the address of a server as well, of service \"web\": server "
       "10.0.0.11 in line 5"},
      {"['192.0.2.0/28']", "192.0.2.10 is a VIP as well"},
  };
  for (const auto& [value, message] : mistakes) {
    EXPECT_THAT(errors_of(service("fullnat", "local_addresses = " + value)),
                ElementsAre(AllOf(StartsWith("b.toml:6:"), HasSubstr(message))))
        << value;
  }
}

TEST(ModeFullNat, BoundsLocalAddressesOfAllServices) {
  const auto services = [](size_t count, bool different) {
    std::string text;
    for (size_t i = 0; i < count; ++i) {
      text += "[[service]]\nname = 's" + std::to_string(i) +
              "'\nmode = 'fullnat'\nlisten = ['tcp/" + "192.0.2.10:" + std::to_string(i + 1) +
              "']\nserver = [{ address = '10.0.0.11' }]\n" + "local_addresses = ['10." +
              std::to_string(different ? i + 1 : 1) + ".0.0/21']\n";
    }
    return text;
  };
  EXPECT_THAT(errors_of(services(2, true)), IsEmpty());
  EXPECT_THAT(errors_of(services(3, true)),
              ElementsAre("b.toml: 6144 local addresses are too many: at most 4096"));
  EXPECT_THAT(errors_of(services(32, false)), IsEmpty());  // they share them
  EXPECT_THAT(errors_of(services(33, false)), ElementsAre(HasSubstr("are too many")));
}

TEST(ModesNatAndFullNat, ChangePorts) {
  for (const std::string& text :
       {service("nat", "", "'tcp/192.0.2.10:80', 'tcp/192.0.2.10:443'",
                "{ address = '10.0.0.11:8080' }, { address = '10.0.0.11:8081' }, "
                "{ address = '10.0.0.12' }"),
        service("fullnat", "local_addresses = ['10.0.0.200']", "'udp/192.0.2.10:53'",
                "{ address = '10.0.0.11:8080' }, { address = '10.0.0.11:8081' }, "
                "{ address = '10.0.0.12' }")}) {
    const auto loaded = accept(text);
    const auto& servers = only_service(loaded).servers;
    ASSERT_EQ(servers.size(), 3U);
    EXPECT_EQ(servers[0].key.to_string(), "10.0.0.11:8080");
    EXPECT_EQ(servers[1].key.to_string(), "10.0.0.11:8081");
    EXPECT_EQ(servers[2].key.to_string(), "10.0.0.12");
    EXPECT_THAT(loaded.warnings, IsEmpty());
  }
}

TEST(ModesNatAndFullNat, TakeOneServerOnlyOnce) {
  const std::string both = "{ address = '10.0.0.11' }, { address = '10.0.0.11:80' }";
  EXPECT_THAT(errors_of(service("nat", "", "'tcp/192.0.2.10:80'", both)),
              ElementsAre("b.toml:5:50: service \"web\": server 10.0.0.11:80: is there already, in "
                          "line 5, without the port, which is that of the listener: give both a "
                          "port"));
  EXPECT_THAT(errors_of(service("nat", "", "'tcp/192.0.2.10:81'", both)), IsEmpty());
}

TEST(ModesDrAndTun, KeepPorts) {
  for (const std::string mode : {"dr", "tun"}) {
    EXPECT_THAT(errors_of(service(mode, "", "'tcp/192.0.2.10:80'", "{address='10.0.0.11:8080'}")),
                ElementsAre("b.toml:5:20: service \"web\": server 10.0.0.11:8080: mode " + mode +
                            " cannot change the port, and the service listens on "
                            "tcp/192.0.2.10:80: leave the port out"));
  }
  EXPECT_THAT(errors_of(service("tun", "", "'tcp/192.0.2.10:80', 'tcp/[2001:db8::10]:81'",
                                "{ address = '10.0.0.11:80' }")),
              ElementsAre(HasSubstr("listens on tcp/[2001:db8::10]:81")));
}

TEST(ModesNatAndFullNat, ForwardWithinAFamily) {
  for (const std::string& text :
       {service("nat", "", "'tcp/192.0.2.10:80'", "{ address = '2001:db8:1::11' }"),
        service("fullnat", "local_addresses = ['10.0.0.200']", "'tcp/192.0.2.10:80'",
                "{ address = '2001:db8:1::11' }")}) {
    EXPECT_THAT(errors_of(text), ElementsAre(HasSubstr("would never have a server"),
                                             HasSubstr("would never have a connection")));
  }
}

TEST(ModeTun, TakesServersOfAnyFamily) {
  for (const std::string listen : {"'tcp/192.0.2.10:80'", "'tcp/[2001:db8::10]:80'"}) {
    for (const std::string server : {"10.0.0.11", "2001:db8:1::11"}) {
      const auto loaded = accept(
          service("tun", "check = { type = 'tcp' }", listen, "{ address = '" + server + "' }"));
      EXPECT_THAT(loaded.warnings, IsEmpty());
      EXPECT_EQ(only_service(loaded).servers.at(0).check.port, 80);
    }
  }
  EXPECT_THAT(accept(service("tun", "", "'tcp/192.0.2.10:80'",
                             "{ address = '10.0.0.11', weight = 0 }, { address = '2001:db8::1' }"))
                  .warnings,
              IsEmpty());
  EXPECT_THAT(
      accept(service("tun", "", "'tcp/192.0.2.10:80'", "{ address = '10.0.0.11', weight = 0 }"))
          .warnings,
      ElementsAre(HasSubstr("every server has weight 0")));
}

TEST(ModeTun, HasATunnel) {
  const auto loaded =
      accept(service("tun",
                     "encapsulation = 'gue'\ngue_port = 7000\ngue_checksum = false\n"
                     "tunnel_source = ['10.0.0.200/29', '2001:db8:5::1']"));
  const TunnelSettings& tunnel = only_service(loaded).tunnel;
  EXPECT_EQ(tunnel.encapsulation, Encapsulation::kGue);
  EXPECT_EQ(tunnel.gue_port, 7000);
  EXPECT_FALSE(tunnel.gue_checksum);
  ASSERT_EQ(tunnel.sources.size(), 2U);
  EXPECT_EQ(tunnel.sources[0].to_string(), "10.0.0.200/29");
  EXPECT_EQ(tunnel.sources[1].to_string(), "2001:db8:5::1/128");
  EXPECT_EQ(only_service(accept(service("tun", "encapsulation = 'gre'"))).tunnel.encapsulation,
            Encapsulation::kGre);
}

TEST(ModeTun, SaysWhatIsWrongWithATunnel) {
  const std::vector<std::pair<std::string, std::string>> mistakes{
      {"encapsulation = 'gree'", "did you mean \"gre\"?"},
      {"gue_port = 7000", "gue_port is for encapsulation \"gue\", and this is \"ipip\""},
      {"encapsulation = 'gre'\ngue_checksum = true", "gue_checksum is for encapsulation \"gue\""},
      {"encapsulation = 'gue'\ngue_port = 0", "gue_port 0 is out of range (1-65535)"},
      {"tunnel_source = '10.0.0.200'", "must be an array of strings"},
      {"tunnel_source = ['10.0.0.201/29']", "did you mean \"10.0.0.200/29\"?"},
      {"tunnel_source = ['10.0.0.x']", "is not an IP address"},
      {"tunnel_source = ['10.0.1.0/29', '10.0.2.0/29']", "there is one of IPv4 already, in line 6"},
      {"tunnel_source = ['2001:db8::/111']",
       "has more than 65536 addresses: write a prefix of length 112 or more"},
      {"tunnel_source = ['224.0.0.0/29']", "an outer source address cannot be multicast"},
      {"tunnel_source = ['10.0.0.8/29']",
       "tunnel_source 10.0.0.8/29: has 10.0.0.11, which service \"web\": server 10.0.0.11 in line "
       "5 has: servers drop what comes from an address of their own"},
      {"tunnel_source = ['192.0.2.0/24']", "has 192.0.2.10, which service \"web\": listen"},
      {"encapsualtion = 'gre'", "did you mean \"encapsulation\"?"},
  };
  for (const auto& [lines, message] : mistakes) {
    EXPECT_THAT(errors_of(service("tun", lines)), ElementsAre(HasSubstr(message))) << lines;
  }
}

TEST(Modes, RefuseTheKeysOfAnother) {
  EXPECT_THAT(errors_of(service("nat", "local_addresses = ['10.0.0.200']")),
              ElementsAre("b.toml:6:19: service \"web\": local_addresses is for mode \"fullnat\", "
                          "and this is \"nat\": remove it, or change the mode"));
  for (const std::string line : {"encapsulation = 'gre'", "tunnel_source = ['10.9.0.0/24']",
                                 "gue_port = 6080", "gue_checksum = true"}) {
    for (const std::string mode : {"dr", "nat"}) {
      EXPECT_THAT(errors_of(service(mode, line)),
                  ElementsAre(AllOf(StartsWith("b.toml:6:"), HasSubstr("is for mode \"tun\""))))
          << line;
    }
  }
}

TEST(Capabilities, SayWhatADataplaneLacksAndWhatWouldHelp) {
  const Capabilities able{{"dr", "tun"}, {"wrr"}, {}};
  EXPECT_EQ(unsupported_mode(Mode::kDirectRouting, able), "");
  EXPECT_EQ(unsupported_mode(Mode::kTunnel, able), "");
  for (const Mode mode : {Mode::kNat, Mode::kFullNat}) {
    EXPECT_THAT(unsupported_mode(mode, able), HasSubstr("it takes nat = true in [connections]"));
  }
  for (const Mode mode : {Mode::kDirectRouting, Mode::kNat, Mode::kFullNat, Mode::kTunnel}) {
    EXPECT_EQ(unsupported_mode(mode, {}), "");
  }
}

TEST(Mss, IsANumberOrAuto) {
  EXPECT_EQ(only_service(accept(service("dr", "mss = 1440"))).mss, 1440);
  const auto automatic = accept(service("tun", "mss = 'auto'"));
  EXPECT_TRUE(only_service(automatic).mss_auto);
  EXPECT_EQ(only_service(automatic).mss, 0);
  EXPECT_THAT(errors_of(service("dr", "mss = 535")),
              ElementsAre(HasSubstr("mss 535 is out of range (536-65495)")));
  for (const std::string value : {"'1440'", "true", "['auto']", "'Auto'"}) {
    EXPECT_THAT(errors_of(service("dr", "mss = " + value)),
                ElementsAre("b.toml:6:7: service \"web\": mss must be a number (536-65495) or "
                            "\"auto\""));
  }
  EXPECT_THAT(accept(service("dr", "mss = 1440", "'udp/192.0.2.10:53'")).warnings,
              ElementsAre(HasSubstr("mss has no effect")));
}

TEST(OnePacket, IsForUdpAndNotForFullNat) {
  for (const std::string mode : {"dr", "nat", "tun"}) {
    const auto loaded = accept(service(mode, "one_packet = true", "'udp/192.0.2.10:53'"));
    EXPECT_TRUE(only_service(loaded).one_packet);
    EXPECT_THAT(loaded.warnings, IsEmpty());
  }
  EXPECT_THAT(errors_of(fullnat("one_packet = true")),
              Contains(HasSubstr("one_packet and mode \"fullnat\" exclude each other")));
  EXPECT_THAT(accept(service("dr", "one_packet = true")).warnings,
              ElementsAre(HasSubstr("one_packet has no effect")));
}

TEST(Checks, OfServersWithAPortGoThere) {
  const auto port = [](const std::string& text) {
    return only_service(accept(text)).servers.at(0).check.port;
  };
  const std::string check = "check = { type = 'tcp' }";
  EXPECT_EQ(port(service("nat", check, "'tcp/192.0.2.10:80'", "{ address = '10.0.0.11:8080' }")),
            8080);
  EXPECT_EQ(port(service("nat", check)), 80);
  EXPECT_EQ(port(service("nat", "check = { type = 'tcp', port = 81 }", "'tcp/192.0.2.10:80'",
                         "{ address = '10.0.0.11:8080' }")),
            81);
  EXPECT_EQ(port(service("nat", check, "'udp/192.0.2.10:53'", "{ address = '10.0.0.11:5353' }")),
            5353);
  EXPECT_THAT(errors_of(service("tun", check, "'tcp/192.0.2.10:80', 'tcp/[2001:db8::10]:81'")),
              ElementsAre(HasSubstr("there is not exactly one TCP port")));
}

TEST(Nat, HasGatewaysAndRoutedNetworks) {
  const auto loaded = accept(
      "[nat]\ngateways = ['10.0.0.1', '2001:db8:a::1']\n"
      "routed_networks = ['10.0.0.0/24', '2001:db8:a::/64']\n" +
      service("nat"));
  const NatSettings& nat = loaded.configuration.nat;
  ASSERT_EQ(nat.gateways.size(), 2U);
  EXPECT_EQ(nat.gateways[1].to_string(), "2001:db8:a::1");
  ASSERT_EQ(nat.routed_networks.size(), 2U);
  EXPECT_EQ(nat.routed_networks[0].to_string(), "10.0.0.0/24");
  EXPECT_THAT(loaded.warnings, IsEmpty());
}

TEST(Nat, SaysOfEachValueWhatWouldBeRight) {
  const std::vector<std::pair<std::string, std::string>> mistakes{
      {"gateways = ['10.0.0.1/24']", "b.toml:2:13: nat: gateways \"10.0.0.1/24\" is not an IP"},
      {"gateways = ['224.0.0.1']", "nat: gateway 224.0.0.1: a gateway cannot be multicast"},
      {"gateways = ['10.0.0.1', '10.0.0.1']",
       "b.toml:2:25: nat: gateway 10.0.0.1: is there already"},
      {"routed_networks = ['10.0.0.1/24']", "did you mean \"10.0.0.0/24\"?"},
      {"routed_networks = ['default']", "write it as \"10.1.0.0/16\" or \"2001:db8:1::/48\""},
      {"routed_networks = ['10.0.0.0/24', '10.0.0.0/24']", "is there already, in line 2"},
      {"gateway = ['10.0.0.1']", "did you mean \"gateways\"?"},
  };
  for (const auto& [line, message] : mistakes) {
    EXPECT_THAT(errors_of("[nat]\n" + line + "\n"), ElementsAre(HasSubstr(message))) << line;
  }
}

TEST(Addresses, HaveOneUseOnly) {
  const std::string gateway = "[nat]\ngateways = ['10.0.0.1']\n";
  const auto own = [](const std::string& address) {
    return "[[interface]]\nname = 'wan'\naddresses = ['" + address + "/24']\n";
  };
  const std::vector<std::pair<std::string, std::string>> mistakes{
      {"[nat]\ngateways = ['192.0.2.10']\n" + service("nat"),
       "b.toml:2:13: nat: gateway 192.0.2.10: is a VIP as well, of service \"web\": listen "
       "tcp/192.0.2.10:80 in line 6: an address has one use only"},
      {gateway + "[[vip]]\naddress = '10.0.0.1'", "gateway 10.0.0.1: is a VIP as well, of vip"},
      {"[nat]\ngateways = ['10.0.0.202']\n" + fullnat(),
       "gateway 10.0.0.202: is a local address as well, of service \"web\": local_addresses in "
       "line 8"},
      {"[nat]\ngateways = ['10.0.0.11']\n" + service("nat"),
       "gateway 10.0.0.11: is the address of a server as well"},
      {gateway + own("10.0.0.1"),
       "gateway 10.0.0.1: is the node's own address, of interface \"wan\" in line 5: the dataplane "
       "answers for it, so give it an address of its own"},
      {own("10.0.0.203") + fullnat(), "local_addresses: 10.0.0.203 is the node's own address"},
  };
  for (const auto& [text, message] : mistakes) {
    EXPECT_THAT(errors_of(text), Contains(HasSubstr(message))) << text;
    EXPECT_THAT(errors_of(text), SizeIs(1)) << text;
  }
}

std::string vrrp(const std::string& addresses) {
  return "[[vrrp]]\nname = 'front'\ninterface = 'wan'\nvirtual_router_id = 51\naddresses = [" +
         addresses + "]\n";
}

TEST(Vrrp, MovesGatewaysAndLocalAddressesAsItDoesVips) {
  const auto nat = accept("[nat]\ngateways = ['10.0.0.1']\n" + service("nat") +
                          vrrp("'192.0.2.10', '10.0.0.1'"));
  EXPECT_THAT(nat.warnings, IsEmpty());
  const auto held = held_addresses(nat.configuration);
  ASSERT_EQ(held.size(), 2U);
  EXPECT_EQ(held[0], (HeldAddress{*IpAddress::parse("10.0.0.1"), AddressUse::kGateway, true}));
  EXPECT_EQ(held[1], (HeldAddress{*IpAddress::parse("192.0.2.10"), AddressUse::kServices, true}));

  const auto full = accept(fullnat() + vrrp("'192.0.2.10', '10.0.0.200/30'"));
  EXPECT_THAT(full.warnings, IsEmpty());
  EXPECT_THAT(full.configuration.vrrp.at(0).addresses, SizeIs(5));
  EXPECT_EQ(held_addresses(full.configuration).at(3).use, AddressUse::kLocal);
}

TEST(Vrrp, WarnsOfGatewaysAndLocalAddressesThatDoNotMove) {
  EXPECT_THAT(
      accept("[nat]\ngateways = ['10.0.0.1']\n" + service("nat") + vrrp("'192.0.2.10'")).warnings,
      ElementsAre("b.toml:2:13: nat: gateway 10.0.0.1: no [[vrrp]] has 10.0.0.1: this node "
                  "always answers for it, and so does every other one with this "
                  "configuration"));
  // One warning a range, with the first address of it that does not move.
  EXPECT_THAT(accept(fullnat() + vrrp("'192.0.2.10', '10.0.0.200'")).warnings,
              ElementsAre(AllOf(StartsWith("b.toml:6:20: service \"web\": local_addresses: "),
                                HasSubstr("no [[vrrp]] has 10.0.0.201"))));
}

TEST(Vrrp, WarnsOfModeNatWithoutAGatewayThatMoves) {
  EXPECT_THAT(accept(service("nat") + vrrp("'192.0.2.10'")).warnings,
              ElementsAre(AllOf(StartsWith("b.toml:3:8: "), HasSubstr("has no IPv4 gateway"))));
  EXPECT_THAT(accept(service("nat")).warnings, IsEmpty());  // alone, the node's own will do
}

TEST(Vrrp, RefusesMoreAddressesThanAnAdvertHasRoomFor) {
  EXPECT_THAT(errors_of(fullnat() + vrrp("'10.1.0.0/16'")), ElementsAre(HasSubstr("too many")));
  EXPECT_THAT(errors_of(fullnat() + vrrp("'10.1.0.0/25', '10.2.0.0/24'")),
              ElementsAre(HasSubstr("too many")));
  EXPECT_THAT(errors_of(fullnat() + vrrp("'192.0.2.10/24'")),
              ElementsAre(HasSubstr("write \"192.0.2.10\" for this address alone")));
}

TEST(Diff, SaysWhatChangesOfAMode) {
  EXPECT_THAT(difference(service("dr"), fullnat("mss = 1440")),
              ElementsAre("~ service \"web\": mode: dr -> fullnat",
                          "~ service \"web\": local_addresses: none -> 10.0.0.200-10.0.0.203",
                          "~ service \"web\": mss: none -> 1440"));
  EXPECT_THAT(difference(fullnat(), service("fullnat",
                                            "local_addresses = ['10.0.0.200-10.0.0.202', "
                                            "'10.0.0.203', '10.0.0.9']")),
              ElementsAre("~ service \"web\": local_addresses: 10.0.0.200-10.0.0.203 -> 10.0.0.9 "
                          "10.0.0.200-10.0.0.203"));
  EXPECT_THAT(
      difference(service("tun"), service("tun",
                                         "encapsulation = 'gue'\ngue_port = 1\nmss = 'auto'\n"
                                         "gue_checksum = false\ntunnel_source = ['10.9.0.0/24']")),
      ElementsAre("~ service \"web\": encapsulation: ipip -> gue",
                  "~ service \"web\": tunnel_source: none -> 10.9.0.0/24",
                  "~ service \"web\": gue_port: 6080 -> 1",
                  "~ service \"web\": gue_checksum: true -> false",
                  "~ service \"web\": mss: none -> auto"));
  EXPECT_THAT(difference(service("dr", "", "'udp/192.0.2.10:53'"),
                         service("dr", "one_packet = true", "'udp/192.0.2.10:53'")),
              ElementsAre("~ service \"web\": one_packet: false -> true"));
  EXPECT_THAT(difference("", "[nat]\ngateways = ['10.0.0.1']\nrouted_networks = ['10.0.0.0/24']\n"),
              ElementsAre("+ nat: gateway 10.0.0.1", "+ nat: routed network 10.0.0.0/24"));
}

}  // namespace
}  // namespace ballast::control
