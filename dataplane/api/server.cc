#include "dataplane/api/server.h"

#include <chrono>
#include <map>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include "dataplane/api/dataplane.pb.h"
#include "dataplane/api/frame_connection.h"
#include "dataplane/api/server_session.h"
#include "dataplane/api/unix_listener.h"

namespace ballast::api {
namespace {

using UnixStream = boost::asio::local::stream_protocol;

// Out of descriptors: accepting again at once would spin.
constexpr std::chrono::milliseconds kAcceptRetry{100};

// More than this waits for the writer: it gets no further requests for neighbours until it has read
// some.
constexpr size_t kNeighborEventBacklog = size_t{1} << 20;

}  // namespace

struct ContractServer::Implementation final : SessionOwner {
  Implementation(boost::asio::io_context& context, ServerOptions given, RequestHandler& handler,
                 UnixListener opened)
      : options(std::move(given)),
        request_handler(handler),
        listener(std::move(opened)),
        acceptor(context, UnixStream(), listener.release_descriptor()),
        retry(context) {}

  ~Implementation() override {
    for (const auto& [id, session] : sessions) {
      session->abandon();
    }
  }

  void log(const std::string& line) override {
    if (options.log) {
      options.log(line);
    }
  }

  void became_writer(ServerSession& session) override {
    if (const auto former = sessions.find(writer); former != sessions.end()) {
      former->second->fence(session.client());
      log(fmt::format("{} is fenced: {} is the writer now", former->second->client(),
                      session.client()));
    }
    writer = session.id();
  }

  void closed(uint64_t id, const std::string& reason) override {
    const auto session = sessions.find(id);
    if (session == sessions.end()) {
      return;
    }
    log(fmt::format("{}: {}", session->second->client(), reason));
    if (writer == id) {
      writer = 0;
    }
    sessions.erase(session);
  }

  RequestHandler& handler() override { return request_handler; }

  void accept() {
    acceptor.async_accept([this, weak = std::weak_ptr(alive)](
                              const boost::system::error_code& error, UnixStream::socket socket) {
      if (weak.expired() || error == boost::asio::error::operation_aborted) {
        return;
      }
      if (error) {
        log(fmt::format("cannot accept a connection: {}", error.message()));
        retry.expires_after(kAcceptRetry);
        retry.async_wait([this, weak](const boost::system::error_code& cancelled) {
          if (!cancelled && !weak.expired()) {
            accept();
          }
        });
        return;
      }
      admit(std::move(socket));
      accept();
    });
  }

  void admit(UnixStream::socket socket) {
    auto connection =
        std::make_shared<FrameConnection>(std::move(socket), options.max_outgoing_bytes);
    if (sessions.size() >= options.max_connections && !make_room()) {
      ServerFrame frame;
      frame.mutable_failure()->set_message(
          fmt::format("{} connections are open: no more are allowed", sessions.size()));
      std::ignore = connection->send(frame);
      connection->close_when_sent({});
      log(frame.failure().message());
      return;
    }
    const uint64_t id = ++last_id;
    auto session = std::make_shared<ServerSession>(*this, id, std::move(connection));
    sessions.emplace(id, session);
    session->start();
  }

  // The oldest connection that has not said Hello goes: nothing is lost with it.
  bool make_room() {
    for (const auto& [id, session] : sessions) {
      if (!session->said_hello()) {
        session->abandon();
        closed(id, "closed: it said no Hello and others wait");
        return true;
      }
    }
    return false;
  }

  void send_event(const ServerFrame& frame, size_t max_backlog) {
    const auto session = sessions.find(writer);
    if (session != sessions.end() && session->second->outgoing_bytes() <= max_backlog) {
      session->second->send(frame);
    }
  }

  ServerOptions options;
  RequestHandler& request_handler;
  UnixListener listener;
  UnixStream::acceptor acceptor;
  boost::asio::steady_timer retry;
  std::map<uint64_t, std::shared_ptr<ServerSession>> sessions;  // in order of arrival
  uint64_t last_id = 0;
  uint64_t writer = 0;  // session; 0: none
  // Completions that are queued already when the server goes find out by it.
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
};

tl::expected<std::unique_ptr<ContractServer>, std::string> ContractServer::listen(
    boost::asio::io_context& context, ServerOptions options, RequestHandler& handler) {
  auto listener = UnixListener::open(options.path);
  if (!listener) {
    return tl::unexpected(std::move(listener.error()));
  }
  auto implementation =
      std::make_unique<Implementation>(context, std::move(options), handler, std::move(*listener));
  implementation->accept();
  return std::unique_ptr<ContractServer>(new ContractServer(std::move(implementation)));
}

ContractServer::ContractServer(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}

ContractServer::~ContractServer() = default;

void ContractServer::neighbor_needed(const NeighborNeeded& event) {
  ServerFrame frame;
  *frame.mutable_neighbor_needed() = event;
  implementation_->send_event(frame, kNeighborEventBacklog);
}

void ContractServer::port_changed(const PortInfo& port) {
  ServerFrame frame;
  *frame.mutable_port_changed()->mutable_port() = port;
  implementation_->send_event(frame, SIZE_MAX);
}

bool ContractServer::has_writer() const {
  return implementation_->writer != 0;
}

size_t ContractServer::connections() const {
  return implementation_->sessions.size();
}

}  // namespace ballast::api
