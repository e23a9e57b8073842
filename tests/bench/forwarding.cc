#include "tests/bench/forwarding.h"

namespace ballast::bench {

std::string Forwarding::name(Family clients) const {
  switch (mode) {
    case ForwardingMode::kDirectRouting:
      return "dr";
    case ForwardingMode::kNat:
      return "nat";
    case ForwardingMode::kFullNat:
      return "fullnat";
    case ForwardingMode::kTunnel:
      break;
  }
  std::string text = "tun-ipip";
  if (encapsulation != Encapsulation::kIpIp) {
    text = encapsulation == Encapsulation::kGre ? "tun-gre" : "tun-gue";
  }
  if (servers != clients) {
    text += servers == Family::kIpv4 ? "-4" : "-6";
  }
  return text;
}

}  // namespace ballast::bench
