// The state machine of one virtual router, RFC 9568 section 6.4 and RFC 3768 section 6.4: events
// in, actions out, time an argument. No clock, no socket, nothing outside.
//
//   Initialize --start--> Backup --promote--> Active        Fault is Initialize with a cause: the
//        ^                  ^ |                 | |          router listens, and takes part again
//        +------- stop -----+-+-----------------+ |          when the cause is gone
//                           +------ heard better -+
//
// What differs from the RFC, and why:
// - A Backup whose active-down timer fires does not become Active by itself: it wants to, and its
//   RouterGroup promotes all members together, or none (see router_group.h).
// - Active means that the lease is held. It is renewed before each advert to 2.4 intervals from
//   then, so that it has ended before any backup may rise, whatever becomes of this process.
// - A router that preempts a living one forwards at once, since its first advert has moved the
//   virtual MAC in the switches; it answers for the addresses 5 ms later, when the old one has
//   heard that advert. So no two nodes ever answer at once.
// - A planned move is the reverse: mute at once, forward until the new active router's advert is
//   heard, at most the active-down interval.
// - A router that was not running (see freeze_threshold) listens before it asserts itself; a Backup
//   whose timer fires far too late does so too, once.
// - A lower advert heard in Active is answered at once (RFC 9568 section 6.4.3), but not more than
//   once per quarter of an interval, so that forged ones are not amplified.
// - A priority-0 advert shortens the active-down timer to skew, and never lengthens it, so that
//   repeating it silences nobody.
//
// The owner calls wake() before every other event, tick() at deadline(), and carries out the
// actions in order. Copyable: a simulation forks the world by copying it.
#pragma once

#include <string>

#include "vrrp/action.h"
#include "vrrp/announcement_schedule.h"
#include "vrrp/both_active_meter.h"
#include "vrrp/rival_watch.h"
#include "vrrp/router_settings.h"

namespace ballast::vrrp {

struct RouterStatistics {
  uint64_t adverts_sent = 0;  // those of priority 0 included, as below
  uint64_t priority_zero_sent = 0;
  uint64_t adverts_received = 0;  // that count
  uint64_t priority_zero_received = 0;
  uint64_t became_active = 0;
  uint64_t left_active = 0;
  uint64_t freezes = 0;          // times this router was found not to have been running
  Duration largest_lateness{0};  // of a periodic advert, against its timer
  BothActiveCount both_active;
};

class VirtualRouter {
 public:
  // `settings` are valid. Begins in Initialize.
  VirtualRouter(RouterSettings settings, const Terms& terms, const IpAddress& own_address);

  // Initialize, Fault -> Backup. The address owner wants to be active at once.
  void start(TimePoint now, const std::string& reason, Actions& actions);
  // Initialize -> Active: it was active before a planned restart, and its lease has not ended.
  void adopt(TimePoint now, Actions& actions);
  // Backup -> Active, once the group agrees.
  void promote(TimePoint now, Actions& actions);
  // Active -> Backup, because another member of the group is not active any more.
  void follow(TimePoint now, const std::string& reason, Actions& actions);
  // Active -> Backup, on purpose.
  void move_away(TimePoint now, const std::string& reason, Actions& actions);
  // Any -> Initialize or Fault.
  void stop(TimePoint now, State to, const std::string& reason, Actions& actions);

  // Announces a longer interval, three times in a row; 0 takes that back.
  void lengthen(TimePoint now, Duration interval, Actions& actions);
  [[nodiscard]] bool has_announced_length() const { return announced_length_ == 0; }

  // True: nobody was running here for too long. Then the event at hand is stale.
  bool wake(TimePoint now, Actions& actions);
  void tick(TimePoint now, Actions& actions);
  // `advert` has passed judge_advert().
  void receive(TimePoint now, const Advert& advert, const IpAddress& source, Actions& actions);

  void set_terms(TimePoint now, const Terms& terms);
  // The key and the version stay. Timers run on.
  void set_settings(TimePoint now, RouterSettings settings);
  void set_own_address(const IpAddress& address) { own_address_ = address; }

  [[nodiscard]] TimePoint deadline() const;

  [[nodiscard]] const RouterSettings& settings() const { return settings_; }
  [[nodiscard]] const Terms& terms() const { return terms_; }
  [[nodiscard]] const IpAddress& own_address() const { return own_address_; }
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool wants_active() const { return wants_active_; }
  // Moved away, and the new active router has not been heard yet.
  [[nodiscard]] bool is_moving(TimePoint now) const { return now < moving_until_; }
  [[nodiscard]] LeaseMode lease(TimePoint now) const {
    return now < lease_until_ ? lease_mode_ : LeaseMode::kNone;
  }
  [[nodiscard]] TimePoint lease_until() const { return lease_until_; }
  [[nodiscard]] TimePoint active_down_at() const { return active_down_at_; }
  [[nodiscard]] Duration active_interval() const { return active_interval_; }  // learnt
  [[nodiscard]] Duration announced_interval() const { return announced_interval_; }
  [[nodiscard]] const RivalWatch& rival() const { return rival_; }
  [[nodiscard]] RouterStatistics statistics() const;
  [[nodiscard]] std::string name() const;  // "51/IPv4"

 private:
  void receive_in_backup(TimePoint now, const Advert& advert, const IpAddress& source,
                         Actions& actions);
  void receive_in_active(TimePoint now, const Advert& advert, const IpAddress& source,
                         Actions& actions);
  void tick_active(TimePoint now, Actions& actions);
  [[nodiscard]] bool loses_to(TimePoint now, const Advert& advert, const IpAddress& source) const;
  [[nodiscard]] bool is_undecided_tie(const Advert& advert, const IpAddress& source) const;
  void note_rival(TimePoint now, const Advert& advert, const IpAddress& source, Actions& actions);
  void tell_winner(TimePoint now, Actions& actions);
  void announce_again(TimePoint now);
  void end_both_active(const std::string& how, Actions& actions);
  void answer(TimePoint now, Actions& actions);

  void become_active(TimePoint now, const std::string& reason, Actions& actions);
  void leave_active();
  void become(State state, TimePoint now, const std::string& reason, Actions& actions);
  void arm_active_down(TimePoint now);
  void rearm_active_down(TimePoint now);
  void listen(TimePoint now, const std::string& reason, Actions& actions);
  void send_advert(TimePoint now, Actions& actions);
  void send_release(Actions& actions);
  void set_lease(LeaseMode mode, TimePoint until, Actions& actions);
  [[nodiscard]] Duration skew() const;
  [[nodiscard]] std::string reason_to_rise(TimePoint now) const;
  template <typename Kind>
  void act(Actions& actions, Kind kind) const {
    actions.emplace_back(settings_.key, std::move(kind));
  }

  RouterSettings settings_;
  Terms terms_;
  IpAddress own_address_;
  State state_ = State::kInitialize;

  // Backup
  RivalWatch rival_;
  Duration active_interval_;
  TimePoint quiet_since_;  // the timer's start: the last advert that was respected
  TimePoint active_down_at_ = kNever;
  bool wants_active_ = false;
  bool awaits_advert_ = false;  // the timer has fired; a lower router is still there
  bool has_listened_ = false;   // since the last advert that was respected
  TimePoint moving_until_{};
  TimePoint release_at_ = kNever;  // has followed another member, and nobody better is heard yet

  // Active
  Duration announced_interval_;
  TimePoint last_sent_;
  TimePoint next_advert_ = kNever;
  TimePoint full_at_ = kNever;  // a preemptor begins to answer for the addresses
  TimePoint next_answer_{};
  int announced_length_ = -1;  // adverts left of a planned restart's burst; -1: none under way
  AnnouncementSchedule announcements_;
  BothActiveMeter both_active_;

  LeaseMode lease_mode_ = LeaseMode::kNone;
  TimePoint lease_until_{};
  RouterStatistics statistics_;
};

}  // namespace ballast::vrrp
