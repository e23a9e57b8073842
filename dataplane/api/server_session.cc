#include "dataplane/api/server_session.h"

#include <utility>

#include <fmt/format.h>

namespace ballast::api {
namespace {

constexpr size_t kMaxRequests = 64;
constexpr size_t kMaxRequestBytes = size_t{32} << 20;
constexpr size_t kMaxClientName = 256;  // goes to logs

std::string printable(const std::string& name) {
  std::string result = name.substr(0, kMaxClientName);
  for (char& character : result) {
    if (static_cast<unsigned char>(character) < 0x20 || character == 0x7f) {
      character = '?';
    }
  }
  return result.empty() ? "a client without a name" : result;
}

}  // namespace

// Counts its request against the session's bounds while it lives, and sees to it that every request
// is answered once.
class ServerSession::Pending {
 public:
  Pending(const std::shared_ptr<ServerSession>& session, uint64_t request, size_t bytes)
      : session_(session), request_(request), bytes_(bytes) {
    session->under_way(bytes);
  }
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;
  ~Pending() {
    ServerFrame frame;
    frame.mutable_failure()->set_message("the request was given up without an answer");
    answer(std::move(frame));
  }

  void answer(ServerFrame frame) {
    const auto session = std::exchange(session_, {}).lock();
    if (session == nullptr) {
      return;  // answered before, or the client is gone
    }
    frame.set_id(request_);
    session->send(frame);
    session->answered(bytes_);
  }

 private:
  std::weak_ptr<ServerSession> session_;
  uint64_t request_;
  size_t bytes_;
};

ServerSession::ServerSession(SessionOwner& owner, uint64_t id,
                             std::shared_ptr<FrameConnection> connection)
    : owner_(owner), id_(id), connection_(std::move(connection)) {}

void ServerSession::start() {
  connection_->start(
      [weak = weak_from_this()](std::string_view payload) {
        if (const auto self = weak.lock()) {
          self->received(payload);
        }
      },
      [weak = weak_from_this()](const std::string& reason) {
        if (const auto self = weak.lock()) {
          self->owner_.closed(self->id_, reason);
        }
      });
}

void ServerSession::fence(const std::string& by) {
  writer_ = false;
  not_writer_ = fmt::format("fenced: {} is the writer now", by);
  ServerFrame frame;
  frame.mutable_fenced()->set_by(by);
  send(frame);
}

void ServerSession::send(const ServerFrame& frame) {
  if (const auto sent = connection_->send(frame); !sent) {
    fail(frame.id(), "the answer is too long: " + sent.error());
  }
}

void ServerSession::received(std::string_view payload) {
  ClientFrame frame;
  if (const auto parsed = parse_message(payload, frame); !parsed) {
    fail_and_close(0, parsed.error());
    return;
  }
  if (frame.id() == 0) {
    fail_and_close(0, "frame: id 0: every request has an id of its own, from 1 on");
    return;
  }
  if (said_hello_ != (frame.request_case() != ClientFrame::kHello)) {
    fail_and_close(frame.id(), said_hello_ ? "hello: it was said already"
                                           : "the first request on a connection is Hello");
    return;
  }
  dispatch(frame, payload.size());
}

void ServerSession::dispatch(const ClientFrame& frame, size_t bytes) {
  if (frame.request_case() == ClientFrame::kHello) {
    hello(frame.id(), frame.hello());
    return;
  }
  auto pending = std::make_shared<Pending>(shared_from_this(), frame.id(), bytes);
  ServerFrame answer;
  switch (frame.request_case()) {
    case ClientFrame::kTransaction:
      transaction(frame.transaction(), std::move(pending));
      break;
    case ClientFrame::kGetState:
      *answer.mutable_state() = owner_.handler().state();
      pending->answer(std::move(answer));
      break;
    case ClientFrame::kGetStatistics:
      owner_.handler().statistics(frame.get_statistics(), [pending](const Statistics& statistics) {
        ServerFrame later;
        *later.mutable_statistics() = statistics;
        pending->answer(std::move(later));
      });
      break;
    case ClientFrame::kListConnections:
      owner_.handler().connections(frame.list_connections(),
                                   [pending](const tl::expected<Connections, std::string>& page) {
                                     ServerFrame later;
                                     if (page) {
                                       *later.mutable_connections() = *page;
                                     } else {
                                       later.mutable_failure()->set_message(page.error());
                                     }
                                     pending->answer(std::move(later));
                                   });
      break;
    case ClientFrame::kHello:
    case ClientFrame::REQUEST_NOT_SET:
      answer.mutable_failure()->set_message("the request is not known to this dataplane");
      pending->answer(std::move(answer));
      break;
  }
}

void ServerSession::hello(uint64_t request, const Hello& hello) {
  client_ = printable(hello.client());
  if (hello.version() != kContractVersion) {
    fail_and_close(request,
                   fmt::format("hello: version {} of the contract: this dataplane speaks version "
                               "{}: run the same release of both",
                               hello.version(), kContractVersion));
    return;
  }
  said_hello_ = true;
  ServerFrame frame;
  frame.set_id(request);
  *frame.mutable_hello() = owner_.handler().hello_answer();
  frame.mutable_hello()->set_version(kContractVersion);
  send(frame);
  if (hello.writer()) {
    owner_.became_writer(*this);
    writer_ = true;
  }
  owner_.log(fmt::format("{}: connected{}", client_, writer_ ? " as the writer" : ""));
}

void ServerSession::transaction(const Transaction& request, std::shared_ptr<Pending> pending) {
  if (!writer_) {
    ServerFrame frame;
    TransactionAnswer& answer = *frame.mutable_transaction();
    answer.set_generation(owner_.handler().hello_answer().generation());
    Refusal& refusal = *answer.add_refusals();
    refusal.set_what("transaction");
    refusal.set_why(not_writer_);
    pending->answer(std::move(frame));
    return;
  }
  owner_.handler().transaction(request,
                               [pending = std::move(pending)](const TransactionAnswer& answer) {
                                 ServerFrame frame;
                                 *frame.mutable_transaction() = answer;
                                 pending->answer(std::move(frame));
                               });
}

void ServerSession::fail(uint64_t request, const std::string& message) {
  ServerFrame frame;
  frame.set_id(request);
  frame.mutable_failure()->set_message(message);
  std::ignore = connection_->send(frame);
}

void ServerSession::fail_and_close(uint64_t request, const std::string& message) {
  fail(request, message);
  connection_->close_when_sent(message);
}

void ServerSession::under_way(size_t bytes) {
  ++requests_;
  request_bytes_ += bytes;
  if (requests_ >= kMaxRequests || request_bytes_ >= kMaxRequestBytes) {
    connection_->pause();
  }
}

void ServerSession::answered(size_t bytes) {
  --requests_;
  request_bytes_ -= bytes;
  if (requests_ < kMaxRequests && request_bytes_ < kMaxRequestBytes) {
    connection_->resume();
  }
}

}  // namespace ballast::api
