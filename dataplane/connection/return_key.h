// By what a server's reply is known.
#pragma once

#include "dataplane/packet/address.h"
#include "dataplane/packet/byte_order.h"
#include "dataplane/packet/flow_key.h"
#include "dataplane/packet/numbers.h"

namespace ballast {

// Where a server listens, as the packets of NAT and FULLNAT are addressed to it.
struct ServerEndpoint {
  IpAddress address;
  Big16 port;
  IpProtocol protocol{};

  friend bool operator==(const ServerEndpoint&, const ServerEndpoint&) = default;
};

// The four-tuple between a server and its peer: the client in NAT, a local address and port in
// FULLNAT. It has the shape of a flow that the peer opens to the server (which is what the server
// takes it for), so that it is hashed and compared as one; a type of its own, so that neither
// index is asked for the other's keys.
struct ReturnKey {
  FlowKey tuple;  // client: the peer; vip: the server

  static ReturnKey of(const ServerEndpoint& server, const IpAddress& peer, Big16 peer_port) {
    ReturnKey key;
    key.tuple.client.set_words(peer.words());
    key.tuple.vip.set_words(server.address.words());
    key.tuple.client_port = peer_port;
    key.tuple.vip_port = server.port;
    key.tuple.protocol = server.protocol;
    return key;
  }
};

}  // namespace ballast
