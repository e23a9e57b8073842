#include "tests/model/frames.h"

#include <algorithm>
#include <array>

namespace ballast::model {
namespace {

using testing::Frame;
using testing::ip_address;
using testing::packet;
using testing::PacketBuilder;

constexpr std::string_view kRouter4 = "203.0.113.9";
constexpr std::string_view kRouter6 = "2001:db8:f::9";
constexpr std::string_view kAlienMac = "02:00:00:00:00:77";

// Sequence numbers of a flow, the same at each time.
uint32_t client_begin(const Flow& flow) {
  return 1'000'000U * flow.client_port + flow.vip_port;
}
uint32_t server_begin(const Flow& flow) {
  return 0xfffffe00U + flow.client_port;  // wraps soon
}

// What one step's frame is made of.
class Maker {
 public:
  Maker(const Step& step, const Scene& scene, const Model& model)
      : step_(step),
        scene_(scene),
        model_(model),
        listener_(scene.listeners[step.listener]),
        v4_(listener_.vip.is_v4()),
        client_(scene.clients[step.client + (v4_ ? 0U : 4U)]) {
    flow_ = {client_.address, step.client_port, listener_.vip, listener_.port, listener_.protocol};
  }

  MadeFrame run() {
    PacketBuilder builder = body();
    if (step_.extra == Extra::kPriorityTag) {
      builder.vlan(0);
    }
    Frame frame = builder.build();
    if (step_.extra == Extra::kPadding) {
      frame.bytes.resize(frame.bytes.size() + 6, 0xaa);
    }
    damage(frame.bytes);
    return {std::move(frame.bytes), port_};
  }

 private:
  [[nodiscard]] Family family() const { return v4_ ? Family::kIpv4 : Family::kIpv6; }
  [[nodiscard]] bool tcp() const { return listener_.protocol == kProtocolTcp; }

  PacketBuilder body() {
    switch (step_.what) {
      case What::kReply:
        return reply();
      case What::kErrorToVip:
        return error_to_vip();
      case What::kErrorToServer:
        return error_to_server();
      case What::kPing:
        return ping();
      case What::kAsk:
        return ask();
      case What::kToNode:
        return elsewhere(v4_ ? "203.0.113.2" : "2001:db8:f::2");
      case What::kTransit:
        return elsewhere(v4_ ? "198.51.100.99" : "2001:db8:77::99");
      default:
        return from_client();
    }
  }

  // From a host to one of our addresses; null: to what is not ours.
  PacketBuilder ethernet(const MacAddress& from, const AddressSetup* ours) {
    MacAddress to = scene_.setup.ports[index(port_)].mac;
    const MacAddress port_mac = to;
    if (ours != nullptr && !ours->virtual_mac.is_zero()) {
      to = ours->virtual_mac;
    }
    MacAddress source = from;
    switch (step_.to_mac) {
      case ToMac::kRight:
        break;
      case ToMac::kPort:
        to = port_mac;
        break;
      case ToMac::kAlien:
        to = testing::mac_address(kAlienMac);
        break;
      case ToMac::kBroadcast:
        to = MacAddress({0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
        break;
      case ToMac::kFromOurs:
        source = port_mac;
        break;
    }
    return packet().ethernet(source.to_string(), to.to_string());
  }

  PacketBuilder& network(PacketBuilder& builder, const IpAddress& source,
                         const IpAddress& destination) {
    builder.ip(source, destination).ttl(step_.ttl).traffic_class(step_.tos);
    builder.identification(step_.client_port + uint32_t{step_.offset});
    if (step_.dont_fragment) {
      builder.dont_fragment();
    }
    if (step_.extra == Extra::kOptions) {
      if (v4_) {
        builder.ipv4_options({7, 7, 4, 0, 0, 0, 0, 0});
      } else {
        builder.extension(IpProtocol::kDestinationOptions, {0, 1, 4, 0, 0, 0, 0});
      }
    }
    return builder;
  }

  PacketBuilder& transport(PacketBuilder& builder, uint16_t from, uint16_t to, bool of_client) {
    if (tcp()) {
      const bool syn = (step_.flags & kFlagSyn) != 0;
      const uint32_t here = of_client ? client_begin(flow_) : server_begin(flow_);
      const uint32_t there = of_client ? server_begin(flow_) : client_begin(flow_);
      const uint32_t far = step_.far_sequence ? 0x50000000U : 0U;
      const uint32_t wrong = step_.wrong_acknowledgement ? 0x50000000U : 0U;
      builder.tcp(from, to, step_.flags)
          .sequence(here + (syn ? 0U : 1U + step_.offset) + far,
                    (step_.flags & kFlagAck) != 0 ? there + 1 + step_.offset / 2U + wrong : 0);
      if (step_.extra == Extra::kTcpOptions) {
        builder.tcp_options({2, 4, 5, 180, 1, 3, 3, 7});
      }
    } else {
      builder.udp(from, to);
      if (step_.extra == Extra::kNoChecksum) {
        builder.udp_without_checksum();
      }
    }
    builder.payload(payload());
    return step_.parts == 0 ? builder : cut(builder);
  }

  // One of the fragments.
  PacketBuilder& cut(PacketBuilder& builder) const {
    const size_t header = !tcp() ? 8U : step_.extra == Extra::kTcpOptions ? 28U : 20U;
    const size_t piece = ((header + step_.payload) / step_.parts + 8) / 8 * 8;
    const bool last = step_.part + 1 == step_.parts;
    const size_t shift = step_.overlaps ? 8 : 0;
    builder.identification(step_.datagram);
    return builder.fragment(step_.part * piece - shift, last ? SIZE_MAX : piece, !last);
  }

  [[nodiscard]] Bytes payload() const {
    Bytes bytes(step_.payload);
    for (size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<uint8_t>(i * 7 + step_.offset);
    }
    return bytes;
  }

  PacketBuilder from_client() {
    port_ = kWan;
    PacketBuilder builder = ethernet(client_.mac, model_.setup().address(flow_.vip));
    network(builder, flow_.client, flow_.vip);
    return transport(builder, flow_.client_port, flow_.vip_port, true);
  }

  PacketBuilder elsewhere(const char* destination) {
    port_ = kWan;
    PacketBuilder builder = ethernet(client_.mac, nullptr);
    network(builder, flow_.client, ip_address(destination));
    return transport(builder, flow_.client_port, flow_.vip_port, true);
  }

  // ---- the server's side
  struct ServerSide {
    Mode mode = Mode::kNat;
    End16 server;
    End16 peer;  // whom the server thinks it talks to
    const AddressSetup* ours = nullptr;
    MacAddress mac;
  };

  ServerSide server_side() const {
    ServerSide side;
    const Setup& setup = model_.setup();
    const auto known = model_.known(flow_);
    std::optional<End16> local;
    if (known && step_.other_server == 0) {
      side.mode = known->server.mode;
      side.server = {known->server.address, known->server_port};
      local = known->local;
    } else {
      some_server(side);
    }
    side.peer = {flow_.client, flow_.client_port};
    if (side.mode == Mode::kFullNat) {
      side.peer = local.value_or(End16{ip_address(v4_ ? "10.0.1.200" : "2001:db8:a::200"), 999});
      side.ours = setup.address(side.peer.address);
    } else {
      side.ours = setup.address(ip_address(v4_ ? "10.0.0.1" : "2001:db8:a::1"));
    }
    const auto hop = setup.hop_to(side.server.address);
    const NeighborSetup* neighbor = hop ? setup.neighbor(hop->port, hop->address) : nullptr;
    side.mac = neighbor != nullptr && neighbor->mac != setup.ports[0].mac
                   ? neighbor->mac
                   : testing::mac_address(kAlienMac);
    return side;
  }

  // Of the service that listens there.
  void some_server(ServerSide& side) const {
    const ServiceSetup* service =
        model_.setup().listening(listener_.protocol, listener_.vip, listener_.port);
    side.server = {ip_address(v4_ ? "10.0.0.12" : "2001:db8:a::12"), 8080};
    if (service == nullptr) {
      return;
    }
    side.mode = service->mode;
    std::vector<const ServerSetup*> of_family;
    for (const ServerSetup& server : service->servers) {
      if (server.address.is_v4() == v4_) {
        of_family.push_back(&server);
      }
    }
    if (!of_family.empty()) {
      const ServerSetup& server = *of_family[step_.other_server % of_family.size()];
      side.server = {server.address, server.port != 0 ? server.port : flow_.vip_port};
    }
  }

  PacketBuilder reply() {
    port_ = kLan;
    const ServerSide side = server_side();
    PacketBuilder builder = ethernet(side.mac, side.ours);
    network(builder, side.server.address, side.peer.address);
    return transport(builder, side.server.port, side.peer.port, false);
  }

  // ---- ICMP errors
  PacketBuilder& error(PacketBuilder& builder, const Frame& quoted) {
    static constexpr std::array<std::array<uint8_t, 2>, 4> kV4{{{3, 1}, {3, 4}, {11, 0}, {3, 3}}};
    static constexpr std::array<std::array<uint8_t, 2>, 4> kV6{{{1, 3}, {2, 0}, {3, 0}, {1, 4}}};
    const auto& [type, code] = (v4_ ? kV4 : kV6)[step_.variant % 4];
    static constexpr std::array<size_t, 4> kQuoted{SIZE_MAX, 48, 68, 100};
    const std::array<uint8_t, 4> rest = code == 4 && type == 3 ? testing::mtu(1400)
                                        : type == 2            ? testing::mtu_v6(1400)
                                                               : std::array<uint8_t, 4>{};
    return builder.icmp_error(type, code, quoted, rest, kQuoted[step_.variant / 4 % 4]);
  }

  // What came from `source` a moment ago.
  PacketBuilder quoted(const IpAddress& source, const IpAddress& destination) const {
    PacketBuilder builder = packet();
    builder.ip(source, destination).ttl(60).identification(77);
    return builder;
  }

  PacketBuilder error_to_vip() {
    port_ = kWan;
    PacketBuilder about = quoted(flow_.vip, flow_.client);
    transport(about, flow_.vip_port, flow_.client_port, false);
    PacketBuilder builder = ethernet(client_.mac, model_.setup().address(flow_.vip));
    // One in eight to whom it is not about.
    const IpAddress to =
        step_.variant >= 56 ? ip_address(v4_ ? "192.0.2.20" : "2001:db8::20") : flow_.vip;
    network(builder, ip_address(v4_ ? kRouter4 : kRouter6), to);
    return error(builder, about.build());
  }

  PacketBuilder error_to_server() {
    port_ = kLan;
    const ServerSide side = server_side();
    PacketBuilder about = quoted(side.peer.address, side.server.address);
    transport(about, side.peer.port, side.server.port, true);
    PacketBuilder builder = ethernet(side.mac, side.ours);
    network(builder, ip_address(v4_ ? "10.7.7.7" : "2001:db8:7::7"), side.peer.address);
    return error(builder, about.build());
  }

  // ---- what is answered by the balancer
  const AddressSetup& one_of_ours() const {
    std::vector<const AddressSetup*> all;
    for (const AddressSetup& each : scene_.setup.addresses) {
      if (each.address.is_v4() == v4_) {
        all.push_back(&each);
      }
    }
    return *all[step_.variant % all.size()];
  }

  PacketBuilder ping() {
    port_ = step_.variant % 2 == 0 ? kWan : kLan;
    const AddressSetup& ours = one_of_ours();
    PacketBuilder builder = ethernet(client_.mac, &ours);
    network(builder, flow_.client, ours.address);
    return builder.echo_request(step_.client_port, step_.offset).payload(payload());
  }

  PacketBuilder ask() {
    port_ = step_.variant % 2 == 0 ? kWan : kLan;
    const AddressSetup& ours = one_of_ours();
    if (v4_) {
      PacketBuilder builder = packet().ethernet(client_.mac.to_string(), "ff:ff:ff:ff:ff:ff");
      return builder.arp(Big16::from_host(step_.flags == kFlagSyn ? 1 : 2), client_.mac.to_string(),
                         client_.address.to_string(), "00:00:00:00:00:00",
                         ours.address.to_string());
    }
    const auto& b = ours.address.bytes();
    PacketBuilder builder = packet().ethernet(
        client_.mac.to_string(), MacAddress({0x33, 0x33, 0xff, b[13], b[14], b[15]}).to_string());
    builder.ip(client_.address, solicited_node_group(ours.address));
    return builder.neighbor_solicitation(ours.address.to_string(),
                                         step_.tos == 0 ? client_.mac.to_string() : std::string());
  }

  void damage(Bytes& bytes) const {
    if (step_.extra == Extra::kBadChecksum) {
      const Dissection seen = dissect(bytes);
      if (seen.fault == DropReason::kNone && seen.sort == Sort::kTransport) {
        bytes[seen.transport + (seen.protocol == kProtocolTcp ? 16 : 6)] ^= 0x5a;
      }
    }
    for (const auto& [place, bits] : step_.mutations) {
      bytes[place % bytes.size()] ^= bits;
    }
    bytes.resize(bytes.size() - std::min<size_t>(step_.cut, bytes.size() - 1));
  }

  const Step& step_;
  const Scene& scene_;
  const Model& model_;
  const ListenerSetup& listener_;
  bool v4_;
  const Client& client_;
  Flow flow_;
  PortIndex port_ = kWan;
};

}  // namespace

MadeFrame make_frame(const Step& step, const Scene& scene, const Model& model) {
  return Maker(step, scene, model).run();
}

}  // namespace ballast::model
