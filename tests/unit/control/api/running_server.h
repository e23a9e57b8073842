// A ControlServer whose loop runs in a thread of its own, so that a test may use the synchronous
// client.
#pragma once

#include <future>
#include <memory>
#include <thread>
#include <type_traits>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "control/api/server.h"
#include "tests/unit/control/api/fake_handler.h"

namespace ballast::control {

class RunningServer {
 public:
  explicit RunningServer(FakeHandler& handler, ControlServerOptions options) {
    auto listening = ControlServer::listen(loop_, handler, std::move(options));
    if (!listening) {
      error = listening.error();
      return;
    }
    server_ = std::make_unique<ControlServer>(std::move(*listening));
    thread_ = std::thread([this] { loop_.run(); });
  }
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;
  ~RunningServer() {
    if (thread_.joinable()) {
      in_loop([this] { server_.reset(); });
      guard_.reset();
      loop_.stop();
      thread_.join();
    }
  }

  // Runs `work` in the server's thread and waits for it.
  template <class Work>
  std::invoke_result_t<Work> in_loop(Work work) {
    // Owned by the loop as well: it may still be on its way out of the task when the result is
    // there.
    auto task = std::make_shared<std::packaged_task<std::invoke_result_t<Work>()>>(std::move(work));
    auto result = task->get_future();
    boost::asio::post(loop_, [task] { (*task)(); });
    return result.get();
  }

  size_t connections() {
    return in_loop([this] { return server_->connections(); });
  }

  std::string error;

 private:
  boost::asio::io_context loop_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{
      loop_.get_executor()};
  std::unique_ptr<ControlServer> server_;
  std::thread thread_;
};

}  // namespace ballast::control
