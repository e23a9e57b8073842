#include "dataplane/dpdk/eal.h"

#include <gmock/gmock.h>

namespace ballast {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

DataplaneSettings without_hugepages() {
  DataplaneSettings settings;
  settings.hugepages = HugepageMode::kNo;
  settings.ports.resize(2);
  return settings;
}

// What follows `option`.
std::string value_of(const std::vector<std::string>& arguments, const std::string& option) {
  for (size_t i = 0; i + 1 < arguments.size(); ++i) {
    if (arguments[i] == option) {
      return arguments[i + 1];
    }
  }
  return {};
}

TEST(EalArguments, WithoutHugepagesAskForNone) {
  const auto arguments = eal_arguments(without_hugepages(), {"net_tap0,iface=lb0"}, {});
  EXPECT_THAT(arguments, Contains("--no-huge"));
  EXPECT_THAT(arguments, Contains("--no-pci"));
  EXPECT_THAT(arguments, Not(Contains("--in-memory")));  // EAL refuses the two together
  EXPECT_THAT(arguments, Contains("--vdev=net_tap0,iface=lb0"));
  EXPECT_GE(std::stoi(value_of(arguments, "-m")), 2 * 192);
}

TEST(EalArguments, HaveTheMemoryThatIsConfigured) {
  DataplaneSettings settings = without_hugepages();
  settings.memory_mb = 777;
  EXPECT_EQ(value_of(eal_arguments(settings, {}, {}), "-m"), "777");
  settings.hugepages = HugepageMode::kYes;
  const auto arguments = eal_arguments(settings, {}, {});
  EXPECT_EQ(value_of(arguments, "-m"), "777");
  EXPECT_THAT(arguments, Not(Contains("--no-huge")));
}

// The peer of virtio_user maps our memory, and takes eight files of it at most: each hugepage would
// be one.
TEST(EalArguments, KeepHugepagesTogetherForAPeerThatMapsThem) {
  const std::pair<std::string, bool> devices[] = {
      {"virtio_user:/run/v.sock", true},
      {"vhost:/run/v.sock", false},
      {"memif:/run/m.sock", false},
      {"0000:3b:00.0", false},
  };
  for (const auto& [device, together] : devices) {
    DataplaneSettings settings = without_hugepages();
    settings.ports[1].device = device;
    settings.hugepages = HugepageMode::kYes;
    const auto arguments = eal_arguments(settings, {}, {});
    EXPECT_EQ(std::count(arguments.begin(), arguments.end(), "--single-file-segments"), together)
        << device;
    // Ordinary memory is one file anyway.
    settings.hugepages = HugepageMode::kNo;
    EXPECT_THAT(eal_arguments(settings, {}, {}), Not(Contains("--single-file-segments")));
  }
}

TEST(EalArguments, AllowThePciDevicesOfThePortsAndNoOthers) {
  const auto arguments = eal_arguments(without_hugepages(), {}, {"0000:3b:00.0", "0000:3b:00.1"});
  EXPECT_THAT(arguments, Not(Contains("--no-pci")));
  EXPECT_THAT(arguments, Contains("0000:3b:00.0"));
  EXPECT_THAT(arguments, Contains("0000:3b:00.1"));
  EXPECT_EQ(std::count(arguments.begin(), arguments.end(), "-a"), 2);
}

TEST(EalArguments, GiveTheMainThreadLcore0AndEachWorkerOne) {
  DataplaneSettings settings = without_hugepages();
  settings.workers = 3;
  settings.cores = "2,4-5";
  const std::string map = value_of(eal_arguments(settings, {}, {}), "--lcores");
  EXPECT_THAT(map, StartsWith("0@("));
  EXPECT_THAT(map, HasSubstr(",1@2,2@4,3@5"));
  settings.cores.clear();
  EXPECT_THAT(value_of(eal_arguments(settings, {}, {}), "--lcores"), HasSubstr("),3@("));
  EXPECT_EQ(Eal::worker_lcores(3), (std::vector<unsigned>{1, 2, 3}));
}

TEST(EalArguments, HaveOnePrefixForOneRuntimeFolder) {
  DataplaneSettings settings = without_hugepages();
  const std::string first = value_of(eal_arguments(settings, {}, {}), "--file-prefix");
  EXPECT_NE(first, "");
  EXPECT_EQ(value_of(eal_arguments(settings, {}, {}), "--file-prefix"), first);
  settings.runtime_dir = "/run/other";
  EXPECT_NE(value_of(eal_arguments(settings, {}, {}), "--file-prefix"), first);
}

}  // namespace
}  // namespace ballast
