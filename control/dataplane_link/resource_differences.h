// What leads from what the dataplane was told to what it should know. Pure.
#pragma once

#include <set>
#include <string>

#include "control/dataplane_link/resources.h"
#include "dataplane/api/dataplane.pb.h"

namespace ballast::control {

// Adds to the transaction what leads, in these keys, from `said` to `wanted`.
void put_differences(const std::set<std::string>& keys, const Resources& said,
                     const Resources& wanted, ballast::api::Transaction& transaction);

// Makes `said` equal to `wanted` in these keys.
void note_said(const std::set<std::string>& keys, const Resources& wanted, Resources& said);

}  // namespace ballast::control
