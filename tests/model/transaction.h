// A Setup in the words of the contract.
#pragma once

#include <cstdint>

#include "dataplane/api/dataplane.pb.h"
#include "tests/model/setup.h"

namespace ballast::model {

// Full: what it does not name is removed.
[[nodiscard]] api::Transaction transaction_of(const Setup& setup, uint64_t generation);

}  // namespace ballast::model
