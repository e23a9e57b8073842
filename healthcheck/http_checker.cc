#include "healthcheck/http_checker.h"

#include <utility>

#include <fmt/format.h>

#include "healthcheck/check_socket.h"
#include "healthcheck/http_response_head.h"

namespace ballast::healthcheck {
namespace {

// RFC 9110 section 7.2: the host, and the port unless it is the scheme's own; IPv6 in brackets.
std::string host_header(const CheckRequest& request) {
  if (!request.settings.host.empty()) {
    return request.settings.host;
  }
  const std::string address = request.address.to_string();
  const std::string host = request.address.is_v6() ? "[" + address + "]" : address;
  return request.port == 80 ? host : fmt::format("{}:{}", host, request.port);
}

// RFC 9110 section 8.6: a method that has a meaning for content says so when there is none.
bool wants_content_length(std::string_view method) {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

class HttpChecker : public Checker {
 public:
  HttpChecker(boost::asio::io_context& loop, const CheckRequest& request)
      : request_(request),
        head_(request.settings.expect_status),
        socket_(loop, request.settings.timeout,
                [this](CheckResult result) { finish(std::move(result)); }) {}

  void start(OnDone done) override {
    done_ = std::move(done);
    socket_.connect(request_.address, request_.port, [this] {
      socket_.send(http_request_text(request_), "sending the request", [this] { receive(); });
    });
  }

 private:
  void receive() {
    socket_.receive("waiting for the response header", [this](std::string_view bytes) {
      if (auto result = head_.take(bytes)) {
        finish(*std::move(result));
      } else {
        receive();
      }
    });
  }

  void finish(CheckResult result) {
    // On the stack, as `done` may destroy this object.
    if (const OnDone done = std::exchange(done_, nullptr)) {
      done(std::move(result));
    }
  }

  CheckRequest request_;
  HttpResponseHead head_;
  OnDone done_;
  CheckSocket socket_;
};

}  // namespace

std::string http_request_text(const CheckRequest& request) {
  const CheckSettings& settings = request.settings;
  return fmt::format(
      "{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: ballast/{}\r\nAccept: */*\r\n{}Connection: "
      "close\r\n\r\n",
      settings.method, settings.path, host_header(request), BALLAST_VERSION,
      wants_content_length(settings.method) ? "Content-Length: 0\r\n" : "");
}

std::unique_ptr<Checker> make_http_checker(boost::asio::io_context& loop,
                                           const CheckRequest& request) {
  return std::make_unique<HttpChecker>(loop, request);
}

}  // namespace ballast::healthcheck
