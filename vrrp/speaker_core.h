// What runs on the VRRP thread: sockets, groups, the one timer. For the speaker's own files only.
//
// speaker.cc posts to it; speaker_core.cc keeps the groups, their deadline and what they want done;
// speaker_adverts.cc has the sockets and what comes and goes through them; speaker_status.cc what
// is shown.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "vrrp/speaker.h"

namespace ballast::vrrp {

// Lives on the VRRP thread, but for its construction and destruction.
class Speaker::Core {
 public:
  Core(LeaseHolder& lease_holder, SpeakerCallbacks callbacks);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  template <typename Work>
  void post(Work work) {
    boost::asio::post(loop_, [this, work = std::move(work)]() mutable {
      work();
      arm();
    });
  }

  void set_interfaces(const std::vector<InterfaceFacts>& interfaces);
  void set_groups(std::vector<SpeakerGroup> wanted);
  void set_condition(const std::string& name, const Condition& condition);
  void stop(const std::string& reason);
  void abandon();
  template <typename Event>
  void each(const Event& event);
  template <typename Event>
  bool one(const std::string& name, const Event& event);
  [[nodiscard]] SpeakerStatus status() const;

 private:
  using SocketKey = std::pair<InterfaceIndex, Family>;
  struct Wire {
    Wire(boost::asio::io_context& loop, AdvertSocket opened)
        : socket(std::move(opened)), readiness(loop, socket.descriptor()) {}
    ~Wire() { readiness.release(); }
    Wire(const Wire&) = delete;
    Wire& operator=(const Wire&) = delete;

    AdvertSocket socket;
    boost::asio::posix::stream_descriptor readiness;  // waits only; the socket owns the descriptor
  };
  struct RouterRecord {
    PeerTable peers;
    uint32_t other_intervals = 0;  // adverts in a row with another interval than is configured here
    uint64_t send_errors = 0;
    int last_error = 0;
    std::optional<TimePoint> failing_since;  // no advert has left since
  };
  struct Running {
    RouterGroup group;
    Condition told;          // without what follows, and what the lease holder says
    std::string send_fault;  // adverts have not left for as long as a lease lasts
    TimePoint send_fault_until{};
    std::map<RouterKey, RouterRecord> records;
  };

  static TimePoint clock_now() { return std::chrono::steady_clock::now(); }
  [[nodiscard]] OwnAddresses addresses_for(const GroupSettings& settings) const;
  [[nodiscard]] Condition condition_of(const Running& running) const;
  void follow_faults();
  void retry_sockets();
  void note_sending(Running& running, const RouterKey& router, int error);
  void forget_old_faults(const std::string& name, const GroupSettings& wanted);
  void open_wires();
  void wait(const SocketKey& key);
  void read_all();
  void read(const SocketKey& key, size_t limit);
  void take(const AdvertSocket::Received& received);
  void note_claim(const RouterKey& key, const Datagram& datagram);
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
  boost::asio::io_context loop_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  boost::asio::steady_timer timer_;
  TimePoint armed_for_ = kNever;
  TimePoint next_pulse_{};
  TimePoint next_socket_retry_{};
  std::map<InterfaceIndex, InterfaceFacts> interfaces_;
  std::map<SocketKey, std::unique_ptr<Wire>> wires_;
  std::map<SocketKey, std::string> socket_errors_;
  std::map<std::string, Running> groups_;
  std::string lease_fault_;
  std::map<RouterKey, std::string> owners_;  // which group a router is in
  std::array<FaultCount, kAdvertFaults> strangers_{};
  VirtualRouterId last_strange_id_{0};
  std::optional<StrangeClaim> strange_claim_;
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

}  // namespace ballast::vrrp
