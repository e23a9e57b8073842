#include "tests/model/scene.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "tests/unit/packet_builder.h"

namespace ballast::model {
namespace {

using testing::ip_address;
using testing::mac_address;

constexpr std::array kSchedulers{"rr", "wrr", "mh"};
constexpr std::array<uint16_t, 5> kMtus{1500, 1400, 1300, 9000, 1500};

Prefix prefix(const char* text) {
  return *Prefix::parse(text);
}

void add_ports(Setup& setup) {
  setup.ports.push_back({"wan",
                         mac_address("02:00:00:00:00:1b"),
                         1500,
                         true,
                         {ip_address("203.0.113.2"), ip_address("2001:db8:f::2")}});
  setup.ports.push_back({"lan",
                         mac_address("02:00:00:00:00:2b"),
                         1500,
                         true,
                         {ip_address("10.0.0.2"), ip_address("2001:db8:a::2")}});
}

void add_addresses(Setup& setup) {
  const MacAddress front = mac_address("00:00:5e:00:01:33");
  const MacAddress front6 = mac_address("00:00:5e:00:02:33");
  const MacAddress back = mac_address("00:00:5e:00:01:34");
  const MacAddress back6 = mac_address("00:00:5e:00:02:34");
  setup.addresses = {
      {ip_address("192.0.2.10"), Use::kServices, 0, {}, true},
      {ip_address("192.0.2.20"), Use::kServices, kLeasedSlot, front, true},
      {ip_address("2001:db8::10"), Use::kServices, 0, {}, false},
      {ip_address("2001:db8::20"), Use::kServices, kLeasedSlot, front6, true},
      {ip_address("10.0.0.1"), Use::kGateway, kLeasedSlot, back, true},
      {ip_address("2001:db8:a::1"), Use::kGateway, kLeasedSlot, back6, true},
      {ip_address("10.0.1.200"), Use::kLocal, kLeasedSlot, back, true},
      {ip_address("10.0.1.201"), Use::kLocal, 0, {}, true},
      {ip_address("2001:db8:a::200"), Use::kLocal, kLeasedSlot, back6, true},
      {ip_address("2001:db8:a::201"), Use::kLocal, 0, {}, true},
  };
}

void add_routes(Setup& setup) {
  setup.routes = {
      {prefix("0.0.0.0/0"), kWan, ip_address("203.0.113.1")},
      {prefix("203.0.113.0/24"), kWan, std::nullopt},
      {prefix("10.0.0.0/16"), kLan, std::nullopt},
      {prefix("10.9.0.0/24"), kLan, ip_address("10.0.0.254")},
      {prefix("::/0"), kWan, ip_address("2001:db8:f::1")},
      {prefix("2001:db8:f::/64"), kWan, std::nullopt},
      {prefix("2001:db8:a::/64"), kLan, std::nullopt},
      {prefix("2001:db8:9::/64"), kLan, ip_address("2001:db8:a::fe")},
  };
}

void add_neighbors(Setup& setup) {
  const auto add = [&](PortIndex port, const std::string& address, const std::string& mac) {
    setup.neighbors.push_back({port, ip_address(address), mac_address(mac), Known::kReachable});
  };
  add(kWan, "203.0.113.1", "02:00:00:00:00:c1");
  add(kWan, "2001:db8:f::1", "02:00:00:00:00:c1");
  add(kLan, "10.0.0.254", "02:00:00:00:00:fe");
  add(kLan, "2001:db8:a::fe", "02:00:00:00:00:fe");
  for (int number = 1; number <= 5; ++number) {
    const std::string mac = fmt::format("02:00:00:00:00:a{}", number);
    add(kLan, fmt::format("10.0.0.1{}", number), mac);
    add(kLan, fmt::format("2001:db8:a::1{}", number), mac);
  }
}

std::vector<Client> make_clients() {
  const MacAddress router = mac_address("02:00:00:00:00:c1");
  return {{ip_address("198.51.100.7"), router},
          {ip_address("198.51.100.8"), router},
          {ip_address("203.0.113.50"), mac_address("02:00:00:00:00:50")},
          {ip_address("203.0.113.51"), mac_address("02:00:00:00:00:51")},
          {ip_address("2001:db8:1::7"), router},
          {ip_address("2001:db8:1::8"), router},
          {ip_address("2001:db8:f::50"), mac_address("02:00:00:00:00:50")},
          {ip_address("2001:db8:f::51"), mac_address("02:00:00:00:00:51")}};
}

// DR and TUN leave the port as it is.
void fit_to_mode(ServiceSetup& service, const ServiceSetup& original) {
  for (ServerSetup& server : service.servers) {
    const auto same =
        std::find_if(original.servers.begin(), original.servers.end(),
                     [&](const ServerSetup& each) { return each.address == server.address; });
    const bool keeps = service.mode == Mode::kDr || service.mode == Mode::kTun;
    server.port = keeps ? uint16_t{0} : same->port;
  }
  service.one_packet = original.one_packet && service.mode != Mode::kFullNat;
}

Mode random_mode(Random& random, const std::set<Mode>& modes) {
  auto chosen = modes.begin();
  std::advance(chosen, static_cast<std::ptrdiff_t>(below(random, modes.size())));
  return *chosen;
}

void add_servers(Random& random, ServiceSetup& service) {
  const uint16_t port = one_in(random, 3) ? uint16_t{0} : static_cast<uint16_t>(8080);
  const uint64_t count = 1 + below(random, 4);
  for (uint64_t number = 1; number <= count; ++number) {
    const auto weight = static_cast<uint16_t>(1 + below(random, 4));
    service.servers.push_back({ip_address(fmt::format("10.0.0.1{}", number)), port, weight, false});
    service.servers.push_back(
        {ip_address(fmt::format("2001:db8:a::1{}", number)), port, weight, false});
  }
  if (one_in(random, 3)) {  // behind a router; DR's servers share the balancer's network
    service.servers.push_back({ip_address("10.9.0.11"), port, 1, false});
    service.servers.push_back({ip_address("2001:db8:9::11"), port, 1, false});
  }
}

ServiceSetup make_service(Random& random, int number, const std::set<Mode>& modes) {
  ServiceSetup service;
  service.name = fmt::format("s{}", number);
  service.mode = random_mode(random, modes);
  service.scheduler = kSchedulers[below(random, kSchedulers.size())];
  const uint8_t protocol = number % 2 == 0 ? uint8_t{6} : uint8_t{17};
  const auto port = static_cast<uint16_t>(80 + number);
  for (const char* vip : {"192.0.2.10", "2001:db8::10", "192.0.2.20", "2001:db8::20"}) {
    service.listeners.push_back({protocol, ip_address(vip), port});
  }
  if (one_in(random, 3)) {
    service.listeners.push_back({protocol, ip_address("192.0.2.10"), uint16_t{7000}});
    service.listeners.back().port = static_cast<uint16_t>(7000 + number);
  }
  add_servers(random, service);
  service.answers = !one_in(random, 4);
  service.on_down = static_cast<OnDown>(below(random, 3));
  service.sloppy = one_in(random, 6);
  service.one_packet = protocol == 17 && one_in(random, 4);
  if (!one_in(random, 3)) {
    service.timeouts = {{"ESTABLISHED", 20}, {"SYN_RECV", 5},   {"FIN_WAIT", 8}, {"TIME_WAIT", 6},
                        {"CLOSE", 3},        {"CLOSE_WAIT", 5}, {"LAST_ACK", 3}, {"UDP", 10}};
  }
  service.local_addresses = {ip_address("10.0.1.200"), ip_address("10.0.1.201"),
                             ip_address("2001:db8:a::200"), ip_address("2001:db8:a::201")};
  service.wrapping = static_cast<Wrapping>(below(random, 3));
  if (one_in(random, 2)) {
    service.sources_v4 = prefix("10.0.2.0/28");
  }
  if (one_in(random, 2)) {
    service.sources_v6 = prefix("2001:db8:a:1::/120");
  }
  if (one_in(random, 3)) {
    service.mss = 1200;
  } else {
    service.mss_auto = one_in(random, 2);
  }
  return service;
}

}  // namespace

Scene make_scene(uint64_t seed, const std::set<Mode>& modes) {
  Random random(seed);
  Scene scene;
  scene.seed = seed;
  scene.workers = static_cast<uint16_t>(1 + below(random, 4));
  Setup& setup = scene.setup;
  add_ports(setup);
  add_addresses(setup);
  add_routes(setup);
  add_neighbors(setup);
  scene.clients = make_clients();
  for (int number = 0; number < 4; ++number) {
    ServiceSetup service = make_service(random, number, modes);
    scene.listeners.insert(scene.listeners.end(), service.listeners.begin(),
                           service.listeners.end());
    setup.services.push_back(std::move(service));
  }
  for (ServiceSetup& service : setup.services) {
    const ServiceSetup original = service;
    fit_to_mode(service, original);
  }
  scene.listeners.push_back({6, ip_address("192.0.2.10"), 9});
  scene.listeners.push_back({17, ip_address("2001:db8::20"), 9});
  setup.ports[1].mtu = kMtus[below(random, kMtus.size())];
  setup.answers_no_service = !one_in(random, 4);
  if (one_in(random, 3)) {
    setup.routed_networks = {prefix("10.0.0.0/16"), prefix("2001:db8:a::/64")};
  }
  return scene;
}

// ---------------------------------------------------------------- changes

Change random_change(Random& random, const Scene& scene, const std::set<Mode>& modes) {
  Change change;
  change.kind = static_cast<ChangeKind>(below(random, 13));
  const auto service = static_cast<uint16_t>(below(random, scene.setup.services.size()));
  change.which = service;
  change.member =
      static_cast<uint16_t>(below(random, scene.setup.services[service].servers.size()));
  switch (change.kind) {
    case ChangeKind::kMode:
      change.value = static_cast<uint16_t>(random_mode(random, modes));
      break;
    case ChangeKind::kLease:
      change.value = static_cast<uint16_t>(one_in(random, 3) ? below(random, 4) : 3);
      break;
    case ChangeKind::kService:
      change.value = static_cast<uint16_t>(one_in(random, 3) ? 0 : 1);
      break;
    case ChangeKind::kMtu:
    case ChangeKind::kPortUp:
      change.which = static_cast<uint16_t>(below(random, 2));
      change.value = change.kind == ChangeKind::kMtu
                         ? kMtus[below(random, kMtus.size())]
                         : static_cast<uint16_t>(one_in(random, 5) ? 0 : 1);
      break;
    case ChangeKind::kNeighbor:
    case ChangeKind::kNeighborMac:
      change.which = static_cast<uint16_t>(below(random, scene.setup.neighbors.size()));
      change.value = static_cast<uint16_t>(one_in(random, 2) ? 1 : below(random, 3));
      break;
    default:
      change.value = static_cast<uint16_t>(below(random, 4));
      break;
  }
  return change;
}

namespace {

void toggle_server(const Change& change, const Scene& scene, ServiceSetup& service) {
  const ServiceSetup& original = scene.setup.services[change.which];
  const IpAddress& address = original.servers[change.member].address;
  const auto there = std::find_if(service.servers.begin(), service.servers.end(),
                                  [&](const ServerSetup& each) { return each.address == address; });
  if (there != service.servers.end()) {
    service.servers.erase(there);
  } else {
    service.servers.push_back(original.servers[change.member]);
    fit_to_mode(service, original);
  }
}

void change_service(const Change& change, const Scene& scene, ServiceSetup& service) {
  const ServiceSetup& original = scene.setup.services[change.which];
  const IpAddress& address = original.servers[change.member].address;
  for (ServerSetup& server : service.servers) {
    if (server.address == address && change.kind == ChangeKind::kDisable) {
      server.disabled = !server.disabled;
    } else if (server.address == address && change.kind == ChangeKind::kWeight) {
      server.weight = change.value;
    }
  }
  switch (change.kind) {
    case ChangeKind::kServer:
      return toggle_server(change, scene, service);
    case ChangeKind::kMode:
      service.mode = static_cast<Mode>(change.value);
      return fit_to_mode(service, original);
    case ChangeKind::kScheduler:
      service.scheduler = kSchedulers[change.value % kSchedulers.size()];
      return;
    case ChangeKind::kOnDown:
      service.on_down = static_cast<OnDown>(change.value % 3);
      return;
    case ChangeKind::kAnswers:
      service.answers = !service.answers;
      return;
    default:
      return;
  }
}

void set_service(const Change& change, const Scene& scene, Setup& setup) {
  const std::string& name = scene.setup.services[change.which].name;
  if (change.value == 0) {
    std::erase_if(setup.services, [&](const auto& each) { return each.name == name; });
  } else if (setup.service(name) == nullptr) {
    setup.services.push_back(scene.setup.services[change.which]);
  }
}

}  // namespace

void apply(const Change& change, const Scene& scene, Setup& setup) {
  switch (change.kind) {
    case ChangeKind::kLease:
      return;  // not of the Setup
    case ChangeKind::kService:
      return set_service(change, scene, setup);
    case ChangeKind::kMtu:
      setup.ports[change.which].mtu = change.value;
      return;
    case ChangeKind::kPortUp:
      setup.ports[change.which].up = change.value != 0;
      return;
    case ChangeKind::kNeighbor:
      setup.neighbors[change.which].state = static_cast<Known>(change.value % 3);
      return;
    case ChangeKind::kNeighborMac: {
      NeighborSetup& neighbor = setup.neighbors[change.which];
      // Another one, its first, and one of our own.
      neighbor.mac = change.value == 0   ? testing::mac_address("02:00:00:00:00:99")
                     : change.value == 1 ? scene.setup.neighbors[change.which].mac
                                         : setup.ports[0].mac;
      return;
    }
    default:
      break;
  }
  const std::string& name = scene.setup.services[change.which].name;
  for (ServiceSetup& service : setup.services) {
    if (service.name == name) {
      change_service(change, scene, service);
    }
  }
}

std::string to_string(const Change& change, const Scene& scene) {
  const auto service = [&] { return scene.setup.services[change.which].name; };
  const auto server = [&] {
    return fmt::format(
        "server {} of {}",
        scene.setup.services[change.which].servers[change.member].address.to_string(), service());
  };
  switch (change.kind) {
    case ChangeKind::kServer:
      return server() + " removed, or added again";
    case ChangeKind::kDisable:
      return server() + " disabled, or enabled again";
    case ChangeKind::kWeight:
      return fmt::format("{} weight {}", server(), change.value);
    case ChangeKind::kMode:
      return fmt::format("{} mode {}", service(), name_of(static_cast<Mode>(change.value)));
    case ChangeKind::kScheduler:
      return fmt::format("{} scheduler {}", service(),
                         kSchedulers[change.value % kSchedulers.size()]);
    case ChangeKind::kService:
      return fmt::format("{} {}", service(), change.value == 0 ? "removed" : "there (again)");
    case ChangeKind::kOnDown:
      return fmt::format("{} on_server_down {}", service(),
                         std::array{"keep", "reset", "reschedule"}[change.value % 3]);
    case ChangeKind::kAnswers:
      return fmt::format("{} answers what it cannot serve, or no more", service());
    case ChangeKind::kLease:
      return fmt::format("lease: forwards {}, answers {}", (change.value & 1) != 0,
                         (change.value & 2) != 0);
    case ChangeKind::kMtu:
      return fmt::format("{} mtu {}", scene.setup.ports[change.which].name, change.value);
    case ChangeKind::kPortUp:
      return fmt::format("{} {}", scene.setup.ports[change.which].name,
                         change.value == 0 ? "down" : "up");
    case ChangeKind::kNeighbor:
      return fmt::format("neighbor {} {}", scene.setup.neighbors[change.which].address.to_string(),
                         std::array{"unknown", "reachable", "failed"}[change.value % 3]);
    case ChangeKind::kNeighborMac:
      return fmt::format("neighbor {} has {}",
                         scene.setup.neighbors[change.which].address.to_string(),
                         std::array{"another MAC", "its first MAC", "our MAC"}[change.value % 3]);
  }
  return "?";
}

}  // namespace ballast::model
