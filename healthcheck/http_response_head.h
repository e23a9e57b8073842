// Reads the status out of the head of an HTTP/1 response, however it is cut into pieces. Pure.
//
// Only the head is read: a body of any length and framing (chunked, until close) is neither needed
// nor waited for. Interim responses (1xx, RFC 9110 section 15.2) are passed over, unless such a
// status is what is expected. All heads together may have kMaxBytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "healthcheck/check_result.h"
#include "healthcheck/status_set.h"

namespace ballast::healthcheck {

class HttpResponseHead {
 public:
  static constexpr size_t kMaxBytes = size_t{16} * 1024;

  explicit HttpResponseHead(const StatusSet& expected) : expected_(expected) {}

  // Takes the next bytes of the stream, none at its end. The result, once it is known; nothing is
  // taken after that.
  std::optional<CheckResult> take(std::string_view bytes);

 private:
  std::optional<CheckResult> parse();

  StatusSet expected_;
  std::string head_;        // of the response that is being read
  size_t searched_ = 0;     // of head_: where no end was found
  size_t passed_over_ = 0;  // bytes of interim responses
};

}  // namespace ballast::healthcheck
