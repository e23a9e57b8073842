#include "control/config/vrrp_facts.h"

#include <string_view>

#include <fmt/format.h>

#include "toml_reader/duration.h"
#include "toml_reader/toml_report.h"

namespace ballast::control {
namespace {

std::string text_of(bool value) {
  return value ? "true" : "false";
}

// Of a command: words with their boundaries, so that two that differ look different.
std::string text_of(const std::vector<std::string>& command) {
  if (command.empty()) {
    return "none";
  }
  std::string text;
  for (const std::string& word : command) {
    text += (text.empty() ? "" : " ") + quote(word);
  }
  return text;
}

class VrrpFacts {
 public:
  explicit VrrpFacts(std::vector<Fact>& facts) : facts_(facts) {}

  void add(const VrrpSettings& instance) {
    const VrrpSettings usual;
    const std::string name = fmt::format("vrrp \"{}\"", instance.name);
    begin(name);
    add("interface", instance.interface);
    add("virtual_router_id", std::to_string(instance.virtual_router_id));
    add("priority", std::to_string(instance.priority), std::to_string(usual.priority));
    add("version", version(instance.version), version(usual.version));
    add("advert_interval", instance.advert_interval, usual_advert_interval(instance.version));
    add("preempt", text_of(instance.preempt), text_of(usual.preempt));
    add("preempt_delay", instance.preempt_delay, usual.preempt_delay);
    add("start_delay", instance.start_delay, usual.start_delay);
    add("virtual_mac", text_of(instance.virtual_mac), text_of(usual.virtual_mac));
    add("minimum_ttl", std::to_string(instance.minimum_ttl), std::to_string(usual.minimum_ttl));
    add("checksum", std::string(to_string(instance.checksum)),
        std::string(to_string(usual.checksum)));
    add("strict_addresses", text_of(instance.strict_addresses), text_of(usual.strict_addresses));
    add("announce_refresh", instance.announce_refresh, usual.announce_refresh);
    add("group", instance.group.empty() ? "none" : quote(instance.group), "none");
    add("notify", text_of(instance.notify), "none");
    if (const auto ipv6 = instance.addresses_of(Family::kIpv6); !ipv6.empty()) {
      add("first IPv6 address", ipv6.front().to_string());
    }
    for (const IpAddress& address : instance.addresses) {
      begin(fmt::format("{}: address {}", name, address.to_string()));
    }
    for (const IpAddress& peer : instance.unicast_peers) {
      begin(fmt::format("{}: unicast peer {}", name, peer.to_string()));
    }
    for (const VrrpTrack& track : instance.tracks) {
      begin(fmt::format(
          "{}: track {} {}", name, name_of(track.kind),
          track.kind == VrrpTrack::Kind::kScript ? text_of(track.command) : quote(track.subject)));
      add_track(track);
    }
  }

 private:
  static std::string version(vrrp::Version version) {
    return std::to_string(static_cast<int>(version));
  }

  void begin(std::string subject) {
    subject_ = std::move(subject);
    facts_.push_back({subject_, "", "", false});
  }
  void add(std::string_view attribute, const std::string& value) {
    facts_.push_back({subject_, std::string(attribute), value, false});
  }
  void add(std::string_view attribute, const std::string& value, const std::string& usual) {
    facts_.push_back({subject_, std::string(attribute), value, value == usual});
  }
  void add(std::string_view attribute, std::chrono::milliseconds value,
           std::chrono::milliseconds usual) {
    add(attribute, format_duration(value), format_duration(usual));
  }

  void add_track(const VrrpTrack& track) {
    const VrrpTrack usual;
    add("weight", track.weight == 0 ? "0 (fault)" : std::to_string(track.weight), "0 (fault)");
    if (track.kind == VrrpTrack::Kind::kScript) {
      add("interval", track.interval, usual.interval);
      add("timeout", track.timeout, usual.timeout);
      add("rise", std::to_string(track.rise), std::to_string(usual.rise));
      add("fall", std::to_string(track.fall), std::to_string(usual.fall));
      return;
    }
    add("up_delay", track.up_delay, usual.up_delay);
    add("down_delay", track.down_delay, usual.down_delay);
    if (track.kind == VrrpTrack::Kind::kFile) {
      add("up_if", std::string(name_of(track.up_if)));
    }
  }

  std::string subject_;
  std::vector<Fact>& facts_;
};

}  // namespace

void add_vrrp_facts(const VrrpSettings& instance, std::vector<Fact>& facts) {
  VrrpFacts(facts).add(instance);
}

}  // namespace ballast::control
