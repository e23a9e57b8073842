#include "dataplane/packet/address.h"

#include <random>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "dataplane/packet/byte_order.h"
#include "dataplane/packet/drop_reason.h"
#include "dataplane/packet/numbers.h"
#include "tests/unit/packet_builder.h"

namespace ballast {
namespace {

using testing::ip_address;

TEST(ByteOrder, GoesInAndOutAndLiesInNetworkOrder) {
  const Big16 port = Big16::from_host(0x1234);
  EXPECT_EQ(port.to_host(), 0x1234);
  EXPECT_EQ(reinterpret_cast<const uint8_t*>(&port)[0], 0x12);
  const Big32 word = Big32::from_host(0x12345678);
  EXPECT_EQ(word.to_host(), 0x12345678U);
  EXPECT_EQ(reinterpret_cast<const uint8_t*>(&word)[3], 0x78);
  EXPECT_LT(Big16::from_host(0x00ff), Big16::from_host(0x0100));
}

TEST(IpAddress, PrintsWhatItParses) {
  for (const std::string text : {"0.0.0.0", "192.0.2.10", "255.255.255.255", "::", "::1",
                                 "2001:db8::10", "fe80::1", "2001:db8:1:2:3:4:5:6"}) {
    const auto address = IpAddress::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->to_string(), text);
  }
  EXPECT_EQ(ip_address("2001:DB8:0:0::10").to_string(), "2001:db8::10");
}

TEST(IpAddress, RefusesWhatIsNoAddress) {
  using namespace std::string_view_literals;
  for (const std::string_view text :
       {""sv, "192.0.2"sv, "192.0.2.256"sv, "192.0.2.10 "sv, " 192.0.2.10"sv, "192.0.2.010"sv,
        "192.0.2.10/32"sv, "192.0.2.10\0"sv, "2001:db8::10%eth0"sv, "2001:db8:::1"sv,
        "[2001:db8::1]"sv, "::ffff:192.0.2.10"sv, "::ffff:c000:20a"sv, "localhost"sv,
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc"sv}) {
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  }
}

TEST(IpAddress, KnowsItsFamilyAndItsKind) {
  EXPECT_TRUE(ip_address("192.0.2.10").is_v4());
  EXPECT_EQ(ip_address("2001:db8::1").family(), Family::kIpv6);
  EXPECT_TRUE(IpAddress{}.is_v6());
  for (const auto* text : {"0.0.0.0", "::"}) {
    EXPECT_TRUE(ip_address(text).is_unspecified()) << text;
  }
  for (const auto* text : {"224.0.0.1", "239.255.255.255", "ff02::1"}) {
    EXPECT_TRUE(ip_address(text).is_multicast()) << text;
  }
  for (const auto* text : {"127.0.0.1", "127.255.0.9", "::1"}) {
    EXPECT_TRUE(ip_address(text).is_loopback()) << text;
  }
  for (const auto* text : {"169.254.1.1", "fe80::1", "febf::1"}) {
    EXPECT_TRUE(ip_address(text).is_link_local()) << text;
  }
  for (const auto* text : {"192.0.2.1", "223.255.255.255", "240.0.0.1", "126.0.0.1", "128.0.0.1",
                           "169.253.0.1", "2001:db8::1", "fec0::1", "::2", "0.0.0.1"}) {
    const IpAddress address = ip_address(text);
    EXPECT_FALSE(address.is_unspecified() || address.is_multicast() || address.is_loopback() ||
                 address.is_link_local() || address.is_broadcast())
        << text;
  }
  EXPECT_TRUE(ip_address("255.255.255.255").is_broadcast());
}

TEST(IpAddress, GivesTheSolicitedNodeGroupItsLast24Bits) {
  const auto group = [](std::string_view address) {
    return solicited_node_group(*IpAddress::parse(address)).to_string();
  };
  EXPECT_EQ(group("2001:db8::1:a0b1:c2d3"), "ff02::1:ffb1:c2d3");
  EXPECT_EQ(group("2001:db8::12:3456"), "ff02::1:ff12:3456");
  EXPECT_EQ(group("fe80::"), "ff02::1:ff00:0");
  EXPECT_EQ(group("fe80::ffff:ffff"), "ff02::1:ffff:ffff");
}

TEST(Prefix, PrintsWhatItParsesAndRefusesHostBits) {
  for (const std::string text :
       {"0.0.0.0/0", "192.0.2.0/24", "192.0.2.128/25", "192.0.2.10/32", "::/0", "2001:db8::/32",
        "2001:db8::10/128", "2001:db8:0:8000::/49"}) {
    const auto prefix = Prefix::parse(text);
    ASSERT_TRUE(prefix) << text;
    EXPECT_EQ(prefix->to_string(), text);
  }
  EXPECT_EQ(Prefix::parse("192.0.2.10")->to_string(), "192.0.2.10/32");
  EXPECT_EQ(Prefix::parse("2001:db8::10")->to_string(), "2001:db8::10/128");
  for (const std::string_view text :
       {"192.0.2.1/24", "192.0.2.0/33", "2001:db8::/129", "2001:db8::1/64", "192.0.2.0/",
        "192.0.2.0/+24", "192.0.2.0/ 24", "192.0.2.0/24 ", "192.0.2.0/24/24", "192.0.2.0/-1",
        "192.0.2.0/256", "/24", "::ffff:0.0.0.0/96"}) {
    EXPECT_FALSE(Prefix::parse(text)) << text;
  }
}

TEST(Prefix, HoldsExactlyTheAddressesThatShareItsBits) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 20000; ++round) {
    IpAddress::V6Bytes bytes{};
    for (uint8_t& byte : bytes) {
      byte = static_cast<uint8_t>(random());
    }
    const bool four = round % 2 == 0;
    const IpAddress address =
        four ? IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]}) : IpAddress::v6(bytes);
    const unsigned bits = four ? 32 : 128;
    const auto length = static_cast<uint8_t>(random() % (bits + 1));
    const Prefix prefix = Prefix::containing(address, length);
    ASSERT_TRUE(prefix.contains(address));
    ASSERT_EQ(Prefix::parse(prefix.to_string()), prefix);

    const auto flipped = static_cast<unsigned>(random() % bits);
    IpAddress::V6Bytes other = address.bytes();
    other[(128 - bits + flipped) / 8] ^= static_cast<uint8_t>(0x80U >> flipped % 8);
    ASSERT_EQ(prefix.contains(IpAddress::v6(other)), flipped >= length);
  }
}

TEST(Prefix, OfOneFamilyHoldsNoAddressOfTheOther) {
  EXPECT_FALSE(Prefix::parse("::/0")->contains(ip_address("192.0.2.1")));
  EXPECT_FALSE(Prefix::parse("0.0.0.0/0")->contains(ip_address("2001:db8::1")));
  EXPECT_FALSE(Prefix::parse("0.0.0.0/0")->contains(IpAddress{}));
}

TEST(MacAddress, PrintsWhatItParses) {
  EXPECT_EQ(MacAddress::parse("02:00:5E:00:01:fF")->to_string(), "02:00:5e:00:01:ff");
  for (const std::string_view text :
       {"", "02:00:00:00:00", "02:00:00:00:00:0", "02-00-00-00-00-01", "02:00:00:00:00:0g",
        "02:00:00:00:00:01:", "0x:00:00:00:00:1"}) {
    EXPECT_FALSE(MacAddress::parse(text)) << text;
  }
}

TEST(MacAddress, KnowsItsKind) {
  EXPECT_TRUE(MacAddress::parse("ff:ff:ff:ff:ff:ff")->is_broadcast());
  EXPECT_TRUE(MacAddress::parse("01:00:5e:00:00:12")->is_multicast());
  EXPECT_TRUE(MacAddress::parse("00:00:5e:00:01:33")->is_vrrp_virtual());
  EXPECT_TRUE(MacAddress::parse("00:00:5e:00:02:33")->is_vrrp_virtual());
  EXPECT_FALSE(MacAddress::parse("00:00:5e:00:03:33")->is_vrrp_virtual());
  EXPECT_TRUE(MacAddress{}.is_zero());
}

TEST(IpProtocolName, IsAWordWhereThereIsOne) {
  EXPECT_EQ(to_string(IpProtocol::kTcp), "tcp");
  EXPECT_EQ(to_string(IpProtocol{89}), "protocol 89");
}

TEST(DropReason, HasAUniqueNameAndADescription) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < kDropReasons; ++i) {
    const auto reason = static_cast<DropReason>(i);
    EXPECT_TRUE(names.insert(name_of(reason)).second) << name_of(reason);
    EXPECT_FALSE(describe(reason).empty());
    EXPECT_EQ(name_of(reason).find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"),
              std::string_view::npos);
  }
  EXPECT_EQ(name_of(DropReason::kIpv4Checksum), "ipv4_checksum");
  EXPECT_EQ(name_of(static_cast<DropReason>(255)), "unknown");
}

}  // namespace
}  // namespace ballast
