#include "dataplane/scheduler/scheduler_list.h"

#include <algorithm>
#include <array>

#include "dataplane/scheduler/maglev.h"
#include "dataplane/scheduler/round_robin.h"
#include "dataplane/scheduler/weighted_round_robin.h"

namespace ballast {
namespace {

template <typename Algorithm>
std::unique_ptr<Scheduler> make() {
  return std::make_unique<Algorithm>();
}

constexpr std::array kSchedulers{
    SchedulerDescription{"rr", "round robin: every server in its turn", make<RoundRobin>},
    SchedulerDescription{"wrr", "weighted round robin, smooth: turns in proportion to the weights",
                         make<WeightedRoundRobin>},
    SchedulerDescription{"mh", "Maglev consistent hash of the flow, by weight: alike on every node",
                         make<Maglev>},
};

}  // namespace

std::span<const SchedulerDescription> all_schedulers() {
  return kSchedulers;
}

const SchedulerDescription* find_scheduler(std::string_view name) {
  const auto* const found =
      std::find_if(kSchedulers.begin(), kSchedulers.end(),
                   [&](const SchedulerDescription& scheduler) { return scheduler.name == name; });
  return found == kSchedulers.end() ? nullptr : found;
}

}  // namespace ballast
