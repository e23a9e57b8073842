#include "control/api/client.h"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/api/unix_address.h"
#include "dataplane/api/framing.h"
#include "tests/unit/control/api/fake_handler.h"

namespace ballast::control {
namespace {

using testing::HasSubstr;
using Kind = ClientError::Kind;

ControlClient::Clock::time_point in(std::chrono::milliseconds time) {
  return ControlClient::Clock::now() + time;
}

constexpr std::chrono::milliseconds kLong{20'000};

// Accepts one client and sends it bytes of the test's choice.
class OneShotServer {
 public:
  OneShotServer(const std::string& path, std::string bytes, bool hang_up = true)
      : listener_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const auto address = UnixAddress::of(path);
    EXPECT_EQ(bind(listener_, address->get(), address->size()), 0);
    EXPECT_EQ(listen(listener_, 1), 0);
    thread_ = std::thread([this, bytes = std::move(bytes), hang_up] {
      peer_ = accept(listener_, nullptr, nullptr);
      char request[4096];
      (void)recv(peer_, request, sizeof(request), 0);
      (void)send(peer_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (hang_up) {
        close(std::exchange(peer_, -1));
      }
    });
  }
  OneShotServer(const OneShotServer&) = delete;
  OneShotServer& operator=(const OneShotServer&) = delete;
  ~OneShotServer() {
    thread_.join();
    close(listener_);
    if (peer_ >= 0) {
      close(peer_);
    }
  }

 private:
  int listener_;
  int peer_ = -1;
  std::thread thread_;
};

api::Request status_request() {
  api::Request request;
  request.mutable_status();
  return request;
}

std::string answer_frame(uint64_t id) {
  api::Answer answer;
  answer.set_id(id);
  answer.mutable_status()->set_version("1");
  std::string frame;
  EXPECT_TRUE(ballast::api::append_frame(frame, answer));
  return frame;
}

ClientError error_after(const std::string& bytes) {
  TemporaryFolder folder;
  const OneShotServer server(folder / "s", bytes);
  auto client = ControlClient::connect(folder / "s", in(kLong));
  const auto answer = client->call(status_request(), in(kLong));
  EXPECT_FALSE(answer);
  return answer ? ClientError() : answer.error();
}

TEST(ControlClient, SaysThatBallastdIsNotRunningWithoutASocket) {
  TemporaryFolder folder;
  const auto client = ControlClient::connect(folder / "none.sock", in(kLong));
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().kind, Kind::kNotRunning);
  EXPECT_EQ(client.error().message,
            "ballastd is not running (no socket " + folder / "none.sock" +
                "): start it with \"systemctl start ballastd\", or name another socket with "
                "--socket");
}

TEST(ControlClient, SaysThatNobodyListensOnAnOldSocket) {
  TemporaryFolder folder;
  const auto address = UnixAddress::of(folder / "s");
  const int dead = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(bind(dead, address->get(), address->size()), 0);
  close(dead);
  const auto client = ControlClient::connect(folder / "s", in(kLong));
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().kind, Kind::kNotRunning);
  EXPECT_THAT(client.error().message, HasSubstr("nobody listens"));
}

TEST(ControlClient, TimesOutWhenNoAnswerComes) {
  TemporaryFolder folder;
  const OneShotServer server(folder / "s", "", false);
  auto client = ControlClient::connect(folder / "s", in(kLong));
  const auto answer = client->call(status_request(), in(std::chrono::milliseconds(30)));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, Kind::kTimeout);
}

TEST(ControlClient, ReportsAnAnswerThatEndsAtAnyByte) {
  const std::string frame = answer_frame(1);
  for (size_t length = 0; length < frame.size(); ++length) {
    const auto error = error_after(frame.substr(0, length));
    EXPECT_EQ(error.kind, Kind::kBroken) << length;
    EXPECT_THAT(error.message, HasSubstr("ended before the answer"));
  }
}

TEST(ControlClient, RefusesAnswersThatAreNone) {
  EXPECT_THAT(error_after(answer_frame(2)).message, HasSubstr("to another request"));
  EXPECT_EQ(error_after("HTTP/1.1 400 Bad Request\r\n").kind, Kind::kBroken);
  EXPECT_EQ(error_after(std::string("\0\0\0\x02\xff\xff", 6)).kind, Kind::kBroken);
  EXPECT_THAT(error_after(std::string("\0\0\0\x02\x08\x01", 6)).message,
              HasSubstr("of a kind that this ballastctl does not know"));
}

}  // namespace
}  // namespace ballast::control
