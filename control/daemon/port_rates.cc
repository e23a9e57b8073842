#include "control/daemon/port_rates.h"

namespace ballast::control {
namespace {

uint64_t per_second(uint64_t before, uint64_t now, std::chrono::duration<double> passed) {
  return static_cast<uint64_t>(static_cast<double>(now - before) / passed.count());
}

}  // namespace

void PortRates::read(const ballast::api::Statistics& statistics, Time now) {
  for (const ballast::api::PortStatistics& port : statistics.ports()) {
    Reading& last = readings_[port.name()];
    const std::chrono::duration<double> passed = now - last.at;
    const bool comparable = last.at != Time{} && passed.count() > 0 &&
                            port.rx_packets() >= last.rx_packets &&
                            port.tx_packets() >= last.tx_packets;
    std::optional<PortRate> rate;
    if (comparable) {
      rate = PortRate{per_second(last.rx_packets, port.rx_packets(), passed),
                      per_second(last.tx_packets, port.tx_packets(), passed)};
    }
    last = {port.rx_packets(), port.tx_packets(), now, rate};
  }
}

std::optional<PortRate> PortRates::of(const std::string& port) const {
  const auto found = readings_.find(port);
  return found != readings_.end() ? found->second.rate : std::nullopt;
}

}  // namespace ballast::control
