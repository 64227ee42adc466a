// Multicast within namespaces, judged at the ports of the pods' bridge: six programs for tc (clsact, direct action).
//
//   from_pod     a port's ingress: what its pod may send        from_node  the bridge's egress: what the node may send
//   to_pod       a port's egress: what its pod may hear         to_node    the bridge's ingress: what the node may hear
//   from_tunnel  and to_tunnel: the same at the port of a namespace's tunnel to the other nodes
//
// A frame is judged by its own octets and by the port it came in by, never by what the kernel believes it to be. Nothing
// is written into it: at a receiver's port, `ingress_ifindex` still is the sender's port. Each program either drops a
// frame or goes on to the next filter. docs/multicast-policy.md has the rules in words; ../loader.py loads and pins this.
// No helper used here needs the GPL.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>

#define SEC(name) __attribute__((section(name), used))
#define INLINE static __attribute__((always_inline))
#define BE16(x) __builtin_bswap16(x)
#define BE32(x) __builtin_bswap32(x)
#define PORTS 4096

static void *(*const lookup)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static long (*const update)(void *map, const void *key, const void *value, __u64 flags) = (void *)BPF_FUNC_map_update_elem;
static __u64 (*const now)(void) = (void *)BPF_FUNC_ktime_get_ns;
static long (*const load)(const struct __sk_buff *, __u32 at, void *to, __u32 length) = (void *)BPF_FUNC_skb_load_bytes;
static long (*const store)(struct __sk_buff *, __u32 at, const void *from, __u32 length, __u64 flags) = (void *)BPF_FUNC_skb_store_bytes;
static long (*const ip_sum)(struct __sk_buff *, __u32 at, __u64 old, __u64 new, __u64 size) = (void *)BPF_FUNC_l3_csum_replace;
static long (*const icmp_sum)(struct __sk_buff *, __u32 at, __u64 old, __u64 new, __u64 flags) = (void *)BPF_FUNC_l4_csum_replace;
static __s64 (*const difference)(__be32 *old, __u32 size, __be32 *new, __u32 new_size, __wsum seed) = (void *)BPF_FUNC_csum_diff;

// ---------------------------------------------------------------- maps: ../tables.py packs and reads the same

struct address { __u32 word[4]; };  // IPv4 stands in the last word behind 0, 0, 0xffff (RFC 4291, 2.5.5.2)

struct port {          // written by the agent; without one a port is closed for groups
	__u64 space;   // the number of its namespace
	__u8 mac[6];
	__u8 enabled;
	__u8 tunnel;   // to the other nodes; then v4 is this node's subnet of pods and its mask, v6[0] begins with the IPv6
	               // one (/64), and v6[1] is the address from which the bridges' questions cross
	__u32 slot;    // its counters
	__u32 v4[2];   // addresses that are not used are zero
	__u32 v6[4][4];
	__u32 index;   // its interface's
};

// In frames. received = passed + off + forged + control + not_allowed; delivered and withheld are copies for this pod.
struct counts { __u64 received, off, forged, control, not_allowed, delivered, withheld; };

struct map { __u32 type, key, value, entries; };
#define MAP(name, kind, key_size, value_size, many) \
	struct map name SEC("maps") = {BPF_MAP_TYPE_##kind, key_size, value_size, many}
MAP(ports, ARRAY, 4, sizeof(struct port), PORTS);               // at interface index modulo PORTS; 20 ns less than a hash
MAP(far_ports, HASH, 4, sizeof(struct port), PORTS);            // by interface index: those whose place is taken
MAP(owners, HASH, 8, 4, PORTS);                                 // MAC address to the port that has it
MAP(behind, LRU_HASH, 8, 4, PORTS);                             // the same for pods of other nodes: their tunnel
MAP(shared, HASH, sizeof(struct address), 4, 1024);             // groups that enabled namespaces share with the node
MAP(counters, PERCPU_ARRAY, 4, sizeof(struct counts), PORTS);   // slot 0: ports without an entry; 1: the node
MAP(limits, ARRAY, 4, 8, PORTS);                                // interface index modulo PORTS: see `within_limit`
MAP(lifted, HASH, sizeof(struct address), 8, 64);               // groups let through until then, in ns of now(): lift.py
MAP(release, ARRAY, 4, 32, 1);                                  // SHA-256 of the object that was loaded

enum { UNBOUND = 0, NODE = 1 };

// ---------------------------------------------------------------- reading a frame

enum kind {
	DATA,          // whatever is not below
	REPORT,        // whole reports and leaves of IGMP and MLD
	QUERY,         // IGMP or MLD queries
	DISCOVERY,     // neighbour solicitations and advertisements, router solicitations
	ROUTING,       // router advertisements, redirects, PIM, multicast router discovery: no pod's
	BROKEN,        // cannot be read to its end, or tagged
};

struct frame {
	enum kind kind;
	__u16 type;            // Ethernet's, in host order
	__u8 group;            // for a group, by Ethernet or by IP
	__u8 broadcast;        // to ff:ff:ff:ff:ff:ff
	__u8 ip;               // 4, 6 or 0
	__u8 protocol;         // behind all extension headers
	__u8 icmp;             // type of ICMPv6
	__u8 hops;
	__u8 whole;            // no fragment
	__u16 at;              // offset of the message behind the headers
	__u16 length;          // of that message, as the header says
	struct address source, target;
};

INLINE enum kind read_icmp6(struct frame *f, struct __sk_buff *skb)
{
	if (load(skb, f->at, &f->icmp, 1) < 0)
		return BROKEN;
	switch (f->icmp) {
	case 130: return f->whole ? QUERY : ROUTING;
	case 131: case 132: case 143: return f->whole ? REPORT : ROUTING;
	case 133: case 135: case 136: return f->whole ? DISCOVERY : BROKEN;  // RFC 6980
	case 134: case 137: case 151: case 152: case 153: return ROUTING;    // 151 to 153: RFC 4286
	default: return DATA;
	}
}

INLINE void read_ipv4(struct frame *f, struct __sk_buff *skb)
{
	struct iphdr ip;
	__u8 type;
	f->ip = 4;
	if (load(skb, ETH_HLEN, &ip, sizeof ip) < 0 || ip.version != 4 || ip.ihl < 5) {
		f->kind = BROKEN;
		return;
	}
	f->source.word[2] = f->target.word[2] = BE32(0xffff);
	f->source.word[3] = ip.saddr;
	f->target.word[3] = ip.daddr;
	f->group |= (ip.daddr & BE32(0xf0000000)) == BE32(0xe0000000);
	f->protocol = ip.protocol;
	f->hops = ip.ttl;
	f->whole = !(ip.frag_off & BE16(0x3fff));
	f->at = ETH_HLEN + ip.ihl * 4;
	f->length = BE16(ip.tot_len) - ip.ihl * 4;
	if (ip.protocol == IPPROTO_PIM) {
		f->kind = ROUTING;
	} else if (ip.protocol == IPPROTO_IGMP) {
		f->kind = ROUTING;
		if (!f->whole)
			return;
		if (load(skb, f->at, &type, 1) < 0)
			f->kind = BROKEN;
		else if (type == 0x11)
			f->kind = QUERY;
		else if (type == 0x12 || type == 0x16 || type == 0x17 || type == 0x22)
			f->kind = REPORT;
		f->icmp = type;
	} else if (ip.protocol == IPPROTO_ICMP && !(ip.frag_off & BE16(0x1fff))) {
		if (load(skb, f->at, &type, 1) < 0)
			f->kind = BROKEN;
		else if (type == 5 || type == 9)  // redirect; router advertisement (RFC 1256)
			f->kind = ROUTING;
	}
}

INLINE void read_ipv6(struct frame *f, struct __sk_buff *skb)
{
	struct ipv6hdr ip;
	struct { __u8 next, length; __u16 fragment; } header;
	__u32 at = ETH_HLEN + sizeof ip;
	f->ip = 6;
	if (load(skb, ETH_HLEN, &ip, sizeof ip) < 0 || ip.version != 6) {
		f->kind = BROKEN;
		return;
	}
	__builtin_memcpy(&f->source, &ip.saddr, 16);
	__builtin_memcpy(&f->target, &ip.daddr, 16);
	f->group |= ip.daddr.in6_u.u6_addr8[0] == 0xff;
	f->protocol = ip.nexthdr;
	f->hops = ip.hop_limit;
	f->whole = 1;
	// A first fragment has to hold all headers (RFC 7112); a later one is nothing without it.
	for (int count = 0; count < 8; count++) {
		__u32 size;
		if (f->protocol != IPPROTO_HOPOPTS && f->protocol != IPPROTO_ROUTING && f->protocol != IPPROTO_DSTOPTS &&
		    f->protocol != IPPROTO_AH && f->protocol != IPPROTO_FRAGMENT)
			break;
		if (load(skb, at, &header, sizeof header) < 0) {
			f->kind = BROKEN;
			return;
		}
		size = f->protocol == IPPROTO_FRAGMENT ? 8 : f->protocol == IPPROTO_AH ? (header.length + 2) * 4 : (header.length + 1) * 8;
		if (f->protocol == IPPROTO_FRAGMENT && header.fragment & BE16(0xfff9))
			f->whole = 0;
		if (f->protocol == IPPROTO_FRAGMENT && header.fragment & BE16(0xfff8))
			return;
		f->protocol = header.next;
		at += size;
	}
	f->at = at;
	f->length = BE16(ip.payload_len) - (at - ETH_HLEN - sizeof ip);
	switch (f->protocol) {
	case IPPROTO_ICMPV6: f->kind = read_icmp6(f, skb); break;
	case IPPROTO_PIM: f->kind = ROUTING; break;
	case IPPROTO_HOPOPTS: case IPPROTO_ROUTING: case IPPROTO_DSTOPTS: case IPPROTO_AH: case IPPROTO_FRAGMENT:
		f->kind = BROKEN;  // more headers than anybody needs
	}
}

// All that the rules look at; `eth` are the frame's first octets.
INLINE void read_frame(struct frame *f, struct __sk_buff *skb, const struct ethhdr *eth)
{
	__builtin_memset(f, 0, sizeof *f);
	f->type = BE16(eth->h_proto);
	f->broadcast = *(__u32 *)eth->h_dest == ~0u && *(__u16 *)(eth->h_dest + 4) == 0xffff;
	f->group = (eth->h_dest[0] & 1) && !f->broadcast;
	if (skb->vlan_present || f->type == 0x8100 || f->type == 0x88a8 || f->type == 0x9100)
		f->kind = BROKEN;
	else if (f->type == ETH_P_IP)
		read_ipv4(f, skb);
	else if (f->type == ETH_P_IPV6)
		read_ipv6(f, skb);
}

// ---------------------------------------------------------------- what the rules ask

INLINE struct port *find(__u32 index)
{
	__u32 place = index % PORTS;
	struct port *port = lookup(&ports, &place);
	return port && port->index == index ? port : lookup(&far_ports, &index);
}

INLINE int same_mac(const __u8 *one, const __u8 *other)
{
	const __u16 *a = (void *)one, *b = (void *)other;  // more at once would not be aligned
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2];
}

// A sender's MAC address as the maps have it.
INLINE __u64 mac_of(const struct ethhdr *eth)
{
	__u64 mac = 0;
	__builtin_memcpy(&mac, eth->h_source, ETH_ALEN);
	return mac;
}

INLINE __u32 *owner_of(const struct ethhdr *eth)
{
	__u64 mac = mac_of(eth);
	return lookup(&owners, &mac);
}

// IPv6 that connection tracking took apart again: by whom it came is lost, its MAC address is not.
INLINE __u32 sender_by_mac(const struct ethhdr *eth)
{
	__u64 mac = mac_of(eth);
	__u32 *found = lookup(&owners, &mac);
	if (!found)
		found = lookup(&behind, &mac);
	return found ? *found : 0;
}

INLINE int same6(const __u32 *one, const __u32 *other)
{
	return (one[0] | one[3]) && one[0] == other[0] && one[1] == other[1] && one[2] == other[2] && one[3] == other[3];
}

INLINE int own_address(const struct port *port, const struct frame *f)
{
	const __u32 *s = f->source.word;
	if (f->ip == 4)
		return s[3] && (s[3] == port->v4[0] || s[3] == port->v4[1]);
	for (int i = 0; i < 4; i++)
		if (same6(s, port->v6[i]))
			return 1;
	return 0;
}

INLINE int no_address(const struct frame *f)
{
	const __u32 *s = f->source.word;
	return f->ip == 4 ? !s[3] : !(s[0] | s[1] | s[2] | s[3]);
}

// ff02::1, ff02::2 and ff02::1:ff00:0/104 (RFC 4291, 2.7.1), each for the messages that go there (RFC 4861, 4.1 to 4.4).
INLINE int discovery_group(const struct frame *f)
{
	const __u32 *t = f->target.word;
	if (t[0] != BE32(0xff020000) || t[1] || f->hops != 255)
		return 0;
	if (f->icmp == 135)
		return t[2] == BE32(1) && (t[3] & BE32(0xff000000)) == BE32(0xff000000);
	return !t[2] && t[3] == (f->icmp == 133 ? BE32(2) : BE32(1));
}

INLINE int counted(__u32 slot, unsigned long field)
{
	struct counts *c = lookup(&counters, &slot);
	if (c)
		*(__u64 *)((void *)c + field) += 1;
	return 0;
}
#define COUNT(slot, name) counted(slot, __builtin_offsetof(struct counts, name))
// Every frame that is refused was received; none is counted twice.
#define REFUSE(slot, why) ({ COUNT(slot, received); COUNT(slot, why); TC_ACT_SHOT; })
#define GO_ON TC_ACT_UNSPEC

// How many groups and sources a report can add to the bridge's table: records, and what else fits.
INLINE __u32 entries(const struct frame *f, struct __sk_buff *skb)
{
	__u16 records;
	__u32 record = f->ip == 4 ? 8 : 20, source = f->ip == 4 ? 4 : 16, octets;
	if (f->icmp != 0x22 && f->icmp != 143)
		return 1;
	if (f->length > 0x4000 || load(skb, f->at + 6, &records, 2) < 0)
		return ~0u;
	records = BE16(records);
	octets = 8 + records * record;
	return octets > f->length ? ~0u : 1 + records + (f->length - octets) / source;
}

// 1000 at once, then 4 a second: 60 groups in both families joined twice, or the answer of a pod with 183 groups in each.
// In the 260 s after which a membership ends one port cannot add more than 2,040; roles/pod_network sets the
// table's size to more than that times the ports. One number holds it: when the limit would be free (GCRA).
#define EACH_NS 250000000ull
#define AT_ONCE 1000
INLINE int within_limit(struct __sk_buff *skb, __u32 cost)
{
	__u32 key = skb->ifindex % PORTS;
	__u64 *free = lookup(&limits, &key), time = now(), was, from;
	if (!free || cost > AT_ONCE)
		return 0;
	was = *(volatile __u64 *)free;
	from = was > time ? was : time;
	if (from + cost * EACH_NS > time + AT_ONCE * EACH_NS)
		return 0;
	return __sync_val_compare_and_swap(free, was, from + cost * EACH_NS) == was;
}

INLINE int is_shared(const struct frame *f)
{
	return f->ip && f->group && f->kind == DATA && lookup(&shared, &f->target);
}

// Root on the node has, for a few seconds, this group go everywhere: to show what else than the policy keeps it out.
INLINE int is_lifted(const struct frame *f)
{
	__u64 *until = f->ip && f->group ? lookup(&lifted, &f->target) : 0;
	return until && now() < *until;
}

// Untagged IPv4, IPv6 and ARP to one host or to all of them is nobody's business here.
INLINE int untouched(const struct frame *f)
{
	return !f->group && (f->ip || f->type == ETH_P_ARP);
}

// What almost every frame is: TCP or UDP, untagged, without options or extension headers, in octets that lie at hand.
enum plain { OTHER, TO_HOST, GROUP4, GROUP6 };
INLINE enum plain plain(const struct __sk_buff *skb, void *data, void *end)
{
	struct ethhdr *e = data;
	struct iphdr *ip = data + sizeof *e;
	struct ipv6hdr *ip6 = data + sizeof *e;
	enum plain kind;
	__u8 protocol;
	// 80: 01:80:c2:… is between bridges
	if ((void *)(ip + 1) > end || skb->vlan_present || e->h_dest[1] == 0x80)
		return OTHER;
	if (e->h_proto == BE16(ETH_P_IP) && *(__u8 *)ip == 0x45) {
		protocol = ip->protocol;
		kind = (ip->daddr & BE32(0xf0000000)) == BE32(0xe0000000) ? GROUP4 : TO_HOST;
	} else if (e->h_proto == BE16(ETH_P_IPV6) && (void *)(ip6 + 1) <= end && ip6->version == 6) {
		protocol = ip6->nexthdr;
		kind = ip6->daddr.in6_u.u6_addr8[0] == 0xff ? GROUP6 : TO_HOST;
	} else {
		return OTHER;
	}
	if ((protocol != IPPROTO_UDP && protocol != IPPROTO_TCP) || (kind == TO_HOST && e->h_dest[0] & 1))
		return OTHER;
	return kind;
}

// ---------------------------------------------------------------- the programs

SEC("tc.from_pod") int from_pod(struct __sk_buff *skb)
{
	struct frame f;
	struct ethhdr eth __attribute__((aligned(8)));
	__u32 index = skb->ifindex, slot, *owner;
	int own;
	struct port *port = find(index);
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethhdr *e = data;

	// The short way has the least that tells it for sure; the long one would come to the same.
	if (port && (void *)(e + 1) <= end && same_mac(e->h_source, port->mac)) {
		enum plain kind = plain(skb, data, end);
		struct iphdr *ip = data + sizeof *e;
		struct ipv6hdr *ip6 = data + sizeof *e;
		if (kind == TO_HOST)
			return GO_ON;
		if (port->enabled && ((kind == GROUP4 && (void *)(ip + 1) <= end && ip->saddr && ip->saddr == port->v4[0]) ||
				      (kind == GROUP6 && (void *)(ip6 + 1) <= end && same6(ip6->saddr.in6_u.u6_addr32, port->v6[0])))) {
			COUNT(port->slot, received);
			return GO_ON;
		}
	}

	slot = port ? port->slot : UNBOUND;
	if (load(skb, 0, &eth, sizeof eth) < 0)
		return REFUSE(slot, not_allowed);
	own = port && same_mac(eth.h_source, port->mac);
	if (!own && (owner = owner_of(&eth)) && *owner != index)
		return REFUSE(slot, forged);  // the bridge would send that one's frames here
	read_frame(&f, skb, &eth);
	// 01:80:c2:00:00:00 to 0f: between bridges (IEEE 802.1D, 7.12.6)
	if (f.kind == ROUTING || f.kind == QUERY || (*(__u32 *)eth.h_dest == BE32(0x0180c200) && !eth.h_dest[4] && eth.h_dest[5] < 16))
		return REFUSE(slot, control);
	if (f.kind == BROKEN)
		return REFUSE(slot, not_allowed);
	if (f.kind == REPORT) {
		if (!(eth.h_dest[0] & 1) || !f.group || f.broadcast)
			return REFUSE(slot, control);
		if (port && (!own || !(own_address(port, &f) || no_address(&f))))
			return REFUSE(slot, forged);
		// Not known yet: the bridge learns of the membership all the same, which is its own port's alone.
		return within_limit(skb, entries(&f, skb)) ? GO_ON : REFUSE(slot, not_allowed);
	}
	if (untouched(&f))
		return GO_ON;
	if (f.kind == DISCOVERY) {
		if (port && (!own || !(own_address(port, &f) || (no_address(&f) && f.icmp != 136))))
			return REFUSE(slot, forged);
		return discovery_group(&f) ? GO_ON : REFUSE(slot, not_allowed);
	}
	if (!port)
		return REFUSE(slot, not_allowed);
	if (!own || (f.ip && !own_address(port, &f)))
		return REFUSE(slot, forged);
	if (!f.group && !f.broadcast)
		return GO_ON;  // another Ethernet type to one host: the receiver's port knows whether it is of this namespace
	if (!port->enabled && !is_lifted(&f))
		return REFUSE(slot, off);
	COUNT(slot, received);
	return GO_ON;
}

SEC("tc.to_pod") int to_pod(struct __sk_buff *skb)
{
	struct frame f;
	struct ethhdr eth __attribute__((aligned(8)));
	__u32 index = skb->ifindex, from = skb->ingress_ifindex;
	struct port *port, *sender;
	enum plain kind = plain(skb, (void *)(long)skb->data, (void *)(long)skb->data_end);
	int one_space, by_node;

	// As above: to one host no port is looked for, and within an enabled namespace both.
	if (kind == TO_HOST)
		return GO_ON;
	if (kind && from) {
		port = find(index);
		sender = find(from);
		if (port && sender && port->space == sender->space && port->enabled && sender->enabled) {
			COUNT(port->slot, delivered);
			return GO_ON;
		}
	}

	if (load(skb, 0, &eth, sizeof eth) < 0)
		return TC_ACT_SHOT;
	read_frame(&f, skb, &eth);
	if (f.kind == BROKEN)
		return TC_ACT_SHOT;
	if (untouched(&f))
		return GO_ON;
	port = find(index);
	if (!from)
		from = sender_by_mac(&eth);
	sender = from ? find(from) : 0;
	by_node = !sender && !skb->ingress_ifindex;
	one_space = port && sender && port->space == sender->space;
	if (!f.ip && !f.group && !f.broadcast)
		return one_space ? GO_ON : TC_ACT_SHOT;
	if (f.kind == DISCOVERY)
		return discovery_group(&f) ? GO_ON : TC_ACT_SHOT;
	if (by_node && (f.kind == QUERY || (f.kind == ROUTING && f.protocol == IPPROTO_ICMPV6)))
		return GO_ON;
	if (one_space && sender->tunnel && f.kind == QUERY)
		return GO_ON;  // another node's bridge asks the pods of this namespace
	if (f.kind != DATA)
		return TC_ACT_SHOT;  // reports are the bridge's to read
	if ((one_space && port->enabled && sender->enabled) || (by_node && port && port->enabled && is_shared(&f)) || is_lifted(&f)) {
		COUNT(port ? port->slot : UNBOUND, delivered);
		return GO_ON;
	}
	COUNT(port ? port->slot : UNBOUND, withheld);
	return TC_ACT_SHOT;
}

// What the node sends to its pods, or hears of them: a pod that is off, or says what it may not, came no further than its
// own port.
INLINE int judge_node(struct __sk_buff *skb, int sends)
{
	struct frame f;
	struct ethhdr eth __attribute__((aligned(8)));
	if (load(skb, 0, &eth, sizeof eth) < 0)
		return TC_ACT_SHOT;
	read_frame(&f, skb, &eth);
	if (f.kind != BROKEN && (untouched(&f) || f.kind == REPORT || f.kind == DISCOVERY))
		return GO_ON;
	// The node is the pods' router, and the bridge's own queries come up to it.
	if (sends ? f.kind == ROUTING && f.protocol == IPPROTO_ICMPV6 : f.kind == QUERY)
		return GO_ON;
	if (is_shared(&f) || is_lifted(&f)) {
		if (sends)
			COUNT(NODE, received);
		else
			COUNT(NODE, delivered);
		return GO_ON;
	}
	if (sends)
		return REFUSE(NODE, not_allowed);
	COUNT(NODE, withheld);
	return TC_ACT_SHOT;
}

SEC("tc.from_node") int from_node(struct __sk_buff *skb)
{
	return judge_node(skb, 1);
}

SEC("tc.to_node") int to_node(struct __sk_buff *skb)
{
	return judge_node(skb, 0);
}

// ---------------------------------------------------------------- between nodes

// Questions have to cross, or a member that leaves takes the group from the others behind the same tunnel. From the highest
// address there is they are answered, and the other bridge goes on asking, too: in an election that address loses.
INLINE struct address loser6(void)
{
	return (struct address){{BE32(0xfe800000), 0, ~0u, ~0u}};
}

// To a group by both addresses: whatever else pods of one namespace may say among each other stays on their node.
INLINE int crosses(const struct frame *f, const struct ethhdr *eth)
{
	__u32 last = f->target.word[3], first = f->target.word[0];
	return (eth->h_dest[0] & 1) && !f->broadcast &&
	       ((f->ip == 4 && (last & BE32(0xf0000000)) == BE32(0xe0000000)) ||
		(f->ip == 6 && (first & BE32(0xff000000)) == BE32(0xff000000)));
}

INLINE int by_loser(const struct port *tunnel, const struct frame *f)
{
	struct address loser = loser6();
	return f->ip == 4 ? f->source.word[3] == tunnel->v6[1][3] : same6(f->source.word, loser.word);
}

// All of it is read before the family is looked at: an offset that depends on it would be arithmetic with a pointer, which
// the verifier takes from root alone, and not from the agent, which has no CAP_PERFMON.
INLINE int of_this_node(const struct port *tunnel, const struct frame *f)
{
	const __u32 *s = f->source.word;
	__u32 subnet = tunnel->v4[0], mask = tunnel->v4[1], first = tunnel->v6[0][0], second = tunnel->v6[0][1];
	asm volatile("" : "+r"(subnet), "+r"(mask), "+r"(first), "+r"(second));
	return f->ip == 4 ? (s[3] & mask) == subnet : s[0] == first && s[1] == second;
}

INLINE int ask_the_others(struct __sk_buff *skb, const struct port *tunnel, const struct frame *f)
{
	struct address old = f->source, new = loser6();
	if (f->ip == 4) {
		new.word[3] = tunnel->v6[1][3];
		ip_sum(skb, ETH_HLEN + __builtin_offsetof(struct iphdr, check), old.word[3], new.word[3], 4);
		store(skb, ETH_HLEN + __builtin_offsetof(struct iphdr, saddr), &new.word[3], 4, 0);
	} else {
		icmp_sum(skb, f->at + 2, 0, difference(old.word, 16, new.word, 16, 0), BPF_F_PSEUDO_HDR);
		store(skb, ETH_HLEN + __builtin_offsetof(struct ipv6hdr, saddr), &new, 16, 0);
	}
	return GO_ON;
}

// No pod here can take such an address: at its own port it says what is its own.
INLINE void learn(const struct ethhdr *eth, __u32 tunnel)
{
	__u64 mac = mac_of(eth);
	__u32 *known = lookup(&behind, &mac);
	if (!known || *known != tunnel)
		update(&behind, &mac, &tunnel, BPF_ANY);
}

// What pods of this namespace said elsewhere was judged at their own ports. Here it is seen to that nothing else comes, and
// nothing in the name of a pod or a bridge of this node.
SEC("tc.from_tunnel") int from_tunnel(struct __sk_buff *skb)
{
	struct frame f;
	struct ethhdr eth __attribute__((aligned(8)));
	struct port *tunnel = find(skb->ifindex);
	__u32 slot = tunnel ? tunnel->slot : UNBOUND;
	if (!tunnel || !tunnel->tunnel || !tunnel->enabled)
		return REFUSE(slot, off);
	if (load(skb, 0, &eth, sizeof eth) < 0)
		return REFUSE(slot, not_allowed);
	read_frame(&f, skb, &eth);
	if (f.kind == BROKEN || !crosses(&f, &eth))
		return REFUSE(slot, not_allowed);
	if (f.kind == DISCOVERY || f.kind == ROUTING || (f.kind == QUERY && !by_loser(tunnel, &f)))
		return REFUSE(slot, control);
	if (owner_of(&eth) || (f.kind != QUERY && of_this_node(tunnel, &f)) || (f.kind == DATA && no_address(&f)))
		return REFUSE(slot, forged);
	if (f.kind == DATA) {
		COUNT(slot, received);
		learn(&eth, skb->ifindex);
	}
	return GO_ON;
}

SEC("tc.to_tunnel") int to_tunnel(struct __sk_buff *skb)
{
	struct frame f;
	struct ethhdr eth __attribute__((aligned(8)));
	__u32 from = skb->ingress_ifindex;
	struct port *tunnel = find(skb->ifindex), *sender;
	if (!tunnel || !tunnel->tunnel || !tunnel->enabled || load(skb, 0, &eth, sizeof eth) < 0)
		return TC_ACT_SHOT;
	read_frame(&f, skb, &eth);
	if (f.kind == BROKEN || !crosses(&f, &eth))
		return TC_ACT_SHOT;
	if (!from)
		from = sender_by_mac(&eth);
	sender = from ? find(from) : 0;
	if (f.kind == QUERY && !sender && !skb->ingress_ifindex)
		return ask_the_others(skb, tunnel, &f);
	if (sender && !sender->tunnel && sender->enabled && sender->space == tunnel->space) {
		if (f.kind == REPORT)
			return GO_ON;
		if (f.kind == DATA) {
			COUNT(tunnel->slot, delivered);
			return GO_ON;
		}
	}
	return TC_ACT_SHOT;
}

char terms[] SEC("license") = "Apache-2.0";
