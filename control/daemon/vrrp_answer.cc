#include "control/daemon/vrrp_answer.h"

#include <algorithm>

#include <fmt/format.h>

#include "vrrp/advert_check.h"
#include "vrrp/failover_check.h"

namespace ballast::control {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using vrrp::AdvertFault;
using vrrp::TimePoint;

// What was heard longer ago is not said to be so still.
constexpr std::chrono::minutes kRecently{1};

// Rules that adverts of a router break when the nodes are configured differently, or when somebody
// else uses its id.
constexpr AdvertFault kDisagreements[] = {AdvertFault::kVersion,
                                          AdvertFault::kIntervalMismatch,
                                          AdvertFault::kIntervalDiffers,
                                          AdvertFault::kAddressListMismatch,
                                          AdvertFault::kAddressListDiffers,
                                          AdvertFault::kAuthentication,
                                          AdvertFault::kUnknownPeer,
                                          AdvertFault::kUnexpectedMulticast,
                                          AdvertFault::kUnexpectedUnicast,
                                          AdvertFault::kTwoOwners,
                                          AdvertFault::kOwnSource,
                                          AdvertFault::kTtl,
                                          AdvertFault::kFirstNotLinkLocal};

template <typename Unit>
uint64_t since(TimePoint then, TimePoint now) {
  return then > now ? 0 : static_cast<uint64_t>(duration_cast<Unit>(now - then).count());
}

template <typename Unit>
uint64_t count_of(vrrp::Duration duration) {
  return static_cast<uint64_t>(duration_cast<Unit>(duration).count());
}

void fill_fault(AdvertFault fault, const vrrp::FaultCount& counted, TimePoint now,
                api::VrrpFaultCount& out) {
  out.set_rule(std::string(vrrp::name_of(fault)));
  out.set_meaning(std::string(vrrp::describe(fault)));
  out.set_count(counted.count);
  out.set_last_source(counted.last_offender.to_string());
  out.set_last_milliseconds_ago(since<milliseconds>(counted.last, now));
  out.set_discarded(vrrp::is_discarded(fault));
}

template <typename Add>
void fill_faults(const std::array<vrrp::FaultCount, vrrp::kAdvertFaults>& faults, TimePoint now,
                 const Add& add) {
  for (size_t i = 0; i < faults.size(); ++i) {
    if (faults[i].count != 0) {
      fill_fault(static_cast<AdvertFault>(i), faults[i], now, *add());
    }
  }
}

void fill_peer(const vrrp::Peer& peer, TimePoint now, api::VrrpPeer& out) {
  if (!peer.source.is_unspecified()) {
    out.set_address(peer.source.to_string());
  }
  out.set_adverts(peer.adverts);
  out.set_priority_zero(peer.priority_zero);
  out.set_last_milliseconds_ago(since<milliseconds>(peer.last_heard, now));
  out.set_largest_gap_microseconds(count_of<microseconds>(peer.largest_gap));
  if (peer.last) {
    out.set_priority(index(peer.last->priority));
    out.set_advert_interval_milliseconds(
        static_cast<uint32_t>(count_of<milliseconds>(peer.last->interval)));
    for (const IpAddress& address : peer.last->addresses) {
      out.add_addresses(address.to_string());
    }
    out.set_checksum(peer.checksum == vrrp::ChecksumForm::kRfc9568 ? "rfc9568" : "rfc5798");
  }
  fill_faults(peer.faults, now, [&out] { return out.add_faults(); });
}

void fill_counts(const vrrp::RouterStatistics& counted, api::VrrpRouter& out) {
  out.set_adverts_sent(counted.adverts_sent);
  out.set_priority_zero_sent(counted.priority_zero_sent);
  out.set_adverts_received(counted.adverts_received);
  out.set_priority_zero_received(counted.priority_zero_received);
  out.set_became_active(counted.became_active);
  out.set_left_active(counted.left_active);
  out.set_freezes(counted.freezes);
  out.set_largest_lateness_microseconds(count_of<microseconds>(counted.largest_lateness));
  out.set_both_active_episodes(counted.both_active.episodes);
  out.set_both_active_milliseconds(count_of<milliseconds>(counted.both_active.total));
  out.set_both_active_longest_milliseconds(count_of<milliseconds>(counted.both_active.longest));
}

const vrrp::RouterStatus* router_of(const VrrpView& view, const RouterName& router) {
  if (view.group == nullptr) {
    return nullptr;
  }
  const auto found = std::ranges::find(view.group->routers, key_of(router, view.interface_index),
                                       &vrrp::RouterStatus::key);
  return found == view.group->routers.end() ? nullptr : &*found;
}

void fill_router(const VrrpView& view, const RouterName& name, api::VrrpRouter& out) {
  out.set_family(static_cast<uint32_t>(index(name.family)));
  if (view.settings.virtual_mac) {
    out.set_virtual_mac(vrrp::virtual_mac(name.family, vrrp::VirtualRouterId{name.id}).to_string());
  }
  for (const IpAddress& address : view.settings.addresses_of(name.family)) {
    out.add_addresses(address.to_string());
    const auto use = view.uses.find(address);
    if (use == view.uses.end()) {
      continue;
    }
    if (use->second == AddressUse::kGateway) {
      out.add_gateways(address.to_string());
    } else if (use->second == AddressUse::kLocal) {
      out.add_local_addresses(address.to_string());
    }
  }
  out.set_version(static_cast<uint32_t>(view.settings.version));
  out.set_advert_interval_milliseconds(
      static_cast<uint32_t>(view.settings.advert_interval.count()));
  const vrrp::RouterStatus* status = router_of(view, name);
  if (status == nullptr) {
    out.set_state(api::FAULT);
    out.set_lease("none");
    return;
  }
  out.set_state(to_api(status->state));
  out.set_lease(std::string(to_string(status->lease)));
  if (!status->own_address.is_unspecified()) {
    out.set_own_address(status->own_address.to_string());
  }
  out.set_learnt_interval_milliseconds(
      static_cast<uint32_t>(count_of<milliseconds>(status->active_interval)));
  fill_counts(status->statistics, out);
  out.set_send_errors(status->send_errors);
  out.set_socket_error(status->socket_error);
  for (const vrrp::Peer& peer : status->peers) {
    fill_peer(peer, view.now, *out.add_peers());
  }
  fill_faults(status->faults, view.now, [&out] { return out.add_faults(); });
}

// With what differs where the peer's last advert, which counted, says it; else the rule's words.
std::string describe(AdvertFault fault, const vrrp::FaultCount& counted,
                     const vrrp::RouterStatus& router, const VrrpView& view) {
  const auto peer = std::ranges::find(router.peers, counted.last_offender, &vrrp::Peer::source);
  if (!view.group_settings || vrrp::is_discarded(fault) || peer == router.peers.end() ||
      !peer->last) {
    return std::string(vrrp::describe(fault));
  }
  const auto& routers = view.group_settings->routers;
  const auto settings = std::ranges::find(routers, router.key, &vrrp::RouterSettings::key);
  return settings == routers.end() ? std::string(vrrp::describe(fault))
                                   : vrrp::describe_fault(fault, *peer->last, *settings);
}

// Empty: not for a minute.
std::string both_active(const RouterName& router, const vrrp::BothActiveCount& count,
                        TimePoint now) {
  if (count.since) {
    return fmt::format(
        "two routers are active (IPv{}), for {} ms by now: can they hear each other?",
        index(router.family), count_of<milliseconds>(now - *count.since));
  }
  if (count.last_heard && now - *count.last_heard < kRecently) {
    return fmt::format("two routers were active (IPv{}) {} s ago, for {} ms in all",
                       index(router.family), since<std::chrono::seconds>(*count.last_heard, now),
                       count_of<milliseconds>(count.total));
  }
  return {};
}

// Weights that can change nothing between this node and one that was heard lately.
std::vector<std::string> vain_weights(const VrrpView& view, const vrrp::RouterStatus& status) {
  std::vector<std::string> texts;
  for (const vrrp::Peer& peer : status.peers) {
    if (!view.group_settings || !peer.last || peer.last->priority == vrrp::kReleasing ||
        view.now - peer.last_heard > kRecently) {
      continue;
    }
    const auto can =
        vrrp::check_failover_to(*view.group_settings, view.group_tracks, peer.last->priority);
    if (!can) {
      texts.push_back(fmt::format("{}: {}", peer.source.to_string(), can.error()));
    }
  }
  return texts;
}

// In words, each with who and which family.
std::vector<std::string> disagreements(const VrrpView& view) {
  std::vector<std::string> texts;
  for (const RouterName& name : routers_of(view.settings)) {
    const vrrp::RouterStatus* status = router_of(view, name);
    if (status == nullptr) {
      continue;
    }
    for (const AdvertFault fault : kDisagreements) {
      const vrrp::FaultCount& counted = status->faults[static_cast<size_t>(fault)];
      if (counted.count != 0 && view.now - counted.last < kRecently) {
        texts.push_back(fmt::format(
            "{}: {} ({}; {})", counted.last_offender.to_string(),
            describe(fault, counted, *status, view), vrrp::name_of(fault),
            vrrp::is_discarded(fault) ? "its adverts are discarded" : "its adverts count"));
      }
    }
    if (std::string text = both_active(name, status->statistics.both_active, view.now);
        !text.empty()) {
      texts.push_back(std::move(text));
    }
    for (std::string& text : vain_weights(view, *status)) {
      texts.push_back(std::move(text));
    }
  }
  const auto& claim = view.strange_claim;
  const auto& own = view.settings.addresses;
  if (claim && view.now - claim->last < kRecently &&
      std::ranges::find(own, claim->address) != own.end()) {
    texts.push_back(
        fmt::format("{} announces {} as virtual router {}, here it is {}: both answer "
                    "for it: give both nodes one virtual_router_id",
                    claim->source.to_string(), claim->address.to_string(), index(claim->id),
                    view.settings.virtual_router_id));
  }
  return texts;
}

vrrp::State state_of(const VrrpView& view) {
  vrrp::State least = vrrp::State::kActive;
  for (const RouterName& name : routers_of(view.settings)) {
    const vrrp::RouterStatus* status = router_of(view, name);
    least = std::min(least, status == nullptr ? vrrp::State::kFault : status->state);
  }
  return least;
}

template <typename Message>
void fill_both(const VrrpView& view, Message& out) {
  out.set_name(view.settings.name);
  out.set_group(view.settings.group);
  out.set_state(to_api(state_of(view)));
  out.set_configured_priority(view.settings.priority);
  for (const std::string& fault : view.faults) {
    out.add_faults(fault);
  }
  if (view.group != nullptr) {
    out.set_priority(index(view.group->priority));
    out.set_held_back(view.group->is_held);
    if (view.faults.empty() && !view.group->fault.empty()) {
      out.add_faults(view.group->fault);
    }
  }
  for (std::string& text : disagreements(view)) {
    *out.add_disagreements() = std::move(text);
  }
}

void fill_track(const vrrp::TrackedThing& thing, api::VrrpTrack& out) {
  out.set_name(thing.settings().name);
  out.set_weight(thing.settings().weight);
  out.set_text(thing.text());
  out.set_standing(!thing.is_up()   ? api::VrrpTrack::UNKNOWN
                   : *thing.is_up() ? api::VrrpTrack::UP
                                    : api::VrrpTrack::DOWN);
}

}  // namespace

api::VrrpState to_api(vrrp::State state) {
  switch (state) {
    case vrrp::State::kInitialize:
      return api::INITIALIZE;
    case vrrp::State::kFault:
      return api::FAULT;
    case vrrp::State::kBackup:
      return api::BACKUP;
    case vrrp::State::kActive:
      return api::ACTIVE;
  }
  return api::INITIALIZE;
}

void fill(const VrrpView& view, api::VrrpInstance& instance) {
  fill_both(view, instance);
  instance.set_interface(view.settings.interface);
  instance.set_virtual_router_id(view.settings.virtual_router_id);
  instance.set_preempt(view.settings.preempt);
  if (view.group != nullptr && !view.group->last_change.reason.empty()) {
    const vrrp::StateChange& last = view.group->last_change;
    api::VrrpChange& change = *instance.mutable_last_change();
    change.set_from(to_api(last.from));
    change.set_to(to_api(last.to));
    change.set_reason(last.reason);
    change.set_seconds_ago(since<std::chrono::seconds>(last.at, view.now));
    const auto at = std::chrono::system_clock::now() - (view.now - last.at);
    change.set_at_milliseconds(duration_cast<milliseconds>(at.time_since_epoch()).count());
  }
  for (const RouterName& router : routers_of(view.settings)) {
    fill_router(view, router, *instance.add_routers());
  }
  if (view.tracking == nullptr) {
    return;
  }
  for (const VrrpTrack& track : view.settings.tracks) {
    if (const auto found = view.tracking->things().find(track.name());
        found != view.tracking->things().end()) {
      fill_track(found->second, *instance.add_tracks());
    }
  }
}

void fill(const VrrpView& view, api::VrrpSummary& summary) {
  fill_both(view, summary);
  if (view.group != nullptr) {
    summary.set_reason(view.group->last_change.reason);
    summary.set_changed_seconds_ago(
        since<std::chrono::seconds>(view.group->last_change.at, view.now));
  }
}

void fill_strangers(const vrrp::SpeakerStatus& status, TimePoint now, api::ListVrrpAnswer& answer) {
  answer.set_real_time(status.real_time);
  fill_faults(status.strangers, now, [&answer] { return answer.add_strangers(); });
  answer.set_last_strange_id(index(status.last_strange_id));
}

}  // namespace ballast::control
