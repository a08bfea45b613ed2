package sim

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"sundew"
)

// Label is the truth about one event: exactly one of the two is set.
type Label struct {
	Campaign string `json:"campaign,omitempty"` // name of the campaign in Truth, for an attacker's request
	Segment  string `json:"segment,omitempty"`  // name of the segment in Truth, for everybody else's
}

// LabelOf returns the label of an event of traffic with the same configuration, also when it has been through a log or
// a store: the request id holds it, sealed with the seed. The label of any other event is zero. LabelOf may be called
// from many goroutines.
func (t *Traffic) LabelOf(e sundew.Event) Label {
	number, ok := unseal(t.config.Seed, e.RequestID)
	if !ok {
		return Label{}
	}
	return t.label(number)
}

func (t *Traffic) label(number uint32) Label {
	people := t.population.size()
	if number < people {
		return Label{Segment: t.population.segmentOf(number)}
	}
	if len(t.methods) == 0 {
		return Label{}
	}
	ordinal := int(number - people)
	return Label{Campaign: campaignName(t.methods[ordinal%len(t.methods)].Name, ordinal)}
}

// campaignName numbers campaigns from 1 in the order of rounds and, within a round, of the configuration.
func campaignName(attack string, ordinal int) string { return attack + "-" + strconv.Itoa(ordinal+1) }

// seal returns the request id of the sequence's event: 64 bits that look random, the client's number hidden by them and
// the seed, and 32 bits by which unseal knows its own. It looks like any trace id, so that a detector that learns the
// truth from it would have to know the seed.
func seal(seed, sequence uint64, number uint32) string {
	nonce := derive(seed, forRequestID, sequence)
	var raw [16]byte
	var text [32]byte
	binary.BigEndian.PutUint64(raw[:], nonce)
	binary.BigEndian.PutUint32(raw[8:], number^uint32(derive(seed, forSeal, nonce)))
	binary.BigEndian.PutUint32(raw[12:], sealCheck(seed, nonce, number))
	hex.Encode(text[:], raw[:])
	return string(text[:])
}

// unseal returns the number in a request id, and whether seal made it with the same seed.
func unseal(seed uint64, id string) (number uint32, ok bool) {
	var raw [16]byte
	if len(id) != 2*len(raw) {
		return 0, false
	}
	if _, err := hex.Decode(raw[:], []byte(id)); err != nil {
		return 0, false
	}
	nonce := binary.BigEndian.Uint64(raw[:])
	number = binary.BigEndian.Uint32(raw[8:]) ^ uint32(derive(seed, forSeal, nonce))
	return number, binary.BigEndian.Uint32(raw[12:]) == sealCheck(seed, nonce, number)
}

func sealCheck(seed, nonce uint64, number uint32) uint32 {
	return uint32(derive(seed, forCheck, nonce^uint64(number)))
}
