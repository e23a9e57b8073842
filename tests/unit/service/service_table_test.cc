#include "dataplane/service/service_table.h"

#include <map>
#include <random>
#include <tuple>

#include <gtest/gtest.h>

namespace ballast {
namespace {

using Key = std::tuple<IpAddress, Big16, IpProtocol>;

// Few addresses, ports and protocols, so that entries that differ in one of them alone are
// frequent.
Listener random_listener(std::mt19937& random) {
  const auto last = static_cast<uint8_t>(random() % 8);
  const IpAddress vip =
      random() % 2 == 0
          ? IpAddress::v4({192, 0, 2, last})
          : IpAddress::v6({0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last});
  return {vip, Big16::from_host(static_cast<uint16_t>(80 + random() % 20)),
          random() % 2 == 0 ? IpProtocol::kTcp : IpProtocol::kUdp};
}

Key key_of(const Listener& listener) {
  return {listener.vip, listener.port, listener.protocol};
}

TEST(ServiceTable, OfNothingFindsNothing) {
  const ServiceTable table;
  EXPECT_EQ(table.find(Listener{}), nullptr);
  EXPECT_TRUE(table.all().empty());
}

TEST(ServiceTable, FindsWhatAMapFinds) {
  std::mt19937 random(1);
  for (int test = 0; test < 200; ++test) {
    std::map<Key, uint32_t> reference;
    std::vector<ServiceTable::Entry> entries;
    const size_t count = random() % 400;
    for (uint32_t i = 0; i < count; ++i) {
      const Listener listener = random_listener(random);
      if (reference.emplace(key_of(listener), i).second) {
        entries.push_back({listener, i});
      }
    }
    const ServiceTable table(entries);
    ASSERT_EQ(table.all().size(), entries.size());
    for (int i = 0; i < 500; ++i) {
      const Listener listener = random_listener(random);
      const ServiceTable::Entry* found = table.find(listener);
      const auto expected = reference.find(key_of(listener));
      ASSERT_EQ(found != nullptr, expected != reference.end());
      if (found != nullptr) {
        ASSERT_EQ(found->listener, listener);
        ASSERT_EQ(found->service, expected->second);
      }
    }
  }
}

TEST(ServiceTable, HoldsEveryPortOfAnAddress) {
  std::vector<ServiceTable::Entry> entries;
  for (uint32_t port = 1; port <= 65535; ++port) {
    const Big16 wire = Big16::from_host(static_cast<uint16_t>(port));
    entries.push_back({{IpAddress::v4({192, 0, 2, 1}), wire, IpProtocol::kTcp}, port});
  }
  const ServiceTable table(entries);
  for (const ServiceTable::Entry& entry : entries) {
    ASSERT_EQ(table.find(entry.listener)->service, entry.service);
  }
  EXPECT_EQ(table.find({IpAddress::v4({192, 0, 2, 1}), Big16{}, IpProtocol::kTcp}), nullptr);
}

TEST(ServiceTableDeathTest, RefusesTheSameListenerTwice) {
#ifndef NDEBUG
  const ServiceTable::Entry entry{
      {IpAddress::v4({192, 0, 2, 1}), Big16::from_host(80), IpProtocol::kTcp}, 1};
  EXPECT_DEATH(ServiceTable(std::vector<ServiceTable::Entry>{entry, entry}), "");
#endif
}

}  // namespace
}  // namespace ballast
