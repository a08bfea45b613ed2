package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"sundew"
)

// labelFormat is the format of records of the topic of requests that are labels. No gateway can write one: the listener
// decodes lines and never passes the format's name on.
const labelFormat = "sundew-label"

// maxLabelBody bounds a posted label in bytes.
const maxLabelBody = 8 << 10

// labels takes analysts' labels over HTTP and writes them into the log.
type labels struct {
	producer *Producer
	timeout  time.Duration
	origin   *http.CrossOriginProtection
	now      func() time.Time
	log      *slog.Logger
}

// NewLabelListener returns the handler of POST /api/v1/labels, which takes {"entity":"ip:192.0.2.7","verdict":"abuse",
// "by":"jane","note":"..."}. It answers 202 after the broker has acknowledged, and does not ask who posts: whoever mounts
// it does. p must run.
func NewLabelListener(p *Producer, timeout time.Duration, log *slog.Logger) http.Handler {
	return &labels{p, timeout, http.NewCrossOriginProtection(), time.Now, log}
}

func (l *labels) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	status, text := l.take(r)
	if status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	w.WriteHeader(status)
	answer := map[string]string{"error": text}
	if status == http.StatusAccepted {
		answer = map[string]string{"entity": text}
	}
	_ = json.NewEncoder(w).Encode(answer) // the client has left where this fails
}

// take returns the status, and the entity that was labelled or what is wrong.
func (l *labels) take(r *http.Request) (int, string) {
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, "labels are sent with POST"
	}
	if err := l.origin.Check(r); err != nil {
		return http.StatusForbidden, "pages of other sites may not label"
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxLabelBody+1))
	if err != nil || len(body) > maxLabelBody {
		return http.StatusRequestEntityTooLarge, fmt.Sprintf("a label has at most %d bytes", maxLabelBody)
	}
	label, err := readLabel(body, l.now().UTC())
	if err != nil {
		return http.StatusBadRequest, err.Error()
	}
	ctx, cancel := context.WithTimeout(r.Context(), l.timeout)
	defer cancel()
	if err := publishLabel(ctx, l.producer, label); err != nil {
		l.log.ErrorContext(r.Context(), "label not taken", "entity", label.Entity.String(), "error", err)
		return http.StatusServiceUnavailable, "the log cannot take the label now: send it again"
	}
	l.log.InfoContext(r.Context(), "label", "entity", label.Entity.String(), "verdict", label.Verdict.String(), "by", label.By)
	return http.StatusAccepted, label.Entity.String()
}

// readLabel reads what a person posts, where the entity is one text.
func readLabel(body []byte, now time.Time) (sundew.Label, error) {
	var posted struct {
		Entity  string         `json:"entity"`
		Verdict sundew.Verdict `json:"verdict"`
		By      string         `json:"by"`
		Note    string         `json:"note"`
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&posted); err != nil {
		return sundew.Label{}, fmt.Errorf("label: %w", err)
	}
	entity, err := sundew.ParseEntity(posted.Entity)
	if err != nil {
		return sundew.Label{}, fmt.Errorf("label: %w", err)
	}
	label := sundew.Label{Time: now, Entity: entity, Verdict: posted.Verdict, By: posted.By, Note: posted.Note}
	return label, label.Validate()
}

// publishLabel writes a label where the requests of its entity are: of an address or a network in its partition, of
// anybody else in all of them.
func publishLabel(ctx context.Context, p *Producer, label sundew.Label) error {
	value, err := json.Marshal(label)
	if err != nil {
		return fmt.Errorf("encode label: %w", err)
	}
	record := Record{Value: value, Headers: []Header{{headerFormat, []byte(labelFormat)}}}
	n, err := p.partitionsOf(ctx, TopicRequests)
	if err != nil {
		return err
	}
	if addr, ok := addressOf(label.Entity); ok {
		return p.Produce(ctx, TopicRequests, PartitionOf([]byte(sundew.PartitionKey(addr)), n), []Record{record})
	}
	var failed []error
	for partition := range n {
		failed = append(failed, p.Produce(ctx, TopicRequests, int32(partition), []Record{record}))
	}
	return errors.Join(failed...)
}

func addressOf(e sundew.Entity) (netip.Addr, bool) {
	switch e.Kind {
	case sundew.KindIP:
		addr, err := netip.ParseAddr(e.Key)
		return addr, err == nil
	case sundew.KindPrefix:
		prefix, err := netip.ParsePrefix(e.Key)
		return prefix.Addr(), err == nil
	}
	return netip.Addr{}, false
}

// decodeLabel reads a label from the log.
func decodeLabel(value []byte) (sundew.Label, error) {
	var label sundew.Label
	if err := json.Unmarshal(value, &label); err != nil {
		return label, fmt.Errorf("label: %w", err)
	}
	return label, label.Validate()
}
