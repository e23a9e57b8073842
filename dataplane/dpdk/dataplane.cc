#include "dataplane/dpdk/dataplane.h"

#include <algorithm>
#include <csignal>
#include <set>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <linux/if.h>
#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <spdlog/spdlog.h>
#include <sys/random.h>

#include "dataplane/dpdk/eal.h"
#include "dataplane/dpdk/listing.h"
#include "dataplane/dpdk/monotonic_clock.h"

namespace ballast {
namespace {

using namespace std::chrono_literals;

constexpr uint32_t kMbufsPerWorkerAndPort = 4096;
constexpr std::chrono::milliseconds kClientHopsPause{20};
constexpr std::chrono::nanoseconds kLongestWait{WaitingRoom::kPatienceNs};
constexpr uint16_t kMbufRoom = RTE_MBUF_DEFAULT_BUF_SIZE;
constexpr uint64_t kLargestMbufPool = 1U << 20U;
constexpr uint64_t kMostLocalPortTuples = 1U << 31U;
constexpr size_t kMostWantedClientHops = 1024;

template <typename Value>
Value random_value() {
  Value value;
  if (getrandom(&value, sizeof(value), 0) != sizeof(value)) {
    std::abort();  // never fails for so few bytes on a machine that has booted
  }
  return value;
}

// One for each connection, and as many that rest after those that ended.
uint32_t local_port_tuples(const ConnectionLimits& connections) {
  const uint64_t entries = uint64_t{connections.trusted} + connections.untrusted;
  return static_cast<uint32_t>(std::min<uint64_t>(2 * entries, kMostLocalPortTuples));
}

std::string make_instance_id() {
  return fmt::format("{:016x}", random_value<uint64_t>());
}

bool any_virtual(const std::vector<PortPair>& ports) {
  return std::any_of(ports.begin(), ports.end(),
                     [](const PortPair& pair) { return pair.port->device().is_virtual(); });
}

}  // namespace

struct Dataplane::Loop {
  boost::asio::io_context context;
  boost::asio::signal_set signals{context, SIGINT, SIGTERM};
  boost::asio::steady_timer millisecond{context};
  boost::asio::steady_timer second{context};

  // Calls `what` every `period` from now on, without catching up on what was missed.
  template <typename What>
  void repeat(boost::asio::steady_timer& timer, std::chrono::milliseconds period, What what) {
    timer.expires_after(period);
    timer.async_wait([this, &timer, period, what](const boost::system::error_code& error) {
      if (!error) {
        what();
        repeat(timer, period, what);
      }
    });
  }
};

uint32_t LoadsOfAllWorkers::active_connections(ServerIndex server) const {
  uint32_t sum = 0;
  for (const ServerCounterTable* table : tables_) {
    sum += (*table)[server].active.read();
  }
  return sum;
}

uint32_t LoadsOfAllWorkers::inactive_connections(ServerIndex server) const {
  uint32_t sum = 0;
  for (const ServerCounterTable* table : tables_) {
    sum += (*table)[server].inactive.read();
  }
  return sum;
}

Dataplane::Dataplane(DataplaneSettings settings, LeasePageMapping leases)
    : settings_(std::move(settings)),
      instance_id_(make_instance_id()),
      leases_(std::move(leases)),
      memory_(settings_.hugepages != HugepageMode::kNo),
      flow_hash_key_(random_value<FlowHashKey>()),
      steering_(random_value<RssKey>(), settings_.workers),
      neighbors_(settings_.max_neighbors),
      loop_(std::make_unique<Loop>()) {}

tl::expected<std::unique_ptr<Dataplane>, std::string> Dataplane::create(
    const DataplaneSettings& settings, const std::vector<DevicePlan>& devices,
    const std::vector<MacAddress>& macs) {
  auto leases = LeasePageMapping::create(settings.lease_page_path());
  if (!leases) {
    return tl::unexpected(leases.error());
  }
  std::unique_ptr<Dataplane> dataplane(new Dataplane(settings, std::move(*leases)));
  if (const auto done = dataplane->open_ports(devices, macs); !done) {
    return tl::unexpected(done.error());
  }
  dataplane->make_world();
  dataplane->make_workers();
  if (const auto done = dataplane->serve(); !done) {
    return tl::unexpected(done.error());
  }
  return dataplane;
}

tl::expected<void, std::string> Dataplane::open_ports(const std::vector<DevicePlan>& devices,
                                                      const std::vector<MacAddress>& macs) {
  const uint64_t mbufs =
      std::min<uint64_t>(uint64_t{kMbufsPerWorkerAndPort} * settings_.workers * devices.size(),
                         kLargestMbufPool) +
      kMbufsPerWorkerAndPort * uint64_t{2};
  placement_ = std::all_of(devices.begin(), devices.end(),
                           [](const DevicePlan& plan) { return plan.device.is_virtual(); })
                   ? BufferPlacement::kBackToBack
                   : BufferPlacement::kForDma;
  pool_ = make_packet_buffers("frames", static_cast<uint32_t>(mbufs), kMbufRoom, placement_);
  if (pool_ == nullptr) {
    return tl::unexpected(fmt::format(
        "no memory for {} packet buffers of {} bytes: raise memory_mb", mbufs, kMbufRoom));
  }
  std::vector<std::optional<PortPair>> pairs(settings_.ports.size());
  for (const DevicePlan& plan : devices) {
    if (auto done = open_device(plan, macs, pairs); !done) {
      return done;
    }
  }
  for (std::optional<PortPair>& pair : pairs) {
    ports_.push_back(std::move(*pair));
  }
  return {};
}

// That of all; or one of its own, with buffers that hold a whole frame, or that lie as AF_XDP needs
// them where others need them for DMA.
tl::expected<rte_mempool*, std::string> Dataplane::pool_for(const DevicePlan& plan) {
  const auto size = EthernetDevice::buffer_size(plan.settings, plan.device, plan.eal_name);
  if (!size) {
    return tl::unexpected(size.error());
  }
  const BufferPlacement placement =
      plan.device.is_virtual() ? BufferPlacement::kBackToBack : BufferPlacement::kForDma;
  const bool lies_right = placement == placement_ || plan.device.kind != DeviceKind::kAfXdp;
  if (*size <= kMbufRoom && lies_right) {
    return pool_;
  }
  const uint32_t mbufs = kMbufsPerWorkerAndPort * settings_.workers;
  rte_mempool* pool = make_packet_buffers(fmt::format("frames-{}", own_pools_.size()), mbufs,
                                          std::max(*size, kMbufRoom), placement);
  if (pool == nullptr) {
    return tl::unexpected(
        fmt::format("port \"{}\": mtu: {}: no memory for {} packet buffers of {} bytes: raise "
                    "memory_mb",
                    plan.settings.port, plan.settings.mtu, mbufs, *size));
  }
  own_pools_.push_back(pool);
  return pool;
}

tl::expected<void, std::string> Dataplane::open_device(
    const DevicePlan& plan, const std::vector<MacAddress>& macs,
    std::vector<std::optional<PortPair>>& pairs) {
  if (plan.device.kind == DeviceKind::kAfPacket) {
    auto silence = KernelSilence::impose(plan.device.argument);
    if (!silence) {
      return tl::unexpected(fmt::format("port \"{}\": {}", plan.settings.port, silence.error()));
    }
    silences_.push_back(std::move(*silence));
  }
  const auto pool = pool_for(plan);
  if (!pool) {
    return tl::unexpected(pool.error());
  }
  auto ethernet =
      EthernetDevice::open(plan.settings, plan.device, plan.eal_name, steering_, **pool);
  if (!ethernet) {
    return tl::unexpected(ethernet.error());
  }
  devices_.push_back(*ethernet);
  for (const size_t number : plan.ports) {
    const PortSettings& settings = settings_.ports[number];
    auto port = std::make_unique<Port>(*ethernet, settings, macs[number], settings_.workers);
    auto twin = KernelTwin::attach(port->name(), port->mac(), port->mtu());
    if (!twin) {
      return tl::unexpected(twin.error());
    }
    spdlog::info("port {}: {}{} mac {} mtu {} queues {}/{} steering {}", port->name(),
                 settings.device, port->vlan() == 0 ? "" : fmt::format(" vlan {}", port->vlan()),
                 port->mac().to_string(), port->mtu(), (*ethernet)->receive_queues(),
                 (*ethernet)->transmit_queues(), (*ethernet)->steering_in_words());
    pairs[number].emplace(PortPair{std::move(port), std::move(*twin)});
  }
  return {};
}

// Those that this dataplane's tables were made for.
std::set<ForwardingMode> Dataplane::modes() const {
  std::set<ForwardingMode> modes{ForwardingMode::kDirectRouting, ForwardingMode::kTunnel};
  if (settings_.connections.translations) {
    modes.insert({ForwardingMode::kNat, ForwardingMode::kFullNat});
  }
  return modes;
}

void Dataplane::make_world() {
  std::vector<WorldPort> world_ports;
  for (const auto& [port_pointer, twin] : ports_) {
    const Port& port = *port_pointer;
    // A port on a kernel interface is up until netlink says otherwise, through ballastd.
    const bool up = !port.device().kernel_interface().empty() || port.device_link_is_up();
    link_up_.push_back(up);
    twin.set_carrier(up);
    world_ports.push_back({port.name(), port.mac(), port.mtu(), up});
  }
  WorldLimits limits;
  limits.max_servers = settings_.max_servers;
  world_ = std::make_unique<World>(world_ports, neighbors_, modes(), limits);
  snapshots_ = std::make_unique<SnapshotSlot>(settings_.workers, world_->snapshot());
}

void Dataplane::make_workers() {
  const bool sleeps = settings_.idle == IdleMode::kSleep ||
                      (settings_.idle == IdleMode::kAuto && any_virtual(ports_));
  for (uint16_t i = 0; i < settings_.workers; ++i) {
    crews_.push_back({std::make_unique<ServerCounterTable>(settings_.max_servers),
                      std::make_unique<WorkerCounters>(),
                      std::make_unique<NeighborRequests>(settings_.max_neighbors, flow_hash_key_)});
    loads_.add(*crews_.back().servers);
  }
  for (uint16_t i = 0; i < settings_.workers; ++i) {
    PipelineSettings settings;
    settings.worker = static_cast<WorkerIndex>(i);
    settings.connections = {.trusted = settings_.connections.trusted / settings_.workers,
                            .untrusted = settings_.connections.untrusted / settings_.workers,
                            .translations = settings_.connections.translations};
    settings.local_ports.tuples = local_port_tuples(settings.connections);
    settings.local_port_seed = random_value<uint64_t>();
    settings.flow_hash_key = flow_hash_key_;
    settings.punt = settings_.punt;
    settings.answers_per_second =
        (settings_.answers_per_second + settings_.workers - 1U) / settings_.workers;
    const PipelineSurroundings surroundings{
        steering_,          neighbors_,          leases_.page(),      loads_,
        *crews_[i].servers, *crews_[i].counters, *crews_[i].requests, memory_};
    workers_.push_back(std::make_unique<Worker>(
        settings, surroundings,
        Worker::Surroundings{
            ports_, *snapshots_, leases_.page(), *pool_, sleeps,
            static_cast<uint64_t>(std::chrono::nanoseconds(settings_.announce_refresh).count())}));
  }
  for (const auto& worker : workers_) {
    worker->meet(workers_);
  }
}

tl::expected<void, std::string> Dataplane::serve() {
  api::ServerOptions options;
  options.path = settings_.socket_path();
  options.log = [](const std::string& line) { spdlog::info("contract: {}", line); };
  auto server = api::ContractServer::listen(loop_->context, options, *this);
  if (!server) {
    return tl::unexpected(server.error());
  }
  server_ = std::move(*server);
  return {};
}

void Dataplane::start_workers() {
  const std::vector<unsigned> lcores = Eal::worker_lcores(settings_.workers);
  for (size_t i = 0; i < workers_.size(); ++i) {
    rte_eal_remote_launch(
        [](void* worker) {
          static_cast<Worker*>(worker)->run();
          return 0;
        },
        workers_[i].get(), lcores[i]);
  }
}

void Dataplane::stop_workers() {
  for (const auto& worker : workers_) {
    worker->stop();
  }
  rte_eal_mp_wait_lcore();
  for (const auto& worker : workers_) {
    while (!worker->has_finished()) {
      std::this_thread::yield();  // an lcore that is about to leave
    }
  }
}

void Dataplane::run() {
  start_workers();
  spdlog::info("forwarding: instance {} workers {} ports {} socket {}", instance_id_,
               settings_.workers, ports_.size(), settings_.socket_path());
  loop_->signals.async_wait([this](const boost::system::error_code& error, int signal) {
    if (!error) {
      spdlog::info("signal {}: stopping", signal);
      loop_->context.stop();
    }
  });
  loop_->repeat(loop_->millisecond, 1ms, [this] { every_millisecond(); });
  loop_->repeat(loop_->second, 1s, [this] { every_second(); });
  loop_->context.run();
  stop_workers();
}

Dataplane::~Dataplane() {
  server_.reset();
  workers_.clear();
  snapshots_.reset();
  ports_.clear();
  devices_.clear();
  for (rte_mempool* pool : own_pools_) {
    rte_mempool_free(pool);
  }
  rte_mempool_free(pool_);
}

void Dataplane::every_millisecond() {
  leases_.page().main_alive_ns.store(monotonic_ns(), std::memory_order_release);
  snapshots_->poll(SnapshotSlot::Clock::now());
  forward_neighbor_requests();
  step_listing();
}

void Dataplane::every_second() {
  for (size_t i = 0; i < workers_.size(); ++i) {
    const uint64_t heartbeat = leases_.page().worker_alive_ns[i].load(std::memory_order_relaxed);
    const bool stalled = heartbeat == last_heartbeats_[i];
    if (stalled != stalled_[i]) {
      stalled ? spdlog::error("worker {}: has stood still for a second", i)
              : spdlog::info("worker {}: runs again", i);
    }
    stalled_[i] = stalled;
    last_heartbeats_[i] = heartbeat;
  }
  follow_links();
  if (auto snapshot = world_->expire_client_hops(std::chrono::steady_clock::now())) {
    publish(std::move(snapshot), nullptr);
  }
  if (indexes_may_be_reclaimed()) {
    world_->reclaim([this](ServerIndex server) { return clear_if_unused(server); });
    if (auto snapshot = world_->settle_owners()) {
      publish(std::move(snapshot), nullptr);
    }
  }
}

// Of a removed server, which gets no new connections. Not by the loads, which are both 0 for the
// moment in which a connection turns from active to inactive. The next server of this index starts
// at zero.
bool Dataplane::clear_if_unused(ServerIndex server) {
  for (const Crew& crew : crews_) {
    const ServerCounters& counters = (*crew.servers)[server];
    const uint64_t ended = counters.ended.read();
    if (counters.connections.read() != ended) {
      return false;
    }
  }
  for (const Crew& crew : crews_) {
    (*crew.servers)[server].clear();
  }
  return true;
}

// Every worker runs on the present snapshot, and no packet waits for a next hop of an older one.
bool Dataplane::indexes_may_be_reclaimed() const {
  if (snapshots_->busy()) {
    return false;
  }
  const bool nobody_waits = std::all_of(crews_.begin(), crews_.end(), [](const Crew& crew) {
    return crew.counters->waiting.read() == 0;
  });
  return nobody_waits || std::chrono::steady_clock::now() - published_at_ > 2 * kLongestWait;
}

void Dataplane::ask_for_neighbor(PortIndex port, const IpAddress& address) {
  api::NeighborNeeded event;
  event.set_port(ports_[index(port)].port->name());
  event.set_address(address.to_string());
  server_->neighbor_needed(event);
}

void Dataplane::forward_neighbor_requests() {
  for (const Crew& crew : crews_) {
    NeighborRequest request;
    while (crew.requests->take(request)) {
      if (request.neighbor != kNoNeighbor) {
        const auto [port, address] = neighbors_.key_of(request.neighbor);
        ask_for_neighbor(port, address);
      } else if (wanted_client_hops_.size() < kMostWantedClientHops) {
        wanted_client_hops_.emplace_back(request.port, request.address);
      }
    }
  }
  // What comes while a snapshot is on its way to the workers is collected for the next; and since a
  // snapshot costs what the configuration is large, and all connections a look at their routes,
  // strangers' packets cause one every now and then at the most.
  const auto now = std::chrono::steady_clock::now();
  if (!wanted_client_hops_.empty() && !snapshots_->busy() &&
      now - named_client_hops_at_ >= kClientHopsPause) {
    named_client_hops_at_ = now;
    name_client_hops();
  }
}

void Dataplane::name_client_hops() {
  auto snapshot = world_->need_client_hops(wanted_client_hops_, std::chrono::steady_clock::now());
  if (snapshot) {
    publish(std::move(snapshot), nullptr);
  }
  for (const auto& [port, address] : wanted_client_hops_) {
    ask_for_neighbor(port, address);
  }
  wanted_client_hops_.clear();
}

bool Dataplane::link_is_up(size_t port) const {
  return world_->snapshot()->ports[port].up;
}

void Dataplane::follow_links() {
  for (size_t i = 0; i < ports_.size(); ++i) {
    const Port& port = *ports_[i].port;
    if (port.device().kernel_interface().empty()) {
      auto snapshot = world_->port_changed(
          static_cast<PortIndex>(i), {port.mac(), port.mtu(), port.device_link_is_up(), {}, {}});
      if (snapshot) {
        publish(std::move(snapshot), nullptr);
      }
    }
    const bool up = link_is_up(i);
    if (up != link_up_[i]) {
      link_up_[i] = up;
      ports_[i].twin.set_carrier(up);
      spdlog::warn("port {}: link is {}", port.name(), up ? "up" : "down");
      api::PortInfo info;
      fill_port_info(i, info);
      server_->port_changed(info);
    }
  }
}

// Whether or not their leases are held: a failover must not wait for a device.
void Dataplane::filter_virtual_macs(const ForwardingSnapshot& snapshot) {
  if (snapshot.addresses == filtered_addresses_) {
    return;
  }
  filtered_addresses_ = snapshot.addresses;
  std::set<MacAddress> macs;
  for (const LocalAddress& local : snapshot.addresses->all()) {
    if (!local.virtual_mac.is_zero()) {
      macs.insert(local.virtual_mac);
    }
  }
  for (const auto& ethernet : devices_) {
    std::set<MacAddress> wanted = macs;
    for (const PortPair& pair : ports_) {
      if (&pair.port->ethernet() == ethernet.get()) {
        wanted.insert(pair.port->mac());
      }
    }
    MacFilter& filter = ethernet->mac_filter();
    const std::string before = filter.in_words();
    filter.accept({wanted.begin(), wanted.end()});
    if (const std::string now = filter.in_words(); now != before) {
      spdlog::info("device {}: filter of MACs: {}", ethernet->device().argument, now);
    }
  }
}

void Dataplane::publish(std::shared_ptr<const ForwardingSnapshot> snapshot,
                        SnapshotSlot::Settled settled) {
  filter_virtual_macs(*snapshot);
  published_at_ = std::chrono::steady_clock::now();
  snapshots_->publish(std::move(snapshot), SnapshotSlot::Clock::now(), std::move(settled));
}

}  // namespace ballast
