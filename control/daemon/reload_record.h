// What came of the last reload, for the status: refused; in force on every worker of the dataplane;
// or in between, while the dataplane, or some worker of it, has not confirmed it. Pure.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "control/api/control.pb.h"
#include "control/dataplane_link/link.h"

namespace ballast::control {

class ReloadRecord {
 public:
  using Time = std::chrono::steady_clock::time_point;

  void refused(Time now, std::vector<std::string> errors);
  // ballastd runs on it; the verdict says what the dataplane does.
  void taken(Time now, const DataplaneLink::Verdict& verdict);
  // Any later transaction: it carries all that was not confirmed before.
  void on_transaction(const DataplaneLink::Verdict& verdict);

  void fill(Time now, api::ConfigurationStatus& status) const;

 private:
  void judge(const DataplaneLink::Verdict& verdict);

  api::ConfigurationStatus::Reload result_ = api::ConfigurationStatus::NEVER;
  Time at_;
  std::vector<std::string> errors_;
};

}  // namespace ballast::control
