// A node's view of two instances: one active, with all that can be told of it, one that has a
// fault.
#pragma once

#include "control/api/control.pb.h"

namespace ballast::control {

inline api::VrrpFaultCount vrrp_fault(const char* rule, const char* meaning, uint64_t count,
                                      bool discarded) {
  api::VrrpFaultCount fault;
  fault.set_rule(rule);
  fault.set_meaning(meaning);
  fault.set_count(count);
  fault.set_last_source("10.0.0.2");
  fault.set_last_milliseconds_ago(5200);
  fault.set_discarded(discarded);
  return fault;
}

inline void fill_vrrp_router(api::VrrpRouter& router) {
  router.set_family(4);
  router.set_version(3);
  router.set_state(api::ACTIVE);
  router.set_virtual_mac("00:00:5e:00:01:33");
  router.add_addresses("192.0.2.10");
  router.add_addresses("192.0.2.11");
  router.set_lease("full");
  router.set_own_address("10.0.0.1");
  router.set_advert_interval_milliseconds(100);
  router.set_learnt_interval_milliseconds(1000);
  router.set_adverts_sent(115200);
  router.set_priority_zero_sent(1);
  router.set_adverts_received(55);
  router.set_priority_zero_received(2);
  router.set_became_active(2);
  router.set_left_active(1);
  router.set_largest_lateness_microseconds(1234);
  router.set_both_active_episodes(1);
  router.set_both_active_milliseconds(12);
  router.set_both_active_longest_milliseconds(12);
  auto& peer = *router.add_peers();
  peer.set_address("10.0.0.2");
  peer.set_adverts(55);
  peer.set_priority_zero(2);
  peer.set_last_milliseconds_ago(11520000);
  peer.set_largest_gap_microseconds(120500);
  peer.set_priority(100);
  peer.set_advert_interval_milliseconds(100);
  peer.set_checksum("rfc5798");
  *peer.add_faults() = vrrp_fault("interval_differs", "another interval", 3, false);
  auto& stranger = *router.add_peers();
  stranger.set_address("10.0.0.9");
  *stranger.add_faults() = vrrp_fault("ttl", "not 255", 7, true);
  *router.add_faults() = vrrp_fault("ttl", "not 255", 7, true);
  *router.add_faults() = vrrp_fault("interval_differs", "another interval", 3, false);
}

inline api::VrrpInstance active_vrrp() {
  api::VrrpInstance instance;
  instance.set_name("front");
  instance.set_interface("wan");
  instance.set_virtual_router_id(51);
  instance.set_state(api::ACTIVE);
  instance.set_configured_priority(150);
  instance.set_priority(90);
  auto& change = *instance.mutable_last_change();
  change.set_from(api::BACKUP);
  change.set_to(api::ACTIVE);
  change.set_reason("nothing heard from 10.0.0.2 for 361 ms");
  change.set_at_milliseconds(1772337906123);
  change.set_seconds_ago(11520);
  fill_vrrp_router(*instance.add_routers());
  auto& link = *instance.add_tracks();
  link.set_name("port wan");
  link.set_standing(api::VrrpTrack::UP);
  link.set_text("link is up");
  auto& script = *instance.add_tracks();
  script.set_name("script check-bgp");
  script.set_standing(api::VrrpTrack::DOWN);
  script.set_weight(-60);
  script.set_text("exit 1: session down");
  instance.add_disagreements("10.0.0.2 announces 192.0.2.12, which is not configured here");
  return instance;
}

inline api::VrrpInstance faulty_vrrp() {
  api::VrrpInstance instance;
  instance.set_name("back");
  instance.set_group("inside");
  instance.set_interface("lan");
  instance.set_virtual_router_id(7);
  instance.set_state(api::FAULT);
  instance.set_configured_priority(100);
  instance.set_priority(100);
  instance.set_preempt(true);
  instance.set_held_back(true);
  instance.add_faults("port lan: link is down");
  auto& change = *instance.mutable_last_change();
  change.set_from(api::BACKUP);
  change.set_to(api::FAULT);
  change.set_reason("port lan: link is down");
  change.set_seconds_ago(12);
  auto& link = *instance.add_tracks();
  link.set_name("port lan");
  link.set_standing(api::VrrpTrack::DOWN);
  link.set_text("link is down");
  auto& router = *instance.add_routers();
  router.set_family(6);
  router.set_version(3);
  router.set_state(api::FAULT);
  router.set_lease("none");
  router.add_addresses("fe80::10");
  router.set_advert_interval_milliseconds(1000);
  router.set_freezes(2);
  router.set_socket_error("bind: no such device");
  return instance;
}

inline api::ListVrrpAnswer two_vrrp_instances() {
  api::ListVrrpAnswer answer;
  *answer.add_instances() = active_vrrp();
  *answer.add_instances() = faulty_vrrp();
  answer.set_real_time("SCHED_FIFO 50");
  *answer.add_strangers() =
      vrrp_fault("vrid_unknown", "no virtual router of this id and family is configured", 12, true);
  answer.set_last_strange_id(77);
  return answer;
}

}  // namespace ballast::control
