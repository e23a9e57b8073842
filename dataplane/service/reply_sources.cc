#include "dataplane/service/reply_sources.h"

#include <algorithm>

#include "dataplane/service/slot_index.h"

namespace ballast {

ReplySources::ReplySources(std::span<const std::pair<IpAddress, ServerIndex>> servers) {
  std::vector<std::pair<IpAddress, ServerIndex>> sorted(servers.begin(), servers.end());
  std::sort(sorted.begin(), sorted.end());
  servers_.reserve(sorted.size());
  for (const auto& [address, server] : sorted) {
    if (sources_.empty() || sources_.back().address != address) {
      sources_.push_back({address, static_cast<uint32_t>(servers_.size()), 0});
    }
    ++sources_.back().count;
    servers_.push_back(server);
  }
  slots_ =
      make_slots(sources_.size(), [this](uint32_t i) { return hash_address(sources_[i].address); });
}

std::span<const ServerIndex> ReplySources::find(const IpAddress& address) const {
  const uint32_t found = find_in_slots(slots_, hash_address(address),
                                       [&](uint32_t i) { return sources_[i].address == address; });
  if (found == 0) {
    return {};
  }
  const Source& source = sources_[found - 1];
  return std::span(servers_).subspan(source.first, source.count);
}

}  // namespace ballast
