package quality

import (
	"encoding/binary"
	"net/netip"
	"strconv"

	"sundew"
	"sundew/cmd/sundew/quality/baseline"
)

// reactions are what attackers do about what is done to them, by campaign. One who finds requests slowed sends only every
// second of those that it had planned, then every fourth and so on; one who finds them refused goes on from fresh
// addresses with fresh devices. Accounts and keys cannot be had anew and stay. An attacker sees what has happened when a
// batch is over, and draws one conclusion from it.
type reactions map[string]*reaction

type reaction struct {
	every           int // of how many planned requests one is sent
	planned         int
	moves           int // how often the campaign took new addresses
	slowed, refused bool
}

// mostPatience is the most that an attacker slows down; an attack that takes thirty times as long is given up.
const mostPatience = 32

// reactingBatch is how many events attackers do not look at each other's fate: about a minute of the default traffic.
const reactingBatch = 256

func (rs reactions) of(campaign string) *reaction {
	if rs[campaign] == nil {
		rs[campaign] = &reaction{every: 1}
	}
	return rs[campaign]
}

// send returns those of the planned events that are sent, changed as their senders have learned to. campaignOf names the
// campaign of an event, "" for a legitimate one.
func (rs reactions) send(planned []sundew.Event, campaignOf func(e *sundew.Event) string) []sundew.Event {
	for _, r := range rs {
		r.conclude()
	}
	sent := planned[:0]
	for i := range planned {
		e := planned[i]
		if campaign := campaignOf(&e); campaign != "" {
			r := rs.of(campaign)
			r.planned++
			if r.planned%r.every != 0 {
				continue
			}
			r.disguise(&e)
		}
		sent = append(sent, e)
	}
	return sent
}

// learn notes what was done to a request of the campaign.
func (rs reactions) learn(campaign string, h hit) {
	r := rs.of(campaign)
	r.refused = r.refused || h.any == sundew.ActionBlock
	r.slowed = r.slowed || h.any.Enforces()
}

func (r *reaction) conclude() {
	switch {
	case r.refused:
		r.moves++
	case r.slowed:
		r.every = min(2*r.every, mostPatience)
	}
	r.slowed, r.refused = false, false
}

// disguise gives the event the address and the device that its sender has moved to. Each address that was planned has one
// for each move, out of a network of sixteen million that nobody else uses.
func (r *reaction) disguise(e *sundew.Event) {
	if r.moves == 0 {
		return
	}
	move := strconv.Itoa(r.moves)
	var address [8]byte
	binary.BigEndian.PutUint64(address[:], baseline.Hash(1, e.Client.String()+" "+move))
	e.Client = netip.AddrFrom4([4]byte{44, address[1], address[2], address[3]})
	if e.Device != "" {
		e.Device = strconv.FormatUint(baseline.Hash(2, e.Device+" "+move), 16)
	}
}
