#include "healthcheck/checker_list.h"

#include <array>

#include "healthcheck/http_checker.h"
#include "healthcheck/tcp_checker.h"

namespace ballast::healthcheck {
namespace {

struct Entry {
  CheckType type;
  std::string_view name;
  std::unique_ptr<Checker> (*make)(boost::asio::io_context& loop, const CheckRequest& request);
};

// A new checker is one line here.
constexpr std::array kCheckers{
    Entry{CheckType::kNone, "none", nullptr},
    Entry{CheckType::kTcp, "tcp", make_tcp_checker},
    Entry{CheckType::kHttp, "http", make_http_checker},
};

const Entry* find(CheckType type) {
  for (const Entry& entry : kCheckers) {
    if (entry.type == type) {
      return &entry;
    }
  }
  return nullptr;
}

}  // namespace

std::string_view to_string(CheckType type) {
  const Entry* entry = find(type);
  return entry != nullptr ? entry->name : "invalid";
}

std::optional<CheckType> parse_check_type(std::string_view name) {
  for (const Entry& entry : kCheckers) {
    if (entry.name == name) {
      return entry.type;
    }
  }
  return std::nullopt;
}

std::vector<std::string_view> check_type_names() {
  std::vector<std::string_view> names;
  names.reserve(std::size(kCheckers));
  for (const Entry& entry : kCheckers) {
    names.push_back(entry.name);
  }
  return names;
}

std::unique_ptr<Checker> make_checker(boost::asio::io_context& loop, const CheckRequest& request) {
  const Entry* entry = find(request.settings.type);
  return entry != nullptr && entry->make != nullptr ? entry->make(loop, request) : nullptr;
}

}  // namespace ballast::healthcheck
