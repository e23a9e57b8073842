#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "dataplane/scheduler/scheduler_list.h"
#include "dataplane/world/validate.h"

namespace ballast {
namespace {

constexpr size_t kMaxName = 255;
constexpr uint32_t kMaxTimeoutSeconds = 86400;

// The refusals of one service, each under its name.
class ServiceValidation {
 public:
  ServiceValidation(const api::Service& service, const ValidationContext& context,
                    RefusalList& refusals)
      : service_(service),
        context_(context),
        refusals_(refusals),
        what_("service " + quoted(service.name())),
        refused_before_(refusals.total()) {}

  std::optional<ServiceSpecification> run() {
    name();
    listeners();
    mode();
    scheduler();
    actions();
    timeouts();
    servers();
    local_addresses();
    if (const auto path = validate_path(service_, what_, refusals_)) {
      result_.path = *path;
    }
    if (refusals_.total() != refused_before_) {
      return std::nullopt;
    }
    check_mode(result_, what_, refusals_);
    if (refusals_.total() != refused_before_) {
      return std::nullopt;
    }
    return std::move(result_);
  }

 private:
  void refuse(const std::string& why) { refusals_.add(what_, why); }

  void name() {
    const std::string& name = service_.name();
    const bool printable = std::none_of(
        name.begin(), name.end(), [](unsigned char byte) { return byte < 0x20 || byte == 0x7f; });
    if (name.empty() || name.size() > kMaxName || !printable) {
      refuse(fmt::format("a name has 1 to {} printable characters", kMaxName));
    }
    result_.name = name;
  }

  void listeners() {
    for (const api::Listener& listener : service_.listeners()) {
      if (const auto valid = one_listener(listener)) {
        result_.listeners.push_back(*valid);
      }
    }
    if (service_.listeners().empty()) {
      refuse("has no listener: name at least one protocol, address and port");
    }
    std::sort(result_.listeners.begin(), result_.listeners.end(), ListenerOrder());
    const auto twice = std::adjacent_find(result_.listeners.begin(), result_.listeners.end());
    if (twice != result_.listeners.end()) {
      refuse(fmt::format("listener {} is named twice", describe(*twice)));
    }
  }

  std::optional<Listener> one_listener(const api::Listener& listener) {
    const auto address = IpAddress::parse(listener.address());
    if (!address) {
      refuse(fmt::format("listener: {} is not an address", quoted(listener.address())));
      return std::nullopt;
    }
    if (listener.protocol() != api::TCP && listener.protocol() != api::UDP) {
      refuse(fmt::format("listener on {}: protocol {} is neither TCP (6) nor UDP (17)",
                         address->to_string(), static_cast<int>(listener.protocol())));
      return std::nullopt;
    }
    if (listener.port() < 1 || listener.port() > 65535) {
      refuse(fmt::format("listener on {}: port {} is out of range (1-65535)", address->to_string(),
                         listener.port()));
      return std::nullopt;
    }
    return Listener{*address, Big16::from_host(static_cast<uint16_t>(listener.port())),
                    listener.protocol() == api::TCP ? IpProtocol::kTcp : IpProtocol::kUdp};
  }

  void mode() {
    switch (service_.mode()) {
      case api::DR:
        result_.mode = ForwardingMode::kDirectRouting;
        break;
      case api::NAT:
        result_.mode = ForwardingMode::kNat;
        break;
      case api::FULLNAT:
        result_.mode = ForwardingMode::kFullNat;
        break;
      case api::TUN:
        result_.mode = ForwardingMode::kTunnel;
        break;
      default:
        refuse(fmt::format("mode {} is unknown ({})", static_cast<int>(service_.mode()),
                           supported_modes()));
        return;
    }
    if (context_.modes.contains(result_.mode)) {
      return;
    }
    if (result_.mode == ForwardingMode::kNat || result_.mode == ForwardingMode::kFullNat) {
      refuse(fmt::format("mode {} needs [connections] nat = true in dataplane.toml ({})",
                         api::Mode_Name(service_.mode()), supported_modes()));
    } else {
      refuse(fmt::format("mode {} is not supported by this dataplane ({})",
                         api::Mode_Name(service_.mode()), supported_modes()));
    }
  }

  [[nodiscard]] std::string supported_modes() const {
    std::vector<std::string> names;
    for (const ForwardingMode mode : context_.modes) {
      names.push_back(api::Mode_Name(to_api(mode)));
    }
    return fmt::format("supported: {}", fmt::join(names, ", "));
  }

  void scheduler() {
    if (find_scheduler(service_.scheduler()) == nullptr) {
      std::vector<std::string_view> names;
      for (const SchedulerDescription& known : all_schedulers()) {
        names.push_back(known.name);
      }
      refuse(fmt::format("unknown scheduler {} (known: {})", quoted(service_.scheduler()),
                         fmt::join(names, ", ")));
    }
    result_.scheduler = service_.scheduler();
  }

  void actions() {
    result_.sloppy_tcp = service_.sloppy_tcp();
    result_.one_packet = service_.one_packet();
    if (const auto refuse_action = to_refuse_action(service_.on_no_server())) {
      result_.on_no_server = *refuse_action;
    } else {
      refuse(fmt::format("on_no_server {} is unknown (ANSWER, DROP)",
                         static_cast<int>(service_.on_no_server())));
    }
    switch (service_.on_server_down()) {
      case api::KEEP:
        result_.on_server_down = OnServerDown::kKeep;
        break;
      case api::RESET:
        result_.on_server_down = OnServerDown::kReset;
        break;
      case api::RESCHEDULE:
        result_.on_server_down = OnServerDown::kReschedule;
        break;
      default:
        refuse(fmt::format("on_server_down {} is unknown (KEEP, RESET, RESCHEDULE)",
                           static_cast<int>(service_.on_server_down())));
    }
  }

  void timeouts() {
    for (const auto& [name, seconds] : service_.timeout_seconds()) {
      size_t state = 0;
      while (state < kConnectionStates && name_of(static_cast<ConnectionState>(state)) != name) {
        ++state;
      }
      if (state == kConnectionStates) {
        refuse(fmt::format("timeout of unknown state {} (known: {})", quoted(name), state_names()));
      } else if (seconds < 1 || seconds > kMaxTimeoutSeconds) {
        refuse(fmt::format("timeout of {}: {} seconds is out of range (1-{})", name, seconds,
                           kMaxTimeoutSeconds));
      } else {
        result_.timeout_seconds[state] = seconds;
      }
    }
  }

  static std::string state_names() {
    std::vector<std::string_view> names;
    for (size_t state = 0; state < kConnectionStates; ++state) {
      names.push_back(name_of(static_cast<ConnectionState>(state)));
    }
    return fmt::format("{}", fmt::join(names, ", "));
  }

  void servers() {
    result_.servers.reserve(static_cast<size_t>(service_.servers_size()));
    for (const api::Server& server : service_.servers()) {
      if (const auto valid = one_server(server)) {
        result_.servers.push_back(*valid);
      }
    }
    const auto key = [](const ServerSpecification& server) {
      return std::pair(server.address, server.port);
    };
    std::sort(result_.servers.begin(), result_.servers.end(),
              [&](const auto& a, const auto& b) { return key(a) < key(b); });
    const auto twice =
        std::adjacent_find(result_.servers.begin(), result_.servers.end(),
                           [&](const auto& a, const auto& b) { return key(a) == key(b); });
    if (twice != result_.servers.end()) {
      refuse(fmt::format("server {} is named twice", describe(twice->address, twice->port)));
    }
  }

  std::optional<ServerSpecification> one_server(const api::Server& server) {
    const auto address = IpAddress::parse(server.address());
    if (!address) {
      refuse(fmt::format("server: {} is not an address", quoted(server.address())));
      return std::nullopt;
    }
    const std::string who = "server " + address->to_string();
    const size_t before = refusals_.total();
    if (const char* why = why_not_unicast(*address)) {
      refuse(fmt::format("{}: {}", who, why));
    }
    if (server.port() > 65535) {
      refuse(fmt::format("{}: port {} is out of range (0-65535)", who, server.port()));
    }
    if (server.weight() > 65535) {
      refuse(fmt::format("{}: weight {} is out of range (0-65535)", who, server.weight()));
    }
    if (server.configured_weight() > 65535) {
      refuse(fmt::format("{}: configured weight {} is out of range (0-65535)", who,
                         server.configured_weight()));
    }
    if (!api::Health_IsValid(server.health())) {
      refuse(fmt::format("{}: health {} is unknown", who, static_cast<int>(server.health())));
    }
    if (!api::Override_IsValid(server.override())) {
      refuse(fmt::format("{}: override {} is unknown", who, static_cast<int>(server.override())));
    }
    if (refusals_.total() != before) {
      return std::nullopt;
    }
    return ServerSpecification{*address,
                               Big16::from_host(static_cast<uint16_t>(server.port())),
                               static_cast<uint16_t>(server.weight()),
                               static_cast<uint16_t>(server.configured_weight()),
                               server.health(),
                               server.override()};
  }

  void local_addresses() {
    for (const std::string& text : service_.local_addresses()) {
      const auto address = IpAddress::parse(text);
      if (!address) {
        refuse(fmt::format("local address {} is not an address", quoted(text)));
      } else if (const char* why = why_not_unicast(*address)) {
        refuse(fmt::format("local address {} {}", address->to_string(), why));
      } else {
        result_.local_addresses.push_back(*address);
      }
    }
    std::vector<IpAddress>& all = result_.local_addresses;
    std::sort(all.begin(), all.end());
    if (const auto twice = std::adjacent_find(all.begin(), all.end()); twice != all.end()) {
      refuse(fmt::format("local address {} is named twice", twice->to_string()));
    }
  }

  const api::Service& service_;
  const ValidationContext& context_;
  RefusalList& refusals_;
  std::string what_;
  size_t refused_before_;
  ServiceSpecification result_;
};

}  // namespace

std::optional<ServiceSpecification> validate_service(const api::Service& service,
                                                     const ValidationContext& context,
                                                     RefusalList& refusals) {
  return ServiceValidation(service, context, refusals).run();
}

}  // namespace ballast
