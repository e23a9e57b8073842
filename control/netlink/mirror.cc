#include "control/netlink/mirror.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "control/netlink/message.h"
#include "control/netlink/netlink_socket.h"
#include "control/netlink/state_builder.h"

namespace ballast::netlink {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kDatagramsPerTurn = 16;
constexpr int kDumpReceiveBytes = 256 * 1024;
// A table that changes all the time lets no dump pass undisturbed; what such a dump lacks, a later
// one brings.
constexpr int kInterruptedDumpsUntilComplete = 8;
constexpr auto kShortestPause = std::chrono::milliseconds(20);
constexpr auto kLongestPause = std::chrono::seconds(10);
constexpr auto kPauseAfterFailure = std::chrono::seconds(1);

const std::set<KernelTable> kAllTables{KernelTable::kLinks, KernelTable::kAddresses,
                                       KernelTable::kNeighbors, KernelTable::kRoutes};

const std::vector<int> kGroups{RTNLGRP_LINK,   RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
                               RTNLGRP_NEIGH,  RTNLGRP_IPV4_ROUTE,  RTNLGRP_IPV6_ROUTE,
                               RTNLGRP_NEXTHOP};

template <class Body>
struct DumpRequest {
  nlmsghdr header{};
  Body body{};
};

template <class Body>
tl::expected<void, int> send_dump(NetlinkSocket& socket, uint16_t type, const Body& body,
                                  uint32_t sequence) {
  static_assert(sizeof(DumpRequest<Body>) == NLMSG_LENGTH(sizeof(Body)));
  DumpRequest<Body> request;
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = type;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.header.nlmsg_seq = sequence;
  request.body = body;
  return socket.send(&request, sizeof request);
}

tl::expected<void, int> request_dump(NetlinkSocket& socket, KernelTable table, uint8_t family,
                                     uint32_t sequence) {
  switch (table) {
    case KernelTable::kLinks:
      return send_dump(socket, RTM_GETLINK, ifinfomsg{}, sequence);
    case KernelTable::kAddresses:
      return send_dump(socket, RTM_GETADDR, ifaddrmsg{}, sequence);
    case KernelTable::kNeighbors:
      return send_dump(socket, RTM_GETNEIGH, ndmsg{}, sequence);
    case KernelTable::kRoutes:
      break;
  }
  rtmsg routes{};
  routes.rtm_family = family;
  routes.rtm_table = RT_TABLE_MAIN;
  return send_dump(socket, RTM_GETROUTE, routes, sequence);
}

// Of the messages that end a dump: the error in it, 0 for none.
int error_in(const nlmsghdr& header) {
  int error = 0;
  if (header.nlmsg_len >= NLMSG_LENGTH(sizeof error)) {
    std::memcpy(&error, reinterpret_cast<const uint8_t*>(&header) + NLMSG_HDRLEN, sizeof error);
  }
  return -error;
}

// No main table yet, or no such family in this kernel: nothing to mirror.
bool means_empty(int error) {
  return error == ENOENT || error == EOPNOTSUPP || error == EAFNOSUPPORT;
}

struct Dump {
  KernelTable table = KernelTable::kLinks;
  std::vector<uint8_t> families;  // still to be asked for, last first
  uint32_t sequence = 0;
  bool interrupted = false;
  bool useless = false;  // events were lost meanwhile: only read to its end
  Clock::time_point started;
};

}  // namespace

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

  std::optional<Dump> dump_;
  std::set<KernelTable> due_ = kAllTables;
  std::set<KernelTable> missing_ = kAllTables;  // never dumped yet
  int interrupted_dumps_ = 0;
  uint32_t sequence_ = 0;
  Clock::time_point not_before_;
  bool pausing_ = false;
  bool draining_ = false;
  bool report_posted_ = false;
  bool reported_ = false;
  bool stopped_ = false;
};

void Mirror::Impl::read_events() {
  auto read = NetlinkSocket::Read::kMessages;
  for (int i = 0; i < kDatagramsPerTurn && read != NetlinkSocket::Read::kNothing; ++i) {
    read = events_.read([this](const nlmsghdr& header) {
      if (const auto message = parse_message(header)) {
        builder_.event(*message);
      }
    });
    // An error other than an overrun is not known to happen; events may be lost by it all the same.
    if (read == NetlinkSocket::Read::kOverrun || read == NetlinkSocket::Read::kError) {
      on_overrun();
      break;
    }
  }
  due_.merge(builder_.take_needed_dumps());
  draining_ = draining_ && read != NetlinkSocket::Read::kNothing;
  next_dump();
  report_soon();
  if (read == NetlinkSocket::Read::kNothing) {
    wait_for_events();
  } else {
    after_others(&Impl::read_events);
  }
}

// The events that still wait are older than the lost ones: a dump that began before they are read
// would be overruled by them (SyncedTable). So dumps wait until the socket is empty.
void Mirror::Impl::on_overrun() {
  ++overruns_;
  draining_ = true;
  due_ = kAllTables;
  if (dump_) {
    dump_->useless = true;
  }
}

void Mirror::Impl::next_dump() {
  if (dump_ || due_.empty() || pausing_ || draining_) {
    return;
  }
  if (const auto now = Clock::now(); now < not_before_) {
    pausing_ = true;
    pause_.expires_at(not_before_);
    pause_.async_wait([self = shared_from_this()](boost::system::error_code) {
      self->pausing_ = false;
      if (!self->stopped_) {
        self->next_dump();
      }
    });
    return;
  }
  dump_.emplace();
  dump_->table = *due_.begin();
  dump_->started = Clock::now();
  dump_->families = {AF_UNSPEC};
  if (dump_->table == KernelTable::kRoutes) {
    dump_->families = {AF_INET6, AF_INET};
  }
  due_.erase(due_.begin());
  builder_.begin_dump(dump_->table);
  request_next_family();
}

void Mirror::Impl::request_next_family() {
  dump_->sequence = ++sequence_;
  if (const auto sent = request_dump(dumps_, dump_->table, dump_->families.back(), dump_->sequence);
      !sent) {
    return retry_dump(sent.error());
  }
  when_readable(dumps_ready_, &Impl::read_dump);
}

void Mirror::Impl::read_dump() {
  for (int i = 0; i < kDatagramsPerTurn; ++i) {
    bool ended = false;
    const auto read = dumps_.read([this, &ended](const nlmsghdr& header) {
      ended = !ended && dump_ && on_dump_message(header);
    });
    if (ended) {
      return;
    }
    if (read == NetlinkSocket::Read::kNothing) {
      return when_readable(dumps_ready_, &Impl::read_dump);
    }
    if (read == NetlinkSocket::Read::kOverrun || read == NetlinkSocket::Read::kError) {
      dump_->interrupted = true;
    }
  }
  after_others(&Impl::read_dump);
}

// True when it was the last message that this read has to wait for.
bool Mirror::Impl::on_dump_message(const nlmsghdr& header) {
  if (header.nlmsg_seq != dump_->sequence) {
    return false;
  }
  dump_->interrupted = dump_->interrupted || (header.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
  if (header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR) {
    end_of_family(error_in(header));
    return true;
  }
  if (!dump_->useless) {
    if (const auto message = parse_message(header)) {
      builder_.dumped(*message);
    }
  }
  return false;
}

void Mirror::Impl::end_of_family(int error) {
  if (error != 0 && !means_empty(error)) {
    return retry_dump(error);
  }
  dump_->families.pop_back();
  if (dump_->families.empty() || dump_->useless) {
    end_dump();
  } else {
    request_next_family();
  }
}

void Mirror::Impl::end_dump() {
  const Dump done = *std::exchange(dump_, std::nullopt);
  if (done.useless) {
    builder_.abandon_dump();
  } else {
    builder_.end_dump(done.interrupted);
    trouble_.clear();
    if (done.interrupted) {
      due_.insert(done.table);
      ++interrupted_dumps_;
    }
    if (!done.interrupted || interrupted_dumps_ >= kInterruptedDumpsUntilComplete) {
      missing_.erase(done.table);
    }
    complete_ = missing_.empty();
  }
  due_.merge(builder_.take_needed_dumps());
  if (done.table == KernelTable::kRoutes || done.interrupted) {
    const auto now = Clock::now();
    not_before_ =
        now + std::clamp<Clock::duration>(now - done.started, kShortestPause, kLongestPause);
  }
  next_dump();
  report_soon();
}

void Mirror::Impl::retry_dump(int error) {
  trouble_ = fmt::format("netlink: a dump failed: {}: it will be repeated", std::strerror(error));
  due_.insert(dump_->table);
  dump_.reset();
  builder_.abandon_dump();
  not_before_ = Clock::now() + kPauseAfterFailure;
  next_dump();
}

void Mirror::Impl::report_soon() {
  if (complete_ && !report_posted_ && (!reported_ || builder_.has_changes())) {
    report_posted_ = true;
    after_others(&Impl::report);
  }
}

void Mirror::Impl::report() {
  report_posted_ = false;
  auto changes = builder_.take_changes();
  if (!reported_) {
    changes = {};
    changes.everything = true;
  }
  reported_ = true;
  if (on_change_ && !changes.empty()) {
    on_change_(changes);
  }
}

tl::expected<std::unique_ptr<Mirror>, std::string> Mirror::open(boost::asio::io_context& io,
                                                                Callback on_change,
                                                                const MirrorOptions& options) {
  auto events = NetlinkSocket::open(kGroups, options.receive_buffer_bytes);
  if (!events) {
    return tl::unexpected(events.error());
  }
  auto dumps = NetlinkSocket::open({}, kDumpReceiveBytes);
  if (!dumps) {
    return tl::unexpected(dumps.error());
  }
  auto impl =
      std::make_shared<Impl>(io, std::move(*events), std::move(*dumps), std::move(on_change));
  impl->start();
  return std::unique_ptr<Mirror>(new Mirror(std::move(impl)));
}

Mirror::Mirror(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Mirror::~Mirror() {
  impl_->stop();
}

const KernelState& Mirror::state() const {
  return impl_->builder_.state();
}
bool Mirror::complete() const {
  return impl_->complete_;
}
uint64_t Mirror::overruns() const {
  return impl_->overruns_;
}
const std::string& Mirror::trouble() const {
  return impl_->trouble_;
}

}  // namespace ballast::netlink
