package edge

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"

	"sundew"
)

// slowTable looks through every decision for every request.
type slowTable struct {
	decisions []sundew.Decision
	allow     []netip.Prefix
}

func (s *slowTable) lookup(client netip.Addr, device, account, apiKey string, now time.Time) (best sundew.Decision, found bool) {
	for _, network := range s.allow {
		if network.Contains(client) {
			return best, false
		}
	}
	carries := func(e sundew.Entity) bool {
		switch e.Kind {
		case sundew.KindIP:
			return e.Key == client.String()
		case sundew.KindPrefix:
			return netip.MustParsePrefix(e.Key).Contains(client)
		case sundew.KindDevice:
			return device != "" && e.Key == device
		case sundew.KindAccount:
			return account != "" && e.Key == account
		case sundew.KindAPIKey:
			return apiKey != "" && e.Key == apiKey
		}
		return false
	}
	for _, d := range s.decisions {
		if d.Shadow || !d.Action.Enforces() || !now.Before(d.Expires) || !carries(d.Entity) {
			continue
		}
		if slices.ContainsFunc(d.And, func(e sundew.Entity) bool { return !carries(e) }) {
			continue
		}
		if !found || d.Action > best.Action || (d.Action == best.Action && d.Delay > best.Delay) {
			best, found = d, true
		}
	}
	return best, found
}

// randomDecision picks from so few entities that they meet.
func randomDecision(t testing.TB, random *rand.Rand) sundew.Decision {
	entity := func() string {
		switch random.IntN(8) {
		case 0:
			return "device:d" + strconv.Itoa(random.IntN(4))
		case 1:
			return "account:a" + strconv.Itoa(random.IntN(4))
		case 2:
			return "api_key:k" + strconv.Itoa(random.IntN(4))
		case 3:
			return fmt.Sprintf("prefix:10.0.%d.0/%d", random.IntN(4), 20+random.IntN(13))
		case 4:
			return fmt.Sprintf("prefix:2001:db8:0:%d::/%d", random.IntN(4), 44+random.IntN(40))
		case 5:
			return fmt.Sprintf("ip:2001:db8:0:%d::%d", random.IntN(4), random.IntN(4))
		case 6:
			return "fingerprint:t13d" + strconv.Itoa(random.IntN(4))
		}
		return fmt.Sprintf("ip:10.0.%d.%d", random.IntN(4), random.IntN(16))
	}
	d := decision(t, entity(), sundew.Action(1+random.IntN(4)), "r"+strconv.Itoa(random.IntN(3)), lasting(time.Duration(1+random.IntN(60))*time.Minute))
	d.Delay = time.Duration(1+random.IntN(5)) * time.Second
	d.Shadow = random.IntN(10) == 0
	for range random.IntN(5) / 3 {
		narrowed(entity())(&d)
	}
	d.Entity, _ = canonicalEntity(d.Entity)
	for i := range d.And {
		d.And[i], _ = canonicalEntity(d.And[i])
	}
	return d
}

func TestTableAgreesWithSlowTable(t *testing.T) {
	allow := []netip.Prefix{netip.MustParsePrefix("10.0.3.8/29"), netip.MustParsePrefix("2001:db8:0:3::1/128")}
	allowed := []sundew.Entity{{Kind: sundew.KindPrefix, Key: "10.0.3.8/29"}, {Kind: sundew.KindIP, Key: "2001:db8:0:3::1"}}
	found := 0
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 2))
		table, slow := NewTable(), &slowTable{allow: allow}
		byKey := make(map[string]sundew.Decision)
		table.Replace(sundew.Blocklist{}, allowed)
		for round := range 30 {
			var changes []sundew.Change
			for range random.IntN(6) {
				d := randomDecision(t, random)
				op := sundew.OpAdd
				if random.IntN(3) == 0 {
					op = sundew.OpDelete
					delete(byKey, d.Key())
				} else {
					byKey[d.Key()] = d
				}
				changes = append(changes, sundew.Change{Op: op, Decision: d})
			}
			slow.decisions = nil
			for _, d := range byKey {
				slow.decisions = append(slow.decisions, d)
			}
			if round%10 == 9 {
				table.Replace(sundew.Blocklist{Decisions: slow.decisions}, allowed)
			} else {
				before := table.current.Load()
				sum := before.sum()
				table.Apply(changes, sundew.Cursor{})
				if before.sum() != sum {
					t.Fatalf("seed %d: a change showed to those who were reading", seed)
				}
			}
			for range 40 {
				client := netip.MustParseAddr(fmt.Sprintf("10.0.%d.%d", random.IntN(5), random.IntN(16)))
				if random.IntN(3) == 0 {
					client = netip.MustParseAddr(fmt.Sprintf("2001:db8:0:%d::%d", random.IntN(4), random.IntN(4)))
				}
				name := func(prefix string) string {
					if n := random.IntN(6); n < 4 {
						return prefix + strconv.Itoa(n)
					}
					return ""
				}
				device, account, apiKey := name("d"), name("a"), name("k")
				now := monday.Add(time.Duration(random.IntN(70)) * time.Minute)
				got, ok := table.Lookup(client, device, account, apiKey, now)
				want, wantOK := slow.lookup(client, device, account, apiKey, now)
				if ok != wantOK || got.Action != want.Action || got.Delay != want.Delay {
					t.Fatalf("seed %d: %s %q %q %q at %s:\ngot  %v %s %s %s\nwant %v %s %s %s", seed, client, device, account, apiKey, now,
						ok, got.Action, got.Delay, got.Entity, wantOK, want.Action, want.Delay, want.Entity)
				}
				if ok {
					found++
				}
			}
		}
	}
	if found < 1000 {
		t.Errorf("only %d lookups found something: the test looks past its decisions", found)
	}
}

func TestLookup(t *testing.T) {
	tests := []struct {
		story     string
		decisions []sundew.Decision
		client    string
		device    string
		at        time.Duration
		want      sundew.Action
	}{
		{"nobody is listed", nil, "192.0.2.1", "", 0, sundew.ActionNone},
		{
			"the wider network's block is harder than the address's tarpit",
			[]sundew.Decision{decision(t, "prefix:192.0.2.0/24", sundew.ActionBlock, "scan"), decision(t, "prefix:192.0.2.0/28", sundew.ActionChallenge, "scan"), decision(t, "ip:192.0.2.1", sundew.ActionTarpit, "scan")},
			"192.0.2.1", "", 0, sundew.ActionBlock,
		},
		{
			"a narrowed decision leaves others behind the address alone",
			[]sundew.Decision{decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan", narrowed("device:d1"))},
			"192.0.2.1", "d2", 0, sundew.ActionNone,
		},
		{
			"and acts on the one it means",
			[]sundew.Decision{decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan", narrowed("device:d1", "prefix:192.0.2.0/24"))},
			"192.0.2.1", "d1", 0, sundew.ActionBlock,
		},
		{
			"an expired block makes room for the tarpit behind it",
			[]sundew.Decision{decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan", lasting(time.Minute)), decision(t, "ip:192.0.2.1", sundew.ActionTarpit, "stuffing")},
			"192.0.2.1", "", time.Minute, sundew.ActionTarpit,
		},
		{
			"an IPv4 client on an IPv6 socket is the IPv4 client",
			[]sundew.Decision{decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan")},
			"::ffff:192.0.2.1", "", 0, sundew.ActionBlock,
		},
		{
			"an address with a zone is the address",
			[]sundew.Decision{decision(t, "ip:fe80::1", sundew.ActionBlock, "scan")},
			"fe80::1%eth0", "", 0, sundew.ActionBlock,
		},
		{
			"a fingerprint cannot be seen here, so a decision narrowed by one does nothing",
			[]sundew.Decision{decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan", narrowed("fingerprint:t13d"))},
			"192.0.2.1", "", 0, sundew.ActionNone,
		},
	}
	for _, tt := range tests {
		t.Run(tt.story, func(t *testing.T) {
			table := NewTable()
			table.Replace(sundew.Blocklist{Decisions: tt.decisions}, nil)
			got, ok := table.Lookup(netip.MustParseAddr(tt.client), tt.device, "", "", monday.Add(tt.at))
			if got.Action != tt.want || ok != (tt.want != sundew.ActionNone) {
				t.Errorf("got %q, %v; want %q", got.Action, ok, tt.want)
			}
		})
	}
}

func TestStaleTableOnlyDelays(t *testing.T) {
	table := NewTable()
	table.Replace(sundew.Blocklist{Decisions: []sundew.Decision{
		decision(t, "ip:192.0.2.1", sundew.ActionBlock, "scan"),
		decision(t, "ip:192.0.2.2", sundew.ActionTarpit, "scan", delayed(700*time.Millisecond)),
	}}, nil)
	table.SetStale(monday.Add(10 * time.Minute))
	look := func(client string, at time.Duration) (sundew.Action, time.Duration) {
		d, _ := table.Lookup(netip.MustParseAddr(client), "", "", "", monday.Add(at))
		return d.Action, d.Delay
	}
	for _, tt := range []struct {
		client string
		at     time.Duration
		action sundew.Action
		delay  time.Duration
	}{
		{"192.0.2.1", 10 * time.Minute, sundew.ActionBlock, 0},
		{"192.0.2.1", 11 * time.Minute, sundew.ActionTarpit, softDelay},
		{"192.0.2.2", 11 * time.Minute, sundew.ActionTarpit, 700 * time.Millisecond},
		{"192.0.2.1", time.Hour, sundew.ActionNone, 0},
	} {
		if action, delay := look(tt.client, tt.at); action != tt.action || delay != tt.delay {
			t.Errorf("%s after %s: %q %s, want %q %s", tt.client, tt.at, action, delay, tt.action, tt.delay)
		}
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	table, clients := bigTable(t, 2000)
	i := 0
	allocations := testing.AllocsPerRun(1000, func() {
		i++
		table.Lookup(clients[i%len(clients)], "device-1", "account-1", "key-1", monday)
	})
	if allocations != 0 {
		t.Errorf("%v allocations for a lookup, want 0", allocations)
	}
}

// bigTable has n decisions, 64 % on addresses, 16 % on networks, the rest on devices, and clients of which half are
// listed.
func bigTable(tb testing.TB, n int) (*Table, []netip.Addr) {
	tb.Helper()
	random := rand.New(rand.NewPCG(1, 3))
	list := sundew.Blocklist{Decisions: make([]sundew.Decision, n)}
	clients := make([]netip.Addr, 0, 4096)
	for i := range list.Decisions {
		var four [4]byte
		binary.BigEndian.PutUint32(four[:], random.Uint32())
		addr := netip.AddrFrom4(four)
		d := &list.Decisions[i]
		*d = sundew.Decision{
			ID: strconv.Itoa(i), Time: monday, Expires: monday.Add(time.Hour), Rule: "scan@1", Action: sundew.ActionTarpit, Delay: time.Second,
			Entity: sundew.Entity{Kind: sundew.KindIP, Key: addr.String()}, And: nil, Version: 1,
		}
		switch random.IntN(100) / 4 {
		case 16, 17, 18, 19:
			d.Entity = sundew.Entity{Kind: sundew.KindPrefix, Key: netip.PrefixFrom(addr, 16+random.IntN(16)).Masked().String()}
		case 20, 21, 22, 23, 24:
			d.Entity = sundew.Entity{Kind: sundew.KindDevice, Key: fmt.Sprintf("%016x", random.Uint64())}
		}
		if len(clients) < cap(clients) {
			clients = append(clients, addr, netip.AddrFrom4([4]byte{four[3], four[2], four[1], four[0]}))
		}
	}
	table := NewTable()
	table.Replace(list, nil)
	return table, clients
}

func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			table, clients := bigTable(b, n)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				table.Lookup(clients[i%len(clients)], "5f1d7a54-0d0e-4d9a-8f10-3a9d3f6a2b11", "", "", monday)
			}
		})
	}
}

func BenchmarkApply(b *testing.B) {
	table, _ := bigTable(b, 1_000_000)
	var changes []sundew.Change
	for i := range 300 {
		changes = append(changes, sundew.Change{Op: sundew.OpAdd, Decision: decision(b, fmt.Sprintf("ip:198.51.100.%d", i%250), sundew.ActionBlock, "r"+strconv.Itoa(i))})
	}
	for b.Loop() {
		table.Apply(changes, sundew.Cursor{})
	}
}
