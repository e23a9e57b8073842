#include <fmt/format.h>

#include "dataplane/world/validate.h"

namespace ballast {
namespace {

// A flow's hash picks one of the sources: more than these would not spread any better.
constexpr unsigned kMaxSourceBits = 16;
// Linux sends no shorter segments either (TCP_MIN_MSS): headers would outweigh what they carry.
constexpr uint32_t kLeastMss = 88;
constexpr uint32_t kLargestMss = 65535;

class PathValidation {
 public:
  PathValidation(const api::Service& service, const std::string& what, RefusalList& refusals)
      : service_(service), what_(what), refusals_(refusals), refused_before_(refusals.total()) {}

  std::optional<PathSpecification> run() {
    if (service_.has_tunnel()) {
      if (service_.mode() != api::TUN) {
        refuse("a tunnel needs mode TUN");
      }
      tunnel();
    }
    mss();
    return refusals_.total() == refused_before_ ? std::optional(result_) : std::nullopt;
  }

 private:
  void refuse(const std::string& why) { refusals_.add(what_, why); }

  void tunnel() {
    const api::Tunnel& tunnel = service_.tunnel();
    const auto encapsulation = to_encapsulation(tunnel.encapsulation());
    if (!encapsulation) {
      refuse(fmt::format("tunnel: encapsulation {} is unknown (IPIP, GRE, GUE)",
                         static_cast<int>(tunnel.encapsulation())));
      return;
    }
    result_.tunnel.encapsulation = *encapsulation;
    for (const std::string& text : tunnel.sources()) {
      source(text);
    }
    if (*encapsulation == Encapsulation::kGue) {
      gue(tunnel);
    } else if (tunnel.gue_port() != 0 || tunnel.no_udp_checksum()) {
      refuse(fmt::format("tunnel: {} needs encapsulation GUE",
                         tunnel.gue_port() != 0 ? "gue_port" : "no_udp_checksum"));
    }
  }

  void gue(const api::Tunnel& tunnel) {
    if (tunnel.gue_port() > 65535) {
      refuse(fmt::format("tunnel: gue_port {} is out of range (1-65535, or 0 for {})",
                         tunnel.gue_port(), kGuePort.to_host()));
      return;
    }
    if (tunnel.gue_port() != 0) {
      result_.tunnel.gue_port = Big16::from_host(static_cast<uint16_t>(tunnel.gue_port()));
    }
    result_.tunnel.checksum =
        tunnel.no_udp_checksum() ? TunnelChecksum::kNone : TunnelChecksum::kComputed;
  }

  void source(const std::string& text) {
    const auto prefix = Prefix::parse(text);
    if (!prefix) {
      refuse(
          fmt::format("tunnel: source {} is neither an address nor a prefix like 10.0.1.0/24 or "
                      "2001:db8:1::/112, its host bits zero",
                      quoted(text)));
      return;
    }
    const bool is_v4 = prefix->address.is_v4();
    const unsigned shortest = (is_v4 ? 32 : 128) - kMaxSourceBits;
    if (const char* why = why_not_unicast(prefix->address)) {
      refuse(fmt::format("tunnel: source {} {}", prefix->to_string(), why));
    } else if (prefix->length < shortest) {
      refuse(
          fmt::format("tunnel: source {} has more than {} addresses: take a prefix of /{} or "
                      "longer",
                      prefix->to_string(), 1U << kMaxSourceBits, shortest));
    }
    auto& place = is_v4 ? result_.tunnel.source_ipv4 : result_.tunnel.source_ipv6;
    if (place) {
      refuse(
          fmt::format("tunnel: sources {} and {} are both {}: at most one prefix of each family "
                      "is possible",
                      place->to_string(), prefix->to_string(), is_v4 ? "IPv4" : "IPv6"));
    }
    place = prefix;
  }

  void mss() {
    const uint32_t mss = service_.mss();
    if (mss != 0 && (mss < kLeastMss || mss > kLargestMss)) {
      refuse(
          fmt::format("mss {} is out of range ({}-{}, or 0 to leave SYNs as they are): below {} "
                      "bytes, headers outweigh what they carry, and Linux sends no such segments",
                      mss, kLeastMss, kLargestMss, kLeastMss));
    }
    if (mss != 0 && service_.mss_auto()) {
      refuse(fmt::format("mss {} and mss_auto: only one of them can be", mss));
    }
    result_.mss = static_cast<uint16_t>(mss);
    result_.mss_auto = service_.mss_auto();
  }

  const api::Service& service_;
  const std::string& what_;
  RefusalList& refusals_;
  size_t refused_before_;
  PathSpecification result_;
};

}  // namespace

std::optional<PathSpecification> validate_path(const api::Service& service, const std::string& what,
                                               RefusalList& refusals) {
  return PathValidation(service, what, refusals).run();
}

}  // namespace ballast
