// Virtual routers that move together: both families of one instance, or several instances. A group
// of one is the ordinary case. This is what the owner of clock and sockets talks to; like the
// routers inside it is pure, and copyable.
//
// - One fault takes all members to Fault; one priority, lowered by tracking, is that of all.
// - All rise together: a member whose active-down timer fires waits until every other one wants to
//   rise too, or is active already. So the loss of one family's adverts alone splits nothing.
// - When one member hears a better router, all others release their addresses (priority 0).
// - A tie (equal priorities) is decided by the first member for all, since the addresses of another
//   family may compare the other way and both nodes would give way to each other; another member
//   decides only when the tie has lasted for three intervals, that is, when the first hears
//   nothing.
//
// Every function takes the present time and appends what is to be done to `actions`.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "vrrp/virtual_router.h"

namespace ballast::vrrp {

// What the rest of the world lets this group do; set as a whole, whenever any of it changes.
struct Condition {
  std::vector<std::string>
      faults;               // why it cannot take part, in words; "health checks have not run"
  int priority_change = 0;  // of the configured one, see tracking.h

  friend bool operator==(const Condition&, const Condition&) = default;
};

// The address that adverts of a router are sent from: the primary IPv4 address of its interface, or
// its link-local one. A router without one cannot take part, which is a fault.
using OwnAddresses = std::map<RouterKey, IpAddress>;

struct StateChange {
  State from = State::kInitialize;
  State to = State::kInitialize;
  std::string reason;
  TimePoint at;
};

class RouterGroup {
 public:
  // `settings` are valid. Nothing happens before start().
  RouterGroup(GroupSettings settings, Condition condition, OwnAddresses addresses);

  void set_own_addresses(TimePoint now, OwnAddresses addresses, Actions& actions);

  void start(TimePoint now, Actions& actions);
  // After a planned restart: the leases of all members are still held, so go on where it was left.
  // Falls back to start() if there is a fault.
  void adopt(TimePoint now, Actions& actions);
  // Releases what is held, in the way of the RFC's Shutdown.
  void stop(TimePoint now, const std::string& reason, Actions& actions);
  // Stops without a word and leaves the lease to its deadline: after RestartPrepared, or to be
  // taken up again by adopt().
  void abandon();

  void set_condition(TimePoint now, Condition condition, Actions& actions);
  // A reload: no timer restarts, nothing moves. Members that are new start, those that are gone
  // release. `settings` are valid.
  void set_settings(TimePoint now, GroupSettings settings, OwnAddresses addresses,
                    Actions& actions);

  // Gives the addresses away without losing anything, and does not preempt until release(); takes
  // them back when nobody else is there. False: not active.
  bool move_away(TimePoint now, Actions& actions);
  void release(TimePoint now, Actions& actions);

  // The process is about to restart and will be back within `expected`: announces a longer interval
  // with a lease to match, then RestartPrepared tells how long there is. A version 2 backup knows
  // its own interval only: there the time is that of an ordinary lease, 2.4 s at least, counted
  // from adverts that are sent at once. Not active: prepared at once.
  void prepare_restart(TimePoint now, Duration expected, Actions& actions);
  void cancel_restart(TimePoint now, Actions& actions);

  void tick(TimePoint now, Actions& actions);
  // `advert` has passed judge_advert() for this member.
  void receive(TimePoint now, const RouterKey& router, const Advert& advert,
               const IpAddress& source, Actions& actions);

  [[nodiscard]] TimePoint deadline() const;

  [[nodiscard]] const GroupSettings& settings() const { return settings_; }
  [[nodiscard]] const Condition& condition() const { return condition_; }
  [[nodiscard]] const std::vector<VirtualRouter>& routers() const { return routers_; }
  [[nodiscard]] const VirtualRouter* find(const RouterKey& router) const;
  [[nodiscard]] State state() const;        // the least of its members': Active only if all are
  [[nodiscard]] Priority priority() const;  // in force
  [[nodiscard]] bool is_held() const { return is_held_; }
  [[nodiscard]] bool is_moving(TimePoint now) const;
  [[nodiscard]] const StateChange& last_change() const { return last_change_; }
  // In words, empty if there is none.
  [[nodiscard]] std::string fault_text() const;

 private:
  [[nodiscard]] Terms terms_of(size_t member) const;
  [[nodiscard]] VirtualRouter make_member(size_t member) const;
  [[nodiscard]] std::vector<State> states() const;
  void update_terms(TimePoint now);
  bool wake(TimePoint now, Actions& actions);
  void apply_faults(TimePoint now, Actions& actions);
  void settle(TimePoint now, const std::vector<State>& before, Actions& actions);
  void promote_together(TimePoint now, Actions& actions);
  void finish_restart(TimePoint now, Actions& actions);
  void note_change(const Actions& actions, size_t first_action);

  GroupSettings settings_;
  Condition condition_;
  OwnAddresses addresses_;
  std::vector<VirtualRouter> routers_;
  bool is_running_ = false;
  bool is_held_ = false;
  bool is_preparing_restart_ = false;
  StateChange last_change_;
};

}  // namespace ballast::vrrp
