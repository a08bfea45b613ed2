package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"sundew"
)

const (
	manualPath  = "/api/v1/decisions"
	manualRule  = "manual@1"
	releasing   = "release" // ends what stands against an entity
	maxManual   = 8 << 10   // bytes of a posted decision
	maxBy       = 200       // bytes of a name
	maxReason   = 1000      // bytes of a reason
	longest     = 366 * 24 * time.Hour
	usualDelay  = 2 * time.Second
	longestWait = 10 * time.Second
)

// order is what a person decides about an entity, as it is posted.
type order struct {
	Action string   `json:"action"` // tarpit, challenge, block or release
	Entity string   `json:"entity"`
	And    []string `json:"and,omitempty"` // the request must carry each of these too
	For    string   `json:"for,omitempty"`
	Delay  string   `json:"delay,omitempty"` // of a tarpit
	Reason string   `json:"reason"`
	By     string   `json:"by"`
}

// answered is what became of an order.
type answered struct {
	Error    string     `json:"error,omitempty"`
	Entity   string     `json:"entity,omitempty"`
	ID       string     `json:"id,omitempty"`
	Expires  *time.Time `json:"expires,omitempty"`
	Released int        `json:"released,omitempty"`
}

func runDecide(ctx context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	server := flags.String("server", "http://127.0.0.1:8080", "`URL` of the sundew run")
	o := order{}
	flags.StringVar(&o.For, "for", "1h", "`time` until the decision ends, at most 8784h")
	flags.StringVar(&o.Delay, "delay", "", "`time` for which a tarpit holds each request, 2s unless given")
	flags.StringVar(&o.Reason, "reason", "", "`why`, for whoever reads it later")
	flags.StringVar(&o.By, "by", "", "`who` decides")
	and := flags.String("and", "", "comma-separated `entities` that a request must name too, such as device:6f1c")
	words, err := parseFlags(flags, args, 2, 2)
	if err != nil {
		return err
	}
	o.Action, o.Entity = words[0], words[1]
	if *and != "" {
		o.And = strings.Split(*and, ",")
	}
	if o.Action == releasing {
		o.For = ""
	}
	if _, _, err := o.decision(time.Now()); err != nil {
		return usageError{"decide: " + err.Error()}
	}
	answer, err := postOrder(ctx, *server, o)
	if err != nil {
		return fmt.Errorf("decide: %w", err)
	}
	if o.Action == releasing {
		fmt.Fprintf(t.out, "%s: %d decisions end\n", answer.Entity, answer.Released)
		return nil
	}
	fmt.Fprintf(t.out, "%s: %s until %s, decision %s\n", answer.Entity, o.Action, answer.Expires.Format(time.RFC3339), answer.ID)
	return nil
}

func postOrder(ctx context.Context, server string, o order) (answer answered, err error) {
	address, err := url.Parse(server)
	if err != nil || address.Host == "" || (address.Scheme != "http" && address.Scheme != "https") {
		return answer, usageError{fmt.Sprintf("--server %q: want a URL such as http://127.0.0.1:8080", server)}
	}
	body, _ := json.Marshal(o) // strings
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address.JoinPath(manualPath).String(), bytes.NewReader(body))
	if err != nil {
		return answer, err
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer, fmt.Errorf("%w: does sundew run listen there? See --server", err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxManual))
	if err != nil {
		return answer, err
	}
	if json.Unmarshal(text, &answer) != nil || answer.Error != "" || response.StatusCode != http.StatusAccepted {
		return answer, fmt.Errorf("%s answers %s: %s", server, response.Status, fit(firstText(answer.Error, string(bytes.TrimSpace(text)))))
	}
	return answer, nil
}

func firstText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// decision is the decision that the order asks for; of a release the entity alone.
func (o *order) decision(now time.Time) (d sundew.Decision, releases bool, err error) {
	d = sundew.Decision{Time: now.UTC(), Rule: manualRule, Version: now.UnixMicro(), Basis: sundew.BasisManual}
	if d.Entity, err = sundew.ParseEntity(o.Entity); err != nil {
		return d, false, err
	}
	for _, text := range o.And {
		e, err := sundew.ParseEntity(strings.TrimSpace(text))
		if err != nil {
			return d, false, fmt.Errorf("and: %w", err)
		}
		d.And = append(d.And, e)
	}
	for name, text := range map[string]struct {
		value string
		most  int
	}{"reason": {o.Reason, maxReason}, "by": {o.By, maxBy}} {
		if strings.TrimSpace(text.value) == "" || len(text.value) > text.most || !utf8.ValidString(text.value) {
			return d, false, fmt.Errorf("%s: want a text of at most %d bytes: whoever finds the decision later asks", name, text.most)
		}
	}
	d.Sentence = o.Reason + " (" + o.By + ")"
	if o.Action == releasing {
		return d, true, nil
	}
	if err := d.Action.UnmarshalText([]byte(o.Action)); err != nil || !d.Action.Enforces() {
		return d, false, fmt.Errorf("action %q: want tarpit, challenge, block or release", o.Action)
	}
	lasts, err := time.ParseDuration(o.For)
	if err != nil || lasts < time.Second || lasts > longest {
		return d, false, fmt.Errorf("for %q: want a time from 1s to %s, such as 24h", o.For, longest)
	}
	d.Expires = d.Time.Add(lasts)
	if d.Action == sundew.ActionTarpit {
		d.Delay = usualDelay
		if o.Delay != "" {
			if d.Delay, err = time.ParseDuration(o.Delay); err != nil || d.Delay < time.Millisecond || d.Delay > longestWait {
				return d, false, fmt.Errorf("delay %q: want 1ms to %s", o.Delay, longestWait)
			}
		}
	} else if o.Delay != "" {
		return d, false, errors.New("delay: only a tarpit has one")
	}
	d.ID = sundew.DecisionID(d.Rule, d.Entity, d.Version)
	return d, false, d.Validate()
}

// manual takes decisions of people over HTTP and publishes them where those of rules are: edges, store and console hear of
// both alike. It does not ask who posts: whoever mounts it does.
type manual struct {
	publisher sundew.Publisher
	standing  func() sundew.Blocklist // as analysts see it
	allowed   func(sundew.Entity, time.Time) bool
	origin    *http.CrossOriginProtection
	timeout   time.Duration
	log       *slog.Logger
}

func (m *manual) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, answer := m.take(r)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // the client's loss
}

func (m *manual) take(r *http.Request) (int, answered) {
	if err := m.origin.Check(r); err != nil {
		return http.StatusForbidden, answered{Error: "pages of other sites may not decide"}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxManual+1))
	if err != nil || len(body) > maxManual {
		return http.StatusRequestEntityTooLarge, answered{Error: fmt.Sprintf("a decision has at most %d bytes", maxManual)}
	}
	var o order
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&o); err != nil {
		return http.StatusBadRequest, answered{Error: err.Error()}
	}
	d, releases, err := o.decision(time.Now())
	if err != nil {
		return http.StatusBadRequest, answered{Error: err.Error()}
	}
	ds := []sundew.Decision{d}
	if releases {
		ds = m.ended(d)
	} else if m.allowed(d.Entity, d.Time) {
		return http.StatusConflict, answered{Error: d.Entity.String() + " is on an allow-list, which wins over any decision: take it off first"}
	}
	ctx, cancel := context.WithTimeout(r.Context(), m.timeout)
	defer cancel()
	if err := m.publisher.Publish(ctx, ds); err != nil {
		m.log.ErrorContext(r.Context(), "decision not taken", "entity", d.Entity.String(), "error", err)
		return http.StatusServiceUnavailable, answered{Error: "the log cannot take the decision now: send it again"}
	}
	m.log.InfoContext(r.Context(), "manual decision", "action", o.Action, "entity", d.Entity.String(), "by", o.By, "reason", o.Reason, "ended", len(ds))
	if releases {
		return http.StatusAccepted, answered{Entity: d.Entity.String(), Released: len(ds)}
	}
	return http.StatusAccepted, answered{Entity: d.Entity.String(), ID: d.ID, Expires: &d.Expires}
}

// ended are the decisions that end, for the same rules, whatever stands against the entity. Rules and scores may decide
// anew when the entity goes on.
func (m *manual) ended(release sundew.Decision) (ds []sundew.Decision) {
	for _, d := range m.standing().Decisions {
		if d.Entity != release.Entity {
			continue
		}
		d.Action, d.Delay, d.Basis, d.Sentence = sundew.ActionObserve, 0, sundew.BasisManual, release.Sentence
		d.Time, d.Version = release.Time, max(release.Version, d.Version+1)
		d.Expires = d.Time.Add(time.Second)
		d.ID = sundew.DecisionID(d.Rule, d.Entity, d.Version)
		ds = append(ds, d)
	}
	return ds
}
