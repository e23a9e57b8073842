// Owners of flows and of datagrams are pure functions of what the packets of each have in common.
#include "dataplane/pipeline/steering.h"

#include <array>
#include <random>

#include <gtest/gtest.h>

#include "tests/unit/packet_builder.h"

namespace ballast::testing {
namespace {

constexpr uint16_t kWorkers = 4;

ParsedHeaders parsed(const PacketBuilder& builder) {
  const Frame frame = builder.build();
  const ExactBuffer buffer(frame.bytes);
  ParsedPacket result;
  EXPECT_EQ(name_of(parse(buffer.view(), result)), "none");
  return result;
}

struct Ends {
  const char* client;
  const char* vip;
  const char* server;
  friend void PrintTo(const Ends& ends, std::ostream* out) { *out << "vip " << ends.vip; }
};
class SteeringOfBothFamilies : public ::testing::TestWithParam<Ends> {
 protected:
  const Steering steering{kMicrosoftRssKey, kWorkers};
};
INSTANTIATE_TEST_SUITE_P(Families, SteeringOfBothFamilies,
                         ::testing::Values(Ends{"198.51.100.7", "192.0.2.10", "10.0.0.1"},
                                           Ends{"2001:db8:1::7", "2001:db8::10", "2001:db8:3::1"}),
                         [](const auto& ends) {
                           return std::string(ends.index == 0 ? "Ipv4" : "Ipv6");
                         });

void expect_an_even_share(const std::array<int, kWorkers>& counts, int all) {
  for (const int count : counts) {
    EXPECT_GT(count, all / kWorkers * 3 / 4);
  }
}

TEST_P(SteeringOfBothFamilies, BringsBothDirectionsOfANatFlowToOneWorker) {
  std::array<int, kWorkers> flows{};
  for (uint16_t port = 1024; port < 2048; ++port) {
    const ParsedHeaders request =
        parsed(packet().ip(GetParam().client, GetParam().vip).tcp(port, 80, kSyn));
    const ParsedHeaders reply =
        parsed(packet().ip(GetParam().server, GetParam().client).tcp(8080, port, kSyn | kAck));
    const WorkerIndex owner = steering.owner_by_client(request.source, request.source_port);
    EXPECT_EQ(steering.owner_by_client(reply.destination, reply.destination_port), owner);
    ++flows[index(owner)];
  }
  expect_an_even_share(flows, 1024);
}

// So a NIC is told to hash what comes from clients, with the destination's fields left out.
TEST_P(SteeringOfBothFamilies, HashesTheClientsHalfWithNothingInTheOther) {
  const ToeplitzHash toeplitz(kMicrosoftRssKey);
  const IpAddress client = ip_address(GetParam().client);
  const IpAddress nobody = client.is_v4() ? IpAddress::v4({}) : IpAddress{};
  for (uint16_t number = 1; number < 500; ++number) {
    const Big16 port = Big16::from_host(number);
    EXPECT_EQ(steering.owner_by_client(client, port),
              steering.owner(toeplitz.hash(client, nobody, port, Big16{})));
  }
}

TEST_P(SteeringOfBothFamilies, BringsAllFragmentsOfADatagramToOneWorker) {
  const PacketBuilder datagram =
      packet().ip(GetParam().client, GetParam().vip).udp(5353, 53).payload(Bytes(200));
  std::array<int, kWorkers> datagrams{};
  for (uint32_t id = 0; id < 1024; ++id) {
    const auto owner_of = [&](size_t offset, size_t length, bool more) {
      return steering.fragment_owner(
          parsed(PacketBuilder(datagram).identification(id).fragment(offset, length, more)));
    };
    const WorkerIndex owner = owner_of(0, 48, true);
    EXPECT_EQ(owner_of(48, 80, true), owner);
    EXPECT_EQ(owner_of(128, SIZE_MAX, false), owner);
    ++datagrams[index(owner)];
  }
  expect_an_even_share(datagrams, 1024);
}

TEST(Steering, BringsALaterFragmentToItsFirstThoughExtensionHeadersHideTheProtocol) {
  const Steering steering(kMicrosoftRssKey, kWorkers);
  const PacketBuilder datagram = packet()
                                     .ip("2001:db8:1::7", "2001:db8::10")
                                     .fragment_header()
                                     .extension(IpProtocol::kDestinationOptions)
                                     .udp(5353, 53)
                                     .payload(Bytes(200));
  for (uint32_t id = 0; id < 64; ++id) {
    const PacketBuilder numbered = PacketBuilder(datagram).identification(id);
    EXPECT_EQ(
        steering.fragment_owner(parsed(PacketBuilder(numbered).fragment(0, 48, true))),
        steering.fragment_owner(parsed(PacketBuilder(numbered).fragment(48, SIZE_MAX, false))));
  }
}

TEST(Steering, OwnsEverythingOnOneWorker) {
  const Steering steering(kMicrosoftRssKey, 1);
  const IpAddress client = ip_address("198.51.100.7");
  EXPECT_EQ(steering.owner_by_client(client, Big16::from_host(4711)), WorkerIndex{0});
  EXPECT_EQ(steering.fragment_owner(parsed(packet()
                                               .ip("198.51.100.7", "192.0.2.10")
                                               .udp(5353, 53)
                                               .payload(Bytes(200))
                                               .fragment(48, 80, true))),
            WorkerIndex{0});
}

}  // namespace
}  // namespace ballast::testing
