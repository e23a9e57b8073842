#include "control/ctl/port_view.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "control/api/printable.h"
#include "control/ctl/table.h"
#include "control/ctl/words.h"

namespace ballast::control {
namespace {

std::string device_text(const ballast::api::PortInfo& info) {
  return info.kernel_interface().empty() ? info.device()
                                         : fmt::format("{}, on the kernel's interface {}",
                                                       info.device(), info.kernel_interface());
}

std::string traffic_text(uint64_t packets, uint64_t octets, bool rate_known,
                         uint64_t packets_per_second) {
  return fmt::format("{} ({}){}", count(packets, "packet", "packets"), bytes(octets),
                     rate_known ? fmt::format(", {} per second", packets_per_second) : "");
}

std::string port_section(const api::PortStatus& port, bool counted, Style style) {
  const auto& info = port.info();
  const auto& counters = port.statistics();
  const auto said = [](const std::string& words) { return words.empty() ? "not known" : words; };
  Table table({{""}, {""}}, style);
  table.add({"port", {info.name(), Colour::kHeading}});
  table.add({"device", device_text(info)});
  table.add({"link", info.up() ? Cell("up", Colour::kGood) : Cell("DOWN", Colour::kBad)});
  table.add({"MAC", info.mac()});
  table.add({"MAC filter", said(info.mac_filter())});
  table.add({"MTU", std::to_string(info.mtu())});
  table.add({"VLAN", info.vlan() == 0 ? std::string("untagged") : std::to_string(info.vlan())});
  table.add(
      {"queues", fmt::format("{} to receive, {} to send", info.rx_queues(), info.tx_queues())});
  table.add({"offloads", info.offloads().empty()
                             ? std::string("none: checksums are computed in software")
                             : fmt::format("{}", fmt::join(info.offloads(), ", "))});
  table.add({"clients' flows", said(info.steering())});
  table.add({"replies", said(info.steering_nat())});
  if (counted) {
    table.add(
        {"received", traffic_text(counters.rx_packets(), counters.rx_bytes(),
                                  port.has_rx_packets_per_second(), port.rx_packets_per_second())});
    table.add(
        {"sent", traffic_text(counters.tx_packets(), counters.tx_bytes(),
                              port.has_tx_packets_per_second(), port.tx_packets_per_second())});
    table.add(
        {"lost", fmt::format("{} missed, {} bad on receipt, {} not sent", counters.rx_missed(),
                             counters.rx_errors(), counters.tx_errors())});
  }
  return table.rows_to_string();
}

std::string workers(const api::ListPortsAnswer& answer, Style style) {
  Table table({{"Worker", Align::kRight},
               {"Packets", Align::kRight},
               {"HandedOver", Align::kRight},
               {"Share", Align::kRight},
               {"Fragments", Align::kRight},
               {"Held", Align::kRight},
               {"Cut", Align::kRight}},
              style);
  for (const auto& worker : answer.workers()) {
    table.add({std::to_string(worker.worker()), std::to_string(worker.packets()),
               std::to_string(worker.handed_over()), share(worker.handed_over(), worker.packets()),
               std::to_string(worker.handed_over_fragments()),
               std::to_string(worker.fragments_held()), std::to_string(worker.fragments_sent())});
  }
  return table.empty() ? ""
                       : "\nhanded over to the worker that owns the flow, of packets from all "
                         "ports:\n" +
                             table.to_string();
}

}  // namespace

std::string render_ports(const api::ListPortsAnswer& answer, Style style) {
  if (answer.ports().empty()) {
    return "the dataplane has no ports\n";
  }
  std::string text;
  for (const auto& port : answer.ports()) {
    text += text.empty() ? "" : "\n";
    text += port_section(port, !answer.workers().empty(), style);
  }
  return text + workers(answer, style);
}

std::string render_port_names(const api::ListPortsAnswer& answer) {
  std::string text;
  for (const auto& port : answer.ports()) {
    text += printable(port.info().name()) + "\n";
  }
  return text;
}

}  // namespace ballast::control
