// The validity rules of RFC 4861, one by one.
#include <gtest/gtest.h>

#include "dataplane/packet/parser.h"
#include "tests/unit/packet_builder.h"

namespace ballast {
namespace {

using testing::Bytes;
using testing::ExactBuffer;
using testing::Frame;
using testing::kClientMac;
using testing::packet;
using testing::PacketBuilder;

std::string_view reason_of(const PacketBuilder& builder) {
  const ExactBuffer buffer(builder.build().bytes);
  ParsedPacket out;
  return name_of(parse(buffer.view(), out));
}

constexpr auto* kTarget = "2001:db8::10";
constexpr auto* kSolicitedNode = "ff02::1:ff00:10";

PacketBuilder solicitation() {
  return packet().ip("fe80::7", kSolicitedNode).neighbor_solicitation(kTarget, kClientMac);
}
PacketBuilder advertisement(uint8_t flags) {
  return packet().ip("fe80::7", "fe80::1").neighbor_advertisement("fe80::7", flags, kClientMac);
}

Bytes body(std::initializer_list<const char*> addresses, const Bytes& options = {}) {
  Bytes bytes;
  for (const char* text : addresses) {
    const IpAddress::V6Bytes address = testing::ip_address(text).bytes();
    bytes.insert(bytes.end(), address.begin(), address.end());
  }
  bytes.insert(bytes.end(), options.begin(), options.end());
  return bytes;
}

PacketBuilder message(const char* source, const char* destination, uint8_t type,
                      const Bytes& bytes) {
  return packet().ip(source, destination).ttl(255).icmp(type, 0).payload(bytes);
}

TEST(NeighborDiscovery, MustComeFromTheSameLink) {
  EXPECT_EQ(reason_of(solicitation()), "none");
  EXPECT_EQ(reason_of(solicitation().ttl(254)), "nd_malformed");
  EXPECT_EQ(reason_of(advertisement(0).ttl(64)), "nd_malformed");
}

TEST(NeighborDiscovery, HasCodeZeroForEveryType) {
  for (uint8_t type = 133; type <= 137; ++type) {
    EXPECT_EQ(
        reason_of(packet().ip("fe80::7", "ff02::1").ttl(255).icmp(type, 1).payload(Bytes(32))),
        "nd_malformed");
  }
}

TEST(NeighborDiscovery, HasTheLengthOfItsType) {
  const std::pair<uint8_t, size_t> lengths[] = {{134, 8}, {135, 16}, {136, 16}, {137, 32}};
  for (const auto& [type, needed] : lengths) {
    for (size_t length = 0; length < needed; ++length) {
      EXPECT_EQ(reason_of(message("fe80::7", "fe80::1", type, Bytes(length))), "nd_malformed")
          << int{type} << ' ' << length;
    }
  }
}

TEST(NeighborDiscovery, HasAGoodChecksum) {
  Frame frame = solicitation().build();
  frame.bytes.back() ^= 1;
  ParsedPacket out;
  EXPECT_EQ(parse(frame.view(), out), DropReason::kIcmpChecksum);
}

TEST(NeighborDiscovery, HasOptionsThatFillItAndNoneOfLengthZero) {
  const Bytes good{1, 1, 2, 0, 0, 0, 0, 0xc1};
  EXPECT_EQ(reason_of(message("fe80::7", kSolicitedNode, 135, body({kTarget}, good))), "none");
  const Bytes bad[] = {
      {1, 0, 2, 0, 0, 0, 0, 0xc1},            // length zero: would never end
      {1, 2, 2, 0, 0, 0, 0, 0xc1},            // beyond the message
      {1, 1, 2, 0, 0, 0, 0, 0xc1, 14},        // half an option behind a good one
      {1},                                    // no length
      {14, 1, 0, 0, 0, 0, 0, 0, 14, 0, 0, 0}  // the second one is of length zero
  };
  for (const Bytes& options : bad) {
    EXPECT_EQ(reason_of(message("fe80::7", kSolicitedNode, 135, body({kTarget}, options))),
              "nd_malformed");
  }
  EXPECT_EQ(reason_of(message("fe80::7", kSolicitedNode, 135,
                              body({kTarget}, {14, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}))),
            "none")
      << "an option that is not known";
}

TEST(NeighborDiscovery, SolicitsAHostsAddress) {
  for (const auto* target : {"ff02::1", "::", "::1"}) {
    EXPECT_EQ(reason_of(message("fe80::7", kSolicitedNode, 135, body({target}))), "nd_malformed");
    EXPECT_EQ(reason_of(message("fe80::7", "fe80::1", 136, body({target}))), "nd_malformed");
  }
  Bytes mapped = body({"::"});
  mapped[10] = mapped[11] = 0xff;
  mapped[15] = 10;
  EXPECT_EQ(reason_of(message("fe80::7", kSolicitedNode, 135, mapped)), "nd_malformed");
}

TEST(NeighborDiscovery, DetectsDuplicatesFromNoAddressToTheSolicitedNodeGroupOnly) {
  EXPECT_EQ(reason_of(packet().ip("::", kSolicitedNode).neighbor_solicitation(kTarget)), "none");
  EXPECT_EQ(reason_of(packet().ip("::", "ff02::1").neighbor_solicitation(kTarget)), "nd_malformed");
  EXPECT_EQ(reason_of(packet().ip("::", kTarget).neighbor_solicitation(kTarget)), "source_address");
  EXPECT_EQ(reason_of(packet().ip("::", kSolicitedNode).neighbor_solicitation(kTarget, kClientMac)),
            "nd_malformed")
      << "an address of its own in an option";
}

TEST(NeighborDiscovery, AdvertisesAsSolicitedToOneHostOnly) {
  EXPECT_EQ(reason_of(advertisement(kNdFlagSolicited)), "none");
  const auto to_all = [](uint8_t flags) {
    return packet().ip("fe80::7", "ff02::1").neighbor_advertisement("fe80::7", flags, kClientMac);
  };
  EXPECT_EQ(reason_of(to_all(kNdFlagOverride)), "none");
  EXPECT_EQ(reason_of(to_all(kNdFlagSolicited)), "nd_malformed");
}

TEST(NeighborDiscovery, HearsRoutersFromLinkLocalAddressesOnly) {
  EXPECT_EQ(reason_of(message("fe80::1", "ff02::1", 134, Bytes(8))), "none");
  EXPECT_EQ(reason_of(message("2001:db8::1", "ff02::1", 134, Bytes(8))), "nd_malformed");
  const Bytes own{1, 1, 2, 0, 0, 0, 0, 0xc1};
  EXPECT_EQ(reason_of(message("fe80::7", "ff02::2", 133, own)), "none");
  EXPECT_EQ(reason_of(message("::", "ff02::2", 133, {})), "none");
  EXPECT_EQ(reason_of(message("::", "ff02::2", 133, own)), "nd_malformed");
}

TEST(NeighborDiscovery, BelievesNoRedirectToAHostThatIsNeitherRouterNorTheDestination) {
  const auto redirect = [](const char* source, const char* target, const char* destination) {
    return reason_of(message(source, "fe80::7", 137, body({target, destination})));
  };
  EXPECT_EQ(redirect("fe80::1", "fe80::2", "2001:db8:9::9"), "none");
  EXPECT_EQ(redirect("fe80::1", "2001:db8:9::9", "2001:db8:9::9"), "none");
  EXPECT_EQ(redirect("fe80::1", "2001:db8:9::8", "2001:db8:9::9"), "nd_malformed");
  EXPECT_EQ(redirect("2001:db8::1", "fe80::2", "2001:db8:9::9"), "nd_malformed");
  EXPECT_EQ(redirect("fe80::1", "fe80::2", "ff02::1"), "nd_malformed");
}

TEST(NeighborDiscovery, IsNeverFragmented) {  // RFC 6980
  EXPECT_EQ(reason_of(solicitation().fragment_header()), "nd_malformed");
  EXPECT_EQ(reason_of(solicitation().fragment(0, 24, true)), "nd_malformed");
}

}  // namespace
}  // namespace ballast
