// What a frame that is handed to another worker takes along in its mbuf, beside mbuf.port, which
// then names the dataplane's port.
//
// A dynamic field of DPDK's: registered once, at start, before any worker runs. It means something
// only between hand_over() of one worker and poll_hand_overs() of another.
#pragma once

#include <string>

#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <tl/expected.hpp>

#include "dataplane/packet/byte_order.h"
#include "dataplane/pipeline/packet.h"

namespace ballast {

struct HandOverNote {
  Big16 datagram_source_port;  // of a fragment's datagram, once they are known
  Big16 datagram_destination_port;
  IpProtocol datagram_protocol{};
  HandOver kind = HandOver::kNone;

  friend bool operator==(const HandOverNote&, const HandOverNote&) = default;
};

class HandOverField {
 public:
  // EAL must run. Every call gives the same field.
  static tl::expected<HandOverField, std::string> find_or_register();

  [[nodiscard]] HandOverNote& of(rte_mbuf* frame) const {
    return *RTE_MBUF_DYNFIELD(frame, offset_, HandOverNote*);
  }

 private:
  explicit HandOverField(int offset) : offset_(offset) {}
  int offset_;
};

}  // namespace ballast
