// The mirror's dumps: one table after the other, in slices, repeated where they fail.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "control/netlink/dump_request.h"
#include "control/netlink/message.h"
#include "control/netlink/mirror_impl.h"

namespace ballast::netlink {

namespace {

// A table that changes all the time lets no dump pass undisturbed; what such a dump lacks, a later
// one brings.
constexpr int kInterruptedDumpsUntilComplete = 8;
constexpr auto kShortestPause = std::chrono::milliseconds(20);
constexpr auto kLongestPause = std::chrono::seconds(10);
constexpr auto kPauseAfterFailure = std::chrono::seconds(1);

}  // namespace

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
    // What is lost may be the end of the dump, so that waiting for it would have no end.
    if (read == NetlinkSocket::Read::kOverrun) {
      return retry_dump(ENOBUFS);
    }
    if (read == NetlinkSocket::Read::kError) {
      return retry_dump(errno);
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
  const MirrorDump done = *std::exchange(dump_, std::nullopt);
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

}  // namespace ballast::netlink
