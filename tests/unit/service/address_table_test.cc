#include "dataplane/service/address_table.h"

#include <algorithm>
#include <map>
#include <memory>
#include <random>

#include <gtest/gtest.h>

namespace ballast {
namespace {

IpAddress random_address(std::mt19937& random, bool dense) {
  if (random() % 2 == 0) {
    return IpAddress::v4(
        {192, 0, static_cast<uint8_t>(dense ? 2 : random()), static_cast<uint8_t>(random())});
  }
  IpAddress::V6Bytes bytes{0x20, 0x01, 0x0d, 0xb8};
  for (size_t i = dense ? 15 : 8; i < 16; ++i) {
    bytes[i] = static_cast<uint8_t>(random());
  }
  return IpAddress::v6(bytes);
}

LocalAddress vip(const IpAddress& address) {
  LocalAddress local;
  local.address = address;
  return local;
}

TEST(AddressTable, OfNothingFindsNothing) {
  const AddressTable table;
  EXPECT_EQ(table.find(IpAddress{}), nullptr);
  EXPECT_EQ(table.find(IpAddress::v4({192, 0, 2, 1})), nullptr);
  EXPECT_TRUE(table.all().empty());
  EXPECT_FALSE(table.is_solicited_node_of_vip(*IpAddress::parse("ff02::1:ff00:0")));
}

TEST(AddressTable, FindsWhatAMapFinds) {
  std::mt19937 random(1);
  for (int test = 0; test < 200; ++test) {
    const bool dense = test % 2 == 0;
    std::map<IpAddress, LocalAddress> reference;
    const size_t count = random() % 300;
    for (size_t i = 0; i < count; ++i) {
      LocalAddress local = vip(random_address(random, dense));
      local.lease = static_cast<LeaseSlot>(random() % 64);
      reference.emplace(local.address, local);
    }
    std::vector<LocalAddress> content;
    for (const auto& [address, local] : reference) {
      content.push_back(local);
    }
    std::shuffle(content.begin(), content.end(), random);
    const AddressTable table(content);
    ASSERT_EQ(table.all().size(), reference.size());
    for (const auto& [address, local] : reference) {
      const LocalAddress* found = table.find(address);
      ASSERT_NE(found, nullptr) << address.to_string();
      ASSERT_EQ(found->address, address);
      ASSERT_EQ(found->lease, local.lease);
    }
    for (int i = 0; i < 300; ++i) {
      const IpAddress address = random_address(random, dense);
      ASSERT_EQ(table.find(address) != nullptr, reference.contains(address)) << address.to_string();
    }
  }
}

TEST(AddressTable, SurvivesBeingCopied) {
  auto original = std::make_unique<AddressTable>(std::vector<LocalAddress>{
      vip(IpAddress::v4({192, 0, 2, 1})), vip(*IpAddress::parse("2001:db8::1"))});
  const AddressTable copy = *original;
  original.reset();
  ASSERT_NE(copy.find(IpAddress::v4({192, 0, 2, 1})), nullptr);
  EXPECT_TRUE(copy.is_solicited_node_of_vip(*IpAddress::parse("ff02::1:ff00:1")));
}

TEST(AddressTable, KnowsTheSolicitedNodeGroupsOfItsVipsOnly) {
  LocalAddress node = vip(*IpAddress::parse("2001:db8::aa:bbcc"));
  node.role = AddressRole::kNode;
  const AddressTable table(std::vector<LocalAddress>{
      vip(*IpAddress::parse("2001:db8::12:3456")), vip(*IpAddress::parse("2001:db8:1::12:3456")),
      vip(*IpAddress::parse("fe80::ff:ffff")), vip(IpAddress::v4({10, 1, 2, 3})), node});
  EXPECT_TRUE(table.is_solicited_node_of_vip(*IpAddress::parse("ff02::1:ff12:3456")));
  EXPECT_TRUE(table.is_solicited_node_of_vip(*IpAddress::parse("ff02::1:ffff:ffff")));
  EXPECT_FALSE(table.is_solicited_node_of_vip(*IpAddress::parse("ff02::1:ff12:3457")));
  EXPECT_FALSE(table.is_solicited_node_of_vip(*IpAddress::parse("ff02::2:ff12:3456")));
  EXPECT_FALSE(table.is_solicited_node_of_vip(*IpAddress::parse("ff05::1:ff12:3456")));
  EXPECT_FALSE(table.is_solicited_node_of_vip(*IpAddress::parse("ff02::1:ffaa:bbcc")))
      << "the kernel's own";
  EXPECT_FALSE(table.is_solicited_node_of_vip(*IpAddress::parse("ff02::1:ff01:0203")))
      << "an IPv4 VIP";
}

TEST(AddressTableDeathTest, RefusesTheSameAddressTwice) {
#ifndef NDEBUG
  const LocalAddress local = vip(IpAddress::v4({192, 0, 2, 1}));
  EXPECT_DEATH(AddressTable(std::vector<LocalAddress>{local, local}), "");
#endif
}

}  // namespace
}  // namespace ballast
