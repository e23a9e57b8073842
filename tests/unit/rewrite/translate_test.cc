#include "dataplane/rewrite/translate.h"

#include <functional>
#include <random>

#include "dataplane/rewrite/nat.h"
#include "tests/unit/rewrite/in_place.h"
#include "tests/unit/rewrite/notes.h"
#include "tests/unit/rewrite/translation_check.h"

namespace ballast::testing {
namespace {

Bytes counted(size_t length) {
  Bytes bytes(length);
  for (size_t i = 0; i < length; ++i) {
    bytes[i] = static_cast<uint8_t>(i * 7 + i / 256);
  }
  return bytes;
}

// A kind of packet, of any flow; both families unless it says one.
struct Shape {
  std::string_view what;
  std::function<PacketBuilder(const FlowNote&)> build;
  std::optional<Family> only = std::nullopt;
};

PacketBuilder ip(const FlowNote& note) {
  return packet().ip(note.source.address, note.destination.address);
}
PacketBuilder tcp(const FlowNote& note, uint8_t flags = kAck, PacketBuilder from = packet()) {
  return from.ip(note.source.address, note.destination.address)
      .tcp(note.source.port.to_host(), note.destination.port.to_host(), flags);
}
PacketBuilder udp(const FlowNote& note, PacketBuilder from = packet()) {
  return from.ip(note.source.address, note.destination.address)
      .udp(note.source.port.to_host(), note.destination.port.to_host());
}

const std::vector<Shape> kShapes = {
    {"tcp syn with options",
     [](auto& f) {
       return tcp(f, kSyn).tcp_options({2, 4, 5, 0xb4, 1, 3, 3, 7});
     }},
    {"tcp empty", [](auto& f) { return tcp(f); }},
    {"tcp of odd length", [](auto& f) { return tcp(f, kPsh | kAck).payload(counted(1)); }},
    {"tcp with 40 bytes of options",
     [](auto& f) { return tcp(f).tcp_options(Bytes(40, 1)).payload(counted(33)); }},
    {"tcp of a full frame", [](auto& f) { return tcp(f).payload(counted(1440)); }},
    {"tcp of a jumbo frame", [](auto& f) { return tcp(f).payload(counted(8940)); }},
    {"tcp as long as can be", [](auto& f) { return tcp(f).payload(counted(65535 - 60)); }},
    {"tcp padded by Ethernet", [](auto& f) { return tcp(f).pad_to(96); }},
    {"tcp in a VLAN", [](auto& f) { return tcp(f).vlan(100); }},
    {"tcp in two VLANs", [](auto& f) { return tcp(f).vlan(100, true).vlan(7).payload("x"); }},
    {"tcp with traffic class", [](auto& f) { return tcp(f).traffic_class(0xbb); }},
    {"udp empty", [](auto& f) { return udp(f); }},
    {"udp of odd length", [](auto& f) { return udp(f).payload("query"); }},
    {"udp of even length", [](auto& f) { return udp(f).payload("answer"); }},
    {"udp without checksum",
     [](auto& f) { return udp(f).udp_without_checksum().payload("query"); }},
    {"udp, first fragment",
     [](auto& f) { return udp(f).payload(counted(3000)).fragment(0, 1480, true); }},
    {"udp, a fragment in between",
     [](auto& f) { return udp(f).payload(counted(3000)).fragment(1480, 1480, true); }},
    {"udp, last fragment",
     [](auto& f) { return udp(f).payload(counted(3001)).fragment(2960, SIZE_MAX, false); }},
    {"tcp, first fragment",
     [](auto& f) { return tcp(f).payload(counted(3000)).fragment(0, 1480, true); }},
    {"tcp, later fragment",
     [](auto& f) { return tcp(f).payload(counted(3000)).fragment(1480, SIZE_MAX, false); }},
    {"udp with IPv4 options",
     [](auto& f) {
       return udp(f).ipv4_options({148, 4, 0, 0, 1}).payload("query");
     },
     Family::kIpv4},
    {"tcp with the longest IPv4 header",
     [](auto& f) { return tcp(f).ipv4_options(Bytes(40, 1)).payload("x"); }, Family::kIpv4},
    {"tcp with record route, which is left alone",
     [](auto& f) {
       return tcp(f).ipv4_options({7, 7, 8, 192, 0, 2, 1, 0});
     },
     Family::kIpv4},
    {"tcp behind extension headers",
     [](auto& f) {
       return tcp(f)
           .extension(IpProtocol::kHopByHop, {5, 2, 0, 0})
           .routing(2, 0)
           .extension(IpProtocol::kDestinationOptions, Bytes(30))
           .payload("x");
     },
     Family::kIpv6},
    {"udp in an atomic fragment", [](auto& f) { return udp(f).fragment_header().payload("query"); },
     Family::kIpv6},
    {"esp", [](auto& f) { return ip(f).protocol(IpProtocol::kEsp).payload(counted(40)); }},
    {"echo reply", [](auto& f) {
       const bool v4 = f.family() == Family::kIpv4;
       return ip(f)
           .icmp(v4 ? kIcmpEchoReply : kIcmpv6EchoReply, 0, echo_fields(1, 2))
           .payload("odd");
     }}};

struct Outcome {
  RewriteResult result;
  Frame frame;
};

Outcome translated(const Frame& frame, const Translation& to, TtlAction ttl) {
  const ExactBuffer buffer(frame.bytes);
  const RewriteResult result = translate(buffer.view(), parsed(frame), to, ttl);
  return {result, Frame{Bytes(buffer.data(), buffer.data() + buffer.size())}};
}

Outcome short_way(const Frame& frame, const FlowNote& leaves, const Translation& to) {
  const ExactBuffer buffer(frame.bytes);
  const ParsedPacket packet = parsed(frame);
  const RewriteResult result =
      to.source && to.destination
          ? rewrite_full_nat(buffer.view(), packet, leaves.source, leaves.destination)
      : to.source ? rewrite_nat_out(buffer.view(), packet, leaves.source)
                  : rewrite_nat_in(buffer.view(), packet, leaves.destination);
  return {result, Frame{Bytes(buffer.data(), buffer.data() + buffer.size())}};
}

template <typename Check>
void for_each_mode_and_shape(Check check) {
  for (const ModeNote& mode : kModes) {
    const FlowNote arrives = flow(mode.arrives);
    const FlowNote leaves = flow(mode.leaves);
    for (const Shape& shape : kShapes) {
      if (shape.only && *shape.only != arrives.family()) {
        continue;
      }
      SCOPED_TRACE(std::string(mode.mode) + " " + std::string(mode.direction) + ", " +
                   std::string(mode.arrives) + ", " + std::string(shape.what));
      ASSERT_NO_FATAL_FAILURE(check(arrives, leaves, shape));
    }
  }
}

// The builder computes every checksum anew, and does not know of translations.
TEST(Translate, MakesThePacketThatTheOtherSideWouldHaveSent) {
  for_each_mode_and_shape([](const FlowNote& arrives, const FlowNote& leaves, const Shape& shape) {
    const Frame in = shape.build(arrives).ttl(64).build();
    const Frame out = shape.build(leaves).ttl(63).build();
    const Translation to = translation(arrives, leaves);
    const Outcome found = translated(in, to, TtlAction::kDecrement);
    EXPECT_EQ(found.result, RewriteResult::kDone);
    EXPECT_EQ(found.frame, out);
    EXPECT_EQ(translated(in, to, TtlAction::kKeep).frame, shape.build(leaves).ttl(64).build());
    const Outcome fast = short_way(in, leaves, to);
    EXPECT_EQ(fast.result, RewriteResult::kDone);
    EXPECT_EQ(fast.frame, out);
  });
}

TEST(Translate, BackGivesTheOriginalBytes) {
  for_each_mode_and_shape([](const FlowNote& arrives, const FlowNote& leaves, const Shape& shape) {
    const Frame in = shape.build(arrives).build();
    const Outcome there = translated(in, translation(arrives, leaves), TtlAction::kKeep);
    EXPECT_NE(there.frame, in);
    EXPECT_EQ(translated(there.frame, translation(leaves, arrives), TtlAction::kKeep).frame, in);
  });
}

TEST(Translate, RefusesWhatWouldLeaveWithoutTtlAndChangesNothing) {
  for_each_mode_and_shape([](const FlowNote& arrives, const FlowNote& leaves, const Shape& shape) {
    const Translation to = translation(arrives, leaves);
    const Frame last = shape.build(arrives).ttl(1).build();
    for (const Outcome& found :
         {translated(last, to, TtlAction::kDecrement), short_way(last, leaves, to)}) {
      EXPECT_EQ(found.result, RewriteResult::kTtlExpired);
      EXPECT_EQ(found.frame, last);
    }
    EXPECT_EQ(translated(last, to, TtlAction::kKeep).result, RewriteResult::kDone);
    const Outcome found =
        translated(shape.build(arrives).ttl(2).build(), to, TtlAction::kDecrement);
    EXPECT_EQ(found.frame, shape.build(leaves).ttl(1).build());
  });
}

// All fragments together are the translated datagram: its checksum is in the first only.
TEST(Translate, OfEveryFragmentIsTheTranslationOfTheDatagram) {
  for (const ModeNote& mode : kModes) {
    SCOPED_TRACE(mode.arrives);
    const FlowNote arrives = flow(mode.arrives);
    const FlowNote leaves = flow(mode.leaves);
    const Bytes whole = udp(leaves).payload(counted(8000)).build().network_bytes();
    const size_t header = arrives.family() == Family::kIpv4 ? 20 : 40;
    Bytes together;
    for (size_t offset = 0; offset < 8008; offset += 1400) {
      const bool more = offset + 1400 < 8008;
      const Frame fragment =
          udp(arrives).payload(counted(8000)).fragment(offset, 1400, more).build();
      const Outcome out = translated(fragment, translation(arrives, leaves), TtlAction::kDecrement);
      ASSERT_EQ(out.result, RewriteResult::kDone);
      const Bytes bytes = out.frame.network_bytes();
      const size_t skipped = header + (header == 40 ? sizeof(Ipv6FragmentHeader) : 0);
      together.insert(together.end(), bytes.begin() + static_cast<std::ptrdiff_t>(skipped),
                      bytes.end());
    }
    EXPECT_EQ(together, Bytes(whole.begin() + static_cast<std::ptrdiff_t>(header), whole.end()));
  }
}

// For every sum that a payload can bring about, 0 among them, which is written 0xffff.
TEST(Translate, NeverTurnsAUdpChecksumIntoNone) {
  for (const ModeNote& mode : kModes) {
    const FlowNote arrives = flow(mode.arrives);
    const FlowNote leaves = flow(mode.leaves);
    Frame in = udp(arrives).payload(Bytes{0, 0, 1}).build();
    bool seen = false;
    for (uint32_t word = 0; word < 0x10000; ++word) {
      uint8_t* payload = in.bytes.data() + in.transport_offset() + sizeof(UdpHeader);
      payload[0] = static_cast<uint8_t>(word >> 8);
      payload[1] = static_cast<uint8_t>(word);
      in.fix_checksums();
      Frame out = in;
      ASSERT_EQ(rewrite_full_nat(out.view(), parsed(out), leaves.source, leaves.destination),
                RewriteResult::kDone);
      ASSERT_EQ(out.wrong_checksum(), "");
      seen = seen || out.udp()->checksum == Big16::from_host(0xffff);
    }
    EXPECT_TRUE(seen);
  }
}

TEST(Translate, LeavesAZeroUdpChecksumOfIpv6ToItsReceiver) {
  const FlowNote arrives = flow(kModes[4].arrives);
  const FlowNote leaves = flow(kModes[4].leaves);
  const Frame in = udp(arrives).udp_without_checksum().payload("tunnel").build();
  Outcome out = translated(in, translation(arrives, leaves), TtlAction::kDecrement);
  EXPECT_EQ(out.result, RewriteResult::kDone);
  EXPECT_EQ(out.frame.udp()->checksum, Big16{});
}

TEST(Translate, KeepsADamagedPacketDamaged) {
  for_each_mode_and_shape([](const FlowNote& arrives, const FlowNote& leaves, const Shape& shape) {
    Frame in = shape.build(arrives).build();
    const ParsedPacket packet = parsed(in);
    const bool has_checksum = packet.kind == PacketKind::kTransport && !packet.fragment &&
                              shape.what != "udp without checksum";
    if (!has_checksum) {
      return;
    }
    in.bytes[packet.transport_offset + 7U] ^= 0x10;  // TCP sequence number, UDP checksum
    ASSERT_NE(in.wrong_checksum(), "");
    Outcome out = translated(in, translation(arrives, leaves), TtlAction::kDecrement);
    EXPECT_EQ(out.result, RewriteResult::kDone);
    EXPECT_NE(out.frame.wrong_checksum(), "");
  });
}

TEST(Translate, RefusesEndsOfTheOtherFamily) {
  for (size_t i = 0; i < std::size(kModes); ++i) {
    const Frame in = tcp(flow(kModes[i].arrives)).build();
    const FlowNote other = flow(kModes[(i + 4) % 8].leaves);
    for (const Translation& to :
         {Translation{other.source, {}}, Translation{{}, other.destination}}) {
      const Outcome out = translated(in, to, TtlAction::kDecrement);
      EXPECT_EQ(out.result, RewriteResult::kNotApplicable);
      EXPECT_EQ(out.frame, in);
    }
  }
}

TEST(Translate, RefusesProtocolsWhoseChecksumItDoesNotKnow) {
  for (const ModeNote& mode : kModes) {
    const FlowNote arrives = flow(mode.arrives);
    for (const int protocol : {33, 136}) {
      const Frame in =
          ip(arrives).protocol(static_cast<IpProtocol>(protocol)).payload(counted(40)).build();
      const Outcome out =
          translated(in, translation(arrives, flow(mode.leaves)), TtlAction::kDecrement);
      EXPECT_EQ(out.result, RewriteResult::kNotApplicable);
      EXPECT_EQ(out.frame, in);
    }
  }
}

TEST(Translate, DoesWhatTheModelDoesToEverySample) {
  for (const Sample& sample : sample_frames()) {
    SCOPED_TRACE(sample.name);
    for (uint32_t seed = 0; seed < 200; ++seed) {
      ASSERT_EQ(violated_translation(sample.frame.bytes, seed), "") << seed;
      ASSERT_EQ(violated_icmp_translation(sample.frame.bytes, seed), "") << seed;
    }
  }
}

// Bytes changed anywhere, then made to pass the parser's checksums, or not.
TEST(Translate, DoesWhatTheModelDoesToRandomPackets) {
  std::mt19937 random(5);
  for (const Sample& sample : sample_frames()) {
    SCOPED_TRACE(sample.name);
    for (uint32_t change = 0; change < 2000; ++change) {
      Frame changed = sample.frame;
      for (unsigned i = 0; i <= random() % 4; ++i) {
        changed.bytes[random() % changed.size()] = static_cast<uint8_t>(random());
      }
      if (change % 4 != 0) {
        try {
          changed.fix_checksums();
        } catch (const std::out_of_range&) {
          continue;
        }
      }
      ASSERT_EQ(violated_translation(changed.bytes, change), "") << change;
      ASSERT_EQ(violated_icmp_translation(changed.bytes, change), "") << change;
    }
  }
}

TEST(Translate, RefusesEveryTruncationOrStaysInside) {
  for (const Sample& sample : sample_frames()) {
    SCOPED_TRACE(sample.name);
    const ParsedPacket whole = parsed(sample.frame);
    for (size_t size = 0; size <= sample.frame.size(); ++size) {
      Frame cut = sample.frame.truncated(size);
      ASSERT_EQ(violated_translation(cut.bytes, 1), "") << "cut to " << size;
      const size_t missing = sample.frame.size() - size;
      ASSERT_EQ(violated_truncation(cut.bytes, whole, missing), "") << "cut to " << size;
    }
  }
}

}  // namespace
}  // namespace ballast::testing
