#include "healthcheck/http_response_head.h"

#include <algorithm>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <fmt/format.h>

#include "healthcheck/printable.h"

namespace ballast::healthcheck {
namespace {

namespace http = boost::beast::http;

CheckResult unhealthy(std::string text) {
  return {Verdict::kUnhealthy, std::move(text)};
}

CheckResult result_of_status(int status, const StatusSet& expected) {
  if (expected.contains(status)) {
    return {Verdict::kHealthy, fmt::format("HTTP status {}", status)};
  }
  return unhealthy(
      fmt::format("HTTP status {}, expected {}", status, printable(expected.to_string(), 80)));
}

// Whether the bytes could still become a response: the protocol's name is looked at as it arrives,
// so that a server of another protocol is told from a slow one.
bool may_be_http(std::string_view head) {
  static constexpr std::string_view kName = "HTTP/1.";
  return head.substr(0, kName.size()) == kName.substr(0, head.size());
}

}  // namespace

std::optional<CheckResult> HttpResponseHead::take(std::string_view bytes) {
  if (bytes.empty()) {
    return unhealthy(head_.empty() && passed_over_ == 0
                         ? "connection closed without a response"
                         : "connection closed inside the response header");
  }
  head_ += bytes;
  for (;;) {
    if (!may_be_http(head_)) {
      return unhealthy(
          fmt::format("not an HTTP/1 response: it begins with \"{}\"", printable(head_)));
    }
    const size_t before = passed_over_;
    auto result = parse();
    if (result || passed_over_ == before || head_.empty()) {
      return result;
    }
  }
}

std::optional<CheckResult> HttpResponseHead::parse() {
  static constexpr std::string_view kEnd = "\r\n\r\n";
  const size_t end = head_.find(kEnd, searched_);
  const size_t length = end == std::string::npos ? head_.size() : end + kEnd.size();
  if (passed_over_ + length > kMaxBytes) {
    return unhealthy(fmt::format("response header is larger than {} KiB", kMaxBytes / 1024));
  }
  if (end == std::string::npos) {
    searched_ = head_.size() - std::min(head_.size(), kEnd.size() - 1);
    return std::nullopt;
  }
  http::response_parser<http::empty_body> parser;
  parser.header_limit(static_cast<uint32_t>(kMaxBytes));
  parser.body_limit(boost::none);
  boost::beast::error_code error;
  parser.put(boost::asio::buffer(head_.data(), length), error);
  if (error || !parser.is_header_done()) {
    return unhealthy(fmt::format("not a valid HTTP response: {}: it begins with \"{}\"",
                                 error ? error.message() : "incomplete", printable(head_)));
  }
  const int status = static_cast<int>(parser.get().result_int());
  const bool interim = status < 200 && status != 101 && !expected_.contains(status);
  if (!interim) {
    return result_of_status(status, expected_);
  }
  passed_over_ += length;
  head_.erase(0, length);
  searched_ = 0;
  return std::nullopt;
}

}  // namespace ballast::healthcheck
