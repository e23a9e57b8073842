#include "vrrp/speaker_core.h"

namespace ballast::vrrp {

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
  status.strange_claim = strange_claim_;
  status.real_time = real_time_;
  return status;
}

}  // namespace ballast::vrrp
