// `ballastctl vrrp` and `ballastctl restart`.
#include "control/daemon/daemon.h"

namespace ballast::control {

void Daemon::list_vrrp(const Peer&, const api::ListVrrpRequest&,
                       Callback<api::ListVrrpAnswer> done) {
  done(api::ListVrrpAnswer{});
}

void Daemon::move_vrrp(const Peer&, const api::MoveVrrpRequest&,
                       Callback<api::MoveVrrpAnswer> done) {
  done(tl::unexpected(failure(api::Failure::NOT_FOUND, "no [[vrrp]] is configured")));
}

void Daemon::restart(const Peer&, const api::RestartRequest&, Callback<api::RestartAnswer> done) {
  done(tl::unexpected(failure(api::Failure::UNSUPPORTED, "not yet")));
}

}  // namespace ballast::control
