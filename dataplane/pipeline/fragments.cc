// Fragments: from the worker that they arrive at to the one that knows the ports of their datagram,
// and on to the owner of the flow.
#include "dataplane/pipeline/admission.h"

namespace ballast {

void Pipeline::enter_fragment(Packet& packet, Slot& slot) {
  if (!may_have_ports(slot.parsed)) {
    return drop(packet, DropReason::kFragmentLater);
  }
  // They came along from who knew them, or were found while the packet was held.
  if (packet.datagram_source_port != Big16{}) {
    slot.parsed.source_port = packet.datagram_source_port;
    slot.parsed.destination_port = packet.datagram_destination_port;
    slot.parsed.protocol = packet.datagram_protocol;
    return enter_transport(packet, slot);
  }
  if (packet.handed_over == HandOver::kNone) {
    const WorkerIndex keeper = around_.steering.fragment_owner(slot.parsed);
    if (keeper != worker_) {
      return hand_over(packet, slot, keeper, HandOver::kFragment);
    }
  }
  admit_fragment(packet, slot);
}

void Pipeline::admit_fragment(Packet& packet, Slot& slot) {
  Packet guest = packet;
  const FragmentAnswer answer = fragments_.admit(slot.parsed, guest, now_ns_);
  switch (answer.fate) {
    case FragmentFate::kPass:
      slot.parsed.source_port = answer.flow.source_port;
      slot.parsed.destination_port = answer.flow.destination_port;
      slot.parsed.protocol = answer.flow.protocol;
      return enter_transport(packet, slot);
    case FragmentFate::kHold:
      packet.verdict = Verdict::kHold;
      return;
    case FragmentFate::kDrop:
      packet = guest;  // another one, if that had to make room for this one
      return drop(packet, answer.reason);
  }
}

// Those whose ports are known by now go through all stages, and those that waited for too long are
// dropped.
void Pipeline::release_fragments(const std::function<void(Packet&)>& release) {
  std::array<Packet, kMaxBurst> ready;
  size_t count = 0;
  const auto go_on = [&] {
    decide({ready.data(), count});
    for (size_t i = 0; i < count; ++i) {
      if (ready[i].verdict != Verdict::kHold) {
        release(ready[i]);
      }
    }
    count = 0;
  };
  fragments_.take_ready([&](const Packet& guest, const DatagramFlow& flow) {
    ready[count] = guest;
    ready[count].datagram_source_port = flow.source_port;
    ready[count].datagram_destination_port = flow.destination_port;
    ready[count].datagram_protocol = flow.protocol;
    if (++count == ready.size()) {
      go_on();
    }
  });
  if (count != 0) {
    go_on();
  }
  fragments_.take_expired(now_ns_, [&](Packet& guest, DropReason reason) {
    drop(guest, reason);
    release(guest);
  });
  around_.counters.fragments_held.set(fragments_.waiting());
}

}  // namespace ballast
