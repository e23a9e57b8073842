#include "dataplane/api/framing.h"

#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/api/dataplane.pb.h"

namespace ballast::api {
namespace {

Hello hello(const std::string& client) {
  Hello result;
  result.set_version(1);
  result.set_client(client);
  return result;
}

TEST(Framing, HasABigEndianLengthBeforeTheMessage) {
  std::string stream = "x";
  ASSERT_TRUE(append_frame(stream, hello(std::string(300, 'a'))));
  EXPECT_EQ(stream.substr(1, 4), std::string("\x00\x00\x01\x31", 4));
  EXPECT_EQ(stream.size(), 1 + 4 + 0x131U);
}

TEST(Framing, GivesTheSameFramesHoweverTheBytesArrive) {
  std::mt19937 random(1);
  std::string stream;
  std::vector<std::string> sent;
  for (int count = 0; count < 200; ++count) {
    sent.emplace_back(random() % 500, 'c');
    ASSERT_TRUE(append_frame(stream, hello(sent.back())));
  }
  for (const size_t step : {size_t{1}, size_t{3}, size_t{1000}, stream.size()}) {
    FrameDecoder decoder;
    std::vector<std::string> received;
    for (size_t at = 0; at < stream.size(); at += step) {
      decoder.feed(std::string_view(stream).substr(at, step));
      Hello message;
      while (decoder.next(message).value()) {
        received.push_back(message.client());
      }
    }
    EXPECT_EQ(received, sent);
    EXPECT_EQ(decoder.pending_bytes(), 0U);
  }
}

TEST(Framing, WaitsOnEveryTruncation) {
  std::string stream;
  ASSERT_TRUE(append_frame(stream, hello("somebody")));
  for (size_t length = 0; length < stream.size(); ++length) {
    FrameDecoder decoder;
    decoder.feed(std::string_view(stream).substr(0, length));
    const auto payload = decoder.next();
    ASSERT_TRUE(payload);
    EXPECT_FALSE(payload->has_value());
    EXPECT_EQ(decoder.pending_bytes(), length);
  }
}

TEST(Framing, RefusesALengthBeyondTheLimitBeforeItsBytesArriveAndForEver) {
  FrameDecoder decoder;
  decoder.feed(std::string_view("\x01\x00\x00\x01", 4));
  for (int count = 0; count < 2; ++count) {
    const auto payload = decoder.next();
    ASSERT_FALSE(payload);
    EXPECT_EQ(payload.error(),
              "frame: length 16777217 is out of range (0-16777216): the peer does not speak this "
              "protocol");
  }
  FrameDecoder at_limit;
  at_limit.feed(std::string_view("\x01\x00\x00\x00", 4));
  EXPECT_TRUE(at_limit.next());
}

TEST(Framing, AppendsNothingWhenAMessageIsTooLong) {
  std::string stream = "before";
  const auto appended = append_frame(stream, hello(std::string(100, 'a')), 50);
  ASSERT_FALSE(appended);
  EXPECT_EQ(appended.error(), "frame: ballast.api.Hello has 104 bytes: at most 50 are allowed");
  EXPECT_EQ(stream, "before");
}

TEST(Framing, NamesTheMessageThatAFrameIsNot) {
  FrameDecoder decoder;
  decoder.feed(std::string_view("\x00\x00\x00\x02\xff\xff", 6));
  Hello message;
  const auto parsed = decoder.next(message);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error(), "frame: its 2 bytes are not a ballast.api.Hello");
}

TEST(Framing, SurvivesRandomBytes) {
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    FrameDecoder decoder(1000);
    for (int chunk = 0; chunk < 20; ++chunk) {
      std::string bytes(random() % 50, '\0');
      for (char& byte : bytes) {
        byte = static_cast<char>(random() % 3 == 0 ? random() : 0);
      }
      decoder.feed(bytes);
      ClientFrame message;
      while (true) {
        const auto parsed = decoder.next(message);
        if (!parsed || !*parsed) {
          break;
        }
      }
    }
  }
}

}  // namespace
}  // namespace ballast::api
