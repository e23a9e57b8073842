// The page that both daemons share: VIP leases one way, heartbeats the other.
//
// A lease is an absolute deadline on CLOCK_MONOTONIC, in nanoseconds. ballastd stores it, every
// worker reads it in every burst; no queue and no busy thread lies between the two. The dataplane
// owns a VIP only while its slot's deadline lies in the future. Slot 0 never ends: it is for VIPs
// without VRRP. A slot that nobody set has ended (0).
//
// Beside each lease lies a time at which ballastd wants its addresses announced once more
// (gratuitous ARP, unsolicited neighbour advertisements): the dataplane announces by itself from 5
// ms after the lease was taken on, and at regular intervals, but only ballastd knows whether an
// earlier round would be heard while the former owner still answers, and when two routers were
// active. Any other value than the one before is one more round, at that time or when the lease is
// taken if that comes later (dataplane/neighbor/announcer.h).
//
// Heartbeats are counters that the dataplane's threads raise while they run: one that stands still
// belongs to a thread that hangs.
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
inline constexpr uint64_t kLeaseNeverEnds = UINT64_MAX;

struct LeasePage {
  static constexpr uint64_t kMagic = 0x32'65'73'61'65'6c'6c'62;  // "bllease2"
  std::atomic<uint64_t> magic;
  std::atomic<uint64_t> main_heartbeat;
  std::array<std::atomic<uint64_t>, 6> reserved;
  alignas(64) std::array<std::atomic<uint64_t>, kLeaseSlots> deadline_ns;
  alignas(64) std::array<std::atomic<uint64_t>, kLeaseSlots> announce_at_ns;
  alignas(64) std::array<std::atomic<uint64_t>, kMaxWorkers> worker_heartbeat;

  // Bit n: slot n, one of the first `slots`, is held at `now_ns` of CLOCK_MONOTONIC.
  [[nodiscard]] uint64_t held(uint64_t now_ns, size_t slots = kLeaseSlots) const {
    uint64_t mask = 0;
    for (size_t slot = 0; slot < slots; ++slot) {
      mask |= static_cast<uint64_t>(now_ns < deadline_ns[slot].load(std::memory_order_acquire))
              << slot;
    }
    return mask;
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
