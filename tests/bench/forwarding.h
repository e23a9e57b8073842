// What is measured: the mode, and in which direction.
#pragma once

#include <cstdint>
#include <string>

#include "dataplane/packet/address.h"
#include "dataplane/rewrite/ip_tunnel.h"
#include "dataplane/service/virtual_service.h"

namespace ballast::bench {

enum class Direction : uint8_t {
  kIn,   // from the clients
  kOut,  // from the servers; in NAT and FULLNAT
};

struct Forwarding {
  ForwardingMode mode = ForwardingMode::kDirectRouting;
  Direction direction = Direction::kIn;
  // --- TUN
  Encapsulation encapsulation = Encapsulation::kIpIp;
  Family servers = Family::kIpv4;  // of the servers' addresses, and the outer header

  [[nodiscard]] bool translates() const {
    return mode == ForwardingMode::kNat || mode == ForwardingMode::kFullNat;
  }
  [[nodiscard]] const char* direction_name() const {
    return direction == Direction::kIn ? "in" : "out";
  }
  // "dr", "nat", "fullnat", "tun-gre"; "tun-ipip-6" where the clients are of the other family.
  [[nodiscard]] std::string name(Family clients) const;
};

}  // namespace ballast::bench
