// A connection dump under way: one page, collected from one worker after the other.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <tl/expected.hpp>

#include "dataplane/api/dataplane.pb.h"
#include "dataplane/api/server.h"
#include "dataplane/dpdk/connection_listing.h"
#include "dataplane/dpdk/dataplane.h"

namespace ballast {

struct Dataplane::Listing {
  ConnectionFilter filter;
  uint32_t limit = 0;
  uint16_t worker = 0;                     // that is asked next, or is being asked
  ConnectionIndex cursor = 0;              // where it is asked to begin
  std::unique_ptr<ConnectionListing> job;  // posted to the worker
  api::Connections page;
  api::AnswerOrRefuseWith<api::Connections> answer;
};

// What a request asks for, or which of its fields is wrong.
tl::expected<ConnectionFilter, std::string> to_filter(const api::ListConnections& request);

// "WORKER:POSITION"; empty is the beginning.
struct ListingCursor {
  uint16_t worker = 0;
  ConnectionIndex position = 0;
};
std::optional<ListingCursor> parse_listing_cursor(const std::string& text);
std::string to_string(const ListingCursor& cursor);

}  // namespace ballast
