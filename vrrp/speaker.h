// VRRP on the wire: groups, raw sockets and timers on a thread and an event loop of their own, so
// that nothing that the rest of the process does makes an advert late.
//
// The thread asks for real-time priority (SCHED_FIFO; CAP_SYS_NICE or RLIMIT_RTPRIO); whether it
// got it is told. Whatever wakes it, it reads its sockets before it looks at its timers: an advert
// that waits has come before a timer that is late.
//
// Every function may be called from any thread, returns at once, and is a message to the VRRP
// thread; they take effect in order. Callbacks come on the VRRP thread and must not block:
// `set_lease` stores a deadline, all others pass messages on.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "vrrp/advert_socket.h"
#include "vrrp/peer_table.h"
#include "vrrp/router_group.h"

namespace ballast::vrrp {

class LeaseHolder {
 public:
  LeaseHolder() = default;
  virtual ~LeaseHolder() = default;
  LeaseHolder(const LeaseHolder&) = delete;
  LeaseHolder& operator=(const LeaseHolder&) = delete;

  // From now until then by CLOCK_MONOTONIC; kNone: it ends now. What takes something back is in
  // force when this returns; what gives may wait for a sign of life of whoever obeys the leases.
  virtual void set_lease(TimePoint now, const RouterKey& router, LeaseMode mode,
                         TimePoint until) = 0;

  // Why no lease can be held at present, in words, which is a fault of every group; empty: they
  // can. Asked at least once per kPulse.
  static constexpr Duration kPulse = std::chrono::milliseconds{20};
  virtual std::string fault(TimePoint now) = 0;
};

// All of them are set. `group` is empty where a report is about none.
struct SpeakerCallbacks {
  std::function<void(const RouterKey&)> announce;  // one round, see announcement_schedule.h
  std::function<void(const std::string& group, const RouterKey&, const Transition&)> transition;
  std::function<void(const std::string& group, const Report&)> report;
  std::function<void(const std::string& group, TimePoint until)> restart_prepared;
};

struct SpeakerGroup {
  GroupSettings settings;
  Condition condition;      // at its start; later by set_condition()
  bool is_adopted = false;  // new groups: all leases are held from before, go on as Active
};

struct RouterStatus {
  RouterKey key;
  State state = State::kInitialize;
  LeaseMode lease = LeaseMode::kNone;
  IpAddress own_address;
  Duration active_interval{0};  // learnt
  RouterStatistics statistics;
  uint64_t send_errors = 0;
  std::string socket_error;  // empty: none
  std::vector<Peer> peers;
  std::array<FaultCount, kAdvertFaults> faults{};
};

struct GroupStatus {
  std::string name;
  State state = State::kInitialize;
  Priority priority{};  // in force
  bool is_held = false;
  std::string fault;
  StateChange last_change;
  std::vector<RouterStatus> routers;
};

// Another router id announces an address that is configured here: two nodes answer for it.
struct StrangeClaim {
  IpAddress source;
  VirtualRouterId id{0};
  IpAddress address;
  TimePoint last;
};

struct SpeakerStatus {
  std::vector<GroupStatus> groups;
  // Adverts for no router that is configured, by interface: how many, from whom, which id.
  std::array<FaultCount, kAdvertFaults> strangers{};
  VirtualRouterId last_strange_id{0};
  std::optional<StrangeClaim> strange_claim;  // the last one
  std::string real_time;                      // "SCHED_FIFO 50", or why not
};

class Speaker {
 public:
  // The thread runs from here on. `lease_holder` outlives the speaker, and is used on its thread
  // only.
  Speaker(LeaseHolder& lease_holder, SpeakerCallbacks callbacks);
  // Releases what is still held, unless abandon() was called.
  ~Speaker();
  Speaker(const Speaker&) = delete;
  Speaker& operator=(const Speaker&) = delete;

  // Declarative: all the interfaces that are known, and all the groups that there should be, by
  // name. `groups` are valid. What stays is reloaded without a move, what is gone releases.
  void set_interfaces(std::vector<InterfaceFacts> interfaces);
  void set_groups(std::vector<SpeakerGroup> groups);

  void set_condition(std::string group, Condition condition);
  // On the VRRP thread, in order with the rest: for what the lease holder has to be told.
  void run(std::function<void()> work);
  // See RouterGroup. `done` says false when the group is not active, or unknown.
  void move_away(std::string group, std::function<void(bool)> done);
  void release(std::string group);
  void prepare_restart(Duration expected);
  void cancel_restart();
  // Leaves every lease to its deadline, without a word.
  void abandon();
  void stop(std::string reason);

  void request_status(std::function<void(SpeakerStatus)> done);

  class Core;

 private:
  std::unique_ptr<Core> core_;
};

}  // namespace ballast::vrrp
