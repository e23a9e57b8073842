#include "healthcheck/tcp_checker.h"

#include <utility>

#include "healthcheck/check_socket.h"

namespace ballast::healthcheck {
namespace {

class TcpChecker : public Checker {
 public:
  TcpChecker(boost::asio::io_context& loop, const CheckRequest& request)
      : address_(request.address),
        port_(request.port),
        socket_(loop, request.settings.timeout,
                [this](CheckResult result) { finish(std::move(result)); }) {}

  void start(OnDone done) override {
    done_ = std::move(done);
    socket_.connect(address_, port_, [this] { finish({Verdict::kHealthy, "connected"}); });
  }

 private:
  void finish(CheckResult result) {
    // On the stack, as `done` may destroy this object.
    if (const OnDone done = std::exchange(done_, nullptr)) {
      done(std::move(result));
    }
  }

  IpAddress address_;
  uint16_t port_;
  OnDone done_;
  CheckSocket socket_;
};

}  // namespace

std::unique_ptr<Checker> make_tcp_checker(boost::asio::io_context& loop,
                                          const CheckRequest& request) {
  return std::make_unique<TcpChecker>(loop, request);
}

}  // namespace ballast::healthcheck
