#include "control/daemon.h"

#include <algorithm>
#include <filesystem>
#include <random>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace ballast::control {
namespace {

constexpr std::chrono::seconds kRatePeriod{2};
constexpr size_t kMostNeededHops = 10'000;
// /run is empty after a boot, and nobody says which of the two daemons is started first. What is
// wrong with the folder is said by who opens the socket in it.
void make_folder_of(const std::string& path) {
  std::error_code ignored;
  std::filesystem::create_directory(std::filesystem::path(path).parent_path(), ignored);
}

constexpr std::string_view kSchedulerCapability = "scheduler/";
constexpr std::string_view kModeCapability = "mode/";

}  // namespace

struct Daemon::Timers {
  boost::asio::steady_timer rates;
};

tl::expected<std::unique_ptr<Daemon>, std::string> Daemon::start(boost::asio::io_context& loop,
                                                                 std::string file,
                                                                 LoadedConfiguration loaded,
                                                                 std::function<void()> on_fenced) {
  std::unique_ptr<Daemon> daemon(new Daemon(loop, std::move(file), std::move(loaded)));
  Daemon& self = *daemon;

  // First of all the door: a second ballastd must not get as far as the dataplane.
  make_folder_of(self.configuration_.daemon.control_socket);
  ControlServerOptions options;
  options.path = self.configuration_.daemon.control_socket;
  options.log = [](const std::string& line) { spdlog::info("api: {}", line); };
  auto server = ControlServer::listen(loop, self, options);
  if (!server) {
    return tl::unexpected(server.error());
  }
  self.control_server_.emplace(std::move(*server));

  auto mirror = netlink::Mirror::open(
      loop, [&self](const netlink::KernelChanges& changes) { self.on_kernel_change(changes); });
  if (!mirror) {
    return tl::unexpected(mirror.error());
  }
  self.mirror_ = std::move(*mirror);
  auto resolver = netlink::Resolver::open(loop, *self.mirror_);
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
  self.link_ = std::make_unique<DataplaneLink>(
      loop, self.configuration_.daemon.dataplane_socket,
      DataplaneLink::Callbacks{
          .on_state = [&self](const auto& hello,
                              const auto& state) { self.on_dataplane_state(hello, state); },
          .on_disconnect = [&self](const std::string&) { self.on_dataplane_gone(); },
          .on_neighbor_needed = [&self](const auto& needed) { self.on_neighbor_needed(needed); },
          .on_port_changed =
              [](const ballast::api::PortInfo& port) {
                spdlog::warn("port {}: link is {}", port.name(), port.up() ? "up" : "down");
              },
          .on_fenced =
              [on_fenced = std::move(on_fenced)](const std::string& by) {
                spdlog::error("dataplane: another ballastd took over ({}): this one ends", by);
                on_fenced();
              }});
  self.read_rates_now_and_then();
  return daemon;
}

Daemon::Daemon(boost::asio::io_context& loop, std::string file, LoadedConfiguration loaded)
    : loop_(loop),
      file_(std::move(file)),
      configuration_(std::move(loaded.configuration)),
      warnings_(std::move(loaded.warnings)),
      timers_(new Timers{boost::asio::steady_timer(loop)}) {
  for (const std::string& warning : warnings_) {
    spdlog::warn("{}", warning);
  }
}

Daemon::~Daemon() = default;

// ---------------------------------------------------------------- the dataplane

void Daemon::on_dataplane_state(const ballast::api::HelloAnswer& hello,
                                const ballast::api::State& state) {
  set_twins(hello);
  if (!std::exchange(adopted_, true)) {
    adopt_state(state);
  }
  if (!monitor_) {
    monitor_ = std::make_unique<healthcheck::Monitor>(
        loop_, healthcheck::MonitorOptions{.seed = std::random_device{}()},
        [this](const healthcheck::Flip& flip) { on_flip(flip); });
    set_targets();
  }
  set_interfaces();
  if (mirror_->complete()) {
    netlink::KernelChanges everything;
    everything.everything = true;
    on_kernel_change(everything);
  }
  start_telling_when_ready();
}

// The checks go over the twins, which lead nowhere without a dataplane: what they found now would
// count against servers that are well. Health stays as it was and is looked at again when there is
// a dataplane.
void Daemon::on_dataplane_gone() {
  monitor_.reset();
}

// The first dataplane that this ballastd meets knows what the ballastd before it knew. What was
// changed by hand since this one started is newer.
void Daemon::adopt_state(const ballast::api::State& state) {
  ServerConditions known = conditions_in(state);
  spdlog::info("adopted the condition of {} servers from the dataplane", known.size());
  for (const auto& [id, condition] : conditions_) {
    known[id].override_by_hand = condition.override_by_hand;
  }
  conditions_ = std::move(known);
  for (const auto& [next_hop, mac] : neighbors_in(state)) {
    neighbors_.adopt(next_hop, mac);
  }
}

void Daemon::set_twins(const ballast::api::HelloAnswer& hello) {
  for (const std::string& twin : std::exchange(twins_, {})) {
    link_->remove("port/" + twin);  // said again below if it is still there
  }
  for (const ballast::api::PortInfo& port : hello.ports()) {
    twins_.insert(port.name());
  }
  const auto gone = [this](const netlink::NextHop& hop) { return twins_.count(hop.link) == 0; };
  for (const netlink::NextHop& hop : needed_order_) {
    if (gone(hop)) {
      link_->remove(fmt::format("neighbor/{}/{}", hop.link, hop.address.to_string()));
    }
  }
  needed_order_.erase(std::remove_if(needed_order_.begin(), needed_order_.end(), gone),
                      needed_order_.end());
  needed_hops_ = {needed_order_.begin(), needed_order_.end()};
}

void Daemon::start_telling_when_ready() {
  if (!adopted_ || !mirror_->complete()) {
    return;
  }
  for (const auto& [key, resource] : configured_resources(configuration_, conditions_)) {
    link_->update(resource);
  }
  link_->start();
}

Capabilities Daemon::capabilities() const {
  if (!link_ || !link_->hello()) {
    return {};
  }
  Capabilities capabilities{.modes = {}, .schedulers = {}};
  for (const std::string& text : link_->hello()->capabilities()) {
    if (text.rfind(kSchedulerCapability, 0) == 0) {
      capabilities.schedulers.push_back(text.substr(kSchedulerCapability.size()));
    } else if (text.rfind(kModeCapability, 0) == 0) {
      capabilities.modes.push_back(text.substr(kModeCapability.size()));
    }
  }
  return capabilities;
}

void Daemon::on_neighbor_needed(const ballast::api::NeighborNeeded& needed) {
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
    spdlog::warn("neighbour {} on {}: {}", needed.address(), needed.port(), asked.error());
  }
}

void Daemon::read_rates_now_and_then() {
  timers_->rates.expires_after(kRatePeriod);
  timers_->rates.async_wait([this](const boost::system::error_code& error) {
    if (error) {
      return;
    }
    read_rates_now_and_then();
    if (!link_->connected()) {
      return rates_.forget();
    }
    ballast::api::ClientFrame frame;
    frame.mutable_get_statistics()->set_page_size(1);
    link_->request(frame,
                   [this](const tl::expected<ballast::api::ServerFrame, std::string>& answer) {
                     if (answer) {
                       rates_.read(answer->statistics(), std::chrono::steady_clock::now());
                     }
                   });
  });
}

// ---------------------------------------------------------------- the servers

const ServiceSettings* Daemon::find_service(const std::string& name) const {
  const auto found =
      std::find_if(configuration_.services.begin(), configuration_.services.end(),
                   [&name](const ServiceSettings& service) { return service.name == name; });
  return found != configuration_.services.end() ? &*found : nullptr;
}

void Daemon::set_targets() {
  std::vector<healthcheck::Target> targets;
  ServerConditions kept;
  ids_.clear();
  for (const ServiceSettings& service : configuration_.services) {
    for (const ServerSettings& server : service.servers) {
      const ServerId id{service.name, server.key};
      kept[id] = condition_of(id);
      ids_.emplace(id.to_string(), id);
      targets.push_back({.key = id.to_string(),
                         .address = server.key.address,
                         .port = server.check.port,
                         .settings = server.check,
                         .initial = kept[id].health});
    }
  }
  conditions_ = std::move(kept);
  monitor_->set_targets(std::move(targets));
}

ServerCondition Daemon::condition_of(const ServerId& id) const {
  const auto found = conditions_.find(id);
  return found != conditions_.end() ? found->second : ServerCondition{};
}

void Daemon::on_flip(const healthcheck::Flip& flip) {
  const auto found = ids_.find(flip.key);
  if (found == ids_.end()) {
    return;
  }
  const ServerId& id = found->second;
  conditions_[id].health = flip.to;
  const auto level =
      flip.to == healthcheck::Health::kDown ? spdlog::level::warn : spdlog::level::info;
  spdlog::log(level, "service \"{}\": server {} is {}: {}", id.service, id.server.to_string(),
              to_string(flip.to), flip.reason);
  if (const ServiceSettings* service = find_service(id.service)) {
    update_service(*service);
  }
}

void Daemon::update_service(const ServiceSettings& service) {
  link_->update(service_resource(service, conditions_));
}

void Daemon::update_services() {
  for (const ServiceSettings& service : configuration_.services) {
    update_service(service);
  }
}

// ---------------------------------------------------------------- the kernel

void Daemon::on_kernel_change(const netlink::KernelChanges& changes) {
  interfaces_->on_change(changes);
  if (twins_.empty()) {
    return;  // nobody knows yet which interfaces matter
  }
  const bool began = changes.everything;
  if (began || changes.links || changes.addresses) {
    update_ports();
    join_groups();
  }
  if (began || changes.links || !changes.routes.empty()) {
    update_routes(changes);
    follow_next_hops();
  }
  update_neighbors(neighbors_.follow(mirror_->state(), changes, twins_));
  if (began) {
    start_telling_when_ready();
  }
}

std::set<IpAddress> Daemon::vip_addresses() const {
  std::set<IpAddress> addresses;
  for (const VipSettings& vip : all_vips(configuration_)) {
    addresses.insert(vip.address);
  }
  return addresses;
}

void Daemon::update_ports() {
  const std::set<IpAddress> vips = vip_addresses();
  for (const ballast::api::PortInfo& port : link_->hello()->ports()) {
    link_->update(port_resource(port.name(), port.kernel_interface(), mirror_->state(), vips));
  }
}

void Daemon::update_routes(const netlink::KernelChanges& changes) {
  if (!changes.everything && !changes.links) {
    for (const Prefix& prefix : changes.routes) {
      set_route(prefix, netlink::effective_route(mirror_->state(), twins_, prefix));
    }
    return;
  }
  // Any link may have changed, most of them concern no route: only what differs is said.
  const EffectiveRoutes now = netlink::effective_routes(mirror_->state(), twins_);
  std::vector<Prefix> gone;
  for (const auto& [prefix, route] : routes_) {
    if (now.count(prefix) == 0) {
      gone.push_back(prefix);
    }
  }
  for (const Prefix& prefix : gone) {
    set_route(prefix, std::nullopt);
  }
  for (const auto& [prefix, route] : now) {
    set_route(prefix, route);
  }
}

void Daemon::set_route(const Prefix& prefix, std::optional<netlink::EffectiveRoute> route) {
  if (route) {
    // An IPv4 route over an IPv6 gateway (RFC 8950) is not known to the dataplane.
    const auto foreign = [&prefix](const netlink::RouteHop& hop) {
      return hop.gateway && hop.gateway->family() != prefix.address.family();
    };
    const size_t before = route->hops.size();
    route->hops.erase(std::remove_if(route->hops.begin(), route->hops.end(), foreign),
                      route->hops.end());
    if (before != 0 && route->hops.empty()) {
      route.reset();
    }
  }
  const auto known = routes_.find(prefix);
  if (!route) {
    if (known != routes_.end()) {
      routes_.erase(known);
      link_->remove("route/" + prefix.to_string());
    }
  } else if (known == routes_.end() || known->second != *route) {
    link_->update(route_resource(prefix, *route));
    routes_[prefix] = std::move(*route);
  }
}

bool Daemon::is_wanted(const netlink::NextHop& next_hop) const {
  return server_hops_.count(next_hop) != 0 || needed_hops_.count(next_hop) != 0;
}

// The next hops of the servers are kept fresh; those that the dataplane asked for are remembered
// with them.
void Daemon::follow_next_hops() {
  const std::set<netlink::NextHop> before =
      std::exchange(server_hops_, next_hops_of_servers(configuration_, routes_));
  resolver_->keep_fresh(server_hops_);
  std::set<netlink::NextHop> kept = server_hops_;
  kept.insert(needed_hops_.begin(), needed_hops_.end());
  std::set<netlink::NextHop> changed = neighbors_.keep(kept);
  changed.insert(kept.begin(), kept.end());
  changed.insert(before.begin(), before.end());
  update_neighbors(changed);
}

void Daemon::update_neighbors(const std::set<netlink::NextHop>& changed) {
  for (const netlink::NextHop& next_hop : changed) {
    const auto found = neighbors_.neighbors().find(next_hop);
    if (found != neighbors_.neighbors().end() && is_wanted(next_hop)) {
      link_->update(neighbor_resource(next_hop, found->second));
    } else {
      link_->remove(fmt::format("neighbor/{}/{}", next_hop.link, next_hop.address.to_string()));
    }
  }
}

// Of the IPv6 VIPs, on every twin that is there.
void Daemon::join_groups() {
  std::set<IpAddress> groups;
  for (const VipSettings& vip : all_vips(configuration_)) {
    if (vip.address.is_v6()) {
      groups.insert(solicited_node_group(vip.address));
    }
  }
  std::set<int> links;
  for (const std::string& twin : twins_) {
    if (const netlink::Link* link = mirror_->state().link_named(twin)) {
      links.insert(link->index);
    }
  }
  for (const std::string& problem : groups_.set(links, groups)) {
    spdlog::warn("{}", problem);
  }
}

void Daemon::set_interfaces() {
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

}  // namespace ballast::control
