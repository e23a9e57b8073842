#include "control/daemon/kernel_part.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <spdlog/spdlog.h>

#include "control/dataplane_link/resources.h"

namespace ballast::control {
namespace {

constexpr size_t kMostNeededHops = 10'000;

}  // namespace

tl::expected<std::unique_ptr<KernelPart>, std::string> KernelPart::open(
    boost::asio::io_context& loop, const Configuration& configuration, DataplaneLink& link,
    Callbacks callbacks) {
  std::unique_ptr<KernelPart> part(new KernelPart(configuration, link, std::move(callbacks)));
  KernelPart& self = *part;
  auto mirror = netlink::Mirror::open(
      loop, [&self](const netlink::KernelChanges& changes) { self.on_change(changes); });
  if (!mirror) {
    return tl::unexpected(mirror.error());
  }
  self.mirror_ = std::move(*mirror);
  auto resolver = netlink::Resolver::open(
      loop, *self.mirror_, [](const std::string& problem) { spdlog::warn("{}", problem); });
  if (!resolver) {
    return tl::unexpected(resolver.error());
  }
  self.resolver_ = std::move(*resolver);
  auto interfaces = netlink::InterfaceSetup::open(
      loop, *self.mirror_,
      [](const std::string& problem) { spdlog::error("interface: {}", problem); });
  if (!interfaces) {
    return tl::unexpected(interfaces.error());
  }
  self.interfaces_ = std::move(*interfaces);
  self.set_interfaces();
  return part;
}

KernelPart::KernelPart(const Configuration& configuration, DataplaneLink& link, Callbacks callbacks)
    : configuration_(configuration), link_(link), callbacks_(std::move(callbacks)) {}

KernelPart::~KernelPart() = default;

// ---------------------------------------------------------------- what the daemon tells

void KernelPart::set_twins(const ballast::api::HelloAnswer& hello) {
  for (const std::string& twin : std::exchange(twins_, {})) {
    link_.remove("port/" + twin);  // said again below if it is still there
  }
  for (const ballast::api::PortInfo& port : hello.ports()) {
    twins_.insert(port.name());
  }
  const auto gone = [this](const netlink::NextHop& hop) { return twins_.count(hop.link) == 0; };
  for (const netlink::NextHop& hop : needed_order_) {
    if (gone(hop)) {
      link_.remove(neighbor_resource_key(hop));
    }
  }
  needed_order_.erase(std::remove_if(needed_order_.begin(), needed_order_.end(), gone),
                      needed_order_.end());
  needed_hops_ = {needed_order_.begin(), needed_order_.end()};
}

void KernelPart::say_everything() {
  set_interfaces();
  if (complete()) {
    netlink::KernelChanges everything;
    everything.everything = true;
    on_change(everything);
  }
}

void KernelPart::adopt(const std::map<netlink::NextHop, MacAddress>& neighbors) {
  for (const auto& [next_hop, mac] : neighbors) {
    neighbors_.adopt(next_hop, mac);
  }
}

void KernelPart::configuration_changed() {
  set_interfaces();
  if (!twins_.empty() && complete()) {
    update_ports();  // which addresses are VIPs may have changed
    follow_next_hops();
    join_groups();
  }
}

void KernelPart::on_neighbor_needed(const ballast::api::NeighborNeeded& needed) {
  const auto address = IpAddress::parse(needed.address());
  if (!address || twins_.count(needed.port()) == 0) {
    return spdlog::error("dataplane: asked for a neighbour that cannot be: {} on {}",
                         needed.address(), needed.port());
  }
  const netlink::NextHop next_hop{needed.port(), *address};
  if (!is_wanted(next_hop)) {
    if (needed_order_.size() == kMostNeededHops) {
      needed_hops_.erase(needed_order_.front());
      needed_order_.pop_front();
    }
    needed_order_.push_back(next_hop);
    needed_hops_.insert(next_hop);
    follow_next_hops();
  }
  if (const auto asked = resolver_->ask(next_hop); !asked) {
    spdlog::debug("{}", asked.error());  // the dataplane asks again; a lasting problem is told once
  }
}

void KernelPart::set_interfaces() {
  std::vector<netlink::InterfaceSettings> wanted;
  std::set<std::string> named;
  for (const InterfaceSettings& each : configuration_.interfaces) {
    netlink::InterfaceSettings settings{.name = each.name, .addresses = {}, .routes = {}};
    for (const InterfaceAddress& address : each.addresses) {
      settings.addresses.push_back({address.address, address.length});
    }
    for (const RouteSettings& route : each.routes) {
      settings.routes.push_back(
          {route.to, route.via, route.metric != 0 ? std::optional(route.metric) : std::nullopt});
    }
    named.insert(each.name);
    wanted.push_back(std::move(settings));
  }
  for (const std::string& twin : twins_) {
    if (named.count(twin) == 0) {
      wanted.push_back({.name = twin, .addresses = {}, .routes = {}});
    }
  }
  interfaces_->set(wanted);
}

std::vector<KernelPart::Problem> KernelPart::problems() const {
  std::vector<Problem> problems;
  for (const std::string& problem : interfaces_->problems()) {
    problems.push_back({"interface", problem});
  }
  if (!mirror_->trouble().empty()) {
    problems.push_back({"netlink", mirror_->trouble()});
  }
  if (!resolver_->trouble().empty()) {
    problems.push_back({"neighbours", resolver_->trouble()});
  }
  return problems;
}

}  // namespace ballast::control
