#include "healthcheck/http_response_head.h"

#include <random>

#include <gmock/gmock.h>

namespace ballast::healthcheck {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::optional<CheckResult> take_all(HttpResponseHead& head, std::string_view bytes, size_t piece) {
  for (size_t begin = 0; begin < bytes.size(); begin += piece) {
    if (auto result = head.take(bytes.substr(begin, piece))) {
      return result;
    }
  }
  return std::nullopt;
}

// The result of a stream that ends after these bytes; the same in all pieces.
CheckResult result_of(std::string_view bytes, const StatusSet& expected = {}) {
  std::optional<CheckResult> whole;
  for (const size_t piece : {bytes.size() + 1, size_t{1}, size_t{2}, size_t{3}, size_t{7}}) {
    HttpResponseHead head(expected);
    auto result = take_all(head, bytes, piece);
    if (!result) {
      result = head.take("");
    }
    EXPECT_TRUE(result);
    if (!whole) {
      whole = result;
    }
    EXPECT_EQ(result->verdict, whole->verdict) << "in pieces of " << piece << ": " << bytes;
  }
  return *whole;
}

TEST(HttpResponseHead, TellsEveryExpectedStatusFromEveryOther) {
  const StatusSet expected = *StatusSet::parse("200-299,301,404");
  for (int status = 200; status < 600; ++status) {
    const auto result =
        result_of("HTTP/1.1 " + std::to_string(status) + " Text\r\nA: b\r\n\r\n", expected);
    EXPECT_EQ(result.verdict == Verdict::kHealthy, expected.contains(status)) << status;
  }
  EXPECT_EQ(result_of("HTTP/1.1 503 No\r\n\r\n"),
            (CheckResult{Verdict::kUnhealthy, "HTTP status 503, expected 200-299"}));
  EXPECT_EQ(result_of("HTTP/1.1 204 No Content\r\n\r\n"),
            (CheckResult{Verdict::kHealthy, "HTTP status 204"}));
}

TEST(HttpResponseHead, NeedsNoBodyWhateverItsFraming) {
  for (const char* field :
       {"Content-Length: 0", "Content-Length: 123456789012", "X: y", "Transfer-Encoding: chunked",
        "Connection: close", "Upgrade: websocket\r\nConnection: upgrade"}) {
    HttpResponseHead head{StatusSet()};
    const auto result = head.take(std::string("HTTP/1.1 200 OK\r\n") + field + "\r\n\r\n");
    ASSERT_TRUE(result) << field;
    EXPECT_EQ(result->verdict, Verdict::kHealthy) << field;
  }
  EXPECT_EQ(result_of("HTTP/1.0 200 OK\r\n\r\nbody").verdict, Verdict::kHealthy);
  EXPECT_EQ(
      result_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
          .verdict,
      Verdict::kHealthy);
}

TEST(HttpResponseHead, PassesOverInterimResponses) {
  const std::string interim = "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n";
  EXPECT_EQ(result_of(interim + "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\n\r\n").text,
            "HTTP status 503, expected 200-299");
  EXPECT_EQ(result_of(interim).text, "connection closed inside the response header");
  EXPECT_EQ(result_of(interim, *StatusSet::parse("103")).verdict, Verdict::kHealthy);
  EXPECT_EQ(result_of("HTTP/1.1 101 Switching Protocols\r\n\r\n").text,
            "HTTP status 101, expected 200-299");
  std::string endless;
  while (endless.size() < 2 * HttpResponseHead::kMaxBytes) {
    endless += interim;
  }
  EXPECT_EQ(result_of(endless).text, "response header is larger than 16 KiB");
}

TEST(HttpResponseHead, KnowsNoResultFromAnyTruncation) {
  const std::string whole = "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 2\r\n\r\n";
  for (size_t length = 1; length < whole.size(); ++length) {
    HttpResponseHead head{StatusSet()};
    ASSERT_EQ(head.take(whole.substr(0, length)), std::nullopt) << length;
    const auto result = head.take("");
    ASSERT_TRUE(result);
    EXPECT_EQ(result->text, "connection closed inside the response header");
  }
  EXPECT_EQ(HttpResponseHead{StatusSet()}.take("")->text, "connection closed without a response");
}

TEST(HttpResponseHead, BoundsTheHeader) {
  const std::string start = "HTTP/1.1 200 OK\r\nA: ";
  const std::string end = "\r\n\r\n";
  const size_t room = HttpResponseHead::kMaxBytes - start.size() - end.size();
  EXPECT_EQ(result_of(start + std::string(room, 'a') + end).verdict, Verdict::kHealthy);
  EXPECT_EQ(result_of(start + std::string(room + 1, 'a') + end).text,
            "response header is larger than 16 KiB");
  HttpResponseHead head{StatusSet()};
  EXPECT_EQ(take_all(head, start + std::string(1'000'000, 'a'), 4096)->text,
            "response header is larger than 16 KiB");
}

TEST(HttpResponseHead, SaysWhatItGotWhenThatIsNotHttp) {
  EXPECT_EQ(result_of("SSH-2.0-OpenSSH_9.2\r\n").text,
            "not an HTTP/1 response: it begins with \"SSH-2.0-OpenSSH_9.2??\"");
  EXPECT_THAT(result_of("HTTP/2.0 200 OK\r\n\r\n").text, StartsWith("not an HTTP/1 response"));
  EXPECT_THAT(result_of("HTTP/1.1 2000 OK\r\n\r\n").text, StartsWith("not a valid HTTP response"));
  EXPECT_THAT(result_of("HTTP/1.1 200 OK\r\nno colon\r\n\r\n").text,
              StartsWith("not a valid HTTP response"));
  EXPECT_THAT(result_of("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n").text,
              StartsWith("not a valid HTTP response"));
  EXPECT_THAT(result_of(std::string("\x16\x03\x01\0\0", 5)).text, HasSubstr("\"?????\""));
}

TEST(HttpResponseHead, OutlivesRandomBytes) {
  std::mt19937 random(4);
  static constexpr std::string_view kAlphabet = "\r\n\r\n: 0123456789abcHTP/1.1 200\0\xff";
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = random() % 2 == 0 ? "HTTP/1.1 " : "HTTP/1.1 200 OK\r\n";
    bytes.resize(random() % (bytes.size() + 1));
    const size_t length = random() % 200;
    for (size_t index = 0; index < length; ++index) {
      bytes += kAlphabet[random() % kAlphabet.size()];
    }
    HttpResponseHead head{StatusSet()};
    auto result = take_all(head, bytes, 1 + random() % 50);
    if (!result) {
      result = head.take("");
    }
    ASSERT_TRUE(result);
    ASSERT_NE(result->verdict, Verdict::kInconclusive);
    ASSERT_LT(result->text.size(), 200U);
  }
}

}  // namespace
}  // namespace ballast::healthcheck
