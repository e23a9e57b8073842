#include "tests/bench/newflows_bench.h"

#include <algorithm>

#include <fmt/format.h>

#include "dataplane/packet/drop_reason.h"
#include "tests/bench/addresses.h"
#include "tests/bench/runner.h"
#include "tests/bench/verdict.h"

namespace ballast::bench {
namespace {

constexpr uint32_t kFewTrusted = 64;
// New flows of rows without a flood: neither established ones nor those of a flood.
constexpr uint32_t kFirstNew = uint32_t{1} << 30U;

// TUN: with servers of the clients' family.
Forwarding forwarding_of(const NewFlowsOptions& options, Family clients) {
  Forwarding forwarding = options.forwarding;
  forwarding.servers = clients;
  return forwarding;
}

JsonObject key_of(const NewFlowsOptions& options, Family family, std::string_view traffic,
                  uint64_t flows) {
  return JsonObject()
      .add("mode", forwarding_of(options, family).name(family))
      .add("family", static_cast<int>(family))
      .add("direction", "in")
      .add("traffic", traffic)
      .add("flows", flows)
      .add("workers", 1);
}

// ---- the table fills

// 80 % of the entries when it is full, all of them untrusted.
ConnectionLimits limits_to_fill(uint32_t flows) {
  return {kFewTrusted, static_cast<uint32_t>(uint64_t{flows} * 5 / 4)};
}

struct Fill {
  Family family;
  IpProtocol protocol;
  uint32_t flows;
  bool touched;

  [[nodiscard]] std::string traffic() const {
    return fmt::format("{}{}", protocol == IpProtocol::kTcp ? "new_tcp" : "new_udp",
                       touched ? "" : "_first_touch");
  }
};

tl::expected<Stretch, std::string> fill_once(Network& network, const NewFlowsOptions& options,
                                             const Fill& fill) {
  ConnectionLimits limits = limits_to_fill(fill.flows);
  limits.translations = options.translations;
  auto director = Director::create(network, {.forwarding = forwarding_of(options, fill.family),
                                             .connections = limits,
                                             .flows = fill.flows,
                                             .hugepages = options.hugepages,
                                             .touched = fill.touched});
  if (!director) {
    return tl::unexpected(director.error());
  }
  Runner runner(**director, fill.family, fill.protocol, 1, options.milliseconds);
  Traffic traffic(Pattern::kNew, fill.flows, kFirstNew);
  const Director::Books before = (*director)->books();
  const Stretch stretch = runner.worker(traffic, fill.flows, 0);
  if (const auto verdict = all_was_forwarded(before, (*director)->books(), fill.flows); !verdict) {
    return tl::unexpected(verdict.error());
  }
  return stretch;
}

void measure_fill(Network& network, const NewFlowsOptions& options, const Fill& fill,
                  Report& report) {
  Sample ns;
  Sample cycles;
  unsigned disturbed = 0;
  for (unsigned run = 0; run < options.runs; ++run) {
    const auto stretch = fill_once(network, options, fill);
    if (!stretch) {
      return report.fail(fill.traffic(), stretch.error());
    }
    disturbed += stretch->disturbed() ? 1 : 0;
    ns.add(stretch->ns_per_packet());
    cycles.add(stretch->cycles_per_packet());
  }
  report.add(
      key_of(options, fill.family, fill.traffic(), fill.flows)
          .add("mpps", 1000 / ns.median())
          .add("ns_per_packet", ns.median())
          .add("cycles_per_packet", cycles.median())
          .add("ns_min", ns.min())
          .add("ns_max", ns.max())
          .add("disturbed", disturbed),
      fmt::format("IPv{}  {:<20} {:>8}  {:>7.2f}  {:>7.1f}  {:>6.1f} {:>6.1f}  {:>7.0f}{}",
                  static_cast<int>(fill.family), fill.traffic(), fill.flows, 1000 / ns.median(),
                  ns.median(), ns.min(), ns.max(), cycles.median(), in_words(disturbed)));
}

// ---- a flood

ConnectionLimits limits_in_flood(const NewFlowsOptions& options) {
  return {static_cast<uint32_t>(uint64_t{options.established} * 5 / 4), options.untrusted_quota,
          options.translations};
}

struct Flood {
  Sample mix;
  Sample established;
  Sample recycling;  // new flows, each of which pushes out an untrusted one
  Sample free_room;  // new flows, beside the established ones, into free room
  uint64_t packets = 0;
  uint64_t established_packets = 0;
  uint64_t dropped = 0;
  uint64_t established_dropped = 0;  // a SYN is only dropped where the quota has no room for it
  std::string drops;
  uint64_t evicted = 0;  // established flows that are gone
  unsigned disturbed = 0;
};

// New flows beside the established ones, with room for all.
tl::expected<double, std::string> into_free_room(Network& network, const NewFlowsOptions& options,
                                                 Family family) {
  ConnectionLimits limits = limits_in_flood(options);
  limits.untrusted = std::max(options.established, options.untrusted_quota);
  auto director = Director::create(network, {.forwarding = forwarding_of(options, family),
                                             .connections = limits,
                                             .flows = limits.trusted + limits.untrusted,
                                             .hugepages = options.hugepages,
                                             .touched = true});
  if (!director) {
    return tl::unexpected(director.error());
  }
  Runner runner(**director, family, IpProtocol::kTcp, options.established, options.milliseconds);
  if (auto done = runner.open(); !done) {
    return tl::unexpected(done.error());
  }
  const uint32_t fresh = limits.untrusted / 10 * 9;
  Traffic traffic(Pattern::kNew, fresh, kFirstNew);
  return runner.worker(traffic, fresh, 0).ns_per_packet();
}

// Each established flow once more: what is dropped of it has lost its connection.
uint64_t lost_flows(Director& director, Runner& runner, uint32_t established) {
  Traffic once(Pattern::kKnown, established);
  const Director::Books before = director.books();
  runner.worker(once, established, 0);
  return director.books().dropped() - before.dropped();
}

// SYNs: where the quota has no room for them, and FULLNAT no port.
uint64_t dropped_for_room(const Director::Books& before, const Director::Books& after) {
  uint64_t sum = 0;
  for (const DropReason reason : {DropReason::kUntrustedQuota, DropReason::kLocalPortsExhausted,
                                  DropReason::kLocalPortsMemory}) {
    sum += after.drops[static_cast<size_t>(reason)] - before.drops[static_cast<size_t>(reason)];
  }
  return sum;
}

void run_flood(Director& director, Runner& runner, const NewFlowsOptions& options, Flood& flood) {
  Traffic mix(Pattern::kFlood, options.established);
  Traffic known(Pattern::kKnown, options.established);
  Traffic fresh(Pattern::kNew, kFirstNew, kFirstNew);
  runner.worker(fresh, 2 * uint64_t{options.untrusted_quota});
  const uint64_t packets = runner.packets_in_time(mix);
  const Director::Books before = director.books();
  for (unsigned run = 0; run < options.runs; ++run) {
    const auto ns_of = [&](Traffic& traffic) {
      return runner.undisturbed([&] { return runner.worker(traffic, packets); }).ns_per_packet();
    };
    const uint64_t received = director.books().received;
    flood.mix.add(ns_of(mix));
    flood.packets += director.books().received - received;
    flood.established.add(ns_of(known));
    flood.recycling.add(ns_of(fresh));
  }
  const Director::Books after = director.books();
  flood.established_packets = flood.packets / 10;
  flood.dropped = after.dropped() - before.dropped();
  flood.established_dropped = flood.dropped - dropped_for_room(before, after);
  flood.drops = drops_in_words(before, after);
  flood.evicted = lost_flows(director, runner, options.established);
  flood.disturbed = runner.disturbed();
}

void report_flood(Family family, const NewFlowsOptions& options, const Flood& flood,
                  Report& report) {
  const double parts = 0.9 * flood.recycling.median() + 0.1 * flood.established.median();
  const double parts_in_room = 0.9 * flood.free_room.median() + 0.1 * flood.established.median();
  const double mix = flood.mix.median();
  report.add(
      key_of(options, family, "syn_flood", options.established)
          .add("mpps", 1000 / mix)
          .add("ns_per_packet", mix)
          .add("ns_min", flood.mix.min())
          .add("ns_max", flood.mix.max())
          .add("established_ns", flood.established.median())
          .add("new_flow_recycling_ns", flood.recycling.median())
          .add("new_flow_free_room_ns", flood.free_room.median())
          .add("of_parts", mix / parts)
          .add("of_parts_free_room", mix / parts_in_room)
          .add("packets", flood.packets)
          .add("packets_dropped", flood.dropped)
          .add("established_packets_dropped", flood.established_dropped)
          .add("established_flows_evicted", flood.evicted)
          .add("untrusted_quota", options.untrusted_quota)
          .add("disturbed", flood.disturbed),
      fmt::format(
          "IPv{}  {} established, untrusted quota of {} used up, 90 % SYNs of new tuples:{}\n"
          "  {} packets, of them {} established; dropped: {}; established flows evicted: {}\n"
          "  ns per packet: mix {:.1f} ({:.1f}-{:.1f}); alone: established {:.1f}, new flow that "
          "recycles {:.1f}, into free room {:.1f}\n"
          "  mix / (0.9 new + 0.1 established): {:.2f} with the new flow that recycles, {:.2f} "
          "into free room",
          static_cast<int>(family), options.established, options.untrusted_quota,
          in_words(flood.disturbed), flood.packets, flood.established_packets, flood.drops,
          flood.evicted, mix, flood.mix.min(), flood.mix.max(), flood.established.median(),
          flood.recycling.median(), flood.free_room.median(), mix / parts, mix / parts_in_room));
  if (flood.established_dropped != 0 || flood.evicted != 0) {
    report.fail("syn_flood", "established packets must not be dropped, nor their flows evicted");
  }
}

void measure_flood(Network& network, const NewFlowsOptions& options, Family family,
                   Report& report) {
  Flood flood;
  for (unsigned run = 0; run < options.runs; ++run) {
    const auto ns = into_free_room(network, options, family);
    if (!ns) {
      return report.fail("syn_flood", ns.error());
    }
    flood.free_room.add(*ns);
  }
  const ConnectionLimits limits = limits_in_flood(options);
  auto director = Director::create(network, {.forwarding = forwarding_of(options, family),
                                             .connections = limits,
                                             .flows = 2 * (limits.trusted + limits.untrusted),
                                             .hugepages = options.hugepages,
                                             .touched = true});
  if (!director) {
    return report.fail("syn_flood", director.error());
  }
  Runner runner(**director, family, IpProtocol::kTcp, options.established, options.milliseconds);
  if (const auto done = runner.open(); !done) {
    return report.fail("syn_flood", done.error());
  }
  run_flood(**director, runner, options, flood);
  report_flood(family, options, flood, report);
}

}  // namespace

uint64_t largest_table(const NewFlowsOptions& options) {
  uint64_t largest = uint64_t{limits_in_flood(options).trusted} +
                     std::max(options.established, options.untrusted_quota);
  for (const uint32_t flows : options.flows) {
    const ConnectionLimits limits = limits_to_fill(flows);
    largest = std::max<uint64_t>(largest, uint64_t{limits.trusted} + limits.untrusted);
  }
  return largest;
}

void measure_new_flows(Network& network, const NewFlowsOptions& options, Report& report) {
  report.title("IP    new flows               flows   M/s      ns/new     min    max   cycles");
  for (const Family family : options.families) {
    for (const bool touched : {true, false}) {
      for (const IpProtocol protocol : {IpProtocol::kTcp, IpProtocol::kUdp}) {
        for (const uint32_t flows : options.flows) {
          measure_fill(network, options, {family, protocol, flows, touched}, report);
        }
      }
    }
  }
  if (options.no_flood) {
    return;
  }
  report.title("SYN flood");
  for (const Family family : options.families) {
    measure_flood(network, options, family, report);
  }
}

}  // namespace ballast::bench
