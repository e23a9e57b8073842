// From a request to the handler's method, and from its result to an answer.
#pragma once

#include <functional>

#include "control/api/handler.h"

namespace ballast::control {

// Calls `done` exactly once, unless it is destroyed with `handler` still holding its callback: at
// the latest when the handler drops its callback. A request of an unknown kind is answered
// UNSUPPORTED.
void dispatch(ControlHandler& handler, const Peer& peer, const api::Request& request,
              std::function<void(api::Answer)> done);

// What a request changes, in words for the log; empty: nothing.
std::string change_requested(const api::Request& request);

}  // namespace ballast::control
