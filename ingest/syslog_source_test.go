package ingest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kfake"

	"sundew"
)

// syslogging runs a syslog source in front of a broker, with p or a producer of its own, until the test ends or stop is
// called.
func syslogging(t *testing.T, kafka KafkaConfig, p *Producer, change func(c *SyslogConfig)) (s *Syslog, stop func()) {
	t.Helper()
	all := DefaultListenerConfig()
	all.Syslog = []SyslogConfig{{Name: "test"}}
	change(&all.Syslog[0])
	return sysloggingAs(t, kafka, p, all)
}

// sysloggingAs is syslogging with the first source of a whole configuration.
func sysloggingAs(t *testing.T, kafka KafkaConfig, p *Producer, all ListenerConfig) (s *Syslog, stop func()) {
	t.Helper()
	if err := EnsureTopics(t.Context(), kafka, 1); err != nil {
		t.Fatal(err)
	}
	if p == nil {
		p = running(t, kafka, ProducerOptions{})
	}
	s, err := OpenSyslog(t.Context(), all.Syslog[0], all, p, prometheus.NewRegistry(), quiet())
	if err != nil {
		t.Fatal(err)
	}
	return s, startSource(t, s)
}

// startSource runs a source until the test ends or stop is called.
func startSource(t *testing.T, s *Syslog) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("syslog source: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// hostPort is where the source listens.
func hostPort(s *Syslog) string { return s.socket.address() }

// until polls a condition for ten seconds.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx := within10s(t)
	for !ok() {
		if pause(ctx, time.Millisecond); ctx.Err() != nil {
			t.Fatalf("not within ten seconds: %s", what)
		}
	}
}

func counted(s *Syslog, result string) int {
	return int(testutil.ToFloat64(s.metrics.lines.WithLabelValues(result)))
}

// authority makes certificates for a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
}

func newAuthority(t *testing.T) *authority {
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = a.issue(t, "ca")
	return a
}

// issue writes NAME.pem and NAME.key; the first certificate signs itself and the others.
func (a *authority) issue(t *testing.T, name string) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: a.cert == nil, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".pem": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(a.path(file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

// client is the TLS configuration of a sender, with a certificate where name is not empty.
func (a *authority) client(t *testing.T, name string) *tls.Config {
	t.Helper()
	c := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	c.RootCAs.AddCert(a.cert)
	if name == "" {
		return c
	}
	pair, err := tls.LoadX509KeyPair(a.path(name+".pem"), a.path(name+".key"))
	if err != nil {
		t.Fatal(err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c
}

func dial(t testing.TB, network, address string, config *tls.Config) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		config = config.Clone()
		config.ServerName = "127.0.0.1"
		conn = tls.Client(conn, config)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// syslogMessages are lines of three gateways behind the two kinds of header, one that is no log line, and none.
func syslogMessages() []string {
	return []string{
		`<190>1 2026-11-24T12:00:00Z web1 nginx 71 - [x@1 a="]"] ` + nginxLine,
		`<190>Nov 24 12:00:00 web1 nginx: ` + nginxLine,
		`<134>Nov 24 12:00:00 lb haproxy[14389]: 192.0.2.9:33317 [24/Nov/2026:12:14:14.655] http-in static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} "GET /index.html HTTP/1.1"`,
		`<190>1 2026-11-24T12:00:00Z web1 app - - - ` + jsonLine,
		`<13>Nov 24 12:00:00 web1 cron[7]: this is no request`,
		jsonLine,
	}
}

// TestRenewedCertificatesNeedNoRestart changes certificate, key and authority under a source that runs.
func TestRenewedCertificatesNeedNoRestart(t *testing.T) {
	ca, next := newAuthority(t), newAuthority(t)
	for _, a := range []*authority{ca, next} {
		a.issue(t, "server")
		a.issue(t, "gateway")
	}
	config := SyslogConfig{Name: "s", CertFile: ca.path("server.pem"), KeyFile: ca.path("server.key"), ClientCAFile: ca.path("ca.pem")}
	files, err := openTLSFiles(config, quiet())
	if err != nil {
		t.Fatal(err)
	}
	s, err := openStreams(t.Context(), "127.0.0.1:0", files.server())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	shakes := func(client *tls.Config) error {
		served := make(chan error, 1)
		go func() {
			conn, err := s.listener.Accept()
			if err == nil {
				secure := tls.Server(conn, s.tls)
				err = secure.HandshakeContext(t.Context())
				_ = conn.Close()
			}
			served <- err
		}()
		conn := dial(t, "tcp", s.address(), client)
		err := conn.(*tls.Conn).HandshakeContext(t.Context())
		return errors.Join(err, <-served)
	}
	moment := time.Now()
	replace := func(name, with string) {
		text, err := os.ReadFile(with)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(ca.path(name), text, 0o600); err != nil {
			t.Fatal(err)
		}
		moment = moment.Add(time.Second) // whatever the clock of the file system resolves
		if err := os.Chtimes(ca.path(name), moment, moment); err != nil {
			t.Fatal(err)
		}
	}
	old, renewed := ca.client(t, "gateway"), next.client(t, "gateway")
	expect := func(what string, oldWorks, renewedWorks bool) {
		t.Helper()
		if err := shakes(old); (err == nil) != oldWorks {
			t.Errorf("%s: with the old certificates: %v", what, err)
		}
		if err := shakes(renewed); (err == nil) != renewedWorks {
			t.Errorf("%s: with the renewed ones: %v", what, err)
		}
	}
	expect("at the start", true, false)
	replace("server.pem", next.path("server.pem"))
	expect("with a certificate and the key of another", true, false)
	replace("server.key", next.path("server.key"))
	replace("ca.pem", next.path("ca.pem"))
	expect("with all files renewed", false, true)
	if err := os.Remove(ca.path("server.key")); err != nil {
		t.Fatal(err)
	}
	expect("without the key's file", false, true)
}

func newlineFrames(messages []string) []byte { return []byte(strings.Join(messages, "\n") + "\n") }

func countFrames(messages []string) (out []byte) {
	for _, m := range messages {
		out = fmt.Appendf(out, "%d %s", len(m), m)
	}
	return out
}

func TestSyslogOverEverySocket(t *testing.T) {
	ca := newAuthority(t)
	ca.issue(t, "server")
	ca.issue(t, "gateway")
	secured := func(c *SyslogConfig) {
		c.Listen, c.CertFile, c.KeyFile = "tls://127.0.0.1:0", ca.path("server.pem"), ca.path("server.key")
	}
	messages := syslogMessages()
	write := func(framed []byte) func(io.Writer) error {
		return func(w io.Writer) error {
			_, err := w.Write(framed)
			return err
		}
	}
	tests := []struct {
		name   string
		change func(c *SyslogConfig)
		tls    *tls.Config
		send   func(io.Writer) error
	}{
		{"udp", func(c *SyslogConfig) { c.Listen = "udp://127.0.0.1:0" }, nil, func(w io.Writer) error {
			var errs []error
			for _, m := range messages {
				_, err := io.WriteString(w, m+"\n") // one packet each
				errs = append(errs, err)
			}
			return errors.Join(errs...)
		}},
		{"tcp, newlines", func(c *SyslogConfig) { c.Listen = "tcp://127.0.0.1:0" }, nil, write(newlineFrames(messages))},
		{"tcp, octet counts", func(c *SyslogConfig) { c.Listen = "tcp://127.0.0.1:0" }, nil, write(countFrames(messages))},
		{"tls, octet counts", secured, ca.client(t, ""), write(countFrames(messages))},
		{"tls with client certificates", func(c *SyslogConfig) {
			secured(c)
			c.ClientCAFile = ca.path("ca.pem")
		}, ca.client(t, "gateway"), write(newlineFrames(messages))},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			kafka, _ := embedded(t)
			s, stop := syslogging(t, kafka, nil, test.change)
			network, _, _ := strings.Cut(s.config.Listen, "://")
			conn := dial(t, strings.Replace(network, "tls", "tcp", 1), hostPort(s), test.tls)
			if err := test.send(conn); err != nil {
				t.Fatal(err)
			}
			if network != "udp" {
				_ = conn.Close()
			}
			until(t, "all messages are acknowledged", func() bool { return counted(s, "parsed")+counted(s, "rejected") == len(messages) })
			stop()

			events, _ := take(within10s(t), t, open(t, kafka, TopicRequests, 0, LogStart, TopicOptions{Format: "json"}), len(messages)-1)
			var clients, stamps []string
			for _, e := range events {
				if e.GatewayEpoch == 0 || e.GatewayEpoch != events[0].GatewayEpoch {
					t.Errorf("epoch %d, the first has %d", e.GatewayEpoch, events[0].GatewayEpoch)
				}
				clients = append(clients, e.Client.String())
				stamps = append(stamps, fmt.Sprintf("%s %d", e.Gateway, e.GatewaySequence))
			}
			if want := []string{"192.0.2.7", "192.0.2.7", "192.0.2.9", "192.0.2.7", "192.0.2.7"}; !slices.Equal(clients, want) {
				t.Errorf("clients %q, want %q", clients, want)
			}
			if want := []string{"syslog:test 1", "syslog:test 2", "syslog:test 3", "syslog:test 4", "syslog:test 6"}; !slices.Equal(stamps, want) {
				t.Errorf("stamps %q, want %q", stamps, want)
			}
			letter := deadLetters(t, kafka, 1)[0]
			if letter.Source != "syslog:test:127.0.0.1" || letter.Reason != "format not recognised" || letter.Line != messages[4] {
				t.Errorf("dead letter %+v", letter)
			}
		})
	}
}

// deadLetters reads the first n dead letters.
func deadLetters(t *testing.T, kafka KafkaConfig, n int) (all []sundew.DeadLetter) {
	t.Helper()
	err := FollowDeadLetters(within10s(t), kafka, quiet(), nil, func(_ context.Context, _ sundew.Position, letters []sundew.DeadLetter) error {
		if all = append(all, letters...); len(all) >= n {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatalf("%d dead letters of %d: %v", len(all), n, err)
	}
	return all
}

func TestSyslogRefusesStrangers(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	ca.issue(t, "server")
	other.issue(t, "gateway")
	foreign := other.client(t, "gateway")
	foreign.RootCAs = ca.client(t, "").RootCAs
	secured := func(c *SyslogConfig) {
		c.Listen, c.CertFile, c.KeyFile = "tls://127.0.0.1:0", ca.path("server.pem"), ca.path("server.key")
		c.ClientCAFile = ca.path("ca.pem")
	}
	elsewhere := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	tests := []struct {
		name   string
		change func(c *SyslogConfig)
		tls    *tls.Config
		reason string
	}{
		{"udp from another network", func(c *SyslogConfig) { c.Listen, c.Accept = "udp://127.0.0.1:0", elsewhere }, nil, "network"},
		{"tcp from another network", func(c *SyslogConfig) { c.Listen, c.Accept = "tcp://127.0.0.1:0", elsewhere }, nil, "network"},
		{"no certificate", secured, ca.client(t, ""), "handshake"},
		{"certificate of another authority", secured, foreign, "handshake"},
		{"no TLS where it is wanted", secured, nil, "handshake"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			kafka, _ := embedded(t)
			s, stop := syslogging(t, kafka, nil, test.change)
			network := "tcp"
			if strings.HasPrefix(s.config.Listen, "udp") {
				network = "udp"
			}
			conn := dial(t, network, hostPort(s), test.tls)
			_, _ = conn.Write(newlineFrames(syslogMessages())) // fails where the other side has hung up already
			until(t, "the sender is refused", func() bool { return testutil.ToFloat64(s.metrics.refused.WithLabelValues(test.reason)) == 1 })
			stop()
			if n := counted(s, "parsed") + counted(s, "rejected"); n != 0 {
				t.Errorf("%d messages of a stranger were taken", n)
			}
		})
	}
}

func TestSyslogConnectionsHaveABound(t *testing.T) {
	kafka, _ := embedded(t)
	s, _ := syslogging(t, kafka, nil, func(c *SyslogConfig) { c.Listen, c.MaxConnections = "tcp://127.0.0.1:0", 1 })
	first := dial(t, "tcp", hostPort(s), nil)
	until(t, "the first is served", func() bool { return testutil.ToFloat64(s.metrics.connections) == 1 })
	second := dial(t, "tcp", hostPort(s), nil)
	if n, err := second.Read(make([]byte, 1)); err == nil {
		t.Errorf("the second connection reads %d bytes", n)
	}
	if got := testutil.ToFloat64(s.metrics.refused.WithLabelValues("connections")); got != 1 {
		t.Errorf("%v connections refused, want 1", got)
	}
	_ = first.Close()
	until(t, "the first has left", func() bool { return testutil.ToFloat64(s.metrics.connections) == 0 })
	third := dial(t, "tcp", hostPort(s), nil)
	_, _ = io.WriteString(third, jsonLine+"\n")
	until(t, "there is room for another", func() bool { return counted(s, "parsed") == 1 })
}

// TestSyslogFramesThatComeInPieces sends messages byte by byte, and some that never end.
func TestSyslogFramesThatComeInPieces(t *testing.T) {
	long := `{"timestamp":"2026-11-24T12:00:00Z","client.address":"192.0.2.7","x":"` + strings.Repeat("x", 2000) + `"}`
	tests := []struct {
		name    string
		sent    string
		parsed  int
		reasons []string
	}{
		{"newlines", jsonLine + "\n" + jsonLine + "\r\n", 2, nil},
		{"octet counts", string(countFrames([]string{jsonLine, jsonLine})), 2, nil},
		{"no newline at the end", jsonLine + "\n" + jsonLine, 2, nil},
		{"a newline inside a counted message", string(countFrames([]string{"{\n" + jsonLine[1:]})), 1, nil},
		{"half a counted message", fmt.Sprintf("%d %s%d %s", len(jsonLine), jsonLine, len(jsonLine), jsonLine[:20]), 1, []string{"message cut off"}},
		{"half a count", fmt.Sprintf("%d %s12", len(jsonLine), jsonLine), 1, []string{"message cut off"}},
		{"a count that is none", fmt.Sprintf("%d %s<190>%s", len(jsonLine), jsonLine, jsonLine), 1, []string{"message length cannot be read"}},
		{"a count without end", fmt.Sprintf("%d %s%s", len(jsonLine), jsonLine, strings.Repeat("9", 40)), 1, []string{"message length cannot be read"}},
		{"too long for a line", long + "\n" + jsonLine + "\n", 1, []string{"line too long"}},
		{"too long by its count", string(countFrames([]string{long, jsonLine})), 1, []string{"line too long"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			kafka, _ := embedded(t)
			s, stop := syslogging(t, kafka, nil, func(c *SyslogConfig) { c.Listen, c.MaxMessage = "tcp://127.0.0.1:0", 1024 })
			conn := dial(t, "tcp", hostPort(s), nil)
			for i := range len(test.sent) {
				if _, err := io.WriteString(conn, test.sent[i:i+1]); err != nil {
					break // hung up on, as some must be
				}
			}
			_ = conn.Close()
			until(t, "the connection is done with", func() bool { return testutil.CollectAndCount(s.metrics.closed) == 1 })
			stop()
			if got := counted(s, "parsed"); got != test.parsed {
				t.Errorf("%d lines parsed, want %d", got, test.parsed)
			}
			var reasons []string
			if len(test.reasons) > 0 {
				for _, letter := range deadLetters(t, kafka, len(test.reasons)) {
					reasons = append(reasons, letter.Reason)
				}
			}
			if !slices.Equal(reasons, test.reasons) || counted(s, "rejected") != len(reasons) {
				t.Errorf("dead letters %q, want %q", reasons, test.reasons)
			}
		})
	}
}

func TestSyslogHangsUpOnTheIdle(t *testing.T) {
	for name, sent := range map[string]string{"silent": "", "between messages": jsonLine + "\n"} {
		t.Run(name, func(t *testing.T) {
			kafka, _ := embedded(t)
			s, _ := syslogging(t, kafka, nil, func(c *SyslogConfig) { c.Listen, c.IdleTimeout = "tcp://127.0.0.1:0", 20*time.Millisecond })
			conn := dial(t, "tcp", hostPort(s), nil)
			_, _ = io.WriteString(conn, sent)
			if n, err := conn.Read(make([]byte, 1)); err == nil {
				t.Errorf("%d bytes came instead of the end", n)
			}
			until(t, "it is counted", func() bool { return testutil.ToFloat64(s.metrics.closed.WithLabelValues("idle")) == 1 })
		})
	}
}

// TestSyslogSendersWaitForTheBroker fills the queue while nothing is produced: a connection stands still, and all lines
// are in the log once the broker takes them.
func TestSyslogSendersWaitForTheBroker(t *testing.T) {
	kafka, _ := embedded(t)
	p, err := NewProducer(kafka, ProducerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s, stop := syslogging(t, kafka, p, func(c *SyslogConfig) { c.Listen, c.QueueBytes = "tcp://127.0.0.1:0", 256<<10 })
	const lines = 1000 // 32 KiB each: more than the sockets hold
	line := `{"timestamp":"2026-11-24T12:00:00Z","client.address":"192.0.2.7","x":"` + strings.Repeat("x", 32<<10) + `"}` + "\n"
	conn := dial(t, "tcp", hostPort(s), nil)
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(conn, strings.Repeat(line, lines))
		sent <- errors.Join(err, conn.Close())
	}()
	until(t, "the queue is full", func() bool {
		if !s.room.TryAcquire(int64(len(line))) {
			return true
		}
		s.room.Release(int64(len(line)))
		return false
	})
	select {
	case err := <-sent:
		t.Fatalf("the sender did not wait: %v", err)
	default:
	}
	startProducer(t, p)
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	until(t, "all lines are acknowledged", func() bool { return counted(s, "parsed") == lines })
	stop()
}

// TestSyslogCountsThePacketsThatItDrops sends more than the queue holds while nothing is produced.
func TestSyslogCountsThePacketsThatItDrops(t *testing.T) {
	kafka, _ := embedded(t)
	p, err := NewProducer(kafka, ProducerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s, stop := syslogging(t, kafka, p, func(c *SyslogConfig) {
		c.Listen, c.MaxMessage, c.QueueBytes = "udp://127.0.0.1:0", 480, 10<<10
	})
	conn := dial(t, "udp", hostPort(s), nil)
	const packets = 200
	for range packets {
		if _, err := io.WriteString(conn, jsonLine); err != nil {
			t.Fatal(err)
		}
	}
	dropped := func() int { return int(testutil.ToFloat64(s.metrics.dropped.WithLabelValues("queue"))) }
	until(t, "packets are dropped", func() bool { return dropped() > 0 })
	startProducer(t, p)
	until(t, "every packet is in the log or counted", func() bool { return counted(s, "parsed")+dropped() == packets })
	stop()
	if counted(s, "parsed") == 0 {
		t.Error("nothing was kept")
	}
}

// TestSyslogCountsThePacketsThatTheKernelDrops sends more than the socket holds before anybody reads. The kernel tells with
// a packet what it has dropped before that, so one more follows.
func TestSyslogCountsThePacketsThatTheKernelDrops(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells what it drops")
	}
	kafka, _ := embedded(t)
	if err := EnsureTopics(t.Context(), kafka, 1); err != nil {
		t.Fatal(err)
	}
	s, err := OpenSyslog(t.Context(), SyslogConfig{Listen: "udp://127.0.0.1:0", Name: "test"}, DefaultListenerConfig(), running(t, kafka, ProducerOptions{}), nil, quiet())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.socket.(*packets).conn.SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	conn := dial(t, "udp", hostPort(s), nil)
	const sent = 200
	for range sent - 1 {
		if _, err := io.WriteString(conn, jsonLine); err != nil {
			t.Fatal(err)
		}
	}
	startSource(t, s)
	dropped := func() int { return int(testutil.ToFloat64(s.metrics.dropped.WithLabelValues("kernel"))) }
	until(t, "there is room for another", func() bool { return counted(s, "parsed") > 0 })
	if _, err := io.WriteString(conn, jsonLine); err != nil {
		t.Fatal(err)
	}
	until(t, "every packet is in the log or counted", func() bool { return counted(s, "parsed")+dropped() == sent })
	if dropped() == 0 {
		t.Error("the socket held everything: the test shows nothing")
	}
}

// TestSyslogStopsWithoutLosingWhatHasArrived cancels a source right behind the last byte.
func TestSyslogStopsWithoutLosingWhatHasArrived(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			kafka, _ := embedded(t)
			s, stop := syslogging(t, kafka, nil, func(c *SyslogConfig) { c.Listen = network + "://127.0.0.1:0" })
			conn := dial(t, network, hostPort(s), nil)
			if network == "tcp" {
				until(t, "the sender is served", func() bool { return testutil.ToFloat64(s.metrics.connections) == 1 })
			}
			const lines = 100
			for range lines {
				if _, err := io.WriteString(conn, jsonLine+"\n"); err != nil {
					t.Fatal(err)
				}
			}
			stop()
			if got := counted(s, "parsed"); got != lines {
				t.Errorf("%d lines of %d are in the log", got, lines)
			}
		})
	}
}

func TestSyslogConfigIsChecked(t *testing.T) {
	tests := []struct {
		name string
		list []SyslogConfig
		want string // "" for none
	}{
		{"one line is enough", []SyslogConfig{{Listen: "udp://127.0.0.1:5514"}}, ""},
		{"two of a kind", []SyslogConfig{{Listen: "udp://127.0.0.1:5514"}, {Listen: "tcp://127.0.0.1:5514"}}, ""},
		{"no protocol", []SyslogConfig{{Listen: "127.0.0.1:5514"}}, `ingest.syslog[0]: listen is "127.0.0.1:5514"`},
		{"no port", []SyslogConfig{{Listen: "udp://127.0.0.1"}}, "want udp://, tcp:// or tls://"},
		{"format", []SyslogConfig{{Listen: "udp://:1", Format: "ngnix"}}, `did you mean "nginx"`},
		{"names", []SyslogConfig{{Listen: "udp://:1"}, {Listen: "udp://[::1]:1"}}, `ingest.syslog[1]: the name "udp:1" is taken`},
		{"tls without a certificate", []SyslogConfig{{Listen: "tls://:1"}}, "needs cert_file"},
		{"a certificate without tls", []SyslogConfig{{Listen: "tcp://:1", CertFile: "x"}}, "listen is not tls://"},
		{"short messages", []SyslogConfig{{Listen: "udp://:1", MaxMessage: 100}}, "want 480 to 65536"},
		{"a queue without room", []SyslogConfig{{Listen: "udp://:1", QueueBytes: 1000}}, "queue_bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := DefaultListenerConfig()
			c.Syslog = test.list
			err := c.Validate()
			if (err == nil) != (test.want == "") || (err != nil && !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// framesOf reads a stream to its end.
func framesOf(t *testing.T, r io.Reader, limit int) (messages []string, sizes []int, end error) {
	t.Helper()
	f := newFrames(r, limit)
	for {
		text, size, err := f.next()
		if len(text) > limit || len(text) > max(size, len(text)) {
			t.Fatalf("message of %d bytes, size %d, limit %d", len(text), size, limit)
		}
		if err != nil {
			return messages, sizes, err
		}
		messages, sizes = append(messages, string(text)), append(sizes, size)
	}
}

// FuzzSyslogFrames holds the reader of frames to three things: how a stream is cut into reads changes nothing; a counted
// stream gives back the messages that it was made of; and nothing is longer than the limit.
func FuzzSyslogFrames(f *testing.F) {
	f.Add(countFrames(syslogMessages()), 100)
	f.Add(newlineFrames(syslogMessages()), 64)
	f.Add([]byte("12 <1>half"), 16)
	f.Add([]byte("0 \n99999999 x"), 16)
	f.Add([]byte("12"), 20)
	f.Fuzz(func(t *testing.T, stream []byte, limit int) {
		limit = 16 + limit&1023
		messages, sizes, end := framesOf(t, bytes.NewReader(stream), limit)
		slowly, again, endAgain := framesOf(t, iotest.OneByteReader(bytes.NewReader(stream)), limit)
		if !slices.Equal(messages, slowly) || !slices.Equal(sizes, again) || fmt.Sprint(end) != fmt.Sprint(endAgain) && !errors.Is(end, errFraming) {
			t.Fatalf("at once %q %v, byte by byte %q %v", messages, end, slowly, endAgain)
		}
		whole := slices.DeleteFunc(messages, func(m string) bool { return m == "" })
		if len(whole) == 0 {
			return
		}
		back, _, end := framesOf(t, bytes.NewReader(countFrames(whole)), limit)
		if !reflect.DeepEqual(back, whole) || !errors.Is(end, io.EOF) {
			t.Fatalf("%q came back as %q, %v", whole, back, end)
		}
	})
}

// BenchmarkSyslog sends lines of nginx over TCP until the broker has acknowledged them.
func BenchmarkSyslog(b *testing.B) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		b.Fatal(err)
	}
	defer cluster.Close()
	kafka := DefaultKafkaConfig()
	kafka.Brokers = cluster.ListenAddrs()
	if err := EnsureTopics(b.Context(), kafka, 2); err != nil {
		b.Fatal(err)
	}
	p, err := NewProducer(kafka, ProducerOptions{})
	if err != nil {
		b.Fatal(err)
	}
	s, err := OpenSyslog(b.Context(), SyslogConfig{Listen: "tcp://127.0.0.1:0"}, DefaultListenerConfig(), p, nil, quiet())
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	go func() { _ = p.Run(b.Context()) }()
	source := make(chan error, 1)
	go func() { source <- s.Run(ctx) }()
	conn := dial(b, "tcp", hostPort(s), nil)
	_, combined := benchLines()
	const lines = 10_000
	var batch []byte
	for i := range lines {
		batch = append(append(append(batch, "<190>Nov 24 12:00:00 web1 nginx: "...), combined[i%len(combined)]...), '\n')
	}
	b.SetBytes(int64(len(batch)))
	for sent := lines; b.Loop(); sent += lines {
		if _, err := conn.Write(batch); err != nil {
			b.Fatal(err)
		}
		for counted(s, "parsed") < sent {
			pause(b.Context(), 100*time.Microsecond)
		}
	}
	b.ReportMetric(float64(lines*b.N)/b.Elapsed().Seconds(), "lines/s")
	_ = conn.Close()
	cancel()
	if err := <-source; err != nil {
		b.Error(err)
	}
}
