#include "vrrp/speaker.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>

#include "vrrp/advert_check.h"

namespace ballast::vrrp {
namespace {

namespace asio = boost::asio;

constexpr int kRealTimePriority = 50;
constexpr size_t kMaximumMessage = 9216;  // 255 IPv6 addresses and more
constexpr size_t kMaximumPerTurn = 256;   // datagrams of one socket before timers are looked at

TimePoint clock_now() {
  return std::chrono::steady_clock::now();
}

// A thread that is started from this one does not inherit the priority.
std::string ask_for_real_time() {
  sched_param parameters{};
  parameters.sched_priority = kRealTimePriority;
  const int error =
      ::pthread_setschedparam(::pthread_self(), SCHED_FIFO | SCHED_RESET_ON_FORK, &parameters);
  return error == 0 ? fmt::format("SCHED_FIFO {}", kRealTimePriority)
                    : fmt::format(
                          "no real-time priority: {}: adverts may be late on a busy "
                          "machine (needs CAP_SYS_NICE)",
                          std::strerror(error));
}

using SocketKey = std::pair<InterfaceIndex, Family>;

struct Wire {
  Wire(asio::io_context& loop, AdvertSocket opened)
      : socket(std::move(opened)), readiness(loop, socket.descriptor()) {}
  ~Wire() { readiness.release(); }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  AdvertSocket socket;
  asio::posix::stream_descriptor readiness;  // waits only; the socket owns the descriptor
};

struct RouterRecord {
  PeerTable peers;
  uint64_t send_errors = 0;
  int last_error = 0;
};

struct Running {
  RouterGroup group;
  std::map<RouterKey, RouterRecord> records;
};

}  // namespace

// Lives on the VRRP thread, but for its construction and destruction.
class Speaker::Core {
 public:
  Core(LeaseHolder& lease_holder, SpeakerCallbacks callbacks)
      : lease_holder_(lease_holder),
        callbacks_(std::move(callbacks)),
        loop_(1),
        work_(loop_.get_executor()),
        timer_(loop_),
        thread_([this] {
          real_time_ = ask_for_real_time();
          loop_.run();
        }) {}

  ~Core() {
    post([this] {
      stop("shut down");
      timer_.cancel();
      wires_.clear();
      work_.reset();
    });
    thread_.join();
  }
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  template <typename Work>
  void post(Work work) {
    asio::post(loop_, [this, work = std::move(work)]() mutable {
      work();
      arm();
    });
  }

  void set_interfaces(const std::vector<InterfaceFacts>& interfaces);
  void set_groups(std::vector<SpeakerGroup> wanted);
  void stop(const std::string& reason);
  void abandon();
  template <typename Event>
  void each(const Event& event);
  template <typename Event>
  bool one(const std::string& name, const Event& event);
  [[nodiscard]] SpeakerStatus status() const;

 private:
  [[nodiscard]] OwnAddresses addresses_for(const GroupSettings& settings) const;
  void open_wires();
  void wait(const SocketKey& key);
  void read_all();
  void read(const SocketKey& key, size_t limit);
  void take(const AdvertSocket::Received& received);
  void judge(Running& running, const RouterKey& key, const AdvertSocket::Received& received);
  void fault(Running& running, const RouterKey& key, const IpAddress& source, AdvertFault what,
             const std::string& text);
  void carry_out(Running& running, const Actions& actions);
  void act(Running& running, const RouterKey& router, const SetLease& lease);
  void act(Running& running, const RouterKey& router, const SendAdvert& sent);
  void act(Running& running, const RouterKey& router, const Announce& announce);
  void act(Running& running, const RouterKey& router, const Transition& transition);
  void act(Running& running, const RouterKey& router, const Report& report);
  void act(Running& running, const RouterKey& router, const DropBacklog& drop);
  void act(Running& running, const RouterKey& router, const RestartPrepared& prepared);
  void arm();
  void wake();

  LeaseHolder& lease_holder_;
  SpeakerCallbacks callbacks_;
  asio::io_context loop_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  asio::steady_timer timer_;
  TimePoint armed_for_ = kNever;
  std::map<InterfaceIndex, InterfaceFacts> interfaces_;
  std::map<SocketKey, std::unique_ptr<Wire>> wires_;
  std::map<SocketKey, std::string> socket_errors_;
  std::map<std::string, Running> groups_;
  std::map<RouterKey, std::string> owners_;  // which group a router is in
  std::array<FaultCount, kAdvertFaults> strangers_{};
  VirtualRouterId last_strange_id_{0};
  std::string real_time_;
  std::thread thread_;  // last: runs as soon as it is there
};

template <typename Event>
bool Speaker::Core::one(const std::string& name, const Event& event) {
  const auto found = groups_.find(name);
  if (found == groups_.end()) {
    return false;
  }
  read_all();
  Actions actions;
  event(found->second.group, clock_now(), actions);
  carry_out(found->second, actions);
  return true;
}

template <typename Event>
void Speaker::Core::each(const Event& event) {
  read_all();
  for (auto& [name, running] : groups_) {
    Actions actions;
    event(running.group, clock_now(), actions);
    carry_out(running, actions);
  }
}

void Speaker::Core::set_interfaces(const std::vector<InterfaceFacts>& interfaces) {
  interfaces_.clear();
  for (const InterfaceFacts& facts : interfaces) {
    interfaces_[facts.interface] = facts;
  }
  open_wires();
  each([this](RouterGroup& group, TimePoint now, Actions& actions) {
    group.set_own_addresses(now, addresses_for(group.settings()), actions);
  });
}

OwnAddresses Speaker::Core::addresses_for(const GroupSettings& settings) const {
  OwnAddresses addresses;
  for (const RouterSettings& router : settings.routers) {
    const auto found = interfaces_.find(router.key.interface);
    if (found == interfaces_.end()) {
      continue;
    }
    const auto& address =
        router.key.family == Family::kIpv4 ? found->second.ipv4 : found->second.link_local;
    if (address && wires_.contains({router.key.interface, router.key.family})) {
      addresses[router.key] = *address;
    }
  }
  return addresses;
}

void Speaker::Core::set_groups(std::vector<SpeakerGroup> wanted) {
  std::set<std::string> names;
  for (const SpeakerGroup& group : wanted) {
    names.insert(group.settings.name);
  }
  for (auto it = groups_.begin(); it != groups_.end();) {
    if (names.contains(it->first)) {
      ++it;
      continue;
    }
    Actions actions;
    it->second.group.stop(clock_now(), "no longer configured", actions);
    carry_out(it->second, actions);
    it = groups_.erase(it);
  }
  owners_.clear();
  for (const SpeakerGroup& group : wanted) {
    for (const RouterSettings& router : group.settings.routers) {
      owners_[router.key] = group.settings.name;
    }
  }
  open_wires();
  for (SpeakerGroup& group : wanted) {
    const std::string name = group.settings.name;
    const OwnAddresses addresses = addresses_for(group.settings);
    const bool is_known = one(name, [&](RouterGroup& running, TimePoint now, Actions& actions) {
      running.set_settings(now, group.settings, addresses, actions);
    });
    if (is_known) {
      continue;
    }
    groups_.emplace(name, Running{RouterGroup(group.settings, group.condition, addresses), {}});
    one(name, [&group](RouterGroup& running, TimePoint now, Actions& actions) {
      group.is_adopted ? running.adopt(now, actions) : running.start(now, actions);
    });
  }
  for (auto& [name, running] : groups_) {
    std::erase_if(running.records,
                  [this](const auto& item) { return !owners_.contains(item.first); });
  }
}

// A socket for every interface and family that a router needs, none for others. An interface that
// was removed and has come back has another index.
void Speaker::Core::open_wires() {
  std::set<SocketKey> needed;
  for (const auto& [key, group] : owners_) {
    if (interfaces_.contains(key.interface)) {
      needed.insert({key.interface, key.family});
    }
  }
  std::erase_if(wires_, [&needed](const auto& item) { return !needed.contains(item.first); });
  const auto known_errors = std::exchange(socket_errors_, {});
  for (const SocketKey& key : needed) {
    if (wires_.contains(key)) {
      continue;
    }
    auto socket = AdvertSocket::open(key.second, key.first);
    if (!socket) {
      socket_errors_[key] = socket.error();
      if (!known_errors.contains(key)) {
        callbacks_.report({}, {true, socket.error()});
      }
      continue;
    }
    wires_[key] = std::make_unique<Wire>(loop_, std::move(*socket));
    wait(key);
  }
}

void Speaker::Core::wait(const SocketKey& key) {
  const Wire* wire = wires_.at(key).get();
  wires_.at(key)->readiness.async_wait(
      asio::posix::stream_descriptor::wait_read,
      [this, key, wire](const boost::system::error_code& error) {
        const auto found = wires_.find(key);
        if (error || found == wires_.end() || found->second.get() != wire) {
          return;
        }
        wake();
        if (wires_.contains(key)) {
          wait(key);
        }
      });
}

void Speaker::Core::read_all() {
  for (const auto& [key, wire] : wires_) {
    read(key, kMaximumPerTurn);
  }
}

void Speaker::Core::read(const SocketKey& key, size_t limit) {
  std::array<uint8_t, kMaximumMessage> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  for (size_t i = 0; i < limit; ++i) {
    const auto received = wires_.at(key)->socket.receive(buffer);
    if (!received) {
      return;
    }
    take(*received);
  }
}

void Speaker::Core::take(const AdvertSocket::Received& received) {
  const Datagram& datagram = received.datagram;
  const RouterKey key{datagram.interface, datagram.source.family(), claimed_id(datagram.message)};
  const auto owner = owners_.find(key);
  if (owner != owners_.end()) {
    if (const auto group = groups_.find(owner->second); group != groups_.end()) {
      judge(group->second, key, received);
    }
    return;
  }
  AdvertFault what = AdvertFault::kIpLength;
  if (received.is_whole) {
    const bool is_elsewhere = std::ranges::any_of(owners_, [&key](const auto& item) {
      return item.first.id == key.id && item.first.family == key.family;
    });
    what = datagram.message.size() < 8    ? AdvertFault::kShort
           : datagram.ttl != kRequiredTtl ? AdvertFault::kTtl
           : is_elsewhere                 ? AdvertFault::kWrongInterface
                                          : AdvertFault::kVridUnknown;
  }
  FaultCount& count = strangers_[static_cast<size_t>(what)];
  ++count.count;
  count.last = clock_now();
  count.last_offender = datagram.source;
  last_strange_id_ = key.id;
}

void Speaker::Core::judge(Running& running, const RouterKey& key,
                          const AdvertSocket::Received& received) {
  const VirtualRouter* router = running.group.find(key);
  if (router == nullptr) {
    return;
  }
  const Datagram& datagram = received.datagram;
  if (!received.is_whole) {
    fault(running, key, datagram.source, AdvertFault::kIpLength, {});
    return;
  }
  const AdvertJudgement judgement = judge_advert(
      datagram, router->settings(), running.group.settings().priority, router->own_address());
  for (const AdvertFault what : judgement.faults) {
    fault(running, key, datagram.source, what,
          judgement.is_accepted ? describe_fault(what, judgement.read.advert, router->settings())
                                : std::string(describe(what)));
  }
  if (!judgement.is_accepted) {
    return;
  }
  const TimePoint now = clock_now();
  PeerTable& peers = running.records[key].peers;
  if (router->state() == State::kActive) {
    peers.interrupt();
  }
  peers.heard(now, datagram.source, judgement.read);
  Actions actions;
  running.group.receive(now, key, judgement.read.advert, datagram.source, actions);
  carry_out(running, actions);
}

void Speaker::Core::fault(Running& running, const RouterKey& key, const IpAddress& source,
                          AdvertFault what, const std::string& text) {
  const uint64_t count = running.records[key].peers.fault(clock_now(), source, what);
  if (count > 0) {
    const std::string_view verdict = is_discarded(what) ? "discarded" : "disagreement";
    callbacks_.report(
        running.group.settings().name,
        {true, fmt::format("{} advert(s) for {}/IPv{}, last from {}: {}: {}: {}", count,
                           index(key.id), index(key.family), source.to_string(), verdict,
                           name_of(what), text.empty() ? std::string(describe(what)) : text)});
  }
}

void Speaker::Core::carry_out(Running& running, const Actions& actions) {
  for (const Action& action : actions) {
    std::visit([&](const auto& kind) { act(running, action.router, kind); }, action.kind);
  }
}

void Speaker::Core::act(Running&, const RouterKey& router, const SetLease& lease) {
  lease_holder_.set_lease(router, lease.mode, lease.until);
}

void Speaker::Core::act(Running& running, const RouterKey& router, const SendAdvert& sent) {
  const auto wire = wires_.find({router.interface, router.family});
  const VirtualRouter* member = running.group.find(router);
  if (wire == wires_.end()) {
    return;  // its interface is gone, and with it all who could hear
  }
  // A member that a reload removed says its last word with what is known of the interface.
  const auto facts = interfaces_.find(router.interface);
  IpAddress source = member != nullptr ? member->own_address() : IpAddress{};
  if (member == nullptr && facts != interfaces_.end()) {
    source = (router.family == Family::kIpv4 ? facts->second.ipv4 : facts->second.link_local)
                 .value_or(IpAddress{});
  }
  std::vector<IpAddress> destinations{multicast_group(router.family)};
  if (member != nullptr && !member->settings().unicast_peers.empty()) {
    destinations = member->settings().unicast_peers;
  }
  const ChecksumForm form =
      member != nullptr ? member->settings().checksum : ChecksumForm::kRfc5798;
  for (const IpAddress& destination : destinations) {
    const AdvertPath path{source, destination};
    if (source.family() != destination.family()) {
      continue;
    }
    const int error = wire->second->socket.send(build_advert(sent.advert, path, form), path);
    RouterRecord& record = running.records[router];
    record.send_errors += static_cast<uint64_t>(error != 0);
    if (error != 0 && error != record.last_error) {
      callbacks_.report(
          running.group.settings().name,
          {true, fmt::format("advert to {}: {}", destination.to_string(), std::strerror(error))});
    }
    record.last_error = error;
  }
}

void Speaker::Core::act(Running&, const RouterKey& router, const Announce&) {
  callbacks_.announce(router);
}

void Speaker::Core::act(Running& running, const RouterKey& router, const Transition& transition) {
  callbacks_.transition(running.group.settings().name, router, transition);
}

void Speaker::Core::act(Running& running, const RouterKey&, const Report& report) {
  callbacks_.report(running.group.settings().name, report);
}

void Speaker::Core::act(Running&, const RouterKey& router, const DropBacklog&) {
  if (const auto wire = wires_.find({router.interface, router.family}); wire != wires_.end()) {
    wire->second->socket.drop_backlog();
  }
}

void Speaker::Core::act(Running& running, const RouterKey&, const RestartPrepared& prepared) {
  callbacks_.restart_prepared(running.group.settings().name, prepared.until);
}

void Speaker::Core::arm() {
  TimePoint earliest = kNever;
  for (const auto& [name, running] : groups_) {
    earliest = std::min(earliest, running.group.deadline());
  }
  if (earliest == armed_for_) {
    return;
  }
  armed_for_ = earliest;
  if (earliest == kNever) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(earliest);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
      armed_for_ = kNever;
      wake();
    }
  });
}

void Speaker::Core::wake() {
  each([](RouterGroup& group, TimePoint now, Actions& actions) {
    if (now >= group.deadline()) {
      group.tick(now, actions);
    }
  });
  arm();
}

void Speaker::Core::stop(const std::string& reason) {
  for (auto& [name, running] : groups_) {
    Actions actions;
    running.group.stop(clock_now(), reason, actions);
    carry_out(running, actions);
  }
}

void Speaker::Core::abandon() {
  for (auto& [name, running] : groups_) {
    running.group.abandon();
  }
}

SpeakerStatus Speaker::Core::status() const {
  SpeakerStatus status;
  const TimePoint now = clock_now();
  for (const auto& [name, running] : groups_) {
    const RouterGroup& group = running.group;
    GroupStatus& shown = status.groups.emplace_back();
    shown = {name,
             group.state(),
             group.priority(),
             group.is_held(),
             group.fault_text(),
             group.last_change(),
             {}};
    for (const VirtualRouter& router : group.routers()) {
      const RouterKey& key = router.settings().key;
      RouterStatus& member = shown.routers.emplace_back();
      member.key = key;
      member.state = router.state();
      member.lease = router.lease(now);
      member.own_address = router.own_address();
      member.active_interval = router.active_interval();
      member.statistics = router.statistics();
      if (const auto error = socket_errors_.find({key.interface, key.family});
          error != socket_errors_.end()) {
        member.socket_error = error->second;
      }
      if (const auto record = running.records.find(key); record != running.records.end()) {
        member.send_errors = record->second.send_errors;
        member.peers = record->second.peers.peers();
        member.faults = record->second.peers.totals();
      }
    }
  }
  status.strangers = strangers_;
  status.last_strange_id = last_strange_id_;
  status.real_time = real_time_;
  return status;
}

Speaker::Speaker(LeaseHolder& lease_holder, SpeakerCallbacks callbacks)
    : core_(std::make_unique<Core>(lease_holder, std::move(callbacks))) {}

Speaker::~Speaker() = default;

void Speaker::set_interfaces(std::vector<InterfaceFacts> interfaces) {
  core_->post([core = core_.get(), interfaces = std::move(interfaces)] {
    core->set_interfaces(interfaces);
  });
}

void Speaker::set_groups(std::vector<SpeakerGroup> groups) {
  core_->post([core = core_.get(), groups = std::move(groups)]() mutable {
    core->set_groups(std::move(groups));
  });
}

void Speaker::set_condition(std::string group, Condition condition) {
  core_->post([core = core_.get(), group = std::move(group), condition = std::move(condition)] {
    core->one(group, [&condition](RouterGroup& running, TimePoint now, Actions& actions) {
      running.set_condition(now, condition, actions);
    });
  });
}

void Speaker::move_away(std::string group, std::function<void(bool)> done) {
  core_->post([core = core_.get(), group = std::move(group), done = std::move(done)] {
    bool has_moved = false;
    core->one(group, [&has_moved](RouterGroup& running, TimePoint now, Actions& actions) {
      has_moved = running.move_away(now, actions);
    });
    done(has_moved);
  });
}

void Speaker::release(std::string group) {
  core_->post([core = core_.get(), group = std::move(group)] {
    core->one(group, [](RouterGroup& running, TimePoint now, Actions& actions) {
      running.release(now, actions);
    });
  });
}

void Speaker::prepare_restart(Duration expected) {
  core_->post([core = core_.get(), expected] {
    core->each([expected](RouterGroup& group, TimePoint now, Actions& actions) {
      group.prepare_restart(now, expected, actions);
    });
  });
}

void Speaker::cancel_restart() {
  core_->post([core = core_.get()] {
    core->each([](RouterGroup& group, TimePoint now, Actions& actions) {
      group.cancel_restart(now, actions);
    });
  });
}

void Speaker::abandon() {
  core_->post([core = core_.get()] { core->abandon(); });
}

void Speaker::stop(std::string reason) {
  core_->post([core = core_.get(), reason = std::move(reason)] { core->stop(reason); });
}

void Speaker::request_status(std::function<void(SpeakerStatus)> done) {
  core_->post([core = core_.get(), done = std::move(done)] { done(core->status()); });
}

}  // namespace ballast::vrrp
