// One step of an episode: a packet, a pause or a change. It names things rather than bytes (which
// client, which listener, a reply of whichever server was picked), so that it still means something
// when the steps before it are taken away.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/model/scene.h"

namespace ballast::model {

enum class What : uint8_t {
  kPacket,         // of a client, to a listener
  kReply,          // of the flow's server
  kErrorToVip,     // ICMP: about what the VIP has sent to the client
  kErrorToServer,  // ICMP: about what was sent to the server
  kPing,
  kAsk,      // ARP or neighbour solicitation
  kToNode,   // to an address of the node
  kTransit,  // to somebody else
  kPause,
  kChange,
};

enum class Extra : uint8_t {
  kNone,
  kOptions,      // IPv4 options, IPv6 extension headers
  kPriorityTag,  // VLAN 0
  kPadding,      // Ethernet's
  kNoChecksum,   // UDP
  kBadChecksum,  // of TCP or UDP
  kTcpOptions,   // with an MSS
};

enum class ToMac : uint8_t { kRight, kPort, kAlien, kBroadcast, kFromOurs };

struct Step {
  What what = What::kPacket;
  uint8_t client = 0;    // of the listener's family, 0..3
  uint8_t listener = 0;  // of the scene
  uint16_t client_port = 40000;
  uint8_t flags = 2;
  bool far_sequence = false;  // not in the window
  bool wrong_acknowledgement = false;
  uint16_t offset = 0;  // of the sequence number from the first behind the SYN
  uint16_t payload = 0;
  uint8_t ttl = 64;
  uint8_t tos = 0;
  bool dont_fragment = false;
  Extra extra = Extra::kNone;
  ToMac to_mac = ToMac::kRight;
  uint8_t variant = 0;        // of ICMP errors: type, how much is quoted
  uint16_t other_server = 0;  // kReply: not 0: of that server, picked or not
  bool hashed = true;         // by the NIC
  int worker = -1;            // -1: where the NIC's hash sends it
  bool joins = false;         // the burst of the packet before
  std::vector<std::pair<uint16_t, uint8_t>> mutations;  // place, what it is XORed with
  uint16_t cut = 0;                                     // bytes that are missing at the end
  uint32_t pause_ms = 0;
  // One of `parts` fragments of a datagram, the `part`-th; 0 parts: whole.
  uint8_t parts = 0;
  uint8_t part = 0;
  uint16_t datagram = 0;  // its identification
  bool overlaps = false;  // begins eight bytes too early
  Change change;
};

[[nodiscard]] std::vector<Step> random_steps(uint64_t seed, const Scene& scene,
                                             const std::set<Mode>& modes, size_t count);
// A line of notes.
[[nodiscard]] std::string to_string(const Step& step, const Scene& scene);
[[nodiscard]] bool is_packet(const Step& step);

}  // namespace ballast::model
