#include "dataplane/service/client_hops.h"

#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace ballast {
namespace {

IpAddress some_address(std::mt19937& random) {
  const auto last = static_cast<uint8_t>(random());
  return random() % 2 == 0
             ? IpAddress::v4({10, 0, 0, last})
             : IpAddress::v6({0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last});
}

TEST(ClientHops, OfNothingFindsNothing) {
  const ClientHops hops;
  EXPECT_EQ(hops.find(PortIndex{0}, IpAddress{}), kNoNeighbor);
  EXPECT_EQ(hops.find(PortIndex{0}, IpAddress::v4({10, 0, 0, 1})), kNoNeighbor);
}

TEST(ClientHops, FindsWhatAMapFinds) {
  std::mt19937 random(1);
  for (int test = 0; test < 200; ++test) {
    std::map<std::pair<PortIndex, IpAddress>, NeighborIndex> reference;
    for (size_t count = random() % 300; count > 0; --count) {
      reference.try_emplace({static_cast<PortIndex>(random() % 3), some_address(random)},
                            NeighborIndex{1 + static_cast<uint32_t>(random() % 1000)});
    }
    std::vector<ClientHops::Hop> content;
    for (const auto& [key, neighbor] : reference) {
      content.push_back({key.first, key.second, neighbor});
    }
    const ClientHops hops(content);
    for (int asked = 0; asked < 500; ++asked) {
      const std::pair key(static_cast<PortIndex>(random() % 4), some_address(random));
      const auto expected = reference.find(key);
      ASSERT_EQ(hops.find(key.first, key.second),
                expected == reference.end() ? kNoNeighbor : expected->second);
    }
  }
}

}  // namespace
}  // namespace ballast
