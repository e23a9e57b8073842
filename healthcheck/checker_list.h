// All the ways to check a server, by the names that operators write.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "healthcheck/checker.h"

namespace ballast::healthcheck {

// "tcp", "http"; "none" for kNone.
std::string_view to_string(CheckType type);
std::optional<CheckType> parse_check_type(std::string_view name);
std::vector<std::string_view> check_type_names();

// Null for kNone, which needs none.
std::unique_ptr<Checker> make_checker(boost::asio::io_context& loop, const CheckRequest& request);

}  // namespace ballast::healthcheck
