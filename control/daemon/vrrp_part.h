// The daemon's part that runs VRRP: the speaker's near end (vrrp/speaker.h has a thread and a loop
// of its own).
//
// Theory of operation
//   What the configuration says and what the kernel knows of its interfaces become groups of
//   virtual routers for the speaker; what is known of dataplane, ports, servers, scripts, files and
//   routes becomes each group's condition. Both are computed anew whenever something may have
//   changed, and told when they differ.
//
//   The leases that the speaker holds stand in the dataplane's lease page, in a slot per virtual
//   router; the VIPs that the dataplane is told carry that slot. The page is written on the VRRP
//   thread by the LeaseBook, which also watches the dataplane's signs of life there.
//
//   A node takes part when its dataplane runs on the configuration and its health checks have run,
//   both since the dataplane came; only a ballastd that finds leases which have not ended, because
//   it or the one before it was restarted, goes on where that was left.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "control/api/handler.h"
#include "control/config/configuration.h"
#include "control/daemon/kernel_part.h"
#include "control/daemon/servers_part.h"
#include "control/dataplane_link/link.h"
#include "control/vrrp/file_trackers.h"
#include "control/vrrp/lease_book.h"
#include "control/vrrp/lease_slots.h"
#include "control/vrrp/notifier.h"
#include "control/vrrp/script_trackers.h"
#include "control/vrrp/speaker_groups.h"
#include "vrrp/speaker.h"

namespace boost::asio {
class io_context;
}

namespace ballast::control {

class VrrpPart {
 public:
  // All of them outlive the part; `configuration` is the one in force, and changes in place.
  VrrpPart(boost::asio::io_context& loop, const Configuration& configuration,
           const DataplaneLink& link, const KernelPart& kernel, const ServersPart& servers,
           const ProgramUser& user);
  // Releases what is held, unless abandon() was called.
  ~VrrpPart();
  VrrpPart(const VrrpPart&) = delete;
  VrrpPart& operator=(const VrrpPart&) = delete;

  // Slots and MACs of the VIPs if this were the configuration.
  [[nodiscard]] VipLeases leases(const Configuration& configuration) const;

  // A dataplane is there. The first one may hold leases of an earlier ballastd.
  void adopt(const ballast::api::State& state);
  void set_dataplane(const ballast::api::HelloAnswer& hello);
  void dataplane_lost();
  void port_changed(const ballast::api::PortInfo& port);
  // `user` is that of the new configuration.
  void configuration_changed(ProgramUser user);
  // Anything else that a condition may follow from: kernel, servers, transactions.
  void world_changed();

  // --- requests
  using OnStatus = std::function<void(const vrrp::SpeakerStatus&)>;
  void fetch_status(const OnStatus& done) const;
  void fill(const vrrp::SpeakerStatus& status, const std::string& name,
            api::ListVrrpAnswer& answer) const;
  void fill_summaries(const vrrp::SpeakerStatus& status, api::StatusAnswer& answer) const;
  // The group that a name of an instance or a group stands for.
  [[nodiscard]] std::optional<VrrpGroup> find_group(const std::string& name) const;

  struct Moved {
    bool was_active = false;
    bool has_moved = false;  // else this node took the addresses back, because nobody else did
    std::string now_active;  // who did, by address
    std::chrono::milliseconds time{0};
  };
  void move_away(const std::string& group, const std::function<void(const Moved&)>& done);
  void release(const std::string& group);

  // Makes the other nodes wait. The time is how long; none: they could not be told in time, and
  // nothing has changed.
  using OnPrepared = std::function<void(std::optional<std::chrono::milliseconds>)>;
  void prepare_restart(const OnPrepared& done);
  // Leaves every lease to its deadline. Nothing is sent from here on.
  void abandon();
  // Before the end of the process: gives the addresses to another node, if there is one; where
  // there is none, holds them for as long as a restart takes.
  void give_away(const std::function<void()>& done);

 private:
  struct Timers;
  struct Group {
    std::unique_ptr<vrrp::Tracking> tracking;
    vrrp::Condition condition;  // as told last
    bool is_told = false;
    bool is_adopted = false;
    bool checks_have_run = false;  // of its services, since the dataplane came
  };

  // --- groups (vrrp_part.cc)
  void start_speaker();
  [[nodiscard]] vrrp::SpeakerCallbacks callbacks();
  void update();
  void update_places();
  void update_groups();
  void update_trackers();
  [[nodiscard]] std::set<std::string> groups_with_leases() const;
  void on_transition(const std::string& group, const vrrp::RouterKey& router,
                     const vrrp::Transition& transition);
  // Notifies the instance's program, if that is another state than the one that it knows.
  void tell(const VrrpSettings& instance, vrrp::State state, vrrp::Priority priority,
            const std::string& reason);
  [[nodiscard]] vrrp::State state_of(const VrrpSettings& instance,
                                     vrrp::InterfaceIndex interface) const;

  // --- conditions (vrrp_conditions.cc)
  void update_conditions();
  [[nodiscard]] vrrp::Condition condition_of(const VrrpGroup& group, Group& known);
  static void trust_until_observed(vrrp::Tracking& tracking, const std::string& text);
  void add_port_faults(const VrrpGroup& group, std::vector<std::string>& faults) const;
  void add_readiness_faults(const VrrpGroup& group, Group& known, std::vector<std::string>& faults);
  [[nodiscard]] bool is_delayed(const VrrpGroup& group, const Group& known) const;
  void observe_tracks(const VrrpGroup& group, vrrp::Tracking& tracking) const;
  void observed(const std::string& group, const std::string& name, bool is_good,
                const std::string& text);
  [[nodiscard]] bool port_is_up(const std::string& name) const;
  [[nodiscard]] bool route_is_there(const std::string& prefix) const;
  void arm_tracking_timer();

  // --- status (vrrp_status.cc)
  template <typename Use>
  void each_view(const vrrp::SpeakerStatus& status, const Use& use) const;
  [[nodiscard]] std::string interface_fault(const VrrpGroup& group) const;

  // --- moves (vrrp_moves.cc)
  void watch_move(const std::string& group, vrrp::TimePoint since,
                  const std::function<void(const Moved&)>& done);
  void hold_on(const std::function<void()>& done);
  void say_stop(const std::function<void()>& done);
  void tell_stop(const vrrp::SpeakerStatus& status);
  void when_told(const std::function<void()>& done);

  boost::asio::io_context& loop_;
  const Configuration& configuration_;
  const DataplaneLink& link_;
  const KernelPart& kernel_;
  const ServersPart& servers_;

  LeaseSlots slots_;
  std::map<std::string, ballast::api::PortInfo> ports_;  // as the dataplane said last
  std::vector<std::string> port_order_;
  std::set<RouterName> adopted_routers_;  // whose slots are those of an earlier ballastd
  std::vector<ScriptSettings> told_scripts_;
  std::vector<FileSettings> told_files_;
  std::string page_trouble_;
  bool runs_on_configuration_ = false;  // the dataplane, since it came
  vrrp::TimePoint started_ = std::chrono::steady_clock::now();
  bool has_seen_dataplane_ = false;
  std::map<std::string, Group> groups_;             // by name; those that the speaker has
  std::vector<vrrp::GroupSettings> told_settings_;  // to the speaker
  std::vector<vrrp::InterfaceFacts> told_interfaces_;
  LeaseBook::Places told_places_;
  // Of which instance a router is that the speaker has, or had until its last transition.
  std::map<vrrp::RouterKey, VrrpSettings> instances_;
  std::map<vrrp::RouterKey, vrrp::State> router_states_;
  std::map<std::string, vrrp::State> told_states_;  // of instances, to notify programs
  std::function<void(std::optional<vrrp::TimePoint>)> on_group_prepared_;

  // In this order: the book outlives the speaker, whose thread uses it.
  std::shared_ptr<const LeasePageMapping> page_;
  LeaseBook book_;
  std::unique_ptr<Timers> timers_;
  Notifier notifier_;
  ScriptTrackers scripts_;
  FileTrackers files_;
  std::unique_ptr<vrrp::Speaker> speaker_;  // none without [[vrrp]]
};

}  // namespace ballast::control
