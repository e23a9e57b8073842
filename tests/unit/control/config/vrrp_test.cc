// [[vrrp]] of ballast.toml: what is read, what is refused, and with which words.
#include <algorithm>
#include <fstream>
#include <random>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/config/diff.h"
#include "control/config/facts.h"
#include "control/config/load.h"
#include "control/config/validate_vrrp.h"

namespace ballast::control {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

using Lines = std::vector<std::pair<std::string, std::string>>;

IpAddress ip(const char* text) {
  return IpAddress::parse(text).value();
}

std::string sample() {
  std::ifstream file("tests/unit/control/config/data/ha.toml");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_FALSE(text.str().empty());
  return text.str();
}

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

std::string table_with(std::string_view header, Lines lines, const Lines& changes) {
  for (const auto& [key, value] : changes) {
    const auto found = std::find_if(lines.begin(), lines.end(),
                                    [&key = key](const auto& line) { return line.first == key; });
    if (found == lines.end()) {
      lines.emplace_back(key, value);
    } else {
      found->second = value;
    }
  }
  std::string result = std::string(header) + "\n";
  for (const auto& [key, value] : lines) {
    if (!value.empty()) {
      result += key + " = " + value + "\n";
    }
  }
  return result;
}

// An instance that is right, in which the lines given take the place of those with the same key; an
// empty one is left out.
std::string vrrp_with(const Lines& changes) {
  return table_with("[[vrrp]]",
                    {{"name", "'front'"},
                     {"interface", "'wan'"},
                     {"virtual_router_id", "51"},
                     {"addresses", "['192.0.2.10']"}},
                    changes);
}

// A service for it, so that nothing is odd.
std::string service_with(const Lines& changes) {
  return table_with("[[service]]",
                    {{"name", "'web'"},
                     {"listen", "['tcp/192.0.2.10:80']"},
                     {"server", "[{ address = '10.0.0.11' }, { address = '10.0.0.12' }]"}},
                    changes);
}

const VrrpSettings& only(const LoadedConfiguration& loaded) {
  static const VrrpSettings none;
  EXPECT_EQ(loaded.configuration.vrrp.size(), 1U);
  return loaded.configuration.vrrp.empty() ? none : loaded.configuration.vrrp.front();
}

TEST(VrrpConfiguration, AcceptsTheSampleWithoutAWarning) {
  const auto loaded = accept(sample());
  EXPECT_THAT(loaded.warnings, IsEmpty());
  ASSERT_EQ(loaded.configuration.vrrp.size(), 2U);
  const VrrpSettings& front = loaded.configuration.vrrp[0];
  EXPECT_EQ(front.interface, "wan");
  EXPECT_EQ(front.virtual_router_id, 51);
  EXPECT_EQ(front.priority, 150);
  EXPECT_EQ(front.advert_interval, milliseconds(100));
  EXPECT_EQ(front.addresses,
            (std::vector{ip("192.0.2.10"), ip("fe80::200:5eff:fe00:233"), ip("2001:db8::10")}));
  EXPECT_EQ(front.addresses_of(Family::kIpv6).front(),
            link_local_of_virtual_mac(front.virtual_router_id));
  EXPECT_EQ(front.notify, (std::vector<std::string>{"/usr/local/sbin/ballast-notify", "--syslog"}));
  ASSERT_EQ(front.tracks.size(), 5U);
  EXPECT_EQ(front.tracks[0].name(), "port wan");
  EXPECT_EQ(front.tracks[0].down_delay, milliseconds(200));
  EXPECT_EQ(front.tracks[1].name(), "service web");
  EXPECT_EQ(front.tracks[2].command,
            (std::vector<std::string>{"/usr/local/bin/check-bgp", "--quick"}));
  EXPECT_EQ(front.tracks[2].weight, -60);
  EXPECT_EQ(front.tracks[3].up_if, FileIsUpIf::kMissing);
  EXPECT_EQ(front.tracks[4].name(), "route 0.0.0.0/0");
  EXPECT_EQ(loaded.configuration.vrrp[1].advert_interval, seconds(1));
  EXPECT_EQ(loaded.configuration.services[0].quorum, 2U);
}

TEST(VrrpConfiguration, FillsInDefaults) {
  const auto loaded = accept(service_with({}) + vrrp_with({}));
  EXPECT_THAT(loaded.warnings, IsEmpty());
  VrrpSettings usual;
  usual.name = "front";
  usual.interface = "wan";
  usual.virtual_router_id = 51;
  usual.addresses = {ip("192.0.2.10")};
  EXPECT_EQ(only(loaded), usual);
  EXPECT_EQ(usual.priority, 100);
  EXPECT_EQ(usual.advert_interval, milliseconds(100));
  EXPECT_FALSE(usual.preempt);
  EXPECT_TRUE(usual.virtual_mac);
  EXPECT_EQ(loaded.configuration.services[0].quorum, 1U);
  EXPECT_EQ(only(accept(vrrp_with({{"version", "2"}}))).advert_interval, seconds(1));
}

TEST(VrrpConfiguration, MakesItsAddressesVips) {
  const auto loaded = accept(vrrp_with({{"addresses", "['192.0.2.10', '192.0.2.11']"}}));
  std::vector<IpAddress> vips;
  for (const HeldAddress& vip : held_addresses(loaded.configuration)) {
    vips.push_back(vip.address);
  }
  EXPECT_EQ(vips, (std::vector{ip("192.0.2.10"), ip("192.0.2.11")}));
}

TEST(VrrpConfiguration, TakesEveryIntervalThatTheVersionCanSayAndNoOther) {
  const auto interval = [](const char* version, int ms) {
    return errors_of(
        vrrp_with({{"version", version}, {"advert_interval", "'" + std::to_string(ms) + "ms'"}}));
  };
  for (int ms = 0; ms <= 300; ++ms) {
    EXPECT_EQ(interval("3", ms).empty(), ms >= 10 && ms % 10 == 0) << ms;
  }
  for (const int ms : {40940, 40950, 40960, 41000, 3600000}) {
    EXPECT_EQ(interval("3", ms).empty(), ms <= 40950) << ms;
  }
  for (const int ms : {10, 100, 999, 1000, 1001, 1500, 2000, 255000, 256000}) {
    EXPECT_EQ(interval("2", ms).empty(), ms % 1000 == 0 && ms >= 1000 && ms <= 255000) << ms;
  }
  EXPECT_THAT(interval("2", 100),
              ElementsAre("b.toml:7:19: vrrp \"front\": advert_interval 100ms: version 2 can say "
                          "whole seconds only, \"1s\" to \"255s\": write such a one, or version = "
                          "3"));
  EXPECT_THAT(interval("3", 15),
              ElementsAre("b.toml:7:19: vrrp \"front\": advert_interval 15ms: version 3 can say "
                          "multiples of 10 ms only, \"10ms\" to \"40950ms\""));
}

struct Mistake {
  Lines changes;
  std::string message;
};

TEST(VrrpConfiguration, SaysOfEachValueWhatWouldBeRight) {
  const std::vector<Mistake> mistakes{
      {{{"name", ""}}, "\"name\" is missing"},
      {{{"name", "'a b'"}}, "is not a name: 1 to 64 letters"},
      {{{"interface", ""}}, "\"interface\" is missing"},
      {{{"interface", "'a/b'"}}, "is not the name of a port's kernel twin"},
      {{{"virtual_router_id", ""}}, "\"virtual_router_id\" is missing"},
      {{{"virtual_router_id", "0"}}, "virtual_router_id 0 is out of range (1-255)"},
      {{{"virtual_router_id", "256"}}, "virtual_router_id 256 is out of range (1-255)"},
      {{{"priority", "0"}}, "priority 0 is out of range (1-255)"},
      {{{"priority", "256"}}, "priority 256 is out of range (1-255)"},
      {{{"version", "4"}}, "version 4 is out of range (2-3)"},
      {{{"addresses", ""}}, "\"addresses\" is missing"},
      {{{"addresses", "[]"}}, "addresses is empty: name at least one"},
      {{{"addresses", "['192.0.2.10/24']"}}, "write \"192.0.2.10\" for this address alone"},
      {{{"addresses", "['224.0.0.18']"}}, "a VIP cannot be multicast"},
      {{{"addresses", "['192.0.2.10', '192.0.2.10']"}}, "an address moves with one instance only"},
      {{{"addresses", "['2001:db8::10']"}}, "write \"fe80::200:5eff:fe00:233\" before it"},
      {{{"addresses", "['192.0.2.10', '2001:db8::10', 'fe80::1']"}},
       "the first IPv6 address must be the virtual router's own link-local one"},
      {{{"addresses", "['fe80::1', '2001:db8::10']"}, {"version", "2"}},
       "version 2 is for IPv4 only"},
      {{{"preempt", "'no'"}}, "preempt must be true or false"},
      {{{"preempt_delay", "'30s'"}}, "preempt_delay has no effect with preempt = false"},
      {{{"priority", "255"}}, "write preempt = true, or a priority of 1-254"},
      {{{"priority", "255"}, {"preempt", "true"}, {"preempt_delay", "'1s'"}},
       "exclude each other: the owner takes the addresses at once"},
      {{{"checksum", "'rfc3768'"}}, "is not one of rfc5798, rfc9568"},
      {{{"group", "'a b'"}}, "group \"a b\" is not a name"},
      {{{"notify", "'relative/path'"}}, "is not a command: write the absolute path"},
      {{{"notify", "[]"}}, "is not a command"},
      {{{"notify", "5"}}, "notify must be an array of strings"},
      {{{"priorty", "5"}}, "unknown key \"priorty\": did you mean \"priority\"?"},
      {{{"unicast_peers", "['10.0.0.300']"}}, "is not an IP address"},
      {{{"unicast_peers", "['224.0.0.18']"}}, "is multicast: write the other node's own address"},
      {{{"unicast_peers", "['10.0.0.2', '10.0.0.2']"}}, "is there already"},
      {{{"unicast_peers", "['192.0.2.10']"}}, "is one of the instance's addresses"},
      {{{"unicast_peers", "['10.0.0.2', '2001:db8::2']"}},
       "the instance has no IPv6 addresses, so nothing is sent to it"},
      {{{"unicast_peers", "['10.0.0.2']"}, {"addresses", "['192.0.2.10', 'fe80::1']"}},
       "unicast_peers has no IPv6 address"},
      {{{"minimum_ttl", "0"}}, "minimum_ttl 0 is out of range (1-255)"},
  };
  for (const Mistake& mistake : mistakes) {
    EXPECT_THAT(errors_of(vrrp_with(mistake.changes)),
                ElementsAre(AllOf(StartsWith("b.toml:"), HasSubstr(mistake.message))))
        << vrrp_with(mistake.changes);
  }
}

TEST(VrrpConfiguration, SaysOfEachTrackedThingWhatWouldBeRight) {
  const std::vector<std::pair<std::string, std::string>> mistakes{
      {"{}", "it does not say what is tracked: one of port, service, script, file and route"},
      {"{ weight = 5 }", "it does not say what is tracked"},
      {"{ port = 'wan', file = '/a' }", "are two things: write two elements of track"},
      {"{ port = '' }", "is not the name of a port"},
      {"{ port = 'wan', weight = 254 }", "weight 254 is out of range (-253-253)"},
      {"{ port = 'wan', rise = 2 }", "unknown key \"rise\""},
      {"{ service = 'wbe' }", "there is no service \"wbe\": did you mean \"web\"?"},
      {"{ service = 'mail' }", "there is no service \"mail\": name one of this file"},
      {"{ script = 'check' }", "is not a command"},
      {"{ script = '/a', interval = '1s', timeout = '2s' }", "timeout 2s is longer than the"},
      {"{ script = '/a', down_delay = '1s' }", "unknown key \"down_delay\""},
      {"{ script = '/a', rise = 0 }", "rise 0 is out of range (1-1000)"},
      {"{ file = 'maintenance', up_if = 'missing' }", "is not a path: write an absolute one"},
      {"{ file = '/a' }", "\"up_if\" is missing"},
      {"{ file = '/a', up_if = 'there' }", "is not one of exists, missing"},
      {"{ route = '10.0.0.1/8' }", "did you mean \"10.0.0.0/8\"?"},
      {"{ route = 'default' }", "write \"0.0.0.0/0\" or \"::/0\""},
      {"{ port = 'wan' }, { port = 'wan', weight = -5 }",
       "port wan is tracked already, in line 10"},
  };
  for (const auto& [track, message] : mistakes) {
    const std::string text = service_with({}) + vrrp_with({{"track", "[" + track + "]"}});
    EXPECT_THAT(errors_of(text),
                ElementsAre(AllOf(StartsWith("b.toml:10:"), HasSubstr(": vrrp \"front\": track"),
                                  HasSubstr(message))))
        << track;
  }
}

TEST(VrrpConfiguration, NeverTakesOneVirtualRouterOrAddressForTwo) {
  const std::string first = vrrp_with({});
  const auto second = [&](const Lines& changes) {
    Lines lines{{"name", "'back'"}, {"addresses", "['192.0.2.11']"}};
    lines.insert(lines.end(), changes.begin(), changes.end());
    return errors_of(first + vrrp_with(lines));
  };
  EXPECT_THAT(
      second({}),
      ElementsAre("b.toml:9:21: vrrp \"back\": virtual_router_id 51 is used already on "
                  "interface \"wan\" for IPv4, by vrrp \"front\" in line 4: give it another "
                  "one"));
  EXPECT_THAT(second({{"interface", "'lan'"}}), IsEmpty());
  EXPECT_THAT(second({{"addresses", "['fe80::1', '2001:db8::1']"}}), IsEmpty())
      << "the other family is another router";
  EXPECT_THAT(errors_of(first + vrrp_with({{"virtual_router_id", "52"}})),
              Contains(HasSubstr("vrrp \"front\": the name is used already, in line 2")));
  EXPECT_THAT(
      errors_of(first + vrrp_with({{"name", "'back'"}, {"interface", "'lan'"}})),
      ElementsAre(HasSubstr("address 192.0.2.10 is there already, in vrrp \"front\" in line "
                            "5: an address moves with one instance only")));
  const Lines link_local{{"addresses", "['fe80::1']"}};
  for (const Lines& other : {Lines{{"interface", "'lan'"}}, Lines{{"virtual_router_id", "52"}}}) {
    EXPECT_THAT(
        errors_of(vrrp_with(link_local) + vrrp_with({{"name", "'back'"}, other[0], link_local[0]})),
        ElementsAre(HasSubstr("address fe80::1 is there already")))
        << "a VIP is one address of the node, whatever the link";
  }
}

TEST(VrrpConfiguration, NeverMovesAnAddressThatIsSomethingElse) {
  const std::string own = "[[interface]]\nname = 'wan'\naddresses = ['192.0.2.10/24']\n";
  EXPECT_THAT(errors_of(own + vrrp_with({})),
              ElementsAre(HasSubstr("vrrp \"front\": address 192.0.2.10: is the node's "
                                    "own address, of interface \"wan\" in line 3")));
  EXPECT_THAT(errors_of(own + vrrp_with({{"addresses", "['192.0.2.9']"},
                                         {"unicast_peers", "['192.0.2.10']"}})),
              ElementsAre(HasSubstr("unicast peer 192.0.2.10 is this node's own address")));
  EXPECT_THAT(errors_of(service_with({}) + vrrp_with({{"addresses", "['10.0.0.11']"}})),
              ElementsAre(HasSubstr("10.0.0.11: is the address of a server as well")));
}

TEST(VrrpConfiguration, AsksAGroupForOneOpinion) {
  const auto second = [](const Lines& changes) {
    Lines lines{{"name", "'back'"},
                {"virtual_router_id", "52"},
                {"addresses", "['192.0.2.11']"},
                {"group", "'all'"}};
    lines.insert(lines.end(), changes.begin(), changes.end());
    return errors_of(vrrp_with({{"group", "'all'"}, {"track", "[{ port = 'wan' }]"}}) +
                     vrrp_with(lines));
  };
  EXPECT_THAT(second({}), IsEmpty());
  EXPECT_THAT(second({{"priority", "90"}}),
              ElementsAre("b.toml:14:12: vrrp \"back\": priority 90 is not that of vrrp \"front\", "
                          "100: both are in group \"all\", whose members move together: write the "
                          "same in all of them"));
  EXPECT_THAT(second({{"preempt", "true"}}),
              ElementsAre(HasSubstr("preempt true is not that of vrrp \"front\", false")));
  EXPECT_THAT(second({{"start_delay", "'2s'"}}), ElementsAre(HasSubstr("start_delay 2s is not")));
  EXPECT_THAT(second({{"advert_interval", "'1s'"}}), IsEmpty());
  EXPECT_THAT(second({{"track", "[{ port = 'wan' }, { file = '/a', up_if = 'exists' }]"}}),
              IsEmpty());
  EXPECT_THAT(second({{"track", "[{ port = 'wan', weight = -5 }]"}}),
              ElementsAre(HasSubstr("port wan is tracked in another way by vrrp \"front\" in line "
                                    "7")));
  EXPECT_THAT(errors_of(vrrp_with({{"name", "'all'"}}) + vrrp_with({{"name", "'back'"},
                                                                    {"virtual_router_id", "52"},
                                                                    {"addresses", "['192.0.2.11']"},
                                                                    {"group", "'all'"}})),
              Contains(HasSubstr("group \"all\" has the name of an instance that is not in it")));
  EXPECT_THAT(accept(vrrp_with({{"group", "'all'"}})).warnings,
              Contains(HasSubstr("it is alone in group \"all\"")));
}

TEST(VrrpConfiguration, KnowsThePortsWhenADataplaneHasNamedThem) {
  const std::string text = vrrp_with({{"track", "[{ port = 'wan' }, { port = 'lan' }]"}});
  const auto errors = [&text](std::vector<std::string> ports) {
    Capabilities capabilities;
    capabilities.ports = std::move(ports);
    const auto loaded = parse_configuration(text, "b.toml", capabilities);
    return loaded ? LoadErrors{} : loaded.error();
  };
  EXPECT_THAT(errors({}), IsEmpty());
  EXPECT_THAT(errors({"lan", "wan"}), IsEmpty());
  EXPECT_THAT(errors({"wan", "dmz"}),
              ElementsAre(HasSubstr("vrrp \"front\": track: port \"lan\" is not a port of the "
                                    "dataplane (wan, dmz)")));
  EXPECT_THAT(errors({"lan"}),
              ElementsAre(HasSubstr("interface \"wan\" is not a port of the dataplane (lan)"),
                          HasSubstr("track: port \"wan\" is not a port")));
}

TEST(VrrpConfiguration, RefusesWeightsThatCanNeverMoveAnything) {
  const auto with = [](const std::string& priority, const std::string& preempt,
                       const std::string& track) {
    return vrrp_with({{"priority", priority}, {"preempt", preempt}, {"track", track}});
  };
  EXPECT_THAT(
      errors_of(with("1", "false", "[{ port = 'wan', weight = -50 }]")),
      ElementsAre(AllOf(StartsWith("b.toml:8:"), HasSubstr("so it can never move the addresses"))));
  EXPECT_THAT(errors_of(with("254", "true", "[{ port = 'wan', weight = 50 }]")),
              ElementsAre(HasSubstr("so it can never move the addresses")));
  EXPECT_THAT(errors_of(with("255", "true", "[{ port = 'wan', weight = -50 }]")),
              ElementsAre(HasSubstr("the owner of the addresses always has priority 255")));
  EXPECT_THAT(errors_of(with("1", "false", "[{ port = 'wan' }]")), IsEmpty());
  EXPECT_THAT(errors_of(with("100", "false", "[{ port = 'wan', weight = -1 }]")), IsEmpty());
  EXPECT_THAT(accept(with("100", "false", "[{ port = 'wan', weight = 50 }]")).warnings,
              Contains(HasSubstr("only if the other nodes' priority lies between 100 and 150")));
  EXPECT_THAT(accept(with("100", "true", "[{ port = 'wan', weight = 50 }]")).warnings,
              Not(Contains(HasSubstr("priority lies between"))));
}

TEST(VrrpConfiguration, WarnsOfWhatIsAllowedButOdd) {
  const auto warnings = [](const std::string& text) { return accept(text).warnings; };
  EXPECT_THAT(warnings(vrrp_with({})),
              ElementsAre("b.toml:5:14: vrrp \"front\": address 192.0.2.10: no service listens on "
                          "it"));
  EXPECT_THAT(
      warnings(service_with({{"listen",
                              "['tcp/192.0.2.10:80', 'tcp/192.0.2.11:80', "
                              "'tcp/192.0.2.11:443']"}}) +
               vrrp_with({})),
      ElementsAre(AllOf(StartsWith("b.toml:3:"),
                        HasSubstr("listen tcp/192.0.2.11:80: no [[vrrp]] has 192.0.2.11"))));
  const std::string service = service_with({});
  EXPECT_THAT(warnings(service + vrrp_with({{"minimum_ttl", "254"}})),
              ElementsAre(HasSubstr("minimum_ttl has no effect without unicast_peers")));
  EXPECT_THAT(warnings(service + vrrp_with({{"checksum", "'rfc9568'"}, {"version", "2"}})),
              ElementsAre(HasSubstr("checksum has no effect")));
  EXPECT_THAT(warnings(service_with({{"quorum", "2"}}) + vrrp_with({})),
              ElementsAre(HasSubstr("quorum has no effect: no [[vrrp]] tracks the service")));
  EXPECT_THAT(
      errors_of(service_with({{"quorum", "3"}}) + vrrp_with({{"track", "[{ service = 'web' }]"}})),
      ElementsAre(HasSubstr("quorum 3 can never be met: the service has 2 servers")));
}

TEST(VrrpConfiguration, BoundsEverythingThatIsOneOfMany) {
  std::string many;
  for (int i = 1; i <= 64; ++i) {
    many += vrrp_with({{"name", "'v" + std::to_string(i) + "'"},
                       {"virtual_router_id", std::to_string(i)},
                       {"addresses", "['192.0.2." + std::to_string(i) + "']"}});
  }
  EXPECT_THAT(errors_of(many),
              ElementsAre(HasSubstr("64 virtual routers are too many: at most 63")));
  std::string addresses = "['fe80::1'";
  for (int i = 1; i < 77; ++i) {
    addresses += ", '2001:db8::" + std::to_string(i) + "'";
  }
  EXPECT_THAT(errors_of(vrrp_with({{"addresses", addresses + "]"}})),
              ElementsAre(HasSubstr("0 IPv4 and 77 IPv6 addresses do not fit into an advert")));
  std::string peers = "['10.0.0.1'";
  for (int i = 2; i <= 17; ++i) {
    peers += ", '10.0.0." + std::to_string(i) + "'";
  }
  EXPECT_THAT(errors_of(vrrp_with({{"unicast_peers", peers + "]"}})),
              ElementsAre(HasSubstr("17 unicast peers are too many: at most 16")));
}

TEST(VrrpConfiguration, SurvivesDamageOfTheSample) {
  const std::string text = sample();
  for (size_t length = 0; length < text.size(); ++length) {
    (void)parse_configuration(std::string_view(text).substr(0, length), "b.toml", Capabilities{});
  }
  std::mt19937 random(7);
  int accepted = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string damaged = text;
    const size_t at = random() % damaged.size();
    switch (random() % 3) {
      case 0:
        damaged[at] = static_cast<char>(random() % 256);
        break;
      case 1:
        damaged.erase(at, 1 + random() % 20);
        break;
      default:
        damaged.insert(at, damaged.substr(random() % damaged.size(), random() % 20));
    }
    const auto loaded = parse_configuration(damaged, "b.toml", Capabilities{});
    if (!loaded) {
      ASSERT_THAT(loaded.error().front(), StartsWith("b.toml"));
      continue;
    }
    ++accepted;
    for (const VrrpSettings& instance : loaded->configuration.vrrp) {
      vrrp::GroupSettings group;
      group.priority = vrrp::Priority{instance.priority};
      group.preempt = instance.preempt;
      group.preempt_delay = instance.preempt_delay;
      for (const Family family : {Family::kIpv4, Family::kIpv6}) {
        if (instance.has(family)) {
          vrrp::RouterSettings router;
          router.key = {vrrp::InterfaceIndex{1}, family,
                        vrrp::VirtualRouterId{instance.virtual_router_id}};
          router.version = instance.version;
          router.advert_interval = instance.advert_interval;
          router.addresses = instance.addresses_of(family);
          router.minimum_ttl = instance.minimum_ttl;
          group.routers.push_back(router);
        }
      }
      const auto valid = vrrp::validate(group);
      ASSERT_TRUE(valid) << valid.error() << "\n" << damaged;
      for (const vrrp::TrackSettings& track : track_settings(instance)) {
        ASSERT_TRUE(vrrp::validate(track));
      }
    }
  }
  EXPECT_GT(accepted, 500);
}

TEST(VrrpConfiguration, DescribesItsChanges) {
  const auto described = [](const std::string& from, const std::string& to) {
    std::vector<std::string> lines;
    for (const Change& change : diff(accept(from).configuration, accept(to).configuration)) {
      lines.push_back(change.to_string());
    }
    return lines;
  };
  EXPECT_THAT(described("", vrrp_with({{"priority", "150"}})),
              ElementsAre("+ vrrp \"front\" interface wan, virtual_router_id 51, priority 150",
                          "+ vrrp \"front\": address 192.0.2.10"));
  EXPECT_THAT(described(vrrp_with({{"priority", "150"}}), vrrp_with({})),
              ElementsAre("~ vrrp \"front\": priority: 150 -> 100"));
  EXPECT_THAT(described(vrrp_with({}), vrrp_with({{"version", "2"}})),
              ElementsAre("~ vrrp \"front\": version: 3 -> 2",
                          "~ vrrp \"front\": advert_interval: 100ms -> 1s"));
  EXPECT_THAT(described(vrrp_with({}),
                        vrrp_with({{"track", "[{ port = 'wan', weight = -5 }, { script = '/a' }]"},
                                   {"unicast_peers", "['10.0.0.2']"},
                                   {"notify", "['/n', 'now']"}})),
              ElementsAre("~ vrrp \"front\": notify: none -> \"/n\" \"now\"",
                          "+ vrrp \"front\": unicast peer 10.0.0.2",
                          "+ vrrp \"front\": track port \"wan\" weight -5",
                          "+ vrrp \"front\": track script \"/a\""));
  EXPECT_THAT(described(vrrp_with({{"addresses", "['fe80::1', 'fe80::2']"}}),
                        vrrp_with({{"addresses", "['fe80::2', 'fe80::1']"}})),
              ElementsAre("~ vrrp \"front\": first IPv6 address: fe80::1 -> fe80::2"));
  EXPECT_THAT(described(vrrp_with({{"addresses", "['192.0.2.1', '192.0.2.2']"}}),
                        vrrp_with({{"addresses", "['192.0.2.2', '192.0.2.1']"}})),
              IsEmpty());
  EXPECT_THAT(described(vrrp_with({}), ""), ElementsAre(StartsWith("- vrrp \"front\" interface"),
                                                        "- vrrp \"front\": address 192.0.2.10"));
}

TEST(VrrpConfiguration, HasFactsThatSayAllOfIt) {
  const Configuration configuration = accept(sample()).configuration;
  const auto changes = diff(Configuration{}, configuration);
  EXPECT_EQ(apply_changes(facts_of(Configuration{}), changes),
            apply_changes(facts_of(configuration), {}));
  EXPECT_THAT(diff(configuration, configuration), IsEmpty());
}

// The default user is missing on few machines: told by hand what is read.
TEST(VrrpPrograms, NeedAUserOfThisMachine) {
  VrrpTrack script;
  script.kind = VrrpTrack::Kind::kScript;
  script.command = {"/bin/true"};
  VrrpSettings quiet;
  quiet.name = "quiet";
  VrrpSettings tracks = quiet;
  tracks.name = "tracks";
  tracks.tracks = {script};
  VrrpSettings notifies = quiet;
  notifies.name = "notifies";
  notifies.notify = {"/bin/true"};
  const auto errors = [&](const std::vector<VrrpSettings>& instances, const std::string& user) {
    LocatedConfiguration located;
    located.configuration.daemon.script_user = user;
    for (const VrrpSettings& instance : instances) {
      located.configuration.vrrp.push_back(instance);
      VrrpPositions positions;
      positions.where = {7, 1};
      positions.tracks.resize(instance.tracks.size());
      positions.complete = false;
      located.vrrp.push_back(positions);
    }
    TomlReport report("b.toml");
    validate_vrrp(located, report);
    LoadErrors found = report.errors();
    std::erase_if(found, [](const auto& line) { return line.find("programs") == line.npos; });
    return found;
  };
  EXPECT_THAT(errors({quiet, tracks, notifies}, "no-such-user"),
              ElementsAre("b.toml:7:1: vrrp \"tracks\": its programs would run as "
                          "\"no-such-user\", which is not a user of this machine: name one in "
                          "[daemon] as script_user"));
  EXPECT_THAT(errors({notifies}, "no-such-user"), testing::SizeIs(1));
  EXPECT_THAT(errors({quiet}, "no-such-user"), IsEmpty());
  EXPECT_THAT(errors({tracks, notifies}, "root"), IsEmpty());
}

}  // namespace
}  // namespace ballast::control
