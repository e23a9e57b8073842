#include "control/config/endpoint.h"

#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "toml_reader/toml_report.h"

namespace ballast::control {
namespace {

using tl::unexpected;

// Decimal digits only, without a sign; a leading zero is taken for a slip.
std::optional<uint32_t> parse_digits(std::string_view text) {
  if (text.empty() || text.size() > 6 || (text.size() > 1 && text.front() == '0')) {
    return std::nullopt;
  }
  uint32_t value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || rest != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

tl::expected<uint16_t, std::string> parse_port(std::string_view text, std::string_view whole) {
  const auto port = parse_digits(text);
  if (!port) {
    return unexpected(
        fmt::format("{}: {} is not a port: write 1-65535", quote(whole), quote(text)));
  }
  if (*port < 1 || *port > 65535) {
    return unexpected(fmt::format("{}: port {} is out of range (1-65535)", quote(whole), *port));
  }
  return static_cast<uint16_t>(*port);
}

struct HostAndPort {
  std::string_view host;
  std::optional<std::string_view> port;
  bool bracketed = false;
};

// Splits only; nothing when brackets are broken.
std::optional<HostAndPort> split(std::string_view text) {
  if (!text.empty() && text.front() == '[') {
    const size_t close = text.find(']');
    if (close == std::string_view::npos) {
      return std::nullopt;
    }
    HostAndPort result{text.substr(1, close - 1), std::nullopt, true};
    const std::string_view rest = text.substr(close + 1);
    if (rest.empty()) {
      return result;
    }
    if (rest.front() != ':') {
      return std::nullopt;
    }
    result.port = rest.substr(1);
    return result;
  }
  const size_t colon = text.find(':');
  if (colon != std::string_view::npos && colon == text.rfind(':')) {
    return HostAndPort{text.substr(0, colon), text.substr(colon + 1), false};
  }
  return HostAndPort{text, std::nullopt, false};  // IPv4 alone, or bare IPv6
}

tl::expected<ServerKey, std::string> parse_host_and_port(std::string_view text,
                                                         std::string_view whole,
                                                         std::string_view form) {
  const auto parts = split(text);
  const auto address = parts ? IpAddress::parse(parts->host) : std::nullopt;
  if (!address || (parts->bracketed && address->is_v4())) {
    return unexpected(
        fmt::format("{} is not an address with a port: write it as {}", quote(whole), form));
  }
  if (!parts->port) {
    return ServerKey{*address, 0};
  }
  const auto port = parse_port(*parts->port, whole);
  if (!port) {
    return unexpected(port.error());
  }
  return ServerKey{*address, *port};
}

tl::expected<InterfaceAddress, std::string> parse_with_length(std::string_view text,
                                                              std::string_view form) {
  const size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  const auto length =
      slash == std::string_view::npos ? std::nullopt : parse_digits(text.substr(slash + 1));
  if (!address || !length) {
    return unexpected(fmt::format("{} is not an address with a prefix length: write it as {}",
                                  quote(text), form));
  }
  const uint32_t longest = address->is_v4() ? 32 : 128;
  if (*length > longest) {
    return unexpected(
        fmt::format("{}: prefix length {} is out of range (0-{})", quote(text), *length, longest));
  }
  return InterfaceAddress{*address, static_cast<uint8_t>(*length)};
}

}  // namespace

tl::expected<IpAddress, std::string> parse_address(std::string_view text) {
  const auto address = IpAddress::parse(text);
  if (!address) {
    return unexpected(fmt::format(
        R"({} is not an IP address: write it as "192.0.2.10" or "2001:db8::10")", quote(text)));
  }
  return *address;
}

tl::expected<Listener, std::string> parse_listener(std::string_view text) {
  constexpr std::string_view kForm = R"("tcp/192.0.2.10:80" or "udp/[2001:db8::10]:53")";
  const size_t slash = text.find('/');
  const std::string_view protocol = text.substr(0, slash);
  if (slash == std::string_view::npos || (protocol != "tcp" && protocol != "udp")) {
    return unexpected(
        fmt::format("{} does not begin with tcp/ or udp/: write it as {}", quote(text), kForm));
  }
  const auto endpoint = parse_host_and_port(text.substr(slash + 1), text, kForm);
  if (!endpoint) {
    return unexpected(endpoint.error());
  }
  if (endpoint->port == 0) {
    return unexpected(fmt::format("{} has no port: write it as {}", quote(text), kForm));
  }
  return Listener{protocol == "tcp" ? IpProtocol::kTcp : IpProtocol::kUdp, endpoint->address,
                  endpoint->port};
}

tl::expected<ServerKey, std::string> parse_server(std::string_view text) {
  return parse_host_and_port(text, text, R"("10.0.0.11", "10.0.0.11:80" or "[2001:db8::11]:80")");
}

tl::expected<InterfaceAddress, std::string> parse_interface_address(std::string_view text) {
  return parse_with_length(text, R"("10.0.0.1/24" or "2001:db8::1/64")");
}

tl::expected<Prefix, std::string> parse_prefix(std::string_view text, std::string_view form) {
  const auto block = parse_with_length(text, form);
  if (!block) {
    return unexpected(block.error());
  }
  if (block->network().address != block->address) {
    return unexpected(fmt::format("{} has bits beyond its prefix length: did you mean \"{}\"?",
                                  quote(text), block->network().to_string()));
  }
  return block->network();
}

}  // namespace ballast::control
