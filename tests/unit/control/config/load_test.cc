#include "control/config/load.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/config/facts.h"

namespace ballast::control {
namespace {

using healthcheck::CheckType;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

// Tests run in the root of the tree.
const std::string kSample = "conf/ballast.toml";

LoadErrors errors_of(std::string_view text) {
  const auto loaded = parse_configuration(text, "b.toml", Capabilities{});
  return loaded ? LoadErrors{} : loaded.error();
}

LoadedConfiguration accept(std::string_view text) {
  auto loaded = parse_configuration(text, "b.toml", Capabilities{});
  if (!loaded) {
    ADD_FAILURE() << testing::PrintToString(loaded.error());
    return {};
  }
  return std::move(*loaded);
}

// A service that is right, in which the lines given take the place of those with the same key.
std::string service_with(const std::vector<std::pair<std::string, std::string>>& changes) {
  std::vector<std::pair<std::string, std::string>> lines{
      {"name", "'web'"},
      {"listen", "['tcp/192.0.2.10:80']"},
      {"server", "[{ address = '10.0.0.11' }]"},
  };
  for (const auto& [key, value] : changes) {
    const auto found = std::find_if(lines.begin(), lines.end(),
                                    [&key = key](const auto& line) { return line.first == key; });
    if (found == lines.end()) {
      lines.emplace_back(key, value);
    } else {
      found->second = value;
    }
  }
  std::string result = "[[service]]\n";
  for (const auto& [key, value] : lines) {
    if (!value.empty()) {
      result += key + " = " + value + "\n";
    }
  }
  return result;
}

TEST(LoadConfiguration, AcceptsTheSampleWithoutAWarning) {
  const auto loaded = load_configuration(kSample, Capabilities{});
  ASSERT_TRUE(loaded) << testing::PrintToString(loaded.error());
  EXPECT_THAT(loaded->warnings, IsEmpty());
  const Configuration& configuration = loaded->configuration;
  EXPECT_EQ(configuration.daemon, DaemonSettings{});
  ASSERT_EQ(configuration.services.size(), 2U);
  const ServiceSettings& web = configuration.services[0];
  EXPECT_EQ(web.name, "web");
  EXPECT_EQ(web.listeners[1].to_string(), "tcp/[2001:db8::10]:80");
  EXPECT_EQ(web.timeouts.at("established"), seconds(900));
  EXPECT_EQ(web.check.type, CheckType::kHttp);
  EXPECT_EQ(web.check.expect_status.to_string(), "200-299,301");
  ASSERT_EQ(web.servers.size(), 5U);
  EXPECT_EQ(web.servers[0].weight, 100);
  EXPECT_EQ(web.servers[0].check.port, 80);
  EXPECT_EQ(web.servers[2].check.port, 8080);
  EXPECT_EQ(web.servers[2].check.path, "/healthz");
  ASSERT_EQ(configuration.interfaces.size(), 1U);
  EXPECT_EQ(configuration.interfaces[0].routes[0].to.to_string(), "0.0.0.0/0");
}

TEST(LoadConfiguration, GivesASentenceForAFileThatIsNotThere) {
  const auto loaded = load_configuration("/nonexistent/ballast.toml", Capabilities{});
  ASSERT_FALSE(loaded);
  EXPECT_THAT(
      loaded.error(),
      ElementsAre("/nonexistent/ballast.toml: cannot be opened: No such file or directory"));
}

TEST(LoadConfiguration, AcceptsAnEmptyFileAsNoServices) {
  const auto loaded = accept("");
  EXPECT_EQ(loaded.configuration, Configuration{});
  EXPECT_THAT(loaded.warnings, IsEmpty());
}

TEST(LoadConfiguration, FillsInDefaults) {
  const auto loaded = accept(service_with({}));
  ASSERT_EQ(loaded.configuration.services.size(), 1U);
  const ServiceSettings& service = loaded.configuration.services[0];
  EXPECT_EQ(service.mode, Mode::kDirectRouting);
  EXPECT_EQ(service.scheduler, "wrr");
  EXPECT_EQ(service.on_no_server, Refuse::kAnswer);
  EXPECT_EQ(service.on_server_down, OnServerDown::kKeep);
  EXPECT_FALSE(service.sloppy_tcp);
  EXPECT_EQ(service.check, healthcheck::CheckSettings{});
  EXPECT_EQ(service.servers[0].weight, 1);
}

TEST(LoadConfiguration, ReportsEveryMistakeOnceInTheOrderOfTheFile) {
  EXPECT_THAT(
      errors_of("[daemon]\nlog_level = 'infos'\n"
                "[[service]]\nname = 'web'\nshceduler = 'rr'\n"
                "listen = ['tcp/192.0.2.10:70000', 'sctp/192.0.2.10:80']\n"
                "server = [{ address = '10.0.0.300' }, { adress = '10.0.0.1' }]\n"
                "[[vrrp]]\nname = 'front'\n"),
      ElementsAre(
          R"(b.toml:2:13: daemon: log_level "infos" is not one of debug, info, warning, error: did )"
          R"(you mean "info"?)",
          R"(b.toml:5:1: service "web": unknown key "shceduler": did you mean "scheduler"?)",
          R"(b.toml:6:11: service "web": listen "tcp/192.0.2.10:70000": port 70000 is out of range )"
          "(1-65535)",
          R"(b.toml:6:35: service "web": listen "sctp/192.0.2.10:80" does not begin with tcp/ or )"
          R"(udp/: write it as "tcp/192.0.2.10:80" or "udp/[2001:db8::10]:53")",
          R"(b.toml:7:23: service "web": server 1: address "10.0.0.300" is not an address with a )"
          R"(port: write it as "10.0.0.11", "10.0.0.11:80" or "[2001:db8::11]:80")",
          R"(b.toml:7:39: service "web": server 2: "address" is missing)",
          R"(b.toml:7:41: service "web": server 2: unknown key "adress": did you mean "address"?)",
          R"(b.toml:8:1: vrrp "front": "interface" is missing)",
          R"(b.toml:8:1: vrrp "front": "virtual_router_id" is missing)",
          R"(b.toml:8:1: vrrp "front": "addresses" is missing)"));
}

TEST(LoadConfiguration, RefusesModesAndSchedulersThatTheDataplaneHasNot) {
  const auto refused = [](const std::string& mode, const Capabilities& capabilities) {
    const auto loaded = parse_configuration(service_with({{"mode", mode}}), "b.toml", capabilities);
    return loaded ? LoadErrors{} : loaded.error();
  };
  EXPECT_THAT(refused("'nat'", {{"dr", "tun"}, {"wrr"}, {}}),
              ElementsAre(R"(b.toml:5:8: service "web": mode "nat" is not supported by this )"
                          "dataplane (dr, tun): it takes nat = true in [connections] of "
                          "dataplane.toml"));
  EXPECT_THAT(refused("'tun'", {{"dr"}, {"wrr"}, {}}),
              ElementsAre(R"(b.toml:5:8: service "web": mode "tun" is not supported by this )"
                          "dataplane (dr)"));
  EXPECT_THAT(errors_of(service_with({{"mode", "'NAT'"}})),
              ElementsAre(HasSubstr(R"(mode "NAT" is not one of dr, nat, fullnat, tun)")));
  EXPECT_THAT(errors_of(service_with({{"scheduler", "'wlc'"}})),
              ElementsAre(HasSubstr(R"(scheduler "wlc" is not one of rr, wrr)")));
  const auto loaded =
      parse_configuration(service_with({{"scheduler", "'mh'"}}), "b.toml", {{"dr"}, {"mh"}, {}});
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->configuration.services[0].scheduler, "mh");
}

struct Mistake {
  std::string key;
  std::string value;
  std::string message;
};

TEST(LoadConfiguration, SaysOfEachValueWhatWouldBeRight) {
  const std::vector<Mistake> mistakes{
      {"name", "''", "is not a name: 1 to 64 letters"},
      {"name", "'a b'", "is not a name"},
      {"name", "\"a\\nb\"", R"(name "a\x0ab" is not a name)"},
      {"name", "", "\"name\" is missing"},
      {"listen", "", "\"listen\" is missing"},
      {"listen", "[]", "listen is empty"},
      {"listen", "'tcp/192.0.2.10:80'", "listen must be an array of strings, not a string"},
      {"listen", "['tcp/192.0.2.10']", "has no port"},
      {"listen", "['tcp/2001:db8::10:80']", "has no port"},
      {"listen", "['tcp/192.0.2.10:0']", "port 0 is out of range"},
      {"listen", "['tcp/192.0.2.10:080']", "is not a port"},
      {"listen", "['tcp/[192.0.2.10]:80']", "is not an address with a port"},
      {"listen", "['tcp/224.0.0.18:80']", "a VIP cannot be multicast"},
      {"listen", "['tcp/127.0.0.1:80']", "a VIP cannot be loopback"},
      {"listen", "['tcp/0.0.0.0:80']", "a VIP cannot be unspecified"},
      {"listen", "['tcp/255.255.255.255:80']", "a VIP cannot be the broadcast address"},
      {"listen", "['tcp/192.0.2.10:80', 'tcp/192.0.2.10:80']", "is used already, by service"},
      {"listen", "['tcp/192.0.2.10:80', 'tcp/[2001:db8::10]:80']", "would never have a server"},
      {"listen", "['tcp/10.0.0.11:80']", "is the address of a server as well"},
      {"server", "[{ address = '10.0.0.11' }, { address = '10.0.0.11:80' }]", "is there already"},
      {"server", "[{ address = '10.0.0.11:8080' }]", "mode dr cannot change the port"},
      {"server", "[{ address = '10.0.0.11' }, { address = '2001:db8::11' }]",
       "would never have a connection: the service does not listen on IPv6"},
      {"server", "[{ address = '127.0.0.1' }]", "a server's address cannot be loopback"},
      {"server", "[{ address = '10.0.0.11', weight = 65536 }]", "weight 65536 is out of range"},
      {"server", "[{ address = '10.0.0.11', weight = -1 }]", "weight -1 is out of range"},
      {"timeouts", "{ established = '500ms' }", "is out of range (1s-1d)"},
      {"timeouts", "{ established = '1500ms' }", "is not a whole number of seconds"},
      {"timeouts", "{ estabilshed = '15m' }", "did you mean \"established\"?"},
      {"check", "{}", "check: \"type\" is missing"},
      {"check", "{ type = 'htpt' }", "did you mean \"http\"?"},
      {"check", "{ type = 'tcp', port = 0 }", "port 0 is out of range (1-65535)"},
      {"check", "{ type = 'tcp', interval = '1s', timeout = '2s' }",
       "timeout 2s is longer than the interval 1s"},
      {"check", "{ type = 'tcp', interval = '1ms' }", "is out of range"},
      {"check", "{ type = 'tcp', rise = 0 }", "rise 0 is out of range"},
      {"check", "{ type = 'tcp', jitter = 0.9 }", "jitter 0.9 is out of range (0-0.5)"},
      {"check", "{ type = 'http', path = 'healthz' }", "it begins with \"/\""},
      {"check", "{ type = 'http', path = \"/a\\r\\nX: y\" }", "is not a request path"},
      {"check", "{ type = 'http', path = '/a b' }", "is not a request path"},
      {"check", "{ type = 'http', host = \"a\\r\\nX: y\" }", "is not a host name"},
      {"check", "{ type = 'http', host = 'a b' }", "is not a host name"},
      {"check", "{ type = 'http', method = \"GET /\\r\\n\" }", "is not a method"},
      {"check", "{ type = 'http', method = 'get' }", "is not a method"},
      {"check", "{ type = 'http', expect_status = '200-' }", "expect_status \"200-\": "},
      {"sloppy_tcp", "1", "sloppy_tcp must be true or false"},
      {"on_server_down", "'drop'", "is not one of keep, reset, reschedule"},
  };
  for (const Mistake& mistake : mistakes) {
    EXPECT_THAT(errors_of(service_with({{mistake.key, mistake.value}})),
                ElementsAre(AllOf(StartsWith("b.toml:"), HasSubstr(mistake.message))))
        << mistake.key << " = " << mistake.value;
  }
}

TEST(LoadConfiguration, SaysWhatIsWrongWithInterfacesVipsAndTheDaemon) {
  const std::vector<std::pair<std::string, std::string>> mistakes{
      {"[[interface]]\naddresses = []", "\"name\" is missing"},
      {"[[interface]]\nname = 'a/b'", "is not the name of an interface"},
      {"[[interface]]\nname = 'sixteencharacter'", "is not the name of an interface"},
      {"[[interface]]\nname = 'wan'\naddresses = ['10.0.0.1']", "with a prefix length"},
      {"[[interface]]\nname = 'wan'\naddresses = ['10.0.0.1/33']", "out of range (0-32)"},
      {"[[interface]]\nname = 'wan'\naddresses = ['10.0.0.1/24', '10.0.0.1/16']", "used already"},
      {"[[interface]]\nname = 'wan'\n[[interface]]\nname = 'wan'", "the name is used already"},
      {"[[interface]]\nname = 'wan'\nroutes = [{ to = '10.1.0.1/16', via = '10.0.0.254' }]",
       "did you mean \"10.1.0.0/16\"?"},
      {"[[interface]]\nname = 'wan'\nroutes = [{ to = '::/0', via = '10.0.0.254' }]",
       "is not of the same family"},
      {"[[interface]]\nname = 'wan'\nroutes = [{ to = 'default', via = '0.0.0.0' }]",
       "is not the address of a router"},
      {"[[interface]]\nname = 'wan'\nroutes = [{ to = 'default', via = '10.0.0.1' }, "
       "{ to = '0.0.0.0/0', via = '10.0.0.2' }]",
       "is there already, in line 3"},
      {"[[vip]]\nping = true", "\"address\" is missing"},
      {"[[vip]]\naddress = '192.0.2.256'", "is not an IP address"},
      {"[[vip]]\naddress = '192.0.2.1'\n[[vip]]\naddress = '192.0.2.1'", "used already, in line 2"},
      {"[[vip]]\naddress = 'ff02::1'", "a VIP cannot be multicast"},
      {"[[interface]]\nname = 'wan'\naddresses = ['192.0.2.10/24']\n" + service_with({}),
       "192.0.2.10 is the node's own address, of interface \"wan\""},
      {"[[interface]]\nname = 'wan'\naddresses = ['10.0.0.11/24']\n" + service_with({}),
       "is the node's own address, of interface \"wan\" in line 3: a server is another machine"},
      {service_with({}) + service_with({{"listen", "['udp/192.0.2.10:80']"}}),
       "the name is used already, in line 2"},
      {service_with({}) + service_with({{"name", "'other'"}}),
       "is used already, by service \"web\" in line 3"},
      {"[daemon]\ncontrol_socket = 'ballastd.sock'", "write an absolute path"},
      {"[daemon]\ncontrol_socket = '/" + std::string(107, 'x') + "'", "at most 107"},
      {"[daemon]\ncontrol_socket = '/run/ballast/dataplane.sock'", "same as dataplane_socket"},
      {"[daemon]\ncontrol_socket_group = 'a b'", "is not the name of a group"},
      {"[daemon]\ncontrol_socket_group = ''", "is not the name of a group"},
      {"[daemon]\nscript_user = 'no-such-user'",
       "b.toml:2:15: daemon: script_user \"no-such-user\" is not a user of this machine: write the "
       "name of one, such as \"nobody\""},
      {"[daemon]\nscript_user = 'a b'", "script_user \"a b\" is not a user of this machine"},
      {"[daemon]\nscript_user = ''", "script_user \"\" is not a user of this machine"},
      {"[[daemon]]", "daemon must be a table"},
      {"[service]\nname = 'web'", "service must be an array of tables"},
      {"[[servce]]\nname = 'web'", "did you mean \"service\"?"},
  };
  for (const auto& [text, message] : mistakes) {
    EXPECT_THAT(errors_of(text), ElementsAre(HasSubstr(message))) << text;
  }
}

TEST(LoadConfiguration, WarnsOfWhatIsAllowedButOdd) {
  const auto warnings = [](const std::string& text) { return accept(text).warnings; };
  EXPECT_THAT(warnings(service_with({{"server", "[]"}})), ElementsAre(HasSubstr("no servers")));
  EXPECT_THAT(warnings(service_with({{"server", "[{ address = '10.0.0.11', weight = 0 }]"}})),
              ElementsAre(HasSubstr("every IPv4 server has weight 0")));
  EXPECT_THAT(warnings(service_with({{"scheduler", "'rr'"},
                                     {"server",
                                      "[{ address = '10.0.0.11', weight = 2 }, "
                                      "{ address = '10.0.0.12', weight = 1 }]"}})),
              ElementsAre(HasSubstr("scheduler rr takes no account")));
  EXPECT_THAT(warnings(service_with({{"check", "{ type = 'tcp', path = '/' }"}})),
              ElementsAre(HasSubstr("path has no effect")));
  EXPECT_THAT(warnings("[[vip]]\naddress = '192.0.2.1'"),
              ElementsAre(HasSubstr("no service listens on it")));
  EXPECT_THAT(warnings("[[interface]]\nname = 'wan'\naddresses = ['10.0.0.1/24']\n"
                       "routes = [{ to = 'default', via = '10.0.1.254' }]"),
              ElementsAre(HasSubstr("is in no network of the interface's addresses")));
}

TEST(LoadConfiguration, GivesChecksTheirPort) {
  const auto port = [](const std::string& text) {
    return accept(text).configuration.services.at(0).servers.at(0).check.port;
  };
  EXPECT_EQ(port(service_with({{"check", "{ type = 'tcp' }"}})), 80);
  EXPECT_EQ(port(service_with({{"check", "{ type = 'tcp', port = 81 }"}})), 81);
  EXPECT_EQ(port(service_with({{"check", "{ type = 'tcp', port = 81 }"},
                               {"server", "[{ address = '10.0.0.11', check = { port = 82 } }]"}})),
            82);
  EXPECT_EQ(port(service_with({{"check", "{ type = 'tcp' }"},
                               {"listen", "['tcp/192.0.2.10:53', 'udp/192.0.2.10:54']"}})),
            53);
  for (const char* listen :
       {"['tcp/192.0.2.10:80', 'tcp/192.0.2.10:443']", "['udp/192.0.2.10:53']"}) {
    EXPECT_THAT(errors_of(service_with({{"check", "{ type = 'tcp' }"}, {"listen", listen}})),
                ElementsAre(HasSubstr("check: \"port\" is missing")));
  }
}

TEST(LoadConfiguration, LetsServersOverrideTheCheckOfTheirService) {
  const auto loaded = accept(
      service_with({{"check", "{ type = 'http', path = '/a', interval = '5s', timeout = '3s' }"},
                    {"server",
                     "[{ address = '10.0.0.11', check = { path = '/b' } }, "
                     "{ address = '10.0.0.12', check = { type = 'none' } }, "
                     "{ address = '10.0.0.13', check = { interval = '10s' } }]"}}));
  const auto& servers = loaded.configuration.services.at(0).servers;
  ASSERT_EQ(servers.size(), 3U);
  EXPECT_EQ(servers[0].check.path, "/b");
  EXPECT_EQ(servers[0].check.timeout, seconds(3));
  EXPECT_EQ(servers[1].check.type, CheckType::kNone);
  EXPECT_EQ(servers[2].check.interval, seconds(10));
  EXPECT_THAT(errors_of(service_with(
                  {{"check", "{ type = 'http', interval = '5s', timeout = '3s' }"},
                   {"server", "[{ address = '10.0.0.11', check = { interval = '2s' } }]"}})),
              ElementsAre(AllOf(HasSubstr("server 10.0.0.11: check: timeout 3s is longer"),
                                StartsWith("b.toml:4:57:"))));
}

TEST(LoadConfiguration, LetsTheTimeoutFollowAShortInterval) {
  const auto loaded =
      accept(service_with({{"check", "{ type = 'tcp', interval = '200ms' }"},
                           {"server",
                            "[{ address = '10.0.0.11' }, "
                            "{ address = '10.0.0.12', check = { interval = '4s' } }]"}}));
  const auto& servers = loaded.configuration.services.at(0).servers;
  EXPECT_EQ(servers.at(0).check.timeout, milliseconds(200));
  EXPECT_EQ(servers.at(1).check.timeout, seconds(1));
}

TEST(LoadConfiguration, TakesTheSameServerWithAndWithoutThePortInDrAsOne) {
  const auto with = accept(service_with({{"server", "[{ address = '10.0.0.11:80' }]"}}));
  const auto without = accept(service_with({}));
  EXPECT_EQ(with.configuration.services.at(0).servers.at(0).key,
            without.configuration.services.at(0).servers.at(0).key);
}

TEST(LoadConfiguration, BoundsListenersAndServers) {
  std::string listen = "[";
  for (int i = 0; i < 65537; ++i) {
    listen +=
        "'tcp/192.0." + std::to_string(i / 60000) + ".10:" + std::to_string(i % 60000 + 1) + "',";
  }
  EXPECT_THAT(errors_of(service_with({{"listen", listen + "]"}})),
              Contains("b.toml: 65537 listeners are too many: at most 65536"));
  std::string servers = "[";
  for (int i = 0; i < 100001; ++i) {
    servers += "{address='10." + std::to_string(i >> 16) + "." + std::to_string((i >> 8) & 255) +
               "." + std::to_string(i & 255) + "'},";
  }
  EXPECT_THAT(errors_of(service_with({{"server", servers + "]"}})),
              Contains("b.toml: 100001 servers are too many: at most 100000"));
}

TEST(LoadConfiguration, NeverAcceptsACheckThatTheCheckersRefuse) {
  std::ifstream file(kSample);
  std::stringstream text;
  text << file.rdbuf();
  const std::string sample = text.str();
  ASSERT_FALSE(sample.empty());
  std::mt19937 random(42);
  int accepted = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string damaged = sample;
    for (size_t edits = 1 + random() % 3; edits > 0; --edits) {
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
    }
    const auto loaded = parse_configuration(damaged, "b.toml", Capabilities{});
    if (!loaded) {
      ASSERT_FALSE(loaded.error().empty());
      ASSERT_THAT(loaded.error().front(), StartsWith("b.toml"));
      continue;
    }
    ++accepted;
    for (const ServiceSettings& service : loaded->configuration.services) {
      for (const ServerSettings& server : service.servers) {
        ASSERT_TRUE(healthcheck::validate(server.check));
      }
    }
  }
  EXPECT_GT(accepted, 500);
}

TEST(LoadConfiguration, SurvivesEveryTruncationOfTheSample) {
  std::ifstream file(kSample);
  std::stringstream text;
  text << file.rdbuf();
  const std::string sample = text.str();
  for (size_t length = 0; length < sample.size(); ++length) {
    (void)parse_configuration(std::string_view(sample).substr(0, length), "b.toml", Capabilities{});
  }
}

}  // namespace
}  // namespace ballast::control
