#include "control/api/dispatch.h"

#include <memory>
#include <utility>

#include <fmt/format.h>

namespace ballast::control {
namespace {

// Owns the way back to the client until the answer is given.
class Pending {
 public:
  Pending(uint64_t id, std::function<void(api::Answer)> done) : id_(id), done_(std::move(done)) {}
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;
  ~Pending() { fail(failure(api::Failure::INTERNAL, "ballastd dropped the request")); }

  void fail(api::Failure failure) {
    api::Answer answer;
    *answer.mutable_failure() = std::move(failure);
    give(std::move(answer));
  }
  void give(api::Answer answer) {
    if (auto done = std::exchange(done_, nullptr)) {
      answer.set_id(id_);
      done(std::move(answer));
    }
  }

 private:
  uint64_t id_;
  std::function<void(api::Answer)> done_;
};

template <class T>
ControlHandler::Callback<T> answer_with(std::shared_ptr<Pending> pending,
                                        T* (api::Answer::*field)()) {
  return [pending = std::move(pending), field](tl::expected<T, api::Failure> result) {
    if (!result) {
      pending->fail(std::move(result.error()));
      return;
    }
    api::Answer answer;
    *(answer.*field)() = std::move(*result);
    pending->give(std::move(answer));
  };
}

}  // namespace

std::string Peer::to_string() const {
  return fmt::format("{} (uid {}, pid {})", client.empty() ? "unnamed client" : client, uid, pid);
}

api::Failure failure(api::Failure::Code code, std::string message) {
  api::Failure result;
  result.set_code(code);
  result.set_message(std::move(message));
  return result;
}

void dispatch(ControlHandler& handler, const Peer& peer, const api::Request& request,
              std::function<void(api::Answer)> done) {
  using api::Answer;
  using api::Request;
  auto pending = std::make_shared<Pending>(request.id(), std::move(done));
  switch (request.request_case()) {
    case Request::kStatus:
      return handler.status(peer, request.status(), answer_with(pending, &Answer::mutable_status));
    case Request::kListServices:
      return handler.list_services(peer, request.list_services(),
                                   answer_with(pending, &Answer::mutable_list_services));
    case Request::kListPorts:
      return handler.list_ports(peer, request.list_ports(),
                                answer_with(pending, &Answer::mutable_list_ports));
    case Request::kListConnections:
      return handler.list_connections(peer, request.list_connections(),
                                      answer_with(pending, &Answer::mutable_list_connections));
    case Request::kDrops:
      return handler.drops(peer, request.drops(), answer_with(pending, &Answer::mutable_drops));
    case Request::kChecks:
      return handler.checks(peer, request.checks(), answer_with(pending, &Answer::mutable_checks));
    case Request::kReload:
      return handler.reload(peer, request.reload(), answer_with(pending, &Answer::mutable_reload));
    case Request::kDiff:
      return handler.diff(peer, request.diff(), answer_with(pending, &Answer::mutable_diff));
    case Request::kSetServerOverride:
      return handler.set_server_override(
          peer, request.set_server_override(),
          answer_with(pending, &Answer::mutable_set_server_override));
    case Request::kListVrrp:
      return handler.list_vrrp(peer, request.list_vrrp(),
                               answer_with(pending, &Answer::mutable_list_vrrp));
    case Request::kMoveVrrp:
      return handler.move_vrrp(peer, request.move_vrrp(),
                               answer_with(pending, &Answer::mutable_move_vrrp));
    case Request::kRestart:
      return handler.restart(peer, request.restart(),
                             answer_with(pending, &Answer::mutable_restart));
    case Request::REQUEST_NOT_SET:
      break;
  }
  pending->fail(failure(api::Failure::UNSUPPORTED,
                        "this ballastd does not know the request: upgrade it, or use the "
                        "ballastctl that came with it"));
}

std::string change_requested(const api::Request& request) {
  if (request.has_reload()) {
    return "reload";
  }
  if (request.has_set_server_override()) {
    const auto& change = request.set_server_override();
    return fmt::format("service \"{}\": server {} port {}: {}", change.service(), change.address(),
                       change.port(), ballast::api::Override_Name(change.override()));
  }
  if (request.has_move_vrrp()) {
    const auto& change = request.move_vrrp();
    return fmt::format("vrrp \"{}\": {}", change.name(),
                       change.what() == api::MoveVrrpRequest::FAILOVER ? "failover" : "release");
  }
  if (request.has_restart()) {
    return "restart";
  }
  return {};
}

}  // namespace ballast::control
