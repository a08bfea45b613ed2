package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sundew"
)

const testKeys = "2026-01-01 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"

// private loads a privacy with a key file where keyed.
func private(t *testing.T, keyed bool, change func(c *PrivacyConfig)) *Privacy {
	t.Helper()
	c := DefaultPrivacyConfig()
	if keyed {
		c.KeyFile = write(t, "keys", []byte(testKeys))
	}
	change(&c)
	p, err := LoadPrivacy(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// secrets are what no byte of a log may hold once everything is hidden.
var secrets = []string{"192.0.2.7", "2001:db8::7", "198.51.100.9", "alice", "hunter2", "4711"}

// secretLines are lines of several formats, each full of secrets.
var secretLines = map[string]string{
	"canonical": `{"timestamp":"2026-11-24T12:00:00Z","client.address":"192.0.2.7","client.forwarded":"198.51.100.9, 192.0.2.7","url.path":"/a","url.query":"id=4711&q=hunter2","user.id":"alice","auth.username":"alice","http.request.header.referer":"https://x/?t=hunter2","x-real-ip":"198.51.100.9"}`,
	"aliases":   `{"ts":1795521600,"remote_ip":"2001:db8::7","remote_addr":"192.0.2.7:81","request_uri":"/a?id=4711&q=hunter2","uri":"/a?id=4711","args":"q=hunter2","user_id":"alice","user.name":"alice","via":"for=\"[2001:db8::7]:81\", ip:198.51.100.9"}`,
	"nginx":     `192.0.2.7 - alice [24/Nov/2026:12:00:00 +0000] "GET /a?id=4711&q=hunter2 HTTP/1.1" 200 1 "https://x/?q=hunter2" "-" X-Forwarded-For="198.51.100.9"`,
	"haproxy":   `192.0.2.7:33317 [24/Nov/2026:12:14:14.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {198.51.100.9|x} {} "GET /a?q=hunter2 HTTP/1.1"`,
	"rubbish":   `alice 192.0.2.7 hunter2`,
	"no time":   `{"client.address":"192.0.2.7","user.id":"alice"}`,
	"bad time":  `{"timestamp":"alice","client.address":"192.0.2.7"}`,
}

func withoutSecrets(t *testing.T, where string, text []byte) {
	t.Helper()
	for _, secret := range secrets {
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("%s still holds %s: %s", where, secret, text)
		}
	}
}

func TestNothingPrivateIsLeft(t *testing.T) {
	treatment := treatment{privacy: private(t, true, func(c *PrivacyConfig) { c.QueryValues = nil })}
	for name, line := range secretLines {
		t.Run(name, func(t *testing.T) {
			var e sundew.Event
			what, letter := treatment.decode(newAuto(formatTable()), "auto", []byte(line), len(line), time.Time{}, &e)
			if what == rejected {
				withoutSecrets(t, "the dead letter", fmt.Appendf(nil, "%+v", letter))
				if letter.Reason == "" || !strings.Contains(letter.Detail, fmt.Sprintf("%d bytes", len(line))) {
					t.Errorf("the dead letter says nothing: %+v", letter)
				}
				return
			}
			withoutSecrets(t, "the event", e.AppendJSON(nil))
		})
	}
}

// TestPrivacyOfEverySource sends the same lines by each way and looks at what stands in the topics, and at what the reader
// of lines sees that a gateway wrote into the topic itself.
func TestPrivacyOfEverySource(t *testing.T) {
	c := DefaultListenerConfig()
	c.Privacy.KeyFile = write(t, "keys", []byte(testKeys))
	c.Privacy.QueryValues = nil
	lines := []string{secretLines["canonical"], secretLines["nginx"], secretLines["rubbish"]}
	body := []byte(strings.Join(lines, "\n") + "\n")
	privacy, err := LoadPrivacy(c.Privacy)
	if err != nil {
		t.Fatal(err)
	}
	want := privacy.Addresses().Address(event(func(*sundew.Event) {}).Client, at("2026-11-24T12:00:00Z")).String()

	ways := map[string]func(t *testing.T, kafka KafkaConfig){
		"http": func(t *testing.T, kafka KafkaConfig) {
			handler, err := NewListener(c, running(t, kafka, ProducerOptions{}), prometheus.NewRegistry(), quiet())
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(handler)
			t.Cleanup(server.Close)
			url := server.URL
			if status, answer, _ := send(t, url, body, nil); status != http.StatusAccepted || answer["accepted"] != 2.0 {
				t.Fatalf("%d %v", status, answer)
			}
		},
		"syslog": func(t *testing.T, kafka KafkaConfig) {
			one := c
			one.Syslog = []SyslogConfig{{Listen: "tcp://127.0.0.1:0", Name: "test"}}
			s, stop := sysloggingAs(t, kafka, nil, one)
			conn := dial(t, "tcp", hostPort(s), nil)
			_, _ = conn.Write(body)
			_ = conn.Close()
			until(t, "all are acknowledged", func() bool { return counted(s, "parsed")+counted(s, "rejected") == len(lines) })
			stop()
		},
		"topic": func(t *testing.T, kafka KafkaConfig) {
			p := running(t, kafka, ProducerOptions{})
			for _, line := range lines {
				if err := p.Produce(within10s(t), TopicRequests, 0, []Record{{Value: []byte(line)}}); err != nil {
					t.Fatal(err)
				}
			}
		},
	}
	for name, send := range ways {
		t.Run(name, func(t *testing.T) {
			kafka, _ := embedded(t)
			if err := EnsureTopics(t.Context(), kafka, 1); err != nil {
				t.Fatal(err)
			}
			send(t, kafka)
			n := 2
			if name == "topic" {
				n = 3 // the letter is the reader's
			} else {
				withoutSecrets(t, "the dead letter", fmt.Appendf(nil, "%+v", deadLetters(t, kafka, 1)))
			}
			events, letters := take(within10s(t), t, open(t, kafka, TopicRequests, 0, LogStart, TopicOptions{Privacy: privacy}), n)
			withoutSecrets(t, "the dead letters", fmt.Appendf(nil, "%+v", letters))
			for _, e := range events {
				withoutSecrets(t, "the event", e.AppendJSON(nil))
				if e.Client.String() != want { // under the key once, not twice
					t.Errorf("client %s, want %s", e.Client, want)
				}
			}
			if name == "topic" {
				return
			}
			raw, _ := take(within10s(t), t, open(t, kafka, TopicRequests, 0, LogStart, TopicOptions{}), 2)
			for _, e := range raw {
				withoutSecrets(t, "the topic", e.AppendJSON(nil))
			}
		})
	}
	t.Run("files", func(t *testing.T) {
		files, err := OpenFiles([]string{write(t, "a.log", body)}, FileConfig{Privacy: privacy})
		if err != nil {
			t.Fatal(err)
		}
		all, err := drain(t.Context(), files)
		if !errors.Is(err, io.EOF) || len(all.Events) != 2 || len(all.Rejected) != 1 {
			t.Fatalf("%d events, %d dead letters, %v", len(all.Events), len(all.Rejected), err)
		}
		for _, e := range all.Events {
			withoutSecrets(t, "the event", e.AppendJSON(nil))
		}
		withoutSecrets(t, "the dead letter", fmt.Appendf(nil, "%+v", all.Rejected[0].Detail+all.Rejected[0].Line))
	})
}

func TestDropAndRedact(t *testing.T) {
	p := private(t, false, func(c *PrivacyConfig) {
		c.Drop = []string{"user_agent.original", "http.response.status_code", "client.as.number", "secret", "object.id", "remote_user"}
		c.Redact = []string{"request.id", "http.request.header.referer", "note"}
	})
	e := event(func(e *sundew.Event) {
		e.UserAgent, e.Status, e.ASN, e.Object, e.RequestID, e.Path = "curl", 200, 64500, "17", "r-1", "/a"
		e.Attributes = []sundew.Attribute{{Key: "secret", Value: "x"}, {Key: "note", Value: "y"}, {Key: "kept", Value: "192.0.2.7"}, {Key: "remote_user", Value: "z"}}
	})
	want := event(func(e *sundew.Event) {
		e.RequestID, e.Path = redacted, "/a"
		e.Attributes = []sundew.Attribute{{Key: "note", Value: redacted}, {Key: "kept", Value: "192.0.2.7"}}
	})
	p.hide(&e)
	if !reflect.DeepEqual(e, want) {
		t.Errorf("got %s, want %s", e.AppendJSON(nil), want.AppendJSON(nil))
	}
}

// TestEveryKeyCanBeDropped drops each known key from an event that says everything, and finds the others unchanged.
func TestEveryKeyCanBeDropped(t *testing.T) {
	full := func() sundew.Event {
		return event(func(e *sundew.Event) {
			e.Forwarded, e.Method, e.Host, e.Path, e.Query, e.Route = "192.0.2.1", "GET", "h", "/p", "q=1", "/r"
			e.Status, e.RequestBytes, e.ResponseBytes, e.Duration, e.UserAgent, e.Referer = 200, 1, 2, 3, "ua", "ref"
			e.Device, e.Account, e.APIKey, e.Session, e.JA4, e.Country, e.ASN = "d", "a", "k", "s", "j", "DE", 1
			e.Auth, e.AuthUsername, e.Object, e.Attestation, e.AttestationProvider = sundew.OutcomeSuccess, "u", "o", sundew.ProofValid, "ap"
			e.Signature, e.CaptchaScore, e.DeviceAge, e.RequestID, e.Gateway = sundew.ProofValid, 0.5, 4, "r", "g"
			e.GatewayEpoch, e.GatewaySequence, e.EdgeAction, e.EdgeDelay, e.DecisionID = 1, 2, sundew.ActionTarpit, 5, "dd"
		})
	}
	whole := full()
	for _, f := range fieldList {
		if f.rank != canonical || slices.Contains(neverDropped, f.name) {
			continue
		}
		p := private(t, false, func(c *PrivacyConfig) { c.Drop = []string{f.name} })
		e := full()
		p.hide(&e)
		gone := bytes.Count(whole.AppendJSON(nil), []byte(`":`)) - bytes.Count(e.AppendJSON(nil), []byte(`":`))
		if gone != 1 || bytes.Contains(e.AppendJSON(nil), []byte(`"`+f.name+`":`)) {
			t.Errorf("without %s the event is %s", f.name, e.AppendJSON(nil))
		}
	}
}

func TestQueryValues(t *testing.T) {
	tests := []struct{ allowed, query, want string }{
		{"*", "a=1&b=2", "a=1&b=2"},
		{"", "a=1&b=2", "a=&b="},
		{"b", "a=1&b=2&a=3&b", "a=&b=2&a=&b"},
		{"", "&&=x&a==&", "&&=&a=&"},
		{"", "flag", "flag"},
		{"a", "%61=1", "%61="},
		{"", "", ""},
	}
	for _, test := range tests {
		v := queryValues(setOf(strings.Fields(test.allowed)))
		e := event(func(e *sundew.Event) {
			e.Query, e.Referer, e.Path = test.query, "https://x/y?"+test.query, "/p?"+test.query
			e.Attributes = []sundew.Attribute{{Key: "log.args", Value: test.query}, {Key: "line", Value: "GET /?" + test.query + " HTTP/1.1"}}
		})
		v.strip(&e)
		got := []string{e.Query, e.Referer, e.Path, e.Attributes[0].Value, e.Attributes[1].Value}
		want := []string{test.want, "https://x/y?" + test.want, "/p?" + test.want, test.want, "GET /?" + test.want + " HTTP/1.1"}
		if !slices.Equal(got, want) {
			t.Errorf("%q with %q: %q, want %q", test.query, test.allowed, got, want)
		}
	}
}

func TestPrivacyConfigIsChecked(t *testing.T) {
	keys := write(t, "keys", []byte(testKeys))
	tests := []struct {
		name   string
		change func(c *PrivacyConfig)
		want   string
	}{
		{"nothing", func(*PrivacyConfig) {}, ""},
		{"keys", func(c *PrivacyConfig) { c.KeyFile = keys }, ""},
		{"a key that has no pseudonyms", func(c *PrivacyConfig) { c.KeyFile, c.Pseudonyms = keys, []string{"url.path"} }, `"url.path" cannot have pseudonyms`},
		{"pseudonyms without keys", func(c *PrivacyConfig) { c.Pseudonyms = []string{"user.id"} }, "need key_file"},
		{"no such file", func(c *PrivacyConfig) { c.KeyFile = keys + "x" }, "ingest.privacy.key_file: open"},
		{"no key in it", func(c *PrivacyConfig) { c.KeyFile = write(t, "empty", nil) }, "there is no key"},
		{"the time", func(c *PrivacyConfig) { c.Drop = []string{"timestamp"} }, "an event needs timestamp"},
		{"one account for all", func(c *PrivacyConfig) { c.Redact = []string{"user.id"} }, "everybody would be the same user.id"},
		{"a number", func(c *PrivacyConfig) { c.Redact = []string{"http.response.status_code"} }, "is no text"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := DefaultPrivacyConfig()
			test.change(&c)
			_, err := LoadPrivacy(c)
			if (err == nil) != (test.want == "") || (err != nil && !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// FuzzPrivacy holds what is hidden to the bounds of events, and to be read back as it is.
func FuzzPrivacy(f *testing.F) {
	for _, line := range secretLines {
		f.Add([]byte(line))
	}
	privacy, err := sundew.ParsePseudonyms(testKeys)
	if err != nil {
		f.Fatal(err)
	}
	p := &Privacy{names: privacy, hidden: setOf(pseudonymKeys), values: queryValues{}}
	f.Fuzz(func(t *testing.T, line []byte) {
		check(t, treated{newAuto(formatTable()), treatment{privacy: p}}, line)
	})
}

// treated is a decoder with what follows it.
type treated struct {
	Decoder
	treatment treatment
}

func (d treated) Decode(line []byte, e *sundew.Event) error {
	err := d.Decoder.Decode(line, e)
	if err == nil {
		d.treatment.finish(e)
	}
	return err
}
