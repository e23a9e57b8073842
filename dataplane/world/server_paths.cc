// The parts of SnapshotBuilder that say what a packet to a server needs on its way: the tunnel, its
// outer source, the largest MSS.
#include <algorithm>

#include "dataplane/rewrite/mss_clamp.h"
#include "dataplane/world/snapshot_builder.h"

namespace ballast {
namespace {

// The node's first address of the family that hosts elsewhere can answer to; zero when there is
// none.
IpAddress global_address(const PortSpecification& port, Family family) {
  const auto found =
      std::find_if(port.addresses.begin(), port.addresses.end(), [family](const IpAddress& one) {
        return one.family() == family && !one.is_link_local() && !one.is_loopback();
      });
  return found == port.addresses.end() ? IpAddress{} : *found;
}

// Prefixes of sources are validated to have no more than 2^16 addresses.
uint32_t addresses_in(const Prefix& prefix) {
  return 1U << ((prefix.address.is_v4() ? 32U : 128U) - prefix.length);
}

TunnelHeader header_of(const IpAddress& server, const TunnelSpecification& specification) {
  Tunnel tunnel;
  tunnel.destination = server;
  tunnel.encapsulation = specification.encapsulation;
  tunnel.checksum = specification.checksum;
  tunnel.gue_port = specification.gue_port;
  return TunnelHeader(tunnel);
}

}  // namespace

// The specification is one object for all servers that have the same.
void SnapshotBuilder::set_paths(const std::set<ServerIndex>& servers,
                                const ServiceSpecification& service) {
  const bool asks = service.mode == ForwardingMode::kTunnel || service.path != PathSpecification{};
  const auto wanted = asks ? std::make_shared<const PathSpecification>(service.path) : nullptr;
  for (const ServerIndex server : servers) {
    std::shared_ptr<const PathSpecification>& present = paths_[index(server)];
    const bool same =
        (present == nullptr) == (wanted == nullptr) && (present == nullptr || *present == *wanted);
    if (!same) {
      present = wanted;
      if (index(server) < tunnels_.size()) {
        tunnels_[index(server)].reset();
      }
      refresh_path(server);
    }
  }
}

void SnapshotBuilder::refresh_path(ServerIndex server) {
  RealServer& real = servers_[index(server)];
  real.mss_ipv4 = 0;
  real.mss_ipv6 = 0;
  real.tunnel = nullptr;
  if (const PathSpecification* path = paths_[index(server)].get()) {
    refresh_mss(real, *path);
    if (real.mode == ForwardingMode::kTunnel) {
      refresh_tunnel(server, *path);
    }
  }
}

void SnapshotBuilder::refresh_mss(RealServer& real, const PathSpecification& path) const {
  if (!path.mss_auto) {
    real.mss_ipv4 = path.mss;
    real.mss_ipv6 = path.mss;
    return;
  }
  if (real.next_hop == kNoNeighbor) {
    return;  // nothing is sent
  }
  const uint16_t mtu = ports_[index(real.out_port)].mtu;
  for (const Family inner : {Family::kIpv4, Family::kIpv6}) {
    uint16_t& mss = inner == Family::kIpv4 ? real.mss_ipv4 : real.mss_ipv6;
    if (real.mode == ForwardingMode::kTunnel) {
      mss =
          mss_for(tunnel_mtu(path.tunnel.encapsulation, real.address.family(), inner, mtu), inner);
    } else if (inner == real.address.family()) {
      mss = mss_for(mtu, inner);
    }
  }
}

std::optional<Prefix> SnapshotBuilder::tunnel_source(const RealServer& real,
                                                     const TunnelSpecification& tunnel) const {
  const Family family = real.address.family();
  if (const std::optional<Prefix>& named = tunnel.source(family)) {
    return named;
  }
  if (real.next_hop == kNoNeighbor) {
    return std::nullopt;
  }
  const IpAddress& own = ports_[index(real.out_port)].address(family);
  const auto bits = static_cast<uint8_t>(family == Family::kIpv4 ? 32 : 128);
  return own == IpAddress{} ? std::nullopt : std::optional(Prefix{own, bits});
}

// Keeps the object when nothing changes, and its header as long as the specification stays.
void SnapshotBuilder::refresh_tunnel(ServerIndex server, const PathSpecification& path) {
  tunnels_.resize(std::max<size_t>(tunnels_.size(), size_t{index(server)} + 1));
  RealServer& real = servers_[index(server)];
  std::shared_ptr<const ServerTunnel>& present = tunnels_[index(server)];
  const std::optional<Prefix> source = tunnel_source(real, path.tunnel);
  const IpAddress first = source ? source->address : IpAddress{};
  const uint32_t sources = source ? addresses_in(*source) : 0;
  if (present == nullptr || present->first_source != first || present->sources != sources) {
    const TunnelHeader header =
        present != nullptr ? present->header : header_of(real.address, path.tunnel);
    present = std::make_shared<const ServerTunnel>(ServerTunnel{header, first, sources});
  }
  real.tunnel = present.get();
}

void SnapshotBuilder::refresh_paths_over(PortIndex port) {
  for (uint32_t number = 1; number < servers_.size(); ++number) {
    if (servers_[number].out_port == port && servers_[number].next_hop != kNoNeighbor) {
      refresh_path(ServerIndex{number});
    }
  }
}

// The ports whose addresses are others than before.
std::vector<PortIndex> SnapshotBuilder::refresh_port_addresses(const DesiredState& after,
                                                               const ChangeSet& changes) {
  std::vector<PortIndex> moved;
  for (const auto& [port, change] : changes.ports) {
    const auto named = after.ports().find(port);
    const PortSpecification none;
    const PortSpecification& now = named == after.ports().end() ? none : named->second;
    PortState& state = ports_[index(port)];
    const IpAddress ipv4 = global_address(now, Family::kIpv4);
    const IpAddress ipv6 = global_address(now, Family::kIpv6);
    if (state.ipv4 != ipv4 || state.ipv6 != ipv6) {
      state.ipv4 = ipv4;
      state.ipv6 = ipv6;
      moved.push_back(port);
    }
  }
  return moved;
}

}  // namespace ballast
