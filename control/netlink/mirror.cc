#include "control/netlink/mirror.h"

#include <utility>
#include <vector>

#include <linux/rtnetlink.h>

#include "control/netlink/message.h"
#include "control/netlink/mirror_impl.h"

namespace ballast::netlink {

namespace {

constexpr int kDumpReceiveBytes = 256 * 1024;

const std::vector<int> kGroups{RTNLGRP_LINK,   RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
                               RTNLGRP_NEIGH,  RTNLGRP_IPV4_ROUTE,  RTNLGRP_IPV6_ROUTE,
                               RTNLGRP_NEXTHOP};

}  // namespace

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
  due_ = all_tables();
  if (dump_) {
    dump_->useless = true;
  }
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
