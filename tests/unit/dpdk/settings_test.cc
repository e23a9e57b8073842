#include "dataplane/dpdk/settings.h"

#include <fstream>

#include <gmock/gmock.h>

#include "tests/unit/api/temporary_folder.h"

namespace ballast {
namespace {

using ::testing::HasSubstr;

class Settings : public ::testing::Test {
 protected:
  tl::expected<DataplaneSettings, std::string> read(const std::string& text) {
    const std::string path = folder.file("dataplane.toml");
    std::ofstream(path) << text;
    return read_settings(path);
  }
  static DataplaneSettings good() {
    DataplaneSettings settings;
    settings.ports = {{.name = "wan", .device = "af_packet:eth1", .mac = std::nullopt}};
    return settings;
  }
  static std::string why(const DataplaneSettings& settings) {
    const auto valid = validate(settings);
    return valid ? "" : valid.error();
  }
  test::TemporaryFolder folder;
};

TEST_F(Settings, OfTheSampleFileAreAcceptedAndAreTheDefaults) {
  const auto settings = read_settings("conf/dataplane.toml");
  ASSERT_TRUE(settings) << settings.error();
  EXPECT_EQ(why(*settings), "");
  ASSERT_EQ(settings->ports.size(), 1U);
  EXPECT_EQ(settings->ports[0].name, "wan");
  EXPECT_EQ(settings->ports[0].device, "af_xdp:eth1");
  const DataplaneSettings defaults;
  EXPECT_EQ(settings->workers, defaults.workers);
  EXPECT_EQ(settings->runtime_dir, defaults.runtime_dir);
}

// "Keys that stand behind # have that value as their default": so they can be uncommented.
TEST_F(Settings, OfTheSampleFileWithEveryKeyUncommentedAreTheDefaultsToo) {
  std::ifstream file("conf/dataplane.toml");
  std::string text;
  for (std::string line; std::getline(file, line);) {
    // Keys are indented by a single "# "; prose begins with a capital letter or is no assignment.
    const size_t equals = line.find(" = ");
    const bool is_key =
        line.rfind("# ", 0) == 0 && equals != std::string::npos &&
        line.substr(2, equals - 2).find_first_not_of("abcdefghijklmnopqrstuvwxyz_ ") ==
            std::string::npos;
    text += (is_key ? line.substr(2) : line) + "\n";
  }
  const auto settings = read(text);
  ASSERT_TRUE(settings) << settings.error();
  EXPECT_EQ(why(*settings), "");
  const DataplaneSettings defaults;
  EXPECT_EQ(settings->workers, defaults.workers);
  EXPECT_EQ(settings->cores, defaults.cores);
  EXPECT_EQ(settings->idle, defaults.idle);
  EXPECT_EQ(settings->hugepages, defaults.hugepages);
  EXPECT_EQ(settings->runtime_dir, defaults.runtime_dir);
  EXPECT_EQ(settings->log_level, defaults.log_level);
  EXPECT_EQ(settings->connections.trusted, defaults.connections.trusted);
  EXPECT_EQ(settings->connections.untrusted, defaults.connections.untrusted);
  EXPECT_TRUE(settings->connections.translations);
  EXPECT_TRUE(defaults.connections.translations);
  EXPECT_EQ(settings->punt.vrrp, defaults.punt.vrrp);
  EXPECT_EQ(settings->punt.neighbor, defaults.punt.neighbor);
  EXPECT_EQ(settings->punt.routing, defaults.punt.routing);
  EXPECT_EQ(settings->punt.other, defaults.punt.other);
  EXPECT_EQ(settings->answers_per_second, defaults.answers_per_second);
  EXPECT_EQ(settings->announce_refresh, defaults.announce_refresh);
  EXPECT_EQ(settings->max_servers, defaults.max_servers);
  EXPECT_EQ(settings->max_neighbors, defaults.max_neighbors);
  EXPECT_EQ(settings->ports[0].mtu, PortSettings{}.mtu);
}

TEST_F(Settings, AreReadFromEveryKey) {
  const auto settings = read(R"([dataplane]
workers = 4
cores = "1-4"
idle = "poll"
hugepages = false
memory_mb = 1024
runtime_dir = "/run/other"
log_level = "debug"
answers_per_second = 0
announce_refresh = "30s"
max_servers = 10
max_neighbors = 20
[connections]
trusted = 100
untrusted = 50
nat = false
[punt]
vrrp = 1
neighbor = 2
routing = 3
other = 0
[[port]]
name = "wan"
device = "af_xdp:eth1"
mac = "02:00:00:00:00:01"
queues = 2
mtu = 9000
vlan = 100
[[port]]
name = "lan"
device = "0000:3b:00.0"
)");
  ASSERT_TRUE(settings) << settings.error();
  EXPECT_EQ(why(*settings), "");
  EXPECT_EQ(settings->workers, 4);
  EXPECT_EQ(settings->cores, "1-4");
  EXPECT_EQ(settings->idle, IdleMode::kPoll);
  EXPECT_EQ(settings->hugepages, HugepageMode::kNo);
  EXPECT_EQ(settings->memory_mb, 1024U);
  EXPECT_EQ(settings->socket_path(), "/run/other/dataplane.sock");
  EXPECT_EQ(settings->lease_page_path(), "/run/other/leases");
  EXPECT_EQ(settings->log_level, "debug");
  EXPECT_EQ(settings->answers_per_second, 0U);
  EXPECT_EQ(settings->announce_refresh, std::chrono::seconds(30));
  EXPECT_EQ(settings->max_servers, 10U);
  EXPECT_EQ(settings->max_neighbors, 20U);
  EXPECT_EQ(settings->connections.trusted, 100U);
  EXPECT_EQ(settings->connections.untrusted, 50U);
  EXPECT_EQ(settings->punt.vrrp, 1U);
  EXPECT_EQ(settings->punt.other, 0U);
  ASSERT_EQ(settings->ports.size(), 2U);
  EXPECT_EQ(settings->ports[0].mac, MacAddress::parse("02:00:00:00:00:01"));
  EXPECT_EQ(settings->ports[0].queues, 2);
  EXPECT_EQ(settings->ports[0].mtu, 9000);
  EXPECT_EQ(settings->ports[0].vlan, 100);
  EXPECT_FALSE(settings->connections.translations);
}

TEST_F(Settings, SayWhereAndWhatIsWrongWithTheFile) {
  const std::string port = "[[port]]\nname = \"wan\"\ndevice = \"tap:lb0\"\n";
  const std::pair<std::string, std::string> kMistakes[] = {
      {"[dataplane]\nworkers = 0\n", "dataplane.toml:2:"},
      {"[dataplane]\nworkers = 65\n", "workers"},
      {port + "vlan = 0\n", "vlan"},
      {port + "vlan = 4095\n", "vlan"},
      {"[connections]\nnat = 1\n", "nat"},
      {"[dataplane]\nworker = 1\n", "workers"},  // did you mean
      {"[dataplane]\nidle = \"nap\"\n", "idle"},
      {"[dataplane]\nhugepages = \"some\"\n", "hugepages"},
      {"[dataplane]\nhugepages = 3\n", "hugepages"},
      {"[dataplane]\ncores = 1\n", "cores"},
      {"[dataplane]\nmemory_mb = 63\n", "memory_mb"},
      {"[connections]\nuntrusted = 0\n", "untrusted"},
      {"[punt]\nvrrp = -1\n", "vrrp"},
      {"[punts]\n", "punt"},
      {"[[port]]\ndevice = \"tap:lb0\"\n", "name"},
      {"[[port]]\nname = \"wan\"\n", "device"},
      {port + "mac = \"01:00:00:00:00:01\"\n", "unicast MAC"},
      {port + "mac = \"00:00:00:00:00:00\"\n", "unicast MAC"},
      {port + "mtu = 1279\n", "mtu"},
      {port + "mtu = 9001\n", "mtu"},
      {"[dataplane\n", "dataplane.toml:1:"},
  };
  for (const auto& [text, expected] : kMistakes) {
    const auto settings = read(text);
    ASSERT_FALSE(settings) << text;
    EXPECT_THAT(settings.error(), HasSubstr(expected)) << text;
    EXPECT_THAT(settings.error(), HasSubstr("dataplane.toml:")) << text;
  }
}

TEST_F(Settings, SayAllThatIsWrongAtOnce) {
  const auto settings = read("[dataplane]\nworkers = 0\nidle = \"nap\"\n[punt]\nvrrp = -1\n");
  ASSERT_FALSE(settings);
  for (const char* line : {":2:", ":3:", ":5:"}) {
    EXPECT_THAT(settings.error(), HasSubstr(line));
  }
}

TEST_F(Settings, OfAFileThatIsNotThereAreAnError) {
  const auto settings = read_settings(folder.file("nothing.toml"));
  ASSERT_FALSE(settings);
  EXPECT_THAT(settings.error(), HasSubstr("nothing.toml"));
}

TEST_F(Settings, AreRefusedWhenTheyDoNotFitTogether) {
  EXPECT_EQ(why(good()), "");
  DataplaneSettings settings = good();
  settings.ports.clear();
  EXPECT_THAT(why(settings), HasSubstr("[[port]]"));

  for (const char* name : {"", "sixteen_letters_", "a b", "a/b", "..", "wän"}) {
    settings = good();
    settings.ports[0].name = name;
    EXPECT_THAT(why(settings), HasSubstr("interface")) << name;
  }
  settings = good();
  settings.ports[0].name = "eth1";
  EXPECT_THAT(why(settings), HasSubstr("must differ"));

  settings = good();
  settings.ports.push_back(settings.ports[0]);
  EXPECT_THAT(why(settings), HasSubstr("two ports of this name"));
  settings.ports[1].name = "lan";
  EXPECT_THAT(why(settings), HasSubstr("belongs to another port"));
  settings.ports[1].device = "af_xdp:eth1";  // the same interface in another way
  EXPECT_THAT(why(settings), HasSubstr("belongs to another port"));

  // The twin of one port is an interface too.
  settings.ports[1].device = "af_packet:wan";
  EXPECT_THAT(why(settings), HasSubstr("twin"));

  settings = good();
  settings.workers = 3;
  settings.cores = "1-2";
  EXPECT_THAT(why(settings), HasSubstr("2 cores for 3 workers"));
  settings.cores = "one";
  EXPECT_THAT(why(settings), HasSubstr("expected a list"));
  settings = good();
  settings.workers = 8;
  settings.connections.untrusted = 7;
  EXPECT_THAT(why(settings), HasSubstr("untrusted"));
}

TEST_F(Settings, LetPortsOfDifferentVlansShareADevice) {
  DataplaneSettings settings = good();
  settings.workers = 2;
  settings.ports.push_back(settings.ports[0]);
  settings.ports[1].name = "lan";
  settings.ports[1].vlan = 100;
  settings.ports.push_back(settings.ports[1]);
  settings.ports[2].name = "dmz";
  settings.ports[2].vlan = 200;
  EXPECT_EQ(why(settings), "");
  settings.ports[2].vlan = 100;
  EXPECT_THAT(why(settings), HasSubstr("port \"dmz\": device af_packet:eth1 belongs to another "
                                       "port, \"lan\": ports that share a device need different"));
  settings.ports[2].vlan = 200;
  settings.ports[2].queues = 2;
  EXPECT_THAT(why(settings), HasSubstr("port \"dmz\": queues: 2"));
  settings.ports[2].queues = 0;
  settings.ports[2].device = "af_xdp:eth1";  // the same interface in another way
  EXPECT_THAT(why(settings), HasSubstr("belongs to another port"));
}

TEST(CoreList, IsNumbersAndRanges) {
  using Cores = std::vector<unsigned>;
  EXPECT_EQ(parse_core_list(""), Cores{});
  EXPECT_EQ(parse_core_list("0"), Cores{0});
  EXPECT_EQ(parse_core_list("1-3,5"), (Cores{1, 2, 3, 5}));
  EXPECT_EQ(parse_core_list("7,2-2"), (Cores{7, 2}));
  for (const char* text : {",", "1,", ",1", "1,,2", "1-", "-1", "3-1", "1-2-3", "a", "1 ", " 1",
                           "1,1", "1-3,2", "65536", "0-4294967295", "99999999999"}) {
    EXPECT_EQ(parse_core_list(text), std::nullopt) << text;
  }
}

TEST_F(Settings, RefuseMoreQueuesThanWorkersToReadThem) {
  DataplaneSettings settings;
  settings.ports.push_back({.name = "wan", .device = "af_packet:eth1", .mac = {}, .queues = 2});
  EXPECT_THAT(why(settings), HasSubstr("queues: 2: more than there are workers"));
  settings.workers = 2;
  EXPECT_EQ(why(settings), "");
}

}  // namespace
}  // namespace ballast
