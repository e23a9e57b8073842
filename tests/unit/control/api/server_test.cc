#include "control/api/server.h"

#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/api/client.h"
#include "control/api/unix_address.h"
#include "dataplane/api/framing.h"
#include "tests/unit/control/api/running_server.h"

namespace ballast::control {
namespace {

using testing::HasSubstr;
using Kind = ClientError::Kind;

ControlClient::Clock::time_point soon() {
  return ControlClient::Clock::now() + std::chrono::seconds(20);
}

api::Request status_request() {
  api::Request request;
  request.set_client("test");
  request.mutable_status();
  return request;
}

// A peer that may send anything.
class RawPeer {
 public:
  explicit RawPeer(const std::string& path)
      : descriptor_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const auto address = UnixAddress::of(path);
    EXPECT_EQ(connect(descriptor_, address->get(), address->size()), 0);
    const timeval limit{20, 0};
    setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  }
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;
  ~RawPeer() { close(descriptor_); }

  void send(const std::string& bytes) const {
    EXPECT_EQ(::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  void end() const { shutdown(descriptor_, SHUT_WR); }
  // Everything until the server closes.
  [[nodiscard]] std::string rest() const {
    std::string bytes;
    char chunk[4096];
    for (ssize_t count = 0; (count = recv(descriptor_, chunk, sizeof(chunk), 0)) > 0;) {
      bytes.append(chunk, static_cast<size_t>(count));
    }
    return bytes;
  }
  [[nodiscard]] std::vector<api::Answer> answers() const {
    std::vector<api::Answer> answers;
    ballast::api::FrameDecoder decoder;
    decoder.feed(rest());
    api::Answer answer;
    while (decoder.next(answer).value_or(false)) {
      answers.push_back(answer);
    }
    EXPECT_EQ(decoder.pending_bytes(), 0u);
    return answers;
  }

 private:
  int descriptor_;
};

std::string frame_of(const api::Request& request) {
  std::string frame;
  EXPECT_TRUE(ballast::api::append_frame(frame, request));
  return frame;
}

class ControlServerTest : public testing::Test {
 protected:
  ControlServerOptions options() const {
    ControlServerOptions result;
    result.path = folder_ / "ballastd.sock";
    return result;
  }

  TemporaryFolder folder_;
  FakeHandler handler_;
};

TEST_F(ControlServerTest, AnswersOneRequestAfterTheOther) {
  handler_.on_status = [](const Peer&, const auto&, auto done) {
    api::StatusAnswer answer;
    answer.set_version("9.9");
    done(answer);
  };
  handler_.drops_answer->add_drops()->set_packets(7);
  RunningServer server(handler_, options());
  ASSERT_EQ(server.error, "");
  auto client = ControlClient::connect(options().path, soon());
  ASSERT_TRUE(client) << client.error().message;
  for (int round = 0; round < 100; ++round) {
    const auto status = client->call(status_request(), soon());
    ASSERT_TRUE(status) << status.error().message;
    EXPECT_EQ(status->status().version(), "9.9");
    api::Request request;
    request.mutable_drops();
    const auto drops = client->call(request, soon());
    ASSERT_TRUE(drops) << drops.error().message;
    EXPECT_EQ(drops->drops().drops(0).packets(), 7u);
  }
}

TEST_F(ControlServerTest, TellsTheHandlerWhoAsks) {
  Peer seen;
  handler_.on_status = [&](const Peer& peer, const auto&, auto done) {
    seen = peer;
    done(api::StatusAnswer());
  };
  RunningServer server(handler_, options());
  auto client = ControlClient::connect(options().path, soon());
  auto request = status_request();
  request.set_client("evil\n\x1b[31m");
  ASSERT_TRUE(client->call(request, soon()));
  EXPECT_EQ(seen.pid, getpid());
  EXPECT_EQ(seen.uid, getuid());
  EXPECT_EQ(seen.client, "evil??[31m");
}

TEST_F(ControlServerTest, LogsWhoChangesWhat) {
  std::vector<std::string> lines;
  auto with_log = options();
  with_log.log = [&](const std::string& line) { lines.push_back(line); };
  RunningServer server(handler_, with_log);
  auto client = ControlClient::connect(options().path, soon());
  ASSERT_TRUE(client->call(status_request(), soon()));
  api::Request change;
  change.set_client("ballastctl 1");
  change.mutable_set_server_override()->set_service("web");
  change.mutable_set_server_override()->set_address("10.0.0.11");
  change.mutable_set_server_override()->set_override(ballast::api::DRAINED);
  ASSERT_TRUE(client->call(change, soon()));
  server.in_loop([&] {
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_THAT(lines[0], HasSubstr("service \"web\": server 10.0.0.11 port 0: DRAINED by "
                                    "ballastctl 1 (uid "));
  });
}

TEST_F(ControlServerTest, PassesAFailureOnWithItsCodeAndDetails) {
  api::Failure refused = failure(api::Failure::REFUSED, "no");
  refused.add_details("ballast.toml:1:1: wrong");
  handler_.reload_answer = tl::unexpected(refused);
  RunningServer server(handler_, options());
  auto client = ControlClient::connect(options().path, soon());
  api::Request request;
  request.mutable_reload();
  const auto answer = client->call(request, soon());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, Kind::kFailure);
  EXPECT_EQ(answer.error().failure.code(), api::Failure::REFUSED);
  EXPECT_EQ(answer.error().failure.details(0), "ballast.toml:1:1: wrong");
  EXPECT_TRUE(client->call(status_request(), soon())) << "the connection goes on";
}

TEST_F(ControlServerTest, AnswersForAHandlerThatDropsItsCallbackOrCallsItTwice) {
  handler_.on_status = [](const Peer&, const auto&, auto) {};
  handler_.on_services = [](const std::string&) { return api::ListServicesAnswer(); };
  RunningServer server(handler_, options());
  auto client = ControlClient::connect(options().path, soon());
  const auto dropped = client->call(status_request(), soon());
  ASSERT_FALSE(dropped);
  EXPECT_EQ(dropped.error().failure.code(), api::Failure::INTERNAL);
  server.in_loop([&] {
    handler_.on_status = [](const Peer&, const auto&, auto done) {
      done(api::StatusAnswer());
      done(tl::unexpected(failure(api::Failure::INTERNAL, "twice")));
    };
  });
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(client->call(status_request(), soon()));
  }
}

TEST_F(ControlServerTest, GivesUpOnAHandlerThatIsLateAndIgnoresItsAnswer) {
  ControlHandler::Callback<api::StatusAnswer> kept;
  handler_.on_status = [&](const Peer&, const auto&, auto done) { kept = std::move(done); };
  auto quick = options();
  quick.request_timeout = std::chrono::milliseconds(20);
  RunningServer server(handler_, quick);
  auto client = ControlClient::connect(options().path, soon());
  const auto answer = client->call(status_request(), soon());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().failure.code(), api::Failure::TIMED_OUT);
  server.in_loop([&] { kept(api::StatusAnswer()); });
  server.in_loop([&] { kept = nullptr; });
}

TEST_F(ControlServerTest, OutlivesClientsThatVanishAtAnyByteOfARequest) {
  RunningServer server(handler_, options());
  const std::string frame = frame_of(status_request());
  for (size_t length = 0; length <= frame.size(); ++length) {
    RawPeer(options().path).send(frame.substr(0, length));
  }
  auto client = ControlClient::connect(options().path, soon());
  EXPECT_TRUE(client->call(status_request(), soon()));
}

TEST_F(ControlServerTest, IgnoresAnAnswerForAClientThatHasGone) {
  ControlHandler::Callback<api::StatusAnswer> kept;
  std::promise<void> asked;
  handler_.on_status = [&](const Peer&, const auto&, auto done) {
    kept = std::move(done);
    asked.set_value();
  };
  RunningServer server(handler_, options());
  {
    const RawPeer peer(options().path);
    peer.send(frame_of(status_request()));
    asked.get_future().wait();
  }
  server.in_loop([&] { kept(api::StatusAnswer()); });
  handler_.drops_answer->add_drops();
  auto client = ControlClient::connect(options().path, soon());
  api::Request request;
  request.mutable_drops();
  EXPECT_TRUE(client->call(request, soon()));
}

TEST_F(ControlServerTest, AnswersRequestsThatWereSentAtOnceInTheirOrder) {
  RunningServer server(handler_, options());
  std::string bytes;
  for (uint64_t id = 1; id <= 50; ++id) {
    auto request = status_request();
    request.set_id(id);
    bytes += frame_of(request);
  }
  const RawPeer peer(options().path);
  peer.send(bytes);
  peer.end();
  const auto answers = peer.answers();
  ASSERT_EQ(answers.size(), 50u);
  for (size_t index = 0; index < answers.size(); ++index) {
    EXPECT_EQ(answers[index].id(), index + 1);
    EXPECT_TRUE(answers[index].has_status());
  }
}

TEST_F(ControlServerTest, RefusesAFrameThatIsTooLongAndCloses) {
  RunningServer server(handler_, options());
  const RawPeer peer(options().path);
  peer.send(std::string("\xff\xff\xff\xff", 4));
  const auto answers = peer.answers();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].failure().code(), api::Failure::TOO_LARGE);
}

TEST_F(ControlServerTest, RefusesWhatIsNoRequestAndCloses) {
  RunningServer server(handler_, options());
  const RawPeer peer(options().path);
  peer.send(std::string("\0\0\0\x03\xff\xff\xff", 7));
  const auto answers = peer.answers();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].failure().code(), api::Failure::INVALID);
}

TEST_F(ControlServerTest, SaysThatItDoesNotKnowARequestAndGoesOn) {
  RunningServer server(handler_, options());
  auto client = ControlClient::connect(options().path, soon());
  const auto answer = client->call(api::Request(), soon());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().failure.code(), api::Failure::UNSUPPORTED);
  EXPECT_TRUE(client->call(status_request(), soon()));
}

TEST_F(ControlServerTest, SurvivesRandomBytes) {
  RunningServer server(handler_, options());
  std::mt19937 random(20260101);
  for (int round = 0; round < 300; ++round) {
    std::string bytes(random() % 200, '\0');
    for (char& byte : bytes) {
      byte = static_cast<char>(random());
    }
    if (round % 2 == 0 &&
        bytes.size() > 4) {  // a frame of the right length, so that its content is looked at
      const auto body = static_cast<unsigned char>(bytes.size() - 4);
      bytes.replace(0, 4, std::string("\0\0\0", 3) + static_cast<char>(body));
    }
    const RawPeer peer(options().path);
    peer.send(bytes);
    peer.end();
    (void)peer.rest();
  }
  auto client = ControlClient::connect(options().path, soon());
  EXPECT_TRUE(client->call(status_request(), soon()));
}

TEST_F(ControlServerTest, ClosesConnectionsThatStayIdleOrDripIn) {
  auto quick = options();
  quick.idle_timeout = std::chrono::milliseconds(20);
  RunningServer server(handler_, quick);
  const RawPeer idle(options().path);
  const RawPeer dripping(options().path);
  dripping.send(std::string(1, '\0'));
  EXPECT_EQ(idle.rest(), "");
  EXPECT_EQ(dripping.rest(), "");
  EXPECT_EQ(server.connections(), 0u);
}

TEST_F(ControlServerTest, TellsThoseAboveTheLimitToTryAgain) {
  auto small = options();
  small.max_connections = 1;
  RunningServer server(handler_, small);
  {
    auto first = ControlClient::connect(options().path, soon());
    ASSERT_TRUE(first->call(status_request(), soon()));
    auto second = ControlClient::connect(options().path, soon());
    const auto refused = second->call(status_request(), soon());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().failure.code(), api::Failure::BUSY) << refused.error().message;
    EXPECT_TRUE(first->call(status_request(), soon()));
  }
}

TEST_F(ControlServerTest, SaysThatAnAnswerIsTooLarge) {
  auto small = options();
  small.max_answer_bytes = 1000;
  handler_.on_services = [](const std::string&) {
    api::ListServicesAnswer answer;
    answer.add_services()->set_name(std::string(2000, 'x'));
    return answer;
  };
  RunningServer server(handler_, small);
  auto client = ControlClient::connect(options().path, soon());
  api::Request request;
  request.mutable_list_services();
  const auto answer = client->call(request, soon());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().failure.code(), api::Failure::TOO_LARGE);
}

TEST_F(ControlServerTest, MakesASocketForItsGroupAndRemovesItAtTheEnd) {
  struct stat found {};
  {
    RunningServer server(handler_, options());
    ASSERT_EQ(stat(options().path.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 07777, 0660u);
  }
  EXPECT_NE(stat(options().path.c_str(), &found), 0);
}

TEST_F(ControlServerTest, RefusesWhileAnotherLivesAndNamesIt) {
  RunningServer first(handler_, options());
  RunningServer second(handler_, options());
  EXPECT_EQ(second.error, "another ballastd (pid " + std::to_string(getpid()) +
                              ") is listening on " + options().path);
  auto client = ControlClient::connect(options().path, soon());
  EXPECT_TRUE(client->call(status_request(), soon())) << "the first one goes on";
}

TEST_F(ControlServerTest, ReplacesTheSocketOfOneThatDied) {
  const auto address = UnixAddress::of(options().path);
  const int dead = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(bind(dead, address->get(), address->size()), 0);
  ASSERT_EQ(listen(dead, 1), 0);
  close(dead);
  RunningServer server(handler_, options());
  EXPECT_EQ(server.error, "");
  EXPECT_TRUE(ControlClient::connect(options().path, soon())->call(status_request(), soon()));
}

TEST_F(ControlServerTest, RefusesPathsThatCannotBe) {
  auto wrong = options();
  wrong.path = std::string(200, 'x');
  EXPECT_THAT(RunningServer(handler_, wrong).error, HasSubstr("1 to 107 bytes"));
  wrong.path = folder_ / "no/such/folder";
  EXPECT_THAT(RunningServer(handler_, wrong).error, HasSubstr("No such file or directory"));
  wrong = options();
  wrong.group = "no-such-group-here";
  EXPECT_THAT(RunningServer(handler_, wrong).error, HasSubstr("\"no-such-group-here\""));
}

}  // namespace
}  // namespace ballast::control
