#include "control/daemon/reload_record.h"

#include <utility>

#include <fmt/format.h>

namespace ballast::control {

using api::ConfigurationStatus;

void ReloadRecord::refused(Time now, std::vector<std::string> errors) {
  result_ = ConfigurationStatus::REFUSED;
  at_ = now;
  errors_ = std::move(errors);
}

void ReloadRecord::taken(Time now, const DataplaneLink::Verdict& verdict) {
  at_ = now;
  judge(verdict);
}

void ReloadRecord::on_transaction(const DataplaneLink::Verdict& verdict) {
  if (result_ == ConfigurationStatus::UNCONFIRMED) {
    judge(verdict);
  }
}

void ReloadRecord::judge(const DataplaneLink::Verdict& verdict) {
  errors_.clear();
  if (!verdict.connected) {
    errors_.emplace_back("the dataplane is not connected and gets it when it is");
  }
  for (const std::string& refusal : verdict.refusals) {
    errors_.push_back("the dataplane refuses it: " + refusal);
  }
  for (const uint32_t worker : verdict.stalled_workers) {
    errors_.push_back(fmt::format("worker {} has not taken it yet", worker));
  }
  result_ = errors_.empty() ? ConfigurationStatus::ACCEPTED : ConfigurationStatus::UNCONFIRMED;
}

void ReloadRecord::fill(Time now, ConfigurationStatus& status) const {
  status.set_last_reload(result_);
  if (result_ != ConfigurationStatus::NEVER) {
    status.set_last_reload_seconds_ago(
        static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now - at_).count()));
  }
  for (const std::string& error : errors_) {
    status.add_last_reload_errors(error);
  }
}

}  // namespace ballast::control
