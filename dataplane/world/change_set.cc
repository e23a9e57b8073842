#include "dataplane/world/change_set.h"

#include <utility>

#include <fmt/format.h>

#include "dataplane/world/desired_state.h"

namespace ballast {
namespace {

bool same(const SharedService& a, const SharedService& b) {
  return *a == *b;
}
template <typename Value>
bool same(const Value& a, const Value& b) {
  return a == b;
}

// Removes from `changes` what would change nothing; with `full`, adds the removal of what is not
// named.
template <typename Key, typename Value>
void settle(const std::map<Key, Value>& base, bool full, Changes<Key, Value>& changes) {
  if (full) {
    for (const auto& [key, value] : base) {
      changes.try_emplace(key, std::nullopt);
    }
  }
  std::erase_if(changes, [&base](const auto& change) {
    const auto present = base.find(change.first);
    if (present == base.end()) {
      return !change.second.has_value();
    }
    return change.second.has_value() && same(*change.second, present->second);
  });
}

void settle_routes(const RouteTable& base, bool full, Changes<Prefix, Route>& changes) {
  if (full) {
    for (Route& route : base.all()) {
      const auto [change, not_named] = changes.try_emplace(route.prefix, std::nullopt);
      if (!not_named && change->second == route) {
        changes.erase(change);
      }
    }
    return;
  }
  std::erase_if(changes, [&base](const auto& change) {
    const Route* present = base.at(change.first);
    if (!change.second.has_value()) {
      return present == nullptr;
    }
    return present != nullptr && *present == *change.second;
  });
}

class Reader {
 public:
  Reader(const ValidationContext& context, RefusalList& refusals)
      : context_(context), refusals_(refusals) {}

  ChangeSet changes;

  void upsert(const api::Resource& resource) {
    switch (resource.resource_case()) {
      case api::Resource::kService:
        if (auto service = validate_service(resource.service(), context_, refusals_)) {
          const std::string what = describe_service(service->name);
          std::string name = service->name;
          put(changes.services, std::move(name),
              std::make_shared<const ServiceSpecification>(std::move(*service)), what);
        } else {
          // Refused anyway: what it was before must not be held against others.
          changes.services.try_emplace(resource.service().name(), std::nullopt);
        }
        break;
      case api::Resource::kVip:
        if (const auto vip = validate_vip(resource.vip(), refusals_)) {
          put(changes.vips, vip->address, *vip, "vip " + vip->address.to_string());
        } else if (const auto address = IpAddress::parse(resource.vip().address())) {
          // Refused anyway: services that use it need no refusal of their own.
          const auto role = to_address_role(resource.vip().use());
          changes.vips.try_emplace(
              *address,
              VipSpecification{*address, {}, {}, false, role.value_or(AddressRole::kVip)});
        }
        break;
      case api::Resource::kRoute:
        if (auto route = validate_route(resource.route(), context_, refusals_)) {
          const Prefix prefix = route->prefix;
          put(changes.routes, prefix, std::move(*route), "route " + prefix.to_string());
        }
        break;
      case api::Resource::kNeighbor:
        if (const auto neighbor = validate_neighbor(resource.neighbor(), context_, refusals_)) {
          put(changes.neighbors, neighbor->first, neighbor->second,
              describe_neighbor(resource.neighbor()));
        }
        break;
      case api::Resource::kPort:
        if (auto port = validate_port(resource.port(), context_, refusals_)) {
          put(changes.ports, port->first, std::move(port->second),
              describe_port(resource.port().name()));
        }
        break;
      case api::Resource::kSettings:
        settings(resource.settings());
        break;
      case api::Resource::RESOURCE_NOT_SET:
        refusals_.add("upsert", "a resource of a kind that this dataplane does not know");
        break;
    }
  }

  void remove(const api::ResourceKey& key) {
    switch (key.key_case()) {
      case api::ResourceKey::kService:
        put<SharedService>(changes.services, key.service(), std::nullopt,
                           "service " + quoted(key.service()));
        break;
      case api::ResourceKey::kVip:
        if (const auto address = IpAddress::parse(key.vip())) {
          put<VipSpecification>(changes.vips, *address, std::nullopt,
                                "vip " + address->to_string());
        } else {
          refusals_.add("vip " + quoted(key.vip()), "remove: not an address");
        }
        break;
      case api::ResourceKey::kRoute:
        if (const auto prefix = Prefix::parse(key.route())) {
          put<Route>(changes.routes, *prefix, std::nullopt, "route " + prefix->to_string());
        } else {
          refusals_.add("route " + quoted(key.route()), "remove: not a prefix");
        }
        break;
      case api::ResourceKey::kNeighbor:
        remove_neighbor(key.neighbor());
        break;
      case api::ResourceKey::kPort:
        if (const auto port = context_.find_port(key.port())) {
          put<PortSpecification>(changes.ports, *port, std::nullopt, describe_port(key.port()));
        }
        break;
      case api::ResourceKey::KEY_NOT_SET:
        refusals_.add("remove", "a key of a kind that this dataplane does not know");
        break;
    }
  }

 private:
  static std::string describe_neighbor(const api::Neighbor& neighbor) {
    return fmt::format("neighbor {} on {}", quoted(neighbor.address()), quoted(neighbor.port()));
  }

  void remove_neighbor(const api::Neighbor& neighbor) {
    const auto address = IpAddress::parse(neighbor.address());
    if (!address) {
      refusals_.add(describe_neighbor(neighbor), "remove: not an address");
      return;
    }
    if (const auto port = context_.find_port(neighbor.port())) {
      put<NeighborSpecification>(changes.neighbors, NeighborTable::Key(*port, *address),
                                 std::nullopt, describe_neighbor(neighbor));
    }
  }

  void settings(const api::Settings& given) {
    if (const auto valid = validate_settings(given, refusals_)) {
      if (changes.settings) {
        refusals_.add("settings", "named twice in one transaction");
      }
      changes.settings = *valid;
    }
  }

  template <typename Value, typename Key>
  void put(Changes<Key, Value>& into, Key key, std::optional<Value> value,
           const std::string& what) {
    if (!into.try_emplace(std::move(key), std::move(value)).second) {
      refusals_.add(what, "named twice in one transaction");
    }
  }
  template <typename Value, typename Key>
  void put(Changes<Key, Value>& into, Key key, Value value, const std::string& what) {
    put<Value, Key>(into, std::move(key), std::optional<Value>(std::move(value)), what);
  }

  const ValidationContext& context_;
  RefusalList& refusals_;
};

}  // namespace

ChangeSet read_changes(const api::Transaction& transaction, const ValidationContext& context,
                       const DesiredState& base, RefusalList& refusals) {
  Reader reader(context, refusals);
  reader.changes.generation = transaction.generation();
  for (const api::Resource& resource : transaction.upsert()) {
    reader.upsert(resource);
  }
  for (const api::ResourceKey& key : transaction.remove()) {
    reader.remove(key);
  }
  ChangeSet changes = std::move(reader.changes);
  settle(base.services(), transaction.full(), changes.services);
  settle(base.vips(), transaction.full(), changes.vips);
  settle_routes(*base.routes(), transaction.full(), changes.routes);
  settle(base.neighbors(), transaction.full(), changes.neighbors);
  settle(base.ports(), transaction.full(), changes.ports);
  if (transaction.full() && !changes.settings) {
    changes.settings.emplace(std::nullopt);
  }
  if (changes.settings && *changes.settings == base.settings()) {
    changes.settings.reset();
  }
  return changes;
}

}  // namespace ballast
