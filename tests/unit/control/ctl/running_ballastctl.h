// ballastctl run as a function, and a ballastd that answers what a test says.
#pragma once

#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include "control/ctl/run.h"
#include "tests/unit/control/api/running_server.h"

namespace ballast::control {

struct Outcome {
  int exit_code = -1;
  std::string out;
  std::string err;
};

inline Outcome ballastctl(std::vector<std::string> arguments) {
  std::vector<const char*> argv{"ballastctl"};
  for (const auto& argument : arguments) {
    argv.push_back(argument.c_str());
  }
  std::ostringstream out;
  std::ostringstream err;
  const int exit_code = run(static_cast<int>(argv.size()), argv.data(), out, err);
  return {exit_code, out.str(), err.str()};
}

// The text as JSON, or a failure.
inline google::protobuf::Struct parsed(const std::string& text) {
  google::protobuf::Struct document;
  const auto status = google::protobuf::util::JsonStringToMessage(text, &document);
  EXPECT_TRUE(status.ok()) << status.ToString() << "\n" << text;
  return document;
}

inline std::string error_code(const std::string& text) {
  const auto document = parsed(text);
  const auto& error = document.fields().at("error").struct_value();
  return error.fields().at("code").string_value();
}

class Ballastctl : public testing::Test {
 protected:
  Outcome ask(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--socket", folder_ / "s"});
    return ballastctl(std::move(arguments));
  }
  ControlServerOptions options() {
    ControlServerOptions result;
    result.path = folder_ / "s";
    return result;
  }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }

  TemporaryFolder folder_;
  FakeHandler handler_;
};

}  // namespace ballast::control
