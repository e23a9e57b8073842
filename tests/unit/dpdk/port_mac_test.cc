#include "dataplane/dpdk/port_mac.h"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/unit/api/temporary_folder.h"

namespace ballast {
namespace {

class KeptMac : public ::testing::Test {
 protected:
  test::TemporaryFolder folder;
  std::string runtime_dir = folder.file("");
};

TEST_F(KeptMac, IsTheSameAfterARestartAndAnotherForAnotherPort) {
  const MacAddress wan = kept_mac(runtime_dir, "wan");
  EXPECT_EQ(kept_mac(runtime_dir, "wan"), wan);
  EXPECT_NE(kept_mac(runtime_dir, "lan"), wan);
}

TEST_F(KeptMac, IsLocallyAdministeredAndOfOneStation) {
  for (int i = 0; i < 100; ++i) {
    const MacAddress mac = kept_mac(runtime_dir, "port" + std::to_string(i));
    EXPECT_EQ(mac.bytes()[0] & 3, 2) << mac.to_string();
  }
}

TEST_F(KeptMac, IsMadeAnewWhenTheFileHoldsNone) {
  for (const char* text : {"", "nonsense", "00:00:00:00:00:00", "01:00:00:00:00:01", "02:00"}) {
    std::ofstream(runtime_dir + "/mac-wan") << text;
    const MacAddress mac = kept_mac(runtime_dir, "wan");
    EXPECT_FALSE(mac.is_zero() || mac.is_multicast()) << text;
    EXPECT_EQ(kept_mac(runtime_dir, "wan"), mac);
  }
}

TEST_F(KeptMac, IsGivenAlsoWhereItCannotBeKept) {
  EXPECT_FALSE(kept_mac(folder.file("no/such/folder"), "wan").is_zero());
}

}  // namespace
}  // namespace ballast
