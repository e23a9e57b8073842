#include "tests/model/episode.h"

#include <algorithm>

#include <fmt/format.h>

#include "tests/model/dataplane_run.h"
#include "tests/model/frames.h"
#include "tests/model/model.h"

namespace ballast::model {
namespace {

constexpr uint64_t kMillisecond = 1'000'000;
constexpr uint64_t kSecond = 1000 * kMillisecond;
constexpr size_t kLongestBurst = 8;
constexpr size_t kStepsOfEpisode = 2000;

// Both of them, in step.
class Play {
 public:
  explicit Play(const Scene& scene)
      : scene_(scene),
        setup_(scene.setup),
        dataplane_(scene.setup, scene.workers, scene.seed),
        model_(
            scene.setup, LocalPortRange{},
            [this](const Flow& flow) { return dataplane_.chosen(flow); },
            [this](const IpAddress& address) { return dataplane_.is_nat_server(address); }) {
    set_lease(3);
    difference_ = dataplane_.configure(setup_);
  }

  // The steps from `at` on that go together; how many they were.
  size_t make(const std::vector<Step>& steps, size_t at) {
    const Step& step = steps[at];
    if (step.what == What::kPause) {
      pause(uint64_t{step.pause_ms} * kMillisecond);
      return 1;
    }
    if (step.what == What::kChange) {
      change(step.change);
      return 1;
    }
    size_t count = 1;
    // A flow's former owner ends a connection before its new owner has decided the packet that it
    // ends by: the model, which has no workers, sees these in one order only one by one.
    while (!dataplane_.has_former_owners() && at + count < steps.size() && count < kLongestBurst &&
           is_packet(steps[at + count]) && steps[at + count].joins && step.parts == 0 &&
           steps[at + count].parts == 0 && !opens_again(steps, at, at + count)) {
      ++count;
    }
    send(steps, at, count);
    pause(kMillisecond);
    return count;
  }

  void finish(Tally* tally) {
    if (difference_.empty()) {
      difference_ = dataplane_.wrong_accounts();
    }
    if (tally != nullptr) {
      tally->connections += model_.connections();
    }
  }

  [[nodiscard]] const std::string& difference() const { return difference_; }
  Tally counted;

 private:
  void set_lease(uint16_t value) {
    model_.set_lease(kLeasedSlot, (value & 1) != 0, (value & 2) != 0);
    dataplane_.set_lease(kLeasedSlot, (value & 1) != 0, (value & 2) != 0);
  }

  // What the model asks the connection table about a packet that does not show it, it asks when
  // the burst is over: a flow may not be opened anew in it.
  [[nodiscard]] static bool opens_again(const std::vector<Step>& steps, size_t from, size_t at) {
    const Step& step = steps[at];
    return (step.flags & kFlagSyn) != 0 &&
           std::any_of(steps.begin() + static_cast<std::ptrdiff_t>(from),
                       steps.begin() + static_cast<std::ptrdiff_t>(at), [&](const Step& each) {
                         return each.client == step.client && each.listener == step.listener &&
                                each.client_port == step.client_port;
                       });
  }

  void differ(const std::string& text) {
    if (difference_.empty()) {
      difference_ = text;
    }
  }

  void pause(uint64_t duration) {
    const uint64_t end = now_ns_ + duration;
    while (now_ns_ < end) {
      now_ns_ = std::min(end, now_ns_ + kSecond);
      tick();
    }
  }

  void tick() {
    const std::vector<Decided> released = dataplane_.tick(now_ns_);
    model_.tick(now_ns_);
    for (const Decided& one : released) {
      differ(model_.judge_released(one.id, one.fate, one.worker));
      count_fate(one.fate);
    }
    differ(model_.settle());
  }

  void change(const Change& change) {
    if (change.kind == ChangeKind::kLease) {
      return set_lease(change.value);
    }
    apply(change, scene_, setup_);
    model_.configure(setup_);
    differ(dataplane_.configure(setup_));
    pause(kMillisecond);
  }

  void send(const std::vector<Step>& steps, size_t at, size_t count) {
    std::vector<Arrival> burst;
    std::vector<Incoming> packets;
    for (size_t i = at; i < at + count; ++i) {
      const Step& step = steps[i];
      MadeFrame made = make_frame(step, scene_, model_);
      Arrival arrival;
      arrival.id = next_id_ + burst.size();
      arrival.frame = made.bytes;
      arrival.port = made.port;
      arrival.hashed = step.hashed;
      if (step.worker >= 0 || burst.empty()) {
        arrival.worker =
            step.worker >= 0 ? std::optional(static_cast<uint16_t>(step.worker)) : std::nullopt;
      }
      packets.push_back({arrival.id, std::move(made.bytes), made.port});
      burst.push_back(std::move(arrival));
    }
    const std::vector<Decided> decided = dataplane_.process(burst, now_ns_);
    counted.packets += count;
    for (const Decided& one : decided) {
      differ(model_.judge(packets[one.id - next_id_], one.fate, one.worker, now_ns_));
      count_fate(one.fate);
    }
    if (decided.size() != packets.size()) {
      differ(fmt::format("{} packets went in, {} were decided", packets.size(), decided.size()));
    }
    next_id_ += count;
  }

  void count_fate(const Fate& fate) {
    counted.dropped.resize(kDropReasons);
    if (fate.reason != DropReason::kNone) {
      ++counted.dropped[static_cast<size_t>(fate.reason)];
    } else if (fate.end == End::kSent) {
      ++counted.sent;
    }
  }

  const Scene& scene_;
  Setup setup_;
  DataplaneRun dataplane_;
  Model model_;
  uint64_t now_ns_ = 1000 * kSecond;
  uint64_t next_id_ = 1;
  std::string difference_;
};

void add(Tally& sum, const Tally& one) {
  sum.packets += one.packets;
  sum.connections += one.connections;
  sum.sent += one.sent;
  sum.dropped.resize(kDropReasons);
  for (size_t i = 0; i < one.dropped.size(); ++i) {
    sum.dropped[i] += one.dropped[i];
  }
}

}  // namespace

std::optional<Difference> play(const Scene& scene, const std::vector<Step>& steps, Tally* tally) {
  Play play(scene);
  size_t at = 0;
  while (at < steps.size() && play.difference().empty()) {
    at += play.make(steps, at);
  }
  play.finish(tally);
  if (tally != nullptr) {
    add(*tally, play.counted);
  }
  return play.difference().empty() ? std::nullopt
                                   : std::optional(Difference{at, play.difference()});
}

namespace {

// Whether the steps still differ; if so, what is behind the difference is cut off.
bool still_differs(const Scene& scene, std::vector<Step>& steps) {
  const std::optional<Difference> difference = play(scene, steps);
  if (!difference) {
    return false;
  }
  steps.resize(std::min(steps.size(), difference->step));
  return true;
}

// Replaces `steps` by what `change` makes of a copy, if that still differs.
template <typename ChangeSteps>
bool attempt(const Scene& scene, std::vector<Step>& steps, ChangeSteps change) {
  std::vector<Step> fewer = steps;
  change(fewer);
  if (!still_differs(scene, fewer)) {
    return false;
  }
  steps = std::move(fewer);
  return true;
}

void take_away(const Scene& scene, std::vector<Step>& steps) {
  for (size_t length = std::max<size_t>(steps.size() / 2, 1); length >= 1; length /= 2) {
    for (size_t end = steps.size(); end > 0 && end <= steps.size();) {
      const size_t from = end > length ? end - length : 0;
      attempt(scene, steps, [&](std::vector<Step>& fewer) {
        fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(from),
                    fewer.begin() + static_cast<std::ptrdiff_t>(end));
      });
      end = std::min(from, steps.size());
    }
  }
}

void simplify(const Scene& scene, std::vector<Step>& steps) {
  static const Step kPlain;
  for (size_t i = 0; i < steps.size(); ++i) {
    const auto field = [&](auto member) {
      if (i < steps.size()) {
        attempt(scene, steps,
                [&](std::vector<Step>& simpler) { simpler[i].*member = kPlain.*member; });
      }
    };
    field(&Step::joins);
    field(&Step::overlaps);
    field(&Step::mutations);
    field(&Step::cut);
    field(&Step::worker);
    field(&Step::hashed);
    field(&Step::payload);
    field(&Step::offset);
    field(&Step::extra);
    field(&Step::ttl);
    field(&Step::tos);
    field(&Step::to_mac);
    field(&Step::dont_fragment);
    field(&Step::far_sequence);
    field(&Step::wrong_acknowledgement);
  }
}

}  // namespace

std::vector<Step> shrink(const Scene& scene, std::vector<Step> steps) {
  if (still_differs(scene, steps)) {
    take_away(scene, steps);
    take_away(scene, steps);
    simplify(scene, steps);
    take_away(scene, steps);
  }
  return steps;
}

std::string notes(const Scene& scene, const std::vector<Step>& steps) {
  std::string text = fmt::format("{} worker(s)\n", scene.workers);
  for (const ServiceSetup& service : scene.setup.services) {
    text += fmt::format("  {}: {}, {}, on_server_down {}{}{}{}{}; servers", service.name,
                        name_of(service.mode), service.scheduler, static_cast<int>(service.on_down),
                        service.answers ? "" : ", no answers", service.sloppy ? ", sloppy" : "",
                        service.one_packet ? ", one_packet" : "",
                        service.timeouts.empty() ? "" : ", short timeouts");
    for (const ServerSetup& server : service.servers) {
      text += fmt::format(" {}:{}*{}", server.address.to_string(), server.port, server.weight);
    }
    text += '\n';
  }
  for (const PortSetup& port : scene.setup.ports) {
    text += fmt::format("  {}: mtu {}\n", port.name, port.mtu);
  }
  size_t number = 0;
  for (const Step& step : steps) {
    text += fmt::format("{:3}. {}\n", ++number, to_string(step, scene));
  }
  if (const auto difference = play(scene, steps)) {
    text += "  => " + difference->text + "\n";
  }
  return text;
}

std::string play_all(const Plan& plan, Tally& tally) {
  for (uint64_t number = plan.episode.value_or(0); tally.packets < plan.packets; ++number) {
    const uint64_t seed = plan.seed * 1'000'003 + number;
    const Scene scene = make_scene(seed, plan.modes);
    std::vector<Step> steps = random_steps(seed + 1, scene, plan.modes, kStepsOfEpisode);
    if (const auto difference = play(scene, steps, &tally)) {
      return fmt::format("seed {} episode {}, step {}: {}\n{}", plan.seed, number, difference->step,
                         difference->text, notes(scene, shrink(scene, steps)));
    }
    if (plan.episode) {
      break;
    }
  }
  return {};
}

}  // namespace ballast::model
