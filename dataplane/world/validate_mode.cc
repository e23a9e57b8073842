// What fits the mode of a service: families, ports, local addresses.
#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "dataplane/world/validate.h"

namespace ballast {
namespace {

std::string_view name_of(Family family) {
  return family == Family::kIpv4 ? "IPv4" : "IPv6";
}

class ModeCheck {
 public:
  ModeCheck(const ServiceSpecification& service, const std::string& what, RefusalList& refusals)
      : service_(service), what_(what), refusals_(refusals) {
    for (const Listener& listener : service.listeners) {
      ports_[place(listener.vip.family())].insert(listener.port);
      all_ports_.insert(listener.port);
    }
  }

  void run() {
    const ForwardingMode mode = service_.mode;
    for (const ServerSpecification& server : service_.servers) {
      // Between families only a tunnel translates; only NAT and FULLNAT change ports.
      if (mode != ForwardingMode::kTunnel && !has_listener(server.address.family())) {
        refuse(fmt::format(
            "server {}: the service has no {} listener, and mode {} does not "
            "translate between families: add a listener or remove the server",
            describe(server.address, server.port), name_of(server.address.family()), mode_name()));
      } else if (mode == ForwardingMode::kDirectRouting || mode == ForwardingMode::kTunnel) {
        port_is_kept(server);
      }
    }
    local_addresses();
    one_packet();
  }

 private:
  void refuse(const std::string& why) { refusals_.add(what_, why); }
  [[nodiscard]] std::string mode_name() const { return api::Mode_Name(to_api(service_.mode)); }

  static size_t place(Family family) { return family == Family::kIpv4 ? 0 : 1; }

  [[nodiscard]] bool has_listener(Family family) const { return !ports_[place(family)].empty(); }

  // The packet reaches the server as the client wrote it.
  void port_is_kept(const ServerSpecification& server) {
    if (server.port == Big16{}) {
      return;
    }
    const bool any_family = service_.mode == ForwardingMode::kTunnel;
    const std::set<Big16>& ports = any_family ? all_ports_ : ports_[place(server.address.family())];
    const auto other = std::find_if(ports.begin(), ports.end(),
                                    [&server](Big16 port) { return port != server.port; });
    if (other != ports.end()) {
      refuse(fmt::format(
          "server {}: mode {} does not change ports, and a listener has port {}: the server's port "
          "must be that of every listener{}, or 0",
          describe(server.address, server.port), mode_name(), other->to_host(),
          any_family ? "" : " of its family"));
    }
  }

  void local_addresses() {
    if (service_.mode != ForwardingMode::kFullNat) {
      if (!service_.local_addresses.empty()) {
        refuse("local addresses need mode FULLNAT");
      }
      return;
    }
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
      const auto server =
          std::find_if(service_.servers.begin(), service_.servers.end(),
                       [family](const auto& one) { return one.address.family() == family; });
      const bool has_local =
          std::any_of(service_.local_addresses.begin(), service_.local_addresses.end(),
                      [family](const IpAddress& one) { return one.family() == family; });
      if (server != service_.servers.end() && !has_local) {
        refuse(
            fmt::format("server {}: mode FULLNAT needs a local address of its family: name at "
                        "least one {} local address",
                        describe(server->address, server->port), name_of(family)));
      }
    }
  }

  void one_packet() {
    if (!service_.one_packet) {
      return;
    }
    if (service_.mode == ForwardingMode::kFullNat) {
      refuse("one_packet is not possible in mode FULLNAT: each datagram would take a local port");
    }
    if (std::none_of(service_.listeners.begin(), service_.listeners.end(),
                     [](const Listener& one) { return one.protocol == IpProtocol::kUdp; })) {
      refuse("one_packet needs a UDP listener");
    }
  }

  const ServiceSpecification& service_;
  const std::string& what_;
  RefusalList& refusals_;
  std::array<std::set<Big16>, 2> ports_;  // of the listeners of each family
  std::set<Big16> all_ports_;
};

}  // namespace

void check_mode(const ServiceSpecification& service, const std::string& what,
                RefusalList& refusals) {
  ModeCheck(service, what, refusals).run();
}

}  // namespace ballast
