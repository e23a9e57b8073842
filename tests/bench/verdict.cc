#include "tests/bench/verdict.h"

#include <algorithm>

#include <fmt/format.h>

#include "dataplane/packet/drop_reason.h"
#include "tests/bench/addresses.h"

namespace ballast::bench {

std::string drops_in_words(const Director::Books& before, const Director::Books& after) {
  std::string text;
  for (size_t reason = 0; reason < after.drops.size(); ++reason) {
    const uint64_t count = after.drops[reason] - before.drops[reason];
    if (count != 0) {
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ",
                          name_of(static_cast<DropReason>(reason)), count);
    }
  }
  return text.empty() ? "nothing" : text;
}

tl::expected<void, std::string> all_was_forwarded(const Director::Books& before,
                                                  const Director::Books& after, uint64_t flows) {
  const uint64_t received = after.received - before.received;
  const uint64_t transmitted =
      after.transmitted - before.transmitted - (after.from_kernel - before.from_kernel);
  if (after.dropped() != before.dropped()) {
    return tl::unexpected(
        fmt::format("of {} packets dropped: {}", received, drops_in_words(before, after)));
  }
  if (received != transmitted) {
    return tl::unexpected(fmt::format("{} packets received, {} sent", received, transmitted));
  }
  if (after.answers != before.answers || after.punted != before.punted ||
      after.handed_over != before.handed_over) {
    return tl::unexpected(fmt::format("{} packets answered, {} for the kernel, {} handed over",
                                      after.answers - before.answers, after.punted - before.punted,
                                      after.handed_over - before.handed_over));
  }
  uint64_t to_servers = 0;
  uint64_t used = 0;
  uint64_t least = UINT64_MAX;
  for (size_t server = 0; server < after.servers.size(); ++server) {
    const uint64_t packets = after.servers[server] - before.servers[server];
    to_servers += packets;
    if (packets != 0) {
      ++used;
      least = std::min(least, packets);
    }
  }
  if (to_servers != received) {
    return tl::unexpected(
        fmt::format("{} packets received, {} counted by servers", received, to_servers));
  }
  if (flows >= kServers && (used != kServers || least < received / kServers / 2)) {
    return tl::unexpected(fmt::format("{} of {} servers were used, the least for {} of {} packets",
                                      used, kServers, least, received));
  }
  return {};
}

}  // namespace ballast::bench
