// The one list of schedulers: every name that `scheduler = "..."` may say.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "dataplane/scheduler/scheduler.h"

namespace ballast {

struct SchedulerDescription {
  std::string_view name;     // as in ballast.toml
  std::string_view summary;  // one line for people
  std::unique_ptr<Scheduler> (*make)();
};

std::span<const SchedulerDescription> all_schedulers();

// Null when there is no scheduler of this name.
const SchedulerDescription* find_scheduler(std::string_view name);

}  // namespace ballast
