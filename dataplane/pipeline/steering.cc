#include "dataplane/pipeline/steering.h"

namespace ballast {

Steering::Steering(const RssKey& key, uint16_t workers)
    : key_(key), toeplitz_(key), workers_(workers) {
  for (uint32_t entry = 0; entry < kIndirection; ++entry) {
    table_[entry] = static_cast<WorkerIndex>(entry % workers);
  }
}

}  // namespace ballast
