#include "control/vrrp/lease_book.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "vrrp/router_settings.h"

namespace ballast::control {
namespace {

using vrrp::Duration;
using vrrp::LeaseMode;
using vrrp::TimePoint;

uint64_t nanoseconds(TimePoint time) {
  return static_cast<uint64_t>(time.time_since_epoch().count());
}

// A sign of life may be younger than `now`: the other thread goes on meanwhile.
Duration age(const std::atomic<uint64_t>& alive_ns, TimePoint now) {
  const uint64_t then = alive_ns.load(std::memory_order_acquire);
  return Duration(nanoseconds(now) > then ? nanoseconds(now) - then : 0);
}

std::string in_words(Duration duration) {
  return vrrp::to_text(std::chrono::duration_cast<std::chrono::milliseconds>(duration));
}

// Whether less is given than before, in kind or in time.
bool takes_back(LeaseMode before, TimePoint until_before, LeaseMode after, TimePoint until_after) {
  return after < before || until_after < until_before;
}

}  // namespace

void LeaseBook::set_dataplane(Dataplane dataplane) {
  // Whoever has been given up may live on, and must not go on holding what is given away now.
  if (dataplane_.page != dataplane.page) {
    for (const auto& [router, place] : places_) {
      write(place, {});
    }
  }
  dataplane_ = std::move(dataplane);
  dataplane_.workers = std::min(dataplane_.workers, kMaxWorkers);
  transmissions_.clear();
  for (auto& [router, wish] : wishes_) {
    wish.is_written = false;
  }
}

void LeaseBook::let_go() {
  dataplane_ = {};
  wishes_.clear();
}

void LeaseBook::set_places(Places places) {
  for (const auto& [router, place] : places_) {
    const auto still = places.find(router);
    if (still == places.end() || still->second.slot != place.slot) {
      write(place, {});
    }
  }
  places_ = std::move(places);
  std::erase_if(wishes_, [this](const auto& item) { return !places_.contains(item.first); });
  for (auto& [router, wish] : wishes_) {
    wish.is_written = false;
  }
}

void LeaseBook::set_lease(TimePoint now, const vrrp::RouterKey& router, LeaseMode mode,
                          TimePoint until) {
  const auto place = places_.find(router);
  if (place == places_.end()) {
    return;
  }
  Wish& wish = wishes_[router];
  const bool less = takes_back(wish.mode, wish.until, mode, until);
  wish = {mode, until, false};
  if (less || mode == LeaseMode::kNone) {
    write(place->second, wish);
    wish.is_written = true;
    return;
  }
  note_advert(place->second, now);
  write_what_waits(now);
}

void LeaseBook::write(const Place& place, const Wish& wish) const {
  if (!dataplane_.page) {
    return;
  }
  LeasePage& page = dataplane_.page->page();
  // In this order: a burst that begins in between sees less than is due, never more.
  const uint64_t until = nanoseconds(wish.until);
  switch (wish.mode) {
    case LeaseMode::kNone:
      page.forward_until_ns[place.slot].store(0, std::memory_order_release);
      page.answer_until_ns[place.slot].store(0, std::memory_order_release);
      break;
    case LeaseMode::kForward:
      page.answer_until_ns[place.slot].store(0, std::memory_order_release);
      page.forward_until_ns[place.slot].store(until, std::memory_order_release);
      break;
    case LeaseMode::kFull:
      page.forward_until_ns[place.slot].store(until, std::memory_order_release);
      page.answer_until_ns[place.slot].store(until, std::memory_order_release);
      break;
  }
}

void LeaseBook::write_what_waits(TimePoint now) {
  if (!dataplane_.page) {
    return;
  }
  const Duration worker_age = age_of_workers(now);
  for (auto& [router, wish] : wishes_) {
    const Place& place = places_.at(router);
    if (!wish.is_written && worker_age <= std::max(place.advert_interval / 4, kFreshAtLeast)) {
      write(place, wish);
      wish.is_written = true;
    }
  }
}

void LeaseBook::announce(const vrrp::RouterKey& router, TimePoint now) {
  const auto place = places_.find(router);
  if (place != places_.end() && dataplane_.page) {
    dataplane_.page->page().announce_at_ns[place->second.slot].store(nanoseconds(now),
                                                                     std::memory_order_release);
  }
}

void LeaseBook::end_all_but(LeasePage& page, const LeaseSlots& slots) {
  std::set<size_t> used{0};
  for (const auto& [router, slot] : slots.slots()) {
    used.insert(slot);
  }
  for (size_t slot = 0; slot < kLeaseSlots; ++slot) {
    if (!used.contains(slot)) {
      page.forward_until_ns[slot].store(0, std::memory_order_release);
      page.answer_until_ns[slot].store(0, std::memory_order_release);
    }
  }
}

bool LeaseBook::is_held(const LeasePage& page, size_t slot, TimePoint now) {
  return (page.masks(nanoseconds(now)).answering >> slot & 1) != 0;
}

// ---------------------------------------------------------------- whether the dataplane lives

std::string LeaseBook::fault(TimePoint now) {
  if (!dataplane_.page) {
    return "the dataplane's lease page is not there";
  }
  write_what_waits(now);
  std::string text = silent_thread(now);
  return text.empty() ? silent_port(now) : text;
}

Duration LeaseBook::age_of_workers(TimePoint now) const {
  Duration oldest{0};
  for (size_t i = 0; i < dataplane_.workers; ++i) {
    oldest = std::max(oldest, age(dataplane_.page->page().worker_alive_ns[i], now));
  }
  return oldest;
}

std::string LeaseBook::silent_thread(TimePoint now) const {
  const LeasePage& page = dataplane_.page->page();
  // One that stands still for longer than its lease lasts may wake up beside another owner.
  Duration patience = kWorkerPatience;
  for (const auto& [router, place] : places_) {
    patience = std::min(patience, vrrp::lease_duration(place.advert_interval));
  }
  patience = std::max(patience, kLeastWorkerPatience);
  for (size_t i = 0; i < dataplane_.workers; ++i) {
    if (age(page.worker_alive_ns[i], now) > patience) {
      return fmt::format("worker {} of the dataplane has stood still for more than {}", i,
                         in_words(patience));
    }
  }
  if (age(page.main_alive_ns, now) > kMainPatience) {
    return fmt::format("the dataplane's main thread has stood still for more than {}",
                       in_words(kMainPatience));
  }
  return {};
}

void LeaseBook::note_advert(const Place& place, TimePoint now) {
  if (!dataplane_.page || place.port >= kMaxPorts) {
    return;
  }
  const uint64_t frames =
      dataplane_.page->page().twin_transmitted[place.port].load(std::memory_order_acquire);
  Transmission& known = transmissions_[place.port];
  const bool has_paused = now - known.last_renewal > 2 * place.advert_interval + kTransmitPatience;
  known.last_renewal = now;
  if (has_paused || frames != known.frames) {
    known.frames = frames;
    known.since = now;
  } else if (now - known.since > std::max(kTransmitPatience, 5 * place.advert_interval)) {
    known.stuck_until = now + kTransmitRetry;
    known.since = now;
  }
}

std::string LeaseBook::silent_port(TimePoint now) const {
  for (const auto& [router, place] : places_) {
    const auto found = transmissions_.find(place.port);
    if (found != transmissions_.end() && now < found->second.stuck_until) {
      return fmt::format("port {} sends nothing: adverts were given to it, none has left",
                         place.port_name);
    }
  }
  return {};
}

}  // namespace ballast::control
