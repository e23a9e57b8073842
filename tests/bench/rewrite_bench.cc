// What is done to a packet, by mode: the smallest frames of 256 flows, all in the first
// caches. A frame is rewritten again and again; its TTL is the one that it arrived with.
#include <array>
#include <cstdlib>
#include <vector>

#include <benchmark/benchmark.h>

#include "dataplane/packet/parser.h"
#include "dataplane/rewrite/direct_routing.h"
#include "dataplane/rewrite/ip_tunnel.h"
#include "dataplane/rewrite/nat.h"
#include "tests/bench/addresses.h"
#include "tests/bench/frame_writer.h"

namespace ballast {
namespace {

constexpr size_t kFrames = 256;

void direct_routing(benchmark::State& state) {
  const bench::FrameWriter writer({Family::kIpv4, IpProtocol::kTcp});
  struct Frame {
    alignas(64) std::array<uint8_t, 128> bytes{};
  };
  std::vector<Frame> frames(kFrames);
  for (Frame& frame : frames) {
    writer.write_template(frame.bytes.data());
  }
  for (auto _ : state) {
    for (Frame& frame : frames) {
      rewrite_direct_routing({frame.bytes.data(), writer.size(), writer.size()}, bench::kLanMac,
                             bench::kRouterMac);
    }
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kFrames));
}
BENCHMARK(direct_routing)->Name("Rewrite/dr");

constexpr size_t kHeadroom = 128;

struct ParsedFrame {
  alignas(64) std::array<uint8_t, kHeadroom + 128> bytes{};
  ParsedPacket packet;

  [[nodiscard]] uint8_t* data() { return bytes.data() + kHeadroom; }
};

template <Family kFamily, IpProtocol kProtocol>
std::vector<ParsedFrame> parsed_frames(uint16_t& size) {
  const bench::FrameWriter writer({kFamily, kProtocol});
  size = writer.size();
  std::vector<ParsedFrame> frames(kFrames);
  uint32_t number = 0;
  for (ParsedFrame& frame : frames) {
    writer.write_template(frame.data());
    writer.write<kFamily, kProtocol>(frame.data(), number += 7919, kAck);
    if (parse({frame.data(), size}, frame.packet) != DropReason::kNone) {
      std::abort();
    }
  }
  return frames;
}

Endpoint end_of(Family family, uint8_t last, uint16_t port) {
  const IpAddress address =
      family == Family::kIpv4
          ? IpAddress::v4({192, 168, 0, last})
          : IpAddress::v6({0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last});
  return {address, Big16::from_host(port)};
}

// `rewrite` takes frame and packet.
template <Family kFamily, IpProtocol kProtocol, typename Rewrite>
void run(benchmark::State& state, Rewrite rewrite) {
  uint16_t size = 0;
  std::vector<ParsedFrame> frames = parsed_frames<kFamily, kProtocol>(size);
  for (auto _ : state) {
    for (ParsedFrame& frame : frames) {
      if (rewrite(PacketView(frame.data(), size), frame.packet) != RewriteResult::kDone) {
        return state.SkipWithError("refused");
      }
    }
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kFrames));
}

template <Family kFamily, IpProtocol kProtocol>
void nat_in(benchmark::State& state) {
  const Endpoint server = end_of(kFamily, 1, 8080);
  run<kFamily, kProtocol>(state, [&](PacketView frame, const ParsedPacket& packet) {
    return rewrite_nat_in(frame, packet, server);
  });
}
BENCHMARK(nat_in<Family::kIpv4, IpProtocol::kTcp>)->Name("Rewrite/nat/in/ipv4/tcp");
BENCHMARK(nat_in<Family::kIpv4, IpProtocol::kUdp>)->Name("Rewrite/nat/in/ipv4/udp");
BENCHMARK(nat_in<Family::kIpv6, IpProtocol::kTcp>)->Name("Rewrite/nat/in/ipv6/tcp");

template <Family kFamily, IpProtocol kProtocol>
void nat_out(benchmark::State& state) {
  const Endpoint vip = end_of(kFamily, 10, 80);
  run<kFamily, kProtocol>(state, [&](PacketView frame, const ParsedPacket& packet) {
    return rewrite_nat_out(frame, packet, vip);
  });
}
BENCHMARK(nat_out<Family::kIpv4, IpProtocol::kTcp>)->Name("Rewrite/nat/out/ipv4/tcp");
BENCHMARK(nat_out<Family::kIpv6, IpProtocol::kTcp>)->Name("Rewrite/nat/out/ipv6/tcp");

template <Family kFamily, IpProtocol kProtocol>
void full_nat(benchmark::State& state) {
  const Endpoint local = end_of(kFamily, 200, 5001);
  const Endpoint server = end_of(kFamily, 1, 8080);
  run<kFamily, kProtocol>(state, [&](PacketView frame, const ParsedPacket& packet) {
    return rewrite_full_nat(frame, packet, local, server);
  });
}
BENCHMARK(full_nat<Family::kIpv4, IpProtocol::kTcp>)->Name("Rewrite/fullnat/ipv4/tcp");
BENCHMARK(full_nat<Family::kIpv4, IpProtocol::kUdp>)->Name("Rewrite/fullnat/ipv4/udp");
BENCHMARK(full_nat<Family::kIpv6, IpProtocol::kTcp>)->Name("Rewrite/fullnat/ipv6/tcp");

// The way of packets that are not plain.
template <Family kFamily>
void full_nat_by_offsets(benchmark::State& state) {
  const Translation to{end_of(kFamily, 200, 5001), end_of(kFamily, 1, 8080)};
  run<kFamily, IpProtocol::kTcp>(state, [&](PacketView frame, const ParsedPacket& packet) {
    return translate(frame, packet, to, TtlAction::kDecrement);
  });
}
BENCHMARK(full_nat_by_offsets<Family::kIpv4>)->Name("Rewrite/translate/ipv4/tcp");
BENCHMARK(full_nat_by_offsets<Family::kIpv6>)->Name("Rewrite/translate/ipv6/tcp");

template <Encapsulation kEncapsulation, Family kInner, Family kOuter>
void tunnel(benchmark::State& state) {
  Tunnel tunnel;
  tunnel.destination = end_of(kOuter, 1, 0).address;
  tunnel.encapsulation = kEncapsulation;
  const TunnelHeader header(tunnel);
  OuterFields outer;
  outer.source = end_of(kOuter, 254, 0).address;
  outer.mtu = 1500;
  run<kInner, IpProtocol::kTcp>(state, [&](PacketView frame, const ParsedPacket& packet) {
    ++outer.flow_hash;
    return header.encapsulate(frame, kHeadroom, packet, outer);
  });
}
BENCHMARK(tunnel<Encapsulation::kIpIp, Family::kIpv4, Family::kIpv4>)->Name("Rewrite/ipip/4in4");
BENCHMARK(tunnel<Encapsulation::kIpIp, Family::kIpv6, Family::kIpv6>)->Name("Rewrite/ipip/6in6");
BENCHMARK(tunnel<Encapsulation::kGre, Family::kIpv4, Family::kIpv4>)->Name("Rewrite/gre/4in4");
BENCHMARK(tunnel<Encapsulation::kGue, Family::kIpv4, Family::kIpv4>)->Name("Rewrite/gue/4in4");
BENCHMARK(tunnel<Encapsulation::kGue, Family::kIpv6, Family::kIpv6>)->Name("Rewrite/gue/6in6");

}  // namespace
}  // namespace ballast

BENCHMARK_MAIN();
