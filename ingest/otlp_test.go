package ingest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	collector "go.opentelemetry.io/proto/slim/otlp/collector/logs/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"sundew"
)

const otlpJSON = `{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},
"scopeLogs":[{"logRecords":[
{"timeUnixNano":"1795521600500000000","traceId":"5b8efff798038103d269b633813fc60c","attributes":[
  {"key":"client.address","value":{"stringValue":"192.0.2.7"}},
  {"key":"http.request.method","value":{"stringValue":"GET"}},
  {"key":"url.path","value":{"stringValue":"/orders/17"}},
  {"key":"http.response.status_code","value":{"intValue":"404"}},
  {"key":"http.request.header.user-agent","value":{"arrayValue":{"values":[{"stringValue":"curl/8.5.0"}]}}},
  {"key":"cart","value":{"kvlistValue":{"values":[{"key":"size","value":{"doubleValue":2.5}}]}}}]},
{"timeUnixNano":"1795521601000000000","body":{"stringValue":"198.51.100.4 - - [24/Nov/2026:12:00:01 +0000] \"POST /login HTTP/1.1\" 401 5\n"}},
{"timeUnixNano":"1795521602000000000","body":{"stringValue":"started"}},
{"observedTimeUnixNano":"1795521603000000000","body":{"kvlistValue":{"values":[{"key":"remote_addr","value":{"stringValue":"203.0.113.9"}},{"key":"status","value":{"intValue":"200"}}]}}}
]}]}]}`

func otlpProtobuf(t *testing.T) []byte {
	t.Helper()
	var request collector.ExportLogsServiceRequest
	if err := protojson.Unmarshal([]byte(otlpJSON), &request); err != nil {
		t.Fatal(err)
	}
	body, err := proto.Marshal(&request)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// export posts a body as an exporter does and returns the answer.
func export(t *testing.T, url, kind string, body []byte) (status int, answer []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(within10s(t), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	answer, err = io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got.StatusCode, answer
}

func TestOTLPRecordsAreInTheLogWhenTheAnswerComes(t *testing.T) {
	for kind, body := range map[string][]byte{typeJSON: []byte(otlpJSON), typeProtobuf: otlpProtobuf(t)} {
		t.Run(kind, func(t *testing.T) {
			url, kafka, _ := listening(t, func(*ListenerConfig) {})
			status, text := export(t, strings.TrimSuffix(url, "/ingest/v1/logs")+OTLPPath, kind, body)
			var answer collector.ExportLogsServiceResponse
			err := protojson.Unmarshal(text, &answer)
			if kind == typeProtobuf {
				err = proto.Unmarshal(text, &answer)
			}
			if status != http.StatusOK || err != nil {
				t.Fatalf("status %d, %q: %v", status, text, err)
			}
			if got := answer.GetPartialSuccess(); got.GetRejectedLogRecords() != 1 || !strings.Contains(got.GetErrorMessage(), "format not recognised") {
				t.Errorf("partial success %v, want one record that is no request", got)
			}
			want := []string{
				`{"timestamp":"2026-11-24T12:00:00.5Z","client.address":"192.0.2.7","http.request.method":"GET","url.path":"/orders/17","http.route":"/orders/{id}","http.response.status_code":404,"user_agent.original":"curl/8.5.0","object.id":"17","cart.size":"2.5","resource.service.name":"shop"}`,
				`{"timestamp":"2026-11-24T12:00:01Z","client.address":"198.51.100.4","http.request.method":"POST","url.path":"/login","http.response.status_code":401,"http.response.body.size":5}`,
				`{"timestamp":"2026-11-24T12:00:03Z","client.address":"203.0.113.9","http.response.status_code":200,"resource.service.name":"shop"}`,
			}
			events, _ := take(within10s(t), t, open(t, kafka, TopicRequests, 0, LogStart, TopicOptions{Format: "json"}), len(want))
			for i := range want {
				if got := string(events[i].AppendJSON(nil)); got != want[i] {
					t.Errorf("record %d:\n%s, want\n%s", i, got, want[i])
				}
			}
		})
	}
}

func TestOTLPRefusals(t *testing.T) {
	url, _, _ := listening(t, func(*ListenerConfig) {})
	url = strings.TrimSuffix(url, "/ingest/v1/logs") + OTLPPath
	for kind, want := range map[string]string{
		typeJSON:     `"message":"the body is no ExportLogsServiceRequest`,
		"text/plain": "want the Content-Type application/x-protobuf or application/json",
		typeProtobuf: "\x12", // the message of a Status
	} {
		if status, answer := export(t, url, kind, []byte("{")); status != http.StatusBadRequest || !strings.Contains(string(answer), want) {
			t.Errorf("%s: status %d, %q, want %q", kind, status, answer, want)
		}
	}
}

// FuzzOTLP makes lines of whatever parses, and each line is an event, none, or an error of the known kinds.
func FuzzOTLP(f *testing.F) {
	f.Add([]byte(otlpJSON), false)
	f.Fuzz(func(t *testing.T, body []byte, binary bool) {
		kind := typeJSON
		if binary {
			kind = typeProtobuf
		}
		lines, err := otlpLines(body, kind)
		if err != nil {
			return
		}
		for line := range bytes.Lines(lines) {
			e := sundew.NewEvent()
			if err := newAuto(formatTable()).Decode(bytes.TrimRight(line, "\n"), &e); err != nil && !errors.Is(err, ErrNoEvent) {
				if _, ok := errors.AsType[*LineError](err); !ok {
					t.Fatalf("%q: %v", line, err)
				}
			}
		}
	})
}
