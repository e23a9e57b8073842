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
#include <set>
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
  // `on_change` is called when a server's condition has changed.
  ServersPart(boost::asio::io_context& loop, const Configuration& configuration,
              DataplaneLink& link, uint32_t checks_at_once, std::function<void()> on_change);
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
  // How many servers can take connections, and how many have to, for VRRP.
  struct Quorum {
    size_t usable = 0;
    size_t quorum = 0;
  };
  [[nodiscard]] Quorum quorum_of(const std::string& name) const;
  // Servers of services that listen on these addresses whose first check since the checks were
  // started has not ended, whatever it found; those without a check are none of them.
  struct Unchecked {
    size_t count = 0;
    size_t of = 0;      // all that are checked
    std::string first;  // `web 10.0.0.9`
  };
  [[nodiscard]] Unchecked not_checked_yet(const std::set<IpAddress>& vips) const;
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
  const std::function<void()> on_change_;
  ServerConditions conditions_;
  std::map<std::string, ServerId> ids_;  // by the monitor's key
  std::unique_ptr<healthcheck::Monitor> monitor_;
};

}  // namespace ballast::control
