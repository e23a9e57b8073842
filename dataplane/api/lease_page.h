// The page that both daemons share: VIP leases one way, heartbeats the other.
//
// Leases
//   A lease is two absolute deadlines on CLOCK_MONOTONIC, in nanoseconds. ballastd stores them,
//   every worker reads them in every burst; no queue and no busy thread lies between the two.
//   - Until forward_until_ns, frames to the VIPs are let in, by the virtual MAC too, and their
//     services are forwarded.
//   - Until answer_until_ns, and not longer than forward_until_ns, ARP, ND and ping for the VIPs
//     are answered, and the VIPs are announced.
//   Both: this node is the owner. The first alone: it carries on, and draws no traffic, in a
//   planned move and before the former owner has heard of a preemption. None: it is no concern of
//   this node. Slot 0 never ends: it is for VIPs without VRRP. A slot that nobody set has ended
//   (0).
//
//   Each change that takes something back is one store, seen whole by the next burst: 0 into
//   answer_until_ns makes an owner carry on only, 0 into forward_until_ns ends all, whatever the
//   other word says. Who gives a slot that was ended this way to forward only stores 0 into
//   answer_until_ns first, since an older deadline may be left there.
//
// Announcements
//   Beside each lease lies a time at which ballastd wants its addresses announced once more
//   (gratuitous ARP, unsolicited neighbour advertisements): the dataplane announces by itself from
//   5 ms after it began to answer, and at regular intervals, but only ballastd knows whether an
//   earlier round would be heard while the former owner still answers, and when two routers were
//   active. Any other value than the one before is one more round, at that time or when answering
//   begins if that comes later (dataplane/neighbor/announcer.h).
//
// Signs of life
//   The times of CLOCK_MONOTONIC at which the dataplane's threads ran last: one that lies far back
//   belongs to a thread that hangs.
//   - main_alive_ns: every millisecond, but for what one request takes: a second or two when it is
//     a very large one.
//   - worker_alive_ns: when the worker's last turn began; one begins at least every millisecond,
//     idle and asleep (for 50 us at a time) as well as loaded.
//   - twin_transmitted, by port in the order of HelloAnswer: frames of the kernel twin that the
//     port's device took. Twins are read every 100 us. It says nothing about the link.
//
// The page is a file in the dataplane's runtime folder, so that it outlives ballastd and is found
// by the next one. The dataplane creates it anew at every start (with all leases ended) and says
// its path in its Hello.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include <tl/expected.hpp>

#include "dataplane/packet/numbers.h"

namespace ballast {

inline constexpr size_t kLeaseSlots = 64;
inline constexpr size_t kMaxWorkers = 64;
inline constexpr size_t kMaxPorts = 16;
inline constexpr uint64_t kLeaseNeverEnds = UINT64_MAX;

// What the leases allow at one moment. Bit n: slot n.
struct LeaseMasks {
  uint64_t forwarding = 0;
  uint64_t answering = 0;  // of those that forward

  friend bool operator==(const LeaseMasks&, const LeaseMasks&) = default;
};

struct LeasePage {
  static constexpr uint64_t kMagic = 0x33'65'73'61'65'6c'6c'62;  // "bllease3"
  std::atomic<uint64_t> magic;
  std::atomic<uint64_t> main_alive_ns;
  std::array<std::atomic<uint64_t>, 6> reserved;
  alignas(64) std::array<std::atomic<uint64_t>, kLeaseSlots> forward_until_ns;
  alignas(64) std::array<std::atomic<uint64_t>, kLeaseSlots> answer_until_ns;
  alignas(64) std::array<std::atomic<uint64_t>, kLeaseSlots> announce_at_ns;
  alignas(64) std::array<std::atomic<uint64_t>, kMaxWorkers> worker_alive_ns;
  alignas(64) std::array<std::atomic<uint64_t>, kMaxPorts> twin_transmitted;

  // Of the first `slots`, at `now_ns` of CLOCK_MONOTONIC; every word is read once.
  [[nodiscard]] LeaseMasks masks(uint64_t now_ns, size_t slots = kLeaseSlots) const {
    const auto lies_ahead = [now_ns](const std::atomic<uint64_t>& deadline) {
      return static_cast<uint64_t>(now_ns < deadline.load(std::memory_order_acquire));
    };
    LeaseMasks masks;
    for (size_t slot = 0; slot < slots; ++slot) {
      masks.forwarding |= lies_ahead(forward_until_ns[slot]) << slot;
      masks.answering |= lies_ahead(answer_until_ns[slot]) << slot;
    }
    masks.answering &= masks.forwarding;
    return masks;
  }

  void hold_forever(size_t slot) {
    answer_until_ns[slot].store(kLeaseNeverEnds);
    forward_until_ns[slot].store(kLeaseNeverEnds);
  }
};
static_assert(std::atomic<uint64_t>::is_always_lock_free);

// A mapping of the page; unmapped on destruction. The file stays.
class LeasePageMapping {
 public:
  // The dataplane's side: replaces whatever file is there by a fresh page, readable and writable by
  // its owner only.
  static tl::expected<LeasePageMapping, std::string> create(const std::string& path);
  // ballastd's side. An error says which path and what is wrong with it.
  static tl::expected<LeasePageMapping, std::string> open(const std::string& path);

  LeasePageMapping(LeasePageMapping&& other) noexcept;
  LeasePageMapping& operator=(LeasePageMapping&& other) noexcept;
  ~LeasePageMapping();

  [[nodiscard]] LeasePage& page() const { return *page_; }

 private:
  explicit LeasePageMapping(LeasePage* page) : page_(page) {}
  LeasePage* page_;
};

}  // namespace ballast
