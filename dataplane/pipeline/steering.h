// Which worker owns a flow.
//
// A pure function of the flow's canonical key: the Toeplitz hash of the four-tuple, as the NIC
// computes it for the frames of the client, through an indirection table. Ports whose NIC hashes
// are programmed with the same key and table, so that their frames arrive at the owner; for all
// others software computes it here, and a packet on the wrong worker is handed over. Correctness
// never depends on the NIC.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/packet/flow_key.h"
#include "dataplane/packet/numbers.h"
#include "dataplane/packet/toeplitz.h"

namespace ballast {

class Steering {
 public:
  // Entries of the indirection table. A NIC with a larger one repeats it; one with a smaller one
  // steers by software.
  static constexpr uint32_t kIndirection = 128;

  Steering(const RssKey& key, uint16_t workers);

  [[nodiscard]] WorkerIndex owner(uint32_t rss_hash) const {
    return table_[rss_hash % kIndirection];
  }
  [[nodiscard]] WorkerIndex owner(const FlowKey& flow) const {
    return workers_ == 1
               ? WorkerIndex{0}
               : owner(toeplitz_.hash(flow.client, flow.vip, flow.client_port, flow.vip_port));
  }

  [[nodiscard]] uint16_t workers() const { return workers_; }
  [[nodiscard]] const RssKey& key() const { return key_; }

 private:
  RssKey key_;
  ToeplitzHash toeplitz_;
  uint16_t workers_;
  std::array<WorkerIndex, kIndirection> table_{};
};

}  // namespace ballast
