#include "healthcheck/monitor.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "healthcheck/check_schedule.h"
#include "healthcheck/checker.h"
#include "healthcheck/checker_list.h"

namespace ballast::healthcheck {
namespace {

constexpr uint32_t kMaxBeginsPerTurn = 64;

TimePoint now() {
  return std::chrono::steady_clock::now();
}

// FNV-1a, the same on every machine, unlike std::hash.
uint64_t hash_of(std::string_view key) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char character : key) {
    hash = (hash ^ static_cast<uint8_t>(character)) * 0x100000001b3;
  }
  return hash;
}

bool is_same_check(const Target& left, const Target& right) {
  return left.address == right.address && left.port == right.port &&
         left.settings == right.settings;
}

struct Entry {
  Entry(Target described, uint64_t seed, TimePoint at)
      : target(std::move(described)),
        state(target.settings.rise, target.settings.fall, target.initial, at),
        announced(target.initial),
        schedule(make_schedule(seed, target.initial != Health::kUnknown, at)) {}

  CheckSchedule make_schedule(uint64_t seed, bool may_wait, TimePoint at) const {
    return {target.settings.interval, target.settings.jitter, hash_of(target.key) ^ seed, may_wait,
            at};
  }

  [[nodiscard]] bool is_checked() const { return target.settings.type != CheckType::kNone; }
  [[nodiscard]] uint16_t check_port() const {
    return target.settings.port != 0 ? target.settings.port : target.port;
  }

  Target target;
  HealthState state;
  Health announced;  // what the owner was told last
  CheckSchedule schedule;
  std::unique_ptr<Checker> checker;  // while a check is in flight
  TimePoint began;
  std::optional<TimePoint> ended;
  std::chrono::microseconds duration{0};
};

}  // namespace

// Handlers of the loop hold it weakly, and look entries up by key only where an entry may have gone
// meanwhile. A check in flight needs no such look: its entry owns it, so that it ends with the
// entry.
class Monitor::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(boost::asio::io_context& loop, MonitorOptions options, OnFlip on_flip)
      : loop_(loop), timer_(loop), options_(options), on_flip_(std::move(on_flip)) {
    options_.max_in_flight = std::max(options_.max_in_flight, 1U);
  }

  void set_targets(std::vector<Target> targets);
  void stop();

  [[nodiscard]] std::optional<Health> health(std::string_view key) const;
  [[nodiscard]] std::vector<TargetStatus> snapshot() const;
  [[nodiscard]] MonitorCounters counters() const;

 private:
  void add(const Target& target, TimePoint at);
  void change(Entry& entry, Target target, TimePoint at);
  void take_off(Entry& entry);
  void put_on(Entry& entry, TimePoint at);

  void begin_due_checks();
  void begin(Entry& entry, TimePoint at);
  void end(Entry& entry, const CheckResult& result);
  void announce(Entry& entry, TimePoint at);
  void announce_later(const std::string& key);
  void arm();

  boost::asio::io_context& loop_;
  boost::asio::steady_timer timer_;
  std::optional<TimePoint> armed_for_;  // what timer_ waits for
  MonitorOptions options_;
  OnFlip on_flip_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::set<std::pair<TimePoint, Entry*>> due_;  // checked, and not in flight
  uint32_t in_flight_ = 0;
  MonitorCounters totals_;
  bool stopped_ = false;
};

void Monitor::Core::set_targets(std::vector<Target> targets) {
  const TimePoint at = now();
  std::map<std::string_view, Target*> wanted;
  for (Target& target : targets) {
    wanted.insert_or_assign(target.key, &target);
  }
  for (auto it = entries_.begin(); it != entries_.end();) {
    if (wanted.contains(it->first)) {
      ++it;
      continue;
    }
    take_off(it->second);
    it = entries_.erase(it);
  }
  for (const auto& [key, target] : wanted) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) {
      add(*target, at);
    } else if (!is_same_check(found->second.target, *target)) {
      change(found->second, *target, at);
    }
  }
  arm();
}

void Monitor::Core::add(const Target& target, TimePoint at) {
  const std::string key = target.key;
  const auto [it, inserted] = entries_.try_emplace(key, target, options_.seed, at);
  put_on(it->second, at);
}

void Monitor::Core::change(Entry& entry, Target target, TimePoint at) {
  take_off(entry);
  entry.target = std::move(target);
  entry.state.restart(entry.target.settings.rise, entry.target.settings.fall);
  entry.schedule = entry.make_schedule(options_.seed, false, at);
  put_on(entry, at);
}

void Monitor::Core::take_off(Entry& entry) {
  if (entry.checker != nullptr) {
    entry.checker.reset();
    --in_flight_;
  } else {
    due_.erase({entry.schedule.due(), &entry});
  }
}

void Monitor::Core::put_on(Entry& entry, TimePoint at) {
  if (entry.is_checked()) {
    due_.emplace(entry.schedule.due(), &entry);
  } else if (entry.state.force(Health::kUp, "not checked", at)) {
    announce_later(entry.target.key);
  }
}

void Monitor::Core::begin_due_checks() {
  const TimePoint at = now();
  for (uint32_t begun = 0; begun < kMaxBeginsPerTurn && in_flight_ < options_.max_in_flight;
       ++begun) {
    if (due_.empty() || due_.begin()->first > at) {
      break;
    }
    Entry& entry = *due_.begin()->second;
    due_.erase(due_.begin());
    begin(entry, at);
  }
  arm();
}

void Monitor::Core::begin(Entry& entry, TimePoint at) {
  entry.began = at;
  entry.schedule.begin(at);
  entry.checker =
      make_checker(loop_, {entry.target.address, entry.check_port(), entry.target.settings});
  ++in_flight_;
  entry.checker->start([this, &entry](const CheckResult& result) { end(entry, result); });
}

void Monitor::Core::end(Entry& entry, const CheckResult& result) {
  // The owner may let go of the monitor, and of this entry, while it is told of the flip.
  const auto self = shared_from_this();
  const auto checker = std::move(entry.checker);
  const TimePoint at = now();
  --in_flight_;
  ++totals_.checks;
  totals_.inconclusive += result.verdict == Verdict::kInconclusive ? 1 : 0;
  entry.ended = at;
  entry.duration = std::chrono::duration_cast<std::chrono::microseconds>(at - entry.began);
  due_.emplace(entry.schedule.due(), &entry);
  entry.state.observe(result, at);
  announce(entry, at);
  if (!stopped_) {
    arm();
  }
}

// Last in whatever calls it, as far as `entry` goes: the owner may remove it.
void Monitor::Core::announce(Entry& entry, TimePoint at) {
  const Health health = entry.state.health();
  if (health == entry.announced) {
    return;
  }
  ++totals_.flips;
  const Flip flip{entry.target.key, std::exchange(entry.announced, health), health,
                  entry.state.last_text(), at};
  on_flip_(flip);
}

void Monitor::Core::announce_later(const std::string& key) {
  boost::asio::post(loop_, [weak = weak_from_this(), key] {
    const auto self = weak.lock();
    if (self == nullptr || self->stopped_) {
      return;
    }
    const auto found = self->entries_.find(key);
    if (found != self->entries_.end()) {
      self->announce(found->second, now());
    }
  });
}

// For the earliest check that may begin. With no room for another, the end of one in flight arms
// it.
void Monitor::Core::arm() {
  if (due_.empty() || in_flight_ >= options_.max_in_flight) {
    armed_for_.reset();
    timer_.cancel();
    return;
  }
  if (armed_for_ == due_.begin()->first) {
    return;
  }
  armed_for_ = due_.begin()->first;
  timer_.expires_at(*armed_for_);
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (!error && self != nullptr && !self->stopped_) {
      self->armed_for_.reset();
      self->begin_due_checks();
    }
  });
}

void Monitor::Core::stop() {
  stopped_ = true;
  timer_.cancel();
  due_.clear();
  entries_.clear();
  in_flight_ = 0;
}

std::optional<Health> Monitor::Core::health(std::string_view key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? std::nullopt : std::optional(found->second.state.health());
}

std::vector<TargetStatus> Monitor::Core::snapshot() const {
  std::vector<TargetStatus> statuses;
  statuses.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) {
    TargetStatus& status = statuses.emplace_back();
    status.key = key;
    status.address = entry.target.address;
    status.port = entry.check_port();
    status.settings = entry.target.settings;
    status.health = entry.state.health();
    status.since = entry.state.since();
    status.contrary_run = entry.state.contrary_run();
    status.counts = entry.state.counts();
    status.last_text = entry.state.last_text();
    status.last_ended = entry.ended;
    status.last_duration = entry.duration;
    status.in_flight = entry.checker != nullptr;
    if (entry.is_checked() && !status.in_flight) {
      status.next_due = entry.schedule.due();
    }
  }
  return statuses;
}

MonitorCounters Monitor::Core::counters() const {
  MonitorCounters counters = totals_;
  counters.in_flight = in_flight_;
  const TimePoint at = now();
  for (auto it = due_.begin(); it != due_.end() && it->first <= at; ++it) {
    ++counters.waiting;
  }
  return counters;
}

Monitor::Monitor(boost::asio::io_context& loop, MonitorOptions options, OnFlip on_flip)
    : core_(std::make_shared<Core>(loop, options, std::move(on_flip))) {}

Monitor::~Monitor() {
  core_->stop();
}

void Monitor::set_targets(std::vector<Target> targets) {
  core_->set_targets(std::move(targets));
}

std::optional<Health> Monitor::health(std::string_view key) const {
  return core_->health(key);
}

std::vector<TargetStatus> Monitor::snapshot() const {
  return core_->snapshot();
}

MonitorCounters Monitor::counters() const {
  return core_->counters();
}

}  // namespace ballast::healthcheck
