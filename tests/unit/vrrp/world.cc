#include "tests/unit/vrrp/world.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace ballast::vrrp::testing {
namespace {

bool is_later(const Flight& left, const Flight& right) {
  return left.arrives > right.arrives;
}

Duration scaled(Duration duration, double factor) {
  return Duration{static_cast<int64_t>(static_cast<double>(duration.count()) * factor)};
}

constexpr TimePoint kEpoch{};

OwnAddresses own_addresses(size_t node, const GroupSettings& settings) {
  OwnAddresses result;
  for (const RouterSettings& router : settings.routers) {
    result[router.key] = node_address(node, router.key.family);
  }
  return result;
}

}  // namespace

GroupSettings group_of(Priority priority, Duration interval, int families, Version version) {
  GroupSettings group;
  group.name = "front";
  group.priority = priority;
  group.announce_refresh = Duration{0};
  for (int i = 0; i < families; ++i) {
    RouterSettings router;
    router.key = {InterfaceIndex{1}, i == 0 ? Family::kIpv4 : Family::kIpv6, VirtualRouterId{51}};
    router.version = version;
    router.advert_interval = interval;
    router.addresses = {i == 0 ? *IpAddress::parse("192.0.2.100") : *IpAddress::parse("fe80::100")};
    group.routers.push_back(router);
  }
  return group;
}

// IPv6 addresses compare the other way than IPv4 addresses.
IpAddress node_address(size_t node, Family family) {
  const auto last = static_cast<uint8_t>(node);
  if (family == Family::kIpv4) {
    return IpAddress::v4({192, 0, 2, static_cast<uint8_t>(10 + last)});
  }
  return IpAddress::v6(
      {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, static_cast<uint8_t>(200 - last)});
}

World::World(std::vector<GroupSettings> groups, Fate what) : fate(std::move(what)) {
  for (GroupSettings& settings : groups) {
    nodes.emplace_back().settings = std::move(settings);
  }
}

TimePoint World::local(size_t node, TimePoint real) const {
  return kEpoch + scaled(real - kEpoch, nodes[node].rate);
}

// Rounded up, so that a deadline has come when its time has.
TimePoint World::real(size_t node, TimePoint local) const {
  return kEpoch + scaled(local - kEpoch, 1.0 / nodes[node].rate) + us(1);
}

void World::start(size_t node) {
  const GroupSettings& settings = nodes[node].settings;
  nodes[node].group.emplace(settings, Condition{}, own_addresses(node, settings));
  with(node, [](RouterGroup& group, TimePoint at, Actions& actions) { group.start(at, actions); });
}

void World::adopt(size_t node) {
  const GroupSettings& settings = nodes[node].settings;
  nodes[node].group.emplace(settings, Condition{}, own_addresses(node, settings));
  with(node, [](RouterGroup& group, TimePoint at, Actions& actions) { group.adopt(at, actions); });
}

void World::kill(size_t node) {
  nodes[node].group.reset();
  nodes[node].backlog.clear();
  nodes[node].is_frozen = false;
}

void World::stop(size_t node) {
  with(node, [](RouterGroup& group, TimePoint at, Actions& actions) {
    group.stop(at, "stopped", actions);
  });
}

void World::thaw(size_t node) {
  Node& thawed = nodes[node];
  thawed.is_frozen = false;
  while (thawed.group && !thawed.backlog.empty()) {
    const Flight flight = thawed.backlog.front();
    thawed.backlog.erase(thawed.backlog.begin());
    deliver(flight);
  }
  with(node, [](RouterGroup& group, TimePoint at, Actions& actions) { group.tick(at, actions); });
}

void World::set_condition(size_t node, const Condition& condition) {
  with(node, [&condition](RouterGroup& group, TimePoint at, Actions& actions) {
    group.set_condition(at, condition, actions);
  });
}

void World::with(size_t node, const std::function<void(RouterGroup&, TimePoint, Actions&)>& what) {
  if (!nodes[node].group || nodes[node].is_frozen) {
    return;
  }
  Actions actions;
  what(*nodes[node].group, local(node, now_), actions);
  carry_out(node, actions);
}

void World::carry_out(size_t node, const Actions& actions) {
  Node& actor = nodes[node];
  for (const Action& action : actions) {
    if (const auto* lease = std::get_if<SetLease>(&action.kind)) {
      actor.leases[action.router] = {lease->mode, lease->until};
    } else if (const auto* sent = std::get_if<SendAdvert>(&action.kind)) {
      const bool is_held = held(node, action.router) != LeaseMode::kNone;
      if (sent->advert.priority != kReleasing && !is_held) {
        violation_ = fmt::format("node {} sent an advert without holding the lease", node);
      }
      if (sent->advert.priority == kReleasing && held(node, action.router) == LeaseMode::kFull) {
        violation_ = fmt::format("node {} released before it was mute", node);
      }
      send(node, action.router, sent->advert);
    } else if (std::get_if<Announce>(&action.kind) != nullptr) {
      ++actor.announcements;
      if (held(node, action.router) != LeaseMode::kFull) {
        violation_ = fmt::format("node {} announced what it does not hold", node);
      }
    } else if (std::get_if<DropBacklog>(&action.kind) != nullptr) {
      actor.backlog.clear();
    } else if (const auto* change = std::get_if<Transition>(&action.kind); change && keeps_log) {
      actor.log.push_back(fmt::format("{:.3f} IPv{} {} -> {}: {}",
                                      static_cast<double>((now_ - kEpoch).count()) / 1e6,
                                      index(action.router.family), to_string(change->from),
                                      to_string(change->to), change->reason));
    }
  }
}

void World::send(size_t node, const RouterKey& key, const Advert& advert) {
  const AdvertPath path{node_address(node, key.family), multicast_group(key.family)};
  const auto message = std::make_shared<const std::vector<uint8_t>>(
      build_advert(advert, path, ChecksumForm::kRfc5798));
  for (size_t to = 0; to < nodes.size(); ++to) {
    if (to == node) {
      continue;
    }
    for (const Duration delay : fate(node, to)) {
      flights_.push_back({now_ + delay, node, to, key, message});
      std::ranges::push_heap(flights_, is_later);
    }
  }
}

void World::deliver(const Flight& flight) {
  Node& receiver = nodes[flight.to];
  if (!receiver.group) {
    return;
  }
  if (receiver.is_frozen) {
    receiver.backlog.push_back(flight);
    return;
  }
  const VirtualRouter* router = receiver.group->find(flight.key);
  if (router == nullptr) {
    return;
  }
  const Datagram datagram{flight.key.interface, node_address(flight.from, flight.key.family),
                          multicast_group(flight.key.family), kRequiredTtl, *flight.message};
  const AdvertJudgement judgement = judge_advert(
      datagram, router->settings(), receiver.group->settings().priority, router->own_address());
  if (!judgement.is_accepted) {
    violation_ = fmt::format("an advert was refused: {}", name_of(judgement.faults.front()));
    return;
  }
  with(flight.to, [&](RouterGroup& group, TimePoint at, Actions& actions) {
    group.receive(at, flight.key, judgement.read.advert, datagram.source, actions);
  });
}

TimePoint World::next_event() const {
  TimePoint next = flights_.empty() ? kNever : flights_.front().arrives;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].group && !nodes[i].is_frozen) {
      const TimePoint deadline = nodes[i].group->deadline();
      next = deadline == kNever ? next : std::min(next, std::max(now_, real(i, deadline)));
    }
  }
  return next;
}

bool World::step(TimePoint until) {
  const TimePoint next = next_event();
  if (next > until) {
    advance(until);
    return false;
  }
  advance(next);
  if (!flights_.empty() && flights_.front().arrives <= now_) {
    std::ranges::pop_heap(flights_, is_later);
    const Flight flight = std::move(flights_.back());
    flights_.pop_back();
    deliver(flight);
    return true;
  }
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].group && !nodes[i].is_frozen && nodes[i].group->deadline() != kNever &&
        real(i, nodes[i].group->deadline()) <= now_) {
      with(i, [](RouterGroup& group, TimePoint at, Actions& actions) { group.tick(at, actions); });
      break;
    }
  }
  return true;
}

void World::run(Duration duration) {
  const TimePoint until = now_ + duration;
  while (step(until)) {
  }
}

LeaseMode World::held(size_t node, const RouterKey& key) const {
  const auto found = nodes[node].leases.find(key);
  if (found == nodes[node].leases.end() || local(node, now_) >= found->second.until) {
    return LeaseMode::kNone;
  }
  return found->second.mode;
}

size_t World::holders(const RouterKey& key, LeaseMode mode) const {
  size_t count = 0;
  for (size_t i = 0; i < nodes.size(); ++i) {
    count += static_cast<size_t>(held(i, key) == mode);
  }
  return count;
}

std::vector<size_t> World::active() const {
  std::vector<size_t> result;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].group && nodes[i].group->state() == State::kActive) {
      result.push_back(i);
    }
  }
  return result;
}

void World::reset_measures() {
  overlap_since_.clear();
  gap_since_.reset();
  longest_overlap_ = Duration{0};
  longest_gap_ = Duration{0};
}

void World::advance(TimePoint to) {
  const TimePoint from = std::exchange(now_, std::max(now_, to));
  for (const RouterSettings& router : nodes.front().settings.routers) {
    measure(router.key, from, now_);
  }
}

void World::measure(const RouterKey& key, TimePoint from, TimePoint to) {
  // Until when each holder goes on holding, within this stretch.
  TimePoint first_end = from;
  TimePoint second_end = from;
  TimePoint forwarded_until = from;
  for (size_t i = 0; i < nodes.size(); ++i) {
    const auto found = nodes[i].leases.find(key);
    if (found == nodes[i].leases.end() || found->second.mode == LeaseMode::kNone) {
      continue;
    }
    const TimePoint end = std::min(to, real(i, found->second.until));
    forwarded_until = std::max(forwarded_until, end);
    if (found->second.mode == LeaseMode::kFull && end > from) {
      second_end = std::max(second_end, std::min(first_end, end));
      first_end = std::max(first_end, end);
    }
  }
  auto& overlap_since = overlap_since_[key];
  if (second_end > from) {
    overlap_since = overlap_since.value_or(from);
    if (second_end - *overlap_since > longest_overlap_) {
      longest_overlap_ = second_end - *overlap_since;
      longest_overlap_at_ = second_end;
    }
  }
  if (second_end < to) {
    overlap_since.reset();
  }
  if (key == nodes.front().settings.routers.front().key) {
    if (forwarded_until > from) {
      gap_since_.reset();
    }
    if (forwarded_until < to) {
      gap_since_ = gap_since_.value_or(forwarded_until);
      longest_gap_ = std::max(longest_gap_, Duration{to - *gap_since_});
    }
  }
}

std::string World::describe() const {
  std::string text =
      fmt::format("at {} ms, longest overlap ended at {} ms:", (now_ - kEpoch) / ms(1),
                  (longest_overlap_at_ - kEpoch) / ms(1));
  for (size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    text += fmt::format("\n node {} priority {} rate {}{}: {}", i, index(node.settings.priority),
                        node.rate, node.is_frozen ? " frozen" : "",
                        node.group ? to_string(node.group->state()) : "not running");
    for (const auto& [key, lease] : node.leases) {
      text += fmt::format(" IPv{}:{}", index(key.family), to_string(held(i, key)));
    }
    const size_t shown = std::min<size_t>(node.log.size(), 12);
    for (size_t line = node.log.size() - shown; line < node.log.size(); ++line) {
      text += "\n   " + node.log[line];
    }
  }
  return text;
}

uint64_t Random::next() {
  state_ ^= state_ << 13;
  state_ ^= state_ >> 7;
  state_ ^= state_ << 17;
  return state_ * 0x2545f4914f6cdd1d >> 16;
}

}  // namespace ballast::vrrp::testing
