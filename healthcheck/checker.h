// The interface of a way to check a server. One object makes one check.
#pragma once

#include <cstdint>
#include <functional>

#include "dataplane/packet/address.h"
#include "healthcheck/check_result.h"
#include "healthcheck/check_settings.h"

namespace boost::asio {
class io_context;
}

namespace ballast::healthcheck {

struct CheckRequest {
  IpAddress address;
  uint16_t port = 0;  // the one to connect to
  CheckSettings settings;
};

class Checker {
 public:
  using OnDone = std::function<void(CheckResult)>;

  Checker() = default;
  // Ends a check that is under way: `done` is not called any more, and the socket is closed.
  virtual ~Checker() = default;
  Checker(const Checker&) = delete;
  Checker& operator=(const Checker&) = delete;

  // Once. `done` is called once, from the event loop and not from inside start(), no later than the
  // timeout; it may destroy this object.
  virtual void start(OnDone done) = 0;
};

}  // namespace ballast::healthcheck
