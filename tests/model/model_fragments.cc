// Fragments: what is known of their datagrams.
#include <algorithm>

#include <fmt/format.h>

#include "tests/model/model.h"

namespace ballast::model {
namespace {

constexpr uint64_t kLifeMs = 2000;     // of what is known of a datagram
constexpr uint64_t kPatienceMs = 500;  // of a fragment that waits for the first
constexpr uint64_t kReuseMs = 500;     // until the same identification may be another datagram's
constexpr uint64_t kSlackMs = 1100;    // time goes on in steps of a second

bool overlaps(const std::map<size_t, size_t>& ranges, size_t begin, size_t end) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const auto& range) { return range.first < end && begin < range.second; });
}

bool are_all_of(const std::map<size_t, size_t>& ranges, size_t total) {
  size_t seen = 0;
  for (const auto& [begin, end] : ranges) {
    if (begin != seen) {
      return false;
    }
    seen = end;
  }
  return seen == total;
}

}  // namespace

Model::DatagramKey Model::datagram_of(const Dissection& fragment) {
  return {fragment.source, fragment.destination, fragment.fragment_id,
          fragment.is_v4() ? fragment.protocol : uint8_t{0}};
}

// The first of a datagram of another protocol has none to tell. Behind an IPv6 fragment header may
// be further extension headers.
bool Model::may_have_ports(const Dissection& seen) {
  constexpr uint8_t kRouting = 43;
  constexpr uint8_t kAuthentication = 51;
  constexpr uint8_t kDestinationOptions = 60;
  return seen.protocol == kProtocolTcp || seen.protocol == kProtocolUdp ||
         (!seen.is_v4() && (seen.protocol == kRouting || seen.protocol == kAuthentication ||
                            seen.protocol == kDestinationOptions));
}

Model::Prediction Model::expect_fragment(const Case& c, const AddressSetup* ours) {
  const Dissection& seen = c.seen;
  if (!may_have_ports(seen)) {
    return dropped(DropReason::kFragmentLater);
  }
  const DatagramKey key = datagram_of(seen);
  const auto known = datagrams_.find(key);
  if (known != datagrams_.end() && milliseconds() - known->second.begun_ms >= kLifeMs) {
    datagrams_.erase(known);
  }
  const auto [place, is_new] = datagrams_.try_emplace(key);
  Datagram& datagram = place->second;
  if (is_new) {
    datagram.begun_ms = milliseconds();
  }
  const size_t begin = seen.fragment_offset;
  const size_t end = begin + seen.fragment_length;
  const size_t furthest = datagram.ranges.empty() ? 0 : datagram.ranges.rbegin()->second;
  if ((datagram.total && end > *datagram.total) || (!seen.more_fragments && end < furthest) ||
      overlaps(datagram.ranges, begin, end)) {
    if (begin != 0 || milliseconds() - datagram.latest_ms < kReuseMs) {
      return dropped(DropReason::kFragmentOverlap);
    }
    datagram = Datagram{};  // another one under the same identification
    datagram.begun_ms = milliseconds();
  }
  datagram.ranges[begin] = end;
  datagram.latest_ms = milliseconds();
  if (!seen.more_fragments) {
    datagram.total = end;
  }
  if (begin == 0) {
    datagram.ports = Ports{seen.source_port, seen.destination_port, seen.protocol};
    for (const uint64_t id : datagram.waiting) {
      held_.at(id).ports = datagram.ports;
    }
    datagram.waiting.clear();
  }
  if (!datagram.ports) {
    Prediction prediction;
    prediction.fate.end = End::kHeld;
    datagram.waiting.push_back(c.packet.id);
    Held& held = held_[c.packet.id];
    held.fragment = c.packet;
    held.datagram = key;
    held.since_ms = milliseconds();
    held.worker = c.worker;
    return prediction;
  }
  Case passed = c;
  passed.ports = datagram.ports;
  if (datagram.total && are_all_of(datagram.ranges, *datagram.total)) {
    datagrams_.erase(key);
  }
  return expect_transport(passed, ours);
}

void Model::forget_waiting(const Held& held, uint64_t id) {
  const auto found = datagrams_.find(held.datagram);
  if (found == datagrams_.end()) {
    return;
  }
  Datagram& datagram = found->second;
  if (std::erase(datagram.waiting, id) != 0 && datagram.waiting.empty() && !datagram.ports) {
    datagrams_.erase(found);  // nobody of it has passed, and nobody waits
  }
}

std::string Model::judge_released_fragment(const Held& held, uint64_t id, const Fate& actual,
                                           uint16_t worker) {
  if (!held.ports) {
    forget_waiting(held, id);
    const uint64_t waited = milliseconds() - held.since_ms;
    if (actual.end != End::kDropped || actual.reason != DropReason::kFragmentTimeout ||
        waited < kPatienceMs) {
      return fmt::format("{}, a fragment that waited {} ms for the first; expected: {} after {} ms",
                         to_string(actual), waited, name_of(DropReason::kFragmentTimeout),
                         kPatienceMs);
    }
    return {};
  }
  const Case c{*held.fragment, actual, dissect(held.fragment->frame), worker, held.ports};
  Prediction expected = expect(c);
  if (expected.fate.end == End::kHeld && expected.hop && actual.end != End::kHeld) {
    expected = deliver(expected, *expected.hop, true);
  }
  const std::string difference = compare(expected, actual);
  if (difference.empty() && expected.fate.end == End::kHeld) {
    held_[id].prediction = expected;
  }
  return difference.empty() ? illegal_ : difference;
}

std::string Model::settle() {
  std::vector<uint64_t> ready;
  for (const auto& [id, held] : held_) {
    if (held.fragment && held.ports) {
      ready.push_back(id);
    } else if (held.fragment && milliseconds() - held.since_ms > kPatienceMs + kSlackMs) {
      return fmt::format("a fragment has waited for {} ms", milliseconds() - held.since_ms);
    }
  }
  Fate still_held;
  still_held.end = End::kHeld;
  for (const uint64_t id : ready) {
    const Held held = held_.at(id);
    held_.erase(id);
    illegal_.clear();
    const std::string difference = judge_released_fragment(held, id, still_held, held.worker);
    if (!difference.empty()) {
      return difference;
    }
  }
  return {};
}

}  // namespace ballast::model
