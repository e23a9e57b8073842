#include "dataplane/rewrite/icmp_translate.h"

#include "tests/unit/rewrite/in_place.h"
#include "tests/unit/rewrite/notes.h"
#include "tests/unit/rewrite/translation_check.h"

namespace ballast::testing {
namespace {

constexpr std::string_view kText = "GET /index.html HTTP/1.1";

// What a router in the servers' network, or one in the clients', is called.
IpAddress router(Family family) {
  return ip_address(family == Family::kIpv4 ? "203.0.113.1" : "2001:db8:2::1");
}

struct ErrorNote {
  std::string_view what;
  uint8_t v4_type, v4_code;
  uint8_t v6_type, v6_code;
  std::array<uint8_t, 4> v4_rest{};
  std::array<uint8_t, 4> v6_rest{};
};

const ErrorNote kErrors[] = {
    {"port unreachable", 3, 3, 1, 4},
    {"host unreachable", 3, 1, 1, 3},
    {"too big", 3, 4, 2, 0, mtu(1400), mtu_v6(1400)},
    {"time exceeded", 11, 0, 3, 0},
    {"parameter problem", 12, 0, 4, 0, {20, 0, 0, 0}, {0, 0, 0, 40}},
};

// What is quoted: the connection's packet that went the other way.
PacketBuilder quoted(const FlowNote& error_goes, bool tcp) {
  PacketBuilder builder = packet().ip(error_goes.destination.address, error_goes.source.address);
  const uint16_t source = error_goes.destination.port.to_host();
  const uint16_t destination = error_goes.source.port.to_host();
  return tcp ? builder.tcp(source, destination, kPsh | kAck).sequence(77, 78).payload(kText)
             : builder.udp(source, destination).payload(kText);
}

PacketBuilder error(const FlowNote& along, const IpAddress& from, const ErrorNote& note,
                    const Frame& about, size_t bytes = SIZE_MAX) {
  const bool v4 = from.is_v4();
  return packet()
      .ip(from, along.destination.address)
      .icmp_error(v4 ? note.v4_type : note.v6_type, v4 ? note.v4_code : note.v6_code, about,
                  v4 ? note.v4_rest : note.v6_rest, bytes);
}

struct Outcome {
  RewriteResult result;
  Frame frame;
};

Outcome translated(const Frame& frame, const IcmpErrorTranslation& to,
                   TtlAction ttl = TtlAction::kDecrement) {
  const ExactBuffer buffer(frame.bytes);
  const RewriteResult result = translate_icmp_error(buffer.view(), parsed(frame), to, ttl);
  return {result, Frame{Bytes(buffer.data(), buffer.data() + buffer.size())}};
}

struct Mode {
  FlowNote arrives;
  FlowNote leaves;
  Translation along;

  // What the address of any sender of an error becomes.
  [[nodiscard]] IpAddress sender(const IpAddress& before) const {
    return along.source ? along.source->address : before;
  }
};

template <typename Check>
void for_each_mode(Check check) {
  for (const ModeNote& note : kModes) {
    const Mode mode{flow(note.arrives), flow(note.leaves),
                    translation(flow(note.arrives), flow(note.leaves))};
    SCOPED_TRACE(std::string(note.mode) + " " + std::string(note.direction) + ", " +
                 std::string(note.arrives));
    ASSERT_NO_FATAL_FAILURE(check(mode));
  }
}

// The quoted packet that comes out is the one that its sender has sent, checksums included.
TEST(IcmpTranslate, TellsEachSideAboutThePacketThatItSent) {
  for_each_mode([](const Mode& mode) {
    for (const ErrorNote& note : kErrors) {
      for (const bool tcp : {true, false}) {
        for (const IpAddress& from : {router(mode.arrives.family()), mode.arrives.source.address}) {
          SCOPED_TRACE(std::string(note.what) + (tcp ? " tcp from " : " udp from ") +
                       from.to_string());
          const Frame in =
              error(mode.arrives, from, note, quoted(mode.arrives, tcp).build()).ttl(60).build();
          const Frame out =
              error(mode.leaves, mode.sender(from), note, quoted(mode.leaves, tcp).build())
                  .ttl(59)
                  .build();
          const Outcome found = translated(in, mirrored(mode.along));
          EXPECT_EQ(found.result, RewriteResult::kDone);
          EXPECT_EQ(found.frame, out);
        }
      }
    }
  });
}

TEST(IcmpTranslate, LeavesTheSenderWhereTheCallerSaysSo) {
  for_each_mode([](const Mode& mode) {
    IcmpErrorTranslation to = mirrored(mode.along);
    to.source.reset();
    const IpAddress from = router(mode.arrives.family());
    const Frame in =
        error(mode.arrives, from, kErrors[0], quoted(mode.arrives, true).build()).build();
    const Frame out =
        error(mode.leaves, from, kErrors[0], quoted(mode.leaves, true).build()).build();
    EXPECT_EQ(translated(in, to, TtlAction::kKeep).frame, out);
  });
}

// From the header and eight bytes, where the TCP checksum is missing, byte by byte to all of it.
TEST(IcmpTranslate, TranslatesQuotesOfEveryLength) {
  for_each_mode([](const Mode& mode) {
    const size_t header = mode.arrives.family() == Family::kIpv4 ? 20 : 40;
    for (const bool tcp : {true, false}) {
      const Frame arrives = quoted(mode.arrives, tcp).build();
      const Frame leaves = quoted(mode.leaves, tcp).build();
      const IpAddress from = router(mode.arrives.family());
      for (size_t bytes = header + 8; bytes <= arrives.network_bytes().size(); ++bytes) {
        const Frame in = error(mode.arrives, from, kErrors[2], arrives, bytes).build();
        Frame out =
            error(mode.leaves, mode.sender(from), kErrors[2], leaves, bytes).ttl(63).build();
        if (tcp && bytes == header + 17) {
          // Half a checksum is left as it was.
          out.bytes.back() = in.bytes.back();
          out.fix_checksums();
        }
        const Outcome found = translated(in, mirrored(mode.along));
        ASSERT_EQ(found.result, RewriteResult::kDone) << bytes;
        ASSERT_EQ(found.frame, out) << bytes;
      }
    }
  });
}

TEST(IcmpTranslate, FindsPortsBehindOptionsAndExtensionHeaders) {
  for_each_mode([](const Mode& mode) {
    const auto dressed = [](PacketBuilder builder, Family family) {
      return family == Family::kIpv4 ? builder.ipv4_options({148, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0})
                                     : builder.extension(IpProtocol::kHopByHop, {5, 2, 0, 0})
                                           .extension(IpProtocol::kDestinationOptions, Bytes(22));
    };
    const Family family = mode.arrives.family();
    for (const bool tcp : {true, false}) {
      const Frame arrives = dressed(quoted(mode.arrives, tcp), family).build();
      const Frame leaves = dressed(quoted(mode.leaves, tcp), family).build();
      const Frame in =
          dressed(error(mode.arrives, router(family), kErrors[2], arrives), family).build();
      const Frame out =
          dressed(error(mode.leaves, mode.sender(router(family)), kErrors[2], leaves), family)
              .ttl(63)
              .build();
      EXPECT_EQ(translated(in, mirrored(mode.along)).frame, out);
    }
  });
}

TEST(IcmpTranslate, TakesAQuoteWhoseTtlAndChecksumARouterHasChanged) {
  for_each_mode([](const Mode& mode) {
    Frame arrives = quoted(mode.arrives, true).ttl(1).build();
    Frame leaves = quoted(mode.leaves, true).ttl(1).build();
    if (arrives.ipv4() != nullptr) {  // TTL changed, checksum not
      arrives.ipv4()->ttl = 0;
      leaves.ipv4()->ttl = 0;
    }
    const IpAddress from = router(mode.arrives.family());
    const Frame in = error(mode.arrives, from, kErrors[3], arrives).build();
    const Frame out = error(mode.leaves, mode.sender(from), kErrors[3], leaves).ttl(63).build();
    EXPECT_EQ(translated(in, mirrored(mode.along)).frame, out);
  });
}

TEST(IcmpTranslate, LeavesNoUdpChecksumAsNone) {
  for_each_mode([](const Mode& mode) {
    const IpAddress from = router(mode.arrives.family());
    const auto none = [](const FlowNote& note) {
      return quoted(note, false).udp_without_checksum().build();
    };
    const Frame in = error(mode.arrives, from, kErrors[0], none(mode.arrives)).build();
    const Frame out =
        error(mode.leaves, mode.sender(from), kErrors[0], none(mode.leaves)).ttl(63).build();
    EXPECT_EQ(translated(in, mirrored(mode.along)).frame, out);
  });
}

// A first fragment is quoted with the datagram's checksum, a later one without ports.
TEST(IcmpTranslate, TranslatesQuotedFragments) {
  for_each_mode([](const Mode& mode) {
    const IpAddress from = router(mode.arrives.family());
    for (const size_t offset : {size_t{0}, size_t{16}}) {
      const auto cut = [&](const FlowNote& note) {
        return quoted(note, false).fragment(offset, 16, true).build();
      };
      const Frame in = error(mode.arrives, from, kErrors[2], cut(mode.arrives)).build();
      const Frame out =
          error(mode.leaves, mode.sender(from), kErrors[2], cut(mode.leaves)).ttl(63).build();
      EXPECT_EQ(translated(in, mirrored(mode.along)).frame, out);
    }
  });
}

// RFC 4884: the quoted packet is 128 bytes with its padding, an MPLS label stack follows.
TEST(IcmpTranslate, LeavesExtensionsAlone) {
  const Bytes labels{0x20, 0, 0xdf, 0x1c, 0, 8, 1, 1, 0x00, 0x3e, 0x81, 0xff};
  for_each_mode([&](const Mode& mode) {
    const bool v4 = mode.arrives.family() == Family::kIpv4;
    const auto with_extension = [&](const FlowNote& along, const IpAddress& from, size_t quote) {
      Bytes message = quoted(along, true).build().network_bytes();
      message.resize(quote);
      message.resize(128);
      message.insert(message.end(), labels.begin(), labels.end());
      std::array<uint8_t, 4> rest{};
      rest[v4 ? 1 : 0] = v4 ? 128 / 4 : 128 / 8;
      return packet()
          .ip(from, along.destination.address)
          .icmp(v4 ? kIcmpTimeExceeded : kIcmpv6TimeExceeded, 0, rest)
          .payload(message);
    };
    const IpAddress from = router(mode.arrives.family());
    const Outcome found = translated(with_extension(mode.arrives, from, 128).build(),
                                     mirrored(mode.along), TtlAction::kKeep);
    EXPECT_EQ(found.frame, with_extension(mode.leaves, mode.sender(from), 128).build());
  });
}

// What follows a quote of eight bytes behind the headers is no checksum.
TEST(IcmpTranslate, TakesNoExtensionForAChecksum) {
  for_each_mode([](const Mode& mode) {
    const bool v4 = mode.arrives.family() == Family::kIpv4;
    const size_t quote = v4 ? 28 : 48;
    const auto with_extension = [&](const FlowNote& along, const IpAddress& from) {
      Bytes message = quoted(along, true).build().network_bytes();
      message.resize(quote);
      message.resize(quote + 40, 0xab);
      std::array<uint8_t, 4> rest{};
      rest[v4 ? 1 : 0] = static_cast<uint8_t>(quote / (v4 ? 4 : 8));
      return packet()
          .ip(from, along.destination.address)
          .icmp(v4 ? kIcmpTimeExceeded : kIcmpv6TimeExceeded, 0, rest)
          .payload(message)
          .build();
    };
    const IpAddress from = router(mode.arrives.family());
    const Outcome found =
        translated(with_extension(mode.arrives, from), mirrored(mode.along), TtlAction::kKeep);
    EXPECT_EQ(found.frame, with_extension(mode.leaves, mode.sender(from)));
  });
}

TEST(IcmpTranslate, RefusesWhatItIsNotForAndChangesNothing) {
  for_each_mode([](const Mode& mode) {
    const Family family = mode.arrives.family();
    const Mode other{
        mode.arrives,
        mode.leaves,
        {any_endpoint(family == Family::kIpv4 ? Family::kIpv6 : Family::kIpv4, 1), {}}};
    const Frame in =
        error(mode.arrives, router(family), kErrors[0], quoted(mode.arrives, true).build()).build();
    const Frame no_error = quoted(mode.arrives, true).build();
    const Frame about_esp =
        error(mode.arrives, router(family), kErrors[0],
              packet()
                  .ip(mode.arrives.destination.address, mode.arrives.source.address)
                  .protocol(IpProtocol::kEsp)
                  .payload(kText)
                  .build())
            .build();
    const Frame last =
        error(mode.arrives, router(family), kErrors[0], quoted(mode.arrives, true).build())
            .ttl(1)
            .build();
    struct Case {
      Frame frame;
      Translation along;
      RewriteResult result;
    };
    for (const Case& test : {Case{in, other.along, RewriteResult::kNotApplicable},
                             Case{no_error, mode.along, RewriteResult::kNotApplicable},
                             Case{about_esp, mode.along, RewriteResult::kNotApplicable},
                             Case{last, mode.along, RewriteResult::kTtlExpired}}) {
      const Outcome found = translated(test.frame, mirrored(test.along));
      EXPECT_EQ(found.result, test.result);
      EXPECT_EQ(found.frame, test.frame);
    }
  });
}

TEST(IcmpTranslate, BackGivesTheOriginalBytes) {
  for_each_mode([](const Mode& mode) {
    for (const bool tcp : {true, false}) {
      const Frame in = error(mode.arrives, mode.arrives.source.address, kErrors[2],
                             quoted(mode.arrives, tcp).build())
                           .build();
      const Outcome there = translated(in, mirrored(mode.along), TtlAction::kKeep);
      const Translation back = translation(mode.leaves, mode.arrives);
      EXPECT_EQ(translated(there.frame, mirrored(back), TtlAction::kKeep).frame, in);
    }
  });
}

}  // namespace
}  // namespace ballast::testing
