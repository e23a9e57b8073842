#include "control/config/address_block.h"

#include <algorithm>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ballast::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> expand(std::string_view text, size_t most = 4096) {
  const auto block = parse_address_block(text);
  EXPECT_TRUE(block) << text << ": " << (block ? "" : block.error());
  std::vector<std::string> result;
  if (block) {
    for (const IpAddress& address : addresses_in(*block, most).value_or(std::vector<IpAddress>{})) {
      result.push_back(address.to_string());
    }
  }
  return result;
}

std::string error_of(std::string_view text) {
  const auto block = parse_address_block(text);
  return block ? "" : block.error();
}

TEST(AddressBlock, IsAnAddressARangeOrAPrefixWithAllItsAddresses) {
  EXPECT_THAT(expand("10.0.0.200"), ElementsAre("10.0.0.200"));
  EXPECT_THAT(expand("10.0.0.200/32"), ElementsAre("10.0.0.200"));
  EXPECT_THAT(expand("10.0.0.200/30"),
              ElementsAre("10.0.0.200", "10.0.0.201", "10.0.0.202", "10.0.0.203"));
  EXPECT_THAT(expand("10.0.0.255-10.0.1.1"), ElementsAre("10.0.0.255", "10.0.1.0", "10.0.1.1"));
  EXPECT_THAT(expand("10.0.0.7-10.0.0.7"), ElementsAre("10.0.0.7"));
  EXPECT_THAT(expand("2001:db8::/127"), ElementsAre("2001:db8::", "2001:db8::1"));
  EXPECT_THAT(expand("2001:db8::ffff:ffff:ffff:ffff-2001:db8:0:1::"),
              ElementsAre("2001:db8::ffff:ffff:ffff:ffff", "2001:db8:0:1::"));
  EXPECT_THAT(expand("255.255.255.254/31"), ElementsAre("255.255.255.254", "255.255.255.255"));
  EXPECT_EQ(expand("10.0.0.0/20").size(), 4096U);
}

TEST(AddressBlock, HasNoAddressesBeyondTheBound) {
  for (const char* text : {"10.0.0.0/19", "0.0.0.0/0", "::/0", "2001:db8::/64",
                           "2001:db8::-2001:db8:1::", "10.0.0.0-10.0.16.0"}) {
    EXPECT_THAT(expand(text), IsEmpty()) << text;
  }
  EXPECT_THAT(expand("10.0.0.1", 0), IsEmpty());
}

TEST(AddressBlock, SaysWhatWouldBeRight) {
  EXPECT_EQ(error_of("10.0.0.201/29"),
            "\"10.0.0.201/29\" has bits beyond its prefix length: write \"10.0.0.201\" for this "
            "address alone, or \"10.0.0.200/29\" for all of its block");
  EXPECT_EQ(error_of("10.0.0.9-10.0.0.1"),
            "\"10.0.0.9-10.0.0.1\": the range ends before it begins: did you mean "
            "\"10.0.0.1-10.0.0.9\"?");
  EXPECT_THAT(error_of("10.0.0.9-2001:db8::1"), HasSubstr("of the same family"));
  EXPECT_THAT(error_of("10.0.0.9-12"), HasSubstr("is not a range of addresses"));
  EXPECT_THAT(error_of("-"), HasSubstr("is not a range of addresses"));
  EXPECT_THAT(error_of("10.0.0.0/33"), HasSubstr("out of range (0-32)"));
  EXPECT_THAT(error_of("10.0.0.0/"), HasSubstr("with a prefix length"));
  EXPECT_THAT(error_of(""), HasSubstr("is not an IP address"));
  EXPECT_THAT(error_of("10.0.0.256"), HasSubstr("is not an IP address"));
}

TEST(AddressRanges, AreTheFewestThatHoldTheAddresses) {
  const auto ranges = [](const std::vector<const char*>& texts) {
    std::vector<IpAddress> addresses;
    for (const char* text : texts) {
      addresses.push_back(*IpAddress::parse(text));
    }
    return ranges_of(addresses);
  };
  EXPECT_THAT(ranges({}), IsEmpty());
  EXPECT_THAT(ranges({"10.0.0.3", "10.0.0.1", "10.0.0.2", "10.0.0.2", "10.0.0.9"}),
              ElementsAre("10.0.0.1-10.0.0.3", "10.0.0.9"));
  EXPECT_THAT(ranges({"2001:db8::1", "10.0.0.255", "10.0.1.0"}),
              ElementsAre("10.0.0.255-10.0.1.0", "2001:db8::1"));
  // The last of one family has none behind it.
  EXPECT_THAT(ranges({"255.255.255.255", "0.0.0.0", "::"}),
              ElementsAre("::", "0.0.0.0", "255.255.255.255"));
}

TEST(AddressRanges, AreReadBackAsTheSameAddresses) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::vector<IpAddress> addresses;
    for (size_t i = random() % 40; i > 0; --i) {
      const auto low = static_cast<uint8_t>(random() % 24);
      addresses.push_back(
          random() % 2 == 0 ? IpAddress::v4({10, 0, static_cast<uint8_t>(random() % 2), low})
                            : IpAddress::v6({0x20, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, low}));
    }
    std::vector<IpAddress> again;
    for (const std::string& range : ranges_of(addresses)) {
      const auto block = parse_address_block(range);
      ASSERT_TRUE(block) << range;
      const auto part = addresses_in(*block, 4096);
      ASSERT_TRUE(part);
      again.insert(again.end(), part->begin(), part->end());
    }
    std::ranges::sort(addresses);
    const auto repeated = std::ranges::unique(addresses);
    addresses.erase(repeated.begin(), repeated.end());
    EXPECT_EQ(again, addresses);
  }
}

TEST(AddressBlock, SurvivesWhateverIsWritten) {
  std::mt19937 random(8);
  const std::string letters = "0123456789abcdef.:-/ ";
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (size_t i = random() % 30; i > 0; --i) {
      text += letters[random() % letters.size()];
    }
    if (const auto block = parse_address_block(text)) {
      EXPECT_LE(block->first, block->last);
      EXPECT_EQ(block->first.family(), block->last.family());
      (void)addresses_in(*block, 100);
    } else {
      EXPECT_FALSE(block.error().empty());
    }
  }
}

}  // namespace
}  // namespace ballast::control
