// One connection to ballastd for the time of a command, made when it is first needed.
#pragma once

#include <optional>
#include <utility>

#include "control/api/client.h"
#include "control/ctl/command_line.h"

namespace ballast::control {

class Session {
 public:
  explicit Session(const CommandLine& line) : socket_(line.socket), timeout_(line.timeout) {}

  // Every request has the whole timeout.
  tl::expected<api::Answer, ClientError> ask(api::Request request);

 private:
  std::string socket_;
  std::chrono::milliseconds timeout_;
  std::optional<ControlClient> client_;
};

}  // namespace ballast::control
