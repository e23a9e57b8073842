// The daemon's part that knows the condition of the real servers: checks them, remembers what was
// set by hand, and tells the dataplane the weights that follow.
//
// Checks run only while a dataplane is there: they go over the twins, which lead nowhere without
// one, and what they found then would count against servers that are well. Health stays as it was
// meanwhile. What the first dataplane knows from before is adopted; what was changed by hand since
// is newer.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "control/config/configuration.h"
#include "control/dataplane_link/link.h"
#include "control/dataplane_link/server_id.h"
#include "healthcheck/monitor.h"

namespace boost::asio {
class io_context;
}

namespace ballast::control {

class ServersPart {
 public:
  using Targets = std::map<std::string, healthcheck::TargetStatus>;  // by ServerId::to_string()

  // `configuration` is the one in force, and changes in place; it, `loop` and `link` outlive the
  // part.
  ServersPart(boost::asio::io_context& loop, const Configuration& configuration,
              DataplaneLink& link, uint32_t checks_at_once);
  ~ServersPart();
  ServersPart(const ServersPart&) = delete;
  ServersPart& operator=(const ServersPart&) = delete;

  void adopt(ServerConditions known);
  void start_checks();
  void stop_checks();
  void configuration_changed();
  // Returns what was set before.
  ballast::api::Override set_override(const ServerId& id, ballast::api::Override override);

  [[nodiscard]] const ServerConditions& conditions() const { return conditions_; }
  [[nodiscard]] ServerCondition condition_of(const ServerId& id) const;
  // Null: there is none of this name.
  [[nodiscard]] const ServiceSettings* find_service(const std::string& name) const;
  // None while there are no checks.
  [[nodiscard]] Targets targets() const;

 private:
  void set_targets();
  void on_flip(const healthcheck::Flip& flip);
  void say(const ServiceSettings& service);

  boost::asio::io_context& loop_;
  const Configuration& configuration_;
  DataplaneLink& link_;
  const uint32_t checks_at_once_;
  ServerConditions conditions_;
  std::map<std::string, ServerId> ids_;  // by the monitor's key
  std::unique_ptr<healthcheck::Monitor> monitor_;
};

}  // namespace ballast::control
