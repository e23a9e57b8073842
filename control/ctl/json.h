// Protobuf's own JSON mapping, as ballastctl prints it: every field, also those that are zero, so
// that scripts need no defaults; 64-bit numbers are strings, as the mapping has it.
#pragma once

#include <string>

namespace google::protobuf {
class Message;
}

namespace ballast::control {

std::string to_json(const google::protobuf::Message& message);
// On one line.
std::string to_compact_json(const google::protobuf::Message& message);

}  // namespace ballast::control
