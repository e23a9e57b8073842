// Local ports against a slow reference that remembers every tuple: both are driven by the same
// random life of several services over the same servers, in virtual time.
#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/connection/local_ports.h"
#include "tests/unit/connection/flows.h"

namespace ballast {
namespace {

ServerEndpoint server(uint32_t number) {
  ServerEndpoint endpoint;
  endpoint.address = IpAddress::v4({10, 1, 0, static_cast<uint8_t>(number)});
  endpoint.port = Big16::from_host(80);
  endpoint.protocol = number % 2 == 0 ? IpProtocol::kTcp : IpProtocol::kUdp;
  return endpoint;
}

struct Life {
  const char* name;
  LocalPortSettings settings;
  uint32_t servers;
  uint32_t most_taken;  // give back when there are more
  bool tidy;
  uint32_t steps;

  friend void PrintTo(const Life& life, std::ostream* out) { *out << life.name; }
};

class Comparison {
 public:
  Comparison(const Life& life, uint64_t seed)
      : life_(life), random_(seed), ports_(life.settings, kTestHashKey, seed, is_owned) {}

  void step() {
    now_ += below(30) == 0 ? below(4) : 0;
    if (below(100'000) == 0) {
      now_ += 1000;  // a quiet hour
    }
    if (taken_.size() > below(life_.most_taken * 2)) {
      give_back();
    } else {
      take();
    }
    if (life_.tidy) {
      ports_.tidy(now_, below(3));
    }
    ASSERT_EQ(ports_.taken(), taken_.size());
  }

  uint32_t exhausted = 0;
  uint32_t no_memory = 0;
  uint32_t used_again = 0;

 private:
  using Lane = std::pair<uint32_t, uint32_t>;  // address, server
  struct Rested {
    Seconds32 since;
    PortRest rest;
  };
  struct Ports {
    std::set<uint16_t> taken;
    std::map<uint16_t, Rested> given_back;
  };
  struct Taken {
    Lane lane;
    LocalEndpoint local;
  };

  static bool is_owned(LocalAddressIndex address, Big16 port, const ServerEndpoint& server) {
    return (port.to_host() + static_cast<uint16_t>(address) + server.address.bytes()[15]) % 3 != 0;
  }
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>(random_() % bound); }
  [[nodiscard]] bool has_rested(const Rested& rested) const {
    const LocalPortSettings& s = life_.settings;
    return now_ - rested.since > (rested.rest == PortRest::kTimeWait ? s.time_wait : s.short_rest);
  }

  void take() {
    static const std::vector<std::vector<LocalAddressIndex>> services{
        {LocalAddressIndex{0}, LocalAddressIndex{1}, LocalAddressIndex{2}},
        {LocalAddressIndex{2}, LocalAddressIndex{65535}},  // shares an address with the first
        {LocalAddressIndex{7}}};
    const auto& addresses = services[below(3)];
    const uint32_t number = below(life_.servers);
    const auto result = ports_.take(addresses, server(number), now_);
    if (!result.has_value()) {
      return refused(addresses, number, result.error());
    }
    ASSERT_NE(std::find(addresses.begin(), addresses.end(), result->address), addresses.end());
    const Lane lane{static_cast<uint16_t>(result->address), number};
    const uint16_t port = result->port.to_host();
    ASSERT_GE(port, life_.settings.first_port);
    ASSERT_LE(port, life_.settings.last_port);
    ASSERT_TRUE(is_owned(result->address, result->port, server(number)));
    Ports& ports = lanes_[lane];
    ASSERT_TRUE(ports.taken.insert(port).second) << "taken twice";
    if (const auto before = ports.given_back.find(port); before != ports.given_back.end()) {
      ++used_again;
      ASSERT_TRUE(has_rested(before->second)) << "given back " << now_ - before->second.since;
      if (!life_.tidy) {
        expect_first_in_line(lane, before->second);
      }
      ports.given_back.erase(before);
    }
    taken_.push_back({lane, *result});
  }

  // No port of its lane was never used, or was given back earlier and has rested.
  void expect_first_in_line(const Lane& lane, const Rested& chosen) {
    const Ports& ports = lanes_[lane];
    for (const uint16_t port : owned(lane)) {
      const auto other = ports.given_back.find(port);
      if (other == ports.given_back.end()) {
        ASSERT_TRUE(ports.taken.contains(port)) << port << " was never used";
      } else {
        ASSERT_FALSE(has_rested(other->second) && other->second.since < chosen.since);
      }
    }
  }

  void refused(const std::vector<LocalAddressIndex>& addresses, uint32_t number,
               NoLocalPort reason) {
    if (reason == NoLocalPort::kNoMemory) {
      ++no_memory;
      ASSERT_TRUE(ports_.taken() + ports_.resting() == life_.settings.tuples ||
                  ports_.lanes() == life_.settings.lanes);
      return;
    }
    ++exhausted;
    for (const LocalAddressIndex address : addresses) {
      const Lane lane{static_cast<uint16_t>(address), number};
      const Ports& ports = lanes_[lane];
      for (const uint16_t port : owned(lane)) {
        const auto rested = ports.given_back.find(port);
        ASSERT_TRUE(ports.taken.contains(port) ||
                    (rested != ports.given_back.end() && !has_rested(rested->second)))
            << port << " is free";
      }
    }
  }

  void give_back() {
    std::swap(taken_[below(static_cast<uint32_t>(taken_.size()))], taken_.back());
    const Taken taken = taken_.back();
    taken_.pop_back();
    const PortRest rest = below(3) == 0 ? PortRest::kShort : PortRest::kTimeWait;
    ports_.give_back(taken.local, rest, now_);
    Ports& ports = lanes_[taken.lane];
    ASSERT_EQ(ports.taken.erase(taken.local.port.to_host()), 1U);
    ports.given_back[taken.local.port.to_host()] = {now_, rest};
  }

  const std::vector<uint16_t>& owned(const Lane& lane) {
    std::vector<uint16_t>& ports = owned_[lane];
    if (ports.empty()) {
      for (uint32_t port = life_.settings.first_port; port <= life_.settings.last_port; ++port) {
        if (is_owned(LocalAddressIndex{static_cast<uint16_t>(lane.first)},
                     Big16::from_host(static_cast<uint16_t>(port)), server(lane.second))) {
          ports.push_back(static_cast<uint16_t>(port));
        }
      }
    }
    return ports;
  }

  const Life life_;
  std::mt19937_64 random_;
  Seconds32 now_ = 0;
  LocalPorts ports_;
  std::map<Lane, Ports> lanes_;
  std::map<Lane, std::vector<uint16_t>> owned_;
  std::vector<Taken> taken_;
};

class LocalPortsModel : public testing::TestWithParam<Life> {};

TEST_P(LocalPortsModel, GiveWhatAReferenceThatRemembersEveryTupleAllows) {
  for (const uint64_t seed : {1U, 2U, 3U}) {
    Comparison comparison(GetParam(), seed);
    for (uint32_t step = 0; step < GetParam().steps; ++step) {
      comparison.step();
      ASSERT_FALSE(HasFatalFailure()) << "seed " << seed << ", step " << step;
    }
    EXPECT_GT(comparison.used_again, GetParam().steps / 20);
    EXPECT_GT(comparison.exhausted, 0U);
    EXPECT_EQ(comparison.no_memory != 0, GetParam().settings.tuples < 1000);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Lives, LocalPortsModel,
    testing::Values(
        Life{"order", {2000, 2023, 6, 1, 10'000, 100}, 3, 120, false, 700'000},
        Life{"forgetting", {2000, 2023, 6, 1, 10'000, 100}, 3, 60, true, 700'000},
        Life{"to_the_last_port", {65'520, 65'535, 20, 0, 10'000, 100}, 2, 60, false, 400'000},
        Life{"little_memory", {2000, 2023, 6, 1, 150, 12}, 6, 80, true, 700'000}),
    [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace ballast
