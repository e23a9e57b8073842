#include "dataplane/service/reply_sources.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

namespace ballast {
namespace {

TEST(ReplySources, OfNothingFindsNothing) {
  const ReplySources sources;
  EXPECT_TRUE(sources.find(IpAddress{}).empty());
  EXPECT_TRUE(sources.find(IpAddress::v4({10, 0, 0, 1})).empty());
}

TEST(ReplySources, FindsAllServersOfAnAddressAndNoOthers) {
  std::mt19937 random(1);
  for (int test = 0; test < 200; ++test) {
    std::map<IpAddress, std::set<ServerIndex>> reference;
    std::vector<std::pair<IpAddress, ServerIndex>> content;
    for (uint32_t number = 1; number <= random() % 300; ++number) {
      const auto address = IpAddress::v4({10, 0, 0, static_cast<uint8_t>(random() % 100)});
      reference[address].insert(ServerIndex{number});
      content.emplace_back(address, ServerIndex{number});
    }
    std::shuffle(content.begin(), content.end(), random);
    const ReplySources sources(content);
    for (uint8_t last = 0; last < 120; ++last) {
      const auto address = IpAddress::v4({10, 0, 0, last});
      const auto found = sources.find(address);
      ASSERT_EQ(std::set<ServerIndex>(found.begin(), found.end()), reference[address]);
      ASSERT_EQ(found.size(), reference[address].size());
    }
  }
}

}  // namespace
}  // namespace ballast
