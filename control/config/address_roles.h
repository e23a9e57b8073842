// Which address is used for what, by whom and where: no address has two meanings.
#pragma once

#include <map>
#include <span>
#include <string>

#include "dataplane/packet/address.h"
#include "toml_reader/toml_report.h"

namespace ballast::control {

enum class AddressRole : uint8_t { kVip, kGateway, kLocal, kServer, kOwn };

class AddressRoles {
 public:
  struct Use {
    TomlPosition where;
    std::string owner;  // for messages: `service "web": server 10.0.0.11`
  };
  using Uses = std::map<IpAddress, Use>;

  // The first use in a role is kept. False: there is one already.
  bool note(AddressRole role, const IpAddress& address, TomlPosition where, std::string owner);
  // Null: none.
  [[nodiscard]] const Use* find(AddressRole role, const IpAddress& address) const;
  [[nodiscard]] const Uses& all(AddressRole role) const;

  // Reports every address with two roles. Those of one range, which stand at one place, are one
  // mistake.
  void check(TomlReport& report) const;

 private:
  void check(AddressRole role, AddressRole other, TomlReport& report) const;

  std::map<AddressRole, Uses> uses_;
};

}  // namespace ballast::control
