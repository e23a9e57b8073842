// What a FragmentTable must answer, by a slow model that keeps a bit for every 8 bytes of a
// datagram and searches lists; and a duel that asks both and says where they differ. For unit tests
// and the fuzzer. The model has room for every datagram: a duel must not have more of them at a
// time than a set of the table holds records.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "dataplane/connection/fragment_table.h"

namespace ballast::testing {

using FragmentGuest = uint32_t;

// A part of a datagram: bytes [begin, end).
struct Part {
  uint16_t begin;
  uint16_t end;
  bool more;
};

inline DatagramFlow flow_of_datagram(uint32_t number) {
  return {Big16::from_host(static_cast<uint16_t>(1024 + number)), Big16::from_host(53),
          IpProtocol::kUdp};
}

// As the parser has it. Odd datagrams are IPv6, and later fragments of every other one of these do
// not name the protocol that is behind their first one's extension headers.
inline ParsedHeaders fragment_of(uint32_t datagram, Part part) {
  ParsedHeaders fragment;
  const bool first = part.begin == 0;
  if (datagram % 2 == 0) {
    fragment.family = Family::kIpv4;
    fragment.source = IpAddress::v4({198, 51, 100, static_cast<uint8_t>(datagram >> 16)});
    fragment.destination = IpAddress::v4({192, 0, 2, 10});
    fragment.fragment_id = datagram & 0xffff;
  } else {
    fragment.family = Family::kIpv6;
    fragment.source = IpAddress::v6({0x20, 0x01, 0x0d, 0xb8, 1});
    fragment.destination = IpAddress::v6({0x20, 0x01, 0x0d, 0xb8, 2});
    fragment.fragment_id = datagram;
  }
  fragment.protocol = !first && datagram % 4 == 3 ? IpProtocol::kDestinationOptions
                                                  : flow_of_datagram(datagram).protocol;
  if (first) {
    fragment.kind = PacketKind::kTransport;
    fragment.source_port = flow_of_datagram(datagram).source_port;
    fragment.destination_port = flow_of_datagram(datagram).destination_port;
  } else {
    fragment.kind = PacketKind::kLaterFragment;
  }
  fragment.fragment = true;
  fragment.fragment_place = static_cast<uint16_t>(part.begin | (part.more ? 1 : 0));
  fragment.fragment_length = static_cast<uint16_t>(part.end - part.begin);
  return fragment;
}

class FragmentModel {
 public:
  struct Answer {
    FragmentFate fate = FragmentFate::kDrop;
    DropReason reason = DropReason::kNone;
    DatagramFlow flow;
    FragmentGuest guest = 0;  // who is dropped
  };
  using Expired = std::vector<std::pair<FragmentGuest, DropReason>>;
  using Ready = std::vector<std::pair<FragmentGuest, uint32_t>>;  // with its datagram

  Answer admit(uint32_t number, Part part, FragmentGuest guest, uint64_t now_ns) {
    const uint64_t now_ms = now_ns / 1'000'000;
    if (const auto old = datagrams_.find(number);
        old != datagrams_.end() && now_ms - old->second.begun_ms >= 2000) {
      end(number);
    }
    Datagram* datagram = &datagrams_.try_emplace(number, begun_at(now_ms)).first->second;
    if (contradicts(*datagram, part)) {
      if (part.begin != 0 || now_ms - datagram->latest_ms < 500) {
        return {FragmentFate::kDrop, DropReason::kFragmentOverlap, {}, guest};
      }
      end(number);
      datagram = &datagrams_.try_emplace(number, begun_at(now_ms)).first->second;
    }
    const size_t most = part.begin == 0 || datagram->first_seen ? 16 : 15;
    if (ranges_with(*datagram, part) > most) {
      return {FragmentFate::kDrop, DropReason::kFragmentRoom, {}, guest};
    }
    if (part.begin == 0) {
      datagram->first_seen = true;
      wake(number);
    } else if (!datagram->first_seen) {
      return hold(number, part, guest, now_ns);
    }
    note(number, part, now_ms);
    return {FragmentFate::kPass, DropReason::kNone, flow_of_datagram(number), 0};
  }

  Ready take_ready() { return std::exchange(ready_, {}); }

  Expired take_expired(uint64_t now_ns) {
    while (!waiting_.empty() && now_ns - waiting_.front().since_ns >= 500'000'000) {
      expired_.emplace_back(waiting_.front().guest, DropReason::kFragmentTimeout);
      check_out_longest(std::nullopt);
    }
    return std::exchange(expired_, {});
  }

  [[nodiscard]] size_t waiting() const { return waiting_.size(); }
  // That must be kept, of those that may be.
  [[nodiscard]] size_t living(uint64_t now_ns) const {
    return static_cast<size_t>(std::count_if(
        datagrams_.begin(), datagrams_.end(),
        [&](const auto& entry) { return now_ns / 1'000'000 - entry.second.begun_ms < 2000; }));
  }
  [[nodiscard]] size_t datagrams() const { return datagrams_.size(); }

 private:
  struct Datagram {
    uint64_t begun_ms = 0;
    uint64_t latest_ms = 0;
    bool first_seen = false;
    std::optional<size_t> total;
    std::vector<bool> seen;
  };
  struct Waiting {
    FragmentGuest guest;
    uint32_t datagram;
    uint64_t since_ns;
  };

  static Datagram begun_at(uint64_t now_ms) { return {now_ms, now_ms, false, {}, {}}; }
  // Parts begin at multiples of 8: two of them in one unit of 8 bytes overlap.
  static size_t first_unit(Part part) { return part.begin / 8U; }
  static size_t end_unit(Part part) { return (part.end + 7U) / 8U; }

  static bool contradicts(const Datagram& datagram, Part part) {
    for (size_t unit = first_unit(part); unit < datagram.seen.size(); ++unit) {
      if (datagram.seen[unit] && (unit < end_unit(part) || !part.more)) {
        return true;
      }
    }
    return datagram.total && (part.end > *datagram.total || !part.more);
  }
  static void mark(Datagram& datagram, Part part) {
    datagram.seen.resize(std::max(datagram.seen.size(), end_unit(part)));
    for (size_t unit = first_unit(part); unit < end_unit(part); ++unit) {
      datagram.seen[unit] = true;
    }
  }
  static size_t ranges_with(Datagram datagram, Part part) {
    mark(datagram, part);
    size_t ranges = 0;
    for (size_t unit = 0; unit < datagram.seen.size(); ++unit) {
      ranges += datagram.seen[unit] && (unit == 0 || !datagram.seen[unit - 1]) ? 1 : 0;
    }
    return ranges;
  }

  void note(uint32_t number, Part part, uint64_t now_ms) {
    Datagram& datagram = datagrams_.at(number);
    mark(datagram, part);
    datagram.latest_ms = now_ms;
    if (!part.more) {
      datagram.total = part.end;
    }
    if (datagram.total && std::count(datagram.seen.begin(), datagram.seen.end(), false) == 0) {
      datagrams_.erase(number);
    }
  }

  Answer hold(uint32_t number, Part part, FragmentGuest guest, uint64_t now_ns) {
    Answer answer{FragmentFate::kHold, DropReason::kNone, {}, 0};
    if (count_waiting(number) == 16) {
      return {FragmentFate::kDrop, DropReason::kFragmentRoom, {}, guest};
    }
    if (waiting_.size() + ready_.size() + expired_.size() == 256) {
      if (waiting_.empty()) {
        return {FragmentFate::kDrop, DropReason::kFragmentRoom, {}, guest};
      }
      answer = {FragmentFate::kDrop, DropReason::kFragmentRoom, {}, waiting_.front().guest};
      check_out_longest(number);
    }
    note(number, part, now_ns / 1'000'000);
    waiting_.push_back({guest, number, now_ns});
    return answer;
  }

  [[nodiscard]] size_t count_waiting(uint32_t number) const {
    return static_cast<size_t>(
        std::count_if(waiting_.begin(), waiting_.end(),
                      [&](const Waiting& waiting) { return waiting.datagram == number; }));
  }
  void check_out_longest(std::optional<uint32_t> but) {
    const uint32_t number = waiting_.front().datagram;
    waiting_.erase(waiting_.begin());
    if (number != but && count_waiting(number) == 0) {
      datagrams_.erase(number);
    }
  }
  template <typename Take>
  void take_waiting(uint32_t number, Take take) {
    for (const Waiting& waiting : waiting_) {
      if (waiting.datagram == number) {
        take(waiting.guest);
      }
    }
    std::erase_if(waiting_, [&](const Waiting& waiting) { return waiting.datagram == number; });
  }
  void wake(uint32_t number) {
    take_waiting(number, [&](FragmentGuest guest) { ready_.emplace_back(guest, number); });
  }
  void end(uint32_t number) {
    take_waiting(number, [&](FragmentGuest guest) {
      expired_.emplace_back(guest, DropReason::kFragmentTimeout);
    });
    datagrams_.erase(number);
  }

  std::map<uint32_t, Datagram> datagrams_;
  std::vector<Waiting> waiting_;  // in order of arrival
  Ready ready_;
  Expired expired_;
};

// Both, asked the same. Every function says how they differ; nothing when they agree.
class FragmentDuel {
 public:
  explicit FragmentDuel(const FlowHashKey& key) : table_(key) {}

  std::string admit(uint32_t datagram, Part part, uint64_t now_ns) {
    FragmentGuest guest = ++guests_;
    const FragmentModel::Answer right = model_.admit(datagram, part, guest, now_ns);
    const FragmentAnswer answer = table_.admit(fragment_of(datagram, part), guest, now_ns);
    if (answer.fate != right.fate || answer.reason != right.reason ||
        !(answer.flow == right.flow)) {
      return "another fate: " + text_of(answer.fate, answer.reason) + " instead of " +
             text_of(right.fate, right.reason);
    }
    if (answer.fate == FragmentFate::kDrop && guest != right.guest) {
      return "another guest is dropped";
    }
    return counts_differ(now_ns);
  }

  std::string take_ready() {
    const FragmentModel::Ready right = model_.take_ready();
    size_t count = 0;
    bool same = true;
    table_.take_ready([&](FragmentGuest guest, const DatagramFlow& flow) {
      same = same && count < right.size() && right[count].first == guest &&
             flow_of_datagram(right[count].second) == flow;
      ++count;
    });
    return same && count == right.size() ? "" : "others are ready";
  }

  std::string take_expired(uint64_t now_ns) {
    const FragmentModel::Expired right = model_.take_expired(now_ns);
    FragmentModel::Expired expired;
    table_.take_expired(now_ns, [&](FragmentGuest guest, DropReason reason) {
      expired.emplace_back(guest, reason);
    });
    return expired == right ? counts_differ(now_ns) : "others have expired";
  }

  // At the end: nobody is left behind.
  std::string drain() {
    const size_t held = model_.waiting() + model_.take_ready().size();
    size_t drained = 0;
    table_.drain([&](FragmentGuest) { ++drained; });
    return drained >= held && drained <= FragmentRecords::kRooms && table_.waiting() == 0
               ? ""
               : "others are held at the end";
  }

 private:
  static std::string text_of(FragmentFate fate, DropReason reason) {
    return fate == FragmentFate::kPass   ? "pass"
           : fate == FragmentFate::kHold ? "hold"
                                         : "drop for " + std::string(name_of(reason));
  }
  // Of the datagrams whose time is over some may not have been looked at yet.
  [[nodiscard]] std::string counts_differ(uint64_t now_ns) const {
    if (table_.waiting() != model_.waiting()) {
      return "another number waits";
    }
    return table_.datagrams() < model_.living(now_ns) || table_.datagrams() > model_.datagrams()
               ? "another number of datagrams"
               : "";
  }

  FragmentTable<FragmentGuest> table_;
  FragmentModel model_;
  FragmentGuest guests_ = 0;
};

}  // namespace ballast::testing
