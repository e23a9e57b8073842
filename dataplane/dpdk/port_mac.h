// The MAC of a port whose device has none of its own (tap, memif, vhost, virtio_user), kept over
// restarts in the runtime folder, so that neighbours need not learn a new one each time.
#pragma once

#include <string>

#include "dataplane/packet/address.h"

namespace ballast {

// The MAC kept for this port, or a fresh locally administered one, which is kept from now on as far
// as the folder allows.
MacAddress kept_mac(const std::string& runtime_dir, const std::string& port);

}  // namespace ballast
