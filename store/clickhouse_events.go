package store

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"sundew"
)

// eventsTable is the table events, but for log_day.
var eventsTable = []columnOf[*sundew.Event]{
	values("log_partition", func(e *sundew.Event) int32 { return e.Partition }),
	int64s("log_offset", func(e *sundew.Event) int64 { return e.Offset }),
	times("time", func(e *sundew.Event) time.Time { return e.Time }),
	values("client", func(e *sundew.Event) netip.Addr { return e.Client }),
	texts("forwarded", func(e *sundew.Event) string { return e.Forwarded }),
	words("method", func(e *sundew.Event) string { return e.Method }),
	words("host", func(e *sundew.Event) string { return e.Host }),
	texts("path", func(e *sundew.Event) string { return e.Path }),
	texts("query", func(e *sundew.Event) string { return e.Query }),
	words("route", func(e *sundew.Event) string { return e.Route }),
	values("status", func(e *sundew.Event) int16 { return int16(e.Status) }),
	int64sOr("request_bytes", -1, func(e *sundew.Event) int64 { return e.RequestBytes }),
	int64sOr("response_bytes", -1, func(e *sundew.Event) int64 { return e.ResponseBytes }),
	int64sOr("duration_ns", -1, func(e *sundew.Event) int64 { return int64(e.Duration) }),
	words("user_agent", func(e *sundew.Event) string { return e.UserAgent }),
	texts("referer", func(e *sundew.Event) string { return e.Referer }),
	texts("device", func(e *sundew.Event) string { return e.Device }),
	texts("account", func(e *sundew.Event) string { return e.Account }),
	texts("api_key", func(e *sundew.Event) string { return e.APIKey }),
	texts("session", func(e *sundew.Event) string { return e.Session }),
	words("ja4", func(e *sundew.Event) string { return e.JA4 }),
	words("country", func(e *sundew.Event) string { return e.Country }),
	numbers("asn", 0, func(e *sundew.Event) uint32 { return e.ASN }),
	words("auth", func(e *sundew.Event) string { return e.Auth.String() }),
	texts("auth_username", func(e *sundew.Event) string { return e.AuthUsername }),
	texts("object", func(e *sundew.Event) string { return e.Object }),
	words("attestation", func(e *sundew.Event) string { return e.Attestation.String() }),
	words("attestation_provider", func(e *sundew.Event) string { return e.AttestationProvider }),
	words("signature", func(e *sundew.Event) string { return e.Signature.String() }),
	numbers("captcha_score", -1, func(e *sundew.Event) float64 { return e.CaptchaScore }),
	int64sOr("device_age_ns", -1, func(e *sundew.Event) int64 { return int64(e.DeviceAge) }),
	texts("request_id", func(e *sundew.Event) string { return e.RequestID }),
	words("gateway", func(e *sundew.Event) string { return e.Gateway }),
	numbers("gateway_epoch", 0, func(e *sundew.Event) uint64 { return e.GatewayEpoch }),
	numbers("gateway_sequence", 0, func(e *sundew.Event) uint64 { return e.GatewaySequence }),
	words("edge_action", func(e *sundew.Event) string { return e.EdgeAction.String() }),
	int64s("edge_delay_ns", func(e *sundew.Event) int64 { return int64(e.EdgeDelay) }),
	texts("decision_id", func(e *sundew.Event) string { return e.DecisionID }),
	texts("attributes", func(e *sundew.Event) string { return attributesOf(e.Attributes) }),
}

func attributesOf(attributes []sundew.Attribute) string {
	if len(attributes) == 0 {
		return ""
	}
	text, err := json.Marshal(attributes)
	if err != nil {
		panic(err) // text alone always has a form in JSON
	}
	return string(text)
}

// eventNames is what scanEventRow reads: the columns of eventsTable.
var eventNames = namesOf(eventsTable)

func namesOf[T any](columns []columnOf[T]) string {
	names := make([]string, len(columns))
	for i := range columns {
		names[i] = columns[i].name
	}
	return strings.Join(names, ", ")
}

// insertEvents adds events as one part of the table.
func (c *ClickHouse) insertEvents(ctx context.Context, events []*sundew.Event, token string) error {
	newest := events[0].Time
	for _, e := range events {
		newest = later(newest, e.Time)
	}
	return insert(ctx, c, "events", token, events, append([]columnOf[*sundew.Event]{
		constant[*sundew.Event]("log_day", dayOf(newest)),
	}, eventsTable...))
}

func dayOf(t time.Time) time.Time { return time.UnixMicro(micros(t)).UTC().Truncate(24 * time.Hour) }

func scanEventRow(r row) (sundew.Event, error) {
	var (
		e                                  sundew.Event
		status                             int16
		duration, deviceAge, delay         int64
		auth, attestation, signature, edge string
		attributes                         string
	)
	err := r.Scan(
		&e.Partition, &e.Offset, &e.Time, &e.Client, &e.Forwarded, &e.Method,
		&e.Host, &e.Path, &e.Query, &e.Route, &status, &e.RequestBytes, &e.ResponseBytes,
		&duration, &e.UserAgent, &e.Referer, &e.Device, &e.Account,
		&e.APIKey, &e.Session, &e.JA4, &e.Country, &e.ASN, &auth,
		&e.AuthUsername, &e.Object, &attestation, &e.AttestationProvider,
		&signature, &e.CaptchaScore, &deviceAge, &e.RequestID, &e.Gateway, &e.GatewayEpoch,
		&e.GatewaySequence, &edge, &delay, &e.DecisionID, &attributes,
	)
	if err != nil {
		return e, err
	}
	e.Time, e.Client, e.Status = e.Time.UTC(), e.Client.Unmap(), int(status)
	e.Duration, e.DeviceAge, e.EdgeDelay = time.Duration(duration), time.Duration(deviceAge), time.Duration(delay)
	// Record wrote nothing but words that are known.
	e.Auth, _ = sundew.ParseOutcome(auth)
	e.Attestation, _ = sundew.ParseProof(attestation)
	e.Signature, _ = sundew.ParseProof(signature)
	e.EdgeAction = actionOf(edge)
	if attributes != "" {
		if err := json.Unmarshal([]byte(attributes), &e.Attributes); err != nil {
			return e, fmt.Errorf("stored event at partition %d offset %d: %w", e.Partition, e.Offset, err)
		}
	}
	return e, nil
}
