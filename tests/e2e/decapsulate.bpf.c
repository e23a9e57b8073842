// XDP: takes off the outer header of tunnels, where the kernel has no tunnel devices: IPIP, GRE without options and GUE
// variant 0, IPv4 and IPv6 inside and outside. What is anything else passes as it came.
//
//   clang-14 -O2 -target bpf -I/usr/include/x86_64-linux-gnu -c decapsulate.bpf.c -o decapsulate.o
//   ip link set dev eth1 xdp obj decapsulate.o sec xdp
#include <linux/bpf.h>

#define SECTION(name) __attribute__((section(name), used))

static long (*const bpf_xdp_adjust_head)(struct xdp_md *, int) = (void *)BPF_FUNC_xdp_adjust_head;

enum { ETHERNET = 14, IPV4 = 20, IPV6 = 40, GRE = 4, UDP = 8, GUE = 4, GUE_PORT = 6080 };
enum { PROTOCOL_IPV4 = 4, PROTOCOL_UDP = 17, PROTOCOL_IPV6 = 41, PROTOCOL_GRE = 47 };
enum { TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86dd };

static __u16 two(const __u8 *at) { return (__u16)(at[0] << 8 | at[1]); }

static __u16 type_of(__u8 protocol) {
  return protocol == PROTOCOL_IPV4 ? TYPE_IPV4 : protocol == PROTOCOL_IPV6 ? TYPE_IPV6 : 0;
}

// The EtherType of what is inside, and the length of what is in front of it; 0: no tunnel.
static __attribute__((always_inline)) __u16 look_inside(const __u8 *begin, const __u8 *end, int *cut) {
  if (begin + ETHERNET + IPV4 > end) return 0;
  const __u8 *outer = begin + ETHERNET;
  __u8 protocol;
  if (two(begin + 12) == TYPE_IPV4) {
    if (outer[0] != 0x45 || (two(outer + 6) & 0x3fff) != 0) return 0;  // options; a fragment
    protocol = outer[9];
    *cut = IPV4;
  } else if (two(begin + 12) == TYPE_IPV6) {
    if (outer + IPV6 > end) return 0;
    protocol = outer[6];
    *cut = IPV6;
  } else {
    return 0;
  }
  const __u8 *shim = outer + *cut;
  if (protocol == PROTOCOL_GRE) {
    if (shim + GRE > end || two(shim) != 0) return 0;
    *cut += GRE;
    const __u16 type = two(shim + 2);
    return type == TYPE_IPV4 || type == TYPE_IPV6 ? type : 0;
  }
  if (protocol == PROTOCOL_UDP) {
    if (shim + UDP + GUE > end || two(shim + 2) != GUE_PORT || shim[UDP] != 0) return 0;
    *cut += UDP + GUE;
    return type_of(shim[UDP + 1]);
  }
  return type_of(protocol);
}

SECTION("xdp") int decapsulate(struct xdp_md *context) {
  const __u8 *begin = (const __u8 *)(long)context->data;
  int cut = 0;
  const __u16 type = look_inside(begin, (const __u8 *)(long)context->data_end, &cut);
  if (type == 0) return XDP_PASS;
  __u8 ethernet[12];
  for (int i = 0; i < 12; ++i) ethernet[i] = begin[i];
  if (bpf_xdp_adjust_head(context, cut) != 0) return XDP_DROP;
  __u8 *now = (__u8 *)(long)context->data;
  if (now + ETHERNET > (__u8 *)(long)context->data_end) return XDP_DROP;
  for (int i = 0; i < 12; ++i) now[i] = ethernet[i];
  now[12] = (__u8)(type >> 8);
  now[13] = (__u8)type;
  return XDP_PASS;
}

SECTION("license") char license_of_program[] = "Apache-2.0";
