#include "control/config/diff.h"

#include <algorithm>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/config/load.h"

namespace ballast::control {
namespace {

using healthcheck::CheckType;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> lines(const std::vector<Change>& changes) {
  std::vector<std::string> result;
  for (const Change& change : changes) {
    result.push_back(change.to_string());
  }
  return result;
}

Configuration load(std::string_view text) {
  const auto loaded = parse_configuration(text, "b.toml", Capabilities{});
  EXPECT_TRUE(loaded) << testing::PrintToString(loaded.error());
  return loaded ? loaded->configuration : Configuration{};
}

// Random configurations out of a small set of parts, so that two of them share much.
class Generator {
 public:
  explicit Generator(uint32_t seed) : random_(seed) {}

  Configuration configuration() {
    Configuration result;
    result.daemon.log_level = coin() ? LogLevel::kInfo : LogLevel::kDebug;
    result.daemon.script_user = coin() ? "nobody" : "checks";
    result.daemon.on_no_service = coin() ? Refuse::kAnswer : Refuse::kDrop;
    if (coin()) {
      result.nat.gateways.push_back(IpAddress::v4({10, 0, 0, 1}));
    }
    if (coin()) {
      result.nat.routed_networks.push_back(Prefix::containing(IpAddress::v4({10, 0, 0, 0}), 24));
    }
    for (const char* name : {"wan", "lan"}) {
      if (coin()) {
        result.interfaces.push_back(interface(name));
      }
    }
    for (uint8_t i = 0; i < 3; ++i) {
      if (coin()) {
        result.vips.push_back({IpAddress::v4({192, 0, 2, i}), coin()});
      }
    }
    for (const char* name : {"a", "b", "c", "d"}) {
      if (coin()) {
        result.services.push_back(service(name));
      }
    }
    std::shuffle(result.services.begin(), result.services.end(), random_);
    return result;
  }

 private:
  bool coin() { return random_() % 2 == 0; }
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>(random_() % bound); }

  InterfaceSettings interface(const char* name) {
    InterfaceSettings result{.name = name, .addresses = {}, .routes = {}};
    if (coin()) {
      result.addresses.push_back(
          {IpAddress::v4({10, 0, 0, 1}), static_cast<uint8_t>(coin() ? 24 : 16)});
    }
    for (uint32_t metric = 0; metric < 2; ++metric) {
      if (coin()) {
        result.routes.push_back(
            {Prefix{}, IpAddress::v4({10, 0, 0, coin() ? uint8_t{2} : uint8_t{3}}), metric});
      }
    }
    return result;
  }

  healthcheck::CheckSettings check(healthcheck::CheckSettings base) {
    if (coin()) {
      base.type = coin() ? CheckType::kTcp : CheckType::kHttp;
    }
    if (coin()) {
      base.interval = seconds(1 + below(3));
    }
    if (coin()) {
      base.port = static_cast<uint16_t>(80 + below(2));
    }
    if (coin()) {
      base.path = coin() ? "/" : "/x";
    }
    if (coin()) {
      base.jitter = coin() ? 0.1 : 0.25;
    }
    return base;
  }

  ServiceSettings service(const char* name) {
    ServiceSettings result;
    result.name = name;
    result.scheduler = coin() ? "rr" : "wrr";
    result.on_server_down = coin() ? OnServerDown::kKeep : OnServerDown::kReset;
    result.sloppy_tcp = coin();
    if (coin()) {
      result.timeouts["established"] = seconds(60 * (1 + below(2)));
    }
    result.check = check({});
    for (uint16_t port = 80; port < 83; ++port) {
      if (coin()) {
        result.listeners.push_back({IpProtocol::kTcp, IpAddress::v4({192, 0, 2, 9}), port});
      }
    }
    for (uint8_t i = 0; i < 4; ++i) {
      if (coin()) {
        result.servers.push_back({{IpAddress::v4({10, 0, 0, static_cast<uint8_t>(10 + i)}), 0},
                                  static_cast<uint16_t>(below(2)),
                                  coin() ? result.check : check(result.check)});
      }
    }
    std::shuffle(result.servers.begin(), result.servers.end(), random_);
    set_mode(result);
    return result;
  }

  void set_mode(ServiceSettings& service) {
    service.mode = coin() ? Mode::kFullNat : Mode::kTunnel;
    for (uint8_t i = 0; i < 4; ++i) {
      if (coin()) {
        service.local_addresses.push_back(IpAddress::v4({10, 0, 1, i}));
      }
    }
    service.tunnel.encapsulation = coin() ? Encapsulation::kGre : Encapsulation::kGue;
    service.tunnel.gue_checksum = coin();
    service.tunnel.gue_port = static_cast<uint16_t>(6080 + below(2));
    if (coin()) {
      service.tunnel.sources.push_back(
          Prefix::containing(IpAddress::v4({10, 9, 0, 0}), static_cast<uint8_t>(24 + below(2))));
    }
    service.mss = static_cast<uint16_t>(1440 + below(2));
    service.one_packet = coin();
  }

  std::mt19937 random_;
};

// The same configuration with everything in one order.
Configuration sorted(Configuration configuration) {
  const auto by_name = [](const auto& a, const auto& b) { return a.name < b.name; };
  std::sort(configuration.services.begin(), configuration.services.end(), by_name);
  for (ServiceSettings& service : configuration.services) {
    std::sort(service.servers.begin(), service.servers.end(),
              [](const auto& a, const auto& b) { return a.key < b.key; });
    std::sort(service.listeners.begin(), service.listeners.end());
  }
  return configuration;
}

std::vector<Fact> sorted_facts(const Configuration& configuration) {
  return apply_changes(facts_of(configuration), {});
}

TEST(Diff, OfAConfigurationWithItselfIsEmpty) {
  Generator generator(1);
  for (int round = 0; round < 500; ++round) {
    const Configuration configuration = generator.configuration();
    EXPECT_THAT(lines(diff(configuration, configuration)), IsEmpty());
  }
}

TEST(Diff, AppliedToTheOldGivesTheNew) {
  Generator generator(2);
  for (int round = 0; round < 2000; ++round) {
    const Configuration from = generator.configuration();
    const Configuration to = generator.configuration();
    const std::vector<Change> changes = diff(from, to);
    EXPECT_EQ(apply_changes(facts_of(from), changes), sorted_facts(to));
  }
}

TEST(Diff, IsEmptyExactlyWhenNothingButTheOrderDiffers) {
  Generator generator(3);
  int equal = 0;
  for (int round = 0; round < 3000; ++round) {
    const Configuration from = generator.configuration();
    Configuration to = generator.configuration();
    if (round % 3 == 0) {
      to = from;
      std::reverse(to.services.begin(), to.services.end());
    }
    const bool same = sorted(from) == sorted(to);
    EXPECT_EQ(diff(from, to).empty(), same);
    equal += same ? 1 : 0;
  }
  EXPECT_GE(equal, 1000);
}

TEST(Diff, BackwardsIsTheOppositeOfForwards) {
  Generator generator(4);
  for (int round = 0; round < 500; ++round) {
    const Configuration from = generator.configuration();
    const Configuration to = generator.configuration();
    std::vector<std::string> forwards = lines(diff(from, to));
    std::vector<std::string> backwards;
    for (Change change : diff(to, from)) {
      using Kind = Change::Kind;
      change.kind = change.kind == Kind::kAdded     ? Kind::kRemoved
                    : change.kind == Kind::kRemoved ? Kind::kAdded
                                                    : Kind::kChanged;
      std::swap(change.before, change.after);
      backwards.push_back(change.to_string());
    }
    std::sort(forwards.begin(), forwards.end());
    std::sort(backwards.begin(), backwards.end());
    EXPECT_EQ(forwards, backwards);
  }
}

constexpr std::string_view kBefore = R"(
[[service]]
name = "web"
listen = ["tcp/192.0.2.10:80"]
scheduler = "rr"
check = { type = "tcp" }
server = [{ address = "10.0.0.11" }, { address = "10.0.0.12" }]
[[service]]
name = "mail"
listen = ["tcp/192.0.2.10:25"]
server = [{ address = "10.0.0.31" }]
)";

constexpr std::string_view kAfter = R"(
[daemon]
log_level = "debug"
script_user = "daemon"
[[service]]
name = "web"
listen = ["tcp/192.0.2.10:80", "tcp/192.0.2.11:80"]
timeouts = { established = "5m" }
check = { type = "tcp", interval = "5s" }
server = [{ address = "10.0.0.13" },
          { address = "10.0.0.12", weight = 3, check = { fall = 1 } }]
[[service]]
name = "dns"
listen = ["udp/192.0.2.10:53"]
on_no_server = "drop"
server = [{ address = "10.0.0.41" }]
)";

TEST(Diff, ReadsAsAnOperatorWouldSayIt) {
  EXPECT_THAT(
      lines(diff(load(kBefore), load(kAfter))),
      ElementsAre("~ daemon: script_user: nobody -> daemon", "~ daemon: log_level: info -> debug",
                  R"(~ service "web": scheduler: rr -> wrr)",
                  R"(~ service "web": check interval: 2s -> 5s)",
                  R"(- service "web": server 10.0.0.11 weight 1, check port 80)",
                  R"(~ service "web": server 10.0.0.12: weight: 1 -> 3)",
                  R"(- service "mail" mode dr, scheduler wrr)",
                  R"(- service "mail": listen tcp/192.0.2.10:25)",
                  R"(- service "mail": server 10.0.0.31 weight 1)",
                  R"(+ service "web": timeout established 5m)",
                  R"(+ service "web": listen tcp/192.0.2.11:80)",
                  R"(+ service "web": server 10.0.0.13 weight 1, check port 80)",
                  R"(+ service "web": server 10.0.0.12: check fall 1)",
                  R"(+ service "dns" mode dr, scheduler wrr, on_no_server drop)",
                  R"(+ service "dns": listen udp/192.0.2.10:53)",
                  R"(+ service "dns": server 10.0.0.41 weight 1)"));
}

TEST(Facts, PrintTheWholeConfiguration) {
  const std::string text = to_string(load(kBefore));
  EXPECT_THAT(text, testing::HasSubstr("service \"web\": scheduler rr\n"));
  EXPECT_THAT(text, testing::HasSubstr("service \"web\": server 10.0.0.12: weight 1\n"));
}

TEST(HeldAddresses, AreThoseThatAreNamedAndThoseThatServicesListenOn) {
  const auto vips =
      held_addresses(load("[[vip]]\naddress = '192.0.2.9'\n[[vip]]\n"
                          "address = '192.0.2.10'\nping = false\n" +
                          std::string(kAfter)));
  EXPECT_THAT(
      vips, ElementsAre(HeldAddress{IpAddress::v4({192, 0, 2, 9}), AddressUse::kServices, true},
                        HeldAddress{IpAddress::v4({192, 0, 2, 10}), AddressUse::kServices, false},
                        HeldAddress{IpAddress::v4({192, 0, 2, 11}), AddressUse::kServices, true}));
}

}  // namespace
}  // namespace ballast::control
