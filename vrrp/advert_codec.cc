#include "vrrp/advert_codec.h"

#include <algorithm>
#include <cstring>

#include "dataplane/packet/byte_order.h"
#include "dataplane/packet/checksum.h"

namespace ballast::vrrp {
namespace {

constexpr uint8_t kTypeAdvertisement = 1;
constexpr size_t kAuthenticationData = 8;  // RFC 3768 section 5.3.10: sent as zeros, ignored
constexpr uint16_t kIntervalMask = 0x0fff;
constexpr Duration kCentisecond = std::chrono::milliseconds{10};
constexpr Duration kSecond = std::chrono::seconds{1};

struct Header {
  uint8_t version_and_type;
  uint8_t id;
  uint8_t priority;
  uint8_t count;
  Big16 interval;  // v3: reserved and interval; v2: authentication type and interval
  Big16 checksum;
};
static_assert(sizeof(Header) == 8 && alignof(Header) == 1);

size_t address_size(Family family) {
  return family == Family::kIpv4 ? sizeof(IpAddress::V4Bytes) : sizeof(IpAddress::V6Bytes);
}

size_t expected_length(Version version, Family family, size_t count) {
  return sizeof(Header) + count * address_size(family) +
         (version == Version::kV2 ? kAuthenticationData : 0);
}

ChecksumSum pseudo_header(const AdvertPath& path, size_t length) {
  return pseudo_header_sum(path.source, path.destination, IpProtocol::kVrrp,
                           static_cast<uint32_t>(length));
}

bool has_pseudo_header(Version version, Family family, ChecksumForm form) {
  return version == Version::kV3 && (family == Family::kIpv6 || form == ChecksumForm::kRfc5798);
}

uint16_t wire_interval(Version version, Duration interval) {
  if (version == Version::kV2) {
    return static_cast<uint16_t>(std::clamp<int64_t>((interval + kSecond / 2) / kSecond, 1, 255));
  }
  return static_cast<uint16_t>(
      std::clamp<int64_t>((interval + kCentisecond / 2) / kCentisecond, 1, kIntervalMask));
}

IpAddress read_address(const uint8_t* bytes, Family family) {
  if (family == Family::kIpv4) {
    IpAddress::V4Bytes address{};
    std::memcpy(address.data(), bytes, address.size());
    return IpAddress::v4(address);
  }
  IpAddress::V6Bytes address{};
  std::memcpy(address.data(), bytes, address.size());
  return IpAddress::v6(address);
}

void write_address(std::vector<uint8_t>& message, const IpAddress& address, Family family) {
  const auto& bytes = address.bytes();
  message.insert(message.end(), bytes.end() - static_cast<ptrdiff_t>(address_size(family)),
                 bytes.end());
}

// The form whose checksum is right, if one is.
tl::expected<ChecksumForm, AdvertFault> verify_checksum(std::span<const uint8_t> message,
                                                        Version version, const AdvertPath& path) {
  const Family family = path.source.family();
  const auto is_good = [&](bool with_pseudo_header) {
    const ChecksumSum start =
        with_pseudo_header ? pseudo_header(path, message.size()) : ChecksumSum{};
    return is_valid_checksum(sum_bytes(message.data(), message.size(), start));
  };
  for (const ChecksumForm form : {ChecksumForm::kRfc5798, ChecksumForm::kRfc9568}) {
    if (is_good(has_pseudo_header(version, family, form))) {
      return form;
    }
  }
  return tl::unexpected(AdvertFault::kChecksum);
}

tl::expected<Version, AdvertFault> read_version(const Header& header, Family family) {
  const int version = header.version_and_type >> 4;
  if ((version != 2 && version != 3) || (version == 2 && family == Family::kIpv6)) {
    return tl::unexpected(AdvertFault::kVersion);
  }
  if ((header.version_and_type & 0x0f) != kTypeAdvertisement) {
    return tl::unexpected(AdvertFault::kType);
  }
  return static_cast<Version>(version);
}

}  // namespace

std::string_view to_string(ChecksumForm form) {
  return form == ChecksumForm::kRfc5798 ? "rfc5798" : "rfc9568";
}

std::vector<uint8_t> build_advert(const Advert& advert, const AdvertPath& path, ChecksumForm form) {
  const Family family = path.source.family();
  const Version version = family == Family::kIpv6 ? Version::kV3 : advert.version;
  const size_t count = std::min(advert.addresses.size(), kMaximumAddresses);
  Header header{};
  header.version_and_type =
      static_cast<uint8_t>((static_cast<uint8_t>(version) << 4) | kTypeAdvertisement);
  header.id = index(advert.id);
  header.priority = index(advert.priority);
  header.count = static_cast<uint8_t>(count);
  header.interval = Big16::from_host(wire_interval(version, advert.interval));

  std::vector<uint8_t> message(sizeof(Header));
  message.reserve(expected_length(version, family, count));
  for (size_t i = 0; i < count; ++i) {
    write_address(message, advert.addresses[i], family);
  }
  message.resize(expected_length(version, family, count));
  std::memcpy(message.data(), &header, sizeof(header));
  const ChecksumSum start = has_pseudo_header(version, family, form)
                                ? pseudo_header(path, message.size())
                                : ChecksumSum{};
  header.checksum = finish_checksum(sum_bytes(message.data(), message.size(), start));
  std::memcpy(message.data(), &header, sizeof(header));
  return message;
}

tl::expected<ReadAdvert, AdvertFault> read_advert(std::span<const uint8_t> message,
                                                  const AdvertPath& path) {
  Header header{};
  if (message.size() < sizeof(header)) {
    return tl::unexpected(AdvertFault::kShort);
  }
  std::memcpy(&header, message.data(), sizeof(header));
  const Family family = path.source.family();
  const auto version = read_version(header, family);
  if (!version) {
    return tl::unexpected(version.error());
  }
  const size_t expected = expected_length(*version, family, header.count);
  if (message.size() != expected) {
    return tl::unexpected(message.size() < expected ? AdvertFault::kShort : AdvertFault::kLength);
  }
  const auto form = verify_checksum(message, *version, path);
  if (!form) {
    return tl::unexpected(form.error());
  }
  if (header.count == 0) {
    return tl::unexpected(AdvertFault::kCountZero);
  }
  const bool is_v2 = *version == Version::kV2;
  const uint16_t interval = header.interval.to_host() & (is_v2 ? 0x00ff : kIntervalMask);
  if (interval == 0) {
    return tl::unexpected(AdvertFault::kIntervalZero);
  }
  ReadAdvert read;
  read.form = *form;
  read.authentication_type = is_v2 ? static_cast<uint8_t>(header.interval.to_host() >> 8) : 0;
  read.advert.version = *version;
  read.advert.id = VirtualRouterId{header.id};
  read.advert.priority = Priority{header.priority};
  read.advert.interval = interval * (is_v2 ? kSecond : kCentisecond);
  read.advert.addresses.reserve(header.count);
  for (size_t i = 0; i < header.count; ++i) {
    read.advert.addresses.push_back(
        read_address(message.data() + sizeof(Header) + i * address_size(family), family));
  }
  if (family == Family::kIpv6 && !read.advert.addresses.front().is_link_local()) {
    return tl::unexpected(AdvertFault::kFirstNotLinkLocal);
  }
  return read;
}

VirtualRouterId claimed_id(std::span<const uint8_t> message) {
  return message.size() < 2 ? VirtualRouterId{0} : VirtualRouterId{message[1]};
}

}  // namespace ballast::vrrp
