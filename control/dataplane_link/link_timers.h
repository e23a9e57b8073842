// The link's timers. Private to link*.cc: whoever includes link.h needs no Asio.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "control/dataplane_link/link.h"

namespace ballast::control {

struct DataplaneLink::Timers {
  explicit Timers(boost::asio::io_context& context) : loop(context) {}
  boost::asio::io_context& loop;
  boost::asio::steady_timer reconnect{loop};
  boost::asio::steady_timer retry{loop};
  boost::asio::steady_timer flush{loop};
  bool flush_pending = false;
};

}  // namespace ballast::control
