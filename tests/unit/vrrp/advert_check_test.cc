#include "vrrp/advert_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ballast::vrrp {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

IpAddress address(const char* text) {
  return IpAddress::parse(text).value();
}

std::string difference(std::vector<IpAddress> theirs, std::vector<IpAddress> ours) {
  Advert advert;
  advert.addresses = std::move(theirs);
  RouterSettings settings;
  settings.key.id = VirtualRouterId{51};
  settings.addresses = std::move(ours);
  return describe_fault(AdvertFault::kAddressListDiffers, advert, settings);
}

TEST(DescribeFault, NamesTheAddressesThatOneNodeHasAndTheOtherHasNot) {
  const IpAddress a = address("192.0.2.1");
  const IpAddress b = address("192.0.2.2");
  const IpAddress c = address("192.0.2.3");
  EXPECT_EQ(difference({a, b}, {a}), "its addresses differ: it has 192.0.2.2, not configured here");
  EXPECT_EQ(difference({a}, {a, b}), "its addresses differ: it has not 192.0.2.2");
  EXPECT_EQ(difference({a, b}, {c, a}),
            "its addresses differ: it has 192.0.2.2, not configured here; it has not 192.0.2.3");
}

TEST(DescribeFault, AsksWhetherSomebodyElseUsesTheIdIfNoAddressIsShared) {
  EXPECT_EQ(difference({address("192.0.2.1")}, {address("192.0.2.2")}),
            "none of its addresses is configured here: it has 192.0.2.1, here is 192.0.2.2: a "
            "mistake in one of the files, or does somebody else use virtual router id 51?");
  const IpAddress by_convention = address("fe80::200:5eff:fe00:233");
  EXPECT_THAT(
      difference({by_convention, address("2001:db8::1")}, {by_convention, address("2001:db8::2")}),
      HasSubstr("does somebody else use"));
  EXPECT_THAT(difference({by_convention}, {by_convention, address("2001:db8::2")}),
              Not(HasSubstr("somebody else")));
  EXPECT_THAT(difference({address("fe80::1"), address("2001:db8::2")},
                         {by_convention, address("2001:db8::2")}),
              Not(HasSubstr("somebody else")));
}

TEST(DescribeFault, NamesTheFirstFewOfALongList) {
  std::vector<IpAddress> theirs;
  for (uint8_t i = 1; i != 0; ++i) {
    theirs.push_back(IpAddress::v4({192, 0, 2, i}));
  }
  EXPECT_EQ(difference(theirs, {address("192.0.2.1")}),
            "its addresses differ: it has 192.0.2.2, 192.0.2.3, 192.0.2.4, 192.0.2.5 and 250 more, "
            "not configured here");
}

TEST(DescribeFault, TellsBothIntervals) {
  Advert advert;
  advert.interval = std::chrono::seconds{1};
  EXPECT_EQ(describe_fault(AdvertFault::kIntervalDiffers, advert, RouterSettings{}),
            "its interval is 1 s, here it is 100 ms");
}

}  // namespace
}  // namespace ballast::vrrp
