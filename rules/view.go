package rules

import (
	"net/netip"
	"reflect"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"sundew"
)

// A view is what conditions see of one score. It belongs to one goroutine and is filled anew for every score; what is
// costly to derive from the request is kept as long as the request stays the same.
type view struct {
	score *sundew.Score
	lists map[string]*boundList // by name
	vars  map[string]*variable  // of the rule at hand
	param map[string]ref.Val    // of the rule at hand, by full name

	standIn sundew.Score
	noEvent sundew.Event

	event   *sundew.Event // that the next two hold texts of
	decoded [6]struct{ raw, plain string }
	scanned [8]scanned
	scanner *scanner
}

// scanned is which patterns may match a text.
type scanned struct {
	text string
	bits []uint64
}

var _ cel.Activation = (*view)(nil)

func newView(set *Set) *view {
	v := &view{lists: make(map[string]*boundList, len(set.lists)), scanner: &set.scanner}
	for i := range v.scanned {
		v.scanned[i].bits = make([]uint64, set.scanner.words())
	}
	for _, l := range set.lists {
		v.lists["lists."+l.ID] = &boundList{list: l, view: v}
	}
	return v
}

// look turns to a score. One without a request is seen with a request of which nothing is known.
func (v *view) look(s *sundew.Score) {
	v.score = s
	if s.Event == nil {
		v.standIn, v.noEvent = *s, sundew.NewEvent()
		v.standIn.Event = &v.noEvent
		v.score, s = &v.standIn, &v.standIn
	}
	if v.event != s.Event || s.Event == &v.noEvent {
		v.forget()
		v.event = s.Event
	}
}

// forget drops what was derived from a request. It is called between batches too, whose memory may be used again.
func (v *view) forget() {
	v.event = nil
	v.decoded = [6]struct{ raw, plain string }{}
	for i := range v.scanned {
		v.scanned[i].text = ""
	}
}

func (v *view) at(r *rule) { v.vars, v.param = r.vars, r.params }

func (v *view) now() time.Time { return v.score.Time }

// ResolveName returns the value of a dotted name.
func (v *view) ResolveName(name string) (any, bool) {
	if variable, found := v.vars[name]; found {
		switch {
		case variable.text != nil:
			return types.String(variable.text(v.score)), true
		case variable.integer != nil:
			return types.Int(variable.integer(v.score)), true
		}
		return types.Double(variable.number(v.score)), true
	}
	if param, found := v.param[name]; found {
		return param, true
	}
	if name == "evidence" {
		return evidenceMap{v}, true
	}
	list, found := v.lists[name]
	return list, found
}

// Parent returns nil: there is one scope.
func (v *view) Parent() cel.Activation { return nil }

// decode is decodeText, remembered as long as the request stays the same: most rules ask for the same two texts.
func (v *view) decode(text string) string {
	if text == "" {
		return ""
	}
	for i := range v.decoded {
		switch slot := &v.decoded[i]; slot.raw {
		case text:
			return slot.plain
		case "":
			slot.raw, slot.plain = text, decodeText(text)
			return slot.plain
		}
	}
	return decodeText(text)
}

// mayMatch says whether a pattern of the set can match a text at all.
func (v *view) mayMatch(pattern int, text string) bool {
	if text == "" {
		return true
	}
	for i := range v.scanned {
		slot := &v.scanned[i]
		if slot.text == "" {
			slot.text = text
			v.scanner.scan(text, slot.bits)
		}
		if slot.text == text {
			return slot.bits[pattern/64]&(1<<(pattern%64)) != 0
		}
	}
	return true
}

// evidenceMap is the nats of each channel; a channel without evidence has 0.
type evidenceMap struct{ view *view }

var _ traits.Mapper = evidenceMap{}

func (m evidenceMap) nats(channel string) float64 {
	for i := range m.view.score.Evidence {
		if m.view.score.Evidence[i].Channel == channel {
			return m.view.score.Evidence[i].Nats
		}
	}
	return 0
}

func (m evidenceMap) Find(key ref.Val) (ref.Val, bool) {
	channel, ok := key.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(key), false
	}
	return types.Double(m.nats(string(channel))), true
}

func (m evidenceMap) Get(key ref.Val) ref.Val {
	value, _ := m.Find(key)
	return value
}

func (m evidenceMap) Contains(key ref.Val) ref.Val {
	channel, ok := key.(types.String)
	return types.Bool(ok && m.nats(string(channel)) != 0)
}

func (m evidenceMap) channels() []string {
	names := make([]string, len(m.view.score.Evidence))
	for i := range names {
		names[i] = m.view.score.Evidence[i].Channel
	}
	return names
}

func (m evidenceMap) Iterator() traits.Iterator {
	return types.NewStringList(types.DefaultTypeAdapter, m.channels()).Iterator()
}

func (m evidenceMap) Size() ref.Val                             { return types.Int(len(m.view.score.Evidence)) }
func (m evidenceMap) Equal(ref.Val) ref.Val                     { return types.False }
func (m evidenceMap) Type() ref.Type                            { return types.MapType }
func (m evidenceMap) Value() any                                { return m.view }
func (m evidenceMap) ConvertToType(ref.Type) ref.Val            { return types.NoSuchOverloadErr() }
func (m evidenceMap) ConvertToNative(reflect.Type) (any, error) { return nil, errNotNative }

// boundList is a list as conditions see it at the time of the score: "in" is a look-up, not a walk.
type boundList struct {
	list *list
	view *view
}

var _ traits.Lister = (*boundList)(nil)

// Contains looks up a number as an autonomous system and text as an address, which the list's networks cover, or as any
// other key.
func (b *boundList) Contains(value ref.Val) ref.Val {
	switch v := value.(type) {
	case types.String:
		return types.Bool(b.list.holdsText(string(v), b.view.now()))
	case types.Int:
		return types.Bool(b.list.holdsASN(int64(v), b.view.now()))
	}
	return types.MaybeNoSuchOverloadErr(value)
}

func (b *boundList) Add(ref.Val) ref.Val { return types.NoSuchOverloadErr() }
func (b *boundList) Get(ref.Val) ref.Val { return types.NoSuchOverloadErr() }
func (b *boundList) Iterator() traits.Iterator {
	return types.NewStringList(types.DefaultTypeAdapter, nil).Iterator()
}

func (b *boundList) Size() ref.Val                             { return types.Int(b.list.size(b.view.now())) }
func (b *boundList) Equal(ref.Val) ref.Val                     { return types.False }
func (b *boundList) Type() ref.Type                            { return types.ListType }
func (b *boundList) Value() any                                { return b.list.ID }
func (b *boundList) ConvertToType(ref.Type) ref.Val            { return types.NoSuchOverloadErr() }
func (b *boundList) ConvertToNative(reflect.Type) (any, error) { return nil, errNotNative }

func parseNetwork(text string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(text)
	return prefix.Masked(), err
}
