// The mirror behind its door: events in mirror.cc, dumps in mirror_dumps.cc. Private to these two.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "control/netlink/mirror.h"
#include "control/netlink/netlink_socket.h"
#include "control/netlink/state_builder.h"

namespace ballast::netlink {

// What is read from a socket before other handlers of the loop get their turn.
inline constexpr int kDatagramsPerTurn = 16;

// A dump under way.
struct MirrorDump {
  KernelTable table = KernelTable::kLinks;
  std::vector<uint8_t> families;  // still to be asked for, last first
  uint32_t sequence = 0;
  bool interrupted = false;
  bool useless = false;  // events were lost meanwhile: only read to its end
  std::chrono::steady_clock::time_point started;
};

class Mirror::Impl : public std::enable_shared_from_this<Mirror::Impl> {
 public:
  Impl(boost::asio::io_context& io, NetlinkSocket events, NetlinkSocket dumps, Callback on_change)
      : events_(std::move(events)),
        dumps_(std::move(dumps)),
        events_ready_(io, events_.descriptor()),
        dumps_ready_(io, dumps_.descriptor()),
        pause_(io),
        on_change_(std::move(on_change)) {}
  ~Impl() {
    // The descriptors belong to the sockets.
    events_ready_.release();
    dumps_ready_.release();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void start() {
    wait_for_events();
    next_dump();
  }
  void stop() {
    stopped_ = true;
    boost::system::error_code ignored;
    events_ready_.cancel(ignored);
    dumps_ready_.cancel(ignored);
    pause_.cancel();
  }

  StateBuilder builder_;
  bool complete_ = false;
  uint64_t overruns_ = 0;
  std::string trouble_;

 private:
  using Ready = boost::asio::posix::stream_descriptor;
  using Clock = std::chrono::steady_clock;

  // Calls the member function when the descriptor can be read.
  void when_readable(Ready& ready, void (Impl::*handler)()) {
    ready.async_wait(Ready::wait_read,
                     [self = shared_from_this(), handler](boost::system::error_code error) {
                       if (!error && !self->stopped_) {
                         (self.get()->*handler)();
                       }
                     });
  }
  // Calls it after the handlers that wait already.
  void after_others(void (Impl::*handler)()) {
    boost::asio::post(pause_.get_executor(), [self = shared_from_this(), handler] {
      if (!self->stopped_) {
        (self.get()->*handler)();
      }
    });
  }
  void wait_for_events() { when_readable(events_ready_, &Impl::read_events); }

  static std::set<KernelTable> all_tables() {
    return {KernelTable::kLinks, KernelTable::kAddresses, KernelTable::kNeighbors,
            KernelTable::kRoutes};
  }

  void read_events();
  void on_overrun();
  void next_dump();
  void request_next_family();
  void read_dump();
  bool on_dump_message(const nlmsghdr& header);
  void end_of_family(int error);
  void end_dump();
  void retry_dump(int error);
  void report_soon();
  void report();

  NetlinkSocket events_;
  NetlinkSocket dumps_;
  Ready events_ready_;
  Ready dumps_ready_;
  boost::asio::steady_timer pause_;
  Callback on_change_;

  std::optional<MirrorDump> dump_;
  std::set<KernelTable> due_ = all_tables();
  std::set<KernelTable> missing_ = all_tables();  // never dumped yet
  int interrupted_dumps_ = 0;
  uint32_t sequence_ = 0;
  Clock::time_point not_before_;
  bool pausing_ = false;
  bool draining_ = false;
  bool report_posted_ = false;
  bool reported_ = false;
  bool stopped_ = false;
};

}  // namespace ballast::netlink
