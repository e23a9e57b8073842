#include "tests/unit/pipeline/notes.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "dataplane/packet/wire.h"
#include "tests/unit/pipeline/test_modes.h"

namespace ballast::testing {
namespace {

constexpr uint8_t kTcpNumber = 6;
constexpr uint8_t kUdpNumber = 17;
constexpr uint8_t kGreNumber = 47;
constexpr uint8_t kIcmpNumber = 1;
constexpr uint8_t kIcmpv6Number = 58;
constexpr uint8_t kIpv4Number = 4;
constexpr uint8_t kIpv6Number = 41;
constexpr uint16_t kGueNumber = 6080;

uint16_t word_at(const Bytes& bytes, size_t offset) {
  return static_cast<uint16_t>(bytes.at(offset) << 8 | bytes.at(offset + 1));
}

Bytes from(const Bytes& bytes, size_t offset) {
  return {bytes.begin() + static_cast<std::ptrdiff_t>(std::min(offset, bytes.size())), bytes.end()};
}

// As a frame, for what Frame knows about packets.
Frame framed(const Bytes& packet) {
  Bytes bytes(12, 0);
  const bool v4 = packet.at(0) >> 4 == 4;
  bytes.insert(bytes.end(),
               {v4 ? uint8_t{0x08} : uint8_t{0x86}, v4 ? uint8_t{0x00} : uint8_t{0xdd}});
  bytes.insert(bytes.end(), packet.begin(), packet.end());
  return {bytes};
}

std::string text_of(const Bytes& payload) {
  if (payload.empty()) {
    return {};
  }
  const bool printable =
      payload.size() <= 20 &&
      std::all_of(payload.begin(), payload.end(), [](uint8_t c) { return c >= ' ' && c <= '~'; });
  return printable ? fmt::format(" \"{}\"", std::string(payload.begin(), payload.end()))
                   : fmt::format(" {} bytes", payload.size());
}

std::string flags_of(uint8_t flags) {
  std::string text;
  for (const auto& [flag, letter] :
       {std::pair(kSyn, 'S'), std::pair(kFin, 'F'), std::pair(kRst, 'R'), std::pair(kPsh, 'P'),
        std::pair(kAck, '.')}) {
    text += (flags & flag) != 0 ? std::string(1, letter) : "";
  }
  return text;
}

std::string kind_of_icmp(const Bytes& packet, size_t at, bool v4) {
  const int type = packet.at(at);
  const int code = packet.at(at + 1);
  static const std::map<std::array<int, 3>, std::string> kNames{
      {{4, 3, 0}, "network-unreachable"},
      {{4, 3, 1}, "host-unreachable"},
      {{4, 3, 3}, "port-unreachable"},
      {{4, 3, 4}, "too-big"},
      {{4, 11, 0}, "time-exceeded"},
      {{4, 0, 0}, "echo-reply"},
      {{4, 8, 0}, "echo-request"},
      {{6, 128, 0}, "echo-request"},
      {{6, 1, 0}, "network-unreachable"},
      {{6, 1, 3}, "host-unreachable"},
      {{6, 1, 4}, "port-unreachable"},
      {{6, 2, 0}, "too-big"},
      {{6, 3, 0}, "time-exceeded"},
      {{6, 129, 0}, "echo-reply"},
      {{6, 136, 0}, "neighbor-advertisement"}};
  const auto name = kNames.find({v4 ? 4 : 6, type, code});
  if (name == kNames.end()) {
    return fmt::format("{}/{}", type, code);
  }
  return name->second == "too-big" ? fmt::format("too-big {}", word_at(packet, at + 6))
                                   : name->second;
}

std::string note_packet(const Bytes& packet);

class IpNote {
 public:
  explicit IpNote(const Bytes& bytes)
      : frame_(framed(bytes)),
        bytes_(bytes),
        v4_(bytes.at(0) >> 4 == 4),
        at_(frame_.transport_offset() - 14),
        number_(wire_byte(frame_.protocol())) {}

  [[nodiscard]] std::string text() {
    std::string text = ends() + what();
    const FragmentNotes fragment = frame_.fragment();
    if (fragment != FragmentNotes{}) {
      text +=
          fmt::format(" fragment {}-{}{}", fragment.begin, fragment.end, fragment.more ? "+" : "");
    }
    return text + wrong();
  }

 private:
  [[nodiscard]] size_t length() const {
    return v4_ ? word_at(bytes_, 2) : 40U + word_at(bytes_, 4);
  }
  [[nodiscard]] IpAddress address(size_t v4_offset, size_t v6_offset) const {
    IpAddress::V4Bytes four{};
    IpAddress::V6Bytes sixteen{};
    for (size_t i = 0; i < (v4_ ? four.size() : sixteen.size()); ++i) {
      (v4_ ? four[i] : sixteen[i]) = bytes_.at((v4_ ? v4_offset : v6_offset) + i);
    }
    return v4_ ? IpAddress::v4(four) : IpAddress::v6(sixteen);
  }
  [[nodiscard]] bool is_tunnel() const {
    return number_ == kIpv4Number || number_ == kIpv6Number || number_ == kGreNumber || is_gue();
  }
  [[nodiscard]] bool is_gue() const {
    return number_ == kUdpNumber && word_at(bytes_, at_ + 2) == kGueNumber;
  }
  [[nodiscard]] std::string ends() const {
    const bool ports = (number_ == kTcpNumber || number_ == kUdpNumber) && !is_tunnel() &&
                       bytes_.size() >= at_ + 4;
    const std::string source = name_of(address(12, 8));
    const std::string destination = name_of(address(16, 24));
    return ports ? fmt::format("{}:{} > {}:{}", source, word_at(bytes_, at_), destination,
                               word_at(bytes_, at_ + 2))
                 : fmt::format("{} > {}", source, destination);
  }
  [[nodiscard]] std::string ttl() const { return fmt::format(" ttl {}", bytes_.at(v4_ ? 8 : 7)); }
  [[nodiscard]] std::string what() const {
    if (is_tunnel()) {
      return tunnel();
    }
    switch (number_) {
      case kTcpNumber:
        return bytes_.size() < at_ + 14
                   ? " tcp" + ttl()
                   : " tcp " + flags_of(bytes_.at(at_ + 13)) + ttl() + text_of(frame_.payload());
      case kUdpNumber:
        return " udp" + ttl() + text_of(frame_.payload()) +
               (bytes_.size() >= at_ + 8 && word_at(bytes_, at_ + 6) == 0 ? " no checksum" : "");
      case kIcmpNumber:
      case kIcmpv6Number:
        return " icmp " + kind_of_icmp(bytes_, at_, v4_) + ttl() + quoted();
      default:
        return fmt::format(" protocol {}", number_) + ttl();
    }
  }
  [[nodiscard]] std::string quoted() const {
    const bool is_error = v4_ ? bytes_.at(at_) == 3 || bytes_.at(at_) == 11 : bytes_.at(at_) < 128;
    return is_error ? " { " + note_packet(from(bytes_, at_ + 8)) + " }" : "";
  }
  [[nodiscard]] std::string tunnel() const {
    const size_t shim = is_gue() ? 12 : number_ == kGreNumber ? 4 : 0;
    const std::string name = is_gue() ? "gue" : number_ == kGreNumber ? "gre" : "ipip";
    const Bytes inner = from(bytes_, at_ + shim);
    return fmt::format(" {}/{}in{}{} {{ {} }}", name, inner.at(0) >> 4, v4_ ? 4 : 6, ttl(),
                       note_packet(inner));
  }
  // Of what a quoted packet was cut to, that of the IPv4 header alone.
  [[nodiscard]] std::string wrong() const {
    const bool whole = length() <= bytes_.size();
    Frame frame = frame_;
    frame.bytes.resize(std::max(frame.size(), 14 + length()));
    const std::string wrong = frame.wrong_checksum();
    return wrong.empty() || (!whole && wrong != "ipv4 header checksum") ? "" : " WRONG " + wrong;
  }

  Frame frame_;
  const Bytes& bytes_;
  bool v4_;
  size_t at_;
  uint8_t number_;
};

std::string note_packet(const Bytes& packet) {
  return IpNote(packet).text();
}

std::string note_frame(const Outcome& outcome) {
  Frame frame = outcome.frame;
  return fmt::format("{} > {}: {}", name_of(frame.ethernet()->source),
                     name_of(frame.ethernet()->destination), note_ip(frame));
}

}  // namespace

std::string name_of(const MacAddress& address) {
  static const std::map<std::string, std::string_view> kNames{
      {"client", kClientMac}, {"wan", kBalancerMac},    {"lan", kLanMac},
      {"router", kRouterMac}, {"virtual", kVirtualMac}, {"virtual-gateway", kVirtualGatewayMac}};
  for (const auto& [name, mac] : kNames) {
    if (mac_address(mac) == address) {
      return name;
    }
  }
  for (int number = 1; number <= 3; ++number) {
    if (mac_address(mac_of_server(number)) == address) {
      return fmt::format("server{}", number);
    }
  }
  return address.to_string();
}

std::string name_of(const IpAddress& address) {
  for (const Family4or6& family : both_families()) {
    for (const auto& [name, text] :
         {std::pair("client", family.client), std::pair("vip", family.vip),
          std::pair("leased-vip", family.leased_vip), std::pair("router", family.router),
          std::pair("node", family.node), std::pair("wan", family.wan),
          std::pair("lan", family.lan), std::pair("gateway", family.gateway),
          std::pair("leased-gateway", family.leased_gateway),
          std::pair("far-client", family.far_client), std::pair("local1", family.locals[0]),
          std::pair("local2", family.locals[1]), std::pair("local3", family.locals[2]),
          std::pair("server1", family.server_prefix + "1"),
          std::pair("server2", family.server_prefix + "2"),
          std::pair("server3", family.server_prefix + "3")}) {
      if (ip_address(text) == address) {
        return name;
      }
    }
  }
  return address.to_string();
}

std::string note_ip(const Frame& frame) {
  const Bytes packet = frame.network_bytes();
  return packet.empty() ? "empty" : note_packet(packet);
}

std::string note(const Outcome& outcome) {
  const std::string port = outcome.out_port == kWan ? "wan" : "lan";
  switch (outcome.verdict) {
    case Verdict::kDrop:
      return "dropped: " + std::string(name_of(outcome.reason));
    case Verdict::kTransmit: {
      const std::string cut =
          outcome.fragment_mtu != 0 ? fmt::format(", to be cut for {}", outcome.fragment_mtu) : "";
      const std::string answered = outcome.reason != DropReason::kNone
                                       ? "answered " + std::string(name_of(outcome.reason)) + ": "
                                       : "";
      return answered + port + ", " + note_frame(outcome) + cut;
    }
    case Verdict::kKernel:
      return "kernel: " + note_frame(outcome);
    case Verdict::kHandOver:
      return fmt::format("to worker {}", index(outcome.owner));
    case Verdict::kHold:
      return "held";
  }
  return {};
}

}  // namespace ballast::testing
