package edge

import (
	"bufio"
	"net/http"
	"strings"
	"time"

	"sundew"
)

// A view is a form of the whole list. Each registers itself in a file of its own.
type view struct {
	extension string
	mediaType string
	// narrow completes what the client asked for by what the format is for.
	narrow func(asked filter) filter
	write  func(w *bufio.Writer, s snapshot) error
}

// views is filled while the package initialises and only read after that.
var views []view

// register adds a view; its result lets a file do so in a declaration.
func register(v view) struct{} {
	views = append(views, v)
	return struct{}{}
}

// A snapshot is what a view writes.
type snapshot struct {
	*list
	at    time.Time
	allow *allowList
	omit  func(reason string) // counts a decision that the format cannot express

	signer *Signer // nil: it is not signed
}

// snapshot answers GET /feed/v1/snapshot.*. What it says is the same for the same ETag.
func (f *feed) snapshot(w http.ResponseWriter, r *http.Request, v view) {
	asked, err := requestFilter(r)
	if err != nil {
		writeStatus(w, http.StatusBadRequest, err.Error())
		return
	}
	list := f.log.list()
	tag := `"` + list.cursor.String() + `"`
	h := w.Header()
	h.Set("ETag", tag)
	h.Set("Sundew-Cursor", list.cursor.String())
	h.Set("Cache-Control", "private, no-cache")
	if matchesETag(r.Header.Get("If-None-Match"), tag) {
		f.metrics.answers.WithLabelValues("not_modified").Inc()
		w.WriteHeader(http.StatusNotModified)
		return
	}
	f.metrics.answers.WithLabelValues("snapshot").Inc()
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(10 * writeGrace)) // not every server can
	h.Set("Content-Type", v.mediaType)
	if r.Method == http.MethodHead {
		return
	}
	out := encoded(w, r)
	buffered := bufio.NewWriterSize(out, 64<<10)
	omit := func(reason string) { f.metrics.omitted.WithLabelValues(v.extension, reason).Inc() }
	err = v.write(buffered, snapshot{list.only(v.narrow(asked)), f.log.now(), f.log.allow, omit, f.Signer})
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		f.logger.DebugContext(r.Context(), "snapshot not delivered", "format", v.extension, "error", err)
		panic(http.ErrAbortHandler) // or the client would take the part for the whole
	}
}

// matchesETag reads If-None-Match (RFC 9110, section 13.1.2), which compares weakly.
func matchesETag(header, tag string) bool {
	for candidate := range words(header) {
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag {
			return true
		}
	}
	return false
}

// hardest yields one decision for each entity of a list in order: the hardest action, of equal ones the longest delay.
// It leaves out what a plain map of entities cannot express, and counts it.
func (s snapshot) hardest(yield func(*sundew.Decision) bool) { s.hardestOf(s.inexpressible, yield) }

// hardestOf is hardest for a format that cannot express what the given function returns a reason for.
func (s snapshot) hardestOf(inexpressible func(*sundew.Decision) string, yield func(*sundew.Decision) bool) {
	var best *sundew.Decision
	for _, it := range s.items {
		d := &it.decision
		if reason := inexpressible(d); reason != "" {
			s.omit(reason)
			continue
		}
		if best != nil && best.Entity != d.Entity {
			if !yield(best) {
				return
			}
			best = nil
		}
		if best == nil || harder(d, best) {
			best = d
		}
	}
	if best != nil {
		yield(best)
	}
}

// inexpressible returns why a list of plain keys must leave d out, or "".
func (s snapshot) inexpressible(d *sundew.Decision) string {
	switch {
	case len(d.And) > 0:
		return "narrowed"
	case s.allow.touches(d.Entity):
		return "allowed_inside"
	case !plainKey(d.Entity.Key):
		return "key"
	}
	return ""
}

// plainKey says whether a key can stand in a line of a map file. Clients choose device ids, so a key may hold whatever
// the file's syntax gives a meaning to.
func plainKey(key string) bool {
	for i := range len(key) {
		c := key[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("-_.:/@+=", c) >= 0 && i > 0:
		case c == ':': // an IPv6 address may begin with it
		default:
			return false
		}
	}
	return key != ""
}

// harder says whether a is to be enforced rather than b.
func harder(a, b *sundew.Decision) bool {
	if a.Action != b.Action {
		return a.Action > b.Action
	}
	if a.Delay != b.Delay {
		return a.Delay > b.Delay
	}
	return a.Expires.After(b.Expires)
}

// networksEnforced narrows to addresses and networks with an action that an edge does something about.
func networksEnforced(asked filter) filter {
	asked.kinds = 1<<sundew.KindIP | 1<<sundew.KindPrefix
	return enforced(asked)
}

// enforced narrows to the actions that an edge does something about, where the client did not say.
func enforced(asked filter) filter {
	if asked.actions == 0 {
		asked.actions = 1<<sundew.ActionTarpit | 1<<sundew.ActionChallenge | 1<<sundew.ActionBlock
	}
	return asked
}

// networksTarpitted narrows to what a map from address to delay holds, where the client did not say.
func networksTarpitted(asked filter) filter {
	if asked.kinds == 0 {
		asked.kinds = 1<<sundew.KindIP | 1<<sundew.KindPrefix
	}
	if asked.actions == 0 {
		asked.actions = 1 << sundew.ActionTarpit
	}
	return asked
}
