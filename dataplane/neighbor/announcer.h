// When this node says on one port where its VIPs are: a state that is refreshed, not a shot.
//
// Theory of operation
//   One round of an address is a gratuitous ARP as request and as reply, or an unsolicited
//   neighbour advertisement. Rounds come at +0, +5, +20, +100 ms and +1 s, then once per refresh
//   interval, for as long as the address's lease lets this node answer and the port is up, and end
//   at once when either ends; a lease that only forwards announces nothing. What makes them begin:
//   - the address is new or has another MAC, or the port came up, while this node answers: at +0;
//   - this node begins to answer: at +5 ms, since it may be a preemption, and the former owner
//     answers for the address until it has heard the first advert. Slot 0 has no former owner: +0.
//   ballastd, which knows more, asks for a round of a slot by storing a time into the lease page: a
//   router that does not preempt at +0, any router after a moment with two active ones. A value
//   that was not there before is one round at that time, or when answering begins if that comes
//   later; a lease that ends takes the wish along.
//
//   Rounds of an address that would follow each other within 2 ms are one, and rounds that were
//   missed are not made up for. At most kFramesPerMillisecond leave in a millisecond; the addresses
//   take turns, so that a thousand of them cost neither the switch a burst nor the last one its
//   round.
//
// Pure: time and leases are arguments. It knows frames by their kind only; build_announcement()
// writes them. A poll in which nothing is due costs a comparison per lease slot.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/packet/address.h"
#include "dataplane/packet/frame_buffer.h"
#include "dataplane/packet/numbers.h"

namespace ballast {

// A VIP as one port announces it.
struct AnnouncedAddress {
  IpAddress address;
  MacAddress mac;  // the virtual one, or the port's
  LeaseSlot lease{};

  friend auto operator<=>(const AnnouncedAddress&, const AnnouncedAddress&) = default;
};

enum class AnnouncementForm : uint8_t { kRequest, kReply, kNeighborAdvertisement };

struct Announcement {
  AnnouncedAddress what;
  AnnouncementForm form = AnnouncementForm::kRequest;

  friend bool operator==(const Announcement&, const Announcement&) = default;
};

// False, and nothing written, when the frame does not fit the capacity.
bool build_announcement(FrameBuffer& frame, const Announcement& announcement);

class Announcer {
 public:
  static constexpr size_t kSlots = 64;
  static constexpr size_t kFramesPerMillisecond = 32;
  static constexpr std::array<uint64_t, 5> kRoundsNs{0, 5'000'000, 20'000'000, 100'000'000,
                                                     1'000'000'000};
  static constexpr uint64_t kMergedNs = 2'000'000;

  explicit Announcer(uint64_t refresh_ns) : refresh_ns_(refresh_ns) {}  // 0: never

  // Those that were there before, unchanged, keep their schedule. No address comes twice.
  void set_addresses(std::vector<AnnouncedAddress> addresses, uint64_t now_ns);
  void set_port_up(bool up, uint64_t now_ns);

  // What is to be sent now; how much of `out` was written. Bit n of `held` is lease slot n, held so
  // that it answers (LeaseMasks::answering); `wishes[n]` is ballastd's word for it, slots beyond
  // its size have none. To be called every millisecond or so.
  size_t poll(uint64_t held, std::span<const uint64_t> wishes, uint64_t now_ns,
              std::span<Announcement> out);

 private:
  static constexpr uint64_t kNever = UINT64_MAX;

  // Of the address of the same subscript.
  struct Schedule {
    uint64_t start_ns = 0;  // of the rounds
    uint64_t due_ns = kNever;
    uint64_t sent_ns = 0;  // the last round; 0: none yet
  };

  [[nodiscard]] bool holds(LeaseSlot slot) const { return (held_ >> index(slot) & 1) != 0; }
  void start(Schedule& schedule, uint64_t now_ns, size_t first_round);
  void plan_next(Schedule& schedule, uint64_t now_ns);
  void follow_leases(uint64_t held, std::span<const uint64_t> wishes, uint64_t now_ns);
  void follow_wishes(std::span<const uint64_t> wishes, uint64_t now_ns);
  void ask(LeaseSlot slot, uint64_t now_ns);
  size_t send_due(uint64_t now_ns, std::span<Announcement> out);

  uint64_t refresh_ns_;
  bool port_up_ = false;
  uint64_t held_ = 0;
  std::array<uint64_t, kSlots> wishes_{};    // the last ones that were seen to
  std::vector<AnnouncedAddress> addresses_;  // sorted
  std::vector<Schedule> schedules_;
  uint64_t next_due_ns_ = kNever;  // no schedule is due before
  size_t turn_ = 0;                // the address to be looked at first
  uint64_t window_ns_ = 0;         // the millisecond that `room_` is for began then
  size_t room_ = 0;
};

}  // namespace ballast
