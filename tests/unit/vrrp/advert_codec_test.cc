// The wire format of RFC 9568 section 5.2 and RFC 3768 section 5.3, and the rules of section 7.1.
#include "vrrp/advert_codec.h"

#include <cstring>

#include <gtest/gtest.h>

#include "dataplane/packet/checksum.h"
#include "tests/unit/vrrp/world.h"
#include "vrrp/advert_check.h"
#include "vrrp/datagram.h"
#include "vrrp/peer_table.h"

namespace ballast::vrrp::testing {
namespace {

using Bytes = std::vector<uint8_t>;

const AdvertPath kPath4{*IpAddress::parse("192.0.2.11"), multicast_group(Family::kIpv4)};
const AdvertPath kPath6{*IpAddress::parse("fe80::11"), multicast_group(Family::kIpv6)};

Advert advert_v3() {
  return {Version::kV3,
          VirtualRouterId{51},
          Priority{150},
          ms(1000),
          {*IpAddress::parse("192.0.2.100"), *IpAddress::parse("192.0.2.101")}};
}
Advert advert_v2() {
  Advert advert = advert_v3();
  advert.version = Version::kV2;
  return advert;
}
Advert advert_v6() {
  return {Version::kV3,
          VirtualRouterId{51},
          Priority{150},
          ms(10),
          {*IpAddress::parse("fe80::100"), *IpAddress::parse("2001:db8::100")}};
}

struct Sample {
  Advert advert;
  AdvertPath path;
};
std::vector<Sample> samples() {
  return {{advert_v3(), kPath4}, {advert_v2(), kPath4}, {advert_v6(), kPath6}};
}

Bytes built(const Sample& sample, ChecksumForm form = ChecksumForm::kRfc5798) {
  return build_advert(sample.advert, sample.path, form);
}

// Makes the checksum right again after an edit: with the pseudo-header for v3, without for v2.
Bytes resealed(Bytes message, const AdvertPath& path) {
  message[6] = message[7] = 0;
  const bool is_v3 = message[0] >> 4 == 3;
  const ChecksumSum start =
      is_v3 ? pseudo_header_sum(path.source, path.destination, IpProtocol::kVrrp,
                                static_cast<uint32_t>(message.size()))
            : ChecksumSum{};
  const Big16 checksum = finish_checksum(sum_bytes(message.data(), message.size(), start));
  std::memcpy(message.data() + 6, &checksum, 2);
  return message;
}

AdvertFault fault_of(const Bytes& message, const AdvertPath& path) {
  const auto read = read_advert(message, path);
  EXPECT_FALSE(read.has_value());
  return read ? AdvertFault::kShort : read.error();
}

TEST(AdvertCodec, WhatIsBuiltIsReadAsItWas) {
  for (const Sample& sample : samples()) {
    const auto read = read_advert(built(sample), sample.path);
    ASSERT_TRUE(read.has_value()) << name_of(read.error());
    EXPECT_EQ(read->advert, sample.advert);
  }
}

// As keepalived 2.2.7 sends it: priority 150, 1 s, 10.77.0.100, from 10.77.0.1.
TEST(AdvertCodec, BuildsTheBytesThatKeepalivedSends) {
  const Advert advert{Version::kV3,
                      VirtualRouterId{51},
                      Priority{150},
                      ms(1000),
                      {*IpAddress::parse("10.77.0.100")}};
  const AdvertPath path{*IpAddress::parse("10.77.0.1"), multicast_group(Family::kIpv4)};
  const Bytes message = build_advert(advert, path, ChecksumForm::kRfc5798);
  // 3133 + 9601 + 0064 + 0a4d + 0064, pseudo-header 0a4d + 0001 + e000 + 0012 + 0070 + 000c, is
  // 1bd25; folded bd26; its complement 42d9.
  const Bytes expected{0x31, 0x33, 0x96, 0x01, 0x00, 0x64, 0x42, 0xd9, 10, 77, 0, 100};
  EXPECT_EQ(message, expected);
}

TEST(AdvertCodec, Byte0IsVersionAndTypeOneAndOthersAreDiscarded) {
  for (const Sample& sample : samples()) {
    Bytes message = built(sample);
    EXPECT_EQ(message[0], static_cast<int>(sample.advert.version) << 4 | 1);
    for (int first = 0; first < 256; ++first) {
      message[0] = static_cast<uint8_t>(first);
      const bool is_known = first >> 4 == 3 || (first >> 4 == 2 && sample.path.source.is_v4());
      const auto read = read_advert(message, sample.path);
      if (!is_known) {
        EXPECT_EQ(read.error(), AdvertFault::kVersion);
      } else if ((first & 0x0f) != 1) {
        EXPECT_EQ(read.error(), AdvertFault::kType);
      }
    }
  }
}

TEST(AdvertCodec, RefusesEveryTruncationAsShort) {
  for (const Sample& sample : samples()) {
    const Bytes whole = built(sample);
    for (size_t size = 0; size < whole.size(); ++size) {
      EXPECT_EQ(
          fault_of(Bytes(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size)), sample.path),
          AdvertFault::kShort);
    }
  }
}

TEST(AdvertCodec, RefusesBytesBehindTheMessage) {
  for (const Sample& sample : samples()) {
    Bytes message = built(sample);
    message.resize(message.size() + 24);
    EXPECT_EQ(fault_of(resealed(message, sample.path), sample.path), AdvertFault::kLength);
  }
}

TEST(AdvertCodec, Version2AlwaysHasEightBytesOfAuthentication) {
  EXPECT_EQ(built({advert_v2(), kPath4}).size(), 8U + 2 * 4 + 8);
  EXPECT_EQ(built({advert_v3(), kPath4}).size(), 8U + 2 * 4);
  EXPECT_EQ(built({advert_v6(), kPath6}).size(), 8U + 2 * 16);
}

TEST(AdvertCodec, EveryFlippedBitIsACheckSumFaultOrNamed) {
  for (const Sample& sample : samples()) {
    const Bytes whole = built(sample);
    for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
      Bytes message = whole;
      message[bit / 8] ^= static_cast<uint8_t>(1U << bit % 8);
      EXPECT_FALSE(read_advert(message, sample.path).has_value()) << bit;
    }
  }
}

TEST(AdvertCodec, CountZeroIsIgnored) {
  Bytes v3{0x31, 51, 150, 0, 0, 100, 0, 0};
  EXPECT_EQ(fault_of(resealed(v3, kPath4), kPath4), AdvertFault::kCountZero);
  EXPECT_EQ(fault_of(resealed(v3, kPath6), kPath6), AdvertFault::kCountZero);
}

TEST(AdvertCodec, IntervalZeroIsDiscarded) {
  for (const Sample& sample : samples()) {
    Bytes message = built(sample);
    message[4] = message[5] = 0;
    EXPECT_EQ(fault_of(resealed(message, sample.path), sample.path), AdvertFault::kIntervalZero);
  }
}

TEST(AdvertCodec, ReservedBitsAreSentAsZeroAndIgnoredWhenReceived) {
  Bytes message = built({advert_v3(), kPath4});
  EXPECT_EQ(message[4] >> 4, 0);
  message[4] |= 0xf0;
  const auto read = read_advert(resealed(message, kPath4), kPath4);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->advert, advert_v3());
}

TEST(AdvertCodec, Version3CountsCentisecondsAndVersion2Seconds) {
  Advert advert = advert_v3();
  for (const auto& [interval, high, low] :
       {std::tuple{ms(10), 0, 1}, {ms(100), 0, 10}, {ms(1000), 0, 100}, {ms(40950), 0x0f, 0xff}}) {
    advert.interval = interval;
    const Bytes message = built({advert, kPath4});
    EXPECT_EQ(message[4], high);
    EXPECT_EQ(message[5], low);
    EXPECT_EQ(read_advert(message, kPath4)->advert.interval, interval);
  }
  advert = advert_v2();
  advert.interval = ms(3000);
  EXPECT_EQ(built({advert, kPath4})[5], 3);
}

TEST(AdvertCodec, Ipv6ListBeginsWithALinkLocalAddress) {
  Advert advert = advert_v6();
  std::swap(advert.addresses[0], advert.addresses[1]);
  EXPECT_EQ(fault_of(built({advert, kPath6}), kPath6), AdvertFault::kFirstNotLinkLocal);
}

TEST(AdvertCodec, AcceptsBothIpv4ChecksumsOfVersion3AndSaysWhichOne) {
  for (const ChecksumForm form : {ChecksumForm::kRfc5798, ChecksumForm::kRfc9568}) {
    const auto read = read_advert(built({advert_v3(), kPath4}, form), kPath4);
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(read->form, form);
  }
  EXPECT_NE(built({advert_v3(), kPath4}, ChecksumForm::kRfc5798),
            built({advert_v3(), kPath4}, ChecksumForm::kRfc9568));
}

TEST(AdvertCodec, NoOtherChecksumIsAccepted) {
  const Bytes good = built({advert_v3(), kPath4});
  int accepted = 0;
  for (int checksum = 0; checksum <= 0xffff; ++checksum) {
    Bytes message = good;
    message[6] = static_cast<uint8_t>(checksum >> 8);
    message[7] = static_cast<uint8_t>(checksum);
    accepted += static_cast<int>(read_advert(message, kPath4).has_value());
  }
  EXPECT_EQ(accepted, 2);
}

TEST(AdvertCodec, Ipv6ChecksumCoversThePseudoHeader) {
  const Bytes message = built({advert_v6(), kPath6});
  const AdvertPath elsewhere{*IpAddress::parse("fe80::12"), kPath6.destination};
  EXPECT_EQ(fault_of(message, elsewhere), AdvertFault::kChecksum);
}

TEST(AdvertCodec, Version2ChecksumCoversTheMessageOnly) {
  const Bytes message = built({advert_v2(), kPath4});
  const AdvertPath elsewhere{*IpAddress::parse("192.0.2.12"), kPath4.destination};
  EXPECT_TRUE(read_advert(message, elsewhere).has_value());
}

TEST(AdvertCodec, RandomBytesWithGoodChecksumsAreReadOrRefusedAndRoundTrip) {
  Random random(7);
  int accepted = 0;
  for (int i = 0; i < 200'000; ++i) {
    const AdvertPath& path = random.chance(50) ? kPath4 : kPath6;
    Bytes message(8 + random.below(8) * 4);
    for (uint8_t& byte : message) {
      byte = static_cast<uint8_t>(random.next());
    }
    if (random.chance(90)) {
      message[0] = random.chance(50) ? 0x31 : 0x21;
      message[3] = static_cast<uint8_t>(random.below(4));
      message[8 % message.size()] = random.chance(50) ? 0xfe : message[8 % message.size()];
    }
    message = resealed(message, path);
    const auto read = read_advert(message, path);
    if (!read) {
      continue;
    }
    ++accepted;
    EXPECT_FALSE(read->advert.addresses.empty());
    EXPECT_GT(read->advert.interval, Duration{0});
    const auto again = read_advert(build_advert(read->advert, path, read->form), path);
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(again->advert, read->advert);
  }
  EXPECT_GT(accepted, 1000);
}

TEST(VirtualMac, IsTheOneOfTheFamilyAndTheId) {
  EXPECT_EQ(virtual_mac(Family::kIpv4, VirtualRouterId{51}).to_string(), "00:00:5e:00:01:33");
  EXPECT_EQ(virtual_mac(Family::kIpv6, VirtualRouterId{255}).to_string(), "00:00:5e:00:02:ff");
  EXPECT_EQ(multicast_group(Family::kIpv4).to_string(), "224.0.0.18");
  EXPECT_EQ(multicast_group(Family::kIpv6).to_string(), "ff02::12");
}

// ---- what arrives, judged by the configuration ----

class AdvertJudge : public ::testing::Test {
 protected:
  AdvertJudge() { settings_ = group_of(Priority{100}, ms(100)).routers.front(); }

  AdvertJudgement judge(Advert advert) {
    message_ = build_advert(advert, {source_, destination_}, form_);
    const Datagram datagram{interface_, source_, destination_, ttl_, message_};
    return judge_advert(datagram, settings_, own_priority_, own_);
  }
  AdvertJudgement judge() {
    return judge({settings_.version, settings_.key.id, Priority{150}, settings_.advert_interval,
                  settings_.addresses});
  }
  std::string refusal() {
    const AdvertJudgement judgement = judge();
    return judgement.is_accepted ? "accepted" : std::string(name_of(judgement.faults.at(0)));
  }

  RouterSettings settings_;
  Priority own_priority_{100};
  IpAddress own_ = *IpAddress::parse("192.0.2.10");
  InterfaceIndex interface_{1};
  IpAddress source_ = *IpAddress::parse("192.0.2.11");
  IpAddress destination_ = multicast_group(Family::kIpv4);
  uint8_t ttl_ = 255;
  ChecksumForm form_ = ChecksumForm::kRfc5798;
  Bytes message_;
};

TEST_F(AdvertJudge, AcceptsAnAdvertThatAgrees) {
  const AdvertJudgement judgement = judge();
  EXPECT_TRUE(judgement.is_accepted);
  EXPECT_TRUE(judgement.faults.empty());
}

TEST_F(AdvertJudge, TtlOtherThan255IsDiscarded) {
  ttl_ = 254;
  EXPECT_EQ(refusal(), "ttl");
}

TEST_F(AdvertJudge, UnicastHasAMinimumTtlThatMulticastDoesNotShare) {
  settings_.unicast_peers = {source_};
  settings_.minimum_ttl = 250;
  destination_ = own_;
  ttl_ = 250;
  EXPECT_EQ(refusal(), "accepted");
  ttl_ = 249;
  EXPECT_EQ(refusal(), "ttl");
  destination_ = multicast_group(Family::kIpv4);
  ttl_ = 250;
  EXPECT_EQ(refusal(), "ttl");
}

TEST_F(AdvertJudge, AnotherVersionIsNamed) {
  Advert advert = advert_v2();
  EXPECT_EQ(judge(advert).faults.at(0), AdvertFault::kVersion);
}

TEST_F(AdvertJudge, AnotherInterfaceIsNamed) {
  interface_ = InterfaceIndex{2};
  EXPECT_EQ(refusal(), "wrong_interface");
}

TEST_F(AdvertJudge, AnotherIdIsUnknown) {
  Advert advert = advert_v3();
  advert.id = VirtualRouterId{52};
  EXPECT_EQ(judge(advert).faults.at(0), AdvertFault::kVridUnknown);
}

TEST_F(AdvertJudge, Version2DropsAnotherIntervalAndVersion3OnlyTells) {
  Advert advert{Version::kV3, settings_.key.id, Priority{150}, ms(1000), settings_.addresses};
  EXPECT_TRUE(judge(advert).is_accepted);
  EXPECT_EQ(judge(advert).faults.at(0), AdvertFault::kIntervalDiffers);
  settings_.version = advert.version = Version::kV2;
  settings_.advert_interval = ms(2000);
  EXPECT_FALSE(judge(advert).is_accepted);
  EXPECT_EQ(judge(advert).faults.at(0), AdvertFault::kIntervalMismatch);
}

// keepalived 2.2.7 drops it, and two routers are active while an operator adds a VIP.
TEST_F(AdvertJudge, AnotherAddressListIsToldAndTheAdvertCounts) {
  Advert advert{Version::kV3,
                settings_.key.id,
                Priority{150},
                ms(100),
                {settings_.addresses[0], *IpAddress::parse("192.0.2.200")}};
  EXPECT_TRUE(judge(advert).is_accepted);
  EXPECT_EQ(judge(advert).faults.at(0), AdvertFault::kAddressListDiffers);
  settings_.strict_addresses = true;
  EXPECT_FALSE(judge(advert).is_accepted);
  EXPECT_EQ(judge(advert).faults.at(0), AdvertFault::kAddressListMismatch);
  advert.priority = kAddressOwner;  // RFC 3768 section 7.1: unless the sender owns them
  EXPECT_TRUE(judge(advert).is_accepted);
}

TEST_F(AdvertJudge, TheOrderOfAddressesMeansNothing) {
  settings_.addresses = {*IpAddress::parse("192.0.2.1"), *IpAddress::parse("192.0.2.2")};
  Advert advert{Version::kV3,
                settings_.key.id,
                Priority{150},
                ms(100),
                {*IpAddress::parse("192.0.2.2"), *IpAddress::parse("192.0.2.1")}};
  EXPECT_TRUE(judge(advert).faults.empty());
}

TEST_F(AdvertJudge, AuthenticationOfVersion2IsRefused) {
  settings_.version = Version::kV2;
  settings_.advert_interval = ms(1000);
  Bytes message =
      build_advert({Version::kV2, settings_.key.id, Priority{150}, ms(1000), settings_.addresses},
                   {source_, destination_}, form_);
  message[4] = 1;
  message = resealed(message, {source_, destination_});
  const Datagram datagram{interface_, source_, destination_, ttl_, message};
  EXPECT_EQ(judge_advert(datagram, settings_, own_priority_, own_).faults.at(0),
            AdvertFault::kAuthentication);
}

TEST_F(AdvertJudge, UnknownUnicastPeersAreNamed) {
  settings_.unicast_peers = {*IpAddress::parse("192.0.2.77")};
  destination_ = own_;
  EXPECT_EQ(refusal(), "unknown_peer");
}

TEST_F(AdvertJudge, MulticastWhereUnicastIsConfiguredAndTheReverse) {
  destination_ = own_;
  EXPECT_EQ(refusal(), "unexpected_unicast");
  settings_.unicast_peers = {source_};
  EXPECT_EQ(refusal(), "accepted");
  destination_ = multicast_group(Family::kIpv4);
  EXPECT_EQ(refusal(), "unexpected_multicast");
}

TEST_F(AdvertJudge, OwnSourceIsALoop) {
  source_ = own_;
  EXPECT_EQ(refusal(), "own_source");
}

TEST_F(AdvertJudge, TwoOwnersAreTold) {
  own_priority_ = kAddressOwner;
  Advert advert{Version::kV3, settings_.key.id, kAddressOwner, ms(100), settings_.addresses};
  EXPECT_TRUE(judge(advert).is_accepted);
  EXPECT_EQ(judge(advert).faults.at(0), AdvertFault::kTwoOwners);
}

TEST_F(AdvertJudge, TheOtherChecksumFormIsToldAndRememberedPerPeer) {
  form_ = ChecksumForm::kRfc9568;
  const AdvertJudgement judgement = judge();
  ASSERT_TRUE(judgement.is_accepted);
  EXPECT_EQ(judgement.faults.at(0), AdvertFault::kChecksumOtherForm);
  PeerTable table;
  table.heard(TimePoint{}, source_, judgement.read);
  EXPECT_EQ(table.find(source_)->checksum, ChecksumForm::kRfc9568);
  EXPECT_EQ(table.find(source_)->other_checksum, 1U);
}

TEST(Ipv4Datagram, TakesTheHeaderOffAndRefusesEveryTruncation) {
  const Bytes message = built({advert_v3(), kPath4});
  Bytes packet{0x46, 0xc0, 0, static_cast<uint8_t>(24 + message.size()),
               0,    1,    0, 0,
               255,  112,  0, 0,
               192,  0,    2, 11,
               224,  0,    0, 18,
               0x94, 4,    0, 0};  // with a router alert option
  packet.insert(packet.end(), message.begin(), message.end());
  const Ipv4Split split = split_ipv4(packet, InterfaceIndex{3});
  ASSERT_TRUE(split.is_whole);
  EXPECT_EQ(split.datagram.source, kPath4.source);
  EXPECT_EQ(split.datagram.destination, kPath4.destination);
  EXPECT_EQ(split.datagram.ttl, 255);
  EXPECT_EQ(Bytes(split.datagram.message.begin(), split.datagram.message.end()), message);
  for (size_t size = 0; size < packet.size(); ++size) {
    EXPECT_FALSE(split_ipv4(std::span(packet).first(size), InterfaceIndex{3}).is_whole);
  }
}

TEST(PeerTable, CountsFaultsPerPeerWithTheLastOffenderAndLogsAtALimitedRate) {
  PeerTable table;
  const IpAddress first = node_address(1, Family::kIpv4);
  const IpAddress second = node_address(2, Family::kIpv4);
  const TimePoint start{};
  EXPECT_EQ(table.fault(start, first, AdvertFault::kTtl), 1U);
  EXPECT_EQ(table.fault(start + ms(1), first, AdvertFault::kTtl), 0U);
  EXPECT_EQ(table.fault(start + ms(2), second, AdvertFault::kTtl), 0U);
  EXPECT_EQ(table.fault(start + ms(3), second, AdvertFault::kChecksum), 1U);
  EXPECT_EQ(table.fault(start + PeerTable::kLogEvery, first, AdvertFault::kTtl), 3U);
  const auto& total = table.totals()[static_cast<size_t>(AdvertFault::kTtl)];
  EXPECT_EQ(total.count, 4U);
  EXPECT_EQ(total.last_offender, first);
  EXPECT_EQ(total.last, start + PeerTable::kLogEvery);
  EXPECT_EQ(table.find(second)->faults[static_cast<size_t>(AdvertFault::kTtl)].count, 1U);
}

TEST(PeerTable, IsBoundedWhateverSourcesArrive) {
  PeerTable table;
  for (uint32_t i = 0; i < 10'000; ++i) {
    table.fault(TimePoint{},
                IpAddress::v4({10, 0, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i)}),
                AdvertFault::kTtl);
  }
  EXPECT_EQ(table.peers().size(), PeerTable::kMaximumPeers + 1);
  EXPECT_EQ(table.totals()[static_cast<size_t>(AdvertFault::kTtl)].count, 10'000U);
}

TEST(PeerTable, TheLargestGapIsThatOfOneSenderInARow) {
  PeerTable table;
  const IpAddress peer = node_address(1, Family::kIpv4);
  const ReadAdvert read{advert_v3(), ChecksumForm::kRfc5798, 0};
  const TimePoint start{};
  table.heard(start, peer, read);
  table.heard(start + ms(150), peer, read);
  table.interrupt();  // this router was active
  table.heard(start + ms(9000), peer, read);
  table.heard(start + ms(9100), peer, read);
  EXPECT_EQ(table.find(peer)->largest_gap, ms(150));
}

}  // namespace
}  // namespace ballast::vrrp::testing
