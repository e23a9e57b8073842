// ballastd's end of the contract: requests with deadlines, events, and one word when the connection
// ends.
//
// Theory of operation
//   connect() reaches the socket, says Hello and calls back once, with the answer or a sentence.
//   Then request() sends, and calls back exactly once: with the answer, or with a sentence when the
//   dataplane answered Failure, when the deadline passed (a late answer is dropped), or when the
//   connection ended. on_disconnect is called once for a connection that had been made, after all
//   its requests were called back. Reconnecting is the caller's business: connect() again.
//
//   All callbacks come from the io_context, never from inside a call of the caller's; none after
//   the client is destroyed.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include <tl/expected.hpp>

namespace boost::asio {
class io_context;
}

namespace ballast::api {

class ClientFrame;
class Hello;
class HelloAnswer;
class ServerFrame;

struct ClientCallbacks {
  std::function<void(const ServerFrame& event)> on_event;  // id 0
  std::function<void(const std::string& reason)> on_disconnect;
};

class ContractClient {
 public:
  using OnHello = std::function<void(const tl::expected<HelloAnswer, std::string>&)>;
  using OnAnswer = std::function<void(const tl::expected<ServerFrame, std::string>&)>;

  // The io_context must outlive the client.
  ContractClient(boost::asio::io_context& context, ClientCallbacks callbacks);
  ~ContractClient();
  ContractClient(const ContractClient&) = delete;
  ContractClient& operator=(const ContractClient&) = delete;

  // Ends the present connection, if any, as disconnect() does. The version of `hello` is filled in.
  void connect(const std::string& path, const Hello& hello, std::chrono::milliseconds deadline,
               OnHello on_hello);
  // The id of `frame` is filled in; an error comes when there is no connection.
  void request(const ClientFrame& frame, std::chrono::milliseconds deadline, OnAnswer on_answer);
  // Requests under way are called back with `reason`; on_disconnect is not called.
  void disconnect(const std::string& reason);

  // True from a good Hello answer until the connection ends.
  [[nodiscard]] bool connected() const;

 private:
  struct Implementation;
  std::shared_ptr<Implementation> implementation_;
};

}  // namespace ballast::api
