package ingest

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sundew"
)

func TestPostedLabelsStandInTheLog(t *testing.T) {
	kafka, _ := embedded(t)
	if err := EnsureTopics(t.Context(), kafka, 3); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(NewLabelListener(running(t, kafka, ProducerOptions{}), 5*time.Second, quiet()))
	t.Cleanup(server.Close)
	for body, want := range map[string]string{
		`{"entity":"ip:::ffff:192.0.2.7","verdict":"abuse","by":"jane","note":"stuffing"}`: "ip:192.0.2.7",
		`{"entity":"device:d-1","verdict":"legitimate","by":"jane"}`:                       "device:d-1",
	} {
		if status, answer, _ := send(t, server.URL, []byte(body), nil); status != http.StatusAccepted || answer["entity"] != want {
			t.Fatalf("%s: %d %v", body, status, answer)
		}
	}
	found := map[string]int{}
	home := PartitionOf([]byte(sundew.PartitionKey(netip.MustParseAddr("192.0.2.7"))), 3)
	for partition := range int32(3) {
		want := 1
		if partition == home {
			want = 2
		}
		source := open(t, kafka, TopicRequests, partition, LogStart, TopicOptions{})
		for n := 0; n < want; {
			b, err := source.Next(within10s(t))
			if err != nil || len(b.Rejected) > 0 {
				t.Fatal(err, b.Rejected)
			}
			for _, l := range b.Labels {
				if l.By != "jane" || l.Before != 0 || time.Since(l.Time) > time.Minute {
					t.Errorf("label %+v", l)
				}
				found[l.Entity.String()+" "+l.Verdict.String()]++
				n++
			}
		}
	}
	if found["ip:192.0.2.7 abuse"] != 1 || found["device:d-1 legitimate"] != 3 {
		t.Errorf("found %v: want the address in its partition, the device in all", found)
	}
}

func TestLabelsThatAreRefused(t *testing.T) {
	kafka, _ := embedded(t)
	handler := NewLabelListener(running(t, kafka, ProducerOptions{}), time.Second, quiet())
	for body, want := range map[string]string{
		`{`: "unexpected EOF",
		`{"entity":"192.0.2.7","verdict":"abuse","by":"j"}`:          `want kind:key, such as ip:192.0.2.1`,
		`{"entity":"ip:192.0.2.7","verdict":"bad","by":"j"}`:         `want abuse or legitimate`,
		`{"entity":"ip:192.0.2.7","by":"j"}`:                         "no verdict",
		`{"entity":"ip:192.0.2.7","verdict":"abuse"}`:                "by must have 1 to 256 bytes",
		`{"entity":"ip:192.0.2.7","verdict":"abuse","who":"j"}`:      `unknown field \"who\"`,
		`{"entity":"` + strings.Repeat("x", 9000) + `","by":"jane"}`: "at most 8192 bytes",
	} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v1/labels", strings.NewReader(body)))
		if w.Code < 400 || w.Code > 499 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%.60s: %d %s, want %s", body, w.Code, w.Body, want)
		}
	}
	foreign := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v1/labels", strings.NewReader("{}"))
	foreign.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	if handler.ServeHTTP(w, foreign); w.Code != http.StatusForbidden {
		t.Errorf("a page of another site: %d", w.Code)
	}
}

// TestGatewaysCannotLabel posts a label as if it were a log line.
func TestGatewaysCannotLabel(t *testing.T) {
	url, kafka, _ := listening(t, func(*ListenerConfig) {})
	label := `{"time":"2026-11-24T12:00:00Z","entity":{"kind":"ip","key":"192.0.2.7"},"verdict":"legitimate","by":"eve"}`
	if status, answer, _ := send(t, url, []byte(label), map[string]string{"Sundew-Format": labelFormat}); status != http.StatusBadRequest {
		t.Errorf("with the format of labels: %d %v", status, answer)
	}
	if status, _, _ := send(t, url, []byte(label+"\n"+jsonLine), nil); status != http.StatusAccepted {
		t.Fatal(status)
	}
	b, err := open(t, kafka, TopicRequests, 0, LogStart, TopicOptions{}).Next(within10s(t))
	if err != nil || len(b.Labels) != 0 || len(b.Events) != 1 {
		t.Errorf("%d labels, %d events, %v", len(b.Labels), len(b.Events), err)
	}
}
