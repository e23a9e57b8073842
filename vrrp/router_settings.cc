#include "vrrp/router_settings.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace ballast::vrrp {
namespace {

using Outcome = tl::expected<void, std::string>;

template <typename... Arguments>
auto refuse(fmt::format_string<Arguments...> text, Arguments&&... arguments) {
  return tl::unexpected(fmt::format(text, std::forward<Arguments>(arguments)...));
}

Outcome validate_interval(const RouterSettings& router) {
  const Duration interval = router.advert_interval;
  if (router.version == Version::kV2) {
    if (interval % std::chrono::seconds{1} != Duration{0} || interval < kMinimumIntervalV2 ||
        interval > kMaximumIntervalV2) {
      return refuse(
          "advert_interval: {}: version 2 counts whole seconds, 1 s to 255 s; version 3 "
          "goes down to 10 ms",
          to_text(interval));
    }
  } else if (interval % kMinimumIntervalV3 != Duration{0} || interval < kMinimumIntervalV3 ||
             interval > kMaximumIntervalV3) {
    return refuse("advert_interval: {}: must be a multiple of 10 ms, 10 ms to 40.95 s",
                  to_text(interval));
  }
  return {};
}

Outcome validate_addresses(const RouterSettings& router) {
  if (router.addresses.empty() || router.addresses.size() > kMaximumAddresses) {
    return refuse("addresses: {} of them: must be 1 to {} of a family", router.addresses.size(),
                  kMaximumAddresses);
  }
  std::set<IpAddress> seen;
  for (const IpAddress& address : router.addresses) {
    if (address.family() != router.key.family) {
      return refuse("addresses: {}: a virtual router has addresses of one family",
                    address.to_string());
    }
    if (address.is_unspecified() || address.is_multicast() || address.is_broadcast() ||
        address.is_loopback()) {
      return refuse("addresses: {}: must be a unicast address", address.to_string());
    }
    if (!seen.insert(address).second) {
      return refuse("addresses: {}: listed twice", address.to_string());
    }
  }
  if (router.key.family == Family::kIpv6 && !router.addresses.front().is_link_local()) {
    return refuse(
        "addresses: {}: the first IPv6 address must be link-local (fe80::/10), RFC 9568 "
        "section 5.2.9",
        router.addresses.front().to_string());
  }
  return {};
}

Outcome validate_peers(const RouterSettings& router) {
  if (router.unicast_peers.size() > kMaximumUnicastPeers) {
    return refuse("unicast_peers: {} of them: at most {}", router.unicast_peers.size(),
                  kMaximumUnicastPeers);
  }
  for (const IpAddress& peer : router.unicast_peers) {
    if (peer.family() != router.key.family || peer.is_unspecified() || peer.is_multicast() ||
        peer.is_broadcast()) {
      return refuse("unicast_peers: {}: must be a unicast address of the family of the addresses",
                    peer.to_string());
    }
    if (std::ranges::count(router.unicast_peers, peer) > 1) {
      return refuse("unicast_peers: {}: listed twice", peer.to_string());
    }
  }
  return {};
}

Outcome validate(const RouterSettings& router) {
  if (index(router.key.id) == 0) {
    return refuse("virtual_router_id: 0: must be 1-255");
  }
  if (router.version == Version::kV2 && router.key.family == Family::kIpv6) {
    return refuse("version: 2: IPv6 needs version 3");
  }
  if (Outcome outcome = validate_interval(router); !outcome) {
    return outcome;
  }
  if (Outcome outcome = validate_addresses(router); !outcome) {
    return outcome;
  }
  return validate_peers(router);
}

}  // namespace

Outcome validate(const GroupSettings& group) {
  if (group.routers.empty() || group.routers.size() > kMaximumRoutersPerGroup) {
    return refuse("group: {} virtual routers: must be 1 to {}", group.routers.size(),
                  kMaximumRoutersPerGroup);
  }
  if (group.priority == kReleasing) {
    return refuse("priority: 0: must be 1-255; 0 on the wire means releasing");
  }
  if (group.preempt_delay < Duration{0} || group.announce_refresh < Duration{0}) {
    return refuse("preempt_delay: {}: times are not negative", to_text(group.preempt_delay));
  }
  if (group.preempt_delay > Duration{0} && !group.preempt) {
    return refuse("preempt_delay: {}: has no effect with preempt = false: remove one of the two",
                  to_text(group.preempt_delay));
  }
  std::set<RouterKey> keys;
  for (const RouterSettings& router : group.routers) {
    if (Outcome outcome = validate(router); !outcome) {
      return outcome;
    }
    if (!keys.insert(router.key).second) {
      return refuse("virtual_router_id: {}: twice on one interface for one family",
                    index(router.key.id));
    }
  }
  return {};
}

std::string to_text(Duration duration) {
  const auto count = duration.count();
  if (count != 0 && count % 1'000'000'000 == 0) {
    return fmt::format("{} s", count / 1'000'000'000);
  }
  if (count >= 10'000'000'000) {
    return fmt::format("{:.6g} s", static_cast<double>(count) / 1e9);
  }
  return fmt::format("{:.6g} ms", static_cast<double>(count) / 1e6);
}

}  // namespace ballast::vrrp
