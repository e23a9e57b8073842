#include "dataplane/neighbor/announcer.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "dataplane/neighbor/arp_responder.h"
#include "dataplane/neighbor/nd_responder.h"

namespace ballast {
namespace {

constexpr uint64_t kMillisecond = 1'000'000;
constexpr size_t kFirstRound = 0;
constexpr size_t kRoundAfterFirstAdvert = 1;
constexpr size_t kFramesPerRound = 2;  // at most

}  // namespace

bool build_announcement(FrameBuffer& frame, const Announcement& announcement) {
  const AnnouncedAddress& what = announcement.what;
  switch (announcement.form) {
    case AnnouncementForm::kRequest:
      return build_gratuitous_arp(frame, what.mac, what.address, GratuitousArp::kRequest);
    case AnnouncementForm::kReply:
      return build_gratuitous_arp(frame, what.mac, what.address, GratuitousArp::kReply);
    case AnnouncementForm::kNeighborAdvertisement: {
      // RFC 9568 section 6.4.1: a virtual router says that it is one. Slot 0 is no virtual router.
      const NaFlags flags{.router = index(what.lease) != 0, .overrides = true};
      return build_unsolicited_advertisement(frame, what.mac, what.address, flags);
    }
  }
  return false;
}

void Announcer::set_addresses(std::vector<AnnouncedAddress> addresses, uint64_t now_ns) {
  std::sort(addresses.begin(), addresses.end());
  std::vector<Schedule> schedules(addresses.size());
  size_t old = 0;
  for (size_t i = 0; i < addresses.size(); ++i) {
    while (old < addresses_.size() && addresses_[old] < addresses[i]) {
      ++old;
    }
    if (old < addresses_.size() && addresses_[old] == addresses[i]) {
      schedules[i] = schedules_[old];
    } else if (port_up_ && holds(addresses[i].lease)) {
      start(schedules[i], now_ns, kFirstRound);
    }
  }
  addresses_ = std::move(addresses);
  schedules_ = std::move(schedules);
  turn_ = 0;
}

void Announcer::set_port_up(bool up, uint64_t now_ns) {
  if (up == port_up_) {
    return;
  }
  port_up_ = up;
  for (size_t i = 0; i < addresses_.size(); ++i) {
    schedules_[i].due_ns = kNever;
    if (up && holds(addresses_[i].lease)) {
      start(schedules_[i], now_ns, kFirstRound);
    }
  }
}

size_t Announcer::poll(uint64_t held, std::span<const uint64_t> wishes, uint64_t now_ns,
                       std::span<Announcement> out) {
  assert(wishes.size() <= kSlots);
  if (held != held_) {
    follow_leases(held, wishes, now_ns);
  }
  follow_wishes(wishes, now_ns);
  return now_ns < next_due_ns_ ? 0 : send_due(now_ns, out);
}

void Announcer::start(Schedule& schedule, uint64_t now_ns, size_t first_round) {
  schedule.start_ns = now_ns;
  schedule.due_ns = now_ns + kRoundsNs[first_round];
  next_due_ns_ = std::min(next_due_ns_, schedule.due_ns);
}

// After a round: the next one that is not merged into it.
void Announcer::plan_next(Schedule& schedule, uint64_t now_ns) {
  schedule.sent_ns = now_ns;
  schedule.due_ns = refresh_ns_ == 0 ? kNever : now_ns + refresh_ns_;
  for (const uint64_t round : kRoundsNs) {
    if (schedule.start_ns + round >= now_ns + kMergedNs) {
      schedule.due_ns = std::min(schedule.due_ns, schedule.start_ns + round);
      return;
    }
  }
}

void Announcer::follow_leases(uint64_t held, std::span<const uint64_t> wishes, uint64_t now_ns) {
  const uint64_t taken = held & ~held_;
  const uint64_t ended = held_ & ~held;
  held_ = held;
  for (size_t i = 0; i < addresses_.size(); ++i) {
    const auto slot = index(addresses_[i].lease);
    if ((ended >> slot & 1) != 0) {
      schedules_[i].due_ns = kNever;
    } else if ((taken >> slot & 1) != 0 && port_up_) {
      start(schedules_[i], now_ns, slot == 0 ? kFirstRound : kRoundAfterFirstAdvert);
    }
  }
  for (size_t slot = 0; slot < wishes.size(); ++slot) {
    if ((ended >> slot & 1) != 0) {
      wishes_[slot] = wishes[slot];
    }
  }
}

void Announcer::follow_wishes(std::span<const uint64_t> wishes, uint64_t now_ns) {
  for (size_t slot = 0; slot < wishes.size(); ++slot) {
    if (wishes[slot] != wishes_[slot] && (held_ >> slot & 1) != 0 && wishes[slot] <= now_ns) {
      wishes_[slot] = wishes[slot];
      ask(static_cast<LeaseSlot>(slot), now_ns);
    }
  }
}

void Announcer::ask(LeaseSlot slot, uint64_t now_ns) {
  if (!port_up_) {
    return;  // all is announced when it comes up
  }
  for (size_t i = 0; i < addresses_.size(); ++i) {
    Schedule& schedule = schedules_[i];
    const bool just_sent = schedule.sent_ns != 0 && now_ns < schedule.sent_ns + kMergedNs;
    if (addresses_[i].lease == slot && !just_sent) {
      schedule.due_ns = std::min(schedule.due_ns, now_ns);
      next_due_ns_ = std::min(next_due_ns_, now_ns);
    }
  }
}

size_t Announcer::send_due(uint64_t now_ns, std::span<Announcement> out) {
  if (now_ns - window_ns_ >= kMillisecond) {
    window_ns_ = now_ns;
    room_ = kFramesPerMillisecond;
  }
  size_t written = 0;
  uint64_t next_due_ns = kNever;
  size_t next_turn = turn_;
  bool full = false;
  for (size_t n = 0; n < addresses_.size(); ++n) {
    const size_t i = (turn_ + n) % addresses_.size();
    Schedule& schedule = schedules_[i];
    if (schedule.due_ns <= now_ns && !full) {
      if (room_ < kFramesPerRound || out.size() - written < kFramesPerRound) {
        full = true;
        next_turn = i;
      } else {
        const size_t before = written;
        if (addresses_[i].address.is_v4()) {
          out[written++] = {addresses_[i], AnnouncementForm::kRequest};
          out[written++] = {addresses_[i], AnnouncementForm::kReply};
        } else {
          out[written++] = {addresses_[i], AnnouncementForm::kNeighborAdvertisement};
        }
        room_ -= written - before;
        plan_next(schedule, now_ns);
      }
    }
    next_due_ns = std::min(next_due_ns, schedule.due_ns);
  }
  turn_ = next_turn;
  next_due_ns_ = next_due_ns;
  return written;
}

}  // namespace ballast
