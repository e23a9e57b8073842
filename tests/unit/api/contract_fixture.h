// A server and clients in one io_context, run by hand, over a real unix socket.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "dataplane/api/client.h"
#include "dataplane/api/dataplane.pb.h"
#include "dataplane/api/framing.h"
#include "dataplane/api/server.h"
#include "tests/unit/api/temporary_folder.h"

namespace ballast::api {

// Keeps what it is asked; answers when the test says so, except for what is answered at once.
class RecordingHandler final : public RequestHandler {
 public:
  HelloAnswer hello_answer() override {
    HelloAnswer answer;
    answer.set_generation(generation);
    answer.set_instance_id("instance");
    return answer;
  }
  void transaction(const Transaction& request, AnswerWith<TransactionAnswer> answer) override {
    transactions.push_back({request, std::move(answer)});
  }
  State state() override { return state_to_answer; }
  void statistics(const GetStatistics&, AnswerWith<Statistics> answer) override {
    statistics_answers.push_back(std::move(answer));
  }
  void connections(const ListConnections& request,
                   AnswerOrRefuseWith<Connections> answer) override {
    if (request.client() == "nonsense") {
      answer(tl::unexpected(std::string("client: nonsense: not an address or prefix")));
    } else {
      answer(Connections());
    }
  }

  struct Asked {
    Transaction request;
    AnswerWith<TransactionAnswer> answer;
  };
  uint64_t generation = 7;
  State state_to_answer;
  std::vector<Asked> transactions;
  std::vector<AnswerWith<Statistics>> statistics_answers;
};

class ContractFixture : public testing::Test {
 protected:
  static constexpr std::chrono::milliseconds kLong{60'000};

  void start(ServerOptions options = {}) {
    options.path = path;
    options.log = [this](const std::string& line) { log.push_back(line); };
    auto listening = ContractServer::listen(context, std::move(options), handler);
    ASSERT_TRUE(listening) << listening.error();
    server = std::move(*listening);
  }

  // Runs the io_context until the condition holds; false when nothing more happens for a while.
  bool run_until(const std::function<bool()>& condition) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      context.restart();
      if (context.run_one_until(give_up) == 0) {
        return false;
      }
    }
    return true;
  }
  void run_ready() {
    context.restart();
    while (context.poll() != 0) {
      context.restart();
    }
  }

  struct Peer {
    std::unique_ptr<ContractClient> client;
    tl::expected<HelloAnswer, std::string> hello = tl::unexpected(std::string("nothing yet"));
    bool greeted = false;
    std::vector<ServerFrame> events;
    std::vector<std::string> ends;
    std::vector<tl::expected<ServerFrame, std::string>> answers;
  };

  std::unique_ptr<Peer> peer() {
    auto result = std::make_unique<Peer>();
    Peer* raw = result.get();
    result->client = std::make_unique<ContractClient>(
        context, ClientCallbacks{[raw](const ServerFrame& event) { raw->events.push_back(event); },
                                 [raw](const std::string& why) { raw->ends.push_back(why); }});
    return result;
  }
  std::unique_ptr<Peer> connected(const std::string& name, bool writer = true) {
    auto result = peer();
    connect(*result, name, writer);
    EXPECT_TRUE(run_until([&] { return result->greeted; }));
    EXPECT_TRUE(result->hello) << result->hello.error();
    return result;
  }
  void connect(Peer& into, const std::string& name, bool writer = true) {
    Hello hello;
    hello.set_client(name);
    hello.set_writer(writer);
    into.client->connect(path, hello, kLong,
                         [&into](const tl::expected<HelloAnswer, std::string>& answer) {
                           into.hello = answer;
                           into.greeted = true;
                         });
  }
  void request(Peer& from, const ClientFrame& frame, std::chrono::milliseconds deadline = kLong) {
    from.client->request(frame, deadline,
                         [&from](const tl::expected<ServerFrame, std::string>& answer) {
                           from.answers.push_back(answer);
                         });
  }
  // The next answer to `from`.
  tl::expected<ServerFrame, std::string> ask(Peer& from, const ClientFrame& frame) {
    const size_t before = from.answers.size();
    request(from, frame);
    EXPECT_TRUE(run_until([&] { return from.answers.size() > before; }));
    return from.answers.back();
  }
  static ClientFrame transaction(uint64_t generation) {
    ClientFrame frame;
    frame.mutable_transaction()->set_generation(generation);
    return frame;
  }
  static ClientFrame get_state() {
    ClientFrame frame;
    frame.mutable_get_state();
    return frame;
  }

  test::TemporaryFolder folder;
  std::string path = folder.file("contract.sock");
  boost::asio::io_context context;
  RecordingHandler handler;
  std::vector<std::string> log;
  std::unique_ptr<ContractServer> server;
};

}  // namespace ballast::api
