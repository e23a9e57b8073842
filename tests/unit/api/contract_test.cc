// Server and client of the contract, as they talk to each other and to those who misbehave.
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/api/contract_fixture.h"

namespace ballast::api {
namespace {

using testing::Contains;
using testing::HasSubstr;

// A client without manners: bytes in, bytes out.
class RawPeer {
 public:
  explicit RawPeer(const std::string& path)
      : descriptor_(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~RawPeer() { ::close(descriptor_); }
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;

  bool send(const std::string& bytes) {
    return ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  bool send(const ClientFrame& frame) {
    std::string bytes;
    return append_frame(bytes, frame) && send(bytes);
  }
  bool send_hello(uint32_t version = kContractVersion) {
    ClientFrame frame;
    frame.set_id(1);
    frame.mutable_hello()->set_version(version);
    return send(frame);
  }
  // Reads what is there; frames gather in `frames`, and `closed` says that the server closed.
  void read() {
    std::array<char, 65536> bytes{};
    ssize_t count = 0;
    while ((count = recv(descriptor_, bytes.data(), bytes.size(), 0)) > 0) {
      decoder_.feed({bytes.data(), static_cast<size_t>(count)});
      ServerFrame frame;
      while (decoder_.next(frame).value()) {
        frames.push_back(frame);
      }
    }
    closed = closed || count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
  }

  std::vector<ServerFrame> frames;
  bool closed = false;

 private:
  int descriptor_;
  FrameDecoder decoder_;
};

class Contract : public ContractFixture {};

TEST_F(Contract, HelloComesFirstAndTellsTheGenerationInForce) {
  start();
  const auto one = connected("ballastd 1");
  EXPECT_EQ(one->hello->generation(), 7U);
  EXPECT_EQ(one->hello->version(), kContractVersion);
  EXPECT_TRUE(server->has_writer());
  EXPECT_TRUE(one->client->connected());

  RawPeer rude(path);
  ClientFrame frame = get_state();
  frame.set_id(9);
  rude.send(frame);
  EXPECT_TRUE(run_until([&] { return rude.read(), rude.closed; }));
  ASSERT_EQ(rude.frames.size(), 1U);
  EXPECT_EQ(rude.frames[0].id(), 9U);
  EXPECT_EQ(rude.frames[0].failure().message(), "the first request on a connection is Hello");
}

TEST_F(Contract, AnotherVersionIsToldBothAndClosed) {
  start();
  RawPeer old(path);
  old.send_hello(2);
  EXPECT_TRUE(run_until([&] { return old.read(), old.closed; }));
  ASSERT_EQ(old.frames.size(), 1U);
  EXPECT_EQ(old.frames[0].failure().message(),
            "hello: version 2 of the contract: this dataplane speaks version 1: run the same "
            "release of both");
  run_ready();
  EXPECT_EQ(server->connections(), 0U);
}

TEST_F(Contract, AnswersComeInAnyOrderEachToItsRequest) {
  start();
  const auto one = connected("ballastd");
  request(*one, transaction(8));
  request(*one, transaction(9));
  ASSERT_TRUE(run_until([&] { return handler.transactions.size() == 2; }));
  for (const size_t which : {size_t{1}, size_t{0}}) {
    TransactionAnswer answer;
    answer.set_accepted(true);
    answer.set_generation(handler.transactions[which].request.generation());
    handler.transactions[which].answer(answer);
    handler.transactions[which].answer(answer);  // a second call goes nowhere
  }
  ASSERT_TRUE(run_until([&] { return one->answers.size() == 2; }));
  run_ready();
  EXPECT_EQ(one->answers.size(), 2U);
  EXPECT_EQ(one->answers[0]->transaction().generation(), 9U);
  EXPECT_EQ(one->answers[1]->transaction().generation(), 8U);
}

TEST_F(Contract, ARequestThatIsRefusedOrGivenUpFails) {
  start();
  const auto one = connected("ballastd");
  ClientFrame list;
  list.mutable_list_connections()->set_client("nonsense");
  EXPECT_EQ(ask(*one, list).error(),
            "list_connections: client: nonsense: not an address or prefix");
  list.mutable_list_connections()->clear_client();
  EXPECT_TRUE(ask(*one, list)->has_connections());
  request(*one, transaction(8));
  ASSERT_TRUE(run_until([&] { return !handler.transactions.empty(); }));
  handler.transactions.clear();
  ASSERT_TRUE(run_until([&] { return one->answers.size() == 3; }));
  EXPECT_EQ(one->answers[2].error(), "transaction: the request was given up without an answer");
  EXPECT_EQ(ask(*one, ClientFrame()).error(),
            "request: the request is not known to this dataplane");
}

TEST_F(Contract, TheLastWriterFencesTheFormer) {
  start();
  const auto first = connected("ballastd 1");
  const auto second = connected("ballastd 2");
  ASSERT_TRUE(run_until([&] { return !first->events.empty(); }));
  EXPECT_EQ(first->events[0].fenced().by(), "ballastd 2");
  const auto refused = ask(*first, transaction(8));
  ASSERT_TRUE(refused);
  EXPECT_FALSE(refused->transaction().accepted());
  EXPECT_EQ(refused->transaction().generation(), 7U);
  EXPECT_EQ(refused->transaction().refusals(0).why(), "fenced: ballastd 2 is the writer now");
  EXPECT_TRUE(handler.transactions.empty());
  EXPECT_TRUE(ask(*first, get_state())) << "it may still read";

  NeighborNeeded needed;
  needed.set_address("10.0.0.1");
  server->neighbor_needed(needed);
  PortInfo port;
  port.set_name("wan");
  server->port_changed(port);
  ASSERT_TRUE(run_until([&] { return second->events.size() == 2; }));
  EXPECT_EQ(second->events[0].neighbor_needed().address(), "10.0.0.1");
  EXPECT_EQ(second->events[1].port_changed().port().name(), "wan");
  EXPECT_EQ(first->events.size(), 1U);

  // The fenced one goes: the writer stays the writer.
  first->client->disconnect("done");
  ASSERT_TRUE(run_until([&] { return server->connections() == 1; }));
  EXPECT_TRUE(server->has_writer());
  second->client->disconnect("done");
  ASSERT_TRUE(run_until([&] { return server->connections() == 0; }));
  EXPECT_FALSE(server->has_writer());
}

TEST_F(Contract, OneThatOnlyReadsCannotWrite) {
  start();
  const auto reader = connected("observer", false);
  EXPECT_FALSE(server->has_writer());
  EXPECT_THAT(ask(*reader, transaction(8))->transaction().refusals(0).why(),
              HasSubstr("is not the writer"));
}

TEST_F(Contract, BadFramesEndTheirConnectionOnly) {
  start();
  const auto good = connected("ballastd");
  const std::vector<std::pair<std::string, std::string>> cases{
      {std::string("\xff\xff\xff\xff", 4), "out of range"},
      {std::string("GET / HTTP/1.1\r\n\r\n"), "does not speak this protocol"},
      {std::string("\0\0\0\2\xff\xff", 6), "are not a ballast.api.ClientFrame"},
      {std::string("\0\0\0\0", 4), "id 0"},
  };
  for (const auto& [bytes, reason] : cases) {
    RawPeer bad(path);
    bad.send_hello();
    ASSERT_TRUE(run_until([&] { return bad.read(), !bad.frames.empty(); }));
    bad.send(bytes);
    EXPECT_TRUE(run_until([&] { return bad.read(), bad.closed; }));
    ASSERT_TRUE(run_until([&] { return server->connections() == 1; }));
    EXPECT_THAT(log.back(), HasSubstr(reason));
  }
  EXPECT_TRUE(ask(*good, get_state()));
}

TEST_F(Contract, AClientThatVanishesWithARequestUnderWayHarmsNobody) {
  start();
  auto one = connected("ballastd");
  request(*one, transaction(8));
  ClientFrame statistics;
  statistics.mutable_get_statistics();
  request(*one, statistics);
  ASSERT_TRUE(run_until([&] { return handler.statistics_answers.size() == 1; }));
  one.reset();
  ASSERT_TRUE(run_until([&] { return server->connections() == 0; }));
  handler.transactions[0].answer({});
  handler.statistics_answers[0]({});
  const auto next = connected("ballastd again");
  EXPECT_TRUE(ask(*next, get_state()));

  request(*next, transaction(9));
  ASSERT_TRUE(run_until([&] { return handler.transactions.size() == 2; }));
  server.reset();
  handler.transactions[1].answer({});  // the server is gone
  ASSERT_TRUE(run_until([&] { return !next->ends.empty(); }));
  EXPECT_EQ(next->answers.back().error(), "the dataplane closed the connection");
  EXPECT_EQ(next->ends, std::vector<std::string>{"the dataplane closed the connection"});
  EXPECT_FALSE(next->client->connected());
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(Contract, ASlowReaderIsDisconnectedWhenItsQueueIsFull) {
  handler.state_to_answer.set_instance_id(std::string(100'000, 'x'));
  ServerOptions options;
  options.max_outgoing_bytes = 1'000'000;
  start(std::move(options));
  const auto good = connected("ballastd");
  RawPeer slow(path);
  slow.send_hello();
  ClientFrame frame = get_state();
  frame.set_id(2);
  for (int count = 0; count < 100; ++count) {
    slow.send(frame);
    run_ready();
  }
  EXPECT_EQ(server->connections(), 1U);
  EXPECT_THAT(log, Contains(HasSubstr("does not read")));
  EXPECT_TRUE(ask(*good, get_state()));
}

TEST_F(Contract, AFloodOfRequestsIsReadOnlyAsItIsAnswered) {
  start();
  RawPeer eager(path);
  eager.send_hello();
  for (uint64_t id = 2; id < 202; ++id) {
    ClientFrame frame;
    frame.set_id(id);
    frame.mutable_get_statistics();
    ASSERT_TRUE(eager.send(frame));
  }
  run_ready();
  EXPECT_EQ(handler.statistics_answers.size(), 64U);
  for (size_t next = 0; next < 200; ++next) {
    ASSERT_LT(next, handler.statistics_answers.size());
    const auto answer = handler.statistics_answers[next];
    answer({});
    run_ready();
  }
  eager.read();
  EXPECT_EQ(eager.frames.size(), 201U);
}

TEST_F(Contract, AnAnswerTooLongForAFrameBecomesAFailure) {
  start();
  handler.state_to_answer.set_instance_id(std::string(kMaxFrameBytes, 'x'));
  const auto one = connected("ballastd");
  EXPECT_THAT(ask(*one, get_state()).error(), HasSubstr("the answer is too long"));
}

TEST_F(Contract, ConnectionsAreBoundedAndTheSilentMakeRoom) {
  ServerOptions options;
  options.max_connections = 2;
  start(std::move(options));
  const auto first = connected("one");
  RawPeer silent(path);
  run_ready();
  const auto second = connected("two", false);
  EXPECT_TRUE(run_until([&] { return silent.read(), silent.closed; }));
  const auto third = peer();
  connect(*third, "three");
  ASSERT_TRUE(run_until([&] { return third->greeted; }));
  EXPECT_THAT(third->hello.error(), HasSubstr("2 connections are open: no more are allowed"));
  EXPECT_EQ(server->connections(), 2U);
}

TEST_F(Contract, ADeadlinePassesAndALateAnswerIsDropped) {
  start();
  const auto one = connected("ballastd");
  request(*one, transaction(8), std::chrono::milliseconds(0));
  ASSERT_TRUE(run_until([&] { return one->answers.size() == 1; }));
  EXPECT_EQ(one->answers[0].error(), "transaction: no answer within 0 ms");
  ASSERT_TRUE(run_until([&] { return handler.transactions.size() == 1; }));
  handler.transactions[0].answer({});
  EXPECT_TRUE(ask(*one, get_state()));
  EXPECT_EQ(one->answers.size(), 2U);
}

TEST_F(Contract, AClientWithoutAServerIsToldWhy) {
  const auto one = peer();
  connect(*one, "ballastd");
  EXPECT_FALSE(one->greeted) << "never from inside the call";
  ASSERT_TRUE(run_until([&] { return one->greeted; }));
  EXPECT_EQ(one->hello.error(), "dataplane at " + path + ": No such file or directory");
  request(*one, transaction(1));
  ASSERT_TRUE(run_until([&] { return !one->answers.empty(); }));
  EXPECT_EQ(one->answers[0].error(), "not connected to the dataplane");
  EXPECT_TRUE(one->ends.empty());
}

TEST_F(Contract, DisconnectCallsBackWhatIsUnderWayAndAReconnectWorks) {
  start();
  const auto one = connected("ballastd");
  request(*one, transaction(8));
  one->client->disconnect("reloading");
  ASSERT_TRUE(run_until([&] { return !one->answers.empty(); }));
  EXPECT_EQ(one->answers[0].error(), "reloading");
  one->greeted = false;
  connect(*one, "ballastd");
  ASSERT_TRUE(run_until([&] { return one->greeted; }));
  EXPECT_TRUE(ask(*one, get_state()));
  EXPECT_TRUE(one->ends.empty());
}

TEST_F(Contract, TheSocketIsTheOwnersAndReplacesADeadOneOnly) {
  start();
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  const auto second = ContractServer::listen(context, {path, 32, 1000, {}}, handler);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error(), "socket " + path + ": another process listens on it");
  EXPECT_TRUE(std::filesystem::exists(path));

  const std::string left = folder.file("left.sock");
  const int dead = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  left.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(dead, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(dead, 1), 0);
  EXPECT_THAT(ContractServer::listen(context, {left, 32, 1000, {}}, handler).error(),
              HasSubstr("another process listens on it"));
  close(dead);
  EXPECT_TRUE(ContractServer::listen(context, {left, 32, 1000, {}}, handler));

  const std::string file = folder.file("precious");
  std::ofstream(file) << "data";
  EXPECT_THAT(ContractServer::listen(context, {file, 32, 1000, {}}, handler).error(),
              HasSubstr("something that is not a socket is in its place"));
  EXPECT_TRUE(std::filesystem::exists(file));
  EXPECT_THAT(
      ContractServer::listen(context, {std::string(200, 'x'), 32, 1000, {}}, handler).error(),
      HasSubstr("path of 200 bytes: 1 to 107 are possible"));
}

}  // namespace
}  // namespace ballast::api
