// What is wrong with a transaction: all of it, so that an operator mends it in one go, up to a
// limit.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "dataplane/api/dataplane.pb.h"

namespace ballast {

class RefusalList {
 public:
  static constexpr size_t kMaxListed = 100;

  // `what` is a resource, `why` a sentence: "weight 70000 is out of range (0-65535)".
  void add(const std::string& what, const std::string& why);

  [[nodiscard]] bool empty() const { return total_ == 0; }
  [[nodiscard]] size_t total() const { return total_; }
  // At most kMaxListed; the last one says how many more there were.
  [[nodiscard]] std::vector<api::Refusal> take();

 private:
  size_t total_ = 0;
  std::vector<api::Refusal> listed_;
};

}  // namespace ballast
