package scoring

import (
	"fmt"
	"testing"
	"time"

	"sundew"
)

// beginDay lets a device begin a day on the given software and network, and returns its evidence then.
func beginDay(s *state, day uint16, software, network uint64) float64 {
	s.close(day, false)
	s.judge(&trial{climate: &calm, software: software, network: network})
	return s.evidence(&evenMixture)
}

func TestPastChannel(t *testing.T) {
	const ios, android, home, abroad = 1 << 3, 1 << 9, 1 << 20, 1 << 40
	begin := func(software, network uint64) float64 {
		s := stateOf(hot{Kind: uint8(sundew.KindDevice)})
		for day := range uint16(5) {
			beginDay(s, day+1, ios, home)
		}
		return beginDay(s, 6, software, network)
	}
	same, update, journey, both := begin(ios, home), begin(android, home), begin(ios, abroad), begin(android, abroad)
	if same != update || same != journey {
		t.Errorf("evidence %v of a day like the others, %v after an update, %v on a journey: want the same", same, update, journey)
	}
	if both <= same || both > 10 {
		t.Errorf("evidence %v of a device that is another, %v of one that is not: want more, and at most 10", both, same)
	}
}

func TestNetworksChannel(t *testing.T) {
	tell(t, []story{
		{
			"a device behind rented connections: another network at each request", device, 60, 5 * time.Second,
			func(i int, e *sundew.Event) { e.Device, e.ASN = "d-1", uint32(64500+i) },
			60, 100, "consistency_network",
		},
		{
			"a phone on a train: five networks, to and fro", device, 600, 10 * time.Second,
			func(i int, e *sundew.Event) { e.Device, e.ASN = "d-1", uint32(64500+i/20%5) },
			0, 5, "",
		},
		{
			"a gateway that logs no network", device, 600, 10 * time.Second,
			func(_ int, e *sundew.Event) { e.Device = "d-1" },
			0, 1, "",
		},
	})
}

func TestDeniedChannel(t *testing.T) {
	tell(t, []story{
		{
			"a key that tries every route of the administration", apiKey, 30, 2 * time.Second,
			func(i int, e *sundew.Event) { e.APIKey, e.Path, e.Status = "k-1", fmt.Sprint("/admin/", i), 403 },
			90, 100, "outcome_denied",
		},
		{
			"a person whose page has a part that is not for them", device, 600, 10 * time.Second,
			func(i int, e *sundew.Event) {
				if e.Device = "d-1"; i%60 == 20 {
					e.Status = 403
				}
			},
			0, 3, "",
		},
	})
}
