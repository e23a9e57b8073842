#include "control/config/facts.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "control/config/address_block.h"
#include "control/config/vrrp_facts.h"
#include "healthcheck/checker_list.h"
#include "toml_reader/duration.h"
#include "toml_reader/toml_report.h"

namespace ballast::control {
namespace {

using healthcheck::CheckSettings;

std::string text_of(bool value) {
  return value ? "true" : "false";
}

class Collector {
 public:
  std::vector<Fact> collect(const Configuration& configuration) {
    add_daemon(configuration.daemon);
    for (const InterfaceSettings& interface : configuration.interfaces) {
      add_interface(interface);
    }
    for (const IpAddress& gateway : configuration.nat.gateways) {
      begin(fmt::format("nat: gateway {}", gateway.to_string()));
    }
    for (const Prefix& network : configuration.nat.routed_networks) {
      begin(fmt::format("nat: routed network {}", network.to_string()));
    }
    for (const VipSettings& vip : configuration.vips) {
      begin(fmt::format("vip {}", vip.address.to_string()));
      add("ping", text_of(vip.ping), text_of(VipSettings{}.ping));
    }
    for (const ServiceSettings& service : configuration.services) {
      add_service(service);
    }
    for (const VrrpSettings& instance : configuration.vrrp) {
      add_vrrp_facts(instance, facts_);
    }
    return std::move(facts_);
  }

 private:
  void begin(std::string subject) {
    subject_ = std::move(subject);
    facts_.push_back({subject_, "", "", false});
  }
  void add(std::string_view attribute, std::string value) {
    facts_.push_back({subject_, std::string(attribute), std::move(value), false});
  }
  void add(std::string_view attribute, std::string_view value, std::string_view usual) {
    facts_.push_back({subject_, std::string(attribute), std::string(value), value == usual});
  }

  void add_daemon(const DaemonSettings& daemon) {
    const DaemonSettings usual;
    begin("daemon");
    add("dataplane_socket", daemon.dataplane_socket, usual.dataplane_socket);
    add("control_socket", daemon.control_socket, usual.control_socket);
    add("control_socket_group", quote(daemon.control_socket_group),
        quote(usual.control_socket_group));
    add("script_user", daemon.script_user, usual.script_user);
    add("log_level", name_of(daemon.log_level), name_of(usual.log_level));
    add("on_no_service", name_of(daemon.on_no_service), name_of(usual.on_no_service));
  }

  void add_interface(const InterfaceSettings& interface) {
    const std::string name = fmt::format("interface \"{}\"", interface.name);
    begin(name);
    for (const InterfaceAddress& address : interface.addresses) {
      begin(fmt::format("{}: address {}", name, address.address.to_string()));
      add("prefix length", std::to_string(address.length));
    }
    for (const RouteSettings& route : interface.routes) {
      // The metric is part of the route's key, as it is in the kernel.
      const std::string metric = route.metric == 0 ? "" : fmt::format(" metric {}", route.metric);
      begin(fmt::format("{}: route to {}{}", name, route.to.to_string(), metric));
      add("via", route.via.to_string());
    }
  }

  void add_service(const ServiceSettings& service) {
    const ServiceSettings usual;
    const std::string name = fmt::format("service \"{}\"", service.name);
    begin(name);
    add("mode", std::string(name_of(service.mode)));
    add("scheduler", service.scheduler);
    add("on_no_server", name_of(service.on_no_server), name_of(usual.on_no_server));
    add("on_server_down", name_of(service.on_server_down), name_of(usual.on_server_down));
    add("sloppy_tcp", text_of(service.sloppy_tcp), text_of(usual.sloppy_tcp));
    add("quorum", std::to_string(service.quorum), std::to_string(usual.quorum));
    add_mode(service, usual);
    for (const auto& [state, timeout] : service.timeouts) {
      add("timeout " + state, format_duration(timeout));
    }
    add_check(service.check, usual.check, true);
    for (const Listener& listener : service.listeners) {
      begin(fmt::format("{}: listen {}", name, listener.to_string()));
    }
    for (const ServerSettings& server : service.servers) {
      begin(fmt::format("{}: server {}", name, server.key.to_string()));
      add("weight", std::to_string(server.weight));
      add_check(server.check, service.check, false);
    }
  }

  void add_mode(const ServiceSettings& service, const ServiceSettings& usual) {
    const auto list = [](const std::vector<std::string>& texts) {
      return texts.empty() ? "none" : fmt::format("{}", fmt::join(texts, " "));
    };
    std::vector<std::string> sources;
    for (const Prefix& source : service.tunnel.sources) {
      sources.push_back(source.to_string());
    }
    std::ranges::sort(sources);
    add("local_addresses", list(ranges_of(service.local_addresses)), "none");
    add("encapsulation", name_of(service.tunnel.encapsulation),
        name_of(usual.tunnel.encapsulation));
    add("tunnel_source", list(sources), "none");
    add("gue_port", std::to_string(service.tunnel.gue_port), std::to_string(usual.tunnel.gue_port));
    add("gue_checksum", text_of(service.tunnel.gue_checksum), text_of(usual.tunnel.gue_checksum));
    add("mss", mss_text(service), mss_text(usual));
    add("one_packet", text_of(service.one_packet), text_of(usual.one_packet));
  }

  static std::string mss_text(const ServiceSettings& service) {
    if (service.mss_auto) {
      return "auto";
    }
    return service.mss == 0 ? "none" : std::to_string(service.mss);
  }

  // With `all`, every setting, and `usual` are the defaults; else what differs from `usual`, the
  // inherited settings.
  void add_check(const CheckSettings& check, const CheckSettings& usual, bool all) {
    const auto setting = [&](std::string_view attribute, const std::string& value,
                             const std::string& usual_value) {
      if (all || value != usual_value) {
        add(attribute, value, usual_value);
      }
    };
    const auto port = [](uint16_t value) {
      return value == 0 ? std::string("that of the connections") : std::to_string(value);
    };
    const auto type = [](const CheckSettings& of) {
      return std::string(healthcheck::to_string(of.type));
    };
    setting("check type", type(check), type(usual));
    setting("check port", port(check.port), port(usual.port));
    setting("check path", check.path, usual.path);
    setting("check host", quote(check.host), quote(usual.host));
    setting("check method", check.method, usual.method);
    setting("check expect_status", check.expect_status.to_string(),
            usual.expect_status.to_string());
    setting("check interval", format_duration(check.interval), format_duration(usual.interval));
    setting("check timeout", format_duration(check.timeout), format_duration(usual.timeout));
    setting("check rise", std::to_string(check.rise), std::to_string(usual.rise));
    setting("check fall", std::to_string(check.fall), std::to_string(usual.fall));
    setting("check jitter", fmt::format("{}", check.jitter), fmt::format("{}", usual.jitter));
  }

  std::string subject_;
  std::vector<Fact> facts_;
};

}  // namespace

std::vector<Fact> facts_of(const Configuration& configuration) {
  return Collector().collect(configuration);
}

std::string to_string(const Configuration& configuration) {
  std::string result;
  for (const Fact& fact : facts_of(configuration)) {
    if (fact.attribute.empty()) {
      result += fact.subject + "\n";
    } else {
      result += fmt::format("{}: {} {}\n", fact.subject, fact.attribute, fact.value);
    }
  }
  return result;
}

}  // namespace ballast::control
