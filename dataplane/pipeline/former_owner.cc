// Flows of a service that came to NAT or left it, with several workers: who owns one has changed,
// but not where the connections are that were there before.
//
// A flow that its owner does not know is looked for where it would be by the other rule, as long as
// the listener has servers left over that connections came to by that; if it is not known there
// either, it comes back, and is opened here. The kinds of HandOver only grow on that way, so that
// it ends after two steps whatever snapshots the two workers have. Each connection is with the
// worker that owns it by its server's mode.
#include "dataplane/pipeline/pipeline.h"

namespace ballast {

// Of a packet that would open a connection here. True with the packet handed over.
bool Pipeline::asks_another_owner(Packet& packet, const Slot& slot, const FlowKey& flow) {
  const Steering& steering = around_.steering;
  if (steering.workers() == 1 || packet.handed_over == HandOver::kNewFlow) {
    return false;
  }
  const Listener listener{flow.vip, flow.vip_port, flow.protocol};
  const bool was_asked = packet.handed_over == HandOver::kFormerOwner;
  const ServiceTable& steered_anew = *snapshot_->steered_anew;
  if (!was_asked && (steered_anew.all().empty() || steered_anew.find(listener) == nullptr)) {
    return false;
  }
  const WorkerIndex by_client = steering.owner_by_client(flow.client, flow.client_port);
  const WorkerIndex by_tuple = steering.owner(flow);
  const bool is_by_client = snapshot_->steered_by_client->find(listener) != nullptr;
  const WorkerIndex owner = is_by_client ? by_client : by_tuple;
  if (owner != worker_) {  // asked, or it came by an older snapshot
    hand_over(packet, slot, owner, HandOver::kNewFlow);
    return true;
  }
  const WorkerIndex former = is_by_client ? by_tuple : by_client;
  if (was_asked || former == worker_) {
    return false;
  }
  hand_over(packet, slot, former, HandOver::kFormerOwner);
  return true;
}

}  // namespace ballast
