#include "dataplane/dpdk/packet_buffers.h"

#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_mempool.h>

namespace ballast {
namespace {

constexpr uint32_t kCache = 256;  // of each lcore

rte_mempool* make_back_to_back(const std::string& name, uint32_t count, uint16_t room) {
  rte_pktmbuf_pool_private description{};
  description.mbuf_data_room_size = room;
  rte_mempool* pool =
      rte_mempool_create_empty(name.c_str(), count, uint32_t{sizeof(rte_mbuf)} + room, kCache,
                               sizeof(description), SOCKET_ID_ANY, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
  if (pool == nullptr) {
    return nullptr;
  }
  if (rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), nullptr) != 0) {
    rte_mempool_free(pool);
    return nullptr;
  }
  rte_pktmbuf_pool_init(pool, &description);
  if (rte_mempool_populate_default(pool) < 0) {
    rte_mempool_free(pool);
    return nullptr;
  }
  rte_mempool_obj_iter(pool, rte_pktmbuf_init, nullptr);
  return pool;
}

}  // namespace

rte_mempool* make_packet_buffers(const std::string& name, uint32_t count, uint16_t room,
                                 BufferPlacement placement) {
  return placement == BufferPlacement::kBackToBack
             ? make_back_to_back(name, count, room)
             : rte_pktmbuf_pool_create(name.c_str(), count, kCache, 0, room, SOCKET_ID_ANY);
}

}  // namespace ballast
