package sim

import "net/netip"

// place is where a client connects from.
type place struct {
	addr    netip.Addr
	country string
	asn     uint32
}

// provider is an internet access provider; it owns 32 networks of 198.18.0.0/16 and 1,024 /48 networks in the lower half
// of 2001:db8::/32.
type provider struct {
	asn     uint32
	country string
}

var providers = [...]provider{
	{64496, "DE"},
	{64497, "DE"},
	{64498, "FR"},
	{64499, "GB"},
	{64500, "PL"},
	{64501, "ES"},
	{64502, "US"},
	{64503, "US"},
}

// hosterASN is the system number of the hoster that blatant attacks come from.
const hosterASN = 64510

// Sizes of the address plan.
const (
	networksPerProvider = 32  // IPv4 /24 networks
	hostsPerNetwork     = 254 // .1 to .254
	homesPerSite        = 256 // IPv6 /64 networks used of a /48
	attackHosts         = 256 * hostsPerNetwork
)

// accessV4 returns the provider's n'th address; ok is false when it has no more.
func accessV4(provider, n int) (addr netip.Addr, ok bool) {
	if n >= networksPerProvider*hostsPerNetwork {
		return netip.Addr{}, false
	}
	network := provider*networksPerProvider + n%networksPerProvider
	return netip.AddrFrom4([4]byte{198, 18, byte(network), byte(1 + n/networksPerProvider)}), true
}

// accessV6 returns an address in the /64 of the provider's n'th home; the 262,144 homes are enough
// for every population.
func accessV6(provider, n int, iface uint64) netip.Addr {
	site := provider<<10 | n/homesPerSite&0x3ff
	return v6(uint16(site), uint16(n%homesPerSite), iface)
}

// v6 returns 2001:db8:site:subnet:iface.
func v6(site, subnet uint16, iface uint64) netip.Addr {
	raw := [16]byte{0x20, 0x01, 0x0d, 0xb8, byte(site >> 8), byte(site), byte(subnet >> 8), byte(subnet)}
	for i := range 8 {
		raw[8+i] = byte(iface >> (56 - 8*i))
	}
	return netip.AddrFrom16(raw)
}

// addressPlan deals addresses to campaigns so that no two campaigns of a run share one until the 65,024 of
// 198.19.0.0/16 (or, for attacks from one network, 8.4 million IPv6 networks) are used up.
type addressPlan struct {
	methods []method
	offset  int   // where the seed has the plan begin
	before  []int // addresses that the methods listed earlier take in a round
	round   int   // addresses that all methods take in a round
}

func planAddresses(seed uint64, methods []method) addressPlan {
	plan := addressPlan{methods: methods, offset: int(derive(seed, forAddress, 0) % attackHosts)}
	for _, m := range methods {
		plan.before = append(plan.before, plan.round)
		plan.round += m.addresses
	}
	return plan
}

// sources returns n different addresses for the campaign that begins with l, neighbours only where the method asks for
// one network.
func (p *addressPlan) sources(l launch, n int) []netip.Addr {
	first := p.offset + l.round*p.round + p.before[l.method]
	addrs := make([]netip.Addr, n)
	for i := range addrs {
		if p.methods[l.method].oneNetwork {
			addrs[i] = attackV6(first, i)
		} else {
			addrs[i] = attackV4(first + i)
		}
	}
	return addrs
}

// attackV4 spreads successive numbers over the /24 networks of 198.19.0.0/16: 30,011 has no factor in common with
// attackHosts, so that each number below it has an address of its own.
func attackV4(n int) netip.Addr {
	slot := n % attackHosts * 30_011 % attackHosts
	return netip.AddrFrom4([4]byte{198, 19, byte(slot % 256), byte(1 + slot/256)})
}

// attackV6 returns the i'th address of the n'th network of the attackers' half of 2001:db8::/32, each in a /48 of its
// own before a /48 is used again.
func attackV6(n, i int) netip.Addr {
	return v6(0x8000|uint16(n&0x7fff), uint16(n>>15), mix(uint64(n)<<32|uint64(i)))
}
