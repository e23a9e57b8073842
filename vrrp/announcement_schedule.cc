#include "vrrp/announcement_schedule.h"

namespace ballast::vrrp {

void AnnouncementSchedule::start(TimePoint now, From from) {
  start_ = now;
  round_ = from == From::kAtOnce ? 0 : 1;
  next_ = start_ + kRounds[round_];
  again_ = false;
}

void AnnouncementSchedule::resume(TimePoint now) {
  round_ = kRounds.size();
  again_ = false;
  plan_refresh(now);
}

void AnnouncementSchedule::again(TimePoint now) {
  if (round_ < kRounds.size()) {
    again_ = true;
  } else {
    start(now, From::kAfterFirstAdvert);
  }
}

void AnnouncementSchedule::stop() {
  round_ = kRounds.size();
  again_ = false;
  next_ = kNever;
}

bool AnnouncementSchedule::take_due(TimePoint now) {
  if (now < next_) {
    return false;
  }
  while (round_ < kRounds.size() && start_ + kRounds[round_] <= now) {
    ++round_;
  }
  if (round_ < kRounds.size()) {
    next_ = start_ + kRounds[round_];
  } else if (again_) {
    start(now, From::kAfterFirstAdvert);
  } else {
    plan_refresh(now);
  }
  return true;
}

void AnnouncementSchedule::plan_refresh(TimePoint now) {
  next_ = refresh_ > Duration{0} ? now + refresh_ : kNever;
}

}  // namespace ballast::vrrp
