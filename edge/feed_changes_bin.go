package edge

import (
	"bufio"
	"bytes"
	"context"
	"net/http"

	"sundew"
)

// binaryChanges answers GET /feed/v1/changes.bin as changes does, in the form of viewBinary.
func (f *feed) binaryChanges(w http.ResponseWriter, r *http.Request) {
	f.answerChanges(w, r, viewBinary().mediaType, f.awaitBinary)
}

// awaitBinary returns the state of each entity that the client wants and that changed after its cursor, at once if there
// is any, else when there is or ctx ends.
func (f *feed) awaitBinary(ctx context.Context, cursor sundew.Cursor, want filter) (body []byte, ok bool) {
	want = enforced(want)
	for {
		states, next, ok := f.log.states(cursor)
		if !ok {
			return nil, false
		}
		now := f.log.now().Unix()
		var items []*item
		var gone []sundew.Entity
		for entity, all := range states {
			if !want.kind(entity.Kind) {
				continue
			}
			standing := len(items)
			for _, it := range all {
				if want.action(it.decision.Action) && tooNarrow(&it.decision) == "" && it.decision.Expires.Unix() > now {
					items = append(items, it)
				}
			}
			if len(items) == standing {
				gone = append(gone, entity)
			}
		}
		if len(items)+len(gone) > 0 || ctx.Err() != nil || f.log.Wait(ctx, next) != nil {
			return f.binaryBody(newList(items, next), gone), true
		}
		cursor = next
	}
}

func (f *feed) binaryBody(l *list, gone []sundew.Entity) []byte {
	var body bytes.Buffer
	w := bufio.NewWriter(&body)
	s := snapshot{l, f.log.now(), f.log.allow, func(string) {}, nil}
	_ = writeBinaryForm(w, binaryChangesMagic, s, gone) // memory takes everything
	_ = w.Flush()
	return body.Bytes()
}
