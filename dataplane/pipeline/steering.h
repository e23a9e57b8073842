// Which worker owns a flow.
//
// A pure function of the flow's canonical key: the Toeplitz hash of the four-tuple, as the NIC
// computes it for the frames of the client, through an indirection table. Ports whose NIC hashes
// are programmed with the same key and table, so that their frames arrive at the owner; for all
// others software computes it here, and a packet on the wrong worker is handed over. Correctness
// never depends on the NIC.
//
//   - The flows of NAT, whose replies carry the server's address in the VIP's place: by the half of
//     the four-tuple that is the client's alone, the other half zero, as a NIC hashes what comes
//     from clients when it is told to leave the destination out (L3_SRC_ONLY, L4_SRC_ONLY). The
//     client's half is in the source's place for both directions: it is a hash of the flow, not of
//     the frame.
//   - Fragments: by what all of a datagram have in common, and what no NIC hashes, to the worker
//     that knows the datagram's ports or will know them. Only from there to the flow's owner.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/packet/datagram_key.h"
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
  [[nodiscard]] WorkerIndex owner_by_client(const IpAddress& client, Big16 client_port) const {
    return workers_ == 1 ? WorkerIndex{0} : owner(toeplitz_.hash_source(client, client_port));
  }
  // Of a reply to a local address, as a NIC hashes it: local ports are taken so that this is the
  // owner of the flow (LocalPorts::IsOwned).
  [[nodiscard]] WorkerIndex owner_of_reply(const IpAddress& server, Big16 server_port,
                                           const IpAddress& local, Big16 local_port) const {
    return workers_ == 1 ? WorkerIndex{0}
                         : owner(toeplitz_.hash(server, local, server_port, local_port));
  }
  // The worker that keeps the datagram of this fragment; no hash of a flow.
  [[nodiscard]] WorkerIndex fragment_owner(const ParsedHeaders& fragment) const {
    return owner(DatagramKey::of(fragment).tuple);
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
