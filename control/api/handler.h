// What ballastd does for ballastctl: one method per request of control.proto.
//
// The server calls the methods in its io_context's thread. Each gets a callback for its answer, to
// be called once, at once or later, from the same thread. A callback that is destroyed without
// having been called answers with an internal failure, so that no client waits in vain; one that is
// called twice, or after the client has gone, is ignored.
#pragma once

#include <functional>
#include <string>

#include <sys/types.h>
#include <tl/expected.hpp>

#include "control/api/control.pb.h"

namespace ballast::control {

// Who asks, as the kernel says (SO_PEERCRED). Access is decided by the socket's mode; this is for
// logs.
struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  std::string client;  // as it calls itself: "ballastctl 0.1.0"

  [[nodiscard]] std::string to_string() const;  // "ballastctl 0.1.0 (uid 0, pid 4711)"
};

api::Failure failure(api::Failure::Code code, std::string message);

class ControlHandler {
 public:
  template <class T>
  using Callback = std::function<void(tl::expected<T, api::Failure>)>;

  virtual ~ControlHandler() = default;

  virtual void status(const Peer& peer, const api::StatusRequest& request,
                      Callback<api::StatusAnswer> done) = 0;
  virtual void list_services(const Peer& peer, const api::ListServicesRequest& request,
                             Callback<api::ListServicesAnswer> done) = 0;
  virtual void list_ports(const Peer& peer, const api::ListPortsRequest& request,
                          Callback<api::ListPortsAnswer> done) = 0;
  virtual void list_connections(const Peer& peer, const api::ListConnectionsRequest& request,
                                Callback<api::ListConnectionsAnswer> done) = 0;
  virtual void drops(const Peer& peer, const api::DropsRequest& request,
                     Callback<api::DropsAnswer> done) = 0;
  virtual void checks(const Peer& peer, const api::ChecksRequest& request,
                      Callback<api::ChecksAnswer> done) = 0;
  virtual void reload(const Peer& peer, const api::ReloadRequest& request,
                      Callback<api::ReloadAnswer> done) = 0;
  virtual void diff(const Peer& peer, const api::DiffRequest& request,
                    Callback<api::DiffAnswer> done) = 0;
  virtual void set_server_override(const Peer& peer, const api::SetServerOverrideRequest& request,
                                   Callback<api::SetServerOverrideAnswer> done) = 0;
  virtual void list_vrrp(const Peer& peer, const api::ListVrrpRequest& request,
                         Callback<api::ListVrrpAnswer> done) = 0;
  virtual void move_vrrp(const Peer& peer, const api::MoveVrrpRequest& request,
                         Callback<api::MoveVrrpAnswer> done) = 0;
  virtual void restart(const Peer& peer, const api::RestartRequest& request,
                       Callback<api::RestartAnswer> done) = 0;
};

}  // namespace ballast::control
