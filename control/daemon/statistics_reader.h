// Reads the dataplane's statistics: all pages when somebody asks, and the counters that are not for
// servers now and then, for the ports' rates and to see what is lost.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "control/daemon/local_port_drops.h"
#include "control/daemon/port_rates.h"
#include "control/dataplane_link/link.h"
#include "dataplane/api/dataplane.pb.h"

namespace boost::asio {
class io_context;
}

namespace ballast::control {

class StatisticsReader {
 public:
  // Nothing when there is no dataplane.
  using OnStatistics = std::function<void(const std::optional<ballast::api::Statistics>&)>;

  // `loop` and `link` outlive it.
  StatisticsReader(boost::asio::io_context& loop, DataplaneLink& link);
  ~StatisticsReader();
  StatisticsReader(const StatisticsReader&) = delete;
  StatisticsReader& operator=(const StatisticsReader&) = delete;

  // All pages, joined.
  void fetch(const OnStatistics& done);
  [[nodiscard]] const PortRates& rates() const { return rates_; }
  [[nodiscard]] const LocalPortDrops& local_port_drops() const { return local_port_drops_; }

 private:
  struct Timer;

  void fetch_page(uint32_t page, const std::shared_ptr<ballast::api::Statistics>& joined,
                  const OnStatistics& done);
  void read_counters_now_and_then();

  DataplaneLink& link_;
  std::unique_ptr<Timer> timer_;
  PortRates rates_;
  LocalPortDrops local_port_drops_;
};

}  // namespace ballast::control
