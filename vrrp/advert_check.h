// Whether an advert counts for a virtual router: everything of RFC 9568 section 7.1 (RFC 3768
// section 7.1) that depends on the configuration, and the disagreements that operators want named.
#pragma once

#include <string>
#include <vector>

#include "vrrp/datagram.h"
#include "vrrp/router_settings.h"

namespace ballast::vrrp {

struct AdvertJudgement {
  bool is_accepted = false;
  ReadAdvert read;                  // when accepted
  std::vector<AdvertFault> faults;  // accepted: disagreements; else the one reason
};

// `own_priority` is the configured one; `own_address` the primary address that adverts are sent
// from. The datagram's interface and id have led to this router already (see claimed_id).
AdvertJudgement judge_advert(const Datagram& datagram, const RouterSettings& settings,
                             Priority own_priority, const IpAddress& own_address);

// The TTL rule alone, for messages that belong to no router.
bool has_good_ttl(const Datagram& datagram, const RouterSettings& settings);

// For log and status: "interval 1 s, here 100 ms".
std::string describe_fault(AdvertFault fault, const Advert& theirs, const RouterSettings& ours);

}  // namespace ballast::vrrp
