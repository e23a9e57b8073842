// The samples of conf/: one of each mode, and conf/ha: pairs of files for two nodes.
#include <fstream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/config/diff.h"
#include "control/config/load.h"

namespace ballast::control {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::SizeIs;

// Tests run in the root of the tree.
Configuration sample(const std::string& name) {
  auto loaded = load_configuration("conf/" + name + ".toml", Capabilities{});
  if (!loaded) {
    ADD_FAILURE() << testing::PrintToString(loaded.error());
    return {};
  }
  EXPECT_THAT(loaded->warnings, IsEmpty());
  return std::move(loaded->configuration);
}

std::vector<std::string> difference(const Configuration& from, const Configuration& to) {
  std::vector<std::string> lines;
  for (const Change& change : diff(from, to)) {
    lines.push_back(change.to_string());
  }
  return lines;
}

// The lines that are not about a node's own addresses.
std::vector<std::string> without_own_addresses(std::vector<std::string> lines) {
  std::erase_if(lines, [](const std::string& line) {
    return line.find("interface \"wan\"") != std::string::npos;
  });
  return lines;
}

TEST(HaSamples, OfAPairDifferInOwnAddressesAndPriorityOnly) {
  const auto lines = difference(sample("ha/lb1"), sample("ha/lb2"));
  EXPECT_THAT(without_own_addresses(lines), ElementsAre("~ vrrp \"front\": priority: 150 -> 100"));
  EXPECT_THAT(lines, IsSupersetOf({HasSubstr("10.0.0.1 prefix length 24"),
                                   HasSubstr("10.0.0.2 prefix length 24")}));
}

TEST(HaSamples, OfTwoActiveNodesHaveCrossedPriorities) {
  const Configuration first = sample("ha/active-active-lb1");
  EXPECT_THAT(without_own_addresses(difference(first, sample("ha/active-active-lb2"))),
              ElementsAre("~ vrrp \"first\": priority: 150 -> 100",
                          "~ vrrp \"second\": priority: 100 -> 150"));
  EXPECT_THAT(first.vrrp, AllOf(SizeIs(2), Each(testing::Field(&VrrpSettings::preempt, true))));
}

// What stands behind "#" with a value has it as its default.
TEST(HaSamples, SayTheDefaultsThatTheProgramHas) {
  const std::set<std::string> keys{"version",     "advert_interval",  "preempt",
                                   "start_delay", "preempt_delay",    "virtual_mac",
                                   "checksum",    "strict_addresses", "announce_refresh"};
  std::ifstream file("conf/ha/lb1.toml");
  std::string text;
  size_t found = 0;
  for (std::string line; std::getline(file, line);) {
    const bool is_default = line.starts_with("# ") &&
                            keys.contains(line.substr(2, line.find(' ', 2) - 2)) &&
                            line.find(" = ") != std::string::npos;
    found += is_default ? 1 : 0;
    text += (is_default ? line.substr(2) : line) + "\n";
  }
  EXPECT_EQ(found, keys.size());
  const auto loaded = parse_configuration(text, "lb1.toml", Capabilities{});
  ASSERT_TRUE(loaded) << testing::PrintToString(loaded.error());
  EXPECT_THAT(difference(sample("ha/lb1"), loaded->configuration), IsEmpty());
}

// Where nothing else is said the link-local address is that of the virtual MAC.
TEST(HaSamples, NameTheLinkLocalAddressOfTheirVirtualMac) {
  for (const std::string name : {"lb1", "active-active-lb1"}) {
    for (const VrrpSettings& instance : sample("ha/" + name).vrrp) {
      EXPECT_EQ(instance.addresses_of(Family::kIpv6).front(),
                link_local_of_virtual_mac(instance.virtual_router_id));
    }
  }
}

// An established connection goes on after a move if both nodes hash.
TEST(HaSamples, HashFlows) {
  for (const std::string name : {"lb1", "active-active-lb1"}) {
    EXPECT_THAT(sample("ha/" + name).services,
                Each(testing::Field(&ServiceSettings::scheduler, "mh")));
  }
}

struct ModeSample {
  std::string name;
  Mode mode;
};
const std::vector<ModeSample> kModeSamples{
    {"nat", Mode::kNat}, {"fullnat", Mode::kFullNat}, {"tun", Mode::kTunnel}};

TEST(ModeSamples, AreOfTheirModeInAllServicesAndHaveBothFamilies) {
  for (const auto& [name, mode] : kModeSamples) {
    const Configuration configuration = sample(name + "/ballast");
    EXPECT_THAT(configuration.services,
                AllOf(SizeIs(2), Each(testing::Field(&ServiceSettings::mode, mode))));
    EXPECT_THAT(configuration.services.at(0).listeners, SizeIs(2));
  }
  EXPECT_THAT(sample("nat/ballast").nat.gateways, SizeIs(2));
  EXPECT_THAT(sample("fullnat/ballast").services.at(0).local_addresses, SizeIs(13));
  EXPECT_THAT(sample("tun/ballast").services.at(0).tunnel.sources, SizeIs(2));
}

// The keys of the modes stand there, commented out or not, each with a value that is right.
TEST(ModeSamples, ExplainEveryKey) {
  const std::set<std::string> keys{
      "gateways",      "routed_networks", "local_addresses", "encapsulation",
      "tunnel_source", "gue_port",        "gue_checksum",    "mss",
      "one_packet"};
  std::set<std::string> found;
  for (const auto& [name, mode] : kModeSamples) {
    std::ifstream file("conf/" + name + "/ballast.toml");
    std::string text;
    for (std::string line; std::getline(file, line);) {
      const std::string bare = line.starts_with("# ") ? line.substr(2) : line;
      const std::string key = bare.substr(0, bare.find(' '));
      const size_t behind = bare.find_first_not_of(' ', key.size());
      const bool is_setting =
          keys.contains(key) && behind != std::string::npos && bare[behind] == '=';
      if (is_setting) {
        found.insert(key);
      }
      // What is commented out beside it is for "gue".
      const bool is_default = key == "encapsulation" && bare != line;
      text += (is_default ? "encapsulation = \"gue\"" : is_setting ? bare : line) + "\n";
    }
    const auto loaded = parse_configuration(text, name, Capabilities{});
    EXPECT_TRUE(loaded) << testing::PrintToString(loaded.error());
  }
  EXPECT_EQ(found, keys);
}

}  // namespace
}  // namespace ballast::control
