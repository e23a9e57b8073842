// When to announce the addresses: a state that is refreshed, not a shot.
//
// One round is, for each address, a gratuitous ARP as request and as reply, or an unsolicited
// neighbour advertisement (router, not solicited, override). Who builds the frames is told "a round
// now"; nothing here knows of frames.
//
// Rounds come at +0, +5, +20, +100 ms and +1 s after a router becomes active; a router that
// preempts another leaves out the one at +0, since the other one still answers for the addresses
// until it has heard the first advert. Then once per refresh interval. After a moment with two
// active routers the rounds begin again at +5 ms: some switch has learnt the wrong port. Rounds
// that were missed because nobody was running are not made up for: one is enough.
#pragma once

#include <array>
#include <optional>

#include "vrrp/timing.h"

namespace ballast::vrrp {

class AnnouncementSchedule {
 public:
  static constexpr std::array<Duration, 5> kRounds{
      std::chrono::milliseconds{0}, std::chrono::milliseconds{5}, std::chrono::milliseconds{20},
      std::chrono::milliseconds{100}, std::chrono::milliseconds{1000}};

  enum class From : uint8_t { kAtOnce, kAfterFirstAdvert };

  // `refresh` 0: never.
  void set_refresh(Duration refresh) { refresh_ = refresh; }

  void start(TimePoint now, From from);
  // Refreshes only: the addresses have been announced before.
  void resume(TimePoint now);
  // After a moment with two active routers. While rounds are under way they are finished first, so
  // that a rival that goes on for hours costs one set of rounds per second.
  void again(TimePoint now);
  void stop();

  [[nodiscard]] TimePoint deadline() const { return next_; }
  // True once for every round.
  bool take_due(TimePoint now);

 private:
  void plan_refresh(TimePoint now);

  Duration refresh_{0};
  TimePoint start_;
  size_t round_ = kRounds.size();
  bool again_ = false;
  TimePoint next_ = kNever;
};

}  // namespace ballast::vrrp
