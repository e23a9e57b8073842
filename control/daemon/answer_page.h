// One page of an answer that lists servers, of all services or of one: as much as fits well into a
// frame. Pure.
//
// Servers are counted through all services that are listed, in the order of the configuration; a
// service without servers counts as one. A cursor says where the next page begins, and of which
// configuration: after a reload it means nothing any more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include <tl/expected.hpp>

namespace ballast::control {

class AnswerPage {
 public:
  static constexpr size_t kBytes = size_t{4} << 20;  // about; a frame holds four times as much

  enum class Refusal : uint8_t { kNotACursor, kOfAnotherConfiguration };

  // `configuration` numbers the one in force. Not `paged`: everything is one page.
  static tl::expected<AnswerPage, Refusal> open(bool paged, const std::string& cursor,
                                                uint64_t configuration);

  // The next service, with so many servers: subscript of the first that may be in this page;
  // nothing if none may.
  std::optional<size_t> begin_service(size_t servers);
  // Whether this server, of the service begun last, is still in this page. If not, none after it
  // is.
  bool take(size_t server, size_t bytes);

  // Where the next page begins; empty: this is the last one.
  [[nodiscard]] std::string next_cursor() const;

 private:
  AnswerPage(bool paged, uint64_t configuration, uint64_t from)
      : paged_(paged), configuration_(configuration), from_(from) {}

  bool paged_;
  uint64_t configuration_;
  uint64_t from_;
  uint64_t service_begins_ = 0;
  uint64_t service_ends_ = 0;
  size_t bytes_ = 0;
  std::optional<uint64_t> next_;
};

}  // namespace ballast::control
