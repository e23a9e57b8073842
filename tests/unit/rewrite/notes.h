// Flows in tests as an engineer writes them down: "198.51.100.7:40000 -> 192.0.2.10:80", IPv6 in
// brackets.
#pragma once

#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

#include "dataplane/rewrite/translate.h"
#include "tests/unit/packet_builder.h"

namespace ballast::testing {

inline Endpoint endpoint(std::string_view text) {
  const size_t colon = text.rfind(':');
  std::string_view address = text.substr(0, colon);
  if (address.front() == '[') {
    address = address.substr(1, address.size() - 2);
  }
  const unsigned long port = std::stoul(std::string(text.substr(colon + 1)));
  return {ip_address(address), Big16::from_host(static_cast<uint16_t>(port))};
}

struct FlowNote {
  Endpoint source;
  Endpoint destination;

  [[nodiscard]] Family family() const { return source.address.family(); }
};

inline FlowNote flow(std::string_view text) {
  constexpr std::string_view kArrow = " -> ";
  const size_t arrow = text.find(kArrow);
  if (arrow == std::string_view::npos) {
    std::cerr << "test uses a bad flow: " << text << '\n';
    std::abort();
  }
  return {endpoint(text.substr(0, arrow)), endpoint(text.substr(arrow + kArrow.size()))};
}

// The ends that differ.
inline Translation translation(const FlowNote& arrives, const FlowNote& leaves) {
  Translation to;
  if (!(arrives.source == leaves.source)) {
    to.source = leaves.source;
  }
  if (!(arrives.destination == leaves.destination)) {
    to.destination = leaves.destination;
  }
  return to;
}

// One mode in one direction: what a connection's packets look like before and behind the balancer.
struct ModeNote {
  std::string_view mode;
  std::string_view direction;
  std::string_view arrives;
  std::string_view leaves;
};

inline constexpr ModeNote kModes[] = {
    {"nat", "in", "198.51.100.7:40000 -> 192.0.2.10:80", "198.51.100.7:40000 -> 10.0.0.11:8080"},
    {"nat", "out", "10.0.0.11:8080 -> 198.51.100.7:40000", "192.0.2.10:80 -> 198.51.100.7:40000"},
    {"fullnat", "in", "198.51.100.7:40000 -> 192.0.2.10:80", "10.0.0.200:5001 -> 10.0.0.11:8080"},
    {"fullnat", "out", "10.0.0.11:8080 -> 10.0.0.200:5001", "192.0.2.10:80 -> 198.51.100.7:40000"},
    {"nat", "in", "[2001:db8:1::7]:40000 -> [2001:db8::10]:80",
     "[2001:db8:1::7]:40000 -> [fd00::11]:8080"},
    {"nat", "out", "[fd00::11]:8080 -> [2001:db8:1::7]:40000",
     "[2001:db8::10]:80 -> [2001:db8:1::7]:40000"},
    {"fullnat", "in", "[2001:db8:1::7]:40000 -> [2001:db8::10]:80",
     "[fd00::200]:5001 -> [fd00::11]:8080"},
    {"fullnat", "out", "[fd00::11]:8080 -> [fd00::200]:5001",
     "[2001:db8::10]:80 -> [2001:db8:1::7]:40000"},
};

}  // namespace ballast::testing
