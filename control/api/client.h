// ballastctl's side of the protocol: one connection, one request at a time, synchronous, every wait
// bounded.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "control/api/control.pb.h"
#include "control/api/limits.h"
#include "dataplane/api/framing.h"

namespace ballast::control {

struct ClientError {
  enum class Kind {
    kNotRunning,  // no socket, or nobody listens on it
    kPermission,  // the socket's mode forbids it
    kTimeout,     // no answer within the deadline
    kBroken,      // the connection ended, or what came is no answer
    kFailure,     // ballastd's answer is a Failure
  };
  Kind kind = Kind::kBroken;
  std::string message;
  api::Failure failure;  // of kFailure
};

class ControlClient {
 public:
  using Clock = std::chrono::steady_clock;

  static tl::expected<ControlClient, ClientError> connect(const std::string& path,
                                                          Clock::time_point deadline);

  ControlClient(ControlClient&& other) noexcept;
  ControlClient& operator=(ControlClient&& other) noexcept;
  ~ControlClient();

  // Sends `request` under an id of its own and waits for the answer, which is never a Failure.
  // After any error but kFailure the connection is of no further use.
  tl::expected<api::Answer, ClientError> call(api::Request request, Clock::time_point deadline);

 private:
  ControlClient(int descriptor, std::string path)
      : descriptor_(descriptor), path_(std::move(path)) {}
  tl::expected<void, ClientError> send(const std::string& frame, Clock::time_point deadline);
  tl::expected<api::Answer, ClientError> receive(Clock::time_point deadline);
  [[nodiscard]] ClientError broken(const std::string& why) const;

  int descriptor_ = -1;
  std::string path_;
  uint64_t last_id_ = 0;
  ballast::api::FrameDecoder decoder_{kMaxControlAnswer};
};

}  // namespace ballast::control
