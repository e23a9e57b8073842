// Fragments of requests and replies in all modes: each goes the way of its datagram, one by one, on
// any number of workers and in any order.
#include <algorithm>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/unit/pipeline/notes.h"
#include "tests/unit/pipeline/test_modes.h"

namespace ballast::testing {
namespace {

// What is in the datagram, as the fragments that arrived at one place have it.
class Reassembly {
 public:
  void add(const Frame& frame) {
    const FragmentNotes notes = frame.fragment();
    const Bytes packet = frame.network_bytes();
    const Bytes part(packet.end() - static_cast<std::ptrdiff_t>(notes.end - notes.begin),
                     packet.end());
    whole_.resize(std::max(whole_.size(), notes.end));
    std::copy(part.begin(), part.end(), whole_.begin() + static_cast<std::ptrdiff_t>(notes.begin));
  }
  [[nodiscard]] const Bytes& whole() const { return whole_; }

 private:
  Bytes whole_;
};

// The network, and a conversation of one family, on several workers.
class Fragments : public ::testing::TestWithParam<CaseOnWorkers> {
 protected:
  const Family4or6& family = GetParam().service.family;
  const TestNetwork::ServiceSettings& settings = service_settings(GetParam().service.service);
  TestNetwork network{all_modes(GetParam().workers)};
  Talk talk{network, family, settings.name};
  Bytes payload = Bytes(2000);
  uint32_t identification = 0;

  Fragments() {
    for (size_t i = 0; i < payload.size(); ++i) {
      payload[i] = static_cast<uint8_t>(i * 31 + i / 256);
    }
  }
  [[nodiscard]] bool tunnelled() const { return settings.mode == ForwardingMode::kTunnel; }
  [[nodiscard]] size_t header() const { return talk.is_tcp() ? 20 : 8; }
  // Four of them, of one datagram.
  std::vector<Frame> fragments_of(const PacketBuilder& builder) {
    PacketBuilder whole = builder;
    whole.payload(payload).identification(++identification);
    std::vector<Frame> fragments;
    for (size_t begin = 0; begin < payload.size() + header(); begin += 512) {
      const bool more = begin + 512 < payload.size() + header();
      fragments.push_back(
          PacketBuilder(whole).fragment(begin, more ? 512 : SIZE_MAX, more).build());
    }
    return fragments;
  }
  // Sends them in, each by another worker; returns those that leave.
  std::vector<Outcome> send(const std::vector<Frame>& fragments, PortIndex port) {
    std::vector<Outcome> left;
    uint16_t worker = 0;
    for (const Frame& each : fragments) {
      worker = static_cast<uint16_t>((worker + 1) % GetParam().workers);
      const Outcome outcome = network.send_to_owner(each, {.port = port, .worker = worker});
      if (outcome.verdict != Verdict::kHold) {
        left.push_back(outcome);
      }
      for (const Outcome& held : pass(kMillisecond, port)) {
        left.push_back(held);
      }
    }
    return left;
  }
  // Time goes on: what was held goes on to its owner.
  std::vector<Outcome> pass(uint64_t nanoseconds, PortIndex port) {
    std::vector<Outcome> outcomes = network.pass(nanoseconds);
    for (Outcome& each : outcomes) {
      if (each.verdict == Verdict::kHandOver) {
        EXPECT_EQ(each.hand_over_for, HandOver::kFlow);
        each = network.send_to_owner(each.frame,
                                     {.port = port,
                                      .worker = index(each.owner),
                                      .handed_over = HandOver::kFlow,
                                      .datagram_source_port = each.datagram_source_port,
                                      .datagram_destination_port = each.datagram_destination_port,
                                      .datagram_protocol = each.datagram_protocol});
      }
    }
    return outcomes;
  }
  static std::vector<Frame> frames_of(const std::vector<Outcome>& outcomes) {
    std::vector<Frame> frames;
    for (const Outcome& each : outcomes) {
      EXPECT_EQ(each.verdict, Verdict::kTransmit) << ::testing::PrintToString(each);
      EXPECT_EQ(each.reason, DropReason::kNone);
      frames.push_back(each.frame);
    }
    return frames;
  }
  // Whole again, they are the datagram that would have come out of a whole one.
  static void expect_datagram(const std::vector<Frame>& fragments, const PacketBuilder& expected) {
    Reassembly reassembly;
    for (Frame each : fragments) {
      EXPECT_EQ(each.wrong_checksum(), "");
      reassembly.add(each);
    }
    const Frame whole = expected.build();
    const Bytes packet = whole.network_bytes();
    const size_t at = whole.transport_offset() - whole.network_offset();
    EXPECT_EQ(reassembly.whole(),
              Bytes(packet.begin() + static_cast<std::ptrdiff_t>(at), packet.end()));
  }
  // Of a tunnel's packet: what is inside.
  [[nodiscard]] Frame without_tunnel(const Frame& frame) const {
    const size_t shim = settings.encapsulation == Encapsulation::kIpIp  ? 0
                        : settings.encapsulation == Encapsulation::kGre ? 4
                                                                        : 12;
    Frame copy = frame;
    const size_t outer = (copy.ipv4() != nullptr ? 20U : 40U) + shim;
    Frame inner{Bytes(frame.bytes.begin(), frame.bytes.begin() + 12)};
    const bool v4 = frame.bytes.at(14 + outer) >> 4 == 4;
    inner.bytes.push_back(v4 ? 0x08 : 0x86);
    inner.bytes.push_back(v4 ? 0x00 : 0xdd);
    inner.bytes.insert(inner.bytes.end(),
                       frame.bytes.begin() + 14 + static_cast<std::ptrdiff_t>(outer),
                       frame.bytes.end());
    return inner;
  }
  void expect_reply(const std::vector<Outcome>& outcomes) {
    ASSERT_EQ(outcomes.size(), 4U);
    for (const Outcome& each : outcomes) {
      EXPECT_EQ(each.out_port, kWan);
      EXPECT_EQ(name_of(Frame(each.frame).ethernet()->destination), "client");
    }
    expect_datagram(frames_of(outcomes), talk.reply_at_client().payload(payload));
  }

  void expect_request(const std::vector<Outcome>& outcomes) {
    ASSERT_EQ(outcomes.size(), 4U);
    std::vector<Frame> frames = frames_of(outcomes);
    for (const Outcome& each : outcomes) {
      EXPECT_EQ(each.server(), talk.server());
    }
    if (tunnelled()) {
      for (Frame& each : frames) {
        each = without_tunnel(each);
      }
      return expect_datagram(frames, talk.request().payload(payload));
    }
    expect_datagram(frames, talk.request_at_server().payload(payload));
  }
};

BALLAST_ON_WORKERS(Fragments, {1, 2, 4},
                   cases({"nat-web", "nat-dns", "nat-game", "full-web", "full-dns", "ipip-udp",
                          "gue-udp"}));
class FragmentsBothWays : public Fragments {};
BALLAST_ON_WORKERS(FragmentsBothWays, {1, 2, 4},
                   cases({"nat-web", "nat-dns", "nat-game", "full-web", "full-dns"}));
class FragmentsOfUdp : public Fragments {};
BALLAST_ON_WORKERS(FragmentsOfUdp, {1, 2, 4},
                   cases({"nat-dns", "nat-game", "full-dns", "ipip-udp", "gue-udp"}));
class FragmentsOfUdpInNat : public Fragments {};
BALLAST_ON_WORKERS(FragmentsOfUdpInNat, {1, 2, 4}, cases({"nat-dns", "nat-game"}));
class FragmentsOfIpv6 : public Fragments {};
BALLAST_ON_WORKERS(FragmentsOfIpv6, {1, 2, 4},
                   cases({"nat-web", "nat-dns", "nat-game", "full-web", "full-dns", "ipip-udp",
                          "gue-udp"},
                         Clients::kIpv6));

TEST_P(Fragments, OfARequestReachTheServerInAnyOrder) {
  talk.open();
  std::mt19937 random(1);
  for (int round = 0; round < 8; ++round) {
    std::vector<Frame> fragments = fragments_of(talk.request());
    if (round > 0) {
      std::shuffle(fragments.begin(), fragments.end(), random);
    }
    expect_request(send(fragments, kWan));
  }
}

TEST_P(FragmentsBothWays, OfAReplyReachTheClientInAnyOrder) {
  talk.open();
  std::mt19937 random(2);
  for (int round = 0; round < 8; ++round) {
    std::vector<Frame> fragments = fragments_of(talk.reply());
    if (round > 0) {
      std::shuffle(fragments.begin(), fragments.end(), random);
    }
    expect_reply(send(fragments, kLan));
  }
}

// one_packet: the question was small, and has left nothing behind.
TEST_P(FragmentsOfUdpInNat, OfAReplyToADatagramByItselfAreTranslatedWhicheverServerAnswers) {
  network.set_lease(0);  // the other VIP is not here
  network.service(settings.name).one_packet = true;
  talk.open();
  std::mt19937 random(4);
  for (int round = 0; round < 9; ++round) {
    Talk answer = talk;
    answer.assume_server(1 + round % 3);
    std::vector<Frame> fragments = fragments_of(answer.reply());
    if (round > 2) {
      std::shuffle(fragments.begin(), fragments.end(), random);
    }
    if (round > 5) {  // a question in fragments has an entry, which is no matter of other answers
      send(fragments_of(talk.request()), kWan);
    }
    expect_reply(send(fragments, kLan));
    for (uint16_t worker = 0; worker < GetParam().workers && round <= 5; ++worker) {
      EXPECT_EQ(network.connections(worker).size(), 0U);
    }
  }
}

TEST_P(FragmentsOfUdp, OpenAConnectionLikeAWholeDatagram) {
  Talk first(network, family, settings.name, 41000);
  std::vector<Frame> fragments = fragments_of(first.request());
  std::reverse(fragments.begin(), fragments.end());
  const std::vector<Outcome> outcomes = send(fragments, kWan);
  ASSERT_EQ(outcomes.size(), 4U);
  const int server = outcomes.front().server();
  EXPECT_NE(server, 0);
  for (const Outcome& each : outcomes) {
    EXPECT_EQ(each.server(), server);
  }
}

TEST_P(Fragments, ThatOverlapAreDropped) {
  talk.open();
  PacketBuilder whole = talk.request();
  whole.payload(payload).identification(77);
  const auto part = [&](size_t begin, size_t length) {
    return PacketBuilder(whole).fragment(begin, length, true).build();
  };
  EXPECT_EQ(network.send_to_owner(part(0, 512), {}).server(), talk.server());
  EXPECT_EQ(network.send_to_owner(part(512, 512), {}).server(), talk.server());
  EXPECT_EQ(note(network.send_to_owner(part(504, 512), {})), "dropped: fragment_overlap");
  EXPECT_EQ(note(network.send_to_owner(part(512, 512), {})), "dropped: fragment_overlap");
  EXPECT_EQ(network.send_to_owner(part(1024, 512), {}).server(), talk.server());
}

TEST_P(Fragments, WithoutAFirstAreDroppedInTime) {
  talk.open();
  std::vector<Frame> fragments = fragments_of(talk.request());
  fragments.erase(fragments.begin());
  EXPECT_TRUE(send(fragments, kWan).empty());
  const std::vector<Outcome> gone = pass(kSecond, kWan);
  ASSERT_EQ(gone.size(), 3U);
  for (const Outcome& each : gone) {
    EXPECT_EQ(note(each), "dropped: fragment_timeout");
  }
}

TEST_P(Fragments, ThatAreTinyAreDropped) {
  const Frame tiny = talk.request().payload(payload).fragment(0, 8, true).build();
  const Outcome outcome = network.send_to_owner(tiny, {});
  EXPECT_EQ(outcome.reason == DropReason::kFragmentTiny, talk.is_tcp());
}

TEST_P(Fragments, WhoseOwnTtlEndsHereAreDroppedOneByOne) {
  talk.open();
  const std::vector<Frame> fragments = fragments_of(talk.request().ttl(1));
  for (const Outcome& each : send(fragments, kWan)) {
    EXPECT_EQ(each.reason, tunnelled() ? DropReason::kNone : DropReason::kTtlExpired);
  }
}

TEST_P(Fragments, AreCountedWhenTheyAreHandedOver) {
  talk.open();
  const std::vector<Frame> fragments = fragments_of(talk.request());
  send(fragments, kWan);
  uint64_t of_fragments = 0;
  for (uint16_t worker = 0; worker < GetParam().workers; ++worker) {
    of_fragments += network.counters(worker).handed_over_fragments.read();
  }
  EXPECT_EQ(of_fragments == 0, GetParam().workers == 1);
}

// IPv6: what a later fragment is of is hidden behind the first one's extension headers.
TEST_P(FragmentsOfIpv6, BehindExtensionHeadersAreOfTheSameFlow) {
  talk.open();
  std::mt19937 random(3);
  for (int round = 0; round < 8; ++round) {
    PacketBuilder whole = talk.request();
    whole.fragment_header()
        .extension(IpProtocol::kDestinationOptions, {1, 12})
        .payload(payload)
        .identification(900 + static_cast<uint32_t>(round));
    std::vector<Frame> fragments;
    for (size_t begin = 0; begin < 2016; begin += 512) {
      const bool more = begin + 512 < 2016;
      fragments.push_back(
          PacketBuilder(whole).fragment(begin, more ? 512 : SIZE_MAX, more).build());
    }
    if (round > 0) {
      std::shuffle(fragments.begin(), fragments.end(), random);
    }
    const std::vector<Outcome> outcomes = send(fragments, kWan);
    ASSERT_EQ(outcomes.size(), 4U);
    for (const Outcome& each : outcomes) {
      EXPECT_EQ(each.server(), talk.server()) << note(each);
    }
  }
}

}  // namespace
}  // namespace ballast::testing
