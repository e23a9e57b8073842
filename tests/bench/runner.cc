#include "tests/bench/runner.h"

#include <algorithm>

#include <fmt/format.h>

#include "tests/bench/floor.h"
#include "tests/bench/verdict.h"

namespace ballast::bench {
namespace {

constexpr uint64_t kGuess = 1'000'000;
constexpr uint64_t kBlock = 64 * 10;
constexpr unsigned kAttempts = 4;

FrameShape shape_for(const Forwarding& forwarding, Family family, IpProtocol protocol) {
  return {family, protocol, forwarding.translates() ? Leaves::kNothing : Leaves::kAllButEthernet};
}

// Flows between whose steps there are no others: well within the untrusted quota, which is a tenth
// of the flows, and 64 at least.
uint32_t flows_of_a_step(uint32_t flows) {
  return std::max<uint32_t>(flows / 16, 32);
}

}  // namespace

uint64_t Runner::whole_blocks(uint64_t packets) {
  return std::max<uint64_t>(1, (packets + kBlock - 1) / kBlock) * kBlock;
}

Runner::Runner(Director& director, Family family, IpProtocol protocol, uint32_t flows,
               unsigned milliseconds)
    : director_(director),
      frames_(shape_for(director.forwarding(), family, protocol)),
      replies_(frames_.shape(), director.forwarding().mode == ForwardingMode::kFullNat),
      flows_(flows),
      milliseconds_(milliseconds) {
  if (forwarding().translates()) {
    book_.emplace(flows);
  }
}

PacketSource::Run Runner::run_from(Direction from, Traffic& traffic, uint64_t packets) {
  PacketSource::Run run;
  run.traffic = &traffic;
  run.measured = packets;
  if (from == Direction::kIn) {
    run.frames = &frames_;
  } else {
    run.replies = &replies_;
    run.book = &*book_;
    run.port = director_.network().ports().size() - 1;
  }
  return run;
}

// ---- opening

tl::expected<void, std::string> Runner::open() {
  if (forwarding().translates()) {
    return open_by_steps();
  }
  Traffic opening(Pattern::kOpen, flows_);
  source().run(run_from(Direction::kIn, opening, (uint64_t{flows_} + 31) / 32 * 64));
  return {};
}

// How many packets left.
uint64_t Runner::look_at_all(Direction from, Traffic traffic, uint64_t packets, FrameCheck& check,
                             FrameCheck::Book book) {
  PacketSource::Run run = run_from(from, traffic, packets);
  uint64_t seen = 0;
  run.inspect = [&](const SentFrame& sent) {
    check.look_at(sent, from, book);
    ++seen;
  };
  source().run(run);
  return seen;
}

// The server has to answer before the client is believed.
tl::expected<void, std::string> Runner::open_by_steps() {
  const bool tcp = frames_.shape().protocol == IpProtocol::kTcp;
  FrameCheck check(forwarding(), frames_, &replies_, &*book_,
                   director_.network().ports().size() - 1);
  const Director::Books before = director_.books();
  for (uint32_t begin = 0; begin < flows_;) {
    const uint32_t count = std::min(flows_of_a_step(flows_), flows_ - begin);
    const auto step = [&](Direction from, uint8_t flags, FrameCheck::Book book) {
      return look_at_all(from, Traffic(Step{begin, count, flags}, flows_), count, check, book) ==
             count;
    };
    if (!step(Direction::kIn, kSyn, FrameCheck::Book::kLearn) ||
        (tcp && !step(Direction::kOut, kSyn | kAck, FrameCheck::Book::kKeep)) ||
        !step(Direction::kIn, kAck, FrameCheck::Book::kKeep)) {
      return tl::unexpected(fmt::format("flows could not be opened, dropped: {}",
                                        drops_in_words(before, director_.books())));
    }
    if (auto verdict = check.verdict(); !verdict) {
      return verdict;
    }
    begin += count;
  }
  return {};
}

// ---- runs

uint64_t Runner::packets_in_time(Traffic& traffic) {
  const Stretch guess = worker(traffic, whole_blocks(kGuess));
  const double wanted_ns = milliseconds_ * 1e6;
  return whole_blocks(std::max(static_cast<uint64_t>(wanted_ns / guess.ns_per_packet()), kGuess));
}

Stretch Runner::worker(Traffic& traffic, uint64_t packets, uint64_t warm_up) {
  PacketSource::Run run = run_from(forwarding().direction, traffic, packets);
  run.warm_up = warm_up;
  return source().run(run);
}

Stretch Runner::floor(const Traffic& traffic, uint64_t packets) {
  Traffic copy = traffic;
  PacketSource& source = this->source();
  std::vector<PortPair>& ports = director_.network().ports();
  PacketSource::Run run = run_from(forwarding().direction, copy, packets);
  run.warm_up = kWarmUp;
  source.begin(run, [&ports, &source] { swap_macs(ports, WorkerIndex{0}, source); });
  return source.finish();
}

tl::expected<void, std::string> Runner::verify(Direction from) {
  FrameCheck check(forwarding(), frames_, &replies_, book_ ? &*book_ : nullptr,
                   director_.network().ports().size() - 1);
  const Director::Books before = director_.books();
  const uint64_t seen =
      look_at_all(from, Traffic(Pattern::kKnown, flows_), flows_, check, FrameCheck::Book::kKeep);
  if (auto verdict = check.verdict(); !verdict) {
    return verdict;
  }
  if (seen != flows_) {
    return tl::unexpected(fmt::format("of the packets of {} flows {} left, dropped: {}", flows_,
                                      seen, drops_in_words(before, director_.books())));
  }
  return {};
}

Stretch Runner::undisturbed(const std::function<Stretch()>& run) {
  Stretch stretch;
  for (unsigned attempt = 0; attempt < kAttempts; ++attempt) {
    stretch = run();
    if (!stretch.disturbed()) {
      return stretch;
    }
  }
  ++disturbed_;
  return stretch;
}

std::string in_words(unsigned disturbed) {
  return disturbed == 0 ? std::string() : fmt::format("  {} runs disturbed", disturbed);
}

}  // namespace ballast::bench
