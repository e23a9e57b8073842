#include "dataplane/dpdk/advert_gate.h"

#include "dataplane/packet/wire.h"

namespace ballast {

void AdvertGate::set_source(PacketView frame, const OutgoingAdvert& advert,
                            const ForwardingSnapshot& snapshot) {
  if (snapshot.addresses != addresses_) {
    addresses_ = snapshot.addresses;
    virtual_macs_ = {};
    for (const LocalAddress& local : addresses_->all()) {
      virtual_macs_.add(local.virtual_mac);
    }
  }
  if (virtual_macs_.contains(advert.virtual_mac)) {
    frame.header_at<EthernetHeader>(0)->source = advert.virtual_mac;
  }
}

}  // namespace ballast
