#include "dataplane/rewrite/ip_tunnel.h"

#include <functional>
#include <random>
#include <set>

#include "tests/unit/rewrite/in_place.h"
#include "tests/unit/rewrite/tunnel_check.h"

namespace ballast::testing {
namespace {

constexpr std::string_view kClients[] = {"198.51.100.7", "2001:db8:1::7"};
constexpr std::string_view kVips[] = {"192.0.2.10", "2001:db8::10"};

// Balancer -> real server, by the outer family.
const IpAddress kSources[] = {ip_address("10.0.0.1"), ip_address("fd00::1")};
const IpAddress kServers[] = {ip_address("10.0.0.11"), ip_address("fd00::11")};

struct TunnelNote {
  std::string_view what;
  Encapsulation encapsulation;
  size_t inner, outer;  // 0: IPv4, 1: IPv6
  uint16_t overhead;
};

const TunnelNote kTunnels[] = {
    {"ipip 4in4", Encapsulation::kIpIp, 0, 0, 20}, {"ipip 6in6", Encapsulation::kIpIp, 1, 1, 40},
    {"ipip 6in4", Encapsulation::kIpIp, 1, 0, 20}, {"ipip 4in6", Encapsulation::kIpIp, 0, 1, 40},
    {"gre 4in4", Encapsulation::kGre, 0, 0, 24},   {"gre 6in6", Encapsulation::kGre, 1, 1, 44},
    {"gre 6in4", Encapsulation::kGre, 1, 0, 24},   {"gre 4in6", Encapsulation::kGre, 0, 1, 44},
    {"gue 4in4", Encapsulation::kGue, 0, 0, 32},   {"gue 6in6", Encapsulation::kGue, 1, 1, 52},
    {"gue 6in4", Encapsulation::kGue, 1, 0, 32},   {"gue 4in6", Encapsulation::kGue, 0, 1, 52},
};

template <typename Check>
void for_each_tunnel(Check check) {
  for (const TunnelNote& note : kTunnels) {
    SCOPED_TRACE(note.what);
    ASSERT_NO_FATAL_FAILURE(check(note));
  }
}

Tunnel tunnel_of(const TunnelNote& note) {
  Tunnel tunnel;
  tunnel.destination = kServers[note.outer];
  tunnel.encapsulation = note.encapsulation;
  return tunnel;
}

OuterFields outer_of(const TunnelNote& note, uint16_t mtu = 0xffff) {
  OuterFields outer;
  outer.source = kSources[note.outer];
  outer.flow_hash = 0x9abcdef0;
  outer.identification = 0x4711;
  outer.mtu = mtu;
  return outer;
}

PacketBuilder from_client(const TunnelNote& note) {
  return packet().ip(kClients[note.inner], kVips[note.inner]);
}

Encapsulated send(const TunnelNote& note, const Frame& frame, uint16_t mtu = 0xffff) {
  return encapsulated(TunnelHeader(tunnel_of(note)), frame, parsed(frame), outer_of(note, mtu), 64);
}

// Ends the test when it is not encapsulated at all.
Decapsulated received(const TunnelNote& note, const Frame& frame) {
  const Encapsulated out = send(note, frame);
  EXPECT_EQ(out.result, RewriteResult::kDone);
  EXPECT_EQ(out.frame.size(),
            frame.network_offset() + frame.network_bytes().size() + note.overhead);
  Decapsulated in = decapsulate(out.frame, note.encapsulation);
  EXPECT_EQ(in.fault, "");
  EXPECT_EQ(in.end, out.frame.size());
  return in;
}

struct Shape {
  std::string_view what;
  std::function<PacketBuilder(const TunnelNote&)> build;
};

const std::vector<Shape> kShapes = {
    {"tcp syn",
     [](auto& n) {
       return from_client(n).tcp(40000, 80, kSyn).tcp_options({2, 4, 5, 180});
     }},
    {"tcp of odd length",
     [](auto& n) { return from_client(n).tcp(40000, 80, kAck).payload("odd"); }},
    {"tcp of a full frame",
     [](auto& n) { return from_client(n).tcp(40000, 80, kAck).payload(Bytes(1440, 'x')); }},
    {"tcp of a jumbo frame",
     [](auto& n) { return from_client(n).tcp(40000, 80, kAck).payload(Bytes(8901, 'x')); }},
    {"tcp padded by Ethernet",
     [](auto& n) { return from_client(n).tcp(40000, 80, kAck).pad_to(99); }},
    {"tcp in a VLAN", [](auto& n) { return from_client(n).vlan(7).tcp(40000, 80, kAck); }},
    {"tcp in two VLANs",
     [](auto& n) { return from_client(n).vlan(9, true).vlan(7).tcp(40000, 80, kAck); }},
    {"udp", [](auto& n) { return from_client(n).udp(5353, 53).payload("query"); }},
    {"udp empty", [](auto& n) { return from_client(n).udp(5353, 53); }},
    {"udp without checksum",
     [](auto& n) { return from_client(n).udp(5353, 53).udp_without_checksum().payload("query"); }},
    {"first fragment",
     [](auto& n) {
       return from_client(n).udp(5353, 53).payload(Bytes(3000, 'y')).fragment(0, 1480, true);
     }},
    {"tcp, first fragment",
     [](auto& n) {
       return from_client(n).tcp(40000, 80, kAck).payload(Bytes(3000, 'y')).fragment(0, 1480, true);
     }},
    {"later fragment",
     [](auto& n) {
       return from_client(n)
           .udp(5353, 53)
           .payload(Bytes(3001, 'y'))
           .fragment(1480, SIZE_MAX, false);
     }},
    {"echo request", [](auto& n) { return from_client(n).echo_request(1, 2).payload("ping"); }},
    {"icmp error",
     [](auto& n) {
       return packet()
           .ip(kClients[n.inner], kVips[n.inner])
           .icmp_error(n.inner == 0 ? 3 : 1, 1,
                       packet().ip(kVips[n.inner], kClients[n.inner]).udp(53, 5353).build());
     }},
    {"esp",
     [](auto& n) { return from_client(n).protocol(IpProtocol::kEsp).payload(Bytes(77, 'z')); }},
    {"options or extension headers",
     [](auto& n) {
       PacketBuilder b = from_client(n).tcp(40000, 80, kAck).payload("x");
       return n.inner == 0 ? b.ipv4_options({148, 4, 0, 0})
                           : b.extension(IpProtocol::kDestinationOptions);
     }},
};

TEST(IpTunnel, TheOtherEndGetsThePacketThatWasSent) {
  for_each_tunnel([](const TunnelNote& note) {
    for (const Shape& shape : kShapes) {
      SCOPED_TRACE(shape.what);
      Frame frame = shape.build(note).build();
      const Decapsulated in = received(note, frame);
      EXPECT_EQ(in.inner, frame.network_bytes());
      EXPECT_EQ(in.source, kSources[note.outer]);
      EXPECT_EQ(in.destination, kServers[note.outer]);
      EXPECT_EQ(in.ttl, 64);
      // MACs and tags are those of before, the EtherType is the outer family's.
      Bytes link(frame.bytes.begin(),
                 frame.bytes.begin() + static_cast<std::ptrdiff_t>(frame.network_offset()));
      link[link.size() - 2] = note.outer == 0 ? 0x08 : 0x86;
      link[link.size() - 1] = note.outer == 0 ? 0x00 : 0xdd;
      EXPECT_EQ(in.link, link);
    }
  });
}

TEST(IpTunnel, IsTakenByOurOwnParser) {
  for_each_tunnel([](const TunnelNote& note) {
    for (const Shape& shape : kShapes) {
      SCOPED_TRACE(shape.what);
      expect_sendable(send(note, shape.build(note).build()).frame);
    }
  });
}

TEST(IpTunnel, CopiesDscpAndEcn) {
  for_each_tunnel([](const TunnelNote& note) {
    for (unsigned traffic_class = 0; traffic_class < 256; ++traffic_class) {
      const Frame frame = from_client(note)
                              .traffic_class(static_cast<uint8_t>(traffic_class))
                              .tcp(40000, 80, kAck)
                              .build();
      ASSERT_EQ(received(note, frame).traffic_class, traffic_class);
    }
  });
}

TEST(IpTunnel, HonoursDontFragment) {
  for_each_tunnel([](const TunnelNote& note) {
    if (note.outer != 0) {
      return;
    }
    const PacketBuilder may = from_client(note).udp(5353, 53).payload("query");
    const Decapsulated fragmentable = received(note, may.build());
    EXPECT_EQ(fragmentable.dont_fragment, note.inner == 1);  // over IPv6 always
    EXPECT_EQ(fragmentable.identification, note.inner == 1 ? 0 : 0x4711);
    if (note.inner == 0) {
      const Decapsulated atomic = received(note, PacketBuilder(may).dont_fragment().build());
      EXPECT_TRUE(atomic.dont_fragment);
      EXPECT_EQ(atomic.identification, 0);
    }
    Tunnel tunnel = tunnel_of(note);
    tunnel.dont_fragment = OuterDontFragment::kAlways;
    const Frame frame = may.build();
    const Encapsulated out =
        encapsulated(TunnelHeader(tunnel), frame, parsed(frame), outer_of(note), 64);
    EXPECT_TRUE(decapsulate(out.frame, note.encapsulation).dont_fragment);
  });
}

TEST(IpTunnel, SpreadsFlowsByTheirHash) {
  for_each_tunnel([](const TunnelNote& note) {
    const Frame frame = from_client(note).udp(5353, 53).payload("query").build();
    std::set<uint32_t> values;
    for (uint32_t i = 0; i < 4096; ++i) {
      OuterFields outer = outer_of(note);
      outer.flow_hash = i << 20 | i;
      const Encapsulated out =
          encapsulated(TunnelHeader(tunnel_of(note)), frame, parsed(frame), outer, 64);
      const Decapsulated in = decapsulate(out.frame, note.encapsulation);
      ASSERT_EQ(in.fault, "");
      if (note.encapsulation == Encapsulation::kGue) {
        ASSERT_GE(in.source_port, 49152);
        ASSERT_EQ(in.destination_port, 6080);
        values.insert(in.source_port);
      } else {
        values.insert(in.flow_label);
      }
      ASSERT_EQ(in.flow_label == 0, note.outer == 0);
    }
    if (note.encapsulation == Encapsulation::kGue || note.outer == 1) {
      EXPECT_GE(values.size(), 4095U);
    }
  });
}

TEST(IpTunnel, HasAUdpChecksumOverIpv6UnlessToldOtherwise) {
  for_each_tunnel([](const TunnelNote& note) {
    if (note.encapsulation != Encapsulation::kGue) {
      return;
    }
    for (const Shape& shape : kShapes) {
      SCOPED_TRACE(shape.what);
      const Frame frame = shape.build(note).build();
      EXPECT_EQ(received(note, frame).udp_checksum != 0, note.outer == 1);
      Tunnel tunnel = tunnel_of(note);
      tunnel.checksum = TunnelChecksum::kNone;
      const Encapsulated out =
          encapsulated(TunnelHeader(tunnel), frame, parsed(frame), outer_of(note), 64);
      const Decapsulated in = decapsulate(out.frame, note.encapsulation);
      EXPECT_EQ(in.fault, "");
      EXPECT_EQ(in.udp_checksum, 0);
    }
  });
}

// Its checksum does not cover the bytes behind it, that of the tunnel does.
TEST(IpTunnel, CarriesADatagramThatEndsBeforeItsPacket) {
  for_each_tunnel([](const TunnelNote& note) {
    Frame frame = from_client(note).udp(5353, 53).payload("queryjunk").build();
    const size_t at = frame.transport_offset();
    frame.udp()->length = Big16::from_host(sizeof(UdpHeader) + 5);
    frame.udp()->checksum = {};
    const Bytes datagram(frame.bytes.begin() + static_cast<std::ptrdiff_t>(at),
                         frame.bytes.begin() + static_cast<std::ptrdiff_t>(at + 13));
    frame.udp()->checksum = Big16::from_host(
        reference_transport_checksum(ip_address(kClients[note.inner]),
                                     ip_address(kVips[note.inner]), IpProtocol::kUdp, datagram));
    EXPECT_EQ(received(note, frame).inner, frame.network_bytes());
  });
}

// For every sum that a packet can have.
TEST(IpTunnel, NeverTurnsAUdpChecksumIntoNone) {
  const TunnelNote& note = kTunnels[9];
  ASSERT_EQ(note.what, "gue 6in6");
  Frame frame = from_client(note).tcp(40000, 80, kAck).payload(Bytes{0, 0}).build();
  const ParsedPacket whole = parsed(frame);
  bool seen = false;
  for (uint32_t hash = 0; hash < 0x4000; ++hash) {
    for (const uint16_t port :
         {uint16_t{6080}, uint16_t{0x4000}, uint16_t{0x8000}, uint16_t{0xc000}}) {
      Tunnel other = tunnel_of(note);
      other.gue_port = Big16::from_host(port);
      OuterFields outer = outer_of(note);
      outer.flow_hash = hash << 18;
      const Encapsulated out = encapsulated(TunnelHeader(other), frame, whole, outer, 64);
      const Decapsulated in = decapsulate(out.frame, note.encapsulation);
      ASSERT_EQ(in.fault, "");
      ASSERT_NE(in.udp_checksum, 0);
      seen = seen || in.udp_checksum == 0xffff;
    }
  }
  EXPECT_TRUE(seen);
}

// The end of the packet is in another segment: its sum follows from the inner checksum, or there is
// none.
TEST(IpTunnel, EncapsulatesChainedFrames) {
  for_each_tunnel([](const TunnelNote& note) {
    for (const Shape& shape : kShapes) {
      SCOPED_TRACE(shape.what);
      const Frame whole = shape.build(note).build();
      const ParsedPacket packet = parsed(whole);
      const size_t first = std::min<size_t>(packet.transport_offset + 24U, whole.size());
      const size_t missing = whole.size() - first;
      const Encapsulated out = encapsulated(TunnelHeader(tunnel_of(note)), whole.truncated(first),
                                            packet, outer_of(note), 64, missing);
      ASSERT_EQ(out.result, RewriteResult::kDone);
      Frame together = out.frame;
      together.bytes.insert(together.bytes.end(),
                            whole.bytes.begin() + static_cast<std::ptrdiff_t>(first),
                            whole.bytes.end());
      const Decapsulated in = decapsulate(together, note.encapsulation);
      EXPECT_EQ(in.fault, "");
      EXPECT_EQ(in.inner, whole.network_bytes());
      EXPECT_EQ(out.frame_size, together.size());
      if (note.encapsulation == Encapsulation::kGue && note.outer == 1 &&
          (shape.what == "tcp of a full frame" || shape.what == "udp")) {
        EXPECT_NE(in.udp_checksum, 0);
      }
    }
  });
}

TEST(IpTunnel, SaysWhatDoesNotFit) {
  for_each_tunnel([](const TunnelNote& note) {
    const Family inner = note.inner == 0 ? Family::kIpv4 : Family::kIpv6;
    const Family outer = note.outer == 0 ? Family::kIpv4 : Family::kIpv6;
    EXPECT_EQ(tunnel_overhead(note.encapsulation, outer), note.overhead);
    for (const uint16_t link : {uint16_t{1500}, uint16_t{9000}}) {
      const uint16_t fits = tunnel_mtu(note.encapsulation, outer, inner, link);
      EXPECT_EQ(fits, link - note.overhead);
      const size_t headers = note.inner == 0 ? 28 : 48;
      const auto datagram = [&](size_t length) {
        return from_client(note).udp(5353, 53).payload(Bytes(length - headers, 'x'));
      };
      EXPECT_EQ(send(note, datagram(fits).build(), link).result, RewriteResult::kDone);
      EXPECT_EQ(send(note, datagram(fits).dont_fragment().build(), link).result,
                RewriteResult::kDone);
      const Frame told = datagram(fits + 1U).dont_fragment().build();
      const Encapsulated refused = send(note, told, link);
      EXPECT_EQ(refused.result, RewriteResult::kTooBig);
      EXPECT_EQ(refused.frame, told);
      EXPECT_EQ(send(note, datagram(fits + 1U).build(), link).result,
                note.inner == 0 ? RewriteResult::kMustFragment : RewriteResult::kTooBig);
    }
  });
}

// RFC 8200 section 5: nobody may be told less than 1280.
TEST(IpTunnel, NeverTellsAnIpv6SenderLessThanItMustSupport) {
  for (const TunnelNote& note : kTunnels) {
    SCOPED_TRACE(note.what);
    const Family outer = note.outer == 0 ? Family::kIpv4 : Family::kIpv6;
    EXPECT_EQ(tunnel_mtu(note.encapsulation, outer, Family::kIpv6, 1280), 1280);
    EXPECT_EQ(tunnel_mtu(note.encapsulation, outer, Family::kIpv4, 0), 68);
    if (note.inner == 1) {
      const Frame frame = from_client(note).udp(5353, 53).payload(Bytes(1280 - 48, 'x')).build();
      EXPECT_EQ(send(note, frame, 1280).result, RewriteResult::kMustFragment);
    }
  }
}

TEST(IpTunnel, RefusesWhatWouldBeLongerThanAPacketCanBe) {
  for_each_tunnel([](const TunnelNote& note) {
    const size_t headers = note.inner == 0 ? 40 : 60;
    const Frame frame = from_client(note)
                            .dont_fragment()
                            .tcp(40000, 80, kAck)
                            .payload(Bytes(65535 - headers, 'x'))
                            .build();
    EXPECT_EQ(send(note, frame).result, RewriteResult::kTooBig);
  });
}

TEST(IpTunnel, RefusesWhatItIsNotForAndChangesNothing) {
  for_each_tunnel([](const TunnelNote& note) {
    const Frame syn = from_client(note).tcp(40000, 80, kSyn).build();
    const Frame arp =
        packet()
            .arp(kArpRequest, kClientMac, "192.0.2.1", "00:00:00:00:00:00", "192.0.2.10")
            .build();
    OuterFields other = outer_of(note);
    other.source = kSources[1 - note.outer];
    const TunnelHeader tunnel(tunnel_of(note));
    const Encapsulated of_arp = encapsulated(tunnel, arp, parsed(arp), outer_of(note), 64);
    const Encapsulated of_syn = encapsulated(tunnel, syn, parsed(syn), other, 64);
    const Encapsulated no_room =
        encapsulated(tunnel, syn, parsed(syn), outer_of(note), note.overhead - 1U);
    EXPECT_EQ(of_arp.result, RewriteResult::kNotApplicable);
    EXPECT_EQ(of_arp.frame, arp);
    EXPECT_EQ(of_syn.result, RewriteResult::kNotApplicable);
    EXPECT_EQ(of_syn.frame, syn);
    EXPECT_EQ(no_room.result, RewriteResult::kNoHeadroom);
    EXPECT_EQ(no_room.frame, syn);
  });
}

TEST(IpTunnel, CarriesEverySampleUnchanged) {
  for (const Sample& sample : sample_frames()) {
    SCOPED_TRACE(sample.name);
    for (uint32_t seed = 0; seed < 50; ++seed) {
      ASSERT_EQ(violated_encapsulation(sample.frame.bytes, seed), "") << seed;
    }
  }
}

TEST(IpTunnel, CarriesRandomPacketsUnchanged) {
  std::mt19937 random(7);
  for (const Sample& sample : sample_frames()) {
    SCOPED_TRACE(sample.name);
    for (uint32_t change = 0; change < 300; ++change) {
      Frame changed = sample.frame;
      for (unsigned i = 0; i <= random() % 4; ++i) {
        changed.bytes[random() % changed.size()] = static_cast<uint8_t>(random());
      }
      try {
        changed.fix_checksums();
      } catch (const std::out_of_range&) {
        continue;
      }
      ASSERT_EQ(violated_encapsulation(changed.bytes, change), "") << change;
    }
  }
}

TEST(IpTunnel, RefusesEveryTruncationOrStaysInside) {
  for (const Sample& sample : sample_frames()) {
    SCOPED_TRACE(sample.name);
    const ParsedPacket whole = parsed(sample.frame);
    for (size_t size = 0; size < sample.frame.size(); ++size) {
      const Frame cut = sample.frame.truncated(size);
      ASSERT_EQ(violated_encapsulation(cut.bytes, 1), "");
      for (const TunnelNote& note : kTunnels) {
        const TunnelHeader tunnel(tunnel_of(note));
        const Encapsulated out = encapsulated(tunnel, cut, whole, outer_of(note), 64);
        const size_t end = size_t{whole.network_offset} + whole.network_length;
        if (size < end) {
          ASSERT_EQ(out.result, RewriteResult::kNotApplicable) << size;
          ASSERT_EQ(out.frame, cut);
        }
        const Encapsulated chained =
            encapsulated(tunnel, cut, whole, outer_of(note), 64, sample.frame.size() - size);
        if (chained.result != RewriteResult::kDone) {
          ASSERT_EQ(chained.frame, cut);
        }
      }
    }
  }
}

}  // namespace
}  // namespace ballast::testing
