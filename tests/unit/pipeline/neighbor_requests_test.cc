// What a worker asks the main thread for, and what it remembers of clients: nobody can choose
// addresses that stand in another one's way.
#include "dataplane/pipeline/neighbor_requests.h"

#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/pipeline/client_macs.h"
#include "tests/unit/packet_builder.h"

namespace ballast::testing {
namespace {

constexpr uint64_t kNow = 5'000'000'000;
constexpr FlowHashKey kKey{{0x9ae16a3b2f90404f, 0xc949d7c7509e6557, 0xff51afd7ed558ccd,
                            0x2545f4914f6cdd1d, 0xa0761d6478bd642f, 0xe7037ed1a0b428db}};
constexpr FlowHashKey kOtherKey{{0xe7037ed1a0b428db, 0x8ebc6af09c88c6e3, 0x589965cc75374cc3,
                                 0x1d8e4e27c47d124f, 0xeb44accab455d165, 0x9ae16a3b2f90404f}};

// IPv6 addresses of which any hash that mixes the XOR of the two halves makes the same.
std::vector<IpAddress> alike(size_t count) {
  std::vector<IpAddress> all;
  for (uint64_t i = 0; i < count; ++i) {
    IpAddress address;
    address.set_words({0xb80d0120 ^ i << 40, 0x1234567812345678 ^ i << 40});
    all.push_back(address);
  }
  return all;
}

std::set<IpAddress> asked_for(NeighborRequests& requests) {
  std::set<IpAddress> all;
  for (NeighborRequest request; requests.take(request);) {
    all.insert(request.address);
  }
  return all;
}

TEST(NeighborRequests, AskForClientsWhoseAddressesWereChosenToBeAlike) {
  NeighborRequests requests(64, kKey);
  for (const IpAddress& client : alike(100)) {
    requests.need_client(PortIndex{0}, client, kNow);
  }
  EXPECT_GT(asked_for(requests).size(), 80U);
}

TEST(NeighborRequests, CollideForOthersWithAnotherKey) {
  NeighborRequests requests(64, kKey);
  NeighborRequests others(64, kOtherKey);
  for (const IpAddress& client : alike(1000)) {
    requests.need_client(PortIndex{0}, client, kNow);
    others.need_client(PortIndex{0}, client, kNow);
  }
  EXPECT_NE(asked_for(requests), asked_for(others));
}

TEST(NeighborRequests, AskForAClientOnceInASecond) {
  NeighborRequests requests(64, kKey);
  const IpAddress client = ip_address("198.51.100.7");
  for (uint64_t now = kNow; now < kNow + 3'000'000'000; now += 100'000'000) {
    requests.need_client(PortIndex{0}, client, now);
  }
  size_t asked = 0;
  for (NeighborRequest request; requests.take(request); ++asked) {
    EXPECT_EQ(request.neighbor, kNoNeighbor);
    EXPECT_EQ(request.address, client);
  }
  EXPECT_EQ(asked, 3U);
}

TEST(ClientMacs, AreNotPushedOutByAddressesThatWereChosenToBeAlike) {
  ClientMacs macs(kKey);
  const std::vector<IpAddress> clients = alike(100);
  const MacAddress mac = mac_address("02:00:00:00:00:c1");
  for (const IpAddress& client : clients) {
    macs.note(client, mac, PortIndex{0});
  }
  size_t found = 0;
  for (const IpAddress& client : clients) {
    found += static_cast<size_t>(macs.find(client, PortIndex{0}) != nullptr);
  }
  EXPECT_GT(found, 80U);
}

}  // namespace
}  // namespace ballast::testing
