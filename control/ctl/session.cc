#include "control/ctl/session.h"

namespace ballast::control {

tl::expected<api::Answer, ClientError> Session::ask(api::Request request) {
  const auto deadline = ControlClient::Clock::now() + timeout_;
  if (!client_) {
    auto connected = ControlClient::connect(socket_, deadline);
    if (!connected) {
      return tl::unexpected(connected.error());
    }
    client_.emplace(std::move(*connected));
  }
  request.set_client("ballastctl " BALLAST_VERSION);
  return client_->call(std::move(request), deadline);
}

}  // namespace ballast::control
