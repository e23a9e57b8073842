// One connection of a client, as the server sees it: the order of its conversation and what it has
// under way. Part of server.cc; pulls in Asio and protobuf.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "dataplane/api/dataplane.pb.h"
#include "dataplane/api/frame_connection.h"
#include "dataplane/api/server.h"

namespace ballast::api {

class ServerSession;

// What a session needs of its server.
class SessionOwner {
 public:
  virtual ~SessionOwner() = default;
  virtual void log(const std::string& line) = 0;
  virtual void became_writer(ServerSession& session) = 0;
  virtual void closed(uint64_t id, const std::string& reason) = 0;  // may destroy the session
  virtual RequestHandler& handler() = 0;
};

class ServerSession : public std::enable_shared_from_this<ServerSession> {
 public:
  ServerSession(SessionOwner& owner, uint64_t id, std::shared_ptr<FrameConnection> connection);

  void start();
  void abandon() { connection_->abandon(); }
  void fence(const std::string& by);
  // A message too long for a frame is replaced by a Failure that says so.
  void send(const ServerFrame& frame);

  [[nodiscard]] uint64_t id() const { return id_; }
  [[nodiscard]] const std::string& client() const { return client_; }
  [[nodiscard]] bool said_hello() const { return said_hello_; }
  [[nodiscard]] size_t outgoing_bytes() const { return connection_->outgoing_bytes(); }

 private:
  class Pending;  // a request under way

  void received(std::string_view payload);
  void dispatch(const ClientFrame& frame, size_t bytes);
  void hello(uint64_t request, const Hello& hello);
  void transaction(const Transaction& request, std::shared_ptr<Pending> pending);
  void fail(uint64_t request, const std::string& message);
  void fail_and_close(uint64_t request, const std::string& message);
  void under_way(size_t bytes);
  void answered(size_t bytes);

  SessionOwner& owner_;
  uint64_t id_;
  std::shared_ptr<FrameConnection> connection_;
  std::string client_ = "a client without Hello";
  std::string not_writer_ = "this connection is not the writer: its Hello did not say so";
  bool said_hello_ = false;
  bool writer_ = false;
  size_t requests_ = 0;  // under way
  size_t request_bytes_ = 0;
};

}  // namespace ballast::api
