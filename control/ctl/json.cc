#include "control/ctl/json.h"

#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>

namespace ballast::control {
namespace {

std::string convert(const google::protobuf::Message& message, bool whitespace) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.add_whitespace = whitespace;
  std::string text;
  // Fails only for messages with Any or a malformed Timestamp: ours have neither.
  (void)google::protobuf::util::MessageToJsonString(message, &text, options);
  return text;
}

}  // namespace

std::string to_json(const google::protobuf::Message& message) {
  return convert(message, true);
}

std::string to_compact_json(const google::protobuf::Message& message) {
  return convert(message, false);
}

}  // namespace ballast::control
