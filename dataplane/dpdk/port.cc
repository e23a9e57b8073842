#include "dataplane/dpdk/port.h"

#include <utility>

#include <rte_mbuf.h>

namespace ballast {

tl::expected<std::unique_ptr<Port>, std::string> Port::open(
    const PortSettings& settings, const Device& device, const std::string& eal_name,
    const MacAddress& mac, const Steering& steering, rte_mempool& pool) {
  auto ethernet = EthernetDevice::open({.port = settings.name,
                                        .queues = settings.queues,
                                        .mtu = settings.mtu,
                                        .tagged = settings.vlan != 0,
                                        .chained_frames = false},
                                       device, eal_name, steering, pool);
  if (!ethernet) {
    return tl::unexpected(ethernet.error());
  }
  return std::make_unique<Port>(std::move(*ethernet), settings, mac, steering.workers());
}

Port::Port(std::shared_ptr<EthernetDevice> ethernet, const PortSettings& settings,
           const MacAddress& mac, uint16_t workers)
    : ethernet_(std::move(ethernet)),
      name_(settings.name),
      mac_(mac.is_zero() ? ethernet_->mac() : mac),
      mtu_(settings.mtu),
      vlan_(settings.vlan),
      sends_as_they_are_(!ethernet_->carries_tags() && !ethernet_->sends_single_buffers_only()),
      traffic_(ethernet_->carries_tags() ? workers : 0) {}

// A copy in one buffer; null when there is none that is large enough.
rte_mbuf* Port::in_one_buffer(rte_mbuf& frame) const {
  rte_mbuf* copy = rte_pktmbuf_alloc(&ethernet_->pool());
  const uint32_t length = rte_pktmbuf_pkt_len(&frame);
  if (copy == nullptr || rte_pktmbuf_tailroom(copy) < length) {
    rte_pktmbuf_free(copy);  // which may be null
    return nullptr;
  }
  rte_pktmbuf_read(&frame, 0, length, rte_pktmbuf_mtod(copy, void*));
  copy->data_len = static_cast<uint16_t>(length);
  copy->pkt_len = length;
  return copy;
}

bool Port::prepare(rte_mbuf*& frame) const {
  if (frame->nb_segs > 1 && ethernet_->sends_single_buffers_only()) {
    rte_mbuf* copy = in_one_buffer(*frame);
    if (copy == nullptr) {
      return false;
    }
    rte_pktmbuf_free(frame);
    frame = copy;
  }
  return vlan_ == 0 || put_tag_on(*frame, vlan_,
                                  ethernet_->inserts_tags() ? VlanInsertion::kByDevice
                                                            : VlanInsertion::kBySoftware);
}

Transmission Port::transmit_prepared(WorkerIndex worker, rte_mbuf** frames, uint16_t count) {
  uint16_t ready = 0;
  uint64_t bytes = 0;
  for (uint16_t i = 0; i < count; ++i) {
    if (prepare(frames[i])) {
      bytes += length_on_wire(*frames[i]);
      std::swap(frames[ready++], frames[i]);
    }
  }
  const Transmission done = ethernet_->transmit(worker, frames, ready);
  if (!traffic_.empty()) {
    for (uint16_t i = done.sent; i < ready; ++i) {
      bytes -= length_on_wire(*frames[i]);
    }
    traffic_[index(worker)].tx_packets.add(done.sent);
    traffic_[index(worker)].tx_bytes.add(bytes);
  }
  return {done.sent, static_cast<uint16_t>(done.refused + count - ready)};
}

void Port::count_received(WorkerIndex worker, uint32_t length) {
  if (!traffic_.empty()) {
    traffic_[index(worker)].rx_packets.add(1);
    traffic_[index(worker)].rx_bytes.add(length);
  }
}

PortCounters Port::counters() const {
  PortCounters counters = ethernet_->counters();
  if (traffic_.empty()) {
    return counters;
  }
  counters.rx_packets = counters.rx_bytes = counters.tx_packets = counters.tx_bytes = 0;
  for (const Traffic& traffic : traffic_) {
    counters.rx_packets += traffic.rx_packets.read();
    counters.rx_bytes += traffic.rx_bytes.read();
    counters.tx_packets += traffic.tx_packets.read();
    counters.tx_bytes += traffic.tx_bytes.read();
  }
  return counters;
}

}  // namespace ballast
