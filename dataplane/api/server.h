// The dataplane's end of the contract, on its main thread.
//
// Theory of operation
//   The server speaks frames, knows the order of a conversation (Hello first), who the writer is,
//   and the bounds of all that a client can make it hold; what requests mean is the
//   RequestHandler's business. Everything happens on the thread that runs the io_context; handlers
//   answer there too, at once or later.
//
//   Bounds: `max_connections` (when a new one comes and all are taken, the oldest that has not said
//   Hello makes room, else the new one is told and closed); per connection 64 requests or 32 MiB of
//   them under way (then it is not read until answers are given) and `max_outgoing_bytes` of
//   answers that it does not read (then it is disconnected).
//
//   The writer is the connection that said Hello with writer = true last. The one before is fenced:
//   it is told so, by an event, and each of its transactions is refused from then on. Events go to
//   the writer only.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include <tl/expected.hpp>

namespace boost::asio {
class io_context;
}

namespace ballast::api {

class Connections;
class GetStatistics;
class HelloAnswer;
class ListConnections;
class NeighborNeeded;
class PortInfo;
class State;
class Statistics;
class Transaction;
class TransactionAnswer;

inline constexpr uint32_t kContractVersion = 1;

// Gives the answer to a request: called once, on the io_context's thread; the client may be gone by
// then. The last copy destroyed without a call makes a Failure of the request.
template <typename Message>
using AnswerWith = std::function<void(const Message&)>;
template <typename Message>
using AnswerOrRefuseWith = std::function<void(const tl::expected<Message, std::string>&)>;

class RequestHandler {
 public:
  virtual ~RequestHandler() = default;

  virtual HelloAnswer hello_answer() = 0;  // the server fills in the version
  virtual void transaction(const Transaction& request, AnswerWith<TransactionAnswer> answer) = 0;
  virtual State state() = 0;
  virtual void statistics(const GetStatistics& request, AnswerWith<Statistics> answer) = 0;
  // An error is a sentence about the request: "client: 10.0.0.300: not an address or prefix".
  virtual void connections(const ListConnections& request,
                           AnswerOrRefuseWith<Connections> answer) = 0;
};

struct ServerOptions {
  std::string path;  // of the unix socket, made with mode 0600
  size_t max_connections = 32;
  size_t max_outgoing_bytes = size_t{64} << 20;      // of one connection
  std::function<void(const std::string& line)> log;  // who came, went, took over; may be empty
};

class ContractServer {
 public:
  // Listens. The handler and the io_context must outlive the server. An error says what is wrong
  // with the path.
  static tl::expected<std::unique_ptr<ContractServer>, std::string> listen(
      boost::asio::io_context& context, ServerOptions options, RequestHandler& handler);
  // Closes all connections and removes the socket. Answers that come later go nowhere.
  ~ContractServer();
  ContractServer(const ContractServer&) = delete;
  ContractServer& operator=(const ContractServer&) = delete;

  // Events for the writer; lost when there is none. A writer that is slow misses requests for
  // neighbours, which are repeated anyway, before it is disconnected.
  void neighbor_needed(const NeighborNeeded& event);
  void port_changed(const PortInfo& port);

  [[nodiscard]] bool has_writer() const;
  [[nodiscard]] size_t connections() const;

 private:
  struct Implementation;
  explicit ContractServer(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace ballast::api
