// Whatever comes in of translated, tunnelled and fragmented conversations: no read or write outside
// of the buffer (AddressSanitizer watches), one verdict, one reason, no port that is lost.
#include <random>

#include <gtest/gtest.h>

#include "tests/unit/pipeline/notes.h"
#include "tests/unit/pipeline/test_modes.h"

namespace ballast::testing {
namespace {

class RobustnessOfModes : public InBothFamilies {
 protected:
  static constexpr uint16_t kWorkers = 2;

  static TestNetwork::Options options() {
    TestNetwork::Options options = all_modes(kWorkers);
    options.connections = {.trusted = 64, .untrusted = 64, .translations = true};
    options.answers_per_second = 100'000'000;
    return options;
  }
  size_t below(size_t bound) { return std::uniform_int_distribution<size_t>(0, bound - 1)(random); }
  struct Sample {
    Frame frame;
    PortIndex port;
  };
  // Of each mode: what the client and the server send, errors about both, fragments of both.
  std::vector<Sample> samples() {
    std::vector<Sample> all;
    for (const char* service : {"nat-web", "nat-dns", "nat-shop", "full-web", "full-dns", "ipip",
                                "gre-udp", "gue-shop"}) {
      Talk talk(modes, family, service);
      talk.open();
      add(all, talk.request(kSyn), kWan);
      add(all, talk.request(kPsh | kAck).payload(Bytes(100)), kWan);
      add(all, error(packet().ip(family.router, family.vip), talk.reply_at_client()), kWan);
      if (service_settings(service).mode == ForwardingMode::kTunnel) {
        continue;
      }
      add(all, talk.reply(kSyn | kAck), kLan);
      add(all, talk.reply(kFin | kAck).payload(Bytes(100)), kLan);
      add(all,
          error(packet()
                    .ethernet(mac_of_server(1), kLanMac)
                    .ip(ip_address(family.router), talk.peer()),
                talk.request_at_server()),
          kLan);
    }
    return all;
  }
  static void add(std::vector<Sample>& all, const PacketBuilder& builder, PortIndex port) {
    all.push_back({builder.build(), port});
    for (const auto& [offset, more] : {std::pair(0, true), std::pair(48, false)}) {
      PacketBuilder part = builder;
      all.push_back(
          {part.fragment(static_cast<size_t>(offset), more ? 48 : SIZE_MAX, more).build(), port});
    }
  }
  [[nodiscard]] PacketBuilder error(PacketBuilder builder, const PacketBuilder& about) const {
    return builder.icmp_error(family.is_v4() ? kIcmpTimeExceeded : kIcmpv6TimeExceeded, 0,
                              about.build());
  }
  void expect_decided(const Frame& frame, const TestNetwork::How& how) {
    const Outcome outcome = modes.send(frame, how);
    if (outcome.verdict == Verdict::kDrop) {
      EXPECT_NE(outcome.reason, DropReason::kNone);
    } else if (outcome.verdict == Verdict::kTransmit) {
      EXPECT_LT(index(outcome.out_port), 2);
      EXPECT_GE(outcome.frame.size(), sizeof(EthernetHeader));
    } else if (outcome.verdict == Verdict::kHandOver) {
      EXPECT_EQ(outcome.frame, frame);
      EXPECT_EQ(index(outcome.owner), 1 - how.worker);
      EXPECT_NE(outcome.hand_over_for, HandOver::kNone);
    }
  }
  TestNetwork::How somehow(PortIndex port) {
    TestNetwork::How how{.port = below(8) == 0 ? kWan : port};
    how.worker = static_cast<uint16_t>(below(kWorkers));
    how.rss = below(2) == 0;
    how.first_segment = below(4) == 0 ? below(160) : SIZE_MAX;
    how.headroom = static_cast<uint16_t>(below(4) == 0 ? below(128) : 128);
    return how;
  }
  // What may happen to the network meanwhile.
  void disturb() {
    modes.set_neighbor(static_cast<int>(1 + below(3)), static_cast<NeighborState>(below(3)));
    modes.set_lease(below(2) == 0 ? 0 : kLeaseNeverEnds);
    modes.pass(below(40) * 100 * kMillisecond);
    for (const char* service : {"nat-web", "full-dns"}) {
      modes.service(service).on_server_down = static_cast<OnServerDown>(below(3));
      modes.change_servers(service,
                           [&](RealServer& each) { each.accepts_connections = below(4) != 0; });
    }
    if (below(4) == 0) {
      modes.set_route(family.is_v4() ? "198.51.100.0/24" : "2001:db8:1::/64",
                      below(2) == 0 ? kWan : kLan, below(2) == 0 ? family.router : "");
    }
  }
  void expect_no_port_lost() {
    for (uint16_t worker = 0; worker < kWorkers; ++worker) {
      EXPECT_LE(modes.local_ports(worker).taken(), modes.connections(worker).size());
    }
    modes.pass(2000 * kSecond);
    for (uint16_t worker = 0; worker < kWorkers; ++worker) {
      EXPECT_EQ(modes.connections(worker).size(), 0U);
      EXPECT_EQ(modes.local_ports(worker).taken(), 0U);
    }
  }

  std::mt19937 random{4711};
  TestNetwork modes{options()};
};
BALLAST_IN_BOTH_FAMILIES(RobustnessOfModes);

TEST_P(RobustnessOfModes, EveryTruncationIsDecided) {
  for (const Sample& sample : samples()) {
    for (size_t size = 0; size <= sample.frame.size(); ++size) {
      expect_decided(sample.frame.truncated(size), {.port = sample.port});
    }
    ASSERT_FALSE(HasFailure()) << note_ip(sample.frame);
  }
  expect_no_port_lost();
}

TEST_P(RobustnessOfModes, EveryFirstSegmentIsDecided) {
  for (const Sample& sample : samples()) {
    for (size_t size = 1; size <= sample.frame.size(); ++size) {
      expect_decided(sample.frame, {.port = sample.port, .first_segment = size});
    }
    ASSERT_FALSE(HasFailure()) << note_ip(sample.frame);
  }
  expect_no_port_lost();
}

TEST_P(RobustnessOfModes, RandomMutationsAreDecidedWhateverHappensMeanwhile) {
  for (int round = 0; round < 3; ++round) {
    modes.set_lease(kLeaseNeverEnds);
    for (int number = 1; number <= 3; ++number) {
      modes.set_neighbor(number, NeighborState::kReachable);
    }
    for (const char* service : {"nat-web", "full-dns"}) {
      modes.change_servers(service, [](RealServer& each) { each.accepts_connections = true; });
    }
    for (const Sample& sample : samples()) {
      for (int i = 0; i < 150; ++i) {
        Frame frame = sample.frame;
        for (size_t changes = below(4); changes > 0; --changes) {
          uint8_t& byte = frame.bytes[below(frame.size())];
          byte = static_cast<uint8_t>(byte ^ (1U << below(8)));
        }
        expect_decided(frame, somehow(sample.port));
        if (below(50) == 0) {
          disturb();
        }
      }
      ASSERT_FALSE(HasFailure()) << note_ip(sample.frame);
    }
  }
  expect_no_port_lost();
}

}  // namespace
}  // namespace ballast::testing
