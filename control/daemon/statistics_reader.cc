#include "control/daemon/statistics_reader.h"

#include <chrono>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace ballast::control {
namespace {

constexpr uint32_t kPage = 5000;
constexpr std::chrono::seconds kPeriod{2};

}  // namespace

struct StatisticsReader::Timer {
  boost::asio::steady_timer counters;
};

StatisticsReader::StatisticsReader(boost::asio::io_context& loop, DataplaneLink& link)
    : link_(link), timer_(new Timer{boost::asio::steady_timer(loop)}) {
  read_counters_now_and_then();
}

StatisticsReader::~StatisticsReader() = default;

void StatisticsReader::fetch(const OnStatistics& done) {
  if (!link_.connected()) {
    return done(std::nullopt);
  }
  fetch_page(0, std::make_shared<ballast::api::Statistics>(), done);
}

void StatisticsReader::fetch_page(uint32_t page,
                                  const std::shared_ptr<ballast::api::Statistics>& joined,
                                  const OnStatistics& done) {
  ballast::api::ClientFrame frame;
  frame.mutable_get_statistics()->set_page(page);
  frame.mutable_get_statistics()->set_page_size(kPage);
  link_.request(frame, [this, joined,
                        done](const tl::expected<ballast::api::ServerFrame, std::string>& answer) {
    if (!answer) {
      return done(std::nullopt);
    }
    joined->MergeFrom(answer->statistics());
    const uint32_t next = answer->statistics().next_page();
    if (next == 0) {
      return done(*joined);
    }
    fetch_page(next, joined, done);
  });
}

void StatisticsReader::read_counters_now_and_then() {
  timer_->counters.expires_after(kPeriod);
  timer_->counters.async_wait([this](const boost::system::error_code& error) {
    if (error) {
      return;
    }
    read_counters_now_and_then();
    if (!link_.connected()) {
      rates_.forget();
      return local_port_drops_.forget();
    }
    ballast::api::ClientFrame frame;
    frame.mutable_get_statistics()->set_page_size(1);
    link_.request(frame,
                  [this](const tl::expected<ballast::api::ServerFrame, std::string>& answer) {
                    if (answer) {
                      const auto now = std::chrono::steady_clock::now();
                      rates_.read(answer->statistics(), now);
                      local_port_drops_.read(answer->statistics(), now);
                    }
                  });
  });
}

}  // namespace ballast::control
