#include "toml_reader/toml_document.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "toml_reader/toml_bounds.h"

namespace ballast {

// Thrown in place of toml++'s assertions, some of which a malformed file can reach ("[=]"
// in 3.3.0); with NDEBUG they would be promises to the optimizer, and such a file undefined
// behaviour.
struct TomlParserAssertion {};
inline void fail_toml_assertion() {
  throw TomlParserAssertion();
}

}  // namespace ballast

// The only file that includes toml++. It is compiled in here, not linked as a library, for the
// assertions above, and so that sanitizers and fuzzers see into it.
#undef NDEBUG
#define TOML_ASSERT(expression) \
  ((expression) ? static_cast<void>(0) : ballast::fail_toml_assertion())
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 1
#define TOML_ENABLE_FORMATTERS 0
#define TOML_ENABLE_WINDOWS_COMPAT 0
#include <toml++/toml.h>

namespace ballast {
namespace {

TomlPosition position_of(const toml::source_region& region) {
  return {region.begin.line, region.begin.column};
}

// Recursion is bounded by toml_bounds.h.
TomlNode convert(const toml::node& source) {
  TomlNode node;
  node.where = position_of(source.source());
  if (const auto* table = source.as_table()) {
    TomlNode::Table members;
    members.reserve(table->size());
    for (const auto& [key, value] : *table) {
      members.push_back({std::string(key.str()), position_of(key.source()), convert(value)});
    }
    node.value = std::move(members);
  } else if (const auto* array = source.as_array()) {
    TomlNode::Array elements;
    elements.reserve(array->size());
    for (const toml::node& element : *array) {
      elements.push_back(convert(element));
    }
    node.value = std::move(elements);
  } else if (const auto* text = source.as_string()) {
    node.value = text->get();
  } else if (const auto* integer = source.as_integer()) {
    node.value = integer->get();
  } else if (const auto* number = source.as_floating_point()) {
    node.value = number->get();
  } else if (const auto* boolean = source.as_boolean()) {
    node.value = boolean->get();
  } else {
    node.value = TomlNode::Date{};
  }
  return node;
}

// toml++ says "Error while parsing key: ..." and may quote raw bytes of the file.
std::string sentence(std::string_view description) {
  std::string result = "syntax error: ";
  for (const char c : description) {
    const auto byte = static_cast<unsigned char>(c);
    result += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  while (!result.empty() && result.back() == '.') {
    result.pop_back();
  }
  return result;
}

bool reaches_assertion(std::string_view text) {
  try {
    (void)toml::parse(text);
  } catch (const toml::parse_error&) {
    return false;
  } catch (const TomlParserAssertion&) {
    return true;
  }
  return false;
}

// The line at which the parser gave up without saying where. It reads from front to back, so a text
// cut off before that line does not reach the assertion, and one cut off behind it does: a binary
// search finds the place.
size_t line_of_assertion(std::string_view text) {
  std::vector<size_t> line_ends;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\n' || at + 1 == text.size()) {
      line_ends.push_back(at + 1);
    }
  }
  const auto found = std::partition_point(line_ends.begin(), line_ends.end(), [text](size_t end) {
    return !reaches_assertion(text.substr(0, end));
  });
  return static_cast<size_t>(found - line_ends.begin()) + 1;
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

tl::expected<std::string, std::string> read_bounded(const std::string& path) {
  const auto failure = [&path](std::string_view what) {
    return tl::unexpected(fmt::format("{}: {}", path, what));
  };
  const auto too_large = fmt::format("the file is larger than {} MiB, the most that is read",
                                     TomlDocument::kLargestFile >> 20U);
  // O_NONBLOCK: a FIFO without a writer must not hold up a daemon.
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) {
    return failure(fmt::format("cannot be opened: {}", std::strerror(errno)));
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) {
    return failure(fmt::format("cannot be read: {}", std::strerror(errno)));
  }
  if (S_ISDIR(status.st_mode)) {
    return failure("is a directory, not a file");
  }
  if (status.st_size > static_cast<off_t>(TomlDocument::kLargestFile)) {
    return failure(too_large);
  }
  std::string text;
  char buffer[65536];
  while (true) {
    const ssize_t count = ::read(file.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return failure(fmt::format("cannot be read: {}", std::strerror(errno)));
    }
    if (count == 0) {
      return text;
    }
    text.append(buffer, static_cast<size_t>(count));
    if (text.size() > TomlDocument::kLargestFile) {
      return failure(too_large);
    }
  }
}

}  // namespace

tl::expected<TomlDocument, std::string> TomlDocument::read_file(const std::string& path) {
  auto text = read_bounded(path);
  if (!text) {
    return tl::unexpected(std::move(text.error()));
  }
  return parse(*text, path);
}

tl::expected<TomlDocument, std::string> TomlDocument::parse(std::string_view text,
                                                            std::string file) {
  if (text.size() > kLargestFile) {
    return tl::unexpected(fmt::format("{}: larger than {} MiB", file, kLargestFile >> 20U));
  }
  const std::optional<TomlExcess> excess = find_excess(text, TomlBounds{});
  if (excess) {
    return tl::unexpected(fmt::format("{}:{}:{}: {}", file, excess->where.line,
                                      excess->where.column, excess->message));
  }
  try {
    const toml::table table = toml::parse(text);
    return TomlDocument(std::move(file), std::make_unique<const TomlNode>(convert(table)));
  } catch (const toml::parse_error& error) {
    return tl::unexpected(fmt::format("{}:{}:{}: {}", file, error.source().begin.line,
                                      error.source().begin.column, sentence(error.description())));
  } catch (const TomlParserAssertion&) {
    return tl::unexpected(fmt::format("{}:{}:1: syntax error: malformed key or table header", file,
                                      line_of_assertion(text)));
  }
}

}  // namespace ballast
