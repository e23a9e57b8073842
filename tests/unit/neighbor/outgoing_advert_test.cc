#include "dataplane/neighbor/outgoing_advert.h"

#include <random>

#include <gtest/gtest.h>

#include "tests/unit/packet_builder.h"
#include "tests/unit/packet_samples.h"

namespace ballast::testing {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

Bytes message(uint8_t version, uint8_t id, uint16_t interval_field) {
  return {static_cast<uint8_t>(version << 4 | 1),
          id,
          100,
          1,
          static_cast<uint8_t>(interval_field >> 8),
          static_cast<uint8_t>(interval_field),
          0,
          0,
          192,
          0,
          2,
          10};
}

PacketBuilder ipv4() {
  return packet()
      .ethernet("02:00:00:00:00:01", "01:00:5e:00:00:12")
      .ip("192.0.2.1", "224.0.0.18")
      .ttl(255)
      .protocol(IpProtocol::kVrrp);
}

PacketBuilder ipv6() {
  return packet()
      .ethernet("02:00:00:00:00:01", "33:33:00:00:00:12")
      .ip("fe80::1", "ff02::12")
      .ttl(255)
      .protocol(IpProtocol::kVrrp);
}

void expect(Frame frame, std::string_view mac, uint64_t interval_ns) {
  const auto advert = find_outgoing_advert(frame.view());
  ASSERT_TRUE(advert);
  EXPECT_EQ(advert->virtual_mac, mac_address(mac));
  EXPECT_EQ(advert->interval_ns, interval_ns);
}

TEST(OutgoingAdvert, NamesTheVirtualMacOfItsFamilyAndId) {
  expect(ipv4().payload(message(3, 51, 100)).build(), "00:00:5e:00:01:33", kSecond);
  expect(ipv6().payload(message(3, 51, 100)).build(), "00:00:5e:00:02:33", kSecond);
  expect(ipv4().payload(message(3, 255, 100)).build(), "00:00:5e:00:01:ff", kSecond);
}

TEST(OutgoingAdvert, SaysItsInterval) {
  expect(ipv4().payload(message(3, 1, 1)).build(), "00:00:5e:00:01:01", kSecond / 100);
  expect(ipv4().payload(message(3, 1, 0xffff)).build(), "00:00:5e:00:01:01",
         4095 * (kSecond / 100));  // the reserved bits are none of it
  expect(ipv4().payload(message(2, 1, 0x0003)).build(), "00:00:5e:00:01:01", 3 * kSecond);
  expect(ipv4().payload(message(2, 1, 0x0103)).build(), "00:00:5e:00:01:01", 3 * kSecond);
}

TEST(OutgoingAdvert, IsFoundBehindIpv4OptionsAndToOnePeer) {
  expect(ipv4().ipv4_options({148, 4, 0, 0}).payload(message(3, 7, 10)).build(),
         "00:00:5e:00:01:07", kSecond / 10);
  expect(ipv4()
             .ethernet("02:00:00:00:00:01", "02:00:00:00:00:02")
             .ip("192.0.2.1", "192.0.2.2")
             .payload(message(3, 7, 10))
             .build(),
         "00:00:5e:00:01:07", kSecond / 10);
}

TEST(OutgoingAdvert, IsNothingElse) {
  for (Frame frame : {
           ipv4().payload(message(3, 0, 100)).build(),  // no id
           ipv4().payload(message(3, 1, 0)).build(),    // no interval
           ipv4().payload(message(2, 1, 0x0100)).build(),
           ipv6().payload(message(2, 1, 1)).build(),  // there is no v2 over IPv6
           ipv4().payload(message(4, 1, 100)).build(),
           ipv4().payload({0x32, 1, 100, 1, 0, 100, 0, 0}).build(),  // another type
           ipv4().payload(message(3, 1, 100)).fragment(0, 8, true).build(),
           packet()
               .ip("192.0.2.1", "224.0.0.18")
               .protocol(IpProtocol::kGre)
               .payload(message(3, 1, 1))
               .build(),
       }) {
    EXPECT_FALSE(find_outgoing_advert(frame.view()));
  }
}

TEST(OutgoingAdvert, IsNotFoundInAnyTruncation) {
  for (const auto& whole :
       {ipv4().payload(message(3, 1, 100)).build(), ipv6().payload(message(3, 1, 100)).build()}) {
    const size_t header_end = whole.size() - 4;  // without the address
    for (size_t size = 0; size <= whole.size(); ++size) {
      const ExactBuffer cut(whole.truncated(size).bytes);
      EXPECT_EQ(find_outgoing_advert(cut.view()).has_value(), size >= header_end) << size;
    }
  }
}

TEST(OutgoingAdvert, IsReadFromRandomBytesWithoutHarm) {
  std::mt19937 random(1);
  for (const Sample& sample : sample_frames()) {
    for (int i = 0; i < 1000; ++i) {
      Frame frame = sample.frame;
      for (int change = 0; change < 4; ++change) {
        frame.bytes[random() % std::min<size_t>(frame.size(), 64)] =
            static_cast<uint8_t>(random() % 4 == 0 ? 112 : random());
      }
      const ExactBuffer exact(frame.bytes);
      if (const auto advert = find_outgoing_advert(exact.view())) {
        EXPECT_TRUE(advert->virtual_mac.is_vrrp_virtual());
        EXPECT_NE(advert->interval_ns, 0U);
      }
    }
  }
}

TEST(VirtualMacSet, KnowsWhatWasAddedAndNothingElse) {
  VirtualMacSet set;
  set.add(mac_address("00:00:5e:00:01:33"));
  set.add(mac_address("00:00:5e:00:02:01"));
  set.add(mac_address("02:00:00:00:01:44"));
  set.add(MacAddress{});
  for (int family = 1; family <= 2; ++family) {
    for (int id = 0; id < 256; ++id) {
      const MacAddress mac({0, 0, 0x5e, 0, static_cast<uint8_t>(family), static_cast<uint8_t>(id)});
      EXPECT_EQ(set.contains(mac), (family == 1 && id == 0x33) || (family == 2 && id == 1));
    }
  }
  EXPECT_FALSE(set.contains(mac_address("02:00:00:00:01:44")));
  EXPECT_FALSE(set.contains(MacAddress{}));
}

}  // namespace
}  // namespace ballast::testing
