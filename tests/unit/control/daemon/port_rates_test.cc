#include "control/daemon/port_rates.h"

#include <gtest/gtest.h>

namespace ballast::control {
namespace {

using namespace std::chrono_literals;

ballast::api::Statistics reading(uint64_t rx, uint64_t tx) {
  ballast::api::Statistics statistics;
  ballast::api::PortStatistics& port = *statistics.add_ports();
  port.set_name("wan");
  port.set_rx_packets(rx);
  port.set_tx_packets(tx);
  return statistics;
}

const PortRates::Time kStart{1h};

TEST(PortRates, AreKnownFromTheSecondReadingOn) {
  PortRates rates;
  EXPECT_FALSE(rates.of("wan"));
  rates.read(reading(1000, 500), kStart);
  EXPECT_FALSE(rates.of("wan"));
  rates.read(reading(3000, 600), kStart + 2s);
  EXPECT_EQ(rates.of("wan"), (PortRate{1000, 50}));
  EXPECT_FALSE(rates.of("lan"));
}

TEST(PortRates, StartAnewWhenCountersGoBack) {
  PortRates rates;
  rates.read(reading(1000, 500), kStart);
  rates.read(reading(3000, 600), kStart + 2s);
  rates.read(reading(10, 10), kStart + 4s);
  EXPECT_FALSE(rates.of("wan"));
  rates.read(reading(30, 10), kStart + 6s);
  EXPECT_EQ(rates.of("wan"), (PortRate{10, 0}));
}

TEST(PortRates, AreForgottenWithTheDataplane) {
  PortRates rates;
  rates.read(reading(1000, 500), kStart);
  rates.read(reading(3000, 600), kStart + 2s);
  rates.forget();
  EXPECT_FALSE(rates.of("wan"));
}

}  // namespace
}  // namespace ballast::control
