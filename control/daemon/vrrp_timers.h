// The timers of the VRRP part. Private to its files: whoever includes vrrp_part.h needs no Asio.
#pragma once

#include <boost/asio/steady_timer.hpp>

#include "control/daemon/vrrp_part.h"

namespace ballast::control {

struct VrrpPart::Timers {
  explicit Timers(boost::asio::io_context& loop)
      : readiness(loop), tracking(loop), restart(loop), stop(loop) {}

  boost::asio::steady_timer readiness;  // looks again whether the checks have run
  boost::asio::steady_timer tracking;
  boost::asio::steady_timer restart;
  boost::asio::steady_timer stop;
  bool update_is_due = false;
};

}  // namespace ballast::control
