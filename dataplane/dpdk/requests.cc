// The contract's requests, as this dataplane answers them; connection listings are in listing.cc.
#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "dataplane/api/dataplane.pb.h"
#include "dataplane/dpdk/dataplane.h"
#include "dataplane/scheduler/scheduler_list.h"

namespace ballast {
namespace {

constexpr uint32_t kDefaultPage = 1000;
constexpr uint32_t kLargestPage = 10'000;

std::string_view capability_of(ForwardingMode mode) {
  switch (mode) {
    case ForwardingMode::kDirectRouting:
      return "mode/dr";
    case ForwardingMode::kNat:
      return "mode/nat";
    case ForwardingMode::kFullNat:
      return "mode/fullnat";
    case ForwardingMode::kTunnel:
      return "mode/tun";
  }
  return {};
}

}  // namespace

api::HelloAnswer Dataplane::hello_answer() {
  api::HelloAnswer hello;
  hello.set_dataplane("ballast-dataplane " BALLAST_VERSION);
  hello.set_instance_id(instance_id_);
  hello.set_generation(world_->generation());
  hello.set_lease_page(settings_.lease_page_path());
  hello.set_workers(settings_.workers);
  for (const ForwardingMode mode : modes()) {
    hello.add_capabilities(std::string(capability_of(mode)));
  }
  for (const SchedulerDescription& scheduler : all_schedulers()) {
    hello.add_capabilities(fmt::format("scheduler/{}", scheduler.name));
  }
  for (size_t port = 0; port < ports_.size(); ++port) {
    fill_port_info(port, *hello.add_ports());
  }
  return hello;
}

void Dataplane::fill_port_info(size_t number, api::PortInfo& info) const {
  const Port& port = *ports_[number].port;
  info.set_name(port.name());
  info.set_device(settings_.ports[number].device);
  info.set_kernel_interface(port.device().kernel_interface());
  info.set_mac(port.mac().to_string());
  info.set_mtu(port.mtu());
  info.set_up(link_is_up(number));
  const EthernetDevice& ethernet = port.ethernet();
  info.set_rx_queues(ethernet.receive_queues());
  info.set_tx_queues(ethernet.transmit_queues());
  info.set_steering(ethernet.steering_in_words());
  info.set_steering_nat(ethernet.reply_steering_in_words());
  info.set_mac_filter(ethernet.mac_filter().in_words());
  info.set_vlan(port.vlan());
  for (std::string& offload : ethernet.offloads_in_words()) {
    info.add_offloads(std::move(offload));
  }
}

void Dataplane::transaction(const api::Transaction& request,
                            api::AnswerWith<api::TransactionAnswer> answer) {
  World::Outcome outcome = world_->apply(request);
  api::TransactionAnswer result;
  result.set_generation(world_->generation());
  if (!outcome.snapshot) {
    for (api::Refusal& refusal : outcome.refusals) {
      spdlog::warn("transaction {}: refused: {}: {}", request.generation(), refusal.what(),
                   refusal.why());
      *result.add_refusals() = std::move(refusal);
    }
    return answer(result);
  }
  result.set_accepted(true);
  publish(std::move(outcome.snapshot),
          [result, answer](const std::vector<WorkerIndex>& stalled) mutable {
            for (const WorkerIndex worker : stalled) {
              result.add_stalled_workers(index(worker));
            }
            answer(result);
          });
  follow_links();
}

api::State Dataplane::state() {
  api::State state = world_->state();
  state.set_instance_id(instance_id_);
  return state;
}

void Dataplane::statistics(const api::GetStatistics& request,
                           api::AnswerWith<api::Statistics> answer) {
  api::Statistics page;
  fill_servers(request, page);
  if (request.page() == 0) {
    fill_totals(page);
  }
  answer(page);
}

void Dataplane::fill_servers(const api::GetStatistics& request, api::Statistics& page) const {
  const uint32_t size =
      std::clamp(request.page_size() == 0 ? kDefaultPage : request.page_size(), 1U, kLargestPage);
  const std::vector<ServerIndex> servers = world_->servers();
  const uint64_t first = uint64_t{request.page()} * size;
  for (uint64_t i = first; i < std::min<uint64_t>(servers.size(), first + size); ++i) {
    const auto description = world_->describe(servers[i]);
    if (!description) {
      continue;
    }
    api::ServerStatistics& server = *page.add_servers();
    server.set_service(description->service);
    server.set_address(description->address.to_string());
    server.set_port(description->port.to_host());
    server.set_removed(description->removed);
    server.set_active_connections(loads_.active_connections(servers[i]));
    server.set_inactive_connections(loads_.inactive_connections(servers[i]));
    api::Counters& sum = *server.mutable_counters();
    for (const Crew& crew : crews_) {
      const ServerCounters& counters = (*crew.servers)[servers[i]];
      sum.set_connections(sum.connections() + counters.connections.read());
      sum.set_packets_in(sum.packets_in() + counters.packets_in.read());
      sum.set_bytes_in(sum.bytes_in() + counters.bytes_in.read());
      sum.set_packets_out(sum.packets_out() + counters.packets_out.read());
      sum.set_bytes_out(sum.bytes_out() + counters.bytes_out.read());
    }
  }
  if (first + size < servers.size()) {
    page.set_next_page(request.page() + 1);
  }
}

void Dataplane::fill_totals(api::Statistics& page) const {
  for (size_t reason = 1; reason < kDropReasons; ++reason) {
    api::DropCount& count = *page.add_drops();
    count.set_reason(std::string(name_of(static_cast<DropReason>(reason))));
    count.set_meaning(std::string(describe(static_cast<DropReason>(reason))));
    for (const Crew& crew : crews_) {
      count.set_packets(count.packets() + crew.counters->drops[reason].read());
    }
  }
  for (size_t i = 0; i < crews_.size(); ++i) {
    const WorkerCounters& counters = *crews_[i].counters;
    api::WorkerStatistics& worker = *page.add_workers();
    worker.set_worker(static_cast<uint32_t>(i));
    worker.set_packets(counters.packets.read());
    worker.set_polls(counters.polls.read());
    worker.set_idle_polls(counters.idle_polls.read());
    worker.set_handed_over(counters.handed_over.read());
    worker.set_trusted(counters.trusted.read());
    worker.set_untrusted(counters.untrusted.read());
    worker.set_expired(counters.expired.read());
    worker.set_recycled(counters.recycled.read());
    worker.set_evicted(counters.evicted.read());
    worker.set_forwarded_without_state(counters.forwarded_without_state.read());
    worker.set_punted(counters.punted.read());
    worker.set_from_kernel(counters.from_kernel.read());
    worker.set_answers(counters.answers.read());
    worker.set_handed_over_fragments(counters.handed_over_fragments.read());
    worker.set_local_ports_taken(counters.local_ports_taken.read());
    worker.set_local_ports_resting(counters.local_ports_resting.read());
    worker.set_fragments_held(counters.fragments_held.read());
    worker.set_fragments_sent(workers_[i]->fragments_sent());
    worker.set_stalled(stalled_[i]);
    worker.set_announcements(workers_[i]->announcements_sent());
    page.set_memory_bytes(page.memory_bytes() + workers_[i]->connection_memory_bytes());
  }
  for (size_t i = 0; i < ports_.size(); ++i) {
    const PortCounters counters = ports_[i].port->counters();
    api::PortStatistics& port = *page.add_ports();
    port.set_name(ports_[i].port->name());
    port.set_rx_packets(counters.rx_packets);
    port.set_rx_bytes(counters.rx_bytes);
    port.set_tx_packets(counters.tx_packets);
    port.set_tx_bytes(counters.tx_bytes);
    port.set_rx_missed(counters.rx_missed);
    port.set_rx_errors(counters.rx_errors);
    port.set_tx_errors(counters.tx_errors);
    port.set_up(link_is_up(i));
  }
  page.set_connection_capacity(settings_.connections.trusted +
                               uint64_t{settings_.connections.untrusted});
  page.set_uptime_seconds(static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started_)
          .count()));
}

}  // namespace ballast
