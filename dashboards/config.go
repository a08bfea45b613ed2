package dashboards

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sundew"
)

// Reader answers questions about what happened; the store satisfies it. Its methods may be called from many goroutines.
// An error means that the store could not answer: pages then say so with status 503.
type Reader interface {
	// Overview counts requests and decisions in every step of r, empty steps included, in time order.
	Overview(ctx context.Context, r sundew.Range, step time.Duration) ([]sundew.OverviewPoint, error)
	// TopEntities lists entities of a kind, worst first; [sundew.KindNone] asks for every kind.
	TopEntities(ctx context.Context, r sundew.Range, kind sundew.Kind, limit int) ([]sundew.EntityActivity, error)
	// Timeline tells what is known of e in r: at most limit events and limit scores.
	Timeline(ctx context.Context, e sundew.Entity, r sundew.Range, limit int) (sundew.Timeline, error)
	// Decision returns the decision of that id; the bool is false where there is none.
	Decision(ctx context.Context, id string) (sundew.Decision, bool, error)
	// Decisions lists those made in r, newest first.
	Decisions(ctx context.Context, r sundew.Range, limit int) ([]sundew.Decision, error)
	// Requests lists the requests that d rests on, newest first.
	Requests(ctx context.Context, d sundew.Decision, limit int) ([]sundew.Event, error)
	// DeadLetters lists lines rejected in r, newest first.
	DeadLetters(ctx context.Context, r sundew.Range, limit int) ([]sundew.DeadLetter, error)
}

// Lister gives the decisions in force, from the log of decision changes. It does no I/O and may be called from many
// goroutines.
type Lister interface{ Blocklist() sundew.Blocklist }

// RuleInfo describes a loaded rule to analysts. References that are https addresses are shown as links.
type RuleInfo struct {
	ID          string   `json:"id"`
	Version     string   `json:"version"`
	Title       string   `json:"title"`
	Kind        string   `json:"kind"`
	Status      string   `json:"status"`
	Severity    string   `json:"severity"`
	Owner       string   `json:"owner"`
	Description string   `json:"description"`
	References  []string `json:"references"`
}

// The states of a StatusItem. Any other word is shown as it is, marked as a warning.
const (
	StateOK   = "ok"
	StateWarn = "warn"
	StateBad  = "bad"
)

// StatusItem is one fact about the health of the pipeline, such as {"Event lag", StateOK, "1.2 s"}.
type StatusItem struct {
	Name   string `json:"name"`
	State  string `json:"state"`
	Detail string `json:"detail"`
}

// Config is what the console is made of. Reader and Lister are needed, the rest may be left out.
type Config struct {
	Reader     Reader
	Lister     Lister
	Rules      []RuleInfo
	Version    string                // of the program, for the foot of the pages
	Demo       bool                  // says on every page that the traffic is simulated
	Now        func() time.Time      // nil is time.Now
	Registerer prometheus.Registerer // nil keeps no metrics
	Logger     *slog.Logger          // nil is silent
	Status     func() []StatusItem   // nil shows no pipeline status; called once per page, so it must be quick
}

// Validate reports the first part that is missing.
func (c Config) Validate() error {
	switch {
	case c.Reader == nil:
		return errors.New("dashboards: Config.Reader is nil: hand in the store")
	case c.Lister == nil:
		return errors.New("dashboards: Config.Lister is nil: hand in the log of decision changes")
	}
	for i, rule := range c.Rules {
		if rule.ID == "" {
			return fmt.Errorf("dashboards: Config.Rules[%d] has no ID", i)
		}
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Status == nil {
		c.Status = func() []StatusItem { return nil }
	}
	return c
}
